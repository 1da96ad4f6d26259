//! The Studio: what is dropped is looked into, published, edited and shared.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use common::{Local, PNG, until, wav};
use node::{
    Api, AssetName, AssetSize, Server, Web,
    api::{
        Credit, Draft, Event, Publish, PublishTrack, QueueItem, ReleaseDetail, ReleaseQuery, Request,
        Response,
    },
    domain::ReleaseId,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn inspect(local: &Local, paths: Vec<PathBuf>) -> Draft {
    let Response::Draft(draft) = local.ask(Request::Inspect { paths, job: None }).await else { panic!() };
    draft
}

async fn show(local: &Local, release: ReleaseId) -> ReleaseDetail {
    let Response::Release(detail) = local.ask(Request::Show { release }).await else { panic!() };
    detail
}

fn titles(detail: &ReleaseDetail) -> Vec<&str> {
    detail.tracks.iter().map(|track| track.title.as_str()).collect()
}

/// What is left of drafts in the data folder.
fn drafts(local: &Local) -> usize {
    fs::read_dir(local.data().join("drafts")).map_or(0, Iterator::count)
}

fn album(folder: &Path) -> PathBuf {
    let album = folder.join("album");
    fs::create_dir(&album).unwrap();
    for name in ["02 second", "01 first"] {
        fs::write(album.join(format!("{name}.wav")), wav(name)).unwrap();
    }
    fs::write(album.join("cover.png"), PNG).unwrap();
    fs::write(album.join("notes.txt"), "hello").unwrap();
    album
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_becomes_a_draft_and_the_edited_table_a_release() {
    let local = Local::start(Vec::new()).await;
    let folder = album(local.folder.path());
    fs::write(folder.join("03 broken.mp3"), b"not music at all").unwrap();
    let draft = inspect(&local, vec![folder.clone()]).await;
    let found: Vec<(&str, bool)> =
        draft.tracks.iter().map(|track| (track.title.as_str(), track.error.is_some())).collect();
    assert_eq!(found, [("01 first", false), ("02 second", false), ("03 broken", true)]);
    assert!(draft.skipped.is_empty(), "a text in a folder is no mistake: {:?}", draft.skipped);
    assert!(draft.tracks[0].duration_ms > 900 && draft.tracks[0].loudness.is_some());
    let cover = draft.cover.unwrap();
    assert_eq!(cover.accent, Some(0xE0_30_20));
    assert_eq!(
        local.node.asset(AssetName::Blob(cover.hash), AssetSize::Whole).await.unwrap().bytes,
        PNG,
        "the cover is shown before it is published"
    );

    let table = draft.tracks[..2].iter().rev().map(|track| PublishTrack {
        path: Some(track.path.clone()),
        title: Some(format!("{}!", track.title)),
        artist: Some("Guest".into()),
        ..PublishTrack::default()
    });
    let publish = Publish {
        tracks: table.collect(),
        title: Some("Album".into()),
        description: Some("Two takes.".into()),
        collaborators: Some(vec![Credit { name: "Bo".into(), role: "drums".into(), peer_id: None }]),
        tags: Some(vec!["Field Recording".into()]),
        cover: Some(cover.path),
        ..Publish::default()
    };
    let detail = show(&local, local.publish(publish).await.release_id).await;
    assert_eq!(titles(&detail), ["02 second!", "01 first!"]);
    assert_eq!(detail.tracks[0].artist.as_deref(), Some("Guest"));
    assert_eq!(
        (detail.release.accent, detail.description.as_deref()),
        (Some(0xE0_30_20), Some("Two takes."))
    );
    assert_eq!(
        (detail.collaborators[0].name.as_str(), detail.release.tags[0].as_str()),
        ("Bo", "field-recording")
    );
    let waveforms =
        local.node.asset(AssetName::Blob(detail.waveforms.unwrap()), AssetSize::Whole).await.unwrap().bytes;
    assert!(waveforms.len() == 400 && waveforms.iter().all(|peak| *peak > 50), "the tone never stops");
    assert_eq!(drafts(&local), 0, "what was kept for the draft is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_edited_and_keeps_its_id_and_what_is_not_said() {
    let local = Local::start(Vec::new()).await;
    let folder = album(local.folder.path());
    let publish = Publish { paths: vec![folder], title: Some("Album".into()), ..Publish::default() };
    let release = local.publish(publish).await.release_id;
    let before = show(&local, release).await;

    let title = Some("Better".into());
    local.publish(Publish { replaces: Some(release), title, ..Publish::default() }).await;
    let after = show(&local, release).await;
    assert_eq!(after.release.title, "Better");
    assert_eq!((&after.tracks, after.release.accent), (&before.tracks, before.release.accent));
    let waveforms =
        local.node.asset(AssetName::Blob(after.waveforms.unwrap()), AssetSize::Whole).await.unwrap();

    let kept = |track, title: Option<&str>| PublishTrack {
        track: Some(track),
        title: title.map(str::to_owned),
        ..PublishTrack::default()
    };
    let new = PublishTrack { path: Some(local.song("third")), ..PublishTrack::default() };
    let tracks = vec![kept(2, None), new, kept(1, Some("Renamed"))];
    local.publish(Publish { replaces: Some(release), tracks, no_cover: true, ..Publish::default() }).await;
    let last = show(&local, release).await;
    assert_eq!(titles(&last), ["02 second", "third", "Renamed"]);
    assert_eq!((last.release.cover, last.release.accent), (None, None));
    let again = local.node.asset(AssetName::Blob(last.waveforms.unwrap()), AssetSize::Whole).await.unwrap();
    assert_eq!(again.bytes[..200], waveforms.bytes[200..], "a kept track keeps its waveform");
    let Response::Releases(all) = local.ask(Request::Releases(ReleaseQuery::default())).await else {
        panic!()
    };
    assert_eq!(all.total, 1);

    let gone = Publish { tracks: vec![kept(9, None)], replaces: Some(release), ..Publish::default() };
    let gone = Publish { rights_declared: true, ..gone };
    assert_eq!(local.fail(Request::Publish(gone)).await.code, "track_unknown");
    let foreign = Publish {
        replaces: Some("0".repeat(64).parse().unwrap()),
        rights_declared: true,
        ..Publish::default()
    };
    assert_eq!(local.fail(Request::Publish(foreign)).await.code, "release_unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_published_without_the_right_to() {
    let local = Local::start(Vec::new()).await;
    let publish = Publish { paths: vec![local.song("1")], ..Publish::default() };
    assert_eq!(local.fail(Request::Publish(publish)).await.code, "rights_not_declared");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_unpacked_and_a_broken_one_is_said_so() {
    let local = Local::start(Vec::new()).await;
    let path = local.folder.path().join("album.zip");
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    for (name, content) in
        [("a/one.wav", wav("one")), ("a/two.wav", wav("two")), ("a/front.png", PNG.to_vec())]
    {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&content).unwrap();
    }
    zip.finish().unwrap();
    let broken = local.folder.path().join("broken.zip");
    fs::write(&broken, b"PK\x03\x04 torn").unwrap();
    let text = local.folder.path().join("read.me");
    fs::write(&text, "hello").unwrap();
    let draft = inspect(&local, vec![path, broken, text]).await;
    assert_eq!(draft.tracks.iter().map(|track| track.title.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    let codes: Vec<&str> = draft.skipped.iter().map(|one| one.error.code.as_str()).collect();
    assert_eq!(codes, ["archive_damaged", "not_audio"]);
    assert!(draft.cover.is_some() && drafts(&local) > 0);
    let paths: Vec<PathBuf> = draft
        .tracks
        .iter()
        .map(|track| track.path.clone())
        .chain(draft.cover.map(|cover| cover.path))
        .collect();
    local.ask(Request::Discard { paths }).await;
    // Only the picture of the archive itself is left, until the next start.
    let local = local.restart().await;
    assert_eq!(drafts(&local), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_into_a_file_can_be_watched_and_cancelled() {
    let local = Local::start(Vec::new()).await;
    let mut events = local.node.events().await.unwrap();
    let paths = vec![local.song("1")];
    let job = Some("look".to_owned());
    local.ask(Request::Inspect { paths, job }).await;
    let progress = until(&mut events, |event| match event {
        Event::Progress(progress) if progress.stage == "reading" => Some(progress),
        _ => None,
    });
    assert_eq!(progress.await.item, "1.wav");
    let ended = until(&mut events, |event| match event {
        Event::JobEnded { job, error, .. } => Some((job, error)),
        _ => None,
    });
    assert_eq!(ended.await, ("look".to_owned(), None));
    assert_eq!(local.fail(Request::Inspect { paths: Vec::new(), job: None }).await.code, "no_files");
}

/// Posts a file as the page does.
async fn upload(address: &str, name: &str, headers: &str, body: &[u8]) -> (u16, serde_json::Value) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /upload?name={name} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Whoever is refused may be cut off before all is sent.
    let _ = stream.write_all(body).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_uploads_what_it_publishes() {
    let local = Local::start(Vec::new()).await;
    let server = Server::start(local.node.clone(), &local.data(), Some(Web::default())).await.unwrap();
    let (address, token) =
        server.link().unwrap().strip_prefix("http://").unwrap().split_once("/#token=").unwrap();
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let song = wav("uploaded");
    assert_eq!(upload(address, "a.wav", "", &song).await.0, 401);
    let foreign = format!("{bearer}Origin: http://evil.example\r\n");
    assert_eq!(upload(address, "a.wav", &foreign, &song).await.0, 403);
    assert_eq!(drafts(&local), 0);

    let (status, answer) = upload(address, "..%2F..%2Fmy%20song.wav", &bearer, &song).await;
    assert_eq!(status, 200);
    let path = PathBuf::from(answer["path"].as_str().unwrap());
    assert!(path.starts_with(local.data().join("drafts")) && path.ends_with("my song.wav"), "{path:?}");
    assert_eq!(fs::read(&path).unwrap(), song);
    let draft = inspect(&local, vec![path.clone()]).await;
    assert_eq!(draft.tracks[0].title, "my song");
    let tracks = vec![PublishTrack { path: Some(path.clone()), ..PublishTrack::default() }];
    let published = local.publish(Publish { tracks, ..Publish::default() }).await;
    assert_eq!(published.tracks[0].title, "my song");
    assert!(!path.exists() && drafts(&local) == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_link_brings_a_stranger_to_the_release() {
    let (artist, listener) = (Local::start(Vec::new()).await, Local::start(Vec::new()).await);
    let release =
        artist.publish(Publish { paths: vec![artist.song("1")], ..Publish::default() }).await.release_id;
    let share = Request::Share { release: Some(release), artist: None };
    let Response::Link(link) = artist.ask(share).await else { panic!() };
    assert!(link.link.starts_with(&format!("musicdao:release/{release}?from=")), "{}", link.link);
    let open = |link: String| Request::Open { link, wait_ms: Some(30_000) };
    let Response::Opened(opened) = listener.ask(open(link.link.clone())).await else { panic!() };
    assert_eq!((opened.kind.as_str(), opened.id.as_str()), ("release", release.to_string().as_str()));
    assert!(opened.known && opened.unreachable.is_none(), "{opened:?}");
    show(&listener, release).await;
    // The artist's own link leads to what is here.
    let Response::Opened(own) = artist.ask(open(link.link)).await else { panic!() };
    assert!(own.known);
    let share = Request::Share { release: None, artist: Some(artist.node.id()) };
    let Response::Link(link) = listener.ask(share).await else { panic!() };
    let Response::Opened(opened) = artist.ask(open(link.link)).await else { panic!() };
    assert_eq!((opened.kind.as_str(), opened.known), ("artist", true));
    assert_eq!(listener.fail(open("https://example.org".into())).await.code, "bad_link");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_listed_with_how_much_of_it_is_here() {
    let artist = Local::start(Vec::new()).await;
    let Response::Invite(invite) = artist.ask(Request::Invite).await else { panic!() };
    let publish = Publish { title: Some("Kept".into()), paths: vec![artist.song("1")], ..Publish::default() };
    let release = artist.publish(publish).await.release_id;
    let listener = Local::start(Vec::new()).await;
    let mut events = listener.node.events().await.unwrap();
    listener.ask(Request::Join { invite: invite.invite }).await;
    until(&mut events, |event| matches!(event, Event::Release { .. }).then_some(())).await;
    let downloads = async || {
        let Response::Downloads(list) = listener.ask(Request::Downloads).await else { panic!() };
        list.downloads
    };
    assert!(downloads().await.is_empty());
    let to = listener.folder.path().join("music");
    listener.ask(Request::Download { release, to: Some(to.clone()), job: None }).await;
    listener.ask(Request::Seed { release: Some(release), remove: false, job: None }).await;
    let kept = downloads().await.remove(0);
    assert_eq!((kept.release.title.as_str(), kept.seeded, kept.active), ("Kept", true, false));
    assert!(kept.have_bytes == kept.total_bytes && kept.total_bytes > 8_000 && kept.release.have == 1.0);
    assert_eq!(kept.folder, Some(to.display().to_string()));
    listener.ask(Request::Seed { release: Some(release), remove: true, job: None }).await;
    assert!(!downloads().await[0].seeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_of_a_track_come_from_its_file() {
    use lofty::{
        config::WriteOptions,
        tag::{ItemKey, Tag, TagExt, TagType},
    };
    let local = Local::start(Vec::new()).await;
    let (song, plain) = (local.song("sung"), local.song("plain"));
    let mut tag = Tag::new(TagType::Id3v2);
    tag.insert_text(ItemKey::UnsyncLyrics, "La la\nla".to_owned());
    tag.save_to_path(&song, WriteOptions::default()).unwrap();
    let release = local.publish(Publish { paths: vec![song, plain], ..Publish::default() }).await.release_id;
    let words = async |track| {
        let item = QueueItem::Track { release, track };
        let Response::Lyrics(lyrics) = local.ask(Request::Lyrics { item }).await else { panic!() };
        lyrics.text
    };
    assert_eq!(words(1).await.as_deref(), Some("La la\nla"));
    assert_eq!(words(2).await, None);
    let file = Request::Lyrics { item: QueueItem::File { file: 99 } };
    assert_eq!(local.fail(file).await.code, "file_unknown");
}
