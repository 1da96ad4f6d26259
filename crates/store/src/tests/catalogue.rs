use domain::kinds::{BlockEntry, Collaborator, Follow, Playlist, PlaylistItem, Profile};

use super::*;
use crate::{ArtistRow, BlobUse, Counts, Cursor, ReleaseFilter, Sort, TRENDING_WINDOW_MS};

#[tokio::test]
async fn releases_are_filtered_by_tag_artist_name_and_licence() {
    let (_folder, store) = store().await;
    let mut jazz = album("Blue", "Björk", &["One"]);
    jazz.tags = Some(vec!["free-jazz".into()]);
    let mut free = album("Green", "Per", &["One"]);
    free.license = "CC0-1.0".parse().unwrap();
    let records = [sign(&person(1), 1, &jazz), sign(&person(2), 2, &free)];
    let profile = sign(&person(2), 2, &Profile { name: "Pér Ångström".into(), ..Profile::default() });
    put(&store, &[&records[0], &records[1], &profile]).await;
    let none = || ReleaseFilter { limit: 10, now: NOW + 10, ..ReleaseFilter::default() };
    for (filter, expected) in [
        (none(), vec!["Green", "Blue"]),
        (ReleaseFilter { tag: Some("#Free Jazz".into()), ..none() }, vec!["Blue"]),
        (ReleaseFilter { artist: Some(person(2).id()), ..none() }, vec!["Green"]),
        (ReleaseFilter { artist_name: Some("bjork".into()), ..none() }, vec!["Blue"]),
        (ReleaseFilter { artist_name: Some("per angstrom".into()), ..none() }, vec!["Green"]),
        (ReleaseFilter { license: Some("CC0-1.0".into()), ..none() }, vec!["Green"]),
        (ReleaseFilter { sort: Sort::Title, ..none() }, vec!["Blue", "Green"]),
        (ReleaseFilter { tag: Some("rock".into()), ..none() }, vec![]),
    ] {
        assert_eq!(titles(&store, &filter).await, expected, "{filter:?}");
    }
    let odd = ReleaseFilter { tag: Some("x".into()), ..none() };
    assert_eq!(store.releases(&odd).await.unwrap_err().code(), "invalid_argument");
}

#[tokio::test]
async fn pages_cover_the_list_once_in_every_order() {
    let (_folder, store) = store().await;
    let names = ["Echo", "Alpha", "Delta", "alpha", "Bravo", "Charlie", "???"];
    for (version, name) in (0..).zip(names) {
        // Two of an age, so that the order has to break ties.
        let record = sign(&person(1), version / 2, &album(&format!("{name} {version}"), "Per", &["One"]));
        put(&store, &[&record, &like(9, record.slot, version)]).await;
    }
    for sort in [Sort::New, Sort::Title, Sort::Trending] {
        let mut filter = ReleaseFilter { sort, limit: 3, now: NOW + 10, ..ReleaseFilter::default() };
        let whole = titles(&store, &ReleaseFilter { limit: 100, ..filter.clone() }).await;
        let mut pages = Vec::new();
        loop {
            let page = store.releases(&filter).await.unwrap();
            pages.extend(page.releases.into_iter().map(|release| release.title));
            let Some(next) = page.next else { break };
            filter.after = Some(next.to_string().parse().unwrap());
        }
        assert_eq!(pages, whole, "{sort:?}");
        assert_eq!(pages.len(), names.len());
    }
    assert!("nonsense".parse::<Cursor>().is_err());
    let cursor = Some("1:not a time".parse().unwrap());
    let wrong = ReleaseFilter { after: cursor, limit: 1, ..ReleaseFilter::default() };
    assert_eq!(store.releases(&wrong).await.unwrap_err().code(), "invalid_argument");
}

#[tokio::test]
async fn the_future_is_neither_new_nor_trending() {
    let (_folder, store) = store().await;
    let [soon, later] = [9, 11].map(|minutes: u64| minutes * 60 * 1000);
    let records = [
        sign(&person(1), soon, &album("Soon", "Per", &["One"])),
        sign(&person(1), later, &album("Later", "Per", &["One"])),
    ];
    let early = Stamp { seq: NOW, created_at: NOW + later, ..Stamp::default() };
    let like_from_the_future =
        Record::sign(&person(3), early, &Like { release: records[0].slot, track: None }).unwrap();
    put(&store, &[&records[0], &records[1], &like_from_the_future]).await;
    let filter = ReleaseFilter { limit: 10, now: NOW, ..ReleaseFilter::default() };
    assert_eq!(titles(&store, &filter).await, ["Soon"]);
    assert!(titles(&store, &ReleaseFilter { sort: Sort::Trending, ..filter.clone() }).await.is_empty());
    assert_eq!(titles(&store, &ReleaseFilter { sort: Sort::Title, ..filter }).await, ["Later", "Soon"]);
}

#[tokio::test]
async fn an_edit_does_not_make_a_release_new_again() {
    let (_folder, store) = store().await;
    let old = sign(&person(1), 0, &album("Old", "Per", &["One"]));
    let new = sign(&person(2), 5, &album("New", "Mira", &["One"]));
    let edited = sign(&person(1), 9, &album("Old", "Per Ångström", &["One"]));
    put(&store, &[&old, &new]).await;
    put(&store, &[&edited]).await;
    let filter = ReleaseFilter { limit: 10, now: NOW + 10, ..ReleaseFilter::default() };
    assert_eq!(titles(&store, &filter).await, ["New", "Old"]);
    let row = &store.release_rows(&[old.slot]).await.unwrap()[0];
    assert_eq!((row.published_at, row.updated_at), (NOW, NOW + 9));
}

#[tokio::test]
async fn trending_weighs_people_whom_the_user_follows() {
    let (_folder, store) = store().await;
    let [many, known, own] = ["Many", "Known", "Own"].map(|title| album(title, "Per", &["One"]));
    let [many, known, own] =
        [sign(&person(1), 0, &many), sign(&person(2), 0, &known), sign(&person(3), 0, &own)];
    put(&store, &[&many, &known, &own]).await;
    for who in 10..15 {
        put(&store, &[&like(who, many.slot, 1_000)]).await;
    }
    put(&store, &[&like(20, known.slot, 1_000), &like(3, own.slot, 0)]).await;
    put(&store, &[&like(21, own.slot, TRENDING_WINDOW_MS + 1)]).await;
    let filter = ReleaseFilter { sort: Sort::Trending, limit: 10, now: NOW, ..ReleaseFilter::default() };
    assert_eq!(
        titles(&store, &filter).await,
        ["Many", "Known"],
        "neither one's own like nor an old one counts"
    );
    store.follow(&person(20).id(), false, NOW).await.unwrap();
    assert_eq!(titles(&store, &filter).await, ["Known", "Many"]);
    // Tags count like likes, but a person counts once for a release.
    for text in ["aa", "bb", "cc"] {
        put(&store, &[&tag(10, many.slot, text)]).await;
    }
    assert_eq!(titles(&store, &filter).await, ["Known", "Many"]);
}

#[tokio::test]
async fn a_tag_shows_with_two_authors_or_of_the_artist_or_of_the_user() {
    let (_folder, store) = store().await;
    let mut body = album("Frontiers", "Per", &["One"]);
    body.tags = Some(vec!["ambient".into()]);
    let release = sign(&person(1), 1, &body);
    // Tags may come before what they are for.
    put(
        &store,
        &[&tag(2, release.slot, "drone"), &tag(3, release.slot, "drone"), &tag(2, release.slot, "spam")],
    )
    .await;
    let mine = tag(200, release.slot, "mine");
    put(&store, &[&release, &mine, &tag(1, release.slot, "artist-says")]).await;
    let shown = store.tags_of(&release.slot).await.unwrap();
    let texts: Vec<_> = shown.iter().map(|tag| (tag.text.as_str(), tag.authors, tag.own)).collect();
    assert_eq!(
        texts,
        [("drone", 2, false), ("ambient", 1, false), ("artist-says", 1, false), ("mine", 1, true)]
    );
    let taken_off = withdraw(&person(3), 2, &tag(3, release.slot, "drone"));
    put(&store, &[&taken_off, &withdraw(&owner(), 2, &mine)]).await;
    assert_eq!(store.release_rows(&[release.slot]).await.unwrap()[0].tags, ["ambient", "artist-says"]);
    assert_eq!(store.tags("A", 10).await.unwrap(), [("ambient".into(), 1), ("artist-says".into(), 1)]);
    // An edit takes the artist's own tags along.
    body.tags = None;
    put(&store, &[&sign(&person(1), 3, &body)]).await;
    assert_eq!(store.tags("a", 10).await.unwrap(), [("artist-says".into(), 1)]);
}

#[tokio::test]
async fn similar_releases_share_tags_and_rare_ones_count_more() {
    let (_folder, store) = store().await;
    let tagged = |title: &str, tags: &[&str]| {
        let tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
        sign(&person(1), 0, &Release { tags, ..album(title, "Per", &["One"]) })
    };
    let start = tagged("Start", &["rock", "hurdy-gurdy"]);
    let records = [
        tagged("Rock 1", &["rock"]),
        tagged("Rock 2", &["rock"]),
        tagged("Gurdy", &["hurdy-gurdy"]),
        tagged("Pop", &["pop"]),
    ];
    put(&store, &[&start, &records[0], &records[1], &records[2], &records[3]]).await;
    let similar = store.similar(&start.slot, 2).await.unwrap();
    assert_eq!(similar[0].title, "Gurdy");
    assert_eq!(similar.len(), 2);
    assert_eq!(store.similar(&start.slot, 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_release_shows_all_that_its_record_says_and_what_others_say_of_it() {
    let (_folder, store) = store().await;
    let mut body = album("Frontiers", "Per", &["One", "Two"]);
    body.description = Some("Two\nlines".into());
    body.collaborators = Some(vec![Collaborator { name: "Mira".into(), role: "cello".into(), peer: None }]);
    body.tracks.as_mut().unwrap()[1].artist = Some("Guest".into());
    let release = sign(&person(1), 1, &body);
    let stamp = |version| Stamp { seq: version, created_at: NOW, ..Stamp::default() };
    let on_track = Like { release: release.slot, track: Some(2) };
    let on_track = Record::sign(&owner(), stamp(1), &on_track).unwrap();
    put(&store, &[&release, &like(200, release.slot, 0), &like(3, release.slot, 0), &on_track]).await;
    store.save(&release.slot, Some(1), NOW).await.unwrap();
    let shown = store.release(&release.slot).await.unwrap().unwrap();
    assert_eq!((shown.row.likes, shown.row.liked, shown.row.saved), (2, true, false));
    assert_eq!((shown.description, shown.collaborators), (body.description, body.collaborators.unwrap()));
    let tracks: Vec<_> = shown.tracks.iter().map(|row| row.track.clone()).collect();
    assert_eq!(Some(tracks), body.tracks);
    let marks: Vec<_> =
        shown.tracks.iter().map(|row| (row.number, row.likes, row.liked, row.saved)).collect();
    assert_eq!(marks, [(1, 0, false, true), (2, 1, true, false)]);
    assert_eq!(store.track(&release.slot, 2).await.unwrap().as_ref(), shown.tracks.get(1));
    for number in [0, 3, 255, 256, u16::MAX] {
        assert_eq!(store.track(&release.slot, number).await.unwrap(), None, "{number}");
    }
    assert_eq!(store.likers(&release.slot, 10).await.unwrap().len(), 2);
    assert_eq!(store.likes_of(&owner().id(), 10).await.unwrap().len(), 2);
    let cover = blob("cover of Frontiers").hash;
    assert_eq!(store.blob_uses(&cover).await.unwrap(), [BlobUse::Cover(release.slot)]);
    let counts = Counts { releases: 1, tracks: 2, artists: 1, records: 4, ..Counts::default() };
    let counted = store.counts().await.unwrap();
    assert_eq!(Counts { record_bytes: 0, ..counted }, counts);
    assert!(counted.record_bytes > 400);
}

#[tokio::test]
async fn an_artist_has_a_page_with_or_without_a_profile() {
    let (_folder, store) = store().await;
    let release = sign(&person(1), 1, &album("Frontiers", "Per", &["One"]));
    let follow = sign(&person(2), 1, &Follow { artist: person(1).id() });
    put(&store, &[&release, &follow]).await;
    let mut page = ArtistRow {
        artist: person(1).id(),
        name: "Per".into(),
        bio: None,
        links: vec![],
        avatar: None,
        releases: 1,
        followers: 1,
        followed: false,
    };
    assert_eq!(store.artist(&person(1).id()).await.unwrap().as_ref(), Some(&page));
    let profile = Profile {
        name: "Per Ångström".into(),
        bio: Some("Cello".into()),
        links: Some(vec!["https://example.org".into()]),
        avatar: Some(blob("face")),
    };
    put(&store, &[&sign(&person(1), 1, &profile)]).await;
    store.follow(&person(1).id(), true, NOW).await.unwrap();
    (page.name, page.bio, page.links) = (profile.name, profile.bio, profile.links.unwrap());
    (page.avatar, page.followed) = (profile.avatar, true);
    assert_eq!(store.artist(&person(1).id()).await.unwrap().as_ref(), Some(&page));
    assert_eq!(store.blob_uses(&blob("face").hash).await.unwrap(), [BlobUse::Avatar(person(1).id())]);
    assert_eq!(store.public_follows(&person(2).id(), 10).await.unwrap(), [person(1).id()]);
    assert_eq!(store.artist(&person(9).id()).await.unwrap(), None);
    assert_eq!(store.names(&ids(&[1, 9])).await.unwrap(), [(person(1).id(), page.name)]);
    let block = vec![BlockEntry::Blob(blob("face").hash)];
    store.apply(&ChangeSet { block, ..ChangeSet::default() }).await.unwrap();
    assert_eq!(store.artist(&person(1).id()).await.unwrap().unwrap().avatar, None);
}

#[tokio::test]
async fn public_playlists_come_as_published_unless_blocked() {
    let (_folder, store) = store().await;
    let release = sign(&person(1), 1, &album("Frontiers", "Per", &["One"]));
    let items = vec![PlaylistItem { release: release.slot, track: 1 }];
    let body = Playlist { nonce: [1; 16], title: "Sunday".into(), description: None, items };
    let playlist = sign(&person(2), 5, &body);
    put(&store, &[&release, &playlist]).await;
    let found = store.public_playlists(None, 10).await.unwrap();
    assert_eq!(
        (found[0].title.as_str(), &found[0].items, found[0].updated_at),
        ("Sunday", &body.items, NOW + 5)
    );
    assert_eq!(store.public_playlists(Some(&person(2).id()), 10).await.unwrap(), found);
    assert_eq!(store.public_playlist(&playlist.slot).await.unwrap().as_ref(), found.first());
    let block = vec![BlockEntry::Author(person(2).id())];
    store.apply(&ChangeSet { block, ..ChangeSet::default() }).await.unwrap();
    assert!(store.public_playlists(None, 10).await.unwrap().is_empty());
    assert!(store.public_playlists(Some(&person(2).id()), 10).await.unwrap().is_empty());
    assert!(store.public_playlist(&playlist.slot).await.unwrap().is_none());
}

async fn titles(store: &Store, filter: &ReleaseFilter) -> Vec<String> {
    let page = store.releases(filter).await.unwrap();
    page.releases.into_iter().map(|release| release.title).collect()
}
