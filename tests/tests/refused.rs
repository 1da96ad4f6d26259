//! What a command about money cannot do is refused with a stable code, and nothing is paid.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use chain::testenv::{Bitcoind, Purse};
use serde_json::Value;
use tests::{Daemon, arg, money::*};

/// Runs commands that must all fail with their codes.
fn refused(daemon: &Daemon, cases: &[(&[&str], &str)]) {
    let told = cases.iter().map(|(args, code)| (args.join(" "), daemon.fail(args), *code));
    let other: Vec<_> = told.filter(|(_, told, code)| told != code).collect();
    assert!(other.is_empty(), "{other:?}");
}

/// Runs commands that cannot even be understood: no number, or one that no amount can be.
fn misspelt(daemon: &Daemon, cases: &[&[&str]]) {
    for args in cases {
        let output = daemon.folder().output(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains("usage"), "{args:?}: {said}");
    }
}

#[test]
fn every_way_to_pay_refuses_what_cannot_be_paid() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 3);
    let artist = member("Ada", &bitcoind, &mut purse, &[]);
    let one = member("One", &bitcoind, &mut purse, &[&artist]);
    mine(&bitcoind, &[&artist, &one]);
    let offer = offer(&artist, &[]);
    until_offer(&one, &offer);
    let (ada, nobody) = (artist.id().to_owned(), "ab".repeat(32));
    let before = balance(&one);

    for amount in
        ["0", "-1", "0.5", "1.5sat", "much", "21000000.00000001btc", "2100000000000001", "0.000000001btc", ""]
    {
        misspelt(&one, &[&["tip", &ada, amount], &["invest", &offer, amount]]);
        misspelt(
            &artist,
            &[
                &["payout", &offer, "--amount", amount],
                &["payout", &offer, "--fan", &format!("{}={amount}", one.id())],
                &["offer", "create", "--goal", amount, "--share", "5", "--expiry", "2090-12-31"],
            ],
        );
    }
    misspelt(
        &one,
        &[
            &["tip", &ada],
            &["tip", &ada, "1000", "--fee-rate", "-1"],
            &["tip", &ada, "1000", "--fee-rate", "NaN"],
            &["invest", &offer],
        ],
    );
    let long = "x".repeat(10_000);
    let key = "k".repeat(65);
    let all = "21000000btc";
    refused(
        &one,
        &[
            (&["tip", &ada, "100", "--now"], "amount_dust"),
            (&["tip", &ada, "1000001"], "insufficient_funds"),
            (&["tip", &ada, all], "insufficient_funds"),
            (&["tip", &ada, "5000", "--now", "--fee-rate", "5000"], "fee_above_cap"),
            (&["tip", &ada, "5000", "--now", "--fee-rate", "0.001"], "fee_too_low"),
            (&["tip", &ada, "5000", "--memo", &long], "record_body"),
            (&["tip", &ada, "5000", "--memo", "bell\u{7}"], "record_body"),
            (&["tip", &ada, "5000", "--key", &key], "key_too_long"),
            (&["tip", one.id(), "5000"], "payee_self"),
            (&["tip", &nobody, "5000"], "artist_not_payable"),
            (&["tip", "0000000000", "5000"], "id_unknown"),
            (&["tip", "--waiting"], "no_tips_waiting"),
            (&["thank", &nobody, "Thanks"], "payment_unknown"),
            (&["invest", &offer, "100"], "amount_dust"),
            (&["invest", &offer, "300001"], "amount_above_goal"),
            (&["invest", &offer, all], "amount_above_goal"),
            (&["invest", &offer, "100000", "--fee-rate", "5000"], "fee_above_cap"),
            (&["invest", &nobody, "100000"], "offer_unknown"),
            (&["payout", &offer], "offer_not_own"),
            (&["payout", &nobody], "offer_unknown"),
            (&["refund", &nobody], "unknown_note"),
            (&["offer", "show", &nobody], "offer_unknown"),
            (&["wallet", "bump", &nobody], "bump_impossible"),
            (&["wallet", "bump", "not a txid"], "txid_malformed"),
            (
                &["wallet", "send", &format!("bitcoin:{}?amount=0.1&req-lightning=1", one_address(&one))],
                "uri_invalid",
            ),
            (
                &["wallet", "send", &format!("bitcoin:{}?amount=21000001", one_address(&one))],
                "amount_too_large",
            ),
            (&["wallet", "freeze", "nonsense"], "outpoint_malformed"),
        ],
    );

    let (expiry, share) = (["--expiry", "2090-12-31"], ["--share", "5"]);
    let create = |goal: &'static str, more: &[&'static str]| -> Vec<&'static str> {
        [&["offer", "create", "--goal", goal][..], more].concat()
    };
    let with = |more: &[&'static str]| create("300000", &[&share, &expiry, more].concat());
    let split = format!("{}=96", one.id());
    let unpaid = format!("{nobody}=5");
    for (args, code) in [
        (create("300000", &[&["--share", "100.01"], &expiry[..]].concat()), "record_body"),
        (create("300000", &[&["--share", "0"], &expiry[..]].concat()), "record_body"),
        (create("100", &[&share, &expiry[..]].concat()), "record_body"),
        (create("21000000btc", &[&["--share", "5", "--cap", "655.35"], &expiry[..]].concat()), "record_body"),
        (create("300000", &[&share[..], &["--expiry", "2020-01-01"]].concat()), "offer_expired"),
        (create("300000", &[&share[..], &["--expiry", "2027-02-30"]].concat()), "date_malformed"),
        (create("300000", &[&share[..], &["--expiry", "soon"]].concat()), "date_malformed"),
        (with(&["--cap", "0"]), "record_body"),
        (with(&["--title", "bell\u{7}"]), "record_body"),
    ] {
        assert_eq!(artist.fail(&args), code, "{args:?}");
    }
    artist.until("the listener's addresses", |artist| {
        let code = artist.fail(&[&with(&[])[..], &["--split", &split]].concat());
        (code == "shares_too_large").then_some(())
    });
    assert_eq!(artist.fail(&[&with(&[])[..], &["--split", &unpaid]].concat()), "artist_not_payable");
    assert_eq!(artist.fail(&["payout", &offer, "--amount", "5000"]), "amount_above_caps");
    assert_eq!(artist.fail(&["payout", &offer, "--fan", &format!("{}=100", one.id())]), "amount_dust");
    assert_eq!(artist.fail(&["payout", &offer, "--fan", &format!("{nobody}=5000")]), "artist_not_payable");

    // What is locked is not paid, and a wrong passphrase is said so.
    one.run(&["wallet", "lock"]);
    let wrong = file(one.folder(), "wrong", "correct horse");
    refused(
        &one,
        &[
            (&["tip", &ada, "5000"], "wallet_locked"),
            (&["invest", &offer, "100000"], "wallet_locked"),
            (&["tip", &ada, "5000", "--passphrase-file", arg(&wrong)], "passphrase_wrong"),
        ],
    );
    // A trial needs no key.
    assert_eq!(one.run(&["tip", &ada, "5000", "--dry-run"])["txid"], Value::Null);
    assert_eq!(balance(&one), before);
    assert_eq!(waiting(&bitcoind), 0);
}

fn one_address(daemon: &Daemon) -> String {
    text(&daemon.run(&["wallet", "address"]), "address")
}
