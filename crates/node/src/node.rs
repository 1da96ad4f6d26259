//! One running node: its parts, how they start together and end together.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use domain::{BlobHash, Identity, Kinds, PeerId};
use net::{Blobs, Contact, Invite, Network, Relay};
use peer::{Input, Peer};
use store::{FolderLock, Store};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api::ApiError,
    asset,
    blocks::{self, Blocks},
    book::Book,
    cache::Cache,
    config::{Config, RelayPolicy, Settings},
    dao::{self, Daos},
    draft::Findings,
    drafts::Drafts,
    driver::{self, Driver},
    events,
    fetch::Fetches,
    finds::Finds,
    folder,
    hub::Hub,
    identity,
    idle::Idle,
    jobs::Jobs,
    library::Deleted,
    lists::Lists,
    money::Money,
    playback::Host,
    rendezvous,
    unsigned::Removal,
    upkeep,
};

/// Things that happened to records and wait to be acted upon.
const OUTCOMES: usize = 4096;
/// Peers of earlier sessions that are dialled at the start.
const REDIALLED: u32 = 16;
/// How long a clean end may take before the rest is dropped; nothing is lost by that.
const ENDING: Duration = Duration::from_secs(4);

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why a node ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Somebody asked for it.
    Shutdown,
    /// It should be started anew: the identity was replaced.
    Restart,
    /// It cannot go on, such as with a disk that takes nothing.
    Failed(ApiError),
}

/// A running node. It ends when [`NodeHandle::shutdown`] is called.
pub struct NodeHandle {
    pub(crate) inner: Arc<Inner>,
    lock: Mutex<Option<FolderLock>>,
}

/// What the parts of a node share.
pub(crate) struct Inner {
    pub(crate) data: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) settings: RwLock<Settings>,
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    pub(crate) network: Network,
    pub(crate) driver: driver::Handle,
    pub(crate) book: Arc<Book>,
    pub(crate) idle: Arc<Idle>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) fetches: Fetches,
    pub(crate) lists: Lists,
    pub(crate) removal: Removal,
    pub(crate) blocks: Blocks,
    pub(crate) cache: Arc<Cache>,
    pub(crate) finds: Finds,
    pub(crate) host: Host,
    pub(crate) deleted: Deleted,
    pub(crate) drafts: Drafts,
    pub(crate) findings: Findings,
    pub(crate) money: Money,
    pub(crate) dao: Daos,
    pub(crate) assets: Semaphore,
    pub(crate) small_pictures: asset::SmallPictures,
    pub(crate) tasks: TaskTracker,
    pub(crate) runtime: Handle,
    pub(crate) ending: CancellationToken,
    pub(crate) read_only: AtomicBool,
    pub(crate) syncing: AtomicBool,
    pub(crate) started: Instant,
    ended: watch::Sender<Option<Ended>>,
}

/// What a node is made of, before its parts know of each other.
struct Parts {
    data: PathBuf,
    identity: Identity,
    settings: Settings,
    store: Store,
    blobs: Blobs,
    drafts: Drafts,
    cache: Arc<Cache>,
    hub: Arc<Hub>,
    money: Money,
    inbox: Arc<dao::Inbox>,
    network: Network,
    book: Arc<Book>,
    idle: Arc<Idle>,
    imported: bool,
    read_only: bool,
}

/// Starts nodes.
#[derive(Debug)]
pub struct Node;

impl Node {
    /// Starts a node on its data folder.
    ///
    /// # Errors
    /// `already_running`, those of settings, identity, database and network; nothing on disk is changed by them.
    pub async fn start(config: Config) -> Result<Arc<NodeHandle>, ApiError> {
        folder::create(&config.data)?;
        let lock = FolderLock::acquire(&config.data)?;
        let (parts, incoming) = Parts::open(&config).await?;
        let (driver, handle, outcome) = parts.driver().await?;
        let inner = Arc::new(parts.join(handle));
        inner.clone().run(driver, outcome, incoming).await?;
        inner.money.resume(&inner).await;
        inner.dao.resume(&inner).await;
        inner.join_known().await?;
        inner.join_friends(&config.peers).await?;
        let releases = inner.store.counts().await?.releases;
        tracing::info!(peer = inner.identity.id().short(), version = VERSION, releases, "started");
        Ok(Arc::new(NodeHandle { inner, lock: Mutex::new(Some(lock)) }))
    }
}

impl NodeHandle {
    /// Returns who this node is.
    pub fn id(&self) -> PeerId {
        self.inner.identity.id()
    }

    /// Ends the node: peers are told, players fall silent, everything is on disk, the folder is free for another.
    pub async fn shutdown(&self) {
        self.inner.end(Ended::Shutdown);
        let ending = async {
            self.inner.host.close().await;
            self.inner.driver.end().await;
            self.inner.network.shutdown().await;
            self.inner.tasks.close();
            self.inner.tasks.wait().await;
        };
        if tokio::time::timeout(ENDING, ending).await.is_err() {
            tracing::warn!("some work was still under way when the node ended");
        }
        self.inner.hub.close();
        self.inner.store.close().await;
        self.lock.lock().expect("no holder panics").take();
        tracing::info!(peer = self.inner.identity.id().short(), "ended");
    }

    /// Waits until the node is asked to end, and says how.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.inner.ended.subscribe();
        let reason = ended.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.unwrap_or(Ended::Shutdown)
    }
}

impl Parts {
    /// Reads what the data folder has, and goes on the network.
    async fn open(config: &Config) -> Result<(Self, net::EventReceiver), ApiError> {
        let settings = effective(config)?;
        let (identity, store) = open(&config.data).await?;
        let blobs = Blobs::open(config.data.join("blobs")).await?;
        upkeep::sweep(&config.data, &store, &blobs).await?;
        let drafts = Drafts::new(&config.data);
        drafts.clear()?;
        let cache = Arc::new(Cache::load(&store, &settings).await?);
        let hub = Arc::default();
        let money = Money::open(&config.data, &settings, &store, &hub).await?;
        let inbox = Arc::<dao::Inbox>::default();
        let answers = Answers { cache: cache.clone(), inbox: inbox.clone() };
        let (network, incoming) =
            Network::start(network_config(&identity, &settings, &blobs, answers)).await?;
        network.set_metered(settings.metered);
        let parts = Self {
            data: config.data.clone(),
            imported: identity::is_imported(&config.data),
            read_only: store.setting::<bool>(events::IN_USE_ELSEWHERE).await?.unwrap_or_default(),
            identity,
            settings,
            store,
            blobs,
            drafts,
            cache,
            hub,
            money,
            inbox,
            network,
            book: Arc::default(),
            idle: Arc::default(),
        };
        Ok((parts, incoming))
    }

    /// Makes the peer, on the records of earlier sessions, and what drives it.
    async fn driver(&self) -> Result<(Driver, driver::Handle, mpsc::Receiver<driver::Outcome>), ApiError> {
        let (loaded, seed) = (self.store.load().await?, random()?);
        let config = peer_config(&self.settings, self.imported, self.read_only);
        let (outcomes, outcome) = mpsc::channel(OUTCOMES);
        let (store, network, identity) = (self.store.clone(), self.network.clone(), self.identity.clone());
        let kinds = Kinds::default().on(self.settings.network);
        let make = |now| Peer::new(config, identity, kinds, loaded, seed, now);
        let (driver, handle) =
            Driver::new(store, network, self.book.clone(), self.idle.clone(), outcomes, make);
        Ok((driver, handle, outcome))
    }

    fn join(self, driver: driver::Handle) -> Inner {
        Inner {
            data: self.data,
            identity: self.identity,
            settings: RwLock::new(self.settings),
            store: self.store,
            blobs: self.blobs,
            network: self.network,
            driver,
            book: self.book,
            idle: self.idle,
            hub: self.hub,
            jobs: Arc::default(),
            fetches: Fetches::default(),
            lists: Lists::default(),
            removal: Removal::default(),
            blocks: Blocks::default(),
            cache: self.cache,
            finds: Finds::default(),
            host: Host::default(),
            deleted: Deleted::default(),
            drafts: self.drafts,
            findings: Findings::default(),
            money: self.money,
            dao: Daos::new(self.inbox),
            assets: Semaphore::new(asset::AT_ONCE),
            small_pictures: asset::SmallPictures::default(),
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
            ending: CancellationToken::new(),
            read_only: AtomicBool::new(self.read_only),
            syncing: AtomicBool::new(self.imported),
            started: Instant::now(),
            ended: watch::Sender::new(None),
        }
    }
}

impl Inner {
    /// Starts the loops that connect the parts.
    async fn run(
        self: Arc<Self>,
        driver: Driver,
        outcome: mpsc::Receiver<driver::Outcome>,
        incoming: net::EventReceiver,
    ) -> Result<(), ApiError> {
        let node = self.clone();
        self.tasks.spawn(async move {
            if let Err(error) = driver.run().await {
                // Going on without a disk would promise what cannot be kept.
                tracing::error!(code = error.code, message = error.message, "the node cannot go on");
                node.hub.tell(&crate::api::Event::Warning(error.clone()));
                node.end(Ended::Failed(error));
            }
        });
        self.tasks.spawn(events::from_network(self.clone(), incoming));
        self.tasks.spawn(events::from_peer(self.clone(), outcome));
        for hash in self.cache.served() {
            self.driver.input(Input::Holding(hash, true)).await;
        }
        let node = self.clone();
        self.tasks.spawn(async move {
            // A crash may have come between the wish and the deed.
            if let Err(error) = blocks::enforce(&node).await {
                tracing::warn!(code = error.code, message = error.message, "blocking is not carried out");
            }
        });
        self.tasks.spawn(upkeep::run(self.clone()));
        self.tasks.spawn(upkeep::count_traffic(self.clone()));
        self.tasks.spawn(rendezvous::run(self.clone()));
        self.driver.input(Input::Addresses(self.network.candidates())).await;
        Ok(())
    }

    /// Asks everything to end.
    pub(crate) fn end(&self, why: Ended) {
        self.ended.send_if_modified(|ended| ended.is_none() && ended.replace(why).is_none());
        self.ending.cancel();
    }

    /// Joins through a friend's link.
    pub(crate) async fn join(&self, invite: &str) -> Result<(), ApiError> {
        let malformed = |error: net::InviteError| ApiError::new(error.code(), error.to_string());
        let invite: Invite = invite.trim().parse().map_err(malformed)?;
        if invite.peer == self.identity.id() {
            return Err(ApiError::new("invite_own", "this is your own link; give it to a friend"));
        }
        self.book.learn(invite.peer, &invite.contact.addrs);
        let connected = self.network.reach(invite.peer, &invite.contact).await;
        self.driver.input(Input::Join(vec![invite.peer])).await;
        Ok(connected?)
    }

    /// Joins through links. A friend who is away does not keep the node from starting; its link stays in the book.
    async fn join_friends(&self, invites: &[String]) -> Result<(), ApiError> {
        for invite in invites {
            let joined = self.join(invite).await;
            joined.or_else(|error| if is_no_invite(&error) { Err(error) } else { Ok(()) })?;
        }
        Ok(())
    }

    /// A link that lets a friend in.
    pub(crate) fn invite(&self) -> Invite {
        Invite { peer: self.identity.id(), contact: self.contact() }
    }

    /// Where this node can be reached: by itself, or through peers that can.
    pub(crate) fn contact(&self) -> Contact {
        let helpers = if self.network.is_dialable() { Vec::new() } else { self.network.peers() };
        let relays = helpers
            .into_iter()
            .filter(|info| info.path == net::Path::Direct)
            .map(|info| Relay { peer: info.peer, addr: info.addr })
            .take(net::MAX_RELAYS)
            .collect();
        Contact { relays, ..Contact::of(&self.network.candidates()) }
    }

    /// Dials peers of earlier sessions.
    pub(crate) async fn join_known(&self) -> Result<(), ApiError> {
        let known = self.store.known_peers(REDIALLED).await?;
        let mut peers = Vec::with_capacity(known.len());
        for cached in known {
            let addrs: Vec<_> = cached.addresses.iter().filter_map(|addr| addr.parse().ok()).collect();
            self.book.learn(cached.peer, &addrs);
            peers.push(cached.peer);
        }
        if !peers.is_empty() {
            self.driver.input(Input::Join(peers)).await;
        }
        Ok(())
    }

    /// Returns a copy of the settings.
    pub(crate) fn settings(&self) -> Settings {
        self.settings.read().expect("no holder panics").clone()
    }

    /// Fails where this identity must not sign now.
    pub(crate) fn can_publish(&self) -> bool {
        !self.read_only.load(Ordering::Relaxed) && !self.syncing.load(Ordering::Relaxed)
    }
}

/// Says whether a link leads to nobody, whoever may be reached.
pub(crate) fn is_no_invite(error: &ApiError) -> bool {
    matches!(error.code.as_str(), "invite_malformed" | "invite_damaged")
}

/// The settings of this run: what the command line says goes before what the folder says.
fn effective(config: &Config) -> Result<Settings, ApiError> {
    let mut settings = Settings::load(&config.data)?;
    settings.listen = config.listen.or(settings.listen);
    settings.dht &= !config.no_dht;
    settings.mdns &= !config.no_mdns;
    Ok(settings)
}

/// Reads who this node is and what it knows. Without its database an identity that is not new knows no longer what it
/// has signed.
async fn open(data: &Path) -> Result<(Identity, Store), ApiError> {
    if !Store::file(data).exists() {
        identity::note_lost_database(data)?;
    }
    let identity = identity::load_or_create(data)?;
    let store = Store::open(data, identity.id()).await?;
    Ok((identity, store))
}

fn peer_config(settings: &Settings, imported: bool, in_use_elsewhere: bool) -> peer::Config {
    let mut config = peer::Config { imported, in_use_elsewhere, ..peer::Config::default() };
    config.limits.records = usize::try_from(settings.max_records).unwrap_or(usize::MAX);
    config
}

/// Answers peers.
struct Answers {
    cache: Arc<Cache>,
    inbox: Arc<dao::Inbox>,
}

impl net::Handler for Answers {
    fn request(&self, peer: PeerId, body: Bytes) -> net::Answer {
        let answer = match body.first() {
            Some(&dao::TAG) => self.inbox.take(peer, &body).map(|()| Bytes::new()),
            _ => None,
        };
        Box::pin(std::future::ready(answer))
    }

    fn may_serve(&self, peer: PeerId, hash: &BlobHash) -> bool {
        net::Handler::may_serve(&*self.cache, peer, hash)
    }

    fn served(&self, peer: PeerId, hash: &BlobHash, bytes: u64) {
        net::Handler::served(&*self.cache, peer, hash, bytes);
    }
}

fn network_config(identity: &Identity, settings: &Settings, blobs: &Blobs, answers: Answers) -> net::Config {
    let mut config = net::Config::new(identity.clone(), blobs.clone());
    if let Some(listen) = settings.listen {
        config.listen = listen;
    }
    config.handler = Arc::new(answers);
    config.limits.request_body = config.limits.request_body.max(dao::MAX_REQUEST);
    config.lan = settings
        .mdns
        .then(|| net::Lan { suffix: Some(settings.mdns_suffix.clone()).filter(|s| !s.is_empty()) });
    config.relay = match settings.relay {
        RelayPolicy::Auto => net::RelayPolicy::Auto,
        RelayPolicy::On => net::RelayPolicy::Always,
        RelayPolicy::Off => net::RelayPolicy::Never,
    };
    let bootstrap = Some(settings.dht_bootstrap.clone()).filter(|nodes| !nodes.is_empty());
    config.dht = settings.dht.then(|| net::DhtConfig { bootstrap, ..net::DhtConfig::default() });
    config.port_mapping = settings.port_mapping.then(net::PortMapping::default);
    config.limits.upload = (settings.upload_limit > 0).then_some(settings.upload_limit);
    config
}

/// Unix milliseconds by this machine's clock.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Bytes that nobody can guess.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], ApiError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| ApiError::new("no_randomness", error.to_string()))?;
    Ok(bytes)
}

/// A number that nobody can guess.
pub(crate) fn random() -> Result<u64, ApiError> {
    getrandom::u64().map_err(|error| ApiError::new("no_randomness", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_records_are_kept_as_the_setting_says() {
        let settings = Settings { max_records: 7, ..Settings::default() };
        assert_eq!(peer_config(&settings, false, false).limits.records, 7);
    }
}
