//! What the app's screens ask for: pages anywhere in a list, totals, what is hidden, what others report.

use domain::kinds::{BlockEntry, Follow, Report, ReportReason};

use super::*;
use crate::{Hidden, HitKind, Item, LocalFile, Played, Reason, ReleaseFilter, Sort};

fn all() -> ReleaseFilter {
    ReleaseFilter { limit: 100, now: NOW + 1_000, ..ReleaseFilter::default() }
}

async fn titles(store: &Store, filter: &ReleaseFilter) -> Vec<String> {
    store.releases(filter).await.unwrap().releases.into_iter().map(|release| release.title).collect()
}

async fn shelf(names: &[&str]) -> (TempDir, Store, Vec<Record>) {
    let (folder, store) = store().await;
    let record = |(version, name): (u64, &&str)| {
        let mut release = album(name, "Per", &[&format!("{name} one"), &format!("{name} two")]);
        release.accent = Some(0xF2_A3_3A);
        sign(&person(version as u8 % 2 + 1), version, &release)
    };
    let records: Vec<Record> = (0..).zip(names).map(record).collect();
    put(&store, &records.iter().collect::<Vec<_>>()).await;
    (folder, store, records)
}

#[tokio::test]
async fn any_page_of_a_list_is_what_the_whole_list_has_there() {
    let (_folder, store, records) = shelf(&["One", "Two", "Three", "Four", "Five"]).await;
    for (age, record) in (0..).zip(&records) {
        put(&store, &[&like(9, record.slot, age)]).await;
    }
    for sort in [Sort::New, Sort::Title, Sort::Trending] {
        let filter = ReleaseFilter { sort, ..all() };
        let whole = titles(&store, &filter).await;
        assert_eq!(store.count_releases(&filter).await.unwrap(), 5, "{sort:?}");
        for offset in 0..6 {
            let page = ReleaseFilter { offset, limit: 2, ..filter.clone() };
            let expected: Vec<String> = whole.iter().skip(offset as usize).take(2).cloned().collect();
            assert_eq!(titles(&store, &page).await, expected, "{sort:?} {offset}");
        }
    }
}

#[tokio::test]
async fn totals_leave_out_the_future_and_what_is_hidden() {
    let (_folder, store, records) = shelf(&["One", "Two", "Three", "Four"]).await;
    let ahead = domain::MAX_AHEAD_MS + 5_000;
    put(&store, &[&sign(&person(3), ahead, &album("Tomorrow", "Per", &["x"]))]).await;
    let count = async |filter: ReleaseFilter| {
        let counted = store.count_releases(&filter).await.unwrap();
        assert_eq!(counted, titles(&store, &filter).await.len() as u64, "{filter:?}");
        counted
    };
    assert_eq!(count(all()).await, 4);
    assert_eq!(count(ReleaseFilter { sort: Sort::Title, ..all() }).await, 5);
    store.hide(&Hidden::Release(records[0].slot), NOW).await.unwrap();
    store.hide(&Hidden::Artist(person(2).id()), NOW + 1).await.unwrap();
    assert_eq!(titles(&store, &all()).await, ["Three"]);
    assert_eq!(count(all()).await, 1);
    // Whoever opens a hidden artist's page sees it.
    assert_eq!(count(ReleaseFilter { artist: Some(person(2).id()), ..all() }).await, 2);
    let hits = store.search("per", 20).await.unwrap();
    let releases = hits.iter().filter(|hit| hit.kind == HitKind::Release);
    assert_eq!(releases.map(|hit| hit.title.as_str()).collect::<Vec<_>>(), ["Three", "Tomorrow"]);
    let hidden = store.hidden(10).await.unwrap();
    assert_eq!(hidden, [Hidden::Artist(person(2).id()), Hidden::Release(records[0].slot)]);
    for one in hidden {
        assert!(store.unhide(&one).await.unwrap());
        assert!(!store.unhide(&one).await.unwrap());
    }
    assert_eq!(count(all()).await, 4);
}

#[tokio::test]
async fn a_hidden_tag_is_offered_no_more() {
    let (_folder, store, records) = shelf(&["One", "Two"]).await;
    put(&store, &[&tag(200, records[0].slot, "jazz"), &tag(200, records[1].slot, "jazz")]).await;
    put(&store, &[&tag(200, records[1].slot, "rock")]).await;
    assert_eq!(store.top_tags(9).await.unwrap(), [("jazz".to_owned(), 2), ("rock".to_owned(), 1)]);
    store.hide(&Hidden::Tag("jazz".into()), NOW).await.unwrap();
    assert_eq!(store.top_tags(9).await.unwrap(), [("rock".to_owned(), 1)]);
    assert!(store.search("jazz", 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_row_says_what_the_user_has_of_it() {
    let (_folder, store, records) = shelf(&["One", "Two"]).await;
    let slot = records[0].slot;
    let own = Record::sign(&owner(), stamp(1), &Like { release: slot, track: None }).unwrap();
    let follow = Record::sign(&owner(), stamp(2), &Follow { artist: person(2).id() }).unwrap();
    put(&store, &[&own, &follow]).await;
    store.save(&slot, None, NOW).await.unwrap();
    store.want_blob(&blob("One one"), Reason::Played, NOW).await.unwrap();
    store.blob_progress(&blob("One one").hash, 500, false).await.unwrap();
    let row = store.release_rows(&[slot]).await.unwrap().pop().unwrap();
    assert_eq!((row.liked, row.saved, row.accent), (true, true, Some(0xF2_A3_3A)));
    assert_eq!((row.duration_ms, row.size, row.have), (430_000, 2_000, 500));
    let other = store.release_rows(&[records[1].slot]).await.unwrap().pop().unwrap();
    assert_eq!((other.liked, other.saved, other.have), (false, false, 0));
    assert_eq!(titles(&store, &ReleaseFilter { liked: true, ..all() }).await, ["One"]);
    assert_eq!(titles(&store, &ReleaseFilter { followed: true, ..all() }).await, ["Two"]);
    assert_eq!(store.count_releases(&ReleaseFilter { liked: true, ..all() }).await.unwrap(), 1);
}

#[tokio::test]
async fn the_librarys_pages_count_what_can_be_shown() {
    let (_folder, store, records) = shelf(&["One", "Two", "Three"]).await;
    for (now, record) in (NOW..).zip(&records) {
        store.save(&record.slot, None, now).await.unwrap();
    }
    put(&store, &[&withdraw(&person(2), 50, &records[1])]).await;
    let item = Item::Track { release: records[0].slot, number: 1 };
    store.played(&Played { item, at: NOW, played_ms: 9, finished: true }).await.unwrap();
    let totals = store.library_totals().await.unwrap();
    assert_eq!((totals.saved, totals.files, totals.history), (2, 0, 1));
    let page: Vec<String> =
        store.saved_releases(1, 1).await.unwrap().into_iter().map(|row| row.title).collect();
    assert_eq!(page, ["One"]);
}

#[tokio::test]
async fn items_are_shown_in_the_order_asked_for_with_holes() {
    let (_folder, store, records) = shelf(&["One"]).await;
    let file = LocalFile { path: "/own.mp3".into(), title: "Own".into(), ..LocalFile::default() };
    let file = store.add_file(&file, NOW).await.unwrap();
    let track = |number| Item::Track { release: records[0].slot, number };
    let items = [track(2), Item::File(file), track(3), track(0), Item::File(99), track(2)];
    let shown = store.shown_items(&items).await.unwrap();
    let titles: Vec<Option<&str>> =
        shown.iter().map(|one| one.as_ref().map(|one| one.title.as_str())).collect();
    assert_eq!(titles, [Some("One two"), Some("Own"), None, None, None, Some("One two")]);
    let first = shown[0].as_ref().unwrap();
    assert_eq!((first.release_title.as_str(), first.artist.as_str()), ("One", "Per"));
    assert_eq!((first.cover, first.blob), (Some(blob("cover of One")), Some(blob("One two"))));
    assert_eq!(first.artist_id, Some(person(1).id()));
}

#[tokio::test]
async fn only_what_is_shown_is_an_asset() {
    let (_folder, store, records) = shelf(&["One"]).await;
    let cover = blob("cover of One");
    assert_eq!(store.asset(&cover.hash).await.unwrap(), Some((cover, person(1).id())));
    assert_eq!(store.asset(&blob("One one").hash).await.unwrap(), None, "a song is no image");
    let block = vec![BlockEntry::Release(records[0].slot)];
    store.apply(&ChangeSet { block, ..ChangeSet::default() }).await.unwrap();
    assert_eq!(store.asset(&cover.hash).await.unwrap(), None);
}

#[tokio::test]
async fn reports_count_only_from_people_one_follows() {
    let (_folder, store, records) = shelf(&["One"]).await;
    let (release, artist) = (records[0].slot, person(1).id());
    let report =
        |entry, note: &str| Report { entry, reason: ReportReason::Spam, note: Some(note.to_owned()) };
    let friend = sign(&person(7), 1, &report(BlockEntry::Release(release), "friend"));
    let stranger = sign(&person(8), 1, &report(BlockEntry::Author(artist), "stranger"));
    put(&store, &[&friend, &stranger]).await;
    let notes = async || {
        let reports = store.reports(Some(&release), &artist, 10).await.unwrap();
        reports.into_iter().filter_map(|one| one.note).collect::<Vec<_>>()
    };
    assert!(notes().await.is_empty());
    store.follow(&person(7).id(), false, NOW).await.unwrap();
    assert_eq!(notes().await, ["friend"]);
    store.follow(&person(8).id(), false, NOW).await.unwrap();
    assert_eq!(notes().await, ["stranger", "friend"]);
    put(&store, &[&withdraw(&person(7), 2, &friend)]).await;
    assert_eq!(notes().await, ["stranger"]);
}
