//! Members that mean ill and send what is well-formed: refused with a code, attributed where that can be, and the others go on.

use domain::{
    bitcoin::{Amount, FeeRate, OutPoint, Txid, hashes::Hash},
    kinds::{Choice, Construction, Join, JoinInput},
};
use minicbor::bytes::ByteArray;

use super::{
    super::{
        super::{Approval, Members, Path, Scope, Turn, TurnId},
        MAX_OFFERS, MAX_PROPOSALS,
        message::{Message, Part, PartShare},
        sync::{MAX_EARLY, MAX_EARLY_OF_ONE, MAX_WAITING},
    },
    faults::founded,
    net::{Net, charter, keypair, peer, script},
    properties::{check_end, check_payments},
};

fn rate(sat_per_vb: u32) -> FeeRate {
    FeeRate::from_sat_per_vb_u32(sat_per_vb)
}

/// A payment that has its votes, and the turn that somebody builds of it.
fn due(net: &mut Net, builder: u16) -> (domain::kinds::ProposalId, Turn) {
    let proposal = net.propose(0, 50, 10_000);
    (0..3).for_each(|number| net.vote(number, proposal, Choice::Yes));
    net.run(50);
    let evidence = net.member(0).evidence().clone();
    let turn = net.state(0).gather(peer(builder), rate(2), &evidence, &Scope::default()).unwrap().0;
    (proposal, turn)
}

fn offer(net: &mut Net, from: u16, turn: &Turn) {
    (0..4).filter(|to| *to != from).for_each(|to| net.forge(from, to, &Message::Turn(turn.encode())));
}

/// What is due is done all the same.
fn goes_on(net: &mut Net, proposal: domain::kinds::ProposalId) {
    net.run(60_000);
    net.mine();
    net.run(30_000);
    check_end(net);
    check_payments(net, &[proposal]);
    assert_eq!(net.chain.paid(&script(50, 4)), 1, "{:?}", net.events);
}

#[test]
fn turns_that_break_a_rule_are_refused_by_everybody() {
    let mut net = founded(0);
    let (proposal, turn) = due(&mut net, 1);
    let mut check = |code, edit: &dyn Fn(&mut Turn)| {
        let mut turn = turn.clone();
        edit(&mut turn);
        offer(&mut net, 1, &turn);
        assert_eq!(net.events.remove(code), Some(3), "{code}: {:?}", net.events);
    };
    check("dao_rate", &|turn| turn.rate = u32::try_from(rate(51).to_sat_per_kwu()).unwrap());
    check("guard_group", &|turn| turn.group = Some(vec![1]));
    check("dao_leave", &|turn| turn.leaves = vec![peer(2)]);
    check("dao_builder", &|turn| turn.builder = peer(7));
    assert!(net.member(0).attempts().is_empty());
    goes_on(&mut net, proposal);
}

#[test]
fn a_proposal_of_the_same_money_to_somebody_else_has_no_votes() {
    let mut net = founded(0);
    let (proposal, turn) = due(&mut net, 1);
    let thief = net.propose(1, 66, 10_000);
    net.run(50);
    let mut turn = turn;
    turn.approvals = vec![Approval { proposal: thief, yes: turn.approvals[0].yes.clone() }];
    offer(&mut net, 1, &turn);
    assert!(net.member(0).attempts().iter().all(|attempt| attempt.turn != turn.id()));
    turn.approvals[0].yes = Members::default();
    offer(&mut net, 1, &turn);
    assert_eq!(net.events.get("dao_votes"), Some(&3), "{:?}", net.events);
    goes_on(&mut net, proposal);
    assert_eq!(net.chain.paid(&script(66, 4)), 0);
}

#[test]
fn whoever_votes_twice_is_shown_and_counts_once() {
    let mut net = founded(0);
    let proposal = net.propose(0, 50, 10_000);
    [Choice::Yes, Choice::No].into_iter().for_each(|choice| net.vote(1, proposal, choice));
    net.vote(0, proposal, Choice::Yes);
    net.run(60_000);
    net.mine();
    assert!(net.events.contains_key("voted_twice"));
    assert_eq!(net.chain.paid(&script(50, 4)), 0, "two are not enough");
    net.vote(2, proposal, Choice::Yes);
    goes_on(&mut net, proposal);
}

#[test]
fn a_builder_that_offers_differing_turns_makes_one_payment() {
    let mut net = founded(0);
    let (proposal, turn) = due(&mut net, 1);
    for to in 0..4u16 {
        let mut turn = turn.clone();
        turn.rate += u32::from(to);
        net.forge(1, to, &Message::Turn(turn.encode()));
    }
    goes_on(&mut net, proposal);
}

#[test]
fn a_signature_of_a_refund_that_cheats_is_its_signers_fault() {
    let mut net = founded(0);
    let (proposal, turn) = due(&mut net, 1);
    let step = net.state(0).advance(&turn, net.member(0).evidence()).unwrap();
    let refund = step.refund.as_ref().unwrap();
    let mut node = refund.nodes[0].clone();
    node.transaction.output[0].value -= Amount::from_sat(1_000);
    let guard = &refund.epoch.guard;
    let message = guard.message(&node.transaction, 0, &[node.spent], Path::Script).unwrap();
    let key = keypair(1, 0);
    let share = guard.sign(&message, &key, &[0; 32]).unwrap();
    let holder = guard.keys().iter().position(|it| *it == key.x_only_public_key().0).unwrap();
    offer(&mut net, 1, &turn);
    let mut forged = PartShare {
        turn: turn.id(),
        part: Part::Node(0),
        holder: u16::try_from(holder).unwrap(),
        share: ByteArray::from(*share.as_bytes()),
    };
    net.forge(1, 0, &Message::Share(forged.clone()));
    assert!(net.blamed.remove(&(peer(1), "share_invalid")), "{:?}", net.blamed);
    forged.part = Part::Input(0);
    net.forge(1, 0, &Message::Share(forged.clone()));
    assert!(net.blamed.remove(&(peer(1), "share_invalid")));
    forged.holder = 99;
    net.forge(1, 0, &Message::Share(forged));
    assert!(net.blamed.remove(&(peer(1), "guard_malformed")));
    goes_on(&mut net, proposal);
}

#[test]
fn without_a_complete_refund_nobody_signs() {
    let mut net = founded(0);
    net.withheld = vec![2, 3];
    let (proposal, _) = due(&mut net, 0);
    net.run(200_000);
    assert!(net.chain.pending.is_empty());
    assert!((0..2).all(|it| net.member(it).attempts().iter().all(|it| !it.is_safe && !it.is_revocable)));
    net.withheld.clear();
    net.run(200_000);
    goes_on(&mut net, proposal);
}

#[test]
fn a_refund_of_before_is_never_in_a_block() {
    let mut net = founded(0);
    let stale = net.member(0).refund().unwrap().remove(0);
    net.chain.pending.insert(stale.compute_txid(), stale.clone());
    let (proposal, _) = due(&mut net, 0);
    goes_on(&mut net, proposal);
    net.chain.pending.insert(stale.compute_txid(), stale.clone());
    (0..1_001).for_each(|_| net.chain.mine(|_| 0));
    assert!(net.chain.find(&stale.compute_txid()).is_none());
}

#[test]
fn a_key_that_is_anothers_joins_nobody() {
    let mut net = founded(0);
    let script = script(6, 1);
    let (outpoint, coin) = net.chain.give(script.clone(), 150_000);
    let input = JoinInput { outpoint, value: coin.output.value, script, block: coin.block };
    let join = Join {
        network: net.charter.network,
        dao: net.dao,
        key: keypair(0, 0).x_only_public_key().0,
        leave: super::net::script(6, 3),
        inputs: vec![input],
        change: super::net::script(6, 2),
        deposit: Amount::from_sat(100_000),
    };
    let id = net.record(6, &join).slot;
    net.mine();
    let (proposal, mut turn) = due(&mut net, 1);
    assert!(turn.joins.is_empty(), "an honest builder leaves it out");
    turn.joins = vec![id];
    offer(&mut net, 1, &turn);
    assert_eq!(net.events.get("dao_join_key"), Some(&3), "{:?}", net.events);
    goes_on(&mut net, proposal);
    assert!(net.state(0).member(&peer(6)).is_none());
}

#[test]
fn sybils_that_pay_have_no_vote_and_no_key() {
    let mut net = founded(2);
    (4..8).for_each(|number| net.wish(number));
    net.mine();
    net.run(60_000);
    net.mine();
    assert_eq!((net.state(0).members().count(), net.state(0).counted().count()), (8, 4), "{:?}", net.events);
    (4..8).for_each(|number| (4..8).filter(|it| *it != number).for_each(|it| net.vouch(number, it)));
    let proposal = net.propose(4, 66, 10_000);
    (4..8).for_each(|number| net.vote(number, proposal, Choice::Yes));
    net.run(60_000);
    net.mine();
    assert_eq!((net.state(0).counted().count(), net.state(0).epoch().unwrap().holders.len()), (4, 4));
    assert_eq!(net.chain.paid(&script(66, 4)), 0);
    check_end(&net);
}

#[test]
fn a_flood_of_proposals_ends_at_a_bound_and_stops_nothing() {
    let mut net = Net::found(charter(Construction::MultiA, 0), 4, 4, 5);
    (0..MAX_PROPOSALS.1 + 5)
        .for_each(|at| _ = net.propose_to(7, format!("Flood {at}"), domain::kinds::Intent::Refresh));
    net.run(1_000);
    assert!(net.blamed.contains(&(peer(7), "dao_record_flood")), "{:?}", net.blamed);
    let most = usize::try_from(MAX_PROPOSALS.1).unwrap();
    assert_eq!(net.member(0).evidence().proposals.len(), most);
    let (proposal, _) = due(&mut net, 0);
    goes_on(&mut net, proposal);
}

#[test]
fn a_flood_of_turns_and_of_messages_before_theirs_ends_at_a_bound_and_stops_nothing() {
    let mut net = founded(0);
    let tip = net.chain.tip().height;
    for at in 0..=MAX_OFFERS {
        let mut turn = Turn::after(net.state(0).turn(), peer(7), tip, rate(3));
        turn.rate += u32::try_from(at).unwrap();
        net.forge(7, 0, &Message::Turn(turn.encode()));
    }
    assert!(net.blamed.remove(&(peer(7), "dao_turn_flood")), "for one transaction");
    for at in 0..20u8 {
        let turn = Turn::after(TurnId::from_bytes([at; 32]), peer(6), tip, rate(2));
        net.forge(6, 0, &Message::Turn(turn.encode()));
    }
    assert!(net.blamed.remove(&(peer(6), "dao_turn_flood")), "one alone");
    for at in 0..100u8 {
        for from in 1..8u16 {
            let previous = TurnId::from_bytes([at; 32]);
            let turn = Turn::after(previous, peer(from), tip, rate(2 + u32::from(from)));
            net.forge(from, 0, &Message::Turn(turn.encode()));
        }
    }
    assert!(net.member(0).turns.len() <= MAX_WAITING + 4, "{}", net.member(0).turns.len());
    for at in 0..2_500u32 {
        let turn = TurnId::from_bytes(*Txid::hash(&at.to_le_bytes()).as_byte_array());
        let share = PartShare { turn, part: Part::Node(0), holder: 0, share: ByteArray::from([1; 64]) };
        net.forge(u16::try_from(1 + at % 3).unwrap(), 0, &Message::Share(share));
    }
    let early = net.member(0).early.len();
    assert!(early <= 3 * MAX_EARLY_OF_ONE, "{early} of {MAX_EARLY}");
    let (proposal, _) = due(&mut net, 0);
    goes_on(&mut net, proposal);
}

#[test]
fn coins_that_are_not_there_are_in_no_turn() {
    let mut net = founded(0);
    let (proposal, mut turn) = due(&mut net, 1);
    let outpoint = OutPoint { txid: Txid::hash(&[1]), vout: 0 };
    turn.merges = vec![super::super::super::Merge { outpoint, paybacks: Vec::new() }];
    offer(&mut net, 1, &turn);
    assert!(net.member(0).attempts().is_empty(), "it waits for a coin that never comes");
    goes_on(&mut net, proposal);
}
