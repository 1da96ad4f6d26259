//! What is dropped on the Studio, looked into before it is published.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use audio::{Inspection, Tags};
use futures_util::{StreamExt, stream};

use crate::{
    api::{ApiError, Draft, DraftCover, DraftTrack, Skipped},
    catalogue,
    jobs::Job,
    node::Inner,
    picture, publish, unpack,
};

/// Files that are looked at in all of what was dropped; more are refused at once.
const MAX_FOUND: usize = 10_000;
/// Entries told of what was left out.
const MAX_SKIPPED: usize = 1_000;
/// Files looked into whose findings are remembered until they are published.
const MAX_REMEMBERED: usize = 1_000;
/// Tags taken from the files' genres.
const MAX_TAGS: usize = 5;

/// Findings about files, so that publishing need not decode them a second time.
#[derive(Debug, Default)]
pub(crate) struct Findings(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    known: HashMap<Print, Arc<Inspection>>,
    order: VecDeque<Print>,
}

/// A file as it was when it was looked into.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Print {
    path: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
}

/// What was found in what was dropped.
#[derive(Debug, Default)]
struct Found {
    songs: Vec<PathBuf>,
    pictures: Vec<PathBuf>,
    skipped: Vec<Skipped>,
}

impl Findings {
    /// Looks into a file, unless that was done and it has not changed.
    pub(crate) async fn inspect(&self, path: &Path, job: &Job) -> Result<Arc<Inspection>, ApiError> {
        let meta = fs::metadata(path)?;
        let print = Print { path: path.to_owned(), size: meta.len(), modified: meta.modified().ok() };
        if let Some(known) = self.0.lock().expect("no holder panics").known.get(&print) {
            return Ok(known.clone());
        }
        let (file, size, name) = (path.to_owned(), meta.len(), publish::file_name(path));
        let looked = job.blocking("reading", &name, size, move |told| {
            audio::inspect(&file, publish::WAVEFORM, &mut |part| told((f64::from(part) * size as f64) as u64))
        });
        // The picture is read again where it is wanted: many of them would fill the memory.
        let inspection = Arc::new(Inspection { cover: None, ..looked.await?? });
        self.0.lock().expect("no holder panics").add(print, inspection.clone());
        Ok(inspection)
    }
}

impl Remembered {
    fn add(&mut self, print: Print, inspection: Arc<Inspection>) {
        if self.known.insert(print.clone(), inspection).is_none() {
            self.order.push_back(print);
        }
        while self.order.len() > MAX_REMEMBERED {
            let Some(oldest) = self.order.pop_front() else { return };
            self.known.remove(&oldest);
        }
    }
}

/// Looks into files, folders and archives, and says what would be published.
pub(crate) async fn inspect(node: &Arc<Inner>, paths: Vec<PathBuf>, job: &Job) -> Result<Draft, ApiError> {
    let folder = publish::folder(&paths);
    let found = job.run(find(node, paths, job)).await?;
    if found.songs.is_empty() && found.skipped.is_empty() {
        return Err(ApiError::new("no_files", "there is no audio file in it"));
    }
    let Found { mut songs, pictures, mut skipped } = found;
    let over = songs.split_off(songs.len().min(domain::kinds::MAX_TRACKS));
    let many = ApiError::new(
        "too_many_tracks",
        format!("a release has at most {} tracks", domain::kinds::MAX_TRACKS),
    );
    skipped.extend(over.into_iter().map(|path| Skipped::new(&path, many.clone())));
    let looked = stream::iter(songs).map(async |path| (look(node, &path, job).await, path));
    let mut tracks: Vec<(Option<Tags>, DraftTrack)> = job
        .run(async {
            Ok(looked.buffered(publish::AT_ONCE).map(|(looked, path)| track(&path, looked)).collect().await)
        })
        .await?;
    in_order(&mut tracks);
    let cover = cover(node, &pictures, &tracks, &mut skipped).await;
    skipped.truncate(MAX_SKIPPED);
    let own = catalogue::written(&node.store, node.identity.id()).await?.map(|profile| profile.name);
    Ok(describe(tracks, cover, skipped, own, folder))
}

async fn look(node: &Inner, path: &Path, job: &Job) -> Result<Arc<Inspection>, ApiError> {
    job.check()?;
    node.findings.inspect(path, job).await
}

/// Lists the songs and pictures of what was dropped, unpacking archives.
async fn find(node: &Arc<Inner>, paths: Vec<PathBuf>, job: &Job) -> Result<Found, ApiError> {
    let listed = job.blocking("looking", "", 0, move |_| list(paths)).await??;
    let mut found = Found::default();
    for path in listed {
        job.check()?;
        match unpack::kind(&path) {
            Some(kind) => open(node, &path, kind, &mut found, job).await?,
            None => found.sort(path),
        }
    }
    Ok(found)
}

async fn open(
    node: &Inner,
    path: &Path,
    kind: unpack::Archive,
    found: &mut Found,
    job: &Job,
) -> Result<(), ApiError> {
    let (drafts, file) = (node.drafts.clone(), path.to_owned());
    let (size, name) = (fs::metadata(path)?.len(), publish::file_name(path));
    let unpacked =
        job.blocking("unpacking", &name, size, move |told| unpack::unpack(&drafts, &file, kind, told));
    match unpacked.await? {
        Ok(unpacked) => {
            unpacked.files.into_iter().for_each(|file| found.sort(file));
            let skipped = unpacked.skipped.into_iter();
            found.skipped.extend(skipped.map(|(path, error)| Skipped { path, error }));
        }
        Err(error) if error.code == "cancelled" => return Err(error),
        Err(error) => found.skipped.push(Skipped::new(path, error)),
    }
    Ok(())
}

impl Found {
    fn sort(&mut self, path: PathBuf) {
        if publish::looks_like_audio(&path) {
            self.songs.push(path);
        } else if picture::looks_like_one(&path) {
            self.pictures.push(path);
        } else {
            let error = ApiError::new("not_audio", "this is neither music, a picture nor an archive");
            self.skipped.push(Skipped::new(&path, error));
        }
    }
}

impl Skipped {
    fn new(path: &Path, error: ApiError) -> Self {
        Self { path: path.display().to_string(), error }
    }
}

/// The files themselves, and what is in folders in the order of names. Links in folders are not followed.
fn list(paths: Vec<PathBuf>) -> Result<Vec<PathBuf>, ApiError> {
    let (mut files, mut seen) = (Vec::new(), 0_usize);
    let mut waiting: VecDeque<(PathBuf, bool)> = paths.into_iter().map(|path| (path, true)).collect();
    while let Some((path, named)) = waiting.pop_front() {
        seen += 1;
        if seen > MAX_FOUND {
            return Err(ApiError::new("too_many_files", format!("these are more than {MAX_FOUND} files")));
        }
        let meta = if named { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
        let meta = meta.map_err(|error| publish::at(&path, error.into()))?;
        if meta.is_dir() {
            let entries = fs::read_dir(&path).map_err(|error| publish::at(&path, error.into()))?;
            let mut inside: Vec<PathBuf> =
                entries.take(MAX_FOUND + 1).filter_map(|entry| Some(entry.ok()?.path())).collect();
            inside.sort();
            // Depth first: a folder's files stay together.
            inside.into_iter().rev().for_each(|path| waiting.push_front((path, false)));
        } else if named || meta.is_file() && is_wanted(&path) {
            files.push(path);
        }
    }
    Ok(files)
}

/// In a folder only what is used is looked at; a text beside the songs is no mistake.
fn is_wanted(path: &Path) -> bool {
    publish::looks_like_audio(path) || picture::looks_like_one(path)
}

fn track(path: &Path, looked: Result<Arc<Inspection>, ApiError>) -> (Option<Tags>, DraftTrack) {
    let mut track = DraftTrack {
        path: path.to_owned(),
        title: publish::stem(path),
        artist: None,
        album: None,
        number: None,
        duration_ms: 0,
        codec: String::new(),
        size: fs::metadata(path).map_or(0, |meta| meta.len()),
        loudness: None,
        warnings: Vec::new(),
        error: None,
    };
    let inspection = match looked {
        Ok(inspection) => inspection,
        Err(error) => return (None, DraftTrack { error: Some(error), ..track }),
    };
    let tags = inspection.tags.clone();
    track.title = tags.title.as_deref().and_then(publish::clean).unwrap_or(track.title);
    track.artist = tags.artist.as_deref().and_then(publish::clean);
    track.album = tags.album.as_deref().and_then(publish::clean);
    track.number = tags.track_number;
    track.duration_ms = u64::try_from(inspection.duration().as_millis()).unwrap_or(u64::MAX);
    track.codec = publish::measured(&inspection).codec.name().to_owned();
    track.loudness = inspection.loudness.map(|lufs| lufs as f32);
    track.warnings =
        inspection.warnings.iter().map(|odd| ApiError::new(odd.code(), odd.to_string())).collect();
    (Some(tags), track)
}

/// Puts tracks in the album's order where their tags tell one, else leaves them as they came.
fn in_order(tracks: &mut [(Option<Tags>, DraftTrack)]) {
    let place = |tags: &Option<Tags>| {
        let tags = tags.as_ref()?;
        Some((tags.disc_number.unwrap_or(1), tags.track_number?))
    };
    let places: Option<BTreeSet<_>> = tracks.iter().map(|(tags, _)| place(tags)).collect();
    if places.is_some_and(|places| places.len() == tracks.len()) {
        tracks.sort_by_key(|(tags, _)| place(tags));
    }
}

/// Finds a cover beside the songs, else in one of them.
async fn cover(
    node: &Arc<Inner>,
    pictures: &[PathBuf],
    tracks: &[(Option<Tags>, DraftTrack)],
    skipped: &mut Vec<Skipped>,
) -> Option<DraftCover> {
    let likely = picture::likeliest(pictures.iter().map(PathBuf::as_path)).map(Path::to_owned);
    let songs: Vec<PathBuf> =
        tracks.iter().filter(|(tags, _)| tags.is_some()).map(|(_, track)| track.path.clone()).collect();
    let drafts = node.drafts.clone();
    let found = tokio::task::spawn_blocking(move || {
        let bytes = match &likely {
            Some(path) => publish::image(path, publish::MAX_COVER).map(Some),
            None => Ok(publish::embedded(&songs)),
        };
        let cover = bytes.and_then(|bytes| bytes.map(picture::cover).transpose());
        let kept = cover.and_then(|cover| match cover {
            Some(cover) => {
                let (path, hash) = drafts.keep_picture(&cover.bytes)?;
                Ok(Some(DraftCover { path, hash, accent: cover.accent }))
            }
            None => Ok(None),
        });
        kept.map_err(|error| (likely, error))
    });
    match found.await {
        Ok(Ok(cover)) => cover,
        Ok(Err((path, error))) => {
            skipped.push(Skipped::new(&path.unwrap_or_default(), error));
            None
        }
        Err(_) => None,
    }
}

fn describe(
    tracks: Vec<(Option<Tags>, DraftTrack)>,
    cover: Option<DraftCover>,
    skipped: Vec<Skipped>,
    own: Option<String>,
    folder: Option<String>,
) -> Draft {
    let first = |pick: fn(&Tags) -> Option<&String>| {
        tracks.iter().find_map(|(tags, _)| pick(tags.as_ref()?).and_then(|text| publish::clean(text)))
    };
    let artist = first(|tags| tags.album_artist.as_ref()).or_else(|| first(|tags| tags.artist.as_ref()));
    let genres = tracks.iter().filter_map(|(tags, _)| tags.as_ref()?.genre.as_deref());
    let split = genres
        .flat_map(|genre| genre.split([';', ',', '/', '\0']))
        .filter_map(|tag| domain::normalize_tag(tag).ok());
    let mut tags: Vec<String> = Vec::new();
    for tag in split {
        if tags.len() < MAX_TAGS && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    let title = first(|tags| tags.album.as_ref()).or(folder);
    let title = title.or_else(|| Some(tracks.first()?.1.title.clone()));
    let license =
        publish::tagged(tracks.iter().map(|(tags, _)| {
            tags.as_ref().and_then(|tags| publish::tagged_license(tags.license.as_deref()?))
        }));
    Draft {
        title: title.unwrap_or_default(),
        artist: artist.or(own.filter(|name| !name.is_empty())).unwrap_or_default(),
        date: first(|tags| tags.date.as_ref()).and_then(|date| publish::shorten_date(&date)),
        // Where the files do not agree, whoever publishes them says which one it is.
        license: license.ok().flatten().map(|it| it.to_string()),
        tags,
        cover,
        tracks: tracks.into_iter().map(|(_, track)| track).collect(),
        skipped,
    }
}
