//! Who signs for the treasury, in every construction: as one, without one of them, and killed on the way.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::{collections::BTreeSet, fs, path::Path, process::Command, time::Instant};

use chain::testenv::{Bitcoind, Purse, nobody};
use domain::{
    Network, PeerId,
    bitcoin::{
        Amount,
        secp256k1::{PublicKey, Secp256k1, SecretKey},
    },
    kinds::DaoId,
};
use serde_json::Value;
use store::Store;
use tests::{Daemon, Folder, PATIENCE, arg, dao, dao::Turn, money::*, musicdao};
use treasury::{
    dao::{TurnId, member::ChangeSet},
    wallet::{Keys, Seed},
};

const FEE: u64 = 50_000;
/// What each proposal pays.
const PAID: &str = "5000";
/// How often a payment is tried that all are to sign as one: on a machine that is busy with something else they may not
/// answer each other in time, and then sign one by one.
const TRIES: u32 = 4;
/// Where a signer is killed: the refund is complete, a round of signing is used up, a signature leaves.
const PLACES: [&str; 5] =
    ["dao_refund_kept", "dao_committing", "dao_committed", "dao_releasing", "dao_released"];
/// Hexadecimal digits of a signature of 64 bytes (BIP 340).
const SIGNATURE: usize = 2 * 64;

/// Three founders with their wallets' words, and the treasury that they made.
struct Treasury {
    bitcoind: Bitcoind,
    three: Vec<Daemon>,
    words: Vec<String>,
    fund: String,
    /// How many payments were proposed.
    payments: u32,
}

impl Treasury {
    /// Three who founded it; its first transaction is signed and waits for a block.
    fn begun(construction: &str, threshold: &str) -> Self {
        let bitcoind = Bitcoind::start();
        let mut purse = Purse::fill(&bitcoind, 3);
        let (mut three, mut words): (Vec<Daemon>, _) = (Vec::new(), Vec::new());
        for name in ["Ada", "Ben", "Cleo"] {
            let daemon = start(Folder::new(), &bitcoind, &three, None);
            words.push(create(&daemon));
            daemon.run(&["profile", "set", "--name", name]);
            let address = text(&daemon.run(&["wallet", "address"]), "address");
            purse.pay(&bitcoind, &script(&address), Amount::from_sat(FUNDS));
            three.push(daemon);
        }
        mine(&bitcoind, &three.iter().collect::<Vec<_>>());
        let rules = ["--construction", construction, "--threshold", threshold];
        let fund = dao::create(&three[0], "The fund", FEE, &rules);
        dao::start(&three.iter().collect::<Vec<_>>(), &fund);
        three[0].until("the first transaction", |_| (waiting(&bitcoind) > 0).then_some(()));
        Self { bitcoind, three, words, fund, payments: 0 }
    }

    /// The same once it is founded and, where its keys are a group's, once the coin has moved to the group's key.
    fn of(construction: &str, threshold: &str) -> Self {
        let treasury = Self::begun(construction, threshold);
        treasury.settle_founding();
        if construction == "frost" {
            treasury.settle_group();
        }
        treasury
    }

    fn settle_founding(&self) {
        self.settle("the founding", |shown| !dao::turns(shown).is_empty());
    }

    fn settle_group(&self) {
        self.settle("the group's key", |shown| dao::turns(shown).len() > 1);
    }

    fn all(&self) -> Vec<&Daemon> {
        self.three.iter().collect()
    }

    fn settle(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Vec<Turn> {
        dao::settle(&self.bitcoind, &self.all(), &self.fund, what, is_so)
    }

    /// Proposes to pay somebody new; returns the proposal.
    fn propose(&mut self) -> String {
        self.payments += 1;
        let title = format!("Payment {}", self.payments);
        dao::propose(&self.three[0], &self.fund, &title, &["pay", &self.payee(), PAID])
    }

    fn payee(&self) -> String {
        nobody(self.payments).to_string()
    }

    /// Waits until a proposal is paid, as these daemons see it, and checks that it was paid once. Returns what signed it.
    fn until_paid(&self, daemons: &[&Daemon], proposal: &str) -> Vec<String> {
        let is_paid = |daemon: &&Daemon| {
            let proposals = list(&daemon.run(&["dao", "proposals", &self.fund]), "proposals");
            proposals.iter().any(|one| one["proposal_id"] == proposal && one["state"] == "confirmed")
        };
        let all_see = |_: &Value| daemons.iter().all(is_paid);
        dao::settle(&self.bitcoind, &daemons[..1], &self.fund, "the payment", all_see);
        assert_eq!(dao::paid(&self.bitcoind, 0, &self.payee()), 1);
        dao::balanced(&self.bitcoind, daemons, &self.fund);
        let last = dao::turns(&dao::show(daemons[0], &self.fund)).pop().unwrap();
        dao::witness(&self.bitcoind, &last)
    }

    /// Has all agree to a payment, and returns what signed it.
    fn pay(&mut self) -> Vec<String> {
        let proposal = self.propose();
        dao::vote(&self.all(), &self.fund, &proposal, "yes");
        self.until_paid(&self.all(), &proposal)
    }

    /// Pays until all have signed as one.
    fn pay_as_one(&mut self) {
        let signed: Vec<_> = (0..TRIES).map(|_| self.pay()).take_while(|it| !is_one(it)).collect();
        assert!(signed.len() < usize::try_from(TRIES).unwrap(), "never as one: {signed:?}");
    }

    /// Ends one for good.
    fn lose(&mut self, gone: usize) {
        drop(self.three.remove(gone).kill());
    }

    /// The rounds of signing that somebody committed to, in order, and its secrets as they lie on the disk.
    fn kept(&self, folder: &Folder, id: &str) -> (Vec<(TurnId, u32)>, Vec<Vec<u8>>) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let fund: DaoId = self.fund.parse().unwrap();
        let (changes, secrets) = runtime.block_on(async {
            let owner: PeerId = id.parse().unwrap();
            let store = Store::open(folder.path(), owner).await.unwrap();
            let kept = (store.dao_changes(&fund).await.unwrap(), store.dao_secrets(&fund).await.unwrap());
            store.close().await;
            kept
        });
        let sets = changes.iter().map(|body| ChangeSet::decode(body).unwrap());
        let sets: Vec<ChangeSet> =
            sets.inspect(|set| assert!(!set.is_secret(), "a secret in clear")).collect();
        (sets.iter().flat_map(ChangeSet::committed).collect(), secrets)
    }

    fn keys(&self, number: usize) -> Keys {
        Seed::parse(&self.words[number]).unwrap().keys(Network::Regtest)
    }
}

/// Starts a daemon of a treasury, at its most talkative; what it says lands in its folder. It may be doomed to die at a place.
fn start(folder: Folder, bitcoind: &Bitcoind, friends: &[Daemon], place: Option<&str>) -> Daemon {
    let said = folder.path().join("said");
    let mut program = Command::new("sh");
    program.arg("-c").arg(format!("exec \"$0\" \"$@\" -vv 2>>{}", arg(&said))).arg(musicdao());
    if let Some(place) = place {
        program.env("MUSICDAO_TEST_DIE_AT", place);
    }
    let peer = bitcoind.address().to_string();
    let links: Vec<String> = friends.iter().map(Daemon::invite).collect();
    let mut args = vec!["--no-dht", "--no-mdns", "--listen", "127.0.0.1:0"];
    args.extend(["--network", "regtest", "--bitcoin-peer", &peer]);
    args.extend(links.iter().flat_map(|link| ["--peer", link]));
    folder.daemon_with(program, &args)
}

/// Whether one signature of all is all that there is.
fn is_one(witness: &[String]) -> bool {
    witness.len() == 1 && witness[0].len() == SIGNATURE
}

/// Whether it is counted signatures: what a leaf takes, the leaf, and the proof that it is one.
fn is_counted(witness: &[String]) -> bool {
    let signatures = witness.iter().filter(|element| element.len() == SIGNATURE).count();
    signatures >= 2 && witness.len() == 3 + 2
}

#[test]
fn counted_signatures_pay() {
    let mut treasury = Treasury::of("multi_a", "60");
    let signed = treasury.pay();
    assert!(is_counted(&signed), "{signed:?}");
}

#[test]
fn all_pay_as_one_and_without_one_of_them_signatures_are_counted() {
    let mut treasury = Treasury::of("musig2", "60");
    treasury.pay_as_one();
    treasury.lose(1);
    let signed = treasury.pay();
    assert!(is_counted(&signed), "{signed:?}");
}

#[test]
fn a_group_pays_as_one_also_after_a_restart_and_without_one_of_them_and_tells_no_secret() {
    let mut treasury = Treasury::of("frost", "60");
    treasury.pay_as_one();
    // Shares of the group's key come back with the passphrase.
    let folders: Vec<Folder> = treasury.three.drain(..).map(Daemon::stop).collect();
    for folder in folders {
        let daemon = start(folder, &treasury.bitcoind, &treasury.three, None);
        treasury.three.push(daemon);
    }
    treasury.all().into_iter().for_each(unlock);
    treasury.pay_as_one();
    no_secret_shows(&mut treasury);
    treasury.lose(1);
    let signed = treasury.pay();
    assert!(is_one(&signed) || is_counted(&signed), "{signed:?}");
}

#[test]
fn without_a_group_signatures_are_counted() {
    let mut treasury = Treasury::begun("frost", "60");
    // Whoever is gone before the coin is in a block makes no group with the others.
    treasury.lose(1);
    treasury.settle_founding();
    let signed = treasury.pay();
    assert!(is_counted(&signed), "{signed:?}");
}

#[test]
fn a_holder_that_is_killed_beside_its_secret_makes_the_group_with_the_others() {
    for place in ["dao_secret", "dao_secret_kept"] {
        let mut treasury = Treasury::begun("frost", "60");
        let folder = treasury.three.remove(1).stop();
        mine(&treasury.bitcoind, &treasury.all());
        let doomed = start(folder, &treasury.bitcoind, &treasury.three, Some(place));
        unlock(&doomed);
        let fund = treasury.fund.clone();
        let folder =
            until_killed(doomed, place, |doomed| drop(doomed.folder().output(&["dao", "show", &fund])));
        let back = start(folder, &treasury.bitcoind, &treasury.three, None);
        unlock(&back);
        treasury.three.insert(1, back);
        treasury.settle_group();
        treasury.pay_as_one();
    }
}

/// Searches all that a group's holder wrote and told for the key that it holds and for its share of the group's key.
fn no_secret_shows(treasury: &mut Treasury) {
    let ben = treasury.three.remove(1);
    let (id, told, answers) = (ben.id().to_owned(), ben.told(), answers(&ben, &treasury.fund));
    let folder = ben.stop();
    let fund: DaoId = treasury.fund.parse().unwrap();
    let keys = treasury.keys(1);
    let (_, sealed) = treasury.kept(&folder, &id);
    assert!(!sealed.is_empty());
    let mut secrets: Vec<[u8; 32]> = vec![keys.member(&fund).secret_bytes()];
    for sealed in &sealed {
        assert!(treasury.keys(0).sealing(&fund).open(sealed).is_err(), "another wallet reads it");
        secrets.push(signing_share(&keys.sealing(&fund).open(sealed).unwrap()));
    }
    let clean = |what: &str, bytes: &[u8]| {
        for secret in &secrets {
            let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            let listed = secret.map(|byte| byte.to_string()).join(",");
            let shows = |pattern: &[u8]| bytes.windows(pattern.len()).any(|window| window == pattern);
            let found = shows(secret) || shows(digits.as_bytes()) || shows(listed.as_bytes());
            assert!(!found, "{what} holds a secret");
        }
    };
    told.iter().for_each(|event| clean("an event", event.to_string().as_bytes()));
    answers.iter().for_each(|answer| clean("an answer", answer));
    let mut looked = 0;
    each_file(folder.path(), &mut |path, bytes| {
        looked += 1;
        clean(&path.display().to_string(), bytes);
    });
    assert!(looked > 5 && fs::metadata(folder.path().join("said")).unwrap().len() > 10_000);
    let ben = start(folder, &treasury.bitcoind, &treasury.three, None);
    unlock(&ben);
    treasury.three.insert(1, ben);
}

/// What a node answers of a DAO, at its most talkative.
fn answers(daemon: &Daemon, fund: &str) -> Vec<Vec<u8>> {
    let asked = ["show", "proposals", "refunds", "audit"].map(|what| ["dao", what, fund, "-vv"]);
    let outputs = asked.iter().map(|args| daemon.folder().output(args));
    outputs.map(|output| [output.stdout, output.stderr].concat()).collect()
}

/// Finds the secret number of a share: the one whose point stands after it.
fn signing_share(share: &[u8]) -> [u8; 32] {
    let secp = Secp256k1::new();
    let is_it = |window: &&[u8]| {
        let (number, point) = window.split_at(32);
        let point_of = SecretKey::from_slice(number).map(|key| PublicKey::from_secret_key(&secp, &key));
        point_of.is_ok_and(|of_number| of_number.serialize() == point)
    };
    let found = share.windows(32 + 33).find(is_it).expect("a share has a number and its point");
    found[..32].try_into().unwrap()
}

fn each_file(folder: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => each_file(&path, look),
            false => look(&path, &fs::read(&path).unwrap_or_default()),
        }
    }
}

#[test]
fn a_signer_that_is_killed_on_the_way_pays_once_by_counted_signatures() {
    let [refund, .., releasing, released] = PLACES;
    killed("multi_a", &[refund, releasing, released]);
}

#[test]
fn a_signer_that_is_killed_on_the_way_pays_once_with_all_as_one() {
    killed("musig2", &PLACES);
}

#[test]
fn a_signer_that_is_killed_on_the_way_pays_once_with_a_group() {
    killed("frost", &PLACES);
}

/// Has somebody without whom nothing is paid die at each of these places, come back, and go on.
fn killed(construction: &str, places: &[&str]) {
    let mut treasury = Treasury::of(construction, "100");
    for place in places {
        let folder = treasury.three.remove(1).stop();
        let doomed = start(folder, &treasury.bitcoind, &treasury.three, Some(place));
        unlock(&doomed);
        let proposal = treasury.propose();
        dao::vote(&treasury.all(), &treasury.fund, &proposal, "yes");
        let vote = ["dao", "vote", &treasury.fund, &proposal, "yes"];
        let folder = until_killed(doomed, place, |doomed| drop(doomed.folder().output(&vote)));
        let back = start(folder, &treasury.bitcoind, &treasury.three, None);
        unlock(&back);
        treasury.three.insert(1, back);
        treasury.until_paid(&treasury.all(), &proposal);
    }
    let rounds = rounds_of_all(&mut treasury);
    for its in rounds {
        let different: BTreeSet<_> = its.iter().collect();
        assert_eq!(different.len(), its.len(), "a round was committed to twice: {its:?}");
        assert!(construction == "multi_a" || its.len() >= places.len(), "{its:?}");
    }
}

/// Does something again and again until a daemon dies of it, and returns its folder.
fn until_killed(mut doomed: Daemon, place: &str, again: impl Fn(&Daemon)) -> Folder {
    let began = Instant::now();
    while !doomed.has_ended() {
        assert!(began.elapsed() < PATIENCE, "nobody came to {place}");
        again(&doomed);
    }
    let (code, folder) = doomed.ended();
    assert_eq!(code, None, "{place}: it was not killed");
    folder
}

fn rounds_of_all(treasury: &mut Treasury) -> Vec<Vec<(TurnId, u32)>> {
    let three: Vec<Daemon> = treasury.three.drain(..).collect();
    let ended = three.into_iter().map(|daemon| (daemon.id().to_owned(), daemon.stop()));
    ended.map(|(id, folder)| treasury.kept(&folder, &id).0).collect()
}
