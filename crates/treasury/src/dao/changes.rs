//! What a turn's parts must be, each against the evidence for it.

use std::collections::BTreeSet;

use domain::{
    PeerId, SlotId,
    bitcoin::{Amount, ScriptBuf, TxOut, key::Secp256k1},
    kinds::{Intent, JoinPolicy, OfferId, Proposal, ProposalId, WINDOW},
};

use super::{
    Approval, Merge, Promotion,
    advance::{Owner, Work},
    plan::{Joiner, Merged, coin_weight},
    refusal::{JoinProblem, Refusal},
    shares::pro_rata,
    state::{Shares, Spend, State},
    weights::{fee, output},
};
use crate::wallet::taproot_script;

/// How often its marginal fee a coin has to be worth to be merged.
const WORTH: u64 = 3;

impl<'a> Work<'a> {
    /// Takes the pooled coin and those that came in, and credits what artists pay back.
    pub(super) fn merge(&mut self) -> Result<Vec<Merged>, Refusal> {
        let mut coins = Vec::new();
        if let (Some(coin), Some(epoch)) = (self.before.coin, self.before.epochs.last()) {
            let output = TxOut { value: coin.value, script_pubkey: epoch.script() };
            coins.push(Merged { outpoint: coin.outpoint, output, owner: Owner::Epoch(epoch.clone()) });
        }
        for merge in &self.turn.merges {
            coins.push(self.merged(merge)?);
        }
        Ok(coins)
    }

    fn merged(&mut self, merge: &'a Merge) -> Result<Merged, Refusal> {
        let outpoint = merge.outpoint;
        let coin = self.evidence.coins.get(&outpoint).ok_or(Refusal::MissingCoin(outpoint))?;
        if !self.is_deep(coin.height) {
            return Err(Refusal::Unconfirmed(outpoint));
        }
        let is_pooled = self.before.coin.is_some_and(|pooled| pooled.outpoint == outpoint);
        let mut epochs = self.before.epochs.iter().rev();
        let epoch = epochs.find(|epoch| epoch.script() == coin.output.script_pubkey && !is_pooled);
        let owner = Owner::Epoch(epoch.ok_or(Refusal::Merge(outpoint))?.clone());
        let cost = fee(coin_weight(&owner), self.turn.rate);
        let value = coin.output.value.to_sat();
        if value < WORTH * cost {
            return Err(Refusal::Merge(outpoint));
        }
        self.credit(merge, value, value - cost)?;
        Ok(Merged { outpoint, output: coin.output.clone(), owner })
    }

    /// Credits a coin: what it pays back to those whose money it was, the rest to nobody.
    fn credit(&mut self, merge: &Merge, value: u64, net: u64) -> Result<(), Refusal> {
        let known = self.evidence.paybacks.get(&merge.outpoint).map_or(&[][..], Vec::as_slice);
        if known != merge.paybacks {
            return Err(Refusal::Merge(merge.outpoint));
        }
        let mut weights: Vec<u64> = known.iter().map(|payback| payback.sat).collect();
        let rest = weights.iter().try_fold(value, |left, sat| left.checked_sub(*sat));
        weights.push(rest.ok_or(Refusal::Merge(merge.outpoint))?);
        let mut parts = pro_rata(net, &weights).ok_or(Refusal::Merge(merge.outpoint))?;
        self.state.unassigned += Amount::from_sat(parts.pop().unwrap_or_default());
        for (payback, part) in known.iter().zip(parts) {
            let shares = self.state.notes.get(&payback.note).ok_or(Refusal::Payback(payback.note))?.clone();
            let weights: Vec<u64> = shares.iter().map(|(_, share)| share.to_sat()).collect();
            let parts = pro_rata(part, &weights).ok_or(Refusal::Payback(payback.note))?;
            for ((peer, _), part) in shares.iter().zip(parts) {
                let account = self.state.accounts.get_mut(peer).expect("a note keeps its owners' accounts");
                account.claim += Amount::from_sat(part);
            }
        }
        Ok(())
    }

    /// Applies the approvals in their order.
    pub(super) fn approve(&mut self) -> Result<(), Refusal> {
        let turn = self.turn;
        turn.approvals.iter().try_for_each(|approval| {
            let proposal = self.approved(approval)?;
            self.state.decided.insert(approval.proposal, proposal.expiry);
            self.enact(approval.proposal, proposal)
        })
    }

    /// Checks that a proposal is of this DAO, in time, new, and has its votes.
    fn approved(&self, approval: &Approval) -> Result<&'a Proposal, Refusal> {
        let id = approval.proposal;
        let (_, proposal) = self.evidence.proposals.get(&id).ok_or(Refusal::MissingRecord(id))?;
        if proposal.dao != self.before.dao || proposal.network != self.before.charter.network {
            return Err(Refusal::Foreign(id));
        }
        if self.state.decided.contains_key(&id) {
            return Err(Refusal::Repeated(id));
        }
        if proposal.expiry < self.now.height {
            return Err(Refusal::Expired(id));
        }
        let snapshot = super::TurnId::from_bytes(proposal.snapshot);
        let electorate = self.before.electorate(&snapshot).ok_or(Refusal::Foreign(id))?;
        let yes = self.votes(approval, &electorate)?;
        let needed = self.before.rules.threshold_of(count(electorate.len()));
        match yes >= needed {
            true => Ok(proposal),
            false => Err(Refusal::Votes { proposal: id, yes, needed }),
        }
    }

    fn votes(&self, approval: &Approval, electorate: &[PeerId]) -> Result<u32, Refusal> {
        let cast = self.evidence.yes.get(&approval.proposal);
        let mut yes = 0;
        for place in approval.yes.places() {
            let member = *electorate.get(place).ok_or(Refusal::Order("votes"))?;
            if !cast.is_some_and(|cast| cast.contains(&member)) {
                return Err(Refusal::Vote { proposal: approval.proposal, member });
            }
            yes += 1;
        }
        Ok(yes)
    }

    fn enact(&mut self, id: ProposalId, proposal: &'a Proposal) -> Result<(), Refusal> {
        let impossible =
            |problem: &dyn ToString| Refusal::Impossible { proposal: id, problem: problem.to_string() };
        let network = self.state.charter.network;
        match &proposal.intent {
            Intent::Pay { outputs } => {
                let output =
                    |it: &domain::kinds::Output| TxOut { value: it.amount, script_pubkey: it.script.clone() };
                self.reserve(id, proposal, outputs.iter().map(output).collect(), None)
            }
            Intent::Invest { artist, offer, amount, income, index } => {
                let script_pubkey = self.principal(id, artist, offer, income, *index)?;
                let output = TxOut { value: *amount, script_pubkey };
                self.reserve(id, proposal, vec![output], Some((*artist, *offer)))
            }
            Intent::Set { parameter, value } => {
                let rules = self.state.rules.with(*parameter, *value, network);
                self.state.rules = rules.map_err(|error| impossible(&error))?;
                Ok(())
            }
            Intent::Admit(peer) => {
                self.state.admitted.insert(*peer);
                Ok(())
            }
            Intent::Remove(peer) => match self.before.member(peer).is_some() && self.removed.insert(*peer) {
                true => Ok(()),
                false => Err(impossible(&"it removes nobody")),
            },
            Intent::Refresh => Ok(()),
            Intent::Dissolve => {
                self.state.dissolving = true;
                Ok(())
            }
        }
    }

    /// Finds where an artist is paid principal: in the last window of the record that the proposal names.
    fn principal(
        &self,
        id: ProposalId,
        artist: &PeerId,
        offer: &OfferId,
        income: &SlotId,
        index: u32,
    ) -> Result<ScriptBuf, Refusal> {
        let impossible = |problem: &str| Refusal::Impossible { proposal: id, problem: problem.to_owned() };
        let network = self.state.charter.network;
        let (offerer, offer) = self.evidence.offers.get(offer).ok_or(Refusal::MissingRecord(*offer))?;
        let (payee, income) = self.evidence.incomes.get(income).ok_or(Refusal::MissingRecord(*income))?;
        if offerer != artist || payee != artist {
            return Err(impossible("the offer or the address is not the artist's"));
        }
        if offer.network != network || income.network != network {
            return Err(impossible("the offer or the address is on another chain"));
        }
        let base = income.windows.last().copied().unwrap_or(u32::MAX);
        match index.checked_sub(base).is_some_and(|above| above < WINDOW) {
            true => Ok(taproot_script(&Secp256k1::verification_only(), &income.principal, index)),
            false => Err(impossible("the address is not in the artist's last window")),
        }
    }

    /// Freezes who pays for a spend and reserves it in their claims: the members of its snapshot that still are, in
    /// proportion to what is free of their claims.
    fn reserve(
        &mut self,
        id: ProposalId,
        proposal: &Proposal,
        outputs: Vec<TxOut>,
        investment: Option<(PeerId, OfferId)>,
    ) -> Result<(), Refusal> {
        let amount: u64 = outputs.iter().map(|output| output.value.to_sat()).sum();
        if amount > self.state.may_spend() {
            return Err(Refusal::Spending(id));
        }
        let snapshot = super::TurnId::from_bytes(proposal.snapshot);
        let snapshot = self.before.number_of(&snapshot).ok_or(Refusal::Foreign(id))?;
        let payers = self.state.freeze(amount, snapshot)?;
        self.state.queue.push(Spend { proposal: id, outputs, investment, payers });
        Ok(())
    }

    /// Lists who goes, ascending: who said so, who was removed, who left before and had something come in.
    pub(super) fn leavers(&self) -> Result<Vec<PeerId>, Refusal> {
        let mut leavers: BTreeSet<PeerId> = self.removed.clone();
        for peer in &self.turn.leaves {
            let account = self.state.accounts.get(peer).ok_or(Refusal::Leave(*peer))?;
            let may = match &account.member {
                Some(member) => self.state.dissolving || self.evidence.leaves.contains(&(*peer, member.join)),
                None => {
                    let cost = fee(output(&account.leave), self.turn.rate);
                    account.free().to_sat() >= cost + domain::kinds::MIN_OUTPUT
                }
            };
            if !may || !leavers.insert(*peer) {
                return Err(Refusal::Leave(*peer));
            }
        }
        Ok(leavers.into_iter().collect())
    }

    /// Lists who joins.
    pub(super) fn joiners(&self, leavers: &[PeerId]) -> Result<Vec<Joiner<'a>>, Refusal> {
        let mut joiners: Vec<Joiner<'a>> = Vec::new();
        for id in &self.turn.joins {
            let (peer, join) = self.evidence.joins.get(id).ok_or(Refusal::MissingRecord(*id))?;
            let joiner = Joiner { id: *id, peer: *peer, join, change: Some(0), claim: join.deposit.to_sat() };
            self.check_joiner(&joiner, leavers).map_err(|problem| joiner.refused(problem))?;
            for other in &joiners {
                let coins = |joiner: &Joiner<'a>| joiner.join.inputs.iter().map(|input| input.outpoint);
                let problem = if other.peer == *peer {
                    JoinProblem::Member
                } else if other.join.key == join.key {
                    JoinProblem::Key
                } else if coins(other).any(|coin| coins(&joiner).any(|own| own == coin)) {
                    JoinProblem::Coin
                } else {
                    continue;
                };
                return Err(joiner.refused(problem));
            }
            self.check_coins(&joiner)?;
            joiners.push(joiner);
        }
        Ok(joiners)
    }

    fn check_joiner(&self, joiner: &Joiner<'a>, leavers: &[PeerId]) -> Result<(), JoinProblem> {
        let (state, join, peer) = (&self.state, joiner.join, &joiner.peer);
        if join.dao != state.dao || join.network != state.charter.network || state.dissolving {
            return Err(JoinProblem::Foreign);
        }
        if join.deposit < state.rules.entrance_fee {
            return Err(JoinProblem::Fee);
        }
        if state.member(peer).is_some() || leavers.contains(peer) {
            return Err(JoinProblem::Member);
        }
        if state.members().any(|(_, member)| member.key == join.key) {
            return Err(JoinProblem::Key);
        }
        match self.before.is_unfounded() || self.lets_in(peer) {
            true => Ok(()),
            false => Err(JoinProblem::Policy),
        }
    }

    fn lets_in(&self, peer: &PeerId) -> bool {
        match self.state.rules.policy {
            JoinPolicy::Open => true,
            JoinPolicy::Admitted => self.state.admitted.contains(peer),
            JoinPolicy::Vouched => {
                let vouches = |(_, voucher)| self.evidence.vouches.contains(&(voucher, *peer));
                self.before.counted().filter(|it| vouches(*it)).count()
                    >= usize::from(self.state.rules.vouches)
            }
        }
    }

    /// Takes value and script of a joiner's coins from the chain, and from nowhere else.
    fn check_coins(&self, joiner: &Joiner<'a>) -> Result<(), Refusal> {
        for input in &joiner.join.inputs {
            let coin = self.evidence.coins.get(&input.outpoint);
            let coin = coin.ok_or(Refusal::MissingCoin(input.outpoint))?;
            let output = &coin.output;
            if output.value != input.value
                || output.script_pubkey != input.script
                || coin.block != input.block
            {
                return Err(joiner.refused(JoinProblem::Coin));
            }
            if !self.is_deep(coin.height) {
                return Err(joiner.refused(JoinProblem::Depth));
            }
        }
        Ok(())
    }

    /// Says whether a coin is deep enough as the chain is now: after a reorganisation it may be in a higher block than
    /// when the turn was made, and the turn be in a block all the same.
    fn is_deep(&self, height: u32) -> bool {
        let depth = u32::from(self.before.charter.depth);
        self.evidence.tip.saturating_add(1) >= height.saturating_add(depth)
    }

    /// Counts the members for whom enough vouch, within the rules' season and growth.
    pub(super) fn promote(&mut self) -> Result<(), Refusal> {
        let turn = self.turn;
        for promotion in &turn.counted {
            self.check_promotion(promotion)?;
            let account = self.state.accounts.get_mut(&promotion.member);
            let member = account.and_then(|account| account.member.as_mut());
            member.ok_or(Refusal::Promotion(promotion.member))?.counted = Some(self.now);
        }
        let Some(last) = turn.counted.last() else { return Ok(()) };
        self.state.promoted.push((self.now.height, count(turn.counted.len())));
        let promoted: u32 = self.state.promoted.iter().map(|(_, count)| count).sum();
        let growth = u64::from(self.state.rules.growth);
        let most = (self.before.counted().count() as u64 * growth).div_ceil(100);
        match growth == 0 || u64::from(promoted) <= most {
            true => Ok(()),
            false => Err(Refusal::Promotion(last.member)),
        }
    }

    fn check_promotion(&self, promotion: &Promotion) -> Result<(), Refusal> {
        let (rules, peer) = (&self.state.rules, promotion.member);
        let member = self.state.member(&peer).ok_or(Refusal::Promotion(peer))?;
        let seasoned = self.now.height >= member.joined.height.saturating_add(rules.season.into());
        let vouchers = &promotion.vouchers;
        let enough =
            vouchers.len() == usize::from(rules.vouches) && vouchers.is_sorted_by(|one, two| one < two);
        if member.counted.is_some() || !seasoned || !enough {
            return Err(Refusal::Promotion(peer));
        }
        for voucher in vouchers {
            let counts = self.before.member(voucher).is_some_and(|member| member.counted.is_some());
            if !counts || *voucher == peer {
                return Err(Refusal::Promotion(peer));
            }
            if !self.evidence.vouches.contains(&(*voucher, peer)) {
                return Err(Refusal::Vouch { voucher: *voucher, member: peer });
            }
        }
        Ok(())
    }
}

impl State {
    /// Most that proposals may pay in a fortnight.
    pub(super) fn may_spend(&self) -> u64 {
        let spent: u64 = self.spent.iter().map(|(_, sat)| sat).sum();
        let whole = u128::from(self.claims().to_sat()) + u128::from(spent);
        u64::try_from(whole * u128::from(self.rules.spending) / 100).unwrap_or(u64::MAX)
    }

    /// Says who would pay how much for a proposal if it were approved now; nobody where it pays nothing.
    ///
    /// # Errors
    /// [`Refusal::Foreign`], and [`Refusal::Funds`] where the claims do not cover it.
    pub fn payers(&self, id: ProposalId, proposal: &Proposal) -> Result<Shares, Refusal> {
        let amount = match &proposal.intent {
            Intent::Pay { outputs } => outputs.iter().map(|output| output.amount.to_sat()).sum(),
            Intent::Invest { amount, .. } => amount.to_sat(),
            _ => return Ok(Shares::default()),
        };
        let snapshot = super::TurnId::from_bytes(proposal.snapshot);
        self.divide(amount, self.number_of(&snapshot).ok_or(Refusal::Foreign(id))?)
    }

    fn freeze(&mut self, amount: u64, snapshot: u32) -> Result<Shares, Refusal> {
        let frozen = self.divide(amount, snapshot)?;
        for (peer, part) in frozen.iter() {
            self.accounts.get_mut(peer).expect("who pays has an account").reserved += *part;
        }
        Ok(frozen)
    }

    fn divide(&self, amount: u64, snapshot: u32) -> Result<Shares, Refusal> {
        let pays = |account: &super::Account| {
            account.member.as_ref().is_some_and(|member| member.joined.turn <= snapshot)
        };
        let payers: Vec<_> = self.accounts.iter().filter(|(_, account)| pays(account)).collect();
        let free: Vec<u64> = payers.iter().map(|(_, account)| account.free().to_sat()).collect();
        if free.iter().sum::<u64>() < amount {
            return Err(Refusal::Funds(amount));
        }
        let parts = pro_rata(amount, &free).ok_or(Refusal::Funds(amount))?;
        let payers = payers.into_iter().zip(parts).filter(|(_, part)| *part > 0);
        Ok(payers.map(|((peer, _), part)| (*peer, Amount::from_sat(part))).collect())
    }
}

fn count(members: usize) -> u32 {
    u32::try_from(members).unwrap_or(u32::MAX)
}
