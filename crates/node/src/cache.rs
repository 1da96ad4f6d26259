//! Which files are kept and which are served: the policy, and what the network asks of it.

use std::{
    collections::HashMap,
    sync::{
        Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use domain::{BlobHash, PeerId};
use store::{Reason, Store};

use crate::{api::ApiError, config::Settings, node::Inner};

/// Files evicted in one go.
const BATCH: u32 = 64;

/// What is kept and served, as the network must know it at once.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    files: RwLock<HashMap<BlobHash, Held>>,
    metered: AtomicBool,
    limit: AtomicU64,
    serve_played: AtomicBool,
    /// Bytes served and fetched since they were last taken.
    traffic: Mutex<HashMap<BlobHash, (u64, u64)>>,
}

/// Why a file is here, as far as serving depends on it.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// The user published, downloaded or seeds it.
    kept: bool,
    /// Everybody has it, so serving it tells nothing.
    common: bool,
}

impl Cache {
    /// Reads what is on disk.
    pub(crate) async fn load(store: &Store, settings: &Settings) -> Result<Self, ApiError> {
        let cache = Self::default();
        cache.configure(settings);
        let mut after = None;
        loop {
            let page = store.blobs(Reason::Played, store::MAX_LIMIT, after.as_ref()).await?;
            let Some(last) = page.last() else { return Ok(cache) };
            after = Some(last.hash);
            for blob in &page {
                cache.note(blob.hash, blob.reason, is_common(store, &blob.hash).await?);
            }
        }
    }

    /// Takes over changed settings. Returns the files that are served from now on, or no more.
    pub(crate) fn configure(&self, settings: &Settings) -> Vec<(BlobHash, bool)> {
        let files = self.files.read().expect("no holder panics");
        let before: Vec<(BlobHash, Held, bool)> =
            files.iter().map(|(hash, held)| (*hash, *held, self.serves(held))).collect();
        self.metered.store(settings.metered, Ordering::Relaxed);
        self.limit.store(settings.cache_bytes, Ordering::Relaxed);
        self.serve_played.store(settings.serve_played, Ordering::Relaxed);
        let now = before.into_iter().map(|(hash, held, before)| (hash, before, self.serves(&held)));
        now.filter(|(_, before, now)| before != now).map(|(hash, _, now)| (hash, now)).collect()
    }

    /// Notes why a file is here. Covers and lists of tracks are common: everybody has them, so serving tells nothing.
    pub(crate) fn note(&self, hash: BlobHash, reason: Reason, common: bool) {
        let held = Held { kept: reason > Reason::Played, common };
        self.files.write().expect("no holder panics").insert(hash, held);
    }

    /// Forgets a file.
    pub(crate) fn forget(&self, hash: &BlobHash) {
        self.files.write().expect("no holder panics").remove(hash);
    }

    /// Says whether the user published, downloaded or seeds the file.
    pub(crate) fn is_kept(&self, hash: &BlobHash) -> bool {
        self.files.read().expect("no holder panics").get(hash).is_some_and(|held| held.kept)
    }

    /// Says whether peers may have the file.
    pub(crate) fn is_served(&self, hash: &BlobHash) -> bool {
        self.files.read().expect("no holder panics").get(hash).is_some_and(|held| self.serves(held))
    }

    /// Returns every file that the user published, downloaded or seeds.
    pub(crate) fn kept(&self) -> Vec<BlobHash> {
        self.those(|held| held.kept)
    }

    /// Returns every file that peers may have.
    pub(crate) fn served(&self) -> Vec<BlobHash> {
        self.those(|held| self.serves(held))
    }

    fn those(&self, which: impl Fn(&Held) -> bool) -> Vec<BlobHash> {
        let files = self.files.read().expect("no holder panics");
        files.iter().filter(|(_, held)| which(held)).map(|(hash, _)| *hash).collect()
    }

    fn serves(&self, held: &Held) -> bool {
        let wanted = held.kept || held.common || self.serve_played.load(Ordering::Relaxed);
        wanted && !self.metered.load(Ordering::Relaxed)
    }

    /// Counts bytes that came from peers.
    pub(crate) fn count_fetched(&self, hash: &BlobHash, bytes: u64) {
        if bytes == 0 {
            return;
        }
        self.traffic.lock().expect("no holder panics").entry(*hash).or_default().1 += bytes;
    }

    /// Takes what was served and fetched since the last call, in bytes.
    pub(crate) fn take_traffic(&self) -> HashMap<BlobHash, (u64, u64)> {
        std::mem::take(&mut self.traffic.lock().expect("no holder panics"))
    }
}

impl net::Handler for Cache {
    fn request(&self, _peer: PeerId, _body: Bytes) -> net::Answer {
        Box::pin(std::future::ready(None))
    }

    fn may_serve(&self, _peer: PeerId, hash: &BlobHash) -> bool {
        self.is_served(hash)
    }

    fn served(&self, _peer: PeerId, hash: &BlobHash, bytes: u64) {
        self.traffic.lock().expect("no holder panics").entry(*hash).or_default().0 += bytes;
    }
}

/// Deletes what was played longest ago until the rest fits the limit; what is kept or under way stays.
pub(crate) async fn evict(node: &Inner) -> Result<(), ApiError> {
    let limit = node.cache.limit.load(Ordering::Relaxed);
    let mut over = node.store.cache_bytes().await?.saturating_sub(limit);
    while over > 0 {
        let coldest = node.store.coldest_blobs(BATCH).await?;
        let idle: Vec<_> = coldest.into_iter().filter(|blob| !node.fetches.is_busy(&blob.hash)).collect();
        if idle.is_empty() {
            return Ok(());
        }
        for blob in idle {
            if over == 0 {
                break;
            }
            if crate::events::give_up(node, &blob).await? {
                over = over.saturating_sub(blob.have);
            }
        }
    }
    Ok(())
}

/// Says whether a file is part of the catalogue that everybody has, not somebody's choice of music.
pub(crate) async fn is_common(store: &Store, hash: &BlobHash) -> Result<bool, ApiError> {
    let uses = store.blob_uses(hash).await?;
    Ok(!uses.is_empty() && !uses.iter().any(|usage| matches!(usage, store::BlobUse::Track(..))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_decide_at_once_what_is_served() {
        let hash = |name: &str| BlobHash::of(name.as_bytes());
        let (cache, settings) = (Cache::default(), Settings::default());
        cache.configure(&settings);
        cache.note(hash("played"), Reason::Played, false);
        cache.note(hash("seeded"), Reason::Seeded, false);
        cache.note(hash("cover"), Reason::Played, true);
        assert!(!cache.is_served(&hash("played")));
        assert!(cache.is_served(&hash("seeded")) && cache.is_served(&hash("cover")));

        let serving = Settings { serve_played: true, ..settings.clone() };
        assert_eq!(cache.configure(&serving), [(hash("played"), true)]);
        assert!(cache.is_served(&hash("played")));
        assert_eq!(cache.configure(&settings), [(hash("played"), false)]);
        assert!(!cache.is_served(&hash("played")));

        let metered = Settings { metered: true, ..settings.clone() };
        assert_eq!(cache.configure(&metered).len(), 2);
        assert!(cache.served().is_empty());
        assert_eq!(cache.kept(), [hash("seeded")]);
        assert_eq!(cache.configure(&settings).len(), 2);
    }
}
