use domain::{
    bitcoin::Amount,
    kinds::{Leave, Rules},
};

use super::{
    super::*,
    world::{World, charter, pay, peer, rules, script},
};

fn of_three() -> World {
    World::founded(charter(Rules { vouches: 1, ..rules() }), 3)
}

fn value_of(step: &Step, number: u16, use_of: u8) -> Option<u64> {
    let outputs = &step.transaction.transaction.output;
    let paid = outputs.iter().find(|output| output.script_pubkey == script(number, use_of));
    paid.map(|output| output.value.to_sat())
}

#[test]
fn three_found_and_each_claims_what_it_paid_in() {
    let world = of_three();
    assert_eq!([0, 1, 2].map(|number| world.claim(number)), [20_000; 3]);
    assert_eq!(world.state.number(), 1);
    assert_eq!(world.state.counted().count(), 3);
    let epoch = world.state.epoch().unwrap();
    assert_eq!((epoch.number, epoch.holders.len(), epoch.threshold()), (0, 3, 2));
    let coin = world.state.coin.unwrap();
    assert_eq!(world.state.claims() + world.state.reserve + world.state.unassigned, coin.value);
    assert!(world.state.unassigned < Amount::from_sat(10), "{}", world.state.unassigned);
}

#[test]
fn fewer_than_the_charter_asks_found_nothing() {
    let mut world = World::new(charter(rules()));
    let mut turn = world.turn();
    turn.joins = vec![world.wish(0, 20_000, 100_000), world.wish(1, 20_000, 100_000)];
    turn.joins.sort_unstable();
    assert_eq!(world.advance(&turn), Err(Refusal::Founding { founders: 2, least: 3 }));
}

#[test]
fn who_joins_pays_its_part_and_changes_nobodys_claim() {
    let mut world = of_three();
    let join = world.wish(3, 25_000, 100_000);
    let mut turn = world.turn();
    turn.joins = vec![join];
    let step = world.confirm(&turn).unwrap();
    assert_eq!(world.claim(3), 25_000);
    assert!([0, 1, 2].iter().all(|number| (19_500..=20_000).contains(&world.claim(*number))));
    let change = value_of(&step, 3, 2).unwrap();
    assert!((73_500..75_000).contains(&change), "{change}");
    assert_eq!(world.state.counted().count(), 3, "nobody vouched yet");
    assert_eq!(world.state.epoch().unwrap().number, 0);
}

#[test]
fn a_vouched_member_is_counted_and_gets_a_key() {
    let mut world = of_three();
    let join = world.wish(3, 20_000, 100_000);
    world.vouch(1, 3);
    let mut turn = world.turn();
    turn.joins = vec![join];
    turn.counted = vec![Promotion { member: peer(3), vouchers: vec![peer(1)] }];
    world.confirm(&turn).unwrap();
    assert_eq!(world.state.counted().count(), 4);
    let epoch = world.state.epoch().unwrap();
    assert_eq!((epoch.number, epoch.holders.len(), epoch.threshold()), (1, 4, 3));
    assert!(epoch.is_held_by(&peer(3)));
    assert_eq!(epoch.previous, world.state.epochs[0].id());
}

#[test]
fn what_a_majority_wants_is_paid_by_all_and_only_once() {
    let mut world = of_three();
    let approval = world.approved(pay(9, 9_000), &[0, 2]);
    let mut turn = world.turn();
    turn.approvals = vec![approval.clone()];
    let step = world.confirm(&turn).unwrap();
    assert_eq!(value_of(&step, 9, 3), Some(9_000));
    assert_eq!(step.executed, [approval.proposal]);
    assert!([0, 1, 2].iter().all(|number| (16_600..=17_000).contains(&world.claim(*number))));
    let mut again = world.turn();
    again.approvals = vec![approval.clone()];
    assert_eq!(world.advance(&again), Err(Refusal::Repeated(approval.proposal)));
}

#[test]
fn one_of_three_decides_nothing() {
    let mut world = of_three();
    let approval = world.approved(pay(9, 9_000), &[1]);
    let mut turn = world.turn();
    turn.approvals = vec![approval.clone()];
    let refused = Refusal::Votes { proposal: approval.proposal, yes: 1, needed: 2 };
    assert_eq!(world.advance(&turn), Err(refused));
    turn.approvals = vec![world.approval(approval.proposal, &[0, 1])];
    let refused = Refusal::Vote { proposal: approval.proposal, member: peer(0) };
    assert_eq!(world.advance(&turn), Err(refused));
}

#[test]
fn who_leaves_gets_its_claim_and_its_key_dies() {
    let mut world = World::founded(charter(rules()), 4);
    world.mine(FORTNIGHT);
    world.leave(2);
    let mut turn = world.turn();
    turn.leaves = vec![peer(2)];
    let step = world.confirm(&turn).unwrap();
    let paid = value_of(&step, 2, 1).unwrap();
    assert_eq!(step.paid_out, [(peer(2), Amount::from_sat(paid))]);
    assert!((19_500..=20_000).contains(&paid), "{paid}");
    assert!(world.state.member(&peer(2)).is_none());
    assert!(!world.state.epoch().unwrap().is_held_by(&peer(2)));
    assert_eq!(world.state.epoch().unwrap().holders.len(), 3);
}

#[test]
fn nobody_is_sent_away_by_somebody_else() {
    let world = of_three();
    let mut turn = world.turn();
    turn.leaves = vec![peer(2)];
    assert_eq!(world.advance(&turn), Err(Refusal::Leave(peer(2))));
}

#[test]
fn the_refund_pays_every_claim_after_the_silence() {
    let mut world = of_three();
    let join = world.wish(3, 25_000, 100_000);
    let mut turn = world.turn();
    turn.joins = vec![join];
    let step = world.confirm(&turn).unwrap();
    let refund = step.refund.unwrap();
    let [root] = &refund.nodes[..] else { panic!("a tree of four") };
    assert_eq!(root.transaction.input[0].previous_output, world.state.coin.unwrap().outpoint);
    assert_eq!(root.transaction.input[0].sequence.to_consensus_u32(), 144);
    for number in 0..4 {
        let outputs = root.transaction.output.iter();
        let mut paid = outputs.filter(|output| output.script_pubkey == script(number, 1));
        let exit = world.state.exits().into_iter().find(|(who, _)| *who == peer(number)).unwrap().1;
        assert_eq!(paid.next().map(|output| output.value), Some(exit));
        assert_eq!(paid.next(), None);
    }
}

#[test]
fn a_wish_that_was_taken_back_waits_for_nobody_and_another_one_counts() {
    let mut world = of_three();
    let first = world.wish(5, 20_000, 100_000);
    let (network, dao) = (world.state.charter.network, world.state.dao);
    world.take(5, &Leave { network, dao, join: first });
    assert_eq!(world.go_on(), None);
    // Nobody takes back what another one wishes for.
    let second = world.wish(5, 30_000, 100_000);
    world.take(4, &Leave { network, dao, join: second });
    let (turn, _) = world.go_on().unwrap();
    assert_eq!(turn.joins, [second]);
    assert_eq!(world.claim(5), 30_000);
}

#[test]
fn a_turn_has_one_encoding_and_one_name() {
    let mut world = of_three();
    let mut turn = world.turn();
    turn.approvals = vec![world.approved(pay(9, 9_000), &[0, 1, 2])];
    turn.leaves = vec![peer(1)];
    let bytes = turn.encode();
    assert_eq!(Turn::decode(&bytes), Ok(turn.clone()));
    assert_eq!(Turn::decode(&[&bytes[..], &[0]].concat()), Err(TurnError));
    assert_eq!(Turn::decode(&vec![0; MAX_TURN + 1]), Err(TurnError));
    let other = Turn { rate: turn.rate + 1, ..turn.clone() };
    assert_ne!(other.id(), turn.id());
}
