//! Forwarding sealed datagrams between two peers, and being one of two peers that are forwarded between.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use domain::PeerId;
use quinn::{Connection, RecvStream, SendStream};
use tokio::time::timeout;

use crate::{
    error::NetError,
    event::Path,
    link::Link,
    lock::lock,
    network::Shared,
    streams,
    wire::{Opening, Relayed, Reply, Sealed, Way},
};

/// How long the far end may take to accept a circuit.
const ACCEPT: Duration = Duration::from_secs(5);

/// Whether this node relays for others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RelayPolicy {
    /// Where strangers can dial this node and the connection is not metered.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What relaying may cost.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RelayLimits {
    /// Most circuits at a time.
    pub circuits: usize,
    /// Most circuits of one peer at a time.
    pub per_peer: usize,
    /// Bytes per second, all circuits together; what is above is dropped, as a full link would.
    pub rate: u64,
    /// How long a circuit may be silent.
    pub idle: Duration,
}

/// The circuits that this node forwards.
#[derive(Debug)]
pub(crate) struct Forwarder {
    limits: RelayLimits,
    metered: AtomicBool,
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    last: u32,
    circuits: HashMap<u32, Circuit>,
    /// Until when the forwarded bytes are paid for at the rate.
    paid: Instant,
}

#[derive(Debug)]
struct Circuit {
    ends: [End; 2],
    last_used: Instant,
}

#[derive(Debug)]
struct End {
    peer: PeerId,
    connection: Connection,
}

/// A circuit that this node is an end of; it closes with this value.
#[derive(Debug)]
pub(crate) struct OpenCircuit {
    shared: Arc<Shared>,
    /// The address that stands for the other end.
    pub(crate) addr: SocketAddr,
    /// The relay forwards while these are open.
    streams: (SendStream, RecvStream),
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self { circuits: 32, per_peer: 4, rate: 1_000_000, idle: Duration::from_secs(60) }
    }
}

impl Forwarder {
    pub(crate) fn new(limits: RelayLimits, now: Instant) -> Self {
        let table = Mutex::new(Table { last: 0, circuits: HashMap::new(), paid: now });
        Self { limits, metered: AtomicBool::new(false), table }
    }

    pub(crate) fn set_metered(&self, metered: bool) {
        self.metered.store(metered, Ordering::Relaxed);
    }

    pub(crate) fn is_metered(&self) -> bool {
        self.metered.load(Ordering::Relaxed)
    }

    /// Reserves a number for a circuit between two peers, unless a limit is reached.
    fn add(&self, from: End, to: End, now: Instant) -> Option<u32> {
        let mut table = self.table();
        let of = |peer: PeerId| {
            table.circuits.values().filter(|c| c.ends.iter().any(|end| end.peer == peer)).count()
        };
        let full = table.circuits.len() >= self.limits.circuits || of(from.peer) >= self.limits.per_peer;
        if full {
            return None;
        }
        table.last = table.last.wrapping_add(1);
        let number = table.last;
        table.circuits.insert(number, Circuit { ends: [from, to], last_used: now });
        Some(number)
    }

    fn remove(&self, circuit: u32) {
        self.table().circuits.remove(&circuit);
    }

    fn is_idle(&self, circuit: u32, now: Instant) -> bool {
        let table = self.table();
        let circuit = table.circuits.get(&circuit);
        circuit.is_none_or(|circuit| now.saturating_duration_since(circuit.last_used) >= self.limits.idle)
    }

    /// Passes a datagram on to the other end, if it is of a circuit of this connection and within the rate.
    fn forward(&self, from: &Connection, mut sealed: Sealed, now: Instant) {
        let to = {
            let mut table = self.table();
            let cost = Duration::from_secs_f64(sealed.packet.len() as f64 / self.limits.rate.max(1) as f64);
            let paid = table.paid.max(now.checked_sub(BURST).unwrap_or(now));
            let Some(circuit) = table.circuits.get_mut(&sealed.circuit) else { return };
            let Some(to) = circuit.other(from) else { return };
            circuit.last_used = now;
            if paid > now {
                return;
            }
            table.paid = paid + cost;
            to
        };
        sealed.way = Way::Down;
        let _ = to.send_datagram(sealed.encode());
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }
}

/// How long a burst of forwarded bytes may be saved up.
const BURST: Duration = Duration::from_millis(500);

impl Circuit {
    fn other(&self, from: &Connection) -> Option<Connection> {
        let [one, two] = &self.ends;
        if one.connection.stable_id() == from.stable_id() {
            Some(two.connection.clone())
        } else if two.connection.stable_id() == from.stable_id() {
            Some(one.connection.clone())
        } else {
            None
        }
    }
}

impl OpenCircuit {
    /// Waits until the relay ends it.
    pub(crate) async fn ended(&mut self) {
        let _ = self.streams.1.read_chunk(1, true).await;
    }
}

/// A session over a circuit that is gone would otherwise wait for its silence to be noticed.
impl Drop for OpenCircuit {
    fn drop(&mut self) {
        self.shared.lose_circuit(self.addr);
    }
}

/// Takes in the datagrams of one connection until it closes.
pub(crate) async fn datagrams(shared: std::sync::Weak<Shared>, connection: Connection) {
    while let Ok(datagram) = connection.read_datagram().await {
        let Some(shared) = shared.upgrade() else { return };
        match Sealed::decode(datagram) {
            Some(sealed) if sealed.way == Way::Up => {
                shared.forwarder.forward(&connection, sealed, Instant::now())
            }
            Some(sealed) => shared.circuits.arrive(&connection, sealed),
            None => {}
        }
    }
}

/// Opens a circuit to a peer through another.
pub(crate) async fn open(
    shared: &Arc<Shared>,
    relay: &Link,
    target: PeerId,
) -> Result<OpenCircuit, NetError> {
    let connection = relay.connection();
    let opening = Opening::Relay(target);
    let (reply, streams) = streams::ask_open(relay.peer(), &connection, &opening).await?;
    let Reply::Circuit(circuit) = reply else { return Err(streams::unexpected(relay.peer(), &reply)) };
    let addr = shared.circuits.open(&connection, circuit);
    Ok(OpenCircuit { shared: shared.clone(), addr, streams })
}

/// Says whether this node relays now.
pub(crate) fn is_willing(shared: &Shared) -> bool {
    match shared.config.relay {
        RelayPolicy::Always => true,
        RelayPolicy::Never => false,
        RelayPolicy::Auto => !shared.forwarder.is_metered() && shared.reach().is_dialable(),
    }
}

/// Forwards between the asker and the target while both keep their streams open and use the circuit.
pub(crate) async fn forward(
    shared: &Arc<Shared>,
    (peer, connection): (PeerId, Connection),
    target: PeerId,
    mut send: SendStream,
    mut recv: RecvStream,
) -> Result<(), NetError> {
    let direct = |peer: &PeerId| shared.link(peer).filter(|link| link.path() == Path::Direct);
    let reply = match (direct(&peer), direct(&target)) {
        _ if !is_willing(shared) => Err(Reply::Refused),
        (Some(_), Some(target)) => Ok(target),
        _ => Err(Reply::NotFound),
    };
    let far = match reply {
        Ok(far) => far,
        Err(reply) => return streams::reply(peer, &mut send, &reply).await,
    };
    let ends = (End { peer, connection }, End { peer: target, connection: far.connection() });
    let Some(circuit) = shared.forwarder.add(ends.0, ends.1, Instant::now()) else {
        return streams::reply(peer, &mut send, &Reply::Busy).await;
    };
    let _reserved = Reserved { shared, circuit };
    let opening = Opening::Relayed(Relayed { from: peer, circuit });
    let connection = far.connection();
    let accepted = timeout(ACCEPT, streams::ask_open(target, &connection, &opening)).await;
    let mut far_streams = match accepted.unwrap_or(Err(NetError::Timeout("the circuit"))) {
        Ok((Reply::Ok, streams)) => streams,
        _ => return streams::reply(peer, &mut send, &Reply::Refused).await,
    };
    streams::write_reply(peer, &mut send, &Reply::Circuit(circuit)).await?;
    let idle = async {
        while !shared.forwarder.is_idle(circuit, Instant::now()) {
            tokio::time::sleep(shared.config.relay_limits.idle / 4).await;
        }
    };
    tokio::select! {
        _ = recv.read_chunk(1, true) => {}
        _ = far_streams.1.read_chunk(1, true) => {}
        () = idle => {}
    }
    Ok(())
}

/// Takes a circuit's reservation back, however its forwarding ends.
struct Reserved<'a> {
    shared: &'a Shared,
    circuit: u32,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.shared.forwarder.remove(self.circuit);
    }
}

/// Is the far end of a circuit while the relay keeps it open.
pub(crate) async fn accept(
    shared: &Arc<Shared>,
    (peer, connection): (PeerId, Connection),
    relayed: Relayed,
    mut send: SendStream,
    mut recv: RecvStream,
) -> Result<(), NetError> {
    let unwanted = shared.sessions().is_blocked(&relayed.from) || relayed.from == shared.id;
    if unwanted {
        return streams::reply(peer, &mut send, &Reply::Refused).await;
    }
    let addr = shared.circuits.open(&connection, relayed.circuit);
    let _closing = Closing { shared, addr };
    streams::write_reply(peer, &mut send, &Reply::Ok).await?;
    let _ = recv.read_chunk(1, true).await;
    Ok(())
}

struct Closing<'a> {
    shared: &'a Shared,
    addr: SocketAddr,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.shared.lose_circuit(self.addr);
    }
}
