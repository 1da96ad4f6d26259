//! What a turn does to the accounts.

use std::collections::BTreeSet;

use domain::{
    PeerId,
    bitcoin::{Amount, TxOut},
    kinds::{MIN_OUTPUT, Note, Payee},
};

use super::{
    advance::{Executed, Work},
    plan::{Joiner, Plan},
    refusal::Refusal,
    shares::pro_rata,
    state::{Account, FORTNIGHT, Member, Moment, Past, Spend, State},
    weights::{fee, output, refund_fee},
};
use crate::paying::id_of;

const SALT: &str = "musicdao 2026 dao note salt v1";

impl Work<'_> {
    /// Pays the spends at the queue's head that the plan has room for.
    pub(super) fn execute(&mut self, plan: &Plan<'_>) -> Executed {
        let mut executed = Executed::default();
        let spends: Vec<Spend> = self.state.queue.drain(..plan.executed).collect();
        for spend in spends {
            for (peer, part) in spend.payers.iter() {
                let account = self.state.accounts.get_mut(peer).expect("who reserved has an account");
                account.claim -= *part;
                account.reserved -= *part;
            }
            self.state.spent.push((self.now.height, spend.amount().to_sat()));
            if let Some(note) = self.note(&spend, executed.outputs.len()) {
                self.state.notes.insert(id_of(&self.turn.builder, &note), spend.payers.clone());
                executed.notes.push(note);
            }
            executed.outputs.extend(spend.outputs);
            executed.proposals.push(spend.proposal);
            executed.payers.push(spend.payers);
        }
        executed
    }

    /// The note of an investment, which differs from every attempt's to the next.
    fn note(&self, spend: &Spend, vout: usize) -> Option<Note> {
        let (artist, offer) = spend.investment?;
        let salt = [&self.turn.id().as_bytes()[..], spend.proposal.as_bytes()].concat();
        let salt = blake3::derive_key(SALT, &salt);
        Some(Note {
            network: self.state.charter.network,
            salt: *salt.first_chunk().expect("16 of 32 bytes"),
            artist,
            offer,
            principal: spend.amount(),
            vout: u32::try_from(vout).expect("a few hundred outputs"),
            payee: Payee::Dao(*self.state.dao.as_bytes()),
            place: None,
        })
    }

    /// Pays out who goes: what is free of the claim, less the output's fee and a part of the base, plus what the refund
    /// no longer costs for them. What makes no output stays with the pool.
    pub(super) fn pay_leavers(&mut self, plan: &Plan<'_>) -> Vec<(PeerId, TxOut)> {
        let mut paid = Vec::new();
        for peer in &plan.leavers {
            let value = self.payout(peer, plan);
            let script_pubkey = self.state.accounts[peer].leave.clone();
            self.state.release(peer, self.now);
            if value >= MIN_OUTPUT {
                paid.push((*peer, TxOut { value: Amount::from_sat(value), script_pubkey }));
            }
        }
        paid
    }

    fn payout(&self, peer: &PeerId, plan: &Plan<'_>) -> u64 {
        let account = &self.state.accounts[peer];
        let weight = output(&account.leave);
        let spared = if account.reserved == Amount::ZERO { refund_fee(weight) } else { 0 };
        let free = account.free().to_sat();
        let base = account.member.as_ref().map_or(0, |member| match self.is_early(peer, member) {
            true => plan.base,
            false => plan.share,
        });
        let cost = (fee(weight, self.turn.rate) + base).saturating_sub(spared);
        free.saturating_sub(cost)
    }

    /// Whoever goes of its own will soon after it came pays the whole base.
    fn is_early(&self, peer: &PeerId, member: &Member) -> bool {
        let soon = member.joined.height.saturating_add(FORTNIGHT) > self.now.height;
        soon && self.turn.leaves.contains(peer) && !self.state.dissolving
    }

    /// Lets joiners in and returns their change.
    pub(super) fn admit(&mut self, plan: &Plan<'_>) -> Vec<TxOut> {
        let mut changes = Vec::new();
        for joiner in &plan.joiners {
            self.state.enter(joiner, self.now);
            let change = joiner.change.map(Amount::from_sat);
            let script_pubkey = joiner.join.change.clone();
            changes.extend(change.map(|value| TxOut { value, script_pubkey }));
        }
        changes
    }

    /// Divides the coin's value: the reserve is what the refund costs. What the turn cost the pool is taken from what is
    /// nobody's, then from the members in proportion to their free claims; whoever joined in this turn has paid its part.
    pub(super) fn settle(&mut self, value: u64, reserve: Amount) -> Result<(), Refusal> {
        let claims = self.state.claims().to_sat();
        let owed = claims + reserve.to_sat();
        self.state.reserve = reserve;
        if let Some(nobodys) = value.checked_sub(owed) {
            self.state.unassigned = Amount::from_sat(nobodys);
            return Ok(());
        }
        self.state.unassigned = Amount::ZERO;
        self.charge(owed - value)
    }

    /// Pays everybody a part of what is left in proportion to the claims. Accounts that a note names stay for the address
    /// that artists pay from then on.
    pub(super) fn pay_everybody(&mut self, left: u64) -> Vec<(PeerId, TxOut)> {
        let claims: Vec<u64> = self.state.accounts.values().map(|account| account.claim.to_sat()).collect();
        let parts = pro_rata(left, &claims).unwrap_or_default();
        self.state.unassigned = Amount::ZERO;
        self.state.reserve = Amount::ZERO;
        let mut paid = Vec::new();
        for ((peer, account), value) in self.state.accounts.iter_mut().zip(parts) {
            (account.claim, account.member) = (Amount::ZERO, None);
            if value >= MIN_OUTPUT {
                let script_pubkey = account.leave.clone();
                paid.push((*peer, TxOut { value: Amount::from_sat(value), script_pubkey }));
            }
        }
        paid
    }

    fn charge(&mut self, cost: u64) -> Result<(), Refusal> {
        let now = self.now;
        let pays = |account: &Account| account.member.as_ref().is_some_and(|member| member.joined != now);
        let mut payers: Vec<&mut Account> =
            self.state.accounts.values_mut().filter(|account| pays(account)).collect();
        let free: Vec<u64> = payers.iter().map(|account| account.free().to_sat()).collect();
        if free.iter().sum::<u64>() < cost {
            return Err(Refusal::Funds(cost));
        }
        let parts = pro_rata(cost, &free).ok_or(Refusal::Funds(cost))?;
        for (account, part) in payers.iter_mut().zip(parts) {
            account.claim -= Amount::from_sat(part);
        }
        Ok(())
    }
}

impl State {
    /// Makes somebody a member.
    pub(super) fn enter(&mut self, joiner: &Joiner<'_>, now: Moment) {
        let at_once = self.is_founding() || self.rules.vouches == 0 && self.rules.season == 0;
        let member =
            Member { join: joiner.id, key: joiner.join.key, joined: now, counted: at_once.then_some(now) };
        let account = self.accounts.entry(joiner.peer).or_insert_with(|| Account {
            claim: Amount::ZERO,
            reserved: Amount::ZERO,
            leave: joiner.join.leave.clone(),
            member: None,
        });
        account.claim += Amount::from_sat(joiner.claim);
        account.leave = joiner.join.leave.clone();
        account.member = Some(member);
        self.admitted.remove(&joiner.peer);
    }

    /// Ends a membership.
    fn release(&mut self, peer: &PeerId, now: Moment) {
        let Some(account) = self.accounts.get_mut(peer) else { return };
        account.claim = account.reserved;
        let counted = account.member.take().and_then(|member| member.counted);
        self.past.extend(counted.map(|from| Past { peer: *peer, from: from.turn, until: now.turn }));
    }

    /// Forgets accounts that are empty, nobody's, and named by no note.
    pub(super) fn tidy(&mut self) {
        let is_empty = |account: &Account| account.claim == Amount::ZERO && account.member.is_none();
        let mut gone: BTreeSet<PeerId> =
            self.accounts.iter().filter(|(_, account)| is_empty(account)).map(|(peer, _)| *peer).collect();
        if gone.is_empty() {
            return;
        }
        for (owner, _) in self.notes.values().flat_map(|shares| shares.iter()) {
            gone.remove(owner);
        }
        self.accounts.retain(|peer, _| !gone.contains(peer));
    }

    fn is_founding(&self) -> bool {
        self.epochs.is_empty()
    }
}
