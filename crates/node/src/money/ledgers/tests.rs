use std::path::Path;

use chain::testenv::{Bitcoind, Purse, nobody};
use domain::bitcoin::Amount;
use tempfile::TempDir;
use treasury::{paying::Audit, wallet::Chain as Keys};

use super::*;
use crate::{
    Api, Config, Node, NodeHandle, Settings,
    api::{ProfileEdit, Request, WalletCommand},
    money::income,
};

const TIP: u64 = 10_000;

/// An artist's node on a chain of its own.
struct Artist {
    bitcoind: Bitcoind,
    purse: Purse,
    folder: TempDir,
    node: Arc<NodeHandle>,
}

impl Artist {
    async fn start() -> Self {
        let bitcoind = Bitcoind::start();
        let purse = Purse::fill(&bitcoind, 5);
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            port_mapping: false,
            network: Network::Regtest,
            bitcoin_peers: vec![bitcoind.address().to_string()],
            ..Settings::default()
        };
        settings.save(folder.path()).unwrap();
        let node = open(folder.path()).await;
        let artist = Self { bitcoind, purse, folder, node };
        let passphrase = "correct horse battery staple".to_owned();
        let create = WalletCommand::Create { passphrase, words_passphrase: None, words: Some(12) };
        artist.node.call(Request::Wallet(create)).await.unwrap();
        let profile = ProfileEdit { name: Some("Ada".to_owned()), ..ProfileEdit::default() };
        artist.node.call(Request::ProfileSet(profile)).await.unwrap();
        artist
    }

    /// Runs something while the node is down.
    async fn restart(self, while_down: impl FnOnce(&Bitcoind)) -> Self {
        let Self { bitcoind, purse, folder, node } = self;
        node.shutdown().await;
        drop(node);
        while_down(&bitcoind);
        let node = open(folder.path()).await;
        Self { bitcoind, purse, folder, node }
    }

    /// Pays the artist and mines that.
    async fn earn(&mut self) {
        let book = records::book(&self.node.inner, self.node.id()).await.unwrap();
        let script = income::draw(&self.node.inner, &book, Keys::Income).await.unwrap();
        self.purse.pay(&self.bitcoind, &script, Amount::from_sat(TIP));
        self.bitcoind.mine(1);
    }

    /// The money up to the newest block that the Bitcoin node has.
    async fn account(&self) -> Account {
        loop {
            let account = account(&self.node.inner, self.node.id()).await.unwrap();
            if account.facts().tip.hash == self.bitcoind.tip().hash {
                return account;
            }
            drop(account);
            let chain = self.node.inner.money.link().unwrap();
            let mut status = chain.status_changes();
            let newest = |chain: &Chain| chain.tip().hash == self.bitcoind.tip().hash;
            let known = status.wait_for(|status| newest(&chain) && status.phase == Phase::Synced);
            timeout(Duration::from_secs(60), known).await.expect("the newest block comes").unwrap();
        }
    }
}

async fn open(data: &Path) -> Arc<NodeHandle> {
    let listen = Some(([127, 0, 0, 1], 0).into());
    let data = data.to_owned();
    Node::start(Config { data, listen, peers: Vec::new(), no_dht: true, no_mdns: true }).await.unwrap()
}

fn json(account: &Account) -> String {
    Audit::of(&account.ledger).to_json()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_searched_once_and_blocks_to_come_not_at_all() {
    let mut artist = Artist::start().await;
    artist.earn().await;
    let account = artist.account().await;
    assert_eq!(account.ledger.income, Amount::from_sat(TIP));
    let (searched, height) = (account.seen.searched.clone(), account.facts().tip.height);
    assert!(!searched.is_empty());
    drop(account);

    // The node's own client tells of new blocks, whether they concern the artist or not.
    for income in 2..=4 {
        artist.earn().await;
        artist.bitcoind.mine(1);
        let account = artist.account().await;
        assert_eq!(account.ledger.income, Amount::from_sat(TIP * income));
        assert_eq!(account.seen.searched, searched);
    }

    // Nor is it searched again after a restart, which finds what came in between.
    let artist = artist.restart(|bitcoind| drop(bitcoind.mine(3))).await;
    let account = artist.account().await;
    assert_eq!(account.ledger.income, Amount::from_sat(TIP * 4));
    assert!(account.seen.searched.iter().all(|from| *from >= height), "{:?}", account.seen.searched);
    let kept = json(&account);
    drop(account);

    // What was kept and what the chain says are the same.
    let (me, network) = (artist.node.id(), artist.node.inner.money.network);
    artist.node.inner.store.forget_seen(&me, network).await.unwrap();
    let artist = artist.restart(|_| ()).await;
    let account = artist.account().await;
    assert!(account.seen.searched.iter().any(|from| *from < height), "{:?}", account.seen.searched);
    assert_eq!(json(&account), kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reorganisation_takes_while_the_node_is_down_is_forgotten() {
    let mut artist = Artist::start().await;
    artist.earn().await;
    artist.bitcoind.mine(1);
    artist.earn().await;
    artist.bitcoind.mine(1);
    let account = artist.account().await;
    assert_eq!(account.ledger.income, Amount::from_sat(2 * TIP));
    let fork = account.facts().tip.height - 2;
    drop(account);

    // The payments are in nobody's block any more, and will not be: the Bitcoin node has only empty ones.
    let artist = artist.restart(|bitcoind| bitcoind.reorganise(2)).await;
    let account = artist.account().await;
    assert_eq!(account.ledger.income, Amount::from_sat(TIP));
    assert_eq!(account.seen.searched, [fork], "the search goes on where the chains part");
    let resumed = json(&account);
    drop(account);

    let (me, network) = (artist.node.id(), artist.node.inner.money.network);
    artist.node.inner.store.forget_seen(&me, network).await.unwrap();
    let artist = artist.restart(|_| ()).await;
    assert_eq!(json(&artist.account().await), resumed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorganisation_is_followed_while_the_node_runs() {
    let mut artist = Artist::start().await;
    artist.earn().await;
    drop(artist.account().await);
    artist.earn().await;
    artist.bitcoind.mine(2);
    let account = artist.account().await;
    assert_eq!(account.ledger.income, Amount::from_sat(2 * TIP));
    let searched = account.seen.searched.len();
    drop(account);

    artist.bitcoind.reorganise(3);
    let account = artist.account().await;
    assert_eq!(account.ledger.income, Amount::from_sat(TIP));
    assert_eq!(account.seen.searched.len(), searched);
    drop(account);

    // The payment was in the mempool again.
    artist.bitcoind.mine_to(1, &nobody(1));
    assert_eq!(artist.account().await.ledger.income, Amount::from_sat(2 * TIP));
}
