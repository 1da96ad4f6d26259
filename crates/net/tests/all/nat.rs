//! Peers behind routers find a way to each other: punched where the routers allow it, else relayed.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::PeerId;
use net::{Contact, Event, Path, Relay, RelayPolicy};

use crate::{
    common::{Node, noise, soon},
    internet::{Internet, Nat, Place},
};

const HELPER: [u8; 4] = [5, 1, 1, 1];
const LEFT: [u8; 4] = [5, 2, 2, 2];
const RIGHT: [u8; 4] = [5, 3, 3, 3];

async fn node(seed: u8, place: Arc<Place>, relay: RelayPolicy) -> Node {
    Node::with(seed, |config| {
        config.transport = place;
        config.relay = relay;
    })
    .await
}

fn left(internet: &Internet, nat: Option<Nat>) -> Arc<Place> {
    nat.map_or_else(|| internet.public(LEFT), |nat| internet.behind(nat, LEFT, [10, 0, 0, 1]))
}

fn right(internet: &Internet, nat: Option<Nat>) -> Arc<Place> {
    nat.map_or_else(|| internet.public(RIGHT), |nat| internet.behind(nat, RIGHT, [10, 9, 0, 1]))
}

struct Trio {
    internet: Internet,
    helper: Node,
    left: Node,
    right: Node,
}

/// Two peers, each connected with a public one, which relays as it likes.
async fn trio(nats: (Option<Nat>, Option<Nat>), relay: RelayPolicy) -> Trio {
    let internet = Internet::default();
    let helper = node(1, internet.public(HELPER), relay).await;
    let mut left = node(2, left(&internet, nats.0), RelayPolicy::Never).await;
    let mut right = node(3, right(&internet, nats.1), RelayPolicy::Never).await;
    left.dial(&helper).await;
    right.dial(&helper).await;
    left.up(helper.id()).await;
    right.up(helper.id()).await;
    Trio { internet, helper, left, right }
}

fn path_to(node: &Node, peer: PeerId) -> Option<Path> {
    node.net.peers().iter().find(|info| info.peer == peer).map(|info| info.path)
}

#[tokio::test]
async fn every_pair_of_routers_is_crossed() {
    use Nat::{FullCone, PortRestricted, Symmetric};
    let kinds = [None, Some(FullCone), Some(PortRestricted), Some(Symmetric)];
    let mut cases = Vec::new();
    for nats in kinds.into_iter().flat_map(|one| kinds.map(|two| (one, two))) {
        cases.push(tokio::spawn(async move {
            let Trio { mut left, mut right, helper, .. } = trio(nats, RelayPolicy::Always).await;
            left.net.reach(right.id(), &Contact::default()).await.unwrap();
            let hard = |nat| matches!(nat, Some(PortRestricted | Symmetric));
            let impossible =
                hard(nats.0) && hard(nats.1) && nats != (Some(PortRestricted), Some(PortRestricted));
            let expected = if impossible { Path::Relayed } else { Path::Direct };
            assert_eq!(path_to(&left, right.id()), Some(expected), "{nats:?}");
            right.up(left.id()).await;
            assert_eq!(path_to(&right, left.id()), Some(expected), "{nats:?}");
            left.net.send(right.id(), Bytes::from_static(b"there")).unwrap();
            right.net.send(left.id(), Bytes::from_static(b"back")).unwrap();
            assert_eq!(right.message().await, "there");
            assert_eq!(left.message().await, "back");
            drop(helper);
        }));
    }
    for case in cases {
        soon(case).await.unwrap();
    }
}

#[tokio::test]
async fn a_relayed_session_carries_blobs() {
    let Trio { left, right, helper, .. } =
        trio((Some(Nat::Symmetric), Some(Nat::Symmetric)), RelayPolicy::Always).await;
    let bytes = noise(1, 300_000);
    let hash = right.blobs.add_bytes(bytes.into()).await.unwrap().hash;
    left.net.reach(right.id(), &Contact::default()).await.unwrap();
    let download = left.net.fetch(hash, Some(300_000));
    download.add_provider(right.id());
    download.want_all();
    soon(download.complete()).await.unwrap();
    assert_eq!(path_to(&left, right.id()), Some(Path::Relayed));
    drop(helper);
}

#[tokio::test]
async fn a_relayed_session_goes_direct_without_losing_or_reordering_anything() {
    let Trio { internet, mut left, mut right, helper } =
        trio((Some(Nat::Symmetric), Some(Nat::Symmetric)), RelayPolicy::Always).await;
    left.net.reach(right.id(), &Contact::default()).await.unwrap();
    assert_eq!(path_to(&left, right.id()), Some(Path::Relayed));
    internet.replace_router(LEFT, Nat::FullCone);
    internet.replace_router(RIGHT, Nat::FullCone);
    let (mut sent, mut received, mut back) = (0u32, 0u32, 0u32);
    let mut direct = false;
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    // Numbered messages flow both ways until both sides moved and everything sent has arrived.
    while !direct || received < sent || back < sent {
        tokio::select! {
            _ = ticks.tick(), if !direct => {
                left.net.send(right.id(), sent.to_le_bytes().to_vec().into()).unwrap();
                right.net.send(left.id(), sent.to_le_bytes().to_vec().into()).unwrap();
                sent += 1;
            }
            event = right.event() => match event {
                Event::Message { peer, bytes } if peer == left.id() => {
                    assert_eq!(bytes[..], received.to_le_bytes());
                    received += 1;
                }
                Event::PathChanged { path, .. } => direct = path == Path::Direct,
                Event::Down { reason, .. } => panic!("the session went down: {reason:?}"),
                _ => {}
            },
            event = left.event() => match event {
                Event::Message { peer, bytes } if peer == right.id() => {
                    assert_eq!(bytes[..], back.to_le_bytes());
                    back += 1;
                }
                Event::Down { reason, .. } => panic!("the session went down: {reason:?}"),
                _ => {}
            },
        }
    }
    assert_eq!(path_to(&left, right.id()), Some(Path::Direct));
    drop(helper);
}

#[tokio::test]
async fn an_invite_that_names_a_relay_is_enough() {
    let internet = Internet::default();
    let helper = node(1, internet.public(HELPER), RelayPolicy::Always).await;
    let left = node(2, left(&internet, Some(Nat::Symmetric)), RelayPolicy::Never).await;
    let right = node(3, right(&internet, Some(Nat::Symmetric)), RelayPolicy::Never).await;
    right.dial(&helper).await;
    let relays = vec![Relay { peer: helper.id(), addr: helper.addr() }];
    let contact = Contact { addrs: right.net.candidates(), relays };
    left.net.reach(right.id(), &contact).await.unwrap();
    assert_eq!(path_to(&left, right.id()), Some(Path::Relayed));
}

#[tokio::test]
async fn only_the_willing_relay() {
    let hard = (Some(Nat::Symmetric), Some(Nat::Symmetric));
    let Trio { left, right, helper, .. } = trio(hard, RelayPolicy::Never).await;
    let refused = left.net.reach(right.id(), &Contact::default()).await.unwrap_err();
    assert_eq!(refused.code(), "peer_unreachable");
    drop(helper);

    // Strangers reached this one without being asked, which proves that it can be dialled.
    let Trio { left, right, helper, .. } = trio(hard, RelayPolicy::Auto).await;
    assert!(helper.net.is_dialable() && !left.net.is_dialable());
    helper.net.set_metered(true);
    assert!(left.net.reach(right.id(), &Contact::default()).await.is_err());
    helper.net.set_metered(false);
    left.net.reach(right.id(), &Contact::default()).await.unwrap();
}

#[tokio::test]
async fn a_relay_keeps_to_its_limits() {
    let internet = Internet::default();
    let helper = Node::with(1, |config| {
        config.transport = internet.public(HELPER);
        config.relay = RelayPolicy::Always;
        config.relay_limits.per_peer = 1;
    })
    .await;
    let hard = Some(Nat::Symmetric);
    let left = node(2, left(&internet, hard), RelayPolicy::Never).await;
    let right = node(3, right(&internet, hard), RelayPolicy::Never).await;
    let third =
        node(4, internet.behind(Nat::Symmetric, [5, 4, 4, 4], [10, 7, 0, 1]), RelayPolicy::Never).await;
    for node in [&left, &right, &third] {
        node.dial(&helper).await;
    }
    left.net.reach(right.id(), &Contact::default()).await.unwrap();
    assert_eq!(left.net.reach(third.id(), &Contact::default()).await.unwrap_err().code(), "peer_unreachable");
    left.net.disconnect(right.id());
    // The circuit ends with the session, and then there is room again.
    soon(async { while left.net.reach(third.id(), &Contact::default()).await.is_err() {} }).await;
}

#[tokio::test]
async fn a_blocked_peer_is_not_introduced_or_relayed() {
    let Trio { left, right, helper, .. } = trio((Some(Nat::PortRestricted), None), RelayPolicy::Always).await;
    right.net.block(left.id());
    let refused = left.net.reach(right.id(), &Contact::default()).await.unwrap_err();
    assert_eq!(refused.code(), "peer_unreachable");
    drop(helper);
}

#[tokio::test]
async fn peers_tell_the_external_address() {
    let mut trio = trio((Some(Nat::FullCone), None), RelayPolicy::Never).await;
    let addr = trio
        .left
        .until(|event| match event {
            Event::ExternalAddress { addr } => Some(addr),
            _ => None,
        })
        .await;
    assert_eq!(addr.ip(), std::net::IpAddr::from(LEFT));
    assert_eq!(trio.left.net.candidates()[0], addr);
    // The address works for a stranger, as the router is open to everybody.
    trio.right.net.connect(trio.left.id(), &[addr]).await.unwrap();
    assert_eq!(path_to(&trio.right, trio.left.id()), Some(Path::Direct));
}
