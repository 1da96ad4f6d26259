//! DAOs: their signed records, and what a member of one must not forget.

use domain::{
    Network, PeerId, Record, SlotId,
    kinds::{Ballot, Charter, DaoId, Delegation, Join, Leave, Proposal, Vouch, id},
};
use sqlx::{SqliteConnection, query, query_scalar};

use crate::{
    Store, StoreError,
    derive::read,
    records::parse,
    row::{self, Id},
};

/// Most records of one DAO that are read.
pub const MAX_DAO_RECORDS: u32 = 200_000;
/// Most incidents that are kept of one DAO, the newest.
pub const MAX_DAO_INCIDENTS: u32 = 200;

/// Something that somebody did wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaoIncidentRow {
    /// Who, where it is known.
    pub peer: Option<PeerId>,
    /// What, as a stable code.
    pub code: String,
    /// Unix milliseconds.
    pub at_ms: u64,
}

impl Store {
    /// Lists the DAOs that this node takes part in or watches, those opened first first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn daos(&self, network: Network) -> Result<Vec<DaoId>, StoreError> {
        let network = network as i64;
        let daos = query_scalar!("select dao from daos where network = ? order by opened_at, dao", network);
        let daos = daos.fetch_all(&self.read).await?;
        daos.iter().map(|dao| row::id(dao)).collect()
    }

    /// Remembers that this node takes part in a DAO or watches it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn open_dao(&self, dao: &DaoId, network: Network, now: u64) -> Result<(), StoreError> {
        let (dao, network, now) = (dao.sql(), network as i64, row::int(now));
        query!("insert or ignore into daos (dao, network, opened_at) values (?, ?, ?)", dao, network, now)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Keeps a change of a member; when this returns it outlives a crash and a power cut.
    ///
    /// # Errors
    /// Those of the database; also where the DAO was not opened.
    pub async fn append_dao(&self, dao: &DaoId, change: &[u8]) -> Result<(), StoreError> {
        let dao = dao.sql();
        query!("insert into dao_changes (dao, body) values (?, ?)", dao, change).execute(&self.write).await?;
        Ok(())
    }

    /// Reads a member's changes in their order.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn dao_changes(&self, dao: &DaoId) -> Result<Vec<Vec<u8>>, StoreError> {
        let dao = dao.sql();
        let bodies = query_scalar!("select body from dao_changes where dao = ? order by id", dao);
        Ok(bodies.fetch_all(&self.read).await?)
    }

    /// Keeps a change of a member that is secret, which whoever asks has encrypted; when this returns it outlives a crash and
    /// a power cut.
    ///
    /// # Errors
    /// Those of the database; also where the DAO was not opened.
    pub async fn append_dao_secret(&self, dao: &DaoId, sealed: &[u8]) -> Result<(), StoreError> {
        let dao = dao.sql();
        query!("insert into dao_secrets (dao, sealed) values (?, ?)", dao, sealed)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Reads a member's encrypted changes in their order.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn dao_secrets(&self, dao: &DaoId) -> Result<Vec<Vec<u8>>, StoreError> {
        let dao = dao.sql();
        let sealed = query_scalar!("select sealed from dao_secrets where dao = ? order by id", dao);
        Ok(sealed.fetch_all(&self.read).await?)
    }

    /// Notes that somebody did something wrong; the oldest beyond [`MAX_DAO_INCIDENTS`] are forgotten.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn note_dao_incident(&self, dao: &DaoId, incident: &DaoIncidentRow) -> Result<(), StoreError> {
        let (dao, at) = (dao.sql(), row::int(incident.at_ms));
        let peer = incident.peer.as_ref().map(Id::sql);
        let mut tx = self.write.begin_with("begin immediate").await?;
        query!(
            "insert into dao_incidents (dao, peer, code, at_ms) values (?, ?, ?, ?)",
            dao,
            peer,
            incident.code,
            at
        )
        .execute(&mut *tx)
        .await?;
        query!(
            "delete from dao_incidents where dao = ?1 and id <= (select id from dao_incidents where dao = ?1
             order by id desc limit 1 offset ?2)",
            dao,
            MAX_DAO_INCIDENTS
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lists what was done wrong, the newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn dao_incidents(&self, dao: &DaoId, limit: u32) -> Result<Vec<DaoIncidentRow>, StoreError> {
        let (dao, limit) = (dao.sql(), row::limit(limit));
        let rows = query!(
            "select peer, code, at_ms from dao_incidents where dao = ? order by id desc limit ?",
            dao,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        let incident = |peer: Option<Vec<u8>>, code, at_ms| {
            let peer = peer.map(|peer| row::id(&peer)).transpose()?;
            Ok(DaoIncidentRow { peer, code, at_ms: row::uint(at_ms) })
        };
        rows.into_iter().map(|row| incident(row.peer, row.code, row.at_ms)).collect()
    }

    /// Reads all records of a DAO, ballots on its proposals too, at most [`MAX_DAO_RECORDS`], those stored first first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn dao_records(&self, dao: &DaoId) -> Result<Vec<Record>, StoreError> {
        let (dao, limit) = (dao.sql(), i64::from(MAX_DAO_RECORDS));
        let bytes = query_scalar!(
            "select bytes from dao_records join bodies using (id)
             where about = ?1 or about in
             (select slot from dao_records join records using (id) where about = ?1 and dao_records.kind = 35)
             order by dao_records.id limit ?2",
            dao,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        bytes.into_iter().map(parse).collect()
    }

    /// Reads the charters by authors who are not blocked, those stored last first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn charters(&self, network: Network, limit: u32) -> Result<Vec<Record>, StoreError> {
        let (network, kind, limit) = (network as i64, i64::from(id::CHARTER), row::limit(limit));
        let bytes = query_scalar!(
            "select bytes from dao_records join bodies using (id) join records using (id)
             where dao_records.kind = ? and network = ?
             and not exists (select 1 from blocked where what = 0 and blocked.id = author)
             order by dao_records.id desc limit ?",
            kind,
            network,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        bytes.into_iter().map(parse).collect()
    }

    /// Counts who asked to be let into a DAO.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn dao_joiners(&self, dao: &DaoId) -> Result<u32, StoreError> {
        let (dao, kind) = (dao.sql(), i64::from(id::JOIN));
        let count = query_scalar!(
            "select count(distinct author) from dao_records join records using (id)
             where about = ? and dao_records.kind = ?",
            dao,
            kind
        );
        Ok(u32::try_from(count.fetch_one(&self.read).await?).unwrap_or(u32::MAX))
    }
}

/// Files a stored record of a DAO.
pub(crate) async fn derive(db: &mut SqliteConnection, id: i64, record: &Record) -> Result<(), StoreError> {
    let Some((network, about)) = filed(record)? else { return Ok(()) };
    let (kind, network, about) = (i64::from(record.kind), network as i64, about.sql());
    query!(
        "insert into dao_records (id, kind, network, about) values (?, ?, ?, ?)",
        id,
        kind,
        network,
        about
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a record of a DAO out of the files.
pub(crate) async fn undo(db: &mut SqliteConnection, id: i64) -> Result<(), StoreError> {
    query!("delete from dao_records where id = ?", id).execute(db).await?;
    Ok(())
}

fn filed(record: &Record) -> Result<Option<(Network, SlotId)>, StoreError> {
    Ok(match record.kind {
        id::CHARTER => read::<Charter>(record)?.map(|it| (it.network, record.slot)),
        id::JOIN => read::<Join>(record)?.map(|it| (it.network, it.dao)),
        id::VOUCH => read::<Vouch>(record)?.map(|it| (it.network, it.dao)),
        id::PROPOSAL => read::<Proposal>(record)?.map(|it| (it.network, it.dao)),
        id::BALLOT => read::<Ballot>(record)?.map(|it| (it.network, it.proposal)),
        id::DELEGATION => read::<Delegation>(record)?.map(|it| (it.network, it.dao)),
        id::LEAVE => read::<Leave>(record)?.map(|it| (it.network, it.dao)),
        _ => None,
    })
}
