//! The Bitcoin network without a vendor's server: a light client over compact block filters (BIP 157, BIP 158).
//!
//! [`start`] gives a handle and a stream of [`Event`]s. One light client serves every wallet of a node: each adds the scripts
//! it owns with [`Chain::watch`] and says from where on it has to know. Blocks come in order and each once per pass; the peers
//! never learn which scripts are meant, only which whole blocks were fetched.
//!
//! What stands between a wallet and a false picture of the chain: headers are valued by their work; unless the user named the
//! only peers to be used, two of them must agree on every filter; a block is accepted by its hash. What does not: a peer that
//! withholds an unconfirmed transaction, and a majority of work. Nothing unconfirmed is final.
//!
//! The handle holds no type of the light client: it sends commands to a task and that task sends events. A source of another
//! kind (an Electrum server) is another task behind the same two channels.

mod broadcast;
mod checkpoints;
mod error;
mod event;
mod fees;
mod follow;
mod gossip;
mod handle;
mod headers;
mod link;
mod order;
mod peer;
mod scan;
mod session;
mod status;
#[cfg(any(test, feature = "testenv"))]
#[allow(clippy::unwrap_used, reason = "the helpers of a test may fail it")]
pub mod testenv;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use domain::Network;
use tokio::sync::mpsc;

pub use broadcast::{Offered, Outbox, rebroadcast};
pub use checkpoints::newest_checkpoint;
pub use error::Error;
pub use event::{BlockId, Connected, Event, Since};
pub use fees::FeeRates;
pub use handle::Chain;
pub use peer::PeerAddress;
pub use scan::{Found, Scan};
pub use status::{Fault, PeerFault, Phase, Status};

/// Events that wait for a slow consumer; then the light client's blocks wait, too.
const WAITING_EVENTS: usize = 64;

/// How long a handshake through a proxy may take: Tor builds a way for it first.
const THROUGH_PROXY: Duration = Duration::from_secs(20);

/// How the network is reached.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which Bitcoin.
    pub network: Network,
    /// Where headers are kept, of this network only. It is made where it is missing; it holds nothing that cannot be learnt anew.
    pub folder: PathBuf,
    /// Nodes to ask first.
    pub peers: Vec<PeerAddress>,
    /// Ask nobody but `peers`, and be content with one of them. Otherwise others are found, and two must agree.
    pub only_these_peers: bool,
    /// A SOCKS5 proxy for every connection and every name, as Tor is.
    pub proxy: Option<SocketAddr>,
    /// Whether unconfirmed transactions are wanted, which costs a connection that hears of every transaction there is
    /// (on mainnet about 250 MB a day).
    pub unconfirmed: bool,
    /// The lowest height that any wallet will ask for; `None` where that is unknown or nothing is older than this program.
    /// Asking for less later is possible and costs a new start.
    pub birthday: Option<u32>,
}

impl Config {
    /// Returns a configuration that finds its peers by itself.
    pub fn new(network: Network, folder: PathBuf) -> Self {
        Self {
            network,
            folder,
            peers: Vec::new(),
            only_these_peers: false,
            proxy: None,
            unconfirmed: true,
            birthday: None,
        }
    }

    /// Peers that must agree on every filter.
    pub(crate) fn required(&self) -> u8 {
        if self.only_these_peers { 1 } else { 2 }
    }

    pub(crate) fn patience(&self) -> Patience {
        match (self.network, self.proxy) {
            (Network::Regtest, _) => Patience::NEAR,
            (_, None) => Patience::FAR,
            (_, Some(_)) => Patience { handshake: THROUGH_PROXY, ..Patience::FAR },
        }
    }
}

/// How long things may take before they count as lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For a connection and its handshake.
    pub(crate) handshake: Duration,
    /// For an answer.
    pub(crate) answer: Duration,
    /// For any progress while the chain is not synced, and for a block that another peer announced.
    pub(crate) stall: Duration,
    /// Before the second attempt; each further one waits twice as long.
    pub(crate) retry: Duration,
    /// The longest pause between attempts.
    pub(crate) retry_most: Duration,
    /// Between two broadcasts of what no block holds yet.
    pub(crate) rebroadcast: Duration,
}

impl Patience {
    /// For peers on this machine.
    const NEAR: Self = Self {
        handshake: Duration::from_secs(2),
        answer: Duration::from_secs(3),
        stall: Duration::from_secs(5),
        retry: Duration::from_millis(100),
        retry_most: Duration::from_secs(1),
        rebroadcast: Duration::from_secs(5),
    };

    /// For peers on the Internet.
    const FAR: Self = Self {
        handshake: Duration::from_secs(5),
        answer: Duration::from_secs(30),
        stall: Duration::from_secs(120),
        retry: Duration::from_secs(1),
        retry_most: Duration::from_secs(60),
        rebroadcast: Duration::from_secs(10 * 60),
    };
}

/// Starts following the chain, on the runtime of the caller, until the handle's clones and the events' receiver are dropped.
///
/// # Errors
/// When the folder cannot be used, or only named peers are allowed and none is named.
pub fn start(config: Config) -> Result<(Chain, mpsc::Receiver<Event>), Error> {
    if config.only_these_peers && config.peers.is_empty() {
        return Err(Error::NoPeerNamed);
    }
    let (events, receiver) = mpsc::channel(WAITING_EVENTS);
    Ok((follow::start(config, events)?, receiver))
}
