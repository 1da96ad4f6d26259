//! Follows the chain: what blocks and other nodes tell reaches the wallet, the disk, and only then whoever listens.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use chain::{Chain, Connected, Since};
use domain::bitcoin::Txid;
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;
use treasury::wallet::{Entry, TxState};

use super::{pay::now, purse::Purse};
use crate::{
    api::{ApiError, Event},
    node::Inner,
};

/// Events of the chain that are applied before the disk is written once: a long search stays quick.
const BATCH: usize = 64;
/// The Bitcoin network's state is told at most this often.
const TELL_INTERVAL: Duration = Duration::from_secs(1);
/// Pause before a disk that took nothing is tried again.
const DISK_PAUSE: Duration = Duration::from_secs(5);

/// Applies the chain's events to the wallet until the chain or the node ends.
pub(super) async fn run(
    node: Arc<Inner>,
    chain: Chain,
    client: u64,
    mut events: mpsc::Receiver<chain::Event>,
    ending: CancellationToken,
) {
    let mut behind = false;
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            () = ending.cancelled() => return,
            () = sleep(DISK_PAUSE), if behind => {}
            event = events.recv() => match event {
                Some(event) => batch.push(event),
                None => return,
            },
        }
        while batch.len() < BATCH
            && let Ok(event) = events.try_recv()
        {
            batch.push(event);
        }
        node.money.ledgers.hear(&node, &chain, client, &batch).await;
        node.dao.hear(client, &batch);
        let taken = take(&node, &chain, batch).await;
        if let Err(error) = &taken {
            tracing::warn!(code = error.code, message = error.message, "the wallet is behind the chain");
            if !behind {
                node.hub.tell(&Event::Warning(error.clone()));
            }
        }
        behind = taken.is_err();
    }
}

/// Tells how the Bitcoin network is, whenever that changes.
pub(super) async fn tell(node: Arc<Inner>, chain: Chain, ending: CancellationToken) {
    let mut changes = chain.status_changes();
    let mut told = None;
    while let Some(Ok(())) = ending.run_until_cancelled(changes.changed()).await {
        changes.borrow_and_update();
        let event = node.money.chain_event(&chain).await;
        if told.as_ref() != Some(&event) {
            node.hub.tell(&event);
            told = Some(event);
        }
        ending.run_until_cancelled(sleep(TELL_INTERVAL)).await;
    }
}

/// What of a batch the user is to hear.
#[derive(Default)]
struct News {
    touched: Vec<Txid>,
    changed: bool,
    synced: bool,
    /// Payments of a backup are to be sent again.
    taken_up: bool,
}

async fn take(node: &Arc<Inner>, chain: &Chain, batch: Vec<chain::Event>) -> Result<(), ApiError> {
    let mut purse = node.money.purse.lock().await;
    let Ok(wallet) = purse.wallet() else { return Ok(()) };
    let before = wallet.balance();
    let mut news = News::default();
    for event in batch {
        apply(&mut purse, chain, event, &mut news).await?;
    }
    // What the disk did not take stays with the wallet, and is tried again.
    purse.keep().await?;
    news.changed |= purse.wallet()?.balance() != before || !news.touched.is_empty();
    if news.synced {
        node.money.caught_up.store(true, Ordering::Relaxed);
    }
    tell_payments(node, &purse, &news.touched);
    drop(purse);
    if news.taken_up {
        node.money.wake.notify_one();
    }
    if news.changed || news.synced {
        node.hub.tell(&Event::WalletChanged);
    }
    Ok(())
}

async fn apply(
    purse: &mut Purse,
    chain: &Chain,
    event: chain::Event,
    news: &mut News,
) -> Result<(), ApiError> {
    match event {
        chain::Event::Connected(Connected { id, header, block, .. }) => {
            let again = block.is_some() && purse.has_seen(id)?;
            let touched = purse.wallet_mut()?.connect(id.height, &header, block.as_deref())?;
            if !touched.is_empty() {
                watch_joined(purse, chain, id.height, false).await?;
            }
            // What waits for more blocks gets one with each.
            news.changed = true;
            // What a second look at a block finds is no news.
            news.touched.extend(touched.into_iter().filter(|_| !again));
        }
        chain::Event::Disconnected(id) => {
            purse.wallet_mut()?.disconnect(id.height, id.hash);
            news.changed = true;
        }
        chain::Event::Unconfirmed(tx) => {
            let txid = tx.compute_txid();
            let known = purse.wallet()?.entry(txid).map(|entry| entry.state);
            if purse.wallet_mut()?.unconfirmed(&tx, now()) {
                let entry = purse.wallet()?.entry(txid);
                if known != entry.map(|entry| entry.state) {
                    news.touched.push(txid);
                }
                watch_joined(purse, chain, chain.tip().height, true).await?;
            }
        }
        chain::Event::Synced(id) => {
            news.synced = true;
            let wallet = purse.wallet_mut()?;
            wallet.forget_unseen(now());
            news.taken_up |= !wallet.take_up(now()).is_empty();
            watch_joined(purse, chain, id.height, true).await?;
        }
    }
    Ok(())
}

/// Asks the chain for the addresses that come next, once that is worth another look at the same blocks.
async fn watch_joined(purse: &mut Purse, chain: &Chain, height: u32, all: bool) -> Result<(), ApiError> {
    if let Some((scripts, above)) = purse.joined(height, all) {
        chain.watch(scripts, Since::Height(above)).await?;
    }
    Ok(())
}

/// Tells of payments that came in: when they are seen first, and when a block has them. What a long search finds was
/// told before, or is history.
fn tell_payments(node: &Inner, purse: &Purse, touched: &[Txid]) {
    let Ok(wallet) = purse.wallet() else { return };
    if !node.money.caught_up.load(Ordering::Relaxed) {
        return;
    }
    for entry in touched.iter().filter_map(|txid| wallet.entry(*txid)) {
        if let Some(event) = incoming(&entry) {
            node.hub.tell(&event);
        }
    }
}

fn incoming(entry: &Entry) -> Option<Event> {
    let amount = entry.net.to_unsigned().ok()?.to_sat();
    let confirmations = match entry.state {
        TxState::Mempool => 0,
        TxState::Confirmed(depth) => depth,
        _ => return None,
    };
    (amount > 0).then(|| Event::Payment {
        txid: entry.txid.to_string(),
        amount_sat: amount,
        purpose: entry.net_income.is_positive().then(|| "income".to_owned()),
        confirmations,
    })
}
