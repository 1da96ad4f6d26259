//! The kinds of records, each a [`Kind`].
//!
//! # Adding a kind
//! Write a struct with `#[derive(Encode, Decode)] #[cbor(map)]`, implement [`Kind`] for it, and register it with
//! [`Kinds::with`] where the node is composed. Signing, spreading, merging, withdrawing, quotas, equivocation proofs
//! and reconciliation are then the same as for every other kind. `crates/sim/examples/concert_dates.rs` is a whole one.

mod community;
mod listening;
mod release;

use std::collections::BTreeMap;

pub use community::{BlockEntry, BlockList, Profile, Report, ReportReason};
pub use listening::{Follow, Like, Playlist, PlaylistItem, Tag};
pub use release::{BlobRef, Codec, Collaborator, License, MAX_TRACKS, Release, Track, TrackList};

use crate::{Kind, Record, RecordError};

/// Kind numbers that are spoken for.
pub mod id {
    /// [`super::Profile`]
    pub const PROFILE: u16 = 1;
    /// [`super::Release`]
    pub const RELEASE: u16 = 2;
    /// [`super::Tag`]
    pub const TAG: u16 = 3;
    /// [`super::Like`]
    pub const LIKE: u16 = 4;
    /// [`super::Playlist`]
    pub const PLAYLIST: u16 = 5;
    /// [`super::Follow`]
    pub const FOLLOW: u16 = 6;
    /// [`super::BlockList`]
    pub const BLOCK_LIST: u16 = 7;
    /// Reserved for second devices and key rotation.
    pub const DEVICE: u16 = 8;
    /// [`super::Report`]
    pub const REPORT: u16 = 9;
}

type Check = fn(&Record) -> Result<(), RecordError>;

/// The kinds whose bodies a node understands. Records of others are kept and relayed unread, within a small quota.
#[derive(Clone, Debug)]
pub struct Kinds(BTreeMap<u16, Check>);

impl Default for Kinds {
    /// Every kind for listening.
    fn default() -> Self {
        Self(BTreeMap::new())
            .with::<Profile>()
            .with::<Release>()
            .with::<Tag>()
            .with::<Like>()
            .with::<Playlist>()
            .with::<Follow>()
            .with::<BlockList>()
            .with::<Report>()
    }
}

impl Kinds {
    /// Adds a kind.
    #[must_use]
    pub fn with<K: Kind>(mut self) -> Self {
        self.0.insert(K::ID, |record| record.read::<K>().map(drop));
        self
    }

    /// Says whether bodies of this kind are understood.
    pub fn knows(&self, kind: u16) -> bool {
        self.0.contains_key(&kind)
    }

    /// Checks the body of a record whose kind is known.
    ///
    /// # Errors
    /// [`RecordError::Body`] and [`RecordError::Key`].
    pub fn check(&self, record: &Record) -> Result<(), RecordError> {
        self.0.get(&record.kind).map_or(Ok(()), |check| check(record))
    }
}
