//! The socket under the QUIC endpoint, extended by circuits: addresses in 240.0.0.0/4, which no host has
//! (RFC 1112, section 4), stand for peers behind a relay, and packets to them travel as datagrams of the
//! connection with that relay.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    io::{self, IoSliceMut},
    net::{Ipv4Addr, SocketAddr, SocketAddrV6},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use quinn::{
    AsyncUdpSocket, Connection, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use tokio::sync::mpsc;

use crate::{
    link::canonical,
    lock::lock,
    wire::{Part, Probe, SEALED_HEADER, Sealed, Token, Way},
};

/// First address that stands for a circuit.
const FIRST: u32 = 0xf000_0000;
/// Addresses before they are used again.
const ADDRESSES: u32 = 0x0fff_0000;
/// Any port but 0.
const PORT: u16 = 1;
/// Packets from relays that wait for the endpoint; more are dropped, as a full socket would.
const WAITING: usize = 1024;
/// Halves of packets that wait for their other half, per circuit.
const HALVES: usize = 8;
/// Probes that wait to be looked at.
const PROBES: usize = 64;
/// Assumed room in a datagram before the path says better: the least a QUIC path carries.
const LEAST_DATAGRAM: usize = 1100;

/// The extended socket.
pub(crate) struct Overlay {
    inner: Arc<dyn AsyncUdpSocket>,
    circuits: Arc<Circuits>,
}

/// The circuits that end here, and what came over them; outlives a change of the socket.
pub(crate) struct Circuits {
    table: Mutex<Table>,
    arrived: mpsc::Sender<(SocketAddr, Bytes)>,
    arrivals: Mutex<mpsc::Receiver<(SocketAddr, Bytes)>>,
    probed: mpsc::Sender<(Token, SocketAddr)>,
    number: AtomicU8,
}

#[derive(Default)]
struct Table {
    last: u32,
    by_addr: HashMap<SocketAddr, Circuit>,
    by_route: HashMap<Route, SocketAddr>,
}

/// Which connection, and which circuit on it.
type Route = (usize, u32);

struct Circuit {
    relay: Connection,
    circuit: u32,
    halves: VecDeque<(Part, Bytes)>,
}

impl Circuits {
    /// Returns the circuits, and the probes that arrive at any socket over them.
    pub(crate) fn new() -> (Arc<Self>, mpsc::Receiver<(Token, SocketAddr)>) {
        let (arrived, arrivals) = mpsc::channel(WAITING);
        let (probed, probes) = mpsc::channel(PROBES);
        let arrivals = Mutex::new(arrivals);
        let circuits = Self { table: Mutex::default(), arrived, arrivals, probed, number: AtomicU8::new(0) };
        (Arc::new(circuits), probes)
    }

    /// Adds a circuit and returns the address that stands for its other end.
    pub(crate) fn open(&self, relay: &Connection, circuit: u32) -> SocketAddr {
        let mut table = self.table();
        let route = (relay.stable_id(), circuit);
        if let Some(addr) = table.by_route.get(&route) {
            return *addr;
        }
        let addr = loop {
            table.last = (table.last + 1) % ADDRESSES;
            let addr = SocketAddr::new(Ipv4Addr::from(FIRST + table.last).into(), PORT);
            if !table.by_addr.contains_key(&addr) {
                break addr;
            }
        };
        table.by_route.insert(route, addr);
        table.by_addr.insert(addr, Circuit { relay: relay.clone(), circuit, halves: VecDeque::new() });
        addr
    }

    /// Takes a circuit away.
    pub(crate) fn close(&self, addr: SocketAddr) {
        let mut table = self.table();
        if let Some(circuit) = table.by_addr.remove(&addr) {
            table.by_route.remove(&(circuit.relay.stable_id(), circuit.circuit));
        }
    }

    /// Takes in a datagram that a relay brought.
    pub(crate) fn arrive(&self, relay: &Connection, sealed: Sealed) {
        let mut table = self.table();
        let Some(addr) = table.by_route.get(&(relay.stable_id(), sealed.circuit)).copied() else { return };
        let Some(circuit) = table.by_addr.get_mut(&addr) else { return };
        if let Some(packet) = circuit.whole(sealed.part, sealed.packet) {
            let _ = self.arrived.try_send((addr, packet));
        }
    }

    /// Sends a packet to the other end of a circuit; like UDP, it may be lost.
    fn send(&self, to: SocketAddr, packet: &[u8]) {
        let table = self.table();
        let Some(circuit) = table.by_addr.get(&to) else { return };
        let room = circuit.relay.max_datagram_size().unwrap_or(LEAST_DATAGRAM).saturating_sub(SEALED_HEADER);
        if packet.len() <= room {
            circuit.send(Part::Whole, packet);
            return;
        }
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (first, second) = packet.split_at(packet.len() / 2);
        circuit.send(Part::First(number), first);
        circuit.send(Part::Second(number), second);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }
}

impl Circuit {
    fn send(&self, part: Part, packet: &[u8]) {
        let packet = Bytes::copy_from_slice(packet);
        let sealed = Sealed { way: Way::Up, circuit: self.circuit, part, packet };
        let _ = self.relay.send_datagram(sealed.encode());
    }

    /// Returns the packet once all of it is here.
    fn whole(&mut self, part: Part, packet: Bytes) -> Option<Bytes> {
        let other = match part {
            Part::Whole => return Some(packet),
            Part::First(number) => Part::Second(number),
            Part::Second(number) => Part::First(number),
        };
        let Some(found) = self.halves.iter().position(|(part, _)| *part == other) else {
            self.halves.push_back((part, packet));
            if self.halves.len() > HALVES {
                self.halves.pop_front();
            }
            return None;
        };
        let (_, half) = self.halves.remove(found)?;
        let (first, second) = if matches!(part, Part::First(_)) { (packet, half) } else { (half, packet) };
        let mut whole = BytesMut::with_capacity(first.len() + second.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        Some(whole.freeze())
    }
}

impl Overlay {
    pub(crate) fn new(inner: Arc<dyn AsyncUdpSocket>, circuits: Arc<Circuits>) -> Arc<Self> {
        Arc::new(Self { inner, circuits })
    }

    /// Tells when the system's socket is closed, which a new one on the same port must wait for.
    pub(crate) fn socket(&self) -> Weak<dyn AsyncUdpSocket> {
        Arc::downgrade(&self.inner)
    }

    pub(crate) fn circuits(&self) -> Arc<Circuits> {
        self.circuits.clone()
    }

    /// Sends a packet that is none of QUIC's from the very socket; like UDP, it may be lost.
    pub(crate) fn probe(&self, to: SocketAddr, probe: Probe) {
        let contents = &probe.encode();
        let destination = self.in_family(to);
        let transmit = Transmit { destination, ecn: None, contents, segment_size: None, src_ip: None };
        let _ = self.inner.try_send(&transmit);
    }

    /// An IPv6 socket knows IPv4 hosts by their mapped addresses.
    fn in_family(&self, addr: SocketAddr) -> SocketAddr {
        let is_v6 = self.inner.local_addr().is_ok_and(|local| local.is_ipv6());
        match addr {
            SocketAddr::V4(v4) if is_v6 => {
                SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()
            }
            other => other,
        }
    }

    /// Hands over what relays brought.
    fn poll_arrivals(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> usize {
        let mut arrivals = lock(&self.circuits.arrivals);
        let mut count = 0;
        for (buffer, meta) in bufs.iter_mut().zip(meta) {
            let Poll::Ready(Some((addr, packet))) = arrivals.poll_recv(cx) else { break };
            let len = packet.len().min(buffer.len());
            buffer[..len].copy_from_slice(&packet[..len]);
            *meta = RecvMeta::default();
            meta.addr = self.in_family(addr);
            meta.len = len;
            meta.stride = len;
            count += 1;
        }
        count
    }

    /// Notices probes among what the socket received, which the endpoint itself ignores, and empties packets
    /// that pretend to come over a circuit.
    fn screen(&self, bufs: &[IoSliceMut<'_>], meta: &mut [RecvMeta]) {
        for (meta, buffer) in meta.iter_mut().zip(bufs) {
            if is_circuit(&meta.addr) {
                meta.len = 0;
            } else if let Some(probe) = buffer.get(..meta.len).and_then(Probe::decode) {
                let _ = self.circuits.probed.try_send((probe.token, canonical(meta.addr)));
            }
        }
    }
}

/// Says whether an address stands for a circuit.
pub(crate) fn is_circuit(addr: &SocketAddr) -> bool {
    matches!(canonical(*addr), SocketAddr::V4(addr) if u32::from(*addr.ip()) >= FIRST)
}

impl AsyncUdpSocket for Overlay {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.inner.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if !is_circuit(&transmit.destination) {
            return self.inner.try_send(transmit);
        }
        let to = canonical(transmit.destination);
        let size = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        transmit.contents.chunks(size).for_each(|packet| self.circuits.send(to, packet));
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let arrived = self.poll_arrivals(cx, bufs, meta);
        if arrived > 0 {
            return Poll::Ready(Ok(arrived));
        }
        let received = self.inner.poll_recv(cx, bufs, meta);
        if let Poll::Ready(Ok(count)) = received {
            self.screen(bufs, &mut meta[..count]);
        }
        received
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Overlay({:?})", self.inner)
    }
}
