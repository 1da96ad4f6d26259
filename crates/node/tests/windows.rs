//! What several windows on one node show: each hears of what was done in another, and lists load small pictures.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[allow(dead_code, reason = "these tests need only a part of it")]
mod common;

use std::path::Path;

use common::{Local, until, wav};
use lofty::{
    config::WriteOptions,
    picture::{MimeType, Picture, PictureType},
    tag::{Tag, TagExt, TagType},
};
use node::{
    Api, AssetName, AssetSize,
    api::{
        BlockCommand, Event, FollowedList, HideCommand, HideTarget, LibraryCommand, PlayerCommand,
        PlaylistCommand, Publish, QueueItem, Request, Response,
    },
};

/// Side of a picture as lists show it.
const SMALL: u32 = 400;

fn album(local: &Local, songs: &[&str]) -> Publish {
    let paths = songs.iter().map(|name| local.song(name)).collect();
    Publish { paths, title: Some("Album".into()), artist: Some("Ada".into()), ..Publish::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_the_system_lends_is_copied_under_a_name_that_tells_its_kind() {
    let local = Local::start(Vec::new()).await;
    let song = local.song("lent");
    let lent = |path: &Path| std::fs::File::open(path).unwrap();
    let place = local.node.bring("audio:1000000033", lent(&song)).await.unwrap();
    assert!(
        place.starts_with(local.data()) && place.extension().is_some_and(|ending| ending == "wav"),
        "{place:?}"
    );
    assert_eq!(std::fs::read(&place).unwrap(), std::fs::read(&song).unwrap());
    let cover = local.folder.path().join("cover");
    std::fs::write(&cover, picture(32)).unwrap();
    let named = local.node.bring("Front.png", lent(&cover)).await.unwrap();
    assert_eq!(named.file_name().unwrap(), "Front.png");
    let draft = local.ask(Request::Inspect { paths: vec![place.clone(), named], job: None }).await;
    let Response::Draft(draft) = draft else { panic!() };
    assert_eq!((draft.tracks.len(), draft.cover.is_some()), (1, true));
    local.ask(Request::Discard { paths: vec![place.clone()] }).await;
    assert!(!place.exists());
}

/// A picture that is no list's size.
fn picture(side: u32) -> Vec<u8> {
    let image = image::RgbImage::from_fn(side, side, |x, y| image::Rgb([x as u8, y as u8, (x ^ y) as u8]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn sides(bytes: &[u8]) -> (u32, u32) {
    let image = image::load_from_memory(bytes).unwrap();
    (image.width(), image.height())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_in_one_window_is_told_to_every_other() {
    let local = Local::start(Vec::new()).await;
    let release = local.publish(album(&local, &["a"])).await.release_id;
    let mut events = local.node.events().await.unwrap();
    for doing in [
        Request::Library(LibraryCommand::Save { release }),
        Request::Library(LibraryCommand::Remove { release }),
        Request::Playlist(PlaylistCommand::Create { title: "Road".into() }),
        Request::Hide(HideCommand::Add { what: HideTarget::Tag { tag: "noise".into() } }),
        Request::Follow { artist: Local::start(Vec::new()).await.id(), public: false, remove: false },
        Request::Like { release, track: None, remove: false },
        Request::Block(BlockCommand::Add { id: "ab".repeat(32) }),
    ] {
        // Nothing of the one before is still to come.
        while events.try_recv().is_ok() {}
        local.ask(doing).await;
        until(&mut events, |event| matches!(event, Event::LibraryChanged).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_can_be_followed_before_anything_of_theirs_is_known() {
    let local = Local::start(Vec::new()).await;
    let artist = "ab".repeat(32).parse().unwrap();
    local.ask(Request::Follow { artist, public: false, remove: false }).await;
    let profile = local.ask(Request::ProfileShow { peer: Some(artist) }).await;
    let Response::Profile(profile) = profile else { panic!() };
    assert!(profile.followed);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_load_a_small_copy_of_a_cover() {
    let local = Local::start(Vec::new()).await;
    let cover = local.folder.path().join("cover.png");
    std::fs::write(&cover, picture(900)).unwrap();
    let release = local.publish(Publish { cover: Some(cover), ..album(&local, &["a"]) }).await.release_id;
    let Response::Release(detail) = local.ask(Request::Show { release }).await else { panic!() };
    let name = AssetName::Blob(detail.release.cover.unwrap());
    let whole = local.node.asset(name, AssetSize::Whole).await.unwrap();
    assert_eq!(sides(&whole.bytes), (900, 900));
    let small = local.node.asset(name, AssetSize::Small).await.unwrap();
    assert_eq!((sides(&small.bytes), small.mime), ((SMALL, SMALL), "image/jpeg"));
    assert_eq!(local.node.asset(name, AssetSize::Small).await.unwrap(), small, "kept ready");
    let waveforms = AssetName::Blob(detail.waveforms.unwrap());
    assert_eq!(local.node.asset(waveforms, AssetSize::Small).await.unwrap_err().code, "not_an_image");
    // What is withdrawn is not shown from memory, either.
    local.ask(Request::Withdraw { release }).await;
    assert_eq!(local.node.asset(name, AssetSize::Small).await.unwrap_err().code, "asset_unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_file_shows_the_cover_within_it() {
    let local = Local::start(Vec::new()).await;
    let folder = local.folder.path().join("mine");
    std::fs::create_dir(&folder).unwrap();
    let [with, without] = ["with.wav", "without.wav"].map(|name| folder.join(name));
    std::fs::write(&with, wav("with")).unwrap();
    std::fs::write(&without, wav("without")).unwrap();
    put_cover(&with, picture(600));
    local.ask(Request::Library(LibraryCommand::AddFolder { folder, job: None })).await;
    let files = LibraryCommand::Files { query: String::new(), offset: 0, limit: None };
    let Response::Library(library) = local.ask(Request::Library(files)).await else { panic!() };
    let named = |path: &Path| {
        let file = library.files.iter().find(|file| Path::new(&file.path) == path).unwrap();
        AssetName::File(file.file)
    };
    let whole = local.node.asset(named(&with), AssetSize::Whole).await.unwrap();
    assert_eq!((sides(&whole.bytes), whole.mime), ((600, 600), "image/png"));
    let small = local.node.asset(named(&with), AssetSize::Small).await.unwrap();
    assert_eq!(sides(&small.bytes), (SMALL, SMALL));
    assert_eq!(local.node.asset(named(&without), AssetSize::Small).await.unwrap_err().code, "asset_unknown");
    let nothing = AssetName::File(99);
    assert_eq!(local.node.asset(nothing, AssetSize::Small).await.unwrap_err().code, "file_unknown");
}

fn put_cover(path: &Path, bytes: Vec<u8>) {
    let mut tag = Tag::new(TagType::Id3v2);
    let front = Picture::unchecked(bytes).pic_type(PictureType::CoverFront).mime_type(MimeType::Png);
    tag.push_picture(front.build());
    tag.save_to_path(path, WriteOptions::default()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shuffled_queue_is_still_shuffled_after_a_restart() {
    let local = Local::start(Vec::new()).await;
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let release = local.publish(album(&local, &names)).await.release_id;
    local.ask(Request::Player(PlayerCommand::Output { device: "null".into() })).await;
    let items = (1..=8).map(|track| QueueItem::Track { release, track }).collect();
    local.ask(Request::Player(PlayerCommand::Play { items, start: 0 })).await;
    let mut events = local.node.events().await.unwrap();
    local.ask(Request::Player(PlayerCommand::Pause)).await;
    local.ask(Request::Player(PlayerCommand::Shuffle { on: true })).await;
    until(&mut events, |event| matches!(event, Event::Queue { .. }).then_some(())).await;
    let shuffled = tracks(&local).await;
    let local = local.restart().await;
    let Response::Player(state) = local.ask(Request::Player(PlayerCommand::State)).await else { panic!() };
    assert!(state.shuffle);
    assert_eq!(tracks(&local).await, shuffled);
    local.ask(Request::Player(PlayerCommand::Shuffle { on: false })).await;
    assert_eq!(tracks(&local).await, (1..=8).collect::<Vec<u16>>());
}

async fn tracks(local: &Local) -> Vec<u16> {
    let Response::Queue(queue) = local.ask(Request::Queue { offset: 0, limit: None }).await else { panic!() };
    queue.entries.iter().filter_map(|entry| entry.track).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn followed_block_lists_are_named_with_whoever_keeps_them() {
    let keeper = Local::start(Vec::new()).await;
    keeper.publish(album(&keeper, &["a"])).await;
    let block = |command| Request::Block(command);
    keeper.ask(block(BlockCommand::Add { id: "cd".repeat(32) })).await;
    let shared = keeper.ask(block(BlockCommand::Share { name: "Spam".into() })).await;
    let Response::Blocked(shared) = shared else { panic!() };
    let list = shared.shared.unwrap();
    let Response::Invite(invite) = keeper.ask(Request::Invite).await else { panic!() };
    let reader = Local::start(Vec::new()).await;
    let mut events = reader.node.events().await.unwrap();
    reader.ask(Request::Join { invite: invite.invite }).await;
    until(&mut events, |event| matches!(event, Event::Release { .. }).then_some(())).await;
    let subscribe = || block(BlockCommand::Subscribe { list: list.parse().unwrap() });
    let subscribing = async {
        while reader.node.call(subscribe()).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(common::PATIENCE, subscribing).await.expect("the list arrives");
    let Response::Blocked(blocked) = reader.ask(block(BlockCommand::List)).await else { panic!() };
    let [FollowedList { name, author_id, count, .. }] = &blocked.lists[..] else { panic!("{blocked:?}") };
    assert_eq!((name.as_deref(), *author_id, *count), (Some("Spam"), Some(keeper.id()), 3));
    let left = reader.ask(block(BlockCommand::Unsubscribe { list: list.parse().unwrap() })).await;
    let Response::Blocked(left) = left else { panic!() };
    assert!(left.lists.is_empty() && left.blocked.is_empty(), "{left:?}");
}

trait Who {
    fn id(&self) -> node::domain::PeerId;
}

impl Who for Local {
    fn id(&self) -> node::domain::PeerId {
        self.node.id()
    }
}
