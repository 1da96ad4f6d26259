//! Change sets, each in one transaction.

use std::collections::BTreeMap;

use domain::{BlobHash, PeerId, Record, ReleaseId, SlotId, kinds::BlobRef, kinds::BlockEntry};
use peer::{ChangeSet, Equivocation};
use sqlx::{SqliteConnection, query, query_scalar};

use crate::{
    Store, StoreError, derive,
    row::{self, Id},
};

/// Most ids of evicted records that are remembered; the oldest go first.
pub const MAX_EVICTED: u32 = 1_000_000;

/// Bytes of lists of tracks above which those of strangers are fetched only for who opens the release: anybody can
/// publish releases without end.
pub const MAX_LIST_BYTES: i64 = 64 << 20;

/// Most proofs of equivocation that are kept, of 8 KiB at most each; the oldest go first.
pub const MAX_PROOFS: u32 = 10_000;

/// What followed from a change set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Blobs that nothing shown refers to any more, in the order of their hashes.
    pub orphans: Vec<Orphan>,
    /// Lists of tracks to fetch and to hand to [`Store::set_track_list`].
    pub fetch: Vec<(ReleaseId, BlobRef)>,
}

/// A blob that lost its last reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The blob.
    pub hash: BlobHash,
    /// How it came to that.
    pub cause: Cause,
}

/// How a blob lost its last reference. A later one counts more where several apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The record was dropped for want of room.
    Forgotten,
    /// Its artist published a version without it.
    Replaced,
    /// Its artist withdrew it.
    Withdrawn,
    /// The user blocked it, its release or its artist.
    Blocked,
}

/// Blobs whose references may be gone.
pub(crate) type Loose = BTreeMap<BlobHash, Cause>;

impl Store {
    /// Writes a change set and all that is derived from it. It is on the disk when this returns; writing it again
    /// changes nothing. Within one set records are put first, then blocked, and slots forgotten then, so that blocking
    /// sees what is forgotten because of it; what is both blocked and unblocked is not blocked. The owner's own records
    /// are never forgotten.
    ///
    /// # Errors
    /// Those of the database; then nothing of the change set was written.
    pub async fn apply(&self, change: &ChangeSet) -> Result<Applied, StoreError> {
        let mut tx = self.write.begin_with("begin immediate").await?;
        let mut loose = Loose::new();
        for record in &change.put {
            put(&mut tx, record, &mut loose).await?;
        }
        for entry in &change.block {
            block(&mut tx, entry, &mut loose).await?;
        }
        for slot in &change.forget {
            forget(&mut tx, slot, &mut loose).await?;
        }
        evict(&mut tx, change).await?;
        for proof in &change.proofs {
            prove(&mut tx, proof).await?;
        }
        for entry in &change.unblock {
            unblock(&mut tx, entry).await?;
        }
        if let Some(seq) = change.own_seq {
            raise_own_seq(&mut tx, seq).await?;
        }
        let applied =
            Applied { orphans: orphans(&mut tx, loose).await?, fetch: to_fetch(&mut tx, &change.put).await? };
        tx.commit().await?;
        Ok(applied)
    }

    /// Takes the content of a blob that lists tracks, for every release that names it. Returns those releases; none
    /// where no release names it or the content does not suit.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn set_track_list(&self, bytes: &[u8]) -> Result<Vec<ReleaseId>, StoreError> {
        let hash = BlobHash::of(bytes);
        let key = hash.sql();
        let mut tx = self.write.begin_with("begin immediate").await?;
        let releases = query!("select id, slot, track_count from releases where track_list = ?", key)
            .fetch_all(&mut *tx)
            .await?;
        let fits = |count: i64| domain::kinds::TrackList::from_bytes(bytes, row::u16_of(count)).is_ok();
        let releases: Vec<_> = releases.into_iter().filter(|release| fits(release.track_count)).collect();
        if releases.is_empty() {
            return Ok(Vec::new());
        }
        query!("insert or ignore into track_lists (blob, bytes) values (?, ?)", key, bytes)
            .execute(&mut *tx)
            .await?;
        for release in &releases {
            derive::again(&mut tx, release.id).await?;
        }
        tx.commit().await?;
        releases.iter().map(|release| row::id(&release.slot)).collect()
    }

    /// Takes the content of a list of tracks before the release that names it is signed, so that the transaction that
    /// enters the release enters its tracks.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keep_track_list(&self, bytes: &[u8]) -> Result<(), StoreError> {
        let hash = BlobHash::of(bytes);
        let key = hash.sql();
        query!("insert or ignore into track_lists (blob, bytes) values (?, ?)", key, bytes)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Says whether a list of tracks is worth fetching before anybody asks for it: always for the owner's releases and
    /// those of followed artists, else while all lists together are below [`MAX_LIST_BYTES`].
    ///
    /// # Errors
    /// Those of the database.
    pub async fn takes_track_list(&self, list: &BlobHash) -> Result<bool, StoreError> {
        let (list, most) = (list.sql(), MAX_LIST_BYTES);
        let takes = query_scalar!(
            r#"select exists (
                   select 1 from releases join node where track_list = ?
                   and (author = owner or author in (select artist from follows))
               ) or (select coalesce(sum(length(bytes)), 0) from track_lists) < ? as "takes!: bool""#,
            list,
            most
        );
        Ok(takes.fetch_one(&self.read).await?)
    }

    /// Makes the identity that this node runs as the database's owner: what is shown depends on it.
    pub(crate) async fn take_owner(&self) -> Result<(), StoreError> {
        let owner = self.owner.sql();
        let known = query_scalar!("select owner from node").fetch_optional(&self.read).await?;
        if known.as_deref() == Some(owner) {
            return Ok(());
        }
        let mut tx = self.write.begin_with("begin immediate").await?;
        query!(
            "insert into node (only_row, owner, own_seq) values (1, ?, 0)
             on conflict (only_row) do update set owner = excluded.owner",
            owner
        )
        .execute(&mut *tx)
        .await?;
        if known.is_some() {
            derive::show_all_tags(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn put(db: &mut SqliteConnection, record: &Record, loose: &mut Loose) -> Result<(), StoreError> {
    let (slot, id, author) = (record.slot.sql(), record.id.sql(), record.author.sql());
    let old =
        query!("select id, record, kind from records where slot = ?", slot).fetch_optional(&mut *db).await?;
    if old.as_ref().is_some_and(|old| old.record == id) {
        return Ok(());
    }
    let mut published = None;
    if let Some(old) = old {
        let cause = if record.body.is_none() { Cause::Withdrawn } else { Cause::Replaced };
        published = derive::undo(db, old.id, old.kind).await?;
        drop_refs(db, old.id, cause, loose).await?;
    }
    let kind = i64::from(record.kind);
    let (seq, created_at) = (record.seq.cast_signed(), record.created_at.cast_signed());
    let bytes: &[u8] = record.bytes();
    let len = row::int(bytes.len() as u64);
    let withdrawn = i64::from(record.body.is_none());
    let row = query_scalar!(
        r#"insert into records (slot, record, author, kind, seq, created_at, len, withdrawn)
           values (?, ?, ?, ?, ?, ?, ?, ?)
           on conflict (slot) do update set record = excluded.record, seq = excluded.seq,
           created_at = excluded.created_at, len = excluded.len, withdrawn = excluded.withdrawn
           returning id as "id!""#,
        slot,
        id,
        author,
        kind,
        seq,
        created_at,
        len,
        withdrawn
    )
    .fetch_one(&mut *db)
    .await?;
    query!(
        "insert into bodies (id, bytes) values (?, ?) on conflict (id) do update set bytes = excluded.bytes",
        row,
        bytes
    )
    .execute(&mut *db)
    .await?;
    query!("delete from evicted where record = ?", id).execute(&mut *db).await?;
    derive::record(db, row, record, published).await
}

async fn forget(db: &mut SqliteConnection, slot: &SlotId, loose: &mut Loose) -> Result<(), StoreError> {
    let slot = slot.sql();
    let old =
        query!("select id, kind from records where slot = ? and author <> (select owner from node)", slot);
    let Some(old) = old.fetch_optional(&mut *db).await? else { return Ok(()) };
    derive::undo(db, old.id, old.kind).await?;
    drop_refs(db, old.id, Cause::Forgotten, loose).await?;
    query!("delete from records where id = ?", old.id).execute(db).await?;
    Ok(())
}

async fn drop_refs(
    db: &mut SqliteConnection,
    record: i64,
    cause: Cause,
    loose: &mut Loose,
) -> Result<(), StoreError> {
    let blobs = query_scalar!(r#"delete from blob_refs where record = ? returning blob as "blob!""#, record)
        .fetch_all(db)
        .await?;
    for blob in blobs {
        loosen(loose, row::id(&blob)?, cause);
    }
    Ok(())
}

fn loosen(loose: &mut Loose, blob: BlobHash, cause: Cause) {
    let known = loose.entry(blob).or_insert(cause);
    *known = cause.max(*known);
}

async fn evict(db: &mut SqliteConnection, change: &ChangeSet) -> Result<(), StoreError> {
    for record in &change.evicted {
        let record = record.sql();
        query!("insert or ignore into evicted (record) values (?)", record).execute(&mut *db).await?;
    }
    if !change.evicted.is_empty() {
        query!("delete from evicted where id <= (select max(id) from evicted) - ?", MAX_EVICTED)
            .execute(db)
            .await?;
    }
    Ok(())
}

/// One proof is enough to tell what an author is.
async fn prove(db: &mut SqliteConnection, proof: &Equivocation) -> Result<(), StoreError> {
    let author = proof.one.author.sql();
    let (one, two): (&[u8], &[u8]) = (proof.one.bytes(), proof.two.bytes());
    query!("insert or ignore into proofs (author, one, two) values (?, ?, ?)", author, one, two)
        .execute(&mut *db)
        .await?;
    query!("delete from proofs where id <= (select max(id) from proofs) - ?", MAX_PROOFS).execute(db).await?;
    Ok(())
}

async fn block(db: &mut SqliteConnection, entry: &BlockEntry, loose: &mut Loose) -> Result<(), StoreError> {
    let (what, id) = blocked_row(entry);
    query!("insert or ignore into blocked (what, id) values (?, ?)", what, id).execute(&mut *db).await?;
    for record in affected(db, entry).await? {
        let blobs = query_scalar!("select blob from blob_refs where record = ?", record);
        for blob in blobs.fetch_all(&mut *db).await? {
            loosen(loose, row::id(&blob)?, Cause::Blocked);
        }
        derive::again(db, record).await?;
    }
    if let BlockEntry::Blob(blob) = entry {
        loosen(loose, *blob, Cause::Blocked);
    }
    Ok(())
}

async fn unblock(db: &mut SqliteConnection, entry: &BlockEntry) -> Result<(), StoreError> {
    let (what, id) = blocked_row(entry);
    query!("delete from blocked where what = ? and id = ?", what, id).execute(&mut *db).await?;
    for record in affected(db, entry).await? {
        derive::again(db, record).await?;
    }
    Ok(())
}

/// The stored records that an entry hides, whole or in part.
async fn affected(db: &mut SqliteConnection, entry: &BlockEntry) -> Result<Vec<i64>, StoreError> {
    let (_, id) = blocked_row(entry);
    let records = match entry {
        BlockEntry::Author(_) => {
            query_scalar!("select id from records where author = ?", id).fetch_all(db).await?
        }
        BlockEntry::Release(_) => {
            query_scalar!("select id from records where slot = ?", id).fetch_all(db).await?
        }
        BlockEntry::Blob(_) => {
            query_scalar!("select distinct record from blob_refs where blob = ?", id).fetch_all(db).await?
        }
    };
    Ok(records)
}

/// How the table of what is blocked names an entry.
pub(crate) fn blocked_row(entry: &BlockEntry) -> (i64, &[u8]) {
    match entry {
        BlockEntry::Author(author) => (0, author.sql()),
        BlockEntry::Release(release) => (1, release.sql()),
        BlockEntry::Blob(blob) => (2, blob.sql()),
    }
}

/// Reads a row of the table of what is blocked.
pub(crate) fn block_entry(what: i64, id: &[u8]) -> Result<BlockEntry, StoreError> {
    Ok(match what {
        0 => BlockEntry::Author(row::id::<PeerId>(id)?),
        1 => BlockEntry::Release(row::id(id)?),
        _ => BlockEntry::Blob(row::id(id)?),
    })
}

async fn raise_own_seq(db: &mut SqliteConnection, seq: u64) -> Result<(), StoreError> {
    let known = query_scalar!("select own_seq from node").fetch_one(&mut *db).await?;
    let seq = seq.max(known.cast_unsigned()).cast_signed();
    query!("update node set own_seq = ?", seq).execute(db).await?;
    Ok(())
}

async fn orphans(db: &mut SqliteConnection, loose: Loose) -> Result<Vec<Orphan>, StoreError> {
    let mut orphans = Vec::new();
    for (hash, cause) in loose {
        let key = hash.sql();
        if live(db, key).await? {
            continue;
        }
        query!("delete from track_lists where blob = ?", key).execute(&mut *db).await?;
        doom(db, key, cause).await?;
        orphans.push(Orphan { hash, cause });
    }
    Ok(orphans)
}

/// Enters a file to delete. What the user keeps outlives a record that was only dropped for want of room, and what the
/// user published outlives a block for as long as the release names it.
async fn doom(db: &mut SqliteConnection, blob: &[u8], cause: Cause) -> Result<(), StoreError> {
    let whatever = cause > Cause::Forgotten;
    query!(
        "insert or ignore into doomed (blob)
         select hash from blobs where hash = ?1 and (?2 or (reason = 0 and pinned = 0))
         and not (reason = 3 and exists (
             select 1 from blob_refs join records on records.id = blob_refs.record join node on author = owner
             where blob_refs.blob = ?1
         ))",
        blob,
        whatever
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Says whether anything that is not blocked refers to a blob that is not blocked.
pub(crate) async fn live(db: &mut SqliteConnection, blob: &[u8]) -> Result<bool, StoreError> {
    let live = query_scalar!(
        r#"select exists (
               select 1 from blob_refs join records on records.id = blob_refs.record
               where blob_refs.blob = ?1
               and not exists (select 1 from blocked where what = 0 and id = records.author)
               and not exists (select 1 from blocked where what = 1 and id = records.slot)
               and not exists (select 1 from blocked where what = 2 and id = ?1)
           ) as "live!: bool""#,
        blob
    );
    Ok(live.fetch_one(db).await?)
}

async fn to_fetch(
    db: &mut SqliteConnection,
    records: &[Record],
) -> Result<Vec<(ReleaseId, BlobRef)>, StoreError> {
    let slots =
        records.iter().filter(|record| record.kind == domain::kinds::id::RELEASE && record.body.is_some());
    let slots = row::ids(slots.map(|record| &record.slot));
    let rows = query!(
        r#"select slot, track_list as "hash!", track_list_size as "size!" from releases
           where slot in (select unhex(value) from json_each(?)) and track_list is not null
           and not exists (select 1 from track_lists where blob = track_list)
           and not exists (select 1 from blocked where what = 2 and id = track_list)"#,
        slots
    )
    .fetch_all(db)
    .await?;
    rows.iter()
        .map(|row| {
            Ok((row::id(&row.slot)?, BlobRef { hash: row::id(&row.hash)?, size: row::uint(row.size) }))
        })
        .collect()
}
