//! Answers the Api: here every request finds who answers it, the answers are in `calls/`.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::{
    api::{ApiError, Event, Request, Response},
    asset::{self, Asset, AssetName, AssetSize},
    careful, catalogue, dao, doctor, downloads, library, lyrics, money,
    node::{Inner, NodeHandle},
    publish,
    shell::Api,
};

mod browsing;
mod identity;
mod keeping;
mod listening;
mod presence;
mod running;
mod studio;

pub(crate) use keeping::SEEDED;

#[async_trait]
impl Api for NodeHandle {
    async fn call(&self, request: Request) -> Result<Response, ApiError> {
        // On a task of its own: a caller that goes away does not cut work in two.
        let inner = self.inner.clone();
        let (changes, signs) = (request.changes_library(), makes_an_artist(&request));
        let work = tokio::spawn(async move {
            let answer = inner.clone().answer(request).await;
            if signs && answer.is_ok() {
                money::announce(&inner).await;
            }
            if changes {
                // After a failure, too: some have done a part before it.
                inner.hub.tell(&Event::LibraryChanged);
            }
            answer
        });
        work.await
            .map_err(|error| ApiError::new("internal", format!("the request failed inside: {error}")))?
    }

    async fn events(&self) -> Result<mpsc::Receiver<Event>, ApiError> {
        Ok(self.inner.hub.listen())
    }

    async fn asset(&self, name: AssetName, size: AssetSize) -> Result<Asset, ApiError> {
        let inner = self.inner.clone();
        let work = tokio::spawn(async move { asset::load(&inner, name, size).await });
        work.await
            .map_err(|error| ApiError::new("internal", format!("the request failed inside: {error}")))?
    }
}

impl Inner {
    async fn answer(self: Arc<Self>, request: Request) -> Result<Response, ApiError> {
        let node = &self;
        Ok(match request {
            Request::Status => node.status().await?.into(),
            Request::Invite => node.shown_invite().into(),
            Request::Share { release, artist } => node.share(release, artist)?.into(),
            Request::Open { link, wait_ms } => node.open(&link, wait_ms).await?.into(),
            Request::Peers => node.peers().await?.into(),
            Request::Join { invite } => node.join_by(&invite).await?.into(),
            Request::ProfileSet(edit) => publish::profile(node, edit).await?.into(),
            Request::ProfileShow { peer } => node.profile(peer).await?.into(),
            Request::Inspect { paths, job } => node.inspect(paths, job).await?.into(),
            Request::Discard { paths } => node.discard(paths).await?.into(),
            Request::Publish(publish) => node.publish(publish).await?.into(),
            Request::Releases(query) => node.releases(query).await?.into(),
            Request::Search(query) => node.search(query).await?.into(),
            Request::TagsTop { limit } => catalogue::top_tags(&node.store, limit).await?.into(),
            Request::Show { release } => node.show(&release).await?.into(),
            Request::Play(play) => node.play_once(play).await?.into(),
            Request::Lyrics { item } => lyrics::read(node, item).await?.into(),
            Request::Player(command) => node.command(command).await?.into(),
            Request::Queue { offset, limit } => node.queue(offset, limit).await?.into(),
            Request::Devices => listening::devices().await?.into(),
            Request::Download { release, to, job } => node.download(release, to, job).await?.into(),
            Request::Downloads => downloads::list(node).await?.into(),
            Request::Tag { release, track, tag, remove } => {
                node.tag(release, track, &tag, remove).await?.into()
            }
            Request::Like { release, track, remove } => node.like(release, track, remove).await?.into(),
            Request::Withdraw { release } => node.withdraw(release).await?.into(),
            Request::Block(command) => node.block(command).await?.into(),
            Request::Hide(command) => careful::hide(node, command).await?.into(),
            Request::Report { release, artist, reason, note, remove } => {
                node.report((release, artist), reason, note, remove).await?.into()
            }
            Request::Follow { artist, public, remove } => node.follow(artist, public, remove).await?.into(),
            Request::Follows => library::follows(&node.store).await?.into(),
            Request::Library(command) => node.library(command).await?.into(),
            Request::Playlist(command) => node.playlist(command).await?.into(),
            Request::Seed { release, remove, job } => node.seed(release, remove, job).await?.into(),
            Request::Stats => node.stats().await?.into(),
            Request::Doctor => doctor::examine(node).await?.into(),
            Request::Wallet(command) => money::wallet(node, command).await?,
            Request::Money(command) => money::money(node, command).await?,
            Request::Dao(command) => dao::answer(node, command).await?,
            Request::ConfigGet { key } => node.config(key.as_deref())?.into(),
            Request::ConfigSet { key, value } => node.configure(&key, &value).await?.into(),
            Request::IdentityExport { file, passphrase } => node.export(file, passphrase).await?.into(),
            Request::IdentityImport { file, passphrase } => node.import(&file, passphrase).await?.into(),
            Request::IdentityBackup { passphrase } => node.back_up(passphrase).await?.into(),
            Request::IdentityWords => node.words().into(),
            Request::IdentityRestore { text, passphrase } => node.restore(text, passphrase).await?.into(),
            Request::IdentityTakeOver => node.take_over().await?.into(),
            Request::Jobs => node.jobs.list().into(),
            Request::Cancel { job } => node.cancel(&job)?.into(),
            Request::Shutdown => node.asked_to_end().into(),
        })
    }
}

/// Says whether whoever asked this may be paid for music from then on.
fn makes_an_artist(request: &Request) -> bool {
    matches!(request, Request::ProfileSet(_) | Request::Publish(_) | Request::IdentityTakeOver)
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ApiError::new("internal", format!("the work failed inside: {error}")))?
}
