//! Wallets that come back from words and backups, artists who can be paid, and ways to the Bitcoin network.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bip32::{
    PublicKey as _, XPrv,
    secp256k1::{
        PublicKey, SecretKey,
        sha2::{Digest, Sha256},
    },
};
use bip0039::{English, Mnemonic};
use chain::testenv::{Bitcoind, Purse, nobody};
use domain::bitcoin::{Address, Amount, Txid};
use fast_socks5::{
    server::{Socks5ServerProtocol, run_tcp_proxy},
    util::target_addr::TargetAddr,
};
use serde_json::{Value, json};
use tests::{
    Daemon, Folder, arg,
    money::{FUNDS, create, file, passphrase, text, until_in_mempool, until_synced},
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};

/// Starts a daemon that asks one Bitcoin node and joins friends.
fn daemon(bitcoind: &Bitcoind, friends: &[&Daemon]) -> Daemon {
    let peer = bitcoind.address().to_string();
    let links: Vec<String> = friends.iter().map(|friend| friend.invite()).collect();
    let mut args = vec!["--network", "regtest", "--bitcoin-peer", &peer];
    args.extend(links.iter().flat_map(|link| ["--peer", link]));
    Folder::new().daemon(&args)
}

/// Pays a wallet [`FUNDS`], and returns the payment, which waits for its block.
fn fund(daemon: &Daemon, bitcoind: &Bitcoind, purse: &mut Purse) -> Txid {
    let address = text(&daemon.run(&["wallet", "address"]), "address");
    let script = Address::from_str(&address).unwrap().assume_checked().script_pubkey();
    purse.pay(bitcoind, &script, Amount::from_sat(FUNDS)).compute_txid()
}

/// A daemon with a name and a wallet with [`FUNDS`] in a block.
fn member(name: &str, bitcoind: &Bitcoind, purse: &mut Purse, friends: &[&Daemon]) -> Daemon {
    let daemon = daemon(bitcoind, friends);
    create(&daemon);
    daemon.run(&["profile", "set", "--name", name]);
    fund(&daemon, bitcoind, purse);
    bitcoind.mine(1);
    until_synced(&daemon, bitcoind);
    daemon
}

/// Pays, waits until a Bitcoin node has it, and returns the transaction.
fn pay(daemon: &Daemon, bitcoind: &Bitcoind, args: &[&str]) -> String {
    let txid = text(&daemon.run(args), "txid");
    until_in_mempool(daemon, bitcoind, &txid);
    txid
}

/// Waits until somebody could tip somebody.
fn until_payable(fan: &Daemon, artist: &str) {
    fan.until("somebody to pay", |fan| {
        let trial = fan.folder().output(&["tip", artist, "20000", "--dry-run"]);
        trial.status.success().then_some(())
    });
}

fn confirmed(daemon: &Daemon) -> u64 {
    daemon.run(&["wallet", "status"])["confirmed_sat"].as_u64().unwrap()
}

/// What the chain tells of every payment: the same wherever a wallet came from.
fn history(daemon: &Daemon) -> Vec<Value> {
    let history = daemon.run(&["wallet", "history"])["transactions"].as_array().unwrap().clone();
    let keys = ["txid", "net_sat", "fee_sat", "replaced_by", "confirmations"];
    let told = |tx: &Value| keys.iter().map(|key| tx[*key].clone()).collect::<Value>();
    let mut told: Vec<Value> = history.iter().map(told).collect();
    told.sort_by_key(Value::to_string);
    told
}

fn entry(daemon: &Daemon, txid: &str) -> Value {
    let history = daemon.run(&["wallet", "history"])["transactions"].as_array().unwrap().clone();
    history.into_iter().find(|tx| tx["txid"] == txid).unwrap()
}

fn back_up(daemon: &Daemon) -> PathBuf {
    let (path, pass) = (daemon.folder().path().join("backup.age"), passphrase(daemon.folder()));
    daemon.run(&["wallet", "backup", arg(&path), "--passphrase-file", arg(&pass)]);
    path
}

/// A fresh data folder with the wallet of a backup.
fn restored(backup: &Path, bitcoind: &Bitcoind, friends: &[&Daemon]) -> Daemon {
    let daemon = daemon(bitcoind, friends);
    let pass = passphrase(daemon.folder());
    daemon.run(&["wallet", "restore", "--backup", arg(backup), "--passphrase-file", arg(&pass)]);
    daemon
}

/// Two nodes that have the same chain and do not hear of each other.
fn strangers() -> (Bitcoind, Bitcoind, Purse) {
    let (one, other) = Bitcoind::pair();
    let purse = Purse::fill(&one, 2);
    other.wait_for(&one);
    part(&other);
    (one, other, purse)
}

/// Drops a node's connections; it may be reached again.
fn part(bitcoind: &Bitcoind) {
    bitcoind.network(false);
    bitcoind.network(true);
}

#[test]
fn whoever_has_a_name_is_payable_once_there_is_a_wallet() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 2);
    let fan = member("Fan", &bitcoind, &mut purse, &[]);
    // Nobody knows who listens, and nobody needs to.
    let listener = daemon(&bitcoind, &[&fan]);
    create(&listener);
    // The name comes before the wallet, which is made or restored.
    let artist = daemon(&bitcoind, &[&fan, &listener]);
    artist.run(&["profile", "set", "--name", "Ada"]);
    assert_eq!(fan.fail(&["tip", artist.id(), "20000"]), "artist_not_payable");
    let words = create(&artist);
    until_payable(&fan, artist.id());
    assert_eq!(fan.fail(&["tip", listener.id(), "20000"]), "artist_not_payable");

    let again = daemon(&bitcoind, &[&fan]);
    again.run(&["profile", "set", "--name", "Bo"]);
    let (words, pass) = (file(again.folder(), "words", &words), passphrase(again.folder()));
    again.run(&["wallet", "restore", "--words-file", arg(&words), "--passphrase-file", arg(&pass)]);
    until_payable(&fan, again.id());

    // Or after it, although the wallet is locked: only public keys are told.
    listener.run(&["wallet", "lock"]);
    listener.run(&["profile", "set", "--name", "Cy"]);
    until_payable(&fan, listener.id());
}

#[test]
fn nobody_pays_before_the_artist_would_look() {
    let (one, other, mut purse) = strangers();
    let fan = member("Fan", &one, &mut purse, &[]);
    other.mine(40);
    let artist = daemon(&other, &[&fan]);
    artist.until("the newest block", |artist| {
        (artist.run(&["chain", "status"])["height"] == other.tip().height).then_some(())
    });
    artist.run(&["profile", "set", "--name", "Ada"]);
    create(&artist);
    fan.until("the refusal", |fan| {
        (fan.fail(&["tip", artist.id(), "20000"]) == "income_birthday_ahead").then_some(())
    });
    assert_eq!(one.rpc("getrawmempool", json!([])), json!([]));
    other.connect(&one);
    one.wait_for(&other);
    until_synced(&fan, &one);
    // Its coins went with the blocks that were cut off; they are paid again.
    one.mine(1);
    until_synced(&fan, &one);
    pay(&fan, &one, &["tip", artist.id(), "20000"]);
}

#[test]
fn an_old_backup_pays_nothing_twice() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 3);
    let artist = member("Ada", &bitcoind, &mut purse, &[]);
    let fan = member("Fan", &bitcoind, &mut purse, &[&artist]);
    until_payable(&fan, artist.id());
    let tip = pay(&fan, &bitcoind, &["tip", artist.id(), "20000"]);
    bitcoind.mine(1);
    until_synced(&fan, &bitcoind);
    let rent = ["wallet", "send", &nobody(1).to_string(), "30000", "--key", "rent", "--fee-rate", "2"];
    let rent_paid = pay(&fan, &bitcoind, &rent);
    let backup = back_up(&fan);
    // What comes after it is not in it: one payment takes another's place, a tip is given, an address handed out.
    let faster = pay(&fan, &bitcoind, &["wallet", "bump", &rent_paid, "--fee-rate", "9"]);
    pay(&fan, &bitcoind, &["tip", artist.id(), "40000"]);
    let shown = fan.run(&["wallet", "address"])["index"].as_u64().unwrap();
    bitcoind.mine(1);
    until_synced(&fan, &bitcoind);

    let restored = restored(&backup, &bitcoind, &[&artist]);
    until_synced(&restored, &bitcoind);
    bitcoind.mine(1);
    [&artist, &fan, &restored].iter().for_each(|daemon| until_synced(daemon, &bitcoind));
    assert_eq!((confirmed(&restored), history(&restored)), (confirmed(&fan), history(&fan)));
    assert_eq!(bitcoind.rpc("getrawmempool", json!([])), json!([]), "nothing is paid by itself");
    assert_eq!(entry(&restored, &tip)["purpose"], "tip");
    assert_eq!(entry(&restored, &rent_paid)["replaced_by"], faster.as_str());
    // Who asks for it once more is told that it was paid.
    let again = restored.run(&rent);
    assert_eq!((&again["txid"], &again["warnings"][0]["code"]), (&json!(rent_paid), &json!("paid_before")));
    assert_eq!(confirmed(&restored), confirmed(&fan));
    assert!(
        restored.run(&["wallet", "address"])["index"].as_u64().unwrap() > shown,
        "an address is used again"
    );
}

#[test]
fn a_payment_that_only_a_backup_knows_is_sent_again() {
    let (one, other, mut purse) = strangers();
    let alice = member("Alice", &one, &mut purse, &[]);
    other.connect(&one);
    other.wait_for(&one);
    part(&other);
    let paid = pay(&alice, &one, &["wallet", "send", &nobody(1).to_string(), "300000", "--label", "rent"]);
    let backup = back_up(&alice);
    let _gone = alice.stop();
    assert!(!other.has_in_mempool(paid.parse().unwrap()));

    let restored = restored(&backup, &other, &[]);
    until_in_mempool(&restored, &other, &paid);
    assert_eq!(entry(&restored, &paid)["label"], "rent");
    other.mine(1);
    until_synced(&restored, &other);
    assert_eq!(entry(&restored, &paid)["confirmations"], 1);
    assert!(confirmed(&restored) < FUNDS - 300_000);
}

#[test]
fn rehearsals_with_wrong_words_get_slower() {
    let bitcoind = Bitcoind::start();
    let alice = daemon(&bitcoind, &[]);
    let words = file(alice.folder(), "words", &create(&alice));
    let wrong = file(alice.folder(), "wrong", &format!("{}about", "abandon ".repeat(11)));
    let drill = |words: &Path| alice.folder().output(&["wallet", "drill", "--words-file", arg(words)]);
    let restores =
        |words: &Path| serde_json::from_slice::<Value>(&drill(words).stdout).unwrap()["restores"].clone();
    // Right ones make up for wrong ones.
    for _ in 0..2 {
        assert_eq!(
            (restores(&wrong), restores(&wrong), restores(&words)),
            (json!(false), json!(false), json!(true))
        );
    }
    // Words that cannot be a wallet's are no guess.
    let none = file(alice.folder(), "none", "abandon abandon");
    for _ in 0..5 {
        assert_eq!(alice.fail(&["wallet", "drill", "--words-file", arg(&none)]), "words_count");
    }
    let mut tried = Vec::new();
    while tried.last().is_none_or(|code| code != "unlock_rate_limited") {
        assert!(tried.len() < 20, "guessing costs nothing");
        let output = drill(&wrong);
        let told = if output.status.success() { output.stdout } else { output.stderr };
        let told: Value = serde_json::from_slice(&told).unwrap();
        tried.push(told["error"]["code"].as_str().unwrap_or("wrong").to_owned());
    }
    assert!(tried.len() > 3, "{tried:?}");
}

/// A SOCKS5 proxy that leads every connection to one place; `asked` says where each wanted to go.
fn proxy(runtime: &Runtime, to: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let (at, names) = (listener.local_addr().unwrap(), asked.clone());
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(lead(stream, to, names.clone()));
        }
    });
    (at, asked)
}

async fn lead(stream: TcpStream, to: SocketAddr, asked: Arc<Mutex<Vec<String>>>) {
    let Ok(greeted) = Socks5ServerProtocol::accept_no_auth(stream).await else { return };
    let Ok((asking, _, target)) = greeted.read_command().await else { return };
    asked.lock().unwrap().push(target.to_string());
    // Whoever asked may have gone.
    let _ = run_tcp_proxy(asking, &TargetAddr::Ip(to), Duration::from_secs(10), true).await;
}

#[test]
fn a_proxy_is_the_only_way_out_where_one_is_set() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 1);
    let runtime = Runtime::new().unwrap();
    let (proxy, asked) = proxy(&runtime, bitcoind.address());
    // No machine has this address (RFC 5737): only the proxy leads anywhere.
    let alice = Folder::new().daemon(&["--network", "regtest", "--bitcoin-peer", "192.0.2.1:8333"]);
    alice.run(&["config", "set", "bitcoin_proxy", &proxy.to_string()]);
    create(&alice);
    until_synced(&alice, &bitcoind);
    fund(&alice, &bitcoind, &mut purse);
    bitcoind.mine(1);
    until_synced(&alice, &bitcoind);
    assert_eq!(confirmed(&alice), FUNDS);
    let to = nobody(1).to_string();
    pay(&alice, &bitcoind, &["wallet", "send", &to, "100000", "--fee-rate", "2"]);
    let asked = asked.lock().unwrap();
    assert!(asked.len() > 1 && asked.iter().all(|target| target == "192.0.2.1:8333"), "{asked:?}");
}

#[test]
fn other_bitcoin_nodes_are_asked_without_a_new_start() {
    let (one, other) = Bitcoind::pair();
    let mut purse = Purse::fill(&one, 1);
    other.wait_for(&one);
    let alice = daemon(&one, &[]);
    create(&alice);
    fund(&alice, &one, &mut purse);
    for round in 0..6 {
        let (asked, left) = if round % 2 == 0 { (&other, &one) } else { (&one, &other) };
        alice.run(&["config", "set", "bitcoin_peers", &json!([asked.address().to_string()]).to_string()]);
        asked.mine(1);
        left.wait_for(asked);
        until_synced(&alice, asked);
    }
    assert_eq!(confirmed(&alice), FUNDS);
    // What the clients wrote one after the other can be read.
    let alice = alice.stop().daemon(&[]);
    until_synced(&alice, &one);
    assert_eq!(confirmed(&alice), FUNDS);
}

/// The script of a BIP 86 address, by BIP 39, BIP 32 and BIP 341 as other people's code reads them.
fn taproot(words: &str, path: &str) -> String {
    let mnemonic: Mnemonic<English> = Mnemonic::from_phrase(words.to_owned()).unwrap();
    let key = XPrv::derive_from_path(&mnemonic.to_seed(""), &path.parse().unwrap()).unwrap();
    let internal = key.public_key().to_bytes();
    let x = &internal[1..];
    let tag = Sha256::digest(b"TapTweak");
    let tweak = Sha256::new().chain_update(tag).chain_update(tag).chain_update(x).finalize();
    let even = PublicKey::from_sec1_bytes(&[&[2], x].concat()).unwrap();
    let tweak = SecretKey::from_slice(&tweak).unwrap().public_key();
    let output = PublicKey::from_affine((even.to_projective() + tweak.to_projective()).to_affine()).unwrap();
    let hex: String = output.to_bytes()[1..].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("5120{hex}")
}

#[test]
fn the_words_are_those_of_other_programs() {
    // The test vector of BIP 86, so that the other implementation is one.
    let vector = taproot(&format!("{}about", "abandon ".repeat(11)), "m/86'/0'/0'/0/0");
    assert_eq!(vector, "5120a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c");

    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 2);
    let alice = daemon(&bitcoind, &[]);
    let words = create(&alice);
    fund(&alice, &bitcoind, &mut purse);
    bitcoind.mine(1);
    until_synced(&alice, &bitcoind);
    let paid =
        pay(&alice, &bitcoind, &["wallet", "send", &nobody(1).to_string(), "250000", "--fee-rate", "2"]);
    fund(&alice, &bitcoind, &mut purse);
    bitcoind.mine(1);
    until_synced(&alice, &bitcoind);
    // Both coins, the change and the new one, are found by their scripts.
    let paths = (0..5).flat_map(|index| [format!("m/86'/1'/0'/0/{index}"), format!("m/86'/1'/0'/1/{index}")]);
    let scripts: Vec<String> = paths.map(|path| format!("raw({})", taproot(&words, &path))).collect();
    let found = bitcoind.rpc("scantxoutset", json!(["start", scripts]));
    assert_eq!(found["unspents"].as_array().unwrap().len(), 2, "{found}");
    assert!(found["unspents"].as_array().unwrap().iter().any(|coin| coin["txid"] == paid.as_str()));
    let sats = (found["total_amount"].as_f64().unwrap() * 1e8).round();
    assert_eq!(sats as u64, confirmed(&alice));
}
