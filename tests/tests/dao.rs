//! A DAO of real nodes on a real chain: founding, joining, voting, investing, being paid back, leaving, silence.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use chain::testenv::{Bitcoind, nobody};
use serde_json::{Value, json};
use tests::{
    Daemon, dao,
    dao::{claim, people, until_all_see},
    money::*,
};

const FEE: u64 = 50_000;

#[test]
fn three_found_two_join_an_artist_is_paid_and_pays_back_and_one_leaves() {
    let bitcoind = Bitcoind::start();
    let five = people(&bitcoind, ["Ada", "Ben", "Cleo", "Dan", "Eva"]);
    let began = bitcoind.tip().height;
    let [ada, ben, cleo, dan, eva] = &five;
    let all: Vec<&Daemon> = five.iter().collect();

    // Three found it.
    let fund = dao::create(ada, "The fund", FEE, &[]);
    dao::found(&bitcoind, &[ada, ben, cleo], &fund);
    assert!(dao::balanced(&bitcoind, &[ada, ben, cleo], &fund) >= 3 * FEE);

    // Two join, are vouched for and get votes and keys.
    for joiner in [dan, eva] {
        dao::until_dao(joiner, &fund, "the charter", |_| true);
    }
    dao::together(&[dan, eva], &["dao", "join", &fund]);
    let are_in = |shown: &Value| [dan, eva].iter().all(|it| dao::is_member(shown, it.id()));
    dao::settle(&bitcoind, &all, &fund, "joining", are_in);
    for joiner in [dan, eva] {
        dao::together(&[ada, ben], &["dao", "vouch", &fund, joiner.id()]);
    }
    let have_keys = |shown: &Value| [dan, eva].iter().all(|it| dao::has_key(shown, it.id()));
    dao::settle(&bitcoind, &all, &fund, "keys", have_keys);
    let shown = dao::show(eva, &fund);
    assert_eq!((number(&shown, "threshold"), number(&shown, "keys")), (3, 5));
    dao::balanced(&bitcoind, &all, &fund);

    // Four of five invest in Ben's offer; a proposal that most are against pays nothing.
    let offer = offer(ben, &[]);
    all.iter().for_each(|daemon| drop(until_offer(daemon, &offer)));
    let refused = dao::propose(eva, &fund, "Too much", &["pay", &nobody(1).to_string(), "100000"]);
    dao::vote(&[eva], &fund, &refused, "yes");
    dao::vote(&[ada, ben, cleo], &fund, &refused, "no");
    dao::until_proposal(eva, &fund, &refused, "the refusal", |one| one["state"] == "rejected");
    let before = claim(&dao::show(ada, &fund), ada.id());
    let wanted = dao::propose(dan, &fund, "Ben's record", &["invest", &offer, "30000"]);
    dao::vote(&[ada, cleo, dan, eva], &fund, &wanted, "yes");
    until_all_see(&bitcoind, &all, &fund, &wanted, "confirmed");
    let paid = dao::show(ada, &fund);
    assert!(before - claim(&paid, ada.id()) >= 30_000 / 5, "{paid}");
    dao::balanced(&bitcoind, &all, &fund);
    assert!(!ada.fail(&["dao", "vote", &fund, &wanted, "no"]).is_empty());

    // What comes back is theirs whose money it was.
    dao::until_raised(ben, &offer, 30_000);
    let payout = pay(ben, &bitcoind, &["payout", &offer, "--amount", "40000"]);
    assert_eq!(sum(&list(&payout, "lines"), "sat"), 40_000);
    let least = number(&paid, "claims_sum_sat") + 35_000;
    dao::settle(&bitcoind, &all, &fund, "the pay-back", |shown| number(shown, "claims_sum_sat") > least);
    dao::balanced(&bitcoind, &all, &fund);

    // One leaves with its claim.
    let claimed = claim(&dao::show(eva, &fund), eva.id());
    let had = balance(eva).0;
    eva.run(&["dao", "leave", &fund]);
    let is_gone = |shown: &Value| dao::member(shown, eva.id()).is_none_or(|it| it["claim_sat"] == 0);
    dao::settle(&bitcoind, &all, &fund, "the leave", is_gone);
    all.iter().for_each(|daemon| until_synced(daemon, &bitcoind));
    let got = balance(eva).0 - had;
    assert!(got < claimed && got > claimed - 5_000, "{got} of {claimed}");
    let treasury = dao::balanced(&bitcoind, &[ada, ben, cleo, dan], &fund);

    // Nothing was lost on the way.
    let taken = dao::taken(&bitcoind, began);
    let wallets: u64 = all.iter().map(|daemon| balance(daemon).0).sum();
    assert_eq!(wallets + treasury + taken.fees + taken.anchors, 5 * FUNDS);
}

#[test]
fn the_last_one_gets_everybodys_money_back_after_a_long_silence() {
    let bitcoind = Bitcoind::start();
    let [ada, ben, cleo] = people(&bitcoind, ["Ada", "Ben", "Cleo"]);
    let fund = dao::create(&ada, "The fund", FEE, &["--recovery", "12"]);
    dao::found(&bitcoind, &[&ada, &ben, &cleo], &fund);
    let shown = dao::show(&ada, &fund);
    let claims = [&ada, &ben, &cleo].map(|daemon| claim(&shown, daemon.id()));
    let had = [&ada, &ben, &cleo].map(|daemon| balance(daemon).0);
    let refunds = dao::until_dao(&cleo, &fund, "the refund", |_| {
        !list(&cleo.run(&["dao", "refunds", &fund]), "refunds").is_empty()
    });
    assert_eq!(refunds["stage"], "active");
    let refund = cleo.run(&["dao", "refunds", &fund]);
    // What is nobody's is divided, too.
    let parts = claims.map(|claim| claim..=claim + number(&shown, "unassigned_sat"));
    assert!(parts[2].contains(&number(&refund, "my_part_sat")), "{refund}");

    let gone = [ada.stop(), ben.stop()];
    assert!(!cleo.fail(&["dao", "recover", &fund]).is_empty());
    bitcoind.mine(12);
    until_synced(&cleo, &bitcoind);
    let sent = pay(&cleo, &bitcoind, &["dao", "recover", &fund]);
    assert_eq!(sent["txid"], list(&refund, "refunds")[0]["txid"]);
    mine(&bitcoind, &[&cleo]);
    let [ada, ben] = gone.map(|folder| daemon(folder, &bitcoind, &[&cleo]));
    for ((daemon, had), part) in [&ada, &ben, &cleo].into_iter().zip(had).zip(parts) {
        until_synced(daemon, &bitcoind);
        let is_whole = |(confirmed, pending): (u64, u64)| pending == 0 && part.contains(&(confirmed - had));
        daemon.until("the refund", |daemon| is_whole(balance(daemon)).then_some(()));
        dao::until_dao(daemon, &fund, "the end", |shown| shown["stage"] == "ended");
    }
    assert_eq!(dao::show(&ben, &fund)["coin"], json!(null));
}
