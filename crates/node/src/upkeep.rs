//! What a node does from time to time, and once when it starts.

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use domain::{BlobHash, ReleaseId, kinds::BlobRef};
use net::Blobs;
use peer::Input;
use store::{BlobRow, Reason, Store, Traffic};

use crate::{
    api::ApiError,
    cache, calls, lists,
    node::{Inner, unix_ms},
    unsigned,
};

/// How often.
const INTERVAL: Duration = Duration::from_secs(30);
/// How often what was served and fetched is written down: what a kill can lose.
const COUNTED: Duration = Duration::from_secs(2);
/// Rounds between two looks for what is to be kept and is not here.
const RESUMED: u64 = 20;
const MS_PER_DAY: u64 = 24 * 3600 * 1000;

/// Writes down what is served and fetched until the node ends.
pub(crate) async fn count_traffic(node: Arc<Inner>) {
    let mut ticks = tokio::time::interval(COUNTED);
    loop {
        let goes_on = node.ending.run_until_cancelled(ticks.tick()).await.is_some();
        if let Err(error) = count(&node).await {
            tracing::warn!(code = error.code, message = error.message, "traffic could not be counted");
        }
        if !goes_on {
            break;
        }
    }
}

/// Takes care of the node until it ends.
pub(crate) async fn run(node: Arc<Inner>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    for round in 0_u64.. {
        if node.ending.run_until_cancelled(ticks.tick()).await.is_none() {
            break;
        }
        if round.is_multiple_of(RESUMED)
            && let Err(error) = resume(&node).await
        {
            tracing::warn!(code = error.code, message = error.message, "downloads could not be resumed");
        }
        if let Err(error) = once(&node).await {
            tracing::warn!(code = error.code, message = error.message, "upkeep failed");
        }
    }
}

/// Finishes what a crash cut: files that were to be deleted go, and those of a release that was never signed. Nothing
/// else goes: a file that the database does not know may be somebody's only copy, and the database may be a new or an
/// older one.
pub(crate) async fn sweep(data: &Path, store: &Store, blobs: &Blobs) -> Result<(), ApiError> {
    for hash in store.doomed().await? {
        match store.blob_servable(&hash).await? {
            true => store.spare_blob(&hash).await?,
            false => delete(store, blobs, hash).await?,
        }
    }
    for (list, hashes) in unsigned::left(data)? {
        for hash in store.unsigned_blobs(&hashes).await? {
            delete(store, blobs, hash).await?;
        }
        std::fs::remove_file(list)?;
    }
    adopt(store, blobs).await?;
    store.claim_own().await?;
    Ok(())
}

async fn delete(store: &Store, blobs: &Blobs, hash: BlobHash) -> Result<(), ApiError> {
    blobs.remove(hash).await?;
    store.remove_blob(&hash).await?;
    Ok(())
}

/// Enters the files that the database does not know, to stay until the user says otherwise.
async fn adopt(store: &Store, blobs: &Blobs) -> Result<(), ApiError> {
    let (mut known, mut after) = (HashSet::new(), None);
    loop {
        let page = store.blobs(Reason::Played, store::MAX_LIMIT, after.as_ref()).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.hash);
        known.extend(page.iter().map(|row| row.hash));
    }
    let unknown = blobs.list().await?.into_iter().filter(|file| !known.contains(&file.hash));
    let unknown: Vec<BlobRow> = unknown
        .map(|file| BlobRow {
            hash: file.hash,
            size: file.size,
            have: file.stored.min(file.size),
            complete: file.complete,
            pinned: true,
            reason: Reason::Played,
            last_used: unix_ms(),
        })
        .collect();
    if !unknown.is_empty() {
        tracing::warn!(files = unknown.len(), "the database does not know some files; they stay");
        store.adopt_blobs(&unknown).await?;
    }
    Ok(())
}

/// Goes on with what was to be kept and is not all here, and with lists of tracks.
async fn resume(node: &Arc<Inner>) -> Result<(), ApiError> {
    let mut after: Option<BlobHash> = None;
    loop {
        let page = node.store.blobs(Reason::Seeded, store::MAX_LIMIT, after.as_ref()).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.hash);
        for row in page.iter().filter(|row| !row.complete && row.reason != Reason::Published) {
            node.keep_fetching(BlobRef { hash: row.hash, size: row.size }, row.reason).await?;
        }
    }
    for release in node.store.setting::<Vec<ReleaseId>>(calls::SEEDED).await?.unwrap_or_default() {
        seed_again(node, &release).await?;
    }
    for (_, list) in node.store.awaiting_tracks(lists::MAX_LISTS as u32).await? {
        node.fetch_track_list(list, false);
    }
    Ok(())
}

/// Keeps the tracks of a seeded release that are not kept yet, such as those of a list that came later.
async fn seed_again(node: &Arc<Inner>, release: &ReleaseId) -> Result<(), ApiError> {
    let Some(details) = node.store.release(release).await? else { return Ok(()) };
    node.want_tracks(&details);
    for row in &details.tracks {
        let blob = row.track.blob;
        let kept = node.store.blob(&blob.hash).await?;
        if kept.is_none_or(|kept| !kept.complete || kept.reason < Reason::Seeded) {
            node.keep_fetching(blob, Reason::Seeded).await?;
        }
    }
    Ok(())
}

/// Sees to the swarm after a sleep or in another network: peers were lost, this node is elsewhere, and the catalogue is
/// behind.
pub(crate) async fn wake(node: &Inner) -> Result<(), ApiError> {
    node.driver.input(Input::Addresses(node.network.candidates())).await;
    node.join_known().await?;
    node.driver.input(Input::Reconcile).await;
    Ok(())
}

async fn once(node: &Arc<Inner>) -> Result<(), ApiError> {
    node.idle.close_unused(&node.network);
    cache::evict(node).await
}

/// Writes down what was served and fetched.
pub(crate) async fn count(node: &Inner) -> Result<(), ApiError> {
    let traffic = node.cache.take_traffic();
    if traffic.is_empty() {
        return Ok(());
    }
    let rows: Vec<Traffic> = traffic
        .into_iter()
        .map(|(hash, (served, fetched))| Traffic { blob: Some(hash), served, fetched })
        .collect();
    let day = u32::try_from(unix_ms() / MS_PER_DAY).unwrap_or(u32::MAX);
    Ok(node.store.count_traffic(day, &rows).await?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::sync::mpsc::Receiver;

    use super::*;
    use crate::{
        Api, Config, Node, NodeHandle,
        api::{Event, Request, Response},
    };

    async fn start(folder: &Path) -> Arc<NodeHandle> {
        std::fs::write(folder.join("config.toml"), "port_mapping = false\n").unwrap();
        let (data, listen) = (folder.to_owned(), Some(([127, 0, 0, 1], 0).into()));
        Node::start(Config { data, listen, no_dht: true, no_mdns: true, ..Config::default() }).await.unwrap()
    }

    async fn until(events: &mut Receiver<Event>, wanted: fn(&Event) -> bool) {
        let waiting = async { while !wanted(&events.recv().await.unwrap()) {} };
        tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn after_a_sleep_the_peers_of_before_are_dialled_and_the_catalogue_is_caught_up_with() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (here, there) = (start(folders[0].path()).await, start(folders[1].path()).await);
        let Response::Invite(invite) = there.call(Request::Invite).await.unwrap() else { panic!() };
        here.call(Request::Join { invite: invite.invite }).await.unwrap();
        let mut events = here.inner.hub.listen();
        here.inner.network.disconnect(there.id());
        until(&mut events, |event| matches!(event, Event::PeerDown { .. })).await;
        wake(&here.inner).await.unwrap();
        until(&mut events, |event| matches!(event, Event::PeerUp { .. })).await;
        here.shutdown().await;
        there.shutdown().await;
    }
}
