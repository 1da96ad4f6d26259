//! The wallet beside Bitcoin Core's daemon: the node judges what the wallet signs, and finds the same addresses and coins.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

use chain::testenv::{Bitcoind, Purse, nobody};
use domain::{
    Network,
    bitcoin::{Address, Amount, FeeRate, ScriptBuf, Transaction, Txid},
};
use serde_json::json;
use treasury::wallet::{
    Account, Chain, Coins, Draft, DraftKind, Keys, Payee, Seed, Spend, TxState, Wallet, WordCount,
};
use zeroize::Zeroizing;

const NOW: u64 = 1_760_000_000;

struct World {
    node: Bitcoind,
    purse: Purse,
    wallet: Wallet,
    keys: Keys,
    now: u64,
}

impl World {
    fn new() -> Self {
        let seed = Seed::generate(&Zeroizing::new([42; 32]), WordCount::TwentyFour);
        let keys = seed.keys(Network::Regtest);
        let node = Bitcoind::start();
        let purse = Purse::fill(&node, 4);
        Self { node, purse, wallet: Wallet::create(keys.accounts(), 0), keys, now: NOW }
    }

    /// Pays the wallet and mines it.
    fn fund(&mut self, place: (Chain, u32), sats: u64) {
        let script = self.wallet.accounts().address(place.0, place.1).script_pubkey();
        self.purse.pay(&self.node, &script, Amount::from_sat(sats));
        self.mine();
    }

    fn mine(&mut self) {
        self.node.mine(1);
        self.follow();
    }

    /// Tells the wallet every block of the chain of most work, from the first on.
    fn follow(&mut self) {
        for height in 1..=self.node.tip().height {
            let block = self.node.block(self.node.block_id(height).hash);
            self.wallet.connect(height, &block.header, Some(&block)).unwrap();
        }
        self.wallet.mark_persisted();
    }

    fn prepare(&self, payees: &[(Address, u64)], sat_per_vb: u32) -> Draft {
        let payee = |(address, sats): &(Address, u64)| Payee {
            address: address.clone(),
            amount: Amount::from_sat(*sats),
        };
        self.wallet
            .prepare(&spend(payees.iter().map(payee).collect(), sat_per_vb), [3; 32], self.now)
            .unwrap()
    }

    /// Signs, and has the node judge it by every rule of consensus and relay.
    fn send(&mut self, draft: &Draft) -> Transaction {
        self.now += 1;
        let txid = self.wallet.sign(draft, &self.keys, self.now).unwrap();
        self.wallet.mark_persisted();
        let tx = self.wallet.outbox().into_iter().find(|tx| tx.compute_txid() == txid).unwrap();
        self.node.send(&tx);
        self.wallet.mark_broadcast(txid);
        self.wallet.mark_persisted();
        let entry = self.node.rpc("getmempoolentry", json!([txid]));
        assert_eq!(entry["vsize"], json!(draft.vsize()), "the size that was shown before signing");
        assert_eq!(fee(&entry), draft.fee(), "and the fee");
        (*tx).clone()
    }

    fn state(&self, txid: Txid) -> TxState {
        self.wallet.entry(txid).unwrap().state
    }
}

fn spend(payees: Vec<Payee>, sat_per_vb: u32) -> Spend {
    Spend {
        payees,
        rest_to: None,
        rate: FeeRate::from_sat_per_vb_u32(sat_per_vb),
        coins: Coins::First(Account::Private),
        data: None,
        label: None,
    }
}

fn fee(entry: &serde_json::Value) -> Amount {
    Amount::from_btc(entry["fees"]["base"].as_f64().unwrap()).unwrap()
}

#[test]
fn a_payment_is_replaced_mined_undone_and_mined_again() {
    let mut world = World::new();
    world.fund((Chain::Receive, 0), 1_000_000);

    // Several payees and data, then the same again at a higher fee.
    let mut wish = spend(
        (1..=3).map(|number| Payee { address: nobody(number), amount: Amount::from_sat(100_000) }).collect(),
        2,
    );
    wish.data = Some(vec![7; 80]);
    let draft = world.wallet.prepare(&wish, [3; 32], NOW).unwrap();
    let slow = world.send(&draft);
    let faster = world
        .wallet
        .prepare_bump(slow.compute_txid(), FeeRate::from_sat_per_vb_u32(5), [4; 32], world.now)
        .unwrap();
    let fast = world.send(&faster);
    assert!(!world.node.has_in_mempool(slow.compute_txid()), "the node replaced it");
    world.mine();
    assert_eq!(world.state(fast.compute_txid()), TxState::Confirmed(1));
    assert_eq!(world.state(slow.compute_txid()), TxState::Replaced { by: fast.compute_txid() });

    // Six blocks that held it are replaced by seven that do not.
    world.node.mine(5);
    world.follow();
    assert_eq!(world.state(fast.compute_txid()), TxState::Confirmed(6));
    world.node.reorganise(6);
    world.follow();
    assert_eq!(world.state(fast.compute_txid()), TxState::Broadcast);
    assert_eq!(world.wallet.outbox()[0].compute_txid(), fast.compute_txid());
    if !world.node.has_in_mempool(fast.compute_txid()) {
        world.node.send(&fast);
    }
    world.mine();
    assert_eq!(world.state(fast.compute_txid()), TxState::Confirmed(1));
}

#[test]
fn income_a_child_and_all_that_is_left_are_spent() {
    let mut world = World::new();
    world.fund((Chain::Receive, 0), 1_000_000);
    world.fund((Chain::Income, 531), 300_000);
    world.fund((Chain::Principal, 999), 200_000);
    assert_eq!(world.wallet.balance().total.confirmed, Amount::from_sat(1_500_000));

    // Income alone, with its change to the private account.
    let wish = Spend {
        coins: Coins::First(Account::Income),
        ..spend(vec![Payee { address: nobody(4), amount: Amount::from_sat(50_000) }], 1)
    };
    let payout = world.wallet.prepare(&wish, [5; 32], world.now).unwrap();
    assert!(payout.inputs().iter().all(|input| input.chain.account() == Account::Income));
    world.send(&payout);
    world.mine();

    // Somebody else's slow payment, with a child that pays for both.
    let script = world.wallet.fresh_address().1.script_pubkey();
    let parent = world.purse.pay(&world.node, &script, Amount::from_sat(70_000));
    assert!(world.wallet.unconfirmed(&parent, world.now));
    let child = world
        .wallet
        .prepare_bump(parent.compute_txid(), FeeRate::from_sat_per_vb_u32(30), [6; 32], world.now)
        .unwrap();
    assert_eq!(child.kind(), DraftKind::Child(parent.compute_txid()));
    world.send(&child);
    world.mine();
    assert_eq!(world.state(parent.compute_txid()), TxState::Confirmed(1));

    // And everything that is left.
    let mut all = spend(Vec::new(), 1);
    all.rest_to = Some(nobody(9));
    let before = world.wallet.balance().total.confirmed;
    let draft = world.wallet.prepare(&all, [7; 32], world.now).unwrap();
    assert_eq!(draft.amount() + draft.fee(), before);
    world.send(&draft);
    world.mine();
    assert_eq!(world.wallet.balance().total.confirmed, Amount::ZERO);
}

#[test]
fn another_program_finds_the_same_addresses_and_coins() {
    let mut world = World::new();
    for (place, sats) in [
        ((Chain::Receive, 0), 1_000_000),
        ((Chain::Receive, 17), 2_000),
        ((Chain::Income, 999), 30_000),
        ((Chain::Principal, 4), 400_000),
    ] {
        world.fund(place, sats);
    }
    let draft = world.prepare(&[(nobody(1), 250_000)], 1);
    world.send(&draft);
    world.mine();
    let accounts = world.wallet.accounts();
    let mut wanted = Vec::new();
    for chain in [Chain::Receive, Chain::Change, Chain::Income, Chain::Principal] {
        let descriptor = accounts.descriptor(chain);
        let derived = world.node.rpc("deriveaddresses", json!([descriptor, [0, 30]]));
        let own: Vec<String> = (0..=30).map(|index| accounts.address(chain, index).to_string()).collect();
        assert_eq!(derived, json!(own), "{descriptor}");
        wanted.push(json!({ "desc": descriptor, "range": 999 }));
    }
    let found = world.node.rpc("scantxoutset", json!(["start", wanted]));
    let mut theirs: Vec<(ScriptBuf, String)> = found["unspents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|coin| {
            let script = ScriptBuf::from_hex(coin["scriptPubKey"].as_str().unwrap()).unwrap();
            (script, format!("{}:{}", coin["txid"].as_str().unwrap(), coin["vout"]))
        })
        .collect();
    let mut ours: Vec<_> =
        world.wallet.coins().into_iter().map(|coin| (coin.script, coin.outpoint.to_string())).collect();
    theirs.sort();
    ours.sort();
    assert_eq!(theirs, ours);
    let total = Amount::from_btc(found["total_amount"].as_f64().unwrap()).unwrap();
    assert_eq!(total, world.wallet.balance().total.confirmed);
}
