use bitcoin::{Amount, ScriptBuf};
use minicbor::{Decode, Encode};

use super::{DaoId, Parameter};
use crate::{
    Key, Kind, Network, PeerId, RecordError, SlotId,
    kinds::{
        OfferId, cbor, id,
        money::{check_amount, check_script, content_key},
    },
    text,
};

/// Names a proposal.
pub type ProposalId = SlotId;

/// Longest body of a proposal in bytes: with its envelope and signature it has 1 KiB at most.
pub const MAX_PROPOSAL: usize = 780;
/// Most outputs of one proposal.
pub const MAX_OUTPUTS: usize = 8;
/// Least satoshis of an output that nodes relay, whatever segwit script of version 0 or 1 it has.
pub const MIN_OUTPUT: u64 = 330;

/// Longest title in characters.
const MAX_TITLE: usize = 100;
/// Longest words in characters; the whole is bounded by [`MAX_PROPOSAL`] besides.
const MAX_WORDS: usize = 500;
/// First index of a hardened child, which a public key cannot derive (BIP 32).
const HARDENED: u32 = 1 << 31;

/// Something that the DAO may do. Its id is of its content: what was voted on can never be edited.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Proposal {
    /// The chain that it is on.
    #[n(0)]
    pub network: Network,
    /// Whose money and members it is about.
    #[n(1)]
    pub dao: DaoId,
    /// The turn whose counted members vote.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub snapshot: [u8; 32],
    /// A few words.
    #[n(3)]
    pub title: String,
    /// More of it in words.
    #[n(4)]
    pub words: Option<String>,
    /// What is to be done.
    #[n(5)]
    pub intent: Intent,
    /// The last height at which it can be approved.
    #[n(6)]
    pub expiry: u32,
}

/// What is to be done, down to the outputs.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Intent {
    /// Invest in an artist's offer.
    #[n(0)]
    Invest {
        /// Who offers.
        #[n(0)]
        artist: PeerId,
        /// What is offered.
        #[n(1)]
        offer: OfferId,
        /// How much.
        #[cbor(n(2), with = "cbor::sats")]
        amount: Amount,
        /// The record of the artist's whose chain of principal is paid.
        #[n(3)]
        income: SlotId,
        /// The address on that chain, in its last window.
        #[n(4)]
        index: u32,
    },
    /// Pay somebody.
    #[n(1)]
    Pay {
        /// Whom and how much.
        #[n(0)]
        outputs: Vec<Output>,
    },
    /// Change a rule.
    #[n(2)]
    Set {
        /// Which.
        #[n(0)]
        parameter: Parameter,
        /// To what.
        #[n(1)]
        value: u64,
    },
    /// Let somebody join where joining needs a vote.
    #[n(3)]
    Admit(#[n(0)] PeerId),
    /// Pay a member out and go on without it.
    #[n(4)]
    Remove(#[n(0)] PeerId),
    /// Move the coin to itself.
    #[n(5)]
    Refresh,
    /// Pay everybody out.
    #[n(6)]
    Dissolve,
}

/// An output that a proposal pays.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Output {
    /// Where to.
    #[cbor(n(0), with = "cbor::script")]
    pub script: ScriptBuf,
    /// How much.
    #[cbor(n(1), with = "cbor::sats")]
    pub amount: Amount,
}

impl Kind for Proposal {
    const ID: u16 = id::PROPOSAL;
    const NAME: &'static str = "proposal";
    const PERMANENT: bool = true;

    fn key(&self) -> Key {
        content_key(self)
    }

    fn check(&self) -> Result<(), RecordError> {
        text::line("title", &self.title, MAX_TITLE)?;
        text::lines("words", self.words.as_deref().unwrap_or_default(), MAX_WORDS)?;
        self.intent.check()?;
        let length = minicbor::to_vec(self).expect("encoding into memory does not fail").len();
        match length <= MAX_PROPOSAL {
            true => Ok(()),
            false => {
                Err(RecordError::body("proposal", format!("has {length} bytes, more than {MAX_PROPOSAL}")))
            }
        }
    }

    fn network(&self) -> Option<Network> {
        Some(self.network)
    }
}

impl Intent {
    fn check(&self) -> Result<(), RecordError> {
        match self {
            Self::Invest { amount, index, .. } => {
                check_amount("amount", *amount, MIN_OUTPUT)?;
                match *index < HARDENED {
                    true => Ok(()),
                    false => Err(RecordError::body("index", format!("is {index}, hardened"))),
                }
            }
            Self::Pay { outputs } => check_outputs(outputs),
            _ => Ok(()),
        }
    }
}

/// A member's vote on a proposal, and with it on the members who may vote: the proposal's id is of both. It is for good.
/// Who signs a second, differing one is shown as having done so; its yes stays given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Ballot {
    /// The chain that it is on.
    #[n(0)]
    pub network: Network,
    /// What is voted on.
    #[n(1)]
    pub proposal: ProposalId,
    /// How.
    #[n(2)]
    pub choice: Choice,
}

/// What a member says to a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Choice {
    /// For it.
    #[n(0)]
    Yes,
    /// Against it.
    #[n(1)]
    No,
    /// Neither.
    #[n(2)]
    Abstain,
}

impl Kind for Ballot {
    const ID: u16 = id::BALLOT;
    const NAME: &'static str = "ballot";
    const PERMANENT: bool = true;

    fn key(&self) -> Key {
        content_key(self)
    }

    fn check(&self) -> Result<(), RecordError> {
        Ok(())
    }

    fn network(&self) -> Option<Network> {
        Some(self.network)
    }
}

fn check_outputs(outputs: &[Output]) -> Result<(), RecordError> {
    text::at_most("outputs", outputs, MAX_OUTPUTS)?;
    if outputs.is_empty() {
        return Err(RecordError::body("outputs", "are none"));
    }
    outputs.iter().try_for_each(|output| {
        check_amount("output", output.amount, MIN_OUTPUT)?;
        check_script("output's script", &output.script)
    })
}
