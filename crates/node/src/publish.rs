//! From files to a release: look into them, keep their bytes, sign, spread.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use audio::{Inspection, inspect::Warning};
use bytes::Bytes;
use domain::{
    ReleaseId,
    kinds::{BlobRef, Codec, Collaborator, License, MAX_TRACKS, Profile, Release, Track},
};
use futures_util::{StreamExt, TryStreamExt, stream};
use store::Reason;

use crate::{
    api::{self, ApiError, PublishTrack, Published, Unit},
    catalogue,
    jobs::Job,
    node::{Inner, unix_ms},
    picture,
    unsigned::Unsigned,
};

/// Bytes of one track's waveform.
pub(crate) const WAVEFORM: usize = 200;
/// Files that are looked into at once.
pub(crate) const AT_ONCE: usize = 2;
/// Longest text taken from a file's tags, in characters.
const MAX_TEXT: usize = 300;
/// Largest cover.
pub(crate) const MAX_COVER: u64 = 16 << 20;
/// Largest avatar.
const MAX_AVATAR: u64 = 4 << 20;
/// The licence where neither the artist nor the files name one.
const DEFAULT_LICENSE: &str = "CC-BY-4.0";
/// Endings of files that a folder is searched for.
const ENDINGS: [&str; 10] = ["mp3", "flac", "ogg", "oga", "opus", "wav", "m4a", "mp4", "aac", "wave"];

/// A track on its way into a release.
enum Source {
    /// A file that was looked into.
    File(Song),
    /// A track of the release that is replaced, with its waveform.
    Kept(Box<Track>, Vec<u8>),
}

struct Song {
    path: PathBuf,
    inspection: Arc<Inspection>,
}

/// The version of a release that is replaced.
struct Before {
    body: Release,
    tracks: Vec<Track>,
    waveforms: Bytes,
}

/// Publishes files as one release, or an own release anew.
pub(crate) async fn publish(
    node: &Arc<Inner>,
    request: api::Publish,
    job: &Job,
) -> Result<Published, ApiError> {
    // Refused before the work, not after it.
    if !request.rights_declared {
        let message = "only who has the right to may publish: declare that you have it";
        return Err(ApiError::new("rights_not_declared", message));
    }
    let license = request.license.as_deref().map(named_license).transpose()?;
    let before = match &request.replaces {
        Some(release) => Some(before(node, release).await?),
        None => None,
    };
    let sources = job.run(sources(node, &request, before.as_ref(), job)).await?;
    let mut warnings = warnings(&sources);
    let kept = before.as_ref().map(|before| before.body.license.clone());
    let license = match license.or(kept) {
        Some(license) => license,
        None => tagged(songs(&sources).map(song_license))?.map_or_else(
            || {
                warnings.push(format!("no licence was named: published under {DEFAULT_LICENSE}"));
                named_license(DEFAULT_LICENSE)
            },
            Ok,
        )?,
    };
    let mut release = describe(node, &request, before.as_ref(), &sources, license).await?;
    let mut unsigned = Unsigned::begin(node)?;
    let tracks = job.run(keep_tracks(&mut unsigned, &request, &sources, job)).await?;
    release.waveforms = Some(keep(&mut unsigned, waveforms(&sources)).await?);
    dress(&mut unsigned, &mut release, &request, &sources, &mut warnings).await?;
    if let Some(list) = release.place(tracks.clone()) {
        node.store.keep_track_list(&list).await?;
        keep(&mut unsigned, list.into()).await?;
    }
    job.check()?;
    let record = node.driver.publish(release).await?;
    unsigned.signed();
    job.made(record.slot);
    discard(node, &request, &sources);
    let tracks = (1..).zip(&tracks).map(|(number, track)| api::TrackInfo {
        have: track.blob.size,
        ..catalogue::new_track_info(number, track)
    });
    Ok(Published { release_id: record.slot, tracks: tracks.collect(), warnings })
}

/// Loads one's own release as it is now.
async fn before(node: &Inner, release: &ReleaseId) -> Result<Before, ApiError> {
    let details = catalogue::details(&node.store, release).await?;
    if details.row.artist_id != node.identity.id() {
        return Err(ApiError::new("not_yours", "only its artist can publish a release anew"));
    }
    let record = node.store.record(release).await?;
    let body = record.and_then(|record| record.read::<Release>().ok().flatten());
    let body = body.ok_or_else(|| catalogue::unknown_release(release))?;
    let waveforms = match body.waveforms {
        Some(blob) => match node.blobs.find(blob.hash).await {
            Ok(here) if here.is_complete() => here.read(0..here.size()).await?,
            _ => Bytes::new(),
        },
        None => Bytes::new(),
    };
    let tracks = details.tracks.into_iter().map(|row| row.track).collect();
    Ok(Before { body, tracks, waveforms })
}

/// The tracks in the album's order: those that are named, else those of the paths, else those there were.
async fn sources(
    node: &Inner,
    request: &api::Publish,
    before: Option<&Before>,
    job: &Job,
) -> Result<Vec<Source>, ApiError> {
    let named = |path: PathBuf| PublishTrack { path: Some(path), ..PublishTrack::default() };
    let wanted: Vec<PublishTrack> = match before {
        _ if !request.tracks.is_empty() => request.tracks.clone(),
        Some(before) if request.paths.is_empty() => {
            let numbers = (1..).take(before.tracks.len());
            numbers.map(|number| PublishTrack { track: Some(number), ..PublishTrack::default() }).collect()
        }
        _ => files(&request.paths)?.into_iter().map(named).collect(),
    };
    if wanted.len() > MAX_TRACKS {
        return Err(too_many(wanted.len()));
    }
    stream::iter(wanted).map(|track| source(node, track, before, job)).buffered(AT_ONCE).try_collect().await
}

async fn source(
    node: &Inner,
    wanted: PublishTrack,
    before: Option<&Before>,
    job: &Job,
) -> Result<Source, ApiError> {
    match (wanted.path, wanted.track) {
        (Some(path), None) => {
            let inspection = node.findings.inspect(&path, job).await.map_err(|error| at(&path, error))?;
            Ok(Source::File(Song { path, inspection }))
        }
        (None, Some(number)) => {
            let index = usize::from(number).wrapping_sub(1);
            let track = before.and_then(|before| Some((before, before.tracks.get(index)?)));
            let unknown = || ApiError::new("track_unknown", format!("there is no track {number} to keep"));
            let (before, track) = track.ok_or_else(unknown)?;
            let waveform = before.waveforms.get(index * WAVEFORM..(index + 1) * WAVEFORM);
            Ok(Source::Kept(Box::new(track.clone()), waveform.unwrap_or_default().to_vec()))
        }
        _ => Err(ApiError::new("bad_request", "a track is either a file or one that there was")),
    }
}

fn songs(sources: &[Source]) -> impl Iterator<Item = &Song> {
    sources.iter().filter_map(|source| match source {
        Source::File(song) => Some(song),
        Source::Kept(..) => None,
    })
}

/// Gives the release its cover and its colour.
async fn dress(
    unsigned: &mut Unsigned,
    release: &mut Release,
    request: &api::Publish,
    sources: &[Source],
    warnings: &mut Vec<String>,
) -> Result<(), ApiError> {
    if request.no_cover {
        (release.cover, release.accent) = (None, None);
        return Ok(());
    }
    let (file, kept) = (request.cover.clone(), release.cover.is_some());
    let paths: Vec<PathBuf> = songs(sources).map(|song| song.path.clone()).collect();
    let named = file.is_some();
    let found = tokio::task::spawn_blocking(move || {
        let bytes = match file {
            Some(file) => Some(image(&file, MAX_COVER)?),
            None if kept => None,
            None => embedded(&paths),
        };
        bytes.map(picture::cover).transpose()
    });
    match found.await.map_err(|_| ApiError::new("not_an_image", "the cover cannot be decoded"))? {
        Ok(Some(cover)) => {
            release.cover = Some(keep(unsigned, cover.bytes).await?);
            release.accent = cover.accent;
        }
        Ok(None) => {}
        Err(error) if named => return Err(error),
        Err(error) => warnings.push(format!("published without the files' cover: {}", error.message)),
    }
    Ok(())
}

/// The first picture that one of the files has in it.
pub(crate) fn embedded(paths: &[PathBuf]) -> Option<Bytes> {
    let picture = |path: &PathBuf| audio::tags::read(fs::File::open(path).ok()?, &mut Vec::new()).1;
    paths.iter().find_map(picture).map(|cover| cover.data.into())
}

/// Deletes what was uploaded or unpacked for this release.
fn discard(node: &Inner, request: &api::Publish, sources: &[Source]) {
    let songs = songs(sources).map(|song| song.path.as_path());
    let given = request.paths.iter().chain(&request.cover).map(PathBuf::as_path);
    node.drafts.discard(songs.chain(given));
}

/// Changes the own profile.
pub(crate) async fn profile(node: &Arc<Inner>, edit: api::ProfileEdit) -> Result<api::Profile, ApiError> {
    let own = node.identity.id();
    let before = catalogue::written(&node.store, own).await?.unwrap_or_default();
    let mut unsigned = Unsigned::begin(node)?;
    let avatar = match edit.avatar {
        Some(file) => {
            let shown = move || picture::cover(image(&file, MAX_AVATAR)?);
            let decoded = tokio::task::spawn_blocking(shown).await;
            let failed = |_| ApiError::new("not_an_image", "the picture cannot be decoded");
            Some(keep(&mut unsigned, decoded.map_err(failed)??.bytes).await?)
        }
        None => before.avatar,
    };
    let profile = Profile {
        name: edit.name.unwrap_or(before.name),
        bio: edit.bio.or(before.bio).filter(|bio| !bio.is_empty()),
        links: edit.links.or(before.links).filter(|links| !links.is_empty()),
        avatar,
    };
    node.driver.publish(profile).await?;
    unsigned.signed();
    catalogue::profile(&node.store, own, own).await
}

/// The files themselves, and those of folders in the order of their names.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ApiError> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files)?;
    }
    if files.is_empty() {
        return Err(ApiError::new("no_files", "there is no audio file to publish"));
    }
    if files.len() > MAX_TRACKS {
        return Err(too_many(files.len()));
    }
    Ok(files)
}

fn too_many(count: usize) -> ApiError {
    ApiError::new("too_many_tracks", format!("a release has at most {MAX_TRACKS} tracks, these are {count}"))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), ApiError> {
    let meta = fs::metadata(path).map_err(|error| at(path, ApiError::from(error)))?;
    if !meta.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(|error| at(path, ApiError::from(error)))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    files.extend(paths.into_iter().filter(|path| path.is_file() && looks_like_audio(path)));
    Ok(())
}

pub(crate) fn looks_like_audio(path: &Path) -> bool {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    ENDINGS.contains(&ending.as_str())
}

async fn describe(
    node: &Inner,
    request: &api::Publish,
    before: Option<&Before>,
    sources: &[Source],
    license: License,
) -> Result<Release, ApiError> {
    let old = before.map(|before| &before.body);
    let nonce = match old {
        Some(old) => old.nonce,
        None => crate::node::random_bytes()?,
    };
    let titles = named(node, request, old, sources).await?;
    let tags = request.tags.as_ref().map(|tags| tags.iter().map(|tag| domain::normalize_tag(tag)).collect());
    let tags: Option<Vec<String>> = tags.transpose()?;
    let tags = tags.or_else(|| old?.tags.clone()).filter(|tags| !tags.is_empty());
    let credits = request.collaborators.as_ref().map(|credits| credits.iter().map(collaborator).collect());
    let credits: Option<Vec<Collaborator>> = credits.or_else(|| old?.collaborators.clone());
    let notes = request.description.clone().or_else(|| old?.description.clone());
    let mut release = Release {
        nonce,
        title: titles.title,
        artist: titles.artist,
        date: titles.date,
        license,
        cover: old.and_then(|old| old.cover),
        tracks: None,
        track_list: None,
        track_count: 0,
        collaborators: credits.filter(|credits| !credits.is_empty()),
        description: notes.filter(|notes| !notes.trim().is_empty()),
        tags,
        waveforms: None,
        accent: old.and_then(|old| old.accent),
    };
    let unknown = BlobRef { hash: domain::BlobHash::of(b""), size: 1 };
    let tracks = (0..).zip(sources).map(|(index, source)| track(request, index, source, unknown));
    release.place(tracks.collect());
    // Refused now, before gigabytes are copied.
    domain::Kind::check(&release)?;
    Ok(release)
}

/// What a release is called.
struct Named {
    title: String,
    artist: String,
    date: Option<String>,
}

/// By what is said, else as it was, else by the files' tags.
async fn named(
    node: &Inner,
    request: &api::Publish,
    old: Option<&Release>,
    sources: &[Source],
) -> Result<Named, ApiError> {
    let tags = |pick: fn(&audio::Tags) -> Option<&String>| {
        songs(sources).find_map(|song| pick(&song.inspection.tags).and_then(|text| clean(text)))
    };
    let own = catalogue::written(&node.store, node.identity.id()).await?.map(|profile| profile.name);
    let artist = request.artist.clone().or_else(|| Some(old?.artist.clone()));
    let artist = artist.or_else(|| tags(|tags| tags.album_artist.as_ref()));
    let artist = artist.or_else(|| tags(|tags| tags.artist.as_ref())).or(own).filter(|name| !name.is_empty());
    let title = request.title.clone().or_else(|| Some(old?.title.clone()));
    let title = title.or_else(|| tags(|tags| tags.album.as_ref())).or_else(|| folder(&request.paths));
    let title = title.or_else(|| songs(sources).next().map(title_of));
    let date = request.date.clone().or_else(|| old?.date.clone());
    let date = date.or_else(|| tags(|tags| tags.date.as_ref()).and_then(|date| shorten_date(&date)));
    Ok(Named {
        title: title.unwrap_or_default(),
        artist: artist.unwrap_or_else(|| "Unknown artist".to_owned()),
        date: date.filter(|date| !date.is_empty()),
    })
}

fn collaborator(credit: &api::Credit) -> Collaborator {
    Collaborator { name: credit.name.clone(), role: credit.role.clone(), peer: credit.peer_id }
}

async fn keep_tracks(
    unsigned: &mut Unsigned,
    request: &api::Publish,
    sources: &[Source],
    job: &Job,
) -> Result<Vec<Track>, ApiError> {
    let mut tracks = Vec::with_capacity(sources.len());
    for (index, source) in sources.iter().enumerate() {
        job.check()?;
        let blob = match source {
            Source::Kept(track, _) => track.blob,
            Source::File(song) => keep_song(unsigned, song, job).await?,
        };
        tracks.push(track(request, index, source, blob));
    }
    Ok(tracks)
}

async fn keep_song(unsigned: &mut Unsigned, song: &Song, job: &Job) -> Result<BlobRef, ApiError> {
    let size = song.inspection.size;
    job.progress("storing", Unit::Bytes, &file_name(&song.path), 0, size);
    let info = unsigned.add_file(&song.path).await.map_err(|error| at(&song.path, error))?;
    job.progress("storing", Unit::Bytes, &file_name(&song.path), size, size);
    let blob = BlobRef { hash: info.hash, size: info.size };
    note(&unsigned.node, blob).await?;
    Ok(blob)
}

async fn keep(unsigned: &mut Unsigned, bytes: Bytes) -> Result<BlobRef, ApiError> {
    let info = unsigned.add_bytes(bytes).await?;
    let blob = BlobRef { hash: info.hash, size: info.size };
    note(&unsigned.node, blob).await?;
    Ok(blob)
}

/// Serves a file from now on.
async fn note(node: &Inner, blob: BlobRef) -> Result<(), ApiError> {
    node.store.want_blob(&blob, Reason::Published, unix_ms()).await?;
    node.store.blob_progress(&blob.hash, blob.size, true).await?;
    node.cache.note(blob.hash, Reason::Published, false);
    node.announce(&blob.hash);
    node.driver.input(peer::Input::Holding(blob.hash, true)).await;
    Ok(())
}

/// A track as it is published: by the table of tracks where it says something, else as it was or as the file says.
fn track(request: &api::Publish, index: usize, source: &Source, blob: BlobRef) -> Track {
    let said = request.tracks.get(index);
    let mut track = match source {
        Source::Kept(track, _) => Track::clone(track),
        Source::File(song) => song_track(song, blob),
    };
    if let Some(title) = said.and_then(|said| said.title.clone()) {
        track.title = title;
    }
    if let Some(artist) = said.and_then(|said| said.artist.clone()) {
        track.artist = Some(artist).filter(|artist| !artist.trim().is_empty());
    }
    track
}

fn song_track(song: &Song, blob: BlobRef) -> Track {
    let artist = song.inspection.tags.artist.as_deref().and_then(clean);
    let measured = measured(&song.inspection);
    Track {
        title: title_of(song),
        blob,
        duration_ms: measured.duration_ms,
        codec: measured.codec,
        sample_rate: measured.sample_rate,
        channels: measured.channels,
        loudness: measured.loudness,
        peak: measured.peak,
        artist,
    }
}

/// What was measured of a file, in a record's units.
pub(crate) struct Measured {
    pub(crate) duration_ms: u32,
    pub(crate) codec: Codec,
    pub(crate) sample_rate: u32,
    pub(crate) channels: u8,
    pub(crate) loudness: Option<i16>,
    pub(crate) peak: Option<i16>,
}

pub(crate) fn measured(inspection: &Inspection) -> Measured {
    let hundredths =
        |value: f64| (value * 100.0).round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16;
    Measured {
        duration_ms: u32::try_from(inspection.duration().as_millis()).unwrap_or(u32::MAX),
        codec: codec(inspection.codec),
        sample_rate: inspection.sample_rate,
        channels: u8::try_from(inspection.channels).unwrap_or(u8::MAX),
        loudness: inspection.loudness.map(hundredths),
        peak: (inspection.true_peak > 0.0).then(|| hundredths(20.0 * inspection.true_peak.log10())),
    }
}

fn codec(codec: audio::Codec) -> Codec {
    match codec {
        audio::Codec::Mp3 => Codec::Mp3,
        audio::Codec::Flac => Codec::Flac,
        audio::Codec::Vorbis => Codec::Vorbis,
        audio::Codec::Opus => Codec::Opus,
        audio::Codec::Wav => Codec::Wav,
        audio::Codec::Aac => Codec::Aac,
        audio::Codec::Alac => Codec::Alac,
    }
}

fn title_of(song: &Song) -> String {
    song.inspection.tags.title.as_deref().and_then(clean).unwrap_or_else(|| stem(&song.path))
}

/// The name of the one folder that was given.
pub(crate) fn folder(paths: &[PathBuf]) -> Option<String> {
    let [path] = paths else { return None };
    let name = path.is_dir().then(|| path.file_name())??;
    clean(&name.to_string_lossy())
}

/// A file's name without its ending.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().and_then(|stem| clean(&stem.to_string_lossy())).unwrap_or_else(|| "Untitled".to_owned())
}

/// Text of a file's tags without what a record refuses; `None` where nothing is left.
pub(crate) fn clean(text: &str) -> Option<String> {
    let printable =
        |c: char| !c.is_control() && !matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let spaced: String = text.chars().map(|c| if printable(c) { c } else { ' ' }).collect();
    let text: String = spaced.trim().chars().take(MAX_TEXT).collect();
    (!text.is_empty()).then_some(text)
}

/// The day, month or year at the beginning of a tagged date.
pub(crate) fn shorten_date(date: &str) -> Option<String> {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    [10, 7, 4]
        .into_iter()
        .find_map(|length| date.get(..length).filter(|part| digits(part)).map(str::to_owned))
}

fn named_license(text: &str) -> Result<License, ApiError> {
    text.parse().map_err(|_| {
        let all = License::ALL.join(", ");
        let message = format!("`{text:.40}` is no licence that lets others pass music on; those are {all}");
        ApiError::new("license_unknown", message)
    })
}

/// The licence that the files name; it is theirs to say only where they agree.
pub(crate) fn tagged(named: impl Iterator<Item = Option<License>>) -> Result<Option<License>, ApiError> {
    let all: Vec<Option<License>> = named.collect();
    let Some(first) = all.iter().flatten().next() else { return Ok(None) };
    if let Some(other) = all.iter().find(|other| other.as_ref() != Some(first)) {
        let other = other.as_ref().map_or("none", License::spdx);
        let message = format!("the files name different licences, {first} and {other}: say which one it is");
        return Err(ApiError::new("license_ambiguous", message));
    }
    Ok(Some(first.clone()))
}

fn song_license(song: &Song) -> Option<License> {
    tagged_license(song.inspection.tags.license.as_deref()?)
}

/// A licence that a file names by its SPDX identifier or its address at Creative Commons.
pub(crate) fn tagged_license(text: &str) -> Option<License> {
    if let Ok(license) = text.parse() {
        return Some(license);
    }
    if text.contains("creativecommons.org/publicdomain/zero") {
        return "CC0-1.0".parse().ok();
    }
    let (_, path) = text.split_once("creativecommons.org/licenses/")?;
    let mut parts = path.split(['/', ' ']);
    format!("CC-{}-{}", parts.next()?, parts.next()?).parse().ok()
}

fn waveforms(sources: &[Source]) -> Bytes {
    let peaks = sources.iter().flat_map(|source| {
        let mut peaks = match source {
            Source::File(song) => song.inspection.waveform.clone(),
            Source::Kept(_, waveform) => waveform.clone(),
        };
        peaks.resize(WAVEFORM, 0);
        peaks
    });
    peaks.collect()
}

/// Reads a picture that browsers show.
pub(crate) fn image(file: &Path, max: u64) -> Result<Bytes, ApiError> {
    let size = fs::metadata(file).map_err(|error| at(file, error.into()))?.len();
    if size > max {
        let message = format!("{} has {size} bytes, more than {max}", file.display());
        return Err(ApiError::new("image_too_large", message));
    }
    let bytes = fs::read(file).map_err(|error| at(file, error.into()))?;
    let known: [&[u8]; 4] = [b"\x89PNG", b"\xFF\xD8\xFF", b"GIF8", b"RIFF"];
    if !known.iter().any(|magic| bytes.starts_with(magic)) {
        let message = format!("{} is not a PNG, JPEG, GIF or WebP picture", file.display());
        return Err(ApiError::new("not_an_image", message));
    }
    Ok(bytes.into())
}

fn warnings(sources: &[Source]) -> Vec<String> {
    let say = |song: &Song, warning: &Warning| format!("{}: {warning}", file_name(&song.path));
    songs(sources)
        .flat_map(|song| song.inspection.warnings.iter().map(move |warning| say(song, warning)))
        .collect()
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Names the file at fault.
pub(crate) fn at(path: &Path, error: ApiError) -> ApiError {
    // Where a file is not what was meant, the place says why.
    let whole =
        matches!(error.code.as_str(), "file_not_found" | "file_vanished" | "permission_denied" | "io");
    let name = if whole { path.display().to_string() } else { file_name(path) };
    ApiError { message: format!("{name}: {}", error.message), ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_cleaned_not_refused() {
        assert_eq!(clean(" a\u{0}b\u{202E}c "), Some("a b c".into()));
        assert_eq!(clean("\n"), None);
        assert_eq!(clean(&"x".repeat(9_000)).unwrap().len(), MAX_TEXT);
    }

    #[test]
    fn the_files_say_the_licence_where_they_agree() {
        let named = |texts: &[&str]| {
            let all = texts.iter().map(|text| tagged_license(text));
            tagged(all).map(|license| license.map(|it| it.to_string())).map_err(|error| error.code)
        };
        let free = "https://creativecommons.org/licenses/by-sa/4.0/";
        assert_eq!(named(&["CC-BY-SA-4.0", free]), Ok(Some("CC-BY-SA-4.0".into())));
        assert_eq!(named(&["all rights reserved", ""]), Ok(None));
        assert_eq!(named(&["CC-BY-SA-4.0", "CC0-1.0"]), Err("license_ambiguous".into()));
        assert_eq!(named(&["CC-BY-SA-4.0", ""]), Err("license_ambiguous".into()));
        assert_eq!(named_license("MIT").unwrap_err().code, "license_unknown");
    }

    #[test]
    fn a_file_that_is_not_there_is_named_with_its_place() {
        let error = at(Path::new("/nowhere/at all/a.mp3"), ApiError::new("file_not_found", "no such file"));
        assert_eq!(error.message, "/nowhere/at all/a.mp3: no such file");
    }

    #[test]
    fn tagged_dates_keep_what_is_a_date() {
        assert_eq!(shorten_date("2004-05-01T00:00"), Some("2004-05-01".into()));
        assert_eq!(shorten_date("1999"), Some("1999".into()));
        assert_eq!(shorten_date("spring"), None);
    }
}
