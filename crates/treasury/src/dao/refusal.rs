//! Why a turn is not signed.

use domain::{
    PeerId, SlotId,
    bitcoin::OutPoint,
    kinds::{JoinId, NoteId, ProposalId},
};

use super::{GuardError, TurnId};

/// Says why a turn is not signed. A refused turn leaves the state as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// This node lacks a record that the turn names; it may come.
    #[error("the record {0} has not arrived")]
    MissingRecord(SlotId),
    /// This node has not seen a coin that the turn names on the chain; it may come.
    #[error("the coin {0} is not on the chain as far as it is known")]
    MissingCoin(OutPoint),
    /// This node lacks the hash of a block.
    #[error("the block at height {0} is not known")]
    MissingBlock(u32),
    /// The charter is none that can be kept.
    #[error("the charter cannot be kept: {0}")]
    Charter(String),
    /// The turn follows another one.
    #[error("the turn does not follow {0}")]
    Previous(TurnId),
    /// The DAO was dissolved.
    #[error("the DAO has ended")]
    Ended,
    /// The height is below the last turn's or ahead of the chain.
    #[error("the turn's height {height} is not between {least} and {tip}")]
    Height {
        /// The turn's.
        height: u32,
        /// The last turn's.
        least: u32,
        /// The chain's.
        tip: u32,
    },
    /// The fee is too low to be relayed or above the cap.
    #[error("the fee rate of {0} sat per thousand weight units is not within the limits")]
    Rate(u32),
    /// Fees of the pool above the cap of real money.
    #[error("the fee of {0} sat is above the cap")]
    Fee(u64),
    /// Whoever is not a member builds.
    #[error("{0} is no member and builds no turn")]
    Builder(PeerId),
    /// The pooled coin is not confirmed as deep as the charter asks.
    #[error("the coin {0} is not confirmed deep enough")]
    Unconfirmed(OutPoint),
    /// A list is not ascending, names something twice, or is too long.
    #[error("the turn's {0} are not in order")]
    Order(&'static str),
    /// The turn does nothing.
    #[error("the turn does nothing")]
    Empty,
    /// Too few founders, or a founding that does anything else.
    #[error("{founders} found, at least {least} must, and nothing else happens")]
    Founding {
        /// How many there are.
        founders: usize,
        /// How many there must be.
        least: u8,
    },
    /// The transaction would be too heavy.
    #[error("the transaction would weigh {0} weight units, more than nodes relay")]
    Weight(u64),
    /// The pooled coin would pass the cap of real money.
    #[error("the coin would be of {0} sat, above the cap")]
    Cap(u64),
    /// A coin is not one that came in, or not worth its fee.
    #[error("the coin {0} cannot be merged")]
    Merge(OutPoint),
    /// What an artist paid back is more than the coin, or for no note of this DAO.
    #[error("the note {0} is not paid back by this coin")]
    Payback(NoteId),
    /// The proposal is of another DAO or network, or of no turn of this one.
    #[error("the proposal {0} is not of this DAO")]
    Foreign(ProposalId),
    /// It was approved before.
    #[error("the proposal {0} was approved before")]
    Repeated(ProposalId),
    /// Too late.
    #[error("the proposal {0} has expired")]
    Expired(ProposalId),
    /// Too few votes for it.
    #[error("the proposal {proposal} has {yes} votes, not {needed}")]
    Votes {
        /// Which.
        proposal: ProposalId,
        /// How many it has.
        yes: u32,
        /// How many it needs.
        needed: u32,
    },
    /// A vote that nobody cast.
    #[error("no vote of {member} for the proposal {proposal} is known")]
    Vote {
        /// Which.
        proposal: ProposalId,
        /// Whose.
        member: PeerId,
    },
    /// What it asks for cannot be done.
    #[error("the proposal {proposal} cannot be done: {problem}")]
    Impossible {
        /// Which.
        proposal: ProposalId,
        /// Why.
        problem: String,
    },
    /// The claims do not cover it.
    #[error("the claims do not cover {0} sat")]
    Funds(u64),
    /// More than the rules allow in 2,016 blocks.
    #[error("the proposal {0} passes what may be spent")]
    Spending(ProposalId),
    /// Somebody goes who did not say so.
    #[error("{0} did not say that it leaves, or there is nothing to pay")]
    Leave(PeerId),
    /// A join that cannot be.
    #[error("{member} cannot join: {problem}")]
    Join {
        /// Which.
        join: JoinId,
        /// Whose.
        member: PeerId,
        /// Why.
        problem: JoinProblem,
    },
    /// Somebody is to be counted who cannot be yet.
    #[error("{0} cannot be counted yet")]
    Promotion(PeerId),
    /// A vouch that nobody gave.
    #[error("no vouch of {voucher} for {member} is known")]
    Vouch {
        /// Who is said to vouch.
        voucher: PeerId,
        /// For whom.
        member: PeerId,
    },
    /// The successor's keys make no guard.
    #[error("the successor's keys guard nothing: {0}")]
    Guard(#[from] GuardError),
    /// The accounts do not sum to the coin: a fault of this program, and nothing is signed.
    #[error("the accounts sum to {accounts} sat and the coin to {coin} sat")]
    Unbalanced {
        /// The accounts.
        accounts: u64,
        /// The coin.
        coin: u64,
    },
}

/// Why somebody cannot join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinProblem {
    /// It is for another DAO or network.
    #[error("it is for another DAO")]
    Foreign,
    /// It pays less than the entrance fee.
    #[error("it pays less than the entrance fee")]
    Fee,
    /// It is a member.
    #[error("it is a member")]
    Member,
    /// Its key is somebody's.
    #[error("its key is a member's")]
    Key,
    /// The rules do not let it in.
    #[error("it was not admitted")]
    Policy,
    /// A coin is not what the record says.
    #[error("a coin is not what the record says")]
    Coin,
    /// A coin is not confirmed as deep as the charter asks.
    #[error("a coin is not confirmed deep enough")]
    Depth,
    /// The coins do not pay deposit and fees.
    #[error("its coins do not pay deposit and fees")]
    Funds,
}

impl JoinProblem {
    fn code(self) -> &'static str {
        match self {
            Self::Foreign => "dao_join_foreign",
            Self::Fee => "dao_join_fee",
            Self::Member => "dao_join_member",
            Self::Key => "dao_join_key",
            Self::Policy => "dao_join_policy",
            Self::Coin => "dao_join_coin",
            Self::Depth => "dao_join_depth",
            Self::Funds => "dao_join_funds",
        }
    }
}

impl Refusal {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MissingRecord(_) => "dao_missing_record",
            Self::MissingCoin(_) => "dao_missing_coin",
            Self::MissingBlock(_) => "dao_missing_block",
            Self::Charter(_) => "dao_charter",
            Self::Previous(_) => "dao_previous",
            Self::Ended => "dao_ended",
            Self::Height { .. } => "dao_height",
            Self::Rate(_) => "dao_rate",
            Self::Fee(_) => "dao_fee_cap",
            Self::Builder(_) => "dao_builder",
            Self::Unconfirmed(_) => "dao_unconfirmed",
            Self::Order(_) => "dao_order",
            Self::Empty => "dao_empty",
            Self::Founding { .. } => "dao_founding",
            Self::Weight(_) => "dao_weight",
            Self::Cap(_) => "dao_cap",
            Self::Merge(_) => "dao_merge",
            Self::Payback(_) => "dao_payback",
            Self::Foreign(_) => "dao_proposal_foreign",
            Self::Repeated(_) => "dao_proposal_repeated",
            Self::Expired(_) => "dao_proposal_expired",
            Self::Votes { .. } => "dao_votes",
            Self::Vote { .. } => "dao_vote",
            Self::Impossible { .. } => "dao_proposal_impossible",
            Self::Funds(_) => "dao_funds",
            Self::Spending(_) => "dao_spending",
            Self::Leave(_) => "dao_leave",
            Self::Join { problem, .. } => problem.code(),
            Self::Promotion(_) => "dao_promotion",
            Self::Vouch { .. } => "dao_vouch",
            Self::Guard(error) => error.code(),
            Self::Unbalanced { .. } => "dao_unbalanced",
        }
    }

    /// Says whether it may pass once more records or blocks have arrived: nobody is to blame yet.
    pub fn is_for_lack(&self) -> bool {
        matches!(self, Self::MissingRecord(_) | Self::MissingCoin(_) | Self::MissingBlock(_))
            || matches!(self, Self::Vote { .. } | Self::Vouch { .. } | Self::Unconfirmed(_))
    }

    /// Returns who is to blame other than whoever built the turn, where it can be said.
    pub fn culprit(&self) -> Option<PeerId> {
        match self {
            Self::Join { member, .. } => Some(*member),
            _ => None,
        }
    }
}
