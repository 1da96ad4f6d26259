//! Drives the pure peer: clocks and the network in, disk and the network out, in the order that the peer asks for.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use domain::{Key, Kind, PeerId, Record, RecordId, SlotId};
use futures_util::StreamExt;
use net::Network;
use peer::{Equivocation, Event, Input, Now, Output, Peer, PublishError, QueryId, Reason, Timer};
use store::{Applied, Store};
use tokio::sync::{mpsc, oneshot};
use tokio_util::time::DelayQueue;

use crate::{api::ApiError, book::Book, idle::Idle};

/// Inputs that wait for the peer; whoever brings more waits too, which slows the network down instead of filling memory.
const BACKLOG: usize = 1024;
/// Local searches for peers that run at once; more are answered with nothing.
const MAX_QUERIES: usize = 4;
/// Longest wait for a peer to be dialled before it counts as gone.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// What came of something that the node's other parts act upon.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// What the peer tells.
    Event(Box<Event>),
    /// What a change did to the store.
    Applied(Applied),
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
    End(oneshot::Sender<()>),
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
}

impl Handle {
    /// Hands an input over; waits where the peer is behind.
    pub(crate) async fn input(&self, input: Input) {
        // The driver ends only with the node.
        let _ = self.0.send(Work::Input(input)).await;
    }

    /// Signs a record, has it on disk, and spreads it.
    pub(crate) async fn publish<K: Kind + Send + 'static>(&self, body: K) -> Published {
        self.sign(Box::new(move |peer, now| peer.publish(&body, Vec::new(), now))).await
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
        };
        (driver, Handle(sender))
    }

    /// Runs until it is told to end, or until the disk refuses a change that others rely on.
    pub(crate) async fn run(mut self) -> Result<(), ApiError> {
        loop {
            tokio::select! {
                work = self.work.recv() => match work {
                    Some(Work::Input(input)) => self.handle(input).await?,
                    Some(Work::Publish(sign, reply)) => self.publish(sign, reply).await?,
                    Some(Work::Settle(reply)) => {
                        let _ = reply.send(());
                    }
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
        let outputs = self.peer.handle(input, now(self.started));
        self.carry_out(outputs).await
    }

    async fn publish(&mut self, sign: Sign, reply: oneshot::Sender<Published>) -> Result<(), ApiError> {
        match sign(&mut self.peer, now(self.started)) {
            Ok((record, outputs)) => {
                let done = self.carry_out(outputs).await;
                let _ = reply.send(done.clone().map(|()| record));
                done
            }
            Err(error) => {
                let _ = reply.send(Err(ApiError::new(error.code(), error.to_string())));
                Ok(())
            }
        }
    }

    async fn carry_out(&mut self, outputs: Vec<Output>) -> Result<(), ApiError> {
        for output in outputs {
            match output {
                Output::Persist(change) => {
                    let applied = self.store.apply(&change).await?;
                    self.tell(Outcome::Applied(applied)).await;
                }
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
        let network = self.network.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            network.unblock(peer);
        });
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
