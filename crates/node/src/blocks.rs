//! Blocking: one's own list, and the lists of others that one subscribes to.

use std::collections::BTreeMap;

use domain::{
    BlobHash, PeerId, Record, SlotId,
    kinds::{BlockEntry, BlockList},
};
use peer::Input;

use crate::{
    api::{ApiError, Blocked, BlockedId, Event},
    node::Inner,
};

/// The store's setting with what each subscribed list named when it was last seen.
const SUBSCRIBED: &str = "subscribed_block_lists";

type Lists = BTreeMap<String, Vec<String>>;

/// Lists what is blocked.
pub(crate) async fn list(node: &Inner) -> Result<Blocked, ApiError> {
    let mut entries = node.store.blocked().await?;
    entries.sort();
    Ok(Blocked { blocked: entries.iter().map(name).collect() })
}

/// Blocks what an id names: a release, a file or an artist, whichever is known here; else all three.
pub(crate) async fn add(node: &Inner, id: &str) -> Result<Blocked, ApiError> {
    for entry in meanings(node, id).await? {
        node.driver.input(Input::Block(entry)).await;
        if let BlockEntry::Release(release_id) = entry {
            node.hub.tell(&Event::ReleaseGone { release_id });
        }
        if let BlockEntry::Blob(hash) = entry {
            node.cache.forget(&hash);
        }
    }
    node.driver.settled().await;
    list(node).await
}

/// Unblocks whatever an id names.
pub(crate) async fn remove(node: &Inner, id: &str) -> Result<Blocked, ApiError> {
    for entry in node.store.blocked().await? {
        if name(&entry).id == id {
            node.driver.input(Input::Unblock(entry)).await;
        }
    }
    node.driver.settled().await;
    list(node).await
}

/// Offers the own list to others.
pub(crate) async fn share(node: &Inner, title: String) -> Result<Blocked, ApiError> {
    let entries = node.store.blocked().await?;
    node.driver.publish(BlockList { name: title, entries }).await?;
    list(node).await
}

/// Blocks what another's list names, now and whenever it changes.
pub(crate) async fn subscribe(node: &Inner, slot: SlotId) -> Result<Blocked, ApiError> {
    let unknown = || ApiError::new("list_unknown", format!("no block list {} is known here", slot.short()));
    let record = node.store.record(&slot).await?.ok_or_else(unknown)?;
    let mut lists: Lists = node.store.setting(SUBSCRIBED).await?.unwrap_or_default();
    lists.entry(slot.to_string()).or_default();
    node.store.set_setting(SUBSCRIBED, &lists).await?;
    follow_list(node, &record).await?;
    node.driver.settled().await;
    list(node).await
}

/// Blocks what a subscribed list names by now, and unblocks what it named before and no more.
pub(crate) async fn follow_list(node: &Inner, record: &Record) -> Result<(), ApiError> {
    let mut lists: Lists = node.store.setting(SUBSCRIBED).await?.unwrap_or_default();
    let Some(before) = lists.get(&record.slot.to_string()).cloned() else { return Ok(()) };
    let entries = record.read::<BlockList>()?.map(|list| list.entries).unwrap_or_default();
    let after: Vec<String> = entries.iter().map(spell).collect();
    let mut inputs: Vec<Input> = entries.iter().map(|entry| Input::Block(*entry)).collect();
    let dropped = before.iter().filter(|entry| !after.contains(entry));
    inputs.extend(dropped.filter_map(|entry| read(entry)).map(Input::Unblock));
    lists.insert(record.slot.to_string(), after);
    node.store.set_setting(SUBSCRIBED, &lists).await?;
    let driver = node.driver.clone();
    // Not awaited: the driver may be waiting for whoever calls this to take its next outcome.
    node.tasks.spawn(async move {
        for input in inputs {
            driver.input(input).await;
        }
    });
    Ok(())
}

async fn meanings(node: &Inner, id: &str) -> Result<Vec<BlockEntry>, ApiError> {
    let bytes: SlotId =
        id.parse().map_err(|error: domain::ParseIdError| ApiError::new("bad_id", error.to_string()))?;
    let (author, blob) = (PeerId::from_bytes(*bytes.as_bytes()), BlobHash::from_bytes(*bytes.as_bytes()));
    let all = [BlockEntry::Release(bytes), BlockEntry::Blob(blob), BlockEntry::Author(author)];
    let known = [
        node.store.release(&bytes).await?.is_some(),
        !node.store.blob_uses(&blob).await?.is_empty(),
        node.store.artist(&author).await?.is_some(),
    ];
    let named: Vec<BlockEntry> =
        all.iter().zip(known).filter(|(_, known)| *known).map(|(entry, _)| *entry).collect();
    Ok(if named.is_empty() { all.to_vec() } else { named })
}

fn name(entry: &BlockEntry) -> BlockedId {
    let (kind, id) = match entry {
        BlockEntry::Author(id) => ("artist", id.to_string()),
        BlockEntry::Release(id) => ("release", id.to_string()),
        BlockEntry::Blob(id) => ("blob", id.to_string()),
    };
    BlockedId { kind: kind.to_owned(), id }
}

fn spell(entry: &BlockEntry) -> String {
    let BlockedId { kind, id } = name(entry);
    format!("{kind}:{id}")
}

fn read(text: &str) -> Option<BlockEntry> {
    let (kind, id) = text.split_once(':')?;
    match kind {
        "artist" => id.parse().ok().map(BlockEntry::Author),
        "release" => id.parse().ok().map(BlockEntry::Release),
        "blob" => id.parse().ok().map(BlockEntry::Blob),
        _ => None,
    }
}
