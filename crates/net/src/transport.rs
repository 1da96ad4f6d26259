use std::{
    fmt,
    io::{self, IoSliceMut},
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use quinn::{
    AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::ReadBuf;

/// Opens the socket under the QUIC endpoint: real UDP, or a simulated network in tests.
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// Opens a socket.
    ///
    /// # Errors
    /// What the system says.
    fn bind(&self, addr: SocketAddr) -> io::Result<Arc<dyn AsyncUdpSocket>>;
}

/// UDP of the operating system. An unspecified IPv6 address takes IPv4 too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Udp;

/// UDP with one plain system call per packet: for systems, such as Android, where batches and offloading
/// lose packets or fail.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainUdp;

#[derive(Debug)]
struct PlainSocket(tokio::net::UdpSocket);

#[derive(Debug)]
struct PlainPoller(Arc<PlainSocket>);

impl Transport for Udp {
    fn bind(&self, addr: SocketAddr) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(udp(addr)?)
    }
}

impl Transport for PlainUdp {
    fn bind(&self, addr: SocketAddr) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let socket = udp(addr)?;
        socket.set_nonblocking(true)?;
        Ok(Arc::new(PlainSocket(tokio::net::UdpSocket::from_std(socket)?)))
    }
}

impl UdpPoller for PlainPoller {
    fn poll_writable(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.0.poll_send_ready(cx)
    }
}

impl AsyncUdpSocket for PlainSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(PlainPoller(self))
    }

    /// An error other than "not now" is the loss of a packet, which QUIC mends; it must not end the endpoint.
    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        match self.0.try_send_to(transmit.contents, transmit.destination) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buffer), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        let mut buffer = ReadBuf::new(buffer);
        // An unreachable peer's complaint comes as an error of the socket, which others still use.
        let addr = loop {
            match self.0.poll_recv_from(cx, &mut buffer) {
                Poll::Ready(Ok(addr)) => break addr,
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        };
        *meta = RecvMeta::default();
        meta.addr = addr;
        meta.len = buffer.filled().len();
        meta.stride = meta.len;
        Poll::Ready(Ok(1))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Opens a socket; a machine without IPv6 listens on every interface by IPv4 alone.
fn udp(addr: SocketAddr) -> io::Result<std::net::UdpSocket> {
    match bound(addr) {
        Err(_) if addr.is_ipv6() && addr.ip().is_unspecified() => {
            bound((Ipv4Addr::UNSPECIFIED, addr.port()).into())
        }
        socket => socket,
    }
}

fn bound(addr: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    socket.bind(&addr.into())?;
    Ok(socket.into())
}
