//! What a node knows of records and of the chain, by which it judges a turn.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    PeerId, Record, RecordError, SlotId,
    bitcoin::{BlockHash, FeeRate, OutPoint, TxOut},
    kinds::{
        Ballot, Choice, DaoId, Income, Join, JoinId, Leave, Offer, OfferId, Proposal, ProposalId, Vouch, id,
    },
};

use super::{Payback, Turn};

/// What a node knows of records and of the chain. What it lacks makes a turn be refused until it has arrived.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Whose.
    pub dao: DaoId,
    /// The height of the chain.
    pub tip: u32,
    /// The highest fee rate that this node signs; none to leave it to the compiled-in cap, as when history is read.
    pub highest_rate: Option<FeeRate>,
    /// The lowest height of a turn that this node signs, so that nothing is dated back; none when history is read.
    pub lowest_height: Option<u32>,
    /// Joins by their id, each with its author.
    pub joins: BTreeMap<JoinId, (PeerId, Join)>,
    /// Proposals by their id, each with its author.
    pub proposals: BTreeMap<ProposalId, (PeerId, Proposal)>,
    /// Who voted for a proposal.
    pub yes: BTreeMap<ProposalId, Arc<BTreeSet<PeerId>>>,
    /// Who vouches, and for whom.
    pub vouches: BTreeSet<(PeerId, PeerId)>,
    /// Who leaves, and what join that ends.
    pub leaves: BTreeSet<(PeerId, JoinId)>,
    /// Artists' offers.
    pub offers: BTreeMap<OfferId, (PeerId, Offer)>,
    /// Artists' addresses.
    pub incomes: BTreeMap<SlotId, (PeerId, Income)>,
    /// Confirmed coins that a turn may name: those of joiners, those that came in, and the pooled one.
    pub coins: BTreeMap<OutPoint, Confirmed>,
    /// What artists' records say of coins that came in: which notes are paid back, and how much.
    pub paybacks: BTreeMap<OutPoint, Vec<Payback>>,
    /// Hashes of blocks, as far as a draw needs them.
    pub blocks: BTreeMap<u32, BlockHash>,
}

/// An output on the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// Value and script.
    pub output: TxOut,
    /// The height of its block.
    pub height: u32,
    /// Its block.
    pub block: BlockHash,
}

impl Evidence {
    /// Knows nothing yet.
    pub fn new(dao: DaoId) -> Self {
        Self {
            dao,
            tip: 0,
            highest_rate: None,
            lowest_height: None,
            joins: BTreeMap::new(),
            proposals: BTreeMap::new(),
            yes: BTreeMap::new(),
            vouches: BTreeSet::new(),
            leaves: BTreeSet::new(),
            offers: BTreeMap::new(),
            incomes: BTreeMap::new(),
            coins: BTreeMap::new(),
            paybacks: BTreeMap::new(),
            blocks: BTreeMap::new(),
        }
    }

    /// Takes a record that was checked; says whether it is of a kind that matters here.
    ///
    /// # Errors
    /// A body that its kind refuses.
    pub fn take(&mut self, record: &Record) -> Result<bool, RecordError> {
        let author = record.author;
        match record.kind {
            id::JOIN => {
                let join = record.read::<Join>()?.map(|join| (author, join));
                self.joins.extend(join.map(|join| (record.slot, join)));
            }
            id::PROPOSAL => {
                let proposal = record.read::<Proposal>()?.map(|proposal| (author, proposal));
                self.proposals.extend(proposal.map(|proposal| (record.slot, proposal)));
            }
            id::BALLOT => match record.read::<Ballot>()? {
                Some(ballot) if ballot.choice == Choice::Yes => {
                    Arc::make_mut(self.yes.entry(ballot.proposal).or_default()).insert(author);
                }
                _ => {}
            },
            id::VOUCH => {
                let vouch = record.read::<Vouch>()?.filter(|vouch| vouch.dao == self.dao);
                self.vouches.extend(vouch.map(|vouch| (author, vouch.member)));
            }
            id::LEAVE => self.leaves.extend(record.read::<Leave>()?.map(|leave| (author, leave.join))),
            id::OFFER => {
                let offer = record.read::<Offer>()?.map(|offer| (author, offer));
                self.offers.extend(offer.map(|offer| (record.slot, offer)));
            }
            id::INCOME => {
                let income = record.read::<Income>()?.map(|income| (author, income));
                self.incomes.extend(income.map(|income| (record.slot, income)));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Says whether everything is here that a turn names: the height of the chain, the joins, proposals and votes, the coins.
    pub(super) fn covers(&self, turn: &Turn) -> bool {
        let votes = |approval: &super::Approval| {
            let cast = self.yes.get(&approval.proposal).map_or(0, |cast| cast.len());
            self.proposals.contains_key(&approval.proposal) && cast >= approval.yes.places().count()
        };
        let joins = |join: &JoinId| {
            let join = self.joins.get(join);
            join.is_some_and(|(_, join)| {
                join.inputs.iter().all(|input| self.coins.contains_key(&input.outpoint))
            })
        };
        let vouches = |promotion: &super::Promotion| {
            let member = promotion.member;
            promotion.vouchers.iter().all(|voucher| self.vouches.contains(&(*voucher, member)))
        };
        let height = self.lowest_height.unwrap_or(0)..=self.tip;
        height.contains(&turn.height)
            && self.highest_rate.is_none_or(|highest| turn.fee_rate() <= highest)
            && turn.approvals.iter().all(votes)
            && turn.joins.iter().all(joins)
            && turn.counted.iter().all(vouches)
            && turn.merges.iter().all(|merge| self.coins.contains_key(&merge.outpoint))
    }
}
