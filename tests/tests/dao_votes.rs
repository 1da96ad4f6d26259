//! What members of a DAO can vote on, what they can take back, and how a DAO ends.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use chain::testenv::Bitcoind;
use serde_json::{Value, json};
use tests::{
    Daemon,
    dao::{self, claim, people, until_all_see},
    money::*,
};

const FEE: u64 = 50_000;

/// Proposes something, lets members approve it, and waits until it was done.
fn decide(bitcoind: &Bitcoind, for_it: &[&Daemon], fund: &str, what: &[&str]) {
    let id = dao::propose(for_it[0], fund, what[0], what);
    dao::vote(for_it, fund, &id, "yes");
    until_all_see(bitcoind, for_it, fund, &id, "confirmed");
}

fn is_in(shown: &Value, person: &Daemon, state: &str) -> bool {
    dao::member(shown, person.id()).is_some_and(|member| member["state"] == state)
}

#[test]
fn members_admit_change_a_rule_follow_part_and_dissolve() {
    let bitcoind = Bitcoind::start();
    let four = people(&bitcoind, ["Ada", "Ben", "Cleo", "Dan"]);
    let began = bitcoind.tip().height;
    let [ada, ben, cleo, dan] = &four;
    let all: Vec<&Daemon> = four.iter().collect();
    let founders = [ada, ben, cleo];
    let fund = dao::create(ada, "The fund", FEE, &["--policy", "admitted"]);
    dao::found(&bitcoind, &founders, &fund);

    // A wish can be taken back, and leaves no trace; a second one waits for the vote.
    let free = balance(dan);
    dao::until_dao(dan, &fund, "the charter", |_| true);
    dan.run(&["dao", "join", &fund]);
    dao::until_dao(ada, &fund, "the wish", |shown| is_in(shown, dan, "requested"));
    assert_eq!(dan.run(&["dao", "leave", &fund])["state"], "none");
    dao::until_dao(ada, &fund, "no wish", |shown| dao::member(shown, dan.id()).is_none());
    assert_eq!(balance(dan), free);
    dan.run(&["dao", "join", &fund]);
    dao::until_dao(ada, &fund, "the second wish", |shown| is_in(shown, dan, "requested"));
    assert_eq!(waiting(&bitcoind), 0, "nobody let him in yet");
    decide(&bitcoind, &[ada, ben], &fund, &["admit", "Dan"]);
    dao::settle(&bitcoind, &all, &fund, "joining", |shown| dao::is_member(shown, dan.id()));
    dao::together(&[ada, ben], &["dao", "vouch", &fund, dan.id()]);
    dao::settle(&bitcoind, &all, &fund, "a key", |shown| dao::has_key(shown, dan.id()));

    // A rule changes by a small step, and no further.
    assert!(!dan.fail(&["dao", "propose", &fund, "set", "threshold", "90", "--title", "All"]).is_empty());
    decide(&bitcoind, &[dan, ben, cleo], &fund, &["set", "threshold", "70"]);
    for daemon in &all {
        assert_eq!(dao::show(daemon, &fund)["charter"]["threshold_percent"], 70);
    }

    // One votes as another does, until that is taken back.
    assert_eq!(cleo.run(&["dao", "delegate", &fund, "Ada"])["delegate"], ada.id());
    let refresh = dao::propose(ada, &fund, "The coin grows old", &["refresh"]);
    dao::vote(&[ada, dan], &fund, &refresh, "yes");
    until_all_see(&bitcoind, &all, &fund, &refresh, "confirmed");
    let followed = dao::until_proposal(cleo, &fund, &refresh, "her vote", |one| one["my_vote"] == "yes");
    assert_eq!(number(&followed, "yes"), 3, "{followed}");
    assert_eq!(cleo.run(&["dao", "delegate", &fund, "--remove"])["delegate"], json!(null));

    // A member is paid out by a vote; who follows nobody votes herself.
    let had = balance(dan).0;
    let owed = claim(&dao::show(dan, &fund), dan.id());
    let part = dao::propose(ada, &fund, "Not seen for months", &["remove", "Dan"]);
    dao::vote(&[ada, ben], &fund, &part, "yes");
    let open = dao::until_proposal(cleo, &fund, &part, "two votes", |one| number(one, "yes") == 2);
    assert_eq!((&open["state"], &open["my_vote"]), (&json!("open"), &json!(null)), "{open}");
    dao::vote(&[cleo], &fund, &part, "yes");
    until_all_see(&bitcoind, &founders, &fund, &part, "confirmed");
    until_synced(dan, &bitcoind);
    let got = balance(dan).0 - had;
    assert!(got <= owed && got > owed - 3_000, "{got} of {owed}");
    dao::balanced(&bitcoind, &founders, &fund);

    // Everybody is paid out, and nothing was lost on the way.
    decide(&bitcoind, &founders, &fund, &["dissolve"]);
    for daemon in &founders {
        let shown = dao::until_dao(daemon, &fund, "the end", |shown| shown["stage"] == "ended");
        assert_eq!((number(&shown, "treasury_sat"), number(&shown, "claims_sum_sat")), (0, 0), "{shown}");
        assert!(!daemon.fail(&["dao", "join", &fund]).is_empty());
    }
    all.iter().for_each(|daemon| until_synced(daemon, &bitcoind));
    let taken = dao::taken(&bitcoind, began);
    let wallets: u64 = all.iter().map(|daemon| balance(daemon).0).sum();
    assert_eq!(wallets + taken.fees + taken.anchors, 4 * FUNDS);
}

#[test]
fn an_artist_pays_the_owners_of_a_note_once_their_dao_is_silent_and_when_it_has_ended() {
    let bitcoind = Bitcoind::start();
    let [ada, ben, cleo, dan] = people(&bitcoind, ["Ada", "Ben", "Cleo", "Dan"]);
    let offer = offer(&dan, &[]);
    let fund = dao::create(&ada, "The fund", FEE, &["--recovery", "20"]);
    dao::found(&bitcoind, &[&ada, &ben, &cleo], &fund);
    [&ada, &ben, &cleo].iter().for_each(|daemon| drop(until_offer(daemon, &offer)));
    let wanted = dao::propose(&ada, &fund, "Dan's record", &["invest", &offer, "30000"]);
    let asked = dao::until_proposal(&ben, &fund, &wanted, "the proposal", |_| true);
    assert_eq!(sum(&list(&asked, "parts"), "sat"), 30_000, "{asked}");
    dao::vote(&[&ada, &ben], &fund, &wanted, "yes");
    until_all_see(&bitcoind, &[&ada, &ben, &cleo], &fund, &wanted, "confirmed");
    dao::until_raised(&dan, &offer, 30_000);

    // While it lives its coin is paid.
    let payout = |sat: &str| list(&pay(&dan, &bitcoind, &["payout", &offer, "--amount", sat]), "lines");
    assert_eq!(payout("10000").len(), 1);
    let before = number(&dao::show(&ada, &fund), "claims_sum_sat");
    dao::settle(&bitcoind, &[&ada, &ben, &cleo], &fund, "the pay-back", |shown| {
        number(shown, "claims_sum_sat") > before + 8_000
    });

    // Silent for half of the time, it is not: its members are, each to their own address.
    until_synced(&dan, &bitcoind);
    let had = [&ada, &ben, &cleo].map(|daemon| balance(daemon).0);
    let ids = [&ada, &ben, &cleo].map(|daemon| daemon.id().to_owned());
    let gone = [ada.stop(), ben.stop()];
    bitcoind.mine(10);
    [&cleo, &dan].iter().for_each(|daemon| until_synced(daemon, &bitcoind));
    let lines = payout("9000");
    let each = |lines: &[Value]| ids.clone().map(|id| sum(&of(lines, &id), "sat"));
    assert_eq!(each(&lines), [3_000; 3], "{lines:?}");
    mine(&bitcoind, &[&cleo, &dan]);
    assert_eq!(balance(&cleo).0 - had[2], 3_000);
    cleo.until("the audit", |cleo| {
        let audit = cleo.run(&["audit", dan.id()]);
        (number(&audit["notes"][0], "paid_sat") == 19_000).then_some(())
    });

    // Ended by its refund, too.
    bitcoind.mine(20);
    until_synced(&cleo, &bitcoind);
    pay(&cleo, &bitcoind, &["dao", "recover", &fund]);
    mine(&bitcoind, &[&cleo, &dan]);
    let ended = dao::until_dao(&cleo, &fund, "the end", |shown| shown["stage"] == "ended");
    assert!(ended["refunded"].is_string(), "{ended}");
    let lines = payout("6000");
    assert_eq!(each(&lines), [2_000; 3], "{lines:?}");
    mine(&bitcoind, &[&cleo, &dan]);
    let [ada, ben] = gone.map(|folder| daemon(folder, &bitcoind, &[&cleo]));
    for (daemon, had) in [&ada, &ben, &cleo].into_iter().zip(had) {
        until_synced(daemon, &bitcoind);
        let is_whole = |(sat, _): (u64, u64)| sat - had > 3_000 + 2_000 + FEE / 2;
        daemon.until("what is theirs", |daemon| is_whole(balance(daemon)).then_some(()));
    }
}

/// The lines that pay somebody.
fn of(lines: &[Value], id: &str) -> Vec<Value> {
    lines.iter().filter(|line| line["peer"] == id).cloned().collect()
}
