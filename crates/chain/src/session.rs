//! One life of the light client: it may exit or stall, and another follows.

use bip157::{Builder, Event, Info, Requester, Warning};
use bitcoin::BlockHash;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::Config;
use crate::headers::Headers;

/// Headers below the first wanted block that the client is given, so that it can follow a reorganisation and check the
/// difficulty of two periods. The short chains of tests are not to be known whole either.
const DEPTH: u32 = if cfg!(test) { 40 } else { 2 * 2016 };

/// A fetched block, or nothing where the client gave up.
pub(crate) type Fetched = oneshot::Receiver<Result<bip157::IndexedBlock, bip157::error::FetchBlockError>>;

/// A running light client, ended when dropped.
pub(crate) struct Session {
    pub(crate) events: UnboundedReceiver<Event>,
    pub(crate) warnings: Receiver<Warning>,
    pub(crate) infos: Receiver<Info>,
    /// It knows headers and filters above this height only.
    pub(crate) base: u32,
    requester: Requester,
    node: JoinHandle<()>,
}

/// Which peers are tried first, and how filters are begun with.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Rotates the named peers, so that one that stalls is not always the first.
    pub(crate) attempt: usize,
    /// Filters and blocks above this height will be asked for.
    pub(crate) from: u32,
    /// How many more headers below it are useful.
    pub(crate) depth: u32,
    /// Whether filters wait for [`Session::filters_above`].
    pub(crate) headers_first: bool,
}

impl Plan {
    /// To follow the chain from a height on.
    pub(crate) fn follow(attempt: usize, from: u32) -> Self {
        Self { attempt, from, depth: DEPTH, headers_first: true }
    }
}

impl Session {
    pub(crate) fn open(config: &Config, headers: &Headers, plan: Plan) -> Self {
        let patience = config.patience();
        let base = plan.from.min(headers.height()).saturating_sub(plan.depth).max(headers.lowest());
        let mut peers: Vec<_> = config.peers.iter().map(|it| it.trusted()).collect();
        if !peers.is_empty() {
            let first = plan.attempt % peers.len();
            peers.rotate_left(first);
        }
        // The client takes them from the end.
        peers.reverse();
        let mut builder = Builder::new(config.network.bitcoin())
            .required_peers(config.required())
            .add_peers(peers)
            .handshake_timeout(patience.handshake)
            .response_timeout(patience.answer)
            .chain_state(headers.snapshot(base))
            .fetch_witness_data();
        if config.only_these_peers {
            builder = builder.whitelist_only();
        }
        if let Some(proxy) = config.proxy {
            builder = builder.socks5_proxy(proxy);
        }
        if plan.headers_first {
            builder = builder.headers_only_sync();
        }
        let (node, client) = builder.build();
        let node = tokio::spawn(async move {
            if let Err(error) = node.run().await {
                tracing::debug!(%error, "the light client ended");
            }
        });
        let bip157::Client { requester, info_rx, warn_rx, event_rx } = client;
        Self { events: event_rx, warnings: warn_rx, infos: info_rx, base, requester, node }
    }

    /// Asks for the filters above a height, which must not be below the base. To be called only while nothing is outstanding:
    /// the client takes late answers to an earlier request for a peer's fault.
    pub(crate) fn filters_above(&self, height: u32) {
        // An error says that the client has ended, and so do the events.
        let _ = self.requester.rescan_from(height);
    }

    pub(crate) fn fetch(&self, hash: BlockHash) -> Option<Fetched> {
        self.requester.request_block(hash).ok()
    }

    pub(crate) fn requester(&self) -> Requester {
        self.requester.clone()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.node.abort();
    }
}
