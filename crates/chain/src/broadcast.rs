//! Sends transactions by several ways, until a block holds them.

use std::collections::BTreeSet;
use std::time::Duration;

use bip157::Package;
use bitcoin::Transaction;
use bitcoin::p2p::message::NetworkMessage;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::error::Error;
use crate::handle::{Chain, Command};
use crate::link::{self, Link};
use crate::peer::PeerAddress;

/// Peers that are given a transaction directly.
const DIRECTLY: usize = 3;

/// How a transaction left. None of this says that it is valid or that anyone keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Peers that were given it directly, and processed it.
    pub directly: usize,
    /// Whether a peer asked the light client for it; not waited for where others were given it.
    pub by_client: bool,
}

/// The transactions that their owner has persisted and no block holds deep enough yet.
pub trait Outbox: Send {
    /// Returns them, parents before children.
    fn unconfirmed(&mut self) -> impl Future<Output = Vec<Transaction>> + Send;
}

/// Broadcasts what the outbox holds: at once, at every new block, and every ten minutes (five seconds on regtest), until the
/// chain is closed. What a crash interrupted is sent again, since the outbox is asked anew each time.
pub async fn rebroadcast(chain: Chain, mut outbox: impl Outbox) {
    let mut status = chain.status_changes();
    let interval = chain.patience().rebroadcast;
    loop {
        for transaction in outbox.unconfirmed().await {
            if let Err(error) = chain.broadcast(&transaction).await {
                tracing::debug!(%error, "not broadcast yet");
            }
        }
        let tip = status.borrow_and_update().tip;
        let new_block = async {
            while status.borrow_and_update().tip == tip {
                status.changed().await?;
            }
            Ok::<(), tokio::sync::watch::error::RecvError>(())
        };
        if let Ok(Err(_)) = timeout(interval, new_block).await {
            return;
        }
    }
}

/// What the light client is given to send; none where the two have nothing to do with each other.
pub(crate) fn package(transaction: Transaction, parent: Option<Transaction>) -> Option<Package> {
    match parent {
        Some(parent) => Package::new_one_parent_one_child(parent, transaction).ok(),
        None => Some(Package::new_single(transaction)),
    }
}

pub(crate) async fn offer(
    chain: &Chain,
    parent: Option<&Transaction>,
    transaction: &Transaction,
) -> Result<Offered, Error> {
    let (sent, reply) = oneshot::channel();
    let (transaction, parent) = (transaction.clone(), parent.cloned());
    chain.ask(Command::Submit { transaction: transaction.clone(), parent: parent.clone(), sent }).await?;
    // A node that refuses the parent for its fee takes it together with a child that it has seen already.
    let messages: Vec<Transaction> = [transaction].into_iter().chain(parent).collect();
    let directly = to_peers(chain, &messages).await;
    let mut offered = Offered { directly, by_client: false };
    // A peer that has it by now never asks for it.
    if directly == 0 {
        offered.by_client = reply.await.unwrap_or(false);
        if !offered.by_client {
            return Err(Error::NoPeer);
        }
    }
    Ok(offered)
}

async fn to_peers(chain: &Chain, transactions: &[Transaction]) -> usize {
    let peers: BTreeSet<PeerAddress> = match chain.config.peers.is_empty() {
        true => chain.found.borrow().iter().cloned().collect(),
        false => chain.config.peers.iter().cloned().collect(),
    };
    let mut attempts = JoinSet::new();
    for peer in peers.into_iter().take(DIRECTLY) {
        let (config, transactions) = (chain.config.clone(), transactions.to_vec());
        let patience = chain.patience();
        attempts.spawn(async move {
            let mut link = Link::open(&config, &peer, true).await.ok()?;
            give(&mut link, transactions, patience.answer).await
        });
    }
    attempts.join_all().await.into_iter().flatten().count()
}

/// Hands transactions over. A node handles messages in their order, so its answer to the ping says that it has seen them.
async fn give(link: &mut Link, transactions: Vec<Transaction>, patience: Duration) -> Option<()> {
    let nonce = link::nonce();
    for transaction in transactions {
        link.send(NetworkMessage::Tx(transaction)).await.ok()?;
    }
    link.send(NetworkMessage::Ping(nonce)).await.ok()?;
    let answered = async {
        loop {
            match link.receive().await {
                Ok(NetworkMessage::Pong(theirs)) if theirs == nonce => return Some(()),
                Ok(_) => (),
                Err(_) => return None,
            }
        }
    };
    timeout(patience, answered).await.ok()?
}
