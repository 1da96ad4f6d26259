//! The index of blobs: what of them this node has, and why it keeps them.

use domain::{BlobHash, kinds::BlobRef};
use sqlx::{query, query_as, query_scalar};

use crate::{
    Store, StoreError,
    row::{self, Id},
};

/// Why a blob is kept. A later one counts more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The user played it, or it was fetched ahead: the first to go.
    Played,
    /// The user chose to seed it.
    Seeded,
    /// The user downloaded it.
    Downloaded,
    /// The user published it.
    Published,
}

/// A blob of which this node has something, or wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobRow {
    /// The blob.
    pub hash: BlobHash,
    /// Its length in bytes.
    pub size: u64,
    /// How many of its bytes are here.
    pub have: u64,
    /// Whether all of it is here.
    pub complete: bool,
    /// Whether it stays until the user says otherwise.
    pub pinned: bool,
    /// Why it is here.
    pub reason: Reason,
    /// When it was played or served last.
    pub last_used: u64,
}

/// How many blobs there are, and their bytes that are here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Blobs.
    pub blobs: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// The blobs by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobTotals {
    /// [`Reason::Played`]
    pub played: Total,
    /// [`Reason::Seeded`]
    pub seeded: Total,
    /// [`Reason::Downloaded`]
    pub downloaded: Total,
    /// [`Reason::Published`]
    pub published: Total,
}

impl Reason {
    const ALL: [Self; 4] = [Self::Played, Self::Seeded, Self::Downloaded, Self::Published];

    /// Returns the lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Played => "played",
            Self::Seeded => "seeded",
            Self::Downloaded => "downloaded",
            Self::Published => "published",
        }
    }

    fn read(number: i64) -> Self {
        usize::try_from(number).ok().and_then(|at| Self::ALL.get(at).copied()).unwrap_or(Self::Played)
    }
}

struct Row {
    hash: Vec<u8>,
    size: i64,
    have: i64,
    complete: i64,
    pinned: i64,
    reason: i64,
    last_used: i64,
}

impl TryFrom<Row> for BlobRow {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            hash: row::id(&row.hash)?,
            size: row::uint(row.size),
            have: row::uint(row.have),
            complete: row.complete != 0,
            pinned: row.pinned != 0,
            reason: Reason::read(row.reason),
            last_used: row::uint(row.last_used),
        })
    }
}

impl Store {
    /// Enters a blob, or raises the reason for which it is kept.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn want_blob(&self, blob: &BlobRef, reason: Reason, now: u64) -> Result<(), StoreError> {
        let (hash, size, reason, now) = (blob.hash.sql(), row::int(blob.size), reason as i64, row::int(now));
        query!(
            "insert into blobs (hash, size, have, complete, pinned, reason, last_used) values (?, ?, 0, 0, 0, ?, ?)
             on conflict (hash) do update set reason = max(reason, excluded.reason),
             last_used = max(last_used, excluded.last_used)",
            hash,
            size,
            reason,
            now
        )
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// Notes how many bytes of a blob are here.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn blob_progress(&self, hash: &BlobHash, have: u64, complete: bool) -> Result<(), StoreError> {
        let (hash, have) = (hash.sql(), row::int(have));
        query!("update blobs set have = min(?, size), complete = ? where hash = ?", have, complete, hash)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Notes that a blob was used.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn touch_blob(&self, hash: &BlobHash, now: u64) -> Result<(), StoreError> {
        let (hash, now) = (hash.sql(), row::int(now));
        query!("update blobs set last_used = max(last_used, ?) where hash = ?", now, hash)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Keeps a blob until the user says otherwise, or no more. `false` where it is not in the index.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn pin_blob(&self, hash: &BlobHash, pinned: bool) -> Result<bool, StoreError> {
        let hash = hash.sql();
        let done =
            query!("update blobs set pinned = ? where hash = ?", pinned, hash).execute(&self.write).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Sets why a blob is kept, also to a lesser reason, and unpins it. `false` where it is not in the index.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn set_blob_reason(&self, hash: &BlobHash, reason: Reason) -> Result<bool, StoreError> {
        let (hash, reason) = (hash.sql(), reason as i64);
        let done = query!("update blobs set reason = ?, pinned = 0 where hash = ?", reason, hash)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Reads a blob's entry.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn blob(&self, hash: &BlobHash) -> Result<Option<BlobRow>, StoreError> {
        let hash = hash.sql();
        let row = query_as!(
            Row,
            "select hash, size, have, complete, pinned, reason, last_used from blobs where hash = ?",
            hash
        );
        row.fetch_optional(&self.read).await?.map(BlobRow::try_from).transpose()
    }

    /// Lists blobs kept for at least this reason, in the order of their hashes, after one of them.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn blobs(
        &self,
        least: Reason,
        limit: u32,
        after: Option<&BlobHash>,
    ) -> Result<Vec<BlobRow>, StoreError> {
        let (least, limit) = (least as i64, row::limit(limit));
        let after = after.map_or(&[][..], Id::sql);
        let rows = query_as!(
            Row,
            "select hash, size, have, complete, pinned, reason, last_used from blobs
             where hash > ? and reason >= ? order by hash limit ?",
            after,
            least,
            limit
        );
        rows.fetch_all(&self.read).await?.into_iter().map(BlobRow::try_from).collect()
    }

    /// Lists blobs that only were played and are not pinned, those used longest ago first: the cache gives these up.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn coldest_blobs(&self, limit: u32) -> Result<Vec<BlobRow>, StoreError> {
        let limit = row::limit(limit);
        let rows = query_as!(
            Row,
            "select hash, size, have, complete, pinned, reason, last_used from blobs
             where reason = 0 and pinned = 0 order by last_used, hash limit ?",
            limit
        );
        rows.fetch_all(&self.read).await?.into_iter().map(BlobRow::try_from).collect()
    }

    /// Drops a blob's entry and what is known of it, once its bytes are gone.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn remove_blob(&self, hash: &BlobHash) -> Result<bool, StoreError> {
        let hash = hash.sql();
        let mut tx = self.write.begin_with("begin immediate").await?;
        let done = query!("delete from blobs where hash = ?", hash).execute(&mut *tx).await?;
        query!("delete from doomed where blob = ?", hash).execute(&mut *tx).await?;
        query!(
            "delete from track_lists where blob = ?1 and not exists (select 1 from blob_refs where blob = ?1)",
            hash
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Lists files that are to be deleted: [`Store::remove_blob`] or [`Store::spare_blob`] ends that.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn doomed(&self) -> Result<Vec<BlobHash>, StoreError> {
        let hashes = query_scalar!("select blob from doomed").fetch_all(&self.read).await?;
        hashes.iter().map(|hash| row::id(hash)).collect()
    }

    /// Keeps a file that was to be deleted.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn spare_blob(&self, hash: &BlobHash) -> Result<(), StoreError> {
        let hash = hash.sql();
        query!("delete from doomed where blob = ?", hash).execute(&self.write).await?;
        Ok(())
    }

    /// Enters files that were found on the disk and are in the index for no reason known: they stay until the user says
    /// otherwise. Entries that are there stay as they are.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn adopt_blobs(&self, found: &[BlobRow]) -> Result<(), StoreError> {
        let mut tx = self.write.begin_with("begin immediate").await?;
        for blob in found {
            let (hash, size, have) = (blob.hash.sql(), row::int(blob.size), row::int(blob.have));
            let (reason, last_used) = (blob.reason as i64, row::int(blob.last_used));
            query!(
                "insert or ignore into blobs (hash, size, have, complete, pinned, reason, last_used)
                 values (?, ?, ?, ?, ?, ?, ?)",
                hash,
                size,
                have,
                blob.complete,
                blob.pinned,
                reason,
                last_used
            )
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Of these blobs, those that were entered to be published and that no record names. None while a release of the
    /// owner lacks its list of tracks, which may name them.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn unsigned_blobs(&self, hashes: &[BlobHash]) -> Result<Vec<BlobHash>, StoreError> {
        let hashes = row::ids(hashes);
        let unsigned = query_scalar!(
            "select hash from blobs where reason = 3 and hash in (select unhex(value) from json_each(?))
             and not exists (select 1 from blob_refs where blob = hash)
             and not exists (
                 select 1 from releases join node on author = owner where track_list is not null
                 and not exists (select 1 from track_lists where blob = track_list)
             )",
            hashes
        )
        .fetch_all(&self.read)
        .await?;
        unsigned.iter().map(|hash| row::id(hash)).collect()
    }

    /// Enters whole files that the owner's own records name as published, and lists those that were not before.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn claim_own(&self) -> Result<Vec<BlobHash>, StoreError> {
        let claimed = query_scalar!(
            r#"update blobs set reason = 3, pinned = 0 where reason < 3 and complete = 1 and hash in (
                   select blob from blob_refs join records on records.id = blob_refs.record
                   join node on author = owner
               ) returning hash as "hash!""#
        )
        .fetch_all(&self.write)
        .await?;
        claimed.iter().map(|hash| row::id(hash)).collect()
    }

    /// Counts the bytes that the cache may give up.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn cache_bytes(&self) -> Result<u64, StoreError> {
        let bytes = query_scalar!(
            r#"select coalesce(sum(have), 0) as "bytes!: i64" from blobs where reason = 0 and pinned = 0"#
        );
        Ok(row::uint(bytes.fetch_one(&self.read).await?))
    }

    /// Counts blobs and bytes by reason.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn blob_totals(&self) -> Result<BlobTotals, StoreError> {
        let rows = query!(
            r#"select reason, count(*) as "blobs!: i64", sum(have) as "bytes!: i64" from blobs group by reason"#
        )
        .fetch_all(&self.read)
        .await?;
        let mut totals = BlobTotals::default();
        for row in rows {
            let total = Total { blobs: row::uint(row.blobs), bytes: row::uint(row.bytes) };
            match Reason::read(row.reason) {
                Reason::Played => totals.played = total,
                Reason::Seeded => totals.seeded = total,
                Reason::Downloaded => totals.downloaded = total,
                Reason::Published => totals.published = total,
            }
        }
        Ok(totals)
    }
}
