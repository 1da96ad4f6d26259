//! The Studio: drafts, and publishing them.

use std::path::PathBuf;

use domain::{BlobHash, ReleaseId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{ApiError, Credit, JobId};

/// What would be published.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Draft {
    /// The files' album, else the first title.
    pub title: String,
    /// The files' artist, else the profile's name; empty where neither is known.
    pub artist: String,
    /// The files'.
    pub date: Option<String>,
    /// The files', where it is one that can be published (SPDX).
    pub license: Option<String>,
    /// From the files' genres.
    pub tags: Vec<String>,
    /// A picture beside the files, else in them.
    pub cover: Option<DraftCover>,
    /// In the album's order where the files tell one.
    pub tracks: Vec<DraftTrack>,
    /// What is no track, and why; the first 1,000.
    pub skipped: Vec<Skipped>,
}

/// The cover of a draft.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct DraftCover {
    /// A file to publish.
    #[ts(as = "String")]
    pub path: PathBuf,
    /// By this it is loaded as other images are, until it is published or discarded.
    #[ts(as = "String")]
    pub hash: BlobHash,
    /// Its most vivid colour, `0xRRGGBB`.
    pub accent: Option<u32>,
}

/// One file of a draft.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct DraftTrack {
    /// Where it is.
    #[ts(as = "String")]
    pub path: PathBuf,
    /// By its tags, else its name.
    pub title: String,
    /// By its tags.
    pub artist: Option<String>,
    /// By its tags.
    pub album: Option<String>,
    /// By its tags.
    pub number: Option<u32>,
    /// Exact length.
    pub duration_ms: u64,
    /// How it is encoded; empty where it could not be read.
    pub codec: String,
    /// Bytes.
    pub size: u64,
    /// Integrated loudness in LUFS.
    pub loudness: Option<f32>,
    /// What is odd about it.
    pub warnings: Vec<ApiError>,
    /// Why it cannot be published.
    pub error: Option<ApiError>,
}

/// Something that was dropped and is no track.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Skipped {
    /// What.
    pub path: String,
    /// Why.
    pub error: ApiError,
}

/// What to publish.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct Publish {
    /// Files, and folders whose files are taken in order; not looked at where `tracks` are given.
    #[ts(as = "Vec<String>")]
    pub paths: Vec<PathBuf>,
    /// The tracks one by one, in the album's order.
    pub tracks: Vec<PublishTrack>,
    /// Which own release this is a new version of: it keeps its id, and what is not said here stays as it was.
    #[ts(as = "Option<String>")]
    pub replaces: Option<ReleaseId>,
    /// By default the files' album, else the first title.
    pub title: Option<String>,
    /// By default the files' artist, else the profile's name.
    pub artist: Option<String>,
    /// SPDX; by default the files', else `CC-BY-4.0`.
    pub license: Option<String>,
    /// By default the files'; empty removes it.
    pub date: Option<String>,
    /// The artist's own tags.
    pub tags: Option<Vec<String>>,
    /// Liner notes; empty removes them.
    pub description: Option<String>,
    /// Who else made it.
    pub collaborators: Option<Vec<Credit>>,
    /// An image file; by default the files' cover.
    #[ts(as = "Option<String>")]
    pub cover: Option<PathBuf>,
    /// Publishes without a cover.
    pub no_cover: bool,
    /// The user declares to have the right to publish this under its licence; without that nothing is published.
    pub rights_declared: bool,
    /// For progress and cancelling.
    pub job: Option<JobId>,
}

/// One track to publish.
#[derive(Clone, Debug, Default, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct PublishTrack {
    /// A file.
    #[ts(as = "Option<String>")]
    pub path: Option<PathBuf>,
    /// Or the number of a track of the release that is replaced, from 1.
    pub track: Option<u16>,
    /// By default as it was, else the file's title or name.
    pub title: Option<String>,
    /// By default as it was, else the file's, where it is not the release's; empty removes it.
    pub artist: Option<String>,
}
