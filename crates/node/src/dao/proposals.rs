//! Proposals, votes on them, and what became of them.

use std::sync::Arc;

use domain::{
    PeerId,
    bitcoin::{Amount, secp256k1::Secp256k1},
    kinds::{Ballot, Choice, Income, Intent, Proposal, ProposalId, id},
};
use treasury::{
    dao::{
        State, TurnId,
        member::{Attempted, Member},
    },
    wallet::taproot_script,
};

use super::{driven::Driven, propose::parameter_word, records, running::Running};
use crate::{
    api::{ApiError, DaoChoice, DaoIntent, DaoOutput, DaoPart, DaoProposal, DaoProposalState, DaoProposals},
    node::Inner,
};

/// Lists proposals, newest first.
///
/// # Errors
/// Those of the database.
pub(super) async fn list(node: &Arc<Inner>, running: &Running) -> Result<DaoProposals, ApiError> {
    let mut times: std::collections::BTreeMap<ProposalId, (u64, u64)> = std::collections::BTreeMap::new();
    for record in node.store.dao_records(&running.dao).await? {
        if record.kind == id::PROPOSAL {
            times.insert(record.slot, (record.created_at, record.seq));
        }
    }
    let shown: Vec<DaoProposal> = {
        let driven = running.driven().await;
        let ids = driven.member.evidence().proposals.keys().copied().collect::<Vec<_>>();
        ids.iter().filter_map(|id| figures(node, &driven, id)).collect()
    };
    let mut proposals = Vec::new();
    for mut one in shown {
        one.at_ms = times.get(&one.proposal_id).map_or(0, |(at, _)| *at);
        one.author_name = crate::money::name(node, one.author).await?;
        proposals.push(one);
    }
    proposals.sort_by_key(|one| std::cmp::Reverse((one.at_ms, one.proposal_id)));
    Ok(DaoProposals { proposals })
}

/// Shows one.
///
/// # Errors
/// `dao_proposal_unknown`, and those of the database.
pub(super) async fn show(
    node: &Arc<Inner>,
    running: &Running,
    proposal: ProposalId,
) -> Result<DaoProposal, ApiError> {
    let all = list(node, running).await?.proposals;
    all.into_iter().find(|one| one.proposal_id == proposal).ok_or_else(|| unknown(&proposal))
}

/// Votes, for good.
///
/// # Errors
/// `dao_proposal_unknown`, `dao_may_not_vote`, `dao_voted`, and those of publishing.
pub(super) async fn vote(
    node: &Arc<Inner>,
    running: &Running,
    proposal: ProposalId,
    choice: DaoChoice,
) -> Result<DaoProposal, ApiError> {
    let me = node.identity.id();
    let choice = match choice {
        DaoChoice::Yes => Choice::Yes,
        DaoChoice::No => Choice::No,
        DaoChoice::Abstain => Choice::Abstain,
    };
    {
        let driven = running.driven().await;
        let (_, of) = driven.member.evidence().proposals.get(&proposal).ok_or_else(|| unknown(&proposal))?;
        if !electorate(driven.member.state(), of).contains(&me) {
            let message = "only who was counted when it was proposed votes on it";
            return Err(ApiError::new("dao_may_not_vote", message));
        }
        let voted = driven.member.ballots().find(|(id, member, _)| **id == proposal && **member == me);
        if voted.is_some_and(|(_, _, before)| before != choice) {
            let message = "you have voted otherwise on it, and a vote is for good";
            return Err(ApiError::new("dao_voted", message));
        }
    }
    let ballot = Ballot { network: node.money.network(), proposal, choice };
    let record = records::publish(node, ballot).await?;
    running.driven().await.record(node, &record).await?;
    show(node, running, proposal).await
}

fn electorate(state: &State, proposal: &Proposal) -> Vec<PeerId> {
    state.electorate(&TurnId::from_bytes(proposal.snapshot)).unwrap_or_default()
}

fn figures(node: &Inner, driven: &Driven, id: &ProposalId) -> Option<DaoProposal> {
    let (member, state) = (&driven.member, driven.member.state());
    let (author, proposal) = member.evidence().proposals.get(id)?;
    let electorate = electorate(state, proposal);
    let votes: Vec<(PeerId, Choice)> = member
        .ballots()
        .filter(|(of, voter, _)| *of == id && electorate.contains(voter))
        .map(|(_, voter, choice)| (*voter, choice))
        .collect();
    let count = |wanted| small(votes.iter().filter(|(_, choice)| *choice == wanted).count());
    let me = node.identity.id();
    let mine = member.ballots().find(|(of, voter, _)| *of == id && **voter == me);
    let done = member.history().iter().rev().find(|done| done.proposals.contains(id));
    let tip = member.tip().map_or(0, |tip| tip.height);
    let attempt = executing(member, id);
    let parts = parts(member, id, proposal);
    Some(DaoProposal {
        proposal_id: *id,
        dao_id: driven.dao,
        author: *author,
        author_name: String::new(),
        title: proposal.title.clone(),
        words: proposal.words.clone(),
        kind: kind(&proposal.intent).into(),
        intent: intent(node, &proposal.intent),
        outputs: outputs(node, driven, &proposal.intent),
        state: state_of(member, id, proposal, electorate.len(), count(Choice::Yes), votes.len()),
        yes: count(Choice::Yes),
        no: count(Choice::No),
        abstain: count(Choice::Abstain),
        electorate: small(electorate.len()),
        needed: state.rules.threshold_of(small(electorate.len())),
        my_vote: mine.map(|(_, _, choice)| shown_choice(choice)),
        may_vote: mine.is_none()
            && !super::show::is_over(member)
            && electorate.contains(&me)
            && tip <= proposal.expiry,
        expiry: proposal.expiry,
        txid: done.map(|done| done.txid).or(attempt.map(|it| it.txid)).map(|txid| txid.to_string()),
        confirmations: done.map_or(0, |done| (tip + 1).saturating_sub(done.block.height)),
        note_id: done.and_then(|done| done.notes.iter().find(|(of, _)| of == id)).map(|(_, note)| *note),
        my_part_sat: parts.iter().find(|part| part.peer_id == me).map_or(0, |part| part.sat),
        parts,
        voted_twice: driven.voted_twice.iter().filter(|(of, _)| of == id).map(|(_, who)| *who).collect(),
        at_ms: 0,
    })
}

/// Where a proposal stands.
fn state_of(
    member: &Member,
    id: &ProposalId,
    proposal: &Proposal,
    electorate: usize,
    yes: u32,
    voted: usize,
) -> DaoProposalState {
    use DaoProposalState as S;
    let (state, tip) = (member.state(), member.tip().map_or(0, |tip| tip.height));
    if member.history().iter().any(|done| done.proposals.contains(id)) {
        // What dissolves is done once everybody is paid.
        let is_done = !matches!(proposal.intent, Intent::Dissolve) || state.has_ended();
        return if is_done { S::Confirmed } else { S::Approved };
    }
    let is_expired = tip > proposal.expiry;
    let is_pointless = match &proposal.intent {
        Intent::Remove(peer) => state.member(peer).is_none(),
        Intent::Admit(peer) => state.member(peer).is_some(),
        _ => false,
    };
    let over = match (is_pointless || super::show::is_over(member), is_expired) {
        (true, _) => Some(S::Superseded),
        (_, true) => Some(S::Expired),
        _ => None,
    };
    if let Some(state) = executing(member, id).and_then(|attempt| under_way(&attempt, over)) {
        return state;
    }
    if member.history().iter().any(|done| done.approved.contains(id)) {
        return S::Approved;
    }
    let needed = state.rules.threshold_of(small(electorate));
    let missing = small(electorate.saturating_sub(voted));
    if let Some(over) = over {
        over
    } else if yes >= needed {
        S::Approved
    } else if yes.saturating_add(missing) < needed {
        S::Rejected
    } else {
        S::Open
    }
}

/// Where a proposal stands that an attempt carries out, though it may be over. A signature that was given can carry it out
/// until the coin has moved otherwise.
fn under_way(attempt: &Attempted, over: Option<DaoProposalState>) -> Option<DaoProposalState> {
    use DaoProposalState as S;
    match over {
        _ if attempt.is_complete => Some(S::Broadcast),
        None => Some(S::Signing),
        Some(_) => attempt.is_revocable.then_some(S::Revocable),
    }
}

/// The open attempt that carries a proposal out.
fn executing(member: &Member, id: &ProposalId) -> Option<Attempted> {
    let carries = |turn: &TurnId| {
        member.step(turn).is_some_and(|(turn, step)| {
            let approves = turn.approvals.iter().any(|approval| approval.proposal == *id);
            let waits = step.state.queue.iter().any(|spend| spend.proposal == *id);
            step.executed.contains(id) || approves && !waits
        })
    };
    let attempts = member.attempts().into_iter().filter(|attempt| carries(&attempt.turn));
    attempts.max_by_key(|attempt| (attempt.is_complete, attempt.is_revocable, attempt.signed))
}

/// What a proposal takes from whom: paid, frozen, or as it would be frozen now.
fn parts(member: &Member, id: &ProposalId, proposal: &Proposal) -> Vec<DaoPart> {
    let state = member.state();
    let paid = member.history().iter().flat_map(|done| &done.payers).find(|(of, _)| of == id);
    if let Some((_, payers)) = paid {
        let part = |(peer, sat): &(PeerId, Amount)| (*peer, sat.to_sat(), None);
        return shown_parts(payers.iter().map(part));
    }
    let queued = state.queue.iter().find(|spend| spend.proposal == *id);
    let payers = match queued {
        Some(spend) => spend.payers.clone(),
        None if proposal.expiry < member.tip().map_or(0, |tip| tip.height) => return Vec::new(),
        None => state.payers(*id, proposal).unwrap_or_default(),
    };
    let part = |(peer, sat): &(PeerId, Amount)| {
        let free = state.accounts.get(peer).map_or(Amount::ZERO, treasury::dao::Account::free);
        // What is frozen is taken off what is free already.
        let left = if queued.is_some() { free } else { free.checked_sub(*sat).unwrap_or(Amount::ZERO) };
        (*peer, sat.to_sat(), Some(left.to_sat()))
    };
    shown_parts(payers.iter().map(part))
}

fn shown_parts(parts: impl Iterator<Item = (PeerId, u64, Option<u64>)>) -> Vec<DaoPart> {
    parts.map(|(peer_id, sat, left_sat)| DaoPart { peer_id, sat, left_sat }).collect()
}

fn kind(intent: &Intent) -> &'static str {
    match intent {
        Intent::Invest { .. } => "invest",
        Intent::Pay { .. } => "pay",
        Intent::Set { .. } => "set",
        Intent::Admit(_) => "admit",
        Intent::Remove(_) => "remove",
        Intent::Refresh => "refresh",
        Intent::Dissolve => "dissolve",
    }
}

fn intent(node: &Inner, intent: &Intent) -> DaoIntent {
    match intent {
        Intent::Invest { offer, amount, .. } => {
            DaoIntent::Invest { offer: *offer, amount_sat: amount.to_sat() }
        }
        Intent::Pay { outputs } => DaoIntent::Pay { outputs: paid(node, outputs) },
        Intent::Set { parameter, value } => {
            DaoIntent::Set { parameter: parameter_word(*parameter).into(), value: *value }
        }
        Intent::Admit(peer) => DaoIntent::Admit { peer: *peer },
        Intent::Remove(peer) => DaoIntent::Remove { peer: *peer },
        Intent::Refresh => DaoIntent::Refresh,
        Intent::Dissolve => DaoIntent::Dissolve,
    }
}

fn outputs(node: &Inner, driven: &Driven, intent: &Intent) -> Vec<DaoOutput> {
    match intent {
        Intent::Pay { outputs } => paid(node, outputs),
        Intent::Invest { amount, income, index, .. } => {
            let address = |income: &Income| {
                let script = taproot_script(&Secp256k1::verification_only(), &income.principal, *index);
                crate::money::shown_script(node, &script)
            };
            let income = driven.member.evidence().incomes.get(income);
            let address = income.map(|(_, income)| address(income)).unwrap_or_default();
            vec![DaoOutput { address, amount_sat: amount.to_sat() }]
        }
        _ => Vec::new(),
    }
}

fn paid(node: &Inner, outputs: &[domain::kinds::Output]) -> Vec<DaoOutput> {
    let paid = |output: &domain::kinds::Output| DaoOutput {
        address: crate::money::shown_script(node, &output.script),
        amount_sat: output.amount.to_sat(),
    };
    outputs.iter().map(paid).collect()
}

fn shown_choice(choice: Choice) -> DaoChoice {
    match choice {
        Choice::Yes => DaoChoice::Yes,
        Choice::No => DaoChoice::No,
        Choice::Abstain => DaoChoice::Abstain,
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn unknown(proposal: &ProposalId) -> ApiError {
    ApiError::new("dao_proposal_unknown", format!("no proposal {proposal} of this DAO is known here"))
}

#[cfg(test)]
mod tests {
    use domain::bitcoin::{Txid, hashes::Hash};

    use super::*;

    #[test]
    fn what_was_signed_in_part_is_not_over_before_the_coin_has_moved() {
        use DaoProposalState as S;
        let turn = TurnId::genesis(&domain::SlotId::from_bytes([1; 32]));
        let (txid, signed, needed) = (Txid::all_zeros(), 1, 2);
        let attempt = |is_revocable, is_complete| {
            let is_safe = true;
            let attempt = Attempted { turn, txid, is_safe, is_revocable, is_complete, signed, needed };
            [None, Some(S::Expired), Some(S::Superseded)].map(|over| under_way(&attempt, over))
        };
        assert_eq!(attempt(false, false), [Some(S::Signing), None, None]);
        assert_eq!(attempt(true, false), [Some(S::Signing), Some(S::Revocable), Some(S::Revocable)]);
        assert_eq!(attempt(true, true), [Some(S::Broadcast); 3]);
    }
}
