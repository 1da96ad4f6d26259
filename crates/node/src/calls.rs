//! Answers the Api.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use domain::{
    BlobHash, PeerId, ReleaseId,
    kinds::{Follow, Like, Tag, id as kind},
};
use peer::Input;
use store::Reason;
use tokio::sync::mpsc;

use crate::{
    api::{
        self, ApiError, Backup, BlockCommand, ConfigValues, Devices, Done, Event, IdentityRef, Invite,
        LibraryCommand, Link, PeerInfo, Peers, ReleaseRef, Request, Response, SavedFile, SearchQuery,
        SearchResults, Seeds, Source, Stats, Status, Unit, Words,
    },
    asset::{self, Asset},
    blocks, careful, catalogue, doctor, downloads, draft, events, identity,
    jobs::Job,
    library::{self, Page},
    links, lyrics,
    node::{Ended, Inner, NodeHandle, unix_ms},
    playback, publish,
    shell::Api,
};

/// Results of a search where no limit is said.
const DEFAULT_RESULTS: u32 = 50;
/// Most results of a search.
const MAX_RESULTS: u32 = 500;
/// How long peers are waited for where no time is said, and the longest that can be said.
const DEFAULT_WAIT: Duration = Duration::from_secs(3);
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Rows of statistics by day and by file.
const STATS_ROWS: u32 = 366;

#[async_trait]
impl Api for NodeHandle {
    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        // On a task of its own: a caller that goes away does not cut work in two.
        let inner = self.inner.clone();
        let work = tokio::spawn(async move { inner.answer(request).await });
        work.await
            .map_err(|error| ApiError::new("internal", format!("the request failed inside: {error}")))?
    }

    async fn events(&self) -> Result<mpsc::Receiver<Event>, ApiError> {
        Ok(self.inner.hub.listen())
    }

    async fn asset(&self, hash: BlobHash) -> Result<Asset, ApiError> {
        let inner = self.inner.clone();
        let work = tokio::spawn(async move { asset::load(&inner, hash).await });
        work.await
            .map_err(|error| ApiError::new("internal", format!("the request failed inside: {error}")))?
    }
}

impl Inner {
    async fn answer(self: Arc<Self>, request: Request) -> Result<Response, ApiError> {
        let node = &self;
        Ok(match request {
            Request::Status => Response::Status(self.status().await?),
            Request::Invite => Response::Invite(Invite { invite: self.invite().to_string() }),
            Request::Peers => Response::Peers(self.peers().await?),
            Request::Join { invite } => {
                self.join(&invite).await?;
                Response::Done(Done {})
            }
            Request::ProfileSet(edit) => Response::Profile(publish::profile(node, edit).await?),
            Request::ProfileShow { peer } => {
                let own = self.identity.id();
                Response::Profile(catalogue::profile(&self.store, own, peer.unwrap_or(own)).await?)
            }
            Request::Share { release, artist } => {
                Response::Link(Link { link: links::share(node, &careful::target(release, artist)?)? })
            }
            Request::Open { link, wait_ms } => Response::Opened(links::open(node, &link, wait_ms).await?),
            Request::Inspect { paths, job } => {
                let job = self.job("inspect", job)?;
                Response::Draft(job.ended(draft::inspect(node, paths, &job).await)?)
            }
            Request::Discard { paths } => {
                let drafts = self.drafts.clone();
                let discarding = move || {
                    drafts.discard(paths.iter().map(PathBuf::as_path));
                    Ok(())
                };
                blocking(discarding).await?;
                Response::Done(Done {})
            }
            Request::Publish(publish) => {
                let job = self.job("publish", publish.job.clone())?;
                Response::Published(job.ended(publish::publish(node, publish, &job).await)?)
            }
            Request::Releases(query) => {
                let own = self.identity.id();
                Response::Releases(catalogue::releases(&self.store, own, query, unix_ms()).await?)
            }
            Request::Search(query) => Response::Search(self.search(query).await?),
            Request::TagsTop { limit } => Response::TagsTop(catalogue::top_tags(&self.store, limit).await?),
            Request::Show { release } => {
                self.release(&release).await?;
                let own = self.identity.id();
                Response::Release(catalogue::show(&self.store, &self.blobs, own, &release).await?)
            }
            Request::Play(play) => {
                self.release(&play.release).await?;
                let job = self.job("play", play.job.clone())?;
                Response::Played(job.ended(self.play(play, &job).await)?)
            }
            Request::Player(command) => Response::Player(self.command(command).await?),
            Request::Queue { offset, limit } => Response::Queue(self.queue(offset, limit).await?),
            Request::Devices => Response::Devices(devices().await?),
            Request::Download { release, to, job } => {
                let job = self.job("download", job)?;
                Response::Downloaded(job.ended(self.download(release, to, &job).await)?)
            }
            Request::Downloads => Response::Downloads(downloads::list(node).await?),
            Request::Lyrics { item } => Response::Lyrics(lyrics::read(node, item).await?),
            Request::Tag { release, track, tag, remove } => {
                Response::Tags(self.tag(release, track, &tag, remove).await?)
            }
            Request::Like { release, track, remove } => {
                self.like(release, track, remove).await?;
                Response::ReleaseRef(ReleaseRef { release_id: release })
            }
            Request::Withdraw { release } => {
                self.withdraw(release).await?;
                Response::ReleaseRef(ReleaseRef { release_id: release })
            }
            Request::Block(command) => Response::Blocked(self.block(command).await?),
            Request::Hide(command) => Response::Hidden(careful::hide(node, command).await?),
            Request::Report { release, artist, reason, note, remove } => {
                let target = careful::target(release, artist)?;
                careful::report(node, target, reason, note, remove).await?;
                Response::Done(Done {})
            }
            Request::Follow { artist, public, remove } => {
                self.follow(artist, public, remove).await?;
                Response::Follows(library::follows(&self.store).await?)
            }
            Request::Follows => Response::Follows(library::follows(&self.store).await?),
            Request::Library(command) => Response::Library(self.library(command).await?),
            Request::Playlist(command) => {
                let deleted = &self.deleted;
                Response::Playlists(library::playlist(&self.store, deleted, command, unix_ms()).await?)
            }
            Request::Seed { release, remove, job } => {
                let job = self.job("seed", job)?;
                Response::Seeds(job.ended(self.seed(release, remove, &job).await)?)
            }
            Request::Stats => Response::Stats(self.stats().await?),
            Request::Doctor => Response::Doctor(doctor::examine(node).await?),
            Request::ConfigGet { key } => {
                Response::Config(ConfigValues { config: self.settings().values(key.as_deref())? })
            }
            Request::ConfigSet { key, value } => {
                Response::Config(ConfigValues { config: self.configure(&key, &value)? })
            }
            Request::IdentityExport { file, passphrase } => {
                let own = self.identity.clone();
                let exported = blocking(move || identity::export(&own, &file, passphrase)).await?;
                Response::Identity(IdentityRef { peer_id: self.identity.id(), encrypted: exported })
            }
            Request::IdentityImport { file, passphrase } => {
                Response::Identity(self.import_identity(&file, passphrase).await?)
            }
            Request::IdentityBackup { passphrase } => {
                let own = self.identity.clone();
                let text = blocking(move || identity::backup(&own, passphrase)).await?;
                let name = format!("musicdao-{}.age.txt", self.identity.id().short());
                Response::Backup(Backup { name, text })
            }
            Request::IdentityWords => {
                let words = self.identity.words();
                Response::Words(Words { words: words.split_whitespace().map(str::to_owned).collect() })
            }
            Request::IdentityRestore { text, passphrase } => {
                let encrypted = passphrase.is_some();
                let restored = blocking(move || identity::read_text(&text, passphrase)).await?;
                Response::Identity(self.adopt(&restored, encrypted).await?)
            }
            Request::IdentityTakeOver => {
                self.take_over().await?;
                Response::Identity(IdentityRef { peer_id: self.identity.id(), encrypted: false })
            }
            Request::Jobs => Response::Jobs(self.jobs.list()),
            Request::Cancel { job } => {
                self.jobs.cancel(&job)?;
                Response::Done(Done {})
            }
            Request::Shutdown => {
                self.end(Ended::Shutdown);
                Response::Done(Done {})
            }
        })
    }

    fn job(&self, kind: &'static str, name: Option<api::JobId>) -> Result<Job, ApiError> {
        self.jobs.begin(kind, name, &self.hub)
    }

    async fn status(&self) -> Result<Status, ApiError> {
        let counts = self.store.counts().await?;
        let totals = self.store.blob_totals().await?;
        let stored = [totals.played, totals.seeded, totals.downloaded, totals.published];
        let peers = self.network.peers();
        let (settings, own) = (self.settings(), self.identity.id());
        let relayed = peers.iter().filter(|info| info.path == net::Path::Relayed).count() as u64;
        let name = catalogue::written(&self.store, own).await?.map(|profile| profile.name);
        Ok(Status {
            peer_id: own,
            fresh: name.is_none() && self.is_unused().await?,
            name: name.filter(|name| !name.is_empty()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data: self.data.display().to_string(),
            listen: vec![self.network.local_addr().to_string()],
            peers: peers.len() as u64,
            nearby: peers.iter().filter(|info| is_nearby(info)).count() as u64,
            direct: peers.len() as u64 - relayed,
            relayed,
            online: !peers.is_empty(),
            searching: peers.is_empty() && (settings.dht || settings.mdns),
            metered: settings.metered,
            private_session: settings.private_session,
            releases: counts.releases,
            records: counts.records,
            stored_bytes: stored.iter().map(|total| total.bytes).sum(),
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            can_publish: self.can_publish(),
            dropped_events: self.hub.dropped(),
        })
    }

    /// Says whether nothing is published, saved, added or followed.
    async fn is_unused(&self) -> Result<bool, ApiError> {
        let totals = self.store.library_totals().await?;
        let kept = totals.saved + totals.files + totals.history;
        let own = self.store.records_of(&self.identity.id(), kind::RELEASE, 1).await?;
        Ok(kept == 0 && own.is_empty() && self.store.followed(1).await?.is_empty())
    }

    async fn peers(&self) -> Result<Peers, ApiError> {
        let mut infos = self.network.peers();
        infos.sort_by_key(|info| info.peer);
        let ids: Vec<PeerId> = infos.iter().map(|info| info.peer).collect();
        let names = self.store.names(&ids).await?;
        let peers = infos.into_iter().map(|info| PeerInfo {
            peer_id: info.peer,
            name: names.iter().find(|(peer, _)| *peer == info.peer).map(|(_, name)| name.clone()),
            path: info.path.into(),
            rtt_ms: info.rtt.as_secs_f64() * 1000.0,
        });
        Ok(Peers { peers: peers.collect() })
    }

    async fn search(&self, query: SearchQuery) -> Result<SearchResults, ApiError> {
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

    async fn download(
        self: &Arc<Self>,
        release: ReleaseId,
        to: Option<PathBuf>,
        job: &Job,
    ) -> Result<api::Downloaded, ApiError> {
        let details = self.release(&release).await?;
        let to = to.unwrap_or_else(|| downloads::folder(self, &details));
        tokio::fs::create_dir_all(&to).await?;
        let artist = details.row.artist_id;
        let mut files = Vec::with_capacity(details.tracks.len());
        for row in &playback::chosen(&details, None)? {
            let blob = row.track.blob;
            let fetch = self.fetch(blob, Reason::Downloaded, Some(artist)).await?;
            let told = |held| job.progress("fetching", Unit::Bytes, &row.track.title, held, blob.size);
            job.run(fetch.complete(told)).await?;
            job.progress("fetching", Unit::Bytes, &row.track.title, blob.size, blob.size);
            let path = to.join(file_name(row.number, &row.track));
            let size = self.blobs.export(blob.hash, &path).await?;
            files.push(SavedFile { path: path.display().to_string(), size, blake3: blob.hash });
        }
        downloads::remember(&self.store, release, &to).await?;
        Ok(api::Downloaded { files })
    }

    async fn seed(
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
        Ok(Seeds { seeds: seeded.into_iter().map(|release_id| ReleaseRef { release_id }).collect() })
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

    async fn tag(
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

    async fn like(
        self: &Arc<Self>,
        release: ReleaseId,
        track: Option<u16>,
        remove: bool,
    ) -> Result<(), ApiError> {
        playback::has_track(&self.release(&release).await?, track)?;
        let like = Like { release, track };
        if remove { self.take_back(like).await } else { self.driver.publish(like).await.map(drop) }
    }

    async fn follow(&self, artist: PeerId, public: bool, remove: bool) -> Result<(), ApiError> {
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
        Ok(())
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

    async fn withdraw(&self, release: ReleaseId) -> Result<(), ApiError> {
        let record = self.store.record(&release).await?.filter(|record| record.kind == kind::RELEASE);
        let record = record.ok_or_else(|| catalogue::unknown_release(&release))?;
        if record.author != self.identity.id() {
            return Err(ApiError::new(
                "not_yours",
                "only its artist can withdraw a release; you can block it",
            ));
        }
        self.driver.withdraw(release, record.key).await?;
        Ok(())
    }

    /// Signs again although another node did, or before the swarm has told what was signed elsewhere.
    async fn take_over(&self) -> Result<(), ApiError> {
        self.store.set_setting(events::IN_USE_ELSEWHERE, &false).await?;
        identity::settle_import(&self.data)?;
        self.driver.input(Input::TakeOver).await;
        self.driver.settled().await;
        self.read_only.store(false, Ordering::Relaxed);
        self.syncing.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Loads a release; one that so far only a search has brought enters the catalogue first.
    async fn release(self: &Arc<Self>, release: &ReleaseId) -> Result<store::ReleaseDetails, ApiError> {
        if let Some(record) = self.finds.recall(release) {
            self.driver.input(Input::Adopt(Box::new(record))).await;
            self.driver.settled().await;
        }
        let details = catalogue::details(&self.store, release).await?;
        self.want_tracks(&details);
        Ok(details)
    }

    async fn block(&self, command: BlockCommand) -> Result<api::Blocked, ApiError> {
        match command {
            BlockCommand::Add { id } => blocks::add(self, &id).await,
            BlockCommand::Remove { id } => blocks::remove(self, &id).await,
            BlockCommand::List => blocks::list(self).await,
            BlockCommand::Share { name } => blocks::share(self, name).await,
            BlockCommand::Subscribe { list } => blocks::subscribe(self, list).await,
            BlockCommand::Unsubscribe { list } => blocks::unsubscribe(self, list).await,
        }
    }

    async fn library(self: &Arc<Self>, command: LibraryCommand) -> Result<api::Library, ApiError> {
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

    async fn stats(&self) -> Result<Stats, ApiError> {
        crate::upkeep::count(self).await?;
        let days = self.store.traffic(STATS_ROWS).await?;
        let blobs = self.store.blob_traffic(STATS_ROWS).await?;
        Ok(Stats {
            served_bytes: days.iter().map(|day| day.served).sum(),
            fetched_bytes: days.iter().map(|day| day.fetched).sum(),
            days: days
                .into_iter()
                .map(|day| api::DayStats {
                    day: date(day.day),
                    served_bytes: day.served,
                    fetched_bytes: day.fetched,
                })
                .collect(),
            blobs: blobs
                .into_iter()
                .filter_map(|row| {
                    let (served_bytes, fetched_bytes) = (row.served, row.fetched);
                    Some(api::BlobStats { blob: row.blob?, served_bytes, fetched_bytes })
                })
                .collect(),
        })
    }

    fn configure(
        &self,
        key: &str,
        value: &str,
    ) -> Result<serde_json::Map<String, serde_json::Value>, ApiError> {
        // What the command line says for one run is not written down.
        let settings = crate::Settings::load(&self.data)?.with(key, value)?;
        settings.save(&self.data)?;
        let mut current = self.settings.write().expect("no holder panics");
        *current = current.with(key, value)?;
        let changed = self.cache.configure(&current);
        let driver = self.driver.clone();
        self.tasks.spawn(async move {
            for (hash, served) in changed {
                driver.input(Input::Holding(hash, served)).await;
            }
        });
        self.network.set_upload_limit((current.upload_limit > 0).then_some(current.upload_limit));
        self.network.set_metered(current.metered);
        settings.values(Some(key))
    }

    async fn import_identity(
        &self,
        file: &Path,
        passphrase: Option<String>,
    ) -> Result<IdentityRef, ApiError> {
        let (path, encrypted) = (file.to_owned(), passphrase.is_some());
        let imported = blocking(move || identity::read_export(&path, passphrase)).await?;
        self.adopt(&imported, encrypted).await
    }

    /// Starts anew with another identity, unless this folder's own has published.
    async fn adopt(&self, identity: &domain::Identity, encrypted: bool) -> Result<IdentityRef, ApiError> {
        let peer_id = identity.id();
        if peer_id != self.identity.id() {
            if !self.store.records_of(&self.identity.id(), kind::RELEASE, 1).await?.is_empty() {
                let message = "this folder's own identity has published; import into a new data folder";
                return Err(ApiError::new("identity_in_use", message));
            }
            identity::replace(&self.data, identity)?;
            self.end(Ended::Restart);
        }
        Ok(IdentityRef { peer_id, encrypted })
    }
}

/// The store's setting with the releases that are seeded, latest first.
pub(crate) const SEEDED: &str = "seeded";

/// `NN Title.ending`, without what file systems refuse.
fn file_name(number: u16, track: &domain::kinds::Track) -> String {
    let safe = |c: char| if c.is_control() || "/\\:*?\"<>|".contains(c) { '_' } else { c };
    let title: String = track.title.chars().map(safe).take(100).collect();
    // Some file systems end names at 255 bytes.
    let title: String = title.char_indices().take_while(|(at, _)| *at < 200).map(|(_, c)| c).collect();
    format!("{number:02} {}.{}", title.trim().trim_matches('.'), track.codec.extension())
}

/// Says whether a peer is in the same building, as far as its address tells.
fn is_nearby(info: &net::PeerInfo) -> bool {
    let near = match info.addr.ip().to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    };
    near && info.path == net::Path::Direct
}

async fn devices() -> Result<Devices, ApiError> {
    let devices = blocking(|| Ok(audio::devices())).await?;
    Ok(Devices { devices: devices.into_iter().map(|device| device.name).collect() })
}

/// A day since 1970 as `YYYY-MM-DD`.
fn date(days: u32) -> String {
    (time::OffsetDateTime::UNIX_EPOCH + time::Duration::days(days.into())).date().to_string()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ApiError::new("internal", format!("the work failed inside: {error}")))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        let dates = [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_779, "2026-11-22")];
        for (day, text) in dates {
            assert_eq!(date(day), text);
        }
    }
}
