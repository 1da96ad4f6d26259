//! What is saved, followed, liked and listed here; none of it leaves the disk unless the user says so.

use std::{
    collections::VecDeque,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Mutex,
    time::UNIX_EPOCH,
};

use domain::{PeerId, ReleaseId};
use store::{Item, PrivatePlaylist, Store};

use crate::{
    api::{
        ApiError, Followed, Follows, HistoryEntry, Library, LibraryTotals, Listed, LocalFile, Playlist,
        PlaylistCommand, PlaylistItem, Playlists, QueueItem, Unit,
    },
    catalogue,
    jobs::Job,
    publish,
};

/// Entries of a list that are shown where no limit is said.
const DEFAULT_LIMIT: u32 = 100;
/// Deleted playlists that can be brought back.
const MAX_DELETED: usize = 20;
/// Most audio files of one folder.
const MAX_FILES: usize = 100_000;

/// Playlists that were deleted since the start, the last one last.
#[derive(Debug, Default)]
pub(crate) struct Deleted(Mutex<VecDeque<PrivatePlaylist>>);

/// A part of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    offset: u32,
    limit: u32,
}

impl Page {
    pub(crate) const FIRST: Self = Self { offset: 0, limit: store::MAX_LIMIT };

    pub(crate) fn new(offset: u32, limit: Option<u32>) -> Self {
        Self { offset, limit: limit.unwrap_or(DEFAULT_LIMIT) }
    }
}

/// Lists the beginnings of the library's lists.
pub(crate) async fn list(store: &Store, own: PeerId) -> Result<Library, ApiError> {
    let saved = saved(store, own, Page::FIRST).await?.saved;
    Ok(Library { saved, ..files(store, "", Page::FIRST).await? })
}

/// Lists a part of what is saved.
pub(crate) async fn saved(store: &Store, own: PeerId, page: Page) -> Result<Library, ApiError> {
    let rows = store.saved_releases(page.limit, page.offset).await?;
    Ok(Library { saved: catalogue::infos(rows, own), ..empty(store).await? })
}

/// Lists a part of the user's own files.
pub(crate) async fn files(store: &Store, query: &str, page: Page) -> Result<Library, ApiError> {
    let found = store.files(query, page.limit, page.offset).await?;
    let files = found.into_iter().map(|(id, file)| shown(id, file)).collect();
    let mut library = Library { files, ..empty(store).await? };
    if !query.trim().is_empty() {
        library.totals.files = store.count_files(query).await?;
    }
    Ok(library)
}

/// Lists a part of what was played, latest first.
pub(crate) async fn history(store: &Store, page: Page) -> Result<Library, ApiError> {
    let played = store.history(page.limit, None, page.offset).await?;
    let items: Vec<Item> = played.iter().map(|(_, played)| played.item).collect();
    let shown = listed(store, &items).await?;
    let history = played.into_iter().zip(shown).map(|((_, played), listed)| {
        let (release_id, track, file) = parts(&played.item);
        HistoryEntry { release_id, track, file, listed, played_at: played.at }
    });
    Ok(Library { history: history.collect(), ..empty(store).await? })
}

fn shown(id: i64, file: store::LocalFile) -> LocalFile {
    LocalFile {
        file: id,
        path: file.path,
        title: file.title,
        artist: Some(file.artist).filter(|artist| !artist.is_empty()),
        album: Some(file.album).filter(|album| !album.is_empty()),
        duration_ms: file.duration_ms.into(),
    }
}

async fn empty(store: &Store) -> Result<Library, ApiError> {
    let store::LibraryTotals { saved, files, history } = store.library_totals().await?;
    Ok(Library { totals: LibraryTotals { saved, files, history }, ..Library::default() })
}

/// What lists show of items, in their order.
pub(crate) async fn listed(store: &Store, items: &[Item]) -> Result<Vec<Listed>, ApiError> {
    let mut all = Vec::with_capacity(items.len());
    for batch in items.chunks(store::MAX_BATCH) {
        let shown = store.shown_items(batch).await?;
        all.extend(shown.into_iter().map(|shown| shown.map(Listed::from).unwrap_or_default()));
    }
    Ok(all)
}

impl From<store::Shown> for Listed {
    fn from(shown: store::Shown) -> Self {
        Self {
            title: shown.title,
            artist: shown.artist,
            artist_id: shown.artist_id,
            release_title: shown.release_title,
            cover: shown.cover.map(|cover| cover.hash),
            accent: shown.accent,
            duration_ms: shown.duration_ms.into(),
        }
    }
}

impl From<QueueItem> for Item {
    fn from(item: QueueItem) -> Self {
        match item {
            QueueItem::Track { release, track } => Self::Track { release, number: track },
            QueueItem::File { file } => Self::File(file),
        }
    }
}

/// The release and the track's number, or the file's.
pub(crate) fn parts(item: &Item) -> (Option<ReleaseId>, Option<u16>, Option<i64>) {
    match *item {
        Item::Track { release, number } => (Some(release), Some(number), None),
        Item::File(file) => (None, None, Some(file)),
    }
}

/// Lists whom this node follows.
pub(crate) async fn follows(store: &Store) -> Result<Follows, ApiError> {
    let followed = store.followed(store::MAX_LIMIT).await?;
    let ids: Vec<PeerId> = followed.iter().map(|one| one.artist).collect();
    let names = store.names(&ids).await?;
    let name = |id| names.iter().find(|(peer, _)| *peer == id).map(|(_, name)| name.clone());
    let mut follows: Vec<Followed> = followed
        .into_iter()
        .map(|one| Followed { artist_id: one.artist, name: name(one.artist), public: one.public })
        .collect();
    follows.sort_by(|one, two| (&one.name, one.artist_id).cmp(&(&two.name, two.artist_id)));
    Ok(Follows { follows })
}

/// Carries out a command on private playlists, and shows what came of it.
pub(crate) async fn playlist(
    store: &Store,
    deleted: &Deleted,
    command: PlaylistCommand,
    now: u64,
) -> Result<Playlists, ApiError> {
    let shown = match command {
        PlaylistCommand::List { playlist } => playlist,
        PlaylistCommand::Create { title } => Some(store.create_playlist(&title, now).await?),
        PlaylistCommand::Rename { playlist, title } => {
            store.rename_playlist(playlist, &title, now).await?;
            Some(playlist)
        }
        PlaylistCommand::Add { playlist, items, at } => {
            let items: Vec<Item> = items.into_iter().map(Item::from).collect();
            store.insert_items(playlist, at, &items, now).await?;
            Some(playlist)
        }
        PlaylistCommand::Move { playlist, from, to } => {
            let entry = entry(&load(store, playlist).await?, from)?;
            store.move_item(playlist, entry, to, now).await?;
            Some(playlist)
        }
        PlaylistCommand::Remove { playlist, index } => {
            let entry = entry(&load(store, playlist).await?, index)?;
            store.remove_items(playlist, &[entry], now).await?;
            Some(playlist)
        }
        PlaylistCommand::Delete { playlist } => {
            deleted.push(store.delete_playlist(playlist).await?);
            None
        }
        PlaylistCommand::Restore { playlist } => {
            store.restore_playlist(&deleted.take(playlist)?).await?;
            Some(playlist)
        }
    };
    match shown {
        Some(playlist) => Ok(Playlists { playlists: vec![show(store, playlist).await?] }),
        None => all(store).await,
    }
}

/// Adds a folder of one's own files, with the folders in it; files that are not audio are passed over.
pub(crate) async fn add_folder(store: &Store, folder: &Path, job: &Job, now: u64) -> Result<(), ApiError> {
    add(store, audio_files(folder)?, job, now).await.map(drop)
}

/// Adds one's own files, or those of folders, and shows them in that order.
///
/// # Errors
/// `too_many_files`, those of the disk, and where nothing can be played why the first cannot.
pub(crate) async fn add_files(
    store: &Store,
    paths: Vec<PathBuf>,
    job: &Job,
    now: u64,
) -> Result<Library, ApiError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() { files.extend(audio_files(&path)?) } else { files.push(path) }
    }
    if files.len() > MAX_FILES {
        return Err(too_many());
    }
    match add(store, files, job, now).await? {
        (added, Some(error)) if added.is_empty() => Err(error),
        (added, _) => Ok(Library { files: added, ..empty(store).await? }),
    }
}

/// Returns what was added, and why the first of the others was not.
async fn add(
    store: &Store,
    paths: Vec<PathBuf>,
    job: &Job,
    now: u64,
) -> Result<(Vec<LocalFile>, Option<ApiError>), ApiError> {
    let total = paths.len() as u64;
    let (mut added, mut refused) = (Vec::new(), None);
    for (done, path) in (0..).zip(paths) {
        job.check()?;
        job.progress("reading", Unit::Files, &path.display().to_string(), done, total);
        match inspect(&path, job).await {
            Ok(inspection) => {
                let file = local_file(&path, inspection)?;
                added.push(shown(store.add_file(&file, now).await?, file));
            }
            Err(error) => {
                tracing::info!(code = error.code, "a file cannot be played");
                refused.get_or_insert(error);
            }
        }
    }
    job.check()?;
    job.progress("reading", Unit::Files, "", total, total);
    Ok((added, refused))
}

async fn inspect(path: &Path, job: &Job) -> Result<audio::Inspection, ApiError> {
    let (read, token) = (path.to_owned(), job.token());
    let inspected = tokio::task::spawn_blocking(move || {
        audio::inspect(&read, 1, &mut |_| match token.is_cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    });
    let broken = |_| ApiError::new("file_damaged", "the file cannot be decoded");
    inspected.await.map_err(broken)?.map_err(|error| publish::at(path, error.into()))
}

fn too_many() -> ApiError {
    ApiError::new("too_many_files", format!("the folder has more than {MAX_FILES} audio files"))
}

fn audio_files(folder: &Path) -> Result<Vec<PathBuf>, ApiError> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            // Links are not followed: a folder may contain itself.
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && publish::looks_like_audio(&entry.path()) {
                files.push(entry.path());
            }
        }
        if files.len() > MAX_FILES {
            return Err(too_many());
        }
    }
    files.sort();
    Ok(files)
}

fn local_file(path: &Path, inspection: audio::Inspection) -> Result<store::LocalFile, ApiError> {
    let modified = std::fs::metadata(path)?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let tags = inspection.tags.clone();
    let track = publish::measured(&inspection);
    Ok(store::LocalFile {
        path: path.display().to_string(),
        size: inspection.size,
        modified: u64::try_from(modified.as_millis()).unwrap_or(u64::MAX),
        title: tags.title.unwrap_or_else(stem),
        artist: tags.artist.unwrap_or_default(),
        album: tags.album.unwrap_or_default(),
        number: tags.track_number.and_then(|number| number.try_into().ok()),
        duration_ms: track.duration_ms,
        codec: Some(track.codec),
        sample_rate: track.sample_rate,
        channels: track.channels,
        loudness: track.loudness,
        peak: track.peak,
    })
}

async fn all(store: &Store) -> Result<Playlists, ApiError> {
    let summaries = store.playlists(store::MAX_LIMIT).await?;
    let playlists = summaries.into_iter().map(|one| Playlist {
        playlist: one.id,
        title: one.name,
        count: one.items.into(),
        items: Vec::new(),
    });
    Ok(Playlists { playlists: playlists.collect() })
}

async fn show(store: &Store, playlist: i64) -> Result<Playlist, ApiError> {
    let loaded = load(store, playlist).await?;
    let items: Vec<Item> = loaded.items.iter().map(|entry| entry.item).collect();
    let listed = listed(store, &items).await?;
    let items = items.iter().zip(listed).map(|(item, listed)| {
        let (release_id, track, file) = parts(item);
        PlaylistItem { release_id, track, file, listed }
    });
    let items: Vec<PlaylistItem> = items.collect();
    Ok(Playlist { playlist, title: loaded.name, count: items.len() as u64, items })
}

async fn load(store: &Store, playlist: i64) -> Result<PrivatePlaylist, ApiError> {
    let unknown = || ApiError::new("playlist_unknown", format!("there is no playlist {playlist}"));
    store.playlist(playlist).await?.ok_or_else(unknown)
}

fn entry(playlist: &PrivatePlaylist, index: u32) -> Result<i64, ApiError> {
    let entry = usize::try_from(index).ok().and_then(|index| playlist.items.get(index));
    let missing = || {
        let (place, length) = (u64::from(index) + 1, playlist.items.len());
        ApiError::new("playlist_index", format!("the playlist has no place {place}; it has {length}"))
    };
    entry.map(|entry| entry.id).ok_or_else(missing)
}

impl Deleted {
    fn push(&self, playlist: PrivatePlaylist) {
        let mut deleted = self.0.lock().expect("no holder panics");
        if deleted.len() == MAX_DELETED {
            deleted.pop_front();
        }
        deleted.push_back(playlist);
    }

    fn take(&self, playlist: i64) -> Result<PrivatePlaylist, ApiError> {
        let mut deleted = self.0.lock().expect("no holder panics");
        let at = deleted.iter().position(|one| one.id == playlist);
        let found = at.and_then(|at| deleted.remove(at));
        found.ok_or_else(|| {
            ApiError::new("playlist_unknown", format!("playlist {playlist} was not deleted lately"))
        })
    }
}
