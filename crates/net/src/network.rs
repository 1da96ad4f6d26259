use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, Weak, atomic::AtomicBool},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use domain::{BlobHash, PeerId};
use quinn::Connection;
use tokio::{
    sync::{Notify, Semaphore, mpsc, watch},
    task::JoinHandle,
    time::timeout,
};
use tracing::{debug, warn};

use crate::{
    change, close,
    config::Config,
    contact::Contact,
    dht::Dht,
    dial::Turns,
    early::{self, Early},
    endpoint::Endpoint,
    error::NetError,
    event::{DownReason, EVENT_QUEUE, Event, EventReceiver, Path},
    fetch::Download,
    lan,
    link::{Link, canonical},
    lock::lock,
    overlay::{Circuits, Overlay},
    portmap,
    punch::Awaited,
    reach::{self, Reach},
    relay::Forwarder,
    serve::{ANSWERS, Bucket},
    sessions::Sessions,
    streams,
    wire::Probe,
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
    /// The circuits that end here.
    pub(crate) circuits: Arc<Circuits>,
    /// The circuits that go through here.
    pub(crate) forwarder: Forwarder,
    /// The probes that are waited for.
    pub(crate) awaited: Awaited,
    /// Connections over which reads can go out before the handshake ends.
    pub(crate) early: Early,
    /// Which dial of a peer greets.
    pub(crate) turns: Turns,
    /// Says that the router should be asked again.
    pub(crate) remap: Arc<Notify>,
    /// Held while the socket is replaced, so that one change follows the other.
    pub(crate) changing: tokio::sync::Mutex<()>,
    /// No socket could be opened; the watch tries again.
    pub(crate) unbound: AtomicBool,
    /// Becomes true once, at the end.
    pub(crate) closed: watch::Sender<bool>,
    overlay: Mutex<Arc<Overlay>>,
    reach: Mutex<Reach>,
    announcement: Mutex<Option<lan::Announcement>>,
    dht: Mutex<Option<Dht>>,
    mapping: Mutex<Option<JoinHandle<()>>>,
    /// Pays for served bytes where the upload rate is limited.
    pub(crate) bucket: Bucket,
    /// One permit for each answer that is held in memory.
    pub(crate) answers: Semaphore,
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
        let (circuits, probes) = Circuits::new();
        let socket = config.transport.bind(config.listen).map_err(listen)?;
        let overlay = Overlay::new(socket, circuits.clone());
        let endpoint = Endpoint::open(&config, overlay.clone())?;
        let (events, receiver) = mpsc::channel(EVENT_QUEUE);
        let shared = Arc::new(Shared::new(config, endpoint, events, circuits, overlay));
        tokio::spawn(crate::greet::accept_all(shared.clone()));
        tokio::spawn(Awaited::distribute(Arc::downgrade(&shared), probes));
        let guard = Arc::new(Guard(Arc::downgrade(&shared)));
        let this = Self { shared, _guard: guard };
        this.start_services().await;
        Ok((this, EventReceiver(receiver)))
    }

    /// Starts what helps to find peers. What cannot be started is told of, and the others go on.
    async fn start_services(&self) {
        let shared = &self.shared;
        let config = &shared.config;
        if let Some(lan) = &config.lan {
            match lan::start(shared, lan, self.local_addr()) {
                Ok(announcement) => *lock(&shared.announcement) = Some(announcement),
                Err(error) => shared.tell_service_failed(error).await,
            }
        }
        if let Some(dht) = &config.dht {
            match Dht::start(dht.clone(), config.identity.clone()).await {
                Ok(dht) => {
                    tokio::spawn(dht.clone().keep_announcing(Arc::downgrade(shared)));
                    *lock(&shared.dht) = Some(dht);
                }
                Err(error) => shared.tell_service_failed(error).await,
            }
        }
        if let Some(mapping) = &config.port_mapping {
            let closed = shared.closed.subscribe();
            let task = portmap::run(Arc::downgrade(shared), mapping.clone(), closed);
            *lock(&shared.mapping) = Some(tokio::spawn(task));
        }
        tokio::spawn(change::watch(shared));
    }

    /// Returns this node's name.
    pub fn id(&self) -> PeerId {
        self.shared.id
    }

    /// Returns where the socket listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.local_addr()
    }

    /// Limits the bytes per second of blobs that are served from now on, all peers together; `None` is no limit.
    pub fn set_upload_limit(&self, rate: Option<u64>) {
        self.shared.bucket.set_rate(rate);
    }

    /// Makes a session with a peer, dialling its addresses; returns at once when there is one.
    ///
    /// # Errors
    /// [`NetError::PeerUnreachable`], [`NetError::Refused`], [`NetError::Blocked`],
    /// [`NetError::SelfConnection`].
    pub async fn connect(&self, peer: PeerId, addrs: &[SocketAddr]) -> Result<(), NetError> {
        self.reach(peer, &Contact::of(addrs)).await
    }

    /// Makes a session with a peer: at its addresses, else with an introduction by a peer that both are
    /// connected with or by its relays, else through one of them; such a session goes on directly as soon
    /// as a way is found.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn reach(&self, peer: PeerId, contact: &Contact) -> Result<(), NetError> {
        crate::dial::connect(&self.shared, peer, contact).await
    }

    /// Makes a session with whoever answers at an address, as the DHT names addresses without keys.
    ///
    /// # Errors
    /// [`NetError::NobodyThere`] and as [`Self::connect`].
    pub async fn meet(&self, addr: SocketAddr) -> Result<PeerId, NetError> {
        crate::dial::meet(&self.shared, addr).await
    }

    /// Returns the DHT, where it is taken part in.
    pub fn dht(&self) -> Option<Dht> {
        lock(&self.shared.dht).clone()
    }

    /// Begins anew with the network there is now: the socket, what is known of the outside, and sessions
    /// whose path is lost; [`Event::NetworkChanged`] tells of it. Called by itself when the machine's addresses
    /// change and after a sleep; a phone's shell calls it when the system says so.
    ///
    /// # Errors
    /// [`NetError::Listen`] when no socket can be opened; that is tried again until it succeeds.
    pub async fn network_changed(&self) -> Result<(), NetError> {
        change::changed(&self.shared).await
    }

    /// Lists where this node may be reached, best first: for an invite or an identity record.
    pub fn candidates(&self) -> Vec<SocketAddr> {
        self.shared.candidates()
    }

    /// Returns where the Internet sees this node, once a peer or the router said.
    pub fn external_address(&self) -> Option<SocketAddr> {
        self.shared.reach().external()
    }

    /// Says whether strangers can dial this node, as far as was seen.
    pub fn is_dialable(&self) -> bool {
        self.shared.reach().is_dialable()
    }

    /// Says whether the connection is paid by volume; then nothing is relayed for others.
    pub fn set_metered(&self, metered: bool) {
        self.shared.forwarder.set_metered(metered);
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
        let mapping = lock(&self.shared.mapping).take();
        let farewell = async {
            self.shared.endpoint.quinn().wait_idle().await;
            if let Some(mapping) = mapping {
                let _ = mapping.await;
            }
        };
        let _ = timeout(FAREWELL, farewell).await;
    }
}

impl Shared {
    fn new(
        config: Config,
        endpoint: Endpoint,
        events: mpsc::Sender<Event>,
        circuits: Arc<Circuits>,
        overlay: Arc<Overlay>,
    ) -> Self {
        let now = Instant::now();
        Self {
            id: config.identity.id(),
            bucket: Bucket::new(config.limits.upload, now),
            answers: Semaphore::new(ANSWERS),
            forwarder: Forwarder::new(config.relay_limits.clone(), now),
            config,
            endpoint,
            events,
            circuits,
            overlay: Mutex::new(overlay),
            changes: watch::Sender::new(0),
            awaited: Awaited::default(),
            early: Early::default(),
            turns: Turns::default(),
            remap: Arc::default(),
            changing: tokio::sync::Mutex::default(),
            unbound: AtomicBool::new(false),
            closed: watch::Sender::new(false),
            reach: Mutex::default(),
            announcement: Mutex::default(),
            dht: Mutex::default(),
            mapping: Mutex::default(),
            sessions: Mutex::new(Sessions::new(first_session())),
        }
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.endpoint.quinn().local_addr().map_or(self.config.listen, canonical)
    }

    pub(crate) fn reach(&self) -> MutexGuard<'_, Reach> {
        lock(&self.reach)
    }

    /// Returns the port at which strangers reach the endpoint, as far as is known.
    pub(crate) fn external_port(&self) -> u16 {
        self.reach().external().unwrap_or_else(|| self.local_addr()).port()
    }

    pub(crate) fn overlay(&self) -> MutexGuard<'_, Arc<Overlay>> {
        lock(&self.overlay)
    }

    pub(crate) fn candidates(&self) -> Vec<SocketAddr> {
        let interfaces = reach::interfaces(self.local_addr());
        self.reach().candidates(&interfaces)
    }

    /// Reports the external address when it is news.
    pub(crate) async fn tell_external_address(&self) {
        let news = self.reach().news();
        if let Some(addr) = news {
            let _ = self.events.send(Event::ExternalAddress { addr }).await;
        }
    }

    async fn tell_service_failed(&self, error: NetError) {
        warn!(%error, "going on without it");
        if let NetError::Service { service, reason } = error {
            let _ = self.events.send(Event::ServiceFailed { service, reason }).await;
        }
    }

    /// Dials an address, remembering that the answer will be no stranger's. Where the peer was met before,
    /// reads may go out with the first packet.
    pub(crate) async fn dial(&self, peer: PeerId, addr: SocketAddr) -> Result<Connection, NetError> {
        self.reach().dialled(addr);
        let connecting = self.endpoint.dial(peer, addr)?;
        early::establish(self, peer, connecting).await
    }

    /// Returns the connection of the session with a peer, else one over which reads can go out already; waits
    /// while the peer is being dialled.
    pub(crate) async fn connection(&self, peer: PeerId) -> Result<Connection, NetError> {
        let mut changes = self.changes.subscribe();
        loop {
            if let Some(link) = self.link(&peer) {
                link.touch();
                return Ok(link.connection());
            }
            if let Some(connection) = self.early.connection(&peer) {
                return Ok(connection);
            }
            if !self.turns.is_dialling(&peer) || changes.changed().await.is_err() {
                return Err(NetError::NotConnected(peer));
            }
        }
    }

    /// Takes a circuit away, and with it the session whose only path it is.
    pub(crate) fn lose_circuit(&self, addr: SocketAddr) {
        self.circuits.close(addr);
        let lost = self.sessions().links().find(|link| link.addr() == addr).cloned();
        if let Some(link) = lost {
            link.end(DownReason::Lost);
        }
    }

    /// Sends a probe from the socket.
    pub(crate) fn probe(&self, to: SocketAddr, probe: Probe) {
        self.reach().dialled(to);
        self.overlay().probe(to, probe);
    }

    pub(crate) fn link(&self, peer: &PeerId) -> Option<Arc<Link>> {
        self.sessions().link(peer).cloned()
    }

    /// Notes that the session with a peer is of use.
    pub(crate) fn touch(&self, peer: &PeerId) {
        if let Some(link) = self.link(peer) {
            link.touch();
        }
    }

    pub(crate) fn sessions(&self) -> MutexGuard<'_, Sessions> {
        lock(&self.sessions)
    }

    pub(crate) fn sessions_changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn close(&self) {
        self.closed.send_replace(true);
        let links: Vec<Arc<Link>> = self.sessions().links().cloned().collect();
        links.iter().for_each(|link| link.end(DownReason::Disconnected));
        lock(&self.announcement).take();
        lock(&self.dht).take();
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
