//! The kinds of records, each a [`Kind`].
//!
//! # Adding a kind
//! Write a struct with `#[derive(Encode, Decode)] #[cbor(map)]`, implement [`Kind`] for it, and register it with
//! [`Kinds::with`] where the node is composed. Signing, spreading, merging, withdrawing, quotas, equivocation proofs
//! and reconciliation are then the same as for every other kind. `crates/sim/examples/concert_dates.rs` is a whole one.

mod cbor;
mod community;
mod dao;
mod listening;
mod money;
mod release;

use std::collections::BTreeMap;

pub use community::{BlockEntry, BlockList, Profile, Report, ReportReason};
pub use dao::{
    Ballot, Charter, Choice, Construction, DEFAULT_RECOVERY, DaoId, Delegation, Intent, Join, JoinId,
    JoinInput, JoinPolicy, Leave, MAX_FOUNDERS, MAX_JOIN_INPUTS, MAX_OUTPUTS, MAX_PROPOSAL, MIN_ENTRANCE_FEE,
    MIN_FOUNDERS, MIN_OUTPUT, Output, Parameter, Proposal, ProposalId, Rules, Vouch,
};
pub use listening::{Follow, Like, Playlist, PlaylistItem, Tag};
pub use money::{
    Due, Income, MAX_CAP, MAX_LINES, MAX_PLACES, MAX_SPLITS, MAX_WINDOWS, MIN_CAP, MIN_GOAL, Note, NoteId,
    Offer, OfferId, Payee, Payment, PaymentId, Payout, PayoutLine, Place, Split, Thanks, WHOLE, WINDOW,
    in_money_log,
};
pub use release::{BlobRef, Codec, Collaborator, License, MAX_TRACKS, Release, Track, TrackList};

use crate::{Kind, Network, Record, RecordError};

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
    /// [`super::Income`]
    pub const INCOME: u16 = 16;
    /// [`super::Offer`]
    pub const OFFER: u16 = 17;
    /// [`super::Note`]
    pub const NOTE: u16 = 18;
    /// [`super::Payment`]
    pub const PAYMENT: u16 = 19;
    /// [`super::Payout`]
    pub const PAYOUT: u16 = 20;
    /// [`super::Thanks`]
    pub const THANKS: u16 = 21;
    /// [`super::Charter`]
    pub const CHARTER: u16 = 32;
    /// [`super::Join`]
    pub const JOIN: u16 = 33;
    /// [`super::Vouch`]
    pub const VOUCH: u16 = 34;
    /// [`super::Proposal`]
    pub const PROPOSAL: u16 = 35;
    /// [`super::Ballot`]
    pub const BALLOT: u16 = 36;
    /// [`super::Delegation`]
    pub const DELEGATION: u16 = 37;
    /// [`super::Leave`]
    pub const LEAVE: u16 = 38;
}

/// What is asked of the records of one kind.
#[derive(Clone, Copy, Debug)]
struct Rule {
    /// Checks the body, and says which chain its money is on.
    read: fn(&Record) -> Result<Option<Network>, RecordError>,
    permanent: bool,
}

/// The kinds whose bodies a node understands. Records of others are kept and relayed unread, within a small quota.
#[derive(Clone, Debug)]
pub struct Kinds {
    rules: BTreeMap<u16, Rule>,
    network: Network,
}

impl Default for Kinds {
    /// Every kind for listening, for money and for DAOs, the money on [`Network::default`].
    fn default() -> Self {
        Self { rules: BTreeMap::new(), network: Network::default() }
            .with::<Profile>()
            .with::<Release>()
            .with::<Tag>()
            .with::<Like>()
            .with::<Playlist>()
            .with::<Follow>()
            .with::<BlockList>()
            .with::<Report>()
            .with::<Income>()
            .with::<Offer>()
            .with::<Note>()
            .with::<Payment>()
            .with::<Payout>()
            .with::<Thanks>()
            .with::<Charter>()
            .with::<Join>()
            .with::<Vouch>()
            .with::<Proposal>()
            .with::<Ballot>()
            .with::<Delegation>()
            .with::<Leave>()
    }
}

impl Kinds {
    /// Adds a kind.
    #[must_use]
    pub fn with<K: Kind>(mut self) -> Self {
        let read = |record: &Record| Ok(record.read::<K>()?.and_then(|body| body.network()));
        self.rules.insert(K::ID, Rule { read, permanent: K::PERMANENT });
        self
    }

    /// Chooses whose money counts: records about money on any other chain are refused, so they are neither shown nor
    /// passed on.
    #[must_use]
    pub fn on(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// Says whether bodies of this kind are understood.
    pub fn knows(&self, kind: u16) -> bool {
        self.rules.contains_key(&kind)
    }

    /// Says whether what is signed of this kind can never be taken back.
    pub fn is_permanent(&self, kind: u16) -> bool {
        self.rules.get(&kind).is_some_and(|rule| rule.permanent)
    }

    /// Checks the body of a record whose kind is known.
    ///
    /// # Errors
    /// [`RecordError::Body`], [`RecordError::Key`], [`RecordError::Network`] and [`RecordError::Permanent`].
    pub fn check(&self, record: &Record) -> Result<(), RecordError> {
        let Some(rule) = self.rules.get(&record.kind) else { return Ok(()) };
        if record.body.is_none() && rule.permanent {
            return Err(RecordError::Permanent);
        }
        match (rule.read)(record)? {
            Some(network) if network != self.network => Err(RecordError::Network(network)),
            _ => Ok(()),
        }
    }
}
