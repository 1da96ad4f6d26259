//! Private playlists. Every change gives back what undoes it.

use sqlx::{SqliteConnection, query, query_scalar};

use crate::{Item, Store, StoreError, row};

/// Most items of one playlist.
pub const MAX_PLAYLIST_ITEMS: usize = 10_000;
/// Most playlists.
pub const MAX_PLAYLISTS: i64 = 1_000;
/// Longest name of a playlist in characters.
const MAX_NAME: usize = 300;

/// A playlist in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaylistSummary {
    /// Names it.
    pub id: i64,
    /// What the user calls it.
    pub name: String,
    /// How many items it has.
    pub items: u32,
    /// When it was made.
    pub created_at: u64,
    /// When it was changed last.
    pub updated_at: u64,
}

/// All of a playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivatePlaylist {
    /// Names it.
    pub id: i64,
    /// What the user calls it.
    pub name: String,
    /// When it was made.
    pub created_at: u64,
    /// When it was changed last.
    pub updated_at: u64,
    /// In playing order.
    pub items: Vec<PlaylistEntry>,
}

/// An item in its place. The same track may stand in several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaylistEntry {
    /// Names the place, wherever it is moved.
    pub id: i64,
    /// What is played.
    pub item: Item,
}

impl Store {
    /// Makes an empty playlist. Returns its id.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an empty or too long name, or one playlist too many.
    pub async fn create_playlist(&self, name: &str, now: u64) -> Result<i64, StoreError> {
        let (name, now) = (checked(name)?, row::int(now));
        let id = query_scalar!(
            r#"insert into playlists (name, created_at, updated_at)
               select ?1, ?2, ?2 where (select count(*) from playlists) < ?3 returning id as "id!""#,
            name,
            now,
            MAX_PLAYLISTS
        )
        .fetch_optional(&self.write)
        .await?;
        id.ok_or_else(|| StoreError::Invalid(format!("there are {MAX_PLAYLISTS} playlists already")))
    }

    /// Renames a playlist. Returns the name that it had.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Invalid`].
    pub async fn rename_playlist(&self, id: i64, name: &str, now: u64) -> Result<String, StoreError> {
        let name = checked(name)?;
        let mut tx = self.write.begin_with("begin immediate").await?;
        let old =
            query_scalar!("select name from playlists where id = ?", id).fetch_optional(&mut *tx).await?;
        let old = old.ok_or_else(|| StoreError::missing("playlist", id))?;
        query!("update playlists set name = ? where id = ?", name, id).execute(&mut *tx).await?;
        touch(&mut tx, id, now).await?;
        tx.commit().await?;
        Ok(old)
    }

    /// Deletes a playlist. Returns it for [`Store::restore_playlist`].
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub async fn delete_playlist(&self, id: i64) -> Result<PrivatePlaylist, StoreError> {
        let mut tx = self.write.begin_with("begin immediate").await?;
        let playlist = read(&mut tx, id).await?.ok_or_else(|| StoreError::missing("playlist", id))?;
        query!("delete from playlists where id = ?", id).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(playlist)
    }

    /// Brings a deleted playlist back as it was.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] where one with its id is there.
    pub async fn restore_playlist(&self, playlist: &PrivatePlaylist) -> Result<(), StoreError> {
        let mut tx = self.write.begin_with("begin immediate").await?;
        let (created, updated) = (row::int(playlist.created_at), row::int(playlist.updated_at));
        let made = query!(
            "insert or ignore into playlists (id, name, created_at, updated_at) values (?, ?, ?, ?)",
            playlist.id,
            playlist.name,
            created,
            updated
        )
        .execute(&mut *tx)
        .await?;
        if made.rows_affected() == 0 {
            return Err(StoreError::Invalid(format!("there is a playlist {} already", playlist.id)));
        }
        for (position, entry) in (0..).zip(&playlist.items) {
            insert(&mut tx, playlist.id, position, Some(entry.id), &entry.item).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Lists the playlists, those changed last first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn playlists(&self, limit: u32) -> Result<Vec<PlaylistSummary>, StoreError> {
        let limit = row::limit(limit);
        let rows = query!(
            r#"select id, name, created_at, updated_at,
               (select count(*) from playlist_items where playlist = playlists.id) as "items!: i64"
               from playlists order by updated_at desc, id desc limit ?"#,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| PlaylistSummary {
                id: row.id,
                name: row.name,
                items: row::u32_of(row.items),
                created_at: row::uint(row.created_at),
                updated_at: row::uint(row.updated_at),
            })
            .collect())
    }

    /// Reads all of a playlist.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn playlist(&self, id: i64) -> Result<Option<PrivatePlaylist>, StoreError> {
        let mut tx = self.read.begin().await?;
        read(&mut tx, id).await
    }

    /// Inserts items before a position, or at the end. Returns the ids of their places.
    ///
    /// # Errors
    /// [`StoreError::Missing`], and [`StoreError::Invalid`] beyond [`MAX_PLAYLIST_ITEMS`].
    pub async fn insert_items(
        &self,
        playlist: i64,
        at: Option<u32>,
        items: &[Item],
        now: u64,
    ) -> Result<Vec<i64>, StoreError> {
        let mut tx = self.write.begin_with("begin immediate").await?;
        touch(&mut tx, playlist, now).await?;
        let count = count(&mut tx, playlist).await?;
        let added = items.len() as i64;
        room(count + added)?;
        let at = at.map_or(count, |at| i64::from(at).min(count));
        shift(&mut tx, playlist, at, added).await?;
        let mut ids = Vec::with_capacity(items.len());
        for (position, item) in (at..).zip(items) {
            ids.push(insert(&mut tx, playlist, position, None, item).await?);
        }
        tx.commit().await?;
        Ok(ids)
    }

    /// Removes items by the ids of their places. Returns them with their positions, for [`Store::put_back`].
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is no such playlist; places that are not in it are ignored.
    pub async fn remove_items(
        &self,
        playlist: i64,
        ids: &[i64],
        now: u64,
    ) -> Result<Vec<(u32, PlaylistEntry)>, StoreError> {
        let mut tx = self.write.begin_with("begin immediate").await?;
        touch(&mut tx, playlist, now).await?;
        let json = serde_json::json!(ids).to_string();
        let rows = query!(
            r#"delete from playlist_items where playlist = ? and id in (select value from json_each(?))
               returning id as "id!", position as "position!", release as "release?", track as "track?",
               file as "file?""#,
            playlist,
            json
        )
        .fetch_all(&mut *tx)
        .await?;
        close_gaps(&mut tx, playlist).await?;
        tx.commit().await?;
        let removed = rows.into_iter().map(|row| {
            let item = Item::read(row.release, row.track, row.file)?;
            Ok((row::u32_of(row.position), PlaylistEntry { id: row.id, item }))
        });
        let mut removed = removed.collect::<Result<Vec<_>, StoreError>>()?;
        removed.sort_unstable_by_key(|(position, _)| *position);
        Ok(removed)
    }

    /// Puts removed items back to their places.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Invalid`].
    pub async fn put_back(
        &self,
        playlist: i64,
        removed: &[(u32, PlaylistEntry)],
        now: u64,
    ) -> Result<(), StoreError> {
        let mut tx = self.write.begin_with("begin immediate").await?;
        touch(&mut tx, playlist, now).await?;
        room(count(&mut tx, playlist).await? + removed.len() as i64)?;
        let mut removed = removed.to_vec();
        removed.sort_unstable_by_key(|(position, _)| *position);
        for (position, entry) in removed {
            let at = i64::from(position).min(count(&mut tx, playlist).await?);
            shift(&mut tx, playlist, at, 1).await?;
            insert(&mut tx, playlist, at, Some(entry.id), &entry.item).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Moves an item to a position. Returns the one that it had.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is no such playlist or place.
    pub async fn move_item(&self, playlist: i64, item: i64, to: u32, now: u64) -> Result<u32, StoreError> {
        let mut tx = self.write.begin_with("begin immediate").await?;
        touch(&mut tx, playlist, now).await?;
        let from = query_scalar!(
            "select position from playlist_items where playlist = ? and id = ?",
            playlist,
            item
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(|| StoreError::missing("playlist item", item))?;
        let to = i64::from(to).min(count(&mut tx, playlist).await? - 1);
        query!(
            "update playlist_items set position = case
                 when id = ?2 then ?4
                 when position > ?3 and position <= ?4 then position - 1
                 when position < ?3 and position >= ?4 then position + 1
                 else position
             end where playlist = ?1",
            playlist,
            item,
            from,
            to
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(row::u32_of(from))
    }
}

fn checked(name: &str) -> Result<&str, StoreError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(StoreError::Invalid(format!(
            "a playlist's name has 1 to {MAX_NAME} printable characters"
        )));
    }
    Ok(name)
}

fn room(items: i64) -> Result<(), StoreError> {
    if items > MAX_PLAYLIST_ITEMS as i64 {
        return Err(StoreError::Invalid(format!("a playlist has at most {MAX_PLAYLIST_ITEMS} items")));
    }
    Ok(())
}

async fn touch(db: &mut SqliteConnection, playlist: i64, now: u64) -> Result<(), StoreError> {
    let now = row::int(now);
    let done = query!("update playlists set updated_at = ? where id = ?", now, playlist).execute(db).await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::missing("playlist", playlist));
    }
    Ok(())
}

async fn count(db: &mut SqliteConnection, playlist: i64) -> Result<i64, StoreError> {
    let count = query_scalar!("select count(*) from playlist_items where playlist = ?", playlist);
    Ok(count.fetch_one(db).await?)
}

async fn shift(db: &mut SqliteConnection, playlist: i64, at: i64, by: i64) -> Result<(), StoreError> {
    query!(
        "update playlist_items set position = position + ? where playlist = ? and position >= ?",
        by,
        playlist,
        at
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn close_gaps(db: &mut SqliteConnection, playlist: i64) -> Result<(), StoreError> {
    query!(
        "update playlist_items set position = placed.position from (
             select id, row_number() over (order by position) - 1 as position
             from playlist_items where playlist = ?1
         ) as placed where playlist_items.id = placed.id",
        playlist
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn insert(
    db: &mut SqliteConnection,
    playlist: i64,
    position: i64,
    id: Option<i64>,
    item: &Item,
) -> Result<i64, StoreError> {
    let (release, track, file) = item.columns();
    let id = query_scalar!(
        r#"insert into playlist_items (id, playlist, position, release, track, file) values (?, ?, ?, ?, ?, ?)
           returning id as "id!""#,
        id,
        playlist,
        position,
        release,
        track,
        file
    );
    Ok(id.fetch_one(db).await?)
}

async fn read(db: &mut SqliteConnection, id: i64) -> Result<Option<PrivatePlaylist>, StoreError> {
    let playlist = query!("select name, created_at, updated_at from playlists where id = ?", id)
        .fetch_optional(&mut *db)
        .await?;
    let Some(playlist) = playlist else { return Ok(None) };
    let items = query!(
        "select id, release, track, file from playlist_items where playlist = ? order by position",
        id
    )
    .fetch_all(db)
    .await?;
    let entry = |row: Result<Item, StoreError>, id| Ok(PlaylistEntry { id, item: row? });
    let items = items.into_iter().map(|row| entry(Item::read(row.release, row.track, row.file), row.id));
    Ok(Some(PrivatePlaylist {
        id,
        name: playlist.name,
        created_at: row::uint(playlist.created_at),
        updated_at: row::uint(playlist.updated_at),
        items: items.collect::<Result<_, StoreError>>()?,
    }))
}
