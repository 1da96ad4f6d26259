//! Signed records about money, found by whom and what they are about.

use domain::{
    Network, PeerId, Record, SlotId,
    kinds::{Income, Note, Offer, Payment, Payout, Thanks, id},
};
use sqlx::{SqliteConnection, query, query_scalar};

use crate::{
    Store, StoreError,
    derive::read,
    records::parse,
    row::{self, Id},
};

/// Most records that a ledger is made of; the artist's own come first.
pub const MAX_LEDGER_RECORDS: u32 = 200_000;

/// What a record about money is filed under.
struct Filed {
    network: Network,
    artist: PeerId,
    about: Option<SlotId>,
}

impl Store {
    /// Reads all that an artist's ledger is made of: the artist's own records, notes and payments of everybody, up to
    /// [`MAX_LEDGER_RECORDS`], in no order that means anything.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn ledger_records(&self, artist: &PeerId, network: Network) -> Result<Vec<Record>, StoreError> {
        let (artist, network, limit) = (artist.sql(), network as i64, i64::from(MAX_LEDGER_RECORDS));
        let bytes = query_scalar!(
            "select bytes from money_records join bodies using (id)
             where artist = ?1 and network = ?2 and kind between 16 and 20
             order by author <> ?1, money_records.id limit ?3",
            artist,
            network,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        bytes.into_iter().map(parse).collect()
    }

    /// Returns a number that grows with every change of the records that an artist's ledger is made of.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn ledger_revision(&self, artist: &PeerId) -> Result<u64, StoreError> {
        let bucket = bucket(artist);
        let found = query_scalar!("select revision from ledger_revisions where bucket = ?", bucket);
        Ok(row::uint(found.fetch_optional(&self.read).await?.unwrap_or_default()))
    }

    /// Reads an author's records about money of one kind, those stored last first, at most [`crate::MAX_LIMIT`] from
    /// an offset on.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn money_records_by(
        &self,
        author: &PeerId,
        network: Network,
        kind: u16,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let (author, network, kind) = (author.sql(), network as i64, i64::from(kind));
        let (limit, offset) = (row::limit(limit), i64::from(offset));
        let bytes = query_scalar!(
            "select bytes from money_records join bodies using (id)
             where author = ? and network = ? and kind = ? order by money_records.id desc limit ? offset ?",
            author,
            network,
            kind,
            limit,
            offset
        )
        .fetch_all(&self.read)
        .await?;
        bytes.into_iter().map(parse).collect()
    }

    /// Reads records about money of one kind by authors who are not blocked, such as every offer, those stored last
    /// first, at most [`crate::MAX_LIMIT`] from an offset on.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn money_records_of_kind(
        &self,
        network: Network,
        kind: u16,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let (network, kind, limit, offset) =
            (network as i64, i64::from(kind), row::limit(limit), i64::from(offset));
        let bytes = query_scalar!(
            "select bytes from money_records join bodies using (id) where kind = ? and network = ?
             and not exists (select 1 from blocked where what = 0 and blocked.id = author)
             order by money_records.id desc limit ? offset ?",
            kind,
            network,
            limit,
            offset
        )
        .fetch_all(&self.read)
        .await?;
        bytes.into_iter().map(parse).collect()
    }

    /// Reads records of one kind about something: the notes of an offer, the payments for a release, the thanks for a
    /// payment; those stored last first, at most [`crate::MAX_LIMIT`].
    ///
    /// # Errors
    /// Those of the database.
    pub async fn money_records_about(
        &self,
        about: &SlotId,
        kind: u16,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let (about, kind, limit) = (about.sql(), i64::from(kind), row::limit(limit));
        let bytes = query_scalar!(
            "select bytes from money_records join bodies using (id)
             where about = ? and kind = ? order by money_records.id desc limit ?",
            about,
            kind,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        bytes.into_iter().map(parse).collect()
    }
}

/// Files a stored record about money.
pub(crate) async fn derive(db: &mut SqliteConnection, id: i64, record: &Record) -> Result<(), StoreError> {
    let Some(Filed { network, artist, about }) = filed(record)? else { return Ok(()) };
    revise(db, bucket(&artist)).await?;
    let (kind, network) = (i64::from(record.kind), network as i64);
    let (artist, author, about) = (artist.sql(), record.author.sql(), about.as_ref().map(Id::sql));
    query!(
        "insert into money_records (id, kind, network, artist, author, about) values (?, ?, ?, ?, ?, ?)",
        id,
        kind,
        network,
        artist,
        author,
        about
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a record about money out of the files.
pub(crate) async fn undo(db: &mut SqliteConnection, id: i64) -> Result<(), StoreError> {
    let gone = query_scalar!(r#"delete from money_records where id = ? returning artist as "artist!""#, id);
    match gone.fetch_optional(&mut *db).await? {
        Some(artist) => revise(db, bucket(&row::id(&artist)?)).await,
        None => Ok(()),
    }
}

async fn revise(db: &mut SqliteConnection, bucket: i64) -> Result<(), StoreError> {
    query!(
        "insert into ledger_revisions (bucket, revision) values (?, 1)
         on conflict (bucket) do update set revision = revision + 1",
        bucket
    )
    .execute(db)
    .await?;
    Ok(())
}

fn bucket(artist: &PeerId) -> i64 {
    i64::from(artist.as_bytes()[0])
}

fn filed(record: &Record) -> Result<Option<Filed>, StoreError> {
    let own = |network, about| Filed { network, artist: record.author, about };
    Ok(match record.kind {
        id::INCOME => read::<Income>(record)?.map(|it| own(it.network, None)),
        id::OFFER => read::<Offer>(record)?.map(|it| own(it.network, it.release)),
        id::PAYOUT => read::<Payout>(record)?.map(|it| own(it.network, None)),
        id::THANKS => read::<Thanks>(record)?.map(|it| own(it.network, Some(it.payment))),
        id::NOTE => read::<Note>(record)?.map(|it| Filed {
            network: it.network,
            artist: it.artist,
            about: Some(it.offer),
        }),
        id::PAYMENT => read::<Payment>(record)?.map(|it| Filed {
            network: it.network,
            artist: it.artist,
            about: it.release,
        }),
        _ => None,
    })
}
