//! The node behind the window, found anew when it is lost.

use std::{path::PathBuf, sync::Arc, time::Duration};

use node::{
    Api, Attached, Config, Ended, News, NodeHandle, Server,
    api::{ApiError, Event},
};
use tauri::{AppHandle, Manager, async_runtime::JoinHandle};
use tauri_plugin_notification::NotificationExt;
use tokio::sync::{mpsc, watch};

use crate::{
    page::{Connection, Message, Page},
    platform,
};

/// How soon a node that could not start is tried again.
const RETRY: Duration = Duration::from_secs(3);
/// Events that go to the page at once.
const BATCH: usize = 256;

/// The way to the node.
pub(crate) struct Link {
    place: watch::Sender<Place>,
    keeper: JoinHandle<()>,
}

#[derive(Clone)]
enum Place {
    Sought,
    Found(Attached),
    Failed(ApiError),
}

impl Link {
    /// Looks for a node on a data folder, and stays with it.
    pub(crate) fn start(app: AppHandle, data: PathBuf) -> Self {
        let place = watch::Sender::new(Place::Sought);
        let keeper = tauri::async_runtime::spawn(keep(app, data, place.clone()));
        Self { place, keeper }
    }

    /// Returns the node, once there is one.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn api(&self) -> Result<Arc<dyn Api>, ApiError> {
        let mut places = self.place.subscribe();
        let place = places.wait_for(|place| !matches!(place, Place::Sought)).await;
        match place.as_deref() {
            Ok(Place::Found(node)) => Ok(node.api()),
            Ok(Place::Failed(error)) => Err(error.clone()),
            Ok(Place::Sought) | Err(_) => Err(ApiError::new("app_ending", "the app is about to end")),
        }
    }

    /// Returns the node of this process.
    ///
    /// # Errors
    /// Where it is another process's.
    pub(crate) async fn here(&self) -> Result<Arc<NodeHandle>, ApiError> {
        self.api().await?;
        match &*self.place.borrow() {
            Place::Found(Attached::Here(node)) => Ok(node.clone()),
            _ => Err(ApiError::new("not_here", "another process has the data folder")),
        }
    }

    /// Says how it stands with the node.
    pub(crate) fn connection(&self) -> Connection {
        self.place.borrow().connection()
    }

    /// Says whether something would stop if this process ended.
    #[cfg(desktop)]
    pub(crate) async fn is_busy(&self) -> bool {
        let Place::Found(node) = self.place.borrow().clone() else { return false };
        node.is_busy().await
    }

    /// Ends the node of this process; a daemon goes on.
    pub(crate) async fn close(&self) {
        self.keeper.abort();
        let place = self.place.borrow().clone();
        if let Place::Found(Attached::Here(node)) = place {
            node.shutdown().await;
        }
    }
}

impl Place {
    fn connection(&self) -> Connection {
        match self {
            Self::Sought => Connection { state: "connecting", daemon: false, error: None },
            Self::Found(node) => Connection { state: "open", daemon: node.is_daemon(), error: None },
            Self::Failed(error) => Connection { state: "lost", daemon: false, error: Some(error.clone()) },
        }
    }
}

async fn keep(app: AppHandle, data: PathBuf, place: watch::Sender<Place>) {
    let config = Config { data, ..Config::default() };
    let turn = |to: Place| {
        let connection = to.connection();
        place.send_replace(to);
        app.state::<Page>().tell(vec![Message::from(connection)]);
    };
    loop {
        turn(Place::Sought);
        match Attached::to(&config).await {
            Ok(found) => {
                turn(Place::Found(found.clone()));
                if stay(&app, &config, &found).await == Ended::Shutdown {
                    return app.exit(0);
                }
            }
            Err(error) => {
                tracing::error!(code = error.code, message = error.message, "there is no node");
                turn(Place::Failed(error));
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Hands events on until the node ends.
async fn stay(app: &AppHandle, config: &Config, found: &Attached) -> Ended {
    let Attached::Here(node) = found else {
        hear(app, found.api()).await;
        return Ended::Restart;
    };
    let _server = serve(node.clone(), config).await;
    let ended = tokio::select! {
        ended = node.ended() => ended,
        () = hear(app, found.api()) => Ended::Restart,
    };
    node.shutdown().await;
    ended
}

/// Lets the command line reach the node of this process, as it reaches a daemon.
async fn serve(node: Arc<NodeHandle>, config: &Config) -> Option<Server> {
    if cfg!(mobile) {
        return None;
    }
    let server = Server::start(node, &config.data, None).await;
    server.inspect_err(|error| tracing::warn!(%error, "the command line cannot reach the app")).ok()
}

async fn hear(app: &AppHandle, api: Arc<dyn Api>) {
    let Ok(mut events) = api.events().await else { return };
    let mut news = News::default();
    let mut batch = Vec::with_capacity(BATCH);
    while next(&mut events, &mut batch).await {
        platform::heard(app, &batch);
        for release in news.among(api.as_ref(), &batch).await {
            notify(app, &format!("{} · {}", release.title, release.artist));
        }
        app.state::<Page>().tell(batch.drain(..).map(Message::from).collect());
    }
}

async fn next(events: &mut mpsc::Receiver<Event>, batch: &mut Vec<Event>) -> bool {
    events.recv_many(batch, BATCH).await > 0
}

fn notify(app: &AppHandle, release: &str) {
    let words = app.state::<Page>().words();
    if let Err(error) = app.notification().builder().title(words.released).body(release).show() {
        tracing::warn!(%error, "no notification can be shown");
    }
}
