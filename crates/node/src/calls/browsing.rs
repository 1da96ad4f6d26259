//! The catalogue: lists, search, and what oneself says of a release.

use std::{sync::Arc, time::Duration};

use domain::{
    ReleaseId,
    kinds::{Like, Tag, id as kind},
};
use peer::Input;

use crate::{
    api::{self, ApiError, ReleaseRef, SearchQuery, SearchResults, Source},
    catalogue,
    node::{Inner, unix_ms},
    playback,
};

/// Results of a search where no limit is said.
const DEFAULT_RESULTS: u32 = 50;
/// Most results of a search.
const MAX_RESULTS: u32 = 500;
/// How long peers are waited for where no time is said, and the longest that can be said.
const DEFAULT_WAIT: Duration = Duration::from_secs(3);
const MAX_WAIT: Duration = Duration::from_secs(60);

impl Inner {
    pub(super) async fn releases(&self, query: api::ReleaseQuery) -> Result<api::Releases, ApiError> {
        catalogue::releases(&self.store, self.identity.id(), query, unix_ms()).await
    }

    pub(super) async fn show(self: &Arc<Self>, release: &ReleaseId) -> Result<api::ReleaseDetail, ApiError> {
        self.release(release).await?;
        catalogue::show(&self.store, &self.blobs, self.identity.id(), release).await
    }

    pub(super) async fn search(&self, query: SearchQuery) -> Result<SearchResults, ApiError> {
        let limit = query.limit.unwrap_or(DEFAULT_RESULTS).min(MAX_RESULTS);
        let hits = self.store.search(&query.query, limit).await?;
        let mut results: Vec<_> = hits.into_iter().map(|hit| catalogue::result(hit, Source::Local)).collect();
        if query.remote {
            let wait = query.wait_ms.map_or(DEFAULT_WAIT, Duration::from_millis).min(MAX_WAIT);
            for found in self.ask_peers(query.query, limit, wait).await {
                let known =
                    |one: &api::SearchResult| one.kind == found.kind && one.release_id == found.release_id;
                if !results.iter().any(known) {
                    results.push(found);
                }
            }
        }
        results.truncate(limit as usize);
        Ok(SearchResults { results })
    }

    pub(super) async fn tag(
        self: &Arc<Self>,
        release: ReleaseId,
        track: Option<u16>,
        tag: &str,
        remove: bool,
    ) -> Result<api::Tags, ApiError> {
        playback::has_track(&self.release(&release).await?, track)?;
        let tag = Tag { release, track, text: domain::normalize_tag(tag)? };
        if remove {
            self.take_back(tag).await?;
        } else {
            self.driver.publish(tag).await?;
        }
        catalogue::tags(&self.store, &release).await
    }

    pub(super) async fn like(
        self: &Arc<Self>,
        release: ReleaseId,
        track: Option<u16>,
        remove: bool,
    ) -> Result<ReleaseRef, ApiError> {
        playback::has_track(&self.release(&release).await?, track)?;
        let like = Like { release, track };
        if remove {
            self.take_back(like).await?;
        } else {
            self.driver.publish(like).await?;
        }
        Ok(ReleaseRef { release_id: release })
    }

    pub(super) async fn withdraw(&self, release: ReleaseId) -> Result<ReleaseRef, ApiError> {
        let record = self.store.record(&release).await?.filter(|record| record.kind == kind::RELEASE);
        let record = record.ok_or_else(|| catalogue::unknown_release(&release))?;
        if record.author != self.identity.id() {
            return Err(ApiError::new(
                "not_yours",
                "only its artist can withdraw a release; you can block it",
            ));
        }
        self.driver.withdraw(release, record.key).await?;
        Ok(ReleaseRef { release_id: release })
    }

    /// Withdraws one's own record with this body's key; nothing happens where there is none.
    pub(crate) async fn take_back<K: domain::Kind>(&self, body: K) -> Result<(), ApiError> {
        let key = body.key();
        let slot = domain::SlotId::of(&self.identity.id(), K::ID, &key);
        let there = self.store.record(&slot).await?.is_some_and(|record| record.body.is_some());
        if there {
            self.driver.withdraw(slot, key).await?;
        }
        Ok(())
    }

    /// Loads a release; one that so far only a search has brought enters the catalogue first.
    pub(super) async fn release(
        self: &Arc<Self>,
        release: &ReleaseId,
    ) -> Result<store::ReleaseDetails, ApiError> {
        if let Some(record) = self.finds.recall(release) {
            self.driver.input(Input::Adopt(Box::new(record))).await;
            self.driver.settled().await;
        }
        let details = catalogue::details(&self.store, release).await?;
        self.want_tracks(&details);
        Ok(details)
    }

    /// Asks peers and collects what comes in time.
    async fn ask_peers(&self, text: String, limit: u32, wait: Duration) -> Vec<api::SearchResult> {
        let (query, mut results) = self.finds.begin(text.clone());
        let limit = u16::try_from(limit).unwrap_or(u16::MAX);
        self.driver.input(Input::Search { query, text, limit }).await;
        let mut found = Vec::new();
        let collecting = async {
            while let Some(result) = results.recv().await {
                found.push(result);
            }
        };
        // The time is over: what has come so far is the answer.
        let _ = tokio::time::timeout(wait, collecting).await;
        self.finds.end(query);
        found
    }
}
