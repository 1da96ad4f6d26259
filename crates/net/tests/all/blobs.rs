//! Blob files against kills, full disks and rot.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use domain::{BlobHash, Identity};
use net::Blobs;

use crate::{
    common::{Node, noise, soon},
    namespace,
};

/// Set in a process that is to be killed: the folder it works in.
const FOLDER: &str = "NET_TEST_FOLDER";

fn hash_of(bytes: &[u8]) -> BlobHash {
    BlobHash::from_bytes(*blake3::hash(bytes).as_bytes())
}

fn spawn(test: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Kills a process after it printed `lines` lines and `micros` more microseconds; returns what it printed.
fn kill_after(mut child: Child, lines: usize, micros: u64) -> Vec<String> {
    let mut printed = Vec::new();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    while printed.len() < lines {
        let line = output.next().unwrap().unwrap();
        printed.extend(line.strip_prefix("did ").map(str::to_owned));
    }
    std::thread::sleep(Duration::from_micros(micros));
    child.kill().unwrap();
    child.wait().unwrap();
    printed
        .extend(output.map_while(Result::ok).filter_map(|line| line.strip_prefix("did ").map(str::to_owned)));
    printed
}

#[test]
fn a_kill_while_adding_loses_nothing_that_was_added() {
    const TEST: &str = "blobs::a_kill_while_adding_loses_nothing_that_was_added";
    if let Ok(folder) = std::env::var(FOLDER) {
        namespace::block_on(async move {
            let blobs = Blobs::open(&folder).await.unwrap();
            for seed in 0.. {
                let added = blobs.add_bytes(noise(seed, 200_000 + usize::from(seed)).into()).await.unwrap();
                println!("did {}", added.hash);
            }
        });
    }
    for round in 0..15u64 {
        let dir = tempfile::tempdir().unwrap();
        let printed = kill_after(spawn(TEST, dir.path()), 1 + round as usize % 3, round * 317);
        namespace::block_on(async {
            let blobs = Blobs::open(dir.path()).await.unwrap();
            for hash in &printed {
                let blob = blobs.find(hash.parse().unwrap()).await.unwrap();
                assert!(blob.is_complete());
            }
            // Also what was not printed any more is whole, or is not there.
            for info in blobs.list().await.unwrap() {
                let bytes = blobs.read_verified(info.hash, 0..info.size).await.unwrap();
                assert_eq!(hash_of(&bytes), info.hash);
            }
            let names: Vec<_> =
                std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert!(names.iter().all(|name| !name.to_string_lossy().starts_with("adding-")), "{names:?}");
        });
    }
}

#[test]
fn a_kill_while_downloading_loses_nothing_that_was_verified() {
    const TEST: &str = "blobs::a_kill_while_downloading_loses_nothing_that_was_verified";
    const SIZE: usize = 30_000_000;
    const PIECE: u64 = 1_000_000;
    if let Ok(folder) = std::env::var(FOLDER) {
        namespace::block_on(async move {
            let contact = std::fs::read_to_string(Path::new(&folder).join("from")).unwrap();
            let invite: net::Invite = contact.parse().unwrap();
            let blobs = Blobs::open(Path::new(&folder).join("blobs")).await.unwrap();
            let mut config = net::Config::new(Identity::from_secret(&[2; 32]), blobs);
            config.listen = "127.0.0.1:0".parse().unwrap();
            let (net, _events) = net::Network::start(config).await.unwrap();
            net.reach(invite.peer, &invite.contact).await.unwrap();
            let download = net.fetch(hash_of(&noise(5, SIZE)), Some(SIZE as u64));
            download.add_provider(invite.peer);
            for start in (0..SIZE as u64).step_by(PIECE as usize) {
                download.wait(start..start + PIECE).await.unwrap();
                println!("did {start}");
            }
            std::future::pending::<()>().await;
        });
    }
    namespace::block_on(async {
        let from = Node::start(1).await;
        let bytes = noise(5, SIZE);
        let hash = from.blobs.add_bytes(bytes.clone().into()).await.unwrap().hash;
        let invite = net::Invite { peer: from.id(), contact: net::Contact::of(&[from.addr()]) };
        for round in 0..6u64 {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("from"), invite.to_string()).unwrap();
            let child = spawn(TEST, dir.path());
            let lines = 1 + round as usize * 4;
            let printed =
                tokio::task::spawn_blocking(move || kill_after(child, lines, round * 1371)).await.unwrap();
            let blobs = Blobs::open(dir.path().join("blobs")).await.unwrap();
            let blob = blobs.find(hash).await.unwrap();
            for start in printed {
                let start: u64 = start.parse().unwrap();
                let read = blob.read(start..start + PIECE).await.unwrap();
                assert!(read == bytes[start as usize..(start + PIECE) as usize], "from {start}");
            }
            resume(&from, blobs, hash).await;
        }
    });
}

/// Another start fetches only the rest.
async fn resume(from: &Node, blobs: Blobs, hash: BlobHash) {
    let to = Node::with(2, |config| config.blobs = blobs).await;
    to.dial(from).await;
    let download = to.net.fetch(hash, None);
    download.add_provider(from.id());
    download.want_all();
    soon(download.complete()).await.unwrap();
    assert!(to.net.peers()[0].bytes_in < 34_000_000);
}

#[tokio::test]
async fn rot_is_noticed_given_up_and_fetched_again() {
    let (from, to) = (Node::start(1).await, Node::start(2).await);
    to.dial(&from).await;
    let bytes = noise(1, 1_000_000);
    for node in [&from, &to] {
        node.blobs.add_bytes(bytes.clone().into()).await.unwrap();
    }
    let hash = hash_of(&bytes);
    let path = to.dir.path().join("blobs").join(format!("{hash}.blob"));
    let mut rotten = bytes.clone();
    rotten[500_000] ^= 1;
    std::fs::write(&path, rotten).unwrap();
    assert_eq!(to.blobs.read_verified(hash, 0..100).await.unwrap(), bytes[..100]);
    assert_eq!(to.blobs.read_verified(hash, 490_000..510_000).await.unwrap_err().code(), "hash_mismatch");
    let blob = to.blobs.find(hash).await.unwrap();
    assert!(!blob.is_complete() && blob.holds(&(0..450_000)));
    let download = to.net.fetch(hash, Some(1_000_000));
    download.add_provider(from.id());
    download.want_all();
    soon(download.complete()).await.unwrap();
    assert_eq!(to.blobs.read_verified(hash, 0..1_000_000).await.unwrap(), bytes);
}

#[tokio::test]
async fn rot_is_not_served() {
    let (from, to) = (Node::start(1).await, Node::start(2).await);
    to.dial(&from).await;
    let bytes = noise(1, 1_000_000);
    let hash = from.blobs.add_bytes(bytes.clone().into()).await.unwrap().hash;
    let path = from.dir.path().join("blobs").join(format!("{hash}.blob"));
    let mut rotten = bytes.clone();
    rotten[500_000] ^= 1;
    std::fs::write(&path, rotten).unwrap();
    let download = to.net.fetch(hash, Some(1_000_000));
    download.add_provider(from.id());
    download.want_all();
    // All but the rotten group arrives, and the provider is not taken for a liar.
    soon(download.wait(0..480_000)).await.unwrap();
    soon(download.wait(530_000..1_000_000)).await.unwrap();
    assert_eq!(download.progress().borrow().providers, 1);
    assert!(!download.blob().unwrap().is_complete());
}

#[test]
fn a_full_disk_is_said_and_survived() {
    const TEST: &str = "blobs::a_full_disk_is_said_and_survived";
    const SCRIPT: &str = "mount -t tmpfs -o size=1m tmpfs /mnt; ip link set lo up; \
                          NET_TEST_ROLE=node exec $BIN $ARGS";
    if namespace::role(TEST, SCRIPT).is_none() {
        return;
    }
    namespace::block_on(async {
        let blobs = Blobs::open("/mnt/blobs").await.unwrap();
        let small = blobs.add_bytes(noise(1, 300_000).into()).await.unwrap();
        let full = blobs.add_bytes(noise(2, 2_000_000).into()).await.unwrap_err();
        assert_eq!(full.code(), "disk_full");
        assert_eq!(blobs.list().await.unwrap().len(), 1);
        let from = Node::start(1).await;
        let hash = from.blobs.add_bytes(noise(3, 2_000_000).into()).await.unwrap().hash;
        let to = Node::with(2, |config| config.blobs = blobs.clone()).await;
        to.dial(&from).await;
        let download = to.net.fetch(hash, Some(2_000_000));
        download.add_provider(from.id());
        download.want_all();
        assert_eq!(soon(download.complete()).await.unwrap_err().code(), "disk_full");
        // What was there before is still good, and after a removal there is room again.
        assert_eq!(blobs.read_verified(small.hash, 0..300_000).await.unwrap(), noise(1, 300_000));
        blobs.remove(hash).await.unwrap();
        blobs.add_bytes(noise(4, 300_000).into()).await.unwrap();
    });
}

#[tokio::test]
async fn a_removed_blob_is_gone_at_once() {
    let (from, to) = (Node::start(1).await, Node::start(2).await);
    to.dial(&from).await;
    let hash = from.blobs.add_bytes(noise(1, 1_000_000).into()).await.unwrap().hash;
    let download = to.net.fetch(hash, Some(1_000_000));
    download.add_provider(from.id());
    soon(download.wait(0..100_000)).await.unwrap();
    let waiting = download.blob().unwrap();
    let waiting = tokio::spawn(async move { waiting.wait(900_000..1_000_000).await });
    to.blobs.remove(hash).await.unwrap();
    assert_eq!(soon(waiting).await.unwrap().unwrap_err().code(), "blob_removed");
    assert!(to.blobs.list().await.unwrap().is_empty());
    assert_eq!(soon(download.wait(900_000..1_000_000)).await.unwrap_err().code(), "blob_removed");
}

#[tokio::test]
async fn a_file_that_is_larger_than_allowed_is_refused() {
    let node = Node::start(1).await;
    let path = node.dir.path().join("huge");
    std::fs::File::create(&path).unwrap().set_len(net::wire::MAX_BLOB + 1).unwrap();
    assert_eq!(node.blobs.add_file(&path).await.unwrap_err().code(), "too_large");
}
