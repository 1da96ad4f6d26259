//! What goes wrong around a DAO, with real nodes on a real chain: silence, reorganisations, partitions, joiners that do not
//! keep their word, crashes, a lost disk. Nobody loses anything, and nobody is paid twice.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use chain::testenv::{Bitcoind, nobody};
use serde_json::{Value, json};
use tests::{
    Daemon, Folder, arg,
    dao::{self, claim, people},
    money::*,
};

/// What everybody pays in.
const FEE: u64 = 50_000;
/// What proposals pay.
const RENT: &str = "20000";

/// A proposal to pay somebody, with everybody's yes.
fn approve(members: &[&Daemon], fund: &str, payee: u32) -> String {
    let address = nobody(payee).to_string();
    let proposal = dao::propose(members[0], fund, "The room", &["pay", &address, RENT]);
    dao::vote(members, fund, &proposal, "yes");
    proposal
}

/// How often the chain pays somebody.
fn times_paid(bitcoind: &Bitcoind, payee: u32) -> usize {
    let script = nobody(payee).script_pubkey().to_hex_string();
    let blocks = (1..=bitcoind.tip().height).map(|height| bitcoind.block_id(height).hash);
    let blocks = blocks.map(|hash| bitcoind.rpc("getblock", json!([hash, 2])));
    blocks
        .flat_map(|block| list(&block, "tx"))
        .flat_map(|tx| list(&tx, "vout"))
        .filter(|output| output["scriptPubKey"]["hex"] == script)
        .count()
}

/// What members say of the coin, everybody's claim and the proposals; the same for all who agree.
fn view(daemon: &Daemon, fund: &str) -> Value {
    let shown = dao::show(daemon, fund);
    let mut claims: Vec<(String, u64)> = list(&shown, "members")
        .iter()
        .map(|member| (text(member, "peer_id"), number(member, "claim_sat")))
        .collect();
    claims.sort();
    let proposals = list(&daemon.run(&["dao", "proposals", fund]), "proposals");
    let mut proposals: Vec<[Value; 3]> =
        proposals.iter().map(|one| ["proposal_id", "state", "txid"].map(|key| one[key].clone())).collect();
    proposals.sort_by_key(|one| one[0].to_string());
    json!([shown["coin"], shown["epoch"], claims, proposals])
}

/// Mines until all see the same, and checks that against the chain.
fn until_all_agree(bitcoind: &Bitcoind, all: &[&Daemon], fund: &str) {
    all.iter().for_each(|daemon| until_synced(daemon, bitcoind));
    all[0].until("agreement", |first| {
        let seen = view(first, fund);
        (seen[0].is_string() && all.iter().all(|daemon| view(daemon, fund) == seen)).then_some(())
    });
    dao::balanced(bitcoind, all, fund);
}

/// Property 4: the last of ten sends the refund when nobody answers any more, pays for it by its anchor, and everybody has
/// their claim.
#[test]
fn one_of_ten_gets_everybodys_claim_out_and_pays_for_the_refund_to_confirm() {
    let mut bitcoind = Bitcoind::start();
    let ten = people(&bitcoind, ["Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gita", "Hugo", "Ines", "Jo"]);
    let began = bitcoind.tip().height;
    let all: Vec<&Daemon> = ten.iter().collect();
    let fund = dao::create(all[0], "The fund", FEE, &["--recovery", "12", "--founders", "10"]);
    dao::found(&bitcoind, &all, &fund);
    dao::balanced(&bitcoind, &all, &fund);
    let shown = dao::show(all[9], &fund);
    let claims: Vec<u64> = all.iter().map(|daemon| claim(&shown, daemon.id())).collect();
    all.iter().for_each(|daemon| until_synced(daemon, &bitcoind));
    let had: Vec<u64> = all.iter().map(|daemon| balance(daemon).0).collect();
    dao::until_dao(all[9], &fund, "the refund", |_| {
        !list(&all[9].run(&["dao", "refunds", &fund]), "refunds").is_empty()
    });
    let refund = text(&list(&all[9].run(&["dao", "refunds", &fund]), "refunds")[0], "txid");

    let mut ten = Vec::from(ten);
    let jo = ten.pop().unwrap();
    let gone: Vec<Folder> = ten.into_iter().map(Daemon::kill).collect();
    assert_eq!(jo.fail(&["dao", "bump", &fund]), "dao_nothing_waits", "nobody asked for the refund");
    assert_eq!(jo.fail(&["dao", "recover", &fund]), "dao_too_early");
    // Meanwhile fees rose: nothing is taken any more that pays what the refund pays by itself.
    bitcoind.restart_with(&["-minrelaytxfee=0.00005"]);
    bitcoind.mine(12);
    until_synced(&jo, &bitcoind);
    assert_eq!(jo.run(&["dao", "recover", &fund])["txid"], refund);

    // What it costs is said first; then the two go in together, and a second child takes the place of the first.
    let bump = ["dao", "bump", &fund, "--fee-rate", "8"];
    let trial = jo.run(&[&bump[..], &["--dry-run"]].concat());
    assert_eq!((&trial["dry_run"], waiting(&bitcoind)), (&json!(true), 0), "{trial}");
    let child = jo.run(&bump);
    assert_eq!(child["fee_sat"], trial["fee_sat"]);
    for txid in [&refund, &text(&child, "txid")] {
        until_in_mempool(&jo, &bitcoind, txid);
    }
    assert_eq!(jo.fail(&bump), "bump_impossible");
    let child = jo.run(&["dao", "bump", &fund, "--fee-rate", "30"]);
    until_in_mempool(&jo, &bitcoind, &text(&child, "txid"));
    let paid = number(&child, "fee_sat") - 240;
    mine(&bitcoind, &[&jo]);
    assert_eq!(waiting(&bitcoind), 0);
    let over = dao::until_dao(&jo, &fund, "the end", |shown| shown["stage"] == "ended");
    assert_eq!(
        (&over["refunded"], &over["coin"], &over["claims_sum_sat"]),
        (&json!(refund), &json!(null), &json!(0))
    );
    assert_eq!(jo.fail(&["dao", "recover", &fund]), "dao_ended");

    // Everybody's wallet has it, whenever they come back.
    let mut back: Vec<Daemon> = gone.into_iter().map(|folder| daemon(folder, &bitcoind, &[])).collect();
    back.push(jo);
    let mut sum = 0;
    for (place, one) in back.iter().enumerate() {
        until_synced(one, &bitcoind);
        one.until("the refund", |one| (balance(one).1 == 0).then_some(()));
        let cost = if place == 9 { paid } else { 0 };
        let got = balance(one).0 + cost - had[place];
        assert!((claims[place]..claims[place] + 10).contains(&got), "{place}: {got} of {}", claims[place]);
        sum += got;
    }
    assert_eq!(sum, number(&shown, "claims_sum_sat") + number(&shown, "unassigned_sat"));
    let taken = dao::taken(&bitcoind, began);
    let wallets: u64 = back.iter().map(|one| balance(one).0).sum();
    // The refund's anchor went into the child's fee.
    assert_eq!(wallets + taken.fees + taken.anchors - 240, 10 * FUNDS);
}

/// A reorganisation takes back the block that paid a proposal: it is paid once, and everybody has the same accounts.
#[test]
fn a_proposal_is_paid_once_through_a_reorganisation_of_six_blocks() {
    let bitcoind = Bitcoind::start();
    let three = people(&bitcoind, ["Ada", "Ben", "Cleo"]);
    let all: Vec<&Daemon> = three.iter().collect();
    let fund = dao::create(all[0], "The fund", FEE, &[]);
    dao::found(&bitcoind, &all, &fund);
    bitcoind.mine(6);
    all.iter().for_each(|daemon| until_synced(daemon, &bitcoind));
    let paid = approve(&all, &fund, 1);
    dao::until_all_see(&bitcoind, &all, &fund, &paid, "confirmed");
    // Another is approved on top, and not in a block yet.
    let late = approve(&all, &fund, 2);
    all[0].until("the second payment", |_| (waiting(&bitcoind) > 0).then_some(()));
    assert_eq!((times_paid(&bitcoind, 1), times_paid(&bitcoind, 2)), (1, 0));
    let deep = bitcoind.tip().height;
    let made = dao::turns(&dao::show(all[0], &fund)).pop().unwrap();
    let block = bitcoind.rpc("getrawtransaction", json!([made.txid, 1, bitcoind.tip().hash]));
    let above = number(&block, "confirmations");
    bitcoind.mine(u32::try_from(6 - above).unwrap());
    all.iter().for_each(|daemon| until_synced(daemon, &bitcoind));
    bitcoind.reorganise(6);
    assert_eq!(times_paid(&bitcoind, 1), 0, "the block that paid is no more");
    assert!(bitcoind.tip().height > deep);
    for proposal in [&paid, &late] {
        dao::until_all_see(&bitcoind, &all, &fund, proposal, "confirmed");
    }
    assert_eq!((times_paid(&bitcoind, 1), times_paid(&bitcoind, 2)), (1, 1));
    until_all_agree(&bitcoind, &all, &fund);
    // Who reads that history again comes to the same.
    let [ada, ben, cleo] = three;
    let cleo = daemon(cleo.kill(), &bitcoind, &[&ada]);
    until_all_agree(&bitcoind, &[&ada, &ben, &cleo], &fund);
}

/// A wish to join that was kept and never published keeps no coin.
#[test]
fn coins_that_a_crash_kept_from_being_wished_with_are_free_again() {
    let bitcoind = Bitcoind::start();
    let [ada, ben] = people(&bitcoind, ["Ada", "Ben"]);
    let fund = dao::create(&ada, "The fund", FEE, &["--founders", "3"]);
    dao::until_dao(&ben, &fund, "the charter", |_| true);
    let id = ben.id().to_owned();
    let doomed = doomed(ben.stop(), &bitcoind, "dao_wished");
    unlock(&doomed);
    until_synced(&doomed, &bitcoind);
    assert!(!doomed.folder().output(&["dao", "join", &fund]).status.success());
    let ben = daemon(doomed.ended().1, &bitcoind, &[&ada]);
    until_synced(&ben, &bitcoind);
    let shown = dao::show(&ben, &fund);
    assert_eq!(shown["membership"], "none");
    let coins = list(&ben.run(&["wallet", "coins"]), "coins");
    assert!(coins.iter().all(|coin| coin["frozen"] == false), "{coins:?}");
    // It has but this coin, and joins with it.
    unlock(&ben);
    ben.run(&["dao", "join", &fund]);
    dao::until_dao(&ada, &fund, "the wish", |shown| dao::member(shown, &id).is_some());
}

/// A disk is lost and nobody answers: identity and backup alone bring the DAO back, and the refund gets everybody's money.
#[test]
fn a_backup_alone_brings_a_dao_back_and_its_refund() {
    let bitcoind = Bitcoind::start();
    let three = people(&bitcoind, ["Ada", "Ben", "Cleo"]);
    let all: Vec<&Daemon> = three.iter().collect();
    let fund = dao::create(all[0], "The fund", FEE, &["--recovery", "12"]);
    dao::found(&bitcoind, &all, &fund);
    let cleo = all[2];
    dao::until_dao(cleo, &fund, "the refund", |_| {
        !list(&cleo.run(&["dao", "refunds", &fund]), "refunds").is_empty()
    });
    let (seen, refunds) = (view(cleo, &fund), cleo.run(&["dao", "refunds", &fund]));
    let safe = Folder::new();
    let (identity, backup) = (safe.path().join("identity"), safe.path().join("backup"));
    cleo.run(&["identity", "export", arg(&identity), "--plain"]);
    let secret = passphrase(&safe);
    cleo.run(&["wallet", "backup", arg(&backup), "--passphrase-file", arg(&secret)]);
    let id = cleo.id().to_owned();
    three.into_iter().for_each(|daemon| drop(daemon.kill()));

    let folder = Folder::new();
    folder.run(&["identity", "import", arg(&identity)]);
    let cleo = daemon(folder, &bitcoind, &[]);
    assert_eq!(cleo.id(), id);
    cleo.run(&["wallet", "restore", "--backup", arg(&backup), "--passphrase-file", arg(&secret)]);
    until_synced(&cleo, &bitcoind);
    cleo.until("the DAO", |cleo| {
        let is_there = cleo.folder().output(&["dao", "show", &fund]).status.success();
        (is_there && view(cleo, &fund) == seen).then_some(())
    });
    assert_eq!(cleo.run(&["dao", "refunds", &fund]), refunds);
    dao::balanced(&bitcoind, &[&cleo], &fund);
    bitcoind.mine(12);
    until_synced(&cleo, &bitcoind);
    let sent = pay(&cleo, &bitcoind, &["dao", "recover", &fund]);
    assert_eq!(sent["txid"], list(&refunds, "refunds")[0]["txid"]);
    mine(&bitcoind, &[&cleo]);
    dao::until_dao(&cleo, &fund, "the end", |shown| shown["refunded"] == sent["txid"]);
}
