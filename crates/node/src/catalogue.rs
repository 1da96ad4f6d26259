//! Answers about releases, profiles and search, in the Api's words.

use domain::{
    Kind, PeerId, ReleaseId, SlotId,
    kinds::{self, Track},
};
use net::Blobs;
use store::{Hit, HitKind, ReleaseDetails, ReleaseFilter, ReleaseRow, Store, TrackRow};

use crate::{
    api::{
        ApiError, Credit, Profile, ReleaseDetail, ReleaseInfo, ReleaseQuery, Releases, SearchResult, Sort,
        Source, TagCount, TagInfo, Tags, TagsTop, TrackInfo,
    },
    careful,
};

/// Releases listed where no limit is said.
const DEFAULT_LIMIT: u32 = 100;

/// Lists releases.
pub(crate) async fn releases(
    store: &Store,
    own: PeerId,
    query: ReleaseQuery,
    now: u64,
) -> Result<Releases, ApiError> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).min(store::MAX_LIMIT);
    if let Some(release) = query.similar_to {
        let rows = store.similar(&release, limit).await?;
        return Ok(Releases { total: rows.len() as u64, releases: infos(rows, own) });
    }
    let filter = filter(query, limit, now)?;
    let (page, total) = tokio::try_join!(store.releases(&filter), store.count_releases(&filter))?;
    Ok(Releases { releases: infos(page.releases, own), total })
}

fn filter(query: ReleaseQuery, limit: u32, now: u64) -> Result<ReleaseFilter, ApiError> {
    let artist =
        query.artist.as_deref().map(|artist| artist.parse::<PeerId>().map_err(|_| artist.to_owned()));
    Ok(ReleaseFilter {
        tag: query.tag.as_deref().map(domain::normalize_tag).transpose()?,
        artist: artist.clone().and_then(Result::ok),
        artist_name: artist.and_then(Result::err),
        license: query.license,
        followed: query.followed,
        liked: query.liked,
        sort: match query.sort {
            Sort::New => store::Sort::New,
            Sort::Trending => store::Sort::Trending,
            Sort::Title => store::Sort::Title,
        },
        limit,
        after: None,
        offset: query.offset,
        now,
    })
}

/// Lists the tags that are shown most.
pub(crate) async fn top_tags(store: &Store, limit: Option<u32>) -> Result<TagsTop, ApiError> {
    let tags = store.top_tags(limit.unwrap_or(DEFAULT_LIMIT)).await?;
    let tags = tags.into_iter().map(|(tag, count)| TagCount { tag, count: count.into() });
    Ok(TagsTop { tags: tags.collect() })
}

/// Shows one release.
pub(crate) async fn show(
    store: &Store,
    blobs: &Blobs,
    own: PeerId,
    release: &ReleaseId,
) -> Result<ReleaseDetail, ApiError> {
    let details = details(store, release).await?;
    let mut tracks = Vec::with_capacity(details.tracks.len());
    for track in &details.tracks {
        let have = blobs.find(track.track.blob.hash).await.map_or(0, |blob| blob.held_bytes());
        tracks.push(TrackInfo { have, ..track_info(track) });
    }
    let collaborators = details.collaborators.iter().map(|one| Credit {
        name: one.name.clone(),
        role: one.role.clone(),
        peer_id: one.peer,
    });
    let tag_details = details.tags.iter().map(|tag| TagInfo {
        tag: tag.text.clone(),
        track: tag.track,
        count: tag.authors.into(),
        own: tag.own,
    });
    let held: u64 = tracks.iter().map(|track| track.have.min(track.size)).sum();
    Ok(ReleaseDetail {
        collaborators: collaborators.collect(),
        description: details.description.clone(),
        waveforms: details.waveforms.map(|blob| blob.hash),
        tag_details: tag_details.collect(),
        reports: careful::reports(store, own, Some(release), details.row.artist_id).await?,
        release: info(ReleaseRow { have: held, ..details.row }, own),
        tracks,
    })
}

/// Loads a release, or says that it is not known.
pub(crate) async fn details(store: &Store, release: &ReleaseId) -> Result<ReleaseDetails, ApiError> {
    store.release(release).await?.ok_or_else(|| unknown_release(release))
}

/// The error for a release that nobody here has heard of.
pub(crate) fn unknown_release(release: &ReleaseId) -> ApiError {
    let message = format!("no release {} is known here; is a peer connected that has it?", release.short());
    ApiError::new("release_unknown", message)
}

/// The tags of a release as they are shown.
pub(crate) async fn tags(store: &Store, release: &ReleaseId) -> Result<Tags, ApiError> {
    let shown = store.tags_of(release).await?;
    let mut tags: Vec<String> = Vec::new();
    for tag in shown {
        if !tags.contains(&tag.text) {
            tags.push(tag.text);
        }
    }
    Ok(Tags { release_id: *release, tags })
}

/// Shows a profile, also of somebody who has none.
pub(crate) async fn profile(store: &Store, own: PeerId, peer: PeerId) -> Result<Profile, ApiError> {
    let profile = written(store, peer).await?.unwrap_or_default();
    let page = store.artist(&peer).await?;
    let followed = match &page {
        Some(page) => page.followed,
        // Somebody can be followed before anything of theirs is known.
        None => store.followed(store::MAX_LIMIT).await?.iter().any(|followed| followed.artist == peer),
    };
    Ok(Profile {
        peer_id: peer,
        name: Some(profile.name).filter(|name| !name.is_empty()),
        bio: profile.bio,
        links: profile.links.unwrap_or_default(),
        avatar: profile.avatar.map(|blob| blob.hash),
        releases: page.as_ref().map_or(0, |page| page.releases.into()),
        followers: page.as_ref().map_or(0, |page| page.followers.into()),
        followed,
        mine: peer == own,
        reports: careful::reports(store, own, None, peer).await?,
    })
}

/// The profile that somebody signed, if they did.
pub(crate) async fn written(store: &Store, peer: PeerId) -> Result<Option<kinds::Profile>, ApiError> {
    let slot = SlotId::of(&peer, kinds::id::PROFILE, &kinds::Profile::default().key());
    match store.record(&slot).await? {
        Some(record) => Ok(record.read::<kinds::Profile>()?),
        None => Ok(None),
    }
}

/// Turns rows into the Api's words.
pub(crate) fn infos(rows: Vec<ReleaseRow>, own: PeerId) -> Vec<ReleaseInfo> {
    rows.into_iter().map(|row| info(row, own)).collect()
}

/// One search result in the Api's words.
pub(crate) fn result(hit: Hit, source: Source) -> SearchResult {
    SearchResult {
        kind: match hit.kind {
            HitKind::Release => "release",
            HitKind::Track => "track",
            HitKind::Artist => "artist",
            HitKind::Tag => "tag",
        }
        .to_owned(),
        release_id: hit.release,
        track: hit.track,
        title: hit.title,
        artist: hit.artist,
        artist_id: hit.artist_id,
        release_title: hit.release_title,
        cover: hit.cover,
        accent: hit.accent,
        duration_ms: hit.duration_ms.map(u64::from),
        source,
    }
}

/// One track in the Api's words, without how much of it is here.
fn track_info(row: &TrackRow) -> TrackInfo {
    let likes = row.likes.into();
    TrackInfo { likes, liked: row.liked, ..new_track_info(row.number, &row.track) }
}

/// One track in the Api's words that nobody has heard of yet.
pub(crate) fn new_track_info(number: u16, track: &Track) -> TrackInfo {
    TrackInfo {
        number,
        title: track.title.clone(),
        artist: track.artist.clone(),
        blob: track.blob.hash,
        size: track.blob.size,
        duration_ms: track.duration_ms.into(),
        codec: track.codec.name().to_owned(),
        loudness: track.loudness.map(|hundredths| f32::from(hundredths) / 100.0),
        have: 0,
        likes: 0,
        liked: false,
    }
}

fn info(row: ReleaseRow, own: PeerId) -> ReleaseInfo {
    ReleaseInfo {
        release_id: row.release,
        title: row.title,
        artist: row.artist,
        artist_id: row.artist_id,
        license: row.license,
        date: row.date,
        track_count: row.track_count,
        tags: row.tags,
        cover: row.cover.map(|blob| blob.hash),
        likes: row.likes.into(),
        saved: row.saved,
        liked: row.liked,
        mine: row.artist_id == own,
        accent: row.accent,
        duration_ms: row.duration_ms,
        have: if row.size == 0 { 0.0 } else { row.have as f32 / row.size as f32 },
        published_at: row.published_at,
    }
}
