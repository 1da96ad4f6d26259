//! How long a member signs and verifies, and how large transactions are, by construction and size: `cargo bench -p treasury`
//! prints two tables.
#![expect(clippy::disallowed_methods, reason = "this measures the machine")]

#[path = "../tests/cast/mod.rs"]
#[expect(clippy::unwrap_used, reason = "the tests share it")]
mod cast;

use std::time::{Duration, Instant};

use cast::{Cast, generate, key};
use domain::bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, WPubkeyHash, Witness,
    absolute::LockTime, hashes::Hash, transaction::Version,
};
use treasury::dao::guard::{Attempt, Construction, Guard, Nonces, Path};
use zeroize::Zeroizing;

const RUNS: usize = 21;
const SIZES: [(usize, usize); 4] = [(3, 2), (10, 6), (20, 11), (100, 51)];

fn main() {
    println!("{:28} {:>8} {:>10} {:>10}", "what", "keys", "p50", "worst");
    let casts: Vec<_> = Construction::ALL.into_iter().flat_map(made).collect();
    for cast in &casts {
        for path in cast.guard.paths() {
            match path {
                Path::Script => by_script(cast),
                Path::Key => by_key(cast),
            }
        }
    }
    println!("\n{RUNS} runs each, one core; what one member does, but \"finish\", which one does for all.\n");
    println!("{:28} {:>8} {:>10} {:>10} {:>10}", "vsize", "keys", "least", "payment", "refund");
    for cast in &casts {
        for path in cast.guard.paths() {
            sizes(&cast.guard, *path);
        }
    }
    println!(
        "\nOne input, no tree but one leaf. Least: one P2WPKH output. Payment: one P2WPKH, the successor, an OP_RETURN of 36 \
         bytes, P2A. Refund: a P2WPKH for each key, P2A. The successor is P2TR, or P2WSH of sorted_multi."
    );
}

/// Every size that a construction reaches; making a group's key is measured on the way.
fn made(construction: Construction) -> Vec<Cast> {
    let reached = SIZES.into_iter().filter(|size| size.0 <= construction.max_keys());
    reached
        .map(|(keys, threshold)| {
            let cast = Cast::new(construction, keys, threshold);
            if construction == Construction::Frost {
                let names: Vec<_> = cast.pairs.iter().map(key).collect();
                let start = now();
                drop(generate(&names, threshold));
                let each = start.elapsed() / keys as u32;
                println!("{:28} {keys:>8} {each:>10.1?} {:>10}", "frost key: generate", "");
            }
            cast
        })
        .collect()
}

fn by_script(cast: &Cast) {
    let (tx, spent) = world(&cast.guard);
    let gathering = cast.by_script(&tx, &spent);
    let message = *gathering.message();
    let (author, share) = gathering.held().next().expect("somebody has signed");
    row(cast, "script: message", || drop(cast.guard.message(&tx, 0, &spent, Path::Script)));
    row(cast, "script: sign", || drop(cast.guard.sign(&message, &cast.pairs[0], &[8; 32])));
    row(cast, "script: verify", || assert!(cast.guard.verify(&message, author, share).is_ok()));
    row(cast, "script: finish", || assert!(gathering.finish().is_some()));
}

fn by_key(cast: &Cast) {
    let (tx, spent) = world(&cast.guard);
    let message = cast.guard.message(&tx, 0, &spent, Path::Key).expect("there is a key path");
    let attempt = Attempt { txid: tx.compute_txid(), input: 0, number: 0 };
    let (mut all, mut session) = cast.commit(&message, attempt);
    let parts: Vec<_> = all
        .iter_mut()
        .enumerate()
        .map(|(at, nonces)| nonces.sign(attempt, &session, cast.signer(at)).expect("it has not signed"))
        .collect();
    let signer = cast.signer(0);
    let entropy = Zeroizing::new([7; 32]);
    row(cast, "key: commit", || {
        let mut nonces = Nonces::default();
        assert!(nonces.commit(attempt, &cast.guard, &message, signer, &entropy).is_ok());
    });
    let mut fresh: Vec<_> = (0..RUNS).map(|_| cast.commit(&message, attempt)).collect();
    row(cast, "key: sign", || {
        let (mut nonces, session) = fresh.pop().expect("one for each run");
        assert!(nonces[0].sign(attempt, &session, signer).is_ok());
    });
    row(cast, "key: verify", || assert_eq!(session.clone().add(signer.key(), parts[0]), Ok(true)));
    for (at, part) in parts.iter().enumerate() {
        assert_eq!(session.add(cast.signer(at).key(), *part), Ok(true));
    }
    row(cast, "key: finish", || assert!(session.finish().is_some()));
    row(cast, "key: all that all do", || assert_eq!(cast.by_key(&tx, &spent).len(), 1));
}

fn row(cast: &Cast, what: &str, mut run: impl FnMut()) {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    let (what, keys) = (format!("{} {what}", cast.guard.construction()), cast.pairs.len());
    println!("{what:28} {keys:>8} {:>10.1?} {:>10.1?}", times[RUNS / 2], times[RUNS - 1]);
}

fn now() -> Instant {
    Instant::now()
}

fn sizes(guard: &Guard, path: Path) {
    let witness = guard.worst_witness(path).expect("it is one of the guard's");
    let size = |outputs: Vec<ScriptBuf>| {
        let mut tx = transaction(outputs);
        tx.input[0].witness = witness.clone();
        tx.vsize()
    };
    let claims = guard.keys().iter().map(|_| payee()).chain([anchor()]).collect();
    let note = ScriptBuf::new_op_return([0; 36]);
    let payment = vec![payee(), guard.script_pubkey(), note, anchor()];
    let path = if path == Path::Key { "key" } else { "script" };
    let (what, keys) = (format!("{} {path}", guard.construction()), guard.keys().len());
    let (least, payment, refund) = (size(vec![payee()]), size(payment), size(claims));
    println!("{what:28} {keys:>8} {least:>10} {payment:>10} {refund:>10}");
}

fn world(guard: &Guard) -> (Transaction, Vec<TxOut>) {
    let spent = TxOut { value: Amount::from_sat(1_000_000), script_pubkey: guard.script_pubkey() };
    (transaction(vec![payee(), guard.script_pubkey(), anchor()]), vec![spent])
}

fn transaction(scripts: Vec<ScriptBuf>) -> Transaction {
    let output = |script_pubkey| TxOut { value: Amount::from_sat(1_000), script_pubkey };
    Transaction {
        version: Version(3),
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(Txid::from_byte_array([9; 32]), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        }],
        output: scripts.into_iter().map(output).collect(),
    }
}

fn payee() -> ScriptBuf {
    ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array([1; 20]))
}

fn anchor() -> ScriptBuf {
    ScriptBuf::from_bytes(vec![0x51, 0x02, 0x4e, 0x73])
}
