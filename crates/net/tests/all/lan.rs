//! Discovery in a local network: multicast on the loopback interface of a namespace.

use net::{Event, Lan, Via};

use crate::{
    common::{Node, soon},
    namespace,
};

const SCRIPT: &str = "ip link set lo up; ip link set lo multicast on; ip route add 224.0.0.0/4 dev lo; \
                      NET_TEST_ROLE=node exec $BIN $ARGS";

/// A suffix that no other test at the same time has.
fn suffix() -> String {
    let mut suffix = format!("t{:05}", std::process::id() % 100_000);
    suffix.truncate(6);
    suffix
}

async fn node(seed: u8, suffix: &str) -> Node {
    Node::with(seed, |config| config.lan = Some(Lan { suffix: Some(suffix.to_owned()) })).await
}

/// Dials whom it finds, as the daemon does.
async fn follow(node: &mut Node) {
    let (peer, contact) = node
        .until(|event| match event {
            Event::Found { peer, contact, via: Via::Lan } => Some((peer, contact)),
            _ => None,
        })
        .await;
    node.net.reach(peer, &contact).await.unwrap();
}

#[test]
fn the_newcomer_finds_and_dials() {
    if namespace::role("lan::the_newcomer_finds_and_dials", SCRIPT).is_none() {
        return;
    }
    namespace::block_on(async {
        let suffix = suffix();
        let mut old = node(1, &suffix).await;
        let stranger = node(3, "other").await;
        // The second looks at the clock of the first, in milliseconds.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        let mut newcomer = node(2, &suffix).await;
        soon(follow(&mut newcomer)).await;
        old.up(newcomer.id()).await;
        newcomer.up(old.id()).await;
        assert_eq!(newcomer.net.peers().len(), 1);
        assert!(stranger.net.peers().is_empty());
    });
}

#[test]
fn ten_nodes_find_each_other() {
    if namespace::role("lan::ten_nodes_find_each_other", SCRIPT).is_none() {
        return;
    }
    namespace::block_on(async {
        let suffix = suffix();
        let mut nodes = Vec::new();
        for seed in 1..=10 {
            nodes.push(node(seed, &suffix).await);
        }
        let mut waiting = tokio::task::JoinSet::new();
        for mut node in nodes {
            waiting.spawn(async move {
                while node.net.peers().len() < 9 {
                    if let Event::Found { peer, contact, .. } = node.event().await {
                        node.net.reach(peer, &contact).await.unwrap();
                    }
                }
                node
            });
        }
        assert_eq!(soon(waiting.join_all()).await.len(), 10);
    });
}
