use minicbor::{Decode, Encode};

use crate::{Key, Kind, PeerId, RecordError, ReleaseId, normalize_tag, text};

/// Most entries of one playlist; its record has to fit [`crate::MAX_RECORD_LEN`] besides.
const MAX_ITEMS: usize = 90;

/// A word that somebody puts on a release or a track. Withdrawing it takes the tag off.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Tag {
    /// What is tagged.
    #[n(0)]
    pub release: ReleaseId,
    /// The track's number from 1, or the whole release.
    #[n(1)]
    pub track: Option<u16>,
    /// The word in its normal spelling, [`normalize_tag`].
    #[n(2)]
    pub text: String,
}

impl Kind for Tag {
    const ID: u16 = super::id::TAG;
    const NAME: &'static str = "tag";

    fn key(&self) -> Key {
        Key::of(&[self.release.as_bytes(), &track_key(self.track), self.text.as_bytes()])
    }

    fn check(&self) -> Result<(), RecordError> {
        if normalize_tag(&self.text)? != self.text {
            return Err(RecordError::body("tag", format!("`{}` is not in its normal spelling", self.text)));
        }
        Ok(())
    }
}

/// Somebody likes a release or a track, and says so in public.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Like {
    /// What is liked.
    #[n(0)]
    pub release: ReleaseId,
    /// The track's number from 1, or the whole release.
    #[n(1)]
    pub track: Option<u16>,
}

impl Kind for Like {
    const ID: u16 = super::id::LIKE;
    const NAME: &'static str = "like";

    fn key(&self) -> Key {
        Key::of(&[self.release.as_bytes(), &track_key(self.track)])
    }

    fn check(&self) -> Result<(), RecordError> {
        Ok(())
    }
}

/// A public playlist.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Playlist {
    /// Random; keeps the playlist's id through all its edits.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub nonce: [u8; 16],
    /// The playlist's title.
    #[n(1)]
    pub title: String,
    /// What it is about.
    #[n(2)]
    pub description: Option<String>,
    /// In playing order.
    #[n(3)]
    pub items: Vec<PlaylistItem>,
}

/// One track of a playlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PlaylistItem {
    /// The release.
    #[n(0)]
    pub release: ReleaseId,
    /// The track's number from 1.
    #[n(1)]
    pub track: u16,
}

impl Kind for Playlist {
    const ID: u16 = super::id::PLAYLIST;
    const NAME: &'static str = "playlist";

    fn key(&self) -> Key {
        Key::of(&[&self.nonce])
    }

    fn check(&self) -> Result<(), RecordError> {
        text::line("title", &self.title, 300)?;
        text::lines("description", self.description.as_deref().unwrap_or_default(), 1000)?;
        text::at_most("items", &self.items, MAX_ITEMS)
    }
}

/// Somebody follows an artist, and says so in public.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Follow {
    /// Who is followed.
    #[n(0)]
    pub artist: PeerId,
}

impl Kind for Follow {
    const ID: u16 = super::id::FOLLOW;
    const NAME: &'static str = "follow";

    fn key(&self) -> Key {
        Key::of(&[self.artist.as_bytes()])
    }

    fn check(&self) -> Result<(), RecordError> {
        Ok(())
    }
}

fn track_key(track: Option<u16>) -> [u8; 2] {
    track.unwrap_or(0).to_le_bytes()
}
