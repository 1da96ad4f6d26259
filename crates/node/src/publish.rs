//! From files to a release: look into them, keep their bytes, sign, spread.

use std::{
    ffi::OsStr,
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use audio::{Inspection, inspect::Warning};
use bytes::Bytes;
use domain::kinds::{BlobRef, Codec, License, MAX_TRACKS, Profile, Release, Track};
use futures_util::{StreamExt, TryStreamExt, stream};
use store::Reason;

use crate::{
    api::{self, ApiError, Published, Unit},
    catalogue,
    jobs::Job,
    node::{Inner, unix_ms},
    unsigned::Unsigned,
};

/// Bytes of one track's waveform.
const WAVEFORM: usize = 200;
/// Files that are looked into at once.
const AT_ONCE: usize = 2;
/// Longest text taken from a file's tags, in characters.
const MAX_TEXT: usize = 300;
/// Largest cover.
const MAX_COVER: u64 = 16 << 20;
/// Largest avatar.
const MAX_AVATAR: u64 = 4 << 20;
/// The licence where neither the artist nor the files name one.
const DEFAULT_LICENSE: &str = "CC-BY-4.0";
/// Endings of files that a folder is searched for.
const ENDINGS: [&str; 10] = ["mp3", "flac", "ogg", "oga", "opus", "wav", "m4a", "mp4", "aac", "wave"];

/// A file that was looked into.
struct Song {
    path: PathBuf,
    inspection: Inspection,
}

/// Publishes files as one release.
pub(crate) async fn publish(
    node: &Arc<Inner>,
    request: api::Publish,
    job: &Job,
) -> Result<Published, ApiError> {
    // Refused before the work, not after it.
    let license = request.license.as_deref().map(str::parse::<License>).transpose()?;
    let paths = files(&request.paths)?;
    let songs = job.run(inspect_all(paths, job)).await?;
    let mut warnings = warnings(&songs);
    let license = match license.or_else(|| songs.iter().find_map(tagged_license)) {
        Some(license) => license,
        None => {
            warnings.push(format!("no licence was named: published under {DEFAULT_LICENSE}"));
            DEFAULT_LICENSE.parse()?
        }
    };
    let mut release = describe(node, &request, &songs, license).await?;
    let mut unsigned = Unsigned::begin(node)?;
    let tracks = job.run(keep_tracks(&mut unsigned, &songs, job)).await?;
    release.waveforms = Some(keep(&mut unsigned, waveforms(&songs)).await?);
    release.cover = match cover(&request, &songs)? {
        Some(cover) => Some(keep(&mut unsigned, cover).await?),
        None => None,
    };
    if let Some(list) = release.place(tracks.clone()) {
        node.store.keep_track_list(&list).await?;
        keep(&mut unsigned, list.into()).await?;
    }
    job.check()?;
    let record = node.driver.publish(release).await?;
    unsigned.signed();
    let tracks = (1..).zip(&tracks).map(|(number, track)| api::TrackInfo {
        have: track.blob.size,
        ..catalogue::new_track_info(number, track)
    });
    Ok(Published { release_id: record.slot, tracks: tracks.collect(), warnings })
}

/// Changes the own profile.
pub(crate) async fn profile(node: &Arc<Inner>, edit: api::ProfileEdit) -> Result<api::Profile, ApiError> {
    let own = node.identity.id();
    let before = catalogue::written(&node.store, own).await?.unwrap_or_default();
    let mut unsigned = Unsigned::begin(node)?;
    let avatar = match edit.avatar {
        Some(file) => Some(keep(&mut unsigned, image(&file, MAX_AVATAR)?).await?),
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
        let message = format!("a release has at most {MAX_TRACKS} tracks, these are {}", files.len());
        return Err(ApiError::new("too_many_tracks", message));
    }
    Ok(files)
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

async fn inspect_all(paths: Vec<PathBuf>, job: &Job) -> Result<Vec<Song>, ApiError> {
    let songs = stream::iter(paths).map(|path| inspect(path, job)).buffered(AT_ONCE);
    songs.try_collect().await
}

async fn inspect(path: PathBuf, job: &Job) -> Result<Song, ApiError> {
    let name = file_name(&path);
    let size = fs::metadata(&path).map_err(|error| at(&path, error.into()))?.len();
    let (told, mut progress) = tokio::sync::watch::channel(0.0_f32);
    let cancelled = job.token();
    let file = path.clone();
    let mut work = tokio::task::spawn_blocking(move || {
        audio::inspect(&file, WAVEFORM, &mut |part| {
            told.send_replace(part);
            if cancelled.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    loop {
        tokio::select! {
            done = &mut work => {
                let inspection = done.map_err(|_| ApiError::new("file_damaged", "the file cannot be decoded"));
                let inspection = inspection.and_then(|done| done.map_err(ApiError::from));
                job.progress("reading", Unit::Bytes, &name, size, size);
                return Ok(Song { inspection: inspection.map_err(|error| at(&path, error))?, path });
            }
            Ok(()) = progress.changed() => {
                let part = f64::from(*progress.borrow_and_update());
                job.progress("reading", Unit::Bytes, &name, (part * size as f64) as u64, size);
            }
        }
    }
}

async fn describe(
    node: &Inner,
    request: &api::Publish,
    songs: &[Song],
    license: License,
) -> Result<Release, ApiError> {
    let tags = |pick: fn(&audio::Tags) -> Option<&String>| {
        songs.iter().find_map(|song| pick(&song.inspection.tags).and_then(|text| clean(text)))
    };
    let first = songs.first().map(title).unwrap_or_default();
    let own = catalogue::written(&node.store, node.identity.id()).await?.map(|profile| profile.name);
    let artist = request.artist.clone().or_else(|| tags(|tags| tags.album_artist.as_ref()));
    let artist = artist.or_else(|| tags(|tags| tags.artist.as_ref())).or(own);
    let date =
        request.date.clone().or_else(|| tags(|tags| tags.date.as_ref()).and_then(|date| shorten_date(&date)));
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| ApiError::new("no_randomness", error.to_string()))?;
    let own_tags: Vec<String> =
        request.tags.iter().map(|tag| domain::normalize_tag(tag)).collect::<Result<_, _>>()?;
    let mut release = Release {
        nonce,
        title: request.title.clone().or_else(|| tags(|tags| tags.album.as_ref())).unwrap_or(first),
        artist: artist.unwrap_or_else(|| "Unknown artist".to_owned()),
        date,
        license,
        cover: None,
        tracks: None,
        track_list: None,
        track_count: 0,
        collaborators: None,
        description: None,
        tags: Some(own_tags).filter(|tags| !tags.is_empty()),
        waveforms: None,
        accent: None,
    };
    release.place(
        songs.iter().map(|song| track(song, BlobRef { hash: domain::BlobHash::of(b""), size: 1 })).collect(),
    );
    // Refused now, before gigabytes are copied.
    domain::Kind::check(&release)?;
    Ok(release)
}

async fn keep_tracks(unsigned: &mut Unsigned, songs: &[Song], job: &Job) -> Result<Vec<Track>, ApiError> {
    let mut tracks = Vec::with_capacity(songs.len());
    for song in songs {
        job.check()?;
        let size = song.inspection.size;
        job.progress("storing", Unit::Bytes, &file_name(&song.path), 0, size);
        let info = unsigned.add_file(&song.path).await.map_err(|error| at(&song.path, error))?;
        job.progress("storing", Unit::Bytes, &file_name(&song.path), size, size);
        let blob = BlobRef { hash: info.hash, size: info.size };
        note(&unsigned.node, blob).await?;
        tracks.push(track(song, blob));
    }
    Ok(tracks)
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

fn track(song: &Song, blob: BlobRef) -> Track {
    let artist = song.inspection.tags.artist.as_deref().and_then(clean);
    let measured = measured(&song.inspection);
    Track {
        title: title(song),
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

fn title(song: &Song) -> String {
    let tagged = song.inspection.tags.title.as_deref().and_then(clean);
    let stem = || song.path.file_stem().and_then(|stem| clean(&stem.to_string_lossy()));
    tagged.or_else(stem).unwrap_or_else(|| "Untitled".to_owned())
}

/// Text of a file's tags without what a record refuses; `None` where nothing is left.
fn clean(text: &str) -> Option<String> {
    let printable =
        |c: char| !c.is_control() && !matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let spaced: String = text.chars().map(|c| if printable(c) { c } else { ' ' }).collect();
    let text: String = spaced.trim().chars().take(MAX_TEXT).collect();
    (!text.is_empty()).then_some(text)
}

/// The day, month or year at the beginning of a tagged date.
fn shorten_date(date: &str) -> Option<String> {
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    [10, 7, 4]
        .into_iter()
        .find_map(|length| date.get(..length).filter(|part| digits(part)).map(str::to_owned))
}

/// A licence that a file names by its SPDX identifier or its address at Creative Commons.
fn tagged_license(song: &Song) -> Option<License> {
    let text = song.inspection.tags.license.as_deref()?;
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

fn waveforms(songs: &[Song]) -> Bytes {
    let peaks = songs.iter().flat_map(|song| {
        let mut peaks = song.inspection.waveform.clone();
        peaks.resize(WAVEFORM, 0);
        peaks
    });
    peaks.collect()
}

fn cover(request: &api::Publish, songs: &[Song]) -> Result<Option<Bytes>, ApiError> {
    match &request.cover {
        Some(file) => image(file, MAX_COVER).map(Some),
        None => Ok(songs
            .iter()
            .find_map(|song| song.inspection.cover.as_ref())
            .map(|cover| cover.data.clone().into())),
    }
}

/// Reads a picture that browsers show.
fn image(file: &Path, max: u64) -> Result<Bytes, ApiError> {
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

fn warnings(songs: &[Song]) -> Vec<String> {
    let say = |song: &Song, warning: &Warning| format!("{}: {warning}", file_name(&song.path));
    songs
        .iter()
        .flat_map(|song| song.inspection.warnings.iter().map(move |warning| say(song, warning)))
        .collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Names the file at fault.
fn at(path: &Path, error: ApiError) -> ApiError {
    ApiError { message: format!("{}: {}", file_name(path), error.message), ..error }
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
    fn tagged_dates_keep_what_is_a_date() {
        assert_eq!(shorten_date("2004-05-01T00:00"), Some("2004-05-01".into()));
        assert_eq!(shorten_date("1999"), Some("1999".into()));
        assert_eq!(shorten_date("spring"), None);
    }
}
