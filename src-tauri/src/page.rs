//! What is told to the page: the node's events, and what happens to the window.

use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};

use node::api::{ApiError, Event};
use serde::{Deserialize, Serialize};
use tauri::{AppHandle, Manager, Url, ipc::Channel};

/// Links and files that wait for a page that is still loading.
const WAITING: usize = 1024;

/// The page that listens, if it does already.
#[derive(Default)]
pub(crate) struct Page(Mutex<State>);

#[derive(Default)]
struct State {
    events: Option<Channel<Vec<Message>>>,
    waiting: Opened,
    words: Words,
}

/// One thing that the page is told.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Message {
    Node(Box<Event>),
    Shell(Happening),
}

/// What happens to the window.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Happening {
    /// How it stands with the node.
    Connection(Connection),
    /// The system opened links and files with this app.
    Opened(Opened),
    /// Files are dragged over the window.
    #[cfg(desktop)]
    Drag(Drag),
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Connection {
    /// `connecting`, `open` or `lost`.
    pub(crate) state: &'static str,
    /// Whether the node is a daemon that goes on without the window.
    pub(crate) daemon: bool,
    pub(crate) error: Option<ApiError>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Opened {
    links: Vec<String>,
    files: Vec<PathBuf>,
}

#[cfg(desktop)]
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Drag {
    /// `enter`, `drop` or `leave`.
    pub(crate) phase: &'static str,
    pub(crate) paths: Vec<PathBuf>,
    /// Where in the page, in its pixels.
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// The words of what lies outside the page.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(mobile, expect(dead_code, reason = "a telephone has no tray"))]
pub(crate) struct Words {
    /// Brings the window back.
    pub(crate) show: String,
    /// Ends the app.
    pub(crate) quit: String,
    /// Heads the notification of a release.
    pub(crate) released: String,
}

impl Default for Words {
    fn default() -> Self {
        let [show, quit, released] =
            ["Show MusicDAO", "Quit", "New from someone you follow"].map(String::from);
        Self { show, quit, released }
    }
}

impl Page {
    /// Tells a page how things are and what waited for it, then what happens.
    pub(crate) fn open(&self, events: Channel<Vec<Message>>, connection: Connection) {
        let mut state = self.0.lock().expect("no holder panics");
        let waiting = std::mem::take(&mut state.waiting);
        state.events = Some(events);
        state.tell(vec![connection.into()]);
        if !waiting.is_empty() {
            state.tell(vec![Message::Shell(Happening::Opened(waiting))]);
        }
    }

    /// Tells the page; a page that does not listen yet asks when it does.
    pub(crate) fn tell(&self, messages: Vec<Message>) {
        self.0.lock().expect("no holder panics").tell(messages);
    }

    /// Replaces the words.
    pub(crate) fn say(&self, words: Words) {
        self.0.lock().expect("no holder panics").words = words;
    }

    /// Returns the words.
    pub(crate) fn words(&self) -> Words {
        self.0.lock().expect("no holder panics").words.clone()
    }

    fn opened(&self, opened: Opened) {
        let mut state = self.0.lock().expect("no holder panics");
        match state.events {
            Some(_) => state.tell(vec![Message::Shell(Happening::Opened(opened))]),
            None => state.waiting.add(opened),
        }
    }
}

impl State {
    fn tell(&self, messages: Vec<Message>) {
        let Some(events) = &self.events else { return };
        // The page is being left: nobody is there to hear.
        let _ = events.send(messages);
    }
}

impl Opened {
    /// Sorts what the system handed over: links of ours, and files as URLs or as paths from a folder.
    fn sort(things: impl Iterator<Item = String>, folder: Option<&Path>) -> Self {
        let mut opened = Self::default();
        for thing in things.take(WAITING) {
            match Url::parse(&thing) {
                Ok(url) if url.scheme() == "musicdao" => opened.links.push(thing),
                Ok(url) if url.scheme() == "file" => opened.files.extend(url.to_file_path()),
                _ => {
                    let path = folder.map_or_else(|| thing.clone().into(), |folder| folder.join(&thing));
                    opened.files.extend(path.exists().then_some(path));
                }
            }
        }
        opened
    }

    fn is_empty(&self) -> bool {
        self.links.is_empty() && self.files.is_empty()
    }

    fn add(&mut self, more: Self) {
        self.links.extend(more.links);
        self.files.extend(more.files);
        self.links.truncate(WAITING);
        self.files.truncate(WAITING);
    }
}

impl From<Event> for Message {
    fn from(event: Event) -> Self {
        Self::Node(Box::new(event))
    }
}

impl From<Connection> for Message {
    fn from(connection: Connection) -> Self {
        Self::Shell(Happening::Connection(connection))
    }
}

/// Tells the page of links and files that the system opened with this app.
pub(crate) fn open(app: &AppHandle, things: impl Iterator<Item = String>, folder: Option<&Path>) {
    let opened = Opened::sort(things, folder);
    if !opened.is_empty() {
        app.state::<Page>().opened(opened);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_files_are_told_apart_and_options_left_out() {
        let folder = std::env::temp_dir();
        let file = folder.join("musicdao opened.flac");
        std::fs::write(&file, b"").unwrap();
        let url = Url::from_file_path(&file).unwrap().to_string();
        let things = ["musicdao:join/abc", &url, "musicdao opened.flac", "--flag", "https://example.org", ""];
        let opened = Opened::sort(things.iter().take(5).map(ToString::to_string), Some(&folder));
        assert_eq!(opened.links, ["musicdao:join/abc"]);
        assert_eq!(opened.files, [file.clone(), file.clone()]);
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn a_crowd_of_files_is_bounded_while_the_page_loads() {
        let mut waiting = Opened::default();
        for _ in 0..3 {
            waiting.add(Opened { links: Vec::new(), files: vec![PathBuf::from("a"); WAITING] });
        }
        assert_eq!(waiting.files.len(), WAITING);
    }

    #[test]
    fn the_page_reads_both_kinds_of_events_by_their_name() {
        let drag = Drag { phase: "leave", paths: Vec::new(), x: 1.0, y: 2.0 };
        let messages = [Message::from(Event::CatalogueChanged), Message::Shell(Happening::Drag(drag))];
        let json = serde_json::to_value(messages).unwrap();
        assert_eq!(json[0]["event"], "catalogue_changed");
        assert_eq!((&json[1]["event"], &json[1]["phase"]), (&"drag".into(), &"leave".into()));
    }
}
