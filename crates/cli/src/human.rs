//! Answers in words: tidy tables, and what to do next where there is nothing to show.

use std::fmt::Write;

use node::{
    api::{
        Blocked, ConfigValues, Devices, Doctor, Done, Downloaded, Downloads, Follows, Hidden, HideTarget,
        IdentityRef, Invite, Library, Lyrics, Opened, Path, Peers, PlaySource, Played, PlayerState,
        Playlists, Profile, Published, QueueEntry, ReleaseDetail, ReleaseInfo, ReleaseRef, Releases,
        SearchResults, Seeds, Source, Stats, Status, Tags, TrackInfo,
    },
    domain::ReleaseId,
};
use serde::Serialize;

use crate::{
    output::Human,
    text::{
        Column::{Left, Right},
        clean_lines, count, duration, fields, moment, short, size, table, yes,
    },
};

pub(crate) mod dao;
mod money;
mod wallet;

/// Days and files of the statistics that people are shown; `--json` has all.
const STATS_SHOWN: usize = 14;

impl Human for Status {
    fn human(&self) -> String {
        let publish = if self.can_publish {
            "ready"
        } else {
            "not now: what this identity has signed is not all known here; `musicdao doctor` says more"
        };
        fields(&[
            ("peer", self.peer_id.to_string()),
            (
                "name",
                self.name.clone().unwrap_or_else(|| "none yet: `musicdao profile set --name NAME`".into()),
            ),
            ("version", self.version.clone()),
            ("data", self.data.clone()),
            ("listening on", self.listen.join(", ")),
            ("connected", count(self.peers, "peer")),
            ("catalogue", format!("{}, {}", count(self.releases, "release"), count(self.records, "record"))),
            ("stored", size(self.stored_bytes)),
            ("running", duration(self.uptime_ms)),
            ("publishing", publish.to_owned()),
        ])
    }
}

impl Human for Invite {
    fn human(&self) -> String {
        format!("{}\n", self.invite)
    }
}

impl Human for Peers {
    fn human(&self) -> String {
        if self.peers.is_empty() {
            return "Nobody is connected yet: join a friend with `musicdao join LINK`, or let one in with \
                    `musicdao invite`.\n"
                .to_owned();
        }
        let rows = self.peers.iter().map(|peer| {
            let path = match peer.path {
                Path::Direct => "direct",
                Path::Relayed => "relayed",
            };
            let name = peer.name.clone().unwrap_or_default();
            [short(peer.peer_id), name, path.to_owned(), format!("{:.1} ms", peer.rtt_ms)]
        });
        table([Left("PEER"), Left("NAME"), Left("PATH"), Right("ROUND TRIP")], rows)
    }
}

impl Human for Profile {
    fn human(&self) -> String {
        let unknown = || "unknown; nobody has seen a profile".to_owned();
        let mut text = fields(&[
            ("peer", self.peer_id.to_string()),
            ("name", self.name.clone().unwrap_or_else(unknown)),
        ]);
        for link in &self.links {
            text.push_str(&fields(&[("link", link.clone())]));
        }
        if let Some(bio) = &self.bio {
            let _ = writeln!(text, "\n{}", clean_lines(bio));
        }
        text
    }
}

impl Human for Published {
    fn human(&self) -> String {
        let mut text = tracks(&self.tracks);
        text.push('\n');
        for warning in &self.warnings {
            let _ = writeln!(text, "Note: {}", clean_lines(warning));
        }
        let _ = writeln!(text, "Published as {}", self.release_id);
        text
    }
}

impl Human for Releases {
    fn human(&self) -> String {
        if self.releases.is_empty() {
            return "Nothing here yet: `musicdao publish FILE...`, or join a friend with `musicdao join LINK`.\n"
                .to_owned();
        }
        releases(&self.releases)
    }
}

/// Lists what a search found, or says where else to look.
pub(crate) fn found(found: &SearchResults, remote: bool) -> String {
    if remote && found.results.is_empty() {
        return "Nothing found, neither here nor by the peers who answered: try fewer letters; `musicdao peers` lists \
                who was asked.\n"
            .to_owned();
    }
    found.human()
}

/// Says that there are releases, but none that was asked for.
pub(crate) fn none_fits(by_tag: bool) -> String {
    let tags = if by_tag { " A tag of others shows once two people gave it." } else { "" };
    format!("No release known here fits: `musicdao releases` lists all.{tags}\n")
}

/// Says what begins to play.
pub(crate) fn playing(detail: &ReleaseDetail, track: Option<u16>) -> String {
    let one = track.and_then(|number| detail.tracks.iter().find(|track| track.number == number));
    let title = one.map_or(&detail.release.title, |track| &track.title);
    let artist = one.and_then(|track| track.artist.as_ref()).unwrap_or(&detail.release.artist);
    format!("Playing {title} by {artist} ({})", detail.release.license)
}

impl Human for SearchResults {
    fn human(&self) -> String {
        if self.results.is_empty() {
            return "Nothing found: try fewer letters, or `--remote` to ask the peers.\n".to_owned();
        }
        let rows = self.results.iter().map(|found| {
            let id = match (found.release_id, found.track) {
                (Some(release), Some(track)) => format!("{}/{track}", short(release)),
                (Some(release), None) => short(release),
                (None, _) => found.artist_id.map(short).unwrap_or_default(),
            };
            let source = match found.source {
                Source::Local => "here",
                Source::Remote => "peers",
            };
            [found.kind.clone(), id, found.title.clone(), found.artist.clone(), source.to_owned()]
        });
        table([Left("KIND"), Left("ID"), Left("TITLE"), Left("ARTIST"), Left("FOUND")], rows)
    }
}

impl Human for ReleaseDetail {
    fn human(&self) -> String {
        let release = &self.release;
        let mut rows = vec![
            ("release", release.release_id.to_string()),
            ("title", release.title.clone()),
            ("artist", format!("{} ({})", release.artist, short(release.artist_id))),
            ("date", release.date.clone().unwrap_or_else(|| "unknown".into())),
            ("licence", release.license.clone()),
            ("tags", release.tags.join(", ")),
            ("likes", release.likes.to_string()),
            ("saved", yes(release.saved)),
        ];
        let credits = self.collaborators.iter();
        rows.extend(credits.map(|credit| ("with", format!("{}, {}", credit.name, credit.role))));
        let mut text = fields(&rows);
        if let Some(description) = &self.description {
            let _ = writeln!(text, "\n{}", clean_lines(description));
        }
        text.push('\n');
        if self.tracks.is_empty() {
            text.push_str("The list of tracks is still on its way.\n");
        } else {
            text.push_str(&tracks(&self.tracks));
        }
        text
    }
}

impl Human for Played {
    fn human(&self) -> String {
        let source = match self.source {
            PlaySource::Local => "from here",
            PlaySource::Network => "from peers",
        };
        let waits = match self.underruns {
            0 => "without a gap".to_owned(),
            underruns => format!("with {}", count(underruns, "gap")),
        };
        let (played, first) = (duration(self.played_ms), self.first_sound_ms);
        format!(
            "Played {played} {source} ({}) {waits}; the first sound came after {first:.0} ms.\n",
            self.codec
        )
    }
}

/// The player with its whole queue.
#[derive(Debug, Serialize)]
pub(crate) struct ShownPlayer {
    #[serde(flatten)]
    pub(crate) state: PlayerState,
    pub(crate) queue: Vec<QueueEntry>,
}

impl Human for ShownPlayer {
    fn human(&self) -> String {
        self.state.human()
    }
}

impl Human for Devices {
    fn human(&self) -> String {
        if self.devices.is_empty() {
            return "No output device: `musicdao play RELEASE --output FILE.wav` still works.\n".to_owned();
        }
        self.devices.iter().map(|device| format!("{}\n", clean_lines(device))).collect()
    }
}

impl Human for Hidden {
    fn human(&self) -> String {
        if self.hidden.is_empty() {
            return "Nothing is hidden: `musicdao hide add --tag TAG` keeps it out of your lists.\n"
                .to_owned();
        }
        let rows = self.hidden.iter().map(|one| {
            let (kind, id) = match &one.what {
                HideTarget::Release { release } => ("release", short(release)),
                HideTarget::Artist { artist } => ("artist", short(artist)),
                HideTarget::Tag { .. } => ("tag", String::new()),
            };
            [kind.to_owned(), id, one.title.clone()]
        });
        table([Left("KIND"), Left("ID"), Left("TITLE")], rows)
    }
}

impl Human for PlayerState {
    fn human(&self) -> String {
        let at = |title: &String| {
            let artist = self.artist.as_deref().unwrap_or("unknown");
            format!("{title} by {artist}, {} of {}", duration(self.position_ms), duration(self.duration_ms))
        };
        let place = self.index.map_or(0, |index| index + 1);
        let mut rows = vec![
            ("player", self.status.clone()),
            ("track", self.title.as_ref().map_or_else(|| "none: `musicdao player play RELEASE`".into(), at)),
            ("queue", format!("{place} of {}", self.queue_length)),
            ("volume", format!("{:.0} %", self.volume * 100.0)),
            ("shuffle", yes(self.shuffle)),
            ("repeat", word(&self.repeat)),
            ("gain", word(&self.replay_gain)),
            ("crossfade", format!("{} s", self.crossfade)),
        ];
        rows.extend(self.error.iter().map(|error| ("trouble", error.message.clone())));
        fields(&rows)
    }
}

impl Human for Downloaded {
    fn human(&self) -> String {
        let rows =
            self.files.iter().map(|file| format!("{:>9}  {}\n", size(file.size), clean_lines(&file.path)));
        rows.collect()
    }
}

impl Human for Downloads {
    fn human(&self) -> String {
        if self.downloads.is_empty() {
            return "Nothing is kept yet: `musicdao download RELEASE`, or `musicdao seed RELEASE`.\n"
                .to_owned();
        }
        let rows = self.downloads.iter().map(|one| {
            let here = if one.have_bytes >= one.total_bytes {
                "all".to_owned()
            } else {
                format!("{} %", one.have_bytes * 100 / one.total_bytes.max(1))
            };
            let folder = one.folder.clone().unwrap_or_default();
            [short(one.release.release_id), one.release.title.clone(), here, yes(one.seeded), folder]
        });
        table([Left("RELEASE"), Left("TITLE"), Right("HERE"), Left("SEEDED"), Left("FOLDER")], rows)
    }
}

impl Human for Lyrics {
    fn human(&self) -> String {
        let none = || "The file has no words in it.".to_owned();
        format!("{}\n", self.text.as_deref().map_or_else(none, clean_lines))
    }
}

impl Human for Opened {
    fn human(&self) -> String {
        let mut text = match (self.kind.as_str(), self.known) {
            ("joined", _) => "Joined.\n".to_owned(),
            ("release", true) => format!("It is here: `musicdao show {}`\n", self.id),
            ("dao", true) => format!("It is here: `musicdao dao show {}`\n", self.id),
            (_, true) => format!("They are known here: `musicdao releases --artist {}`\n", self.id),
            (kind, false) => format!("The {kind} {} has not arrived yet.\n", short(&self.id)),
        };
        if let Some(error) = &self.unreachable {
            let _ = writeln!(text, "Whoever gave the link is not reached: {}", clean_lines(&error.message));
        }
        text
    }
}

impl Human for Tags {
    fn human(&self) -> String {
        let tags = if self.tags.is_empty() { "none".to_owned() } else { self.tags.join(", ") };
        format!("Tags of {}: {}\n", short(self.release_id), clean_lines(&tags))
    }
}

impl Human for ReleaseRef {
    fn human(&self) -> String {
        format!("{}\n", self.release_id)
    }
}

impl Human for Blocked {
    fn human(&self) -> String {
        if let Some(list) = &self.shared {
            return format!("Others subscribe to it by `musicdao block subscribe {list}`\n");
        }
        if self.blocked.is_empty() && self.lists.is_empty() {
            return "Nothing is blocked: `musicdao block add ID` hides an artist, a release or a file.\n"
                .to_owned();
        }
        let blocked = self.blocked.iter().map(|entry| [entry.kind.clone(), short(&entry.id)]);
        let lists = self.lists.iter().map(|one| ["by the list".to_owned(), short(&one.list)]);
        table([Left("KIND"), Left("ID")], blocked.chain(lists))
    }
}

impl Human for Follows {
    fn human(&self) -> String {
        if self.follows.is_empty() {
            return "You follow nobody yet: `musicdao follow ARTIST`.\n".to_owned();
        }
        let rows = self.follows.iter().map(|followed| {
            let name = followed.name.clone().unwrap_or_default();
            [short(followed.artist_id), name, yes(followed.public)]
        });
        table([Left("ARTIST"), Left("NAME"), Left("PUBLIC")], rows)
    }
}

impl Human for Library {
    fn human(&self) -> String {
        let mut parts = Vec::new();
        if !self.saved.is_empty() {
            parts.push(releases(&self.saved));
        }
        if !self.files.is_empty() {
            let rows = self.files.iter().map(|file| {
                let artist = file.artist.clone().unwrap_or_default();
                let album = file.album.clone().unwrap_or_default();
                [file.title.clone(), artist, album, duration(file.duration_ms)]
            });
            parts.push(table([Left("YOUR FILE"), Left("ARTIST"), Left("ALBUM"), Right("LENGTH")], rows));
        }
        if parts.is_empty() {
            parts.push(
                "Nothing saved yet: `musicdao library save RELEASE`, or `musicdao library add-folder DIR`.\n"
                    .to_owned(),
            );
        }
        parts.join("\n")
    }
}

impl Human for Playlists {
    fn human(&self) -> String {
        if self.playlists.is_empty() {
            return "No playlist yet: `musicdao playlist create TITLE`.\n".to_owned();
        }
        let rows = self.playlists.iter();
        let rows = rows.map(|list| [list.playlist.to_string(), list.title.clone(), list.count.to_string()]);
        let mut text = table([Right("NO"), Left("TITLE"), Right("TRACKS")], rows);
        for list in self.playlists.iter().filter(|list| !list.items.is_empty()) {
            let rows = list.items.iter().zip(1..).map(|(item, place)| {
                [place.to_string(), what(item.release_id, item.track, item.file), item.listed.title.clone()]
            });
            let _ = write!(text, "\n{}", table([Right("PLACE"), Left("TRACK"), Left("TITLE")], rows));
        }
        text
    }
}

impl Human for Seeds {
    fn human(&self) -> String {
        if self.seeds.is_empty() {
            return "You seed nothing yet: `musicdao seed RELEASE`.\n".to_owned();
        }
        let rows = self.seeds.iter().map(|seed| {
            let title = seed.title.clone().unwrap_or_else(|| "not known here any more".to_owned());
            [short(seed.release_id), title, seed.artist.clone().unwrap_or_default()]
        });
        table([Left("RELEASE"), Left("TITLE"), Left("ARTIST")], rows)
    }
}

impl Human for Stats {
    fn human(&self) -> String {
        let mut text = fields(&[("served", size(self.served_bytes)), ("fetched", size(self.fetched_bytes))]);
        if !self.days.is_empty() {
            let days = self.days.iter().take(STATS_SHOWN);
            let rows = days.map(|day| [day.day.clone(), size(day.served_bytes), size(day.fetched_bytes)]);
            let _ = write!(text, "\n{}", table([Left("DAY"), Right("SERVED"), Right("FETCHED")], rows));
        }
        if !self.blobs.is_empty() {
            let blobs = self.blobs.iter().take(STATS_SHOWN);
            let rows =
                blobs.map(|blob| [short(blob.blob), size(blob.served_bytes), size(blob.fetched_bytes)]);
            let _ = write!(text, "\n{}", table([Left("FILE"), Right("SERVED"), Right("FETCHED")], rows));
        }
        text
    }
}

impl Human for Doctor {
    fn human(&self) -> String {
        self.checks.iter().fold(String::new(), |mut text, check| {
            let mark = if check.ok { "ok   " } else { "WRONG" };
            let _ = writeln!(text, "{mark}  {}: {}", check.name, clean_lines(&check.message));
            text
        })
    }
}

impl Human for ConfigValues {
    fn human(&self) -> String {
        self.config.iter().fold(String::new(), |mut text, (key, value)| {
            let _ = writeln!(text, "{key} = {}", clean_lines(&value.to_string()));
            text
        })
    }
}

impl Human for IdentityRef {
    fn human(&self) -> String {
        format!("{}\n", self.peer_id)
    }
}

impl Human for Done {
    fn human(&self) -> String {
        "Done.\n".to_owned()
    }
}

/// Lists the queue, the current track marked.
pub(crate) fn queue(shown: &ShownPlayer) -> String {
    let ShownPlayer { state, queue } = shown;
    if queue.is_empty() {
        return "The queue is empty: `musicdao player play RELEASE`.\n".to_owned();
    }
    let rows = queue.iter().enumerate().map(|(index, entry)| {
        let mark = if state.index == Some(index) { "▶" } else { "" };
        let place = (index + 1).to_string();
        let listed = &entry.listed;
        let track = what(entry.release, entry.track, entry.file);
        [mark.to_owned(), place, track, listed.title.clone(), listed.artist.clone()]
    });
    table([Left(""), Right("PLACE"), Left("TRACK"), Left("TITLE"), Left("ARTIST")], rows)
}

/// Lists what was played.
pub(crate) fn history(library: &Library) -> String {
    if library.history.is_empty() {
        return "Nothing was played yet, or it is forgotten.\n".to_owned();
    }
    let rows = library.history.iter().map(|entry| {
        let track = what(entry.release_id, entry.track, entry.file);
        [moment(entry.played_at), track, entry.listed.title.clone()]
    });
    table([Left("PLAYED (UTC)"), Left("TRACK"), Left("TITLE")], rows)
}

/// A track as it can be typed, or a file of one's own.
fn what(release: Option<ReleaseId>, track: Option<u16>, file: Option<i64>) -> String {
    match (release, track, file) {
        (Some(release), Some(track), _) => format!("{}/{track}", short(release)),
        (_, _, Some(file)) => format!("your file {file}"),
        _ => String::new(),
    }
}

fn releases(releases: &[ReleaseInfo]) -> String {
    let rows = releases.iter().map(|release| {
        let date = release.date.clone().unwrap_or_default();
        let tracks = release.track_count.to_string();
        [
            short(release.release_id),
            release.title.clone(),
            release.artist.clone(),
            date,
            tracks,
            release.tags.join(" "),
        ]
    });
    table([Left("RELEASE"), Left("TITLE"), Left("ARTIST"), Left("DATE"), Right("TRACKS"), Left("TAGS")], rows)
}

fn tracks(tracks: &[TrackInfo]) -> String {
    let rows = tracks.iter().map(|track| {
        let here = match track.have {
            0 => String::new(),
            have if have >= track.size => "all".to_owned(),
            have => format!("{} %", have * 100 / track.size),
        };
        let length = duration(track.duration_ms);
        [track.number.to_string(), track.title.clone(), length, track.codec.clone(), size(track.size), here]
    });
    table([Right("NO"), Left("TITLE"), Right("LENGTH"), Left("CODEC"), Right("SIZE"), Right("HERE")], rows)
}

/// Returns a unit variant as programs spell it.
fn word(value: &impl serde::Serialize) -> String {
    crate::output::json(value).trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    /// Reads an answer as a program would, and returns what a person would see.
    fn shown<T: Human + DeserializeOwned>(answer: Value) -> String {
        plain(&serde_json::from_value::<T>(answer).unwrap().human())
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn id(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    fn release() -> Value {
        json!({
            "release_id": id('a'), "title": "Night train", "artist": "Ada", "artist_id": id('b'),
            "license": "CC-BY-4.0", "date": "2024-05", "track_count": 2, "tags": ["jazz", "live"],
            "cover": null, "likes": 3, "saved": false, "liked": false, "mine": false, "accent": null,
            "duration_ms": 185_000, "have": 0.5, "published_at": 1_714_521_600_000_u64,
        })
    }

    fn track(number: u16, have: u64) -> Value {
        json!({
            "number": number, "title": "Überfahrt\u{1b}[2J", "artist": null, "blob": id('c'), "size": 5_000_000,
            "duration_ms": 185_000, "codec": "flac", "loudness": -14.5, "have": have,
            "likes": 0, "liked": false,
        })
    }

    #[test]
    fn a_release_shows_its_tracks_and_what_is_here() {
        let mut detail = release();
        detail["tracks"] = json!([track(1, 5_000_000), track(2, 1_250_000)]);
        detail["description"] = json!("Two lines\nof notes");
        detail["collaborators"] = json!([{ "name": "Bo", "role": "drums", "peer_id": null }]);
        detail["waveforms"] = Value::Null;
        detail["tag_details"] = json!([]);
        detail["reports"] = json!([]);
        insta::assert_snapshot!(shown::<ReleaseDetail>(detail));
    }

    #[test]
    fn lists_are_tidy() {
        let mut long = release();
        long["title"] = json!("A title that is far too long for a column of a terminal, really");
        insta::assert_snapshot!(
            "releases",
            shown::<Releases>(json!({ "releases": [release(), long], "total": 2 }))
        );
        let found = |kind: &str, release: Value, track: Value| {
            json!({ "kind": kind, "release_id": release, "track": track, "title": "Night", "artist": "Ada",
                    "artist_id": id('b'), "source": "local", "release_title": null, "cover": null, "accent": null,
                    "duration_ms": null })
        };
        let results = [
            found("release", json!(id('a')), Value::Null),
            found("track", json!(id('a')), json!(2)),
            found("artist", Value::Null, Value::Null),
        ];
        insta::assert_snapshot!("search", shown::<SearchResults>(json!({ "results": results })));
        let peers = json!({ "peers": [
            { "peer_id": id('b'), "name": "Ada", "path": "direct", "rtt_ms": 0.4211 },
            { "peer_id": id('d'), "name": null, "path": "relayed", "rtt_ms": 151.0 },
        ] });
        insta::assert_snapshot!("peers", shown::<Peers>(peers));
        let items = json!([{ "release_id": id('a'), "track": 2, "file": null, "title": "Night", "artist": "Ada",
                             "artist_id": null, "release_title": "Night train", "cover": null, "accent": null,
                             "duration_ms": 185_000 }]);
        let lists = json!({ "playlists": [{ "playlist": 1, "title": "Road", "count": 1, "items": items }] });
        insta::assert_snapshot!("playlists", shown::<Playlists>(lists));
    }

    #[test]
    fn emptiness_says_what_to_do_next() {
        let texts = [
            shown::<Peers>(json!({ "peers": [] })),
            shown::<Releases>(json!({ "releases": [], "total": 0 })),
            shown::<SearchResults>(json!({ "results": [] })),
            shown::<Blocked>(json!({ "blocked": [] })),
            shown::<Follows>(json!({ "follows": [] })),
            shown::<Library>(json!({ "saved": [], "files": [], "history": [],
                                     "totals": { "saved": 0, "files": 0, "history": 0 } })),
            shown::<Playlists>(json!({ "playlists": [] })),
            shown::<Seeds>(json!({ "seeds": [] })),
            shown::<Devices>(json!({ "devices": [] })),
            shown::<Hidden>(json!({ "hidden": [] })),
            shown::<Downloads>(json!({ "downloads": [] })),
        ];
        for text in &texts {
            assert!(text.contains('`'), "{text}");
        }
        insta::assert_snapshot!(texts.concat());
    }

    #[test]
    fn the_node_and_its_player_are_described() {
        let status = json!({
            "peer_id": id('b'), "name": null, "version": "0.1.0", "data": "/srv/musicdao",
            "listen": ["0.0.0.0:4433"], "peers": 1, "releases": 2, "records": 30, "stored_bytes": 12_000_000,
            "uptime_ms": 61_000, "can_publish": true, "dropped_events": 0, "nearby": 0, "direct": 1, "relayed": 0,
            "online": true, "searching": false, "metered": false, "private_session": false, "fresh": false,
        });
        insta::assert_snapshot!("status", shown::<Status>(status));
        let entry = |entry: u64, track: u16, title: &str| {
            json!({ "entry": entry, "release": id('a'), "track": track, "file": null, "title": title, "artist": "Ada",
                    "artist_id": id('b'), "release_title": "Night train", "cover": null, "accent": null,
                    "duration_ms": 185_000 })
        };
        let state: PlayerState = serde_json::from_value(json!({
            "status": "playing", "queue_version": 3, "queue_length": 2, "index": 1, "current": entry(8, 2, "Night"),
            "title": "Night", "artist": "Ada", "position_ms": 5_000, "duration_ms": 185_000, "buffered_ms": 9_000,
            "volume": 0.7, "shuffle": false, "repeat": "all", "replay_gain": "album", "crossfade": 2.5, "sleep": null,
            "device": "default", "error": { "code": "output_lost", "message": "the device has gone" },
        }))
        .unwrap();
        let entries = json!([entry(7, 1, "Day"), entry(8, 2, "Night")]);
        let state = ShownPlayer { state, queue: serde_json::from_value(entries).unwrap() };
        insta::assert_snapshot!("player", plain(&state.human()));
        insta::assert_snapshot!("queue", plain(&queue(&state)));
        let played = json!({
            "first_sound_ms": 41.26, "played_ms": 185_000, "underruns": 1, "source": "network", "codec": "opus",
        });
        insta::assert_snapshot!("played", shown::<Played>(played));
    }

    #[test]
    fn what_was_done_is_told() {
        let published = json!({ "release_id": id('a'), "tracks": [track(1, 5_000_000)],
                                "warnings": ["cover.bmp is no image"] });
        insta::assert_snapshot!("published", shown::<Published>(published));
        let stats = json!({
            "served_bytes": 7_000_000, "fetched_bytes": 100,
            "days": [{ "day": "2026-05-01", "served_bytes": 7_000_000, "fetched_bytes": 100 }],
            "blobs": [{ "blob": id('c'), "served_bytes": 7_000_000, "fetched_bytes": 0 }],
        });
        insta::assert_snapshot!("stats", shown::<Stats>(stats));
        let checks = json!({ "checks": [
            { "name": "disk", "ok": true, "message": "12.0 GB are free" },
            { "name": "clock", "ok": false, "message": "it is off by a day; set it" },
        ] });
        insta::assert_snapshot!("doctor", shown::<Doctor>(checks));
    }
}
