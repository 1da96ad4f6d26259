use minicbor::{Decode, Encode};

use super::BlobRef;
use crate::{BlobHash, Key, Kind, PeerId, RecordError, ReleaseId, text};

/// Most links of a profile.
const MAX_LINKS: usize = 8;
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
