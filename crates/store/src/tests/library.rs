use super::*;
use crate::{Followed, Item, LocalFile, MAX_PLAYLIST_ITEMS, Played, PrivatePlaylist, Saved};

fn item(number: u16) -> Item {
    Item::Track { release: ReleaseId::from_bytes([7; 32]), number }
}

#[tokio::test]
async fn releases_and_tracks_are_saved_and_taken_out() {
    let (_folder, store) = store().await;
    let release = ReleaseId::from_bytes([1; 32]);
    store.save(&release, None, NOW).await.unwrap();
    store.save(&release, Some(2), NOW + 1).await.unwrap();
    store.save(&release, Some(2), NOW + 9).await.unwrap();
    let track = Saved { release, track: Some(2), saved_at: NOW + 1 };
    let whole = Saved { release, track: None, saved_at: NOW };
    assert_eq!(store.saved(10, 0).await.unwrap(), [track, whole]);
    assert_eq!(store.saved(10, 1).await.unwrap(), [whole]);
    assert!(store.unsave(&release, None).await.unwrap());
    assert!(!store.unsave(&release, None).await.unwrap());
    assert_eq!(store.saved(10, 0).await.unwrap(), [track]);
}

#[tokio::test]
async fn following_can_turn_public_and_be_undone() {
    let (_folder, store) = store().await;
    let artist = person(1).id();
    store.follow(&artist, false, NOW).await.unwrap();
    store.follow(&artist, true, NOW + 5).await.unwrap();
    let followed = Followed { artist, public: true, since: NOW };
    assert_eq!(store.followed(10).await.unwrap(), [followed]);
    assert_eq!(store.unfollow(&artist).await.unwrap(), Some(followed));
    assert_eq!(store.unfollow(&artist).await.unwrap(), None);
    assert!(store.load().await.unwrap().followed.is_empty());
}

#[tokio::test]
async fn a_playlist_keeps_its_order_through_every_change_and_its_undoing() {
    let (_folder, store) = store().await;
    let id = store.create_playlist(" Sunday ", NOW).await.unwrap();
    let places = store.insert_items(id, None, &[item(1), item(2), item(3)], NOW).await.unwrap();
    store.insert_items(id, Some(1), &[item(9), Item::File(5)], NOW + 1).await.unwrap();
    store.insert_items(id, Some(99), &[item(4)], NOW + 1).await.unwrap();
    let file = Item::File(5);
    assert_eq!(items(&store, id).await, [item(1), item(9), file, item(2), item(3), item(4)]);

    let from = store.move_item(id, places[0], 3, NOW + 2).await.unwrap();
    assert_eq!(items(&store, id).await, [item(9), file, item(2), item(1), item(3), item(4)]);
    store.move_item(id, places[0], from, NOW + 2).await.unwrap();
    store.move_item(id, places[2], 0, NOW + 2).await.unwrap();
    assert_eq!(items(&store, id).await, [item(3), item(1), item(9), file, item(2), item(4)]);
    store.move_item(id, places[2], u32::MAX, NOW + 2).await.unwrap();
    assert_eq!(items(&store, id).await, [item(1), item(9), file, item(2), item(4), item(3)]);

    let before = store.playlist(id).await.unwrap().unwrap();
    let removed = store.remove_items(id, &[places[0], places[1], 999], NOW + 2).await.unwrap();
    assert_eq!(items(&store, id).await, [item(9), file, item(4), item(3)]);
    assert_eq!(removed.iter().map(|(position, _)| *position).collect::<Vec<_>>(), [0, 3]);
    store.put_back(id, &removed, NOW + 2).await.unwrap();
    assert_eq!(store.playlist(id).await.unwrap(), Some(before.clone()));

    assert_eq!(store.rename_playlist(id, "Monday", NOW + 3).await.unwrap(), "Sunday");
    let deleted = store.delete_playlist(id).await.unwrap();
    assert_eq!(deleted, PrivatePlaylist { name: "Monday".into(), updated_at: NOW + 3, ..before });
    assert_eq!(store.playlist(id).await.unwrap(), None);
    assert!(store.playlists(10).await.unwrap().is_empty());
    let other = store.create_playlist("Other", NOW).await.unwrap();
    assert_ne!(other, id, "a deleted playlist's id is not given away");
    store.restore_playlist(&deleted).await.unwrap();
    assert_eq!(store.playlist(id).await.unwrap(), Some(deleted.clone()));
    assert_eq!(store.restore_playlist(&deleted).await.unwrap_err().code(), "invalid_argument");
    let summaries = store.playlists(10).await.unwrap();
    assert_eq!((summaries[0].name.as_str(), summaries[0].items), ("Monday", 6));
}

#[tokio::test]
async fn playlists_are_bounded_and_named() {
    let (_folder, store) = store().await;
    for name in ["", "  ", "bell\u{7}", &"x".repeat(301)] {
        assert_eq!(store.create_playlist(name, NOW).await.unwrap_err().code(), "invalid_argument");
    }
    let id = store.create_playlist("Long", NOW).await.unwrap();
    let many = vec![item(1); MAX_PLAYLIST_ITEMS];
    store.insert_items(id, None, &many, NOW).await.unwrap();
    assert_eq!(store.insert_items(id, None, &[item(1)], NOW).await.unwrap_err().code(), "invalid_argument");
    assert_eq!(store.playlist(id).await.unwrap().unwrap().items.len(), MAX_PLAYLIST_ITEMS);
    for missing in [
        store.rename_playlist(77, "x", NOW).await.map(drop),
        store.insert_items(77, None, &[item(1)], NOW).await.map(drop),
        store.remove_items(77, &[1], NOW).await.map(drop),
        store.move_item(id, 777_777, 0, NOW).await.map(drop),
        store.delete_playlist(77).await.map(drop),
    ] {
        assert_eq!(missing.unwrap_err().code(), "not_found");
    }
}

#[tokio::test]
async fn the_history_pages_back_and_clears_from_the_disk() {
    let (folder, store) = store().await;
    let mut ids = Vec::new();
    for number in 1..=5 {
        let played = Played { item: item(number), at: NOW, played_ms: 1_000, finished: number % 2 == 0 };
        ids.push(store.played(&played).await.unwrap());
    }
    let page = store.history(2, None, 0).await.unwrap();
    assert_eq!(page.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [ids[4], ids[3]]);
    assert_eq!(page[1].1, Played { item: item(4), at: NOW, played_ms: 1_000, finished: true });
    assert_eq!(store.history(9, Some(ids[3]), 0).await.unwrap().len(), 3);
    assert!(store.forget_played(ids[0]).await.unwrap());
    assert!(!store.forget_played(ids[0]).await.unwrap());
    assert_eq!(store.clear_history().await.unwrap(), 4);
    store.checkpoint().await.unwrap();
    let bytes = std::fs::read(folder.path().join(crate::FILE_NAME)).unwrap();
    assert!(!bytes.windows(32).any(|window| window == [7; 32]), "what was played is gone from the file");
}

#[tokio::test]
async fn files_are_found_by_words_and_leave_with_their_folder() {
    let (_folder, store) = store().await;
    let file = |path: &str, title: &str| LocalFile {
        path: path.into(),
        size: 5,
        modified: NOW,
        title: title.into(),
        artist: "Pér".into(),
        codec: Some(Codec::Flac),
        number: Some(3),
        loudness: Some(-1_000),
        ..LocalFile::default()
    };
    let sea = store.add_file(&file("/music/a/sea.flac", "Sea"), NOW).await.unwrap();
    store.add_file(&file("/music/ab/sky.flac", "Sky"), NOW).await.unwrap();
    let again = store.add_file(&file("/music/a/sea.flac", "The Sea"), NOW).await.unwrap();
    assert_eq!(again, sea, "a file keeps its id");
    assert_eq!(store.local_file(sea).await.unwrap(), Some(file("/music/a/sea.flac", "The Sea")));
    assert_eq!(store.files("per SEA", 10, 0).await.unwrap(), [(sea, file("/music/a/sea.flac", "The Sea"))]);
    assert_eq!(store.files("", 10, 1).await.unwrap().len(), 1);
    assert!(
        store.search("sea", 10).await.unwrap().is_empty(),
        "what is private is in no search that others ask"
    );
    assert_eq!(store.remove_folder("/music/a").await.unwrap(), 1);
    assert_eq!(store.files("", 10, 0).await.unwrap().len(), 1);
    assert!(!store.remove_file(sea).await.unwrap());
    let long = file(&"x".repeat(5_000), "Long");
    assert_eq!(store.add_file(&long, NOW).await.unwrap_err().code(), "invalid_argument");
}

async fn items(store: &Store, id: i64) -> Vec<Item> {
    store.playlist(id).await.unwrap().unwrap().items.iter().map(|entry| entry.item).collect()
}
