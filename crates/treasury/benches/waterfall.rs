//! How long it takes to follow an artist's whole income through the offers: `cargo bench -p treasury` prints a table.
#![expect(clippy::disallowed_methods, reason = "this measures the machine")]

use std::time::{Duration, Instant};

use domain::{
    Identity, Kind, Network, Record, Stamp,
    bitcoin::{
        Amount, BlockHash, OutPoint, ScriptBuf, TxOut, Txid, WPubkeyHash,
        bip32::{ChildNumber, DerivationPath, Xpriv, Xpub},
        hashes::Hash,
        secp256k1::Secp256k1,
    },
    kinds::{Income, Note, Offer, Payee, Payment},
};
use treasury::{
    paying::{Audit, BlockFacts, Book, Facts, Ledger, Series, Tree, TxFacts, Watch, receipts},
    wallet::taproot_script,
};

const PAYMENTS: u32 = 100_000;
const RUNS: usize = 5;
const NETWORK: Network = Network::Regtest;

fn main() {
    println!("{:32} {:>8} {:>10} {:>10}", "what", "notes", "p50", "worst");
    for notes in [1, 10, 100, 1_000] {
        let (records, facts) = world(notes);
        let book = Book::read(artist().id(), NETWORK, &records);
        let mut watch = Watch::default();
        watch.follow(&book, &facts);
        let ledger = Ledger::of(&book, &watch, &facts);
        assert_eq!((ledger.notes.len(), ledger.is_complete()), (notes as usize, true));
        row("waterfall over 100,000 payments", notes, || drop(Ledger::of(&book, &watch, &facts)));
        row("the same with reading records", notes, || {
            let book = Book::read(artist().id(), NETWORK, &records);
            let audit = Audit::of(&Ledger::of(&book, &watch, &facts)).to_json();
            assert!(audit.len() > 100);
        });
        if notes == 1 {
            row("income by day and supporter", notes, || {
                drop(Series::of(&book, &receipts(&book, &watch, &facts)));
            });
            row("2,000 addresses of a window", notes, || {
                assert!(Watch::default().follow(&book, &facts).is_some());
            });
        }
    }
    println!(
        "\n{RUNS} runs each; {PAYMENTS} outputs, each a transaction with a signed payment; one offer, all notes live."
    );
}

fn row(what: &str, notes: u32, mut run: impl FnMut()) {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    println!("{what:32} {notes:>8} {:>10.1?} {:>10.1?}", times[RUNS / 2], times[RUNS - 1]);
}

fn now() -> Instant {
    Instant::now()
}

/// Notes first, then payments, ten a block.
fn world(notes: u32) -> (Vec<Record>, Facts) {
    let (tips, principal) = (chain_key(0), chain_key(1));
    let secp = Secp256k1::verification_only();
    let scripts: Vec<ScriptBuf> = (0..100).map(|index| taproot_script(&secp, &tips, index)).collect();
    let income = Income { network: NETWORK, income: tips, principal, windows: vec![0], birthday: 0 };
    let income = sign(&artist(), 1, Vec::new(), &income);
    let offer = sign(&artist(), 2, vec![income.id], &offer());
    let mut facts = Facts::new(NETWORK, block(0));
    let mut records = vec![income, offer.clone()];
    for number in 0..notes {
        let (note, paid) = invest(number, &offer, taproot_script(&secp, &principal, number));
        records.push(note);
        facts.insert(paid);
    }
    for number in 0..PAYMENTS {
        let value = Amount::from_sat(1_000 + u64::from(number % 5_000));
        let output = TxOut { value, script_pubkey: scripts[number as usize % scripts.len()].clone() };
        let paid = transaction(1_000 + number, [(0, output)]);
        let outpoint = OutPoint::new(paid.txid, 0);
        let payment = Payment {
            network: NETWORK,
            salt: salt(number),
            artist: artist().id(),
            outpoint,
            amount: value,
            memo: None,
            release: None,
            place: None,
        };
        records.push(sign(&fan(number), 1, Vec::new(), &payment));
        facts.insert(paid);
    }
    facts.tip = block(1_000 + PAYMENTS);
    (records, facts)
}

fn offer() -> Offer {
    Offer {
        network: NETWORK,
        salt: [1; 16],
        goal: Amount::from_sat(1_000_000_000),
        share: 5_000,
        cap: 10_000,
        floor: Amount::from_sat(10_000),
        expiry: u32::MAX,
        splits: None,
        title: None,
        release: None,
    }
}

fn invest(number: u32, offer: &Record, to: ScriptBuf) -> (Record, TxFacts) {
    let principal = Amount::from_sat(1_000_000);
    let payee = Payee::Script(ScriptBuf::new_p2wpkh(&WPubkeyHash::hash(&number.to_le_bytes())));
    let note = Note {
        network: NETWORK,
        salt: salt(number),
        artist: artist().id(),
        offer: offer.slot,
        principal,
        vout: 0,
        payee,
        place: None,
    };
    let note = sign(&fan(number), 1, Vec::new(), &note);
    let root = Tree::of([note.slot]).expect("there is one note").root();
    let commitment = TxOut { value: Amount::ZERO, script_pubkey: root.script() };
    let output = TxOut { value: principal, script_pubkey: to };
    (note, TxFacts { root: Some(root), ..transaction(number, [(0, output), (1, commitment)]) })
}

fn transaction<const N: usize>(number: u32, outputs: [(u32, TxOut); N]) -> TxFacts {
    let txid = Txid::hash(&number.to_le_bytes());
    TxFacts {
        txid,
        block: block(1 + number / 10),
        position: number % 10,
        root: None,
        outputs: outputs.into(),
    }
}

fn block(height: u32) -> BlockFacts {
    let hash = BlockHash::hash(&height.to_le_bytes());
    BlockFacts { height, hash, median_time_past: 1_600_000_000 + height * 600 }
}

fn sign<K: Kind>(author: &Identity, seq: u64, refs: Vec<domain::RecordId>, body: &K) -> Record {
    let stamp = Stamp { seq, refs, ..Stamp::default() };
    Record::sign(author, stamp, body).expect("the body is a good one")
}

fn artist() -> Identity {
    Identity::from_secret(&[255; 32])
}

/// One of a thousand.
fn fan(number: u32) -> Identity {
    let mut secret = [1; 32];
    secret[..4].copy_from_slice(&(number % 1_000).to_le_bytes());
    Identity::from_secret(&secret)
}

fn salt(number: u32) -> [u8; 16] {
    let mut salt = [0; 16];
    salt[..4].copy_from_slice(&number.to_le_bytes());
    salt
}

fn chain_key(chain: u32) -> Xpub {
    let secp = Secp256k1::new();
    let path: DerivationPath = "86'/1'/1'".parse().expect("it is a path");
    let child = path.child(ChildNumber::from_normal_idx(chain).expect("it is a small number"));
    let master = Xpriv::new_master(NETWORK.bitcoin(), &[7; 32]).expect("it is a seed");
    Xpub::from_priv(&secp, &master.derive_priv(&secp, &child).expect("it derives"))
}
