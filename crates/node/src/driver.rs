//! Drives the pure peer: clocks and the network in, disk and the network out, in the order that the peer asks for.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use domain::{Key, Kind, PeerId, Record, RecordId, SlotId, kinds::BlockEntry};
use futures_util::StreamExt;
use net::Network;
use peer::{ChangeSet, Equivocation, Event, Input, Now, Output, Peer, PublishError, QueryId, Reason, Timer};
use store::{Applied, Store, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio_util::time::DelayQueue;

use crate::{api::ApiError, book::Book, idle::Idle};

/// Inputs that wait for the peer; whoever brings more waits too, which slows the network down instead of filling memory.
const BACKLOG: usize = 1024;
/// Local searches for peers that run at once; more are answered with nothing.
const MAX_QUERIES: usize = 4;
/// Longest wait for a peer to be dialled before it counts as gone.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Least room on the disk in bytes before anything is signed: a few hundred pages of the database, so that what is
/// signed can be written.
const ROOM: u64 = 1 << 20;
/// Pause before a disk that was full is tried again.
const FULL_PAUSE: Duration = Duration::from_secs(5);
/// Records of others that wait in memory for a full disk, 4 KiB each at most. Beyond them peers are not listened to;
/// what they said meanwhile comes back by comparing.
const MAX_UNWRITTEN: usize = 1024;

/// What came of something that the node's other parts act upon.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// What the peer tells.
    Event(Box<Event>),
    /// What a change did to the store.
    Applied(Applied),
    /// What the user should know.
    Warning(ApiError),
}

/// Gives the driver work. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Handle(mpsc::Sender<Work>);

type Published = Result<Record, ApiError>;
type Sign = Box<dyn FnOnce(&mut Peer, Now) -> Result<(Record, Vec<Output>), PublishError> + Send>;

enum Work {
    Input(Input),
    Publish(Sign, oneshot::Sender<Published>),
    Settle(oneshot::Sender<()>),
    Pardon(PeerId),
    End(oneshot::Sender<()>),
}

/// What is done about a full disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    /// Others said it, and will again: it is written later.
    Wait,
    /// It is this node's word: it is on the disk, or the node ends.
    Fail,
}

/// The peer and all it acts upon.
pub(crate) struct Driver {
    peer: Peer,
    store: Store,
    network: Network,
    book: Arc<Book>,
    idle: Arc<Idle>,
    outcomes: mpsc::Sender<Outcome>,
    sender: mpsc::Sender<Work>,
    work: mpsc::Receiver<Work>,
    timers: DelayQueue<Timer>,
    queries: Arc<tokio::sync::Semaphore>,
    started: Instant,
    /// What a full disk did not take.
    unwritten: ChangeSet,
    /// When that is tried again.
    retry: tokio::time::Instant,
}

impl Handle {
    /// Hands an input over; waits where the peer is behind.
    pub(crate) async fn input(&self, input: Input) {
        // The driver ends only with the node.
        let _ = self.0.send(Work::Input(input)).await;
    }

    /// Signs a record, has it on disk, and spreads it.
    pub(crate) async fn publish<K: Kind + Send + 'static>(&self, body: K) -> Published {
        self.publish_after(body, Vec::new()).await
    }

    /// Signs a record that builds on others, has it on disk, and spreads it.
    pub(crate) async fn publish_after<K: Kind + Send + 'static>(
        &self,
        body: K,
        refs: Vec<RecordId>,
    ) -> Published {
        self.sign(Box::new(move |peer, now| peer.publish(&body, refs, now))).await
    }

    /// Withdraws one's own slot.
    pub(crate) async fn withdraw(&self, slot: SlotId, key: Key) -> Published {
        self.sign(Box::new(move |peer, now| peer.withdraw(slot, key, now))).await
    }

    /// Waits until everything that was handed over before has been carried out.
    pub(crate) async fn settled(&self) {
        let (sender, settled) = oneshot::channel();
        if self.0.send(Work::Settle(sender)).await.is_ok() {
            let _ = settled.await;
        }
    }

    /// Ends the driver after all that it was given before.
    pub(crate) async fn end(&self) {
        let (sender, ended) = oneshot::channel();
        if self.0.send(Work::End(sender)).await.is_ok() {
            let _ = ended.await;
        }
    }

    async fn sign(&self, sign: Sign) -> Published {
        let (sender, published) = oneshot::channel();
        let ending = || ApiError::new("node_ending", "the node is ending");
        self.0.send(Work::Publish(sign, sender)).await.map_err(|_| ending())?;
        published.await.unwrap_or_else(|_| Err(ending()))
    }
}

impl Driver {
    pub(crate) fn new(
        store: Store,
        network: Network,
        book: Arc<Book>,
        idle: Arc<Idle>,
        outcomes: mpsc::Sender<Outcome>,
        make: impl FnOnce(Now) -> Peer,
    ) -> (Self, Handle) {
        let (sender, work) = mpsc::channel(BACKLOG);
        let started = Instant::now();
        let driver = Self {
            peer: make(now(started)),
            store,
            network,
            book,
            idle,
            outcomes,
            sender: sender.clone(),
            work,
            timers: DelayQueue::new(),
            queries: Arc::new(tokio::sync::Semaphore::new(MAX_QUERIES)),
            started,
            unwritten: ChangeSet::default(),
            retry: tokio::time::Instant::now(),
        };
        (driver, Handle(sender))
    }

    /// Runs until it is told to end, or until the disk refuses a change that others rely on. A disk that is full is
    /// waited for, but nothing is signed meanwhile.
    pub(crate) async fn run(mut self) -> Result<(), ApiError> {
        loop {
            let waits = !self.unwritten.is_empty();
            tokio::select! {
                () = tokio::time::sleep_until(self.retry), if waits => self.retry().await?,
                work = self.work.recv() => match work {
                    Some(Work::Input(input)) => self.handle(input).await?,
                    Some(Work::Publish(sign, reply)) => self.publish(sign, reply).await?,
                    Some(Work::Settle(reply)) => {
                        let _ = reply.send(());
                    }
                    Some(Work::Pardon(peer)) => self.pardon(peer),
                    Some(Work::End(reply)) => {
                        let _ = reply.send(());
                        return Ok(());
                    }
                    None => return Ok(()),
                },
                Some(timer) = self.timers.next() => self.handle(Input::Timer(timer.into_inner())).await?,
            }
        }
    }

    async fn handle(&mut self, input: Input) -> Result<(), ApiError> {
        if self.unwritten.put.len() >= MAX_UNWRITTEN && matches!(input, Input::Message(..)) {
            return Ok(());
        }
        let unblocked = match &input {
            Input::Unblock(BlockEntry::Author(peer)) => Some(*peer),
            _ => None,
        };
        let outputs = self.peer.handle(input, now(self.started));
        self.carry_out(outputs, Full::Wait).await?;
        if let Some(peer) = unblocked {
            self.pardon(peer);
        }
        Ok(())
    }

    async fn publish(&mut self, sign: Sign, reply: oneshot::Sender<Published>) -> Result<(), ApiError> {
        if let Err(error) = self.make_sure_of_room().await {
            // Whoever asked may have given up.
            let _ = reply.send(Err(error));
            return Ok(());
        }
        match sign(&mut self.peer, now(self.started)) {
            Ok((record, outputs)) => {
                let done = self.carry_out(outputs, Full::Fail).await;
                let _ = reply.send(done.clone().map(|()| record));
                done
            }
            Err(error) => {
                let _ = reply.send(Err(ApiError::new(error.code(), error.to_string())));
                Ok(())
            }
        }
    }

    /// Fails while the disk has no room for what is to be signed.
    async fn make_sure_of_room(&mut self) -> Result<(), ApiError> {
        self.write(Full::Wait).await?;
        // Where the system does not tell, the attempt will.
        let free = fs4::available_space(self.store.path()).unwrap_or(u64::MAX);
        match self.unwritten.is_empty() && free >= ROOM {
            true => Ok(()),
            false => {
                Err(ApiError::new("disk_full", "the disk is full: nothing is signed until there is room"))
            }
        }
    }

    /// Writes what a full disk did not take before; then what was not listened to is made up for.
    async fn retry(&mut self) -> Result<(), ApiError> {
        let deaf = self.unwritten.put.len() >= MAX_UNWRITTEN;
        self.write(Full::Wait).await?;
        if deaf && self.unwritten.is_empty() {
            return self.handle(Input::Reconcile).await;
        }
        Ok(())
    }

    async fn persist(&mut self, change: ChangeSet, full: Full) -> Result<(), ApiError> {
        let waited = !self.unwritten.is_empty();
        self.unwritten.merge(change);
        if waited && full == Full::Wait && tokio::time::Instant::now() < self.retry {
            return Ok(());
        }
        self.write(full).await?;
        if !waited && !self.unwritten.is_empty() {
            let message = "the disk is full: what others publish is kept once there is room";
            self.tell(Outcome::Warning(ApiError::new("disk_full", message))).await;
        }
        Ok(())
    }

    async fn write(&mut self, full: Full) -> Result<(), ApiError> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        match self.store.apply(&self.unwritten).await {
            Ok(applied) => {
                self.unwritten = ChangeSet::default();
                self.tell(Outcome::Applied(applied)).await;
                Ok(())
            }
            Err(StoreError::DiskFull(problem)) if full == Full::Wait => {
                tracing::warn!(problem, records = self.unwritten.put.len(), "the disk is full");
                self.retry = tokio::time::Instant::now() + FULL_PAUSE;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn carry_out(&mut self, outputs: Vec<Output>, full: Full) -> Result<(), ApiError> {
        for output in outputs {
            match output {
                Output::Persist(change) => self.persist(change, full).await?,
                Output::Send(to, message) => self.send(to, message),
                Output::SendRecords(to, ids) => self.send_records(to, &ids).await?,
                Output::SendProofs(to, authors) => self.send_proofs(to, &authors).await?,
                Output::Prove { ours, theirs } => Box::pin(self.prove(ours, theirs)).await?,
                Output::SetTimer(delay, timer) => {
                    self.timers.insert(timer, delay);
                }
                Output::Connect(peer, addrs) => self.connect(peer, addrs),
                Output::Disconnect(peer, reason) => self.disconnect(peer, reason),
                Output::Query { from, query, text, limit } => self.query(from, query, text, limit),
                Output::Emit(event) => self.tell(Outcome::Event(Box::new(event))).await,
            }
        }
        Ok(())
    }

    /// Sends what can be sent: the network tells by itself when a peer is gone or too slow.
    fn send(&self, to: PeerId, message: bytes::Bytes) {
        if let Err(error) = self.network.send(to, message) {
            tracing::debug!(peer = to.short(), code = error.code(), "a message was not sent");
        }
    }

    async fn tell(&self, outcome: Outcome) {
        // Nobody listens any more only while the node ends.
        let _ = self.outcomes.send(outcome).await;
    }

    async fn send_records(&self, to: PeerId, ids: &[RecordId]) -> Result<(), ApiError> {
        for batch in ids.chunks(store::MAX_BATCH) {
            let records = self.store.records(batch).await?;
            for message in peer::encode_records(records.iter().map(|record| record.bytes().clone())) {
                self.send(to, message);
            }
        }
        Ok(())
    }

    async fn send_proofs(&self, to: PeerId, authors: &[PeerId]) -> Result<(), ApiError> {
        for proof in self.store.proofs(authors).await? {
            self.send(to, peer::encode_proof(&proof));
        }
        Ok(())
    }

    async fn prove(&mut self, ours: RecordId, theirs: Record) -> Result<(), ApiError> {
        let ours = self.store.records(&[ours]).await?.pop();
        match ours.and_then(|ours| Equivocation::of(ours, theirs)) {
            Some(proof) => self.handle(Input::Proof(Box::new(proof))).await,
            None => Ok(()),
        }
    }

    /// Dials in the background; the network tells of success, this of failure.
    fn connect(&self, peer: PeerId, mut addrs: Vec<std::net::SocketAddr>) {
        self.book.learn(peer, &addrs);
        addrs.extend(self.book.addresses(&peer));
        let (network, sender) = (self.network.clone(), self.sender.clone());
        tokio::spawn(async move {
            let dialled = tokio::time::timeout(DIAL_TIMEOUT, network.connect(peer, &addrs)).await;
            let input = match dialled {
                Ok(Ok(())) => Input::Up { peer, addrs: Vec::new() },
                _ => Input::Down(peer),
            };
            let _ = sender.send(Work::Input(input)).await;
        });
    }

    fn disconnect(&self, peer: PeerId, reason: Reason) {
        match reason {
            Reason::Unneeded => self.idle.offer(peer),
            Reason::Misbehaved(pause) => self.refuse(peer, pause),
            Reason::Blocked => self.network.block(peer),
        }
    }

    /// Takes no connection from a peer for a while.
    fn refuse(&self, peer: PeerId, pause: Duration) {
        tracing::info!(peer = peer.short(), seconds = pause.as_secs(), "a peer broke the rules");
        self.network.block(peer);
        let sender = self.sender.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            // The driver ends only with the node.
            let _ = sender.send(Work::Pardon(peer)).await;
        });
    }

    /// Takes connections from a peer again, unless the user blocks it by now.
    fn pardon(&self, peer: PeerId) {
        if !self.peer.is_blocked(&BlockEntry::Author(peer)) {
            self.network.unblock(peer);
        }
    }

    /// Searches in the background, for so many peers at once.
    fn query(&self, from: PeerId, query: QueryId, text: String, limit: u16) {
        let Ok(permit) = self.queries.clone().try_acquire_owned() else { return };
        let (store, sender) = (self.store.clone(), self.sender.clone());
        tokio::spawn(async move {
            let records = local_search(&store, &text, limit).await.unwrap_or_default();
            drop(permit);
            let _ = sender.send(Work::Input(Input::Answer { to: from, query, records })).await;
        });
    }
}

/// Finds the records behind the best local results.
async fn local_search(store: &Store, text: &str, limit: u16) -> Result<Vec<bytes::Bytes>, ApiError> {
    let hits = store.search(text, u32::from(limit)).await?;
    let mut slots: Vec<SlotId> = Vec::new();
    for slot in hits.into_iter().filter_map(|hit| hit.release) {
        if !slots.contains(&slot) {
            slots.push(slot);
        }
    }
    let records = store.records_in(&slots).await?;
    Ok(records.into_iter().map(|record| record.bytes().clone()).collect())
}

fn now(started: Instant) -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { elapsed: started.elapsed(), unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX) }
}
