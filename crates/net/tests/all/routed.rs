//! Real kernels' networks end to end: two homes, each behind its router, and a peer on the Internet between
//! them. Where `nft` is there the routers translate addresses; else they only route.

use std::time::Duration;

use bytes::Bytes;
use net::{Contact, Event, Path, RelayPolicy};

use crate::{
    common::{Node, noise, soon},
    namespace,
};

const TEST: &str = "routed::homes_reach_each_other";
const PORT: u16 = 4000;
const SIZE: usize = 3_000_000;
const HELPER: &str = "5.1.0.2";

/// The Internet is the script's own namespace; each home is a host behind a router.
const SCRIPT: &str = r#"
mount -t tmpfs tmpfs /run && mkdir /run/netns
echo 1 > /proc/sys/net/ipv4/ip_forward
place() { # name outside-subnet: a namespace joined to the Internet
    ip netns add $1
    ip link add $1-up type veth peer name wan netns $1
    ip addr add $2.1/24 dev $1-up; ip link set $1-up up
    ip -n $1 addr add $2.2/24 dev wan; ip -n $1 link set wan up; ip -n $1 link set lo up
    ip -n $1 route add default via $2.1
}
home() { # name outside-subnet inside-subnet: a router, and a host behind it
    place $1 $2
    ip netns add $1-host
    ip -n $1 link add in type veth peer name eth0 netns $1-host
    ip -n $1 addr add $3.1/24 dev in; ip -n $1 link set in up
    ip -n $1-host addr add $3.2/24 dev eth0; ip -n $1-host link set eth0 up; ip -n $1-host link set lo up
    ip -n $1-host route add default via $3.1
    ip netns exec $1 sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
    if command -v nft > /dev/null && ip netns exec $1 nft \
        'add table ip home; add chain ip home post { type nat hook postrouting priority 100; };
         add rule ip home post oifname "wan" masquerade;
         add chain ip home in { type filter hook input priority 0; };
         add rule ip home in iifname "wan" drop' 2> /dev/null
    then echo "$1 translates addresses"
    else ip route add $3.0/24 via $2.2; echo "$1 only routes"
    fi
}
ip link set lo up
place helper 5.1.0
home left 5.2.0 10.2.0
home right 5.3.0 10.3.0
NET_TEST_ROLE=helper ip netns exec helper $BIN $ARGS & helper=$!
NET_TEST_ROLE=right ip netns exec right-host $BIN $ARGS & right=$!
NET_TEST_ROLE=left ip netns exec left-host $BIN $ARGS
wait $right
wait $helper
"#;

#[test]
fn homes_reach_each_other() {
    match namespace::role(TEST, SCRIPT).as_deref() {
        Some("helper") => namespace::block_on(helper()),
        Some("right") => namespace::block_on(right()),
        Some("left") => namespace::block_on(left()),
        _ => {}
    }
}

async fn node(seed: u8, relay: RelayPolicy) -> Node {
    Node::with(seed, |config| {
        config.listen = ([0, 0, 0, 0], PORT).into();
        config.relay = relay;
    })
    .await
}

async fn meet_helper(node: &mut Node) {
    let helper = format!("{HELPER}:{PORT}").parse().unwrap();
    soon(async { while node.net.meet(helper).await.is_err() {} }).await;
}

async fn helper() {
    let mut node = node(1, RelayPolicy::Auto).await;
    // Both came and both went, so the others are done.
    for _ in 0..2 {
        node.until(|event| matches!(event, Event::Down { .. }).then_some(())).await;
    }
}

async fn right() {
    let mut node = node(3, RelayPolicy::Never).await;
    node.blobs.add_bytes(noise(3, SIZE).into()).await.unwrap();
    meet_helper(&mut node).await;
    assert_eq!(node.message().await, "bye");
    node.net.shutdown().await;
}

async fn left() {
    let mut node = node(2, RelayPolicy::Never).await;
    let right = crate::common::identity(3).id();
    meet_helper(&mut node).await;
    soon(async {
        while node.net.reach(right, &Contact::default()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    let info = node.net.peers().into_iter().find(|info| info.peer == right).unwrap();
    println!("reached {:?} at {}", info.path, info.addr);
    assert_eq!(info.path, Path::Direct);
    let bytes = noise(3, SIZE);
    let hash = domain::BlobHash::from_bytes(*blake3::hash(&bytes).as_bytes());
    let download = node.net.fetch(hash, None);
    download.add_provider(right);
    download.want_all();
    let blob = soon(download.complete()).await.unwrap();
    assert_eq!(blob.read(0..SIZE as u64).await.unwrap(), bytes);
    node.net.send(right, Bytes::from_static(b"bye")).unwrap();
    node.until(|event| matches!(event, Event::Down { peer, .. } if peer == right).then_some(())).await;
    node.net.shutdown().await;
}
