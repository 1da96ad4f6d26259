//! What guards the pooled coin beside Bitcoin Core's daemon: the node derives the same addresses from the descriptors, reads the same scripts,
//! and takes every spend of every construction; an implementation of BIP-341 apart from ours signs the same digests.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]

mod bip341;
mod cast;

use cast::{Cast, key};
use chain::testenv::{Bitcoind, Purse, nobody};
use domain::{
    Network,
    bitcoin::{
        Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute::LockTime,
        consensus::encode::serialize_hex, transaction::Version,
    },
};
use serde_json::{Value, json};
use treasury::dao::guard::{Construction, Guard, Path};

const POOLED: Amount = Amount::from_sat(1_000_000);
const PAID: Amount = Amount::from_sat(300_000);
const FEE: Amount = Amount::from_sat(20_000);
const ANCHOR: Amount = Amount::from_sat(240);

/// Keys and threshold.
const SIZES: [(usize, usize); 4] = [(3, 2), (5, 3), (10, 6), (20, 11)];
/// The same where the test's time allows: everybody's, and a committee's.
const LARGE: [(usize, usize); 3] = [(50, 30), (100, 60), (100, 67)];

struct World {
    node: Bitcoind,
    purse: Purse,
}

impl World {
    /// Pays the guard's coin and mines it.
    fn fund(&mut self, guard: &Guard) -> (OutPoint, TxOut) {
        let script = guard.script_pubkey();
        let funding = self.purse.pay(&self.node, &script, POOLED);
        self.node.mine(1);
        let at = funding.output.iter().position(|output| output.script_pubkey == script).unwrap();
        (OutPoint::new(funding.compute_txid(), at as u32), funding.output[at].clone())
    }

    /// The node's verdict by every rule of consensus and relay.
    fn judge(&self, tx: &Transaction) -> Value {
        self.node.rpc("testmempoolaccept", json!([[serialize_hex(tx)]]))[0].clone()
    }
}

/// What a T of one payment has: the payee's P2WPKH or P2TR, the successor of the same guard, and the P2A anchor.
fn spend(guard: &Guard, coin: OutPoint) -> Transaction {
    let output = |value, script_pubkey| TxOut { value, script_pubkey };
    let anchor = ScriptBuf::from_bytes(vec![0x51, 0x02, 0x4e, 0x73]);
    Transaction {
        version: Version(3),
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: coin,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        }],
        output: vec![
            output(PAID, nobody(1).script_pubkey()),
            output(POOLED - PAID - FEE - ANCHOR, guard.script_pubkey()),
            output(ANCHOR, anchor),
        ],
    }
}

#[test]
fn a_node_takes_every_spend_of_every_construction() {
    let node = Bitcoind::start();
    let purse = Purse::fill(&node, 4);
    let mut world = World { node, purse };
    for construction in Construction::ALL {
        let large = LARGE.into_iter().filter(|(keys, _)| construction != Construction::Frost || *keys <= 50);
        let sizes = SIZES.into_iter().chain(large).filter(|(keys, _)| *keys <= construction.max_keys());
        for (keys, threshold) in sizes {
            let cast = Cast::new(construction, keys, threshold);
            knows(&world.node, &cast.guard);
            let (coin, spent) = world.fund(&cast.guard);
            for path in cast.guard.paths() {
                let sized = signed(&cast, coin, &spent, *path);
                let verdict = world.judge(&sized);
                assert_eq!(verdict["allowed"], true, "{construction} {threshold} of {keys}: {verdict}");
                assert_eq!(verdict["vsize"], json!(sized.vsize()));
                println!("{construction} {threshold}/{keys} {path:?}: {} vB", sized.vsize());
            }
            world.node.send(&signed(&cast, coin, &spent, cast.guard.paths()[0]));
        }
    }
}

/// Signs, and checks the digests and the weight on the way.
fn signed(cast: &Cast, coin: OutPoint, spent: &TxOut, path: Path) -> Transaction {
    let spent = std::slice::from_ref(spent);
    let mut tx = spend(&cast.guard, coin);
    let witness = match path {
        Path::Script => cast.by_script(&tx, spent).finish().unwrap(),
        Path::Key => cast.by_key(&tx, spent),
    };
    if spent[0].script_pubkey.is_p2tr() {
        let script = witness.second_to_last().filter(|_| path == Path::Script);
        let other = bip341::sighash(&tx, spent, 0, 0, script.map(bip341::tapleaf));
        assert_eq!(cast.guard.message(&tx, 0, spent, path).unwrap().as_ref(), &other);
    }
    tx.input[0].witness = cast.guard.worst_witness(path).unwrap();
    let planned = tx.weight();
    tx.input[0].witness = witness;
    let exact = cast.guard.construction() != Construction::SortedMulti;
    assert!(tx.weight() <= planned && (!exact || tx.weight() == planned));
    tx
}

/// The node reads the descriptor and the script as we do.
fn knows(node: &Bitcoind, guard: &Guard) {
    let (descriptor, address) = (guard.descriptor(Network::Regtest), guard.address(Network::Regtest));
    let derived = node.rpc("deriveaddresses", json!([descriptor]));
    assert_eq!(derived, json!([address.to_string()]), "{descriptor}");
    let decoded = node.rpc("decodescript", json!([guard.script_pubkey().to_hex_string()]));
    assert_eq!(decoded["address"], json!(address.to_string()));
    if guard.construction() == Construction::MuSig2 {
        let leaf = descriptor.split_once(',').unwrap().1.split_once('#').unwrap().0;
        let participants: Vec<_> = guard.keys().iter().map(|key| format!("02{key}")).collect();
        let text = format!("tr(musig({}),{leaf}", participants.join(","));
        let theirs = node.rpc("getdescriptorinfo", json!([text]))["descriptor"].clone();
        assert_eq!(node.rpc("deriveaddresses", json!([theirs])), derived, "BIP-390's aggregate is ours");
    }
}

/// A node has the last word: what the guard refuses, it refuses too, and what lacks a signer.
#[test]
fn a_node_refuses_what_the_guard_does() {
    let node = Bitcoind::start();
    let purse = Purse::fill(&node, 4);
    let mut world = World { node, purse };
    for construction in Construction::ALL {
        let cast = Cast::new(construction, 3, 2);
        let (coin, spent) = world.fund(&cast.guard);
        let good = signed(&cast, coin, &spent, Path::Script);
        let gathering = cast.by_script(&good, std::slice::from_ref(&spent));
        let (author, share) = gathering.held().next().unwrap();
        let mut bytes = *share.as_bytes();
        bytes[40] ^= 1;
        let corrupt = treasury::dao::guard::Share::from_bytes(bytes);
        assert!(cast.guard.verify(gathering.message(), author, &corrupt).is_err());
        assert!(cast.pairs.iter().any(|pair| key(pair) == *author));

        let at = good.input[0].witness.iter().position(|element| element.len() > 33).unwrap();
        let mut changed = good.clone();
        let elements = good.input[0].witness.iter().enumerate();
        let spoil = |(index, element): (usize, &[u8])| {
            let mut element = element.to_vec();
            if index == at {
                element[40] ^= 1;
            }
            element
        };
        changed.input[0].witness = elements.map(spoil).collect::<Vec<_>>().into();
        assert_eq!(world.judge(&changed)["allowed"], false, "{construction}");
        let mut missing = good.clone();
        let elements = good.input[0].witness.iter().enumerate();
        let drop_one =
            |(index, element): (usize, &[u8])| if index == at { Vec::new() } else { element.to_vec() };
        missing.input[0].witness = elements.map(drop_one).collect::<Vec<_>>().into();
        assert_eq!(world.judge(&missing)["allowed"], false, "{construction}");
        let mut other = good.clone();
        other.output[0].value -= Amount::from_sat(1);
        assert_eq!(world.judge(&other)["allowed"], false, "other outputs");
        assert_eq!(world.judge(&good)["allowed"], true);
    }
}
