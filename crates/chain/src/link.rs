//! A connection of our own to one Bitcoin node, for what the light client does not do: to hear of unconfirmed transactions, to
//! hand over a transaction, to see what is wrong with a peer.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bitcoin::consensus;
use bitcoin::p2p::message::{NetworkMessage, RawNetworkMessage};
use bitcoin::p2p::message_network::VersionMessage;
use bitcoin::p2p::{Address, Magic, ServiceFlags};
use domain::Network;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;

use crate::Config;
use crate::peer::PeerAddress;
use crate::status::Fault;

/// The newest version of the protocol with announcements by witness id (BIP 339).
pub(crate) const VERSION: u32 = 70016;

/// Bytes of a message's header: magic, command, length, checksum.
const ENVELOPE: usize = 24;

/// The longest message (Bitcoin Core's `MAX_PROTOCOL_MESSAGE_LENGTH`).
const LONGEST: usize = 4_000_000;

/// Looks like one of many, and tells nothing of the machine.
const USER_AGENT: &str = "/MusicDAO/";

/// A connection that has shaken hands.
pub(crate) struct Link {
    stream: TcpStream,
    magic: Magic,
    heard: Vec<u8>,
    services: ServiceFlags,
}

impl Link {
    /// Connects and shakes hands. `relay` says whether unconfirmed transactions are wanted.
    pub(crate) async fn open(config: &Config, peer: &PeerAddress, relay: bool) -> Result<Self, Fault> {
        let patience = config.patience().handshake;
        let stream = within(patience, connect(peer, config.proxy)).await.ok_or(Fault::Unreachable)?;
        let mut link =
            Self { stream, magic: magic(config.network), heard: Vec::new(), services: ServiceFlags::NONE };
        within(patience, link.shake_hands(relay)).await.ok_or(Fault::OtherNetwork)?;
        Ok(link)
    }

    /// The other end of a connection that was accepted, before any message.
    #[cfg(test)]
    pub(crate) fn accepted(stream: TcpStream, network: Network) -> Self {
        Self { stream, magic: magic(network), heard: Vec::new(), services: ServiceFlags::NONE }
    }

    /// Whether the peer serves compact filters.
    pub(crate) fn has_filters(&self) -> bool {
        self.services.has(ServiceFlags::COMPACT_FILTERS)
    }

    pub(crate) async fn send(&mut self, message: NetworkMessage) -> io::Result<()> {
        self.stream.write_all(&consensus::serialize(&RawNetworkMessage::new(self.magic, message))).await
    }

    /// The next message; pings are answered on the way. Nothing is lost where this is cancelled while it waits.
    pub(crate) async fn receive(&mut self) -> io::Result<NetworkMessage> {
        loop {
            while let Some(message) = self.parse()? {
                match message {
                    NetworkMessage::Ping(nonce) => self.send(NetworkMessage::Pong(nonce)).await?,
                    message => return Ok(message),
                }
            }
            if self.stream.read_buf(&mut self.heard).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn shake_hands(&mut self, relay: bool) -> io::Result<()> {
        self.send(NetworkMessage::Version(version(relay))).await?;
        loop {
            match self.receive().await? {
                NetworkMessage::Version(theirs) => {
                    self.services = theirs.services;
                    self.send(NetworkMessage::WtxidRelay).await?;
                    self.send(NetworkMessage::Verack).await?;
                }
                NetworkMessage::Verack => return Ok(()),
                _ => (),
            }
        }
    }

    fn parse(&mut self) -> io::Result<Option<NetworkMessage>> {
        let Some(envelope) = self.heard.get(..ENVELOPE) else { return Ok(None) };
        let length = [envelope[16], envelope[17], envelope[18], envelope[19]];
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > LONGEST || envelope[..4] != self.magic.to_bytes() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let end = ENVELOPE + length;
        if self.heard.len() < end {
            return Ok(None);
        }
        let message: RawNetworkMessage =
            consensus::deserialize(&self.heard[..end]).map_err(|_| io::ErrorKind::InvalidData)?;
        self.heard.drain(..end);
        Ok(Some(message.into_payload()))
    }
}

/// What is wrong with a peer; nothing where it is a node of this network that serves filters.
pub(crate) async fn fault(config: &Config, peer: &PeerAddress) -> Option<Fault> {
    match Link::open(config, peer, false).await {
        Ok(link) if link.has_filters() => None,
        Ok(_) => Some(Fault::NoFilters),
        Err(fault) => Some(fault),
    }
}

async fn connect(peer: &PeerAddress, proxy: Option<SocketAddr>) -> io::Result<TcpStream> {
    let target = (peer.host(), peer.port());
    let stream = match proxy {
        Some(proxy) => Socks5Stream::connect(proxy, target).await.map_err(io::Error::other)?.into_inner(),
        None => TcpStream::connect(target).await?,
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn within<T>(patience: Duration, attempt: impl Future<Output = io::Result<T>>) -> Option<T> {
    tokio::time::timeout(patience, attempt).await.ok()?.ok()
}

fn magic(network: Network) -> Magic {
    network.bitcoin().magic()
}

pub(crate) fn version(relay: bool) -> VersionMessage {
    let nowhere = Address::new(&SocketAddr::from(([0, 0, 0, 0], 0)), ServiceFlags::NONE);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    VersionMessage {
        version: VERSION,
        services: ServiceFlags::NONE,
        timestamp: i64::try_from(now.as_secs()).unwrap_or_default(),
        receiver: nowhere.clone(),
        sender: nowhere,
        nonce: nonce(),
        user_agent: USER_AGENT.to_owned(),
        start_height: 0,
        relay,
    }
}

/// A number that differs from connection to connection; a node uses it to notice that it talks to itself.
pub(crate) fn nonce() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(())
}
