//! Tracks and files as lists show them: the queue, playlists, the history.

use std::collections::BTreeMap;

use domain::{PeerId, ReleaseId, kinds::BlobRef};
use sqlx::query;

use crate::{
    Item, Store, StoreError,
    row::{self, Id},
};

/// What a list shows of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its title.
    pub title: String,
    /// Who plays it.
    pub artist: String,
    /// Who published it; none for a file.
    pub artist_id: Option<PeerId>,
    /// What it is part of.
    pub release_title: String,
    /// Image.
    pub cover: Option<BlobRef>,
    /// The cover's colour as `0xRRGGBB`.
    pub accent: Option<u32>,
    /// Length in milliseconds.
    pub duration_ms: u32,
    /// The track's content; none for a file.
    pub blob: Option<BlobRef>,
}

impl Store {
    /// Reads what lists show of items, in the order asked for; none for what is not known any more. At most
    /// [`crate::MAX_BATCH`] are read.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn shown_items(&self, items: &[Item]) -> Result<Vec<Option<Shown>>, StoreError> {
        let items = &items[..items.len().min(crate::MAX_BATCH)];
        let (tracks, files) = (self.shown_tracks(items).await?, self.shown_files(items).await?);
        let shown = items.iter().map(|item| match item {
            Item::Track { release, number } => tracks.get(&(*release, *number)).cloned(),
            Item::File(file) => files.get(file).cloned(),
        });
        Ok(shown.collect())
    }

    async fn shown_tracks(&self, items: &[Item]) -> Result<BTreeMap<(ReleaseId, u16), Shown>, StoreError> {
        let tracks = items.iter().filter_map(|item| match item {
            Item::Track { release, number } => Some((release.to_string(), *number)),
            Item::File(_) => None,
        });
        let tracks = serde_json::json!(tracks.collect::<Vec<_>>()).to_string();
        let rows = query!(
            r#"with wanted as materialized (
                   select distinct unhex(json_extract(value, '$[0]')) as release, json_extract(value, '$[1]') as number
                   from json_each(?)
               )
               select slot as "slot!", number as "number!: i64", tracks.title as "title!",
               coalesce(tracks.artist, releases.artist) as "artist!: String", author as "author!",
               releases.title as "release_title!", cover, cover_size, accent, duration_ms as "duration_ms!", blob as "blob!",
               size as "size!"
               from wanted join releases on releases.slot = wanted.release
               join tracks on tracks.id = releases.id * 256 + wanted.number and number between 1 and 255"#,
            tracks
        )
        .fetch_all(&self.read)
        .await?;
        rows.into_iter()
            .map(|row| {
                let shown = Shown {
                    title: row.title,
                    artist: row.artist,
                    artist_id: Some(row::id(&row.author)?),
                    release_title: row.release_title,
                    cover: row::blob_ref(row.cover, row.cover_size)?,
                    accent: row.accent.map(row::u32_of),
                    duration_ms: row::u32_of(row.duration_ms),
                    blob: Some(BlobRef { hash: row::id(&row.blob)?, size: row::uint(row.size) }),
                };
                Ok(((row::id(&row.slot)?, row::u16_of(row.number)), shown))
            })
            .collect()
    }

    async fn shown_files(&self, items: &[Item]) -> Result<BTreeMap<i64, Shown>, StoreError> {
        let files = items.iter().filter_map(|item| match item {
            Item::File(file) => Some(*file),
            Item::Track { .. } => None,
        });
        let files: Vec<i64> = files.collect();
        let files = self.files_by_id(&files).await?.into_iter().map(|(id, file)| {
            let shown = Shown {
                title: file.title,
                artist: file.artist,
                artist_id: None,
                release_title: file.album,
                cover: None,
                accent: None,
                duration_ms: file.duration_ms,
                blob: None,
            };
            (id, shown)
        });
        Ok(files.collect())
    }

    /// Finds an image or a waveform that a record names and the user has not blocked, and who named it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn asset(&self, hash: &domain::BlobHash) -> Result<Option<(BlobRef, PeerId)>, StoreError> {
        let blob = hash.sql();
        let row = query!(
            r#"select size as "size!: i64", author as "author!: Vec<u8>"
             from blob_refs join records on records.id = blob_refs.record
             where blob = ?1 and role in (2, 4, 5)
             and not exists (select 1 from blocked where what = 0 and blocked.id = author)
             and not exists (select 1 from blocked where what = 1 and blocked.id = slot)
             and not exists (select 1 from blocked where what = 2 and blocked.id = ?1)
             group by size order by count(*) desc, size limit 1"#,
            blob
        )
        .fetch_optional(&self.read)
        .await?;
        row.map(|row| Ok((BlobRef { hash: *hash, size: row::uint(row.size) }, row::id(&row.author)?)))
            .transpose()
    }
}
