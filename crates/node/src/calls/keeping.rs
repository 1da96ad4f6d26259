//! What is saved, followed, blocked and seeded here.

use std::sync::Arc;

use domain::{PeerId, ReleaseId, kinds::Follow};
use peer::Input;
use store::Reason;

use crate::{
    api::{
        self, ApiError, BlockCommand, Done, JobId, LibraryCommand, PlaylistCommand, ReportReason, SeedInfo,
        Seeds, Unit,
    },
    blocks, careful,
    jobs::Job,
    library::{self, Page},
    node::{Inner, unix_ms},
    playback,
};

/// The store's setting with the releases that are seeded, latest first.
pub(crate) const SEEDED: &str = "seeded";

impl Inner {
    pub(super) async fn follow(
        &self,
        artist: PeerId,
        public: bool,
        remove: bool,
    ) -> Result<api::Follows, ApiError> {
        if artist == self.identity.id() {
            return Err(ApiError::new("follow_self", "that is you"));
        }
        if remove {
            let before = self.store.unfollow(&artist).await?;
            self.driver.input(Input::Unfollow(artist)).await;
            if before.is_some_and(|followed| followed.public) {
                self.take_back(Follow { artist }).await?;
            }
        } else {
            self.store.follow(&artist, public, unix_ms()).await?;
            self.driver.input(Input::Follow(artist)).await;
            if public {
                self.driver.publish(Follow { artist }).await?;
            }
        }
        library::follows(&self.store).await
    }

    pub(super) async fn block(self: &Arc<Self>, command: BlockCommand) -> Result<api::Blocked, ApiError> {
        match command {
            BlockCommand::Add { id } => blocks::add(self, &id).await,
            BlockCommand::Remove { id } => blocks::remove(self, &id).await,
            BlockCommand::List => blocks::list(self).await,
            BlockCommand::Share { name } => blocks::share(self, name).await,
            BlockCommand::Subscribe { list } => blocks::subscribe(self, list).await,
            BlockCommand::Unsubscribe { list } => blocks::unsubscribe(self, list).await,
        }
    }

    pub(super) async fn library(self: &Arc<Self>, command: LibraryCommand) -> Result<api::Library, ApiError> {
        let (store, own) = (&self.store, self.identity.id());
        match command {
            LibraryCommand::List => {}
            LibraryCommand::Saved { offset, limit } => {
                return library::saved(store, own, Page::new(offset, limit)).await;
            }
            LibraryCommand::Files { query, offset, limit } => {
                return library::files(store, &query, Page::new(offset, limit)).await;
            }
            LibraryCommand::History { offset, limit } => {
                return library::history(store, Page::new(offset, limit)).await;
            }
            LibraryCommand::Save { release } => {
                self.release(&release).await?;
                store.save(&release, None, unix_ms()).await?;
            }
            LibraryCommand::Remove { release } => {
                store.unsave(&release, None).await?;
            }
            LibraryCommand::AddFolder { folder, job } => {
                let job = self.job("add_folder", job)?;
                job.ended(library::add_folder(store, &folder, &job, unix_ms()).await)?;
            }
            LibraryCommand::AddFiles { paths, job } => {
                let job = self.job("add_files", job)?;
                return job.ended(library::add_files(store, paths, &job, unix_ms()).await);
            }
            LibraryCommand::RemoveFile { file } => {
                store.remove_file(file).await?;
            }
            LibraryCommand::RemoveFolder { folder } => {
                store.remove_folder(&folder.display().to_string()).await?;
            }
            LibraryCommand::ClearHistory => {
                store.clear_history().await?;
            }
        }
        library::list(store, own).await
    }

    pub(super) async fn playlist(&self, command: PlaylistCommand) -> Result<api::Playlists, ApiError> {
        library::playlist(&self.store, &self.deleted, command, unix_ms()).await
    }

    pub(super) async fn report(
        &self,
        what: (Option<ReleaseId>, Option<PeerId>),
        reason: ReportReason,
        note: Option<String>,
        remove: bool,
    ) -> Result<Done, ApiError> {
        careful::report(self, careful::target(what.0, what.1)?, reason, note, remove).await?;
        Ok(Done {})
    }

    pub(super) async fn seed(
        self: &Arc<Self>,
        release: Option<ReleaseId>,
        remove: bool,
        job: Option<JobId>,
    ) -> Result<Seeds, ApiError> {
        let job = self.job("seed", job)?;
        job.ended(self.change_seeds(release, remove, &job).await)
    }

    async fn change_seeds(
        self: &Arc<Self>,
        release: Option<ReleaseId>,
        remove: bool,
        job: &Job,
    ) -> Result<Seeds, ApiError> {
        let mut seeded: Vec<ReleaseId> = self.store.setting(SEEDED).await?.unwrap_or_default();
        if let Some(release) = release {
            let details = self.release(&release).await?;
            seeded.retain(|other| *other != release);
            if remove {
                self.unseed(&details).await?;
            } else {
                seeded.insert(0, release);
            }
            self.store.set_setting(SEEDED, &seeded).await?;
            if !remove {
                self.keep_release(&details, job).await?;
            }
        }
        self.seeds(seeded).await
    }

    async fn seeds(&self, seeded: Vec<ReleaseId>) -> Result<Seeds, ApiError> {
        let mut seeds = Vec::with_capacity(seeded.len());
        for batch in seeded.chunks(store::MAX_BATCH) {
            let rows = self.store.release_rows(batch).await?;
            seeds.extend(batch.iter().map(|release| {
                let row = rows.iter().find(|row| row.release == *release);
                SeedInfo {
                    release_id: *release,
                    title: row.map(|row| row.title.clone()),
                    artist: row.map(|row| row.artist.clone()),
                }
            }));
        }
        Ok(Seeds { seeds })
    }

    async fn keep_release(
        self: &Arc<Self>,
        details: &store::ReleaseDetails,
        job: &Job,
    ) -> Result<(), ApiError> {
        let tracks = playback::chosen(details, None)?;
        // All of them first: those behind a track that nobody has now are not to wait for it.
        let mut fetches = Vec::with_capacity(tracks.len());
        for row in &tracks {
            fetches.push(self.keep_fetching(row.track.blob, Reason::Seeded).await?);
        }
        for (row, fetch) in tracks.iter().zip(&fetches) {
            let (title, size) = (&row.track.title, row.track.blob.size);
            let told = |held| job.progress("fetching", Unit::Bytes, title, held, size);
            job.run(fetch.complete(told)).await?;
            self.driver.input(Input::Holding(row.track.blob.hash, true)).await;
        }
        Ok(())
    }

    async fn unseed(&self, details: &store::ReleaseDetails) -> Result<(), ApiError> {
        for row in &details.tracks {
            let hash = row.track.blob.hash;
            if self.store.blob(&hash).await?.is_some_and(|blob| blob.reason == Reason::Seeded) {
                self.store.set_blob_reason(&hash, Reason::Played).await?;
                self.cache.note(hash, Reason::Played, false);
                self.renounce(&hash);
                self.driver.input(Input::Holding(hash, self.cache.is_served(&hash))).await;
            }
        }
        Ok(())
    }
}
