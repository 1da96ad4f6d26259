//! What blocks and hearsay do to a wallet.

use proptest::prelude::*;

use super::*;

const NET: Network = Network::Regtest;

#[test]
fn a_payment_is_pending_then_confirmed_then_settled() {
    let mut world = World::new(NET);
    let (index, address) = world.wallet.fresh_address();
    assert_eq!((index, &address), (0, &world.wallet.current_address().1));
    let tx = world.foreign(&[(address.script_pubkey(), 5_000)]);
    assert!(world.wallet.unconfirmed(&tx, world.now));
    assert!(world.wallet.unconfirmed(&tx, world.now), "it may be told more than once");
    assert_eq!(world.wallet.balance().total, Sum { pending: sats(5_000), ..Sum::default() });
    assert_eq!(world.state(tx.compute_txid()), TxState::Mempool);
    assert_eq!(world.mine(std::slice::from_ref(&tx)), [tx.compute_txid()]);
    assert_eq!(world.wallet.balance().total, Sum { confirmed: sats(5_000), ..Sum::default() });
    for depth in 1..=SETTLED {
        assert_eq!(world.state(tx.compute_txid()), TxState::Confirmed(depth));
        world.mine_empty(1);
    }
    let page = world.wallet.history(0, 10);
    assert_eq!((page.total, page.entries[0].net.to_sat(), page.entries[0].fee), (1, 5_000, None));
}

#[test]
fn what_concerns_nobody_here_is_not_kept() {
    let mut world = World::new(NET);
    let tx = world.foreign(&[(other(NET).script_pubkey(), 5_000)]);
    assert!(!world.wallet.unconfirmed(&tx, NOW));
    assert_eq!(world.mine(&[tx]), []);
    assert_eq!(world.wallet.history(0, 10).total, 0);
}

#[test]
fn an_artist_is_paid_at_random_places_of_every_window() {
    let mut world = World::new(NET);
    let accounts = world.wallet.accounts().clone();
    let at = |chain, index| accounts.address(chain, index).script_pubkey();
    let places =
        [(Chain::Income, 0), (Chain::Income, 999), (Chain::Principal, 512), (Chain::Principal, 6_999)];
    let txs: Vec<Transaction> =
        places.iter().map(|(chain, index)| world.foreign(&[(at(*chain, *index), 1_000)])).collect();
    assert_eq!(world.mine(&txs).len(), 3, "the last one's window is not open yet");
    world.wallet.take_new_scripts();
    world.wallet.open_window(6_000).unwrap();
    let fresh = world.wallet.take_new_scripts();
    assert_eq!(fresh.len(), 2_000);
    assert!(fresh.contains(&at(Chain::Principal, 6_999)));
    // The chain's client looks through the past again.
    let block = world.chain[1].clone();
    assert_eq!(world.wallet.connect(1, &block.header, Some(&block)).unwrap().len(), 4);
    let balance = world.wallet.balance();
    assert_eq!((balance.income.confirmed, balance.principal.confirmed), (sats(2_000), sats(2_000)));
    assert_eq!(balance.account(Account::Income).confirmed, balance.total.confirmed);
    assert_eq!(world.wallet.open_window(u32::MAX).unwrap_err().code(), "window_invalid");
    // What is published opens no other chain: only it derives these addresses.
    let published = accounts.xpub(Chain::Income);
    assert_eq!(published.depth, 4);
    let secp = domain::bitcoin::key::Secp256k1::verification_only();
    assert_eq!(taproot_script(&secp, &published, 999), at(Chain::Income, 999));
}

#[test]
fn restoring_finds_coins_as_far_as_the_lookahead_goes() {
    let mut world = World::new(NET);
    let accounts = world.wallet.accounts().clone();
    let at = |index| accounts.address(Chain::Receive, index).script_pubkey();
    // In one block, the later ones first: each moves the lookahead for the one before it.
    let indices = [3 * LOOKAHEAD - 1, 2 * LOOKAHEAD - 1, LOOKAHEAD - 1];
    let txs: Vec<_> = indices.iter().map(|index| world.foreign(&[(at(*index), 1_000)])).collect();
    world.mine(&txs);
    assert_eq!(world.wallet.balance().total.confirmed, sats(3_000));
    let (index, _) = world.wallet.fresh_address();
    assert_eq!(index, 3 * LOOKAHEAD, "no address that was paid is handed out again");
}

#[test]
fn miners_rewards_ripen() {
    let mut world = World::new(NET);
    let script = world.wallet.fresh_address().1.script_pubkey();
    let mut reward = block(world.chain[0].block_hash(), 1, NOW, &[]);
    reward.txdata = vec![coinbase(script, 5_000_000, 1)];
    reward.header.merkle_root = reward.compute_merkle_root().unwrap();
    world.wallet.connect(1, &reward.header, Some(&reward)).unwrap();
    world.chain.push(reward);
    world.salt = 10;
    assert_eq!(world.wallet.balance().total, Sum { immature: sats(5_000_000), ..Sum::default() });
    world.mine_empty(98);
    assert_eq!(world.prepare(&pay(NET, 5_000)).unwrap_err().code(), "insufficient_funds");
    world.mine_empty(1);
    assert_eq!(world.wallet.balance().total, Sum { confirmed: sats(5_000_000), ..Sum::default() });
    assert!(world.prepare(&pay(NET, 5_000)).is_ok());
}

#[test]
fn a_reorganisation_of_six_blocks_drops_a_payment_and_another_brings_it_back() {
    let mut world = World::with_coins(NET, &[100_000]);
    let (_, address) = world.wallet.fresh_address();
    let income = world.foreign(&[(address.script_pubkey(), 7_000)]);
    let draft = world.prepare(&pay(NET, 40_000)).unwrap();
    let payment = world.send(&draft);
    world.mine(&[income.clone(), payment.clone()]);
    world.mine_empty(5);
    world.keep();
    let before = world.wallet.balance();
    assert_eq!(world.state(payment.compute_txid()), TxState::Confirmed(6));
    assert_eq!(world.wallet.outbox(), []);

    world.undo(6);
    world.keep();
    let pending = world.wallet.balance().total;
    assert_eq!((pending.confirmed, pending.pending), (Amount::ZERO, before.total.confirmed));
    assert_eq!(world.state(payment.compute_txid()), TxState::Broadcast);
    assert_eq!(world.wallet.outbox().len(), 1, "it has to be told again");
    assert_eq!(shown(&world.reloaded()), shown(&world.wallet));

    world.mine_empty(3);
    world.mine(std::slice::from_ref(&payment));
    world.mine(&[income]);
    world.keep();
    assert_eq!(world.wallet.balance(), before);
    assert_eq!(world.state(payment.compute_txid()), TxState::Confirmed(2));
    assert_eq!(shown(&world.reloaded()), shown(&world.wallet));
}

#[test]
fn a_reorganisation_while_away_is_seen_by_the_first_block_that_contradicts() {
    let mut world = World::new(NET);
    let (_, address) = world.wallet.fresh_address();
    let tx = world.foreign(&[(address.script_pubkey(), 7_000)]);
    world.mine(&[tx]);
    world.mine_empty(2);
    // Two other blocks and a third on top of them, told without a word of what they replace.
    let mut prev = world.chain[1].block_hash();
    for (height, salt) in [(2, 90), (3, 91), (4, 92)] {
        let block = block(prev, salt, NOW, &[]);
        world.wallet.connect(height, &block.header, None).unwrap();
        prev = block.block_hash();
    }
    assert_eq!(world.wallet.tip(), BlockId { height: 4, hash: prev });
    assert_eq!(world.wallet.balance().total.confirmed, sats(7_000));
    // And one that replaces the payment's block as well.
    let rival = block(world.chain[0].block_hash(), 99, NOW, &[]);
    world.wallet.connect(1, &rival.header, Some(&rival)).unwrap();
    assert_eq!(world.wallet.tip().height, 1);
    assert_eq!(world.wallet.balance().total, Sum { pending: sats(7_000), ..Sum::default() });
    // Nobody ever told of it but that block; it counts as seen then, and is forgotten in time.
    let (entry, mined) = (&world.wallet.history(0, 1).entries[0], u64::from(world.chain[1].header.time));
    assert_eq!((entry.state, entry.at), (TxState::Mempool, mined));
    assert_eq!(world.wallet.forget_unseen(mined + FORGOTTEN_AFTER).len(), 1);
}

#[test]
fn a_block_of_another_chain_or_with_other_content_changes_nothing() {
    let mut world = World::with_coins(NET, &[1_000]);
    let before = shown(&world.wallet);
    let alien = block(BlockHash::all_zeros(), 5, NOW, &[]);
    let genesis = |wallet: &mut Wallet| wallet.connect(0, &alien.header, None);
    assert_eq!(genesis(&mut world.wallet).unwrap_err().code(), "chain_mismatch");
    assert_eq!(world.wallet.connect(1, &alien.header, None).unwrap_err().code(), "chain_mismatch");
    let script = world.wallet.current_address().1.script_pubkey();
    let mut forged = block(world.chain[1].block_hash(), 6, NOW, &[]);
    forged.txdata.push(transaction(&[OutPoint::null()], &[(script, 1_000_000)]));
    let refused = world.wallet.connect(2, &forged.header, Some(&forged));
    assert_eq!(refused.unwrap_err().code(), "block_mismatch");
    assert_eq!(shown(&world.wallet), before);
}

#[test]
fn a_peer_cannot_spend_the_wallets_coins_by_hearsay() {
    let mut world = World::with_coins(NET, &[50_000]);
    let coin = world.wallet.coins()[0].outpoint;
    let forged = transaction(&[coin], &[(other(NET).script_pubkey(), 49_000)]);
    assert!(!world.wallet.unconfirmed(&forged, NOW), "no key signed it");
    let joined =
        transaction(&[coin, OutPoint::new(Txid::all_zeros(), 1)], &[(other(NET).script_pubkey(), 1)]);
    assert!(!world.wallet.unconfirmed(&joined, NOW), "it cannot be checked");
    assert_eq!(world.wallet.balance().total.confirmed, sats(50_000));
    // Nor replace the signatures of the wallet's own payment by others.
    let draft = world.prepare(&pay(NET, 20_000)).unwrap();
    let sent = world.send(&draft);
    let mut mangled = sent.clone();
    mangled.input[0].witness = Witness::from_slice(&[[2_u8; 64]]);
    assert!(world.wallet.unconfirmed(&mangled, world.now));
    world.keep();
    assert_eq!(*world.wallet.outbox()[0], sent);
    // The same keys elsewhere do spend them.
    let mut twin = World::with_coins(NET, &[50_000]);
    assert!(twin.wallet.unconfirmed(&sent, NOW));
    assert_eq!(twin.wallet.balance().total.confirmed, Amount::ZERO);
}

#[test]
fn what_nobody_has_seen_for_two_weeks_no_longer_counts() {
    let mut world = World::new(NET);
    let (_, address) = world.wallet.fresh_address();
    let tx = world.foreign(&[(address.script_pubkey(), 7_000)]);
    world.wallet.unconfirmed(&tx, NOW);
    assert_eq!(world.wallet.forget_unseen(NOW + FORGOTTEN_AFTER - 1), []);
    assert_eq!(world.wallet.forget_unseen(NOW + FORGOTTEN_AFTER), [tx.compute_txid()]);
    assert_eq!(world.wallet.balance(), Balance::default());
    assert_eq!(world.state(tx.compute_txid()), TxState::Dropped);
    world.keep();
    assert_eq!(shown(&world.reloaded()), shown(&world.wallet));
    world.mine(&[tx]);
    assert_eq!(world.wallet.balance().total.confirmed, sats(7_000), "a block is stronger than that");
}

#[test]
fn a_coin_that_went_elsewhere_is_said_so() {
    let mut world = World::new(NET);
    let (_, address) = world.wallet.fresh_address();
    let script = address.script_pubkey();
    let first = world.foreign(&[(script.clone(), 7_000)]);
    let coin = first.input[0].previous_output;
    world.wallet.unconfirmed(&first, NOW);
    // The payer raises the fee.
    let second = transaction(&[coin], &[(script.clone(), 6_900)]);
    world.wallet.unconfirmed(&second, NOW + 10);
    assert_eq!(world.state(first.compute_txid()), TxState::Replaced { by: second.compute_txid() });
    assert_eq!(world.wallet.balance().total.pending, sats(6_900));
    // And then pays somebody else with the same coin, in a block that was fetched for another reason.
    let elsewhere = transaction(&[coin], &[(other(NET).script_pubkey(), 6_800)]);
    let by = elsewhere.compute_txid();
    world.mine(&[elsewhere]);
    assert_eq!(world.state(second.compute_txid()), TxState::Conflicted { by });
    assert_eq!(world.wallet.balance(), Balance::default());
    assert_eq!(world.wallet.history(0, 10).total, 2, "a stranger's payment is no part of the history");
}

/// Something that happens to a wallet.
#[derive(Clone, Debug)]
enum Step {
    Receive { amount: u64, mined: bool },
    Pay { amount: u64, mined: bool },
    Mine(usize),
    Undo(usize),
    Label(String),
    Lock,
    Draft(u64),
    Window(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_000_u64..1_000_000, any::<bool>()).prop_map(|(amount, mined)| Step::Receive { amount, mined }),
        (1_000_u64..500_000, any::<bool>()).prop_map(|(amount, mined)| Step::Pay { amount, mined }),
        (1_usize..4).prop_map(Step::Mine),
        (1_usize..7).prop_map(Step::Undo),
        ".{0,20}".prop_map(Step::Label),
        Just(Step::Lock),
        (1_000_u64..100_000).prop_map(Step::Draft),
        (1_u32..3).prop_map(Step::Window),
    ]
}

fn take(world: &mut World, step: Step) {
    match step {
        Step::Receive { amount, mined } => {
            let script = world.wallet.fresh_address().1.script_pubkey();
            let tx = world.foreign(&[(script, amount)]);
            world.now += 1;
            world.wallet.unconfirmed(&tx, world.now);
            if mined {
                world.mine(&[tx]);
            }
        }
        Step::Pay { amount, mined } => {
            if let Ok(draft) = world.prepare(&pay(NET, amount)) {
                let tx = world.send(&draft);
                if mined {
                    world.mine(&[tx]);
                }
            }
        }
        Step::Mine(count) => world.mine_empty(count),
        Step::Undo(count) => drop(world.undo(count.min(world.chain.len() - 1))),
        Step::Label(text) => {
            let target = LabelTarget::Address(world.wallet.current_address().1);
            world.wallet.set_label(&target, &text).unwrap();
        }
        Step::Lock => {
            if let Some(coin) = world.wallet.coins().first() {
                world.wallet.lock_coin(coin.outpoint, !coin.locked).unwrap();
            }
        }
        Step::Draft(amount) => {
            if let Ok(draft) = world.prepare(&pay(NET, amount)) {
                world.wallet.keep_draft(draft);
            }
        }
        Step::Window(number) => world.wallet.open_window(number * 1_000).unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_wallet_is_the_same_after_every_restart(steps in prop::collection::vec(step(), 1..16)) {
        let mut world = World::new(NET);
        for step in steps {
            take(&mut world, step);
            world.keep();
            prop_assert_eq!(shown(&world.reloaded()), shown(&world.wallet));
        }
        // And as one snapshot.
        let snapshot = Wallet::load(world.wallet.snapshot()).unwrap();
        prop_assert_eq!(shown(&snapshot), shown(&world.wallet));
        prop_assert_eq!(snapshot.outbox(), world.wallet.outbox());
    }

    #[test]
    fn what_came_and_went_is_what_is_there(steps in prop::collection::vec(step(), 1..16)) {
        let mut world = World::new(NET);
        for step in steps {
            take(&mut world, step);
            let holds = |state: &TxState| matches!(
                state,
                TxState::Signed | TxState::Broadcast | TxState::Mempool | TxState::Confirmed(_)
            );
            let page = world.wallet.history(0, MAX_PAGE);
            let net: i64 = page.entries.iter().filter(|entry| holds(&entry.state)).map(|entry| entry.net.to_sat()).sum();
            let total = world.wallet.balance().total;
            let there = total.confirmed + total.pending + total.immature;
            prop_assert_eq!(net, there.to_sat() as i64);
        }
    }
}
