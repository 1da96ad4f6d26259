//! One wallet, or one artist, in two places.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use chain::testenv::{Bitcoind, Purse, nobody};
use domain::bitcoin::Amount;
use serde_json::{Value, json};
use tests::{Daemon, Folder, arg, money::*};

/// Brings a wallet back by its words.
fn restore(daemon: &Daemon, words: &str) {
    let (words, pass) = (file(daemon.folder(), "words", words), passphrase(daemon.folder()));
    daemon.run(&["wallet", "restore", "--words-file", arg(&words), "--passphrase-file", arg(&pass)]);
}

#[test]
fn two_clients_of_one_wallet_see_what_each_of_them_pays() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 3);
    let here = daemon(Folder::new(), &bitcoind, &[]);
    let words = create(&here);
    for _ in 0..2 {
        let address = text(&here.run(&["wallet", "address"]), "address");
        purse.pay(&bitcoind, &script(&address), Amount::from_sat(300_000));
    }
    mine(&bitcoind, &[&here]);
    let there = daemon(Folder::new(), &bitcoind, &[]);
    restore(&there, &words);
    until_synced(&there, &bitcoind);
    there.until("the same money", |there| (balance(there) == balance(&here)).then_some(()));

    // Each pays, and the other sees it before a block has it.
    let to = nobody(3).to_string();
    let coins = list(&here.run(&["wallet", "coins"]), "coins");
    let coins: Vec<String> = coins.iter().map(|coin| text(coin, "outpoint")).collect();
    let first = text(&pay(&here, &bitcoind, &["wallet", "send", &to, "50000", "--coin", &coins[0]]), "txid");
    let seen = there.until("the other's payment", |there| entry(there, &first));
    assert_eq!(seen["net_sat"], entry(&here, &first).unwrap()["net_sat"]);
    let second =
        text(&pay(&there, &bitcoind, &["wallet", "send", &to, "60000", "--coin", &coins[1]]), "txid");
    here.until("the other's payment", |here| entry(here, &second));
    mine(&bitcoind, &[&here, &there]);
    assert_eq!(balance(&here), balance(&there));
    for daemon in [&here, &there] {
        for txid in [&first, &second] {
            assert_eq!(entry(daemon, txid).unwrap()["state"], "confirming");
        }
    }

    // Both spend the same coin while they do not hear of each other: one of the two holds, and both say which.
    let coin = text(&list(&here.run(&["wallet", "coins"]), "coins")[0], "outpoint");
    let alone = there.stop();
    let mine_it = text(&pay(&here, &bitcoind, &["wallet", "send", &to, "70000", "--coin", &coin]), "txid");
    let there = daemon(alone, &bitcoind, &[]);
    until_synced(&there, &bitcoind);
    unlock(&there);
    let late = text(&there.run(&["wallet", "send", &to, "80000", "--coin", &coin]), "txid");
    mine(&bitcoind, &[&here, &there]);
    assert_eq!(entry(&there, &mine_it).unwrap()["state"], "confirming");
    let void = there.until("the late one to be void", |there| {
        entry(there, &late).filter(|tx| ["conflicted", "replaced"].contains(&tx["state"].as_str().unwrap()))
    });
    assert_ne!(void["state"], "confirming");
    assert_eq!(balance(&here), balance(&there));
}

#[test]
fn an_artist_in_two_places_pays_out_once() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 4);
    let studio = daemon(Folder::new(), &bitcoind, &[]);
    let words = create(&studio);
    purse.pay(
        &bitcoind,
        &script(&text(&studio.run(&["wallet", "address"]), "address")),
        Amount::from_sat(FUNDS),
    );
    let one = member("One", &bitcoind, &mut purse, &[&studio]);
    let fan = member("Two", &bitcoind, &mut purse, &[&studio, &one]);
    mine(&bitcoind, &[&studio, &one, &fan]);
    let offer = offer(&studio, &[]);
    [&one, &fan].iter().for_each(|daemon| drop(until_offer(daemon, &offer)));
    pay(&one, &bitcoind, &["invest", &offer, "100000"]);
    mine(&bitcoind, &[&studio, &one, &fan]);
    pay(&fan, &bitcoind, &["tip", studio.id(), "60000"]);
    mine(&bitcoind, &[&studio, &one, &fan]);
    let (ada, file) = (studio.id().to_owned(), studio.folder().path().join("who I am"));
    studio.run(&["identity", "export", arg(&file), "--plain"]);
    let at_home = studio.stop();

    // The other place learns who it is and what it signed, and pays out; no block has it yet.
    let road = daemon(Folder::new(), &bitcoind, &[&one, &fan]);
    road.run(&["identity", "import", arg(&file)]);
    road.until("a new start", |road| {
        let output = road.folder().output(&["status"]);
        String::from_utf8_lossy(&output.stdout).contains(&ada).then_some(())
    });
    road.run(&["join", &one.invite()]);
    restore(&road, &words);
    until_synced(&road, &bitcoind);
    let paid = road.until("the payout", |road| {
        let output = road.folder().output(&["payout", &offer]);
        serde_json::from_slice::<Value>(&output.stdout).ok().filter(|paid| paid["txid"].is_string())
    });
    until_in_mempool(&road, &bitcoind, &text(&paid, "txid"));
    one.until("the payout's record", |one| {
        let history = list(&one.run(&["wallet", "history"]), "transactions");
        history.iter().any(|tx| tx["txid"] == paid["txid"]).then_some(())
    });
    let on_the_road = road.stop();

    // At home nothing is known of it but what the others have, and no Bitcoin node tells of what it has told before.
    let studio = daemon(at_home, &bitcoind, &[&one, &fan]);
    until_synced(&studio, &bitcoind);
    unlock(&studio);
    let refused = studio.until("the other place to be known", |studio| {
        let output = studio.folder().output(&["payout", &offer, "--dry-run"]);
        (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
    });
    assert!(refused.contains("payout_pending"), "{refused}");
    let code = studio.fail(&["payout", &offer]);
    assert!(["payout_pending", "identity_in_use_elsewhere"].contains(&code.as_str()), "{code}");
    studio.run(&["identity", "take-over"]);
    assert_eq!(studio.fail(&["payout", &offer]), "payout_pending");
    assert_eq!(waiting(&bitcoind), 1);
    mine(&bitcoind, &[&studio, &one, &fan]);
    let paid_back = |audit: &Value| sum(&list(audit, "notes"), "paid_sat") == 4_000;
    let audited = complete_audit(&studio, &ada, paid_back);
    assert_eq!(studio.fail(&["payout", &offer]), "nothing_owed");

    // It goes on in one log: nobody sees a fork.
    let next = self::offer(&studio, &["--title", "Next"]);
    until_offer(&fan, &next);
    let whole = complete_audit(&fan, &ada, |audit| list(audit, "offers").len() == 2);
    assert_ne!(whole, audited);
    assert_eq!(serde_json::from_str::<Value>(&whole).unwrap()["problems"], json!([]));
    // And the place that was left does not sign any more once it hears of that.
    let road = daemon(on_the_road, &bitcoind, &[&one, &fan]);
    until_synced(&road, &bitcoind);
    unlock(&road);
    let refused = road.until("the other place to be known", |road| {
        let output = road.folder().output(&[
            "offer",
            "create",
            "--goal",
            "50000",
            "--share",
            "5",
            "--expiry",
            "2090-12-31",
        ]);
        (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
    });
    assert!(refused.contains("in_use_elsewhere") || refused.contains("cannot_publish"), "{refused}");
}
