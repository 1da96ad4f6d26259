//! The node behind the window: the data folder's daemon where one runs, else a node in this process.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

#[cfg(desktop)]
use node::api::{PlayerCommand, Request, Response};
use node::{
    Api, Config, Ended, Node, NodeHandle, Remote, Server,
    api::{ApiError, Event},
};
use tauri::{AppHandle, Manager, async_runtime::JoinHandle};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

use crate::{
    news::News,
    page::{Connection, Message, Page},
    platform,
};

/// What the node answers where another process has the data folder.
const ALREADY_RUNNING: &str = "already_running";
/// Longest that a command may have the data folder before that is told.
const BUSY: Duration = Duration::from_secs(10);
/// How often a busy data folder is tried again: its lock tells nobody when it is free.
const BUSY_INTERVAL: Duration = Duration::from_millis(100);
/// How soon a node that could not start is tried again.
const RETRY: Duration = Duration::from_secs(3);
/// How a player is called that makes sound, or is about to.
#[cfg(desktop)]
const SOUNDS: [&str; 2] = ["playing", "buffering"];
/// Events that go to the page at once.
const BATCH: usize = 256;

/// The way to the node, which is found anew when it is lost.
pub(crate) struct Link {
    place: watch::Sender<Place>,
    here: Arc<Mutex<Option<Arc<NodeHandle>>>>,
    keeper: JoinHandle<()>,
}

#[derive(Clone)]
enum Place {
    Sought,
    Found { api: Arc<dyn Api>, is_daemon: bool },
    Failed(ApiError),
}

impl Link {
    /// Looks for a node on a data folder, and stays with it.
    pub(crate) fn start(app: AppHandle, data: PathBuf) -> Self {
        let (place, here) = (watch::Sender::new(Place::Sought), Arc::default());
        let keeper = tauri::async_runtime::spawn(keep(app, data, place.clone(), Arc::clone(&here)));
        Self { place, here, keeper }
    }

    /// Returns the node, once there is one.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn api(&self) -> Result<Arc<dyn Api>, ApiError> {
        let mut places = self.place.subscribe();
        let place = places.wait_for(|place| !matches!(place, Place::Sought)).await;
        match place.as_deref() {
            Ok(Place::Found { api, .. }) => Ok(api.clone()),
            Ok(Place::Failed(error)) => Err(error.clone()),
            Ok(Place::Sought) | Err(_) => Err(ApiError::new("app_ending", "the app is about to end")),
        }
    }

    /// Says how it stands with the node.
    pub(crate) fn connection(&self) -> Connection {
        self.place.borrow().connection()
    }

    /// Says whether something would stop if this process ended: sound, or a long piece of work. What a daemon does
    /// goes on without it.
    #[cfg(desktop)]
    pub(crate) async fn is_busy(&self) -> bool {
        let Place::Found { api, is_daemon: false } = self.place.borrow().clone() else { return false };
        let player = api.call(Request::Player(PlayerCommand::State)).await;
        let sounds = matches!(player, Ok(Response::Player(state)) if SOUNDS.contains(&&*state.status));
        sounds || matches!(api.call(Request::Jobs).await, Ok(Response::Jobs(jobs)) if !jobs.jobs.is_empty())
    }

    /// Ends the node of this process; a daemon goes on.
    pub(crate) async fn close(&self) {
        self.keeper.abort();
        let here = self.here.lock().expect("no holder panics").take();
        if let Some(node) = here {
            node.shutdown().await;
        }
    }
}

impl Place {
    fn connection(&self) -> Connection {
        match self {
            Self::Sought => Connection { state: "connecting", daemon: false, error: None },
            Self::Found { is_daemon, .. } => Connection { state: "open", daemon: *is_daemon, error: None },
            Self::Failed(error) => Connection { state: "lost", daemon: false, error: Some(error.clone()) },
        }
    }
}

async fn keep(
    app: AppHandle,
    data: PathBuf,
    place: watch::Sender<Place>,
    here: Arc<Mutex<Option<Arc<NodeHandle>>>>,
) {
    let turn = |to: Place| {
        let connection = to.connection();
        place.send_replace(to);
        app.state::<Page>().tell(vec![Message::from(connection)]);
    };
    loop {
        turn(Place::Sought);
        match attach(&data).await {
            Ok(Attached::Daemon(daemon)) => {
                turn(Place::Found { api: daemon.clone(), is_daemon: true });
                hear(&app, daemon).await;
            }
            Ok(Attached::Here(node)) => {
                let _server = serve(node.clone(), &data).await;
                here.lock().expect("no holder panics").replace(node.clone());
                turn(Place::Found { api: node.clone(), is_daemon: false });
                let ended = tokio::select! {
                    ended = node.ended() => ended,
                    () = hear(&app, node.clone()) => Ended::Restart,
                };
                node.shutdown().await;
                if ended == Ended::Shutdown {
                    return app.exit(0);
                }
            }
            Err(error) => {
                tracing::error!(code = error.code, message = error.message, "there is no node");
                turn(Place::Failed(error));
                sleep(RETRY).await;
            }
        }
    }
}

enum Attached {
    Daemon(Arc<Remote>),
    Here(Arc<NodeHandle>),
}

async fn attach(data: &Path) -> Result<Attached, ApiError> {
    let deadline = Instant::now() + BUSY;
    loop {
        if let Some(daemon) = Remote::connect(data).await {
            return Ok(Attached::Daemon(Arc::new(daemon)));
        }
        let config = Config { data: data.to_owned(), ..Config::default() };
        match Box::pin(Node::start(config)).await {
            Ok(node) => return Ok(Attached::Here(node)),
            Err(error) if error.code == ALREADY_RUNNING && Instant::now() < deadline => {
                sleep(BUSY_INTERVAL).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Lets the command line reach the node of this process, as it reaches a daemon.
async fn serve(node: Arc<NodeHandle>, data: &Path) -> Option<Server> {
    if cfg!(mobile) {
        return None;
    }
    let server = Server::start(node, data, None).await;
    server.inspect_err(|error| tracing::warn!(%error, "the command line cannot reach the app")).ok()
}

/// Hands events on until they end.
async fn hear(app: &AppHandle, api: Arc<dyn Api>) {
    let Ok(mut events) = api.events().await else { return };
    let mut news = News::default();
    let mut batch = Vec::with_capacity(BATCH);
    while next(&mut events, &mut batch).await {
        platform::heard(app, &batch);
        news.heard(app, &api, &batch).await;
        app.state::<Page>().tell(batch.drain(..).map(Message::from).collect());
    }
}

async fn next(events: &mut mpsc::Receiver<Event>, batch: &mut Vec<Event>) -> bool {
    events.recv_many(batch, BATCH).await > 0
}
