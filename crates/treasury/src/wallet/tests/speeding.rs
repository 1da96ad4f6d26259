//! Replacements and children.

use super::*;

const NET: Network = Network::Regtest;

#[track_caller]
fn refuses(world: &World, txid: Txid, sat_per_vb: u32, code: &str) {
    let refused = world.wallet.prepare_bump(txid, rate(sat_per_vb), [7; 32], world.now);
    assert_eq!(refused.map(|draft| draft.fee()).unwrap_err().code(), code);
}

#[test]
fn an_own_payment_is_replaced_by_itself_with_a_higher_fee() {
    let mut world = World::with_coins(NET, &[100_000]);
    let draft = world.prepare(&Spend { label: Some("rent".into()), ..pay(NET, 40_000) }).unwrap();
    let slow = world.send(&draft);
    let before = world.wallet.balance().total.pending;
    let faster = world.wallet.prepare_bump(slow.compute_txid(), rate(10), [7; 32], world.now).unwrap();
    assert_eq!(faster.kind(), DraftKind::Replacement(slow.compute_txid()));
    assert_eq!((faster.amount(), faster.label()), (sats(40_000), Some("rent")));
    assert_eq!(faster.fee(), sats(1_540));
    let fast = world.send(&faster);
    assert_eq!(fast.input[0].previous_output, slow.input[0].previous_output);
    assert_eq!(world.wallet.balance().total.pending, before - (faster.fee() - draft.fee()));
    assert_eq!(world.state(slow.compute_txid()), TxState::Replaced { by: fast.compute_txid() });
    assert_eq!(world.state(fast.compute_txid()), TxState::Broadcast);
    assert_eq!(world.wallet.outbox().len(), 1, "only the newest is told");
    assert!(!world.wallet.unconfirmed(&slow, world.now + 60), "a node that still has the old one");
    assert_eq!(world.state(slow.compute_txid()), TxState::Replaced { by: fast.compute_txid() });
    world.keep();
    assert_eq!(shown(&world.reloaded()), shown(&world.wallet));
    world.mine(std::slice::from_ref(&fast));
    assert_eq!(world.state(fast.compute_txid()), TxState::Confirmed(1));
    assert_eq!(world.state(slow.compute_txid()), TxState::Replaced { by: fast.compute_txid() });
    refuses(&world, fast.compute_txid(), 20, "bump_impossible");
    refuses(&world, slow.compute_txid(), 20, "bump_impossible");
    refuses(&world, Txid::all_zeros(), 20, "bump_impossible");
}

#[test]
fn the_old_one_may_win_all_the_same() {
    let mut world = World::with_coins(NET, &[100_000]);
    let draft = world.prepare(&pay(NET, 40_000)).unwrap();
    let slow = world.send(&draft);
    let faster = world.wallet.prepare_bump(slow.compute_txid(), rate(10), [7; 32], world.now).unwrap();
    let fast = world.send(&faster);
    world.mine(std::slice::from_ref(&slow));
    assert_eq!(world.state(slow.compute_txid()), TxState::Confirmed(1));
    assert_eq!(world.state(fast.compute_txid()), TxState::Replaced { by: slow.compute_txid() });
    assert_eq!(world.wallet.outbox(), []);
    assert_eq!(world.wallet.balance().total.confirmed, draft.change().unwrap().amount);
}

#[test]
fn a_replacement_pays_for_its_relay_and_takes_more_coins_where_needed() {
    let mut world = World::with_coins(NET, &[41_000, 60_000]);
    let coin = world.wallet.coins().iter().find(|coin| coin.amount == sats(41_000)).unwrap().outpoint;
    let spend = Spend { coins: Coins::Only(vec![coin]), ..pay(NET, 40_000) };
    let draft = world.prepare(&spend).unwrap();
    let slow = world.send(&draft);
    refuses(&world, slow.compute_txid(), 2, "bump_impossible");
    refuses(&world, slow.compute_txid(), 2_000, "fee_above_cap");
    let faster = world.wallet.prepare_bump(slow.compute_txid(), rate(30), [7; 32], world.now).unwrap();
    assert_eq!(faster.inputs().len(), 2);
    assert!(faster.inputs().iter().any(|input| input.outpoint == coin), "or both could be confirmed");
    assert!(faster.fee() >= draft.fee() + sats(faster.vsize()));
    world.send(&faster);
}

#[test]
fn what_sent_all_is_sped_up_at_the_cost_of_who_gets_it() {
    let mut world = World::with_coins(NET, &[50_000, 60_000]);
    let all = Spend { payees: vec![], rest_to: Some(other(NET)), ..pay(NET, 1) };
    let draft = world.prepare(&all).unwrap();
    let slow = world.send(&draft);
    let faster = world.wallet.prepare_bump(slow.compute_txid(), rate(10), [7; 32], world.now).unwrap();
    assert_eq!(faster.amount() + faster.fee(), sats(110_000));
    assert!(faster.fee() >= rate(10) * slow.weight());
    world.send(&faster);
}

#[test]
fn a_child_pays_for_what_others_sent() {
    let mut world = World::new(NET);
    let script = world.wallet.fresh_address().1.script_pubkey();
    let parent = world.foreign(&[(script, 50_000)]);
    world.wallet.unconfirmed(&parent, world.now);
    let draft = world.wallet.prepare_bump(parent.compute_txid(), rate(20), [7; 32], world.now).unwrap();
    assert_eq!(draft.kind(), DraftKind::Child(parent.compute_txid()));
    assert_eq!(
        (draft.amount(), draft.payments().count()),
        (Amount::ZERO, 0),
        "all of it stays in the wallet"
    );
    // Both together pay the rate, even if the parent paid nothing.
    assert!(
        draft.fee()
            >= rate(20) * (parent.weight() + domain::bitcoin::Weight::from_vb_unchecked(draft.vsize() - 1))
    );
    let child = world.send(&draft);
    assert_eq!(world.wallet.balance().total.pending, sats(50_000) - draft.fee());
    world.mine(&[parent, child]);
    assert_eq!(world.wallet.balance().total.confirmed, sats(50_000) - draft.fee());
}

#[test]
fn an_own_payment_with_followers_gets_a_child_and_not_a_replacement() {
    let mut world = World::with_coins(NET, &[100_000]);
    let first = world.prepare(&pay(NET, 10_000)).unwrap();
    let first = world.send(&first);
    let second = world.prepare(&pay(NET, 20_000)).unwrap();
    let second = world.send(&second);
    assert_eq!(world.wallet.outbox()[0].compute_txid(), first.compute_txid(), "parents first");
    refuses(&world, first.compute_txid(), 10, "bump_impossible");
    let faster = world.wallet.prepare_bump(second.compute_txid(), rate(10), [7; 32], world.now).unwrap();
    assert_eq!(faster.kind(), DraftKind::Replacement(second.compute_txid()));
}

#[test]
fn a_follower_of_what_was_replaced_is_void_with_it() {
    let mut world = World::with_coins(NET, &[100_000]);
    let first = world.prepare(&pay(NET, 10_000)).unwrap();
    let follower = {
        let first = world.send(&first);
        let second = world.prepare(&pay(NET, 20_000)).unwrap();
        (first, world.send(&second))
    };
    // The same words on another device spend the first coin otherwise, and that is mined.
    let mut twin = World::with_coins(NET, &[100_000]);
    let rival = twin.prepare(&pay(NET, 70_000)).unwrap();
    let rival = twin.send(&rival);
    world.mine(std::slice::from_ref(&rival));
    let by = rival.compute_txid();
    assert_eq!(world.state(follower.0.compute_txid()), TxState::Conflicted { by });
    assert_eq!(world.state(follower.1.compute_txid()), TxState::Conflicted { by });
    assert_eq!(world.wallet.outbox(), []);
}
