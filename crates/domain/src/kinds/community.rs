use minicbor::{Decode, Encode};

use super::BlobRef;
use crate::{BlobHash, Key, Kind, PeerId, RecordError, ReleaseId, text};

/// Most links of a profile.
const MAX_LINKS: usize = 8;
/// Longest note of a report in characters.
const MAX_NOTE: usize = 280;
/// Most entries of a shared block list; its record has to fit [`crate::MAX_RECORD_LEN`] besides.
const MAX_BLOCKED: usize = 90;

/// Who somebody is, in their own words. Everybody has one at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Profile {
    /// The name to show.
    #[n(0)]
    pub name: String,
    /// A few words.
    #[n(1)]
    pub bio: Option<String>,
    /// Web addresses.
    #[n(2)]
    pub links: Option<Vec<String>>,
    /// Image, at most 4 MiB.
    #[n(3)]
    pub avatar: Option<BlobRef>,
}

impl Kind for Profile {
    const ID: u16 = super::id::PROFILE;
    const NAME: &'static str = "profile";

    fn key(&self) -> Key {
        Key::of(&[])
    }

    fn check(&self) -> Result<(), RecordError> {
        text::line("name", &self.name, 100)?;
        text::lines("bio", self.bio.as_deref().unwrap_or_default(), 1000)?;
        let links = self.links.as_deref().unwrap_or_default();
        text::at_most("links", links, MAX_LINKS)?;
        links.iter().try_for_each(|link| text::line("link", link, 200))?;
        self.avatar.map_or(Ok(()), |avatar| avatar.check("avatar", 4 << 20))
    }
}

/// What somebody does not want to see, offered to whoever subscribes to it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct BlockList {
    /// The list's name; an author has one list of a name.
    #[n(0)]
    pub name: String,
    /// Authors, releases and blobs.
    #[n(1)]
    pub entries: Vec<BlockEntry>,
}

/// Something blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum BlockEntry {
    /// Everything by an author.
    #[n(0)]
    Author(#[n(0)] PeerId),
    /// One release.
    #[n(1)]
    Release(#[n(0)] ReleaseId),
    /// One file, whoever publishes it.
    #[n(2)]
    Blob(#[n(0)] BlobHash),
}

impl Kind for BlockList {
    const ID: u16 = super::id::BLOCK_LIST;
    const NAME: &'static str = "block list";

    fn key(&self) -> Key {
        Key::of(&[self.name.as_bytes()])
    }

    fn check(&self) -> Result<(), RecordError> {
        text::line("name", &self.name, 100)?;
        text::at_most("entries", &self.entries, MAX_BLOCKED)
    }
}

/// Somebody finds something wrong, and says so to those who follow them. Withdrawing it takes the report back.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Report {
    /// What is reported.
    #[n(0)]
    pub entry: BlockEntry,
    /// What is wrong with it.
    #[n(1)]
    pub reason: ReportReason,
    /// More of it in words.
    #[n(2)]
    pub note: Option<String>,
}

/// What is wrong with something that is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum ReportReason {
    /// Something else; the note says what.
    #[n(0)]
    Other,
    /// It is not theirs to publish.
    #[n(1)]
    NotTheirs,
    /// It is not what it says it is, or the licence is not right.
    #[n(2)]
    Mislabelled,
    /// It only wants attention.
    #[n(3)]
    Spam,
    /// It is meant to hurt people.
    #[n(4)]
    Harmful,
}

impl ReportReason {
    /// Every reason, in the order of its number.
    pub const ALL: [Self; 5] = [Self::Other, Self::NotTheirs, Self::Mislabelled, Self::Spam, Self::Harmful];
}

impl Kind for Report {
    const ID: u16 = super::id::REPORT;
    const NAME: &'static str = "report";

    fn key(&self) -> Key {
        let (what, id) = match &self.entry {
            BlockEntry::Author(author) => (0, author.as_bytes()),
            BlockEntry::Release(release) => (1, release.as_bytes()),
            BlockEntry::Blob(blob) => (2, blob.as_bytes()),
        };
        Key::of(&[&[what], id])
    }

    fn check(&self) -> Result<(), RecordError> {
        text::lines("note", self.note.as_deref().unwrap_or_default(), MAX_NOTE)
    }
}
