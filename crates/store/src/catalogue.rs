//! What the swarm offers, as the user may see it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use domain::{
    BlobHash, MAX_AHEAD_MS, PeerId, ReleaseId, SlotId,
    kinds::{BlobRef, Codec, Collaborator, Playlist, PlaylistItem, Profile, Release, Track, id},
    normalize_tag,
};
use sqlx::{QueryBuilder, Sqlite, query, query_scalar};

use crate::{
    Store, StoreError,
    apply::live,
    derive::TRACKS_PER_RELEASE,
    row::{self, Id},
    words::key,
};

/// Likes and tags older than this do not make a release trend.
pub const TRENDING_WINDOW_MS: u64 = 14 * 24 * 60 * 60 * 1000;
/// What a like or tag by somebody whom the user follows weighs beside a stranger's.
pub const TRENDING_FOLLOWED_WEIGHT: u32 = 10;

/// Newest likes, and as many tags, that are weighed for what trends.
const TRENDING_VOTES: i64 = 20_000;
/// Tags shown beside a release in a list.
const ROW_TAGS: usize = 10;
/// Tags of a release that similar ones are looked for by, the rarest first.
const SIMILAR_TAGS: i64 = 12;
/// Releases looked at for one of those tags.
const SIMILAR_PER_TAG: i64 = 400;

/// Which releases to list, and how.
#[derive(Clone, Debug, Default)]
pub struct ReleaseFilter {
    /// With this tag, in any spelling.
    pub tag: Option<String>,
    /// By this artist.
    pub artist: Option<PeerId>,
    /// By artists of this name, in any spelling.
    pub artist_name: Option<String>,
    /// Under this licence (SPDX).
    pub license: Option<String>,
    /// By artists whom the user follows.
    pub followed: bool,
    /// That the user likes in public.
    pub liked: bool,
    /// In this order.
    pub sort: Sort,
    /// At most so many; never more than [`crate::MAX_LIMIT`].
    pub limit: u32,
    /// After the last page.
    pub after: Option<Cursor>,
    /// After so many more.
    pub offset: u32,
    /// The time in unix milliseconds.
    pub now: u64,
}

/// The order of a list of releases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Published last first. What claims to come from the future is left out.
    #[default]
    New,
    /// Liked and tagged most by people whom the user follows, and by others.
    Trending,
    /// By title.
    Title,
}

/// Where the next page of a list begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    id: i64,
    /// A title's key, a time or a position, by the list's order.
    at: String,
}

/// A part of a list of releases.
#[derive(Clone, Debug, Default)]
pub struct ReleasePage {
    /// The releases.
    pub releases: Vec<ReleaseRow>,
    /// Where there may be more.
    pub next: Option<Cursor>,
}

/// A release in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRow {
    /// The release.
    pub release: ReleaseId,
    /// Who published it.
    pub artist_id: PeerId,
    /// Its title.
    pub title: String,
    /// The artists as they want to be named.
    pub artist: String,
    /// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    pub date: Option<String>,
    /// SPDX identifier of the licence.
    pub license: String,
    /// Image.
    pub cover: Option<BlobRef>,
    /// How many tracks it has.
    pub track_count: u16,
    /// When the first version that this node saw was made, by the artist's clock, in unix milliseconds.
    pub published_at: u64,
    /// When this version was made.
    pub updated_at: u64,
    /// The cover's colour as `0xRRGGBB`.
    pub accent: Option<u32>,
    /// Length of all its tracks in milliseconds.
    pub duration_ms: u64,
    /// Bytes of its tracks.
    pub size: u64,
    /// Bytes of them that are here, as far as the index of blobs has been told.
    pub have: u64,
    /// How many people like it.
    pub likes: u32,
    /// Whether the user likes it in public.
    pub liked: bool,
    /// Whether it is in the user's library.
    pub saved: bool,
    /// The tags that most people gave.
    pub tags: Vec<String>,
}

/// All of a release.
#[derive(Clone, Debug)]
pub struct ReleaseDetails {
    /// As in a list.
    pub row: ReleaseRow,
    /// Liner notes.
    pub description: Option<String>,
    /// Who else made it.
    pub collaborators: Vec<Collaborator>,
    /// One blob with the waveform of every track.
    pub waveforms: Option<BlobRef>,
    /// The list of tracks, where it is a blob.
    pub track_list: Option<BlobRef>,
    /// The tracks that are known and not blocked.
    pub tracks: Vec<TrackRow>,
    /// All shown tags, also those of single tracks.
    pub tags: Vec<TagRow>,
}

/// A track of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackRow {
    /// From 1.
    pub number: u16,
    /// The track.
    pub track: Track,
    /// How many people like it.
    pub likes: u32,
    /// Whether the user likes it in public.
    pub liked: bool,
    /// Whether it is in the user's library.
    pub saved: bool,
}

/// A tag of a release or track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRow {
    /// The word.
    pub text: String,
    /// The track's number, or the whole release.
    pub track: Option<u16>,
    /// How many people gave it.
    pub authors: u32,
    /// Whether the user gave it.
    pub own: bool,
}

/// An artist's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtistRow {
    /// The artist.
    pub artist: PeerId,
    /// The name from the profile, else from the newest release.
    pub name: String,
    /// A few words.
    pub bio: Option<String>,
    /// Web addresses.
    pub links: Vec<String>,
    /// Image.
    pub avatar: Option<BlobRef>,
    /// How many releases there are.
    pub releases: u32,
    /// How many people follow in public.
    pub followers: u32,
    /// Whether the user follows.
    pub followed: bool,
}

/// A playlist that somebody published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicPlaylist {
    /// The playlist.
    pub slot: SlotId,
    /// Who published it.
    pub author: PeerId,
    /// Its title.
    pub title: String,
    /// What it is about.
    pub description: Option<String>,
    /// When this version was made, by its author's clock.
    pub updated_at: u64,
    /// In playing order.
    pub items: Vec<PlaylistItem>,
}

/// Why a stored record names a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobUse {
    /// A track of a release, by number.
    Track(ReleaseId, u16),
    /// A release's cover.
    Cover(ReleaseId),
    /// A release's list of tracks.
    TrackList(ReleaseId),
    /// A release's waveforms.
    Waveforms(ReleaseId),
    /// Somebody's image.
    Avatar(PeerId),
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Releases shown.
    pub releases: u64,
    /// Tracks shown.
    pub tracks: u64,
    /// People with a profile or a release.
    pub artists: u64,
    /// Stored records of every kind.
    pub records: u64,
    /// Bytes of them.
    pub record_bytes: u64,
}

/// `id:position`.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id, self.at)
    }
}

impl FromStr for Cursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let parts = text.split_once(':').and_then(|(id, at)| Some((id.parse().ok()?, at.into())));
        let (id, at) = parts.ok_or_else(|| StoreError::Invalid("the page's name is malformed".into()))?;
        Ok(Self { id, at })
    }
}

impl Store {
    /// Lists releases.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a cursor of another order.
    pub async fn releases(&self, filter: &ReleaseFilter) -> Result<ReleasePage, StoreError> {
        let mut sql = QueryBuilder::new("select releases.id, ");
        sql.push(match filter.sort {
            Sort::New => "cast(published_at as text)",
            Sort::Title => "title_key",
            Sort::Trending => "''",
        });
        sql.push(" from releases");
        let skip = match (filter.sort, &filter.after) {
            (Sort::Trending, Some(after)) => number(&after.at)?,
            _ => 0,
        };
        if filter.sort == Sort::Trending {
            self.push_trending(&mut sql, filter.now);
        }
        self.push_filter(&mut sql, filter)?;
        if self.hides_anything().await? {
            push_hidden(&mut sql, filter, true);
        }
        push_order(&mut sql, filter, skip)?;
        let rows: Vec<(i64, String)> = sql.build_query_as().fetch_all(&self.read).await?;
        let ids: Vec<i64> = rows.iter().map(|(id, _)| *id).collect();
        let full = ids.len() as i64 >= row::limit(filter.limit) && !ids.is_empty();
        let next = rows.into_iter().next_back().filter(|_| full).map(|(id, at)| match filter.sort {
            Sort::Trending => {
                Cursor { id: 0, at: (skip + i64::from(filter.offset) + ids.len() as i64).to_string() }
            }
            Sort::New | Sort::Title => Cursor { id, at },
        });
        Ok(ReleasePage { releases: self.rows(&ids).await?, next })
    }

    /// Counts the releases that a filter lets through, on whatever page they are.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a malformed tag.
    pub async fn count_releases(&self, filter: &ReleaseFilter) -> Result<u64, StoreError> {
        let mut counted = 0;
        // Few are hidden or from the future: to count those and subtract them is cheaper than to look at every one.
        for (part, sign) in [(Part::All, 1), (Part::Future, -1), (Part::Hidden, -1)] {
            if part == Part::Future && filter.sort != Sort::New
                || part == Part::Hidden && !self.hides_anything().await?
            {
                continue;
            }
            let mut sql = QueryBuilder::new("select count(*) from releases");
            if filter.sort == Sort::Trending {
                self.push_trending(&mut sql, filter.now);
            }
            if part != Part::All || filter.narrows() {
                self.push_filter(&mut sql, filter)?;
            }
            match part {
                Part::Future => push_future(&mut sql, filter),
                Part::Hidden => push_hidden(&mut sql, filter, false),
                Part::All => {}
            }
            let count: i64 = sql.build_query_scalar().fetch_one(&self.read).await?;
            counted += sign * count;
        }
        Ok(row::uint(counted))
    }

    /// Reads releases as in a list, in the order asked for; what is not shown is left out.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn release_rows(&self, releases: &[ReleaseId]) -> Result<Vec<ReleaseRow>, StoreError> {
        let releases = &releases[..releases.len().min(crate::MAX_BATCH)];
        let json = row::ids(releases);
        let found = query!(
            "select id, slot from releases where slot in (select unhex(value) from json_each(?))",
            json
        )
        .fetch_all(&self.read)
        .await?;
        let found: BTreeMap<&[u8], i64> = found.iter().map(|row| (row.slot.as_slice(), row.id)).collect();
        let ids: Vec<i64> = releases.iter().filter_map(|release| found.get(release.sql()).copied()).collect();
        self.rows(&ids).await
    }

    /// Reads all of a release.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn release(&self, release: &ReleaseId) -> Result<Option<ReleaseDetails>, StoreError> {
        let Some(row) = self.release_rows(std::slice::from_ref(release)).await?.pop() else {
            return Ok(None);
        };
        let Some(record) = self.record(release).await? else { return Ok(None) };
        let Ok(Some(body)) = record.read::<Release>() else { return Ok(None) };
        Ok(Some(ReleaseDetails {
            row,
            description: body.description,
            collaborators: body.collaborators.unwrap_or_default(),
            waveforms: body.waveforms,
            track_list: body.track_list,
            tracks: self.tracks(release, 0, TRACKS_PER_RELEASE - 1).await?,
            tags: self.tags_of(release).await?,
        }))
    }

    /// Reads one track.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn track(&self, release: &ReleaseId, number: u16) -> Result<Option<TrackRow>, StoreError> {
        let number = i64::from(number);
        if !(1..TRACKS_PER_RELEASE).contains(&number) {
            return Ok(None);
        }
        Ok(self.tracks(release, number, number).await?.pop())
    }

    /// Reads an artist's page; `None` where there is neither a profile nor a release.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn artist(&self, artist: &PeerId) -> Result<Option<ArtistRow>, StoreError> {
        let names = self.names(std::slice::from_ref(artist)).await?;
        let Some((_, name)) = names.into_iter().next() else { return Ok(None) };
        let author = artist.sql();
        let row = query!(
            r#"select (select slot from profiles join records using (id) where profiles.author = ?1) as "profile?",
               (select count(*) from releases where author = ?1) as "releases!",
               (select count(distinct author) from public_follows where artist = ?1) as "followers!""#,
            author
        )
        .fetch_one(&self.read)
        .await?;
        let profile = match row.profile {
            Some(slot) => self.record(&row::id(&slot)?).await?,
            None => None,
        };
        let profile = profile.and_then(|record| record.read::<Profile>().ok().flatten()).unwrap_or_default();
        Ok(Some(ArtistRow {
            artist: *artist,
            name,
            bio: profile.bio,
            links: profile.links.unwrap_or_default(),
            avatar: self.unless_blocked(profile.avatar).await?,
            releases: row::u32_of(row.releases),
            followers: row::u32_of(row.followers),
            followed: self.follows(artist).await?,
        }))
    }

    /// Finds people's names: from their profile, else from their newest release. Who has neither is left out.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn names(&self, people: &[PeerId]) -> Result<Vec<(PeerId, String)>, StoreError> {
        let json = row::ids(&people[..people.len().min(crate::MAX_BATCH)]);
        let rows = query!(
            r#"select peer as "peer!: Vec<u8>", name as "name!: String" from (
                   select unhex(value) as peer, coalesce(
                       (select name from profiles where author = unhex(value)),
                       (select artist from releases where author = unhex(value) order by published_at desc limit 1)
                   ) as name from json_each(?)
               ) where name is not null"#,
            json
        )
        .fetch_all(&self.read)
        .await?;
        rows.into_iter().map(|row| Ok((row::id(&row.peer)?, row.name))).collect()
    }

    /// Lists the tags that a release and its tracks show: of two people or more, of the artist, or the user's own.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn tags_of(&self, release: &ReleaseId) -> Result<Vec<TagRow>, StoreError> {
        let (slot, owner, limit) = (release.sql(), self.owner.sql(), row::limit(u32::MAX));
        let rows = query!(
            r#"select text, track, authors, exists (
                   select 1 from tags where tags.release = ?1 and tags.track = shown_tags.track
                   and tags.text = shown_tags.text and tags.author = ?2
               ) as "own!: bool"
               from shown_tags where release = (select id from releases where slot = ?1)
               order by authors desc, text limit ?3"#,
            slot,
            owner,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| TagRow {
                text: row.text,
                track: row::track_of(row.track),
                authors: row::u32_of(row.authors),
                own: row.own,
            })
            .collect())
    }

    /// Lists shown tags that begin so, with how often each is shown, the most used first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn tags(&self, prefix: &str, limit: u32) -> Result<Vec<(String, u32)>, StoreError> {
        // One letter is a fine beginning, but not a whole tag.
        let prefix = normalize_tag(prefix).unwrap_or_else(|_| prefix.trim().to_lowercase());
        let (end, limit) = (format!("{prefix}{}", char::MAX), row::limit(limit));
        let rows = query!(
            "select text, uses from tag_totals where text >= ? and text < ? order by uses desc, text limit ?",
            prefix,
            end,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        Ok(rows.into_iter().map(|row| (row.text, row::u32_of(row.uses))).collect())
    }

    /// Lists the tags that are shown most.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn top_tags(&self, limit: u32) -> Result<Vec<(String, u32)>, StoreError> {
        let limit = row::limit(limit);
        let rows = query!(
            "select text, uses from tag_totals
             where not exists (select 1 from hidden where what = 2 and id = cast(text as blob))
             order by uses desc, text limit ?",
            limit
        )
        .fetch_all(&self.read)
        .await?;
        Ok(rows.into_iter().map(|row| (row.text, row::u32_of(row.uses))).collect())
    }

    /// Lists releases that share tags with this one; a rare tag counts more.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn similar(&self, release: &ReleaseId, limit: u32) -> Result<Vec<ReleaseRow>, StoreError> {
        let slot = release.sql();
        let tags = query!(
            r#"select distinct tag_totals.text as "text!", uses as "uses!" from shown_tags join tag_totals using (text)
               where release = (select id from releases where slot = ?) order by uses limit ?"#,
            slot,
            SIMILAR_TAGS
        )
        .fetch_all(&self.read)
        .await?;
        let mut scores: BTreeMap<i64, f64> = BTreeMap::new();
        for tag in tags {
            let others = query_scalar!(
                "select distinct release from shown_tags where text = ?
                 and release <> (select id from releases where slot = ?) order by release desc limit ?",
                tag.text,
                slot,
                SIMILAR_PER_TAG
            )
            .fetch_all(&self.read)
            .await?;
            for other in others {
                *scores.entry(other).or_default() += 1.0 / (1.0 + tag.uses as f64).ln();
            }
        }
        let hidden = query_scalar!(
            r#"select id as "id!" from releases where slot in (select id from hidden where what = 1)
               or author in (select id from hidden where what = 0)"#
        );
        for release in hidden.fetch_all(&self.read).await? {
            scores.remove(&release);
        }
        let mut ranked: Vec<(i64, f64)> = scores.into_iter().collect();
        ranked.sort_by(|one, two| two.1.total_cmp(&one.1).then(two.0.cmp(&one.0)));
        let ids: Vec<i64> =
            ranked.iter().take(limit.min(crate::MAX_LIMIT) as usize).map(|(id, _)| *id).collect();
        self.rows(&ids).await
    }

    /// Lists what somebody likes in public, the newest first; the track's number, or the whole release.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn likes_of(
        &self,
        author: &PeerId,
        limit: u32,
    ) -> Result<Vec<(ReleaseId, Option<u16>)>, StoreError> {
        let (author, limit) = (author.sql(), row::limit(limit));
        let rows = query!(
            "select release, track from likes where author = ? order by created_at desc, id desc limit ?",
            author,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|row| Ok((row::id(&row.release)?, row::track_of(row.track)))).collect()
    }

    /// Lists people who like a release or a track of it: they are likely to have it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn likers(&self, release: &ReleaseId, limit: u32) -> Result<Vec<PeerId>, StoreError> {
        let (release, limit) = (release.sql(), row::limit(limit));
        let authors =
            query_scalar!("select distinct author from likes where release = ? limit ?", release, limit)
                .fetch_all(&self.read)
                .await?;
        authors.iter().map(|author| row::id(author)).collect()
    }

    /// Lists public playlists, of one person or of everybody, those stored last first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn public_playlists(
        &self,
        author: Option<&PeerId>,
        limit: u32,
    ) -> Result<Vec<PublicPlaylist>, StoreError> {
        let records = match author {
            Some(author) if self.is_blocked(author).await? => Vec::new(),
            Some(author) => self.records_of(author, id::PLAYLIST, limit).await?,
            None => self.records_of_kind(id::PLAYLIST, limit).await?,
        };
        Ok(records.iter().filter_map(public_playlist).collect())
    }

    /// Reads a public playlist.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn public_playlist(&self, slot: &SlotId) -> Result<Option<PublicPlaylist>, StoreError> {
        let Some(record) = self.record(slot).await? else { return Ok(None) };
        let blocked = self.is_blocked(&record.author).await?;
        Ok(public_playlist(&record).filter(|_| !blocked))
    }

    /// Lists whom somebody follows in public.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn public_follows(&self, author: &PeerId, limit: u32) -> Result<Vec<PeerId>, StoreError> {
        let (author, limit) = (author.sql(), row::limit(limit));
        let artists = query_scalar!(
            "select artist from public_follows where author = ? order by id desc limit ?",
            author,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        artists.iter().map(|artist| row::id(artist)).collect()
    }

    /// Lists the shown tracks with this content.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn tracks_of_blob(&self, hash: &BlobHash) -> Result<Vec<(ReleaseId, u16)>, StoreError> {
        let uses = self.blob_uses(hash).await?.into_iter();
        Ok(uses
            .filter_map(|one| match one {
                BlobUse::Track(release, number) => Some((release, number)),
                _ => None,
            })
            .collect())
    }

    /// Lists why records that are shown name a blob.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn blob_uses(&self, hash: &BlobHash) -> Result<Vec<BlobUse>, StoreError> {
        let (blob, limit) = (hash.sql(), row::limit(u32::MAX));
        let rows = query!(
            "select role, number, slot, author from blob_refs join records on records.id = blob_refs.record
             where blob = ?1
             and not exists (select 1 from blocked where what = 0 and blocked.id = author)
             and not exists (select 1 from blocked where what = 1 and blocked.id = slot)
             and not exists (select 1 from blocked where what = 2 and blocked.id = ?1)
             limit ?2",
            blob,
            limit
        )
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(match row.role {
                    1 => BlobUse::Track(row::id(&row.slot)?, row::u16_of(row.number)),
                    2 => BlobUse::Cover(row::id(&row.slot)?),
                    3 => BlobUse::TrackList(row::id(&row.slot)?),
                    4 => BlobUse::Waveforms(row::id(&row.slot)?),
                    _ => BlobUse::Avatar(row::id(&row.author)?),
                })
            })
            .collect()
    }

    /// Says whether a record that is shown names the blob, and it is not blocked.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn blob_servable(&self, hash: &BlobHash) -> Result<bool, StoreError> {
        let mut connection = self.read.acquire().await?;
        live(&mut connection, hash.sql()).await
    }

    /// Counts what there is.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        let row = query!(
            r#"select (select count(*) from releases) as "releases!", (select count(*) from tracks) as "tracks!",
               (select count(*) from (select author from releases union select author from profiles)) as "artists!",
               (select count(*) from records) as "records!",
               (select coalesce(sum(len), 0) from records) as "bytes!: i64""#
        )
        .fetch_one(&self.read)
        .await?;
        Ok(Counts {
            releases: row::uint(row.releases),
            tracks: row::uint(row.tracks),
            artists: row::uint(row.artists),
            records: row::uint(row.records),
            record_bytes: row::uint(row.bytes),
        })
    }

    /// Reads releases by their rows' ids, in that order.
    pub(crate) async fn rows(&self, ids: &[i64]) -> Result<Vec<ReleaseRow>, StoreError> {
        let (json, owner) = (serde_json::json!(ids).to_string(), self.owner.sql());
        let mut tags = self.row_tags(&json).await?;
        let rows = query!(
            r#"select releases.id as "id!", slot, author, releases.title, releases.artist, date, license, cover, cover_size, accent,
               track_count, published_at, updated_at, coalesce(likes, 0) as "likes!: i64",
               exists (select 1 from likes where release = slot and track = 0 and author = ?2) as "liked!: bool",
               exists (select 1 from saved where release = slot and track = 0) as "saved!: bool",
               coalesce(sum(duration_ms), 0) as "duration_ms!: i64", coalesce(sum(tracks.size), 0) as "size!: i64",
               coalesce(sum(have), 0) as "have!: i64"
               from json_each(?1) as wanted join releases on releases.id = wanted.value
               left join like_totals on like_totals.release = slot and like_totals.track = 0
               left join tracks on tracks.id between releases.id * 256 and releases.id * 256 + 255
               left join blobs on blobs.hash = tracks.blob
               group by wanted.key order by wanted.key + 0"#,
            json,
            owner
        )
        .fetch_all(&self.read)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(ReleaseRow {
                    release: row::id(&row.slot)?,
                    artist_id: row::id(&row.author)?,
                    title: row.title,
                    artist: row.artist,
                    date: row.date,
                    license: row.license,
                    cover: row::blob_ref(row.cover, row.cover_size)?,
                    track_count: row::u16_of(row.track_count),
                    published_at: row::uint(row.published_at),
                    updated_at: row::uint(row.updated_at),
                    accent: row.accent.map(row::u32_of),
                    duration_ms: row::uint(row.duration_ms),
                    size: row::uint(row.size),
                    have: row::uint(row.have),
                    likes: row::u32_of(row.likes),
                    liked: row.liked,
                    saved: row.saved,
                    tags: tags.remove(&row.id).unwrap_or_default(),
                })
            })
            .collect()
    }

    async fn row_tags(&self, ids: &str) -> Result<BTreeMap<i64, Vec<String>>, StoreError> {
        let rows = query!(
            "select release, text from shown_tags where release in (select value from json_each(?)) and track = 0
             order by release, authors desc, text",
            ids
        )
        .fetch_all(&self.read)
        .await?;
        let mut tags: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for row in rows {
            let tags = tags.entry(row.release).or_default();
            if tags.len() < ROW_TAGS {
                tags.push(row.text);
            }
        }
        Ok(tags)
    }

    async fn tracks(&self, release: &ReleaseId, from: i64, to: i64) -> Result<Vec<TrackRow>, StoreError> {
        let (slot, owner) = (release.sql(), self.owner.sql());
        let rows = query!(
            r#"select tracks.id % 256 as "number!: i64", tracks.title, tracks.artist, blob, size, duration_ms, codec,
               sample_rate, channels, loudness, peak, coalesce(likes, 0) as "likes!: i64",
               exists (select 1 from likes where release = ?1 and track = tracks.id % 256 and author = ?2)
               as "liked!: bool",
               exists (select 1 from saved where release = ?1 and track = tracks.id % 256) as "saved!: bool"
               from releases join tracks on tracks.id between releases.id * 256 + ?3 and releases.id * 256 + ?4
               left join like_totals on like_totals.release = ?1 and like_totals.track = tracks.id % 256
               where releases.slot = ?1 order by tracks.id"#,
            slot,
            owner,
            from,
            to
        )
        .fetch_all(&self.read)
        .await?;
        rows.into_iter()
            .map(|row| {
                let track = Track {
                    title: row.title,
                    blob: BlobRef { hash: row::id(&row.blob)?, size: row::uint(row.size) },
                    duration_ms: row::u32_of(row.duration_ms),
                    codec: codec(row.codec).unwrap_or(Codec::Mp3),
                    sample_rate: row::u32_of(row.sample_rate),
                    channels: row::u8_of(row.channels),
                    loudness: row.loudness.map(row::i16_of),
                    peak: row.peak.map(row::i16_of),
                    artist: row.artist,
                };
                Ok(TrackRow {
                    number: row::u16_of(row.number),
                    track,
                    likes: row::u32_of(row.likes),
                    liked: row.liked,
                    saved: row.saved,
                })
            })
            .collect()
    }

    /// Joins the votes of the last days: one of each person for each release, none for one's own.
    fn push_trending(&self, sql: &mut QueryBuilder<Sqlite>, now: u64) {
        let (from, to) = (row::int(now.saturating_sub(TRENDING_WINDOW_MS)), row::int(now + MAX_AHEAD_MS));
        sql.push(" join (select release, sum(weight) as score from (select distinct release, author, ");
        sql.push("case when exists (select 1 from follows where artist = author) or author = ");
        sql.push_bind(self.owner.sql().to_vec()).push(" then ").push_bind(TRENDING_FOLLOWED_WEIGHT);
        sql.push(" else 1 end as weight from (");
        for (at, table) in ["likes", "tags"].into_iter().enumerate() {
            sql.push(if at == 0 { "" } else { " union all " });
            sql.push("select * from (select release, author from ").push(table);
            sql.push(" where created_at between ").push_bind(from).push(" and ").push_bind(to);
            sql.push(" order by created_at desc limit ").push_bind(TRENDING_VOTES).push(")");
        }
        sql.push(
            ")) as votes where author <> coalesce((select author from releases where slot = release), x'')",
        );
        sql.push(" group by release) as trend on trend.release = releases.slot");
    }

    fn push_filter(&self, sql: &mut QueryBuilder<Sqlite>, filter: &ReleaseFilter) -> Result<(), StoreError> {
        sql.push(" where true");
        if let Some(tag) = &filter.tag {
            let tag = normalize_tag(tag).map_err(|error| StoreError::Invalid(error.to_string()))?;
            sql.push(" and releases.id in (select release from shown_tags where text = ")
                .push_bind(tag)
                .push(")");
        }
        if let Some(artist) = &filter.artist {
            sql.push(" and releases.author = ").push_bind(artist.sql().to_vec());
        }
        if let Some(name) = &filter.artist_name {
            let name = key(name);
            sql.push(" and (artist_key = ").push_bind(name.clone());
            sql.push(" or releases.author in (select author from profiles where name_key = ").push_bind(name);
            sql.push("))");
        }
        if let Some(license) = &filter.license {
            sql.push(" and license = ").push_bind(license.clone());
        }
        if filter.followed {
            sql.push(" and releases.author in (select artist from follows union");
            sql.push(" select artist from public_follows where author = ");
            sql.push_bind(self.owner.sql().to_vec()).push(")");
        }
        if filter.liked {
            sql.push(" and releases.slot in (select release from likes where track = 0 and author = ");
            sql.push_bind(self.owner.sql().to_vec()).push(")");
        }
        Ok(())
    }

    async fn follows(&self, artist: &PeerId) -> Result<bool, StoreError> {
        let (artist, owner) = (artist.sql(), self.owner.sql());
        let followed = query_scalar!(
            r#"select exists (select 1 from follows where artist = ?1)
               or exists (select 1 from public_follows where artist = ?1 and author = ?2) as "followed!: bool""#,
            artist,
            owner
        );
        Ok(followed.fetch_one(&self.read).await?)
    }

    async fn is_blocked(&self, author: &PeerId) -> Result<bool, StoreError> {
        let author = author.sql();
        let blocked = query_scalar!(
            r#"select exists (select 1 from blocked where what = 0 and id = ?) as "yes!: bool""#,
            author
        );
        Ok(blocked.fetch_one(&self.read).await?)
    }

    async fn unless_blocked(&self, blob: Option<BlobRef>) -> Result<Option<BlobRef>, StoreError> {
        match blob {
            Some(blob) if !self.blob_servable(&blob.hash).await? => Ok(None),
            other => Ok(other),
        }
    }
}

pub(crate) fn codec(number: i64) -> Option<Codec> {
    Codec::ALL.get(usize::try_from(number).ok()?).copied()
}

/// Parts of a list that are counted one by one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    Future,
    Hidden,
}

impl ReleaseFilter {
    fn narrows(&self) -> bool {
        let words = [&self.tag, &self.artist_name, &self.license];
        words.iter().any(|word| word.is_some()) || self.artist.is_some() || self.followed || self.liked
    }
}

fn push_future(sql: &mut QueryBuilder<Sqlite>, filter: &ReleaseFilter) {
    sql.push(" and published_at > ").push_bind(row::int(filter.now.saturating_add(MAX_AHEAD_MS)));
}

/// Leaves out what the user hid, or keeps only that. An artist who is asked for is not hidden.
fn push_hidden(sql: &mut QueryBuilder<Sqlite>, filter: &ReleaseFilter, out: bool) {
    sql.push(if out { " and not (" } else { " and (" });
    sql.push("releases.slot in (select id from hidden where what = 1)");
    if filter.artist.is_none() {
        sql.push(" or releases.author in (select id from hidden where what = 0)");
    }
    sql.push(")");
}

fn push_order(sql: &mut QueryBuilder<Sqlite>, filter: &ReleaseFilter, skip: i64) -> Result<(), StoreError> {
    match filter.sort {
        Sort::New => {
            sql.push(" and published_at <= ").push_bind(row::int(filter.now.saturating_add(MAX_AHEAD_MS)));
            if let Some(after) = &filter.after {
                sql.push(" and (published_at, releases.id) < (").push_bind(number(&after.at)?);
                sql.push(", ").push_bind(after.id).push(")");
            }
            sql.push(" order by published_at desc, releases.id desc");
        }
        Sort::Title => {
            if let Some(after) = &filter.after {
                sql.push(" and (title_key, releases.id) > (").push_bind(after.at.clone());
                sql.push(", ").push_bind(after.id).push(")");
            }
            sql.push(" order by title_key, releases.id");
        }
        Sort::Trending => {
            sql.push(" order by trend.score desc, published_at desc, releases.id desc");
        }
    }
    sql.push(" limit ")
        .push_bind(row::limit(filter.limit))
        .push(" offset ")
        .push_bind(skip + i64::from(filter.offset));
    Ok(())
}

fn number(text: &str) -> Result<i64, StoreError> {
    text.parse().map_err(|_| StoreError::Invalid("the page's name is of another order".into()))
}

fn public_playlist(record: &domain::Record) -> Option<PublicPlaylist> {
    let playlist = record.read::<Playlist>().ok()??;
    Some(PublicPlaylist {
        slot: record.slot,
        author: record.author,
        title: playlist.title,
        description: playlist.description,
        updated_at: record.created_at,
        items: playlist.items,
    })
}
