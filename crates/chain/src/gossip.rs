//! Hears of unconfirmed transactions, over a connection of its own to one peer.
//!
//! A peer that also answers the light client must not relay transactions to it: a late third answer would look like a
//! contradiction. So this is another connection, and where several peers are named it begins with another of them, which makes
//! it a witness of blocks that the light client's peers keep back.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use bitcoin::hashes::Hash;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::{GetHeadersMessage, Inventory};
use bitcoin::{BlockHash, FeeRate, ScriptBuf, Transaction};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::Config;
use crate::event::Event;
use crate::headers::Headers;
use crate::link::{Link, VERSION};
use crate::peer::PeerAddress;

/// Announcements that are remembered, so that none is asked for twice.
const REMEMBERED: usize = 50_000;

/// What a listener needs to know, and where it tells what it heard.
pub(crate) struct Listener {
    pub(crate) config: Arc<Config>,
    pub(crate) headers: Arc<RwLock<Headers>>,
    /// Peers that the light client found.
    pub(crate) found: watch::Receiver<Vec<PeerAddress>>,
    pub(crate) scripts: watch::Receiver<Arc<HashSet<ScriptBuf>>>,
    pub(crate) events: mpsc::Sender<Event>,
    /// Blocks that the peer announced.
    pub(crate) announced: mpsc::Sender<BlockHash>,
    /// The lowest fee rate that the peer relays.
    pub(crate) floor: watch::Sender<FeeRate>,
}

impl Listener {
    /// Listens until aborted.
    pub(crate) fn start(self) -> JoinHandle<()> {
        tokio::spawn(self.run())
    }

    async fn run(mut self) {
        let patience = self.config.patience();
        let mut pause = patience.retry;
        // The light client begins with the first.
        let mut turn = self.config.peers.len().saturating_sub(1);
        loop {
            let peer = self.peer(turn);
            if let Some(peer) = peer
                && let Ok(link) = Link::open(&self.config, &peer, true).await
            {
                pause = patience.retry;
                let error = self.listen(link).await;
                tracing::debug!(%peer, %error, "no more unconfirmed transactions from this peer");
            }
            if self.events.is_closed() {
                return;
            }
            turn = turn.wrapping_add(1);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(patience.retry_most);
        }
    }

    fn peer(&self, turn: usize) -> Option<PeerAddress> {
        let found = self.found.borrow();
        let peers = if self.config.peers.is_empty() { &*found } else { &self.config.peers };
        peers.get(turn.checked_rem(peers.len())?).cloned()
    }

    async fn listen(&mut self, mut link: Link) -> std::io::Error {
        let mut asked = HashSet::new();
        if let Err(error) = link.send(self.question()).await {
            return error;
        }
        loop {
            let heard = match link.receive().await {
                Ok(message) => self.hear(message, &mut asked).await,
                Err(error) => return error,
            };
            if let Some(answer) = heard
                && let Err(error) = link.send(answer).await
            {
                return error;
            }
        }
    }

    /// Asks for what follows our tip.
    fn question(&self) -> NetworkMessage {
        let locator_hashes = self.headers.read().unwrap_or_else(PoisonError::into_inner).locator();
        let stop_hash = BlockHash::all_zeros();
        NetworkMessage::GetHeaders(GetHeadersMessage { version: VERSION, locator_hashes, stop_hash })
    }

    async fn hear(
        &mut self,
        message: NetworkMessage,
        asked: &mut HashSet<Inventory>,
    ) -> Option<NetworkMessage> {
        match message {
            NetworkMessage::Inv(announced) => return self.announcements(announced, asked),
            NetworkMessage::Headers(headers) => {
                if let Some(last) = headers.last() {
                    // A full channel loses it, and the next block comes.
                    let _ = self.announced.try_send(last.block_hash());
                }
            }
            NetworkMessage::Tx(transaction) => self.transaction(transaction).await,
            NetworkMessage::FeeFilter(sat_per_kvb) => {
                let rate = FeeRate::from_sat_per_kwu(u64::try_from(sat_per_kvb).unwrap_or_default() / 4);
                self.floor.send_replace(rate);
            }
            _ => (),
        }
        None
    }

    fn announcements(
        &self,
        announced: Vec<Inventory>,
        asked: &mut HashSet<Inventory>,
    ) -> Option<NetworkMessage> {
        if asked.len() > REMEMBERED {
            asked.clear();
        }
        let mut wanted = Vec::new();
        for it in announced {
            match it {
                // One announcement that is lost in a full channel is followed by the next block's.
                Inventory::Block(hash) => _ = self.announced.try_send(hash),
                Inventory::WTx(_) | Inventory::Transaction(_) if asked.insert(it) => wanted.push(it),
                _ => (),
            }
        }
        (!wanted.is_empty()).then_some(NetworkMessage::GetData(wanted))
    }

    async fn transaction(&self, transaction: Transaction) {
        let scripts = self.scripts.borrow().clone();
        if transaction.output.iter().any(|it| scripts.contains(&it.script_pubkey)) {
            // Only a consumer that is gone refuses it.
            let _ = self.events.send(Event::Unconfirmed(Arc::new(transaction))).await;
        }
    }
}
