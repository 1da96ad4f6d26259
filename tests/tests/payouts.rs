//! Who gets what of an artist's income, to the satoshi: investors, collaborators, fans, and whoever came too late.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use chain::testenv::{Bitcoind, Purse, nobody};
use serde_json::{Value, json};
use tests::{Daemon, Folder, money::*};

/// Audits by peers that were never there, which all have to say the same as the artist.
fn audits_of_strangers(bitcoind: &Bitcoind, artist: &Daemon, is_enough: impl Fn(&Value) -> bool) -> Value {
    let known = complete_audit(artist, artist.id(), &is_enough);
    let strangers = [(); 3].map(|()| daemon(Folder::new(), bitcoind, &[artist]));
    for stranger in &strangers {
        assert_eq!(complete_audit(stranger, artist.id(), &is_enough), known);
    }
    serde_json::from_str(&known).unwrap()
}

fn line(paid: &Value, is_it: impl Fn(&Value) -> bool) -> u64 {
    let found: Vec<Value> = list(paid, "lines").into_iter().filter(is_it).collect();
    sum(&found, "sat")
}

#[test]
fn a_payout_divides_income_among_investors_collaborators_and_fans() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 6);
    let artist = member("Ada", &bitcoind, &mut purse, &[]);
    let mira = member("Mira", &bitcoind, &mut purse, &[&artist]);
    let one = member("One", &bitcoind, &mut purse, &[&artist, &mira]);
    let two = member("Two", &bitcoind, &mut purse, &[&artist, &one]);
    let fan = member("Fan", &bitcoind, &mut purse, &[&artist, &two]);
    let all = [&artist, &mira, &one, &two, &fan];
    mine(&bitcoind, &all);
    let split = format!("{}=10", mira.id());
    let offer = artist.until("the collaborator's addresses", |artist| {
        let args = ["offer", "create", "--goal", "300000", "--share", "20", "--expiry", "2090-12-31"];
        let output = artist.folder().output(&[&args[..], &["--split", &split]].concat());
        let made: Value = serde_json::from_slice(&output.stdout).ok()?;
        made["offer_id"].as_str().map(str::to_owned)
    });
    [&one, &two].iter().for_each(|investor| drop(until_offer(investor, &offer)));

    // Both see room for all of it: one of them is beyond the goal with a part, by the order of the chain.
    let notes = [&one, &two]
        .map(|investor| text(&pay(investor, &bitcoind, &["invest", &offer, "200000"]), "note_id"));
    mine(&bitcoind, &all);
    pay(&fan, &bitcoind, &["tip", artist.id(), "100000"]);
    mine(&bitcoind, &all);
    let noted = |audit: &Value| list(audit, "notes").len() == 2;
    let before = audits_of_strangers(&bitcoind, &artist, noted);
    assert_eq!(
        (number(&before, "income_sat"), before["offers"][0]["raised_sat"].clone()),
        (100_000, json!(300_000))
    );
    // Of 100,000 a tenth is Mira's, a fifth of the rest is the investors', by what counts of their principal.
    assert_eq!(before["offers"][0]["splits"][0]["owed_sat"], 10_000);
    let state = |audit: &Value, note: &str| {
        list(audit, "notes").into_iter().find(|it| it["note_id"] == note).unwrap()
    };
    let states = notes.clone().map(|note| state(&before, &note));
    assert_eq!(sum(&states, "accepted_sat"), 300_000);
    assert_eq!(sum(&states, "refund_sat"), 100_000);
    for state in &states {
        assert_eq!(number(state, "earned_sat"), number(state, "accepted_sat") * 18_000 / 300_000);
        assert_eq!(number(state, "owed_sat"), number(state, "earned_sat") + number(state, "refund_sat"));
    }

    // One payment, with a present for the fan.
    unlock(&artist);
    let present = format!("{}=1234", fan.id());
    let trial = artist.run(&["payout", &offer, "--fan", &present, "--dry-run"]);
    let balances = all.map(|daemon| balance(daemon).0);
    let paid = pay(&artist, &bitcoind, &["payout", &offer, "--fan", &present]);
    assert_eq!(sum(&list(&trial, "lines"), "sat"), sum(&list(&paid, "lines"), "sat"));
    mine(&bitcoind, &all);
    let got = [
        0,
        line(&paid, |line| line["peer"] == mira.id() && line["note_id"] == Value::Null),
        line(&paid, |line| line["note_id"] == notes[0]),
        line(&paid, |line| line["note_id"] == notes[1]),
        line(&paid, |line| line["peer"] == fan.id()),
    ];
    assert_eq!(got[1..], [10_000, number(&states[0], "owed_sat"), number(&states[1], "owed_sat"), 1_234]);
    let total: u64 = got.iter().sum();
    assert_eq!(total, 10_000 + 18_000 + 100_000 + 1_234);
    for ((daemon, before), got) in all.into_iter().zip(balances).zip(got).skip(1) {
        assert_eq!(balance(daemon), (before + got, 0), "{}", daemon.id());
    }
    assert_eq!(balance(&artist), (balances[0] - total - number(&paid, "fee_sat"), 0));

    // Anybody sees that all of it was paid.
    let all_paid = |audit: &Value| noted(audit) && audit["offers"][0]["owed_sat"] == 0;
    let after = audits_of_strangers(&bitcoind, &artist, all_paid);
    assert_eq!(after["rewards_sat"], 1_234);
    assert_eq!(after["offers"][0]["splits"][0]["paid_sat"], 10_000);
    assert_eq!(after["payouts"], json!([paid["txid"]]));
    for (note, before) in notes.iter().zip(&states) {
        let after = state(&after, note);
        assert_eq!((&after["paid_sat"], &after["owed_sat"]), (&before["earned_sat"], &json!(0)));
        assert_eq!(after["refunded_sat"], before["refund_sat"]);
    }
    assert_eq!(artist.fail(&["payout", &offer]), "nothing_owed");
    // Exactly so much, ahead of what is earned, and never above what the caps leave.
    assert_eq!(artist.fail(&["payout", &offer, "--amount", "432001"]), "amount_above_caps");
    let ahead = artist.run(&["payout", &offer, "--amount", "30000", "--dry-run"]);
    assert_eq!(sum(&list(&ahead, "lines"), "sat"), 30_000);
}

#[test]
fn a_note_that_was_declined_is_over_and_its_money_back() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 3);
    let artist = member("Ada", &bitcoind, &mut purse, &[]);
    let one = member("One", &bitcoind, &mut purse, &[&artist]);
    let fan = member("Fan", &bitcoind, &mut purse, &[&artist, &one]);
    mine(&bitcoind, &[&artist, &one, &fan]);
    let offer = offer(&artist, &[]);
    until_offer(&one, &offer);
    let before = balance(&one).0;
    let invested = pay(&one, &bitcoind, &["invest", &offer, "300000"]);
    mine(&bitcoind, &[&artist, &one, &fan]);
    let note = text(&invested, "note_id");
    artist.until("the note", |artist| {
        (!list(&artist.run(&["offer", "show", &offer]), "notes").is_empty()).then_some(())
    });
    pay(&artist, &bitcoind, &["refund", &note]);
    mine(&bitcoind, &[&artist, &one, &fan]);
    until_note(&one, &note, "refunded");
    assert_eq!(balance(&one), (before - number(&invested, "fee_sat"), 0));
    // It earns nothing, cannot be declined again, and there is room for others.
    until_offer(&fan, &offer);
    pay(&fan, &bitcoind, &["tip", artist.id(), "50000"]);
    mine(&bitcoind, &[&artist, &one, &fan]);
    assert_eq!(artist.fail(&["refund", &note]), "note_has_earned");
    assert_eq!(artist.fail(&["payout", &offer]), "nothing_owed");
    let audit = audits_of_strangers(&bitcoind, &artist, |audit| audit["income_sat"] == 50_000);
    assert_eq!(
        (&audit["notes"][0]["status"], &audit["notes"][0]["refunded_sat"]),
        (&json!("declined"), &json!(300_000))
    );
    assert_eq!((&audit["offers"][0]["raised_sat"], &audit["artist_sat"]), (&json!(0), &json!(50_000)));
    let trial = one.run(&["invest", &offer, "300000", "--dry-run"]);
    assert_eq!(trial["principal_sat"], 300_000);
}

/// Three days of the chain's time go by, whatever waits.
fn let_days_pass(bitcoind: &Bitcoind) {
    let tip = bitcoind.rpc("getblockheader", json!([bitcoind.tip().hash]));
    let mut time = number(&tip, "time");
    for _ in 0..36 {
        time += 2 * 3600;
        bitcoind.rpc("setmocktime", json!([time]));
        bitcoind.rpc("generateblock", json!([nobody(1).to_string(), []]));
    }
}

#[test]
fn a_note_ends_by_the_chains_time_and_what_came_too_late_goes_back() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 3);
    let artist = member("Ada", &bitcoind, &mut purse, &[]);
    let one = member("One", &bitcoind, &mut purse, &[&artist]);
    let two = member("Two", &bitcoind, &mut purse, &[&artist, &one]);
    let all = [&artist, &one, &two];
    mine(&bitcoind, &all);
    let now = number(&bitcoind.rpc("getblockheader", json!([bitcoind.tip().hash])), "time");
    let tomorrow = (now + 24 * 3600).to_string();
    let day = std::process::Command::new("date")
        .args(["-u", "-d", &format!("@{tomorrow}"), "+%F"])
        .output()
        .unwrap();
    let day = String::from_utf8(day.stdout).unwrap();
    let args = ["offer", "create", "--goal", "300000", "--share", "20", "--expiry", day.trim()];
    let offer = text(&artist.run(&args), "offer_id");
    [&one, &two].iter().for_each(|daemon| drop(until_offer(daemon, &offer)));
    let first = text(&pay(&one, &bitcoind, &["invest", &offer, "150000"]), "note_id");
    mine(&bitcoind, &all);
    pay(&two, &bitcoind, &["tip", artist.id(), "40000"]);
    mine(&bitcoind, &all);

    // Signed in time, but in a block only when the offer is over.
    let late = pay(&two, &bitcoind, &["invest", &offer, "100000"]);
    let_days_pass(&bitcoind);
    all.iter().for_each(|daemon| until_synced(daemon, &bitcoind));
    until_note(&one, &first, "expired");
    assert_eq!(one.fail(&["invest", &offer, "10000"]), "offer_expired");
    mine(&bitcoind, &all);
    pay(&two, &bitcoind, &["tip", artist.id(), "50000"]);
    mine(&bitcoind, &all);
    let late = text(&late, "note_id");
    until_note(&two, &late, "refundable");

    // What was earned in time is still owed; what came after is the artist's alone.
    let owed = 40_000 * 20 / 100 / 2;
    let trial = artist.run(&["payout", &offer, "--dry-run"]);
    assert_eq!(sum(&list(&trial, "lines"), "sat"), owed + 100_000);
    pay(&artist, &bitcoind, &["payout", &offer]);
    mine(&bitcoind, &all);
    until_note(&two, &late, "refunded");
    let audit = audits_of_strangers(&bitcoind, &artist, |audit| audit["offers"][0]["owed_sat"] == 0);
    assert_eq!((&audit["income_sat"], &audit["artist_sat"]), (&json!(90_000), &json!(90_000 - owed)));
    let earned = list(&audit, "notes");
    assert_eq!((sum(&earned, "paid_sat"), sum(&earned, "refunded_sat")), (owed, 100_000));
    assert_eq!(audit["offers"][0]["expired"], true);
}
