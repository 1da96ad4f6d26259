use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration, time::SystemTime};

use bytes::Bytes;
use domain::{BlobHash, Identity, PeerId};

use crate::{Blobs, DhtConfig, Lan, PortMapping, RelayLimits, RelayPolicy, Transport};

/// How a network is set up.
#[derive(Clone)]
pub struct Config {
    /// Who this node is.
    pub identity: Identity,
    /// Where to listen; port 0 takes any.
    pub listen: SocketAddr,
    /// What carries the packets.
    pub transport: Arc<dyn Transport>,
    /// Who answers peers.
    pub handler: Arc<dyn Handler>,
    /// Where blobs are kept and served from.
    pub blobs: Blobs,
    /// What a peer may cause.
    pub limits: Limits,
    /// Whether to forward sealed datagrams between others.
    pub relay: RelayPolicy,
    /// What that may cost.
    pub relay_limits: RelayLimits,
    /// Whether and how to look for peers in the local network.
    pub lan: Option<Lan>,
    /// Whether and how to take part in the DHT.
    pub dht: Option<DhtConfig>,
    /// Whether and how to ask the router to forward the port.
    pub port_mapping: Option<PortMapping>,
    /// The wall clock, which alone goes on while the machine sleeps.
    pub clock: Clock,
}

/// Bounds on what peers can cause. The defaults suit a home computer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Most sessions at a time; dialled ones are let in above it.
    pub sessions: usize,
    /// Most sessions that one host began; an IPv6 network of 64 bits counts as one.
    pub sessions_per_host: usize,
    /// How long a session that the other side began must be unused before it makes room for a newcomer.
    pub spare_after: Duration,
    /// Most bytes that wait for one peer before it counts as not draining and is dropped.
    pub queued: usize,
    /// Most requests of one peer answered at a time.
    pub requests: usize,
    /// Most bytes of a request's body.
    pub request_body: usize,
    /// Longest time one request may take to arrive, to be answered or to be read.
    pub request_time: Duration,
    /// Longest time a handshake and the hellos may take.
    pub greeting: Duration,
    /// Longest silence before a connection counts as dead.
    pub idle: Duration,
    /// How often an idle connection is kept alive; routers forget UDP flows after 30 seconds.
    pub keep_alive: Duration,
    /// Bytes per second of blobs that are served, all peers together; `None` is no limit.
    pub upload: Option<u64>,
}

/// Answers peers; the node's side of the network.
pub trait Handler: Send + Sync + 'static {
    /// Answers a request, or refuses with `None`. Runs under [`Limits::request_time`].
    fn request(&self, peer: PeerId, body: Bytes) -> Answer;

    /// Says whether this peer may have this blob.
    fn may_serve(&self, peer: PeerId, hash: &BlobHash) -> bool;

    /// Counts bytes of a blob, proofs included, that went to a peer.
    fn served(&self, peer: PeerId, hash: &BlobHash, bytes: u64) {
        let _ = (peer, hash, bytes);
    }
}

/// Tells the time of the day.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What a [`Handler`] answers a request with, later.
pub type Answer = Pin<Box<dyn Future<Output = Option<Bytes>> + Send>>;

/// Refuses every request and serves no blob.
#[derive(Clone, Copy, Debug, Default)]
pub struct RefuseAll;

impl Config {
    /// Listens on every interface with the defaults. Until more is set, it looks for nobody and answers nothing.
    pub fn new(identity: Identity, blobs: Blobs) -> Self {
        Self {
            identity,
            listen: SocketAddr::from(([0u16; 8], 0)),
            transport: default_transport(),
            handler: Arc::new(RefuseAll),
            blobs,
            limits: Limits::default(),
            relay: RelayPolicy::default(),
            relay_limits: RelayLimits::default(),
            lan: None,
            dht: None,
            port_mapping: None,
            clock: Arc::new(SystemTime::now),
        }
    }
}

#[cfg(not(target_os = "android"))]
fn default_transport() -> Arc<dyn Transport> {
    Arc::new(crate::Udp)
}

#[cfg(target_os = "android")]
fn default_transport() -> Arc<dyn Transport> {
    Arc::new(crate::PlainUdp)
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 256,
            sessions_per_host: 64,
            spare_after: Duration::from_secs(60),
            queued: 4 * 1024 * 1024,
            requests: 32,
            request_body: 64 * 1024,
            request_time: Duration::from_secs(30),
            greeting: Duration::from_secs(10),
            idle: Duration::from_secs(45),
            keep_alive: Duration::from_secs(15),
            upload: None,
        }
    }
}

impl Handler for RefuseAll {
    fn request(&self, _peer: PeerId, _body: Bytes) -> Answer {
        Box::pin(std::future::ready(None))
    }

    fn may_serve(&self, _peer: PeerId, _hash: &BlobHash) -> bool {
        false
    }
}
