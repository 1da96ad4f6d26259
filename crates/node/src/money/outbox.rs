//! The outbox: what is signed and on the disk goes out, again and again, until it is certain that it has arrived.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chain::Chain;
use domain::{
    Network,
    bitcoin::Txid,
    kinds::{self, Note, Payment, Payout, Thanks},
};
use store::StoredRecord;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use treasury::wallet::Wallet;

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
        if let Err(error) = send(&node, &chain).await {
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
async fn send(node: &Arc<Inner>, chain: &Chain) -> Result<(), ApiError> {
    let Ok(waiting) = node.money.purse.lock().await.wallet().map(Wallet::outbox) else { return Ok(()) };
    let held = publish_all(node).await?;
    for tx in waiting {
        let txid = tx.compute_txid();
        if held.contains(&txid.to_string()) {
            continue;
        }
        match chain.broadcast(&tx).await {
            Ok(_) => sent(node, txid).await?,
            Err(error) => tracing::debug!(code = error.code(), "a payment is not sent yet"),
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
        let mut done = true;
        for record in &row.records {
            if let Err(error) = publish(node, record).await {
                tracing::warn!(code = error.code, message = error.message, "a payment's record waits");
                done = false;
            }
        }
        match done {
            true => node.store.mark_published(name, &row.txid).await?,
            false => drop(held.insert(row.txid)),
        }
        fault::point("published");
    }
    Ok(held)
}

/// Signs a record and spreads it. Doing so twice is harmless: each fills a slot that its own content names.
async fn publish(node: &Inner, record: &StoredRecord) -> Result<(), ApiError> {
    if !node.can_publish() {
        return Err(ApiError::new("cannot_publish", "this identity does not sign here now"));
    }
    let unreadable = |error: minicbor::decode::Error| ApiError::new("record_body", error.to_string());
    let body = &record.body;
    match record.kind {
        kinds::id::NOTE => node.driver.publish(minicbor::decode::<Note>(body).map_err(unreadable)?).await,
        kinds::id::PAYMENT => {
            node.driver.publish(minicbor::decode::<Payment>(body).map_err(unreadable)?).await
        }
        kinds::id::PAYOUT => {
            return records::publish(node, minicbor::decode::<Payout>(body).map_err(unreadable)?)
                .await
                .map(drop);
        }
        kinds::id::THANKS => node.driver.publish(minicbor::decode::<Thanks>(body).map_err(unreadable)?).await,
        kind => Err(ApiError::new("record_kind", format!("records of kind {kind} belong to no payment"))),
    }
    .map(drop)
}
