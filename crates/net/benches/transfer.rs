//! Times transfers over real QUIC on loopback, both ends in this process. Run: `cargo bench -p net`, with
//! `-- near` or `-- far` for one half.
#![allow(clippy::unwrap_used, reason = "a bench stops at the first surprise")]

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use domain::{BlobHash, Identity, PeerId};
use net::{Answer, Blobs, Config, EventReceiver, Handler, Network, Shape, Shaped};

const LARGE: u64 = 1 << 30;
const TRACK: u64 = 8 << 20;
const EDGE: u64 = 64 << 10;

struct Open;

impl Handler for Open {
    fn request(&self, _peer: PeerId, body: Bytes) -> Answer {
        Box::pin(async move { Some(body) })
    }

    fn may_serve(&self, _peer: PeerId, _hash: &BlobHash) -> bool {
        true
    }
}

struct Node {
    net: Network,
    blobs: Blobs,
    _dir: tempfile::TempDir,
    _events: EventReceiver,
}

async fn start(seed: u8) -> Node {
    start_with(seed, |_| {}).await
}

/// A node behind a link of 20 Mbit/s, half of a round trip of 50 ms, that loses one packet of a hundred.
async fn start_far(seed: u8, losses: u64) -> Node {
    start_with(seed, |config| {
        let shape = Shape { delay: Duration::from_millis(25), rate: 2_500_000, loss: 10, seed: losses };
        config.transport = Arc::new(Shaped { inner: config.transport.clone(), shape });
    })
    .await
}

async fn start_with(seed: u8, adjust: impl FnOnce(&mut Config)) -> Node {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path()).await.unwrap();
    let mut config = Config::new(Identity::from_secret(&[seed; 32]), blobs.clone());
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.handler = Arc::new(Open);
    adjust(&mut config);
    let (net, events) = Network::start(config).await.unwrap();
    Node { net, blobs, _dir: dir, _events: events }
}

fn noise(seed: u64, len: u64) -> Bytes {
    let mut bytes = vec![0; len as usize];
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    blake3::Hasher::new_keyed(&key).finalize_xof().fill(&mut bytes);
    bytes.into()
}

fn report(name: &str, mut samples: Vec<Duration>) {
    samples.sort();
    let at = |share: f64| samples[((samples.len() - 1) as f64 * share) as usize];
    println!("{name}: median {:?} p95 {:?} ({} runs)", at(0.5), at(0.95), samples.len());
}

async fn connects(server: &Node) {
    let mut samples = Vec::new();
    for seed in 0..100 {
        let client = start(100 + seed).await;
        let begun = Instant::now();
        client.net.connect(server.net.id(), &[server.net.local_addr()]).await.unwrap();
        samples.push(begun.elapsed());
    }
    report("connect to session", samples);
}

async fn first_bytes(server: &Node, client: &Node) {
    let mut samples = Vec::new();
    for seed in 0..100 {
        let hash = server.blobs.add_bytes(noise(seed, TRACK)).await.unwrap().hash;
        let begun = Instant::now();
        let download = client.net.fetch(hash, Some(TRACK));
        download.add_provider(server.net.id());
        download.want(TRACK - 32768..TRACK, Some(Duration::ZERO));
        let blob = download.wait(0..32768).await.unwrap();
        download.wait(TRACK - 32768..TRACK).await.unwrap();
        blob.read(0..32768).await.unwrap();
        samples.push(begun.elapsed());
    }
    report("head and tail of a track, verified and read", samples);
}

async fn throughput(server: &Node, client: &Node) {
    let added = server.blobs.add_bytes(noise(7, LARGE)).await.unwrap();
    for _ in 0..5 {
        client.blobs.remove(added.hash).await.unwrap();
        let begun = Instant::now();
        let download = client.net.fetch(added.hash, Some(LARGE));
        download.add_provider(server.net.id());
        download.want_all();
        download.wait(0..LARGE).await.unwrap();
        let verified = begun.elapsed();
        download.complete().await.unwrap();
        let rate = |spent: Duration| LARGE as f64 / 1e6 / spent.as_secs_f64();
        println!("1 GiB verified: {:.0} MB/s; with fsync {:.0} MB/s", rate(verified), rate(begun.elapsed()));
    }
}

/// What a player asks of a peer far away: both ends of a track now, all of it later, then another place.
async fn far() {
    let (mut edges, mut seeks, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=5 {
        let (server, client) = (start_far(1, round * 2).await, start_far(2, round * 2 + 1).await);
        client.net.connect(server.net.id(), &[server.net.local_addr()]).await.unwrap();
        let hash = server.blobs.add_bytes(noise(round, TRACK)).await.unwrap().hash;
        let begun = Instant::now();
        let download = client.net.fetch(hash, Some(TRACK));
        download.add_provider(server.net.id());
        download.want(TRACK - EDGE..TRACK, Some(Duration::ZERO));
        download.want(0..EDGE, Some(Duration::ZERO));
        download.want_all();
        download.wait(0..EDGE).await.unwrap();
        download.wait(TRACK - EDGE..TRACK).await.unwrap();
        edges.push(begun.elapsed());
        let sought = Instant::now();
        download.wait(TRACK / 2..TRACK / 2 + EDGE).await.unwrap();
        seeks.push(sought.elapsed());
        download.complete().await.unwrap();
        rates.push(TRACK as f64 / 1e3 / begun.elapsed().as_secs_f64());
    }
    report("far: head and tail of a track", edges);
    report("far: another place of it", seeks);
    rates.sort_by(f64::total_cmp);
    println!("far: all of it: median {:.0} kB/s, slowest {:.0} kB/s", rates[rates.len() / 2], rates[0]);
}

async fn near() {
    let (server, client) = (start(1).await, start(2).await);
    connects(&server).await;
    client.net.connect(server.net.id(), &[server.net.local_addr()]).await.unwrap();
    first_bytes(&server, &client).await;
    throughput(&server, &client).await;
}

#[tokio::main]
async fn main() {
    let wanted = |name: &str| {
        let mut names = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
        names.peek().is_none() || names.any(|argument| argument == name)
    };
    if wanted("near") {
        near().await;
    }
    if wanted("far") {
        far().await;
    }
}
