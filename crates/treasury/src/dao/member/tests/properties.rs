//! What holds at every step of every run.

use std::collections::BTreeMap;

use domain::{
    PeerId,
    bitcoin::{
        Amount, Transaction, XOnlyPublicKey,
        secp256k1::{Secp256k1, schnorr},
    },
    kinds::{Intent, Proposal, ProposalId},
};

use super::{
    super::{
        super::{Owner, Refund, State, Step, TurnId},
        Member,
    },
    net::Net,
};

/// The accounts sum to the coin (3), and what anybody could take by the refund is no more than its claim and its part of
/// what is nobody's (9); of the state and of whatever is attempted.
pub(super) fn check_state(member: &Member) {
    member.state().audit().expect("the accounts sum to the coin");
    for attempt in member.open() {
        attempt.step.state.audit().expect("the accounts sum to the coin");
        if let Some(refund) = &attempt.step.refund {
            check_refund(&attempt.step.state, refund);
        }
        check_others(member.state(), &attempt.step);
    }
}

/// Nobody who does nothing in a turn without payments loses more than the turn's fees (3).
fn check_others(before: &State, step: &Step) {
    if !step.executed.is_empty() || step.state.has_ended() {
        return;
    }
    let spent: Amount = step.transaction.spent.iter().map(|output| output.value).sum();
    let paid: Amount = step.transaction.transaction.output.iter().map(|output| output.value).sum();
    let reserve = step.state.reserve.checked_sub(before.reserve).unwrap_or(Amount::ZERO);
    let most = (spent - paid) + reserve + Amount::from_sat(super::super::super::ANCHOR);
    let lost = |(peer, account): (&PeerId, &super::super::super::Account)| {
        let after = step.state.accounts.get(peer).filter(|after| after.member.is_some())?;
        account.claim.checked_sub(after.claim)
    };
    let lost: Amount = before.accounts.iter().filter_map(lost).sum();
    assert!(lost <= most, "the others lost {lost} in a turn that cost {most}");
}

fn check_refund(state: &State, refund: &Refund) {
    let exits: BTreeMap<_, _> =
        state.exits().into_iter().map(|(peer, value)| (state.accounts[&peer].leave.clone(), value)).collect();
    let mut paid = BTreeMap::new();
    for node in &refund.nodes {
        for output in &node.transaction.output {
            *paid.entry(output.script_pubkey.clone()).or_insert(Amount::ZERO) += output.value;
        }
    }
    for (script, value) in &exits {
        let refunded = paid.get(script).copied().unwrap_or(Amount::ZERO);
        assert!(refunded == *value || value.to_sat() < 330 && refunded == Amount::ZERO);
    }
    let coin = state.coin.expect("what is refunded").value;
    assert!(exits.values().copied().sum::<Amount>() <= coin);
}

/// What holds of the whole at the end, and of every member that runs.
pub(super) fn check_end(net: &Net) {
    assert!(net.agrees(), "the members disagree");
    for node in net.nodes.iter().filter(|node| node.online) {
        let member = node.member.as_ref().expect("everybody runs");
        check_coin(net, member.state());
        check_joiners(net, member.state());
        check_signatures(net, member);
    }
}

/// What was approved is paid, once (2).
pub(super) fn check_payments(net: &Net, proposed: &[ProposalId]) {
    for record in net.records.iter().filter(|record| proposed.contains(&record.slot)) {
        let proposal = record.read::<Proposal>().unwrap().unwrap();
        let Intent::Pay { outputs } = proposal.intent else { continue };
        let paid = net.chain.paid(&outputs[0].script);
        let state = net.state(0);
        let is_known = state.number_of(&TurnId::from_bytes(proposal.snapshot)).is_some();
        assert!(paid <= 1, "paid {paid} times");
        assert!(paid == 1 || !is_known, "{} is lost: {:?}", proposal.title, net.events);
    }
}

/// The coin is on the chain, unspent, and worth what the accounts say.
fn check_coin(net: &Net, state: &State) {
    if let Some(coin) = state.coin {
        let output = net.chain.coin(&coin.outpoint).expect("the coin is on the chain").output;
        assert_eq!(output.value, coin.value);
        assert_eq!(output.script_pubkey, state.epoch().unwrap().script());
        assert!(net.chain.spender(&coin.outpoint).is_none());
    }
}

/// A joiner's coin that a T spent made its owner a member (10).
fn check_joiners(net: &Net, state: &State) {
    for (number, (join, outpoint)) in &net.joins {
        let Some((by, _)) = net.chain.spender(outpoint) else { continue };
        let by = net.chain.find(&by).unwrap();
        let is_own = by.output.len() == 1 && by.output[0].script_pubkey.is_empty();
        let peer = super::net::peer(*number);
        let is_member = state.member(&peer).is_some_and(|member| member.join == *join);
        let has_left = net.chain.paid(&super::net::script(*number, 3)) > 0;
        assert!(is_own || is_member || has_left, "{number} paid and is no member");
    }
}

/// Every T in a block carries as many valid signatures of its epoch as it takes (1).
fn check_signatures(net: &Net, member: &Member) {
    for attempt in member.attempts.values() {
        let Some(mined) = net.chain.find(&attempt.txid) else { continue };
        for (at, owner) in attempt.step.transaction.owners.iter().enumerate() {
            if let Owner::Epoch(epoch) = owner {
                let signed = valid(mined, at, &attempt.step, epoch);
                assert!(signed >= epoch.threshold(), "{signed} signatures");
            }
        }
    }
}

fn valid(mined: &Transaction, at: usize, step: &Step, epoch: &super::super::super::Epoch) -> usize {
    use super::super::super::{Construction, Path, guard::Share};
    if epoch.guard.construction() == Construction::SortedMulti {
        return epoch.threshold();
    }
    let witness = &mined.input[at].witness;
    if witness.len() == 1 {
        let message = epoch.guard.message(mined, at, &step.transaction.spent, Path::Key).unwrap();
        let key = XOnlyPublicKey::from_slice(&epoch.script().as_bytes()[2..]).unwrap();
        let signature = schnorr::Signature::from_slice(witness.nth(0).unwrap()).unwrap();
        Secp256k1::new().verify_schnorr(&signature, &message, &key).expect("all sign as one");
        return epoch.threshold();
    }
    let message = epoch.guard.message(mined, at, &step.transaction.spent, Path::Script).unwrap();
    let keys = epoch.guard.keys().iter().rev();
    let verified = keys.zip(witness.iter()).filter(|(key, element)| {
        let share = <[u8; 64]>::try_from(*element).map(Share::from_bytes);
        share.is_ok_and(|share| epoch.guard.verify(&message, key, &share).is_ok())
    });
    verified.count()
}
