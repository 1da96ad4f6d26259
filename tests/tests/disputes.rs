//! Whoever claims what is somebody else's gets nothing, and what is lacking is said.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{fs, str::FromStr};

use chain::testenv::{Bitcoind, Purse};
use domain::{
    Identity, Kind, Network, PeerId, Record, SlotId, Stamp,
    bitcoin::{Amount, OutPoint, Txid},
    kinds::{Due, Note, Offer, Payee, Payment, Payout, PayoutLine},
};
use peer::ChangeSet;
use serde_json::{Value, json};
use store::Store;
use tests::{Daemon, Folder, arg, money::*};
use treasury::wallet::{Chain, Seed};

/// Somebody who puts whatever they like into their own database, and lets a node spread it.
struct Liar {
    folder: Folder,
    identity: Identity,
    seq: u64,
}

impl Liar {
    fn new(bitcoind: &Bitcoind, friends: &[&Daemon]) -> Self {
        let daemon = daemon(Folder::new(), bitcoind, friends);
        let identity = identity(&daemon);
        Self { folder: daemon.stop(), identity, seq: 0 }
    }

    fn sign<K: Kind>(&mut self, body: &K) -> Record {
        self.seq += 1;
        let created_at = 1_790_000_000_000 + self.seq;
        Record::sign(&self.identity, Stamp { seq: created_at, created_at, ..Stamp::default() }, body).unwrap()
    }

    /// Starts a node that holds these records.
    fn spread(self, bitcoind: &Bitcoind, friends: &[&Daemon], records: Vec<Record>) -> Daemon {
        let own_seq = records.iter().map(|record| record.seq).max();
        put(&self.folder, self.identity.id(), ChangeSet { put: records, own_seq, ..ChangeSet::default() });
        daemon(self.folder, bitcoind, friends)
    }
}

fn put(folder: &Folder, owner: PeerId, change: ChangeSet) {
    on_disk(folder, owner, async |store| drop(store.apply(&change).await.unwrap()));
}

fn held(folder: &Folder, owner: PeerId, slot: &str) -> Record {
    let slot = SlotId::from_str(slot).unwrap();
    on_disk(folder, owner, async |store| store.record(&slot).await.unwrap().unwrap())
}

/// Works on the database of a daemon that does not run.
fn on_disk<T>(folder: &Folder, owner: PeerId, work: impl AsyncFnOnce(&Store) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(folder.path(), owner).await.unwrap();
        let done = work(&store).await;
        store.close().await;
        done
    })
}

fn identity(daemon: &Daemon) -> Identity {
    let file = daemon.folder().path().join("words of the identity");
    daemon.run(&["identity", "export", arg(&file), "--plain"]);
    let text = fs::read_to_string(&file).unwrap();
    fs::remove_file(file).unwrap();
    Identity::from_words(text.lines().last().unwrap()).unwrap()
}

/// The coin of a wallet that holds so much.
fn coin(daemon: &Daemon, sat: u64) -> OutPoint {
    let coins = list(&daemon.run(&["wallet", "coins"]), "coins");
    let coin = coins.iter().find(|coin| coin["amount_sat"] == sat).unwrap();
    text(coin, "outpoint").parse().unwrap()
}

#[test]
fn whoever_claims_what_others_paid_gets_nothing() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 5);
    let artist = daemon(Folder::new(), &bitcoind, &[]);
    let accounts = Seed::parse(&create(&artist)).unwrap().keys(Network::Regtest).accounts();
    purse.pay(
        &bitcoind,
        &script(&text(&artist.run(&["wallet", "address"]), "address")),
        Amount::from_sat(FUNDS),
    );
    let one = member("One", &bitcoind, &mut purse, &[&artist]);
    mine(&bitcoind, &[&artist, &one]);
    let offer = offer(&artist, &[]);
    until_offer(&one, &offer);
    let invested = pay(&one, &bitcoind, &["invest", &offer, "100000"]);
    mine(&bitcoind, &[&artist, &one]);
    let tipped = pay(&one, &bitcoind, &["tip", artist.id(), "50000"]);
    // And somebody pays from a wallet that says nothing of whom it is of.
    let bare =
        purse.pay(&bitcoind, &accounts.address(Chain::Income, 7).script_pubkey(), Amount::from_sat(20_000));
    mine(&bitcoind, &[&artist, &one]);
    let known = |audit: &Value| audit["income_sat"] == 70_000 && list(audit, "notes").len() == 1;
    let before = complete_audit(&artist, artist.id(), known);
    let income = artist.run(&["income"]);

    let mut liar = Liar::new(&bitcoind, &[&one]);
    let ada = artist.id().to_owned();
    let owner = PeerId::from_str(one.id()).unwrap();
    let folder = one.stop();
    let note = held(&folder, owner, &text(&invested, "note_id"));
    let honest = held(&folder, owner, &text(&tipped, "payment_id"));
    let one = daemon(folder, &bitcoind, &[&artist]);
    let note_body: Note = note.read().unwrap().unwrap();
    let tip_body: Payment = honest.read().unwrap().unwrap();
    let payee = Payee::Script(script(&text(&artist.run(&["wallet", "address"]), "address")));
    let claim = |outpoint, sat: u64| Payment {
        salt: [7; 16],
        outpoint,
        amount: Amount::from_sat(sat),
        memo: Some("from me".into()),
        ..tip_body.clone()
    };
    let claims = [
        claim(tip_body.outpoint, 50_000),
        claim(coin(&artist, 100_000), 100_000),
        claim(OutPoint::new(bare.compute_txid(), 0), 20_000),
        claim(OutPoint::new(Txid::from_str(&"ab".repeat(32)).unwrap(), 0), 999_999),
        tip_body.clone(),
    ];
    let mut records: Vec<Record> = claims.iter().map(|claim| liar.sign(claim)).collect();
    // The investor's note as it is, and with the liar as its payee; a payout of the artist's that the liar signs; an
    // offer that asks for the artist's notes; the honest records once more.
    records.push(liar.sign(&note_body));
    records.push(liar.sign(&Note { salt: [8; 16], payee, ..note_body.clone() }));
    let due = Due::Earned(note.slot);
    let lines = vec![PayoutLine { due, vout: 0, amount: Amount::from_sat(10_000) }];
    records.push(liar.sign(&Payout { network: Network::Regtest, salt: [9; 16], lines, place: None }));
    let own = Offer {
        network: Network::Regtest,
        salt: [1; 16],
        goal: Amount::from_sat(100_000),
        share: 10_000,
        cap: 1_000,
        floor: Amount::ZERO,
        expiry: u32::MAX,
        splits: None,
        title: Some("Theirs".into()),
        release: None,
    };
    records.push(liar.sign(&own));
    records.extend([note.clone(), honest]);
    let liar = liar.spread(&bitcoind, &[&one], records);

    let told = artist.until("every claim", |artist| {
        let tips = list(&artist.run(&["tips"]), "payments");
        (tips.len() == 6).then_some(tips)
    });
    for tip in told {
        let is_true = tip["from"] == one.id();
        assert_eq!(tip["confirmations"], if is_true { json!(1) } else { Value::Null }, "{tip}");
    }
    artist.until("the liar's offer", |artist| {
        (list(&artist.run(&["offer", "list"]), "offers").len() == 2).then_some(())
    });
    // What anybody is owed is the same, byte for byte, here and there.
    for daemon in [&artist, &one, &liar] {
        assert_eq!(complete_audit(daemon, &ada, known), before);
    }
    assert_eq!(artist.run(&["income"]), income);
    assert!(list(&income, "supporters").iter().all(|supporter| supporter["id"] != liar.id()));
    assert_eq!(list(&artist.run(&["offer", "show", &offer]), "notes").len(), 1);
    assert_eq!(artist.fail(&["refund", "cd".repeat(32).as_str()]), "unknown_note");
    let paid = pay(&artist, &bitcoind, &["payout", &offer]);
    assert_eq!(list(&paid, "lines").len(), 1);
    assert_eq!(paid["lines"][0]["peer"], one.id());
    // The liar's own books are those of somebody who never published where they are paid.
    let own = audited(&liar, liar.id());
    assert_eq!(
        (&own["status"], &own["problems"][0]["code"]),
        (&json!("incomplete"), &json!("no_income_record"))
    );
    assert_eq!((number(&own, "income_sat"), list(&own, "notes").len()), (0, 0));
}

#[test]
fn an_audit_that_lacks_something_says_what() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 4);
    let artist = daemon(Folder::new(), &bitcoind, &[]);
    let accounts = Seed::parse(&create(&artist)).unwrap().keys(Network::Regtest).accounts();
    let one = member("One", &bitcoind, &mut purse, &[&artist]);
    let two = member("Two", &bitcoind, &mut purse, &[&artist, &one]);
    mine(&bitcoind, &[&artist, &one, &two]);
    let offer = offer(&artist, &[]);
    [&one, &two].iter().for_each(|daemon| drop(until_offer(daemon, &offer)));
    let note = text(&pay(&one, &bitcoind, &["invest", &offer, "100000"]), "note_id");
    mine(&bitcoind, &[&artist, &one, &two]);
    complete_audit(&two, artist.id(), |audit| list(audit, "notes").len() == 1);

    // Who knows nobody knows no address either.
    let stranger = daemon(Folder::new(), &bitcoind, &[]);
    let nothing = audited(&stranger, artist.id());
    assert_eq!(
        (&nothing["status"], &nothing["problems"][0]["code"]),
        (&json!("incomplete"), &json!("no_income_record"))
    );
    assert_eq!(number(&nothing, "income_sat"), 0);

    // A payment to the investors' addresses that no note explains is no income, and is told to everybody.
    let to = accounts.address(Chain::Principal, 5).script_pubkey();
    purse.pay(&bitcoind, &to, Amount::from_sat(77_000));
    mine(&bitcoind, &[&artist, &one, &two]);
    for daemon in [&artist, &one, &two] {
        let audit = audited(daemon, artist.id());
        assert_eq!((&audit["status"], number(&audit, "income_sat")), (&json!("incomplete"), 0));
        let problems = list(&audit, "problems");
        assert_eq!(problems.len(), 1);
        assert_eq!(
            (&problems[0]["code"], &problems[0]["sat"]),
            (&json!("principal_without_note"), &json!(77_000))
        );
    }
    assert_eq!(audit(&artist, artist.id()), audit(&one, artist.id()));

    // A peer that has lost the note and a record of the artist's log knows that it did, and gets them back.
    let second = self::offer(&artist, &["--title", "Second"]);
    let third = self::offer(&artist, &["--title", "Third"]);
    until_offer(&two, &third);
    let (ada, two_id) = (artist.id().to_owned(), PeerId::from_str(two.id()).unwrap());
    let (away, folder) = (artist.stop(), two.stop());
    drop(one);
    let lost = [&second, &note].map(|slot| held(&folder, two_id, slot).slot);
    put(&folder, two_id, ChangeSet { forget: lost.into(), ..ChangeSet::default() });
    let two = daemon(folder, &bitcoind, &[]);
    let gap = audited(&two, &ada);
    let mut problems: Vec<String> = list(&gap, "problems").iter().map(|it| text(it, "code")).collect();
    problems.sort();
    assert_eq!(problems, ["principal_without_note", "principal_without_note", "record_missing"], "{gap}");
    assert!(list(&gap, "notes").is_empty());
    let artist = daemon(away, &bitcoind, &[&two]);
    two.until("the record to be back", |two| {
        let whole = list(&audited(two, &ada), "problems").len() == 1;
        (whole && audit(two, &ada) == audit(&artist, &ada)).then_some(())
    });
}

#[test]
fn what_is_of_another_network_is_neither_shown_nor_relayed() {
    let bitcoind = Bitcoind::start();
    let elsewhere = |friends: &[&Daemon]| {
        let links: Vec<String> = friends.iter().map(|friend| friend.invite()).collect();
        // Nobody answers there; signing needs no chain.
        let mut args = vec!["--network", "signet", "--bitcoin-peer", "127.0.0.1:9"];
        args.extend(links.iter().flat_map(|link| ["--peer", link]));
        Folder::new().daemon(&args)
    };
    let artist = elsewhere(&[]);
    create(&artist);
    let friend = elsewhere(&[&artist]);
    let between = daemon(Folder::new(), &bitcoind, &[&artist]);
    let offer = offer(&artist, &[]);
    until_offer(&friend, &offer);
    artist.run(&["profile", "set", "--name", "Ada of signet"]);
    let ada = artist.id().to_owned();
    let knows = |daemon: &Daemon| {
        daemon.until("the profile, which is of no network", |daemon| {
            let shown = daemon.folder().output(&["profile", "show", &ada]);
            String::from_utf8_lossy(&shown.stdout).contains("Ada of signet").then_some(())
        });
    };
    knows(&between);
    assert!(list(&between.run(&["offer", "list"]), "offers").is_empty());
    assert_eq!(between.fail(&["offer", "show", &offer]), "offer_unknown");
    assert_eq!(list(&audited(&between, &ada), "offers").len(), 0);

    // Whoever has only that one to learn from learns of the artist, and of none of their money.
    drop(artist);
    let gone = friend.stop();
    let behind = elsewhere(&[&between]);
    knows(&behind);
    assert!(list(&behind.run(&["offer", "list"]), "offers").is_empty());
    let owner = PeerId::from_str(between.id()).unwrap();
    let folder = between.stop();
    let slot = SlotId::from_str(&offer).unwrap();
    assert!(on_disk(&folder, owner, async |store| store.record(&slot).await.unwrap().is_none()));
    // One of their own network has it for them.
    let friend = gone.daemon(&["--peer", &behind.invite()]);
    until_offer(&behind, &offer);
    drop(friend);
}
