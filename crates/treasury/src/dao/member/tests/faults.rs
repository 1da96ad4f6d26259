//! What goes wrong, one thing after another.

use domain::kinds::{Choice, Construction};

use super::{
    net::{Faults, Net, charter, peer, script},
    properties::{check_end, check_payments},
};

pub(super) fn founded(vouches: u8) -> Net {
    Net::found(charter(Construction::MultiA, vouches), 8, 4, 5)
}

#[test]
fn a_joiner_that_does_not_sign_stops_nobody_else() {
    let mut net = founded(0);
    net.nodes[4].signs = false;
    net.wish(4);
    net.wish(5);
    net.mine();
    net.run(120_000);
    net.mine();
    assert!(net.state(0).member(&peer(4)).is_none());
    assert!(net.state(0).member(&peer(5)).is_some(), "{:?}", net.events);
    check_end(&net);
}

#[test]
fn a_wish_that_is_taken_back_while_it_is_signed_costs_nobody_time_or_blame() {
    let mut net = founded(0);
    net.nodes[4].signs = false;
    net.wish(4);
    net.mine();
    net.run(1_000);
    assert!(net.nodes[0].member.as_ref().unwrap().attempts().iter().any(|attempt| attempt.is_safe));
    net.leave(4);
    net.wish(5);
    net.mine();
    // The joiner would have had three times as long.
    net.run(super::super::JOINER_TIMEOUT / 3);
    net.mine();
    assert!(net.state(0).member(&peer(4)).is_none());
    assert!(net.state(0).member(&peer(5)).is_some(), "{:?}", net.events);
    assert!(!net.events.contains_key("joiner_failed"), "{:?}", net.events);
    check_end(&net);
}

#[test]
fn a_joiner_that_spends_its_coin_stops_nobody_else() {
    let mut net = founded(0);
    net.nodes[4].signs = false;
    net.wish(4);
    net.mine();
    net.run(1_000);
    let proposal = net.propose(0, 50, 30_000);
    (0..3).for_each(|number| net.vote(number, proposal, Choice::Yes));
    net.double_spend(net.joins[&4].1);
    net.run(100_000);
    net.mine();
    assert!(net.events.contains_key("joiner_failed"), "{:?}", net.events);
    assert_eq!(net.chain.paid(&script(50, 4)), 1);
    check_end(&net);
}

#[test]
fn the_larger_side_goes_on_and_the_other_follows() {
    let mut net = founded(0);
    net.sides = vec![0, 0, 0, 1, 1, 1, 1, 1];
    let proposal = net.propose(0, 50, 30_000);
    (0..3).for_each(|number| net.vote(number, proposal, Choice::Yes));
    net.run(3_600_000);
    net.mine();
    assert_eq!(net.chain.paid(&script(50, 4)), 1, "{:?}", net.events);
    net.sides = vec![0; 8];
    net.run(30_000);
    check_end(&net);
    check_payments(&net, &[proposal]);
}

#[test]
fn a_reorganised_turn_is_done_again() {
    for depth in 1..=6 {
        let mut net = founded(0);
        (0..6).for_each(|_| net.mine());
        let proposal = net.propose(0, 50, 30_000);
        (0..3).for_each(|number| net.vote(number, proposal, Choice::Yes));
        net.run(60_000);
        (0..depth).for_each(|_| net.mine());
        assert_eq!(net.chain.paid(&script(50, 4)), 1);
        net.reorg(depth);
        net.run(60_000);
        net.mine();
        assert_eq!(net.chain.paid(&script(50, 4)), 1, "at {depth}: {:?}", net.events);
        check_end(&net);
    }
}

#[test]
fn history_whose_blocks_came_later_than_it_says_is_read_by_who_restarts() {
    let mut net = founded(0);
    (0..6).for_each(|_| net.mine());
    for payee in [50, 51] {
        let proposal = net.propose(0, payee, 10_000);
        (0..3).for_each(|number| net.vote(number, proposal, Choice::Yes));
        net.run(60_000);
        net.mine();
    }
    // Both are in one block now, above the height at which the second was made.
    net.reorg(3);
    net.run(60_000);
    (0..3).for_each(|_| net.mine());
    net.run(60_000);
    assert_eq!((net.chain.paid(&script(50, 4)), net.chain.paid(&script(51, 4))), (1, 1));
    assert!(net.member(0).audit().is_ok(), "{:?}", net.member(0).audit());
    (0..8).for_each(|node| net.crash(node));
    net.run(120_000);
    assert_eq!(net.state(0).number(), 3, "{:?}", net.events);
    check_end(&net);
}

#[test]
fn lost_doubled_and_forged_messages_and_crashes_at_writes_change_nothing() {
    for seed in 1..=6 {
        let mut net = founded(0);
        net.reseed(seed);
        net.faults = Faults { lost: 8, twice: 8, forged: 40, crash: 10 };
        net.wish(4);
        net.mine();
        net.run(300_000);
        net.mine();
        net.faults.crash = 0;
        net.run(30_000);
        let proposal = net.propose(0, 50, 30_000);
        net.faults.crash = 10;
        (0..4).for_each(|number| net.vote(number, proposal, Choice::Yes));
        net.run(300_000);
        net.mine();
        net.faults = Faults::default();
        net.run(300_000);
        net.mine();
        net.run(30_000);
        assert!(net.state(0).member(&peer(4)).is_some(), "seed {seed}: {:?}", net.events);
        check_end(&net);
        check_payments(&net, &[proposal]);
    }
}
