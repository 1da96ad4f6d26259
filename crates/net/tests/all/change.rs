//! A node whose network changes under it.

use bytes::Bytes;
use net::{DownReason, wire::GROUP};

use crate::common::{Node, noise, ordered, soon};

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
