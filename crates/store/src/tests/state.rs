use super::*;
use crate::{BlobRow, CachedPeer, Day, MAX_ADDRESSES, MAX_LIMIT, MAX_PEERS, Reason, Total, Traffic};

#[tokio::test]
async fn settings_keep_their_types() {
    let (_folder, store) = store().await;
    assert_eq!(store.setting::<u32>("volume").await.unwrap(), None);
    store.set_setting("volume", &80).await.unwrap();
    store.set_setting("volume", &70).await.unwrap();
    store.set_setting("routers", &["one", "two"]).await.unwrap();
    assert_eq!(store.setting::<u32>("volume").await.unwrap(), Some(70));
    assert_eq!(store.setting::<String>("volume").await.unwrap(), None, "of another type");
    assert_eq!(store.settings().await.unwrap().len(), 2);
    assert!(store.remove_setting("volume").await.unwrap());
    assert!(!store.remove_setting("volume").await.unwrap());
    let long = store.set_setting("long", &"x".repeat(300_000)).await.unwrap_err();
    assert_eq!(long.code(), "invalid_argument");
}

#[tokio::test]
async fn the_best_peers_are_remembered_within_bounds() {
    let (_folder, store) = store().await;
    let peer = |number: i64| {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_le_bytes());
        let addresses = vec!["192.0.2.1:4000".to_owned(); MAX_ADDRESSES + 1];
        CachedPeer { peer: PeerId::from_bytes(id), addresses, last_seen: NOW, score: number }
    };
    for number in 0..=MAX_PEERS {
        store.remember_peer(&peer(number)).await.unwrap();
    }
    let known = store.known_peers(3).await.unwrap();
    assert_eq!(
        known.iter().map(|peer| peer.score).collect::<Vec<_>>(),
        [MAX_PEERS, MAX_PEERS - 1, MAX_PEERS - 2]
    );
    assert_eq!(known[0].addresses.len(), MAX_ADDRESSES);
    assert_eq!(store.known_peers(u32::MAX).await.unwrap().len(), MAX_LIMIT as usize);
    assert!(!store.forget_peer(&peer(0).peer).await.unwrap(), "the worst went");
    assert!(store.forget_peer(&peer(1).peer).await.unwrap());
}

#[tokio::test]
async fn the_cache_gives_up_what_was_only_played_and_used_longest_ago() {
    let (_folder, store) = store().await;
    let names = ["played", "pinned", "older", "seeded", "published"];
    let reasons = [Reason::Played, Reason::Played, Reason::Played, Reason::Seeded, Reason::Published];
    for (age, (name, reason)) in (0..).zip(names.iter().zip(reasons)) {
        store.want_blob(&blob(name), reason, NOW - age).await.unwrap();
        store.blob_progress(&blob(name).hash, 400, false).await.unwrap();
    }
    assert!(store.pin_blob(&blob("pinned").hash, true).await.unwrap());
    assert_eq!(cold(&store).await, [blob("older").hash, blob("played").hash]);
    store.touch_blob(&blob("older").hash, NOW + 1).await.unwrap();
    assert_eq!(cold(&store).await, [blob("played").hash, blob("older").hash]);
    store.want_blob(&blob("older"), Reason::Downloaded, NOW).await.unwrap();
    store.want_blob(&blob("older"), Reason::Played, NOW).await.unwrap();
    assert_eq!(cold(&store).await, [blob("played").hash], "a reason only rises by wanting");
    let totals = store.blob_totals().await.unwrap();
    assert_eq!(
        (totals.played, totals.downloaded),
        (Total { blobs: 2, bytes: 800 }, Total { blobs: 1, bytes: 400 })
    );
    assert!(store.set_blob_reason(&blob("older").hash, Reason::Played).await.unwrap());
    assert_eq!(store.blob_totals().await.unwrap().downloaded, Total::default());

    store.blob_progress(&blob("seeded").hash, 9_999, true).await.unwrap();
    let seeded = BlobRow {
        hash: blob("seeded").hash,
        size: 1_000,
        have: 1_000,
        complete: true,
        pinned: false,
        reason: Reason::Seeded,
        last_used: NOW - 3,
    };
    assert_eq!(store.blob(&seeded.hash).await.unwrap(), Some(seeded));
    let kept = store.blobs(Reason::Seeded, 10, None).await.unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(store.blobs(Reason::Seeded, 10, Some(&kept[0].hash)).await.unwrap(), kept[1..]);
    assert!(store.remove_blob(&seeded.hash).await.unwrap());
    assert_eq!(store.blob(&seeded.hash).await.unwrap(), None);
    assert!(!store.pin_blob(&seeded.hash, true).await.unwrap());
}

#[tokio::test]
async fn traffic_adds_up_by_day_and_by_blob() {
    let (_folder, store) = store().await;
    let one = Traffic { blob: Some(blob("one").hash), served: 10, fetched: 1 };
    let rest = Traffic { blob: None, served: 5, fetched: 5 };
    store.count_traffic(20_000, &[one, rest]).await.unwrap();
    store.count_traffic(20_001, &[one]).await.unwrap();
    let days = [Day { day: 20_001, served: 10, fetched: 1 }, Day { day: 20_000, served: 15, fetched: 6 }];
    assert_eq!(store.traffic(10).await.unwrap(), days);
    assert_eq!(store.blob_traffic(10).await.unwrap(), [Traffic { served: 20, fetched: 2, ..one }]);
    store.count_traffic(20_000 + crate::MAX_TRAFFIC_DAYS, &[]).await.unwrap();
    assert_eq!(store.traffic(10).await.unwrap(), days[..1]);
}

async fn cold(store: &Store) -> Vec<BlobHash> {
    store.coldest_blobs(10).await.unwrap().iter().map(|row| row.hash).collect()
}

#[tokio::test]
async fn files_of_an_unknown_origin_stay_until_ones_own_records_claim_them() {
    let (_folder, store) = store().await;
    let found = |name: &str| BlobRow {
        hash: blob(name).hash,
        size: 1_000,
        have: 1_000,
        complete: true,
        pinned: true,
        reason: Reason::Played,
        last_used: NOW,
    };
    store.want_blob(&blob("Known"), Reason::Seeded, NOW).await.unwrap();
    store.adopt_blobs(&[found("Sea"), found("Other"), found("Known")]).await.unwrap();
    assert_eq!(store.blob(&blob("Known").hash).await.unwrap().unwrap().reason, Reason::Seeded);
    assert_eq!(store.cache_bytes().await.unwrap(), 0, "nothing of them may be given up");
    assert!(cold(&store).await.is_empty());
    assert!(store.claim_own().await.unwrap().is_empty());
    let own = sign(&owner(), 1, &album("Frontiers", "Per", &["Sea"]));
    put(&store, &[&own, &sign(&person(1), 1, &album("Frontiers", "Per", &["Other"]))]).await;
    assert_eq!(store.claim_own().await.unwrap(), [blob("Sea").hash]);
    assert!(store.claim_own().await.unwrap().is_empty());
    let sea = store.blob(&blob("Sea").hash).await.unwrap().unwrap();
    assert_eq!((sea.reason, sea.pinned), (Reason::Published, false));
    // The user's word makes an unknown one as any other.
    assert!(store.set_blob_reason(&blob("Other").hash, Reason::Played).await.unwrap());
    assert_eq!(store.cache_bytes().await.unwrap(), 1_000);
}
