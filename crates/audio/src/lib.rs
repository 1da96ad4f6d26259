//! Sound: reads encoded tracks, plays them through a queue, and looks into files before they are published.
//!
//! One thread decodes into a ring buffer; the sound card's callback only takes from it. Sources may wait for the
//! network, so whatever waits can be interrupted, and nothing that waits is on the sound card's thread.
#![warn(missing_docs)]

mod deck;
mod decode;
mod engine;
mod error;
mod gauge;
pub mod inspect;
pub mod keys;
mod mp3;
mod mp4;
mod output;
mod player;
mod queue;
mod shared;
mod source;
pub mod tags;

pub use deck::{Album, Gain, ReplayGain, Track};
pub use decode::{
    Block, Codec, Decoder, Format, MOST_BAD_PACKETS, MOST_CHANNELS, RATES, frames_to_time, time_to_frames,
};
pub use error::Error;
pub use inspect::{Inspection, inspect};
pub use output::{Device, Output, OutputError, devices};
pub use player::{Event, LONGEST_CROSSFADE, MOST_EVENTS, Opener, Playback, Player, Problem, Sleep, State};
pub use queue::{Entry, EntryId, MOST_ENTRIES, Queue, Repeat};
pub use source::{Control, FileSource, Immediate, Source};
pub use tags::{Cover, Tags};
