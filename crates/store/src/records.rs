//! Records as they were signed.

use bytes::Bytes;
use domain::{PeerId, Record, RecordId, ReleaseId, SlotId, kinds::BlobRef, kinds::BlockEntry};
use futures_util::TryStreamExt;
use peer::{Entry, Equivocation, Loaded};
use sqlx::{query, query_scalar};

use crate::{
    MAX_BATCH, Store, StoreError,
    apply::{block_entry, blocked_row},
    row::{self, Id},
};

impl Store {
    /// Reads what a peer starts from.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn load(&self) -> Result<Loaded, StoreError> {
        Ok(Loaded {
            entries: self.entries().await?,
            evicted: self.evicted().await?,
            equivocators: self.equivocators().await?,
            own_seq: self.own_seq().await?,
            blocked: self.blocked().await?,
            followed: self.all_followed().await?,
        })
    }

    /// Reads the record of a slot.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn record(&self, slot: &SlotId) -> Result<Option<Record>, StoreError> {
        Ok(self.records_in(std::slice::from_ref(slot)).await?.pop())
    }

    /// Reads up to [`MAX_BATCH`] records by id, in the order asked for; what is not there is left out.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn records(&self, ids: &[RecordId]) -> Result<Vec<Record>, StoreError> {
        let ids = &ids[..ids.len().min(MAX_BATCH)];
        let json = row::ids(ids);
        let bytes = query_scalar!(
            "select bytes from records join bodies using (id)
             where record in (select unhex(value) from json_each(?))",
            json
        )
        .fetch_all(&self.read)
        .await?;
        let records = bytes.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        Ok(in_order(ids, records, |record| record.id))
    }

    /// Reads the records of up to [`MAX_BATCH`] slots, in the order asked for; empty slots are left out.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn records_in(&self, slots: &[SlotId]) -> Result<Vec<Record>, StoreError> {
        let slots = &slots[..slots.len().min(MAX_BATCH)];
        let json = row::ids(slots);
        let bytes = query_scalar!(
            "select bytes from records join bodies using (id)
             where slot in (select unhex(value) from json_each(?))",
            json
        )
        .fetch_all(&self.read)
        .await?;
        let records = bytes.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        Ok(in_order(slots, records, |record| record.slot))
    }

    /// Reads an author's records of a kind, those stored last first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn records_of(
        &self,
        author: &PeerId,
        kind: u16,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let (author, kind, limit) = (author.sql(), i64::from(kind), row::limit(limit));
        let bytes = query_scalar!(
            "select bytes from records join bodies using (id) where author = ? and kind = ?
             order by records.id desc limit ?",
            author,
            kind,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        bytes.into_iter().map(parse).collect()
    }

    /// Reads records of a kind by authors who are not blocked, those stored last first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn records_of_kind(&self, kind: u16, limit: u32) -> Result<Vec<Record>, StoreError> {
        let (kind, limit) = (i64::from(kind), row::limit(limit));
        let bytes = query_scalar!(
            "select bytes from records join bodies using (id) where kind = ?
             and not exists (select 1 from blocked where what = 0 and blocked.id = author)
             and not exists (select 1 from blocked where what = 1 and blocked.id = slot)
             order by records.id desc limit ?",
            kind,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        bytes.into_iter().map(parse).collect()
    }

    /// Reads the proofs of equivocation that there are against some authors, one each.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn proofs(&self, authors: &[PeerId]) -> Result<Vec<Equivocation>, StoreError> {
        let authors = row::ids(authors.iter());
        let rows = query!(
            "select one, two from proofs where author in (select unhex(value) from json_each(?)) order by id",
            authors
        )
        .fetch_all(&self.read)
        .await?;
        rows.into_iter().map(|row| Ok(Equivocation { one: parse(row.one)?, two: parse(row.two)? })).collect()
    }

    /// Lists all that the user blocked.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn blocked(&self) -> Result<Vec<BlockEntry>, StoreError> {
        let rows = query!("select what, id from blocked").fetch_all(&self.read).await?;
        rows.iter().map(|row| block_entry(row.what, &row.id)).collect()
    }

    /// Says whether an entry names the owner, a record of the owner's or a file that one names: what nobody's list has a
    /// say in.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn names_own(&self, entry: &BlockEntry) -> Result<bool, StoreError> {
        let (what, id) = blocked_row(entry);
        let own = query_scalar!(
            r#"select case ?1
                   when 0 then exists (select 1 from node where owner = ?2)
                   when 1 then exists (select 1 from records join node on author = owner where slot = ?2)
                   else exists (
                       select 1 from blob_refs join records on records.id = blob_refs.record
                       join node on author = owner where blob_refs.blob = ?2
                   ) end as "own!: bool""#,
            what,
            id
        );
        Ok(own.fetch_one(&self.read).await?)
    }

    /// The highest `seq` that this node has signed with.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn own_seq(&self) -> Result<u64, StoreError> {
        let seq = query_scalar!("select own_seq from node").fetch_one(&self.read).await?;
        Ok(seq.cast_unsigned())
    }

    /// Lists releases whose list of tracks is a blob that has not come yet: the owner's and those of followed artists
    /// first, the rest in no order, so that none that never comes keeps another back.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn awaiting_tracks(&self, limit: u32) -> Result<Vec<(ReleaseId, BlobRef)>, StoreError> {
        let limit = row::limit(limit);
        let rows = query!(
            r#"select slot, track_list as "hash!", track_list_size as "size!" from releases
               where track_list is not null
               and not exists (select 1 from track_lists where blob = track_list)
               and not exists (select 1 from blocked where what = 2 and id = track_list)
               order by (author = (select owner from node) or author in (select artist from follows)) desc, random()
               limit ?"#,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                Ok((row::id(&row.slot)?, BlobRef { hash: row::id(&row.hash)?, size: row::uint(row.size) }))
            })
            .collect()
    }

    async fn entries(&self) -> Result<Vec<Entry>, StoreError> {
        let mut rows =
            query!("select slot, record, author, kind, seq, created_at, len, withdrawn from records")
                .fetch(&self.read);
        let mut entries = Vec::new();
        while let Some(row) = rows.try_next().await? {
            entries.push(Entry {
                slot: row::id(&row.slot)?,
                id: row::id(&row.record)?,
                author: row::id(&row.author)?,
                kind: row::u16_of(row.kind),
                seq: row.seq.cast_unsigned(),
                created_at: row.created_at.cast_unsigned(),
                len: row::u16_of(row.len),
                withdrawn: row.withdrawn != 0,
            });
        }
        Ok(entries)
    }

    async fn evicted(&self) -> Result<Vec<RecordId>, StoreError> {
        let mut rows = query_scalar!("select record from evicted order by id").fetch(&self.read);
        let mut evicted = Vec::new();
        while let Some(record) = rows.try_next().await? {
            evicted.push(row::id(&record)?);
        }
        Ok(evicted)
    }

    async fn equivocators(&self) -> Result<Vec<PeerId>, StoreError> {
        let authors = query_scalar!("select author from proofs order by id").fetch_all(&self.read).await?;
        authors.iter().map(|author| row::id(author)).collect()
    }

    /// Everybody the user follows: as the library says, and as the user's own records say.
    async fn all_followed(&self) -> Result<Vec<PeerId>, StoreError> {
        let owner = self.owner.sql();
        let artists = query_scalar!(
            r#"select artist as "artist!" from follows
               union select artist from public_follows where author = ?"#,
            owner
        )
        .fetch_all(&self.read)
        .await?;
        artists.iter().map(|artist| row::id(artist)).collect()
    }
}

/// Reads a record that was checked before it was stored.
pub(crate) fn parse(bytes: Vec<u8>) -> Result<Record, StoreError> {
    Record::parse(Bytes::from(bytes)).map_err(|error| StoreError::Corrupt {
        path: std::path::PathBuf::new(),
        problem: format!("a stored record cannot be read: {error}"),
    })
}

fn in_order<K: Ord + Copy>(keys: &[K], records: Vec<Record>, key: impl Fn(&Record) -> K) -> Vec<Record> {
    let mut found: std::collections::BTreeMap<K, Record> =
        records.into_iter().map(|record| (key(&record), record)).collect();
    keys.iter().filter_map(|key| found.remove(key)).collect()
}
