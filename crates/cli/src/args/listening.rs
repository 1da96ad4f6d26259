//! The commands to find, play and keep music.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use node::api;

use super::seconds;
use crate::id::{IdText, PlaylistText, TrackText};

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// Words, or beginnings of words
    #[arg(value_name = "QUERY", required = true)]
    pub(crate) query: Vec<String>,
    /// Asks connected peers, too; they then learn the words
    #[arg(long)]
    pub(crate) remote: bool,
    /// At most so many, 500 at most
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct ReleasesArgs {
    /// Only with this tag
    #[arg(long)]
    pub(crate) tag: Option<String>,
    /// Only by this artist: an id or a name
    #[arg(long)]
    pub(crate) artist: Option<String>,
    /// Only under this licence (SPDX)
    #[arg(long, value_name = "SPDX")]
    pub(crate) license: Option<String>,
    /// Only by artists whom you follow
    #[arg(long)]
    pub(crate) followed: bool,
    /// Only what you like
    #[arg(long)]
    pub(crate) liked: bool,
    /// What shares tags with this release, the most similar first
    #[arg(long, value_name = "RELEASE", conflicts_with_all = ["tag", "artist", "license", "followed", "liked", "offset"])]
    pub(crate) similar_to: Option<IdText>,
    /// In which order
    #[arg(long, value_enum, default_value_t = Sort::New)]
    pub(crate) sort: Sort,
    /// At most so many, 1,000 at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: u32,
    /// After so many
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) offset: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Sort {
    /// Newest first
    New,
    /// Most liked and tagged lately
    Trending,
    /// By title
    Title,
}

#[derive(Debug, Args)]
pub(crate) struct PlayArgs {
    /// An id, with the number of a track where only that is meant
    #[arg(value_name = "RELEASE[/N]")]
    pub(crate) track: TrackText,
    /// `default`, `null`, a new `.wav` file, or a device's name
    #[arg(long, default_value = "default")]
    pub(crate) output: String,
    /// Starts within the first track
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) from: Option<Duration>,
    /// Stops after so much sound
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) seconds: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct DownloadArgs {
    /// An id, or eight or more of its first digits
    #[arg(value_name = "RELEASE")]
    pub(crate) release: IdText,
    /// An existing or new folder; by default one of its own in your music folder
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlayerAction {
    /// Shows what is playing and how
    State,
    /// Lists the queue
    Queue,
    /// Replaces the queue and plays
    Play {
        /// Releases or tracks
        #[arg(value_name = "RELEASE[/N]", required = true)]
        tracks: Vec<TrackText>,
    },
    /// Puts tracks at the end of the queue
    Add {
        /// Releases or tracks
        #[arg(value_name = "RELEASE[/N]", required = true)]
        tracks: Vec<TrackText>,
        /// Right after the current track instead
        #[arg(long)]
        next: bool,
    },
    /// Goes to a place in the queue
    Jump {
        /// From 1
        place: Place,
    },
    /// Moves a track of the queue
    Move {
        /// From 1
        from: Place,
        /// Where it then is
        to: Place,
    },
    /// Takes a track out of the queue
    Remove {
        /// From 1
        place: Place,
    },
    /// Empties the queue and stops
    Clear,
    /// Goes on playing
    Resume,
    /// Pauses
    Pause,
    /// Goes to the next track
    Next,
    /// Goes to the previous track, or to the start of this one
    Previous,
    /// Goes to a place in the current track
    Seek {
        /// From the track's start
        #[arg(value_parser = seconds)]
        seconds: Duration,
    },
    /// Sets how loud
    Volume {
        /// 0 to 100
        #[arg(value_parser = clap::value_parser!(u8).range(0..=100))]
        percent: u8,
    },
    /// Switches shuffling
    Shuffle {
        /// Whether
        #[arg(value_name = "on|off")]
        switch: Switch,
    },
    /// Sets what repeats
    Repeat {
        /// What
        #[arg(value_name = "off|one|all")]
        repeat: Repeat,
    },
    /// Sets what loudness is levelled by
    Gain {
        /// By what
        #[arg(value_name = "off|track|album")]
        mode: Gain,
    },
    /// Sets how long one track fades into the next
    Crossfade {
        /// 0 to 12
        #[arg(value_parser = seconds)]
        seconds: Duration,
    },
    /// Falls silent later
    Sleep {
        /// A number of minutes, 0 for the end of this track, or `never`
        minutes: Sleep,
    },
    /// Chooses the output device
    Output {
        /// A device's name, or `default`
        device: String,
    },
    /// Lists the output devices
    Devices,
}

/// A place in a list as people count, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Repeat {
    /// Nothing
    Off,
    /// The current track
    One,
    /// The queue
    All,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Gain {
    /// Nothing
    Off,
    /// Every track to the same loudness
    Track,
    /// Every album to the same loudness
    Album,
}

/// Minutes to the silence; none never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sleep(pub(crate) Option<u32>);

#[derive(Debug, Subcommand)]
pub(crate) enum LibraryAction {
    /// Lists what you saved and your own files
    List,
    /// Saves a release
    Save {
        /// An id, or eight or more of its first digits
        #[arg(value_name = "RELEASE")]
        release: IdText,
    },
    /// Takes a release out
    Remove {
        /// An id, or eight or more of its first digits
        #[arg(value_name = "RELEASE")]
        release: IdText,
    },
    /// Adds a folder of your own files; they stay private
    AddFolder {
        /// An existing folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Lists what was played, latest first
    History {
        /// At most so many, 1,000 at most
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
        /// After so many
        #[arg(long, value_name = "N", default_value_t = 0)]
        offset: u32,
    },
    /// Forgets what was played
    ClearHistory,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlaylistAction {
    /// Lists the playlists, or the tracks of one
    List {
        /// Its number or its title
        playlist: Option<PlaylistText>,
    },
    /// Makes a playlist
    Create {
        /// Its title
        title: String,
    },
    /// Gives a playlist another title
    Rename {
        /// Its number or its title
        playlist: PlaylistText,
        /// The new title
        title: String,
    },
    /// Puts tracks at the end of a playlist
    Add {
        /// Its number or its title
        playlist: PlaylistText,
        /// Releases or tracks
        #[arg(value_name = "RELEASE[/N]", required = true)]
        tracks: Vec<TrackText>,
    },
    /// Moves a track of a playlist
    Move {
        /// Its number or its title
        playlist: PlaylistText,
        /// From 1
        from: Place,
        /// Where it then is
        to: Place,
    },
    /// Takes a track out of a playlist
    Remove {
        /// Its number or its title
        playlist: PlaylistText,
        /// From 1
        place: Place,
    },
    /// Deletes a playlist
    Delete {
        /// Its number or its title
        playlist: PlaylistText,
    },
}

impl Place {
    /// Returns the place as programs count, from 0.
    pub(crate) fn index(self) -> u32 {
        self.0 - 1
    }
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place = text.parse().ok().filter(|place| *place > 0);
        place.map(Self).ok_or_else(|| format!("`{text}` is not a place; the first is 1"))
    }
}

impl std::str::FromStr for Sleep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self(None));
        }
        let minutes =
            text.parse().map_err(|_| format!("`{text}` is neither a number of minutes nor `never`"));
        minutes.map(|minutes| Self(Some(minutes)))
    }
}

impl From<Sort> for api::Sort {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::New => Self::New,
            Sort::Trending => Self::Trending,
            Sort::Title => Self::Title,
        }
    }
}

impl From<Repeat> for api::Repeat {
    fn from(repeat: Repeat) -> Self {
        match repeat {
            Repeat::Off => Self::Off,
            Repeat::One => Self::One,
            Repeat::All => Self::All,
        }
    }
}

impl From<Gain> for api::GainMode {
    fn from(gain: Gain) -> Self {
        match gain {
            Gain::Off => Self::Off,
            Gain::Track => Self::Track,
            Gain::Album => Self::Album,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_from_one() {
        assert_eq!("1".parse::<Place>().unwrap().index(), 0);
        assert!("0".parse::<Place>().is_err());
        assert!("-1".parse::<Place>().is_err());
    }

    #[test]
    fn sleep_is_minutes_or_never() {
        assert_eq!("never".parse(), Ok(Sleep(None)));
        assert_eq!("0".parse(), Ok(Sleep(Some(0))));
        assert!("soon".parse::<Sleep>().is_err());
    }
}
