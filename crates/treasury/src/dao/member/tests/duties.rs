//! What members do by themselves: merge, pay back, follow votes, refresh, leave out whoever failed, see what is strange.

use std::collections::BTreeMap;

use domain::{
    PeerId,
    bitcoin::{
        Amount, FeeRate,
        bip32::{DerivationPath, Xpriv, Xpub},
        secp256k1::Secp256k1,
    },
    kinds::{Choice, Construction, Delegation, Income, Intent, JoinPolicy, Offer},
};

use super::{
    super::{
        super::{Payback, Scope},
        BACKOFF, Command, Input, RESEND,
        message::Message,
    },
    faults::founded,
    net::{Net, charter, peer, script},
    plain::ALL,
    properties::{check_end, check_payments},
};

const ARTIST: u16 = 900;

/// An artist's offer and addresses, and what invests in it.
fn invest(net: &mut Net, sat: u64) -> Intent {
    let network = net.charter.network;
    let chain = |at: u32| {
        let secp = Secp256k1::new();
        let path: DerivationPath = format!("86'/1'/1'/{at}").parse().unwrap();
        let master = Xpriv::new_master(network.bitcoin(), &[7; 32]).unwrap();
        Xpub::from_priv(&secp, &master.derive_priv(&secp, &path).unwrap())
    };
    let income = Income { network, income: chain(0), principal: chain(1), windows: vec![0], birthday: 1 };
    let offer = Offer {
        network,
        salt: [1; 16],
        goal: Amount::from_sat(1_000_000),
        share: 2_500,
        cap: 150,
        floor: Amount::ZERO,
        expiry: 1_900_000_000,
        splits: None,
        title: None,
        release: None,
    };
    let (income, offer) = (net.record(ARTIST, &income).slot, net.record(ARTIST, &offer).slot);
    Intent::Invest { artist: peer(ARTIST), offer, amount: Amount::from_sat(sat), income, index: 17 }
}

fn claims(net: &Net) -> BTreeMap<PeerId, Amount> {
    net.state(0).accounts.iter().map(|(peer, account)| (*peer, account.claim)).collect()
}

#[test]
fn what_an_artist_pays_back_is_theirs_who_paid() {
    for construction in ALL {
        let mut net = Net::found(charter(construction, 0), 5, 4, 5);
        net.run(60_000);
        net.mine();
        let intent = invest(&mut net, 30_000);
        let proposal = net.propose_to(0, "A record".into(), intent);
        (0..3).for_each(|number| net.vote(number, proposal, Choice::Yes));
        net.run(60_000);
        net.mine();
        let note = *net.state(0).notes.keys().next().expect("the note is paid");
        // Who joins later has no part in it.
        net.wish(4);
        net.mine();
        net.run(60_000);
        net.mine();
        net.run(60_000);
        net.mine();
        let before = claims(&net);
        let epoch = net.state(0).epoch().unwrap().script();
        let (outpoint, coin) = net.chain.give(epoch, 60_000);
        net.tell(&Input::Income { outpoint, coin, paybacks: vec![Payback { note, sat: 40_000 }] });
        net.run(60_000);
        net.mine();
        let after = claims(&net);
        let gained = |number: u16| {
            i64::try_from(after[&peer(number)].to_sat()).unwrap()
                - i64::try_from(before[&peer(number)].to_sat()).unwrap()
        };
        assert!((0..4).all(|number| gained(number) > 8_000), "{construction:?}: {before:?} {after:?}");
        assert!(gained(4) <= 0);
        assert!(net.chain.spender(&outpoint).is_some(), "it is merged");
        check_end(&net);
        assert!(net.blamed.is_empty(), "{:?}", net.blamed);
    }
}

#[test]
fn a_silent_coin_is_refreshed_at_half_of_its_time_and_nobody_joins_in_it() {
    let mut net = founded(0);
    let before = net.state(0).coin.unwrap().outpoint;
    (0..499).for_each(|_| net.chain.mine(|_| 0));
    (0..8).for_each(|node| net.catch_up(node));
    net.run(60_000);
    assert!(net.member(0).attempts().is_empty(), "it is too early");
    net.wish(4);
    net.mine();
    net.run(60_000);
    net.mine();
    assert_ne!(net.state(0).coin.unwrap().outpoint, before, "{:?}", net.events);
    assert!(net.state(0).member(&peer(4)).is_none(), "a joiner could have stopped it");
    net.run(60_000);
    net.mine();
    assert!(net.state(0).member(&peer(4)).is_some());
    check_end(&net);
}

#[test]
fn a_spend_that_nobody_knows_is_said() {
    let mut net = founded(0);
    let coin = net.state(0).coin.unwrap().outpoint;
    net.chain.spend(coin);
    net.mine();
    net.run(30_000);
    assert_eq!(net.events.get("unknown"), Some(&8), "once by each");
    net.reorg(1);
    net.run(30_000);
    assert!(net.member(0).attempts().iter().all(|attempt| !attempt.is_complete));
}

#[test]
fn whoever_failed_and_who_vouched_for_it_wait() {
    let mut charter = charter(Construction::MultiA, 1);
    charter.rules.policy = JoinPolicy::Vouched;
    let mut net = Net::found(charter, 8, 4, 5);
    net.nodes[4].signs = false;
    net.vouch(0, 4);
    net.wish(4);
    net.mine();
    net.run(120_000);
    assert!(net.events.contains_key("joiner_failed"), "{:?}", net.events);
    net.nodes[4].signs = true;
    net.wish(4);
    net.vouch(0, 5);
    net.wish(5);
    net.mine();
    net.run(60_000);
    net.mine();
    let is_in = |net: &Net, number| net.state(0).member(&peer(number)).is_some();
    assert!(!is_in(&net, 4) && !is_in(&net, 5), "{:?}", net.events);
    net.vouch(1, 5);
    net.run(60_000);
    net.mine();
    assert!(!is_in(&net, 4) && is_in(&net, 5), "{:?}", net.events);
    (0..BACKOFF).for_each(|_| net.chain.mine(|_| 0));
    net.mine();
    net.run(60_000);
    net.mine();
    assert!(is_in(&net, 4), "{:?}", net.events);
    check_end(&net);
}

#[test]
fn whoever_failed_waits_after_a_restart_of_everybody_too() {
    let mut net = founded(0);
    net.nodes[4].signs = false;
    net.wish(4);
    net.mine();
    net.run(120_000);
    assert!(net.events.contains_key("joiner_failed"), "{:?}", net.events);
    net.nodes[4].signs = true;
    (0..8).for_each(|node| net.crash(node));
    net.run(60_000);
    let proposal = net.propose(0, 50, 10_000);
    (0..3).for_each(|number| net.vote(number, proposal, Choice::Yes));
    net.run(60_000);
    net.mine();
    assert_eq!(net.chain.paid(&script(50, 4)), 1, "{:?}", net.events);
    assert!(net.state(0).member(&peer(4)).is_none(), "its time is not over");
    (0..BACKOFF).for_each(|_| net.chain.mine(|_| 0));
    net.mine();
    net.run(60_000);
    net.mine();
    assert!(net.state(0).member(&peer(4)).is_some(), "{:?}", net.events);
    check_end(&net);
}

#[test]
fn the_refund_is_sent_again_until_a_block_has_it() {
    let mut net = founded(0);
    (1..8).for_each(|node| net.nodes[node].online = false);
    (0..1_000).for_each(|_| net.chain.mine(|_| 0));
    net.catch_up(0);
    net.run(10);
    assert!(net.member(0).unconfirmed().is_empty(), "nobody sent it");
    net.command(0, Command::Recover);
    net.run(10);
    let [(refund, fee)] = net.member(0).unconfirmed().try_into().unwrap();
    assert!(fee.to_sat() > 0);
    for restarts in [false, true] {
        net.chain.pending.clear();
        if restarts {
            net.crash(0);
        }
        net.run(2 * RESEND);
        assert!(net.chain.pending.contains_key(&refund.compute_txid()), "{restarts}");
    }
    net.mine();
    assert_eq!(net.member(0).refunded(), Some(refund.compute_txid()));
    assert!(net.member(0).unconfirmed().is_empty());
    net.chain.pending.clear();
    net.run(2 * RESEND);
    assert!(net.chain.pending.is_empty());
}

#[test]
fn a_follower_votes_as_its_leader_unless_it_votes_itself() {
    let mut net = founded(0);
    let (network, dao) = (net.charter.network, net.dao);
    let one = net.propose(0, 50, 10_000);
    let other = net.propose(0, 51, 10_000);
    net.vote(3, other, Choice::No);
    net.record(3, &Delegation { network, dao, to: Some(peer(0)) });
    for proposal in [one, other] {
        (0..2).for_each(|number| net.vote(number, proposal, Choice::Yes));
    }
    net.run(60_000);
    net.mine();
    assert_eq!((net.chain.paid(&script(50, 4)), net.chain.paid(&script(51, 4))), (1, 0), "{:?}", net.events);
    // After a restart records may come in another order.
    net.nodes[3].held.reverse();
    net.crash(3);
    net.run(60_000);
    assert!(!net.events.contains_key("voted_twice"), "{:?}", net.events);
    net.record(3, &Delegation { network, dao, to: None });
    let third = net.propose(0, 52, 10_000);
    (0..2).for_each(|number| net.vote(number, third, Choice::Yes));
    net.run(60_000);
    net.mine();
    assert_eq!(net.chain.paid(&script(52, 4)), 0, "it follows nobody any more");
    check_end(&net);
}

#[test]
fn what_is_undone_after_it_was_final_is_said_and_done_again() {
    let mut net = founded(0);
    let mut proposed = Vec::new();
    for payee in [50, 51] {
        (0..10).for_each(|_| net.mine());
        let proposal = net.propose(0, payee, 10_000);
        (0..3).for_each(|number| net.vote(number, proposal, Choice::Yes));
        net.run(60_000);
        net.mine();
        proposed.push(proposal);
    }
    (0..10).for_each(|_| net.mine());
    let number = net.state(0).number();
    net.reorg(23);
    assert_eq!(net.events.get("deep"), Some(&8), "{:?}", net.events);
    net.run(60_000);
    net.mine();
    net.mine();
    assert_eq!(net.state(0).number(), number);
    let proposal = net.propose(0, 52, 10_000);
    (0..3).for_each(|number| net.vote(number, proposal, Choice::Yes));
    net.run(60_000);
    net.mine();
    proposed.push(proposal);
    check_end(&net);
    check_payments(&net, &proposed);
}

#[test]
fn a_builder_that_comes_early_makes_a_rival_and_one_of_them_is_done() {
    let mut net = founded(0);
    let proposal = net.propose(0, 50, 10_000);
    (0..3).for_each(|number| net.vote(number, proposal, Choice::Yes));
    net.run(50);
    for builder in 0..4 {
        let evidence = net.member(builder).evidence().clone();
        let rate = FeeRate::from_sat_per_vb_u32(2 + u32::from(builder));
        let turn = net.state(builder).gather(peer(builder), rate, &evidence, &Scope::default()).unwrap().0;
        (0..4).for_each(|to| net.forge(builder, to, &Message::Turn(turn.encode())));
    }
    net.run(60_000);
    assert!(net.member(0).attempts().len() >= 4);
    net.mine();
    net.run(60_000);
    net.mine();
    check_end(&net);
    check_payments(&net, &[proposal]);
}
