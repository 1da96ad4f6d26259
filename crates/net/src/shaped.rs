//! A link with delay, a rate and loss in front of a socket, to measure how things go far from home.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use tokio::{sync::mpsc, time::Instant};

use crate::{Transport, lock::lock};

/// Largest packet of the Internet's links: an Ethernet frame's 1500 bytes without the headers of IPv4 and UDP.
const LARGEST: usize = 1472;
/// What waits longer than this for the link is dropped, as a router's full queue does.
const QUEUE: Duration = Duration::from_millis(100);

/// How a link is; it shapes what the socket sends.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Time from one end to the other: half the round trip where both ends are shaped.
    pub delay: Duration,
    /// Bytes per second.
    pub rate: u64,
    /// Packets lost of a thousand.
    pub loss: u32,
    /// Where the random losses begin, the same for the same seed.
    pub seed: u64,
}

/// A transport behind such a link.
#[derive(Clone, Debug)]
pub struct Shaped {
    /// What carries the packets in the end.
    pub inner: Arc<dyn Transport>,
    /// The link.
    pub shape: Shape,
}

#[derive(Debug)]
struct Socket {
    inner: Arc<dyn AsyncUdpSocket>,
    shape: Shape,
    link: Mutex<Link>,
    queue: mpsc::UnboundedSender<Packet>,
}

#[derive(Debug)]
struct Link {
    free_at: Instant,
    random: u64,
}

type Packet = (Instant, SocketAddr, Vec<u8>);

impl Transport for Shaped {
    fn bind(&self, addr: SocketAddr) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let inner = self.inner.bind(addr)?;
        // Bounded by the link itself: what would wait longer than QUEUE is never queued.
        let (queue, queued) = mpsc::unbounded_channel();
        tokio::spawn(carry(inner.clone(), queued));
        let link = Mutex::new(Link { free_at: Instant::now(), random: self.shape.seed | 1 });
        Ok(Arc::new(Socket { inner, shape: self.shape, link, queue }))
    }
}

async fn carry(socket: Arc<dyn AsyncUdpSocket>, mut queued: mpsc::UnboundedReceiver<Packet>) {
    while let Some((at, destination, contents)) = queued.recv().await {
        tokio::time::sleep_until(at).await;
        let transmit =
            Transmit { destination, ecn: None, contents: &contents, segment_size: None, src_ip: None };
        let _ = socket.try_send(&transmit);
    }
}

impl Socket {
    /// Says when a packet arrives at the other end, or `None` when it is lost.
    fn arrival(&self, len: usize) -> Option<Instant> {
        let mut link = lock(&self.link);
        let now = Instant::now();
        // Xorshift (Marsaglia 2003) is random enough for losses.
        link.random ^= link.random << 13;
        link.random ^= link.random >> 7;
        link.random ^= link.random << 17;
        let starts = link.free_at.max(now);
        let full = starts - now > QUEUE || len > LARGEST;
        if full || link.random % 1000 < u64::from(self.shape.loss) {
            return None;
        }
        link.free_at = starts + Duration::from_secs_f64(len as f64 / self.shape.rate.max(1) as f64);
        Some(link.free_at + self.shape.delay)
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.inner.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let size = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        for packet in transmit.contents.chunks(size) {
            if let Some(at) = self.arrival(packet.len()) {
                let _ = self.queue.send((at, transmit.destination, packet.to_vec()));
            }
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.inner.poll_recv(cx, bufs, meta)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}
