//! DAOs: one shared Bitcoin treasury each, without a leader.

use domain::{Network, PeerId, SlotId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{caution::Caution, money::Pay};

/// What to do with DAOs. Amounts are whole satoshis.
#[derive(Clone, Debug, Serialize, Deserialize, TS)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum DaoCommand {
    /// Publishes a charter: answered by [`super::Response::DaoCreated`]. Its creator joins like everybody else.
    Create(DaoCharter),
    /// Lists the DAOs that are known: answered by [`super::Response::Daos`].
    List,
    /// Shows one: answered by [`super::Response::Dao`].
    Show {
        /// Which.
        #[ts(as = "String")]
        dao: SlotId,
    },
    /// Asks to be let in, as a founder before the start: answered by [`super::Response::DaoMembership`]. Nothing is
    /// paid unless the transaction that makes the member confirms.
    Join {
        /// Which.
        #[ts(as = "String")]
        dao: SlotId,
        /// More than the entrance fee, where the claim is to begin higher.
        deposit_sat: Option<u64>,
        /// How it is paid; `dry_run` says what it would cost.
        #[serde(default)]
        pay: Pay,
    },
    /// Closes the set of founders and funds the coin: answered by [`super::Response::DaoStarted`]. The creator alone
    /// may.
    Start {
        /// Which.
        #[ts(as = "String")]
        dao: SlotId,
        /// The wallet's passphrase, where it is locked.
        #[serde(default)]
        passphrase: Option<String>,
    },
    /// Says that a member is a person one met: answered by [`super::Response::DaoMembership`] of that member.
    Vouch {
        /// Which.
        #[ts(as = "String")]
        dao: SlotId,
        /// For whom.
        #[ts(as = "String")]
        peer: PeerId,
    },
    /// Leaves with the claim, or takes back the wish to join: answered by [`super::Response::DaoMembership`].
    Leave {
        /// Which.
        #[ts(as = "String")]
        dao: SlotId,
    },
    /// Proposes something: answered by [`super::Response::DaoProposal`].
    Propose {
        /// To which.
        #[ts(as = "String")]
        dao: SlotId,
        /// A few words.
        title: String,
        /// More of it in words, at most 500 characters.
        words: Option<String>,
        /// What is to be done.
        intent: DaoIntent,
        /// Blocks until it can no longer be approved; 1,008 where none is said.
        expiry_blocks: Option<u32>,
    },
    /// Lists proposals: answered by [`super::Response::DaoProposals`].
    Proposals {
        /// Whose.
        #[ts(as = "String")]
        dao: SlotId,
    },
    /// Votes, for good: answered by [`super::Response::DaoProposal`].
    Vote {
        /// In which DAO.
        #[ts(as = "String")]
        dao: SlotId,
        /// On what.
        #[ts(as = "String")]
        proposal: SlotId,
        /// What.
        choice: DaoChoice,
    },
    /// Lets this node vote as another member does, or ends that: answered by [`super::Response::Dao`].
    Delegate {
        /// In which DAO.
        #[ts(as = "String")]
        dao: SlotId,
        /// As whom; nobody to end it.
        #[ts(as = "Option<String>")]
        to: Option<PeerId>,
    },
    /// Shows how everybody gets their money after a long silence: answered by [`super::Response::DaoRefunds`].
    Refunds {
        /// Of which.
        #[ts(as = "String")]
        dao: SlotId,
    },
    /// Sends the refund, where the silence was long enough: answered by [`super::Response::DaoRecovered`].
    Recover {
        /// Of which.
        #[ts(as = "String")]
        dao: SlotId,
    },
    /// Raises the fee of a transaction of the coin that waits for its block, or of the refund that was sent, by a child
    /// that the owner's own wallet pays: answered by [`super::Response::Sent`].
    Bump {
        /// Of which.
        #[ts(as = "String")]
        dao: SlotId,
        /// Which transaction; the one that waits where none is said.
        #[serde(default)]
        txid: Option<String>,
        /// How it is paid; `dry_run` says what it would cost.
        #[serde(default)]
        pay: Pay,
    },
    /// Recomputes the accounts from the charter, the turns and the chain: answered by [`super::Response::DaoAudit`].
    Audit {
        /// Of which.
        #[ts(as = "String")]
        dao: SlotId,
    },
}

/// What a DAO is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaoCharter {
    /// The name to show.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub purpose: String,
    /// Least that a joiner pays in; all of it is the joiner's claim.
    pub fee_sat: u64,
    /// Percentage of the keys that spend and of the members that approve; 60 where none is said.
    pub threshold_percent: Option<u8>,
    /// Fewest founders; 3 where none is said.
    pub founders: Option<u8>,
    /// Members that must vouch for a person before it is counted; 2 where none is said.
    pub vouches: Option<u8>,
    /// Blocks of silence after which the refund may be sent; 25,920, about half a year, where none is said.
    pub recovery_blocks: Option<u16>,
    /// Confirmations that a joiner's coin needs; 6 where none is said.
    pub depth: Option<u8>,
    /// Who may join; whoever pays the fee where nothing is said.
    #[serde(default)]
    pub policy: DaoPolicy,
    /// How its keys guard the coin.
    #[serde(default)]
    pub construction: DaoConstruction,
    /// Most that proposals may pay in 2,016 blocks, in percent of all claims; 100 where none is said.
    pub spending_percent: Option<u8>,
    /// Blocks of membership before a person is counted; none where none is said.
    #[serde(default)]
    pub season_blocks: Option<u16>,
    /// Most members newly counted in 2,016 blocks, in percent of the counted; no limit where none is said.
    #[serde(default)]
    pub growth_percent: Option<u16>,
}

/// Who may join.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum DaoPolicy {
    /// Whoever pays the fee.
    #[default]
    Open,
    /// Whom members vouch for.
    Vouched,
    /// Whom a proposal admitted.
    Admitted,
}

/// How keys guard the coin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum DaoConstruction {
    /// A taproot leaf that counts signatures.
    #[default]
    MultiA,
    /// One signature of all together.
    #[serde(rename = "musig2")]
    MuSig2,
    /// One signature of a threshold.
    Frost,
    /// A witness script that counts signatures.
    #[serde(rename = "sortedmulti")]
    SortedMulti,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DaoIntent {
    /// Invest in an artist's offer.
    Invest {
        /// Which.
        #[ts(as = "String")]
        offer: SlotId,
        /// How much.
        amount_sat: u64,
    },
    /// Pay addresses.
    Pay {
        /// Whom and how much.
        outputs: Vec<DaoOutput>,
    },
    /// Change a rule.
    Set {
        /// `entrance_fee`, `policy`, `threshold`, `spending`, `vouches`, `season` or `growth`.
        parameter: String,
        /// To what.
        value: u64,
    },
    /// Let somebody join where joining needs a vote.
    Admit {
        /// Whom.
        #[ts(as = "String")]
        peer: PeerId,
    },
    /// Pay a member out and go on without it.
    Remove {
        /// Whom.
        #[ts(as = "String")]
        peer: PeerId,
    },
    /// Move the coin to itself.
    Refresh,
    /// Pay everybody out.
    Dissolve,
}

/// Something that is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaoOutput {
    /// Where to.
    pub address: String,
    /// How much.
    pub amount_sat: u64,
}

/// A vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum DaoChoice {
    /// For it.
    Yes,
    /// Against it.
    No,
    /// Neither.
    Abstain,
}

/// A new DAO.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaoCreated {
    /// Its charter's id.
    #[ts(as = "String")]
    pub dao_id: SlotId,
    /// A `musicdao:` link that brings somebody to it, and in.
    pub invite: String,
    /// The same with the fewest addresses, for a QR code.
    pub code: String,
}

/// The DAOs that are known here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Daos {
    /// Those that one is a member of first, then by name.
    pub daos: Vec<DaoSummary>,
}

/// A DAO in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct DaoSummary {
    /// Its charter's id.
    #[ts(as = "String")]
    pub dao_id: SlotId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// Which money.
    #[ts(as = "String")]
    pub network: Network,
    /// Where its life stands.
    pub stage: DaoStage,
    /// What the owner is in it.
    pub membership: DaoState,
    /// How many members it has; founders who registered, before the start.
    pub members: u32,
    /// Least that a joiner pays in.
    pub fee_sat: u64,
    /// Its coin.
    pub treasury_sat: u64,
    /// What of it is the owner's.
    pub claim_sat: u64,
}

/// Where the life of a DAO stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum DaoStage {
    /// Founders register.
    Founding,
    /// The coin is being funded.
    Starting,
    /// It lives.
    Active,
    /// Its coin went out, by the refund or by its members' vote.
    Ended,
}

/// What somebody is in a DAO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum DaoState {
    /// Not in it.
    None,
    /// Wants in.
    Requested,
    /// The transaction that lets in is being signed, or waits for its block.
    Signing,
    /// In it: has a claim.
    Member,
    /// Has a vote besides.
    Counted,
    /// Wants out.
    Leaving,
}

/// What somebody is in a DAO now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct DaoMembership {
    /// In which.
    #[ts(as = "String")]
    pub dao_id: SlotId,
    /// Who.
    #[ts(as = "String")]
    pub peer_id: PeerId,
    /// What.
    pub state: DaoState,
    /// The transaction that lets in or out, where there is one.
    pub txid: Option<String>,
    /// What is paid in, or paid out.
    pub amount_sat: u64,
    /// About what it costs, at most.
    pub fee_sat: u64,
    /// What to think of before confirming.
    pub warnings: Vec<Caution>,
}

/// A DAO that begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaoStarted {
    /// Which.
    #[ts(as = "String")]
    pub dao_id: SlotId,
    /// The number of its key set, from 0.
    pub epoch: u32,
    /// The transaction that funds the coin; none while its signatures come in.
    pub txid: Option<String>,
}

/// A DAO: everything on its public page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Dao {
    /// Its charter's id.
    #[ts(as = "String")]
    pub dao_id: SlotId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// Which money.
    #[ts(as = "String")]
    pub network: Network,
    /// Who wrote the charter.
    #[ts(as = "String")]
    pub creator: PeerId,
    /// A `musicdao:` link that brings somebody to it.
    pub invite: String,
    /// The same with the fewest addresses, for a QR code.
    pub code: String,
    /// Where its life stands.
    pub stage: DaoStage,
    /// What the owner is in it.
    pub membership: DaoState,
    /// The charter as it holds now.
    pub charter: DaoCharter,
    /// The number of its key set, from 0; none before the start.
    pub epoch: Option<u32>,
    /// How many keys must sign.
    pub threshold: u32,
    /// How many keys there are.
    pub keys: u32,
    /// Its members; before the start those who registered.
    pub members: Vec<DaoMember>,
    /// Where its coin is, as `txid:vout`.
    pub coin: Option<String>,
    /// Blocks on that coin.
    pub confirmations: u32,
    /// The coin's value.
    pub treasury_sat: u64,
    /// The sum of all claims.
    pub claims_sum_sat: u64,
    /// What nobody has a claim to yet.
    pub unassigned_sat: u64,
    /// Kept for the refund's fee.
    pub reserve_sat: u64,
    /// Coins at its addresses that are not part of the one coin yet, and that no refund covers.
    pub unprotected_sat: u64,
    /// What of them came in at an address of keys that guard the coin no more.
    pub under_old_keys_sat: u64,
    /// What the owner could take away now.
    pub claim_sat: u64,
    /// How unequal the claims are, between 0 and 1.
    pub gini: f64,
    /// How few members have more than half of all claims.
    pub nakamoto: u32,
    /// Part of the counted members that voted, over the last proposals, between 0 and 1; none where there was none.
    pub turnout: Option<f64>,
    /// As whom the owner's node votes.
    #[ts(as = "Option<String>")]
    pub delegate: Option<PeerId>,
    /// The transaction that is being made.
    pub signing: Option<DaoSigning>,
    /// The transactions of the coin, newest first, 50 at most.
    pub turns: Vec<DaoTurn>,
    /// The block from which the refund can be sent, where the coin does not move before.
    pub refund_height: Option<u32>,
    /// The refund by which the DAO ended, once it is in a block.
    #[serde(default)]
    pub refunded: Option<String>,
    /// Something of late that somebody did wrong, newest first, 20 at most.
    pub incidents: Vec<DaoIncident>,
    /// Why figures are not of now, in words.
    #[serde(default)]
    pub waiting: Option<String>,
}

/// A member of a DAO, or somebody who wants to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaoMember {
    /// Who.
    #[ts(as = "String")]
    pub peer_id: PeerId,
    /// That person's name.
    pub name: String,
    /// What of the treasury is theirs.
    pub claim_sat: u64,
    /// Of it set aside for what is approved and not paid yet.
    pub reserved_sat: u64,
    /// Whether they vote.
    pub counted: bool,
    /// Whether they have a key of the coin.
    pub keyholder: bool,
    /// Where they are between wanting in and wanting out.
    pub state: DaoState,
    /// How many counted members vouch for them.
    pub vouches: u32,
    /// Whether the owner does.
    pub vouched_by_me: bool,
}

/// A transaction of the coin that is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaoSigning {
    /// Its id.
    pub txid: String,
    /// Whether everybody's way out is signed and stored, so that the coin may be signed.
    pub refund_ready: bool,
    /// How many signed the coin.
    pub signed: u32,
    /// How many must.
    pub needed: u32,
    /// Whether it is complete and waits for its block.
    pub sent: bool,
}

/// A transaction of the coin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaoTurn {
    /// Its number, from 0.
    pub number: u32,
    /// Its id.
    pub txid: String,
    /// Its block; none while it waits for one.
    pub height: Option<u32>,
    /// Those it let in.
    #[ts(as = "Vec<String>")]
    pub joined: Vec<PeerId>,
    /// Those it paid out.
    #[ts(as = "Vec<String>")]
    pub left: Vec<PeerId>,
    /// The proposals it carried out.
    #[ts(as = "Vec<String>")]
    pub proposals: Vec<SlotId>,
    /// The coin after it.
    pub treasury_sat: u64,
    /// Its fee.
    pub fee_sat: u64,
}

/// Something that somebody did wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaoIncident {
    /// Who, where it is known.
    #[ts(as = "Option<String>")]
    pub peer_id: Option<PeerId>,
    /// That person's name.
    pub name: Option<String>,
    /// What, as a stable code.
    pub code: String,
    /// Unix milliseconds.
    pub at_ms: u64,
}

/// Proposals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaoProposals {
    /// Newest first.
    pub proposals: Vec<DaoProposal>,
}

/// A proposal and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaoProposal {
    /// Its record.
    #[ts(as = "String")]
    pub proposal_id: SlotId,
    /// In which DAO.
    #[ts(as = "String")]
    pub dao_id: SlotId,
    /// Who proposed it.
    #[ts(as = "String")]
    pub author: PeerId,
    /// That person's name.
    pub author_name: String,
    /// A few words.
    pub title: String,
    /// More of it.
    pub words: Option<String>,
    /// `invest`, `pay`, `set`, `admit`, `remove`, `refresh` or `dissolve`.
    pub kind: String,
    /// What is to be done; an investment with the address it pays.
    pub intent: DaoIntent,
    /// Exactly what is paid, and where to.
    pub outputs: Vec<DaoOutput>,
    /// Where it stands.
    pub state: DaoProposalState,
    /// Votes for it.
    pub yes: u32,
    /// Votes against it.
    pub no: u32,
    /// Votes for neither.
    pub abstain: u32,
    /// How many may vote.
    pub electorate: u32,
    /// How many votes approve it.
    pub needed: u32,
    /// The owner's vote.
    pub my_vote: Option<DaoChoice>,
    /// Whether the owner may vote.
    pub may_vote: bool,
    /// The last block at which it can be approved.
    pub expiry: u32,
    /// The transaction that carries it out.
    pub txid: Option<String>,
    /// Blocks on it.
    pub confirmations: u32,
    /// The note that an investment makes.
    #[ts(as = "Option<String>")]
    pub note_id: Option<SlotId>,
    /// What it takes from the owner's claim.
    pub my_part_sat: u64,
    /// What it takes from whose claim: as if it were approved now, or as it was frozen when it was. Empty where it pays
    /// nothing, and where the claims do not cover it.
    pub parts: Vec<DaoPart>,
    /// Members who signed two differing votes on it.
    #[ts(as = "Vec<String>")]
    pub voted_twice: Vec<PeerId>,
    /// Unix milliseconds.
    pub at_ms: u64,
}

/// What a proposal takes from somebody's claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaoPart {
    /// Whose.
    #[ts(as = "String")]
    pub peer_id: PeerId,
    /// How much.
    pub sat: u64,
    /// What of the claim is left then, reservations for other proposals taken off; none once it was paid.
    pub left_sat: Option<u64>,
}

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum DaoProposalState {
    /// Votes come in.
    Open,
    /// Enough voted for it; what it takes is reserved.
    Approved,
    /// The transaction that carries it out is being signed.
    Signing,
    /// That transaction waits for its block.
    Broadcast,
    /// It is in a block.
    Confirmed,
    /// It can no longer get enough votes.
    Rejected,
    /// It was not approved in time.
    Expired,
    /// It cannot be done any more, such as to remove somebody who left.
    Superseded,
    /// It is over, but a signature was given that could still carry it out until the coin has moved for good.
    Revocable,
}

/// How everybody gets their money after a long silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaoRefunds {
    /// The transactions, the first one first.
    pub refunds: Vec<DaoRefund>,
    /// What the owner gets of it.
    pub my_part_sat: u64,
}

/// A transaction of the refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaoRefund {
    /// Its id.
    pub txid: String,
    /// The first block that may hold it; none while the one before it has none.
    pub spendable_at: Option<u32>,
    /// What it pays out.
    pub sat: u64,
    /// How many claims it pays.
    pub claims: u32,
}

/// A refund that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaoRecovered {
    /// Its first transaction.
    pub txid: String,
}

/// The accounts of a DAO as anyone recomputes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DaoAudit {
    /// Which.
    #[ts(as = "String")]
    pub dao_id: SlotId,
    /// The coin's value on the chain.
    pub treasury_sat: u64,
    /// The sum of all claims.
    pub claims_sum_sat: u64,
    /// What nobody has a claim to.
    pub unassigned_sat: u64,
    /// Kept for the refund's fee.
    pub reserve_sat: u64,
    /// Whether it all adds up.
    pub ok: bool,
    /// What does not, as stable codes.
    pub problems: Vec<String>,
}
