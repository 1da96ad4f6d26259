//! Artists and listeners with wallets, on a real Bitcoin chain of their own.

use std::{fs, path::PathBuf, process::Command, str::FromStr};

use chain::testenv::{Bitcoind, Purse};
use domain::bitcoin::{Address, Amount, ScriptBuf, Txid};
use serde_json::{Value, json};

use crate::{Daemon, Folder, arg, musicdao};

/// What every wallet is locked with.
pub const PASSPHRASE: &str = "correct horse battery staple";
/// What each wallet begins with.
pub const FUNDS: u64 = 1_000_000;

/// Writes the passphrase's file of a data folder.
pub fn passphrase(folder: &Folder) -> PathBuf {
    file(folder, "passphrase", PASSPHRASE)
}

/// Writes a file of one line into a data folder.
pub fn file(folder: &Folder, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, format!("{text}\n")).expect("the folder takes a small file");
    path
}

/// Starts a daemon that asks one Bitcoin node and joins friends.
pub fn daemon(folder: Folder, bitcoind: &Bitcoind, friends: &[&Daemon]) -> Daemon {
    let peer = bitcoind.address().to_string();
    let links: Vec<String> = friends.iter().map(|friend| friend.invite()).collect();
    let mut args = vec!["--network", "regtest", "--bitcoin-peer", &peer];
    args.extend(links.iter().flat_map(|link| ["--peer", link]));
    folder.daemon(&args)
}

/// The same, doomed to die at a place.
pub fn doomed(folder: Folder, bitcoind: &Bitcoind, place: &str) -> Daemon {
    let peer = bitcoind.address().to_string();
    let mut program = Command::new(musicdao());
    program.env("MUSICDAO_TEST_DIE_AT", place);
    let alone = ["--no-dht", "--no-mdns", "--listen", "127.0.0.1:0", "--bitcoin-peer", &peer];
    folder.daemon_with(program, &alone)
}

/// Makes a wallet of 12 words and returns them.
pub fn create(daemon: &Daemon) -> String {
    let file = passphrase(daemon.folder());
    let made = daemon.run(&["wallet", "create", "--words", "12", "--passphrase-file", arg(&file)]);
    let words = list(&made, "words");
    words.iter().map(|word| word.as_str().expect("a word")).collect::<Vec<_>>().join(" ")
}

/// A daemon with a name and a wallet with [`FUNDS`], not in a block yet.
pub fn member(name: &str, bitcoind: &Bitcoind, purse: &mut Purse, friends: &[&Daemon]) -> Daemon {
    let daemon = daemon(Folder::new(), bitcoind, friends);
    create(&daemon);
    daemon.run(&["profile", "set", "--name", name]);
    purse.pay(
        bitcoind,
        &script(&text(&daemon.run(&["wallet", "address"]), "address")),
        Amount::from_sat(FUNDS),
    );
    daemon
}

/// The script of an address.
pub fn script(address: &str) -> ScriptBuf {
    Address::from_str(address).expect("an address").assume_checked().script_pubkey()
}

/// Lets a daemon sign.
pub fn unlock(daemon: &Daemon) {
    let file = passphrase(daemon.folder());
    daemon.run(&["wallet", "unlock", "--passphrase-file", arg(&file)]);
}

/// A text of an answer.
pub fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("{key}: {value}")).to_owned()
}

/// A number of an answer.
pub fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("{key}: {value}"))
}

/// A list of an answer.
pub fn list(value: &Value, key: &str) -> Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("{key}: {value}")).clone()
}

/// The sum of what entries say.
pub fn sum(values: &[Value], key: &str) -> u64 {
    values.iter().map(|value| number(value, key)).sum()
}

/// Waits until the wallet has looked at the newest block.
pub fn until_synced(daemon: &Daemon, bitcoind: &Bitcoind) {
    let height = bitcoind.tip().height;
    daemon.until("the newest block", |daemon| {
        let status = daemon.run(&["wallet", "status"]);
        (status["synced"] == true && status["height"] == height).then_some(())
    });
}

/// Waits until a Bitcoin node has a payment that waits for its block.
pub fn until_in_mempool(daemon: &Daemon, bitcoind: &Bitcoind, txid: &str) {
    let txid: Txid = txid.parse().expect("a txid");
    daemon.until("the payment to arrive", |_| bitcoind.has_in_mempool(txid).then_some(()));
}

/// How many payments wait for a block.
pub fn waiting(bitcoind: &Bitcoind) -> usize {
    bitcoind.rpc("getrawmempool", json!([])).as_array().expect("a list").len()
}

/// Waits until an offer is known.
pub fn until_offer(daemon: &Daemon, offer: &str) -> Value {
    daemon.until("the offer", |daemon| {
        list(&daemon.run(&["offer", "list"]), "offers").into_iter().find(|one| one["offer_id"] == offer)
    })
}

/// Publishes an offer to share a fifth of the income for 300,000 sat.
pub fn offer(artist: &Daemon, more: &[&str]) -> String {
    let args = ["offer", "create", "--goal", "300000", "--share", "20", "--expiry", "2090-12-31"];
    text(&artist.run(&[&args, more].concat()), "offer_id")
}

/// Mines what waits, and waits until every wallet has seen it.
pub fn mine(bitcoind: &Bitcoind, daemons: &[&Daemon]) {
    bitcoind.mine(1);
    daemons.iter().for_each(|daemon| until_synced(daemon, bitcoind));
}

/// Pays by a command whose answer names the transaction, waits until it has arrived, and returns the answer.
pub fn pay(daemon: &Daemon, bitcoind: &Bitcoind, args: &[&str]) -> Value {
    let paid = daemon.run(args);
    until_in_mempool(daemon, bitcoind, &text(&paid, "txid"));
    paid
}

/// What a wallet has in blocks and on its way.
pub fn balance(daemon: &Daemon) -> (u64, u64) {
    let status = daemon.run(&["wallet", "status"]);
    (number(&status, "confirmed_sat"), number(&status, "pending_sat"))
}

/// A transaction of a wallet's history.
pub fn entry(daemon: &Daemon, txid: &str) -> Option<Value> {
    list(&daemon.run(&["wallet", "history"]), "transactions").into_iter().find(|tx| tx["txid"] == txid)
}

/// An audit, byte for byte.
pub fn audit(daemon: &Daemon, artist: &str) -> String {
    let output = daemon.folder().output(&["audit", artist]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("JSON is UTF-8")
}

/// An audit, read.
pub fn audited(daemon: &Daemon, artist: &str) -> Value {
    serde_json::from_str(&audit(daemon, artist)).expect("an audit is JSON")
}

/// Waits for an audit that lacks nothing.
pub fn complete_audit(daemon: &Daemon, artist: &str, is_enough: impl Fn(&Value) -> bool) -> String {
    daemon.until("a complete audit", |daemon| {
        let text = audit(daemon, artist);
        let audit: Value = serde_json::from_str(&text).expect("an audit is JSON");
        (audit["status"] == "complete" && is_enough(&audit)).then_some(text)
    })
}

/// Waits until an own investment stands so.
pub fn until_note(daemon: &Daemon, note: &str, status: &str) -> Value {
    daemon.until(&format!("the note to be {status}"), |daemon| {
        list(&daemon.run(&["notes"]), "notes")
            .into_iter()
            .find(|own| own["note_id"] == note && own["status"] == status)
    })
}
