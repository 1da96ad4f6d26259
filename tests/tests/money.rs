//! Money, with real nodes on a real Bitcoin chain of their own.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
};

use chain::testenv::{Bitcoind, Purse, nobody};
use domain::{
    Network,
    bitcoin::{Address, Amount, ScriptBuf, Txid},
};
use serde_json::{Value, json};
use tests::{Daemon, Folder, arg, musicdao};
use treasury::wallet::{Chain, Seed};

const PASSPHRASE: &str = "correct horse battery staple";
/// What words are stretched with.
const EXTENSION: &str = "an elephant in a bottle";

/// Writes the passphrase's file of a data folder.
fn passphrase(folder: &Folder) -> PathBuf {
    file(folder, "passphrase", PASSPHRASE)
}

fn file(folder: &Folder, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, format!("{text}\n")).unwrap();
    path
}

/// Starts a daemon that asks one Bitcoin node.
fn daemon(bitcoind: &Bitcoind) -> Daemon {
    let peer = bitcoind.address().to_string();
    Folder::new().daemon(&["--network", "regtest", "--bitcoin-peer", &peer])
}

/// Makes a wallet and returns its words.
fn create(daemon: &Daemon) -> Vec<String> {
    let file = passphrase(daemon.folder());
    let made = daemon.run(&["wallet", "create", "--passphrase-file", arg(&file)]);
    made["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

fn address(daemon: &Daemon) -> String {
    daemon.run(&["wallet", "address"])["address"].as_str().unwrap().to_owned()
}

fn script(address: &str) -> ScriptBuf {
    Address::from_str(address).unwrap().assume_checked().script_pubkey()
}

fn status(daemon: &Daemon) -> Value {
    daemon.run(&["wallet", "status"])
}

/// Waits until the wallet has so much in blocks and so much on its way.
fn until_balance(daemon: &Daemon, confirmed: u64, pending: u64) {
    daemon.until(&format!("{confirmed} + {pending} sat"), |daemon| {
        let status = status(daemon);
        (status["confirmed_sat"] == confirmed && status["pending_sat"] == pending).then_some(())
    });
}

/// Waits until the wallet has looked at a node's newest block.
fn until_synced(daemon: &Daemon, bitcoind: &Bitcoind) {
    let height = bitcoind.tip().height;
    daemon.until("the newest block", |daemon| {
        let status = status(daemon);
        (status["synced"] == true && status["height"] == height).then_some(())
    });
}

fn history(daemon: &Daemon) -> Vec<Value> {
    daemon.run(&["wallet", "history"])["transactions"].as_array().unwrap().clone()
}

fn entry(daemon: &Daemon, txid: &str) -> Option<Value> {
    history(daemon).into_iter().find(|tx| tx["txid"] == txid)
}

fn until_state(daemon: &Daemon, txid: &str, state: &str) -> Value {
    daemon.until(state, |daemon| entry(daemon, txid).filter(|tx| tx["state"] == state))
}

fn until_in_mempool(daemon: &Daemon, bitcoind: &Bitcoind, txid: &str) {
    let txid: Txid = txid.parse().unwrap();
    daemon.until("the payment to arrive", |_| bitcoind.has_in_mempool(txid).then_some(()));
}

fn send(daemon: &Daemon, args: &[&str]) -> String {
    let sent = daemon.run(&[&["wallet", "send"], args].concat());
    sent["txid"].as_str().unwrap().to_owned()
}

/// A daemon with a wallet that has 1,000,000 sat in a block.
fn rich(bitcoind: &Bitcoind) -> (Daemon, Purse, Vec<String>) {
    let mut purse = Purse::fill(bitcoind, 2);
    let daemon = daemon(bitcoind);
    let words = create(&daemon);
    until_synced(&daemon, bitcoind);
    purse.pay(bitcoind, &script(&address(&daemon)), Amount::from_sat(1_000_000));
    bitcoind.mine(1);
    until_balance(&daemon, 1_000_000, 0);
    (daemon, purse, words)
}

#[test]
fn a_payment_goes_from_one_wallet_to_another() {
    let (one, two) = Bitcoind::pair();
    let mut purse = Purse::fill(&one, 2);
    two.wait_for(&one);
    let (alice, bob) = (daemon(&one), daemon(&two));
    assert_eq!(status(&alice)["exists"], false);
    assert_eq!(alice.fail(&["wallet", "address"]), "wallet_none");
    assert_eq!(create(&alice).len(), 24);
    create(&bob);
    assert_eq!(status(&alice)["unlocked"], true);
    until_synced(&alice, &one);

    // Seen at once, counted with its block.
    purse.pay(&one, &script(&address(&alice)), Amount::from_sat(1_000_000));
    alice.until_event("the payment", |event| event["event"] == "payment" && event["confirmations"] == 0);
    until_balance(&alice, 0, 1_000_000);
    one.mine(1);
    until_balance(&alice, 1_000_000, 0);

    // A trial costs nothing.
    let to = address(&bob);
    let trial = alice.run(&["wallet", "send", &to, "0.002btc", "--fee-rate", "2", "--dry-run"]);
    assert_eq!(trial["amount_sat"], 200_000);
    assert_eq!(history(&alice).len(), 1);
    let sent = alice.run(&["wallet", "send", &to, "0.002btc", "--fee-rate", "2", "--label", "rent"]);
    let (txid, fee) = (sent["txid"].as_str().unwrap(), sent["fee_sat"].as_u64().unwrap());
    assert!(fee >= 2 * sent["vsize"].as_u64().unwrap(), "{sent}");
    until_in_mempool(&alice, &two, txid);
    let waiting = entry(&alice, txid).unwrap();
    assert_eq!(
        (&waiting["net_sat"], &waiting["fee_sat"], &waiting["label"]),
        (&json!(-200_000 - fee as i64), &json!(fee), &json!("rent"))
    );
    until_balance(&bob, 0, 200_000);
    one.mine(1);
    assert_eq!(until_state(&alice, txid, "confirming")["confirmations"], 1);
    until_balance(&alice, 800_000 - fee, 0);
    until_balance(&bob, 200_000, 0);
    one.mine(4);
    bob.until("five blocks", |bob| entry(bob, txid).filter(|tx| tx["confirmations"] == 5));
    one.mine(1);
    assert_eq!(until_state(&bob, txid, "confirmed")["confirmations"], 6);

    // A new start changes nothing.
    let before = history(&alice);
    let alice = alice.stop().daemon(&[]);
    assert_eq!(status(&alice)["unlocked"], false);
    until_synced(&alice, &one);
    assert_eq!(history(&alice).len(), before.len());
    until_balance(&alice, 800_000 - fee, 0);
    assert_eq!(alice.fail(&["wallet", "send", &to, "1000"]), "wallet_locked");
    let file = passphrase(alice.folder());
    send(&alice, &[&to, "1000", "--passphrase-file", arg(&file)]);
}

#[test]
fn everything_goes_to_several_or_one() {
    let one = Bitcoind::start();
    let (alice, ..) = rich(&one);
    let (first, second) = (nobody(1).to_string(), nobody(2).to_string());
    let sent = alice.run(&["wallet", "send", &first, "5000", &second, "6000sat", "--fee-rate", "1"]);
    assert_eq!(sent["amount_sat"], 11_000);
    let link = format!("bitcoin:{first}?amount=0.00007");
    assert_eq!(alice.run(&["wallet", "send", &link, "--fee-rate", "1"])["amount_sat"], 7_000);
    let coins = alice.run(&["wallet", "coins"])["coins"].as_array().unwrap().clone();
    assert_eq!(coins.len(), 1);
    let coin = coins[0]["outpoint"].as_str().unwrap();
    assert_eq!(alice.run(&["wallet", "freeze", coin])["coins"][0]["frozen"], true);
    assert_eq!(alice.fail(&["wallet", "send", &first, "all", "--fee-rate", "1"]), "insufficient_funds");
    alice.run(&["wallet", "freeze", coin, "--remove"]);
    let all = alice.run(&["wallet", "send", &first, "all", "--coin", coin, "--fee-rate", "1"]);
    assert_eq!(all["change_sat"], 0);
    assert_eq!(
        all["amount_sat"].as_u64().unwrap() + all["fee_sat"].as_u64().unwrap(),
        coins[0]["amount_sat"].as_u64().unwrap()
    );
    until_in_mempool(&alice, &one, all["txid"].as_str().unwrap());
    one.mine(1);
    until_balance(&alice, 0, 0);
}

#[test]
fn a_payment_that_waits_can_be_made_faster() {
    let one = Bitcoind::start();
    let (alice, ..) = rich(&one);
    let bob = daemon(&one);
    create(&bob);
    let slow = send(&alice, &[&address(&bob), "300000", "--fee-rate", "1"]);
    until_in_mempool(&alice, &one, &slow);
    let bumped = alice.run(&["wallet", "bump", &slow, "--fee-rate", "9"]);
    let fast = bumped["txid"].as_str().unwrap();
    until_in_mempool(&alice, &one, fast);
    assert_eq!(until_state(&alice, &slow, "replaced")["replaced_by"], fast);
    one.mine(1);
    until_balance(&bob, 300_000, 0);
    until_balance(&alice, 700_000 - bumped["fee_sat"].as_u64().unwrap(), 0);
    assert_eq!(alice.fail(&["wallet", "bump", fast, "--fee-rate", "20"]), "bump_impossible");
}

#[test]
fn what_cannot_be_paid_says_why() {
    let one = Bitcoind::start();
    let (alice, ..) = rich(&one);
    let good = address(&alice);
    let typo = format!("{}{}", &good[..good.len() - 1], if good.ends_with('q') { 'p' } else { 'q' });
    for (to, amount, code) in [
        ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "1000", "address_network"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1000", "address_network"),
        (&typo, "1000", "address_invalid"),
        ("nobody", "1000", "address_invalid"),
        (&good, "0", "amount_zero"),
        (&good, "100", "amount_dust"),
        (&good, "21000001btc", "amount_too_large"),
        (&good, "20000000btc", "insufficient_funds"),
        (&good, "1000001", "insufficient_funds"),
        (&good, "much", "amount_malformed"),
    ] {
        assert_eq!(alice.fail(&["wallet", "send", to, amount, "--fee-rate", "1"]), code, "{to} {amount}");
    }
    assert_eq!(alice.fail(&["wallet", "send", &good, "1000", "--fee-rate", "5000"]), "fee_above_cap");
    assert_eq!(alice.fail(&["wallet", "send", &good, "1000", "--fee-rate", "0.001"]), "fee_too_low");
    assert_eq!(history(&alice).len(), 1);

    // One data folder is of one network.
    assert_eq!(alice.fail(&["--network", "signet", "wallet", "status"]), "network_mismatch");
    let folder = alice.stop();
    assert_eq!(folder.fail(&["--network", "signet", "wallet", "status"]), "network_mismatch");
    assert_eq!(Folder::new().fail(&["--network", "mainnet", "wallet", "status"]), "mainnet_not_allowed");
}

#[test]
fn a_wrong_passphrase_is_said_so_and_guessing_gets_slower() {
    let one = Bitcoind::start();
    let alice = daemon(&one);
    create(&alice);
    assert_eq!(alice.run(&["wallet", "lock"])["unlocked"], false);
    let (right, wrong) = (passphrase(alice.folder()), file(alice.folder(), "wrong", "correct horse"));
    let mut tried = Vec::new();
    while tried.last().is_none_or(|code| code == "passphrase_wrong") && tried.len() < 20 {
        tried.push(alice.fail(&["wallet", "unlock", "--passphrase-file", arg(&wrong)]));
    }
    assert!(tried.len() > 3, "{tried:?}");
    assert_eq!(tried.last().unwrap(), "unlock_rate_limited");
    let alice = alice.kill().daemon(&[]);
    assert_eq!(status(&alice)["unlocked"], false);
    alice.until("another try to be allowed", |alice| {
        let output = alice.folder().output(&["wallet", "unlock", "--passphrase-file", arg(&right)]);
        output.status.success().then_some(())
    });
    assert_eq!(status(&alice)["unlocked"], true);
}

#[test]
fn a_reorganisation_of_six_blocks_takes_payments_back_and_they_are_sent_again() {
    let one = Bitcoind::start();
    let (alice, ..) = rich(&one);
    let bob = daemon(&one);
    create(&bob);
    let paid = alice.run(&["wallet", "send", &address(&bob), "400000", "--fee-rate", "3"]);
    let (txid, left) = (paid["txid"].as_str().unwrap(), 600_000 - paid["fee_sat"].as_u64().unwrap());
    until_in_mempool(&alice, &one, txid);
    one.mine(6);
    assert_eq!(until_state(&bob, txid, "confirmed")["confirmations"], 6);
    one.reorganise(6);
    until_balance(&bob, 0, 400_000);
    until_balance(&alice, 0, left);
    until_in_mempool(&alice, &one, txid);
    one.mine(1);
    until_balance(&bob, 400_000, 0);
    until_balance(&alice, left, 0);
}

#[test]
fn without_a_bitcoin_node_listening_goes_on_and_money_says_why_it_waits() {
    let peer = "127.0.0.1:9";
    let alice = Folder::new().daemon(&["--network", "regtest", "--bitcoin-peer", peer]);
    create(&alice);
    alice.run(&["releases"]);
    let status = alice.until("a reason", |alice| {
        let status = status(alice);
        status["waiting"].as_str().is_some_and(|words| words.contains(peer)).then_some(status)
    });
    assert_eq!((&status["synced"], &status["peers"]), (&json!(false), &json!(0)));
    assert_eq!(alice.run(&["chain", "status"])["synced"], false);
    let to = address(&alice);
    assert_eq!(alice.fail(&["wallet", "send", &to, "1000"]), "bitcoin_no_peer");
    assert_eq!(alice.fail(&["wallet", "send", &to, "1000", "--fee-rate", "1"]), "insufficient_funds");
    // It goes on by itself once there is one.
    let one = Bitcoind::start();
    alice.run(&["--bitcoin-peer", &one.address().to_string(), "wallet", "status"]);
    until_synced(&alice, &one);
}

#[test]
fn a_payment_survives_being_killed_anywhere_and_is_made_once() {
    let one = Bitcoind::start();
    let (alice, ..) = rich(&one);
    let bob = daemon(&one);
    create(&bob);
    let (to, pass) = (address(&bob), "passphrase-file");
    let mut folder = alice.stop();
    let mut paid = 0;
    for place in ["signed", "kept", "sent"] {
        let mut program = Command::new(musicdao());
        program.env("MUSICDAO_TEST_DIE_AT", place);
        let doomed = folder.daemon_with(program, &["--no-dht", "--no-mdns", "--listen", "127.0.0.1:0"]);
        until_synced(&doomed, &one);
        let file = passphrase(doomed.folder());
        let file = format!("--{pass}={}", file.display());
        let wish = ["wallet", "send", &to, "50000", "--fee-rate", "2", "--key", place, &file];
        // It dies while it answers, or just after.
        doomed.folder().output(&wish);
        let (code, rest) = doomed.ended();
        assert_eq!(code, None, "{place}: it was not killed");
        let again = rest.daemon(&[]);
        until_synced(&again, &one);
        // Whoever asked does not know whether it was paid, and asks once more.
        let txid = again.run(&wish)["txid"].as_str().unwrap().to_owned();
        until_in_mempool(&again, &one, &txid);
        one.mine(1);
        paid += 50_000;
        until_balance(&bob, paid, 0);
        until_state(&again, &txid, "confirming");
        assert_eq!(again.run(&wish)["txid"], txid.as_str());
        let outgoing = history(&again).iter().filter(|tx| tx["net_sat"].as_i64().unwrap() < 0).count();
        assert_eq!(outgoing as u64, paid / 50_000, "{place}");
        folder = again.stop();
    }
}

#[test]
fn words_and_backups_bring_the_money_back() {
    let one = Bitcoind::start();
    let (alice, mut purse, words) = rich(&one);
    let used = address(&alice);
    alice.run(&["wallet", "label", &used, "for the band"]);
    let pass = passphrase(alice.folder());
    let backup = alice.folder().path().join("backup.age");
    alice.run(&["wallet", "backup", arg(&backup), "--passphrase-file", arg(&pass)]);
    let on_paper = file(alice.folder(), "words", &words.join("\n"));
    let drill = |args: &[&str]| alice.run(&[&["wallet", "drill"], args].concat());
    assert_eq!(drill(&["--words-file", arg(&on_paper)])["restores"], true);
    let drilled = drill(&["--backup", arg(&backup), "--passphrase-file", arg(&pass)]);
    assert_eq!(drilled["restores"], true);
    let other = file(alice.folder(), "other", &format!("{}about", "abandon ".repeat(11)));
    assert_eq!(drill(&["--words-file", arg(&other)])["restores"], false);

    let by = |source: &[&str]| {
        let peer = one.address().to_string();
        let daemon = Folder::new().daemon(&["--network", "regtest", "--bitcoin-peer", &peer]);
        daemon.run(&[&["wallet", "restore"], source, &["--passphrase-file", arg(&pass)]].concat());
        until_balance(&daemon, 1_000_000, 0);
        daemon
    };
    let by_words = by(&["--words-file", arg(&on_paper)]);
    assert!(!labels(&by_words).contains("for the band"));
    let by_backup = by(&["--backup", arg(&backup)]);
    assert!(labels(&by_backup).contains("for the band"));
    assert_eq!(by_words.fail(&["wallet", "create", "--passphrase-file", arg(&pass)]), "wallet_exists");

    // All of them see the next payment.
    purse.pay(&one, &script(&used), Amount::from_sat(5_000));
    one.mine(1);
    for daemon in [&alice, &by_words, &by_backup] {
        until_balance(daemon, 1_005_000, 0);
    }
}

fn labels(daemon: &Daemon) -> String {
    let file = daemon.folder().path().join("labels.jsonl");
    daemon.run(&["wallet", "labels", "--export", arg(&file)]);
    fs::read_to_string(file).unwrap()
}

#[test]
fn another_program_finds_the_same_addresses_and_coins() {
    let one = Bitcoind::start();
    let (alice, _purse, words) = rich(&one);
    let accounts = Seed::parse(&words.join(" ")).unwrap().keys(Network::Regtest).accounts();
    let descriptor = accounts.descriptor(Chain::Receive);
    let derived = one.rpc("deriveaddresses", json!([descriptor, [0, 2]]));
    // The first one was handed out already.
    assert_eq!(derived[1], address(&alice));
    assert_eq!(derived[2], address(&alice));
    let found = one.rpc("scantxoutset", json!(["start", [{ "desc": descriptor, "range": 100 }]]));
    assert_eq!(found["total_amount"], json!(0.01));
    let coins = alice.run(&["wallet", "coins"]);
    let point =
        format!("{}:{}", found["unspents"][0]["txid"].as_str().unwrap(), found["unspents"][0]["vout"]);
    assert_eq!(coins["coins"][0]["outpoint"], point);
}

#[test]
fn no_secret_is_written_told_or_logged() {
    let one = Bitcoind::start();
    let peer = one.address().to_string();
    let talkative = |name: &str| {
        let folder = Folder::new();
        // All that it says, at its most talkative, lands in the folder, too.
        let said = folder.path().join(name);
        let mut program = Command::new("sh");
        program.arg("-c").arg(format!("exec \"$0\" \"$@\" -vv 2>{}", arg(&said))).arg(musicdao());
        let alone = [
            "--no-dht",
            "--no-mdns",
            "--listen",
            "127.0.0.1:0",
            "--network",
            "regtest",
            "--bitcoin-peer",
            &peer,
        ];
        folder.daemon_with(program, &alone)
    };
    let alice = talkative("said");
    let pass = passphrase(alice.folder());
    let stretched = file(alice.folder(), "stretched", EXTENSION);
    let create =
        ["wallet", "create", "--passphrase-file", arg(&pass), "--words-passphrase-file", arg(&stretched)];
    let words = alice.run(&create)["words"].as_array().unwrap().clone();
    let words: Vec<String> = words.iter().map(|word| word.as_str().unwrap().to_owned()).collect();
    let (by, labels) = (["--passphrase-file", arg(&pass)], alice.folder().path().join("labels"));
    let paper = file(alice.folder(), "paper", &words.join("\n"));
    let backup = alice.folder().path().join("backup");
    let wrong = file(alice.folder(), "wrong", &format!("{PASSPHRASE}!"));
    let mut said = Vec::new();
    let mut say = |daemon: &Daemon, args: &[&str]| {
        let output = daemon.folder().output(&[args, &["-vv"]].concat());
        said.push((args.join(" "), [output.stdout, output.stderr].concat()));
    };
    for args in [
        &["wallet", "lock"][..],
        &["wallet", "unlock", "--passphrase-file", arg(&wrong)],
        &[&["wallet", "unlock", "--minutes", "5"], &by[..]].concat(),
        &["wallet", "address", "--label", "rent"],
        &["wallet", "labels", "--export", arg(&labels)],
        &["wallet", "labels", "--import", arg(&labels)],
        &[&["wallet", "backup", arg(&backup)], &by[..]].concat(),
        &["wallet", "drill", "--words-file", arg(&paper), "--words-passphrase-file", arg(&stretched)],
        &["wallet", "drill", "--words-file", arg(&paper)],
        &[&["wallet", "drill", "--backup", arg(&backup)], &by[..]].concat(),
        &["wallet", "drill", "--backup", arg(&backup), "--passphrase-file", arg(&wrong)],
        &[&["wallet", "send", &nobody(1).to_string(), "5000", "--fee-rate", "1"], &by[..]].concat(),
        &[&["tip", &"ab".repeat(32), "5000"], &by[..]].concat(),
        &["offer", "create", "--goal", "300000", "--share", "20", "--expiry", "2090-12-31"],
        &["wallet", "status"],
        &["wallet", "history"],
        &["config", "get"],
        &["doctor"],
    ] {
        say(&alice, args);
    }
    let (by_words, by_backup) = (talkative("said-by-words"), talkative("said-by-backup"));
    let restore =
        ["wallet", "restore", "--words-file", arg(&paper), "--words-passphrase-file", arg(&stretched)];
    say(&by_words, &[&restore, &by[..]].concat());
    say(&by_backup, &[&["wallet", "restore", "--backup", arg(&backup)], &by[..]].concat());
    for daemon in [&by_words, &by_backup] {
        assert_eq!(status(daemon)["exists"], true);
    }
    assert!(said.iter().filter(|(_, text)| !text.is_empty()).count() > 15);

    let hidden = [&words[..4], &words[20..]].map(|some| [some.join(" "), some.join("\",\"")]).concat();
    let plain = [PASSPHRASE, EXTENSION, "tprv", "xprv"].map(str::to_owned);
    let secrets = [&hidden[..], &plain].concat();
    let clean = |what: &str, text: &[u8]| {
        let found = secrets.iter().find(|secret| contains(text, secret.as_bytes()));
        assert!(found.is_none(), "{what} holds a secret");
    };
    said.iter().for_each(|(args, text)| clean(args, text));
    for file in [&pass, &stretched, &paper, &wrong] {
        fs::remove_file(file).unwrap();
    }
    let mut looked = 0;
    for daemon in [alice, by_words, by_backup] {
        daemon.told().iter().for_each(|event| clean("an event", event.to_string().as_bytes()));
        each_file(daemon.stop().path(), &mut |path, bytes| {
            looked += 1;
            clean(&path.display().to_string(), bytes);
        });
    }
    assert!(looked > 15, "only {looked} files");
}

fn contains(bytes: &[u8], secret: &[u8]) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret)
}

fn each_file(folder: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => each_file(&path, look),
            false => look(&path, &fs::read(&path).unwrap_or_default()),
        }
    }
}
