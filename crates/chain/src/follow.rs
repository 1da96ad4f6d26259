//! Follows the chain of most work: one light client after the other, and one order of events.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use bip157::chain::BlockHeaderChanges;
use bip157::{IndexedFilter, Warning};
use bitcoin::{BlockHash, FeeRate, ScriptBuf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::broadcast::package;
use crate::checkpoints::{checkpoint_below, newest_checkpoint};
use crate::error::Error;
use crate::event::{BlockId, Event, Since};
use crate::fees::Fees;
use crate::gossip::Listener;
use crate::handle::{Chain, Command};
use crate::headers::Headers;
use crate::link;
use crate::order::{Order, Turn, received};
use crate::peer::PeerAddress;
use crate::scan::matches;
use crate::session::{Plan, Session};
use crate::status::{Fault, PeerFault, Phase, Status};
use crate::{Config, Patience};

/// Commands that wait while the chain is busy.
const WAITING_COMMANDS: usize = 64;

/// Announced blocks that wait to be compared with the chain.
const WAITING_ANNOUNCEMENTS: usize = 16;

/// Blocks below a wished height whose headers are wanted, too: for a median time, and for a reorganisation.
const MARGIN: u32 = 144;

/// Of how many looked at blocks one changes the status.
const TELLING: u32 = 50;

/// What the client's words hold where a peer's headers contradict ours, and not where filters do.
const HEADER_QUARREL: &str = "header syncing error";

/// How often a session is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Lives that end with a quarrel over headers before the known ones count as the reason.
const QUARRELS: u32 = 3;

/// Begins to follow the chain.
pub(crate) fn start(config: Config, events: mpsc::Sender<Event>) -> Result<Chain, Error> {
    let headers = load(&config)?;
    let status = Status::new(config.network, Some(headers.tip()), config.required().into());
    let config = Arc::new(config);
    let headers = Arc::new(RwLock::new(headers));
    let (commands, orders) = mpsc::channel(WAITING_COMMANDS);
    let (status, told) = watch::channel(status);
    let (found, of_found) = watch::channel(Vec::new());
    let (floor, of_floor) = watch::channel(FeeRate::ZERO);
    let (scripts, of_scripts) = watch::channel(Arc::default());
    let (announced, announcements) = mpsc::channel(WAITING_ANNOUNCEMENTS);
    let listener = config.unconfirmed.then(|| Listener {
        config: config.clone(),
        headers: headers.clone(),
        found: of_found.clone(),
        scripts: of_scripts,
        events: events.clone(),
        announced,
        floor,
    });
    let follower = Follower {
        patience: config.patience(),
        config: config.clone(),
        headers: headers.clone(),
        events,
        commands: orders,
        announcements,
        status,
        found,
        gossip: scripts,
        listener: listener.map(Listener::start),
        scripts: Vec::new(),
        watches: 0,
        since: Vec::new(),
        scanned: None,
        again: None,
        told_upto: 0,
        synced: None,
        reaching: Vec::new(),
        order: Order::default(),
        attempt: 0,
        deep: false,
        quarrels: 0,
        withheld: None,
        doubted: None,
    };
    tokio::spawn(follower.run());
    let fees = Arc::new(Fees::default());
    Ok(Chain { config, commands, headers, status: told, found: of_found, floor: of_floor, fees })
}

fn load(config: &Config) -> Result<Headers, Error> {
    let folder: &Path = &config.folder;
    fs::create_dir_all(folder).map_err(|source| Error::Folder { path: folder.to_owned(), source })?;
    let base = match config.birthday {
        Some(height) => base_for(config, height),
        None => newest_checkpoint(config.network),
    };
    Headers::load(folder.join("headers"), config.network, base)
}

/// Where the headers begin when the blocks above `height` are wanted.
fn base_for(config: &Config, height: u32) -> BlockId {
    checkpoint_below(config.network, height.saturating_sub(MARGIN))
}

struct Follower {
    config: Arc<Config>,
    patience: Patience,
    headers: Arc<RwLock<Headers>>,
    events: mpsc::Sender<Event>,
    commands: mpsc::Receiver<Command>,
    announcements: mpsc::Receiver<BlockHash>,
    status: watch::Sender<Status>,
    found: watch::Sender<Vec<PeerAddress>>,
    gossip: watch::Sender<Arc<HashSet<ScriptBuf>>>,
    listener: Option<JoinHandle<()>>,
    /// Every script that is watched, each once.
    scripts: Vec<ScriptBuf>,
    /// How often scripts were added.
    watches: u64,
    /// What the watchers asked for and the headers do not answer yet.
    since: Vec<Since>,
    /// The filters up to this height were looked at, in this pass.
    scanned: Option<u32>,
    /// Another pass is wanted from here on.
    again: Option<u32>,
    /// The highest block that a consumer was told of.
    told_upto: u32,
    /// The tip that everything was looked at for.
    synced: Option<BlockId>,
    reaching: Vec<(u32, oneshot::Sender<()>)>,
    order: Order,
    /// Lives that were lost so far.
    attempt: usize,
    /// Whether the next life is to know every header, for a branch that leaves ours far below.
    deep: bool,
    quarrels: u32,
    /// Since when a block that another peer announced is missing.
    withheld: Option<(BlockHash, Instant)>,
    /// The last such block that did not come from another peer either.
    doubted: Option<BlockHash>,
}

/// How a light client's life ended.
enum End {
    /// Nobody wants to know any more.
    Closed,
    /// It exited or stalled: another follows.
    Lost,
    /// It cannot answer what is wanted: another that can follows at once.
    Outgrown,
}

/// One life of the light client and what it brought.
struct Life {
    session: Session,
    /// When anything new was heard last.
    moved: Instant,
    /// Whether anything of the chain was learnt or confirmed.
    useful: bool,
    /// Whether nothing is outstanding.
    idle: bool,
    /// Whether a peer contradicted the headers or led elsewhere.
    quarrelled: bool,
}

impl Follower {
    async fn run(mut self) {
        let mut pause = Duration::ZERO;
        loop {
            let (end, useful) = self.live().await;
            if let End::Closed = end {
                break;
            }
            self.order.ask_again();
            if let End::Outgrown = end {
                continue;
            }
            self.attempt = self.attempt.wrapping_add(1);
            if useful {
                pause = Duration::ZERO;
                continue;
            }
            pause = (pause * 2).clamp(self.patience.retry, self.patience.retry_most);
            if let End::Closed = self.wait(pause).await {
                break;
            }
        }
        if let Some(listener) = self.listener.take() {
            listener.abort();
            // It was aborted, or it failed: it has ended.
            let _ = listener.await;
        }
    }

    /// Waits before the next attempt and finds out what is wrong with the named peers.
    async fn wait(&mut self, pause: Duration) -> End {
        self.publish(Phase::Waiting, 0);
        let mut faults = diagnose(&self.config);
        let until = Instant::now() + pause;
        let mut rested = false;
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    None => return End::Closed,
                    Some(command) => self.refuse(command),
                },
                () = self.events.closed() => return End::Closed,
                Some(fault) = faults.join_next() => self.blame(fault.ok()),
                () = tokio::time::sleep_until(until), if !rested => rested = true,
                else => return End::Lost,
            }
            if rested && faults.is_empty() {
                return End::Lost;
            }
        }
    }

    fn blame(&self, found: Option<PeerFault>) {
        let Some(found) = found else { return };
        self.status.send_modify(|status| {
            status.faults.retain(|it| it.peer != found.peer);
            status.faults.push(found);
            status.faults.sort_by(|a, b| a.peer.cmp(&b.peer));
        });
    }

    /// Answers a command while no peer can.
    fn refuse(&mut self, command: Command) {
        match command {
            Command::Watch { scripts, since, number } => self.add(scripts, since, number),
            Command::Reach { height, reached } => self.reaching.push((height, reached)),
            // Whoever asked may have given up.
            Command::Block { block, .. } => drop(block.send(Err(Error::NoPeer))),
            Command::Submit { sent, .. } => drop(sent.send(false)),
        }
    }

    /// Lives through one light client.
    async fn live(&mut self) -> (End, bool) {
        self.rebase();
        self.withheld = None;
        let from = self.scanned.into_iter().chain(self.again).min().unwrap_or(u32::MAX);
        let mut plan = Plan::follow(self.attempt, from);
        if std::mem::take(&mut self.deep) {
            plan.depth = u32::MAX;
        }
        let session = Session::open(&self.config, &self.read(), plan);
        self.publish(Phase::Connecting, 0);
        let mut life = Life { session, moved: Instant::now(), useful: false, idle: false, quarrelled: false };
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = loop {
            self.order.fetch(&life.session);
            tokio::select! {
                command = self.commands.recv() => match command {
                    None => break End::Closed,
                    Some(command) => if !self.obey(command, &mut life) { break End::Outgrown },
                },
                event = life.session.events.recv() => match event {
                    None => break End::Lost,
                    Some(event) => if let Some(end) = self.hear(event, &mut life) { break end },
                },
                Some(warning) = life.session.warnings.recv() => if !self.heed(&warning, &mut life) {
                    break End::Outgrown;
                },
                Some(_) = life.session.infos.recv() => life.moved = Instant::now(),
                Some(hash) = self.announcements.recv() => self.compare(hash),
                turn = self.order.turn(&self.events) => match turn {
                    Turn::Sent(event) => self.note(&event),
                    Turn::Missed => (),
                    Turn::Unwanted => break End::Closed,
                },
                () = self.events.closed() => break End::Closed,
                _ = look.tick() => if self.stalls(&life) { break End::Lost },
            }
        };
        // What the client said at last explains its end.
        while let Ok(warning) = life.session.warnings.try_recv() {
            self.heed(&warning, &mut life);
        }
        self.end_of(&life);
        (end, life.useful)
    }

    /// After a life: begins anew with other headers where peers contradict ours life after life.
    fn end_of(&mut self, life: &Life) {
        self.quarrels = if life.quarrelled && !life.useful { self.quarrels + 1 } else { 0 };
        if self.quarrels < QUARRELS {
            return;
        }
        self.quarrels = 0;
        tracing::warn!(network = %self.config.network, "no peer shares the known headers: they are learnt anew");
        let base = self.read().base();
        self.drop_above(base.height);
        self.write().begin_at(base);
        let start = self.again.into_iter().chain(self.scanned).min();
        (self.scanned, self.again) = (None, None);
        self.since.extend(start.map(Since::Height));
    }

    /// Whether this life has to end: nothing is heard, or what another peer knows does not come.
    fn stalls(&mut self, life: &Life) -> bool {
        if !life.idle {
            self.withheld = self.withheld.map(|it| (it.0, Instant::now()));
            return life.moved.elapsed() > self.patience.stall;
        }
        let is_withheld = self.withheld.is_some_and(|(_, at)| at.elapsed() > self.patience.stall);
        if is_withheld {
            // Once is enough: it may lie on a branch of less work, which nobody has to follow.
            self.doubted = self.withheld.take().map(|it| it.0);
        }
        is_withheld
    }

    /// Obeys a command; false where another life has to.
    fn obey(&mut self, command: Command, life: &mut Life) -> bool {
        match command {
            Command::Watch { scripts, since, number } => {
                self.add(scripts, since, number);
                return !self.is_too_low() && self.go_on(life);
            }
            Command::Reach { height, reached } => {
                self.reaching.push((height, reached));
                return !self.is_too_low() && self.go_on(life);
            }
            Command::Block { hash, block } => self.give(hash, block, &life.session),
            Command::Submit { transaction, parent, sent } => {
                let (requester, patience) = (life.session.requester(), self.patience.answer);
                let Some(package) = package(transaction, parent) else {
                    // Whoever asked may have given up.
                    let _ = sent.send(false);
                    return true;
                };
                tokio::spawn(async move {
                    let taken = timeout(patience, requester.submit_package(package)).await;
                    // Whoever asked may have given up.
                    let _ = sent.send(matches!(taken, Ok(Ok(_))));
                });
            }
        }
        true
    }

    /// Fetches one block, from this life's peers or, where it lies below what they were told of, from a life of its own.
    fn give(
        &self,
        hash: BlockHash,
        reply: oneshot::Sender<Result<Arc<bitcoin::Block>, Error>>,
        session: &Session,
    ) {
        let Some(height) = self.read().height_of(&hash) else {
            drop(reply.send(Err(Error::UnknownBlock(hash))));
            return;
        };
        let own = (height <= session.base).then(|| {
            let plan =
                Plan { attempt: self.attempt, from: height.saturating_sub(1), depth: 0, headers_first: true };
            Session::open(&self.config, &self.read(), plan)
        });
        let fetched = own.as_ref().unwrap_or(session).fetch(hash);
        let patience = self.patience.stall;
        tokio::spawn(async move {
            let block = match fetched {
                Some(mut fetched) => timeout(patience, received(&mut fetched, hash)).await.ok().flatten(),
                None => None,
            };
            drop(own);
            // Whoever asked may have given up.
            let _ = reply.send(block.ok_or(Error::NoPeer));
        });
    }

    fn add(&mut self, scripts: Vec<ScriptBuf>, since: Since, number: Option<oneshot::Sender<u64>>) {
        self.watches += 1;
        // Whoever asked may have given up.
        let _ = number.map(|number| number.send(self.watches));
        let mut all = (**self.gossip.borrow()).clone();
        self.scripts.extend(scripts.into_iter().filter(|it| all.insert(it.clone())));
        self.gossip.send_replace(Arc::new(all));
        self.since.push(since);
        // The watcher is told when that is seen, even if there is nothing to see.
        self.synced = None;
    }

    /// The lowest height that anyone asked for.
    fn lowest_wanted(&self) -> Option<u32> {
        let wanted = self.since.iter().filter_map(|it| match it {
            Since::Now => None,
            Since::Height(height) => Some(*height),
            Since::Known(ids) => ids.iter().map(|it| it.height).max(),
        });
        wanted.chain(self.reaching.iter().map(|it| it.0)).min()
    }

    fn is_too_low(&self) -> bool {
        let Some(wanted) = self.lowest_wanted() else { return false };
        base_for(&self.config, wanted).height < self.read().base().height
    }

    /// Begins the headers further below, where someone needs that.
    fn rebase(&mut self) {
        if !self.is_too_low() {
            return;
        }
        let base = base_for(&self.config, self.lowest_wanted().unwrap_or_default());
        self.write().begin_at(base);
        // They lie in the same chain, so what is scanned stays scanned; the headers come first.
        self.synced = None;
    }

    /// Hears what the client tells; says how its life ends where it has to.
    fn hear(&mut self, event: bip157::Event, life: &mut Life) -> Option<End> {
        life.moved = Instant::now();
        match event {
            bip157::Event::ChainUpdate(BlockHeaderChanges::Connected(it)) => {
                life.idle = false;
                let id = BlockId { height: it.height, hash: it.block_hash() };
                let fits = self.write().push(it.header) || self.read().contains(id);
                self.withheld = self.withheld.filter(|it| it.0 != id.hash);
                self.publish(Phase::Headers, self.connected());
                return (!fits).then_some(End::Lost);
            }
            bip157::Event::ChainUpdate(BlockHeaderChanges::Reorganized { accepted, .. }) => {
                life.idle = false;
                self.withheld = None;
                let fork = accepted.first()?.height.saturating_sub(1);
                self.drop_above(fork);
                let fits = accepted.iter().all(|it| self.write().push(it.header));
                return (!fits).then_some(End::Lost);
            }
            // Where nothing useful follows, no peer has our branch.
            bip157::Event::ChainUpdate(BlockHeaderChanges::ForkAdded(_)) => life.quarrelled = true,
            bip157::Event::IndexedFilter(filter) => self.look(filter, life),
            bip157::Event::FiltersSynced(_) => {
                life.idle = true;
                return if self.go_on(life) { None } else { Some(End::Outgrown) };
            }
        }
        None
    }

    /// Takes leave of the blocks above a height.
    fn drop_above(&mut self, height: u32) {
        let gone = self.write().truncate(height);
        self.order.forget_above(height);
        for id in gone.into_iter().filter(|it| it.height <= self.told_upto) {
            self.order.disconnect(id);
        }
        self.told_upto = self.told_upto.min(height);
        self.scanned = self.scanned.map(|it| it.min(height));
        self.again = self.again.map(|it| it.min(height));
        self.synced = None;
    }

    /// Looks through the next filter; others are of an earlier pass.
    fn look(&mut self, filter: IndexedFilter, life: &mut Life) {
        let id = BlockId { height: filter.height(), hash: filter.block_hash() };
        let is_next = self.scanned.is_some_and(|it| it + 1 == id.height);
        if !is_next || !self.read().contains(id) {
            return;
        }
        let (header, filter) = filter.into_parts();
        self.order.connect(id, header, matches(&filter, id, &self.scripts), self.watches);
        self.scanned = Some(id.height);
        life.useful = true;
        if id.height.is_multiple_of(TELLING) {
            self.publish(Phase::Filters, self.connected());
        }
    }

    /// Does what is next while nothing is outstanding: answers wishes, begins a pass, or says that all is seen. False where
    /// another life has to.
    fn go_on(&mut self, life: &mut Life) -> bool {
        if !life.idle {
            return true;
        }
        self.save();
        self.resolve();
        let tip = self.read().tip();
        if self.scanned.is_none_or(|it| it >= tip.height)
            && let Some(again) = self.again.take()
        {
            self.scanned = Some(again);
        }
        match self.scanned {
            Some(scanned) if scanned < tip.height => {
                if scanned < life.session.base {
                    return false;
                }
                life.idle = false;
                life.moved = Instant::now();
                life.session.filters_above(scanned);
                self.publish(Phase::Filters, self.connected());
            }
            _ => self.all_seen(tip, life),
        }
        true
    }

    fn all_seen(&mut self, tip: BlockId, life: &mut Life) {
        life.useful = true;
        self.status.send_modify(|it| it.faults.clear());
        if self.synced != Some(tip) {
            self.synced = Some(tip);
            self.order.synced(tip);
        }
        self.publish(Phase::Synced, self.connected());
        let (requester, found, network) = (life.session.requester(), self.found.clone(), self.config.network);
        tokio::spawn(async move {
            let peers = requester.peer_info().await.unwrap_or_default();
            let known = peers.iter().filter_map(|(it, _)| PeerAddress::of_found(it, network)).collect();
            found.send_replace(known);
        });
    }

    /// Turns the watchers' wishes into heights, now that the headers are known.
    fn resolve(&mut self) {
        let tip = self.read().height();
        for since in std::mem::take(&mut self.since) {
            let from = match since {
                Since::Now => tip,
                Since::Height(height) => height.min(tip),
                Since::Known(ids) => self.highest_shared(&ids),
            };
            let from = from.max(self.read().lowest());
            match self.scanned {
                // What comes is seen in this pass.
                Some(scanned) if from >= scanned => (),
                Some(_) => self.again = Some(self.again.map_or(from, |it| it.min(from))),
                None => self.scanned = Some(from),
            }
        }
        for (_, reached) in std::mem::take(&mut self.reaching) {
            // Whoever asked may have given up.
            let _ = reached.send(());
        }
    }

    fn highest_shared(&self, ids: &[BlockId]) -> u32 {
        let headers = self.read();
        let shared = ids.iter().filter(|it| headers.contains(**it)).map(|it| it.height).max();
        shared.unwrap_or_else(|| headers.lowest())
    }

    /// Heeds what the client warns of; false where a life that knows every header has to follow.
    fn heed(&mut self, warning: &Warning, life: &mut Life) -> bool {
        tracing::debug!(%warning, "light client");
        match warning {
            Warning::NeedConnections { connected, required } => {
                let required = (*required).max(self.config.required().into());
                self.status.send_if_modified(|status| {
                    let changed = (status.peers, status.required) != (*connected, required);
                    (status.peers, status.required) = (*connected, required);
                    changed
                });
            }
            Warning::UnexpectedSyncError { warning } if warning.contains(HEADER_QUARREL) => {
                life.quarrelled = true;
                let lowest = self.read().lowest();
                self.deep = life.session.base > lowest;
            }
            _ => (),
        }
        !self.deep
    }

    /// Remembers a block that another peer knows and this chain does not, yet.
    fn compare(&mut self, hash: BlockHash) {
        let is_new = self.withheld.is_none() && self.doubted != Some(hash);
        if is_new && self.read().height_of(&hash).is_none() {
            self.withheld = Some((hash, Instant::now()));
        }
    }

    fn note(&mut self, event: &Event) {
        if let Event::Connected(it) = event {
            self.told_upto = self.told_upto.max(it.id.height);
        }
    }

    fn connected(&self) -> usize {
        self.status.borrow().required
    }

    fn publish(&self, phase: Phase, peers: usize) {
        let (tip, scanned) = (self.read().tip(), self.scanned);
        self.status.send_if_modified(|status| {
            let next = Status { phase, peers, scanned, tip: Some(tip), ..status.clone() };
            let changed = *status != next;
            *status = next;
            changed
        });
    }

    fn save(&self) {
        if let Err(error) = self.write().save() {
            tracing::warn!(%error, "the headers are not kept, so they will be learnt anew");
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Headers> {
        self.headers.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Headers> {
        self.headers.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at every named peer, side by side.
fn diagnose(config: &Arc<Config>) -> JoinSet<PeerFault> {
    let mut checks = JoinSet::new();
    for peer in &config.peers {
        let (config, peer) = (config.clone(), peer.clone());
        checks.spawn(async move {
            let fault = link::fault(&config, &peer).await.unwrap_or(Fault::Unhelpful);
            PeerFault { peer, fault }
        });
    }
    checks
}
