//! A wallet with ten thousand transactions. `cargo test --release -p treasury big -- --ignored --nocapture` tells how
//! long things take; what is asserted is only that they are right.

use std::time::Instant;

use super::*;

const NET: Network = Network::Regtest;
const TRANSACTIONS: u32 = 10_000;

#[test]
#[ignore = "it measures, and takes its time without optimisation"]
#[allow(clippy::disallowed_methods, reason = "it measures")]
fn a_big_wallet_answers_at_once() {
    let mut world = World::new(NET);
    for _ in 0..TRANSACTIONS / 10 {
        let scripts: Vec<_> = (0..10).map(|_| world.wallet.fresh_address().1.script_pubkey()).collect();
        let txs: Vec<_> = scripts.into_iter().map(|script| world.foreign(&[(script, 10_000)])).collect();
        world.mine(&txs);
        world.keep();
    }
    let time = |what: &str, run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        println!("{what}: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    };
    let script = world.wallet.fresh_address().1.script_pubkey();
    let tx = world.foreign(&[(script, 10_000)]);
    time("a block with a payment, to balance", &mut || {
        world.mine(std::slice::from_ref(&tx));
        assert_eq!(world.wallet.balance().total.confirmed, sats(u64::from(TRANSACTIONS + 1) * 10_000));
    });
    time("first page", &mut || assert_eq!(world.wallet.history(0, 50).entries.len(), 50));
    time("page in the middle", &mut || assert_eq!(world.wallet.history(5_000, 50).entries.len(), 50));
    time("payment prepared", &mut || drop(world.prepare(&pay(NET, 1_000_000)).unwrap()));
    let draft = world.prepare(&pay(NET, 1_000_000)).unwrap();
    time("payment signed", &mut || assert_eq!(world.sign(&draft), draft.txid()));
    let mut json = String::new();
    time("snapshot written", &mut || json = serde_json::to_string(&world.wallet.snapshot()).unwrap());
    println!("snapshot: {} bytes", json.len());
    time("wallet loaded", &mut || drop(Wallet::load(serde_json::from_str(&json).unwrap()).unwrap()));
}
