//! The daemon's loopback socket: the Api as JSON over a WebSocket, for whoever can read the token in the data folder,
//! and beside it the app's page and what JSON does not carry.

mod web;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    extract::{
        DefaultBodyLimit, Query, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::HeaderMap,
    response::{IntoResponse, Response as HttpResponse},
    routing::{any, get, post},
};
use data_encoding::HEXLOWER;
use futures_util::{SinkExt, StreamExt, stream::SplitStream};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{ApiError, Event, Request, Response},
    drafts::Drafts,
    folder,
    shell::{Api, EVENT_BACKLOG},
};
pub use web::{Page, Web};

/// Longest request: a release with 200 long paths fits many times.
const MAX_REQUEST_LEN: usize = 1 << 20;
/// Requests of one client that are worked on at once; further ones wait.
const MAX_CONCURRENT: usize = 64;
/// Characters of the reason why a request cannot be read.
const MAX_REASON: usize = 200;
/// The file in the data folder that says where the daemon listens.
const ADDRESS_FILE: &str = "daemon.json";

/// Where a running daemon can be reached, readable by its user only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) addr: SocketAddr,
    pub(crate) token: String,
    pub(crate) pid: u32,
}

/// What a client sends.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ClientFrame {
    pub(crate) id: u64,
    #[serde(flatten)]
    pub(crate) request: ClientRequest,
}

/// A call, or the wish to hear events.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientRequest {
    Call(Box<Request>),
    Listen(bool),
}

/// What the daemon sends.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ServerFrame {
    Ok { id: u64, response: Box<Response> },
    Error { id: u64, error: ApiError },
    Event(Box<Event>),
}

/// A served Api; dropping it closes the socket with every connection, and removes the address file.
#[derive(Debug)]
pub struct Server {
    file: PathBuf,
    ending: CancellationToken,
    link: Option<String>,
}

#[derive(Clone)]
struct Shared {
    api: Arc<dyn Api>,
    gate: Arc<web::Gate>,
    drafts: Drafts,
    ending: CancellationToken,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
}

impl Server {
    /// Serves the Api on a loopback port, with the app's page where there is one, and writes where into the data
    /// folder, mode 0600. With a page, port and token are those of the last time where they can be: a page that is
    /// open finds its daemon again.
    ///
    /// # Errors
    /// When no port or no file can be had.
    pub async fn start(api: Arc<dyn Api>, data: &Path, web: Option<Web>) -> io::Result<Self> {
        let (listener, token) = match &web {
            Some(web) => web::listen(data, web.addr).await?,
            None => (TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?, fresh_token()?),
        };
        let address = Address { addr: listener.local_addr()?, token, pid: std::process::id() };
        let file = data.join(ADDRESS_FILE);
        folder::write_private(&file, &serde_json::to_vec(&address)?)?;
        let link = web.as_ref().map(|_| format!("http://{}/#token={}", address.addr, address.token));
        let ending = CancellationToken::new();
        let gate = Arc::new(web::Gate::new(&address, web));
        let drafts = Drafts::new(data);
        let shared = Shared { api, gate, drafts, ending: ending.clone() };
        let router = Router::new()
            .route("/ws", any(upgrade))
            .route("/asset/{hash}", get(web::asset))
            .route("/upload", post(web::upload).layer(DefaultBodyLimit::disable()))
            .fallback(get(web::page))
            .with_state(shared);
        let ended = ending.clone();
        tokio::spawn(async move {
            let served = ended.run_until_cancelled(axum::serve(listener, router).into_future()).await;
            if let Some(Err(error)) = served {
                tracing::error!(%error, "the local socket ended");
            }
        });
        Ok(Self { file, ending, link })
    }

    /// Returns the link that opens the app in a browser, with its token, where a page is served.
    pub fn link(&self) -> Option<&str> {
        self.link.as_deref()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ending.cancel();
        // A file that stays behind only costs the next client one refused connection.
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Reads where the data folder's daemon listens.
pub(crate) fn address(data: &Path) -> Option<Address> {
    serde_json::from_slice(&std::fs::read(data.join(ADDRESS_FILE)).ok()?).ok()
}

async fn upgrade(
    State(shared): State<Shared>,
    Query(token): Query<Token>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> HttpResponse {
    if let Err(refused) = shared.gate.admit(&token.token.unwrap_or_default(), &headers) {
        return refused.into_response();
    }
    upgrade
        .max_message_size(MAX_REQUEST_LEN)
        .on_upgrade(move |socket| async move {
            shared.ending.run_until_cancelled(serve(shared.api, socket)).await;
        })
        .into_response()
}

fn fresh_token() -> io::Result<String> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(io::Error::other)?;
    Ok(HEXLOWER.encode(&secret))
}

async fn serve(api: Arc<dyn Api>, socket: WebSocket) {
    let (mut sink, stream) = socket.split();
    let (sender, mut frames) = mpsc::channel::<ServerFrame>(EVENT_BACKLOG);
    let mut reader = JoinSet::new();
    reader.spawn(read(api, stream, sender));
    while let Some(frame) = frames.recv().await {
        let text = serde_json::to_string(&frame).expect("frames are plain data");
        if sink.send(Message::text(text)).await.is_err() {
            break;
        }
    }
}

async fn read(api: Arc<dyn Api>, mut stream: SplitStream<WebSocket>, sender: mpsc::Sender<ServerFrame>) {
    let mut calls = JoinSet::new();
    let mut listening: Option<tokio::task::AbortHandle> = None;
    while let Some(Ok(message)) = stream.next().await {
        let Message::Text(text) = message else { continue };
        let frame: ClientFrame = match serde_json::from_str(&text) {
            Ok(frame) => frame,
            Err(error) => {
                // The client is gone: nobody waits for the answer.
                let _ = sender.send(refusal(&text, &error)).await;
                continue;
            }
        };
        while calls.len() >= MAX_CONCURRENT {
            calls.join_next().await;
        }
        while calls.try_join_next().is_some() {}
        match frame.request {
            ClientRequest::Call(request) => {
                calls.spawn(answer(api.clone(), frame.id, *request, sender.clone()));
            }
            ClientRequest::Listen(on) => {
                if let Some(task) = listening.take() {
                    task.abort();
                }
                if on {
                    listening = Some(calls.spawn(forward(api.clone(), sender.clone())));
                }
            }
        }
    }
}

/// Refuses what cannot be read, by its own id where that can be: whoever asked waits for it.
fn refusal(text: &str, error: &serde_json::Error) -> ServerFrame {
    /// As much of a frame as any version has.
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Asked {
        id: u64,
        call: Call,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Call {
        method: Option<String>,
    }
    let id_alone = || {
        let frame = serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
        Asked { id: frame["id"].as_u64().unwrap_or_default(), call: Call::default() }
    };
    let Asked { id, call } = serde_json::from_str(text).unwrap_or_else(|_| id_alone());
    let asked = call.method.map_or_else(String::new, |method| format!(" `{method:.40}`"));
    let why: String = error.to_string().chars().take(MAX_REASON).collect();
    let message = format!("the request{asked} is not understood by this version: {why}");
    ServerFrame::Error { id, error: ApiError::new("bad_request", message) }
}

async fn answer(api: Arc<dyn Api>, id: u64, request: Request, sender: mpsc::Sender<ServerFrame>) {
    let frame = match api.call(request).await {
        Ok(response) => ServerFrame::Ok { id, response: Box::new(response) },
        Err(error) => ServerFrame::Error { id, error },
    };
    // The client is gone: nobody waits for the answer.
    let _ = sender.send(frame).await;
}

/// Hands events on; the node drops and counts them where this client does not keep up.
async fn forward(api: Arc<dyn Api>, sender: mpsc::Sender<ServerFrame>) {
    let Ok(mut events) = api.events().await else { return };
    while let Some(event) = events.recv().await {
        if sender.send(ServerFrame::Event(Box::new(event))).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> (u64, String) {
        let error = serde_json::from_str::<ClientFrame>(text).unwrap_err();
        let ServerFrame::Error { id, error } = refusal(text, &error) else { panic!("it is refused") };
        assert_eq!(error.code, "bad_request");
        (id, error.message)
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_its_own_id() {
        let (id, message) = refused(r#"{"id":7,"call":{"method":"dance"}}"#);
        assert!(id == 7 && message.contains("`dance`"), "{message}");
        assert_eq!(refused(r#"{"id":8,"call":{"method":"show","params":{"release":"x"}}}"#).0, 8);
        assert_eq!(refused(r#"{"id":9,"call":[]}"#).0, 9);
        assert_eq!(refused(r#"{"id":10}"#).0, 10);
        for nameless in
            ["", "null", "[]", r#"{"id":-1}"#, r#"{"id":"7","call":{"method":"dance"}}"#, "{\"id\":7"]
        {
            assert_eq!(refused(nameless).0, 0, "{nameless}");
        }
        let long = format!(r#"{{"id":1,"call":{{"method":"{}"}}}}"#, "x".repeat(100_000));
        assert!(refused(&long).1.len() < 400);
    }
}
