//! Downloads under way: who may have the bytes, what is needed when, and what follows when they are here.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use domain::{BlobHash, PeerId, kinds::BlobRef};
use net::{Blob, Download, Progress, Reader};
use peer::Input;
use store::Reason;
use tokio::sync::watch;

use crate::{
    api::ApiError,
    cache,
    node::{Inner, unix_ms},
};

/// Connected peers that are asked for a blob before the swarm answers who has it.
const ASKED_AT_ONCE: usize = 16;
/// How long a download may stand still before it looks for further providers; the pause doubles while it finds none.
const STALLED: Duration = Duration::from_secs(3);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long a download without any provider is hoped for.
const HOPE: Duration = Duration::from_secs(12);
/// Bytes that the decoder wants first, at both ends of the file.
const EDGE: u64 = 64 << 10;
/// When the bytes behind the play head are due.
const SOON: Duration = Duration::from_secs(2);

/// A blob that is wanted; its last clone's end stops the download, and what is here stays.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    size: u64,
    way: Way,
}

/// Who is asked for a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    /// Connected peers and those that the swarm names.
    Swarm,
    /// Strangers too, where the swarm names nobody.
    Anybody,
}

#[derive(Clone, Debug)]
enum Way {
    Here(Blob),
    Coming(Arc<Download>),
}

/// Where somebody plays a blob.
pub(crate) struct PlayHead {
    fetch: Fetch,
    reader: Option<Reader>,
    /// What was asked for last.
    ahead: Range<u64>,
}

/// The downloads of a node.
#[derive(Debug, Default)]
pub(crate) struct Fetches {
    running: Mutex<HashMap<BlobHash, Weak<Download>>>,
    /// Those that go on although nobody waits for them.
    kept: Mutex<HashMap<BlobHash, Fetch>>,
}

impl Fetch {
    /// Returns the blob's size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Returns what is here, once a provider has answered.
    pub(crate) fn blob(&self) -> Option<Blob> {
        match &self.way {
            Way::Here(blob) => Some(blob.clone()),
            Way::Coming(download) => download.blob(),
        }
    }

    /// Asks for what a decoder reads first, then for all the rest.
    pub(crate) fn want_to_play(&self) {
        if let Way::Coming(download) = &self.way {
            download.want(0..EDGE.min(self.size), Some(Duration::ZERO));
            download.want(self.size.saturating_sub(EDGE)..self.size, Some(Duration::ZERO));
            download.want_all();
        }
    }

    /// Returns one who plays it.
    pub(crate) fn play_head(&self) -> PlayHead {
        let reader = match &self.way {
            Way::Here(_) => None,
            Way::Coming(download) => Some(download.reader()),
        };
        PlayHead { fetch: self.clone(), reader, ahead: 0..0 }
    }

    /// Waits until the bytes are here.
    pub(crate) async fn wait(&self, range: Range<u64>) -> Result<Blob, ApiError> {
        match &self.way {
            Way::Here(blob) => Ok(blob.clone()),
            Way::Coming(download) => Ok(download.wait(range).await?),
        }
    }

    /// Waits until all of it is here, telling how much is.
    pub(crate) async fn complete(&self, mut told: impl FnMut(u64)) -> Result<Blob, ApiError> {
        let download = match &self.way {
            Way::Here(blob) => return Ok(blob.clone()),
            Way::Coming(download) => download,
        };
        download.want_all();
        let mut progress = download.progress();
        let complete = download.complete();
        tokio::pin!(complete);
        loop {
            tokio::select! {
                blob = &mut complete => return Ok(blob?),
                () = self.hopeless() => return Err(nobody(&download.hash())),
                Ok(()) = progress.changed() => told(progress.borrow_and_update().held),
            }
        }
    }

    /// Resolves when nobody has been known to have it for a while.
    pub(crate) async fn hopeless(&self) {
        let Way::Coming(download) = &self.way else { return std::future::pending().await };
        let mut progress = download.progress();
        loop {
            let lonely =
                progress.wait_for(|progress| progress.providers == 0 && !progress.complete).await.is_ok();
            if !lonely {
                return std::future::pending().await;
            }
            let found = progress.wait_for(|progress| progress.providers > 0 || progress.complete);
            if tokio::time::timeout(HOPE, found).await.is_err() {
                return;
            }
        }
    }
}

impl PlayHead {
    /// Asks for bytes now, and for those behind them soon. Where they do not follow upon the last ones, nothing waits
    /// any more for what was asked before.
    pub(crate) fn at(&mut self, range: Range<u64>) {
        let Some(reader) = &self.reader else { return };
        if !(self.ahead.start..=self.ahead.end).contains(&range.start) {
            reader.forget();
        }
        reader.want(range.start..(range.start + EDGE).min(range.end), Some(Duration::ZERO));
        reader.want(range.clone(), Some(SOON));
        self.ahead = range;
    }

    /// Waits until the bytes are here.
    pub(crate) async fn wait(&self, range: Range<u64>) -> Result<Blob, ApiError> {
        match &self.reader {
            Some(reader) => Ok(reader.wait(range).await?),
            None => self.fetch.wait(range).await,
        }
    }
}

impl Fetches {
    /// Adds a peer that says it has the blob, dialling it where need be.
    pub(crate) fn provider(&self, node: &Arc<Inner>, hash: BlobHash, peer: PeerId) {
        let Some(download) = self.running(&hash) else { return };
        let found = node.clone();
        node.tasks.spawn(async move {
            if found.ending.run_until_cancelled(found.find_and_connect(peer)).await == Some(true) {
                download.add_provider(peer);
            }
        });
    }

    /// Tries a peer that has just connected for everything that is under way.
    pub(crate) fn peer_up(&self, peer: PeerId) {
        for download in self.all() {
            download.add_provider(peer);
        }
    }

    /// Stops a download.
    pub(crate) fn cancel(&self, hash: &BlobHash) {
        self.kept.lock().expect("no holder panics").remove(hash);
        if let Some(download) = self.running(hash) {
            download.cancel();
        }
    }

    /// Says whether a download is under way.
    pub(crate) fn is_busy(&self, hash: &BlobHash) -> bool {
        self.running(hash).is_some()
    }

    fn running(&self, hash: &BlobHash) -> Option<Arc<Download>> {
        let download = self.running.lock().expect("no holder panics").get(hash).and_then(Weak::upgrade);
        download.filter(|download| !download.progress().borrow().failed)
    }

    fn all(&self) -> Vec<Arc<Download>> {
        self.running.lock().expect("no holder panics").values().filter_map(Weak::upgrade).collect()
    }

    /// Lets go of a download that ended, but not of one that began after it.
    fn ended(&self, hash: &BlobHash, ended: &Weak<Download>) {
        let this = |fetch: &Fetch| match &fetch.way {
            Way::Coming(download) => Arc::downgrade(download).ptr_eq(ended),
            Way::Here(_) => true,
        };
        let mut kept = self.kept.lock().expect("no holder panics");
        if kept.get(hash).is_some_and(this) {
            kept.remove(hash);
        }
        drop(kept);
        let mut running = self.running.lock().expect("no holder panics");
        if running.get(hash).is_some_and(|download| download.ptr_eq(ended)) {
            running.remove(hash);
        }
    }
}

impl Inner {
    /// Fetches a blob for a reason, or returns the one that is here. `hint` is somebody who should have it.
    pub(crate) async fn fetch(
        self: &Arc<Self>,
        blob: BlobRef,
        reason: Reason,
        hint: Option<PeerId>,
    ) -> Result<Fetch, ApiError> {
        self.fetch_from(blob, reason, hint, Whom::Anybody).await
    }

    /// Fetches a blob as [`Self::fetch`] does, and says who is asked.
    pub(crate) async fn fetch_from(
        self: &Arc<Self>,
        blob: BlobRef,
        reason: Reason,
        hint: Option<PeerId>,
        whom: Whom,
    ) -> Result<Fetch, ApiError> {
        self.want(&blob, reason).await?;
        if let Ok(here) = self.blobs.find(blob.hash).await
            && here.is_complete()
        {
            self.store.blob_progress(&blob.hash, here.size(), true).await?;
            return Ok(Fetch { size: here.size(), way: Way::Here(here) });
        }
        let download = match self.fetches.running(&blob.hash) {
            Some(download) => {
                // Whoever asks again does not wait until the pause between two searches is over.
                self.driver.input(Input::FindProviders(blob.hash)).await;
                download
            }
            None => self.begin(blob, hint, whom).await?,
        };
        Ok(Fetch { size: blob.size, way: Way::Coming(download) })
    }

    /// Fetches a blob in the background, over restarts.
    pub(crate) async fn keep_fetching(
        self: &Arc<Self>,
        blob: BlobRef,
        reason: Reason,
    ) -> Result<Fetch, ApiError> {
        let fetch = self.fetch(blob, reason, None).await?;
        if let Way::Coming(download) = &fetch.way {
            download.want_all();
            self.fetches.kept.lock().expect("no holder panics").insert(blob.hash, fetch.clone());
        }
        Ok(fetch)
    }

    /// Enters a blob for a reason, unless somebody is deleting it: then after that. What was blocked or withdrawn since
    /// the caller looked is wanted no more; what is kept already may have outlived its record.
    async fn want(&self, blob: &BlobRef, reason: Reason) -> Result<(), ApiError> {
        let _deciding = self.removal.deciding.lock().await;
        let before = self.store.blob(&blob.hash).await?;
        self.store.want_blob(blob, reason, unix_ms()).await?;
        let kept = before.is_some_and(|row| row.reason > Reason::Played);
        // Looked at after it was entered: a block that comes later finds the entry.
        if !kept && !self.store.blob_servable(&blob.hash).await? {
            if before.is_none() {
                self.store.remove_blob(&blob.hash).await?;
            }
            return Err(ApiError::new("blob_not_found", "the file was blocked or withdrawn meanwhile"));
        }
        let common = cache::is_common(&self.store, &blob.hash).await?;
        let row = self.store.blob(&blob.hash).await?;
        self.cache.note(blob.hash, row.map_or(reason, |row| row.reason), common);
        Ok(())
    }

    async fn begin(
        self: &Arc<Self>,
        blob: BlobRef,
        hint: Option<PeerId>,
        whom: Whom,
    ) -> Result<Arc<Download>, ApiError> {
        let download = Arc::new(self.network.fetch(blob.hash, Some(blob.size)));
        let mut asked: Vec<PeerId> = self.network.peers().into_iter().map(|info| info.peer).collect();
        asked.sort_by_key(|peer| (Some(*peer) != hint, *peer));
        for peer in asked.iter().take(ASKED_AT_ONCE) {
            download.add_provider(*peer);
        }
        self.fetches.running.lock().expect("no holder panics").insert(blob.hash, Arc::downgrade(&download));
        if let Some(hint) = hint.filter(|hint| !asked.contains(hint)) {
            self.fetches.provider(self, blob.hash, hint);
        }
        let had = self.blobs.find(blob.hash).await.map_or(0, |blob| blob.held_bytes());
        let watched = Watched { blob, had, download: Arc::downgrade(&download), whom };
        self.tasks.spawn(watch(self.clone(), watched, download.progress()));
        Ok(download)
    }
}

/// A download as its watch knows it, without keeping it going.
struct Watched {
    blob: BlobRef,
    had: u64,
    download: Weak<Download>,
    whom: Whom,
}

/// Looks for providers while a download does not move, ever less often, and notes what is here when it ends.
async fn watch(node: Arc<Inner>, watched: Watched, mut progress: watch::Receiver<Progress>) {
    let Watched { blob, had, download, whom } = watched;
    let (mut held, mut pause, mut counted) = (had, STALLED, had);
    for round in 0_u64.. {
        let now = progress.borrow_and_update().clone();
        if now.complete || now.failed || node.ending.is_cancelled() {
            break;
        }
        if now.held > held {
            (held, pause) = (now.held, STALLED);
        } else {
            node.driver.input(Input::FindProviders(blob.hash)).await;
        }
        if round > 0 && now.providers == 0 && whom == Whom::Anybody {
            node.tasks.spawn(ask_strangers(node.clone(), blob.hash));
        }
        let ended = progress.wait_for(|now| {
            node.cache.count_fetched(&blob.hash, now.held.saturating_sub(counted));
            counted = counted.max(now.held);
            now.complete || now.failed
        });
        let ended = tokio::time::timeout(pause, node.ending.run_until_cancelled(ended)).await;
        // The last handle is gone, or the node ends: nobody wants it any more.
        if matches!(ended, Ok(None | Some(Err(_)))) {
            break;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    let end = progress.borrow().held;
    node.cache.count_fetched(&blob.hash, end.saturating_sub(counted));
    node.fetches.ended(&blob.hash, &download);
    if let Err(error) = note(&node, blob).await {
        tracing::warn!(code = error.code, blob = blob.hash.short(), "a download's end could not be noted");
    }
}

/// Looks for providers outside the swarm.
async fn ask_strangers(node: Arc<Inner>, hash: BlobHash) {
    let found = node.ending.run_until_cancelled(node.strangers_with(&hash)).await.unwrap_or_default();
    if let Some(download) = node.fetches.running(&hash) {
        found.into_iter().for_each(|peer| download.add_provider(peer));
    }
}

async fn note(node: &Arc<Inner>, blob: BlobRef) -> Result<(), ApiError> {
    let Ok(here) = node.blobs.find(blob.hash).await else { return Ok(()) };
    node.store.blob_progress(&blob.hash, here.held_bytes(), here.is_complete()).await?;
    if here.is_complete() {
        if node.cache.is_kept(&blob.hash) {
            node.announce(&blob.hash);
        }
        if node.cache.is_served(&blob.hash) {
            node.driver.input(Input::Holding(blob.hash, true)).await;
        }
        cache::evict(node).await?;
    }
    Ok(())
}

fn nobody(hash: &BlobHash) -> ApiError {
    ApiError::new("blob_not_found", format!("nobody who can be reached has the file {}", hash.short()))
}
