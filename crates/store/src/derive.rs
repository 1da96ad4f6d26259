//! What is shown, derived from records. Each function leaves tables and index as if the record had never been there,
//! or as if it had always been.

use std::collections::BTreeSet;

use domain::{
    BlobHash, Kind, Record,
    kinds::{BlobRef, Follow, Like, Profile, Release, Report, Tag, Track, TrackList, id},
};
use serde_json::json;
use sqlx::{SqliteConnection, query, query_scalar};

use crate::{
    StoreError,
    apply::blocked_row,
    dao,
    index::{self, Doc, DocKind},
    money_records,
    row::{self, Id},
    words::{key, word_set},
};

/// Numbers of the tracks of one release in the ids of all tracks.
pub(crate) const TRACKS_PER_RELEASE: i64 = 256;
const _: () = assert!(domain::kinds::MAX_TRACKS < TRACKS_PER_RELEASE as usize);

/// What a record names a blob for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Track = 1,
    Cover = 2,
    TrackList = 3,
    Waveforms = 4,
    Avatar = 5,
}

/// Derives all of a stored record. `published` is when its slot's first version was made.
pub(crate) async fn record(
    db: &mut SqliteConnection,
    id: i64,
    record: &Record,
    published: Option<i64>,
) -> Result<(), StoreError> {
    let derived = match record.kind {
        id::PROFILE => profile(db, id, record).await,
        id::RELEASE => release(db, id, record, published).await,
        id::TAG => tag(db, id, record).await,
        id::LIKE => like(db, id, record).await,
        id::FOLLOW => follow(db, id, record).await,
        id::REPORT => report(db, id, record).await,
        id::INCOME..=id::THANKS => money_records::derive(db, id, record).await,
        id::CHARTER..=id::LEAVE => dao::derive(db, id, record).await,
        _ => Ok(()),
    };
    match derived {
        // The peer refuses such a record before it is stored; one by an older version shows nothing.
        Err(StoreError::Invalid(problem)) => tracing::debug!(slot = %record.slot, problem, "not shown"),
        other => other?,
    }
    Ok(())
}

/// Removes all that was derived from a record but its references to blobs. Returns when a release was published.
pub(crate) async fn undo(db: &mut SqliteConnection, id: i64, kind: i64) -> Result<Option<i64>, StoreError> {
    match u16::try_from(kind).unwrap_or(0) {
        id::PROFILE => undo_profile(db, id).await?,
        id::RELEASE => return undo_release(db, id).await,
        id::TAG => undo_tag(db, id).await?,
        id::LIKE => {
            query!("delete from likes where id = ?", id).execute(db).await?;
        }
        id::FOLLOW => {
            query!("delete from public_follows where id = ?", id).execute(db).await?;
        }
        id::REPORT => {
            query!("delete from reports where id = ?", id).execute(db).await?;
        }
        id::INCOME..=id::THANKS => money_records::undo(db, id).await?,
        id::CHARTER..=id::LEAVE => dao::undo(db, id).await?,
        _ => {}
    }
    Ok(None)
}

/// Derives a stored record anew, after what is blocked or known of it changed.
pub(crate) async fn again(db: &mut SqliteConnection, id: i64) -> Result<(), StoreError> {
    let row = query!("select kind, bytes from records join bodies using (id) where id = ?", id);
    let row = row.fetch_one(&mut *db).await?;
    let published = undo(db, id, row.kind).await?;
    record(db, id, &crate::records::parse(row.bytes)?, published).await
}

/// Shows the tags of every release anew.
pub(crate) async fn show_all_tags(db: &mut SqliteConnection) -> Result<(), StoreError> {
    query!("delete from shown_tags").execute(&mut *db).await?;
    query!(
        "insert into shown_tags (release, track, text, authors)
         select releases.id, tags.track, tags.text, count(distinct tags.author)
         from tags join releases on releases.slot = tags.release join node
         group by releases.id, tags.track, tags.text
         having count(distinct tags.author) >= 2 or max(tags.author = releases.author)
         or max(tags.author = node.owner)"
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn profile(db: &mut SqliteConnection, id: i64, record: &Record) -> Result<(), StoreError> {
    let Some(profile) = read::<Profile>(record)? else { return Ok(()) };
    if let Some(avatar) = profile.avatar {
        refer(db, id, Role::Avatar, &[(0, avatar)]).await?;
    }
    if hidden(db, record).await? {
        return Ok(());
    }
    let (author, name_key) = (record.author.sql(), key(&profile.name));
    query!(
        "insert into profiles (id, author, name, name_key) values (?, ?, ?, ?)",
        id,
        author,
        profile.name,
        name_key
    )
    .execute(&mut *db)
    .await?;
    index::add(db, &[(DocKind::Artist.doc(id), word_set(&[&profile.name]))]).await
}

async fn undo_profile(db: &mut SqliteConnection, id: i64) -> Result<(), StoreError> {
    let name = query_scalar!(r#"delete from profiles where id = ? returning name as "name!""#, id)
        .fetch_optional(&mut *db)
        .await?;
    let Some(name) = name else { return Ok(()) };
    index::remove(db, &[(DocKind::Artist.doc(id), word_set(&[&name]))]).await
}

async fn release(
    db: &mut SqliteConnection,
    id: i64,
    record: &Record,
    published: Option<i64>,
) -> Result<(), StoreError> {
    let Some(release) = read::<Release>(record)? else { return Ok(()) };
    let tracks = tracks(db, &release).await?;
    refer_all(db, id, &release, &tracks).await?;
    if hidden(db, record).await? {
        return Ok(());
    }
    let blocked = blocked_blobs(db, id).await?;
    let made = row::int(record.created_at);
    insert_release(db, id, record, &release, published.map_or(made, |first| first.min(made)), &blocked)
        .await?;
    let shown = tracks.iter().enumerate().map(|(at, track)| (at + 1, track));
    let shown: Vec<_> = shown.filter(|(_, track)| !blocked.contains(&track.blob.hash)).collect();
    insert_tracks(db, id, &shown).await?;
    insert_body_tags(db, id, record, release.tags.as_deref().unwrap_or_default()).await?;
    show_tags(db, record.slot.sql()).await?;
    index::add(db, &docs(db_release(&release), id, shown.iter().map(|(at, track)| as_named(*at, track))))
        .await
}

async fn insert_release(
    db: &mut SqliteConnection,
    id: i64,
    record: &Record,
    release: &Release,
    published: i64,
    blocked: &BTreeSet<BlobHash>,
) -> Result<(), StoreError> {
    let (slot, author) = (record.slot.sql(), record.author.sql());
    let (title_key, artist_key) = (key(&release.title), key(&release.artist));
    let license = release.license.spdx();
    let cover = release.cover.filter(|cover| !blocked.contains(&cover.hash));
    let (cover, cover_size) = halves(cover.as_ref());
    let (list, list_size) = halves(release.track_list.as_ref());
    let (made, count) = (row::int(record.created_at), i64::from(release.track_count));
    query!(
        "insert into releases (id, slot, author, title, title_key, artist, artist_key, date, license, cover,
         cover_size, track_count, track_list, track_list_size, published_at, updated_at, accent)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        id,
        slot,
        author,
        release.title,
        title_key,
        release.artist,
        artist_key,
        release.date,
        license,
        cover,
        cover_size,
        count,
        list,
        list_size,
        published,
        made,
        release.accent
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn insert_tracks(
    db: &mut SqliteConnection,
    release: i64,
    tracks: &[(usize, &Track)],
) -> Result<(), StoreError> {
    let rows: Vec<_> = tracks.iter().map(|(number, track)| track_row(release, *number, track)).collect();
    let rows = json!(rows).to_string();
    query!(
        "insert into tracks (id, title, title_key, artist, artist_key, blob, size, duration_ms, codec, sample_rate, channels,
         loudness, peak)
         select json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
         json_extract(value, '$[3]'), json_extract(value, '$[4]'), unhex(json_extract(value, '$[5]')),
         json_extract(value, '$[6]'), json_extract(value, '$[7]'), json_extract(value, '$[8]'),
         json_extract(value, '$[9]'), json_extract(value, '$[10]'), json_extract(value, '$[11]'),
         json_extract(value, '$[12]')
         from json_each(?)",
        rows
    )
    .execute(db)
    .await?;
    Ok(())
}

fn track_row(release: i64, number: usize, track: &Track) -> serde_json::Value {
    json!([
        track_id(release, number),
        track.title,
        key(&track.title),
        track.artist,
        track.artist.as_deref().map(key),
        track.blob.hash.to_string(),
        track.blob.size,
        track.duration_ms,
        domain::kinds::Codec::ALL.iter().position(|codec| *codec == track.codec),
        track.sample_rate,
        track.channels,
        track.loudness,
        track.peak
    ])
}

async fn insert_body_tags(
    db: &mut SqliteConnection,
    id: i64,
    record: &Record,
    tags: &[String],
) -> Result<(), StoreError> {
    let (slot, author, made) = (record.slot.sql(), record.author.sql(), row::int(record.created_at));
    for text in tags {
        query!(
            "insert or ignore into tags (record, text, author, release, track, created_at) values (?, ?, ?, ?, 0, ?)",
            id,
            text,
            author,
            slot,
            made
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

async fn undo_release(db: &mut SqliteConnection, id: i64) -> Result<Option<i64>, StoreError> {
    let release = query!("select title, artist, published_at from releases where id = ?", id)
        .fetch_optional(&mut *db)
        .await?;
    let Some(release) = release else { return Ok(None) };
    let (first, last) = (track_id(id, 0), track_id(id + 1, 0) - 1);
    let tracks = query!(
        r#"delete from tracks where id between ? and ?
           returning id as "id!", title as "title!", artist as "artist?""#,
        first,
        last
    )
    .fetch_all(&mut *db)
    .await?;
    let named = tracks.iter().map(|track| Named {
        number: track.id % TRACKS_PER_RELEASE,
        title: &track.title,
        artist: track.artist.as_deref(),
    });
    index::remove(db, &docs((&release.title, &release.artist), id, named)).await?;
    query!("delete from tags where record = ?", id).execute(&mut *db).await?;
    query!("delete from shown_tags where release = ?", id).execute(&mut *db).await?;
    query!("delete from releases where id = ?", id).execute(db).await?;
    Ok(Some(release.published_at))
}

async fn tag(db: &mut SqliteConnection, id: i64, record: &Record) -> Result<(), StoreError> {
    let Some(tag) = read::<Tag>(record)? else { return Ok(()) };
    if hidden(db, record).await? {
        return Ok(());
    }
    let (author, release) = (record.author.sql(), tag.release.sql());
    let (track, made) = (i64::from(tag.track.unwrap_or(0)), row::int(record.created_at));
    query!(
        "insert into tags (record, text, author, release, track, created_at) values (?, ?, ?, ?, ?, ?)",
        id,
        tag.text,
        author,
        release,
        track,
        made
    )
    .execute(&mut *db)
    .await?;
    show_tag(db, release, track, &tag.text).await
}

async fn undo_tag(db: &mut SqliteConnection, id: i64) -> Result<(), StoreError> {
    let tag = query!(
        r#"delete from tags where record = ?
           returning release as "release!", track as "track!", text as "text!""#,
        id
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(tag) = tag else { return Ok(()) };
    show_tag(db, &tag.release, tag.track, &tag.text).await
}

/// Shows one tag of one release or not, by who gave it.
async fn show_tag(
    db: &mut SqliteConnection,
    release: &[u8],
    track: i64,
    text: &str,
) -> Result<(), StoreError> {
    query!(
        "delete from shown_tags
         where release = (select id from releases where slot = ?) and track = ? and text = ?",
        release,
        track,
        text
    )
    .execute(&mut *db)
    .await?;
    query!(
        "insert into shown_tags (release, track, text, authors)
         select releases.id, tags.track, tags.text, count(distinct tags.author)
         from tags join releases on releases.slot = tags.release join node
         where tags.release = ? and tags.track = ? and tags.text = ?
         group by releases.id
         having count(distinct tags.author) >= 2 or max(tags.author = releases.author)
         or max(tags.author = node.owner)",
        release,
        track,
        text
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Shows the tags of a release that came just now.
async fn show_tags(db: &mut SqliteConnection, release: &[u8]) -> Result<(), StoreError> {
    query!(
        "insert into shown_tags (release, track, text, authors)
         select releases.id, tags.track, tags.text, count(distinct tags.author)
         from tags join releases on releases.slot = tags.release join node
         where tags.release = ?
         group by releases.id, tags.track, tags.text
         having count(distinct tags.author) >= 2 or max(tags.author = releases.author)
         or max(tags.author = node.owner)",
        release
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn like(db: &mut SqliteConnection, id: i64, record: &Record) -> Result<(), StoreError> {
    let Some(like) = read::<Like>(record)? else { return Ok(()) };
    if hidden(db, record).await? {
        return Ok(());
    }
    let (author, release) = (record.author.sql(), like.release.sql());
    let (track, made) = (i64::from(like.track.unwrap_or(0)), row::int(record.created_at));
    query!(
        "insert into likes (id, author, release, track, created_at) values (?, ?, ?, ?, ?)",
        id,
        author,
        release,
        track,
        made
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn follow(db: &mut SqliteConnection, id: i64, record: &Record) -> Result<(), StoreError> {
    let Some(follow) = read::<Follow>(record)? else { return Ok(()) };
    if hidden(db, record).await? {
        return Ok(());
    }
    let (author, artist) = (record.author.sql(), follow.artist.sql());
    query!("insert into public_follows (id, author, artist) values (?, ?, ?)", id, author, artist)
        .execute(db)
        .await?;
    Ok(())
}

async fn report(db: &mut SqliteConnection, id: i64, record: &Record) -> Result<(), StoreError> {
    let Some(report) = read::<Report>(record)? else { return Ok(()) };
    if hidden(db, record).await? {
        return Ok(());
    }
    let author = record.author.sql();
    let ((what, target), reason) = (blocked_row(&report.entry), report.reason as i64);
    query!(
        "insert into reports (id, author, what, target, reason, note) values (?, ?, ?, ?, ?, ?)",
        id,
        author,
        what,
        target,
        reason,
        report.note
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A track's names, from a record or from its row.
struct Named<'a> {
    number: i64,
    title: &'a str,
    artist: Option<&'a str>,
}

fn as_named(number: usize, track: &Track) -> Named<'_> {
    Named { number: number as i64, title: &track.title, artist: track.artist.as_deref() }
}

fn db_release(release: &Release) -> (&str, &str) {
    (&release.title, &release.artist)
}

/// The documents of a release and its tracks.
fn docs<'a>(
    (title, artist): (&str, &str),
    release: i64,
    tracks: impl Iterator<Item = Named<'a>>,
) -> Vec<Doc> {
    let track_doc = |track: Named<'_>| {
        let id = release * TRACKS_PER_RELEASE + track.number;
        (DocKind::Track.doc(id), word_set(&[track.title, track.artist.unwrap_or(artist), title]))
    };
    let release_doc = (DocKind::Release.doc(release), word_set(&[title, artist]));
    std::iter::once(release_doc).chain(tracks.map(track_doc)).collect()
}

fn track_id(release: i64, number: usize) -> i64 {
    release * TRACKS_PER_RELEASE + number as i64
}

pub(crate) fn read<K: Kind>(record: &Record) -> Result<Option<K>, StoreError> {
    record.read::<K>().map_err(|error| StoreError::Invalid(error.to_string()))
}

/// The tracks of a release as far as they are known.
async fn tracks(db: &mut SqliteConnection, release: &Release) -> Result<Vec<Track>, StoreError> {
    if let Some(tracks) = &release.tracks {
        return Ok(tracks.clone());
    }
    let Some(list) = &release.track_list else { return Ok(Vec::new()) };
    let hash = list.hash.sql();
    let bytes =
        query_scalar!("select bytes from track_lists where blob = ?", hash).fetch_optional(db).await?;
    let list = bytes.and_then(|bytes| TrackList::from_bytes(&bytes, release.track_count).ok());
    Ok(list.map_or_else(Vec::new, |list| list.tracks))
}

async fn refer_all(
    db: &mut SqliteConnection,
    id: i64,
    release: &Release,
    tracks: &[Track],
) -> Result<(), StoreError> {
    let blobs: Vec<_> = (1..).zip(tracks.iter().map(|track| track.blob)).collect();
    refer(db, id, Role::Track, &blobs).await?;
    let single = [
        (Role::Cover, release.cover),
        (Role::TrackList, release.track_list),
        (Role::Waveforms, release.waveforms),
    ];
    for (role, blob) in single {
        if let Some(blob) = blob {
            refer(db, id, role, &[(0, blob)]).await?;
        }
    }
    Ok(())
}

pub(crate) async fn refer(
    db: &mut SqliteConnection,
    record: i64,
    role: Role,
    blobs: &[(i64, BlobRef)],
) -> Result<(), StoreError> {
    let rows: Vec<_> =
        blobs.iter().map(|(number, blob)| json!([blob.hash.to_string(), number, blob.size])).collect();
    let (rows, role) = (json!(rows).to_string(), role as i64);
    query!(
        "insert or ignore into blob_refs (blob, record, role, number, size)
         select unhex(json_extract(value, '$[0]')), ?1, ?2, json_extract(value, '$[1]'), json_extract(value, '$[2]')
         from json_each(?3)",
        record,
        role,
        rows
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Says whether the user blocked the record's author or the record itself.
async fn hidden(db: &mut SqliteConnection, record: &Record) -> Result<bool, StoreError> {
    let (author, slot) = (record.author.sql(), record.slot.sql());
    let hidden = query_scalar!(
        r#"select exists (
               select 1 from blocked where (what = 0 and id = ?) or (what = 1 and id = ?)
           ) as "hidden!: bool""#,
        author,
        slot
    );
    Ok(hidden.fetch_one(db).await?)
}

async fn blocked_blobs(db: &mut SqliteConnection, record: i64) -> Result<BTreeSet<BlobHash>, StoreError> {
    let blobs = query_scalar!(
        "select blob from blob_refs where record = ? and blob in (select id from blocked where what = 2)",
        record
    )
    .fetch_all(db)
    .await?;
    blobs.iter().map(|blob| row::id(blob)).collect()
}

fn halves(blob: Option<&BlobRef>) -> (Option<&[u8]>, Option<i64>) {
    (blob.map(|blob| blob.hash.sql()), blob.map(|blob| row::int(blob.size)))
}
