//! Opening a way between two peers behind routers, with the help of a peer that both are connected with:
//! one side dials QUIC, the other sends raw packets from its socket, which open its own router and show the
//! dialler the address it really has.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use domain::PeerId;
use quinn::Connection;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    contact::is_dialable,
    error::NetError,
    link::Link,
    lock::lock,
    network::Shared,
    streams,
    wire::{Introduce, Introduced, MAX_ADDRESSES, Opening, Probe, Reply, Token},
};

/// How long one attempt may take after the introduction.
const ATTEMPT: Duration = Duration::from_secs(3);
/// How long an introduction may take.
const INTRODUCTION: Duration = Duration::from_secs(3);
/// When probes are sent, after the introduction: routers may drop the first ones.
const PROBE_TIMES: [u64; 8] = [0, 50, 100, 200, 400, 800, 1300, 1900];
/// Introductions that may be under way at a time on this node's behalf.
const AWAITED: usize = 64;
/// Addresses, of those from which probes come, that are dialled.
const REFLEXIVE: usize = 4;

/// Who waits for the probes of which introduction.
#[derive(Debug, Default)]
pub(crate) struct Awaited(Mutex<HashMap<Token, mpsc::Sender<SocketAddr>>>);

impl Awaited {
    /// Hands the probes that arrive to those who wait for them.
    pub(crate) async fn distribute(
        shared: std::sync::Weak<Shared>,
        mut probes: mpsc::Receiver<(Token, SocketAddr)>,
    ) {
        while let Some((token, addr)) = probes.recv().await {
            let Some(shared) = shared.upgrade() else { return };
            let waiting = shared.awaited.table().get(&token).cloned();
            waiting.map(|waiting| waiting.try_send(addr));
        }
    }

    fn expect(&self, token: Token) -> Option<mpsc::Receiver<SocketAddr>> {
        let mut table = self.table();
        if table.len() >= AWAITED {
            return None;
        }
        let (sender, receiver) = mpsc::channel(REFLEXIVE);
        table.insert(token, sender);
        Some(receiver)
    }

    fn forget(&self, token: &Token) {
        self.table().remove(token);
    }

    fn table(&self) -> std::sync::MutexGuard<'_, HashMap<Token, mpsc::Sender<SocketAddr>>> {
        lock(&self.0)
    }
}

/// Forgets whom to wait for, however the attempt ends.
struct Expecting<'a> {
    shared: &'a Shared,
    token: Token,
}

impl Drop for Expecting<'_> {
    fn drop(&mut self) {
        self.shared.awaited.forget(&self.token);
    }
}

/// Asks a mutual peer for an introduction and dials what comes of it.
pub(crate) async fn punch(
    shared: &Arc<Shared>,
    mutual: &Link,
    target: PeerId,
) -> Result<Connection, NetError> {
    let token = shared.endpoint.random();
    let probes = shared.awaited.expect(token).ok_or(NetError::Timeout("other introductions"))?;
    let _expecting = Expecting { shared, token };
    let opening = Opening::Introduce(Introduce { target, candidates: shared.candidates(), token });
    let connection = mutual.connection();
    let asked = streams::ask(mutual.peer(), &connection, &opening, Bytes::new());
    let asked = timeout(INTRODUCTION, asked).await;
    match asked.unwrap_or(Err(NetError::Timeout("the introduction")))?.0 {
        Reply::Candidates(addrs) => dial(shared, target, addrs, probes).await,
        reply => Err(streams::unexpected(mutual.peer(), &reply)),
    }
}

/// Dials all candidates at once, and those from which probes come.
async fn dial(
    shared: &Arc<Shared>,
    target: PeerId,
    mut addrs: Vec<SocketAddr>,
    mut probes: mpsc::Receiver<SocketAddr>,
) -> Result<Connection, NetError> {
    addrs.retain(is_dialable);
    let deadline = Instant::now() + ATTEMPT;
    let mut attempts = JoinSet::new();
    let start = |attempts: &mut JoinSet<_>, addr| {
        let shared = shared.clone();
        attempts.spawn(async move { shared.dial(target, addr).await });
    };
    addrs.iter().for_each(|addr| start(&mut attempts, *addr));
    let won = async {
        loop {
            tokio::select! {
                Some(attempt) = attempts.join_next() => if let Ok(Ok(connection)) = attempt { return connection },
                Some(addr) = probes.recv() => if !addrs.contains(&addr) && addrs.len() < MAX_ADDRESSES + REFLEXIVE {
                    addrs.push(addr);
                    start(&mut attempts, addr);
                },
                else => std::future::pending::<()>().await,
            }
        }
    };
    timeout_at(deadline, won).await.map_err(|_| NetError::PeerUnreachable(target))
}

/// Passes an introduction on, adding where the asker is seen.
pub(crate) async fn introduce(
    shared: &Arc<Shared>,
    (peer, connection): (PeerId, Connection),
    introduce: Introduce,
) -> Reply {
    let Some(asker) = shared.link(&peer) else { return Reply::Refused };
    let Some(target) = shared.link(&introduce.target) else { return Reply::NotFound };
    if !asker.may_introduce() {
        return Reply::Busy;
    }
    let candidates = with_seen(introduce.candidates, &connection);
    let opening = Opening::Introduced(Introduced { from: peer, candidates, token: introduce.token });
    let far = target.connection();
    let asked = streams::ask(target.peer(), &far, &opening, Bytes::new());
    match timeout(INTRODUCTION, asked).await {
        Ok(Ok((Reply::Candidates(candidates), _))) => Reply::Candidates(with_seen(candidates, &far)),
        Ok(Ok((reply @ (Reply::Refused | Reply::Busy), _))) => reply,
        _ => Reply::NotFound,
    }
}

/// Lets itself be introduced: says where it is and probes towards the asker.
pub(crate) fn introduced(shared: &Arc<Shared>, by: PeerId, introduced: Introduced) -> Reply {
    let Some(mutual) = shared.link(&by) else { return Reply::Refused };
    if shared.sessions().is_blocked(&introduced.from) || introduced.from == shared.id {
        return Reply::Refused;
    }
    if !mutual.may_introduce() {
        return Reply::Busy;
    }
    let candidates = shared.candidates();
    let shared = shared.clone();
    tokio::spawn(async move {
        let begun = Instant::now();
        for at in PROBE_TIMES {
            tokio::time::sleep_until(begun + Duration::from_millis(at)).await;
            for addr in introduced.candidates.iter().filter(|addr| is_dialable(addr)) {
                shared.probe(*addr, Probe { token: introduced.token });
            }
        }
    });
    Reply::Candidates(candidates)
}

/// Puts the address at which a peer is seen before those that it names.
fn with_seen(mut candidates: Vec<SocketAddr>, connection: &Connection) -> Vec<SocketAddr> {
    let seen = crate::link::canonical(connection.remote_address());
    if !crate::overlay::is_circuit(&seen) {
        candidates.retain(|addr| *addr != seen);
        candidates.insert(0, seen);
        candidates.truncate(MAX_ADDRESSES);
    }
    candidates
}
