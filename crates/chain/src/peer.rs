//! Where a Bitcoin node answers.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use bip157::TrustedPeer;
use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::address::AddrV2;
use data_encoding::{BASE32_NOPAD, Encoding};
use domain::Network;

use crate::error::Error;

/// Bytes of a version 3 onion name: a key, a checksum of 2 bytes, a version of 1 byte.
const ONION_BYTES: usize = 35;

/// Longest host name (RFC 1035, section 2.3.4).
const HOST_BYTES: usize = 253;

/// Where a Bitcoin node answers: an address, a host name or an onion name, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddress {
    host: String,
    port: u16,
}

impl PeerAddress {
    /// Parses `host:port`, or `host` for the network's own port; an IPv6 address with a port stands in brackets.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn parse(text: &str, network: Network) -> Result<Self, Error> {
        let error = || Error::Peer(text.to_owned());
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address.into());
        }
        let port = default_port(network);
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(SocketAddr::new(ip, port).into());
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| error())?),
            None => (text, port),
        };
        if !is_host(host) {
            return Err(error());
        }
        Ok(Self { host: host.to_ascii_lowercase(), port })
    }

    /// Returns the host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn trusted(&self) -> TrustedPeer {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return TrustedPeer::from_socket_addr(SocketAddr::new(ip, self.port));
        }
        match onion_key(&self.host) {
            Some(key) => TrustedPeer::new(AddrV2::TorV3(key), Some(self.port), ServiceFlags::NONE),
            None => TrustedPeer::from_hostname(self.host.clone(), self.port),
        }
    }

    /// The address of a peer that the light client found by itself, where it is one that can be dialled.
    pub(crate) fn of_found(address: &AddrV2, network: Network) -> Option<Self> {
        let ip = match address {
            AddrV2::Ipv4(ip) => IpAddr::V4(*ip),
            AddrV2::Ipv6(ip) => IpAddr::V6(*ip),
            _ => return None,
        };
        Some(SocketAddr::new(ip, default_port(network)).into())
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// The port where nodes of a network answer (Bitcoin Core's chainparams).
fn default_port(network: Network) -> u16 {
    match network {
        Network::Mainnet => 8333,
        Network::Signet => 38333,
        Network::Testnet4 => 48333,
        Network::Regtest => 18444,
    }
}

fn is_host(host: &str) -> bool {
    let is_label = |it: &str| {
        !it.is_empty()
            && it.len() < 64
            && it.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    host.len() <= HOST_BYTES && host.split('.').all(is_label) && host.bytes().any(|b| b.is_ascii_alphabetic())
}

fn onion_key(host: &str) -> Option<[u8; 32]> {
    const CODE: &Encoding = &BASE32_NOPAD;
    let name = host.strip_suffix(".onion")?.to_ascii_uppercase();
    let bytes = CODE.decode(name.as_bytes()).ok().filter(|it| it.len() == ONION_BYTES)?;
    bytes[..32].try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(PeerAddress::parse(text, Network::Signet).unwrap().to_string(), expect);
    }

    #[test]
    fn a_port_may_be_left_out() {
        check("127.0.0.1", "127.0.0.1:38333");
        check("127.0.0.1:7", "127.0.0.1:7");
        check("::1", "[::1]:38333");
        check("[::1]:7", "[::1]:7");
        check("Node.Example.org", "node.example.org:38333");
        check("node:7", "node:7");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", ":", "host:", "host:70000", "a b:1", "256.1.1.1", "-:x", "a..b:1", &"a.".repeat(200)]
        {
            assert!(PeerAddress::parse(text, Network::Signet).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_onion_name_is_its_key() {
        let name = format!("{}.onion", "a".repeat(56));
        assert_eq!(onion_key(&name), Some([0; 32]));
        assert_eq!(onion_key("short.onion"), None);
    }
}
