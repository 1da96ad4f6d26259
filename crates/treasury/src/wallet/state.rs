//! The wallet: what happened to its addresses, and what it may do about it.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Arc, OnceLock},
};

use bdk_wallet::chain::{BlockId, ConfirmationBlockTime, TxGraph, tx_graph};
use bip329::Label;
use domain::{
    Network,
    bitcoin::{
        Address, Block, BlockHash, OutPoint, ScriptBuf, Transaction, TxIn, TxOut, Txid, block::Header,
        key::Secp256k1, secp256k1::All,
    },
    kinds::WINDOW,
};

use super::{
    Accounts, Balance, Chain, ChangeSet, Coin, Draft, DraftId, MAX_INDEX, WalletError,
    blocks::{Blocks, Changes},
    changes::{Sent, Stage},
    keys,
    scripts::Scripts,
    view::{Position, View, left_block_at, made_here},
};

/// How long a transaction of somebody else's may stay unseen before it no longer counts, in seconds: Bitcoin Core
/// forgets unconfirmed ones after two weeks.
pub const FORGOTTEN_AFTER: u64 = 14 * 24 * 3600;

/// A wallet that sees all and can sign nothing by itself. It changes in memory; what changed waits in [`Wallet::staged`]
/// until the caller has kept it, and nothing is to be sent before.
pub struct Wallet {
    pub(crate) accounts: Accounts,
    birthday: u32,
    pub(crate) blocks: Blocks,
    pub(crate) graph: TxGraph<ConfirmationBlockTime>,
    pub(crate) scripts: Scripts,
    revealed: BTreeMap<Chain, u32>,
    windows: BTreeSet<u32>,
    pub(crate) locked: BTreeSet<OutPoint>,
    pub(crate) sent: BTreeMap<Txid, Sent>,
    returning: BTreeMap<Txid, Transaction>,
    pub(crate) drafts: BTreeMap<DraftId, Draft>,
    pub(crate) labels: BTreeMap<String, Label>,
    staged: ChangeSet,
    view: OnceLock<View>,
    pub(crate) secp: Secp256k1<All>,
}

impl Wallet {
    /// Makes a wallet of public keys. `birthday` is the height of the first block that can pay it: the chain's tip for
    /// a new wallet, 0 where nobody knows.
    pub fn create(accounts: Accounts, birthday: u32) -> Self {
        let mut wallet = Self::empty(accounts.clone(), birthday, &Changes::new());
        wallet.staged = ChangeSet {
            accounts: Some(accounts),
            birthday: Some(birthday),
            blocks: Changes::from([(0, Some(wallet.blocks.tip().hash))]),
            ..ChangeSet::default()
        };
        wallet
    }

    /// Makes the wallet that the merged changes describe.
    ///
    /// # Errors
    /// [`WalletError::Damaged`] where they describe none.
    pub fn load(changes: ChangeSet) -> Result<Self, WalletError> {
        let damaged = || WalletError::Damaged("its public keys are missing".into());
        let accounts = changes.accounts.ok_or_else(damaged)?;
        let mut wallet = Self::empty(accounts, changes.birthday.unwrap_or(0), &changes.blocks);
        for (chain, count) in changes.revealed {
            wallet.scripts.reveal(chain, count);
            wallet.revealed.insert(chain, count);
        }
        for base in changes.windows {
            wallet.scripts.open(base);
            wallet.windows.insert(base);
        }
        wallet.graph.apply_changeset(changes.graph);
        for node in wallet.graph.full_txs() {
            drop(wallet.scripts.scan(&node.tx));
        }
        wallet.locked =
            changes.locked.into_iter().filter_map(|(coin, locked)| locked.then_some(coin)).collect();
        wallet.sent = changes.sent;
        wallet.returning =
            changes.returning.into_iter().filter_map(|(txid, payment)| Some((txid, payment?))).collect();
        wallet.drafts = changes.drafts.into_iter().filter_map(|(id, draft)| Some((id, draft?))).collect();
        wallet.labels = changes.labels.into_iter().filter_map(|(key, label)| Some((key, label?))).collect();
        wallet.scripts.take_fresh();
        Ok(wallet)
    }

    fn empty(accounts: Accounts, birthday: u32, blocks: &Changes) -> Self {
        let mut scripts = Scripts::new(&accounts);
        scripts.reveal(Chain::Receive, 0);
        scripts.reveal(Chain::Change, 0);
        scripts.open(0);
        scripts.take_fresh();
        Self {
            birthday,
            blocks: Blocks::new(accounts.network, blocks),
            graph: TxGraph::default(),
            scripts,
            revealed: BTreeMap::new(),
            windows: BTreeSet::from([0]),
            locked: BTreeSet::new(),
            sent: BTreeMap::new(),
            returning: BTreeMap::new(),
            drafts: BTreeMap::new(),
            labels: BTreeMap::new(),
            staged: ChangeSet::default(),
            view: OnceLock::new(),
            secp: Secp256k1::new(),
            accounts,
        }
    }

    /// Returns the network that the money is of.
    pub fn network(&self) -> Network {
        self.accounts.network
    }

    /// Returns the public keys.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Returns the height of the first block that can pay the wallet.
    pub fn birthday(&self) -> u32 {
        self.birthday
    }

    /// Returns the newest block that the wallet knows.
    pub fn tip(&self) -> BlockId {
        self.blocks.tip()
    }

    /// Returns the blocks that the wallet knows, newest first: where the chain's client finds the fork.
    pub fn checkpoints(&self) -> impl Iterator<Item = BlockId> {
        self.blocks.iter()
    }

    /// Returns every script that a block has to be searched for.
    pub fn scripts(&self) -> impl Iterator<Item = &ScriptBuf> {
        self.scripts.all()
    }

    /// Returns the scripts that joined since this was asked last: the chain's client has to watch them, too.
    pub fn take_new_scripts(&mut self) -> Vec<ScriptBuf> {
        self.scripts.take_fresh()
    }

    /// Returns what changed and is not kept yet.
    pub fn staged(&self) -> Option<&ChangeSet> {
        (!self.staged.is_empty()).then_some(&self.staged)
    }

    /// Notes that all that was staged is safely kept.
    pub fn mark_persisted(&mut self) {
        self.staged = ChangeSet::default();
    }

    /// Returns the whole wallet as one change, without what no longer matters; it may replace all earlier ones.
    pub fn snapshot(&self) -> ChangeSet {
        let graph = self.graph.initial_changeset();
        let anchored: HashSet<u32> = graph.anchor_heights().collect();
        ChangeSet {
            accounts: Some(self.accounts.clone()),
            birthday: Some(self.birthday),
            blocks: self.blocks.thinned(|height| height == 0 || anchored.contains(&height)),
            graph,
            revealed: self.revealed.clone(),
            windows: self.windows.clone(),
            locked: self.locked.iter().map(|coin| (*coin, true)).collect(),
            sent: self.sent.clone(),
            returning: self.returning.iter().map(|(txid, tx)| (*txid, Some(tx.clone()))).collect(),
            drafts: self.drafts.iter().map(|(id, draft)| (*id, Some(draft.clone()))).collect(),
            labels: self.labels.iter().map(|(key, label)| (key.clone(), Some(label.clone()))).collect(),
        }
        .tidied()
    }

    /// Adds a block to the best chain, with its content if a filter matched; blocks that contradict it leave. A block
    /// of the past may come as well, when new scripts are searched for. Returns the transactions that it concerned.
    ///
    /// # Errors
    /// [`WalletError::OtherChain`] or [`WalletError::OtherBlock`]; nothing changes then.
    pub fn connect(
        &mut self,
        height: u32,
        header: &Header,
        block: Option<&Block>,
    ) -> Result<Vec<Txid>, WalletError> {
        let id = BlockId { height, hash: header.block_hash() };
        if block.is_some_and(|block| block.block_hash() != id.hash || !block.check_merkle_root()) {
            return Err(WalletError::OtherBlock(id.hash));
        }
        let changes = self.blocks.connect(id, header.prev_blockhash);
        let changes = changes.ok_or(WalletError::OtherChain { height, hash: id.hash })?;
        let reorganised = changes.values().any(Option::is_none);
        self.stage(ChangeSet { blocks: changes, ..ChangeSet::default() });
        let anchor = ConfirmationBlockTime { block_id: id, confirmation_time: u64::from(header.time) };
        let touched = block.map(|block| self.take_block(block, anchor)).unwrap_or_default();
        if reorganised || !touched.is_empty() || self.has_immature() {
            self.view.take();
        }
        Ok(touched)
    }

    /// Removes a block that left the best chain, and all above it. What it held waits for another block.
    pub fn disconnect(&mut self, height: u32, hash: BlockHash) {
        let blocks = self.blocks.disconnect(BlockId { height, hash });
        self.stage(ChangeSet { blocks, ..ChangeSet::default() });
        self.view.take();
    }

    /// Takes note of a transaction that another node told of, at a time in unix seconds. Returns whether it concerns
    /// the wallet.
    ///
    /// What nobody has mined is hearsay: one that spends the wallet's own coins counts only with the right signatures,
    /// and one that is known is not replaced by another form of itself.
    pub fn unconfirmed(&mut self, tx: &Transaction, now: u64) -> bool {
        let txid = tx.compute_txid();
        let known = self.graph.get_tx(txid).is_some();
        if !known && (tx.is_coinbase() || !self.scripts.concern(tx) || !self.spends_rightly(tx)) {
            return false;
        }
        if known && self.is_beaten(tx) {
            return false;
        }
        if !known {
            self.insert(&Arc::new(tx.clone()));
        }
        let seen = self.graph.insert_seen_at(txid, now);
        self.stage_graph(seen);
        self.advance(txid, Stage::Mempool);
        true
    }

    /// Stops counting what others promised and nobody has seen for [`FORGOTTEN_AFTER`]. Returns what that was.
    pub fn forget_unseen(&mut self, now: u64) -> Vec<Txid> {
        let unseen = |txid: &Txid| {
            let node = self.graph.get_tx_node(*txid);
            let last = node.map_or(now, |node| node.last_seen.unwrap_or_else(|| left_block_at(&node)));
            matches!(self.position(*txid), Some(Position::Unconfirmed { .. }))
                && !self.sent.contains_key(txid)
                && last.saturating_add(FORGOTTEN_AFTER) <= now
        };
        let forgotten: Vec<Txid> = self.view().order.iter().copied().filter(unseen).collect();
        for txid in &forgotten {
            let evicted = self.graph.insert_evicted_at(*txid, now);
            self.stage_graph(evicted);
        }
        forgotten
    }

    /// Hands out the next address of the private account that was never paid.
    pub fn fresh_address(&mut self) -> (u32, Address) {
        let index = self.revealed(Chain::Receive);
        self.reveal(Chain::Receive, index + 1);
        (index, self.accounts.address(Chain::Receive, index))
    }

    /// Returns the address that was handed out last, or the first.
    pub fn current_address(&self) -> (u32, Address) {
        let index = self.revealed(Chain::Receive).saturating_sub(1);
        (index, self.accounts.address(Chain::Receive, index))
    }

    /// Returns how many addresses of a chain were handed out.
    pub fn revealed(&self, chain: Chain) -> u32 {
        self.revealed.get(&chain).copied().unwrap_or(0)
    }

    /// Watches a window of the published chains, as the artist's profile announces it; one that begins at 0 always is.
    /// Coins paid into it before are found by a search of the past.
    ///
    /// # Errors
    /// [`WalletError::Window`] where it would reach beyond the last key.
    pub fn open_window(&mut self, base: u32) -> Result<(), WalletError> {
        if base > MAX_INDEX - WINDOW {
            return Err(WalletError::Window(base));
        }
        if self.windows.insert(base) {
            self.scripts.open(base);
            self.stage(ChangeSet { windows: BTreeSet::from([base]), ..ChangeSet::default() });
        }
        Ok(())
    }

    /// Returns the bases of the windows that are watched.
    pub fn windows(&self) -> impl Iterator<Item = u32> {
        self.windows.iter().copied()
    }

    /// Returns the place of a script of the wallet's.
    pub fn find(&self, script: &ScriptBuf) -> Option<(Chain, u32)> {
        self.scripts.find(script)
    }

    /// Returns what the wallet holds.
    pub fn balance(&self) -> Balance {
        Balance::of(self.view().coins.iter())
    }

    /// Returns the coins, in the order of their keys.
    pub fn coins(&self) -> Vec<Coin> {
        let locked = |coin: &Coin| Coin { locked: self.locked.contains(&coin.outpoint), ..coin.clone() };
        self.view().coins.iter().map(locked).collect()
    }

    /// Keeps a coin from being spent, or releases it.
    ///
    /// # Errors
    /// [`WalletError::NoTransaction`] where the wallet has no such output.
    pub fn lock_coin(&mut self, coin: OutPoint, locked: bool) -> Result<(), WalletError> {
        if self.scripts.of(coin).is_none() {
            return Err(WalletError::NoTransaction(coin.to_string()));
        }
        self.set_locked(coin, locked);
        Ok(())
    }

    /// Returns a transaction that the wallet knows.
    pub fn transaction(&self, txid: Txid) -> Option<Arc<Transaction>> {
        self.graph.get_tx(txid)
    }

    /// Returns the signed transactions that other nodes have to be told of until they are in a block. While something
    /// is staged there are none: what left before it was kept could be paid twice after a crash.
    pub fn outbox(&self) -> Vec<Arc<Transaction>> {
        if self.staged().is_some() {
            return Vec::new();
        }
        let waits = |txid: &&Txid| matches!(self.position(**txid), Some(Position::Unconfirmed { .. }));
        let mut waiting: Vec<_> = self.sent.iter().filter(|(txid, _)| waits(txid)).collect();
        // A payment that spends another's change comes after it.
        waiting.sort_by_key(|(_, sent)| sent.at);
        waiting.into_iter().filter_map(|(txid, _)| self.graph.get_tx(*txid)).collect()
    }

    /// Notes that a transaction of the outbox was handed to other nodes.
    pub fn mark_broadcast(&mut self, txid: Txid) {
        self.advance(txid, Stage::Broadcast);
    }

    /// Returns the payments of a backup that wait for [`Self::take_up`].
    pub fn returning(&self) -> impl Iterator<Item = &Transaction> {
        self.returning.values()
    }

    /// Takes payments of a backup up again once the chain was looked through, at a time in unix seconds: those whose
    /// coins are there go to other nodes again. One whose coins a block spent otherwise is history, and one whose coins
    /// are not known yet waits. Returns those that were taken up.
    pub fn take_up(&mut self, now: u64) -> Vec<Txid> {
        let mut taken = Vec::new();
        while let Some(next) = self.returning.values().find(|tx| self.is_decided(tx)).cloned() {
            let txid = next.compute_txid();
            if self.spends_rightly(&next) {
                // A payment that spends another's change comes after it.
                let at = now.saturating_add(taken.len() as u64);
                self.take_signed(next, Sent { stage: Stage::Broadcast, at, rest_to: None });
                taken.push(txid);
            }
            self.returning.remove(&txid);
            self.stage(ChangeSet { returning: BTreeMap::from([(txid, None)]), ..ChangeSet::default() });
        }
        taken
    }

    /// Gives up a payment that was signed and never sent; its coins are free again.
    ///
    /// # Errors
    /// [`WalletError::Sent`] once anybody may have it, [`WalletError::NoTransaction`] where there is none.
    pub fn abandon(&mut self, txid: Txid, now: u64) -> Result<(), WalletError> {
        let missing = || WalletError::NoTransaction(txid.to_string());
        if self.sent.get(&txid).ok_or_else(missing)?.stage > Stage::Signed {
            return Err(WalletError::Sent(txid));
        }
        let seen = self.graph.get_tx_node(txid).and_then(|node| node.last_seen).unwrap_or(now);
        let evicted = self.graph.insert_evicted_at(txid, seen.max(now));
        self.stage_graph(evicted);
        Ok(())
    }

    /// Keeps a payment that was prepared, to be signed later.
    pub fn keep_draft(&mut self, draft: Draft) -> DraftId {
        let id = self.drafts.last_key_value().map_or(1, |(id, _)| id + 1);
        self.drafts.insert(id, draft.clone());
        self.stage(ChangeSet { drafts: BTreeMap::from([(id, Some(draft))]), ..ChangeSet::default() });
        id
    }

    /// Returns a payment that was kept.
    pub fn draft(&self, id: DraftId) -> Option<&Draft> {
        self.drafts.get(&id)
    }

    /// Drops a payment that was kept.
    pub fn drop_draft(&mut self, id: DraftId) {
        if self.drafts.remove(&id).is_some() {
            self.stage(ChangeSet { drafts: BTreeMap::from([(id, None)]), ..ChangeSet::default() });
        }
    }

    pub(crate) fn view(&self) -> &View {
        self.view.get_or_init(|| View::new(&self.graph, &self.blocks, &self.scripts))
    }

    pub(crate) fn position(&self, txid: Txid) -> Option<Position> {
        self.view().position(txid)
    }

    pub(crate) fn stage(&mut self, change: ChangeSet) {
        self.staged.merge(change);
    }

    pub(crate) fn reveal(&mut self, chain: Chain, count: u32) {
        if count > self.revealed(chain) {
            self.revealed.insert(chain, count);
            self.scripts.reveal(chain, count);
            self.stage(ChangeSet { revealed: BTreeMap::from([(chain, count)]), ..ChangeSet::default() });
        }
    }

    /// Keeps a payment of a backup until the chain was looked through.
    pub(crate) fn keep_returning(&mut self, tx: Transaction) {
        let txid = tx.compute_txid();
        self.returning.insert(txid, tx.clone());
        self.stage(ChangeSet { returning: BTreeMap::from([(txid, Some(tx))]), ..ChangeSet::default() });
    }

    /// Locks or releases an output, which may become known later: labels are restored before the chain is searched.
    pub(crate) fn set_locked(&mut self, coin: OutPoint, locked: bool) {
        let changed = if locked { self.locked.insert(coin) } else { self.locked.remove(&coin) };
        if changed {
            self.stage(ChangeSet { locked: BTreeMap::from([(coin, locked)]), ..ChangeSet::default() });
        }
    }

    /// Takes a transaction that this wallet signed; it counts from now on.
    pub(crate) fn take_signed(&mut self, tx: Transaction, sent: Sent) -> Txid {
        let txid = tx.compute_txid();
        // It comes after whatever it replaces, however the clock runs.
        let replaced = self.graph.direct_conflicts(&tx).map(|(_, txid)| txid);
        let newest = replaced.filter_map(|txid| self.graph.get_tx_node(txid)?.last_seen).max();
        let seen = newest.map_or(sent.at, |newest| sent.at.max(newest.saturating_add(1)));
        self.insert(&Arc::new(tx));
        let seen = self.graph.insert_seen_at(txid, seen);
        self.stage_graph(seen);
        self.sent.insert(txid, sent.clone());
        self.stage(ChangeSet { sent: BTreeMap::from([(txid, sent)]), ..ChangeSet::default() });
        txid
    }

    /// Takes a transaction of others that one of the wallet's pays for.
    pub(crate) fn take_parent(&mut self, tx: &Transaction, now: u64) {
        let txid = self.insert(&Arc::new(tx.clone()));
        let seen = self.graph.insert_seen_at(txid, now);
        self.stage_graph(seen);
    }

    /// The outputs that the transaction spends, if the wallet knows all of them.
    pub(crate) fn prevouts(&self, tx: &Transaction) -> Option<Vec<TxOut>> {
        tx.input.iter().map(|input| self.graph.get_txout(input.previous_output).cloned()).collect()
    }

    fn take_block(&mut self, block: &Block, anchor: ConfirmationBlockTime) -> Vec<Txid> {
        let mut touched = BTreeMap::new();
        // A payment may move the window of watched scripts so far that an earlier one of the same block is in it.
        loop {
            let before = touched.len();
            for (place, tx) in block.txdata.iter().enumerate() {
                if touched.contains_key(&place) || !(self.scripts.concern(tx) || self.contradicts(tx)) {
                    continue;
                }
                let txid = self.insert(&Arc::new(tx.clone()));
                let anchored = self.graph.insert_anchor(txid, anchor);
                self.stage_graph(anchored);
                touched.insert(place, txid);
            }
            if touched.len() == before {
                return touched.into_values().collect();
            }
        }
    }

    /// Says whether the transaction spends what another known one spends: then that one is void.
    fn contradicts(&self, tx: &Transaction) -> bool {
        !tx.is_coinbase() && self.graph.direct_conflicts(tx).next().is_some()
    }

    /// Says whether another transaction holds that spends a coin of this one.
    fn is_beaten(&self, tx: &Transaction) -> bool {
        self.graph.direct_conflicts(tx).any(|(_, rival)| self.position(rival).is_some())
    }

    /// Says whether a payment of a backup is known to hold or not to: all that it spends is known, and nobody wants one
    /// of its coins, or a block has given it to somebody.
    fn is_decided(&self, tx: &Transaction) -> bool {
        let rivals = self.graph.direct_conflicts(tx).filter_map(|(_, rival)| self.position(rival));
        let rivals: Vec<Position> = rivals.collect();
        let known = |input: &TxIn| self.graph.get_tx(input.previous_output.txid).is_some();
        let spent = rivals.iter().any(|rival| matches!(rival, Position::Confirmed { .. }));
        tx.input.iter().all(known) && (rivals.is_empty() || spent)
    }

    fn insert(&mut self, tx: &Arc<Transaction>) -> Txid {
        let inserted = self.graph.insert_tx(tx.clone());
        self.stage_graph(inserted);
        for (chain, index) in self.scripts.scan(tx).collect::<Vec<_>>() {
            if matches!(chain, Chain::Receive | Chain::Change) {
                self.reveal(chain, index + 1);
            }
        }
        tx.compute_txid()
    }

    fn spends_rightly(&self, tx: &Transaction) -> bool {
        let spends = tx.input.iter().any(|input| self.scripts.of(input.previous_output).is_some());
        let Some(prevouts) = self.prevouts(tx) else { return !spends };
        let signed = |input| keys::verify(&self.secp, tx, input, &prevouts);
        !spends || (made_here(&self.scripts, tx) && (0..tx.input.len()).all(signed))
    }

    fn advance(&mut self, txid: Txid, stage: Stage) {
        let Some(sent) = self.sent.get_mut(&txid) else { return };
        if sent.stage < stage {
            sent.stage = stage;
            let sent = sent.clone();
            self.stage(ChangeSet { sent: BTreeMap::from([(txid, sent)]), ..ChangeSet::default() });
        }
    }

    fn stage_graph(&mut self, graph: tx_graph::ChangeSet<ConfirmationBlockTime>) {
        self.view.take();
        self.stage(ChangeSet { graph, ..ChangeSet::default() });
    }

    fn has_immature(&self) -> bool {
        self.view.get().is_some_and(|view| view.coins.iter().any(|coin| coin.immature))
    }
}
