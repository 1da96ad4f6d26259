//! Answers about releases, profiles and search, in the Api's words.

use std::collections::HashSet;

use domain::{
    Kind, PeerId, ReleaseId, SlotId,
    kinds::{self, Track},
};
use net::Blobs;
use store::{Cursor, Hit, HitKind, ReleaseDetails, ReleaseFilter, ReleaseRow, Store};

use crate::api::{
    ApiError, Credit, Profile, ReleaseDetail, ReleaseInfo, ReleaseQuery, Releases, SearchResult, Sort,
    Source, Tags, TrackInfo,
};

/// Releases listed where no limit is said.
const DEFAULT_LIMIT: u32 = 100;

/// Lists releases.
pub(crate) async fn releases(store: &Store, query: ReleaseQuery, now: u64) -> Result<Releases, ApiError> {
    let artist =
        query.artist.as_deref().map(|artist| artist.parse::<PeerId>().map_err(|_| artist.to_owned()));
    let mut filter = ReleaseFilter {
        tag: query.tag.as_deref().map(domain::normalize_tag).transpose()?,
        artist: artist.clone().and_then(Result::ok),
        artist_name: artist.and_then(Result::err),
        license: query.license,
        sort: match query.sort {
            Sort::New => store::Sort::New,
            Sort::Trending => store::Sort::Trending,
            Sort::Title => store::Sort::Title,
        },
        limit: query.limit.unwrap_or(DEFAULT_LIMIT).min(store::MAX_LIMIT),
        after: None,
        now,
    };
    filter.after = skip(store, &filter, query.offset).await?;
    let page = store.releases(&filter).await?;
    let releases = infos(store, page.releases).await?;
    Ok(Releases { releases })
}

/// Walks over the first `offset` releases.
async fn skip(store: &Store, filter: &ReleaseFilter, offset: u32) -> Result<Option<Cursor>, ApiError> {
    let (mut left, mut after) = (offset, None);
    while left > 0 {
        let limit = left.min(store::MAX_LIMIT);
        let page = store.releases(&ReleaseFilter { limit, after, ..filter.clone() }).await?;
        left -= limit;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(after)
}

/// Shows one release.
pub(crate) async fn show(
    store: &Store,
    blobs: &Blobs,
    release: &ReleaseId,
) -> Result<ReleaseDetail, ApiError> {
    let details = details(store, release).await?;
    let mut tracks = Vec::with_capacity(details.tracks.len());
    for track in &details.tracks {
        let have = blobs.find(track.track.blob.hash).await.map_or(0, |blob| blob.held_bytes());
        tracks.push(TrackInfo { have, ..track_info(track.number, &track.track) });
    }
    let collaborators = details.collaborators.iter().map(|one| Credit {
        name: one.name.clone(),
        role: one.role.clone(),
        peer_id: one.peer,
    });
    Ok(ReleaseDetail {
        collaborators: collaborators.collect(),
        description: details.description.clone(),
        waveforms: details.waveforms.map(|blob| blob.hash),
        release: ReleaseInfo { saved: details.saved, ..info(details.row) },
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
pub(crate) async fn profile(store: &Store, peer: PeerId) -> Result<Profile, ApiError> {
    let profile = written(store, peer).await?.unwrap_or_default();
    Ok(Profile {
        peer_id: peer,
        name: Some(profile.name).filter(|name| !name.is_empty()),
        bio: profile.bio,
        links: profile.links.unwrap_or_default(),
        avatar: profile.avatar.map(|blob| blob.hash),
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

/// Turns rows into the Api's words and marks what is saved.
pub(crate) async fn infos(store: &Store, rows: Vec<ReleaseRow>) -> Result<Vec<ReleaseInfo>, ApiError> {
    let saved = store.saved(store::MAX_LIMIT, 0).await?;
    let saved: HashSet<ReleaseId> = saved.into_iter().map(|saved| saved.release).collect();
    Ok(rows.into_iter().map(|row| ReleaseInfo { saved: saved.contains(&row.release), ..info(row) }).collect())
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
        source,
    }
}

/// One track in the Api's words, without how much of it is here.
pub(crate) fn track_info(number: u16, track: &Track) -> TrackInfo {
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
    }
}

fn info(row: ReleaseRow) -> ReleaseInfo {
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
        saved: false,
    }
}
