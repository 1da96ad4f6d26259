//! What members say to each other. None carries a transaction: turns, signatures, and what somebody has and lacks.

use std::fmt;

use domain::bitcoin::{Txid, hashes::Hash};
use minicbor::{
    Decode, Decoder, Encode, Encoder,
    bytes::{ByteArray, ByteVec},
    decode, encode,
};
use zeroize::Zeroizing;

use super::super::{
    MAX_TURN, Members, TurnId,
    guard::{Commitment, Partial, Share},
};

/// Most bytes of a message: a turn and its name.
pub const MAX_MESSAGE: usize = MAX_TURN + 16;
/// Most bytes of a message that is not a turn.
pub const MAX_SMALL_MESSAGE: usize = 16 << 10;
/// Most bytes of a message with a signature.
pub const MAX_SIGNATURE_MESSAGE: usize = 200;
/// Most attempts that one status speaks of.
pub(super) const MAX_PROGRESS: usize = 4;

/// Most elements of a joiner's witness, and most bytes of each: a signature in DER and a key.
const MAX_ELEMENTS: usize = 2;
const MAX_ELEMENT: usize = 73;

/// A message between members.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) enum Message {
    /// A turn, by whoever built it or was asked for it.
    #[n(0)]
    Turn(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    /// A holder's signature of an input of T or of a node of R.
    #[n(1)]
    Share(#[n(0)] PartShare),
    /// A joiner's signature of one of its inputs of T.
    #[n(2)]
    Witness(#[n(0)] JoinerWitness),
    /// What somebody has, so that the other sends what is missing.
    #[n(3)]
    Status(#[n(0)] Status),
    /// Asks for a turn.
    #[n(4)]
    Want(#[n(0)] Want),
    /// What a holder's nonces for the key path commit to.
    #[n(5)]
    Commit(#[n(0)] Commit),
    /// Which holders sign by the key path.
    #[n(6)]
    Signers(#[n(0)] Signers),
    /// A holder's part of a signature by the key path.
    #[n(7)]
    Partial(#[n(0)] PartPartial),
    /// What a holder puts into a group's key, the same for everybody.
    #[n(8)]
    Deal(#[n(0)] Deal),
    /// What one holder sends another for its share of a group's key. It is secret, and never spread.
    #[n(9)]
    Parcel(#[n(0)] SealedParcel),
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Deal {
    #[n(0)]
    pub epoch: ByteArray<32>,
    #[n(1)]
    pub number: u32,
    #[n(2)]
    pub broadcast: ByteVec,
    /// Whether it answers another one, and so is not answered by one.
    #[n(3)]
    pub is_answer: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct SealedParcel {
    #[n(0)]
    pub epoch: ByteArray<32>,
    #[n(1)]
    pub number: u32,
    #[n(2)]
    pub parcel: Secret,
}

/// Bytes that never show and are erased when they are dropped.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(Zeroizing<Vec<u8>>);

/// One round of signing an input of T.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(super) struct Round {
    #[n(0)]
    pub turn: TurnId,
    #[n(1)]
    pub input: u16,
    #[n(2)]
    pub number: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Commit {
    #[n(0)]
    pub round: Round,
    #[n(1)]
    pub holder: u16,
    #[n(2)]
    pub commitment: ByteArray<{ Commitment::LEN }>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Signers {
    #[n(0)]
    pub round: Round,
    #[n(1)]
    pub holders: Members,
    /// The hash of what they committed to.
    #[n(2)]
    pub name: ByteArray<32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct PartPartial {
    #[n(0)]
    pub round: Round,
    #[n(1)]
    pub holder: u16,
    /// The hash of what the signers committed to.
    #[n(2)]
    pub name: ByteArray<32>,
    #[n(3)]
    pub partial: ByteArray<{ Partial::LEN }>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct PartShare {
    #[n(0)]
    pub turn: TurnId,
    #[n(1)]
    pub part: Part,
    /// The place of its key among the guard's.
    #[n(2)]
    pub holder: u16,
    #[n(3)]
    pub share: ByteArray<{ Share::LEN }>,
}

/// What a share signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub(super) enum Part {
    /// An input of T.
    #[n(0)]
    Input(#[n(0)] u16),
    /// A node of R.
    #[n(1)]
    Node(#[n(0)] u16),
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct JoinerWitness {
    #[n(0)]
    pub turn: TurnId,
    #[n(1)]
    pub input: u16,
    #[n(2)]
    pub elements: Vec<ByteVec>,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Status {
    /// How many turns are confirmed.
    #[n(0)]
    pub number: u32,
    /// The last of them.
    #[n(1)]
    pub head: TurnId,
    /// Whether its refund is complete here.
    #[n(2)]
    pub safe: bool,
    /// What follows it.
    #[n(3)]
    pub attempts: Vec<Progress>,
    /// Whether it answers another one, and so is not answered by one.
    #[n(4)]
    pub is_answer: bool,
}

/// What somebody has of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Progress {
    #[n(0)]
    pub turn: TurnId,
    /// Whether its refund is complete here.
    #[n(1)]
    pub safe: bool,
    /// Holders whose signatures of every node are here.
    #[n(2)]
    pub refund: Members,
    /// Joiners' inputs whose witness is here.
    #[n(3)]
    pub joiners: Members,
    /// Holders whose signatures of the pooled coin are here.
    #[n(4)]
    pub coin: Members,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) enum Want {
    /// This one.
    #[n(0)]
    Turn(#[n(0)] TurnId),
    /// Whose transaction is this one.
    #[n(1)]
    Spending(#[n(0)] ByteArray<32>),
}

impl Secret {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl<C> Encode<C> for Secret {
    fn encode<W: encode::Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Secret {
    fn decode(decoder: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Ok(Self::new(decoder.bytes()?.to_vec()))
    }
}

impl Want {
    pub(super) fn spending(txid: Txid) -> Self {
        Self::Spending(ByteArray::from(txid.to_byte_array()))
    }
}

impl Message {
    pub(super) fn encode(&self) -> Vec<u8> {
        minicbor::to_vec(self).expect("encoding into memory does not fail")
    }

    /// Reads one of a peer's; none of what is too long or not one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_MESSAGE {
            return None;
        }
        let message: Self = minicbor::decode(bytes).ok()?;
        message.is_bounded(bytes.len()).then_some(message)
    }

    fn is_bounded(&self, length: usize) -> bool {
        match self {
            Self::Turn(_) => true,
            Self::Share(_) | Self::Want(_) => length <= MAX_SIGNATURE_MESSAGE,
            Self::Commit(_) | Self::Signers(_) | Self::Partial(_) | Self::Parcel(_) => {
                length <= MAX_SIGNATURE_MESSAGE
            }
            Self::Deal(_) => length <= MAX_SMALL_MESSAGE,
            Self::Witness(witness) => {
                let short = witness.elements.iter().all(|element| element.len() <= MAX_ELEMENT);
                length <= MAX_SIGNATURE_MESSAGE && witness.elements.len() <= MAX_ELEMENTS && short
            }
            Self::Status(status) => length <= MAX_SMALL_MESSAGE && status.attempts.len() <= MAX_PROGRESS,
        }
    }
}
