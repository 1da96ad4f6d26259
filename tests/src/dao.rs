//! DAOs of several daemons, on a real Bitcoin chain of their own.

use std::thread;

use chain::testenv::{Bitcoind, Purse};
use domain::bitcoin::Amount;
use serde_json::{Value, json};

use crate::{
    Daemon,
    money::{self, list, number, sum, text, until_synced, waiting},
};

/// A transaction of the treasury that has its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Its number, from 0.
    pub number: u64,
    /// Its id.
    pub txid: String,
}

/// What the chain took of everybody's money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The fees of all transactions.
    pub fees: u64,
    /// Coins that belong to whoever takes them, by which others raise a transaction's fee.
    pub anchors: u64,
}

/// People with wallets, connected in a chain, every coin in a block.
pub fn people<const N: usize>(bitcoind: &Bitcoind, names: [&str; N]) -> [Daemon; N] {
    let mut purse = Purse::fill(bitcoind, N as u32);
    let mut people: Vec<Daemon> = Vec::new();
    for name in names {
        let friends: Vec<&Daemon> = people.iter().rev().take(2).collect();
        let person = money::member(name, bitcoind, &mut purse, &friends);
        people.push(person);
    }
    money::mine(bitcoind, &people.iter().collect::<Vec<_>>());
    people.try_into().expect("as many as there are names")
}

/// What of the treasury is somebody's.
///
/// # Panics
/// Where they are not in it.
pub fn claim(shown: &Value, id: &str) -> u64 {
    number(&member(shown, id).expect("a member"), "claim_sat")
}

/// Waits until a proposal stands so for all, mining what waits.
pub fn until_all_see(
    bitcoind: &Bitcoind,
    all: &[&Daemon],
    id: &str,
    proposal: &str,
    state: &str,
) -> Vec<Turn> {
    let is_so = |_: &Value| {
        all.iter().all(|daemon| {
            let proposals = list(&daemon.run(&["dao", "proposals", id]), "proposals");
            proposals.iter().any(|one| one["proposal_id"] == proposal && one["state"] == state)
        })
    };
    settle(bitcoind, &all[..1], id, state, is_so)
}

/// Publishes a charter whose joiners need one confirmation, and returns the DAO's id.
pub fn create(creator: &Daemon, name: &str, fee: u64, more: &[&str]) -> String {
    let fee = fee.to_string();
    let args = ["dao", "create", "--name", name, "--fee", &fee, "--depth", "1"];
    text(&creator.run(&[&args, more].concat()), "dao_id")
}

/// Shows a DAO.
pub fn show(daemon: &Daemon, dao: &str) -> Value {
    daemon.run(&["dao", "show", dao])
}

/// Waits until a DAO is as it should be, as one daemon sees it.
pub fn until_dao(daemon: &Daemon, dao: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    daemon.until(what, |daemon| {
        let output = daemon.folder().output(&["dao", "show", dao]);
        let shown: Value = serde_json::from_slice(&output.stdout).ok()?;
        is_so(&shown).then_some(shown)
    })
}

/// What a DAO says of a member.
pub fn member(shown: &Value, id: &str) -> Option<Value> {
    list(shown, "members").into_iter().find(|member| member["peer_id"] == id)
}

/// Whether somebody has a claim.
pub fn is_member(shown: &Value, id: &str) -> bool {
    member(shown, id).is_some_and(|member| member["state"] == "member" || member["state"] == "counted")
}

/// Whether somebody has a vote and a key.
pub fn has_key(shown: &Value, id: &str) -> bool {
    member(shown, id).is_some_and(|member| member["counted"] == true && member["keyholder"] == true)
}

/// Runs a command at the same time in several data folders, and returns the answers in their order.
pub fn together(daemons: &[&Daemon], args: &[&str]) -> Vec<Value> {
    let folders: Vec<_> = daemons.iter().map(|daemon| daemon.folder()).collect();
    thread::scope(|scope| {
        let running: Vec<_> =
            folders.into_iter().map(|folder| scope.spawn(move || folder.run(args))).collect();
        running.into_iter().map(|one| one.join().expect("the command succeeds")).collect()
    })
}

/// Lets several founders register, starts the DAO and mines the transaction that funds it.
pub fn found(bitcoind: &Bitcoind, founders: &[&Daemon], dao: &str) -> Vec<Turn> {
    start(founders, dao);
    let is_founded = |shown: &Value| founders.iter().all(|founder| is_member(shown, founder.id()));
    settle(bitcoind, founders, dao, "the founding", is_founded)
}

/// Lets several founders register, and starts the DAO.
pub fn start(founders: &[&Daemon], dao: &str) {
    for founder in founders {
        until_dao(founder, dao, "the charter", |_| true);
    }
    together(founders, &["dao", "join", dao]);
    let creator = founders[0];
    let all_registered = |shown: &Value| founders.iter().all(|founder| member(shown, founder.id()).is_some());
    founders.iter().for_each(|founder| drop(until_dao(founder, dao, "all founders", all_registered)));
    creator.run(&["dao", "start", dao]);
}

/// Mines the treasury's transactions, one a block, until every one of these daemons sees the DAO as it should be.
/// Returns the transactions.
pub fn settle(
    bitcoind: &Bitcoind,
    daemons: &[&Daemon],
    dao: &str,
    what: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Vec<Turn> {
    let before = daemons.iter().flat_map(|daemon| turns(&show(daemon, dao))).map(|turn| turn.number).max();
    let so_for_all = || daemons.iter().all(|daemon| is_so(&show(daemon, dao)));
    while !so_for_all() {
        daemons[0].until(what, |_| (waiting(bitcoind) > 0 || so_for_all()).then_some(()));
        if waiting(bitcoind) > 0 {
            bitcoind.mine(1);
            daemons.iter().for_each(|daemon| until_synced(daemon, bitcoind));
        }
    }
    let made = turns(&show(daemons[0], dao));
    made.into_iter().filter(|turn| before.is_none_or(|before| turn.number > before)).collect()
}

/// Proposes something and returns the proposal's id.
pub fn propose(daemon: &Daemon, dao: &str, title: &str, what: &[&str]) -> String {
    text(&daemon.run(&[&["dao", "propose", dao], what, &["--title", title]].concat()), "proposal_id")
}

/// Waits until a proposal is as it should be, as one daemon sees it.
pub fn until_proposal(
    daemon: &Daemon,
    dao: &str,
    proposal: &str,
    what: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    daemon.until(what, |daemon| {
        let proposals = list(&daemon.run(&["dao", "proposals", dao]), "proposals");
        proposals.into_iter().find(|one| one["proposal_id"] == proposal && is_so(one))
    })
}

/// Lets several members vote on a proposal, each as soon as it has arrived there.
pub fn vote(daemons: &[&Daemon], dao: &str, proposal: &str, choice: &str) {
    for daemon in daemons {
        until_proposal(daemon, dao, proposal, "the proposal", |_| true);
    }
    together(daemons, &["dao", "vote", dao, proposal, choice]);
}

/// Waits until an artist knows of so much that was invested in an offer.
pub fn until_raised(artist: &Daemon, offer: &str, sat: u64) {
    artist.until("the investment", |artist| {
        (number(&artist.run(&["offer", "show", offer]), "raised_sat") == sat).then_some(())
    });
}

/// Checks that everybody's accounts sum to the coin that is on the chain, and returns its value.
pub fn balanced(bitcoind: &Bitcoind, daemons: &[&Daemon], dao: &str) -> u64 {
    let values = daemons.iter().map(|daemon| {
        let shown = show(daemon, dao);
        let parts = ["claims_sum_sat", "unassigned_sat", "reserve_sat"].map(|part| number(&shown, part));
        let treasury = number(&shown, "treasury_sat");
        assert_eq!(parts.iter().sum::<u64>(), treasury, "{shown}");
        assert_eq!(sum(&list(&shown, "members"), "claim_sat"), parts[0], "{shown}");
        assert_eq!(coin(bitcoind, &text(&shown, "coin")), Some(treasury), "{shown}");
        let audit = daemon.run(&["dao", "audit", dao]);
        assert_eq!((&audit["ok"], number(&audit, "treasury_sat")), (&json!(true), treasury), "{audit}");
        treasury
    });
    let values: Vec<u64> = values.collect();
    assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
    values[0]
}

/// The value of a coin that is not spent in a block.
pub fn coin(bitcoind: &Bitcoind, outpoint: &str) -> Option<u64> {
    let (txid, vout) = outpoint.split_once(':').expect("a coin is txid:vout");
    let vout: u32 = vout.parse().expect("a number");
    let found = bitcoind.rpc("gettxout", json!([txid, vout, false]));
    found.is_object().then(|| sat(&found["value"]))
}

/// What the chain took in the blocks after a height.
pub fn taken(bitcoind: &Bitcoind, after: u32) -> Taken {
    let mut taken = Taken::default();
    for height in after + 1..=bitcoind.tip().height {
        let block = bitcoind.rpc("getblock", json!([bitcoind.block_id(height).hash, 2]));
        for transaction in list(&block, "tx").iter().skip(1) {
            taken.fees += sat(&transaction["fee"]);
            let outputs = list(transaction, "vout");
            let anchors = outputs.iter().filter(|output| output["scriptPubKey"]["type"] == "anchor");
            taken.anchors += anchors.map(|output| sat(&output["value"])).sum::<u64>();
        }
    }
    taken
}

/// What signs the first input of a transaction of the treasury that has a block: the elements of its witness, as
/// hexadecimal digits.
pub fn witness(bitcoind: &Bitcoind, turn: &Turn) -> Vec<String> {
    let found = (1..=bitcoind.tip().height).rev().find_map(|height| {
        let block = bitcoind.rpc("getblock", json!([bitcoind.block_id(height).hash, 2]));
        list(&block, "tx").into_iter().find(|transaction| transaction["txid"] == turn.txid.as_str())
    });
    let transaction = found.expect("a turn that is done has a block");
    let elements = list(&list(&transaction, "vin")[0], "txinwitness");
    elements.iter().map(|element| element.as_str().expect("digits").to_owned()).collect()
}

/// How often an address was paid in blocks after a height.
pub fn paid(bitcoind: &Bitcoind, after: u32, address: &str) -> usize {
    let blocks = (after + 1..=bitcoind.tip().height)
        .map(|height| bitcoind.rpc("getblock", json!([bitcoind.block_id(height).hash, 2])));
    let outputs =
        blocks.flat_map(|block| list(&block, "tx")).flat_map(|transaction| list(&transaction, "vout"));
    outputs.filter(|output| output["scriptPubKey"]["address"] == address).count()
}

/// The treasury's transactions that have a block, the first one first.
pub fn turns(shown: &Value) -> Vec<Turn> {
    let made = list(shown, "turns").into_iter().filter(|turn| turn["height"].is_number());
    let mut turns: Vec<Turn> =
        made.map(|turn| Turn { number: number(&turn, "number"), txid: text(&turn, "txid") }).collect();
    turns.sort_by_key(|turn| turn.number);
    turns
}

/// An amount as Bitcoin Core writes it.
fn sat(value: &Value) -> u64 {
    let amount = value.as_f64().and_then(|amount| Amount::from_btc(amount).ok());
    amount.unwrap_or_else(|| panic!("an amount: {value}")).to_sat()
}
