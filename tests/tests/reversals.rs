//! What the chain takes back: an investment, a tip and a payout that a reorganisation of six blocks drops.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use chain::testenv::{Bitcoind, Purse};
use serde_json::{Value, json};
use tests::{Daemon, Folder, money::*};

/// An artist that was invested in, tipped, and paid back, in the last six blocks of the chain.
struct Story {
    bitcoind: Bitcoind,
    artist: Daemon,
    investor: Daemon,
    fan: Daemon,
    offer: String,
    note: String,
    invested: String,
    paid: Value,
    owed: u64,
}

impl Story {
    fn begin() -> Self {
        let bitcoind = Bitcoind::start();
        let mut purse = Purse::fill(&bitcoind, 3);
        let artist = member("Ada", &bitcoind, &mut purse, &[]);
        let investor = member("One", &bitcoind, &mut purse, &[&artist]);
        let fan = member("Two", &bitcoind, &mut purse, &[&artist, &investor]);
        mine(&bitcoind, &[&artist, &investor, &fan]);
        let offer = offer(&artist, &[]);
        until_offer(&investor, &offer);
        until_offer(&fan, &offer);

        let invested = pay(&investor, &bitcoind, &["invest", &offer, "100000"]);
        mine(&bitcoind, &[&artist, &investor, &fan]);
        pay(&fan, &bitcoind, &["tip", artist.id(), "60000"]);
        mine(&bitcoind, &[&artist, &investor, &fan]);
        let owed = artist.until("something to pay back", |artist| {
            Some(number(&artist.run(&["offer", "show", &offer]), "owed_sat")).filter(|owed| *owed > 0)
        });
        let paid = pay(&artist, &bitcoind, &["payout", &offer]);
        bitcoind.mine(4);
        let (note, invested) = (text(&invested, "note_id"), text(&invested, "txid"));
        let story = Self { bitcoind, artist, investor, fan, offer, note, invested, paid, owed };
        story.all().iter().for_each(|daemon| until_synced(daemon, &story.bitcoind));
        story
    }

    fn all(&self) -> [&Daemon; 3] {
        [&self.artist, &self.investor, &self.fan]
    }

    /// Six blocks go, and no Bitcoin node remembers what was in them.
    fn lose_six_blocks(&mut self) {
        self.bitcoind.reorganise(6);
        self.bitcoind.forget_mempool();
        self.all().iter().for_each(|daemon| until_synced(daemon, &self.bitcoind));
    }

    /// What an audit says of the only note: owed, paid.
    fn of_note(&self, audit: &Value) -> (u64, u64) {
        let notes = list(audit, "notes");
        assert_eq!((notes.len(), &notes[0]["note_id"]), (1, &json!(self.note)));
        (number(&notes[0], "owed_sat"), number(&notes[0], "paid_sat"))
    }
}

#[test]
fn an_investment_a_tip_and_a_payout_come_back_and_nothing_is_paid_twice() {
    let mut story = Story::begin();
    let before: Vec<(u64, u64)> = story.all().map(balance).into();
    story.lose_six_blocks();

    // Nobody is told that what is gone was still there, and the artist cannot pay it out once more.
    assert_eq!(list(&story.investor.run(&["notes"]), "notes")[0]["status"], "pending");
    let lost = audited(&story.fan, story.artist.id());
    assert_eq!((number(&lost, "income_sat"), list(&lost, "notes").len()), (0, 0));
    assert_eq!(story.artist.fail(&["payout", &story.offer]), "payout_pending");
    assert_eq!(story.artist.fail(&["refund", &story.note]), "payout_pending");

    // Whoever paid sends it again.
    for txid in [&story.invested, &text(&story.paid, "txid")] {
        until_in_mempool(&story.artist, &story.bitcoind, txid);
    }
    story.fan.until("the tip to wait again", |_| (waiting(&story.bitcoind) == 3).then_some(()));
    mine(&story.bitcoind, &story.all());
    let paid_back = |audit: &Value| list(audit, "notes").iter().any(|note| note["paid_sat"] == story.owed);
    let audited = complete_audit(&story.fan, story.artist.id(), paid_back);
    assert_eq!(story.of_note(&serde_json::from_str(&audited).unwrap()).1, story.owed);
    let fresh = daemon(Folder::new(), &story.bitcoind, &[&story.investor]);
    for daemon in [&story.artist, &story.investor, &fresh] {
        assert_eq!(complete_audit(daemon, story.artist.id(), paid_back), audited);
    }
    assert_eq!(story.artist.fail(&["payout", &story.offer]), "nothing_owed");
    let after: Vec<(u64, u64)> = story.all().map(balance).into();
    assert_eq!(after, before);
    assert_eq!(waiting(&story.bitcoind), 0);
}

#[test]
fn a_payout_that_stood_on_an_investment_that_was_replaced_is_shown_as_void_and_made_again() {
    let mut story = Story::begin();
    let payout = text(&story.paid, "txid");
    story.lose_six_blocks();
    until_in_mempool(&story.investor, &story.bitcoind, &story.invested);
    let paid: Value = story.bitcoind.rpc("getrawtransaction", json!([story.invested, true]));
    assert_eq!(paid["vout"][0]["value"], json!(0.001));
    // The same note, by a transaction of another name: whatever spends the old one's coins is nothing any more.
    let bumped = story.investor.run(&["wallet", "bump", &story.invested, "--fee-rate", "60"]);
    let bumped = text(&bumped, "txid");
    until_in_mempool(&story.investor, &story.bitcoind, &bumped);
    story.fan.until("the tip to wait again", |_| (waiting(&story.bitcoind) >= 2).then_some(()));
    mine(&story.bitcoind, &story.all());
    let state = story.artist.until("the payout to be settled", |artist| {
        let state = text(&entry(artist, &payout)?, "state");
        ["conflicted", "confirming"].contains(&state.as_str()).then_some(state).or_else(|| {
            story.bitcoind.mine(1);
            None
        })
    });
    story.all().iter().for_each(|daemon| until_synced(daemon, &story.bitcoind));
    let settled = complete_audit(&story.fan, story.artist.id(), |audit| list(audit, "notes").len() == 1);
    let (_, paid) = story.of_note(&serde_json::from_str(&settled).unwrap());
    match state.as_str() {
        "confirming" => assert_eq!(paid, story.owed, "it spent other coins"),
        _ => {
            assert_eq!(paid, 0);
            let again = pay(&story.artist, &story.bitcoind, &["payout", &story.offer]);
            assert!(sum(&list(&again, "lines"), "sat") >= 330);
            mine(&story.bitcoind, &story.all());
        }
    }
    assert_eq!(story.artist.fail(&["payout", &story.offer]), "nothing_owed");
    let outgoing = list(&story.artist.run(&["wallet", "history"]), "transactions");
    let outgoing =
        outgoing.iter().filter(|tx| tx["state"] == "confirming" && tx["net_sat"].as_i64() < Some(0));
    assert_eq!(outgoing.count(), 1, "one payout holds");
}
