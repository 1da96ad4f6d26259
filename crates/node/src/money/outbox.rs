//! The outbox: what is signed and on the disk goes out, again and again, until it is certain that it has arrived.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chain::Chain;
use domain::{
    Kind, Network,
    bitcoin::{Transaction, Txid},
    kinds::{self, Note, Payment, Payout, Place},
};
use store::StoredRecord;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use treasury::{
    paying::{Root, id_of},
    wallet::{TxState, Wallet},
};

use super::{fault, records};
use crate::{
    api::{ApiError, Event},
    node::Inner,
};

/// Pause before what no block has yet is sent again, where nothing else is a reason to.
const AGAIN: Duration = Duration::from_secs(10 * 60);
/// The same on a private chain.
const AGAIN_NEAR: Duration = Duration::from_secs(5);

/// Sends what waits: at once, with every block, when a Bitcoin node is found, and at times.
pub(super) async fn run(node: Arc<Inner>, chain: Chain, ending: CancellationToken) {
    let again = if node.money.network == Network::Regtest { AGAIN_NEAR } else { AGAIN };
    let mut status = chain.status_changes();
    loop {
        if let Err(error) = send(&node, &chain, &ending).await {
            tracing::warn!(code = error.code, message = error.message, "payments wait to be sent");
        }
        let seen = (status.borrow().tip, status.borrow().peers > 0);
        let moved = async {
            while status.changed().await.is_ok() {
                let now = status.borrow_and_update();
                if (now.tip, now.peers > 0) != seen {
                    return;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = ending.cancelled() => return,
            () = node.money.wake.notified() => {}
            () = moved => {}
            () = sleep(again) => {}
        }
    }
}

/// Publishes what belongs to payments, then sends them. A payment whose records are not published yet waits for them.
async fn send(node: &Arc<Inner>, chain: &Chain, ending: &CancellationToken) -> Result<(), ApiError> {
    let Ok(waiting) = node.money.purse.lock().await.wallet().map(Wallet::outbox) else { return Ok(()) };
    let held = publish_all(node).await?;
    for tx in waiting {
        let txid = tx.compute_txid();
        if held.contains(&txid.to_string()) {
            continue;
        }
        let parent = node.money.purse.lock().await.wallet()?.parent(&tx);
        let sending = async {
            match &parent {
                Some(parent) => chain.broadcast_package(parent, &tx).await,
                None => chain.broadcast(&tx).await,
            }
        };
        match ending.run_until_cancelled(sending).await {
            None => return Ok(()),
            Some(Ok(_)) => sent(node, txid).await?,
            Some(Err(error)) => tracing::debug!(code = error.code(), "a payment is not sent yet"),
        }
    }
    Ok(())
}

async fn sent(node: &Inner, txid: Txid) -> Result<(), ApiError> {
    fault::point("sent");
    let mut purse = node.money.purse.lock().await;
    purse.wallet_mut()?.mark_broadcast(txid);
    if purse.wallet()?.staged().is_some() {
        purse.keep().await?;
        node.hub.tell(&Event::WalletChanged);
    }
    Ok(())
}

/// Publishes the records of payments. Returns the payments that have some left.
async fn publish_all(node: &Inner) -> Result<BTreeSet<String>, ApiError> {
    let (mut held, name) = (BTreeSet::new(), node.money.network.word());
    for row in node.store.payments(name, true).await? {
        // A backup may hold payments that came to nothing, or wait for a look at the chain.
        let Some(transaction) = standing(node, &row.txid).await else { continue };
        let mut done = true;
        for record in &row.records {
            match publish(node, record, &transaction).await {
                Ok(published) => done &= published,
                Err(error) => {
                    tracing::warn!(code = error.code, message = error.message, "a payment's record waits");
                    held.insert(row.txid.clone());
                    done = false;
                }
            }
        }
        if done {
            node.store.mark_published(name, &row.txid).await?;
        }
        fault::point("published");
    }
    Ok(held)
}

/// A payment's transaction, while it waits for a block or is in one.
async fn standing(node: &Inner, txid: &str) -> Option<Arc<Transaction>> {
    let txid = txid.parse().ok()?;
    let purse = node.money.purse.lock().await;
    let wallet = purse.wallet().ok()?;
    wallet.entry(txid).filter(|entry| stands(entry.state))?;
    wallet.transaction(txid)
}

fn stands(state: TxState) -> bool {
    matches!(state, TxState::Signed | TxState::Broadcast | TxState::Mempool | TxState::Confirmed(_))
}

/// Signs a record and spreads it, unless that was done. Says whether it is out: what another identity of the same
/// wallet's committed to is not ours to sign.
async fn publish(node: &Inner, record: &StoredRecord, transaction: &Transaction) -> Result<bool, ApiError> {
    match record.kind {
        kinds::id::NOTE => {
            let note: Note = body(record)?;
            let place = note.place.clone();
            publish_own(node, note, place.as_ref(), transaction).await
        }
        kinds::id::PAYMENT => {
            let tip: Payment = body(record)?;
            superseded(node, &tip).await?;
            let place = tip.place.clone();
            publish_own(node, tip, place.as_ref(), transaction).await
        }
        kinds::id::PAYOUT => {
            let payout: Payout = body(record)?;
            let place = payout.place.clone();
            publish_own(node, payout, place.as_ref(), transaction).await
        }
        kind => Err(ApiError::new("record_kind", format!("records of kind {kind} belong to no payment"))),
    }
}

async fn publish_own<K: Kind + Send + 'static>(
    node: &Inner,
    body: K,
    place: Option<&Place>,
    transaction: &Transaction,
) -> Result<bool, ApiError> {
    let committed = Root::above(&id_of(&node.identity.id(), &body), place);
    if committed.is_none() || committed != Root::of(transaction) {
        return Ok(false);
    }
    records::publish(node, body).await?;
    Ok(true)
}

/// Fails where the tip is known to be paid by another transaction that this wallet has not seen: of an old backup the
/// tip is not paid again.
async fn superseded(node: &Inner, tip: &Payment) -> Result<(), ApiError> {
    let slot = id_of(&node.identity.id(), tip);
    let Some((_, known)) = records::body::<Payment>(node, &slot).await? else { return Ok(()) };
    let purse = node.money.purse.lock().await;
    let seen = purse.wallet()?.entry(known.outpoint.txid).is_some();
    match seen || known.outpoint == tip.outpoint {
        true => Ok(()),
        false => Err(ApiError::new(
            "payment_superseded",
            format!("the tip is paid by {}, which this wallet has not seen yet", known.outpoint.txid),
        )),
    }
}

fn body<K: Kind>(record: &StoredRecord) -> Result<K, ApiError> {
    minicbor::decode(&record.body).map_err(|error| ApiError::new("record_body", error.to_string()))
}
