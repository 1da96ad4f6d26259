use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use domain::{BlobHash, PeerId};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tracing::debug;

use crate::{
    close,
    config::Config,
    endpoint::Endpoint,
    error::NetError,
    event::{DownReason, EVENT_QUEUE, Event, EventReceiver, Path},
    fetch::Download,
    link::{Link, canonical},
    serve::Bucket,
    sessions::Sessions,
    streams,
};

/// How long the last packets may take when the network shuts down.
const FAREWELL: Duration = Duration::from_secs(2);

/// One node's network. Cheap to clone; the last clone's end shuts it down.
#[derive(Clone, Debug)]
pub struct Network {
    shared: Arc<Shared>,
    _guard: Arc<Guard>,
}

/// A session as [`Network::peers`] shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerInfo {
    /// Who.
    pub peer: PeerId,
    /// How it is reached.
    pub path: Path,
    /// Where it is; of a relayed session, a stand-in.
    pub addr: SocketAddr,
    /// Smoothed round trip.
    pub rtt: Duration,
    /// Bytes received in packets of the current connection.
    pub bytes_in: u64,
    /// Bytes sent in packets of the current connection.
    pub bytes_out: u64,
    /// Feature bits of the peer's hello.
    pub features: u64,
}

/// What all tasks of one network share.
pub(crate) struct Shared {
    pub(crate) id: PeerId,
    pub(crate) config: Config,
    pub(crate) endpoint: Endpoint,
    pub(crate) events: mpsc::Sender<Event>,
    /// Counts changes of `sessions`, so that dials can wait for them.
    pub(crate) changes: watch::Sender<u64>,
    /// Pays for served bytes where the upload rate is limited.
    pub(crate) bucket: Option<Bucket>,
    sessions: Mutex<Sessions>,
}

/// Ends the network with its last handle; tasks hold only [`Shared`].
#[derive(Debug)]
struct Guard(Weak<Shared>);

impl Network {
    /// Opens the socket and answers peers from now on.
    ///
    /// # Errors
    /// [`NetError::Listen`] when the address cannot be listened on.
    pub async fn start(config: Config) -> Result<(Self, EventReceiver), NetError> {
        let listen = |source| NetError::Listen { addr: config.listen, source };
        let socket = config.transport.bind(config.listen).map_err(listen)?;
        let endpoint = Endpoint::open(&config, socket)?;
        let bucket = config.limits.upload.map(|rate| Bucket::new(rate, Instant::now()));
        let (events, receiver) = mpsc::channel(EVENT_QUEUE);
        let shared = Arc::new(Shared {
            id: config.identity.id(),
            config,
            endpoint,
            events,
            bucket,
            changes: watch::Sender::new(0),
            sessions: Mutex::new(Sessions::new(first_session())),
        });
        tokio::spawn(crate::greet::accept_all(shared.clone()));
        let guard = Arc::new(Guard(Arc::downgrade(&shared)));
        Ok((Self { shared, _guard: guard }, EventReceiver(receiver)))
    }

    /// Returns this node's name.
    pub fn id(&self) -> PeerId {
        self.shared.id
    }

    /// Returns where the socket listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.endpoint.quinn().local_addr().map_or(self.shared.config.listen, canonical)
    }

    /// Makes a session with a peer, dialling its addresses; returns at once when there is one.
    ///
    /// # Errors
    /// [`NetError::PeerUnreachable`], [`NetError::Refused`], [`NetError::Blocked`],
    /// [`NetError::SelfConnection`].
    pub async fn connect(&self, peer: PeerId, addrs: &[SocketAddr]) -> Result<(), NetError> {
        crate::dial::connect(&self.shared, peer, addrs).await
    }

    /// Ends the session with a peer, if there is one.
    pub fn disconnect(&self, peer: PeerId) {
        if let Some(link) = self.shared.link(&peer) {
            link.end(DownReason::Disconnected);
        }
    }

    /// Refuses a peer from now on and ends its session.
    pub fn block(&self, peer: PeerId) {
        self.shared.sessions().block(peer);
        if let Some(link) = self.shared.link(&peer) {
            link.end(DownReason::Blocked);
        }
    }

    /// Lets a blocked peer in again.
    pub fn unblock(&self, peer: PeerId) {
        self.shared.sessions().unblock(&peer);
    }

    /// Queues a message to a connected peer; they arrive whole and in order while the session lasts.
    ///
    /// # Errors
    /// [`NetError::NotConnected`], [`NetError::TooLarge`], and [`NetError::Slow`], which ends the session.
    pub fn send(&self, peer: PeerId, message: Bytes) -> Result<(), NetError> {
        self.shared.link(&peer).ok_or(NetError::NotConnected(peer))?.send(message)
    }

    /// Asks a connected peer and waits for its answer of at most `most` bytes.
    ///
    /// # Errors
    /// [`NetError::NotConnected`], [`NetError::Refused`], [`NetError::Busy`], [`NetError::Timeout`],
    /// [`NetError::TooLarge`], [`NetError::Lost`].
    pub async fn request(
        &self,
        peer: PeerId,
        body: Bytes,
        most: usize,
        within: Duration,
    ) -> Result<Bytes, NetError> {
        let link = self.shared.link(&peer).ok_or(NetError::NotConnected(peer))?;
        let asked = streams::request(peer, link.connection(), body, most);
        timeout(within, asked).await.unwrap_or(Err(NetError::Timeout("the request")))
    }

    /// Asks a connected peer from which address it sees this node.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn observed_by(&self, peer: PeerId, within: Duration) -> Result<SocketAddr, NetError> {
        let link = self.shared.link(&peer).ok_or(NetError::NotConnected(peer))?;
        let asked = streams::observe(peer, link.connection());
        timeout(within, asked).await.unwrap_or(Err(NetError::Timeout("the request")))
    }

    /// Begins to fetch a blob, from the parts that are here. With a size from a signed record, a provider
    /// that names another is not asked.
    pub fn fetch(&self, hash: BlobHash, size: Option<u64>) -> Download {
        crate::fetch::begin(&self.shared, hash, size)
    }

    /// Lists the sessions, in the order of ids.
    pub fn peers(&self) -> Vec<PeerInfo> {
        let mut peers: Vec<PeerInfo> = self.shared.sessions().links().map(|link| info(link)).collect();
        peers.sort_by_key(|info| info.peer);
        peers
    }

    /// Ends every session in peace and waits until the peers were told.
    pub async fn shutdown(&self) {
        self.shared.close();
        let _ = timeout(FAREWELL, self.shared.endpoint.quinn().wait_idle()).await;
    }
}

impl Shared {
    pub(crate) fn link(&self, peer: &PeerId) -> Option<Arc<Link>> {
        self.sessions().link(peer).cloned()
    }

    /// No code panics while it holds the lock with the table half changed, so poison means nothing.
    pub(crate) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn sessions_changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn close(&self) {
        let links: Vec<Arc<Link>> = self.sessions().links().cloned().collect();
        links.iter().for_each(|link| link.end(DownReason::Disconnected));
        self.endpoint.quinn().close(close::LEFT, b"");
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shared({})", self.id.short())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            debug!(id = shared.id.short(), "last handle gone");
            shared.close();
        }
    }
}

fn info(link: &Link) -> PeerInfo {
    let connection = link.connection();
    let stats = connection.stats();
    PeerInfo {
        peer: link.peer(),
        path: link.path(),
        addr: link.addr(),
        rtt: connection.rtt(),
        bytes_in: stats.udp_rx.bytes,
        bytes_out: stats.udp_tx.bytes,
        features: link.features(),
    }
}

/// Microseconds since 1970: above every number of an earlier run, unless the clock was set back.
fn first_session() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}
