//! What the next transaction does.

use std::fmt;

use domain::{
    Key, PeerId, SlotId,
    bitcoin::{FeeRate, OutPoint, consensus},
    kinds::{DaoId, JoinId, NoteId, ProposalId},
};
use minicbor::{Decode, Decoder, Encode, Encoder};

use super::Members;

/// Most bytes of a turn: ten spends approved and a hundred joins of a DAO of ten thousand fit well.
pub const MAX_TURN: usize = 64 << 10;

const CONTEXT: &str = "musicdao 2026 dao turn v1";
const GENESIS: &str = "musicdao 2026 dao genesis v1";

/// Names a turn: the hash of its bytes, which name the turn before.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, Encode, Decode,
)]
pub struct TurnId(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]);

/// What the next transaction of a DAO does. Together with the state before, it decides every byte of the transaction, of
/// the refund and of the state after.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Turn {
    /// The turn before; that of a founding is [`TurnId::genesis`].
    #[n(0)]
    pub previous: TurnId,
    /// The height of the chain for whoever built it, and the transaction's lock time.
    #[n(1)]
    pub height: u32,
    /// The fee rate in satoshis per thousand weight units.
    #[n(2)]
    pub rate: u32,
    /// Who built it, and signs the notes that it pays.
    #[n(3)]
    pub builder: PeerId,
    /// Coins that came in and become part of the pooled coin, ascending.
    #[n(4)]
    pub merges: Vec<Merge>,
    /// Proposals approved since the last turn, in the order in which they are done.
    #[n(5)]
    pub approvals: Vec<Approval>,
    /// Members that go, and former ones that get what came for them, ascending.
    #[n(6)]
    pub leaves: Vec<PeerId>,
    /// Who joins, ascending.
    #[n(7)]
    pub joins: Vec<JoinId>,
    /// Members that are counted from now on, ascending.
    #[n(8)]
    pub counted: Vec<Promotion>,
    /// The FROST group that the successor's holders made; without it a change of keys falls back to the leaf alone.
    #[cbor(n(9), with = "minicbor::bytes")]
    pub group: Option<Vec<u8>>,
}

/// A coin that becomes part of the pooled one.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Merge {
    /// Which.
    #[cbor(n(0), with = "outpoint")]
    pub outpoint: OutPoint,
    /// What of it artists pay back for the DAO's notes; the rest is nobody's.
    #[n(1)]
    pub paybacks: Vec<Payback>,
}

/// What an artist pays back for a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Payback {
    /// Which note.
    #[n(0)]
    pub note: NoteId,
    /// Satoshis.
    #[n(1)]
    pub sat: u64,
}

/// A proposal with the members of its snapshot that voted for it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Approval {
    /// What was approved.
    #[n(0)]
    pub proposal: ProposalId,
    /// Who is for it, of the counted members of its snapshot.
    #[n(1)]
    pub yes: Members,
}

/// A member that is counted from now on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Promotion {
    /// Who.
    #[n(0)]
    pub member: PeerId,
    /// The counted members that vouch for it, ascending: as many as the rules ask for.
    #[n(1)]
    pub vouchers: Vec<PeerId>,
}

/// Says why bytes are not a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no turn in its one encoding")]
pub struct TurnError;

impl TurnError {
    /// Returns the stable code for scripts and screens.
    pub fn code(self) -> &'static str {
        "dao_turn_malformed"
    }
}

impl Turn {
    /// Returns a turn that does nothing yet.
    pub fn after(previous: TurnId, builder: PeerId, height: u32, rate: FeeRate) -> Self {
        Self {
            previous,
            height,
            rate: u32::try_from(rate.to_sat_per_kwu()).unwrap_or(u32::MAX),
            builder,
            merges: Vec::new(),
            approvals: Vec::new(),
            leaves: Vec::new(),
            joins: Vec::new(),
            counted: Vec::new(),
            group: None,
        }
    }

    /// Names it.
    pub fn id(&self) -> TurnId {
        TurnId(blake3::derive_key(CONTEXT, &self.encode()))
    }

    /// Returns its bytes.
    pub fn encode(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("encoding into memory does not fail")
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is too long, no turn, or not written as [`Turn::encode`] writes it: a turn has one name.
    pub fn decode(bytes: &[u8]) -> Result<Self, TurnError> {
        if bytes.len() > MAX_TURN {
            return Err(TurnError);
        }
        let turn: Self = minicbor::decode(bytes).map_err(|_| TurnError)?;
        (turn.encode() == bytes).then_some(turn).ok_or(TurnError)
    }

    /// Returns the rate of its fee.
    pub fn fee_rate(&self) -> FeeRate {
        FeeRate::from_sat_per_kwu(self.rate.into())
    }
}

impl TurnId {
    /// Returns what a DAO's founding follows.
    pub fn genesis(dao: &DaoId) -> Self {
        Self(blake3::derive_key(GENESIS, dao.as_bytes()))
    }

    /// Wraps the 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns it as a leaf of the transaction's commitment.
    pub(super) fn leaf(&self) -> SlotId {
        SlotId::from_bytes(self.0)
    }
}

impl fmt::Display for TurnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Key::from_bytes(self.0), f)
    }
}

impl fmt::Debug for TurnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TurnId({})", Key::from_bytes(self.0).short())
    }
}

mod outpoint {
    use minicbor::{
        decode::Error,
        encode::{Error as Unwritten, Write},
    };

    use super::*;

    pub(super) fn encode<C, W: Write>(
        outpoint: &OutPoint,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), Unwritten<W::Error>> {
        encoder.bytes(&consensus::serialize(outpoint))?.ok()
    }

    pub(super) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<OutPoint, Error> {
        consensus::deserialize(decoder.bytes()?).map_err(|_| Error::message("not an outpoint"))
    }
}
