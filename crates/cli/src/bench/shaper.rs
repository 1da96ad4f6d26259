//! A worse link than loopback: a UDP proxy that delays, paces and loses packets in both directions.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// Longest UDP datagram.
const DATAGRAM: usize = 65_536;
/// Bytes of IPv4's and UDP's headers, which the link carries too.
const HEADERS: u64 = 28;
/// Longest that a packet waits for its turn before it is dropped, as in a home router's queue.
const QUEUE: Duration = Duration::from_millis(100);
/// Packets on the way that are held at most.
const UNDER_WAY: usize = 4096;

/// What a link is like; the same in both directions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// From one end to the other.
    pub(super) delay: Duration,
    /// Bits a second.
    pub(super) rate: u64,
    /// One packet in so many is lost, by chance.
    pub(super) loses_one_in: u64,
}

/// A running proxy for one client; it ends when dropped.
pub(super) struct Shaper {
    addr: SocketAddr,
    _tasks: JoinSet<()>,
}

/// One direction of a link.
struct Lane {
    link: Link,
    /// When the last packet has left the sender.
    free: Instant,
    random: u64,
}

type Datagram = (Instant, Vec<u8>);

impl Link {
    /// Returns the round trip of a small packet on an idle link.
    pub(super) fn rtt(&self) -> Duration {
        self.delay * 2
    }
}

impl Shaper {
    /// Stands in front of a server.
    ///
    /// # Errors
    /// Those of the sockets.
    pub(super) async fn start(server: SocketAddr, link: Link) -> io::Result<Self> {
        let front = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        let back = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        let addr = front.local_addr()?;
        let client = Arc::new(Mutex::new(None));
        let mut tasks = JoinSet::new();
        let (up, going) = mpsc::channel(UNDER_WAY);
        let (down, coming) = mpsc::channel(UNDER_WAY);
        tasks.spawn(receive(front.clone(), Some(client.clone()), Lane::new(link, 1), up));
        tasks.spawn(receive(back.clone(), None, Lane::new(link, 2), down));
        tasks.spawn(deliver(back, going, move || Some(server)));
        tasks.spawn(deliver(front, coming, move || *client.lock().expect("no holder panics")));
        Ok(Self { addr, _tasks: tasks })
    }

    /// Returns where clients find the server behind this link.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Lane {
    fn new(link: Link, seed: u64) -> Self {
        Self { link, free: Instant::now(), random: seed }
    }

    /// Says when a packet arrives that is sent now; `None` where it is lost.
    fn arrival(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        if self.is_lost() || self.free.saturating_duration_since(now) > QUEUE {
            return None;
        }
        let bits = (bytes as u64 + HEADERS) * 8;
        self.free = self.free.max(now) + Duration::from_nanos(bits * 1_000_000_000 / self.link.rate);
        Some(self.free + self.link.delay)
    }

    /// Draws by SplitMix64 (Steele, Lea and Flood, 2014): the same packets in every run.
    fn is_lost(&mut self) -> bool {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)).is_multiple_of(self.link.loses_one_in)
    }
}

/// Takes packets off a socket; what does not fit into the link is lost.
async fn receive(
    socket: Arc<UdpSocket>,
    client: Option<Arc<Mutex<Option<SocketAddr>>>>,
    mut lane: Lane,
    out: mpsc::Sender<Datagram>,
) {
    let mut bytes = vec![0; DATAGRAM];
    loop {
        // An ICMP error of an earlier packet: that packet is lost, the socket goes on.
        let Ok((size, from)) = socket.recv_from(&mut bytes).await else { continue };
        if let Some(client) = &client {
            client.lock().expect("no holder panics").replace(from);
        }
        let Some(arrival) = lane.arrival(Instant::now(), size) else { continue };
        // A full channel is a full link.
        let _ = out.try_send((arrival, bytes[..size].to_vec()));
    }
}

/// Hands packets on when they are due.
async fn deliver(
    socket: Arc<UdpSocket>,
    mut packets: mpsc::Receiver<Datagram>,
    to: impl Fn() -> Option<SocketAddr> + Send,
) {
    while let Some((due, bytes)) = packets.recv().await {
        sleep_until(due).await;
        if let Some(to) = to() {
            // Whatever cannot be sent is lost, as on any link.
            let _ = socket.send_to(&bytes, to).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link = Link { delay: Duration::from_millis(25), rate: 20_000_000, loses_one_in: 100 };

    #[test]
    fn packets_leave_one_after_another_and_arrive_late() {
        let mut lane = Lane::new(Link { loses_one_in: u64::MAX, ..LINK }, 1);
        let now = Instant::now();
        let arrivals: Vec<_> = (0..3).filter_map(|_| lane.arrival(now, 1222)).collect();
        let half = Duration::from_micros(500);
        assert_eq!(arrivals, [1, 2, 3].map(|packets| now + packets * half + LINK.delay));
    }

    #[test]
    fn a_full_queue_drops() {
        let mut lane = Lane::new(Link { loses_one_in: u64::MAX, ..LINK }, 1);
        let now = Instant::now();
        let passed = (0..1000).filter(|_| lane.arrival(now, 1222).is_some()).count();
        assert_eq!(passed, 201, "100 ms of packets of half a millisecond, and the one that filled it");
    }

    #[test]
    fn one_in_a_hundred_is_lost() {
        let mut lane = Lane::new(LINK, 1);
        let lost = (0..100_000).filter(|_| lane.is_lost()).count();
        assert!((900..1100).contains(&lost), "{lost}");
    }

    #[tokio::test]
    async fn a_round_trip_takes_both_delays() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let link = Link { loses_one_in: u64::MAX, ..LINK };
        let shaper = Shaper::start(server.local_addr().unwrap(), link).await.unwrap();
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let began = Instant::now();
        client.send_to(b"there", shaper.addr()).await.unwrap();
        let mut bytes = [0; 16];
        let (size, from) = server.recv_from(&mut bytes).await.unwrap();
        assert_eq!(&bytes[..size], b"there");
        server.send_to(b"and back", from).await.unwrap();
        let (size, _) = client.recv_from(&mut bytes).await.unwrap();
        assert_eq!(&bytes[..size], b"and back");
        assert!(began.elapsed() >= link.rtt());
    }
}
