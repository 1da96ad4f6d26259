//! Blocking: one's own list, and the lists of others that one subscribes to.
//!
//! What is wished is written down with whose wish it is; the peer blocks the union of all wishes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    BlobHash, PeerId, Record, ReleaseId, SlotId,
    kinds::{BlockEntry, BlockList},
};
use peer::Input;
use tokio::sync::Mutex;

use crate::{
    api::{ApiError, Blocked, BlockedId, Event, FollowedList},
    node::Inner,
};

/// The store's setting with what each subscribed list named when it was last seen.
const SUBSCRIBED: &str = "subscribed_block_lists";
/// The store's setting with what the user blocks, whatever lists say.
const OWN: &str = "own_blocks";

/// Lets one after another change what is blocked.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    /// Held while wishes are read and written, never while the driver is waited for: whoever takes the driver's
    /// outcomes needs it, too.
    wishes: Mutex<()>,
    /// Held while the driver is told.
    telling: Mutex<()>,
}

/// What is to be blocked, and by whose word.
#[derive(Clone, Debug, Default, PartialEq)]
struct Wishes {
    own: BTreeSet<String>,
    /// By the slot of each subscribed list.
    lists: BTreeMap<String, Vec<String>>,
}

impl Wishes {
    fn all(&self) -> BTreeSet<BlockEntry> {
        self.own.iter().chain(self.lists.values().flatten()).filter_map(|entry| read(entry)).collect()
    }
}

/// Lists what is blocked.
pub(crate) async fn list(node: &Inner) -> Result<Blocked, ApiError> {
    let mut entries = node.store.blocked().await?;
    entries.sort();
    let lists = followed(node, load(node).await?.lists).await?;
    Ok(Blocked { blocked: entries.iter().map(name).collect(), lists, shared: None })
}

/// Describes the lists that are subscribed to, as far as they are known.
async fn followed(node: &Inner, lists: BTreeMap<String, Vec<String>>) -> Result<Vec<FollowedList>, ApiError> {
    let mut followed = Vec::with_capacity(lists.len());
    for (list, entries) in lists {
        let record = match list.parse::<SlotId>() {
            Ok(slot) => node.store.record(&slot).await?,
            Err(_) => None,
        };
        let author_id = record.as_ref().map(|record| record.author);
        let body = record.and_then(|record| record.read::<BlockList>().ok().flatten());
        let names = node.store.names(author_id.as_slice()).await?;
        followed.push(FollowedList {
            list,
            name: body.map(|body| body.name),
            author_id,
            author: names.into_iter().next().map(|(_, name)| name),
            count: entries.len() as u64,
        });
    }
    Ok(followed)
}

/// Blocks what an id names: a release, a file or an artist, whichever is known here; else all three.
pub(crate) async fn add(node: &Arc<Inner>, id: &str) -> Result<Blocked, ApiError> {
    let named = meanings(node, id).await?;
    for entry in &named {
        if node.store.names_own(entry).await? {
            let message = "this is your own: `musicdao withdraw` takes a release back";
            return Err(ApiError::new("block_own", message));
        }
    }
    change(node, |wishes| wishes.own.extend(named.iter().map(spell))).await?;
    enforce(node).await?;
    list(node).await
}

/// Takes back that the user blocks whatever an id names.
pub(crate) async fn remove(node: &Arc<Inner>, id: &str) -> Result<Blocked, ApiError> {
    let names = |entry: &String| entry.split_once(':').is_some_and(|(_, other)| other == id);
    let changed = change(node, |wishes| {
        let before = wishes.own.len();
        wishes.own.retain(|entry| !names(entry));
        let mut lists = wishes.lists.iter();
        let listed = lists.find(|(_, entries)| entries.iter().any(names)).map(|(list, _)| list.clone());
        (wishes.own.len() < before, listed)
    });
    let (removed, listed) = changed.await?;
    enforce(node).await?;
    match listed {
        None if !removed => {
            Err(ApiError::new("not_blocked", format!("nothing of the id {id:.64} is blocked here")))
        }
        Some(list) => {
            let message =
                format!("the list {list} names it: `musicdao block unsubscribe {list}` ends that list");
            Err(ApiError::new("blocked_by_list", message))
        }
        None => self::list(node).await,
    }
}

/// Offers to others what the user blocks; not what lists name, or two lists that follow each other would never let go.
pub(crate) async fn share(node: &Inner, title: String) -> Result<Blocked, ApiError> {
    let entries = load(node).await?.own.iter().filter_map(|entry| read(entry)).collect();
    let record = node.driver.publish(BlockList { name: title, entries }).await?;
    Ok(Blocked { shared: Some(record.slot.to_string()), ..list(node).await? })
}

/// Blocks what another's list names, now and whenever it changes.
pub(crate) async fn subscribe(node: &Arc<Inner>, slot: SlotId) -> Result<Blocked, ApiError> {
    let unknown = || ApiError::new("list_unknown", format!("no block list {} is known here", slot.short()));
    let record = node.store.record(&slot).await?.ok_or_else(unknown)?;
    let entries = named_by(&record)?;
    change(node, |wishes| wishes.lists.insert(slot.to_string(), entries)).await?;
    enforce(node).await?;
    list(node).await
}

/// Ends a subscription: what only that list named is not blocked any more.
pub(crate) async fn unsubscribe(node: &Arc<Inner>, slot: SlotId) -> Result<Blocked, ApiError> {
    if change(node, |wishes| wishes.lists.remove(&slot.to_string())).await?.is_none() {
        return Err(ApiError::new("list_unknown", format!("the list {} is not subscribed to", slot.short())));
    }
    enforce(node).await?;
    list(node).await
}

/// Takes over what a subscribed list names by now; a withdrawn one names nothing.
pub(crate) async fn follow_list(node: &Arc<Inner>, record: &Record) -> Result<(), ApiError> {
    let (slot, entries) = (record.slot.to_string(), named_by(record)?);
    let subscribed = change(node, |wishes| wishes.lists.get_mut(&slot).map(|named| *named = entries)).await?;
    if subscribed.is_some() {
        let node = node.clone();
        // Not awaited: the driver may be waiting for whoever calls this to take its next outcome.
        node.tasks.clone().spawn(async move {
            if let Err(error) = enforce(&node).await {
                tracing::warn!(code = error.code, message = error.message, "a block list is not carried out");
            }
        });
    }
    Ok(())
}

/// Has the peer block what is wished and nothing else.
pub(crate) async fn enforce(node: &Arc<Inner>) -> Result<(), ApiError> {
    let _alone = node.blocks.telling.lock().await;
    let mut wished = BTreeSet::new();
    for entry in load(node).await?.all() {
        // What is this identity's own is withdrawn, not blocked, and no list has a say in it.
        if !node.store.names_own(&entry).await? {
            wished.insert(entry);
        }
    }
    let blocked: BTreeSet<BlockEntry> = node.store.blocked().await?.into_iter().collect();
    // Whose releases they are is not known any more once they are blocked.
    let silent = queued(node, &wished).await?;
    for entry in blocked.difference(&wished) {
        node.driver.input(Input::Unblock(*entry)).await;
    }
    for entry in wished.difference(&blocked) {
        node.driver.input(Input::Block(*entry)).await;
        match entry {
            BlockEntry::Release(release_id) => node.hub.tell(&Event::ReleaseGone { release_id: *release_id }),
            BlockEntry::Blob(hash) => node.cache.forget(hash),
            BlockEntry::Author(_) => {}
        }
    }
    node.driver.settled().await;
    if !silent.is_empty() {
        node.unqueue(silent).await;
    }
    Ok(())
}

/// Finds the releases in the player's queue that are to be blocked, by themselves or by their artist.
async fn queued(node: &Arc<Inner>, wished: &BTreeSet<BlockEntry>) -> Result<BTreeSet<ReleaseId>, ApiError> {
    let mut named = BTreeSet::new();
    for release in node.queued().await {
        let author =
            node.store.release(&release).await?.map(|details| BlockEntry::Author(details.row.artist_id));
        if [Some(BlockEntry::Release(release)), author].iter().flatten().any(|entry| wished.contains(entry)) {
            named.insert(release);
        }
    }
    Ok(named)
}

/// Changes the wishes and writes them down where that changed them.
async fn change<T>(node: &Inner, change: impl FnOnce(&mut Wishes) -> T) -> Result<T, ApiError> {
    let _alone = node.blocks.wishes.lock().await;
    let before = load(node).await?;
    let mut wishes = before.clone();
    let done = change(&mut wishes);
    if wishes != before {
        node.store.set_setting(OWN, &wishes.own).await?;
        node.store.set_setting(SUBSCRIBED, &wishes.lists).await?;
    }
    Ok(done)
}

/// Reads the wishes. Before any was written down, what no list names is the user's own.
async fn load(node: &Inner) -> Result<Wishes, ApiError> {
    let lists: BTreeMap<String, Vec<String>> = node.store.setting(SUBSCRIBED).await?.unwrap_or_default();
    let own = match node.store.setting(OWN).await? {
        Some(own) => own,
        None => {
            let listed: BTreeSet<&String> = lists.values().flatten().collect();
            let blocked = node.store.blocked().await?;
            blocked.iter().map(spell).filter(|entry| !listed.contains(entry)).collect()
        }
    };
    Ok(Wishes { own, lists })
}

fn named_by(list: &Record) -> Result<Vec<String>, ApiError> {
    let entries = list.read::<BlockList>()?.map(|list| list.entries).unwrap_or_default();
    Ok(entries.iter().map(spell).collect())
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
