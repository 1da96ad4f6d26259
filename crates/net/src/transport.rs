use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use quinn::{AsyncUdpSocket, Runtime, TokioRuntime};
use socket2::{Domain, Protocol, Socket, Type};

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

impl Transport for Udp {
    fn bind(&self, addr: SocketAddr) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let socket = match udp(addr) {
            Err(_) if addr.is_ipv6() && addr.ip().is_unspecified() => {
                udp((Ipv4Addr::UNSPECIFIED, addr.port()).into())?
            }
            socket => socket?,
        };
        TokioRuntime.wrap_udp_socket(socket)
    }
}

fn udp(addr: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    socket.bind(&addr.into())?;
    Ok(socket.into())
}
