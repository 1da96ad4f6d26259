//! What the app asks of a node, on real nodes and a real database.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{Local, PNG, until};
use node::{
    Api, AssetName, AssetSize, Page, Remote, Server, Web,
    api::{
        Event, HideCommand, HideTarget, LibraryCommand, PlayerCommand, PlaylistCommand, ProfileEdit, Publish,
        QueueItem, ReleaseQuery, Repeat, ReportReason, Request, Response,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn titled(title: &str, paths: Vec<std::path::PathBuf>) -> Publish {
    Publish { paths, title: Some(title.into()), artist: Some("Ada".into()), ..Publish::default() }
}

async fn releases(local: &Local, query: ReleaseQuery) -> (Vec<String>, u64) {
    let Response::Releases(page) = local.ask(Request::Releases(query)).await else { panic!() };
    (page.releases.into_iter().map(|release| release.title).collect(), page.total)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_list_says_how_long_the_list_is() {
    let local = Local::start(Vec::new()).await;
    for title in ["One", "Two", "Three"] {
        local.publish(titled(title, vec![local.song(title)])).await;
    }
    let page = ReleaseQuery { limit: Some(1), offset: 1, ..ReleaseQuery::default() };
    assert_eq!(releases(&local, page).await, (vec!["Two".to_owned()], 3));
    let Response::Releases(all) = local.ask(Request::Releases(ReleaseQuery::default())).await else {
        panic!()
    };
    let first = &all.releases[0];
    assert!(first.mine && first.have == 1.0 && first.duration_ms > 900, "{first:?}");
    local.ask(Request::Like { release: first.release_id, track: None, remove: false }).await;
    let liked = ReleaseQuery { liked: true, ..ReleaseQuery::default() };
    assert_eq!(releases(&local, liked).await, (vec!["Three".to_owned()], 1));

    for release in &all.releases[..2] {
        local.ask(Request::Library(LibraryCommand::Save { release: release.release_id })).await;
    }
    let command = LibraryCommand::Saved { offset: 1, limit: Some(5) };
    let Response::Library(library) = local.ask(Request::Library(command)).await else { panic!() };
    assert_eq!((library.saved.len(), library.totals.saved), (1, 2));
    assert!(library.saved[0].saved);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_shown_by_pages_and_told_by_its_version() {
    let local = Local::start(Vec::new()).await;
    let release = local.publish(titled("Album", vec![local.song("a"), local.song("b")])).await.release_id;
    let own = local.folder.path().join("own");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("mine.wav"), common::wav("mine")).unwrap();
    local.ask(Request::Library(LibraryCommand::AddFolder { folder: own, job: None })).await;
    let command = LibraryCommand::Files { query: "mine".into(), offset: 0, limit: None };
    let Response::Library(library) = local.ask(Request::Library(command)).await else { panic!() };
    assert_eq!((library.files.len(), library.totals.files), (1, 1));
    let file = library.files[0].file;

    let mut events = local.node.events().await.unwrap();
    local.ask(Request::Player(PlayerCommand::Output { device: "null".into() })).await;
    let items = vec![
        QueueItem::Track { release, track: 2 },
        QueueItem::File { file },
        QueueItem::Track { release, track: 1 },
    ];
    let Response::Player(state) = local.ask(Request::Player(PlayerCommand::Play { items, start: 0 })).await
    else {
        panic!()
    };
    assert_eq!((state.queue_length, state.current.unwrap().listed.title.as_str()), (3, "b"));
    let told = until(&mut events, |event| match event {
        Event::Queue { version, length: 3 } => Some(version),
        _ => None,
    });
    assert_eq!(told.await, state.queue_version);
    let Response::Queue(queue) = local.ask(Request::Queue { offset: 1, limit: Some(2) }).await else {
        panic!()
    };
    let titles: Vec<&str> = queue.entries.iter().map(|entry| entry.listed.title.as_str()).collect();
    assert_eq!((titles, queue.length, queue.offset), (vec!["mine", "a"], 3, 1));
    assert_eq!((queue.entries[0].file, queue.entries[0].release), (Some(file), None));
    assert_eq!(queue.entries[1].listed.release_title, "Album");

    // All three are heard to their end, the private file among them.
    until(&mut events, |event| match event {
        Event::Player(state) => (state.status == "stopped").then_some(()),
        _ => None,
    })
    .await;
    let heard = async || {
        let command = LibraryCommand::History { offset: 0, limit: None };
        let Response::Library(library) = local.ask(Request::Library(command)).await else { panic!() };
        library.history.into_iter().map(|entry| entry.listed.title).collect::<Vec<_>>()
    };
    tokio::time::timeout(common::PATIENCE, async {
        while heard().await != ["a", "mine", "b"] {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("what was heard is in the history");
    let before = local.ask(Request::Queue { offset: 0, limit: None }).await;
    local.ask(Request::Player(PlayerCommand::Move { from: 0, to: 2 })).await;
    let Response::Queue(after) = local.ask(Request::Queue { offset: 0, limit: None }).await else { panic!() };
    let Response::Queue(before) = before else { panic!() };
    assert!(after.version > before.version);
    assert_eq!(after.entries[2].entry, before.entries[0].entry);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_player_goes_on_after_a_restart_where_it_was() {
    let local = Local::start(Vec::new()).await;
    let songs = ["a", "b", "c"].map(|name| local.song(name)).to_vec();
    let release = local.publish(titled("Album", songs)).await.release_id;
    let mut events = local.node.events().await.unwrap();
    let player = async |local: &Local, command| {
        let Response::Player(state) = local.ask(Request::Player(command)).await else { panic!() };
        state
    };
    player(&local, PlayerCommand::Output { device: "null".into() }).await;
    player(&local, PlayerCommand::Volume { volume: 0.25 }).await;
    player(&local, PlayerCommand::Repeat { repeat: Repeat::All }).await;
    player(&local, PlayerCommand::Crossfade { seconds: 3.0 }).await;
    player(&local, PlayerCommand::Sleep { minutes: Some(0) }).await;
    let items = (1..=3).map(|track| QueueItem::Track { release, track }).collect();
    player(&local, PlayerCommand::Play { items, start: 1 }).await;
    until(&mut events, |event| match event {
        Event::Player(state) => (state.status == "paused").then_some(()),
        _ => None,
    })
    .await;
    let before = player(&local, PlayerCommand::State).await;
    let local = local.restart().await;
    let after = player(&local, PlayerCommand::State).await;
    assert_eq!((after.status.as_str(), after.queue_length, after.index), ("stopped", 3, before.index));
    assert_eq!(after.position_ms, before.position_ms);
    assert_eq!((after.volume, after.repeat, after.crossfade), (0.25, Repeat::All, 3.0));
    assert_eq!(after.device, "null");
    assert_eq!(after.current.map(|entry| entry.listed), before.current.map(|entry| entry.listed));
    let Response::Queue(queue) = local.ask(Request::Queue { offset: 0, limit: None }).await else { panic!() };
    assert_eq!(queue.entries.iter().filter_map(|entry| entry.track).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn playlists_take_files_and_come_back_when_deleted() {
    let local = Local::start(Vec::new()).await;
    let release = local.publish(titled("Album", vec![local.song("a")])).await.release_id;
    let playlist = async |command| {
        let Response::Playlists(lists) = local.ask(Request::Playlist(command)).await else { panic!() };
        lists.playlists.into_iter().next()
    };
    let list = playlist(PlaylistCommand::Create { title: "Road".into() }).await.unwrap().playlist;
    let track = |track| QueueItem::Track { release, track };
    playlist(PlaylistCommand::Add { playlist: list, items: vec![track(1)], at: None }).await;
    let items = vec![QueueItem::File { file: 7 }];
    let full = playlist(PlaylistCommand::Add { playlist: list, items, at: Some(0) }).await.unwrap();
    assert_eq!(full.items[0].file, Some(7));
    assert_eq!((full.items[1].release_id, full.items[1].listed.title.as_str()), (Some(release), "a"));
    assert!(playlist(PlaylistCommand::Delete { playlist: list }).await.is_none());
    let back = playlist(PlaylistCommand::Restore { playlist: list }).await.unwrap();
    assert_eq!((back.title.as_str(), back.count), ("Road", 2));
    let again = Request::Playlist(PlaylistCommand::Restore { playlist: list });
    assert_eq!(local.fail(again).await.code, "playlist_unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_is_gone_from_lists_only_here_until_it_is_shown_again() {
    let local = Local::start(Vec::new()).await;
    let one = local.publish(titled("One", vec![local.song("1")])).await.release_id;
    local.publish(titled("Two", vec![local.song("2")])).await;
    let what = HideTarget::Release { release: one };
    let Response::Hidden(hidden) = local.ask(Request::Hide(HideCommand::Add { what: what.clone() })).await
    else {
        panic!()
    };
    assert_eq!((hidden.hidden[0].title.as_str(), &hidden.hidden[0].what), ("One", &what));
    assert_eq!(releases(&local, ReleaseQuery::default()).await, (vec!["Two".to_owned()], 1));
    // Whoever has the link still sees it.
    local.ask(Request::Show { release: one }).await;
    local.ask(Request::Hide(HideCommand::Remove { what })).await;
    assert_eq!(releases(&local, ReleaseQuery::default()).await.1, 2);
    let tag = HideTarget::Tag { tag: "x".into() };
    assert!(!local.fail(Request::Hide(HideCommand::Add { what: tag })).await.code.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_reaches_those_who_follow() {
    let artist = Local::start(Vec::new()).await;
    let Response::Invite(invite) = artist.ask(Request::Invite).await else { panic!() };
    let release = artist.publish(titled("Stolen", vec![artist.song("1")])).await.release_id;
    let listener = Local::start(vec![invite.invite]).await;
    let mut events = listener.node.events().await.unwrap();
    let profile = ProfileEdit { name: Some("Cassandra".into()), ..ProfileEdit::default() };
    artist.ask(Request::ProfileSet(profile)).await;
    listener.ask(Request::Follow { artist: artist.node.id(), public: false, remove: false }).await;
    let note = Some(" Not mine. ".to_owned());
    let reason = ReportReason::NotTheirs;
    artist.ask(Request::Report { release: Some(release), artist: None, reason, note, remove: false }).await;
    let look = async || {
        let shown = listener.node.call(Request::Show { release }).await;
        let Ok(Response::Release(detail)) = shown else { return None };
        detail.reports.into_iter().find(|report| report.name.is_some())
    };
    let report = loop {
        if let Some(report) = look().await {
            break report;
        }
        until(&mut events, Some).await;
    };
    assert_eq!((report.name.as_deref(), report.note.as_deref()), (Some("Cassandra"), Some("Not mine.")));
    assert!(report.reason == reason && !report.own && !report.artist);
    let both = Request::Report {
        release: Some(release),
        artist: Some(artist.node.id()),
        reason,
        note: None,
        remove: false,
    };
    assert_eq!(artist.fail(both).await.code, "report_target");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_node_says_so_until_it_is_used() {
    let local = Local::start(Vec::new()).await;
    let fresh = async || {
        let Response::Status(status) = local.ask(Request::Status).await else { panic!() };
        assert!(!status.online && !status.searching, "DHT and LAN are off");
        status.fresh
    };
    assert!(fresh().await);
    local.publish(titled("One", vec![local.song("1")])).await;
    assert!(!fresh().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_moves_as_text_and_as_words() {
    let (from, to) = (Local::start(Vec::new()).await, Local::start(Vec::new()).await);
    let backup = Request::IdentityBackup { passphrase: "correct horse".into() };
    let Response::Backup(backup) = from.ask(backup).await else { panic!() };
    assert!(backup.name.ends_with(".age.txt"));
    let wrong = Request::IdentityRestore { text: backup.text.clone(), passphrase: Some("no".into()) };
    assert_eq!(to.fail(wrong).await.code, "passphrase_wrong");
    let right = Request::IdentityRestore { text: backup.text, passphrase: Some("correct horse".into()) };
    let Response::Identity(restored) = to.ask(right).await else { panic!() };
    assert_eq!(restored.peer_id, from.node.id());
    assert_eq!(to.node.ended().await, node::Ended::Restart);
    assert_eq!(to.restart().await.node.id(), from.node.id());

    let Response::Words(words) = from.ask(Request::IdentityWords).await else { panic!() };
    assert_eq!(words.words.len(), 24);
    let other = Local::start(Vec::new()).await;
    let restore = Request::IdentityRestore { text: words.words.join(" "), passphrase: None };
    let Response::Identity(restored) = other.ask(restore).await else { panic!() };
    assert_eq!(restored.peer_id, from.node.id());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cover_comes_as_bytes_from_the_disk_and_from_peers() {
    let artist = Local::start(Vec::new()).await;
    let cover = artist.folder.path().join("cover.png");
    std::fs::write(&cover, PNG).unwrap();
    let publish = Publish { cover: Some(cover), ..titled("Album", vec![artist.song("1")]) };
    let release = artist.publish(publish).await;
    let Response::Release(detail) = artist.ask(Request::Show { release: release.release_id }).await else {
        panic!()
    };
    let hash = detail.release.cover.unwrap();
    let asset = artist.node.asset(AssetName::Blob(hash), AssetSize::Whole).await.unwrap();
    assert_eq!((&asset.bytes[..], asset.mime), (PNG, "image/png"));
    let waveform =
        artist.node.asset(AssetName::Blob(detail.waveforms.unwrap()), AssetSize::Whole).await.unwrap();
    assert_eq!((waveform.bytes.len(), waveform.mime), (200, "application/octet-stream"));
    // A song is not handed out that way.
    assert_eq!(
        artist.node.asset(AssetName::Blob(release.tracks[0].blob), AssetSize::Whole).await.unwrap_err().code,
        "asset_unknown"
    );

    let Response::Invite(invite) = artist.ask(Request::Invite).await else { panic!() };
    let listener = Local::start(Vec::new()).await;
    let mut events = listener.node.events().await.unwrap();
    assert_eq!(
        listener.node.asset(AssetName::Blob(hash), AssetSize::Whole).await.unwrap_err().code,
        "asset_unknown"
    );
    listener.ask(Request::Join { invite: invite.invite }).await;
    until(&mut events, |event| matches!(event, Event::Release { .. }).then_some(())).await;
    assert_eq!(listener.node.asset(AssetName::Blob(hash), AssetSize::Whole).await.unwrap(), asset);
}

/// Asks the daemon's socket as a browser, or something that pretends to be one, would.
async fn http(addr: &str, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, answer[end + 4..].to_vec())
}

fn page(path: &str) -> Option<Page> {
    let page = |bytes: &'static [u8], mime: &str| Some(Page { bytes: bytes.into(), mime: mime.into() });
    match path {
        "index.html" => page(b"<!doctype html>", "text/html"),
        "assets/app-1.js" => page(b"start()", "text/javascript"),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_gets_the_page_and_with_the_token_the_images() {
    let local = Local::start(Vec::new()).await;
    let cover = local.folder.path().join("cover.png");
    std::fs::write(&cover, PNG).unwrap();
    let publish = Publish { cover: Some(cover), ..titled("Album", vec![local.song("1")]) };
    let release = local.publish(publish).await.release_id;
    let Response::Release(detail) = local.ask(Request::Show { release }).await else { panic!() };
    let hash = detail.release.cover.unwrap();

    let web = Web { page, ..Web::default() };
    let server = Server::start(local.node.clone(), &local.data(), Some(web)).await.unwrap();
    let link = server.link().unwrap().to_owned();
    let (address, token) = link.strip_prefix("http://").unwrap().split_once("/#token=").unwrap();
    let host = format!("Host: {address}\r\n");

    let (status, head, body) = http(address, "/", &host).await;
    assert_eq!((status, body), (200, b"<!doctype html>".to_vec()));
    for part in ["default-src 'self'", "frame-ancestors 'none'", "nosniff", "no-referrer", "no-cache"] {
        assert!(head.contains(part), "{part}: {head}");
    }
    assert_eq!(http(address, "/release/abc", &host).await.0, 200, "a place in the app is its page");
    let (status, head, _) = http(address, "/assets/app-1.js", &host).await;
    assert!(status == 200 && head.contains("immutable") && head.contains("text/javascript"), "{head}");
    assert_eq!(http(address, "/assets/app-2.js", &host).await.0, 404);
    assert_eq!(http(address, "/", "Host: rebound.example\r\n").await.0, 403);

    let path = format!("/asset/{hash}");
    let bearer = format!("{host}Authorization: Bearer {token}\r\n");
    let (status, head, body) = http(address, &path, &bearer).await;
    assert!(
        status == 200 && head.contains("content-type: image/png") && head.contains("immutable"),
        "{head}"
    );
    assert_eq!(body, PNG);
    assert_eq!(http(address, &path, &host).await.0, 401);
    assert_eq!(
        http(address, &path, &format!("{host}Authorization: Bearer {}\r\n", "0".repeat(64))).await.0,
        401
    );
    assert_eq!(http(address, &path, &format!("{bearer}Origin: http://evil.example\r\n")).await.0, 403);
    assert_eq!(http(address, &format!("/asset/{}", "0".repeat(64)), &bearer).await.0, 404);
    assert_eq!(http(address, "/asset/not-an-id", &bearer).await.0, 400);

    // The daemon's client reads them the same way.
    let remote = Remote::connect(&local.data()).await.unwrap();
    assert_eq!(
        remote.asset(AssetName::Blob(hash), AssetSize::Whole).await.unwrap(),
        local.node.asset(AssetName::Blob(hash), AssetSize::Whole).await.unwrap()
    );
    let unknown =
        remote.asset(AssetName::Blob("0".repeat(64).parse().unwrap()), AssetSize::Whole).await.unwrap_err();
    assert_eq!(unknown.code, "asset_unknown");

    drop(server);
    let again = Server::start(local.node.clone(), &local.data(), Some(web)).await.unwrap();
    assert_eq!(again.link(), Some(link.as_str()), "a page that is open finds its daemon again");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_page_nothing_but_the_api_is_served() {
    let local = Local::start(Vec::new()).await;
    let server = Server::start(local.node.clone(), &local.data(), None).await.unwrap();
    assert_eq!(server.link(), None);
    let address: serde_json::Value =
        serde_json::from_slice(&std::fs::read(local.data().join("daemon.json")).unwrap()).unwrap();
    let address = address["addr"].as_str().unwrap();
    assert_eq!(http(address, "/", &format!("Host: {address}\r\n")).await.0, 404);
    assert!(!local.data().join("web.json").exists());

    // A page that was not built says so in words.
    let unbuilt = Server::start(local.node.clone(), &local.data(), Some(Web::default())).await.unwrap();
    let (address, _) = unbuilt.link().unwrap().strip_prefix("http://").unwrap().split_once('/').unwrap();
    let (status, _, body) = http(address, "/", &format!("Host: {address}\r\n")).await;
    assert_eq!(status, 503);
    assert!(String::from_utf8(body).unwrap().contains("not built"));
}
