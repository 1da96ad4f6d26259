//! The daemon's client: the Api over its loopback socket.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use crate::{
    api::{ApiError, Event, Request, Response},
    asset::{Asset, AssetName, AssetSize, MAX_ASSET},
    server::{self, Address, ClientFrame, ClientRequest, ServerFrame},
    shell::{Api, EVENT_BACKLOG},
};

type Socket = WebSocketStream<TcpStream>;
type Answer = Result<Response, ApiError>;

/// A connection to a data folder's daemon.
#[derive(Debug)]
pub struct Remote {
    address: Address,
    shared: Arc<Shared>,
    outgoing: mpsc::Sender<ClientFrame>,
}

#[derive(Debug, Default)]
struct Shared {
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    listeners: Mutex<Vec<mpsc::Sender<Event>>>,
}

impl Remote {
    /// Connects to the data folder's daemon. `None` where none runs.
    pub async fn connect(data: &Path) -> Option<Self> {
        let address = server::address(data)?;
        let url = format!("ws://{}/ws?token={}", address.addr, address.token);
        let stream = TcpStream::connect(address.addr).await.ok()?;
        let (socket, _) = client_async(url, stream).await.ok()?;
        let (outgoing, frames) = mpsc::channel(EVENT_BACKLOG);
        let shared = Arc::new(Shared::default());
        tokio::spawn(run(socket, frames, shared.clone()));
        Some(Self { address, shared, outgoing })
    }

    async fn load(&self, name: AssetName, size: AssetSize) -> Result<(StatusCode, Bytes), hyper::Error> {
        let Ok(stream) = TcpStream::connect(self.address.addr).await else {
            return Ok((StatusCode::BAD_GATEWAY, Bytes::new()));
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the sender.
        tokio::spawn(connection);
        let wanted = match size {
            AssetSize::Whole => "",
            AssetSize::Small => "?size=small",
        };
        let request = hyper::Request::get(format!("/asset/{name}{wanted}"))
            .header(header::HOST, self.address.addr.to_string())
            .header(header::AUTHORIZATION, format!("Bearer {}", self.address.token))
            .body(Empty::<Bytes>::new())
            .expect("digits make a request");
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ASSET as usize).collect().await;
        Ok(body.map_or((StatusCode::PAYLOAD_TOO_LARGE, Bytes::new()), |body| (status, body.to_bytes())))
    }

    async fn send(&self, id: u64, request: ClientRequest) -> Result<(), ApiError> {
        self.outgoing.send(ClientFrame { id, request }).await.map_err(|_| gone())
    }
}

#[async_trait]
impl Api for Remote {
    async fn call(&self, request: Request) -> Answer {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, answer) = oneshot::channel();
        self.shared.waiting.lock().expect("no holder panics").insert(id, sender);
        self.send(id, ClientRequest::Call(Box::new(request))).await?;
        // Whoever clears the waiting ones closes this first: a call that comes too late is not left waiting.
        if self.outgoing.is_closed() {
            self.shared.waiting.lock().expect("no holder panics").remove(&id);
        }
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    async fn events(&self) -> Result<mpsc::Receiver<Event>, ApiError> {
        let (sender, events) = mpsc::channel(EVENT_BACKLOG);
        self.shared.listeners.lock().expect("no holder panics").push(sender);
        self.send(0, ClientRequest::Listen(true)).await?;
        Ok(events)
    }

    async fn asset(&self, name: AssetName, size: AssetSize) -> Result<Asset, ApiError> {
        match self.load(name, size).await {
            Ok((StatusCode::OK, bytes)) => Ok(Asset::of(bytes)),
            Ok((_, bytes)) => Err(serde_json::from_slice(&bytes).unwrap_or_else(|_| gone())),
            Err(_) => Err(gone()),
        }
    }
}

async fn run(mut socket: Socket, mut frames: mpsc::Receiver<ClientFrame>, shared: Arc<Shared>) {
    loop {
        tokio::select! {
            frame = frames.recv() => {
                let Some(frame) = frame else { break };
                let text = serde_json::to_string(&frame).expect("frames are plain data");
                if socket.send(Message::text(text)).await.is_err() { break }
            }
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => shared.take(&text),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            }
        }
    }
    drop(frames);
    shared.waiting.lock().expect("no holder panics").clear();
    shared.listeners.lock().expect("no holder panics").clear();
}

impl Shared {
    fn take(&self, text: &str) {
        let (id, answer) = match serde_json::from_str(text) {
            Ok(ServerFrame::Ok { id, response }) => (id, Ok(*response)),
            Ok(ServerFrame::Error { id, error }) => (id, Err(error)),
            Ok(ServerFrame::Event(event)) => return self.tell(&event),
            Err(error) => return tracing::warn!(%error, "the daemon speaks another version"),
        };
        if let Some(waiting) = self.waiting.lock().expect("no holder panics").remove(&id) {
            // Whoever asked may have given up.
            let _ = waiting.send(answer);
        }
    }

    fn tell(&self, event: &Event) {
        let mut listeners = self.listeners.lock().expect("no holder panics");
        listeners.retain(|listener| {
            !matches!(listener.try_send(event.clone()), Err(mpsc::error::TrySendError::Closed(_)))
        });
    }
}

fn gone() -> ApiError {
    ApiError::new("daemon_gone", "the daemon has ended; start it again with `musicdao daemon`")
}
