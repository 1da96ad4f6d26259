//! Peers that break the rules, against the real network: whatever they send, nothing is lost but them.
#![allow(clippy::single_range_in_vec_init, reason = "ranges of groups are the data")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{BlobHash, Identity, PeerId};
use quinn::{Connection, RecvStream, SendStream};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    Answer, Blobs, Config, DownReason, Event, EventReceiver, Handler, Network, Transport, Udp,
    blobs::Blob,
    endpoint::Endpoint,
    frames::Frames,
    wire::{
        BlobReply, BlobRequest, FrameKind, Hello, MAX_BLOB, MAX_RANGES, Opening, Reply, frame_header,
        group_count,
    },
};

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// A silence of this length is taken for a stop, where a stop is what a test looks for.
const STOPPED: Duration = Duration::from_millis(500);

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
    events: EventReceiver,
    blobs: Blobs,
    _dir: TempDir,
}

async fn node(seed: u8, adjust: impl FnOnce(&mut Config)) -> Node {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path()).await.unwrap();
    let mut config = Config::new(Identity::from_secret(&[seed; 32]), blobs.clone());
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.handler = Arc::new(Open);
    adjust(&mut config);
    let (net, events) = Network::start(config).await.unwrap();
    Node { net, events, blobs, _dir: dir }
}

impl Node {
    async fn until<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let picked = async {
            loop {
                if let Some(picked) = pick(self.events.recv().await.unwrap()) {
                    return picked;
                }
            }
        };
        timeout(PATIENCE, picked).await.unwrap()
    }

    async fn down(&mut self, id: PeerId) -> DownReason {
        self.until(|event| match event {
            Event::Down { peer, reason } if peer == id => Some(reason),
            _ => None,
        })
        .await
    }

    async fn accused(&mut self, hash: BlobHash) -> PeerId {
        self.until(|event| match event {
            Event::BadProvider { peer, hash: of } if of == hash => Some(peer),
            _ => None,
        })
        .await
    }
}

/// A peer whose every byte the test decides.
struct Hostile {
    id: PeerId,
    endpoint: Endpoint,
    connection: Connection,
    control: SendStream,
    _frames: Option<Frames>,
}

impl Hostile {
    /// Connects and says nothing.
    async fn silent(seed: u8, to: &Node) -> Self {
        let identity = Identity::from_secret(&[seed; 32]);
        let id = identity.id();
        let dir = tempfile::tempdir().unwrap();
        let config = Config::new(identity, Blobs::open(dir.path()).await.unwrap());
        let socket = Udp.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let endpoint = Endpoint::open(&config, socket).unwrap();
        let connection = endpoint.dial(to.net.id(), to.net.local_addr()).unwrap().await.unwrap();
        let control = connection.open_uni().await.unwrap();
        Self { id, endpoint, connection, control, _frames: None }
    }

    /// Connects and is greeted as any peer.
    async fn greeted(seed: u8, to: &mut Node) -> Self {
        let mut this = Self::silent(seed, to).await;
        let leads = this.id < to.net.id();
        let hello = Hello { version: 1, features: 0, session: u64::from(leads), replaces: 0 };
        this.frame(FrameKind::Hello, &hello.encode()).await;
        let mut frames = Frames::new(this.connection.accept_uni().await.unwrap());
        frames.hello().await.unwrap();
        this._frames = Some(frames);
        let id = this.id;
        to.until(|event| matches!(event, Event::Up { peer, .. } if peer == id).then_some(())).await;
        this
    }

    async fn frame(&mut self, kind: FrameKind, payload: &[u8]) {
        let mut bytes = frame_header(kind, payload.len()).unwrap().to_vec();
        bytes.extend_from_slice(payload);
        self.control.write_all(&bytes).await.unwrap();
    }

    /// Claims to have a blob of some size, and answers requests for its bytes by the rule that the test gives.
    fn serve<F>(&self, size: u64, rule: impl Fn(BlobRequest, SendStream) -> F + Send + 'static) -> JoinSet<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let connection = self.connection.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut send, mut recv)) = connection.accept_bi().await {
                match opening(&mut recv).await {
                    Some(Opening::Blob(request)) if request.groups.is_empty() => {
                        say(&mut send, BlobReply { size, groups: Vec::new(), complete: true }, &[]).await;
                    }
                    Some(Opening::Blob(request)) => rule(request, send).await,
                    _ => {}
                }
            }
        });
        tasks
    }
}

async fn opening(recv: &mut RecvStream) -> Option<Opening> {
    let mut length = [0; 2];
    recv.read_exact(&mut length).await.ok()?;
    let mut header = vec![0; u16::from_le_bytes(length).into()];
    recv.read_exact(&mut header).await.ok()?;
    Opening::decode(&header).ok()
}

fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

/// What an honest provider would answer.
fn honest(blob: &Blob, request: &BlobRequest) -> (BlobReply, Vec<u8>) {
    let last = group_count(blob.size()) - 1;
    let mut asked = request.groups.clone();
    if request.tail && asked.last().is_none_or(|range| range.end <= last) {
        asked.push(last..last + 1);
    }
    let groups = blob.present(&asked, MAX_RANGES);
    let encoded = blob.encode(&groups).unwrap().to_vec();
    (BlobReply { size: blob.size(), groups, complete: true }, encoded)
}

async fn say(send: &mut SendStream, reply: BlobReply, body: &[u8]) {
    let _ = send.write_all(&Reply::Blob(reply).encode()).await;
    let _ = send.write_all(body).await;
    let _ = send.finish();
}

/// A listener, an honest provider with a blob, and a hostile one that the listener asks first.
struct Scene {
    listener: Node,
    honest: Node,
    hostile: Hostile,
    bytes: Vec<u8>,
    hash: BlobHash,
    blob: Blob,
}

async fn scene() -> Scene {
    let mut listener = node(1, |_| {}).await;
    let honest = node(2, |_| {}).await;
    let hostile = Hostile::greeted(3, &mut listener).await;
    listener.net.connect(honest.net.id(), &[honest.net.local_addr()]).await.unwrap();
    let bytes = noise(2_000_000);
    let hash = honest.blobs.add_bytes(bytes.clone().into()).await.unwrap().hash;
    let blob = honest.blobs.find(hash).await.unwrap();
    Scene { listener, honest, hostile, bytes, hash, blob }
}

impl Scene {
    /// Downloads from the hostile one, and from the honest one once the hostile one was asked.
    async fn download(&mut self, size: Option<u64>, asked: impl Future<Output = ()>) {
        let download = self.listener.net.fetch(self.hash, size);
        download.add_provider(self.hostile.id);
        download.want_all();
        timeout(PATIENCE, asked).await.unwrap();
        download.add_provider(self.honest.net.id());
        let blob = timeout(PATIENCE, download.complete()).await.unwrap().unwrap();
        assert_eq!(blob.read(0..2_000_000).await.unwrap(), self.bytes);
    }
}

#[tokio::test]
async fn wrong_bytes_cost_their_sender_and_nothing_else() {
    let mut scene = scene().await;
    let blob = scene.blob.clone();
    let _serving = scene.hostile.serve(2_000_000, move |request, mut send| {
        let (reply, mut body) = honest(&blob, &request);
        let middle = body.len() / 2;
        body[middle] ^= 1;
        async move { say(&mut send, reply, &body).await }
    });
    let download = scene.listener.net.fetch(scene.hash, Some(2_000_000));
    download.add_provider(scene.hostile.id);
    download.want_all();
    assert_eq!(scene.listener.accused(scene.hash).await, scene.hostile.id);
    assert_eq!(download.progress().borrow().providers, 0);
    download.add_provider(scene.hostile.id);
    assert_eq!(download.progress().borrow().providers, 0);
    download.add_provider(scene.honest.net.id());
    let blob = timeout(PATIENCE, download.complete()).await.unwrap().unwrap();
    assert_eq!(blob.read(0..2_000_000).await.unwrap(), scene.bytes);
}

#[tokio::test]
async fn a_lie_about_the_size_is_found_out() {
    for claimed in [0, 1, 1_999_999, 2_000_001, 2_100_000, 3_900_000, MAX_BLOB] {
        for expected in [None, Some(2_000_000)] {
            let mut scene = scene().await;
            let blob = scene.blob.clone();
            let _serving = scene.hostile.serve(claimed, move |request, mut send| {
                let (mut reply, body) = honest(&blob, &request);
                reply.size = claimed;
                let last = group_count(claimed) - 1;
                reply.groups = vec![0..1];
                if request.tail && last > 0 {
                    reply.groups.push(last..last + 1);
                }
                async move { say(&mut send, reply, &body).await }
            });
            let download = scene.listener.net.fetch(scene.hash, expected);
            download.add_provider(scene.hostile.id);
            download.want_all();
            assert_eq!(scene.listener.accused(scene.hash).await, scene.hostile.id, "{claimed} {expected:?}");
            download.add_provider(scene.honest.net.id());
            let blob = timeout(PATIENCE, download.complete()).await.unwrap().unwrap();
            assert_eq!(blob.size(), 2_000_000);
        }
    }
}

#[tokio::test]
async fn a_size_without_proof_is_not_taken() {
    let mut scene = scene().await;
    let blob = scene.blob.clone();
    let (asked, mut asking) = tokio::sync::mpsc::unbounded_channel();
    let _serving = scene.hostile.serve(1_999_999, move |request, mut send| {
        let (mut reply, body) = honest(&blob, &BlobRequest { tail: false, ..request });
        reply.size = 1_999_999;
        let asked = asked.clone();
        async move {
            say(&mut send, reply, &body).await;
            let _ = asked.send(());
        }
    });
    let asked = async {
        asking.recv().await.unwrap();
    };
    scene.download(None, asked).await;
}

#[tokio::test]
async fn groups_that_were_not_asked_for_are_a_breach() {
    let mut scene = scene().await;
    let blob = scene.blob.clone();
    let _serving = scene.hostile.serve(2_000_000, move |request, mut send| {
        let other = BlobRequest { groups: vec![50..60], ..request };
        let (reply, body) = honest(&blob, &other);
        async move { say(&mut send, reply, &body).await }
    });
    let download = scene.listener.net.fetch(scene.hash, Some(2_000_000));
    download.add_provider(scene.hostile.id);
    download.want(0..10, None);
    assert_eq!(scene.listener.accused(scene.hash).await, scene.hostile.id);
}

#[tokio::test]
async fn a_provider_that_stalls_is_worked_around() {
    let mut scene = scene().await;
    let blob = scene.blob.clone();
    let (stalled, mut stalling) = tokio::sync::mpsc::unbounded_channel();
    let _serving = scene.hostile.serve(2_000_000, move |request, mut send| {
        let (reply, body) = honest(&blob, &request);
        let stalled = stalled.clone();
        async move {
            let _ = send.write_all(&Reply::Blob(reply).encode()).await;
            let _ = send.write_all(&body[..body.len() / 2]).await;
            let _ = stalled.send(send);
        }
    });
    let asked = async {
        stalling.recv().await.unwrap();
    };
    scene.download(Some(2_000_000), asked).await;
}

#[tokio::test]
async fn a_provider_that_dies_midway_is_absorbed() {
    for expected in [None, Some(2_000_000)] {
        let mut scene = scene().await;
        let blob = scene.blob.clone();
        let connection = scene.hostile.connection.clone();
        let _serving = scene.hostile.serve(2_000_000, move |request, mut send| {
            let (reply, body) = honest(&blob, &request);
            let connection = connection.clone();
            async move {
                let _ = send.write_all(&Reply::Blob(reply).encode()).await;
                let _ = send.write_all(&body[..body.len() / 2]).await;
                connection.close(0u32.into(), b"");
            }
        });
        let gone = scene.hostile.connection.clone();
        scene.download(expected, async move { drop(gone.closed().await) }).await;
    }
}

#[tokio::test]
async fn nonsense_instead_of_an_answer_is_a_breach() {
    let mut scene = scene().await;
    let _serving = scene.hostile.serve(2_000_000, |_, mut send| async move {
        let _ = send.write_all(&[255; 4000]).await;
        let _ = send.finish();
    });
    let download = scene.listener.net.fetch(scene.hash, None);
    download.add_provider(scene.hostile.id);
    download.want_all();
    assert_eq!(scene.listener.accused(scene.hash).await, scene.hostile.id);
}

#[tokio::test]
async fn a_message_above_the_limit_ends_the_session() {
    let mut listener = node(1, |_| {}).await;
    let mut hostile = Hostile::greeted(3, &mut listener).await;
    hostile.control.write_all(&[1, 1, 0, 1, 0]).await.unwrap();
    assert_eq!(listener.down(hostile.id).await, DownReason::Protocol);
}

#[tokio::test]
async fn a_stream_that_ends_inside_a_message_ends_the_session() {
    let mut listener = node(1, |_| {}).await;
    let mut hostile = Hostile::greeted(3, &mut listener).await;
    hostile.control.write_all(&[1, 9, 0, 0, 0, 7]).await.unwrap();
    hostile.control.finish().unwrap();
    assert_eq!(listener.down(hostile.id).await, DownReason::Protocol);
}

#[tokio::test]
async fn frames_of_later_versions_are_skipped() {
    let mut listener = node(1, |_| {}).await;
    let mut hostile = Hostile::greeted(3, &mut listener).await;
    hostile.frame(FrameKind::Unknown(77), b"from the future").await;
    hostile.frame(FrameKind::Hello, b"late").await;
    hostile.frame(FrameKind::Message, b"known").await;
    let message = listener
        .until(|event| match event {
            Event::Message { bytes, .. } => Some(bytes),
            _ => None,
        })
        .await;
    assert_eq!(message, "known");
}

#[tokio::test]
async fn who_never_greets_is_let_go() {
    let listener = node(1, |config| config.limits.greeting = Duration::from_millis(300)).await;
    let hostile = Hostile::silent(3, &listener).await;
    timeout(PATIENCE, hostile.connection.closed()).await.unwrap();
    assert!(listener.net.peers().is_empty());
    // A greeting that began and does not end is no better.
    let mut slow = Hostile::silent(4, &listener).await;
    slow.control.write_all(&[0, 9]).await.unwrap();
    timeout(PATIENCE, slow.connection.closed()).await.unwrap();
}

#[tokio::test]
async fn something_else_than_a_hello_is_a_breach() {
    let listener = node(1, |_| {}).await;
    let mut hostile = Hostile::silent(3, &listener).await;
    hostile.frame(FrameKind::Message, b"no hello").await;
    timeout(PATIENCE, hostile.connection.closed()).await.unwrap();
    assert!(listener.net.peers().is_empty());
}

#[tokio::test]
async fn slow_loris_requests_hold_only_their_own_places() {
    let mut listener = node(1, |config| {
        config.limits.requests = 4;
        config.limits.request_time = Duration::from_secs(1);
    })
    .await;
    let honest = node(2, |_| {}).await;
    honest.net.connect(listener.net.id(), &[listener.net.local_addr()]).await.unwrap();
    let hostile = Hostile::greeted(3, &mut listener).await;
    let mut held = Vec::new();
    for _ in 0..100 {
        let (mut send, recv) = hostile.connection.open_bi().await.unwrap();
        send.write_all(&[7]).await.unwrap();
        held.push((send, recv));
    }
    let answered =
        honest.net.request(listener.net.id(), Bytes::from_static(b"me"), 10, PATIENCE).await.unwrap();
    assert_eq!(answered, "me");
    // All of them are ended by the listener: told that it is busy, or given up after their time.
    for (_, mut recv) in held {
        let _ = timeout(PATIENCE, recv.read_to_end(100)).await.unwrap();
    }
}

#[tokio::test]
async fn a_body_above_the_limit_is_not_taken() {
    let mut listener = node(1, |_| {}).await;
    let hostile = Hostile::greeted(3, &mut listener).await;
    let (mut send, mut recv) = hostile.connection.open_bi().await.unwrap();
    send.write_all(&Opening::Request.encode()).await.unwrap();
    let sending = async {
        let piece = vec![0; 64 * 1024];
        while send.write_all(&piece).await.is_ok() {}
    };
    timeout(PATIENCE, sending).await.unwrap();
    assert!(recv.read_to_end(100).await.is_err() || hostile.connection.close_reason().is_none());
}

#[tokio::test]
async fn a_flood_of_messages_waits_outside() {
    let mut listener = node(1, |_| {}).await;
    let mut hostile = Hostile::greeted(3, &mut listener).await;
    let payload = vec![0; 60_000];
    let mut sent = 0usize;
    // The listener's owner takes no events, so the flood must come to rest.
    while timeout(STOPPED, hostile.frame(FrameKind::Message, &payload)).await.is_ok() {
        sent += payload.len();
        assert!(sent < 200_000_000, "the flood is taken in without end");
    }
    let mut received = 0;
    while received < sent {
        received += listener
            .until(|event| match event {
                Event::Message { bytes, .. } => Some(bytes.len()),
                _ => None,
            })
            .await;
    }
}

#[tokio::test]
async fn random_datagrams_and_streams_are_ignored() {
    let mut listener = node(1, |_| {}).await;
    let mut hostile = Hostile::greeted(3, &mut listener).await;
    for number in 0..200u8 {
        let _ = hostile.connection.send_datagram(vec![number; usize::from(number)].into());
        let (mut send, _) = hostile.connection.open_bi().await.unwrap();
        let _ = send.write_all(&[number, 0, number, number, 3]).await;
        let _ = send.finish();
    }
    hostile.frame(FrameKind::Message, b"and now").await;
    listener.until(|event| matches!(event, Event::Message { .. }).then_some(())).await;
    assert_eq!(hostile.endpoint.quinn().open_connections(), 1);
}

#[tokio::test]
async fn early_data_that_is_no_read_changes_nothing() {
    struct Never;

    impl Handler for Never {
        fn request(&self, _peer: PeerId, _body: Bytes) -> Answer {
            panic!("a request that may be a replay was handled");
        }

        fn may_serve(&self, _peer: PeerId, _hash: &BlobHash) -> bool {
            true
        }
    }

    let mut listener = node(1, |config| config.handler = Arc::new(Never)).await;
    let hostile = Hostile::greeted(3, &mut listener).await;
    // Any answer comes after the ticket.
    let (mut send, mut recv) = hostile.connection.open_bi().await.unwrap();
    send.write_all(&Opening::Observe.encode()).await.unwrap();
    recv.read_to_end(100).await.unwrap();
    hostile.connection.close(0u32.into(), b"");
    listener.down(hostile.id).await;
    let again = hostile.endpoint.dial(listener.net.id(), listener.net.local_addr()).unwrap();
    let Ok((connection, accepted)) = again.into_0rtt() else { panic!("there is a ticket") };
    let (mut send, mut recv) = connection.open_bi().await.unwrap();
    send.write_all(&Opening::Request.encode()).await.unwrap();
    send.finish().unwrap();
    let answer = timeout(PATIENCE, recv.read_to_end(100)).await.unwrap().unwrap();
    assert!(accepted.await);
    assert_eq!(Reply::decode(&answer[2..]), Ok(Reply::Refused));
}
