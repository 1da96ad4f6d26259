//! A simulated Internet: hosts, routers that translate addresses in the ways that RFC 4787 names, and delay.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    io::{self, IoSliceMut},
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use net::Transport;
use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use tokio::{sync::mpsc, time::Instant};

/// Time from host to host.
const DELAY: Duration = Duration::from_millis(5);
/// Port of a host that does not ask for one.
const PORT: u16 = 4000;

/// How a router maps and filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nat {
    /// One outside port per inside socket, open to everybody.
    FullCone,
    /// One outside port per inside socket, open to whom the socket sent something.
    PortRestricted,
    /// One outside port per inside socket and destination, open to that destination.
    Symmetric,
}

#[derive(Clone, Default)]
pub(crate) struct Internet(Arc<Mutex<World>>);

/// A place where a host can be.
#[derive(Clone)]
pub(crate) struct Place {
    internet: Internet,
    router: Option<Ipv4Addr>,
    ip: Ipv4Addr,
}

type Packet = (Instant, SocketAddr, Bytes);
/// Which network a host is in: the Internet, or that behind a router.
type Network = Option<Ipv4Addr>;

#[derive(Default)]
struct World {
    routers: HashMap<Ipv4Addr, Router>,
    hosts: HashMap<(Network, SocketAddr), mpsc::UnboundedSender<Packet>>,
}

struct Router {
    nat: Nat,
    next_port: u16,
    /// Inside socket, and for a symmetric one the destination, to the outside port.
    ports: HashMap<(SocketAddr, Option<SocketAddr>), u16>,
    inside: HashMap<u16, SocketAddr>,
    sent: HashSet<(u16, SocketAddr)>,
}

impl Internet {
    pub(crate) fn public(&self, ip: [u8; 4]) -> Arc<Place> {
        Arc::new(Place { internet: self.clone(), router: None, ip: ip.into() })
    }

    pub(crate) fn behind(&self, nat: Nat, router: [u8; 4], ip: [u8; 4]) -> Arc<Place> {
        let (router, ip) = (router.into(), ip.into());
        self.world().routers.insert(router, Router::new(nat));
        Arc::new(Place { internet: self.clone(), router: Some(router), ip })
    }

    /// Replaces a router by one of another kind; its mappings are gone.
    pub(crate) fn replace_router(&self, router: [u8; 4], nat: Nat) {
        let router: Ipv4Addr = router.into();
        let mut world = self.world();
        let old = world.routers.get_mut(&router).unwrap();
        old.nat = nat;
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    fn send(&self, network: Network, from: SocketAddr, to: SocketAddr, packet: Bytes) {
        let mut world = self.world();
        let at = Instant::now() + DELAY;
        if let Some(neighbour) = network.and_then(|_| world.hosts.get(&(network, to))) {
            let _ = neighbour.send((at, from, packet));
            return;
        }
        let from = match network {
            Some(router) => world.routers.get_mut(&router).unwrap().outbound(router, from, to),
            None => from,
        };
        let SocketAddr::V4(v4) = to else { return };
        let place = match world.routers.get(v4.ip()) {
            Some(router) => router.inbound(from, to.port()).map(|inside| (Some(*v4.ip()), inside)),
            None => Some((None, to)),
        };
        if let Some(host) = place.and_then(|place| world.hosts.get(&place)) {
            let _ = host.send((at, from, packet));
        }
    }
}

impl Router {
    fn new(nat: Nat) -> Self {
        let (ports, inside, sent) = Default::default();
        Self { nat, next_port: 20_000, ports, inside, sent }
    }

    fn outbound(&mut self, router: Ipv4Addr, from: SocketAddr, to: SocketAddr) -> SocketAddr {
        let key = (from, (self.nat == Nat::Symmetric).then_some(to));
        let port = *self.ports.entry(key).or_insert_with(|| {
            self.next_port += 7;
            self.next_port
        });
        self.inside.insert(port, from);
        self.sent.insert((port, to));
        (router, port).into()
    }

    fn inbound(&self, from: SocketAddr, port: u16) -> Option<SocketAddr> {
        let open = self.nat == Nat::FullCone || self.sent.contains(&(port, from));
        self.inside.get(&port).copied().filter(|_| open)
    }
}

impl Transport for Place {
    fn bind(&self, addr: SocketAddr) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let port = if addr.port() == 0 { PORT } else { addr.port() };
        let addr = SocketAddr::from((self.ip, port));
        let (sender, mut sent) = mpsc::unbounded_channel::<Packet>();
        let (deliver, inbox) = mpsc::unbounded_channel();
        self.internet.world().hosts.insert((self.router, addr), sender);
        tokio::spawn(async move {
            while let Some((at, from, packet)) = sent.recv().await {
                tokio::time::sleep_until(at).await;
                if deliver.send((from, packet)).is_err() {
                    return;
                }
            }
        });
        Ok(Arc::new(Socket { place: self.clone(), addr, inbox: Mutex::new(inbox) }))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} behind {:?}", self.ip, self.router)
    }
}

#[derive(Debug)]
struct Socket {
    place: Place,
    addr: SocketAddr,
    inbox: Mutex<mpsc::UnboundedReceiver<(SocketAddr, Bytes)>>,
}

#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let size = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        for packet in transmit.contents.chunks(size) {
            let packet = Bytes::copy_from_slice(packet);
            self.place.internet.send(self.place.router, self.addr, transmit.destination, packet);
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(Some((from, packet))) = self.inbox.lock().unwrap().poll_recv(cx) else {
            return Poll::Pending;
        };
        bufs[0][..packet.len()].copy_from_slice(&packet);
        meta[0] = RecvMeta::default();
        meta[0].addr = from;
        meta[0].len = packet.len();
        meta[0].stride = packet.len();
        Poll::Ready(Ok(1))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }
}
