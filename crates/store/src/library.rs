//! What the user keeps: none of it is ever sent to anybody.

use std::path::Path;

use domain::{PeerId, ReleaseId, kinds::Codec};
use sqlx::{query, query_scalar};

use crate::{
    Store, StoreError,
    catalogue::{ReleaseRow, codec},
    row::{self, Id},
    words::{key, words},
};

/// Most plays that the history holds; the oldest go first.
pub const MAX_HISTORY: i64 = 100_000;
/// Longest path of a file in bytes.
const MAX_PATH: usize = 4096;

/// Something saved in the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The release.
    pub release: ReleaseId,
    /// The track's number, or the whole release.
    pub track: Option<u16>,
    /// When.
    pub saved_at: u64,
}

/// How much the library's lists hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LibraryTotals {
    /// Saved releases.
    pub saved: u64,
    /// Files of the user's own.
    pub files: u64,
    /// Plays.
    pub history: u64,
}

/// Somebody the user follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Who.
    pub artist: PeerId,
    /// Whether everybody may know.
    pub public: bool,
    /// Since when.
    pub since: u64,
}

/// Something that can be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A track of a release.
    Track {
        /// The release.
        release: ReleaseId,
        /// The track's number from 1.
        number: u16,
    },
    /// A file of the user's own, [`Store::local_file`].
    File(i64),
}

/// One time that something was played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Played {
    /// What.
    pub item: Item,
    /// When.
    pub at: u64,
    /// For how long.
    pub played_ms: u32,
    /// Whether to its end.
    pub finished: bool,
}

/// A file of the user's own. It is private: only publishing gives it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalFile {
    /// Where it is; names one file.
    pub path: String,
    /// Length in bytes.
    pub size: u64,
    /// When it was changed last, in unix milliseconds.
    pub modified: u64,
    /// The title in its tags, else its name.
    pub title: String,
    /// The artist in its tags.
    pub artist: String,
    /// The album in its tags.
    pub album: String,
    /// The track's number in its tags.
    pub number: Option<u16>,
    /// Length in milliseconds.
    pub duration_ms: u32,
    /// How it is encoded.
    pub codec: Option<Codec>,
    /// Frames a second.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u8,
    /// Integrated loudness in hundredths of LUFS.
    pub loudness: Option<i16>,
    /// True peak in hundredths of dBTP.
    pub peak: Option<i16>,
}

impl Item {
    /// The columns `release`, `track` and `file`.
    pub(crate) fn columns(&self) -> (Option<&[u8]>, Option<i64>, Option<i64>) {
        match self {
            Self::Track { release, number } => (Some(release.sql()), Some(i64::from(*number)), None),
            Self::File(file) => (None, None, Some(*file)),
        }
    }

    pub(crate) fn read(
        release: Option<Vec<u8>>,
        track: Option<i64>,
        file: Option<i64>,
    ) -> Result<Self, StoreError> {
        match (release, track, file) {
            (Some(release), Some(track), _) => {
                Ok(Self::Track { release: row::id(&release)?, number: row::u16_of(track) })
            }
            (_, _, Some(file)) => Ok(Self::File(file)),
            _ => Err(StoreError::Invalid("an item is neither a track nor a file".into())),
        }
    }
}

impl Store {
    /// Saves a release or a track of it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn save(&self, release: &ReleaseId, track: Option<u16>, now: u64) -> Result<(), StoreError> {
        let (release, track, now) = (release.sql(), i64::from(track.unwrap_or(0)), row::int(now));
        query!(
            "insert or ignore into saved (release, track, saved_at) values (?, ?, ?)",
            release,
            track,
            now
        )
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// Takes a release or a track of it out of the library; `false` where it was not in it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn unsave(&self, release: &ReleaseId, track: Option<u16>) -> Result<bool, StoreError> {
        let (release, track) = (release.sql(), i64::from(track.unwrap_or(0)));
        let done = query!("delete from saved where release = ? and track = ?", release, track)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Lists what is saved, the last first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn saved(&self, limit: u32, offset: u32) -> Result<Vec<Saved>, StoreError> {
        let limit = row::limit(limit);
        let rows = query!(
            r#"select release as "release!", track as "track!", saved_at as "saved_at!" from saved
               order by saved_at desc, release, track limit ? offset ?"#,
            limit,
            offset
        )
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let (release, track) = (row::id(&row.release)?, row::track_of(row.track));
                Ok(Saved { release, track, saved_at: row::uint(row.saved_at) })
            })
            .collect()
    }

    /// Lists saved releases that are still known, the last saved first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn saved_releases(&self, limit: u32, offset: u32) -> Result<Vec<ReleaseRow>, StoreError> {
        let limit = row::limit(limit);
        let ids = query_scalar!(
            "select releases.id from saved join releases on releases.slot = saved.release
             where track = 0 order by saved_at desc, releases.id limit ? offset ?",
            limit,
            offset
        )
        .fetch_all(&self.read)
        .await?;
        self.rows(&ids).await
    }

    /// Counts what the library's lists hold.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn library_totals(&self) -> Result<LibraryTotals, StoreError> {
        let row = query!(
            r#"select (select count(*) from saved join releases on releases.slot = saved.release where track = 0) as "saved!",
               (select count(*) from files) as "files!", (select count(*) from history) as "history!""#
        )
        .fetch_one(&self.read)
        .await?;
        let [saved, files, history] = [row.saved, row.files, row.history].map(row::uint);
        Ok(LibraryTotals { saved, files, history })
    }

    /// Follows an artist, or changes whether that is public.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn follow(&self, artist: &PeerId, public: bool, now: u64) -> Result<(), StoreError> {
        let (artist, now) = (artist.sql(), row::int(now));
        query!(
            "insert into follows (artist, public, since) values (?, ?, ?)
             on conflict (artist) do update set public = excluded.public",
            artist,
            public,
            now
        )
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// Follows an artist no more. Returns how it was.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn unfollow(&self, artist: &PeerId) -> Result<Option<Followed>, StoreError> {
        let key = artist.sql();
        let row = query!(
            r#"delete from follows where artist = ? returning public as "public!: bool", since as "since!""#,
            key
        )
        .fetch_optional(&self.write)
        .await?;
        Ok(row.map(|row| Followed { artist: *artist, public: row.public, since: row::uint(row.since) }))
    }

    /// Lists whom the user follows, the last first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn followed(&self, limit: u32) -> Result<Vec<Followed>, StoreError> {
        let limit = row::limit(limit);
        let rows = query!(
            r#"select artist, public as "public: bool", since from follows order by since desc, artist limit ?"#,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Followed {
                    artist: row::id(&row.artist)?,
                    public: row.public,
                    since: row::uint(row.since),
                })
            })
            .collect()
    }

    /// Remembers that something was played. Returns the entry's id.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn played(&self, played: &Played) -> Result<i64, StoreError> {
        let (release, track, file) = played.item.columns();
        let at = row::int(played.at);
        let mut tx = self.write.begin_with("begin immediate").await?;
        let id = query_scalar!(
            r#"insert into history (at, release, track, file, played_ms, finished) values (?, ?, ?, ?, ?, ?)
               returning id as "id!""#,
            at,
            release,
            track,
            file,
            played.played_ms,
            played.finished
        )
        .fetch_one(&mut *tx)
        .await?;
        query!("delete from history where id <= ? - ?", id, MAX_HISTORY).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Lists what was played, the last first; `before` is the id of the last entry of the page before,
    /// `offset` how many more to pass over.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn history(
        &self,
        limit: u32,
        before: Option<i64>,
        offset: u32,
    ) -> Result<Vec<(i64, Played)>, StoreError> {
        let (limit, before) = (row::limit(limit), before.unwrap_or(i64::MAX));
        let rows = query!(
            r#"select id, at, release, track, file, played_ms, finished as "finished: bool" from history
               where id < ? order by id desc limit ? offset ?"#,
            before,
            limit,
            offset
        )
        .fetch_all(&self.read)
        .await?;
        rows.into_iter()
            .map(|row| {
                let item = Item::read(row.release, row.track, row.file)?;
                let played_ms = row::u32_of(row.played_ms);
                Ok((row.id, Played { item, at: row::uint(row.at), played_ms, finished: row.finished }))
            })
            .collect()
    }

    /// Forgets all that was played. Returns how much that was.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn clear_history(&self) -> Result<u64, StoreError> {
        Ok(query!("delete from history").execute(&self.write).await?.rows_affected())
    }

    /// Forgets one entry of the history.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn forget_played(&self, id: i64) -> Result<bool, StoreError> {
        let done = query!("delete from history where id = ?", id).execute(&self.write).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Adds a file, or brings what is known of it up to date. Its path decides which one it is.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a path that is too long.
    pub async fn add_file(&self, file: &LocalFile, now: u64) -> Result<i64, StoreError> {
        if file.path.len() > MAX_PATH {
            return Err(StoreError::Invalid(format!("the path has more than {MAX_PATH} bytes")));
        }
        let (size, modified, now) = (row::int(file.size), row::int(file.modified), row::int(now));
        let codec = file.codec.and_then(|codec| Codec::ALL.iter().position(|one| *one == codec));
        let codec = codec.map(|at| at as i64);
        let search_key = key(&format!("{} {} {}", file.title, file.artist, file.album));
        let id = query_scalar!(
            r#"insert into files (path, size, modified, title, artist, album, number, duration_ms, codec, sample_rate,
               channels, loudness, peak, added_at, search_key)
               values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
               on conflict (path) do update set size = excluded.size, modified = excluded.modified,
               title = excluded.title, artist = excluded.artist, album = excluded.album, number = excluded.number,
               duration_ms = excluded.duration_ms, codec = excluded.codec, sample_rate = excluded.sample_rate,
               channels = excluded.channels, loudness = excluded.loudness, peak = excluded.peak,
               search_key = excluded.search_key
               returning id as "id!""#,
            file.path,
            size,
            modified,
            file.title,
            file.artist,
            file.album,
            file.number,
            file.duration_ms,
            codec,
            file.sample_rate,
            file.channels,
            file.loudness,
            file.peak,
            now,
            search_key
        );
        Ok(id.fetch_one(&self.write).await?)
    }

    /// Lists files whose title, artist and album hold every word of the query, in the order of their paths.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn files(
        &self,
        query: &str,
        limit: u32,
        offset: u32,
    ) -> Result<Vec<(i64, LocalFile)>, StoreError> {
        let (words, limit) = (serde_json::json!(words(query)).to_string(), row::limit(limit));
        let ids = query_scalar!(
            "select id from files
             where not exists (select 1 from json_each(?) as word where instr(search_key, word.value) = 0)
             order by path limit ? offset ?",
            words,
            limit,
            offset
        )
        .fetch_all(&self.read)
        .await?;
        self.files_by_id(&ids).await
    }

    /// Counts files whose title, artist and album hold every word of the query.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn count_files(&self, query: &str) -> Result<u64, StoreError> {
        let words = serde_json::json!(words(query)).to_string();
        let count = query_scalar!(
            "select count(*) from files
             where not exists (select 1 from json_each(?) as word where instr(search_key, word.value) = 0)",
            words
        );
        Ok(row::uint(count.fetch_one(&self.read).await?))
    }

    /// Reads what is known of a file.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn local_file(&self, id: i64) -> Result<Option<LocalFile>, StoreError> {
        Ok(self.files_by_id(&[id]).await?.pop().map(|(_, file)| file))
    }

    /// Takes a file out of the library; the file itself stays.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn remove_file(&self, id: i64) -> Result<bool, StoreError> {
        let done = query!("delete from files where id = ?", id).execute(&self.write).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Takes every file below a folder out of the library. Returns how many there were.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn remove_folder(&self, folder: &str) -> Result<u64, StoreError> {
        // With its separator, so that a folder whose name begins alike stays.
        let inside = Path::new(folder).join("");
        let inside = inside.to_string_lossy();
        let inside = inside.as_ref();
        let done = query!("delete from files where substr(path, 1, length(?1)) = ?1", inside)
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected())
    }

    pub(crate) async fn files_by_id(&self, ids: &[i64]) -> Result<Vec<(i64, LocalFile)>, StoreError> {
        let ids = serde_json::json!(ids).to_string();
        let rows = query!(
            "select id, path, size, modified, title, artist, album, number, duration_ms, codec, sample_rate, channels,
             loudness, peak from files where id in (select value from json_each(?)) order by path",
            ids
        )
        .fetch_all(&self.read)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let file = LocalFile {
                    path: row.path,
                    size: row::uint(row.size),
                    modified: row::uint(row.modified),
                    title: row.title,
                    artist: row.artist,
                    album: row.album,
                    number: row.number.map(row::u16_of),
                    duration_ms: row::u32_of(row.duration_ms),
                    codec: row.codec.and_then(codec),
                    sample_rate: row::u32_of(row.sample_rate),
                    channels: row::u8_of(row.channels),
                    loudness: row.loudness.map(row::i16_of),
                    peak: row.peak.map(row::i16_of),
                };
                (row.id, file)
            })
            .collect())
    }
}
