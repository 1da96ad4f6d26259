//! The DHT against a local network of the same crate's nodes.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use domain::BlobHash;
use mainline::Testnet;
use net::{Contact, DhtConfig, Event, Lan, Relay, Topic};

use crate::common::{Node, identity, soon};

const WITHIN: Duration = Duration::from_secs(2);

fn testnet() -> Testnet {
    Testnet::builder(8).bind_address(Ipv4Addr::LOCALHOST).build().unwrap()
}

async fn node(seed: u8, testnet: &Testnet) -> Node {
    let bootstrap = Some(testnet.bootstrap.clone());
    Node::with(seed, |config| {
        config.dht = Some(DhtConfig { bootstrap, bind: Some(Ipv4Addr::LOCALHOST), server: false });
    })
    .await
}

#[tokio::test]
async fn strangers_meet_under_a_topic() {
    let testnet = testnet();
    let (mut one, two) = (node(1, &testnet).await, node(2, &testnet).await);
    let topic = Topic::swarm("music");
    let dht = one.net.dht().unwrap();
    assert!(soon(dht.ready()).await);
    assert!(dht.keep(topic));
    let looking = two.net.dht().unwrap();
    let found = soon(async {
        loop {
            let found = looking.find(topic, WITHIN).await;
            if !found.is_empty() {
                return found;
            }
        }
    })
    .await;
    // The endpoint's port is announced, never that of the DHT's own socket.
    assert_eq!(found, [SocketAddr::from((Ipv4Addr::LOCALHOST, one.addr().port()))]);
    assert_eq!(two.net.meet(found[0]).await.unwrap(), one.id());
    one.up(two.id()).await;
}

#[tokio::test]
async fn a_blob_s_providers_are_found() {
    let testnet = testnet();
    let (one, two) = (node(1, &testnet).await, node(2, &testnet).await);
    let topic = Topic::blob(&BlobHash::from_bytes([9; 32]));
    let dht = one.net.dht().unwrap();
    assert!(soon(dht.ready()).await);
    soon(dht.announce(topic, 4000)).await.unwrap();
    let found = soon(two.net.dht().unwrap().find(topic, WITHIN)).await;
    assert_eq!(found, [SocketAddr::from((Ipv4Addr::LOCALHOST, 4000))]);
    let nothing = two.net.dht().unwrap().find(Topic::swarm("silence"), WITHIN).await;
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn an_identity_publishes_where_it_is() {
    let testnet = testnet();
    let (one, two) = (node(1, &testnet).await, node(2, &testnet).await);
    let relay = Relay { peer: identity(7).id(), addr: "5.6.7.8:9".parse().unwrap() };
    let first = Contact { addrs: vec![one.addr()], relays: vec![relay] };
    let dht = one.net.dht().unwrap();
    assert!(soon(dht.ready()).await);
    soon(dht.publish(&first)).await.unwrap();
    let looking = two.net.dht().unwrap();
    assert_eq!(looking.resolve(one.id(), WITHIN).await, Some(first));
    assert_eq!(looking.resolve(two.id(), WITHIN).await, None);
    let second = Contact::of(&["5.6.7.8:10".parse().unwrap()]);
    dht.keep_contact(Some(second.clone()));
    soon(async { while looking.resolve(one.id(), WITHIN).await.as_ref() != Some(&second) {} }).await;
}

#[tokio::test]
async fn no_bootstrap_is_no_hang() {
    let node = Node::with(1, |config| {
        let bootstrap = Some(vec!["127.0.0.1:1".to_owned()]);
        config.dht = Some(DhtConfig { bootstrap, bind: Some(Ipv4Addr::LOCALHOST), server: false });
    })
    .await;
    let dht = node.net.dht().unwrap();
    assert!(!soon(dht.ready()).await);
    assert!(soon(dht.find(Topic::swarm("x"), WITHIN)).await.is_empty());
    assert_eq!(soon(dht.announce(Topic::swarm("x"), 1)).await.unwrap_err().code(), "service_failed");
}

#[tokio::test]
async fn a_node_goes_on_without_what_cannot_be_started() {
    let mut one = Node::with(1, |config| {
        // No machine has an address of the documentation's.
        let bind = Some(Ipv4Addr::new(192, 0, 2, 1));
        config.dht = Some(DhtConfig { bootstrap: None, bind, server: false });
        config.lan = Some(Lan { suffix: Some("not a suffix".to_owned()) });
    })
    .await;
    for expected in ["local discovery", "the DHT"] {
        let failed = one.until(|event| match event {
            Event::ServiceFailed { service, .. } => Some(service),
            _ => None,
        });
        assert_eq!(failed.await, expected);
    }
    assert!(one.net.dht().is_none());
    let two = Node::start(2).await;
    one.dial(&two).await;
    one.up(two.id()).await;
}
