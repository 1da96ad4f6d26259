use domain::RecordId;
use domain::kinds::{BlockEntry, Follow, Playlist, Profile, TrackList};
use peer::{Entry, Equivocation};
use proptest::prelude::*;

use super::*;
use crate::{Cause, MAX_BATCH, MAX_PROOFS, Orphan, Reason, ReleaseFilter};

#[tokio::test]
async fn a_start_finds_what_change_sets_added_up_to() {
    let (_folder, store) = store().await;
    let release = sign(&person(1), 1, &album("Frontiers", "Per", &["One"]));
    let edited = sign(&person(1), 2, &album("Frontiers", "Per Ångström", &["One", "Two"]));
    let follow = sign(&owner(), 3, &Follow { artist: person(3).id() });
    store.follow(&person(4).id(), false, NOW).await.unwrap();
    let one = sign(&person(5), 1, &Profile { name: "One".into(), ..Profile::default() });
    let two = sign(&person(5), 1, &Profile { name: "Two".into(), ..Profile::default() });
    let change = ChangeSet {
        put: vec![release, edited.clone(), follow.clone()],
        evicted: vec![one.id],
        proofs: vec![Equivocation { one, two: two.clone() }],
        own_seq: Some(u64::MAX),
        block: vec![BlockEntry::Author(person(6).id()), BlockEntry::Blob(blob("x").hash)],
        unblock: vec![BlockEntry::Blob(blob("x").hash)],
        ..ChangeSet::default()
    };
    store.apply(&change).await.unwrap();
    store.apply(&ChangeSet { own_seq: Some(7), ..ChangeSet::default() }).await.unwrap();
    let mut loaded = store.load().await.unwrap();
    loaded.entries.sort_by_key(|entry| entry.seq);
    assert_eq!(loaded.entries, [Entry::from(&edited), Entry::from(&follow)]);
    assert_eq!(loaded.evicted, change.evicted);
    assert_eq!(loaded.equivocators, [person(5).id()]);
    assert_eq!(loaded.own_seq, u64::MAX);
    assert_eq!(loaded.blocked, [BlockEntry::Author(person(6).id())]);
    let mut followed = ids(&[3, 4]);
    followed.sort();
    assert_eq!(loaded.followed, followed);
    assert_eq!(store.proofs(&[person(5).id()]).await.unwrap(), change.proofs);
    assert!(store.proofs(&[person(6).id()]).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_oldest_proofs_make_room_for_new_ones() {
    let (_folder, store) = store().await;
    let most = MAX_PROOFS as usize;
    let proofs: Vec<Equivocation> = (0..most as u32 + 10).map(contradiction).collect();
    for proofs in proofs.chunks(1000) {
        store.apply(&ChangeSet { proofs: proofs.to_vec(), ..ChangeSet::default() }).await.unwrap();
    }
    let loaded = store.load().await.unwrap().equivocators;
    let newest: Vec<PeerId> = proofs[10..].iter().map(Equivocation::author).collect();
    assert_eq!(loaded, newest);
    let asked = [proofs[0].author(), proofs[most].author()];
    assert_eq!(store.proofs(&asked).await.unwrap(), [proofs[most].clone()]);
}

/// A proof against somebody who was made up a moment ago.
fn contradiction(number: u32) -> Equivocation {
    let mut secret = [0; 32];
    secret[..4].copy_from_slice(&number.to_le_bytes());
    let author = Identity::from_secret(&secret);
    let [one, two] =
        ["One", "Two"].map(|name| sign(&author, 1, &Profile { name: name.into(), ..Profile::default() }));
    Equivocation::of(one, two).expect("they contradict each other")
}

#[tokio::test]
async fn numbers_that_hostile_authors_sign_come_back_as_they_were() {
    let (_folder, store) = store().await;
    let stamp = Stamp { seq: u64::MAX, created_at: u64::MAX, ..Stamp::default() };
    let record = Record::sign(&person(1), stamp, &album("Future", "Per", &["One"])).unwrap();
    put(&store, &[&record]).await;
    assert_eq!(store.load().await.unwrap().entries, [Entry::from(&record)]);
    assert!(store.releases(&listing()).await.unwrap().releases.is_empty());
}

#[tokio::test]
async fn records_come_by_id_and_by_slot_in_the_order_asked_for() {
    let (_folder, store) = store().await;
    let records: Vec<Record> =
        ["A", "B", "C"].iter().map(|title| sign(&person(1), 1, &album(title, "Per", &["One"]))).collect();
    put(&store, &records.iter().collect::<Vec<_>>()).await;
    let wanted = [records[2].id, RecordId::from_bytes([9; 32]), records[0].id];
    assert_eq!(store.records(&wanted).await.unwrap(), [records[2].clone(), records[0].clone()]);
    let slots = [records[1].slot, records[0].slot];
    assert_eq!(store.records_in(&slots).await.unwrap(), [records[1].clone(), records[0].clone()]);
    let many = vec![records[0].id; MAX_BATCH + 1];
    assert_eq!(store.records(&many).await.unwrap().len(), 1);
    assert_eq!(store.records_of(&person(1).id(), Release::ID, 2).await.unwrap().len(), 2);
    assert!(store.records_of(&person(2).id(), Release::ID, 2).await.unwrap().is_empty());
}

#[tokio::test]
async fn withdrawing_leaves_no_word_in_any_file() {
    let (folder, store) = store().await;
    let words = ["Zanzibarian", "Quokkaphone", "Xylomantic", "Vexillology", "Unmistakable"];
    let mut release = album(words[0], words[1], &[words[2]]);
    release.description = Some(words[3].into());
    release.tags = Some(vec![words[4].to_lowercase()]);
    let release = sign(&person(1), 1, &release);
    let profile = sign(&person(1), 1, &Profile { name: words[1].into(), ..Profile::default() });
    let playlist = Playlist { nonce: [1; 16], title: words[3].into(), description: None, items: vec![] };
    let playlist = sign(&person(1), 1, &playlist);
    let tag = tag(2, release.slot, &words[4].to_lowercase());
    let records = [&release, &profile, &playlist, &tag];
    put(&store, &records).await;
    store.checkpoint().await.unwrap();
    for word in words {
        assert!(in_files(folder.path(), word), "{word} was to be found before");
    }
    let mut withdrawn = Vec::new();
    for record in records {
        let who = if record.author == person(1).id() { person(1) } else { person(2) };
        withdrawn.push(withdraw(&who, 2, record));
    }
    let applied = put(&store, &withdrawn.iter().collect::<Vec<_>>()).await;
    let hashes = [blob(words[2]).hash, blob(&format!("cover of {}", words[0])).hash];
    let mut expected = hashes.map(|hash| Orphan { hash, cause: Cause::Withdrawn });
    expected.sort_by_key(|orphan| orphan.hash);
    assert_eq!(applied.orphans, expected);
    store.checkpoint().await.unwrap();
    for word in words {
        assert!(!in_files(folder.path(), word), "{word} is still there");
    }
    assert!(store.search(words[2], 10).await.unwrap().is_empty());
    assert_eq!(store.load().await.unwrap().entries.len(), 4);
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_blob_is_orphaned_with_its_last_reference_only() {
    let (_folder, store) = store().await;
    let one = sign(&person(1), 1, &album("One", "Per", &["Shared", "Alone"]));
    let two = sign(&person(2), 1, &album("Two", "Mira", &["Shared"]));
    put(&store, &[&one, &two]).await;
    assert_eq!(store.tracks_of_blob(&blob("Shared").hash).await.unwrap().len(), 2);
    let edited = sign(&person(1), 2, &album("One", "Per", &["Shared"]));
    let replaced = Orphan { hash: blob("Alone").hash, cause: Cause::Replaced };
    assert_eq!(put(&store, &[&edited]).await.orphans, [replaced]);
    let withdrawn = put(&store, &[&withdraw(&person(1), 3, &one)]).await;
    assert_eq!(withdrawn.orphans.len(), 1, "the cover");
    assert!(store.blob_servable(&blob("Shared").hash).await.unwrap());
    let forgotten = store.apply(&ChangeSet { forget: vec![two.slot], ..ChangeSet::default() }).await.unwrap();
    let shared = forgotten.orphans.iter().find(|orphan| orphan.hash == blob("Shared").hash);
    assert_eq!(shared.map(|orphan| orphan.cause), Some(Cause::Forgotten));
    assert!(!store.blob_servable(&blob("Shared").hash).await.unwrap());
}

#[tokio::test]
async fn what_is_blocked_never_shows_until_it_is_unblocked() {
    let (_folder, store) = store().await;
    let mut body = album("Frontiers", "Per", &["Sea", "Sky"]);
    body.tags = Some(vec!["ambient".into()]);
    let release = sign(&person(1), 1, &body);
    let profile = sign(&person(1), 1, &Profile { name: "Per".into(), ..Profile::default() });
    put(&store, &[&release, &profile, &like(1, release.slot, 0)]).await;
    // What a reader remembers of the full-text index from here on is out of date at the end.
    store.check().await.unwrap();
    let author = BlockEntry::Author(person(1).id());
    for entry in [author, BlockEntry::Release(release.slot), BlockEntry::Blob(blob("Sea").hash)] {
        let block = ChangeSet { block: vec![entry], ..ChangeSet::default() };
        let applied = store.apply(&block).await.unwrap();
        let sea = Orphan { hash: blob("Sea").hash, cause: Cause::Blocked };
        assert!(applied.orphans.contains(&sea), "{entry:?}: {applied:?}");
        assert!(!store.blob_servable(&blob("Sea").hash).await.unwrap());
        assert!(store.search("sea", 10).await.unwrap().is_empty(), "{entry:?}");
        assert!(store.tracks_of_blob(&blob("Sea").hash).await.unwrap().is_empty());
        assert!(store.track(&release.slot, 1).await.unwrap().is_none());
        let whole = !matches!(entry, BlockEntry::Blob(_));
        assert_eq!(store.release(&release.slot).await.unwrap().is_none(), whole);
        assert_eq!(store.releases(&listing()).await.unwrap().releases.is_empty(), whole);
        assert_eq!(store.tags("ambient", 10).await.unwrap().is_empty(), whole);
        assert_eq!(store.artist(&person(1).id()).await.unwrap().is_none(), entry == author);
        // What comes while it is blocked stays hidden too.
        put(&store, &[&release, &sign(&person(1), 2, &Profile { name: "Per".into(), ..Profile::default() })])
            .await;
        assert!(store.search("sea", 10).await.unwrap().is_empty(), "{entry:?}");
        store.apply(&ChangeSet { unblock: vec![entry], ..ChangeSet::default() }).await.unwrap();
        assert!(!store.search("sea", 10).await.unwrap().is_empty(), "{entry:?}");
        assert_eq!(store.release(&release.slot).await.unwrap().unwrap().tracks.len(), 2);
    }
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_long_releases_tracks_come_with_their_blob() {
    let (_folder, store) = store().await;
    let list = TrackList { tracks: vec![track("Sea"), track("Sky")] };
    let bytes = list.to_bytes();
    let reference = BlobRef { hash: BlobHash::of(&bytes), size: bytes.len() as u64 };
    let mut body = album("Frontiers", "Per", &["Sea", "Sky"]);
    (body.tracks, body.track_list) = (None, Some(reference));
    let release = sign(&person(1), 1, &body);
    assert_eq!(put(&store, &[&release]).await.fetch, [(release.slot, reference)]);
    assert_eq!(store.awaiting_tracks(10).await.unwrap(), [(release.slot, reference)]);
    assert!(store.set_track_list(b"some other blob").await.unwrap().is_empty());
    assert_eq!(store.set_track_list(&bytes).await.unwrap(), [release.slot]);
    assert!(store.awaiting_tracks(10).await.unwrap().is_empty());
    assert_eq!(store.search("sky", 10).await.unwrap()[0].track, Some(2));
    // An edit that keeps the list keeps the tracks.
    body.artist = "Per Ångström".into();
    let edited = put(&store, &[&sign(&person(1), 2, &body)]).await;
    assert_eq!(edited, Applied::default());
    assert_eq!(store.release(&release.slot).await.unwrap().unwrap().tracks.len(), 2);
    let withdrawn = put(&store, &[&withdraw(&person(1), 3, &release)]).await;
    assert_eq!(withdrawn.orphans.len(), 4, "two tracks, the cover and the list");
}

#[tokio::test]
async fn what_was_put_is_no_longer_evicted() {
    let (_folder, store) = store().await;
    let record = sign(&person(1), 1, &album("Frontiers", "Per", &["Sea"]));
    store.apply(&ChangeSet { evicted: vec![record.id, record.id], ..ChangeSet::default() }).await.unwrap();
    assert_eq!(store.load().await.unwrap().evicted, [record.id]);
    put(&store, &[&record]).await;
    assert!(store.load().await.unwrap().evicted.is_empty());
}

#[tokio::test]
async fn a_release_of_ones_own_is_entered_with_its_tracks_in_one_step() {
    let (_folder, store) = store().await;
    let (record, reference, bytes) = long(&owner());
    for title in ["Sea", "Sky"] {
        store.want_blob(&blob(title), Reason::Published, NOW).await.unwrap();
    }
    let hashes = [blob("Sea").hash, blob("Sky").hash];
    assert_eq!(store.unsigned_blobs(&hashes).await.unwrap().len(), 2, "nothing is signed yet");
    store.keep_track_list(&bytes).await.unwrap();
    assert!(put(&store, &[&record]).await.fetch.is_empty());
    assert!(store.awaiting_tracks(10).await.unwrap().is_empty());
    assert_eq!(store.release(&record.slot).await.unwrap().unwrap().tracks.len(), 2);
    assert!(store.unsigned_blobs(&hashes).await.unwrap().is_empty());
    // A list that came to nothing goes with its file, one that is named stays.
    store.keep_track_list(b"never signed").await.unwrap();
    for hash in [BlobHash::of(b"never signed"), reference.hash] {
        store.remove_blob(&hash).await.unwrap();
    }
    let lists: Vec<Vec<u8>> =
        sqlx::query_scalar("select bytes from track_lists").fetch_all(&store.read).await.unwrap();
    assert_eq!(lists, [bytes]);
}

#[tokio::test]
async fn nothing_counts_as_unsigned_while_a_release_of_ones_own_lacks_its_list() {
    let (_folder, store) = store().await;
    store.want_blob(&blob("Sea"), Reason::Published, NOW).await.unwrap();
    let (record, _, bytes) = long(&owner());
    put(&store, &[&record]).await;
    let sea = [blob("Sea").hash];
    assert!(store.unsigned_blobs(&sea).await.unwrap().is_empty(), "the list may name it");
    store.set_track_list(&bytes).await.unwrap();
    store.want_blob(&blob("Draft"), Reason::Published, NOW).await.unwrap();
    let both = [blob("Sea").hash, blob("Draft").hash];
    assert_eq!(store.unsigned_blobs(&both).await.unwrap(), [blob("Draft").hash]);
}

#[tokio::test]
async fn lists_of_strangers_are_fetched_unasked_within_a_bound() {
    let (_folder, store) = store().await;
    let [(own, own_list, _), (followed, followed_list, _), (stranger, list, _)] =
        [owner(), person(1), person(2)].map(|who| long(&who));
    put(&store, &[&own, &followed, &stranger]).await;
    store.follow(&person(1).id(), false, NOW).await.unwrap();
    assert!(store.takes_track_list(&list.hash).await.unwrap());
    let first: Vec<BlobHash> =
        store.awaiting_tracks(2).await.unwrap().iter().map(|(_, list)| list.hash).collect();
    assert!(first.contains(&own_list.hash) && first.contains(&followed_list.hash));
    let quarter = crate::MAX_LIST_BYTES as usize / 4;
    for number in 0..4_u8 {
        store.keep_track_list(&vec![number; quarter]).await.unwrap();
    }
    assert!(!store.takes_track_list(&list.hash).await.unwrap());
    assert!(store.takes_track_list(&own_list.hash).await.unwrap());
    assert!(store.takes_track_list(&followed_list.hash).await.unwrap());
}

/// A release with a list of two tracks, different for everybody.
fn long(who: &Identity) -> (Record, BlobRef, Vec<u8>) {
    let mut sky = track("Sky");
    sky.artist = Some(who.id().to_string());
    let bytes = TrackList { tracks: vec![track("Sea"), sky] }.to_bytes();
    let reference = BlobRef { hash: BlobHash::of(&bytes), size: bytes.len() as u64 };
    let mut body = album("Frontiers", "Per", &["Sea", "Sky"]);
    (body.tracks, body.track_list) = (None, Some(reference));
    (sign(who, 1, &body), reference, bytes)
}

#[tokio::test]
async fn a_block_dooms_what_the_user_kept_and_want_of_room_does_not() {
    let (_folder, store) = store().await;
    let record = sign(&person(1), 1, &album("Frontiers", "Per", &["Kept", "Heard"]));
    put(&store, &[&record]).await;
    store.want_blob(&blob("Kept"), Reason::Downloaded, NOW).await.unwrap();
    store.want_blob(&blob("Heard"), Reason::Played, NOW).await.unwrap();
    let forget = ChangeSet { forget: vec![record.slot], ..ChangeSet::default() };
    store.apply(&forget).await.unwrap();
    assert_eq!(store.doomed().await.unwrap(), [blob("Heard").hash]);
    store.spare_blob(&blob("Heard").hash).await.unwrap();
    assert!(store.doomed().await.unwrap().is_empty());

    put(&store, &[&record]).await;
    // As a peer says it: what is blocked is forgotten in the same change.
    let block = ChangeSet { block: vec![BlockEntry::Author(person(1).id())], ..forget };
    let applied = store.apply(&block).await.unwrap();
    assert!(applied.orphans.iter().all(|orphan| orphan.cause == Cause::Blocked), "{applied:?}");
    let mut doomed = [blob("Kept").hash, blob("Heard").hash];
    doomed.sort();
    assert_eq!(store.doomed().await.unwrap(), doomed);
    for hash in doomed {
        store.remove_blob(&hash).await.unwrap();
    }
    assert!(store.doomed().await.unwrap().is_empty());
    assert!(store.load().await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn no_change_forgets_ones_own_records_or_dooms_ones_own_files() {
    let (_folder, store) = store().await;
    let record = sign(&owner(), 1, &album("Frontiers", "Per", &["Sea"]));
    put(&store, &[&record]).await;
    store.want_blob(&blob("Sea"), Reason::Published, NOW).await.unwrap();
    let block = vec![
        BlockEntry::Author(owner().id()),
        BlockEntry::Release(record.slot),
        BlockEntry::Blob(blob("Sea").hash),
    ];
    let other = sign(&person(1), 1, &album("Others", "Per", &["Sky"]));
    put(&store, &[&other]).await;
    let others = [
        BlockEntry::Author(other.author),
        BlockEntry::Release(other.slot),
        BlockEntry::Blob(blob("Sky").hash),
    ];
    for (own, other) in block.iter().zip(&others) {
        assert!(store.names_own(own).await.unwrap(), "{own:?}");
        assert!(!store.names_own(other).await.unwrap(), "{other:?}");
    }
    let change = ChangeSet { forget: vec![record.slot], block, ..ChangeSet::default() };
    store.apply(&change).await.unwrap();
    assert_eq!(store.load().await.unwrap().entries, [Entry::from(&record), Entry::from(&other)]);
    assert!(store.doomed().await.unwrap().is_empty());
    // Withdrawing is the owner's own word.
    put(&store, &[&withdraw(&owner(), 2, &record)]).await;
    assert_eq!(store.doomed().await.unwrap(), [blob("Sea").hash]);
}

/// One thing that can happen to the store.
#[derive(Clone, Debug)]
enum Event {
    Release { who: u8, name: u8, version: u64, tracks: u8 },
    Tag { who: u8, name: u8, version: u64, on: bool },
    Withdraw { who: u8, name: u8, version: u64 },
    Block { who: u8 },
}

fn event() -> impl Strategy<Value = Event> {
    let common = || (1..4_u8, 0..3_u8, 0..50_u64);
    prop_oneof![
        (common(), 1..4_u8).prop_map(|((who, name, version), tracks)| Event::Release {
            who,
            name,
            version,
            tracks
        }),
        (common(), any::<bool>()).prop_map(|((who, name, version), on)| Event::Tag {
            who,
            name,
            version,
            on
        }),
        common().prop_map(|(who, name, version)| Event::Withdraw { who, name, version }),
        (1..4_u8).prop_map(|who| Event::Block { who }),
    ]
}

impl Event {
    fn change(&self) -> ChangeSet {
        let titles = ["Sea", "Sky", "Stone"];
        let release = |who: u8, name: u8, version, tracks: u8| {
            let body = album(&format!("{} {who}", titles[name as usize]), "Per", &titles[..tracks as usize]);
            sign(&person(who), version, &body)
        };
        let put = match *self {
            Self::Release { who, name, version, tracks } => release(who, name, version, tracks),
            Self::Tag { who, name, version, on } => {
                let tag = Tag { release: release(1, name, 0, 1).slot, track: None, text: "ambient".into() };
                let record = sign(&person(who), version, &tag);
                if on { record } else { withdraw(&person(who), version, &record) }
            }
            Self::Withdraw { who, name, version } => {
                withdraw(&person(who), version, &release(who, name, 0, 1))
            }
            Self::Block { who } => {
                let block = vec![BlockEntry::Author(person(who).id())];
                return ChangeSet { block, ..ChangeSet::default() };
            }
        };
        ChangeSet { put: vec![put], ..ChangeSet::default() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn at_once_or_one_by_one_makes_no_difference(events in proptest::collection::vec(event(), 1..16)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let ((_one, at_once), (_two, one_by_one)) = (store().await, store().await);
            let mut merged = ChangeSet::default();
            for event in &events {
                one_by_one.apply(&event.change()).await.unwrap();
                merged.merge(event.change());
            }
            at_once.apply(&merged).await.unwrap();
            at_once.apply(&merged).await.unwrap();
            assert_eq!(state(&at_once).await, state(&one_by_one).await);
        });
    }
}

/// All that can be seen of a store, without the order in which it came.
async fn state(store: &Store) -> Vec<String> {
    let mut state: Vec<String> =
        store.load().await.unwrap().entries.iter().map(|entry| format!("{entry:?}")).collect();
    for release in store.releases(&listing()).await.unwrap().releases {
        let details = store.release(&release.release).await.unwrap().unwrap();
        let published = details.row.published_at;
        state.push(format!("{} {:?} {published} {:?}", release.title, details.tracks, details.tags));
    }
    for word in ["sea", "sky", "stone", "per"] {
        let hits = store.search(word, 100).await.unwrap();
        state
            .extend(hits.iter().map(|hit| format!("{word} {} {:?} {:?}", hit.title, hit.release, hit.track)));
    }
    let words: Vec<(String, i64)> =
        sqlx::query_as("select word, docs from words").fetch_all(&store.read).await.unwrap();
    state.extend(words.iter().map(|word| format!("{word:?}")));
    store.check().await.unwrap();
    state.sort();
    state
}

fn listing() -> ReleaseFilter {
    ReleaseFilter { limit: 100, now: NOW + 1_000, ..ReleaseFilter::default() }
}

/// Looks for a word in every file of a folder, whatever its case.
fn in_files(folder: &std::path::Path, word: &str) -> bool {
    let word = word.to_lowercase().into_bytes();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.into_iter().any(|bytes| bytes.to_ascii_lowercase().windows(word.len()).any(|window| window == word))
}
