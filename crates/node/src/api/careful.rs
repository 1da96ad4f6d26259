//! The identity's safety, and one's own from others: backups, what is hidden, what is reported.

use std::fmt;

use domain::{PeerId, ReleaseId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The own identity.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct IdentityRef {
    /// Who.
    #[ts(as = "String")]
    pub peer_id: PeerId,
    /// Whether the file is encrypted.
    pub encrypted: bool,
}

/// The identity as a text.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct Backup {
    /// A name for the file.
    pub name: String,
    /// The encrypted identity (age, armored), for [`super::Request::IdentityRestore`].
    pub text: String,
}

/// The identity as words.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct Words {
    /// 24 words, in order.
    pub words: Vec<String>,
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Words").finish_non_exhaustive()
    }
}

/// What to hide.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum HideCommand {
    /// Hides.
    Add {
        /// What.
        what: HideTarget,
    },
    /// Shows again.
    Remove {
        /// What.
        what: HideTarget,
    },
    /// Lists.
    List,
}

/// Something that can be hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(untagged)]
pub enum HideTarget {
    /// One release.
    Release {
        /// Which.
        #[ts(as = "String")]
        release: ReleaseId,
    },
    /// Everything by an artist.
    Artist {
        /// Whom.
        #[ts(as = "String")]
        artist: PeerId,
    },
    /// A tag, in any spelling.
    Tag {
        /// The word.
        tag: String,
    },
}

/// What is hidden.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
pub struct Hidden {
    /// The last first.
    pub hidden: Vec<HiddenThing>,
}

/// One hidden thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HiddenThing {
    /// What.
    pub what: HideTarget,
    /// The release's title, the artist's name or the tag; empty where not known.
    pub title: String,
}

/// What is wrong with something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum ReportReason {
    /// Something else; the note says what.
    Other,
    /// It is not theirs to publish.
    NotTheirs,
    /// It is not what it says it is, or the licence is not right.
    Mislabelled,
    /// It only wants attention.
    Spam,
    /// It is meant to hurt people.
    Harmful,
}

/// A report by oneself or by somebody one follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReportInfo {
    /// Who.
    #[ts(as = "String")]
    pub peer_id: PeerId,
    /// Their name, where known.
    pub name: Option<String>,
    /// What is wrong.
    pub reason: ReportReason,
    /// More of it in words.
    pub note: Option<String>,
    /// Whether all of the artist's work is meant, not one release.
    pub artist: bool,
    /// Whether it is one's own.
    pub own: bool,
}
