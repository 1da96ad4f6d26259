//! Money between listeners and artists: real daemons on a real Bitcoin chain of their own.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use chain::testenv::{Bitcoind, Purse};
use serde_json::{Value, json};
use tests::{Daemon, Folder, arg, money::*};

#[test]
fn listeners_pay_an_artist_who_is_away_and_anybody_recomputes_it() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 5);
    let artist = member("Ada", &bitcoind, &mut purse, &[]);
    let one = member("One", &bitcoind, &mut purse, &[&artist]);
    let two = member("Two", &bitcoind, &mut purse, &[&artist, &one]);
    let three = member("Three", &bitcoind, &mut purse, &[&artist, &one, &two]);
    mine(&bitcoind, &[&artist, &one, &two, &three]);

    // The offer is previewed, signed, and known to all when the artist goes.
    let trial = ["--goal", "300000", "--share", "20", "--expiry", "2090-12-31", "--dry-run"];
    let trial = artist.run(&[&["offer", "create"][..], &trial].concat());
    assert_eq!(trial["offer_id"], Value::Null);
    assert!(list(&trial, "example").iter().all(|it| {
        it["income_sat"].as_u64()
            == Some(
                sum(std::slice::from_ref(it), "investors_sat") + sum(std::slice::from_ref(it), "artist_sat"),
            )
    }));
    assert!(list(&artist.run(&["offer", "list"]), "offers").is_empty());
    let offer = offer(&artist, &["--title", "A record"]);
    for listener in [&one, &two, &three] {
        assert_eq!(until_offer(listener, &offer)["goal_sat"], 300_000);
    }
    let ada = artist.id().to_owned();
    let away = artist.stop();

    // They invest, and tip when that is in a block, so that the tips are income after the investments.
    let mut notes = Vec::new();
    for listener in [&one, &two, &three] {
        let trial = listener.run(&["invest", &offer, "100000", "--dry-run"]);
        assert_eq!(trial["warnings"][0]["code"], "loss_possible");
        assert_eq!((&trial["txid"], &trial["cap_sat"]), (&Value::Null, &json!(150_000)));
        let invested = listener.run(&["invest", &offer, "0.001btc", "--yes"]);
        until_in_mempool(listener, &bitcoind, &text(&invested, "txid"));
        notes.push(text(&invested, "note_id"));
    }
    assert_eq!(list(&one.run(&["notes"]), "notes")[0]["status"], "pending");
    mine(&bitcoind, &[&one, &two, &three]);
    assert_eq!(one.fail(&["invest", &offer, "5000"]), "offer_full");
    for listener in [&one, &two, &three] {
        let tipped = listener.run(&["tip", &ada, "50000", "--memo", "for the road"]);
        until_in_mempool(listener, &bitcoind, &text(&tipped, "txid"));
    }
    mine(&bitcoind, &[&one, &two, &three]);

    // The chain takes three blocks back, and brings all of it again.
    bitcoind.mine(1);
    bitcoind.reorganise(3);
    for listener in [&one, &two, &three] {
        until_synced(listener, &bitcoind);
        assert_eq!(list(&listener.run(&["notes"]), "notes")[0]["status"], "pending");
    }
    one.until("the payments to wait again", |_| {
        (bitcoind.rpc("getrawmempool", json!([])).as_array().unwrap().len() >= 6).then_some(())
    });
    mine(&bitcoind, &[&one, &two, &three]);

    // The artist comes back and sees who did what.
    let artist = daemon(away, &bitcoind, &[&one, &two, &three]);
    until_synced(&artist, &bitcoind);
    let tips = artist.until("three tips", |artist| {
        let tips = list(&artist.run(&["tips"]), "payments");
        (tips.len() == 3 && tips.iter().all(|tip| tip["confirmations"] == 1)).then_some(tips)
    });
    assert_eq!(sum(&tips, "amount_sat"), 150_000);
    artist.run(&["thank", &text(&tips[0], "payment_id"), "It means a lot."]);
    let shown = artist.until("three notes", |artist| {
        let shown = artist.run(&["offer", "show", &offer]);
        (list(&shown, "notes").len() == 3).then_some(shown)
    });
    assert_eq!(shown["raised_sat"], 300_000);

    // One more tip, which is seen while it waits for its block.
    let tipped = two.run(&["tip", &ada, "50000"]);
    artist.until("a tip without a block", |artist| {
        let tips = list(&artist.run(&["tips"]), "payments");
        tips.iter().any(|tip| tip["txid"] == tipped["txid"] && tip["confirmations"] == 0).then_some(())
    });
    assert_eq!(artist.run(&["income"])["pending_sat"], 50_000);
    mine(&bitcoind, &[&artist, &one, &two, &three]);
    let income = artist.run(&["income"]);
    assert_eq!(income["confirmed_sat"], 200_000);
    assert_eq!(sum(&list(&income, "supporters"), "sat"), 200_000);
    assert_eq!(sum(&list(&income, "days"), "sat"), 200_000);

    // All that is owed is shown, then paid with one payment.
    let owed = artist.run(&["offer", "show", &offer])["owed_sat"].as_u64().unwrap();
    assert!(owed > 0, "the tips came after the notes");
    unlock(&artist);
    let trial = artist.run(&["payout", &offer, "--dry-run"]);
    assert_eq!((list(&trial, "lines").len(), sum(&list(&trial, "lines"), "sat")), (3, owed));
    let paid = artist.run(&["payout", &offer]);
    assert_eq!(sum(&list(&paid, "lines"), "sat"), owed);
    assert_eq!(artist.fail(&["payout", &offer]), "payout_pending");
    until_in_mempool(&artist, &bitcoind, &text(&paid, "txid"));
    mine(&bitcoind, &[&artist, &one, &two, &three]);
    assert_eq!(artist.fail(&["payout", &offer]), "nothing_owed");
    for (listener, note) in [&one, &two, &three].into_iter().zip(&notes) {
        let own = listener.until("what was paid back", |listener| {
            list(&listener.run(&["notes"]), "notes")
                .into_iter()
                .find(|own| own["paid_sat"].as_u64() > Some(0))
        });
        assert_eq!((&own["note_id"], &own["status"]), (&json!(note), &json!("active")));
    }
    let thanked =
        list(&one.run(&["tips"]), "payments").into_iter().chain(list(&two.run(&["tips"]), "payments"));
    assert!(
        thanked.chain(list(&three.run(&["tips"]), "payments")).any(|tip| tip["thanks"] == "It means a lot.")
    );

    // Somebody who was never there recomputes the same, byte for byte; and all of them do after a restart.
    let all_paid = |audit: &Value| sum(&list(audit, "notes"), "paid_sat") == owed;
    let fresh = daemon(Folder::new(), &bitcoind, &[&one]);
    let audited = complete_audit(&fresh, &ada, all_paid);
    let read: Value = serde_json::from_str(&audited).unwrap();
    assert_eq!((&read["artist_id"], list(&read, "notes").len()), (&json!(ada), 3));
    assert_eq!(sum(&list(&read, "notes"), "owed_sat"), 0);
    for daemon in [&artist, &one, &two, &three] {
        assert_eq!(complete_audit(daemon, &ada, all_paid), audited);
    }
    let folders: Vec<Folder> = [artist, one, two, three, fresh].map(Daemon::stop).into();
    let again: Vec<Daemon> = folders.into_iter().map(|folder| daemon(folder, &bitcoind, &[])).collect();
    for daemon in &again {
        assert_eq!(complete_audit(daemon, &ada, all_paid), audited);
    }
    assert_eq!(list(&again[1].run(&["notes"]), "notes")[0]["note_id"], json!(notes[0]));
}

#[test]
fn what_cannot_be_kept_is_refused_before_anything_is_paid() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 2);
    let artist = member("Ada", &bitcoind, &mut purse, &[]);
    let listener = member("One", &bitcoind, &mut purse, &[&artist]);
    mine(&bitcoind, &[&artist, &listener]);
    let create = |more: &[&str]| artist.fail(&[&["offer", "create"], more].concat());
    let day = ["--expiry", "2090-12-31"];
    assert_eq!(create(&[&["--goal", "300000", "--share", "101"], &day[..]].concat()), "record_body");
    assert_eq!(create(&[&["--goal", "100", "--share", "10"], &day[..]].concat()), "record_body");
    assert_eq!(create(&["--goal", "300000", "--share", "10", "--expiry", "2020-12-31"]), "offer_expired");

    let offer = offer(&artist, &[]);
    until_offer(&listener, &offer);
    assert_eq!(listener.fail(&["invest", &offer, "300001"]), "amount_above_goal");
    assert_eq!(artist.fail(&["invest", &offer, "1000"]), "payee_self");
    assert_eq!(artist.fail(&["tip", artist.id(), "1000"]), "payee_self");
    assert_eq!(listener.fail(&["tip", &"ab".repeat(32), "5000"]), "artist_not_payable");
    assert_eq!(listener.fail(&["invest", &"cd".repeat(32), "5000"]), "offer_unknown");
    assert_eq!(listener.fail(&["payout", &offer]), "offer_not_own");

    // An investment that is declined goes back whole.
    let invested = listener.run(&["invest", &offer, "100000"]);
    until_in_mempool(&listener, &bitcoind, &text(&invested, "txid"));
    mine(&bitcoind, &[&artist, &listener]);
    let note = text(&invested, "note_id");
    artist.until("the note", |artist| {
        (list(&artist.run(&["offer", "show", &offer]), "notes").len() == 1).then_some(())
    });
    let refund = artist.run(&["refund", &note]);
    assert_eq!(sum(&list(&refund, "lines"), "sat"), 100_000);
    until_in_mempool(&artist, &bitcoind, &text(&refund, "txid"));
    mine(&bitcoind, &[&artist, &listener]);
    listener.until("the investment to be back", |listener| {
        (list(&listener.run(&["notes"]), "notes")[0]["status"] == "refunded").then_some(())
    });

    // Without any Bitcoin node the offers are still there, and it is said why amounts are not of now.
    drop(bitcoind);
    let offers = listener.run(&["offer", "list"]);
    assert_eq!(list(&offers, "offers").len(), 1);
    assert!(!text(&offers, "waiting").is_empty());
    assert_eq!(listener.fail(&["audit", artist.id()]), "bitcoin_no_peer");
}

#[test]
fn a_tip_is_paid_once_although_the_process_dies() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 2);
    let artist = member("Ada", &bitcoind, &mut purse, &[]);
    let mut listener = member("One", &bitcoind, &mut purse, &[&artist]);
    mine(&bitcoind, &[&artist, &listener]);
    offer(&artist, &[]);
    listener.until("somebody to pay", |listener| {
        (!list(&listener.run(&["offer", "list"]), "offers").is_empty()).then_some(())
    });
    for place in ["signed", "kept", "published", "sent"] {
        let dying = doomed(listener.stop(), &bitcoind, place);
        until_synced(&dying, &bitcoind);
        let file = passphrase(dying.folder());
        let tip = ["tip", artist.id(), "20000", "--key", place, "--passphrase-file", arg(&file)];
        // It dies before or after it answers.
        let _ = dying.folder().output(&tip);
        let (code, folder) = dying.ended();
        assert_eq!(code, None, "{place}: it was not killed");
        listener = daemon(folder, &bitcoind, &[&artist]);
        until_synced(&listener, &bitcoind);
        let tipped = listener.run(&tip);
        until_in_mempool(&listener, &bitcoind, &text(&tipped, "txid"));
        assert_eq!(bitcoind.rpc("getrawmempool", json!([])).as_array().unwrap().len(), 1, "{place}");
        mine(&bitcoind, &[&artist, &listener]);
    }
    let tips = artist.until("four tips", |artist| {
        let tips = list(&artist.run(&["tips"]), "payments");
        (tips.len() == 4).then_some(tips)
    });
    assert_eq!(sum(&tips, "amount_sat"), 80_000);
    assert_eq!(artist.run(&["income"])["confirmed_sat"], 80_000);
}
