//! The chain against real nodes.

mod fake;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bitcoin::{Amount, ScriptBuf, Transaction};
use domain::Network;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::fake::Manner;
use crate::testenv::{Bitcoind, PATIENCE, Purse, nobody, wait_until};
use crate::{
    BlockId, Chain, Config, Connected, Error, Event, Fault, Outbox, PeerAddress, Phase, Since, Status,
    rebroadcast, start,
};

/// A chain under test, and its events.
struct Watched {
    chain: Chain,
    events: mpsc::Receiver<Event>,
    config: Config,
    folder: TempDir,
}

impl Watched {
    /// One that asks nobody but these peers.
    fn only(peers: impl IntoIterator<Item = PeerAddress>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            peers: peers.into_iter().collect(),
            only_these_peers: true,
            ..Config::new(Network::Regtest, folder.path().to_owned())
        };
        Self::with(config, folder)
    }

    fn with(config: Config, folder: TempDir) -> Self {
        let (chain, events) = start(config.clone()).unwrap();
        Self { chain, events, config, folder }
    }

    /// Ends it and begins another with the same folder, to which one at a time writes.
    async fn again(self) -> Self {
        let Self { chain, events, config, folder } = self;
        drop(events);
        chain.ended().await;
        Self::with(config, folder)
    }

    async fn next(&mut self) -> Event {
        let next = timeout(PATIENCE, self.events.recv()).await;
        next.unwrap_or_else(|_| panic!("no event: {}", self.chain.status())).expect("the chain goes on")
    }

    /// The blocks that are connected and disconnected until everything up to a block is seen.
    async fn until_synced(&mut self, tip: BlockId) -> Vec<Event> {
        let mut seen = Vec::new();
        loop {
            match self.next().await {
                Event::Synced(id) if id == tip => return seen,
                Event::Synced(_) | Event::Unconfirmed(_) => (),
                event => seen.push(event),
            }
        }
    }

    async fn until_status(&mut self, what: &str, is_so: impl FnMut(&Status) -> bool) -> Status {
        let mut changes = self.chain.status_changes();
        let status = timeout(PATIENCE, changes.wait_for(is_so)).await;
        status
            .unwrap_or_else(|_| panic!("waited in vain for {what}: {}", self.chain.status()))
            .unwrap()
            .clone()
    }
}

/// What a wallet makes of events: the blocks in which it found something, in a chain without gaps.
#[derive(Default)]
struct Picture {
    chain: Vec<BlockId>,
    matched: Vec<BlockId>,
}

impl Picture {
    fn of(events: &[Event]) -> Self {
        let mut picture = Self::default();
        picture.add(events);
        picture
    }

    fn add(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Connected(block) => self.connect(block),
                Event::Disconnected(id) => {
                    assert_eq!(self.chain.pop(), Some(*id), "the highest leaves first");
                    self.matched.retain(|it| it != id);
                }
                _ => (),
            }
        }
    }

    fn connect(&mut self, block: &Connected) {
        if let Some(last) = self.chain.last() {
            assert_eq!(block.previous(), *last, "blocks come in order");
        }
        self.chain.push(block.id);
        if let Some(whole) = &block.block {
            assert_eq!(whole.block_hash(), block.id.hash);
            self.matched.push(block.id);
        }
    }

    fn tip(&self) -> BlockId {
        *self.chain.last().expect("there was a block")
    }
}

fn script(number: u32) -> ScriptBuf {
    nobody(1_000_000 + number).script_pubkey()
}

fn pays(transaction: &Transaction, script: &ScriptBuf) -> bool {
    transaction.output.iter().any(|it| it.script_pubkey == *script)
}

const SOME: Amount = Amount::from_sat(50_000);

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_found_in_the_past_and_as_it_comes() {
    let node = Bitcoind::start();
    let mut purse = Purse::fill(&node, 3);
    purse.pay(&node, &script(1), SOME);
    let past = node.mine(1)[0];
    node.mine(20);

    let mut watched = Watched::only([node.peer()]);
    watched.chain.watch(vec![script(1)], Since::Height(0)).await.unwrap();
    let mut picture = Picture::of(&watched.until_synced(node.tip()).await);
    assert_eq!(picture.chain.len() as u32, node.tip().height);
    assert_eq!(picture.matched.iter().map(|it| it.hash).collect::<Vec<_>>(), [past]);

    purse.pay(&node, &script(1), SOME);
    let fresh = node.mine(1)[0];
    picture.add(&watched.until_synced(node.tip()).await);
    assert_eq!(picture.tip(), node.tip());
    assert_eq!(picture.matched.iter().map(|it| it.hash).collect::<Vec<_>>(), [past, fresh]);
    assert_eq!(watched.chain.status().phase, Phase::Synced);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_peers_that_agree_suffice_while_blocks_come_fast() {
    let (one, other) = Bitcoind::pair();
    let mut purse = Purse::fill(&one, 10);
    other.wait_for(&one);
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        peers: vec![one.peer(), other.peer()],
        ..Config::new(Network::Regtest, folder.path().to_owned())
    };
    let mut watched = Watched::with(config, folder);
    watched.chain.watch(vec![script(1)], Since::Height(0)).await.unwrap();
    let mut picture = Picture::of(&watched.until_synced(one.tip()).await);

    for _ in 0..10 {
        purse.pay(&one, &script(1), SOME);
        one.mine(1);
    }
    other.wait_for(&one);
    picture.add(&watched.until_synced(one.tip()).await);
    assert_eq!(picture.matched.len(), 10);
    assert_eq!(picture.tip(), one.tip());
    assert_eq!(watched.chain.status().required, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorganisation_of_six_blocks_takes_payments_away_and_gives_them_back() {
    let node = Bitcoind::start();
    let mut purse = Purse::fill(&node, 3);
    let mut watched = Watched::only([node.peer()]);
    watched.chain.watch(vec![script(1)], Since::Height(0)).await.unwrap();
    let mut picture = Picture::of(&watched.until_synced(node.tip()).await);
    let payment = purse.pay(&node, &script(1), SOME);
    node.mine(6);
    picture.add(&watched.until_synced(node.tip()).await);
    assert_eq!(picture.matched.len(), 1);

    node.reorganise(6);
    let events = watched.until_synced(node.tip()).await;
    assert_eq!(events.iter().filter(|it| matches!(it, Event::Disconnected(_))).count(), 6);
    picture.add(&events);
    assert_eq!((picture.tip(), picture.matched.len()), (node.tip(), 0));
    assert_eq!(watched.chain.block_id(node.tip().height), Some(node.tip()));

    // The node took the payment back into its mempool.
    assert!(node.has_in_mempool(payment.compute_txid()));
    node.mine(1);
    picture.add(&watched.until_synced(node.tip()).await);
    assert_eq!(picture.matched, [node.tip()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_come_late_are_found_in_another_pass() {
    let node = Bitcoind::start();
    let mut purse = Purse::fill(&node, 3);
    purse.pay(&node, &script(2), SOME);
    let late = node.mine(5)[0];
    let mut watched = Watched::only([node.peer()]);
    watched.chain.watch(vec![script(1)], Since::Height(0)).await.unwrap();
    assert_eq!(Picture::of(&watched.until_synced(node.tip()).await).matched, []);

    watched.chain.watch(vec![script(2)], Since::Height(50)).await.unwrap();
    let pass = Picture::of(&watched.until_synced(node.tip()).await);
    assert_eq!(pass.chain.first().map(|it| it.height), Some(51));
    assert_eq!(pass.matched.iter().map(|it| it.hash).collect::<Vec<_>>(), [late]);

    // Nobody can have paid a script that nobody was shown: what is known is not looked at again.
    watched.chain.watch(vec![script(3)], Since::Now).await.unwrap();
    purse.pay(&node, &script(3), SOME);
    node.mine(1);
    let next = Picture::of(&watched.until_synced(node.tip()).await);
    assert_eq!((next.chain.len(), next.matched), (1, vec![node.tip()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_come_during_a_pass_are_found() {
    let node = Bitcoind::start();
    let mut purse = Purse::fill(&node, 3);
    purse.pay(&node, &script(2), SOME);
    let early = node.mine(500)[0];
    let mut watched = Watched::only([node.peer()]);
    watched.chain.watch(vec![script(1)], Since::Height(0)).await.unwrap();
    loop {
        if let Event::Connected(it) = watched.next().await
            && it.id.height == 300
        {
            break;
        }
    }
    watched.chain.watch(vec![script(2)], Since::Height(0)).await.unwrap();
    loop {
        if let Event::Connected(it) = watched.next().await
            && let Some(block) = it.block
        {
            assert_eq!(block.block_hash(), early);
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_the_wallet_was_across_a_reorganisation() {
    let node = Bitcoind::start();
    node.mine(30);
    let mut watched = Watched::only([node.peer()]);
    watched.chain.watch(vec![script(1)], Since::Now).await.unwrap();
    watched.until_synced(node.tip()).await;
    node.mine(2);
    let known = Picture::of(&watched.until_synced(node.tip()).await).chain;
    assert_eq!(known.len(), 2);

    node.reorganise(1);
    let mut watched = watched.again().await;
    watched.chain.watch(vec![script(1)], Since::Known(known.clone())).await.unwrap();
    let picture = Picture::of(&watched.until_synced(node.tip()).await);
    assert_eq!(picture.chain, [node.block_id(known[1].height), node.tip()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unconfirmed_payment_is_heard_of() {
    let node = Bitcoind::start();
    let mut purse = Purse::fill(&node, 3);
    let mut watched = Watched::only([node.peer()]);
    watched.chain.watch(vec![script(1)], Since::Now).await.unwrap();
    watched.until_synced(node.tip()).await;
    wait_until("a peer that wants transactions", || {
        let peers = node.rpc("getpeerinfo", json!([]));
        peers.as_array().unwrap().iter().any(|it| it["relaytxes"] == true)
    });
    purse.pay(&node, &script(2), SOME);
    let payment = purse.pay(&node, &script(1), SOME);
    assert_eq!(watched.next().await, Event::Unconfirmed(Arc::new(payment)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_reaches_the_mempools_of_all() {
    let (one, other) = Bitcoind::pair();
    let mut purse = Purse::fill(&one, 3);
    other.wait_for(&one);
    let mut watched = Watched::only([one.peer()]);
    watched.until_synced(one.tip()).await;
    let payment = purse.sign(&[(script(1), SOME)]);
    let offered = watched.chain.broadcast(&payment).await.unwrap();
    assert_eq!(offered.directly, 1);
    for node in [&one, &other] {
        wait_until("the mempool", || node.has_in_mempool(payment.compute_txid()));
    }
}

/// A queue that survives what the test does, as a wallet's database does.
#[derive(Clone)]
struct Queue(Arc<Mutex<Vec<Transaction>>>);

impl Outbox for Queue {
    async fn unconfirmed(&mut self) -> Vec<Transaction> {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_peer_took_is_broadcast_when_one_is_back() {
    let mut node = Bitcoind::start();
    let mut purse = Purse::fill(&node, 3);
    let payment = purse.sign(&[(script(1), SOME)]);
    let mut watched = Watched::only([node.peer()]);
    watched.chain.watch(vec![script(1)], Since::Now).await.unwrap();
    watched.until_synced(node.tip()).await;

    let queue = Queue(Arc::new(Mutex::new(Vec::new())));
    let task = tokio::spawn(rebroadcast(watched.chain.clone(), queue.clone()));
    node.restart(|| queue.0.lock().unwrap().push(payment.clone()));
    wait_until("the mempool", || node.has_in_mempool(payment.compute_txid()));
    node.mine(1);
    let picture = Picture::of(&watched.until_synced(node.tip()).await);
    assert_eq!(picture.matched, [node.tip()]);
    task.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_transaction_is_sent_and_nothing_comes_of_it() {
    let node = Bitcoind::start();
    let mut purse = Purse::fill(&node, 3);
    let mut watched = Watched::only([node.peer()]);
    watched.until_synced(node.tip()).await;
    let mut forged = purse.sign(&[(script(1), SOME)]);
    forged.output[0].value += SOME;
    watched.chain.broadcast(&forged).await.unwrap();
    assert!(!node.has_in_mempool(forged.compute_txid()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_peer_the_status_says_why_and_nothing_hangs() {
    let node = Bitcoind::start();
    let (gone, address) = (node.peer(), node.tip().hash);
    drop(node);
    let mut watched = Watched::only([gone.clone()]);
    watched.chain.watch(vec![script(1)], Since::Height(0)).await.unwrap();
    let status = watched
        .until_status("a fault", |it| {
            it.phase == Phase::Waiting && it.faults.iter().any(|it| it.peer == gone)
        })
        .await;
    assert_eq!(status.faults[0].fault, Fault::Unreachable);
    assert!(status.to_string().contains("does not answer"), "{status}");

    let error = timeout(PATIENCE, watched.chain.block(address)).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::NoPeer | Error::UnknownBlock(_)), "{error}");
    let payment = fake::Chain::default().and_mined(1, fake::EASIEST, 1).blocks[0].txdata[0].clone();
    let error = timeout(PATIENCE, watched.chain.broadcast(&payment)).await.unwrap().unwrap_err();
    assert_eq!(error.code(), "bitcoin_no_peer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_peer_is_found_again() {
    let mut node = Bitcoind::start();
    node.mine(5);
    let mut watched = Watched::only([node.peer()]);
    watched.chain.watch(vec![script(1)], Since::Height(0)).await.unwrap();
    let mut picture = Picture::of(&watched.until_synced(node.tip()).await);

    let mut changes = watched.chain.status_changes();
    node.restart(|| {
        let waits = changes.wait_for(|it| it.phase == Phase::Waiting);
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(timeout(PATIENCE, waits)).unwrap().map(drop).unwrap();
        });
    });
    node.mine(3);
    picture.add(&watched.until_synced(node.tip()).await);
    assert_eq!(picture.tip(), node.tip());

    // The node is there and drops whoever is connected.
    node.network(false);
    watched.until_status("the loss", |it| it.phase != Phase::Synced).await;
    node.mine(1);
    node.network(true);
    picture.add(&watched.until_synced(node.tip()).await);
    assert_eq!(picture.tip(), node.tip());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_network_is_named_as_such() {
    let node = Bitcoind::start();
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        peers: vec![node.peer()],
        only_these_peers: true,
        ..Config::new(Network::Testnet4, folder.path().to_owned())
    };
    let mut watched = Watched::with(config, folder);
    let status = watched.until_status("a fault", |it| !it.faults.is_empty()).await;
    assert_eq!(status.faults[0].fault, Fault::OtherNetwork);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_stalls_or_garbles_filters_gives_way_to_another() {
    let node = Bitcoind::start();
    let mut purse = Purse::fill(&node, 1);
    purse.pay(&node, &script(1), SOME);
    node.mine(1);
    for manner in [Manner::Silent, Manner::Garbled] {
        let bad = fake::start(fake::Chain::of(&node), manner).await;
        let mut watched = Watched::only([bad, node.peer()]);
        watched.chain.watch(vec![script(1)], Since::Height(0)).await.unwrap();
        let picture = Picture::of(&watched.until_synced(node.tip()).await);
        assert_eq!(picture.matched, [node.tip()], "{manner:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_hides_a_payment_is_outvoted_by_two() {
    let (one, other) = Bitcoind::pair();
    let mut purse = Purse::fill(&one, 1);
    purse.pay(&one, &script(1), SOME);
    one.mine(1);
    other.wait_for(&one);
    let hides = fake::Chain::of(&one).without_filter(one.tip().height);
    let liar = fake::start(hides, Manner::Plain).await;
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        peers: vec![liar, one.peer(), other.peer()],
        ..Config::new(Network::Regtest, folder.path().to_owned())
    };
    let mut watched = Watched::with(config, folder);
    watched.chain.watch(vec![script(1)], Since::Height(0)).await.unwrap();
    let picture = Picture::of(&watched.until_synced(one.tip()).await);
    assert_eq!(picture.matched, [one.tip()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_counts_and_not_the_number_of_headers() {
    let shared = fake::Chain::default().and_mined(3, fake::HARDER, 0);
    let long = shared.clone().and_mined(40, fake::EASIEST, 1);
    let heavy = shared.and_mined(2, fake::HARDER, 2);
    let tip = BlockId { height: 5, hash: heavy.tip() };
    let (long, heavy) = (fake::start(long, Manner::Plain).await, fake::start(heavy, Manner::Plain).await);
    let mut watched = Watched::only([long, heavy]);
    watched.chain.watch(vec![script(2)], Since::Height(0)).await.unwrap();
    let mut picture = Picture::default();
    picture.add(&watched.until_synced(tip).await);
    assert_eq!((picture.tip(), picture.matched.len()), (tip, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_began_anew_is_learnt_anew() {
    let node = Bitcoind::start();
    node.mine(50);
    let other = Bitcoind::start();
    // To somebody else: blocks of one second that pay the same are the same.
    other.mine_to(10, &nobody(7));
    learns_of_less_work(node, &other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_nobody_has_any_more_is_given_up() {
    let (node, other) = Bitcoind::pair();
    other.network(false);
    node.mine(50);
    other.mine_to(10, &nobody(7));
    other.network(true);
    learns_of_less_work(node, &other).await;
}

/// Sees the chain of one node, and after its end that of another, which has less work.
async fn learns_of_less_work(node: Bitcoind, other: &Bitcoind) {
    let mut watched = Watched::only([node.peer()]);
    watched.chain.watch(vec![script(1)], Since::Height(0)).await.unwrap();
    watched.until_synced(node.tip()).await;
    drop(node);

    watched.config.peers = vec![other.peer()];
    let mut watched = watched.again().await;
    watched.chain.watch(vec![script(1)], Since::Height(0)).await.unwrap();
    let picture = Picture::of(&watched.until_synced(other.tip()).await);
    assert_eq!(picture.tip(), other.tip());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_scans_beside_what_is_watched() {
    let node = Bitcoind::start();
    let mut purse = Purse::fill(&node, 5);
    let mut paid = Vec::new();
    for _ in 0..5 {
        purse.pay(&node, &script(9), SOME);
        paid.push(node.mine(2)[0]);
    }
    let mut watched = Watched::only([node.peer()]);
    watched.until_synced(node.tip()).await;
    let after = watched.chain.height_of(&paid[0]).unwrap();
    let mut scan = watched.chain.scan(vec![script(9)], after).await.unwrap();
    let mut found = Vec::new();
    while let Some(it) = timeout(PATIENCE, scan.next()).await.unwrap() {
        let it = it.unwrap();
        assert!(it.block.txdata.iter().any(|it| pays(it, &script(9))));
        found.push(it.id.hash);
    }
    assert_eq!((found, scan.upto()), (paid[1..].to_vec(), node.tip()));

    let block = watched.chain.block(paid[2]).await.unwrap();
    assert_eq!(*block, node.block(paid[2]));
    // Below what the running client was told of.
    let old = node.block_id(5).hash;
    assert_eq!(*watched.chain.block(old).await.unwrap(), node.block(old));
    let times = node.rpc("getblockheader", json!([paid[2]]));
    let height = watched.chain.height_of(&paid[2]).unwrap();
    assert_eq!(watched.chain.median_time_past(height).map(u64::from), times["mediantime"].as_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn fees_are_what_the_last_blocks_were_paid() {
    let node = Bitcoind::start();
    let mut purse = Purse::fill(&node, 5);
    let mut watched = Watched::only([node.peer()]);
    watched.chain.watch(vec![script(1)], Since::Now).await.unwrap();
    let payment = purse.pay(&node, &script(1), SOME);
    node.mine(1);
    watched.until_synced(node.tip()).await;
    let rates = timeout(PATIENCE, watched.chain.fee_rates()).await.unwrap().unwrap();
    let paid = 2_000 * 1_000 / payment.weight().to_wu();
    assert_eq!(rates.fast.to_sat_per_kwu(), paid);
    assert_eq!((rates.slow, rates.normal), (rates.floor, rates.floor));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_proxy_nothing_goes_around_it() {
    let node = Bitcoind::start();
    let mut purse = Purse::fill(&node, 3);
    let (proxy, connections) = fake::start_proxy(node.address()).await;
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        // Only the proxy knows that name.
        peers: vec![PeerAddress::parse("bitcoin.test:1", Network::Regtest).unwrap()],
        only_these_peers: true,
        proxy: Some(proxy),
        ..Config::new(Network::Regtest, folder.path().to_owned())
    };
    let mut watched = Watched::with(config, folder);
    watched.chain.watch(vec![script(1)], Since::Height(0)).await.unwrap();
    watched.until_synced(node.tip()).await;
    let payment = purse.sign(&[(script(1), SOME)]);
    assert_eq!(watched.chain.broadcast(&payment).await.unwrap().directly, 1);
    wait_until("the mempool", || node.has_in_mempool(payment.compute_txid()));
    assert!(connections.load(std::sync::atomic::Ordering::Relaxed) >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_it_is_left_when_it_has_ended() {
    let node = Bitcoind::start();
    let mut watched = Watched::only([node.peer()]);
    watched.chain.watch(vec![nobody(1).script_pubkey()], Since::Height(0)).await.unwrap();
    watched.until_synced(node.tip()).await;
    let Watched { chain, events, folder, .. } = watched;
    assert!(timeout(Duration::from_millis(50), chain.ended()).await.is_err(), "it goes on");
    drop(events);
    timeout(PATIENCE, chain.ended()).await.expect("it ends although there are handles");
    assert_eq!(Arc::strong_count(&chain.headers), 1, "nobody else has the headers");
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_is_told_which_blocks_were_looked_through_for_them() {
    let node = Bitcoind::start();
    let mut purse = Purse::fill(&node, 3);
    let mut watched = Watched::only([node.peer()]);
    watched.chain.watch(vec![script(1)], Since::Height(100)).await.unwrap();
    let before = watched.until_synced(node.tip()).await;

    let number = watched.chain.join(vec![script(2)]).await.unwrap();
    purse.pay(&node, &script(2), SOME);
    node.mine(1);
    let after = watched.until_synced(node.tip()).await;
    let watches = |events: &[Event]| -> Vec<(u64, bool)> {
        let connected = events.iter().filter_map(|event| match event {
            Event::Connected(it) => Some((it.watches, it.block.is_some())),
            _ => None,
        });
        connected.collect()
    };
    assert!(watches(&before).iter().all(|(watches, _)| *watches < number), "{before:?}");
    assert_eq!(watches(&after), [(number, true)]);
}
