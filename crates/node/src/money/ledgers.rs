//! Who is owed what, from records and the chain: looked up when it is asked for, and kept up to date from then on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use chain::{Chain, Phase};
use domain::{Network, PeerId, bitcoin::ScriptBuf, kinds::WINDOW};
use tokio::{
    sync::{Mutex, MutexGuard, OwnedMutexGuard},
    time::timeout,
};
use treasury::paying::{BlockFacts, Book, Facts, Ledger, Watch};

use super::records;
use crate::{api::ApiError, node::Inner};

/// Artists whose part of the chain is kept in memory; a few hundred kilobytes each.
const MAX_KEPT: usize = 64;
/// Blocks before a block that its median time is of (BIP 113).
const MEDIAN_SPAN: u32 = 11;
/// Looks through the chain that a reorganisation may cut off before the question fails.
const ATTEMPTS: usize = 4;
/// Passes over the chain in one look: windows, then payees of notes, then payees of notes found by those.
const MAX_PASSES: usize = 64;
/// How long the newest block is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same on a private chain.
const PATIENCE_NEAR: Duration = Duration::from_secs(20);

/// What is known of artists' money.
#[derive(Default)]
pub(super) struct Ledgers {
    kept: Mutex<BTreeMap<PeerId, Arc<Mutex<Seen>>>>,
    log: Mutex<()>,
    tips: Mutex<()>,
}

/// What was seen of the chain for one artist.
#[derive(Default)]
pub(super) struct Seen {
    watch: Watch,
    facts: Option<Facts>,
}

/// An artist's money as of one block.
pub(super) struct Account {
    pub(super) book: Book,
    pub(super) ledger: Ledger,
    seen: OwnedMutexGuard<Seen>,
}

impl Account {
    /// The scripts that matter.
    pub(super) fn watch(&self) -> &Watch {
        &self.seen.watch
    }

    /// What the chain confirmed.
    pub(super) fn facts(&self) -> &Facts {
        self.seen.facts.as_ref().expect("an account is made of facts")
    }
}

impl Ledgers {
    /// Lets one record after the other join the own log.
    pub(super) async fn log(&self) -> MutexGuard<'_, ()> {
        self.log.lock().await
    }

    /// Lets one look at the tips that wait at a time.
    pub(super) async fn tips(&self) -> MutexGuard<'_, ()> {
        self.tips.lock().await
    }

    /// Says how many addresses of a window were paid, as far as that was seen.
    pub(super) async fn used(&self, artist: PeerId, base: u32) -> usize {
        let seen = self.seen(artist).await;
        let seen = seen.lock().await;
        let Some(facts) = &seen.facts else { return 0 };
        let outputs = facts.transactions().iter().flat_map(|transaction| transaction.outputs.values());
        let paid = outputs.filter_map(|output| seen.watch.address(&output.script_pubkey));
        paid.filter(|(_, index)| (base..base + WINDOW).contains(index)).collect::<BTreeSet<_>>().len()
    }

    async fn seen(&self, artist: PeerId) -> Arc<Mutex<Seen>> {
        let mut kept = self.kept.lock().await;
        if kept.len() >= MAX_KEPT && !kept.contains_key(&artist) {
            kept.retain(|_, seen| Arc::strong_count(seen) > 1);
        }
        kept.entry(artist).or_default().clone()
    }
}

/// Recomputes an artist's money up to the newest block.
///
/// # Errors
/// `bitcoin_no_peer` where the chain cannot be asked, and those of the database.
pub(super) async fn account(node: &Arc<Inner>, artist: PeerId) -> Result<Account, ApiError> {
    let chain = node.money.connect(node).await?;
    synced(&chain, node.money.network).await?;
    let mut seen = node.money.ledgers.seen(artist).await.lock_owned().await;
    let book = records::book(node, artist).await?;
    let mut attempts = 1;
    while let Err(error) = seen.look(&chain, &book).await {
        // What was half looked at is looked at anew.
        *seen = Seen::default();
        if attempts == ATTEMPTS {
            return Err(error);
        }
        attempts += 1;
    }
    Ok(of(book, seen))
}

/// The same by what was seen last, where the chain cannot be asked; without any money where nothing was.
pub(super) async fn account_or_last(
    node: &Arc<Inner>,
    artist: PeerId,
) -> Result<(Option<Account>, Option<ApiError>), ApiError> {
    match account(node, artist).await {
        Ok(account) => Ok((Some(account), None)),
        Err(error) => Ok((last(node, artist).await?, Some(error))),
    }
}

/// The same for one artist of many: where the chain did not answer for an earlier one, which `waiting` tells of, it is
/// not asked again.
pub(super) async fn account_unless(
    node: &Arc<Inner>,
    artist: PeerId,
    waiting: &mut Option<ApiError>,
) -> Result<Option<Account>, ApiError> {
    if waiting.is_some() {
        return last(node, artist).await;
    }
    let (account, error) = account_or_last(node, artist).await?;
    *waiting = error;
    Ok(account)
}

/// What was seen last of an artist's money, if anything was.
async fn last(node: &Inner, artist: PeerId) -> Result<Option<Account>, ApiError> {
    let seen = node.money.ledgers.seen(artist).await.lock_owned().await;
    let book = records::book(node, artist).await?;
    Ok(seen.facts.is_some().then(|| of(book, seen)))
}

fn of(book: Book, seen: OwnedMutexGuard<Seen>) -> Account {
    let facts = seen.facts.as_ref().expect("a look brings facts");
    let ledger = Ledger::of(&book, &seen.watch, facts);
    Account { book, ledger, seen }
}

/// Waits until the newest block is known.
///
/// # Errors
/// `bitcoin_no_peer` where nobody tells of it.
pub(super) async fn synced(chain: &Chain, network: Network) -> Result<(), ApiError> {
    let patience = if network == Network::Regtest { PATIENCE_NEAR } else { PATIENCE };
    let mut status = chain.status_changes();
    let synced = timeout(patience, status.wait_for(|status| status.phase == Phase::Synced)).await;
    match synced {
        Ok(Ok(_)) => Ok(()),
        _ => Err(ApiError::new(
            "bitcoin_no_peer",
            format!("what the chain says is not known now: {}", chain.status()),
        )),
    }
}

impl Seen {
    /// Looks through the blocks since the last time, and again from where new scripts matter.
    async fn look(&mut self, chain: &Chain, book: &Book) -> Result<(), ApiError> {
        let born = book.birthday().map_or_else(|| chain.tip().height, |height| height.saturating_sub(1));
        let known = self.facts.as_ref().map_or(born, |facts| facts.tip.height);
        chain.reach(born.min(known).saturating_sub(MEDIAN_SPAN)).await?;
        let mut facts = match self.facts.take() {
            Some(facts) => facts,
            None => Facts::new(book.network, block(chain, born)?),
        };
        for _ in 0..MAX_PASSES {
            // Blocks may have been taken away since the last pass.
            facts = on_chain(chain, facts, born)?;
            let again = self.watch.follow(book, &facts);
            let tip = facts.tip.height;
            let from = again.map_or(tip, |height| height.saturating_sub(1).min(tip));
            if again.is_none() && tip == chain.tip().height && tip >= from {
                self.facts = Some(facts);
                return Ok(());
            }
            let scripts: Vec<ScriptBuf> = self.watch.scripts().cloned().collect();
            look_through(chain, scripts, from, &self.watch, &mut facts).await?;
        }
        Err(ApiError::new("chain_restless", "the chain goes on faster than it can be looked through"))
    }
}

/// Looks for scripts above a height up to the newest block.
async fn look_through(
    chain: &Chain,
    scripts: Vec<ScriptBuf>,
    from: u32,
    watch: &Watch,
    facts: &mut Facts,
) -> Result<(), ApiError> {
    let mut scan = chain.scan(scripts, from).await?;
    while let Some(found) = scan.next().await {
        let found = found?;
        facts.connect(block_of(chain, found.id)?, &found.block, watch);
    }
    facts.tip = block_of(chain, scan.upto())?;
    Ok(())
}

/// Forgets what a reorganisation took away.
fn on_chain(chain: &Chain, mut facts: Facts, born: u32) -> Result<Facts, ApiError> {
    let stands = |block: &BlockFacts| chain.block_id(block.height).is_some_and(|id| id.hash == block.hash);
    if stands(&facts.tip) {
        return Ok(facts);
    }
    let last = facts.transactions().iter().rev().map(|it| it.block).find(stands);
    let tip = match last {
        Some(block) => block,
        None => block(chain, born.min(chain.tip().height))?,
    };
    facts.disconnect(tip);
    Ok(facts)
}

fn block_of(chain: &Chain, id: chain::BlockId) -> Result<BlockFacts, ApiError> {
    let found = block(chain, id.height)?;
    match found.hash == id.hash {
        true => Ok(found),
        false => Err(ApiError::new("chain_moved", format!("block {} is not of the chain any more", id.hash))),
    }
}

fn block(chain: &Chain, height: u32) -> Result<BlockFacts, ApiError> {
    let unknown = || ApiError::new("chain_moved", format!("the block at height {height} is not known"));
    let id = chain.block_id(height).ok_or_else(unknown)?;
    let median_time_past = chain.median_time_past(height).ok_or_else(unknown)?;
    Ok(BlockFacts { height, hash: id.hash, median_time_past })
}
