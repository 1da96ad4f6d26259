//! What can be paid, and what is refused with which words.

use proptest::prelude::*;

use super::*;

const NET: Network = Network::Regtest;

#[track_caller]
fn refuses(world: &World, spend: &Spend, code: &str) {
    assert_eq!(world.prepare(spend).map(|draft| draft.fee()).unwrap_err().code(), code);
}

#[test]
fn a_payment_shows_what_it_costs_before_it_is_signed() {
    let mut world = World::with_coins(NET, &[100_000]);
    let spend = Spend { label: Some("a record".into()), ..pay(NET, 40_000) };
    let draft = world.prepare(&spend).unwrap();
    assert_eq!(draft.amount(), sats(40_000));
    assert_eq!(draft.kind(), DraftKind::Payment);
    let change = draft.change().unwrap();
    assert_eq!(draft.fee() + draft.amount() + change.amount, sats(100_000));
    // One input, two taproot outputs: 57.5 + 2 x 43 + 10.5 virtual bytes.
    assert_eq!((draft.vsize(), draft.fee()), (154, sats(308)));
    assert_eq!(draft.warnings(), []);
    assert_eq!(world.wallet.balance().total.confirmed, sats(100_000), "nothing happened yet");

    let tx = world.send(&draft);
    assert_eq!(tx.compute_txid(), draft.txid(), "the name was known before");
    assert_eq!(tx.vsize() as u64, draft.vsize());
    assert_eq!(draft.outpoint(&other(NET).script_pubkey()).unwrap().txid, tx.compute_txid());
    let entry = world.wallet.entry(draft.txid()).unwrap();
    assert_eq!((entry.net.to_sat(), entry.fee), (-40_308, Some(sats(308))));
    assert_eq!(entry.label.as_deref(), Some("a record"));
    assert_eq!(entry.state, TxState::Broadcast);
    assert!(entry.own && entry.can_bump);
    assert_eq!(world.wallet.balance().total.pending, change.amount);
    world.wallet.unconfirmed(&tx, world.now);
    assert_eq!(world.state(draft.txid()), TxState::Mempool);
}

#[test]
fn what_cannot_be_paid_says_why() {
    let world = World::with_coins(NET, &[100_000]);
    refuses(&world, &Spend { payees: vec![], ..pay(NET, 1) }, "no_payee");
    refuses(&world, &pay(NET, 0), "amount_zero");
    refuses(&world, &pay(NET, 329), "amount_dust");
    refuses(&world, &pay(NET, 100_000), "insufficient_funds");
    refuses(&world, &pay(NET, 2_100_000_100_000_000), "amount_too_large");
    let many = vec![pay(NET, 1_000).payees[0].clone(); MAX_PAYEES + 1];
    refuses(&world, &Spend { payees: many, ..pay(NET, 1) }, "too_many_payees");
    let all_there_is = vec![pay(NET, 2_100_000_000_000_000).payees[0].clone(); 2];
    refuses(&world, &Spend { payees: all_there_is, ..pay(NET, 1) }, "amount_too_large");
    for network in [Network::Mainnet, Network::Signet, Network::Testnet4] {
        refuses(&world, &pay(network, 5_000), "address_network");
    }
    refuses(&world, &Spend { rate: FeeRate::ZERO, ..pay(NET, 5_000) }, "fee_too_low");
    refuses(&world, &Spend { rate: rate(1_001), ..pay(NET, 5_000) }, "fee_above_cap");
    refuses(&world, &Spend { rate: FeeRate::MAX, ..pay(NET, 5_000) }, "fee_above_cap");
    refuses(&world, &Spend { data: Some(vec![0; 81]), ..pay(NET, 5_000) }, "data_too_long");
    let gone = Coins::Only(vec![OutPoint::null()]);
    refuses(&world, &Spend { coins: gone, ..pay(NET, 5_000) }, "coin_unspendable");
}

#[test]
fn a_fee_of_half_the_amount_is_warned_of() {
    let world = World::with_coins(NET, &[100_000]);
    let at = |sat_per_vb| world.prepare(&Spend { rate: rate(sat_per_vb), ..pay(NET, 1_000) }).unwrap();
    assert_eq!(at(3).warnings(), []);
    assert_eq!(at(4).warnings(), [Warning::HighFee { percent: 61 }]);
}

#[test]
fn real_money_is_capped() {
    let world = World::with_coins(Network::Mainnet, &[5_000_000]);
    if cfg!(feature = "uncapped") {
        assert!(world.prepare(&pay(Network::Mainnet, 1_000_001)).is_ok());
        return;
    }
    refuses(&world, &pay(Network::Mainnet, 1_000_001), "amount_above_cap");
    assert!(world.prepare(&pay(Network::Mainnet, 1_000_000)).is_ok());
    // 308 sat are more than 5 %.
    refuses(&world, &pay(Network::Mainnet, 6_000), "fee_above_cap");
    assert!(world.prepare(&pay(Network::Mainnet, 6_160)).is_ok());
    refuses(&world, &Spend { rate: rate(400), ..pay(Network::Mainnet, 1_000_000) }, "fee_above_cap");
    let other_money = World::with_coins(NET, &[5_000_000]);
    assert!(other_money.prepare(&pay(NET, 1_000_001)).is_ok());
}

#[test]
fn sending_all_leaves_nothing_but_what_is_not_worth_its_fee() {
    let mut world = World::with_coins(NET, &[100_000, 50_000, 100]);
    let all = Spend { payees: vec![], rest_to: Some(other(NET)), ..pay(NET, 1) };
    let draft = world.prepare(&all).unwrap();
    assert_eq!((draft.inputs().len(), draft.change()), (2, None));
    assert_eq!(draft.amount() + draft.fee(), sats(150_000));
    let tx = world.send(&draft);
    assert_eq!((tx.output.len(), tx.vsize() as u64), (1, draft.vsize()));
    assert_eq!(world.wallet.balance().total, Sum { confirmed: sats(100), ..Sum::default() });
    // Some to one, the rest to another.
    let world = World::with_coins(NET, &[100_000]);
    let draft = world.prepare(&Spend { rest_to: Some(other(NET)), ..pay(NET, 30_000) }).unwrap();
    let amounts: Vec<_> = draft.payments().map(|(_, output)| output.value.to_sat()).collect();
    assert_eq!((amounts[0], amounts[1]), (30_000, 70_000 - draft.fee().to_sat()));
    // And where nothing would be left to send.
    let poor = World::with_coins(NET, &[400]);
    refuses(&poor, &all, "insufficient_funds");
    refuses(&World::new(NET), &all, "insufficient_funds");
}

#[test]
fn the_owner_chooses_coins_and_locks_others() {
    let mut world = World::with_coins(NET, &[10_000, 20_000, 40_000]);
    let coins = world.wallet.coins();
    let of = |amount: u64| coins.iter().find(|coin| coin.amount == sats(amount)).unwrap().outpoint;
    let only =
        |outpoints: &[OutPoint], amount| Spend { coins: Coins::Only(outpoints.to_vec()), ..pay(NET, amount) };
    let draft = world.prepare(&only(&[of(10_000), of(20_000)], 5_000)).unwrap();
    let spent: Vec<_> = draft.inputs().iter().map(|input| input.outpoint).collect();
    assert_eq!(spent, [of(10_000), of(20_000)], "these, and no other, whether needed or not");
    refuses(&world, &only(&[of(10_000)], 10_000), "insufficient_funds");

    world.wallet.lock_coin(of(40_000), true).unwrap();
    refuses(&world, &only(&[of(40_000)], 5_000), "coin_unspendable");
    refuses(&world, &pay(NET, 35_000), "insufficient_funds");
    assert!(world.wallet.coins().iter().any(|coin| coin.locked));
    let all = Spend { payees: vec![], rest_to: Some(other(NET)), ..pay(NET, 1) };
    assert_eq!(world.prepare(&all).unwrap().inputs().len(), 2);
    world.wallet.lock_coin(of(40_000), false).unwrap();
    assert!(world.prepare(&pay(NET, 35_000)).is_ok());
    let draft = world.prepare(&pay(NET, 35_000)).unwrap();
    world.wallet.lock_coin(of(40_000), true).unwrap();
    let refused = world.wallet.sign(&draft, &world.keys, NOW);
    assert_eq!(refused.unwrap_err().code(), "draft_stale", "a lock holds for drafts that are older");
    assert_eq!(world.wallet.lock_coin(OutPoint::null(), true).unwrap_err().code(), "not_found");
}

#[test]
fn others_promises_are_not_spent_unless_the_owner_says_so() {
    let mut world = World::new(NET);
    let script = world.wallet.fresh_address().1.script_pubkey();
    let tx = world.foreign(&[(script, 50_000)]);
    world.wallet.unconfirmed(&tx, NOW);
    refuses(&world, &pay(NET, 10_000), "insufficient_funds");
    let chosen = Coins::Only(vec![OutPoint::new(tx.compute_txid(), 0)]);
    assert!(world.prepare(&Spend { coins: chosen, ..pay(NET, 10_000) }).is_ok());
    world.mine(&[tx]);
    let draft = world.prepare(&pay(NET, 10_000)).unwrap();
    world.send(&draft);
    assert!(world.prepare(&pay(NET, 10_000)).is_ok(), "its own change is spent at once");
}

#[test]
fn income_is_spent_apart_and_its_change_goes_to_the_private_account() {
    let mut world = World::with_coins(NET, &[10_000]);
    let script = world.wallet.accounts().address(Chain::Income, 77).script_pubkey();
    let tip = world.foreign(&[(script, 30_000)]);
    world.mine(&[tip]);
    let chains = |draft: &Draft| draft.inputs().iter().map(|input| input.chain).collect::<Vec<_>>();
    assert_eq!(chains(&world.prepare(&pay(NET, 5_000)).unwrap()), [Chain::Receive]);
    let payout = Spend { coins: Coins::First(Account::Income), ..pay(NET, 20_000) };
    let draft = world.prepare(&payout).unwrap();
    assert_eq!((chains(&draft), draft.warnings()), (vec![Chain::Income], vec![]));
    let both = world.prepare(&pay(NET, 35_000)).unwrap();
    assert_eq!(both.warnings(), [Warning::LinksAccounts]);
    world.send(&draft);
    let balance = world.wallet.balance();
    assert_eq!(balance.income, Sum::default());
    assert_eq!(balance.private.pending, draft.change().unwrap().amount);
    let entry = world.wallet.entry(draft.txid()).unwrap();
    assert_eq!(entry.net_income.to_sat(), -30_000);
    assert_eq!(entry.net.to_sat(), -20_000 - draft.fee().to_sat() as i64);
}

#[test]
fn a_payment_with_data_keeps_its_outputs_in_order() {
    let mut world = World::with_coins(NET, &[500_000]);
    let payee = |number: u64| Payee { amount: sats(10_000 + number), ..pay(NET, 1).payees[0].clone() };
    let payees = (0..5).map(payee).collect();
    let spend = Spend { payees, data: Some(vec![7; 36]), ..pay(NET, 1) };
    let draft = world.prepare(&spend).unwrap();
    let tx = world.send(&draft);
    let amounts: Vec<_> = tx.output.iter().map(|output| output.value.to_sat()).collect();
    assert_eq!(amounts[..6], [10_000, 10_001, 10_002, 10_003, 10_004, 0]);
    assert!(tx.output[5].script_pubkey.is_op_return());
    assert!(tx.output[5].script_pubkey.as_bytes().ends_with(&[7; 36]));
    assert_eq!(draft.change().unwrap().vout, 6);
}

#[test]
fn the_same_coin_is_not_spent_twice() {
    let mut world = World::with_coins(NET, &[100_000]);
    let (one, two) = (world.prepare(&pay(NET, 40_000)).unwrap(), world.prepare(&pay(NET, 50_000)).unwrap());
    world.send(&one);
    let refused = world.wallet.sign(&two, &world.keys, NOW);
    assert_eq!(refused.unwrap_err().code(), "draft_stale");
    let again = world.wallet.sign(&one, &world.keys, NOW);
    assert_eq!(again.unwrap_err().code(), "draft_stale");
}

#[test]
fn a_draft_that_was_tampered_with_is_not_signed() {
    let mut world = World::with_coins(NET, &[100_000]);
    let draft = world.prepare(&pay(NET, 40_000)).unwrap();
    let json = serde_json::to_string(&draft).unwrap();
    for (from, to) in
        [("\"amount\":100000", "\"amount\":100001"), ("\"chain\":\"receive\"", "\"chain\":\"change\"")]
    {
        assert!(json.contains(from), "{json}");
        let forged: Draft = serde_json::from_str(&json.replace(from, to)).unwrap();
        assert_eq!(world.wallet.sign(&forged, &world.keys, NOW).unwrap_err().code(), "draft_stale", "{to}");
    }
    let stranger = Seed::generate(&zeroize::Zeroizing::new([3; 32]), WordCount::Twelve).keys(NET);
    assert_eq!(world.wallet.sign(&draft, &stranger, NOW).unwrap_err().code(), "wallet_mismatch");
}

#[test]
fn a_crash_between_signing_keeping_and_sending_loses_and_repeats_nothing() {
    let mut world = World::with_coins(NET, &[100_000]);
    let draft = world.prepare(&pay(NET, 40_000)).unwrap();
    world.sign(&draft);
    assert_eq!(world.state(draft.txid()), TxState::Signed);
    assert_eq!(world.wallet.outbox(), [], "it is not kept yet");
    // Killed here: nobody has it, and nothing happened.
    let before = world.reloaded();
    assert_eq!(before.balance().total.confirmed, sats(100_000));
    assert_eq!(before.outbox(), []);
    // Killed after it was kept: the next start sends the very same, and can make no other from the same coin.
    world.keep();
    let mut after = world.reloaded();
    assert_eq!(after.outbox(), world.wallet.outbox());
    assert_eq!(after.outbox()[0].compute_txid(), draft.txid());
    assert_eq!(after.sign(&draft, &world.keys, NOW).unwrap_err().code(), "draft_stale");
    assert_eq!(after.abandon(draft.txid(), NOW), Ok(()), "what never left can be given up");
    assert_eq!((after.balance().total.confirmed, after.outbox()), (sats(100_000), vec![]));
    // Killed after it was sent: it is sent again until a block has it.
    world.wallet.mark_broadcast(draft.txid());
    world.keep();
    let mut sent = world.reloaded();
    assert_eq!(sent.outbox().len(), 1);
    assert_eq!(sent.abandon(draft.txid(), NOW).unwrap_err().code(), "transaction_sent");
    assert_eq!(sent.abandon(Txid::all_zeros(), NOW).unwrap_err().code(), "not_found");
}

#[test]
fn drafts_wait_at_the_head_of_the_history() {
    let mut world = World::with_coins(NET, &[100_000, 200_000]);
    let one = world.prepare(&pay(NET, 40_000)).unwrap();
    let two = world.prepare(&Spend { label: Some("later".into()), ..pay(NET, 50_000) }).unwrap();
    let ids = [world.wallet.keep_draft(one), world.wallet.keep_draft(two)];
    let page = world.wallet.history(0, 3);
    assert_eq!(
        page.entries.iter().map(|entry| entry.draft).collect::<Vec<_>>(),
        [Some(ids[1]), Some(ids[0]), None]
    );
    assert_eq!((page.total, page.entries[0].state), (4, TxState::Draft));
    assert_eq!(world.wallet.history(1, 2).entries[..], page.entries[1..3]);
    assert_eq!(world.wallet.history(3, 9).entries.len(), 1);
    assert_eq!(world.wallet.history(4, 9).entries.len(), 0);
    world.keep();
    let draft = world.reloaded().draft(ids[1]).unwrap().clone();
    assert_eq!(draft.label(), Some("later"));
    world.send(&draft);
    world.wallet.drop_draft(ids[1]);
    assert_eq!(world.wallet.draft(ids[1]), None);
    assert_eq!(world.wallet.history(0, 9).total, 4);
}

#[test]
fn a_payment_from_too_many_coins_takes_the_largest() {
    let mut world = World::new(NET);
    let script = world.wallet.fresh_address().1.script_pubkey();
    // Together they would weigh more than nodes relay; the largest suffice.
    let small = vec![(script.clone(), 1_000); 2_000];
    let large = vec![(script, 100_000); 300];
    let txs = [world.foreign(&small), world.foreign(&large)];
    world.mine(&txs);
    let spend = Spend { rate: rate(1), ..pay(NET, 29_000_000) };
    let draft = world.prepare(&spend).unwrap();
    assert!(draft.inputs().len() <= 300);
    let all = Spend { payees: vec![], rest_to: Some(other(NET)), ..spend };
    refuses(&world, &all, "transaction_too_large");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn value_is_conserved_in_every_payment(
        coins in prop::collection::vec(300_u64..2_000_000, 1..12),
        amounts in prop::collection::vec(1_u64..1_000_000, 0..5),
        sat_per_kwu in 250_u64..25_000,
        rest in any::<bool>(),
        data in prop::option::of(prop::collection::vec(any::<u8>(), 0..=MAX_DATA)),
        entropy: [u8; 32],
    ) {
        let mut world = World::with_coins(NET, &coins);
        let spend = Spend {
            payees: amounts.iter().map(|amount| Payee { address: other(NET), amount: sats(*amount) }).collect(),
            rest_to: rest.then(|| other(NET)),
            rate: FeeRate::from_sat_per_kwu(sat_per_kwu),
            data,
            ..pay(NET, 1)
        };
        let Ok(draft) = world.wallet.prepare(&spend, entropy, NOW) else { return Ok(()) };
        let before = world.wallet.balance().total;
        let tx = world.send(&draft);
        let spent: u64 = draft.inputs().iter().map(|input| input.amount.to_sat()).sum();
        let paid: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
        prop_assert_eq!(spent, paid + draft.fee().to_sat());
        prop_assert!(draft.fee() >= spend.rate * tx.weight(), "below the rate that was asked for");
        // What is above the rate is rounding, or a change too small to be made.
        let change = spend.rate * domain::bitcoin::Weight::from_vb_unchecked(43 + 4);
        let slack = sats(330 + 2 * tx.input.len() as u64 + 4) + change;
        prop_assert!(draft.fee() <= spend.rate * tx.weight() + slack);
        prop_assert_eq!(tx.weight().to_vbytes_ceil(), draft.vsize());
        // Nobody gets less or more than was said, and the wallet loses exactly that.
        let payees: Vec<u64> = draft.payments().map(|(_, output)| output.value.to_sat()).collect();
        prop_assert_eq!(&payees[..amounts.len()], &amounts[..]);
        let relayed = |output: &TxOut| {
            output.script_pubkey.is_op_return() || output.value >= output.script_pubkey.minimal_non_dust()
        };
        prop_assert!(tx.output.iter().all(relayed));
        let after = world.wallet.balance().total;
        let lost = before.confirmed - after.confirmed - after.pending;
        prop_assert_eq!(lost, draft.amount() + draft.fee());
    }
}
