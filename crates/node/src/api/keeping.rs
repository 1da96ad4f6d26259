//! What is kept here and told to nobody: the library, the history, playlists.

use std::path::PathBuf;

use domain::ReleaseId;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{JobId, Listed, QueueItem, ReleaseInfo};

/// What to do with the library.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum LibraryCommand {
    /// Lists what is saved and one's own files, the first 1,000 of each.
    List,
    /// Lists a part of what is saved, latest first.
    Saved {
        /// After so many.
        #[serde(default)]
        offset: u32,
        /// At most so many; 100 where none is said, 1,000 at most.
        limit: Option<u32>,
    },
    /// Lists a part of one's own files, in order of their paths.
    Files {
        /// Only with all of these words in title, artist or album.
        #[serde(default)]
        query: String,
        /// After so many.
        #[serde(default)]
        offset: u32,
        /// At most so many; 100 where none is said, 1,000 at most.
        limit: Option<u32>,
    },
    /// Saves a release.
    Save {
        /// Which.
        #[ts(as = "String")]
        release: ReleaseId,
    },
    /// Takes a release out.
    Remove {
        /// Which.
        #[ts(as = "String")]
        release: ReleaseId,
    },
    /// Adds a folder of one's own files; they stay private.
    AddFolder {
        /// An existing folder.
        #[ts(as = "String")]
        folder: PathBuf,
        /// For progress and cancelling.
        job: Option<JobId>,
    },
    /// Adds one's own files, or those of folders, and answers them in that order; they stay private.
    AddFiles {
        /// Where they are, the whole paths.
        #[ts(as = "Vec<String>")]
        paths: Vec<PathBuf>,
        /// For progress and cancelling.
        job: Option<JobId>,
    },
    /// Takes a private file out of the library; the file itself stays.
    RemoveFile {
        /// Its number.
        file: i64,
    },
    /// Takes every file below a folder out of the library; the files themselves stay.
    RemoveFolder {
        /// The folder.
        #[ts(as = "String")]
        folder: PathBuf,
    },
    /// Lists what was played, latest first.
    History {
        /// After so many.
        #[serde(default)]
        offset: u32,
        /// At most so many; 100 where none is said, 1,000 at most.
        limit: Option<u32>,
    },
    /// Forgets what was played.
    ClearHistory,
}

/// The library.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
pub struct Library {
    /// Saved releases, latest first.
    pub saved: Vec<ReleaseInfo>,
    /// One's own private files.
    pub files: Vec<LocalFile>,
    /// What was played, latest first.
    pub history: Vec<HistoryEntry>,
    /// How many there are of each, on whatever page.
    pub totals: LibraryTotals,
}

/// How much the library's lists hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LibraryTotals {
    /// Saved releases that are still known.
    pub saved: u64,
    /// One's own private files; where words were asked for, those that have them.
    pub files: u64,
    /// Plays.
    pub history: u64,
}

/// One private file.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct LocalFile {
    /// Its number in the library.
    pub file: i64,
    /// Where.
    pub path: String,
    /// By its tags, else its name.
    pub title: String,
    /// By its tags.
    pub artist: Option<String>,
    /// By its tags.
    pub album: Option<String>,
    /// Exact length.
    pub duration_ms: u64,
}

/// Something that was played.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct HistoryEntry {
    /// The release; none for a private file.
    #[ts(as = "Option<String>")]
    pub release_id: Option<ReleaseId>,
    /// The track's number from 1.
    pub track: Option<u16>,
    /// The private file's number in the library.
    pub file: Option<i64>,
    /// What is shown of it.
    #[serde(flatten)]
    pub listed: Listed,
    /// When, in Unix milliseconds.
    pub played_at: u64,
}

/// What to do with private playlists.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum PlaylistCommand {
    /// Lists all, or one with its items.
    List {
        /// Which.
        playlist: Option<i64>,
    },
    /// Makes a new one.
    Create {
        /// Its title.
        title: String,
    },
    /// Gives another title.
    Rename {
        /// Which.
        playlist: i64,
        /// The new title.
        title: String,
    },
    /// Puts items at its end, or before a place.
    Add {
        /// Which.
        playlist: i64,
        /// What.
        items: Vec<QueueItem>,
        /// Before which place, from 0.
        at: Option<u32>,
    },
    /// Moves an item.
    Move {
        /// Which.
        playlist: i64,
        /// From which place, from 0.
        from: u32,
        /// To which place.
        to: u32,
    },
    /// Takes an item out.
    Remove {
        /// Which.
        playlist: i64,
        /// Which place, from 0.
        index: u32,
    },
    /// Deletes it.
    Delete {
        /// Which.
        playlist: i64,
    },
    /// Brings one of the last 20 that were deleted since the start back as it was.
    Restore {
        /// Which.
        playlist: i64,
    },
}

/// Private playlists.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Playlists {
    /// In order of title.
    pub playlists: Vec<Playlist>,
}

/// One private playlist.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Playlist {
    /// Which.
    pub playlist: i64,
    /// Its title.
    pub title: String,
    /// How many items.
    pub count: u64,
    /// In playing order; only where one playlist was asked for.
    pub items: Vec<PlaylistItem>,
}

/// One item of a private playlist.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct PlaylistItem {
    /// The release; none for a private file.
    #[ts(as = "Option<String>")]
    pub release_id: Option<ReleaseId>,
    /// The track's number from 1.
    pub track: Option<u16>,
    /// The private file's number in the library.
    pub file: Option<i64>,
    /// What is shown of it.
    #[serde(flatten)]
    pub listed: Listed,
}
