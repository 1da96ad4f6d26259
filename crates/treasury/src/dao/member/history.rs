//! What happened so far, for whoever looks at the DAO.

use std::collections::BTreeSet;

use domain::{
    PeerId,
    bitcoin::{Amount, FeeRate, OutPoint, Transaction, Txid},
    kinds::{Choice, Intent, NoteId, ProposalId},
};

use super::{
    super::{Evidence, Refusal, Shares, State, Step, Turn, TurnId},
    Attempt, Block, Member,
};

/// A turn whose transaction is in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Which.
    pub turn: TurnId,
    /// Its transaction.
    pub txid: Txid,
    /// In which block.
    pub block: Block,
    /// Who came in.
    pub joined: Vec<PeerId>,
    /// Who was paid out.
    pub left: Vec<PeerId>,
    /// The proposals whose spends it paid, or that it approved and that pay nothing.
    pub proposals: Vec<ProposalId>,
    /// The proposals that it approved.
    pub approved: Vec<ProposalId>,
    /// Who paid for which proposal.
    pub payers: Vec<(ProposalId, Shares)>,
    /// The notes that it paid.
    pub notes: Vec<(ProposalId, NoteId)>,
    /// The coin after it; none after the last.
    pub coin: Option<Amount>,
    /// Its fee.
    pub fee: Amount,
}

impl Member {
    /// Lists the turns whose transaction is in a block, oldest first.
    pub fn history(&self) -> &[Done] {
        &self.history
    }

    /// Returns what an open attempt does.
    pub fn step(&self, turn: &TurnId) -> Option<(&Turn, &Step)> {
        self.attempts.get(turn).map(|attempt| (&attempt.turn, &*attempt.step))
    }

    /// Returns the first vote of each member that is known.
    pub fn ballots(&self) -> impl Iterator<Item = (&ProposalId, &PeerId, Choice)> {
        let cast = |(proposal, cast)| std::iter::repeat(proposal).zip(cast);
        let all = self.ballots.iter().map(|(proposal, of_it)| (proposal, of_it.iter())).flat_map(cast);
        all.map(|(proposal, (member, choice))| (proposal, member, *choice))
    }

    /// Says whom the owner's votes follow.
    pub fn following(&self) -> Option<PeerId> {
        self.following
    }

    /// Lists whom this node speaks with: the members, those who join, and the creator.
    pub fn peers(&self) -> BTreeSet<PeerId> {
        let members = self.state().members().map(|(peer, _)| *peer);
        let joiners = self.evidence.joins.values().map(|(author, _)| *author);
        let joiners = joiners.filter(|_| self.state().is_unfounded());
        let mine = self.open().flat_map(Attempt::joiners);
        let all = members.chain(joiners).chain(mine).chain([self.config.creator]);
        all.filter(|peer| *peer != self.config.me).collect()
    }

    /// Says whether a block that can no longer be undone spends a coin.
    pub fn is_spent_for_good(&self, outpoint: &OutPoint) -> bool {
        let block = self.spends.get(outpoint).and_then(|(_, block)| *block);
        block.is_some_and(|block| block.height.saturating_add(super::follow::DOUBT) <= self.height())
    }

    /// Says whether a block spends a coin.
    pub fn is_spent_in_block(&self, outpoint: &OutPoint) -> bool {
        self.spends.get(outpoint).is_some_and(|(_, block)| block.is_some())
    }

    /// Returns the first block that may hold the refund of the pooled coin, where the coin is in a block itself.
    pub fn refund_height(&self) -> Option<u32> {
        let coin = self.evidence.coins.get(&self.state().coin?.outpoint)?;
        Some(coin.height.saturating_add(self.config.charter.recovery.into()))
    }

    /// Lists the transactions that are complete and wait for their block, each with what it pays: T, and what was sent of
    /// the refund, by the owner or another, its later nodes too.
    pub fn unconfirmed(&self) -> Vec<(Transaction, Amount)> {
        let open = self.open().filter(|attempt| !attempt.failed && self.has_coins(attempt));
        let complete = open.filter_map(|attempt| {
            let spent = attempt.step.transaction.spent.iter().map(|output| output.value).sum();
            let transaction = attempt.finished.clone()?;
            Some((transaction, spent))
        });
        let spent = self.refund_spent();
        let refund = self.refund().filter(|_| self.is_refund_sent()).into_iter().flatten().zip(spent);
        let skipped = usize::from(self.refunded.is_some());
        let all = complete.chain(refund.skip(skipped));
        let paid = |transaction: &Transaction| transaction.output.iter().map(|output| output.value).sum();
        all.filter_map(|(transaction, spent): (Transaction, Amount)| {
            let fee = spent.checked_sub(paid(&transaction))?;
            Some((transaction, fee))
        })
        .collect()
    }

    fn is_refund_sent(&self) -> bool {
        let (state, last) = (self.state(), self.links.last().and_then(|link| self.attempts.get(&link.turn)));
        let root = last.and_then(Attempt::refund_txid);
        let spender = state.coin.and_then(|coin| self.spends.get(&coin.outpoint)).map(|(by, _)| *by);
        self.recovering == Some(state.turn()) && spender.is_none() || spender.is_some() && spender == root
    }

    /// What each node of the refund spends.
    fn refund_spent(&self) -> Vec<Amount> {
        let last = self.links.last().and_then(|link| self.attempts.get(&link.turn));
        let refund = last.and_then(|attempt| attempt.step.refund.as_ref());
        refund.into_iter().flat_map(|refund| &refund.nodes).map(|node| node.spent.value).collect()
    }

    /// Returns the refund that is in a block, where the DAO ended by it.
    pub fn refunded(&self) -> Option<Txid> {
        self.refunded
    }

    /// Says from now on what this node pays when it builds, and what it signs at most.
    pub fn set_rates(&mut self, rate: FeeRate, highest: FeeRate) {
        self.config.rate = rate;
        self.evidence.highest_rate = Some(highest);
    }

    /// Recomputes everything from the charter, the turns, the records and the chain.
    ///
    /// # Errors
    /// A turn that cannot have been, or accounts that do not sum to the coin.
    pub fn audit(&self) -> Result<State, Refusal> {
        let mut evidence = Evidence { highest_rate: None, lowest_height: None, ..self.evidence.clone() };
        evidence.tip = evidence.tip.max(self.state().height);
        let mut state = State::new(self.config.dao, self.config.charter.clone())?;
        for id in self.state().turns.iter().skip(1) {
            let (_, turn) = self.turns.get(id).ok_or(Refusal::Previous(state.turn()))?;
            state = state.advance(turn, &evidence)?.state;
        }
        state.audit()?;
        Ok(state)
    }
}

impl Done {
    pub(super) fn of(attempt: &Attempt, block: Block, evidence: &Evidence) -> Self {
        let step = &attempt.step;
        let approved: Vec<ProposalId> = attempt.turn.approvals.iter().map(|it| it.proposal).collect();
        let waits = |id: &ProposalId| step.state.queue.iter().any(|spend| spend.proposal == *id);
        let at_once = approved.iter().filter(|id| !step.executed.contains(id) && !waits(id));
        let paid: Amount = step.transaction.transaction.output.iter().map(|output| output.value).sum();
        let spent: Amount = step.transaction.spent.iter().map(|output| output.value).sum();
        Self {
            turn: attempt.id(),
            txid: attempt.txid,
            block,
            joined: step.joined.clone(),
            left: step.left.clone(),
            proposals: step.executed.iter().chain(at_once).copied().collect(),
            approved,
            payers: step.executed.iter().copied().zip(step.payers.iter().cloned()).collect(),
            notes: notes(attempt, evidence),
            coin: step.state.coin.map(|coin| coin.value),
            fee: spent.checked_sub(paid).unwrap_or(Amount::ZERO),
        }
    }
}

/// Which proposal each note carries out: they stand in the order of the spends.
fn notes(attempt: &Attempt, evidence: &Evidence) -> Vec<(ProposalId, NoteId)> {
    let invests = |id: &&ProposalId| {
        let proposal = evidence.proposals.get(*id);
        proposal.is_some_and(|(_, proposal)| matches!(proposal.intent, Intent::Invest { .. }))
    };
    attempt.step.executed.iter().filter(invests).copied().zip(attempt.notes()).collect()
}
