//! Blobs between real endpoints on loopback.

use std::{
    os::unix::fs::FileExt,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use domain::{BlobHash, PeerId};
use net::{Answer, Blobs, Handler, NetError, Shape, Shaped, wire::GROUP};

use crate::common::{Node, noise, soon};

async fn pair() -> (Node, Node) {
    let (one, two) = (Node::start(1).await, Node::start(2).await);
    one.dial(&two).await;
    (one, two)
}

#[tokio::test]
async fn a_blob_moves_whole_in_every_size() {
    let (from, to) = pair().await;
    for size in [0, 1, 1023, 1024, 16383, 16384, 16385, 100_000, 5_000_000] {
        let bytes = noise(size as u8, size);
        let added = from.blobs.add_bytes(bytes.clone().into()).await.unwrap();
        for expected in [Some(size as u64), None] {
            to.blobs.remove(added.hash).await.unwrap();
            let download = to.net.fetch(added.hash, expected);
            download.add_provider(from.id());
            download.want_all();
            let blob = soon(download.complete()).await.unwrap();
            assert_eq!(blob.size(), size as u64);
            let copy = to.dir.path().join("copy");
            to.blobs.export(added.hash, &copy).await.unwrap();
            assert!(std::fs::read(&copy).unwrap() == bytes, "{size} bytes arrive as they were");
        }
    }
}

#[tokio::test]
async fn a_range_is_there_before_the_rest() {
    let (from, to) = pair().await;
    let bytes = noise(1, 3_000_000);
    let hash = from.blobs.add_bytes(bytes.clone().into()).await.unwrap().hash;
    let download = to.net.fetch(hash, Some(3_000_000));
    download.add_provider(from.id());
    let blob = soon(download.wait(1_000_000..1_032_768)).await.unwrap();
    assert_eq!(blob.read(1_000_000..1_032_768).await.unwrap(), bytes[1_000_000..1_032_768]);
    assert!(!blob.is_complete());
    let beyond = soon(download.wait(2_990_000..4_000_000)).await.unwrap();
    assert_eq!(beyond.read(2_990_000..4_000_000).await.unwrap(), bytes[2_990_000..]);
    assert_eq!(blob.read(0..10).await.unwrap_err().code(), "blob_not_held");
}

#[tokio::test]
async fn a_part_is_resumed_and_served_on() {
    let (from, to) = pair().await;
    let bytes = noise(1, 3_000_000);
    let hash = from.blobs.add_bytes(bytes.clone().into()).await.unwrap().hash;
    let download = to.net.fetch(hash, None);
    download.add_provider(from.id());
    soon(download.wait(500_000..600_000)).await.unwrap();
    drop(download);
    let third = Node::start(3).await;
    third.dial(&to).await;
    let partial = third.net.fetch(hash, Some(3_000_000));
    partial.add_provider(to.id());
    let blob = soon(partial.wait(500_000..600_000)).await.unwrap();
    assert_eq!(blob.read(500_000..600_000).await.unwrap(), bytes[500_000..600_000]);
    third.dial(&from).await;
    partial.add_provider(from.id());
    partial.want_all();
    soon(partial.complete()).await.unwrap();
}

#[tokio::test]
async fn what_the_disk_loses_of_a_part_is_fetched_again() {
    let (from, to) = pair().await;
    let bytes = noise(7, 60 * GROUP as usize);
    let hash = from.blobs.add_bytes(bytes.clone().into()).await.unwrap().hash;
    let download = to.net.fetch(hash, Some(bytes.len() as u64));
    download.add_provider(from.id());
    let blob = soon(download.wait(0..8 * GROUP)).await.unwrap();
    let part = to.dir.path().join("blobs").join(format!("{hash}.part"));
    let file = std::fs::OpenOptions::new().write(true).open(part).unwrap();
    let lose = async |group: u64| {
        file.write_all_at(&[0; 100], group * GROUP).unwrap();
        let lost = blob.read(group * GROUP..(group + 1) * GROUP).await.unwrap_err();
        assert_eq!(lost.code(), "hash_mismatch");
    };
    lose(0).await;
    let again = soon(download.wait(0..GROUP)).await.unwrap();
    assert_eq!(again.read(0..GROUP).await.unwrap(), bytes[..GROUP as usize]);
    // Slowly enough that the rest is still on its way.
    from.net.set_upload_limit(Some(1_000_000));
    download.want_all();
    lose(2).await;
    let whole = soon(download.complete()).await.unwrap();
    assert!(whole.is_complete());
    assert_eq!(whole.read(0..bytes.len() as u64).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_file_comes_in_once() {
    let node = Node::start(1).await;
    let bytes = noise(1, 40_000);
    let first = node.blobs.add_file(node.file("one", &bytes)).await.unwrap();
    let second = node.blobs.add_file(node.file("two", &bytes)).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(node.blobs.list().await.unwrap().len(), 1);
    let missing = node.blobs.add_file(node.dir.path().join("none")).await.unwrap_err();
    assert_eq!(missing.code(), "file_not_found");
}

#[tokio::test]
async fn a_cancelled_download_says_so() {
    let (from, to) = pair().await;
    let hash = from.blobs.add_bytes(noise(1, 10).into()).await.unwrap().hash;
    let download = to.net.fetch(hash, None);
    let waiting = download.clone();
    let waiting = tokio::spawn(async move { waiting.wait(0..10).await.map(drop) });
    download.cancel();
    let error = soon(waiting).await.unwrap().unwrap_err();
    assert!(matches!(*error, NetError::Cancelled));
}

#[tokio::test]
async fn blobs_outlive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = noise(1, 100_000);
    let hash = {
        let blobs = Blobs::open(dir.path()).await.unwrap();
        blobs.add_bytes(bytes.clone().into()).await.unwrap().hash
    };
    let blobs = Blobs::open(dir.path()).await.unwrap();
    assert_eq!(blobs.read_verified(hash, 5..70_000).await.unwrap(), bytes[5..70_000]);
    blobs.remove(hash).await.unwrap();
    assert_eq!(blobs.find(hash).await.unwrap_err().code(), "blob_not_found");
    assert!(blobs.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn two_providers_share_the_work() {
    let (one, two, mut to) = (Node::start(1).await, Node::start(2).await, Node::start(3).await);
    let bytes = noise(1, 20_000_000);
    for node in [&one, &two] {
        node.blobs.add_bytes(bytes.clone().into()).await.unwrap();
        to.dial(node).await;
        to.up(node.id()).await;
    }
    let hash = one.blobs.add_bytes(bytes.clone().into()).await.unwrap().hash;
    let download = to.net.fetch(hash, Some(20_000_000));
    download.add_provider(one.id());
    download.add_provider(two.id());
    download.want_all();
    soon(download.complete()).await.unwrap();
    for info in to.net.peers() {
        assert!(info.bytes_in > 1_000_000, "{} bytes from {}", info.bytes_in, info.peer.short());
    }
}

#[tokio::test]
async fn plain_sockets_work_as_well() {
    let plain = |config: &mut net::Config| config.transport = std::sync::Arc::new(net::PlainUdp);
    let (from, to) = (Node::with(1, plain).await, Node::with(2, plain).await);
    to.dial(&from).await;
    let hash = from.blobs.add_bytes(noise(1, 5_000_000).into()).await.unwrap().hash;
    let download = to.net.fetch(hash, None);
    download.add_provider(from.id());
    download.want_all();
    soon(download.complete()).await.unwrap();
}

#[tokio::test]
async fn a_far_and_lossy_link_only_takes_longer() {
    let far = |seed: u64| {
        move |config: &mut net::Config| {
            let shape = Shape { delay: Duration::from_millis(25), rate: 2_500_000, loss: 10, seed };
            config.transport = Arc::new(Shaped { inner: config.transport.clone(), shape });
        }
    };
    let (from, to) = (Node::with(1, far(7)).await, Node::with(2, far(8)).await);
    to.dial(&from).await;
    let bytes = noise(1, 1_000_000);
    let hash = from.blobs.add_bytes(bytes.clone().into()).await.unwrap().hash;
    let download = to.net.fetch(hash, Some(1_000_000));
    download.add_provider(from.id());
    download.want_all();
    let blob = soon(download.complete()).await.unwrap();
    assert_eq!(blob.read(0..1_000_000).await.unwrap(), bytes);
}

/// Serves everything and writes down what was asked for.
struct Witness(Arc<Mutex<Vec<&'static str>>>);

impl Handler for Witness {
    fn request(&self, _peer: PeerId, body: Bytes) -> Answer {
        self.0.lock().unwrap().push("request");
        Box::pin(async move { Some(body) })
    }

    fn may_serve(&self, _peer: PeerId, _hash: &BlobHash) -> bool {
        self.0.lock().unwrap().push("read");
        true
    }
}

#[tokio::test]
async fn a_known_peer_is_read_from_with_the_first_packet() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let witness = Arc::new(Witness(seen.clone()));
    let mut from = Node::with(1, |config| config.handler = witness).await;
    let mut to = Node::start(2).await;
    let bytes = noise(1, 100_000);
    let hash = from.blobs.add_bytes(bytes.clone().into()).await.unwrap().hash;
    to.dial(&from).await;
    from.up(to.id()).await;
    // The ticket for the next time comes after the handshake, before any answer.
    to.net.request(from.id(), Bytes::new(), 10, Duration::from_secs(10)).await.unwrap();
    to.net.disconnect(from.id());
    to.down(from.id()).await;
    from.down(to.id()).await;
    seen.lock().unwrap().clear();
    let download = to.net.fetch(hash, Some(100_000));
    download.want(0..32_768, Some(Duration::ZERO));
    let peer = from.id();
    let addrs = [from.addr()];
    let (connected, ()) = tokio::join!(to.net.connect(peer, &addrs), async { download.add_provider(peer) });
    connected.unwrap();
    let blob = soon(download.wait(0..32_768)).await.unwrap();
    assert_eq!(blob.read(0..32_768).await.unwrap(), bytes[..32_768]);
    from.up(to.id()).await;
    // A session begins after the hellos; the read was asked before them.
    assert_eq!(seen.lock().unwrap()[..1], ["read"]);
}
