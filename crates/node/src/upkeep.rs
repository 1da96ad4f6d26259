//! What a node does from time to time, and once when it starts.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{BlobHash, kinds::BlobRef};
use net::Blobs;
use peer::Input;
use store::{Reason, Store, Traffic};

use crate::{
    api::ApiError,
    cache,
    node::{Inner, unix_ms},
};

/// How often.
const INTERVAL: Duration = Duration::from_secs(30);
/// How far the wall clock runs ahead of the process's own before the machine counts as having slept.
const ASLEEP: Duration = Duration::from_secs(20);
const MS_PER_DAY: u64 = 24 * 3600 * 1000;

/// Takes care of the node until it ends.
pub(crate) async fn run(node: Arc<Inner>) {
    if let Err(error) = resume(&node).await {
        tracing::warn!(code = error.code, message = error.message, "downloads could not be resumed");
    }
    let mut ticks = tokio::time::interval(INTERVAL);
    let mut last = (Instant::now(), unix_ms());
    while node.ending.run_until_cancelled(ticks.tick()).await.is_some() {
        let now = (Instant::now(), unix_ms());
        let slept = slept(now.0 - last.0, now.1.saturating_sub(last.1));
        last = now;
        if slept && let Err(error) = wake(&node).await {
            tracing::warn!(code = error.code, "the network could not be opened anew");
        }
        if let Err(error) = once(&node).await {
            tracing::warn!(code = error.code, message = error.message, "upkeep failed");
        }
    }
    if let Err(error) = count(&node).await {
        tracing::warn!(code = error.code, message = error.message, "traffic could not be counted");
    }
}

/// Removes what a crash left: files that nothing accounts for, and published files whose release was never signed.
pub(crate) async fn sweep(store: &Store, blobs: &Blobs) -> Result<(), ApiError> {
    let mut known = HashSet::new();
    let mut after: Option<BlobHash> = None;
    loop {
        let page = store.blobs(Reason::Played, store::MAX_LIMIT, after.as_ref()).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.hash);
        for row in page {
            let unsigned = row.reason == Reason::Published && store.blob_uses(&row.hash).await?.is_empty();
            if unsigned {
                store.remove_blob(&row.hash).await?;
            } else {
                known.insert(row.hash);
            }
        }
    }
    for file in blobs.list().await? {
        if !known.contains(&file.hash) {
            tracing::info!(blob = file.hash.short(), "a file that nothing names is removed");
            blobs.remove(file.hash).await?;
        }
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
    for (_, list) in node.store.awaiting_tracks(store::MAX_LIMIT).await? {
        node.fetch_track_list(list);
    }
    Ok(())
}

/// Connects anew after a sleep: the connections are dead and the catalogue is behind.
async fn wake(node: &Inner) -> Result<(), ApiError> {
    tracing::info!("the machine slept");
    node.network.network_changed().await?;
    node.join_known().await?;
    node.driver.input(Input::Reconcile).await;
    Ok(())
}

/// Says whether the wall clock went on while this process did not.
fn slept(monotonic: Duration, wall_ms: u64) -> bool {
    Duration::from_millis(wall_ms) > monotonic + ASLEEP
}

async fn once(node: &Arc<Inner>) -> Result<(), ApiError> {
    node.idle.close_unused(&node.network);
    count(node).await?;
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
    use super::*;

    #[test]
    fn only_a_clock_that_ran_far_ahead_is_a_sleep() {
        assert!(!slept(INTERVAL, 30_000));
        assert!(!slept(INTERVAL, 0));
        assert!(slept(INTERVAL, 3_600_000));
    }
}
