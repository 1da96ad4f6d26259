use bitcoin::{Amount, OutPoint, ScriptBuf};
use minicbor::{Decode, Encode};

use super::{check_amount, check_script, content_key};
use crate::{
    Key, Kind, Network, PeerId, RecordError, ReleaseId, SlotId,
    kinds::{cbor, id},
    text,
};

/// Names an offer.
pub type OfferId = SlotId;
/// Names a note.
pub type NoteId = SlotId;
/// Names a payment.
pub type PaymentId = SlotId;

/// Most records that one transaction commits to.
pub const MAX_PLACES: u16 = 1_024;
/// Most lines of one payout record; a larger batch has several records.
pub const MAX_LINES: usize = 60;
/// Longest memo and longest thanks in characters.
const MAX_WORDS: usize = 280;
/// Hashes on the way from a leaf to the root of [`MAX_PLACES`].
const MAX_PATH: usize = MAX_PLACES.ilog2() as usize;

/// Where a record stands in the tree whose root its transaction carries. A record that is alone needs none.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Place {
    /// From 0.
    #[n(0)]
    pub position: u16,
    /// Records in the tree.
    #[n(1)]
    pub count: u16,
    /// Hashes beside the way to the root, the lowest first.
    #[cbor(n(2), with = "cbor::hashes")]
    pub path: Vec<[u8; 32]>,
}

/// An investment. Signed before it is paid, so it does not name its transaction: that one names it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Note {
    /// The chain that it is on.
    #[n(0)]
    pub network: Network,
    /// Random; tells two notes with the same terms apart.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub salt: [u8; 16],
    /// Whose offer it is.
    #[n(2)]
    pub artist: PeerId,
    /// What is invested in.
    #[n(3)]
    pub offer: OfferId,
    /// How much is invested.
    #[cbor(n(4), with = "cbor::sats")]
    pub principal: Amount,
    /// The transaction's output that pays it; the principals on one output sum to its value.
    #[n(5)]
    pub vout: u32,
    /// Who is paid back.
    #[n(6)]
    pub payee: Payee,
    /// Where the note stands among what its transaction pays. Not part of the note's id, which it depends on.
    #[n(7)]
    pub place: Option<Place>,
}

/// Who is paid back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Payee {
    /// An address of the investor's, used for nothing else.
    #[n(0)]
    Script(#[cbor(n(0), with = "cbor::script")] ScriptBuf),
    /// A DAO, by its id, wherever its newest epoch keeps its coin.
    #[n(1)]
    Dao(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]),
}

impl Kind for Note {
    const ID: u16 = id::NOTE;
    const NAME: &'static str = "note";
    const PERMANENT: bool = true;

    fn key(&self) -> Key {
        content_key(&Self { place: None, ..self.clone() })
    }

    fn check(&self) -> Result<(), RecordError> {
        check_amount("principal", self.principal, 1)?;
        if let Payee::Script(script) = &self.payee {
            check_script("payee", script)?;
        }
        check_place(self.place.as_ref())
    }

    fn network(&self) -> Option<Network> {
        Some(self.network)
    }
}

/// A tip, and the words that go with it. A fee bump changes the outpoint and keeps the id.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Payment {
    /// The chain that it is on.
    #[n(0)]
    pub network: Network,
    /// Random; tells two payments of one amount apart.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub salt: [u8; 16],
    /// Who is paid.
    #[n(2)]
    pub artist: PeerId,
    /// The output that pays.
    #[cbor(n(3), with = "cbor::outpoint")]
    pub outpoint: OutPoint,
    /// How much.
    #[cbor(n(4), with = "cbor::sats")]
    pub amount: Amount,
    /// A few words.
    #[n(5)]
    pub memo: Option<String>,
    /// What it is for.
    #[n(6)]
    pub release: Option<ReleaseId>,
    /// Where the payment stands among what its transaction pays, if that one says so at all.
    #[n(7)]
    pub place: Option<Place>,
}

impl Kind for Payment {
    const ID: u16 = id::PAYMENT;
    const NAME: &'static str = "payment";

    fn key(&self) -> Key {
        let network = minicbor::to_vec(self.network).expect("encoding into memory does not fail");
        Key::of(&[&network, &self.salt, self.artist.as_bytes(), &self.amount.to_sat().to_le_bytes()])
    }

    fn check(&self) -> Result<(), RecordError> {
        check_amount("amount", self.amount, 1)?;
        text::lines("memo", self.memo.as_deref().unwrap_or_default(), MAX_WORDS)?;
        check_place(self.place.as_ref())
    }

    fn network(&self) -> Option<Network> {
        Some(self.network)
    }
}

/// What an artist pays with one transaction. Signed before it is paid, so it does not name its transaction: that one
/// names it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Payout {
    /// The chain that it is on.
    #[n(0)]
    pub network: Network,
    /// Random; tells two payouts of the same lines apart.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub salt: [u8; 16],
    /// Who gets how much for what.
    #[n(2)]
    pub lines: Vec<PayoutLine>,
    /// Where the record stands among what its transaction pays. Not part of the record's id, which it depends on.
    #[n(3)]
    pub place: Option<Place>,
}

/// One payee of a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PayoutLine {
    /// What is paid for.
    #[n(0)]
    pub due: Due,
    /// The transaction's output that pays it; the lines on one output sum to its value.
    #[n(1)]
    pub vout: u32,
    /// How much.
    #[cbor(n(2), with = "cbor::sats")]
    pub amount: Amount,
}

/// What a line of a payout is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Due {
    /// A note's part of the income, or an advance on it.
    #[n(0)]
    Earned(#[n(0)] NoteId),
    /// Principal that goes back: beyond the goal, too late, or declined.
    #[n(1)]
    Refund(#[n(0)] NoteId),
    /// The part of an offer's collaborator, by the number of the split.
    #[n(2)]
    Split(#[n(0)] OfferId, #[n(1)] u8),
    /// A present to a fan, for a payment or for nothing in particular.
    #[n(3)]
    Reward(#[n(0)] Option<PaymentId>),
}

impl Kind for Payout {
    const ID: u16 = id::PAYOUT;
    const NAME: &'static str = "payout";
    const PERMANENT: bool = true;

    fn key(&self) -> Key {
        content_key(&Self { place: None, ..self.clone() })
    }

    fn check(&self) -> Result<(), RecordError> {
        text::at_most("lines", &self.lines, MAX_LINES)?;
        if self.lines.is_empty() {
            return Err(RecordError::body("lines", "are none"));
        }
        self.lines.iter().try_for_each(|line| check_amount("line", line.amount, 1))?;
        check_place(self.place.as_ref())
    }

    fn network(&self) -> Option<Network> {
        Some(self.network)
    }
}

/// An artist's answer to a payment.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Thanks {
    /// The chain of what is answered.
    #[n(0)]
    pub network: Network,
    /// What is answered: a payment or a note.
    #[n(1)]
    pub payment: PaymentId,
    /// A few words.
    #[n(2)]
    pub words: String,
}

impl Kind for Thanks {
    const ID: u16 = id::THANKS;
    const NAME: &'static str = "thanks";

    fn key(&self) -> Key {
        Key::of(&[self.payment.as_bytes()])
    }

    fn check(&self) -> Result<(), RecordError> {
        if self.words.trim().is_empty() {
            return Err(RecordError::body("words", "are none"));
        }
        text::lines("words", &self.words, MAX_WORDS)
    }

    fn network(&self) -> Option<Network> {
        Some(self.network)
    }
}

fn check_place(place: Option<&Place>) -> Result<(), RecordError> {
    let Some(place) = place else { return Ok(()) };
    let counted = place.position < place.count && place.count <= MAX_PLACES;
    match counted && place.path.len() <= MAX_PATH {
        true => Ok(()),
        false => Err(RecordError::body("place", "is not one of a tree")),
    }
}
