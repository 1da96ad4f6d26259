//! What is shown of a DAO.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    PeerId,
    bitcoin::{Amount, ScriptBuf},
    kinds::{self, Charter, DaoId, JoinPolicy, Rules},
};
use treasury::dao::member::Member;

use super::{driven::Driven, join, running::Running};
use crate::{
    api::{
        ApiError, Dao, DaoAudit, DaoCharter, DaoConstruction, DaoIncident, DaoMember, DaoMembership,
        DaoPolicy, DaoRefund, DaoRefunds, DaoSigning, DaoStage, DaoState, DaoSummary, DaoTurn, Daos,
    },
    node::Inner,
};

/// Turns that are shown.
const TURNS: usize = 50;
/// Incidents that are shown.
const INCIDENTS: u32 = 20;
/// Charters that are listed.
const LISTED: u32 = 500;
/// Proposals whose turnout counts.
const TURNOUT_OVER: usize = 10;

/// Lists the DAOs that are known, those first in which the owner is anything.
///
/// # Errors
/// Those of the database.
pub(super) async fn list(node: &Arc<Inner>) -> Result<Daos, ApiError> {
    let network = node.money.network();
    let mut known: BTreeMap<DaoId, Charter> = BTreeMap::new();
    for record in node.store.charters(network, LISTED).await? {
        known.extend(super::charter_of(&record, network).map(|charter| (record.slot, charter)));
    }
    for running in node.dao.all() {
        known.insert(running.dao, running.charter.clone());
    }
    let mut daos = Vec::new();
    for (dao, charter) in known {
        daos.push(match node.dao.running(&dao) {
            Some(running) => summary(node, &running).await?,
            None => unopened(node, dao, charter).await?,
        });
    }
    daos.sort_by_key(|dao| (dao.membership == DaoState::None, dao.name.clone(), dao.dao_id));
    Ok(Daos { daos })
}

async fn unopened(node: &Inner, dao: DaoId, charter: Charter) -> Result<DaoSummary, ApiError> {
    Ok(DaoSummary {
        dao_id: dao,
        network: charter.network,
        stage: DaoStage::Founding,
        membership: DaoState::None,
        members: node.store.dao_joiners(&dao).await?,
        fee_sat: charter.rules.entrance_fee.to_sat(),
        treasury_sat: 0,
        claim_sat: 0,
        name: charter.name,
        purpose: charter.purpose,
    })
}

async fn summary(node: &Inner, running: &Running) -> Result<DaoSummary, ApiError> {
    let me = node.identity.id();
    let wishes = join::wishes(node, &running.dao).await?.is_some();
    let driven = running.driven().await;
    let (member, state) = (&driven.member, driven.member.state());
    let registered = registered(member).len();
    let members = if state.is_unfounded() { registered } else { state.members().count() };
    Ok(DaoSummary {
        dao_id: running.dao,
        name: running.charter.name.clone(),
        purpose: running.charter.purpose.clone(),
        network: running.charter.network,
        stage: stage(member),
        membership: own(member, &me, wishes),
        members: u32::try_from(members).unwrap_or(u32::MAX),
        fee_sat: state.rules.entrance_fee.to_sat(),
        treasury_sat: state.coin.map_or(0, |coin| left(member, coin.value)),
        claim_sat: state.accounts.get(&me).map_or(0, |account| left(member, account.free())),
    })
}

/// Says whether the coin went out, by the refund or by the members' vote.
pub(super) fn is_over(member: &Member) -> bool {
    member.refunded().is_some() || member.state().has_ended()
}

/// What is said to whoever wants something of a DAO that is over.
pub(super) fn over() -> ApiError {
    ApiError::new("dao_ended", "this DAO has ended: its coin went out, and everybody has their part")
}

/// What of an amount is still in the treasury: nothing once the refund is in a block.
fn left(member: &Member, amount: Amount) -> u64 {
    if member.refunded().is_some() { 0 } else { amount.to_sat() }
}

/// Where the life of a DAO stands.
pub(super) fn stage(member: &Member) -> DaoStage {
    let state = member.state();
    if is_over(member) {
        DaoStage::Ended
    } else if !state.is_unfounded() {
        DaoStage::Active
    } else if member.attempts().is_empty() {
        DaoStage::Founding
    } else {
        DaoStage::Starting
    }
}

/// What somebody is in a DAO, as far as records and the chain say.
pub(super) fn membership(member: &Member, peer: &PeerId) -> DaoState {
    let (state, evidence) = (member.state(), member.evidence());
    if let Some(of) = state.member(peer) {
        return if evidence.leaves.contains(&(*peer, of.join)) {
            DaoState::Leaving
        } else if of.counted.is_some() {
            DaoState::Counted
        } else {
            DaoState::Member
        };
    }
    let attempts = member.attempts();
    let is_joining = |turn: &treasury::dao::TurnId| {
        member.step(turn).is_some_and(|(_, step)| step.state.member(peer).is_some())
    };
    if attempts.iter().any(|attempt| is_joining(&attempt.turn)) {
        DaoState::Signing
    } else if registered(member).contains_key(peer) {
        DaoState::Requested
    } else {
        DaoState::None
    }
}

/// The same of the owner, whose wish may be taken back.
fn own(member: &Member, me: &PeerId, wishes: bool) -> DaoState {
    match membership(member, me) {
        DaoState::Requested if !wishes => DaoState::None,
        state => state,
    }
}

/// Those who asked to be let in and are not, with what they pay in.
pub(super) fn registered(member: &Member) -> BTreeMap<PeerId, u64> {
    let state = member.state();
    let past = |join: &kinds::JoinId| member.evidence().leaves.iter().any(|(_, left)| left == join);
    let waiting = member.evidence().joins.iter().filter(|(id, (author, join))| {
        state.member(author).is_none() && !past(id) && {
            let gone = |input: &kinds::JoinInput| member.is_spent_in_block(&input.outpoint);
            !join.inputs.iter().any(gone)
        }
    });
    waiting.map(|(_, (author, join))| (*author, join.deposit.to_sat())).collect()
}

/// Shows one.
///
/// # Errors
/// Those of the database.
pub(super) async fn show(node: &Arc<Inner>, running: &Running) -> Result<Dao, ApiError> {
    let me = node.identity.id();
    let wishes = join::wishes(node, &running.dao).await?.is_some();
    let incidents = incidents(node, &running.dao).await?;
    let invite = super::answers::invite(node, &running.dao);
    let code = crate::links::dao_code(node, &running.dao);
    let (mut shown, peers) = {
        let driven = running.driven().await;
        let shown = figures(running, &driven, &me, wishes);
        let peers = members(&driven, &me);
        (shown, peers)
    };
    (shown.invite, shown.code, shown.incidents) = (invite, code, incidents);
    for mut member in peers {
        member.name = crate::money::name(node, member.peer_id).await?;
        shown.members.push(member);
    }
    shown.members.sort_by_key(|member| (std::cmp::Reverse(member.claim_sat), member.name.clone()));
    Ok(shown)
}

fn figures(running: &Running, driven: &Driven, me: &PeerId, wishes: bool) -> Dao {
    let (member, state) = (&driven.member, driven.member.state());
    let epoch = state.epoch();
    let claims: Vec<u64> = state.accounts.values().map(|account| left(member, account.claim)).collect();
    let coin = state.coin.filter(|_| member.refunded().is_none());
    let confirmed = coin.and_then(|coin| member.evidence().coins.get(&coin.outpoint));
    let tip = member.tip().map_or(0, |tip| tip.height);
    let confirmations = confirmed.map_or(0, |coin| (tip + 1).saturating_sub(coin.height));
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Dao {
        dao_id: running.dao,
        name: running.charter.name.clone(),
        purpose: running.charter.purpose.clone(),
        network: running.charter.network,
        creator: running.creator,
        invite: String::new(),
        code: String::new(),
        stage: stage(member),
        membership: own(member, me, wishes),
        charter: charter(&running.charter, &state.rules),
        epoch: epoch.map(|epoch| epoch.number),
        threshold: epoch.map_or(0, |epoch| small(epoch.threshold())),
        keys: epoch.map_or(0, |epoch| small(epoch.holders.len())),
        members: Vec::new(),
        coin: coin.map(|coin| coin.outpoint.to_string()),
        confirmations,
        treasury_sat: coin.map_or(0, |coin| coin.value.to_sat()),
        claims_sum_sat: left(member, state.claims()),
        unassigned_sat: left(member, state.unassigned),
        reserve_sat: left(member, state.reserve),
        unprotected_sat: came_in(driven, |_| true),
        under_old_keys_sat: came_in(driven, |script| epoch.is_none_or(|epoch| epoch.script() != *script)),
        claim_sat: state.accounts.get(me).map_or(0, |account| left(member, account.free())),
        gini: gini(&claims),
        nakamoto: nakamoto(&claims),
        turnout: turnout(member),
        delegate: member.following(),
        signing: signing(member),
        turns: turns(member),
        refund_height: confirmed.map(|coin| coin.height + u32::from(state.charter.recovery)),
        refunded: member.refunded().map(|txid| txid.to_string()),
        incidents: Vec::new(),
        waiting: driven.waiting.clone(),
    }
}

/// What lies at the DAO's scripts beside its coin.
fn came_in(driven: &Driven, at: impl Fn(&ScriptBuf) -> bool) -> u64 {
    let came = driven.sight.incomes(&driven.member).filter(|(_, output, _)| at(&output.script_pubkey));
    came.map(|(_, output, _)| output.value.to_sat()).sum()
}

fn members(driven: &Driven, me: &PeerId) -> Vec<DaoMember> {
    let (member, state) = (&driven.member, driven.member.state());
    let vouches = |peer: &PeerId| {
        let of_peer = member.evidence().vouches.iter().filter(|(_, of)| of == peer);
        let counts = |voucher: &PeerId| state.member(voucher).is_some_and(|it| it.counted.is_some());
        of_peer.filter(|(voucher, _)| counts(voucher)).count()
    };
    let shown = |peer: &PeerId, claim_sat: u64, reserved_sat: u64| DaoMember {
        peer_id: *peer,
        name: String::new(),
        claim_sat,
        reserved_sat,
        counted: state.member(peer).is_some_and(|it| it.counted.is_some()),
        keyholder: state.epoch().is_some_and(|epoch| epoch.is_held_by(peer)),
        state: membership(member, peer),
        vouches: u32::try_from(vouches(peer)).unwrap_or(u32::MAX),
        vouched_by_me: member.evidence().vouches.contains(&(*me, *peer)),
    };
    let within = state.members().map(|(peer, _)| {
        let account = &state.accounts[peer];
        shown(peer, left(member, account.claim), left(member, account.reserved))
    });
    within.chain(registered(member).keys().map(|peer| shown(peer, 0, 0))).collect()
}

fn signing(member: &Member) -> Option<DaoSigning> {
    let best = member.attempts().into_iter().max_by_key(|it| (it.is_complete, it.is_safe, it.signed))?;
    Some(DaoSigning {
        txid: best.txid.to_string(),
        refund_ready: best.is_safe,
        signed: u32::try_from(best.signed).unwrap_or(u32::MAX),
        needed: u32::try_from(best.needed).unwrap_or(u32::MAX),
        sent: best.is_complete,
    })
}

fn turns(member: &Member) -> Vec<DaoTurn> {
    let numbered = (0..).zip(member.history());
    let shown = numbered.map(|(number, done)| DaoTurn {
        number,
        txid: done.txid.to_string(),
        height: Some(done.block.height),
        joined: done.joined.clone(),
        left: done.left.clone(),
        proposals: done.proposals.clone(),
        treasury_sat: done.coin.map_or(0, |coin| coin.to_sat()),
        fee_sat: done.fee.to_sat(),
    });
    let shown: Vec<_> = shown.collect();
    shown.into_iter().rev().take(TURNS).collect()
}

async fn incidents(node: &Inner, dao: &DaoId) -> Result<Vec<DaoIncident>, ApiError> {
    let mut shown = Vec::new();
    for row in node.store.dao_incidents(dao, INCIDENTS).await? {
        let name = match row.peer {
            Some(peer) => Some(crate::money::name(node, peer).await?),
            None => None,
        };
        shown.push(DaoIncident { peer_id: row.peer, name, code: row.code, at_ms: row.at_ms });
    }
    Ok(shown)
}

/// The membership of somebody as it is answered.
///
/// # Errors
/// Those of the database.
pub(super) async fn of_member(
    node: &Inner,
    running: &Running,
    peer: PeerId,
) -> Result<DaoMembership, ApiError> {
    let wishes = join::wishes(node, &running.dao).await?.is_some();
    let driven = running.driven().await;
    let member = &driven.member;
    let state =
        if peer == node.identity.id() { own(member, &peer, wishes) } else { membership(member, &peer) };
    let moves = |turn: &treasury::dao::TurnId| {
        let before = member.state().member(&peer).is_some();
        member.step(turn).is_some_and(|(_, step)| step.state.member(&peer).is_some() != before)
    };
    let attempt = member.attempts().into_iter().find(|attempt| moves(&attempt.turn));
    let last = member.history().iter().rev();
    let last = last.clone().find(|done| done.joined.contains(&peer) || done.left.contains(&peer));
    let txid = attempt.map(|it| it.txid).or(last.map(|done| done.txid));
    let account = member.state().accounts.get(&peer).map(|account| left(member, account.free()));
    let amount_sat = account.or_else(|| registered(member).get(&peer).copied()).unwrap_or_default();
    Ok(DaoMembership {
        dao_id: running.dao,
        peer_id: peer,
        state,
        txid: txid.map(|txid| txid.to_string()),
        amount_sat,
        fee_sat: 0,
        warnings: Vec::new(),
    })
}

/// How everybody gets their money after a long silence.
pub(super) fn refunds(node: &Inner, driven: &Driven) -> Result<DaoRefunds, ApiError> {
    let (member, state) = (&driven.member, driven.member.state());
    let coin = state.coin.ok_or_else(no_coin)?;
    let confirmed = member.evidence().coins.get(&coin.outpoint);
    let first = confirmed.map(|coin| coin.height + u32::from(state.charter.recovery));
    let nodes = member.refund().ok_or_else(|| {
        ApiError::new(
            "dao_refund_missing",
            "the refund is not complete here yet: other members' nodes have it",
        )
    })?;
    let epoch = state.epoch().map(|epoch| epoch.script());
    let refunds = nodes.iter().zip(first.into_iter().map(Some).chain(std::iter::repeat(None)));
    let refunds = refunds.map(|(tx, spendable_at)| {
        let claims = tx.output.iter().filter(|output| {
            Some(&output.script_pubkey) != epoch.as_ref() && output.value.to_sat() != treasury::dao::ANCHOR
        });
        let claims: Vec<u64> = claims.map(|output| output.value.to_sat()).collect();
        DaoRefund {
            txid: tx.compute_txid().to_string(),
            spendable_at,
            sat: claims.iter().sum(),
            claims: u32::try_from(claims.len()).unwrap_or(u32::MAX),
        }
    });
    let me = node.identity.id();
    let mine = state.exits().into_iter().find(|(peer, _)| *peer == me);
    Ok(DaoRefunds { refunds: refunds.collect(), my_part_sat: mine.map_or(0, |(_, amount)| amount.to_sat()) })
}

/// Recomputes the accounts.
pub(super) fn audit(driven: &Driven) -> DaoAudit {
    let (member, state) = (&driven.member, driven.member.state());
    let mut problems = Vec::new();
    match member.audit() {
        Ok(again) if again == *state => {}
        Ok(_) => problems.push("dao_unbalanced".to_owned()),
        Err(refusal) => problems.push(refusal.code().to_owned()),
    }
    let coin = state.coin.filter(|_| member.refunded().is_none());
    let treasury = coin.map_or(0, |coin| coin.value.to_sat());
    let confirmed = coin.and_then(|coin| member.evidence().coins.get(&coin.outpoint));
    if coin.is_some() && confirmed.map(|coin| coin.output.value.to_sat()) != Some(treasury) {
        problems.push("dao_missing_coin".to_owned());
    }
    let (claims, unassigned, reserve) = sums(member);
    if claims + unassigned + reserve != treasury {
        problems.push("dao_unbalanced".to_owned());
    }
    problems.dedup();
    DaoAudit {
        dao_id: driven.dao,
        treasury_sat: treasury,
        claims_sum_sat: claims,
        unassigned_sat: unassigned,
        reserve_sat: reserve,
        ok: problems.is_empty(),
        problems,
    }
}

fn sums(member: &Member) -> (u64, u64, u64) {
    let state = member.state();
    (left(member, state.claims()), left(member, state.unassigned), left(member, state.reserve))
}

fn charter(charter: &Charter, rules: &Rules) -> DaoCharter {
    DaoCharter {
        name: charter.name.clone(),
        purpose: charter.purpose.clone(),
        fee_sat: rules.entrance_fee.to_sat(),
        threshold_percent: Some(rules.threshold),
        founders: Some(charter.founders),
        vouches: Some(rules.vouches),
        recovery_blocks: Some(charter.recovery),
        depth: Some(charter.depth),
        policy: match rules.policy {
            JoinPolicy::Open => DaoPolicy::Open,
            JoinPolicy::Vouched => DaoPolicy::Vouched,
            JoinPolicy::Admitted => DaoPolicy::Admitted,
        },
        construction: match charter.construction {
            kinds::Construction::MultiA => DaoConstruction::MultiA,
            kinds::Construction::MuSig2 => DaoConstruction::MuSig2,
            kinds::Construction::Frost => DaoConstruction::Frost,
            kinds::Construction::SortedMulti => DaoConstruction::SortedMulti,
        },
        spending_percent: Some(rules.spending),
        season_blocks: Some(rules.season),
        growth_percent: Some(rules.growth),
    }
}

fn turnout(member: &Member) -> Option<f64> {
    let state = member.state();
    let mut voted: BTreeMap<_, usize> = BTreeMap::new();
    member.ballots().for_each(|(proposal, _, _)| *voted.entry(*proposal).or_default() += 1);
    let of = |id: &kinds::ProposalId| {
        let (_, proposal) = member.evidence().proposals.get(id)?;
        let snapshot = treasury::dao::TurnId::from_bytes(proposal.snapshot);
        let electorate = state.electorate(&snapshot)?.len();
        (electorate > 0)
            .then(|| ratio(voted.get(id).copied().unwrap_or_default().min(electorate), electorate))
    };
    let parts: Vec<f64> = member.evidence().proposals.keys().filter_map(of).collect();
    let last = &parts[parts.len().saturating_sub(TURNOUT_OVER)..];
    (!last.is_empty()).then(|| last.iter().sum::<f64>() / ratio(last.len(), 1))
}

#[allow(clippy::cast_precision_loss, reason = "both are far below 2^52")]
fn ratio(one: usize, other: usize) -> f64 {
    one as f64 / other as f64
}

/// How unequal claims are: half of the mean difference, relative to the mean.
#[allow(clippy::cast_precision_loss, reason = "a figure to look at")]
fn gini(claims: &[u64]) -> f64 {
    let mut sorted = claims.to_vec();
    sorted.sort_unstable();
    let (count, sum) = (sorted.len() as f64, sorted.iter().map(|claim| *claim as f64).sum::<f64>());
    if sum == 0.0 {
        return 0.0;
    }
    let weighted: f64 =
        (1..).zip(&sorted).map(|(rank, claim): (u32, &u64)| f64::from(rank) * *claim as f64).sum();
    ((2.0 * weighted) / (count * sum) - (count + 1.0) / count).max(0.0)
}

/// How few have more than half of all claims.
fn nakamoto(claims: &[u64]) -> u32 {
    let mut sorted = claims.to_vec();
    sorted.sort_unstable_by(|one, two| two.cmp(one));
    let whole: u64 = sorted.iter().sum();
    let (mut sum, mut count) = (0u64, 0);
    for claim in sorted {
        if sum > whole / 2 {
            break;
        }
        sum += claim;
        count += 1;
    }
    count
}

pub(super) fn no_coin() -> ApiError {
    ApiError::new("dao_no_coin", "this DAO has no coin: it is not founded yet, or it has ended")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_claims_are_equal_and_one_owner_is_not() {
        assert!(gini(&[5, 5, 5, 5]).abs() < 1e-9);
        assert!((gini(&[0, 0, 0, 8]) - 0.75).abs() < 1e-9);
        assert_eq!(gini(&[]), 0.0);
        assert_eq!((nakamoto(&[5, 5, 5, 5]), nakamoto(&[9, 1, 1]), nakamoto(&[])), (3, 1, 0));
    }
}
