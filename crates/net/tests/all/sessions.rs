//! Sessions between real endpoints on loopback.

use std::{sync::Arc, time::Duration};

use crate::common::{Node, identity, ordered, soon};
use bytes::Bytes;
use domain::{BlobHash, PeerId};
use net::{Answer, DownReason, Event, Handler, NetError, Path};

#[tokio::test]
async fn messages_arrive_whole_and_in_order() {
    let (mut one, mut two) = (Node::start(1).await, Node::start(2).await);
    one.dial(&two).await;
    one.up(two.id()).await;
    two.up(one.id()).await;
    for number in 0..500u32 {
        let mut message = number.to_le_bytes().to_vec();
        message.resize(4 + number as usize * 37 % 6000, 7);
        one.net.send(two.id(), message.into()).unwrap();
    }
    for number in 0..500u32 {
        let message = two.message().await;
        assert_eq!(message[..4], number.to_le_bytes());
        assert_eq!(message.len(), 4 + number as usize * 37 % 6000);
    }
}

#[tokio::test]
async fn either_side_may_dial() {
    for (dialler, listener) in [ordered(1, 2), {
        let (low, high) = ordered(1, 2);
        (high, low)
    }] {
        let (mut one, mut two) = (Node::start(dialler).await, Node::start(listener).await);
        one.dial(&two).await;
        one.up(two.id()).await;
        two.up(one.id()).await;
        one.net.send(two.id(), Bytes::from_static(b"there")).unwrap();
        two.net.send(one.id(), Bytes::from_static(b"back")).unwrap();
        assert_eq!(two.message().await, "there");
        assert_eq!(one.message().await, "back");
    }
}

#[tokio::test]
async fn simultaneous_dials_make_one_session() {
    for _ in 0..20 {
        let (mut one, mut two) = (Node::start(1).await, Node::start(2).await);
        tokio::join!(one.dial(&two), two.dial(&one));
        one.up(two.id()).await;
        two.up(one.id()).await;
        one.net.send(two.id(), Bytes::from_static(b"once")).unwrap();
        two.net.send(one.id(), Bytes::from_static(b"once")).unwrap();
        let (first, second) = (one.event().await, two.event().await);
        assert_eq!(first, Event::Message { peer: two.id(), bytes: Bytes::from_static(b"once") });
        assert_eq!(second, Event::Message { peer: one.id(), bytes: Bytes::from_static(b"once") });
        assert_eq!((one.net.peers().len(), two.net.peers().len()), (1, 1));
    }
}

#[tokio::test]
async fn a_wrong_key_is_not_talked_to() {
    let (one, two) = (Node::start(1).await, Node::start(2).await);
    let refused = one.net.connect(identity(3).id(), &[two.addr()]).await.unwrap_err();
    assert_eq!(refused.code(), "peer_unreachable");
    assert!(one.net.peers().is_empty());
}

#[tokio::test]
async fn a_node_does_not_dial_itself() {
    let one = Node::start(1).await;
    let refused = one.net.connect(one.id(), &[one.addr()]).await;
    assert!(matches!(refused, Err(NetError::SelfConnection)));
}

#[tokio::test]
async fn blocked_peers_are_refused_either_way() {
    let (mut one, mut two) = (Node::start(1).await, Node::start(2).await);
    one.dial(&two).await;
    one.up(two.id()).await;
    two.up(one.id()).await;
    one.net.block(two.id());
    assert_eq!(one.down(two.id()).await, DownReason::Blocked);
    assert_eq!(two.down(one.id()).await, DownReason::Left);
    assert_eq!(two.net.connect(one.id(), &[one.addr()]).await.unwrap_err().code(), "peer_refused");
    assert_eq!(one.net.connect(two.id(), &[two.addr()]).await.unwrap_err().code(), "peer_blocked");
    one.net.unblock(two.id());
    two.dial(&one).await;
    one.up(two.id()).await;
}

#[tokio::test]
async fn a_left_peer_is_reported_and_may_come_back() {
    let (mut one, mut two) = (Node::start(1).await, Node::start(2).await);
    one.dial(&two).await;
    one.up(two.id()).await;
    two.up(one.id()).await;
    two.net.disconnect(one.id());
    assert_eq!(two.down(one.id()).await, DownReason::Disconnected);
    assert_eq!(one.down(two.id()).await, DownReason::Left);
    assert_eq!(one.net.send(two.id(), Bytes::new()).unwrap_err().code(), "not_connected");
    two.dial(&one).await;
    one.up(two.id()).await;
}

#[tokio::test]
async fn a_restarted_peer_takes_the_place_of_its_old_self() {
    for (stays, restarts) in [ordered(1, 2), {
        let (low, high) = ordered(1, 2);
        (high, low)
    }] {
        let mut one = Node::start(stays).await;
        let old = Node::start(restarts).await;
        one.dial(&old).await;
        one.up(old.id()).await;
        // The old self is not shut down: as after a crash, nobody says goodbye.
        let new = Node::start(restarts).await;
        new.dial(&one).await;
        assert_eq!(one.down(new.id()).await, DownReason::Replaced);
        one.up(new.id()).await;
        assert_eq!(one.net.peers()[0].addr, new.addr());
    }
}

#[tokio::test]
async fn requests_are_answered_bounded_and_refused() {
    let (one, two) = (Node::start(1).await, Node::start(2).await);
    one.dial(&two).await;
    let second = Duration::from_secs(5);
    let echoed = one.net.request(two.id(), Bytes::from_static(b"echo"), 100, second).await.unwrap();
    assert_eq!(echoed, "echo");
    let long = one.net.request(two.id(), vec![0; 101].into(), 100, second).await.unwrap_err();
    assert_eq!(long.code(), "too_large");
    let unknown = one.net.request(identity(9).id(), Bytes::new(), 100, second).await.unwrap_err();
    assert_eq!(unknown.code(), "not_connected");
    let seen = one.net.observed_by(two.id(), second).await.unwrap();
    assert_eq!(seen, one.addr());
}

/// Never answers.
struct Deaf;

impl Handler for Deaf {
    fn request(&self, _peer: PeerId, _body: Bytes) -> Answer {
        Box::pin(std::future::pending())
    }

    fn may_serve(&self, _peer: PeerId, _hash: &BlobHash) -> bool {
        false
    }
}

#[tokio::test]
async fn requests_beyond_the_limit_are_told_busy() {
    let one = Node::start(1).await;
    let two = Node::with(2, |config| {
        config.handler = Arc::new(Deaf);
        config.limits.requests = 1;
    })
    .await;
    one.dial(&two).await;
    let (net, peer) = (one.net.clone(), two.id());
    let hanging =
        tokio::spawn(async move { net.request(peer, Bytes::new(), 1, Duration::from_secs(60)).await });
    let busy = soon(async {
        loop {
            let asked = one.net.request(two.id(), Bytes::new(), 1, Duration::from_millis(500)).await;
            if asked.as_ref().is_err_and(|error| error.code() == "peer_busy") {
                return;
            }
        }
    });
    busy.await;
    hanging.abort();
}

#[tokio::test]
async fn a_request_that_is_never_answered_ends() {
    let one = Node::start(1).await;
    let two = Node::with(2, |config| {
        config.handler = Arc::new(Deaf);
        config.limits.request_time = Duration::from_millis(100);
    })
    .await;
    one.dial(&two).await;
    let timed_out = one.net.request(two.id(), Bytes::new(), 1, Duration::from_millis(20)).await.unwrap_err();
    assert_eq!(timed_out.code(), "timeout");
    let given_up = one.net.request(two.id(), Bytes::new(), 1, Duration::from_secs(20)).await.unwrap_err();
    assert_eq!(given_up.code(), "peer_busy");
}

#[tokio::test]
async fn a_peer_that_does_not_drain_is_dropped() {
    let mut one = Node::with(1, |config| config.limits.queued = 256 * 1024).await;
    let two = Node::start(2).await;
    one.dial(&two).await;
    one.up(two.id()).await;
    // Nobody takes the events of `two`, so its queue fills, then the windows, then the queue here.
    let refused = loop {
        match one.net.send(two.id(), vec![0; 1024].into()) {
            Ok(()) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.code(), "peer_slow");
    assert_eq!(one.down(two.id()).await, DownReason::Slow);
}

#[tokio::test]
async fn strangers_beyond_the_limit_are_refused() {
    let mut one = Node::with(1, |config| config.limits.sessions = 1).await;
    let (two, three) = (Node::start(2).await, Node::start(3).await);
    two.dial(&one).await;
    one.up(two.id()).await;
    let refused = three.net.connect(one.id(), &[one.addr()]).await.unwrap_err();
    assert_eq!(refused.code(), "peer_busy");
    one.dial(&three).await;
    one.up(three.id()).await;
}

#[tokio::test]
async fn what_is_used_least_makes_room_for_a_newcomer() {
    let mut one = Node::with(1, |config| {
        config.limits.sessions = 2;
        config.limits.spare_after = Duration::ZERO;
    })
    .await;
    let (two, three, four) = (Node::start(2).await, Node::start(3).await, Node::start(4).await);
    for peer in [&two, &three] {
        peer.dial(&one).await;
        one.up(peer.id()).await;
    }
    two.net.send(one.id(), Bytes::from_static(b"of use")).unwrap();
    assert_eq!(one.message().await, "of use");
    four.dial(&one).await;
    assert_eq!(one.down(three.id()).await, DownReason::Disconnected);
    let mut left: Vec<_> = one.net.peers().iter().map(|info| info.peer).collect();
    left.sort();
    let mut expected = [two.id(), four.id()];
    expected.sort();
    assert_eq!(left, expected);
}

#[tokio::test]
async fn one_host_cannot_take_every_place() {
    let mut one = Node::with(1, |config| config.limits.sessions_per_host = 1).await;
    let elsewhere = |config: &mut net::Config| config.listen = "127.0.0.2:0".parse().unwrap();
    let (two, three, four) = (Node::start(2).await, Node::start(3).await, Node::with(4, elsewhere).await);
    two.dial(&one).await;
    one.up(two.id()).await;
    let refused = three.net.connect(one.id(), &[one.addr()]).await.unwrap_err();
    assert_eq!(refused.code(), "peer_busy");
    four.dial(&one).await;
    one.up(four.id()).await;
    one.dial(&three).await;
    one.up(three.id()).await;
}

#[tokio::test]
async fn one_host_cannot_take_every_place_at_once() {
    let mut one = Node::with(1, |config| config.limits.sessions_per_host = 1).await;
    let mut peers = Vec::new();
    for seed in 2..10 {
        peers.push(Node::start(seed).await);
    }
    let (id, addr) = (one.id(), one.addr());
    let dials = peers.iter().map(|peer| {
        let net = peer.net.clone();
        tokio::spawn(async move { net.connect(id, &[addr]).await })
    });
    let dials: Vec<_> = dials.collect();
    let mut came = 0;
    for dial in dials {
        came += usize::from(dial.await.unwrap().is_ok());
    }
    assert!(came > 0);
    let (mut up, mut down) = (0, 0);
    while up < came || down + 1 < up {
        match one.event().await {
            Event::Up { .. } => up += 1,
            Event::Down { .. } => down += 1,
            _ => {}
        }
    }
    assert_eq!(one.net.peers().len(), 1);
}

#[tokio::test]
async fn the_last_handle_ends_the_network() {
    let (mut one, two) = (Node::start(1).await, Node::start(2).await);
    one.dial(&two).await;
    one.up(two.id()).await;
    let id = two.id();
    drop(two);
    assert_eq!(one.down(id).await, DownReason::Left);
}

#[tokio::test]
async fn an_address_in_use_is_a_clear_error() {
    let one = Node::start(1).await;
    let blobs = one.blobs.clone();
    let mut config = net::Config::new(identity(2), blobs);
    config.listen = one.addr();
    let refused = net::Network::start(config).await.unwrap_err();
    assert_eq!(refused.code(), "listen_failed");
}

#[tokio::test]
async fn peers_are_listed_with_their_path() {
    let (one, two) = (Node::start(1).await, Node::start(2).await);
    one.dial(&two).await;
    let peers = one.net.peers();
    assert_eq!((peers[0].peer, peers[0].path, peers[0].addr), (two.id(), Path::Direct, two.addr()));
    assert!(peers[0].bytes_in > 0 && peers[0].bytes_out > 0);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn idle_sessions_are_small() {
    /// A daemon with 20 peers has 60 MB for everything; the sessions shall be the least of it.
    const PER_SESSION_END: usize = 500 * 1024;
    const PEERS: u8 = 40;
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().to_owned();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    };
    let hub = Node::start(1).await;
    let mut peers = Vec::new();
    for seed in 2..PEERS + 2 {
        peers.push(Node::start(seed).await);
    }
    let before = resident();
    for peer in &mut peers {
        peer.dial(&hub).await;
        peer.up(hub.id()).await;
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 2 * usize::from(PEERS) * PER_SESSION_END, "{grown} bytes");
}

#[tokio::test]
async fn both_protocols_of_the_internet_reach_one_socket() {
    let everywhere = Node::with(1, |config| config.listen = "[::]:0".parse().unwrap()).await;
    let port = everywhere.addr().port();
    for (seed, addr) in [(2, "127.0.0.1"), (3, "::1")] {
        let addr = std::net::SocketAddr::new(addr.parse().unwrap(), port);
        let listen = if addr.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
        let node = Node::with(seed, |config| config.listen = listen.parse().unwrap()).await;
        node.net.connect(everywhere.id(), &[addr]).await.unwrap();
        // And back, from the socket that speaks both.
        node.net.disconnect(everywhere.id());
        everywhere.net.connect(node.id(), &[node.addr()]).await.unwrap();
        let seen = everywhere.net.peers().iter().any(|info| info.addr == node.addr());
        assert!(seen, "{addr}");
    }
}

/// Nodes that dial and leave each other at random, all at once, end up agreeing who is connected with whom.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_dials_ends_in_agreement() {
    const NODES: usize = 6;
    const ROUNDS: u32 = 40;
    let mut nets = Vec::new();
    let mut drains = tokio::task::JoinSet::new();
    for seed in 1..=NODES {
        let Node { net, mut events, dir, .. } = Node::start(seed as u8).await;
        nets.push(net);
        drains.spawn(async move {
            // Every `Up` of a peer is followed by its `Down` before the next `Up`.
            let mut up = std::collections::HashSet::new();
            while let Some(event) = events.recv().await {
                match event {
                    Event::Up { peer, .. } => assert!(up.insert(peer)),
                    Event::Down { peer, .. } => assert!(up.remove(&peer)),
                    _ => {}
                }
            }
            drop(dir);
        });
    }
    let mut storm = tokio::task::JoinSet::new();
    for (number, net) in nets.iter().cloned().enumerate() {
        let others: Vec<_> = nets.iter().map(|other| (other.id(), other.local_addr())).collect();
        storm.spawn(async move {
            let mut random = number as u32 + 7;
            for _ in 0..ROUNDS {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (peer, addr) = others[random as usize / 65_536 % NODES];
                if (random / 1024).is_multiple_of(3) {
                    net.disconnect(peer);
                } else if peer != net.id() {
                    let _ = net.connect(peer, &[addr]).await;
                }
            }
        });
    }
    soon(storm.join_all()).await;
    let linked = |net: &net::Network| net.peers().into_iter().map(|info| info.peer).collect::<Vec<_>>();
    let agree = || {
        nets.iter().all(|one| {
            nets.iter().all(|two| linked(one).contains(&two.id()) == linked(two).contains(&one.id()))
        })
    };
    soon(async {
        while !agree() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for net in &nets {
        net.shutdown().await;
    }
    drop(nets);
    soon(drains.join_all()).await;
}
