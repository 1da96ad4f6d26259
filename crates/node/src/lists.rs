//! Lists of tracks of long releases: part of the catalogue, so they are fetched before anybody asks, within bounds.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{BlobHash, kinds::BlobRef};
use store::{Reason, ReleaseDetails};
use tokio::sync::Semaphore;

use crate::{
    api::{ApiError, Event},
    fetch::Whom,
    node::Inner,
};

/// Lists fetched at once before anybody asks for them; those that a user opens do not wait.
const AT_ONCE: usize = 4;
/// Lists under way and waiting; further ones are left to upkeep and to whoever opens the release.
pub(crate) const MAX_LISTS: usize = 256;
/// How long one list may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The lists that are on their way.
#[derive(Debug)]
pub(crate) struct Lists {
    /// With whether a user waits for it.
    known: Mutex<HashSet<(BlobHash, bool)>>,
    permits: Semaphore,
}

impl Default for Lists {
    fn default() -> Self {
        Self { known: Mutex::default(), permits: Semaphore::new(AT_ONCE) }
    }
}

impl Lists {
    fn enter(&self, list: BlobHash, asked: bool) -> bool {
        let mut known = self.known.lock().expect("no holder panics");
        (asked || known.len() < MAX_LISTS) && known.insert((list, asked))
    }

    fn leave(&self, list: BlobHash, asked: bool) {
        self.known.lock().expect("no holder panics").remove(&(list, asked));
    }
}

impl Inner {
    /// Fetches the tracks of a long release that a user opens and that lacks them.
    pub(crate) fn want_tracks(self: &Arc<Self>, details: &ReleaseDetails) {
        if let Some(list) = details.track_list.filter(|_| details.tracks.is_empty()) {
            self.fetch_track_list(list, true);
        }
    }

    /// Fetches the tracks of a long release, and shows them once they are here.
    pub(crate) fn fetch_track_list(self: &Arc<Self>, list: BlobRef, asked: bool) {
        if !self.lists.enter(list.hash, asked) {
            return;
        }
        let node = self.clone();
        self.tasks.spawn(async move {
            match node.ending.run_until_cancelled(node.track_list(list, asked)).await {
                Some(Ok(true)) => node.hub.tell(&Event::CatalogueChanged),
                Some(Err(error)) => tracing::debug!(code = error.code, "a list of tracks was not fetched"),
                Some(Ok(false)) | None => {}
            }
            node.lists.leave(list.hash, asked);
        });
    }

    async fn track_list(self: &Arc<Self>, list: BlobRef, asked: bool) -> Result<bool, ApiError> {
        let _permit = match asked {
            true => None,
            // Never closed.
            false => self.lists.permits.acquire().await.ok(),
        };
        if !asked && !self.store.takes_track_list(&list.hash).await? {
            return Ok(false);
        }
        // Strangers are asked only for what somebody wants: there are as many lists as anybody cares to sign.
        let whom = if asked { Whom::Anybody } else { Whom::Swarm };
        let fetched = async {
            let blob = self.fetch_from(list, Reason::Played, None, whom).await?.complete(|_| ()).await?;
            Ok::<_, ApiError>(blob.read(0..blob.size()).await?)
        };
        let late = |_| ApiError::new("timeout", "the list of tracks did not arrive in time");
        let bytes = tokio::time::timeout(PATIENCE, fetched).await.map_err(late)??;
        let known = !self.store.set_track_list(&bytes).await?.is_empty();
        self.claim_own().await?;
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_nobody_asked_for_are_bounded_and_never_keep_a_user_waiting() {
        let lists = Lists::default();
        let hash = |number: usize| BlobHash::of(&number.to_le_bytes());
        assert!((0..MAX_LISTS).all(|number| lists.enter(hash(number), false)));
        assert!(!lists.enter(hash(MAX_LISTS), false), "full");
        assert!(lists.enter(hash(MAX_LISTS), true) && !lists.enter(hash(MAX_LISTS), true), "once");
        assert!(lists.enter(hash(0), true), "whoever asks goes before what only waits");
        lists.leave(hash(0), false);
        lists.leave(hash(0), true);
        lists.leave(hash(MAX_LISTS), true);
        assert!(lists.enter(hash(MAX_LISTS), false));
    }
}
