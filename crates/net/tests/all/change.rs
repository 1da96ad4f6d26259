//! A node whose network changes under it.

use std::{
    io,
    net::SocketAddr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use net::{DownReason, Event, Transport, Udp, wire::GROUP};
use quinn::AsyncUdpSocket;

use crate::{
    common::{Node, noise, ordered, soon},
    namespace,
};

async fn until_changed(node: &mut Node) {
    node.until(|event| (event == Event::NetworkChanged).then_some(())).await;
}

async fn assert_talking(one: &mut Node, two: &mut Node) {
    one.net.send(two.id(), Bytes::from_static(b"still there")).unwrap();
    assert_eq!(two.message().await, "still there");
}

#[tokio::test]
async fn a_sleep_is_noticed_by_the_clock_on_the_wall() {
    let asleep = Arc::new(AtomicU64::new(0));
    let ahead = asleep.clone();
    let mut two = Node::start(2).await;
    let mut one = Node::with(1, |config| {
        let now = move || SystemTime::now() + Duration::from_secs(ahead.load(Ordering::Relaxed));
        config.clock = Arc::new(now);
    })
    .await;
    one.dial(&two).await;
    one.up(two.id()).await;
    asleep.store(3600, Ordering::Relaxed);
    until_changed(&mut one).await;
    assert_talking(&mut one, &mut two).await;
}

const SCRIPT: &str = "ip link set lo up; ip addr add 10.7.0.1/24 dev lo; NET_TEST_ROLE=node exec $BIN $ARGS";

#[test]
fn another_address_of_the_machine_is_noticed() {
    if namespace::role("change::another_address_of_the_machine_is_noticed", SCRIPT).is_none() {
        return;
    }
    namespace::block_on(async {
        let mut one = Node::with(1, |config| config.listen = "0.0.0.0:0".parse().unwrap()).await;
        let at = |ip: [u8; 4]| SocketAddr::from((ip, one.addr().port()));
        let (home, away) = (at([10, 7, 0, 1]), at([10, 8, 0, 1]));
        assert_eq!(one.net.candidates(), [home]);
        for change in ["addr add 10.8.0.1/24 dev lo", "addr del 10.7.0.1/24 dev lo"] {
            let done = Command::new("ip").args(change.split(' ')).status().unwrap();
            assert!(done.success(), "{change}");
            until_changed(&mut one).await;
        }
        assert_eq!(one.net.candidates(), [away]);
    });
}

/// UDP, unless the system has no socket to give.
#[derive(Debug, Default)]
struct Scarce(AtomicBool);

impl Transport for Scarce {
    fn bind(&self, addr: SocketAddr) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        if self.0.load(Ordering::Relaxed) { Err(io::ErrorKind::AddrInUse.into()) } else { Udp.bind(addr) }
    }
}

#[tokio::test]
async fn a_socket_that_could_not_be_opened_is_tried_again() {
    let scarce = Arc::new(Scarce::default());
    let mut two = Node::start(2).await;
    let mut one = Node::with(1, |config| config.transport = scarce.clone()).await;
    one.dial(&two).await;
    one.up(two.id()).await;
    scarce.0.store(true, Ordering::Relaxed);
    assert_eq!(one.net.network_changed().await.unwrap_err().code(), "listen_failed");
    scarce.0.store(false, Ordering::Relaxed);
    until_changed(&mut one).await;
    assert_talking(&mut one, &mut two).await;
}

#[tokio::test]
async fn changes_that_come_together_are_made_one_after_the_other() {
    let (mut one, mut two) = (Node::start(1).await, Node::start(2).await);
    one.dial(&two).await;
    one.up(two.id()).await;
    let before = one.addr();
    let changes = tokio::join!(one.net.network_changed(), one.net.network_changed());
    assert!(changes.0.is_ok() && changes.1.is_ok(), "{changes:?}");
    assert_eq!(one.addr(), before);
    assert_talking(&mut one, &mut two).await;
}

#[tokio::test]
async fn a_new_socket_keeps_the_port_and_the_sessions() {
    let (low, high) = ordered(1, 2);
    for (seeds, dials) in
        [((low, high), true), ((low, high), false), ((high, low), true), ((high, low), false)]
    {
        let (mut one, mut two) = (Node::start(seeds.0).await, Node::start(seeds.1).await);
        if dials {
            one.dial(&two).await
        } else {
            two.dial(&one).await
        }
        one.up(two.id()).await;
        two.up(one.id()).await;
        let before = one.addr();
        one.net.network_changed().await.unwrap();
        assert_eq!(one.addr(), before);
        one.net.send(two.id(), Bytes::from_static(b"still there")).unwrap();
        assert_eq!(two.message().await, "still there");
    }
}

#[tokio::test]
async fn a_download_survives_a_new_socket() {
    let (from, to) = (Node::start(1).await, Node::start(2).await);
    to.dial(&from).await;
    let size = 40 * 1024 * 1024;
    let hash = from.blobs.add_bytes(noise(1, size).into()).await.unwrap().hash;
    let download = to.net.fetch(hash, Some(size as u64));
    download.add_provider(from.id());
    download.want_all();
    soon(download.wait(0..GROUP)).await.unwrap();
    to.net.network_changed().await.unwrap();
    soon(download.complete()).await.unwrap();
}

#[tokio::test]
async fn a_session_to_nowhere_ends_with_the_change() {
    let (mut one, two) = (Node::start(1).await, Node::start(2).await);
    one.dial(&two).await;
    one.up(two.id()).await;
    let gone = two.id();
    // As a peer that lost power: its runtime stops without a word.
    let stopped = std::thread::spawn(move || drop_without_a_word(two));
    stopped.join().unwrap();
    one.net.network_changed().await.unwrap();
    let reason = one.down(gone).await;
    assert!(matches!(reason, DownReason::Lost | DownReason::Left), "{reason:?}");
}

fn drop_without_a_word(node: Node) {
    drop(node);
}
