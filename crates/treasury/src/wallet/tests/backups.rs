//! Labels, and the one file that holds it all.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::wallet::backup::backup_with;

const NET: Network = Network::Regtest;

fn target(world: &World) -> LabelTarget {
    LabelTarget::Address(world.wallet.accounts().address(Chain::Receive, 0))
}

#[test]
fn labels_stay_and_leave() {
    let mut world = World::with_coins(NET, &[100_000]);
    let target = target(&world);
    world.wallet.set_label(&target, "  from Anna ").unwrap();
    assert_eq!(world.wallet.label(&target), Some("from Anna"));
    world.keep();
    assert_eq!(world.reloaded().label(&target), Some("from Anna"));
    world.wallet.set_label(&target, "").unwrap();
    assert_eq!(world.wallet.label(&target), None);
    world.keep();
    assert_eq!(world.reloaded().label(&target), None);
    let long = "x".repeat(MAX_LABEL + 1);
    assert_eq!(world.wallet.set_label(&target, &long).unwrap_err().code(), "label_too_long");
}

#[test]
fn labels_of_other_programs_are_taken_whole_or_not_at_all() {
    let mut world = World::with_coins(NET, &[100_000]);
    let coin = world.wallet.coins()[0].outpoint;
    let text = format!(
        r#"{{"type":"tx","ref":"f91d0a8a78462bc59398f2c5d7a84fcff491c26ba54c4833478b202796c8aafd","label":"Transaction","origin":"wpkh([d34db33f/84'/0'/0'])"}}

{{"type":"addr","ref":"bc1q34aq5drpuwy3wgl9lhup9892qp6svr8ldzyy7c","label":"Address"}}
{{"type":"pubkey","ref":"0283409659355b6d1cc3c32decd5d561abaac86c37a353b52895a5e6c196d6f448","label":"Public Key"}}
{{"type":"input","ref":"f91d0a8a78462bc59398f2c5d7a84fcff491c26ba54c4833478b202796c8aafd:0","label":"Input"}}
{{"type":"output","ref":"{coin}","label":"Output","spendable":false}}
{{"type":"xpub","ref":"xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8","label":"Extended Public Key"}}
"#
    );
    assert_eq!(world.wallet.import_labels(&text), Ok(6));
    assert!(world.wallet.coins()[0].locked, "unspendable means locked");
    world.wallet.lock_coin(coin, false).unwrap();
    assert!(!world.wallet.export_labels().contains("spendable"), "what was released stays so");
    world.wallet.lock_coin(coin, true).unwrap();
    assert_eq!(world.wallet.label(&LabelTarget::Output(coin)), Some("Output"));
    // What went in comes out, with the lock.
    let exported = world.wallet.export_labels();
    let lines = |text: &str| {
        let lines =
            text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap());
        let mut lines: Vec<serde_json::Value> = lines.collect();
        lines.sort_by_key(ToString::to_string);
        lines
    };
    assert_eq!(lines(&exported), lines(&text));

    let broken = format!("{exported}{{\"type\":\"tx\",\"ref\":\"nonsense\"}}\n");
    let mut other = World::new(NET);
    let error = other.wallet.import_labels(&broken).unwrap_err();
    assert_eq!((error.code(), error.to_string().starts_with("line 7 ")), ("labels_invalid", true));
    assert_eq!(other.wallet.export_labels(), "");
    let long = format!(
        "{{\"type\":\"addr\",\"ref\":\"bc1q34aq5drpuwy3wgl9lhup9892qp6svr8ldzyy7c\",\"label\":\"{}\"}}",
        "x".repeat(256)
    );
    assert_eq!(other.wallet.import_labels(&long).unwrap_err().code(), "label_too_long");
}

#[test]
fn the_history_is_a_table_that_no_program_misreads() {
    let mut world = World::with_coins(NET, &[100_000]);
    let spend = Spend { label: Some("=HYPERLINK(\"x\"), and more".into()), ..pay(NET, 40_000) };
    let draft = world.prepare(&spend).unwrap();
    world.send(&draft);
    let csv = world.wallet.history_csv();
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!((lines.len(), lines[0]), (3, "time,txid,state,confirmations,net_sat,fee_sat,label"));
    assert!(lines[1].ends_with(",confirmed,1,100000,,\"\""), "{}", lines[1]);
    let end = ",broadcast,0,-40308,308,\"'=HYPERLINK(\"\"x\"\"), and more\"";
    assert!(lines[2].ends_with(end), "{}", lines[2]);
}

#[test]
fn a_backup_brings_back_what_the_words_cannot() {
    let mut world = World::with_coins(NET, &[100_000, 1_000]);
    let locked = world.wallet.coins().iter().find(|coin| coin.amount == sats(1_000)).unwrap().outpoint;
    world.wallet.lock_coin(locked, true).unwrap();
    world.wallet.open_window(3_000).unwrap();
    world.wallet.set_label(&target(&world), "from Anna").unwrap();
    let draft = world.prepare(&pay(NET, 40_000)).unwrap();
    let sent = world.send(&draft);
    let passphrase = Passphrase::new("correct horse").unwrap();
    let seed = Seed::parse(WORDS).unwrap();
    let parts = BTreeMap::from([("notes".to_owned(), "[1]".to_owned())]);
    let sealed = backup_with(&world.wallet, &seed, parts.clone(), &passphrase, NOW, 2);
    assert!(!String::from_utf8_lossy(&sealed).contains("Anna"));

    let Restored { seed, mut wallet, parts: found, made_at } = restore(&sealed, &passphrase).unwrap();
    assert_eq!((seed.keys(NET).accounts(), found, made_at), (world.wallet.accounts().clone(), parts, NOW));
    assert_eq!(wallet.label(&target(&world)), Some("from Anna"));
    assert_eq!(wallet.windows().collect::<Vec<_>>(), [0, 3_000]);
    let next = world.wallet.fresh_address().0;
    assert_eq!(wallet.fresh_address().0, next + PASSED_OVER, "some may have been handed out since");
    assert_eq!(wallet.take_up(NOW), [], "what the payment spends is not known yet");
    assert_eq!(wallet.balance(), Balance::default(), "the chain is looked through anew");
    for (height, block) in (0..).zip(&world.chain).skip(1) {
        wallet.connect(height, &block.header, Some(block)).unwrap();
    }
    assert_eq!(wallet.balance().total.confirmed, sats(101_000));
    assert!(wallet.coins().iter().all(|coin| coin.locked == (coin.outpoint == locked)));

    // A backup of what is not looked through yet loses nothing, and nor does a crash.
    let again = backup_with(&wallet, &seed, BTreeMap::new(), &passphrase, NOW, 2);
    assert_eq!(restore(&again, &passphrase).unwrap().wallet.returning().count(), 1);
    let mut wallet = Wallet::load(wallet.snapshot()).unwrap();
    assert_eq!((wallet.take_up(NOW), wallet.take_up(NOW)), (vec![sent.compute_txid()], vec![]));
    assert_eq!(wallet.outbox(), [], "it is not kept yet");
    wallet.mark_persisted();
    assert_eq!(wallet.outbox(), [Arc::new(sent)]);
    assert_eq!(wallet.balance(), world.wallet.balance());
    assert_eq!(Wallet::load(wallet.snapshot()).unwrap().returning().count(), 0);

    let wrong = Passphrase::new("another").unwrap();
    assert_eq!(restore(&sealed, &wrong).err().unwrap().code(), "passphrase_wrong");
    assert_eq!(restore(&sealed[..40], &passphrase).err().unwrap().code(), "wallet_damaged");
    let only_a_seed = seed.seal_with(&passphrase, 2);
    assert_eq!(restore(&only_a_seed, &passphrase).err().unwrap().code(), "wallet_damaged");
    assert_eq!(Seed::open(&sealed, &passphrase).err().unwrap().code(), "wallet_damaged");
}

#[test]
fn an_old_backup_spends_nothing_twice() {
    let mut world = World::with_coins(NET, &[100_000]);
    let passphrase = Passphrase::new("correct horse").unwrap();
    let old = backup_with(&world.wallet, &Seed::parse(WORDS).unwrap(), BTreeMap::new(), &passphrase, NOW, 2);
    let draft = world.prepare(&pay(NET, 40_000)).unwrap();
    let sent = world.send(&draft);
    world.mine(&[sent]);
    let mut restored = restore(&old, &passphrase).unwrap().wallet;
    for (height, block) in (0..).zip(&world.chain).skip(1) {
        restored.connect(height, &block.header, Some(block)).unwrap();
    }
    assert_eq!((restored.balance(), restored.coins()), (world.wallet.balance(), world.wallet.coins()));
    assert_eq!(restored.outbox(), []);
}

#[test]
fn a_payment_of_a_backup_that_was_replaced_since_is_over() {
    let mut world = World::with_coins(NET, &[100_000]);
    let passphrase = Passphrase::new("correct horse").unwrap();
    let draft = world.prepare(&pay(NET, 40_000)).unwrap();
    let slow = world.send(&draft);
    // The next one spends its change.
    let draft = world.prepare(&pay(NET, 10_000)).unwrap();
    let child = world.send(&draft);
    let old = backup_with(&world.wallet, &Seed::parse(WORDS).unwrap(), BTreeMap::new(), &passphrase, NOW, 2);
    let restored = |blocks: &[Block]| {
        let mut wallet = restore(&old, &passphrase).unwrap().wallet;
        for (height, block) in (0..).zip(blocks).skip(1) {
            wallet.connect(height, &block.header, Some(block)).unwrap();
        }
        wallet
    };

    let mut wallet = restored(&world.chain);
    assert_eq!(wallet.take_up(NOW), [slow.compute_txid(), child.compute_txid()], "parents first");
    wallet.mark_persisted();
    assert_eq!(wallet.outbox(), [Arc::new(slow.clone()), Arc::new(child.clone())]);

    let rival = transaction(&[slow.input[0].previous_output], &[(other(NET).script_pubkey(), 99_000)]);
    world.mine(&[rival]);
    let mut wallet = restored(&world.chain);
    assert_eq!(wallet.take_up(NOW), [slow.compute_txid(), child.compute_txid()]);
    wallet.mark_persisted();
    assert_eq!((wallet.outbox(), wallet.balance()), (vec![], Balance::default()));
    assert!(matches!(wallet.entry(slow.compute_txid()).unwrap().state, TxState::Conflicted { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn labels_come_back_from_their_export(texts in prop::collection::vec(".{0,60}", 1..8)) {
        let mut world = World::new(NET);
        for (index, text) in (0..).zip(&texts) {
            let address = world.wallet.accounts().address(Chain::Receive, index);
            world.wallet.set_label(&LabelTarget::Address(address), text).unwrap();
        }
        let exported = world.wallet.export_labels();
        let mut other = World::new(NET);
        other.wallet.import_labels(&exported).unwrap();
        prop_assert_eq!(other.wallet.export_labels(), exported);
    }

    #[test]
    fn no_text_breaks_the_import(text in "(\\PC|\n){0,200}") {
        let _ = World::new(NET).wallet.import_labels(&text);
    }
}
