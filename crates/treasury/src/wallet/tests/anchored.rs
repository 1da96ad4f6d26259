//! Paying for a treasury's transaction by its anchor.

use domain::bitcoin::{Script, Transaction, TxOut};

use super::*;

const NET: Network = Network::Regtest;
/// What the treasury's transaction pays itself.
const PAID: u64 = 100;

/// A treasury's transaction that pays this script, too.
fn treasurys(world: &mut World, script: &Script) -> Transaction {
    let mut tx = world.foreign(&[(script.to_owned(), 30_000)]);
    tx.version = Version(3);
    let script_pubkey = ScriptBuf::from_bytes(vec![0x51, 0x02, 0x4e, 0x73]);
    tx.output.push(TxOut { value: sats(240), script_pubkey });
    tx
}

fn anchored(world: &World, parent: &Transaction, at: u32) -> Result<Draft, SpendError> {
    world.wallet.prepare_anchored(parent, sats(PAID), rate(at), world.now)
}

#[test]
fn a_child_pays_for_a_treasurys_transaction_with_one_private_coin() {
    let mut world = World::with_coins(NET, &[90_000, 700, 20_000]);
    let parent = treasurys(&mut world, &other(NET).script_pubkey());
    let draft = anchored(&world, &parent, 10).unwrap();
    let child = world.send(&draft);
    assert_eq!((child.compute_txid(), child.vsize() as u64), (draft.txid(), draft.vsize()));
    assert_eq!(child.version, Version(3));
    assert_eq!(child.input[0].previous_output, OutPoint::new(parent.compute_txid(), 1));
    assert_eq!(draft.inputs().iter().map(|input| input.amount).collect::<Vec<_>>(), [sats(20_000)]);
    assert_eq!(draft.fee() + sats(PAID), rate(10) * (parent.weight() + child.weight()));
    assert_eq!(draft.fee(), sats(20_240) - child.output[0].value);
    assert_eq!(draft.amount(), Amount::ZERO);
    let entry = world.wallet.entry(draft.txid()).unwrap();
    assert_eq!((entry.fee, entry.can_bump), (Some(draft.fee()), false));
    assert_eq!(entry.net.to_sat(), 240 - draft.fee().to_sat() as i64);
    // The two go out together, after a restart too.
    assert_eq!(*world.wallet.parent(&child).unwrap(), parent);
    let reloaded = world.reloaded();
    assert_eq!(*reloaded.outbox()[0], child);
    assert_eq!(*reloaded.parent(&child).unwrap(), parent);
    assert_eq!(
        world.wallet.prepare_bump(child.compute_txid(), rate(50), [1; 32], world.now).unwrap_err().code(),
        "bump_impossible"
    );
    world.mine(&[parent, child]);
    assert_eq!(world.state(draft.txid()), TxState::Confirmed(1));
    assert_eq!(world.wallet.balance().total.confirmed, sats(110_940) - draft.fee());
}

#[test]
fn a_second_child_takes_the_place_of_the_first_with_the_same_coin() {
    let mut world = World::with_coins(NET, &[20_000]);
    let parent = treasurys(&mut world, &other(NET).script_pubkey());
    let first = anchored(&world, &parent, 10).unwrap();
    world.send(&first);
    assert_eq!(anchored(&world, &parent, 10).unwrap_err().code(), "bump_impossible");
    let second = anchored(&world, &parent, 20).unwrap();
    assert_eq!(second.inputs(), first.inputs());
    let child = world.send(&second);
    assert_eq!(world.state(first.txid()), TxState::Replaced { by: second.txid() });
    world.mine(&[parent, child]);
    assert_eq!(world.state(second.txid()), TxState::Confirmed(1));
}

#[test]
fn the_coin_is_free_again_once_another_paid() {
    for rival_in in [false, true] {
        let mut world = World::with_coins(NET, &[20_000]);
        let parent = treasurys(&mut world, &other(NET).script_pubkey());
        let child = anchored(&world, &parent, 10).unwrap();
        world.send(&child);
        assert_eq!(world.wallet.balance().total.confirmed, Amount::ZERO);
        // Either another child got in, or another transaction of the treasury.
        let mut rival =
            transaction(&[OutPoint::new(parent.compute_txid(), 1)], &[(other(NET).script_pubkey(), 100)]);
        rival.version = Version(3);
        let mut other_turn = parent.clone();
        other_turn.output[0].value = sats(29_000);
        let mined = if rival_in { vec![parent, rival] } else { vec![other_turn] };
        world.mine(&mined);
        assert!(
            matches!(
                world.state(child.txid()),
                TxState::Conflicted { .. } | TxState::Replaced { .. } | TxState::Dropped
            ),
            "{:?}",
            world.state(child.txid())
        );
        assert_eq!(world.wallet.balance().total.confirmed, sats(20_000), "{rival_in}");
        assert!(world.wallet.outbox().is_empty());
    }
}

#[test]
fn a_treasurys_payment_to_the_wallet_gets_no_child_of_another_kind() {
    let mut world = World::with_coins(NET, &[20_000]);
    let (_, own) = world.wallet.fresh_address();
    let refund = treasurys(&mut world, &own.script_pubkey());
    assert!(world.wallet.unconfirmed(&refund, world.now));
    let txid = refund.compute_txid();
    assert!(!world.wallet.entry(txid).unwrap().can_bump);
    assert_eq!(
        world.wallet.prepare_bump(txid, rate(50), [1; 32], world.now).unwrap_err().code(),
        "bump_impossible"
    );
    let child = anchored(&world, &refund, 50).unwrap();
    assert_eq!(child.inputs()[0].amount, sats(20_000), "what it pays is no coin yet");
}

#[test]
fn what_cannot_be_paid_for_is_refused() {
    let mut world = World::with_coins(NET, &[700, 800]);
    let parent = treasurys(&mut world, &other(NET).script_pubkey());
    assert_eq!(anchored(&world, &parent, 10).unwrap_err().code(), "insufficient_funds");
    let empty = World::new(NET);
    assert_eq!(anchored(&empty, &parent, 10).unwrap_err().code(), "insufficient_funds");
    let without = world.foreign(&[(other(NET).script_pubkey(), 1_000)]);
    assert_eq!(anchored(&empty, &without, 10).unwrap_err().code(), "bump_impossible");
    let mut locked = World::with_coins(NET, &[20_000]);
    let coin = locked.wallet.coins()[0].outpoint;
    locked.wallet.lock_coin(coin, true).unwrap();
    assert_eq!(anchored(&locked, &parent, 10).unwrap_err().code(), "insufficient_funds");
}
