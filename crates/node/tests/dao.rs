//! A DAO of nodes on a real Bitcoin chain of their own.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use std::{sync::Arc, time::Duration};

use chain::testenv::{Bitcoind, Purse};
use domain::bitcoin::{Address, Amount};
use node::{
    Api, Config, Node, NodeHandle,
    api::{
        Dao, DaoAudit, DaoCharter, DaoChoice, DaoCommand, DaoIntent, DaoOutput, DaoProposal, DaoProposalState, DaoStage,
        DaoState, ProfileEdit, Request, Response, WalletCommand,
    },
};
use tempfile::TempDir;

const PASSPHRASE: &str = "correct horse battery staple";

struct Person {
    node: Arc<NodeHandle>,
    folder: TempDir,
}

async fn open(folder: &TempDir, peers: Vec<String>) -> Arc<NodeHandle> {
    let listen = Some(([127, 0, 0, 1], 0).into());
    let data = folder.path().join("data");
    Node::start(Config { data, listen, peers, no_dht: true, no_mdns: true }).await.unwrap()
}

impl Person {
    async fn start(name: &str, bitcoind: &Bitcoind, friends: &[&Person]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let settings = format!(
            "port_mapping = false\nnetwork = \"regtest\"\nbitcoin_peers = [\"{}\"]\n",
            bitcoind.address()
        );
        std::fs::write(data.join("config.toml"), settings).unwrap();
        let mut peers = Vec::new();
        for friend in friends {
            peers.push(friend.invite().await);
        }
        let node = open(&folder, peers).await;
        let person = Self { node, folder };
        let create = WalletCommand::Create {
            passphrase: PASSPHRASE.into(),
            words_passphrase: None,
            words: Some(12),
        };
        person.ask(Request::Wallet(create)).await;
        let name = ProfileEdit { name: Some(name.into()), ..ProfileEdit::default() };
        person.ask(Request::ProfileSet(name)).await;
        person
    }

    async fn invite(&self) -> String {
        let Response::Invite(invite) = self.ask(Request::Invite).await else { panic!() };
        invite.invite
    }

    async fn restart(self, friends: &[&Person]) -> Self {
        let mut peers = Vec::new();
        for friend in friends {
            peers.push(friend.invite().await);
        }
        self.node.shutdown().await;
        drop(self.node);
        let node = open(&self.folder, peers).await;
        let person = Self { node, folder: self.folder };
        let unlock = WalletCommand::Unlock { passphrase: PASSPHRASE.into(), minutes: None };
        person.ask(Request::Wallet(unlock)).await;
        person
    }

    async fn ask(&self, request: Request) -> Response {
        self.node.call(request.clone()).await.unwrap_or_else(|error| panic!("{request:?}: {error:?}"))
    }

    async fn dao(&self, command: DaoCommand) -> Response {
        self.ask(Request::Dao(command)).await
    }

    async fn address(&self) -> String {
        let command = WalletCommand::Address { label: None, amount_sat: None };
        let Response::Receive(receive) = self.ask(Request::Wallet(command)).await else { panic!() };
        receive.address
    }

    async fn show(&self, dao: domain::SlotId) -> Dao {
        let Response::Dao(dao) = self.dao(DaoCommand::Show { dao }).await else { panic!() };
        *dao
    }

    async fn audit(&self, dao: domain::SlotId) -> DaoAudit {
        let Response::DaoAudit(audit) = self.dao(DaoCommand::Audit { dao }).await else { panic!() };
        audit
    }

    async fn proposal(&self, dao: domain::SlotId, id: domain::SlotId) -> Option<DaoProposal> {
        let Response::DaoProposals(all) = self.dao(DaoCommand::Proposals { dao }).await else { panic!() };
        all.proposals.into_iter().find(|one| one.proposal_id == id)
    }

    /// Waits until the DAO is as wanted.
    async fn until(&self, dao: domain::SlotId, what: &str, is_so: impl Fn(&Dao) -> bool) -> Dao {
        let mut events = self.node.events().await.unwrap();
        let mut last = None;
        let waiting = async {
            loop {
                let request = Request::Dao(DaoCommand::Show { dao });
                if let Ok(Response::Dao(shown)) = self.node.call(request).await {
                    if is_so(&shown) {
                        return *shown;
                    }
                    last = Some(shown);
                }
                let _ = tokio::time::timeout(Duration::from_secs(1), events.recv()).await;
                while events.try_recv().is_ok() {}
            }
        };
        match tokio::time::timeout(common::PATIENCE * 2, waiting).await {
            Ok(shown) => shown,
            Err(_) => panic!("waited in vain for {what}: {last:#?}"),
        }
    }

    async fn until_synced(&self, bitcoind: &Bitcoind) {
        let height = bitcoind.tip().height;
        let waiting = async {
            loop {
                let Response::WalletStatus(status) = self.ask(Request::Wallet(WalletCommand::Status)).await else {
                    panic!()
                };
                if status.synced && status.height == height {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(common::PATIENCE, waiting).await.expect("the wallet is synced in time");
    }
}

fn waiting(bitcoind: &Bitcoind) -> usize {
    bitcoind.rpc("getrawmempool", serde_json::json!([])).as_array().unwrap().len()
}

async fn until_sent(bitcoind: &Bitcoind, count: usize) {
    let sent = async {
        while waiting(bitcoind) < count {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(common::PATIENCE * 2, sent).await.expect("the transaction is sent in time");
}

async fn fund(people: &[&Person], bitcoind: &Bitcoind, purse: &mut Purse) {
    for person in people {
        let address: Address<_> = person.address().await.parse().unwrap();
        purse.pay(bitcoind, &address.assume_checked().script_pubkey(), Amount::from_sat(1_000_000));
    }
}

fn charter() -> DaoCharter {
    DaoCharter {
        name: "Ten friends".into(),
        purpose: "music".into(),
        fee_sat: 100_000,
        threshold_percent: None,
        founders: None,
        vouches: Some(1),
        recovery_blocks: Some(20),
        depth: Some(1),
        policy: Default::default(),
        construction: Default::default(),
        spending_percent: None,
    }
}

async fn found(people: &[&Person], bitcoind: &Bitcoind) -> domain::SlotId {
    let Response::DaoCreated(created) = people[0].dao(DaoCommand::Create(charter())).await else { panic!() };
    let dao = created.dao_id;
    for person in people {
        person.ask(Request::Open { link: created.invite.clone(), wait_ms: Some(30_000) }).await;
        person.dao(DaoCommand::Join { dao, deposit_sat: None, pay: Default::default() }).await;
    }
    for person in people {
        person.until(dao, "everybody to register", |it| it.members.len() == people.len()).await;
    }
    people[0].dao(DaoCommand::Start { dao, passphrase: None }).await;
    until_sent(bitcoind, 1).await;
    bitcoind.mine(1);
    for person in people {
        let shown = person.until(dao, "the founding", |it| it.stage == DaoStage::Active).await;
        assert_eq!((shown.threshold, shown.keys as usize), (2, people.len()));
    }
    dao
}

#[tokio::test(flavor = "multi_thread")]
async fn three_found_a_dao_one_joins_it_pays_and_one_leaves() {
    let bitcoind = Bitcoind::start();
    let mut purse = Purse::fill(&bitcoind, 6);
    let ada = Person::start("Ada", &bitcoind, &[]).await;
    let ben = Person::start("Ben", &bitcoind, &[&ada]).await;
    let cy = Person::start("Cy", &bitcoind, &[&ada, &ben]).await;
    let dee = Person::start("Dee", &bitcoind, &[&ada]).await;
    fund(&[&ada, &ben, &cy, &dee], &bitcoind, &mut purse).await;
    bitcoind.mine(1);
    for person in [&ada, &ben, &cy, &dee] {
        person.until_synced(&bitcoind).await;
    }
    let dao = found(&[&ada, &ben, &cy], &bitcoind).await;
    let audits = [ada.audit(dao).await, ben.audit(dao).await, cy.audit(dao).await];
    assert!(audits[0].ok, "{:?}", audits[0]);
    assert!(audits.iter().all(|audit| *audit == audits[0]), "{audits:?}");
}
