//! The daemon's loopback socket: the Api as JSON over a WebSocket, for whoever can read the token in the data folder.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{
    Router,
    extract::{
        Query, State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response as HttpResponse},
    routing::any,
};
use data_encoding::HEXLOWER;
use futures_util::{SinkExt, StreamExt, stream::SplitStream};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{ApiError, Event, Request, Response},
    folder,
    shell::{Api, EVENT_BACKLOG},
};

/// Longest request: a release with 200 long paths fits many times.
const MAX_REQUEST_LEN: usize = 1 << 20;
/// Requests of one client that are worked on at once; further ones wait.
const MAX_CONCURRENT: usize = 64;
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
    Call(Request),
    Listen(bool),
}

/// What the daemon sends.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ServerFrame {
    Ok { id: u64, response: Box<Response> },
    Error { id: u64, error: ApiError },
    Event(Event),
}

/// A served Api; dropping it closes the socket with every connection, and removes the address file.
#[derive(Debug)]
pub struct Server {
    file: PathBuf,
    ending: CancellationToken,
}

#[derive(Clone)]
struct Shared {
    api: Arc<dyn Api>,
    token: Arc<str>,
    port: u16,
    ending: CancellationToken,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
}

impl Server {
    /// Serves the Api on a free loopback port and writes where into the data folder, mode 0600.
    ///
    /// # Errors
    /// When no port or no file can be had.
    pub async fn start(api: Arc<dyn Api>, data: &Path) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        let address = Address { addr, token: HEXLOWER.encode(&secret), pid: std::process::id() };
        let file = data.join(ADDRESS_FILE);
        folder::write_private(&file, &serde_json::to_vec(&address)?)?;
        let ending = CancellationToken::new();
        let shared = Shared { api, token: address.token.into(), port: addr.port(), ending: ending.clone() };
        let router = Router::new().route("/ws", any(upgrade)).with_state(shared);
        let ended = ending.clone();
        tokio::spawn(async move {
            let served = ended.run_until_cancelled(axum::serve(listener, router).into_future()).await;
            if let Some(Err(error)) = served {
                tracing::error!(%error, "the local socket ended");
            }
        });
        Ok(Self { file, ending })
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
    let given = token.token.unwrap_or_default();
    if !bool::from(given.as_bytes().ct_eq(shared.token.as_bytes())) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if !is_own_page(&headers, shared.port) {
        return StatusCode::FORBIDDEN.into_response();
    }
    upgrade
        .max_message_size(MAX_REQUEST_LEN)
        .on_upgrade(move |socket| async move {
            shared.ending.run_until_cancelled(serve(shared.api, socket)).await;
        })
        .into_response()
}

/// Refuses web pages of other origins and names that were rebound to the loopback address.
fn is_own_page(headers: &HeaderMap, port: u16) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let host = text(header::HOST).is_some_and(|host| hosts.iter().any(|own| own == host));
    let origin = text(header::ORIGIN)
        .is_none_or(|origin| hosts.iter().any(|own| origin.strip_prefix("http://") == Some(own.as_str())));
    host && origin
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
                let error = ApiError::new("bad_request", format!("the request cannot be read: {error}"));
                let _ = sender.send(ServerFrame::Error { id: 0, error }).await;
                continue;
            }
        };
        while calls.len() >= MAX_CONCURRENT {
            calls.join_next().await;
        }
        while calls.try_join_next().is_some() {}
        match frame.request {
            ClientRequest::Call(request) => {
                calls.spawn(answer(api.clone(), frame.id, request, sender.clone()));
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
        if sender.send(ServerFrame::Event(event)).await.is_err() {
            return;
        }
    }
}
