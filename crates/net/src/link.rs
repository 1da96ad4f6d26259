//! One session with one peer: an ordered, bounded stream of messages each way that outlives a change of
//! connection. A change is a new lane: the sender finishes the old stream and goes on in the new one, the
//! receiver reads the old one to its end first, so nothing is lost or reordered.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use domain::PeerId;
use quinn::{Connection, ConnectionError, SendStream};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use crate::{
    close,
    error::NetError,
    event::{DownReason, Event, Path},
    frames::{Frames, FramesError},
    lock::lock,
    wire::{self, FrameKind, Hello, MAX_MESSAGE},
};

/// Most frames written at once.
const BATCH: usize = 64;
/// Most frames that wait, whatever their size.
const QUEUED_FRAMES: usize = 8192;
/// Lanes that may wait for the one in use to end.
const LANES: usize = 2;
/// One introduction per this time in the long run, since each makes a peer send packets to strangers.
const INTRODUCTION: Duration = Duration::from_secs(6);
/// Introductions at once after a quiet time.
const INTRODUCTIONS: u32 = 10;
/// How long a finished stream waits for the lane that continues it, and a left connection for its streams.
const HANDOVER: Duration = Duration::from_secs(5);

/// One connection, greeted, with its control streams.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) connection: Connection,
    pub(crate) send: SendStream,
    pub(crate) frames: Frames,
    pub(crate) path: Path,
    /// This side dialled.
    pub(crate) dialled: bool,
    pub(crate) hello: Hello,
}

/// A live session.
#[derive(Debug)]
pub(crate) struct Link {
    peer: PeerId,
    session: AtomicU64,
    current: Mutex<Current>,
    messages: mpsc::Sender<Bytes>,
    queued: AtomicUsize,
    most_queued: usize,
    writers: mpsc::Sender<(Connection, SendStream)>,
    readers: mpsc::Sender<(Connection, Frames)>,
    /// Until when the introductions of and through this peer are paid for.
    introductions: Mutex<Instant>,
    /// When a message or a request last went either way.
    used: Mutex<Instant>,
    /// Why this side ends it, once it does.
    reason: Mutex<Option<DownReason>>,
    ended: watch::Sender<bool>,
}

#[derive(Clone, Debug)]
struct Current {
    connection: Connection,
    path: Path,
    dialled: bool,
    features: u64,
}

/// The ends of a link's channels that its tasks hold.
#[derive(Debug)]
pub(crate) struct Ends {
    messages: mpsc::Receiver<Bytes>,
    writers: mpsc::Receiver<(Connection, SendStream)>,
    readers: mpsc::Receiver<(Connection, Frames)>,
    first: (SendStream, Frames),
}

impl Link {
    pub(crate) fn new(peer: PeerId, session: u64, lane: Lane, most_queued: usize) -> (Arc<Self>, Ends) {
        let (messages, message_queue) = mpsc::channel(QUEUED_FRAMES);
        let (writers, writer_queue) = mpsc::channel(LANES);
        let (readers, reader_queue) = mpsc::channel(LANES);
        let first = Current::of(&lane);
        let link = Self {
            peer,
            session: AtomicU64::new(session),
            current: Mutex::new(first),
            messages,
            queued: AtomicUsize::new(0),
            most_queued,
            writers,
            readers,
            introductions: Mutex::new(Instant::now()),
            used: Mutex::new(Instant::now()),
            reason: Mutex::new(None),
            ended: watch::Sender::new(false),
        };
        let first = (lane.send, lane.frames);
        let ends = Ends { messages: message_queue, writers: writer_queue, readers: reader_queue, first };
        (Arc::new(link), ends)
    }

    pub(crate) fn peer(&self) -> PeerId {
        self.peer
    }

    pub(crate) fn session(&self) -> u64 {
        self.session.load(Ordering::Relaxed)
    }

    pub(crate) fn connection(&self) -> Connection {
        self.current().connection.clone()
    }

    pub(crate) fn path(&self) -> Path {
        self.current().path
    }

    /// Says whether this side dialled.
    pub(crate) fn is_dialled(&self) -> bool {
        self.current().dialled
    }

    /// Returns how long no message and no request has gone either way.
    pub(crate) fn unused(&self) -> Duration {
        lock(&self.used).elapsed()
    }

    /// Notes that the session is of use.
    pub(crate) fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }

    pub(crate) fn features(&self) -> u64 {
        self.current().features
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        canonical(self.current().connection.remote_address())
    }

    /// Queues a message; a peer that lets the queue fill up is dropped.
    pub(crate) fn send(&self, message: Bytes) -> Result<(), NetError> {
        let len = message.len();
        if len > MAX_MESSAGE {
            return Err(NetError::TooLarge { what: "message", len: len as u64, max: MAX_MESSAGE as u64 });
        }
        self.touch();
        let queued = self.queued.fetch_add(len, Ordering::Relaxed) + len;
        let fits = queued <= self.most_queued;
        match fits.then(|| self.messages.try_send(message)) {
            Some(Ok(())) => Ok(()),
            Some(Err(mpsc::error::TrySendError::Closed(_))) => Err(NetError::NotConnected(self.peer)),
            Some(Err(mpsc::error::TrySendError::Full(_))) | None => {
                self.end(DownReason::Slow);
                Err(NetError::Slow(self.peer))
            }
        }
    }

    /// Counts an introduction; `false` when the peer causes too many.
    pub(crate) fn may_introduce(&self) -> bool {
        let (mut paid, now) = (lock(&self.introductions), Instant::now());
        let start = (*paid).max(now.checked_sub(INTRODUCTION * INTRODUCTIONS).unwrap_or(now));
        let allowed = start <= now;
        if allowed {
            *paid = start + INTRODUCTION;
        }
        allowed
    }

    /// Goes on over another connection. The lane comes back when the link cannot take it.
    pub(crate) fn switch(&self, session: u64, lane: Lane) -> Result<(), Box<Lane>> {
        let (Ok(writer), Ok(reader)) = (self.writers.try_reserve(), self.readers.try_reserve()) else {
            return Err(Box::new(lane));
        };
        *self.current() = Current::of(&lane);
        self.session.store(session, Ordering::Relaxed);
        writer.send((lane.connection.clone(), lane.send));
        reader.send((lane.connection, lane.frames));
        Ok(())
    }

    /// Ends the session; its tasks report it.
    pub(crate) fn end(&self, reason: DownReason) {
        lock(&self.reason).get_or_insert(reason);
        self.connection().close(close::code_of(reason), b"");
    }

    /// Waits until the session's last event was handed over.
    pub(crate) async fn ended(&self) {
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Carries the session's messages and reports its events until it ends; returns why it did.
    pub(crate) async fn run(self: &Arc<Self>, ends: Ends, events: &mpsc::Sender<Event>) -> DownReason {
        let Ends { messages, writers, mut readers, first: (send, mut frames) } = ends;
        let writer = tokio::spawn(write(self.clone(), messages, writers, send));
        let mut connection = self.connection();
        let up = Event::Up { peer: self.peer, path: self.path(), addr: self.addr() };
        let _ = events.send(up).await;
        let cause = loop {
            let mut next = None;
            let ended = {
                let reading = self.read_lane(&mut frames, events);
                tokio::pin!(reading);
                tokio::select! {
                    ended = &mut reading => ended,
                    lane = readers.recv() => {
                        next = lane;
                        // The old lane's end must come soon, or its path is lost and what was on it too.
                        timeout(HANDOVER, reading).await.unwrap_or(Err(FramesError::Torn))
                    }
                }
            };
            if let Err(error) = ended {
                break Some(error);
            }
            if next.is_none() {
                next = timeout(HANDOVER, readers.recv()).await.ok().flatten();
            }
            let Some((next, continued)) = next else { break None };
            retire(std::mem::replace(&mut connection, next));
            frames = continued;
            let changed = Event::PathChanged { peer: self.peer, path: self.path(), addr: self.addr() };
            let _ = events.send(changed).await;
        };
        let reason = self.reason_of(&connection, cause.as_ref());
        writer.abort();
        self.connection().close(close::code_of(reason), b"");
        connection.close(close::code_of(reason), b"");
        reason
    }

    /// Says that the last event was handed over.
    pub(crate) fn set_ended(&self) {
        self.ended.send_replace(true);
    }

    /// Notes that queued bytes were handed to the transport.
    fn written(&self, bytes: usize) {
        self.queued.fetch_sub(bytes, Ordering::Relaxed);
    }

    async fn read_lane(&self, frames: &mut Frames, events: &mpsc::Sender<Event>) -> Result<(), FramesError> {
        while let Some(bytes) = frames.message().await? {
            self.touch();
            let _ = events.send(Event::Message { peer: self.peer, bytes }).await;
        }
        Ok(())
    }

    fn reason_of(&self, connection: &Connection, cause: Option<&FramesError>) -> DownReason {
        if let Some(reason) = *lock(&self.reason) {
            return reason;
        }
        match (connection.close_reason(), cause) {
            (Some(ConnectionError::ApplicationClosed(closed)), _) => close::reason_of(closed.error_code),
            (Some(ConnectionError::TimedOut), _) => DownReason::TimedOut,
            (_, Some(FramesError::Wire(_) | FramesError::Torn | FramesError::NoHello)) => {
                DownReason::Protocol
            }
            (None, None) => DownReason::Left,
            _ => DownReason::Lost,
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        lock(&self.current)
    }
}

impl Current {
    fn of(lane: &Lane) -> Self {
        let Lane { connection, path, dialled, hello, .. } = lane;
        Self { connection: connection.clone(), path: *path, dialled: *dialled, features: hello.features }
    }
}

/// Writes queued messages, in the newest lane once the one before is finished.
async fn write(
    link: Arc<Link>,
    mut messages: mpsc::Receiver<Bytes>,
    mut writers: mpsc::Receiver<(Connection, SendStream)>,
    mut send: SendStream,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            Some((_, next)) = writers.recv() => {
                let _ = send.finish();
                send = next;
            }
            taken = messages.recv_many(&mut batch, BATCH) => {
                let bytes: usize = batch.iter().map(Bytes::len).sum();
                if taken == 0 || write_frames(&mut send, &mut batch).await.is_err() {
                    return;
                }
                link.written(bytes);
            }
        }
    }
}

async fn write_frames(send: &mut SendStream, batch: &mut Vec<Bytes>) -> Result<(), quinn::WriteError> {
    let framed = batch.drain(..).flat_map(|message| {
        let header = wire::frame_header(FrameKind::Message, message.len());
        [header.expect("send checked the length"), message]
    });
    let mut pieces: Vec<Bytes> = framed.collect();
    send.write_all_chunks(&mut pieces).await
}

/// Leaves a connection to its last streams for a moment, then closes it.
fn retire(connection: Connection) {
    tokio::spawn(async move {
        let _ = timeout(HANDOVER, connection.closed()).await;
        connection.close(close::REPLACED, b"");
    });
}

/// Writes an IPv4 address as such even where the socket speaks IPv6.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
