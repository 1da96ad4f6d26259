//! What the user does not want to see in lists and searches, which nobody else learns of; and what people whom the
//! user follows found wrong. Nothing is deleted for either.

use domain::{
    PeerId, ReleaseId,
    kinds::{BlockEntry, ReportReason},
};
use sqlx::{query, query_scalar};

use crate::{
    Hit, HitKind, Store, StoreError,
    apply::block_entry,
    row::{self, Id},
};

/// Most things that can be hidden.
pub const MAX_HIDDEN: i64 = 10_000;

/// Something hidden.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hidden {
    /// Everything by an artist.
    Artist(PeerId),
    /// One release.
    Release(ReleaseId),
    /// A tag, in its normal spelling.
    Tag(String),
}

/// What somebody whom the user follows, or the user, found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// Who.
    pub author: PeerId,
    /// What was reported.
    pub entry: BlockEntry,
    /// What is wrong with it.
    pub reason: ReportReason,
    /// More of it in words.
    pub note: Option<String>,
}

impl Hidden {
    /// The columns `what` and `id`.
    fn columns(&self) -> (i64, &[u8]) {
        match self {
            Self::Artist(artist) => (0, artist.sql()),
            Self::Release(release) => (1, release.sql()),
            Self::Tag(tag) => (2, tag.as_bytes()),
        }
    }

    fn read(what: i64, id: &[u8]) -> Result<Self, StoreError> {
        Ok(match what {
            0 => Self::Artist(row::id(id)?),
            1 => Self::Release(row::id(id)?),
            _ => Self::Tag(String::from_utf8_lossy(id).into_owned()),
        })
    }
}

impl Store {
    /// Hides something.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] where [`MAX_HIDDEN`] things are hidden already.
    pub async fn hide(&self, what: &Hidden, now: u64) -> Result<(), StoreError> {
        let ((what, id), now) = (what.columns(), row::int(now));
        let done = query!(
            "insert into hidden (what, id, hidden_at) select ?1, ?2, ?3
             where (select count(*) from hidden) < ?4
             on conflict (what, id) do update set hidden_at = excluded.hidden_at",
            what,
            id,
            now,
            MAX_HIDDEN
        )
        .execute(&self.write)
        .await?;
        match done.rows_affected() {
            0 => Err(StoreError::Invalid(format!("{MAX_HIDDEN} things are hidden already"))),
            _ => Ok(()),
        }
    }

    /// Shows something again; `false` where it was not hidden.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn unhide(&self, what: &Hidden) -> Result<bool, StoreError> {
        let (what, id) = what.columns();
        let done =
            query!("delete from hidden where what = ? and id = ?", what, id).execute(&self.write).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Lists what is hidden, the last first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn hidden(&self, limit: u32) -> Result<Vec<Hidden>, StoreError> {
        let limit = row::limit(limit);
        let rows = query!("select what, id from hidden order by hidden_at desc, what, id limit ?", limit)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|row| Hidden::read(row.what, &row.id)).collect()
    }

    /// Lists reports on a release and on its artist, by the user and by people whom the user follows.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn reports(
        &self,
        release: Option<&ReleaseId>,
        artist: &PeerId,
        limit: u32,
    ) -> Result<Vec<ReportRow>, StoreError> {
        let release = release.map(Id::sql);
        let (artist, owner, limit) = (artist.sql(), self.owner.sql(), row::limit(limit));
        let rows = query!(
            "select author, what, target, reason, note from reports
             where ((what = 1 and target = ?1) or (what = 0 and target = ?2))
             and (author = ?3 or author in (select artist from follows)
                  or author in (select artist from public_follows where public_follows.author = ?3))
             order by id desc limit ?4",
            release,
            artist,
            owner,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        rows.into_iter()
            .map(|row| {
                let reason =
                    usize::try_from(row.reason).ok().and_then(|at| ReportReason::ALL.get(at).copied());
                Ok(ReportRow {
                    author: row::id(&row.author)?,
                    entry: block_entry(row.what, &row.target)?,
                    reason: reason.unwrap_or(ReportReason::Other),
                    note: row.note,
                })
            })
            .collect()
    }

    pub(crate) async fn hides_anything(&self) -> Result<bool, StoreError> {
        let any = query_scalar!(r#"select exists (select 1 from hidden) as "any!: bool""#);
        Ok(any.fetch_one(&self.read).await?)
    }

    /// Takes what is hidden out of a search's hits.
    pub(crate) async fn without_hidden(&self, hits: &mut Vec<Hit>) -> Result<(), StoreError> {
        if !self.hides_anything().await? {
            return Ok(());
        }
        let artists = row::ids(hits.iter().filter_map(|hit| hit.artist_id.as_ref()));
        let releases = row::ids(hits.iter().filter_map(|hit| hit.release.as_ref()));
        let tags: Vec<&str> =
            hits.iter().filter(|hit| hit.kind == HitKind::Tag).map(|hit| hit.title.as_str()).collect();
        let tags = serde_json::json!(tags).to_string();
        let rows = query!(
            "select what, id from hidden
             where (what = 0 and id in (select unhex(value) from json_each(?)))
             or (what = 1 and id in (select unhex(value) from json_each(?)))
             or (what = 2 and id in (select cast(value as blob) from json_each(?)))",
            artists,
            releases,
            tags
        )
        .fetch_all(&self.read)
        .await?;
        for row in rows {
            let hidden = Hidden::read(row.what, &row.id)?;
            hits.retain(|hit| match &hidden {
                Hidden::Artist(artist) => hit.artist_id != Some(*artist),
                Hidden::Release(release) => hit.release != Some(*release),
                Hidden::Tag(tag) => hit.kind != HitKind::Tag || hit.title != *tag,
            });
        }
        Ok(())
    }
}
