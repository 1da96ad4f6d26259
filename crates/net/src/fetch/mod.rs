//! Downloads: one task per wanted blob, which asks providers for ranges and keeps what verifies.

mod flight;
mod plan;

use std::{
    collections::HashMap,
    future::pending,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::{Duration, Instant},
};

use domain::{BlobHash, PeerId};
use tokio::{
    sync::{Notify, watch},
    task::{AbortHandle, JoinSet},
};

use crate::{
    BlobError,
    blobs::{Blob, groups_of},
    error::NetError,
    lock::lock,
    network::Shared,
    wire::{MAX_BLOB, group_count},
};
use plan::{FlightId, Plan, ReaderId};

/// How often the map of a running download is written down.
const CHECKPOINT: Duration = Duration::from_secs(10);

/// A blob on its way. Cheap to clone; the last clone's end stops it, and what is here stays.
#[derive(Clone, Debug)]
pub struct Download {
    state: Arc<State>,
    _guard: Arc<Guard>,
}

/// Where a download stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the whole blob, once somebody said.
    pub size: Option<u64>,
    /// Bytes that are here and verified.
    pub held: u64,
    /// All of it is here, verified, and on the disk.
    pub complete: bool,
    /// Peers that may be asked. With 0 it waits for [`Download::add_provider`].
    pub providers: usize,
    /// It stopped before it was complete and does not go on; [`Download::complete`] says why.
    pub failed: bool,
}

/// What the handles and the task of one download share.
#[derive(Debug)]
pub(crate) struct State {
    shared: Weak<Shared>,
    hash: BlobHash,
    /// The size that the caller knows from a signed record.
    expected: Option<u64>,
    plan: Mutex<Plan>,
    /// Wakes the task.
    poke: Notify,
    blob: Mutex<Option<Blob>>,
    progress: watch::Sender<Progress>,
    /// Why it stopped, once it did.
    failed: watch::Sender<Option<Arc<NetError>>>,
}

/// One who reads a blob that is on its way: what it wanted can be forgotten when it reads elsewhere, and is with it.
#[derive(Debug)]
pub struct Reader {
    download: Download,
    id: ReaderId,
}

#[derive(Debug)]
struct Guard(Weak<State>);

impl Download {
    /// Returns the blob's name.
    pub fn hash(&self) -> BlobHash {
        self.state.hash
    }

    /// Returns what is here of the blob, once its size is known.
    pub fn blob(&self) -> Option<Blob> {
        self.state.blob()
    }

    /// Watches how it goes on.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.state.progress.subscribe()
    }

    /// Adds a peer that may have it and is connected, or is being dialled: where it was met before, the first
    /// request then goes out with the first packet. A peer that lied about this blob is not asked again.
    pub fn add_provider(&self, peer: PeerId) {
        let link = self.state.shared.upgrade().and_then(|shared| shared.link(&peer));
        let mut plan = self.state.plan();
        plan.add_provider(peer);
        if let Some(link) = link {
            plan.set_latency(peer, link.connection().rtt());
        }
        drop(plan);
        self.state.report();
        self.state.poke.notify_one();
    }

    /// Wants bytes within a time; without one, when nothing else is due. The end may lie behind the blob's.
    pub fn want(&self, range: Range<u64>, within: Option<Duration>) {
        self.state.want(None, &range, within);
    }

    /// Returns one who reads here and there.
    pub fn reader(&self) -> Reader {
        Reader { id: self.state.plan().reader(), download: self.clone() }
    }

    /// Wants all of it, when nothing else is due.
    pub fn want_all(&self) {
        self.want(0..MAX_BLOB, None);
    }

    /// Waits until the bytes are here and verified, wanting them at once.
    ///
    /// # Errors
    /// What ended the download: a full disk, a removed blob, [`NetError::Cancelled`].
    pub async fn wait(&self, range: Range<u64>) -> Result<Blob, Arc<NetError>> {
        self.want(range.clone(), Some(Duration::ZERO));
        self.arrival(range).await
    }

    async fn arrival(&self, range: Range<u64>) -> Result<Blob, Arc<NetError>> {
        let mut failed = self.state.failed.subscribe();
        tokio::select! {
            biased;
            blob = self.held(range) => blob.map_err(|error| Arc::new(error.into())),
            error = failure(&mut failed) => Err(error),
        }
    }

    /// Waits until all of it is here, verified, and on the disk. Wants nothing by itself.
    ///
    /// # Errors
    /// As [`Self::wait`].
    pub async fn complete(&self) -> Result<Blob, Arc<NetError>> {
        let mut progress = self.state.progress.subscribe();
        let mut failed = self.state.failed.subscribe();
        tokio::select! {
            biased;
            _ = progress.wait_for(|progress| progress.complete) => {
                self.blob().ok_or_else(|| Arc::new(NetError::Cancelled))
            }
            error = failure(&mut failed) => Err(error),
        }
    }

    /// Stops it; what is here stays.
    pub fn cancel(&self) {
        self.state.fail(NetError::Cancelled);
    }

    async fn held(&self, range: Range<u64>) -> Result<Blob, BlobError> {
        let mut progress = self.state.progress.subscribe();
        loop {
            if let Some(blob) = self.state.blob() {
                match blob.wait(range.clone()).await {
                    Ok(()) => return Ok(blob),
                    // A wrong claim of the size was given up; the next one's blob is another.
                    Err(BlobError::Removed(_)) if self.state.blob().is_none_or(|now| !now.is(&blob)) => {
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            if progress.changed().await.is_err() {
                return Err(BlobError::Closed);
            }
        }
    }
}

impl Reader {
    /// Wants bytes as [`Download::want`] does, until [`Self::forget`].
    pub fn want(&self, range: Range<u64>, within: Option<Duration>) {
        self.download.state.want(Some(self.id), &range, within);
    }

    /// Wants nothing any more, as after a seek; requests on the way go on.
    pub fn forget(&self) {
        self.download.state.plan().forget_reader(self.id);
    }

    /// Waits as [`Download::wait`] does.
    ///
    /// # Errors
    /// As [`Download::wait`].
    pub async fn wait(&self, range: Range<u64>) -> Result<Blob, Arc<NetError>> {
        self.want(range.clone(), Some(Duration::ZERO));
        self.download.arrival(range).await
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.forget();
    }
}

impl State {
    fn new(shared: Weak<Shared>, hash: BlobHash, expected: Option<u64>) -> Self {
        let progress = Progress { size: expected, ..Progress::default() };
        Self {
            shared,
            hash,
            expected,
            plan: Mutex::default(),
            poke: Notify::new(),
            blob: Mutex::default(),
            progress: watch::Sender::new(progress),
            failed: watch::Sender::new(None),
        }
    }

    fn blob(&self) -> Option<Blob> {
        lock(&self.blob).clone()
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        lock(&self.plan)
    }

    fn want(&self, reader: Option<ReaderId>, range: &Range<u64>, within: Option<Duration>) {
        let due = within.map(|within| Instant::now() + within);
        let groups = groups_of(&(range.start..range.end.min(MAX_BLOB)));
        let mut plan = self.plan();
        // The disk may have lost what seemed to be held.
        if let Some(blob) = self.blob() {
            plan.set_held(blob.groups(), blob.is_size_proven());
        }
        plan.want_for(reader, groups, due);
        drop(plan);
        self.poke.notify_one();
    }

    fn fail(&self, error: NetError) {
        self.failed.send_if_modified(|failed| {
            let first = failed.is_none();
            failed.get_or_insert(Arc::new(error));
            first
        });
        self.progress.send_if_modified(|progress| {
            let before = progress.failed;
            progress.failed = !progress.complete;
            progress.failed != before
        });
    }

    fn adopt(&self, blob: Blob) {
        self.plan().set_held(blob.groups(), blob.is_size_proven());
        *lock(&self.blob) = Some(blob);
        self.report();
    }

    /// Tells who watches where it stands.
    fn report(&self) {
        let (blob, providers) = (self.blob(), self.plan().providers());
        self.progress.send_if_modified(|progress| {
            let before = progress.clone();
            progress.providers = providers;
            if let Some(blob) = &blob {
                progress.size = Some(blob.size());
                progress.held = blob.held_bytes();
            }
            *progress != before
        });
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(state) = self.0.upgrade() {
            state.fail(NetError::Cancelled);
        }
    }
}

/// Begins a download. With a size from a signed record, a provider that names another is not asked.
pub(crate) fn begin(shared: &Arc<Shared>, hash: BlobHash, expected: Option<u64>) -> Download {
    let state = Arc::new(State::new(Arc::downgrade(shared), hash, expected));
    tokio::spawn(run(state.clone()));
    let guard = Arc::new(Guard(Arc::downgrade(&state)));
    Download { state, _guard: guard }
}

async fn run(state: Arc<State>) {
    let mut failed = state.failed.subscribe();
    tokio::select! {
        biased;
        _ = failure(&mut failed) => {}
        error = drive(&state) => if let Err(error) = error { state.fail(error) },
    }
    if let Some(blob) = state.blob() {
        let _ = crate::blobs::blocking(move || blob.checkpoint()).await;
    }
}

async fn drive(state: &Arc<State>) -> Result<(), NetError> {
    open(state).await?;
    let mut flights = JoinSet::new();
    let mut handles: HashMap<FlightId, AbortHandle> = HashMap::new();
    let mut checkpoint = tokio::time::interval(CHECKPOINT);
    loop {
        if state.plan().is_complete() && finish(state).await? {
            return Ok(());
        }
        let wake = launch(state, &mut flights, &mut handles);
        tokio::select! {
            () = state.poke.notified() => {}
            Some(ended) = flights.join_next() => match ended {
                Ok(ended) => flight::settle(state, &mut handles, ended).await?,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            },
            () = sleep_until(wake) => {}
            _ = checkpoint.tick() => {
                if let Some(blob) = state.blob() {
                    crate::blobs::blocking(move || blob.checkpoint()).await?;
                }
            }
        }
    }
}

/// Starts from what is on disk.
async fn open(state: &State) -> Result<(), NetError> {
    let Some(shared) = state.shared.upgrade() else { return Err(NetError::Closed) };
    let found = match state.expected {
        Some(size) => shared.config.blobs.begin(state.hash, size).await,
        None => shared.config.blobs.find(state.hash).await,
    };
    match found {
        Ok(blob) => state.adopt(blob),
        Err(BlobError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn launch(
    state: &Arc<State>,
    flights: &mut JoinSet<flight::Ended>,
    handles: &mut HashMap<FlightId, AbortHandle>,
) -> Option<Instant> {
    let now = Instant::now();
    let mut plan = state.plan();
    while let Some(order) = plan.next(now) {
        let id = order.flight;
        handles.insert(id, flights.spawn(flight::fly(state.clone(), order)));
    }
    for id in plan.take_cancelled() {
        if let Some(handle) = handles.remove(&id) {
            handle.abort();
        }
    }
    plan.wake(now)
}

/// Puts the whole blob in its place; `false` when the disk lost part of it meanwhile.
async fn finish(state: &State) -> Result<bool, NetError> {
    let Some(blob) = state.blob() else { return Ok(false) };
    let sealed = blob.clone();
    crate::blobs::blocking(move || sealed.seal()).await?;
    state.report();
    if !blob.is_complete() {
        let mut plan = state.plan();
        plan.set_held(blob.groups(), blob.is_size_proven());
        plan.want(0..group_count(blob.size()), None);
        return Ok(false);
    }
    state.progress.send_modify(|progress| progress.complete = true);
    Ok(true)
}

async fn failure(failed: &mut watch::Receiver<Option<Arc<NetError>>>) -> Arc<NetError> {
    let failed = failed.wait_for(Option::is_some).await;
    failed.ok().and_then(|error| error.clone()).unwrap_or_else(|| Arc::new(NetError::Cancelled))
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => pending().await,
    }
}
