//! The player that has the queue.

use domain::{BlobHash, PeerId, ReleaseId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::ApiError;

/// What the player that has the queue can be told.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum PlayerCommand {
    /// Nothing: only tells the state.
    State,
    /// Replaces the queue and plays from a place in it.
    Play {
        /// The new queue.
        items: Vec<QueueItem>,
        /// Where to start, from 0.
        start: usize,
    },
    /// Puts items into the queue.
    Enqueue {
        /// What.
        items: Vec<QueueItem>,
        /// Right after the current one, instead of at the end.
        next: bool,
    },
    /// Moves an item of the queue.
    Move {
        /// From which place, from 0.
        from: usize,
        /// To which place.
        to: usize,
    },
    /// Takes an item out of the queue.
    Remove {
        /// Which place, from 0.
        index: usize,
    },
    /// Empties the queue and stops.
    Clear,
    /// Goes to a place in the queue.
    Jump {
        /// Which place, from 0.
        index: usize,
    },
    /// Goes on.
    Resume,
    /// Pauses.
    Pause,
    /// The next item.
    Next,
    /// The previous item, or the start of this one.
    Previous,
    /// Goes to a place in the current item.
    Seek {
        /// In milliseconds.
        position_ms: u64,
    },
    /// Sets how loud.
    Volume {
        /// 0 to 1.
        volume: f32,
    },
    /// Sets shuffling.
    Shuffle {
        /// Whether.
        on: bool,
    },
    /// Sets repeating.
    Repeat {
        /// What.
        repeat: Repeat,
    },
    /// Sets the levelling of loudness.
    ReplayGain {
        /// By what.
        mode: GainMode,
    },
    /// Sets how long one track fades into the next.
    Crossfade {
        /// 0 to 12.
        seconds: f32,
    },
    /// Sets when to fall silent.
    Sleep {
        /// After so many minutes; 0 after this track; none never.
        minutes: Option<u32>,
    },
    /// Sets the output device.
    Output {
        /// A device's name, or `default`.
        device: String,
    },
}

/// One track to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(untagged)]
pub enum QueueItem {
    /// A track of a release.
    Track {
        /// The release.
        #[ts(as = "String")]
        release: ReleaseId,
        /// The track's number from 1.
        track: u16,
    },
    /// A private file of the library.
    File {
        /// Its number in the library.
        file: i64,
    },
}

/// What lists show of a track or a private file; empty where it is not known any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Listed {
    /// Its title.
    pub title: String,
    /// Who plays it.
    pub artist: String,
    /// Who published it; none for a file.
    #[ts(as = "Option<String>")]
    pub artist_id: Option<PeerId>,
    /// The release's title, or the file's album.
    pub release_title: String,
    /// Image.
    #[ts(as = "Option<String>")]
    pub cover: Option<BlobHash>,
    /// The cover's colour, `0xRRGGBB`.
    pub accent: Option<u32>,
    /// Its length.
    pub duration_ms: u64,
}

/// A part of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Queue {
    /// Grows with every change of the queue.
    pub version: u64,
    /// How many entries there are in all.
    pub length: u64,
    /// The current place in the queue, from 0.
    pub index: Option<u64>,
    /// After how many the entries begin.
    pub offset: u64,
    /// In playing order.
    pub entries: Vec<QueueEntry>,
}

/// One entry of the queue, with what is shown of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct QueueEntry {
    /// Stays the same while the entry moves.
    pub entry: u64,
    /// The release; none for a private file.
    #[ts(as = "Option<String>")]
    pub release: Option<ReleaseId>,
    /// The track's number from 1.
    pub track: Option<u16>,
    /// The private file's number in the library.
    pub file: Option<i64>,
    /// What is shown of it.
    #[serde(flatten)]
    pub listed: Listed,
}

/// The words of a track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Lyrics {
    /// With line breaks; none where the file has none.
    pub text: Option<String>,
}

/// Sound devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Devices {
    /// Names that the player can be given.
    pub devices: Vec<String>,
}

/// What repeats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Nothing.
    #[default]
    Off,
    /// The current item.
    One,
    /// The queue.
    All,
}

/// What loudness is levelled by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum GainMode {
    /// Nothing.
    Off,
    /// Every track to the same loudness.
    #[default]
    Track,
    /// Every album to the same loudness.
    Album,
}

/// How the player is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct PlayerState {
    /// `stopped`, `playing`, `paused` or `buffering`.
    pub status: String,
    /// Grows with every change of the queue, which [`super::Request::Queue`] shows.
    pub queue_version: u64,
    /// How many entries the queue has.
    pub queue_length: u64,
    /// The current place in the queue, from 0.
    pub index: Option<usize>,
    /// The current track's title.
    pub title: Option<String>,
    /// The current track's artist.
    pub artist: Option<String>,
    /// The current entry.
    pub current: Option<QueueEntry>,
    /// Where in it.
    pub position_ms: u64,
    /// Its length.
    pub duration_ms: u64,
    /// Up to where it can be played without waiting.
    pub buffered_ms: u64,
    /// 0 to 1.
    pub volume: f32,
    /// Whether shuffling.
    pub shuffle: bool,
    /// What repeats.
    pub repeat: Repeat,
    /// What loudness is levelled by.
    pub replay_gain: GainMode,
    /// Seconds.
    pub crossfade: f32,
    /// The sleep timer as it was set: minutes, 0 for the end of the track, or none.
    pub sleep: Option<u32>,
    /// The chosen output device.
    pub device: String,
    /// What last went wrong.
    pub error: Option<ApiError>,
}
