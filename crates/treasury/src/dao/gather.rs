//! Which turn a builder proposes: everything that is due and possible.

use std::collections::BTreeSet;

use domain::{
    PeerId,
    bitcoin::{FeeRate, OutPoint},
    kinds::{JoinId, ProposalId},
};

use super::{
    Approval, Evidence, Member, Members, Merge, Promotion, Refusal, State, Step, Turn, TurnId,
    advance::MAX_MERGES,
};

/// Most joins that a builder tries at once: more never fit a transaction.
const MAX_JOINS: usize = 120;

/// What a builder leaves out, whatever is due.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Whether nobody joins: after a joiner failed, so that a leave or a refresh waits for nobody.
    pub without_joins: bool,
    /// Joins whose authors failed lately.
    pub refused: BTreeSet<JoinId>,
    /// The FROST group that the successor's holders made.
    pub group: Option<Vec<u8>>,
}

impl State {
    /// Builds the turn that does everything that is due and possible by the evidence, with what follows from it. What
    /// cannot be done now is left for the next one. `None` where nothing is due.
    pub fn gather(
        &self,
        builder: PeerId,
        rate: FeeRate,
        evidence: &Evidence,
        scope: &Scope,
    ) -> Option<(Turn, Step)> {
        let mut turn = Turn::after(self.turn(), builder, evidence.tip, rate);
        turn.group = scope.group.clone();
        if !scope.without_joins {
            turn.joins = self.due_joins(evidence, &scope.refused);
        }
        if !self.is_unfounded() {
            turn.merges = self.due_merges(evidence);
            turn.approvals = self.due_approvals(evidence);
            turn.leaves = self.due_leaves(evidence);
            turn.counted = self.due_promotions(evidence, &turn.joins);
        }
        // Every refusal that goes on takes something away.
        loop {
            match self.advance(&turn, evidence) {
                Ok(step) => return Some((turn, step)),
                Err(refusal) if turn.leave_out(&refusal) => {}
                Err(_) => return None,
            }
        }
    }

    fn due_joins(&self, evidence: &Evidence, refused: &BTreeSet<JoinId>) -> Vec<JoinId> {
        let mut authors = BTreeSet::new();
        let due = evidence.joins.iter().filter(|(id, (author, join))| {
            let is_over = evidence.leaves.contains(&(*author, **id));
            let is_new = self.member(author).is_none() && !refused.contains(id) && !is_over;
            is_new && join.inputs.iter().all(|input| evidence.coins.contains_key(&input.outpoint))
        });
        due.filter(|(_, (author, _))| authors.insert(*author)).map(|(id, _)| *id).take(MAX_JOINS).collect()
    }

    /// Coins at the scripts of all epochs but the pooled one, those first that are worth most.
    fn due_merges(&self, evidence: &Evidence) -> Vec<Merge> {
        let scripts: BTreeSet<_> = self.epochs.iter().map(|epoch| epoch.script()).collect();
        let pooled = self.coin.map(|coin| coin.outpoint);
        let came = evidence.coins.iter().filter(|(outpoint, coin)| {
            Some(**outpoint) != pooled && scripts.contains(&coin.output.script_pubkey)
        });
        let mut came: Vec<_> = came.map(|(outpoint, coin)| (coin.output.value, *outpoint)).collect();
        came.sort_unstable_by(|one, two| two.cmp(one));
        let mut merged: Vec<OutPoint> =
            came.into_iter().take(MAX_MERGES).map(|(_, outpoint)| outpoint).collect();
        merged.sort_unstable();
        let paybacks = |outpoint| evidence.paybacks.get(&outpoint).cloned().unwrap_or_default();
        merged.into_iter().map(|outpoint| Merge { outpoint, paybacks: paybacks(outpoint) }).collect()
    }

    /// Proposals that have their votes, the oldest snapshot's first.
    fn due_approvals(&self, evidence: &Evidence) -> Vec<Approval> {
        let due = evidence.yes.iter().filter_map(|(id, yes)| {
            let (_, proposal) = evidence.proposals.get(id)?;
            let snapshot = TurnId::from_bytes(proposal.snapshot);
            let is_new = proposal.dao == self.dao && proposal.expiry >= evidence.tip && !self.has_decided(id);
            let number = self.number_of(&snapshot).filter(|_| is_new)?;
            let electorate = self.electorate(&snapshot)?;
            let places = (0..electorate.len()).filter(|place| yes.contains(&electorate[*place]));
            let places: Vec<usize> = places.collect();
            let needed = self.rules.threshold_of(u32::try_from(electorate.len()).ok()?);
            let approval = Approval { proposal: *id, yes: Members::of(places.iter().copied()) };
            (u32::try_from(places.len()).ok()? >= needed).then_some((number, approval))
        });
        let mut due: Vec<(u32, Approval)> = due.collect();
        due.sort_by_key(|(number, approval)| (*number, approval.proposal));
        due.into_iter().map(|(_, approval)| approval).collect()
    }

    fn due_leaves(&self, evidence: &Evidence) -> Vec<PeerId> {
        let due = self.accounts.iter().filter(|(peer, account)| match &account.member {
            Some(member) => self.dissolving || evidence.leaves.contains(&(**peer, member.join)),
            None => account.free().to_sat() >= domain::kinds::MIN_OUTPUT,
        });
        due.map(|(peer, _)| *peer).collect()
    }

    fn due_promotions(&self, evidence: &Evidence, joins: &[JoinId]) -> Vec<Promotion> {
        let season = u32::from(self.rules.season);
        let is_due = |member: &Member| {
            member.counted.is_none() && member.joined.height.saturating_add(season) <= evidence.tip
        };
        let members = self.members().filter(|(_, member)| is_due(member)).map(|(peer, _)| *peer);
        // Where nobody has to vouch and nobody waits, who joins is counted at once.
        let joins = if season == 0 && self.rules.vouches > 0 { joins } else { &[] };
        let joiners = joins.iter().filter_map(|id| Some(evidence.joins.get(id)?.0));
        let waiting: BTreeSet<PeerId> = members.chain(joiners).collect();
        let wanted = usize::from(self.rules.vouches);
        let counts = |peer: &PeerId| self.member(peer).is_some_and(|member| member.counted.is_some());
        let promotion = |member: PeerId| {
            let vouches = evidence.vouches.iter().filter(|(voucher, of)| *of == member && counts(voucher));
            let vouchers: Vec<PeerId> = vouches.map(|(voucher, _)| *voucher).take(wanted).collect();
            (vouchers.len() == wanted).then_some(Promotion { member, vouchers })
        };
        waiting.into_iter().filter_map(promotion).collect()
    }

    /// Says whether a proposal was approved before.
    pub fn has_decided(&self, proposal: &ProposalId) -> bool {
        self.decided.contains_key(proposal)
    }
}

impl Turn {
    /// Leaves out what was refused; says whether there was anything to leave out.
    fn leave_out(&mut self, refusal: &Refusal) -> bool {
        let before = self.items();
        match refusal {
            Refusal::Join { join, .. } => self.joins.retain(|id| id != join),
            Refusal::MissingRecord(_) | Refusal::Funds(_) => drop(self.approvals.pop()),
            Refusal::Vote { proposal: id, .. }
            | Refusal::Votes { proposal: id, .. }
            | Refusal::Impossible { proposal: id, .. }
            | Refusal::Repeated(id)
            | Refusal::Expired(id)
            | Refusal::Foreign(id)
            | Refusal::Spending(id) => self.approvals.retain(|approval| approval.proposal != *id),
            Refusal::Merge(coin) | Refusal::Unconfirmed(coin) => {
                self.merges.retain(|it| it.outpoint != *coin)
            }
            Refusal::Payback(note) => {
                self.merges.retain(|merge| merge.paybacks.iter().all(|payback| payback.note != *note));
            }
            Refusal::Leave(peer) => self.leaves.retain(|it| it != peer),
            Refusal::Promotion(member) | Refusal::Vouch { member, .. } => {
                self.counted.retain(|it| it.member != *member);
            }
            Refusal::Weight(_) | Refusal::Fee(_) => self.lighten(),
            Refusal::Guard(_) => self.keep_keys(),
            Refusal::Cap(_) => drop(self.joins.pop()),
            _ => {}
        }
        self.items() < before
    }

    /// Leaves out what changes the keys: a new group, then a leave, then an approval.
    fn keep_keys(&mut self) {
        if self.group.take().is_none() && self.leaves.pop().is_none() {
            self.approvals.pop();
        }
    }

    /// Leaves out a part of what weighs: joins, then merges, then leaves.
    fn lighten(&mut self) {
        let fewer = |count: usize| count - count.div_ceil(8);
        if !self.joins.is_empty() {
            self.joins.truncate(fewer(self.joins.len()));
        } else if self.merges.pop().is_none() {
            self.leaves.truncate(fewer(self.leaves.len()));
        }
    }

    fn items(&self) -> usize {
        let members = self.joins.len() + self.leaves.len() + self.counted.len();
        members + self.approvals.len() + self.merges.len() + usize::from(self.group.is_some())
    }
}
