//! What is seen of the chain for one DAO: what pays its scripts, and what spends the coins that it watches.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use chain::{BlockId, Chain};
use domain::{
    bitcoin::{self, OutPoint, ScriptBuf, Transaction, TxOut, Txid},
    kinds::DaoId,
};
use tokio::sync::mpsc;
use treasury::{
    dao::member::{Block, Input, Member},
    paying::Root,
};

use super::running::Work;
use crate::{api::ApiError, node::Inner};

/// Blocks whose hashes are remembered: by them a reorganisation is noticed.
const REMEMBERED: usize = 1_000;
/// Blocks that are fetched whole rather than looked through by filters with a client of its own.
const FEW: u32 = 6;
/// How long the client has to tell of a block before it is looked for.
const GRACE: Duration = Duration::from_secs(5);

/// What is seen of the chain.
#[derive(Default)]
pub(super) struct Sight {
    /// Blocks up to which all was seen, the newest last.
    seen: Vec<Block>,
    /// Scripts with the height from which on all was seen.
    scripts: BTreeMap<ScriptBuf, u32>,
    /// Scripts that are to be looked for from a height on.
    fresh: BTreeMap<ScriptBuf, u32>,
    watched: BTreeSet<OutPoint>,
    outputs: BTreeMap<OutPoint, (TxOut, Block)>,
    spends: BTreeMap<OutPoint, (Txid, Block)>,
    /// What transactions that pay the scripts commit to.
    roots: BTreeMap<Txid, Root>,
    /// The client that looks for all scripts, and from which of its numbers on.
    joined: Option<(u64, u64)>,
    is_looking: bool,
    /// Since when the last block was not told, though all scripts are looked for.
    behind: Option<Instant>,
    /// The lowest block in which something may have come in that waits.
    from: Option<u32>,
    kept: Option<u32>,
}

/// What a look through blocks brought.
pub(crate) struct Look {
    scripts: BTreeMap<ScriptBuf, u32>,
    joined: (u64, u64),
    /// The last block that stays of those seen before, where others are no more.
    cut: Option<u32>,
    blocks: Vec<(BlockId, Arc<bitcoin::Block>)>,
    seen: Vec<Block>,
}

/// What a look begins with.
struct Task {
    chain: Chain,
    client: u64,
    seen: Vec<Block>,
    scripts: BTreeMap<ScriptBuf, u32>,
    fresh: BTreeMap<ScriptBuf, u32>,
}

impl Sight {
    pub(super) async fn load(node: &Inner, dao: &DaoId) -> Result<Self, ApiError> {
        let from: Option<u32> = node.store.setting(&setting(dao)).await?;
        Ok(Self { from, ..Self::default() })
    }

    /// Remembers from where on what came in has to be looked for after a restart.
    pub(super) async fn keep(&mut self, node: &Inner, dao: &DaoId, member: &Member) {
        let unmerged = self.incomes(member).map(|(_, _, block)| block.height).min();
        let low = unmerged.or_else(|| self.tip().map(|tip| tip.height));
        if low.is_none() || low == self.kept {
            return;
        }
        match node.store.set_setting(&setting(dao), &low).await {
            Ok(()) => self.kept = low,
            Err(error) => tracing::warn!(%error, "how far a DAO was seen is not kept"),
        }
    }

    /// The block up to which all was seen.
    pub(super) fn tip(&self) -> Option<Block> {
        self.seen.last().copied()
    }

    /// Looks for whatever spends a coin. Returns what is known of that.
    pub(super) fn watch(&mut self, outpoint: OutPoint, script: ScriptBuf, from: u32) -> Option<Input> {
        self.watched.insert(outpoint);
        if self.scripts.get(&script).is_none_or(|since| *since > from) {
            let since = self.fresh.entry(script).or_insert(from);
            *since = from.min(*since);
        }
        self.spends.get(&outpoint).map(|(by, block)| Input::Spent { outpoint, by: *by, block: Some(*block) })
    }

    /// Looks for what comes in at every script that the DAO had.
    pub(super) fn follow(&mut self, member: &Member) {
        let founded = member.history().first().map(|done| done.block.height);
        let Some(founded) = founded else { return };
        let from = self.from.unwrap_or(founded).max(founded);
        for epoch in &member.state().epochs {
            let script = epoch.script();
            if !self.scripts.contains_key(&script) && !self.fresh.contains_key(&script) {
                self.fresh.insert(script, from);
            }
        }
    }

    /// Returns what a transaction commits to that pays one of the scripts.
    pub(super) fn root(&self, txid: &Txid) -> Option<Root> {
        self.roots.get(txid).copied()
    }

    /// Says whether a block has a coin at one of the DAO's scripts, and none its spending.
    pub(super) fn has(&self, outpoint: &OutPoint) -> bool {
        self.outputs.contains_key(outpoint) && !self.spends.contains_key(outpoint)
    }

    /// Lists coins at the DAO's scripts that no transaction of its own made and that nothing spends.
    pub(super) fn incomes<'a>(
        &'a self,
        member: &'a Member,
    ) -> impl Iterator<Item = (OutPoint, &'a TxOut, Block)> + 'a {
        let own: BTreeSet<ScriptBuf> = member.state().epochs.iter().map(|epoch| epoch.script()).collect();
        let made: BTreeSet<Txid> = member.history().iter().map(|done| done.txid).collect();
        let came = self.outputs.iter().filter(move |(outpoint, (output, _))| {
            own.contains(&output.script_pubkey)
                && !made.contains(&outpoint.txid)
                && !self.spends.contains_key(outpoint)
                && !self.is_of_own(outpoint.txid)
        });
        came.map(|(outpoint, (output, block))| (*outpoint, output, *block))
    }

    /// Says whether a transaction spends a coin that is watched: then it is one of the DAO's, known or not.
    fn is_of_own(&self, txid: Txid) -> bool {
        self.spends.iter().any(|(outpoint, (by, _))| *by == txid && self.watched.contains(outpoint))
    }

    /// Takes what the node's own client tells, where that goes on from what was seen.
    pub(super) fn hear(&mut self, client: u64, event: &chain::Event) -> Vec<Input> {
        match event {
            chain::Event::Connected(it) => {
                let follows = self.tip().is_some_and(|tip| {
                    (tip.height + 1, tip.hash) == (it.id.height, it.header.prev_blockhash)
                });
                let looks = self.joined.is_some_and(|(of, number)| of == client && it.watches >= number);
                if !follows || !looks || self.is_looking {
                    return Vec::new();
                }
                let block = Block { height: it.id.height, hash: it.id.hash };
                let mut inputs = it.block.as_ref().map(|it| self.take(block, it)).unwrap_or_default();
                self.remember(block);
                // Where nothing was spent, the last block alone is news.
                inputs.extend(self.tip().map(Input::Block));
                inputs
            }
            chain::Event::Unconfirmed(tx) => self.relayed(tx),
            _ => Vec::new(),
        }
    }

    fn relayed(&self, tx: &Transaction) -> Vec<Input> {
        let by = tx.compute_txid();
        let spent = tx.input.iter().map(|input| input.previous_output);
        let spent = spent.filter(|outpoint| self.watched.contains(outpoint));
        let spent = spent.filter(|outpoint| !self.spends.contains_key(outpoint));
        spent.map(|outpoint| Input::Spent { outpoint, by, block: None }).collect()
    }

    /// Looks through the blocks that were not seen yet, in the background, where there are any.
    pub(super) fn look(&mut self, node: &Arc<Inner>, chain: Chain, work: &mpsc::Sender<Work>) {
        let client = node.money.client_number();
        let is_joined = self.joined.is_some_and(|(of, _)| of == client);
        let tip = chain.tip();
        let is_seen = self.tip().is_some_and(|seen| seen.hash == tip.hash);
        if is_seen {
            self.behind = None;
        }
        let follows = is_joined && self.fresh.is_empty();
        if self.is_looking || is_seen && follows || tip.height == 0 {
            return;
        }
        // The client tells of the block by itself: only where it does not, it is looked for.
        if follows && self.behind.get_or_insert_with(Instant::now).elapsed() < GRACE {
            return;
        }
        self.is_looking = true;
        let (seen, scripts, fresh) = (self.seen.clone(), self.scripts.clone(), self.fresh.clone());
        let task = Task { chain, client, seen, scripts, fresh };
        let (work, ending) = (work.clone(), node.ending.clone());
        let network = node.money.network();
        node.tasks.spawn(async move {
            if let Some(look) = ending.run_until_cancelled(task.run(network)).await {
                let _ = work.send(Work::Looked(Box::new(look))).await;
            }
        });
    }

    /// Takes what a look through blocks brought; returns what the member is to be told before the last block.
    pub(super) fn looked(&mut self, look: Result<Look, ApiError>) -> Result<Vec<Input>, ApiError> {
        self.is_looking = false;
        let look = look?;
        let mut inputs = Vec::new();
        if let Some(height) = look.cut {
            self.cut(height);
            inputs.push(Input::Reorg { height });
        }
        for (script, from) in look.scripts {
            if self.fresh.get(&script).is_some_and(|since| *since >= from) {
                self.fresh.remove(&script);
            }
            let since = self.scripts.entry(script).or_insert(from);
            *since = from.min(*since);
        }
        self.joined = Some(look.joined);
        for (id, block) in look.blocks {
            inputs.extend(self.take(Block { height: id.height, hash: id.hash }, &block));
        }
        look.seen.into_iter().for_each(|block| self.remember(block));
        Ok(inputs)
    }

    fn cut(&mut self, height: u32) {
        self.seen.retain(|block| block.height <= height);
        self.outputs.retain(|_, (_, block)| block.height <= height);
        self.spends.retain(|_, (_, block)| block.height <= height);
    }

    fn remember(&mut self, block: Block) {
        self.seen.retain(|known| known.height < block.height);
        self.seen.push(block);
        let excess = self.seen.len().saturating_sub(REMEMBERED);
        self.seen.drain(..excess);
    }

    /// Takes what a block has; returns what of it the member watches.
    fn take(&mut self, at: Block, block: &bitcoin::Block) -> Vec<Input> {
        let mut inputs = Vec::new();
        for tx in &block.txdata {
            let txid = tx.compute_txid();
            for outpoint in tx.input.iter().map(|input| input.previous_output) {
                let is_watched = self.watched.contains(&outpoint);
                if is_watched || self.outputs.contains_key(&outpoint) {
                    self.spends.insert(outpoint, (txid, at));
                }
                if is_watched {
                    inputs.push(Input::Spent { outpoint, by: txid, block: Some(at) });
                }
            }
            for (vout, output) in (0..).zip(&tx.output) {
                let script = &output.script_pubkey;
                if self.scripts.contains_key(script) || self.fresh.contains_key(script) {
                    self.outputs.insert(OutPoint { txid, vout }, (output.clone(), at));
                    self.roots.extend(Root::of(tx).map(|root| (txid, root)));
                }
            }
        }
        inputs
    }
}

impl Task {
    async fn run(self, network: domain::Network) -> Result<Look, ApiError> {
        let Self { chain, client, seen, scripts, fresh } = self;
        crate::money::until_synced(&chain, network).await?;
        let stays = |block: &&Block| chain.block_id(block.height).is_some_and(|id| id.hash == block.hash);
        let last = seen.iter().rev().find(stays).copied();
        let cut = match (&last, seen.last(), seen.first()) {
            (Some(last), Some(tip), _) => (last != tip).then_some(last.height),
            (None, Some(_), Some(first)) => Some(first.height.saturating_sub(1)),
            _ => None,
        };
        let mut all = scripts;
        for (script, from) in &fresh {
            let since = all.entry(script.clone()).or_insert(*from);
            *since = (*since).min(*from);
        }
        let wanted: Vec<ScriptBuf> = all.keys().cloned().collect();
        let number = chain.join(wanted.clone()).await?;
        let tip = chain.tip();
        let seen_to = last.map(|last| last.height).or(cut);
        let fresh_from = fresh.values().map(|from| from.saturating_sub(1)).min();
        let from = seen_to.into_iter().chain(fresh_from).min().unwrap_or(tip.height).min(tip.height);
        chain.reach(from).await?;
        let (blocks, upto) = if wanted.is_empty() {
            (Vec::new(), tip)
        } else if tip.height - from <= FEW {
            (few(&chain, from, tip).await?, tip)
        } else {
            many(&chain, wanted, from).await?
        };
        let first = upto.height.saturating_sub(REMEMBERED as u32 / 2).max(from);
        let seen = (first + 1..upto.height).filter_map(|height| chain.block_id(height)).chain([upto]);
        let seen = seen.map(|id| Block { height: id.height, hash: id.hash }).collect();
        if chain.block_id(upto.height) != Some(upto) {
            return Err(ApiError::new("chain_moved", "blocks were taken back while they were looked at"));
        }
        Ok(Look { scripts: all, joined: (client, number), cut, blocks, seen })
    }
}

async fn few(
    chain: &Chain,
    from: u32,
    tip: BlockId,
) -> Result<Vec<(BlockId, Arc<bitcoin::Block>)>, ApiError> {
    let mut blocks = Vec::new();
    for height in from + 1..=tip.height {
        let unknown = || ApiError::new("chain_moved", format!("the block at height {height} is not known"));
        let id = chain.block_id(height).ok_or_else(unknown)?;
        blocks.push((id, chain.block(id.hash).await?));
    }
    Ok(blocks)
}

async fn many(
    chain: &Chain,
    scripts: Vec<ScriptBuf>,
    from: u32,
) -> Result<(Vec<(BlockId, Arc<bitcoin::Block>)>, BlockId), ApiError> {
    let mut scan = chain.scan(scripts, from).await?;
    let mut blocks = Vec::new();
    while let Some(found) = scan.next().await {
        let found = found?;
        blocks.push((found.id, found.block));
    }
    Ok((blocks, scan.upto()))
}

fn setting(dao: &DaoId) -> String {
    format!("dao_seen_{dao}")
}
