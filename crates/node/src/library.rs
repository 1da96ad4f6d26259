//! What is saved, followed, liked and listed here; none of it leaves the disk unless the user says so.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use domain::{PeerId, ReleaseId};
use store::{Item, PrivatePlaylist, Store};

use crate::{
    api::{
        ApiError, Followed, Follows, HistoryEntry, Library, LocalFile, Playlist, PlaylistCommand,
        PlaylistItem, Playlists, QueueItem, Unit,
    },
    catalogue,
    jobs::Job,
    publish,
};

/// Entries of the history that are shown where no limit is said.
const DEFAULT_HISTORY: u32 = 100;
/// Most audio files of one folder.
const MAX_FILES: usize = 100_000;

/// Lists the library.
pub(crate) async fn list(store: &Store) -> Result<Library, ApiError> {
    let saved = store.saved(store::MAX_LIMIT, 0).await?;
    let ids: Vec<ReleaseId> = saved.into_iter().map(|saved| saved.release).collect();
    let rows = store.release_rows(&ids).await?;
    let files = store.files("", store::MAX_LIMIT, 0).await?.into_iter().map(|(_, file)| LocalFile {
        path: file.path,
        title: file.title,
        artist: Some(file.artist).filter(|artist| !artist.is_empty()),
        album: Some(file.album).filter(|album| !album.is_empty()),
        duration_ms: file.duration_ms.into(),
    });
    Ok(Library { saved: catalogue::infos(store, rows).await?, files: files.collect(), history: Vec::new() })
}

/// Lists what was played, latest first.
pub(crate) async fn history(store: &Store, limit: Option<u32>) -> Result<Library, ApiError> {
    let mut history = Vec::new();
    for (_, played) in store.history(limit.unwrap_or(DEFAULT_HISTORY), None).await? {
        let Item::Track { release, number } = played.item else { continue };
        let title = title(store, release, number).await?;
        history.push(HistoryEntry { release_id: release, track: number, title, played_at: played.at });
    }
    Ok(Library { history, ..Library::default() })
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
        PlaylistCommand::Add { playlist, items } => {
            let items: Vec<Item> = items.iter().map(item).collect();
            store.insert_items(playlist, None, &items, now).await?;
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
            store.delete_playlist(playlist).await?;
            None
        }
    };
    match shown {
        Some(playlist) => Ok(Playlists { playlists: vec![show(store, playlist).await?] }),
        None => all(store).await,
    }
}

/// Adds a folder of one's own files, with the folders in it; files that are not audio are passed over.
pub(crate) async fn add_folder(store: &Store, folder: &Path, job: &Job, now: u64) -> Result<(), ApiError> {
    let paths = audio_files(folder)?;
    let total = paths.len() as u64;
    for (done, path) in (0..).zip(paths) {
        job.check()?;
        job.progress("reading", Unit::Files, &path.display().to_string(), done, total);
        let read = path.clone();
        let token = job.token();
        let inspected = tokio::task::spawn_blocking(move || {
            audio::inspect(&read, 1, &mut |_| match token.is_cancelled() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        });
        match inspected.await {
            Ok(Ok(inspection)) => {
                store.add_file(&local_file(&path, inspection)?, now).await?;
            }
            Ok(Err(error)) => tracing::info!(code = error.code(), "a file of the folder cannot be played"),
            Err(_) => tracing::warn!("a file of the folder cannot be decoded"),
        }
    }
    job.check()?;
    job.progress("reading", Unit::Files, "", total, total);
    Ok(())
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
            return Err(ApiError::new(
                "too_many_files",
                format!("the folder has more than {MAX_FILES} audio files"),
            ));
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
    let mut items = Vec::with_capacity(loaded.items.len());
    for entry in &loaded.items {
        let Item::Track { release, number } = entry.item else { continue };
        let title = title(store, release, number).await?;
        items.push(PlaylistItem { release_id: release, track: number, title });
    }
    Ok(Playlist { playlist, title: loaded.name, count: items.len() as u64, items })
}

async fn load(store: &Store, playlist: i64) -> Result<PrivatePlaylist, ApiError> {
    let unknown = || ApiError::new("playlist_unknown", format!("there is no playlist {playlist}"));
    store.playlist(playlist).await?.ok_or_else(unknown)
}

fn entry(playlist: &PrivatePlaylist, index: u32) -> Result<i64, ApiError> {
    let entry = usize::try_from(index).ok().and_then(|index| playlist.items.get(index));
    let missing = || ApiError::new("playlist_index", format!("the playlist has no place {index}"));
    entry.map(|entry| entry.id).ok_or_else(missing)
}

fn item(item: &QueueItem) -> Item {
    Item::Track { release: item.release, number: item.track }
}

/// The title of a track where it is still known, else empty.
async fn title(store: &Store, release: ReleaseId, number: u16) -> Result<String, ApiError> {
    let track = store.track(&release, number).await?;
    Ok(track.map(|row| row.track.title).unwrap_or_default())
}
