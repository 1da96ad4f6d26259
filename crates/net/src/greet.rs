//! From an authenticated connection to a session: the hellos, and who decides.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use domain::PeerId;
use quinn::{Connection, ConnectionError, Incoming, SendStream, VarInt};
use tokio::{sync::Semaphore, time::timeout};
use tracing::debug;

use crate::{
    close, early,
    error::NetError,
    event::{DownReason, Event, Path},
    frames::Frames,
    link::{Lane, Link, canonical},
    network::Shared,
    overlay::is_circuit,
    relay,
    sessions::{Commit, Offer, Purpose, Unwanted},
    streams, tls,
    wire::{FrameKind, Hello, VERSION, frame_header},
};

/// How long a peer may take to say where it sees this node.
const OBSERVATION: Duration = Duration::from_secs(10);
/// Handshakes of strangers at a time; above it an address must prove itself first (QUIC retry).
const UNPROVEN: usize = 64;
/// Handshakes of strangers at a time at all.
const GREETINGS: usize = 512;

/// A connection on its way to become a session.
pub(crate) struct Greeting {
    pub(crate) connection: Connection,
    pub(crate) path: Path,
    /// This side dialled.
    pub(crate) dialled: bool,
    /// What this side dialled it for.
    pub(crate) purpose: Purpose,
}

/// What became of a greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greeted {
    /// The connection carries the session.
    Session,
    /// Another connection between the two does, or is about to.
    Elsewhere,
}

/// Takes a commit back when the greeting ends without a session, however it ends.
struct Committing<'a> {
    shared: &'a Shared,
    peer: PeerId,
    session: u64,
}

impl Drop for Committing<'_> {
    fn drop(&mut self) {
        self.shared.sessions().abort(&self.peer, self.session);
    }
}

/// Accepts connections until the endpoint closes.
pub(crate) async fn accept_all(shared: Arc<Shared>) {
    let greetings = Arc::new(Semaphore::new(GREETINGS));
    while let Some(incoming) = shared.endpoint.quinn().accept().await {
        let crowded = greetings.available_permits() < GREETINGS - UNPROVEN;
        if crowded && incoming.may_retry() {
            let _ = incoming.retry();
            continue;
        }
        let Ok(permit) = greetings.clone().try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let (from, within) = (incoming.remote_address(), shared.config.limits.greeting);
            if let Err(error) = timeout(within, accept(shared, incoming)).await.unwrap_or(Ok(())) {
                debug!(%from, %error, "connection refused");
            }
        });
    }
}

async fn accept(shared: Arc<Shared>, incoming: Incoming) -> Result<(), NetError> {
    let from = canonical(incoming.remote_address());
    let path = if is_circuit(&from) { Path::Relayed } else { Path::Direct };
    let lost = |error| NetError::lost(shared.id, error);
    let connecting = shared.endpoint.accept(incoming).map_err(lost)?;
    let connection = early::accept(&shared, connecting).await.map_err(lost)?;
    if path == Path::Direct {
        shared.reach().accepted(from);
    }
    let greeting = Greeting { connection, path, dialled: false, purpose: Purpose::Connect };
    greet(&shared, greeting).await.map(drop)
}

/// Makes a session of a connection, or closes it.
pub(crate) async fn greet(shared: &Arc<Shared>, greeting: Greeting) -> Result<Greeted, NetError> {
    let connection = greeting.connection.clone();
    let peer = tls::peer_of(&connection).ok_or(NetError::Closed)?;
    if peer == shared.id {
        connection.close(close::LEFT, b"");
        return Err(NetError::SelfConnection);
    }
    let from = (!greeting.dialled).then(|| canonical(connection.remote_address()));
    let admitted = shared.sessions().admit(&peer, from, &shared.config.limits);
    let result = match admitted {
        Ok(()) if shared.id < peer => lead(shared, peer, greeting).await,
        Ok(()) => follow(shared, peer, greeting).await,
        Err(unwanted) => Err(refuse(&connection, peer, unwanted)),
    };
    match result {
        Err(_) if closed_as(&connection, close::DUPLICATE) => Ok(Greeted::Elsewhere),
        Err(_) if closed_as(&connection, close::FULL) => Err(NetError::Busy(peer)),
        Err(_) if closed_as(&connection, close::BLOCKED) => Err(NetError::Refused(peer)),
        Err(NetError::Protocol { .. }) => {
            connection.close(close::PROTOCOL, b"");
            result
        }
        result => result,
    }
}

/// The side with the lower id decides.
async fn lead(shared: &Arc<Shared>, peer: PeerId, greeting: Greeting) -> Result<Greeted, NetError> {
    let Greeting { connection, path, dialled, purpose } = greeting;
    let mut early = None;
    if !dialled {
        early = Some(their_hello(&connection, peer).await?);
    }
    let held = early.as_ref().map(|(hello, _)| hello.replaces);
    let offer = Offer { path, held, purpose };
    let commit = match shared.sessions().commit(peer, offer) {
        Ok(commit) => commit,
        Err(Unwanted::Duplicate) => {
            connection.close(close::DUPLICATE, b"");
            return Ok(Greeted::Elsewhere);
        }
        Err(unwanted) => return Err(refuse(&connection, peer, unwanted)),
    };
    let _committing = Committing { shared, peer, session: commit.session };
    let send = our_hello(&connection, peer, commit).await?;
    let (hello, frames) = match early {
        Some(early) => early,
        None => their_hello(&connection, peer).await?,
    };
    install(shared, peer, commit, Lane { connection, send, frames, path, dialled, hello });
    Ok(Greeted::Session)
}

/// The side with the higher id offers what it still holds, and takes what the other commits.
async fn follow(shared: &Arc<Shared>, peer: PeerId, greeting: Greeting) -> Result<Greeted, NetError> {
    let Greeting { connection, path, dialled, purpose } = greeting;
    let link = shared.link(&peer).filter(|_| purpose == Purpose::Connect);
    let held = link.map_or(0, |link| link.session());
    let send = our_hello(&connection, peer, Commit { session: 0, replaces: held }).await?;
    let (hello, frames) = their_hello(&connection, peer).await?;
    if hello.session == 0 {
        return Err(NetError::protocol(peer, "no session number"));
    }
    let commit = Commit { session: hello.session, replaces: hello.replaces };
    install(shared, peer, commit, Lane { connection, send, frames, path, dialled, hello });
    Ok(Greeted::Session)
}

async fn our_hello(connection: &Connection, peer: PeerId, commit: Commit) -> Result<SendStream, NetError> {
    let hello = Hello { version: VERSION, features: 0, session: commit.session, replaces: commit.replaces };
    let payload = hello.encode();
    let header = frame_header(FrameKind::Hello, payload.len()).expect("a hello is far below the limit");
    let mut send = connection.open_uni().await.map_err(|error| NetError::lost(peer, error))?;
    let written = send.write_all_chunks(&mut [header, payload]).await;
    written.map_err(|error| NetError::lost(peer, error))?;
    Ok(send)
}

async fn their_hello(connection: &Connection, peer: PeerId) -> Result<(Hello, Frames), NetError> {
    let stream = connection.accept_uni().await.map_err(|error| NetError::lost(peer, error))?;
    let mut frames = Frames::new(stream);
    let hello = frames.hello().await.map_err(|error| NetError::protocol(peer, error))?;
    Ok((hello, frames))
}

/// Goes on with the session that the commit names, or begins one in place of any other.
fn install(shared: &Arc<Shared>, peer: PeerId, commit: Commit, lane: Lane) {
    let (connection, path) = (lane.connection.clone(), lane.path);
    let existing = shared.link(&peer).filter(|link| commit.replaces == link.session());
    let switched = match existing {
        Some(link) => link.switch(commit.session, lane).map_err(|lane| *lane),
        None => Err(lane),
    };
    match switched {
        Ok(()) => shared.sessions().switched(&peer),
        Err(lane) => begin(shared, peer, commit, lane),
    }
    tokio::spawn(streams::serve(Arc::downgrade(shared), peer, connection.clone()));
    tokio::spawn(relay::datagrams(Arc::downgrade(shared), connection.clone()));
    if path == Path::Direct {
        tokio::spawn(look_at_ourselves(Arc::downgrade(shared), peer, connection));
    }
    shared.sessions_changed();
}

fn begin(shared: &Arc<Shared>, peer: PeerId, commit: Commit, lane: Lane) {
    let (link, ends) = Link::new(peer, commit.session, lane, shared.config.limits.queued);
    let displaced = shared.sessions().install(peer, link.clone());
    let surplus = shared.sessions().surplus(&link, &shared.config.limits);
    if let Some(surplus) = surplus {
        surplus.end(DownReason::Disconnected);
    }
    let (shared, events) = (Arc::downgrade(shared), shared.events.clone());
    tokio::spawn(async move {
        if let Some(displaced) = displaced {
            displaced.end(DownReason::Replaced);
            displaced.ended().await;
        }
        let reason = link.run(ends, &events).await;
        if let Some(shared) = shared.upgrade() {
            shared.sessions().remove(&link);
            shared.sessions_changed();
        }
        let _ = events.send(Event::Down { peer, reason }).await;
        link.set_ended();
    });
}

/// Asks a new peer where it sees this node.
async fn look_at_ourselves(shared: Weak<Shared>, peer: PeerId, connection: Connection) {
    let observed = timeout(OBSERVATION, streams::observe(peer, connection)).await;
    if let (Ok(Ok(addr)), Some(shared)) = (observed, shared.upgrade()) {
        shared.reach().observed(peer, addr);
        shared.tell_external_address().await;
    }
}

fn closed_as(connection: &Connection, code: VarInt) -> bool {
    let reason = connection.close_reason();
    matches!(reason, Some(ConnectionError::ApplicationClosed(closed)) if closed.error_code == code)
}

fn refuse(connection: &Connection, peer: PeerId, unwanted: Unwanted) -> NetError {
    connection.close(close::code_of_unwanted(unwanted), b"");
    match unwanted {
        Unwanted::Blocked => NetError::Blocked(peer),
        Unwanted::Duplicate | Unwanted::Full => NetError::Refused(peer),
    }
}
