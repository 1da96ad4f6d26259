//! Investments, what comes back of them, what waits, and how it all ends.

use domain::{
    bitcoin::{Amount, TxOut},
    kinds::{Choice, Intent, Output, Parameter, Rules},
};

use super::{
    super::*,
    world::{World, block, charter, pay, peer, rules, script},
};
use crate::paying::{Root, id_of};

fn all_of(world: &World) -> Amount {
    world.state.claims() + world.state.reserve + world.state.unassigned
}

#[test]
fn an_investment_is_committed_to_and_what_comes_back_goes_to_whose_money_it_was() {
    let mut world = World::founded(charter(rules()), 4);
    let invest = world.artist();
    world.approved(invest, &[0, 1, 2]);
    world.leave(3);
    let (turn, step) = world.go_on().unwrap();
    let [note] = &step.notes[..] else { panic!("one note") };
    let id = id_of(&turn.builder, note);
    let transaction = &step.transaction.transaction;
    assert_eq!(Root::of(transaction), Root::above(&id, note.place.as_ref()));
    assert!(note.place.is_some(), "the turn is beside it");
    assert_eq!(transaction.output[note.vout as usize].value, note.principal);
    assert_eq!(world.state.payees(&id).len(), 4);
    assert!(world.state.member(&peer(3)).is_none());

    // Somebody joins, then the artist pays back.
    world.wish(5, 20_000, 100_000);
    world.go_on().unwrap();
    let before = world.claim(5);
    let script_pubkey = world.state.epoch().unwrap().script();
    let coin = world.coin(TxOut { value: Amount::from_sat(12_000), script_pubkey });
    world.evidence.paybacks.insert(coin, vec![Payback { note: id, sat: 8_000 }]);
    let claims = [0, 1, 2].map(|number| world.claim(number));
    let nobodys = world.state.unassigned;
    world.go_on().unwrap();
    let gained = [0, 1, 2].map(|number| world.claim(number) - claims[number as usize]);
    assert!(gained.iter().all(|gain| (1_500..=2_000).contains(gain)), "{gained:?}");
    assert!(world.claim(5) <= before, "who came later has no part in it");
    assert!(world.state.unassigned > nobodys, "what is for no note is nobody's");
    assert!((1_500..=2_000).contains(&world.claim(3)), "who left keeps its share");

    // And gets it.
    let (turn, step) = world.go_on().unwrap();
    assert_eq!(turn.leaves, [peer(3)]);
    let paid = &step.transaction.transaction.output[0];
    assert_eq!(paid.script_pubkey, script(3, 1));
    assert_eq!(world.claim(3), 0);
    assert_eq!(world.state.payees(&id).len(), 4, "the next payback finds it as well");
}

#[test]
fn who_would_pay_for_a_proposal_is_who_pays_for_it() {
    let mut world = World::founded(charter(rules()), 4);
    let invest = world.artist();
    let proposal = world.propose(invest);
    let foreseen = world.state.payers(proposal, &world.evidence.proposals[&proposal].1).unwrap();
    assert_eq!(foreseen.iter().map(|(_, part)| part.to_sat()).sum::<u64>(), 30_000);
    world.vote(proposal, &[0, 1, 2], Choice::Yes);
    let (_, step) = world.go_on().unwrap();
    assert_eq!((step.executed, step.payers), (vec![proposal], vec![foreseen]));
    let rest = world.propose(Intent::Refresh);
    assert!(world.state.payers(rest, &world.evidence.proposals[&rest].1).unwrap().is_empty());
}

#[test]
fn a_coin_not_worth_its_fee_or_of_a_strange_note_is_not_merged() {
    let mut world = World::founded(charter(rules()), 3);
    let script_pubkey = world.state.epoch().unwrap().script();
    let small = world.coin(TxOut { value: Amount::from_sat(500), script_pubkey: script_pubkey.clone() });
    let mut turn = world.turn();
    turn.merges = vec![Merge { outpoint: small, paybacks: vec![] }];
    assert_eq!(world.advance(&turn), Err(Refusal::Merge(small)));
    let strange = world.coin(TxOut { value: Amount::from_sat(9_000), script_pubkey });
    let note = domain::SlotId::from_bytes([1; 32]);
    let paybacks = vec![Payback { note, sat: 8_000 }];
    turn.merges = vec![Merge { outpoint: strange, paybacks: paybacks.clone() }];
    assert_eq!(world.advance(&turn), Err(Refusal::Merge(strange)), "no record says so");
    world.evidence.paybacks.insert(strange, paybacks);
    assert_eq!(world.advance(&turn), Err(Refusal::Payback(note)));
    let foreign = world.coin(TxOut { value: Amount::from_sat(9_000), script_pubkey: script(1, 1) });
    turn.merges = vec![Merge { outpoint: foreign, paybacks: vec![] }];
    assert_eq!(world.advance(&turn), Err(Refusal::Merge(foreign)));
    assert!(world.go_on().is_none());
}

#[test]
fn what_does_not_fit_waits_and_whoever_leaves_has_paid_its_part() {
    let mut world = World::founded_with(charter(rules()), 3, 100_000);
    let outputs = |number: u16| {
        let output = |at: u16| Output { script: script(number * 8 + at, 3), amount: Amount::from_sat(400) };
        (0..8).map(output).collect()
    };
    for number in 0..50 {
        world.approved(Intent::Pay { outputs: outputs(number) }, &[0, 1, 2]);
    }
    let (turn, step) = world.go_on().unwrap();
    assert_eq!(turn.approvals.len(), 50);
    let first = step.executed.len();
    assert!((30..50).contains(&first), "{first}");
    assert_eq!(world.state.queue.len(), 50 - first);
    let reserved: Amount = world.state.accounts.values().map(|account| account.reserved).sum();
    assert_eq!(reserved.to_sat(), (50 - first as u64) * 3_200);

    // One leaves while the rest waits: it gets what is free, the rest pays as it had agreed.
    world.mine(FORTNIGHT);
    world.leave(1);
    let free = world.state.accounts[&peer(1)].free().to_sat();
    let (_, step) = world.go_on().unwrap();
    assert_eq!(step.executed.len(), 50 - first);
    let paid = step.paid_out[0].1.to_sat();
    assert!(paid <= free && paid + 1_000 > free, "{paid} of {free}");
    assert_eq!(world.claim(1), 0);
    assert!(world.state.queue.is_empty());
    assert_eq!(all_of(&world), world.state.coin.unwrap().value);
    assert!(world.go_on().is_none(), "nothing is due any more");
}

#[test]
fn later_members_pay_for_no_earlier_proposal() {
    let mut world = World::founded(charter(rules()), 3);
    let proposal = world.propose(pay(9, 30_000));
    world.wish(4, 20_000, 100_000);
    world.go_on().unwrap();
    world.vote(proposal, &[0, 1], domain::kinds::Choice::Yes);
    let before = world.claim(4);
    world.go_on().unwrap();
    assert!(before - world.claim(4) < 600, "a part of the fee alone");
    assert!([0, 1, 2].iter().all(|number| world.claim(*number) < 10_000));
}

#[test]
fn a_vote_removes_changes_rules_and_moves_the_coin() {
    let mut world = World::founded(charter(rules()), 5);
    world.approved(Intent::Remove(peer(4)), &[0, 1, 2]);
    world.approved(Intent::Set { parameter: Parameter::Threshold, value: 70 }, &[0, 1, 2]);
    let (_, step) = world.go_on().unwrap();
    assert_eq!(step.paid_out[0].0, peer(4));
    assert_eq!(world.state.rules.threshold, 70);
    assert_eq!(
        (world.state.epoch().unwrap().holders.len(), world.state.epoch().unwrap().threshold()),
        (4, 3)
    );
    world.approved(Intent::Refresh, &[0, 1, 2]);
    let coin = world.state.coin.unwrap().outpoint;
    world.go_on().unwrap();
    assert_ne!(world.state.coin.unwrap().outpoint, coin);
    assert!(world.go_on().is_none());
    world.mine(72);
    world.go_on().expect("a coin that is half as old as the silence is moved");
}

#[test]
fn a_dao_that_dissolves_pays_everybody_and_ends() {
    let mut world = World::founded(charter(rules()), 4);
    world.approved(Intent::Dissolve, &[0, 1, 2]);
    let coin = world.state.coin.unwrap().value;
    let mut turn = world.go_on().map(|(turn, _)| turn);
    while turn.is_some() && !world.state.has_ended() {
        turn = world.go_on().map(|(turn, _)| turn);
    }
    assert!(world.state.has_ended());
    assert_eq!(all_of(&world), Amount::ZERO);
    assert!(coin > Amount::from_sat(80_000));
    let next = world.turn();
    assert_eq!(world.advance(&next), Err(Refusal::Ended));
}

#[test]
fn the_refund_of_hundreds_is_a_tree() {
    let mut world = World::founded(charter(rules()), 3);
    (10..310).for_each(|number| _ = world.wish(number, 20_000, 100_000));
    while world.go_on().is_some_and(|(turn, _)| !turn.joins.is_empty()) {}
    assert_eq!(world.state.members().count(), 303);
    world.approved(Intent::Refresh, &[0, 1]);
    let (_, step) = world.go_on().unwrap();
    let refund = step.refund.unwrap();
    assert!(refund.nodes.len() >= 3, "{}", refund.nodes.len());
    let paid = refund.nodes.iter().flat_map(|node| &node.transaction.output);
    let paid: Amount =
        paid.filter(|output| output.script_pubkey.is_p2wpkh()).map(|output| output.value).sum();
    assert_eq!(paid, world.state.claims() + world.state.unassigned);
    super::model::check_refund(&world.state, &refund);
}

#[test]
fn above_a_hundred_the_keys_are_drawn_by_lot() {
    let charter = charter(Rules { vouches: 0, ..rules() });
    let mut world = World::founded(charter, 60);
    (100..170).for_each(|number| _ = world.wish(number, 20_000, 100_000));
    while world.go_on().is_some() {}
    assert_eq!(world.state.counted().count(), 130);
    assert!(world.state.has_committee());
    let founders = world.state.epoch().unwrap();
    assert_eq!((founders.holders.len(), founders.threshold()), (60, 41), "no lot was drawn yet");
    world.evidence.blocks = (1..9_000).map(|height| (height, block(height))).collect();
    world.mine(3 * FORTNIGHT);
    let before = world.state.epoch().unwrap().clone();
    let (turn, _) = world.go_on().expect("a lot is due");
    let after = world.state.epoch().unwrap().clone();
    let stayed = after.holders.keys().filter(|key| before.holders.contains_key(key)).count();
    assert_eq!((after.holders.len(), after.threshold(), stayed), (70, 47, 60));
    let mut blind = world.evidence.clone();
    blind.blocks.clear();
    blind.tip += 3 * FORTNIGHT;
    let late = Turn { height: blind.tip, previous: world.state.turn(), ..turn };
    assert!(matches!(world.state.advance(&late, &blind), Err(Refusal::Empty | Refusal::MissingBlock(_))));
    while world.go_on().is_some() {}
    let (epoch, draw) = (world.state.epoch().unwrap(), world.state.draw.clone().unwrap());
    assert_eq!((epoch.holders.len(), epoch.threshold(), draw.height), (100, 67, 3 * FORTNIGHT));
    assert!(draw.drawn.iter().all(|peer| epoch.is_held_by(peer)));
    world.mine(10);
    assert!(world.go_on().is_none(), "one lot in a fortnight");
}
