//! The wallet as its chain shows it now: which transactions hold, and which coins they leave.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bdk_wallet::chain::{
    CanonicalizationParams, ChainPosition, ConfirmationBlockTime, TxGraph, tx_graph::TxNode,
};
use domain::bitcoin::{Amount, OutPoint, ScriptBuf, Transaction, Txid, constants::COINBASE_MATURITY};

use super::{Account, Chain, blocks::Blocks, scripts::Scripts};

/// A transaction as the graph knows it.
pub(crate) type Node<'a> = TxNode<'a, Arc<Transaction>, ConfirmationBlockTime>;

/// Where a transaction stands that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// In a block.
    Confirmed { height: u32, time: u64 },
    /// In none yet; when it was seen first, in unix seconds.
    Unconfirmed { first_seen: u64 },
}

/// A coin: an output of the wallet that nothing spends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coin {
    /// The output.
    pub outpoint: OutPoint,
    /// Its worth.
    pub amount: Amount,
    /// Its script.
    pub script: ScriptBuf,
    /// The chain of its key.
    pub chain: Chain,
    /// The key's index.
    pub index: u32,
    /// The block that it is in; `None` while it is unconfirmed.
    pub height: Option<u32>,
    /// Whether the transaction was made by this wallet alone, so that nobody else can take it back.
    pub own: bool,
    /// Whether it is a miner's reward that is not ripe yet.
    pub immature: bool,
    /// Whether its owner locked it.
    pub locked: bool,
}

/// What an account holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// In blocks, and ripe.
    pub confirmed: Amount,
    /// Not yet in a block.
    pub pending: Amount,
    /// Miners' rewards that are not ripe yet.
    pub immature: Amount,
}

/// What a wallet holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// All of it.
    pub total: Sum,
    /// The private account.
    pub private: Sum,
    /// The artist's income, chain `/0`.
    pub income: Sum,
    /// What investors paid in, chain `/1`.
    pub principal: Sum,
}

pub(crate) struct View {
    positions: HashMap<Txid, Position>,
    /// Every transaction of the wallet, newest first, with those that do not hold.
    pub(crate) order: Vec<Txid>,
    pub(crate) coins: Vec<Coin>,
}

impl View {
    pub(crate) fn new(graph: &TxGraph<ConfirmationBlockTime>, blocks: &Blocks, scripts: &Scripts) -> Self {
        let canonical = graph.list_canonical_txs(blocks, blocks.tip(), CanonicalizationParams::default());
        let mut positions = HashMap::new();
        let mut spent = HashSet::new();
        for tx in canonical {
            let inputs = tx.tx_node.tx.input.iter().map(|input| input.previous_output);
            spent.extend(inputs.filter(|outpoint| scripts.of(*outpoint).is_some()));
            let first_seen = tx.tx_node.first_seen.unwrap_or_else(|| left_block_at(&tx.tx_node));
            positions.insert(tx.tx_node.txid, position(&tx.chain_position, first_seen));
        }
        let order = order(graph, scripts, &positions);
        let mut view = Self { positions, order, coins: Vec::new() };
        let unspent = scripts.outputs().filter(|(_, _, outpoint)| !spent.contains(outpoint));
        view.coins =
            unspent.filter_map(|output| view.coin(graph, scripts, blocks.tip().height, output)).collect();
        view
    }

    pub(crate) fn position(&self, txid: Txid) -> Option<Position> {
        self.positions.get(&txid).copied()
    }

    fn coin(
        &self,
        graph: &TxGraph<ConfirmationBlockTime>,
        scripts: &Scripts,
        tip: u32,
        (chain, index, outpoint): (Chain, u32, OutPoint),
    ) -> Option<Coin> {
        let position = self.position(outpoint.txid)?;
        let tx = graph.get_tx(outpoint.txid)?;
        let output = tx.output.get(outpoint.vout as usize)?;
        let height = match position {
            Position::Confirmed { height, .. } => Some(height),
            Position::Unconfirmed { .. } => None,
        };
        let depth = height.map_or(0, |height| (tip + 1).saturating_sub(height));
        Some(Coin {
            outpoint,
            amount: output.value,
            script: output.script_pubkey.clone(),
            chain,
            index,
            height,
            own: made_here(scripts, &tx),
            immature: tx.is_coinbase() && depth < COINBASE_MATURITY,
            locked: false,
        })
    }
}

impl Balance {
    pub(crate) fn of<'a>(coins: impl Iterator<Item = &'a Coin>) -> Self {
        let mut balance = Self::default();
        for coin in coins {
            let part = match coin.chain {
                Chain::Receive | Chain::Change => &mut balance.private,
                Chain::Income => &mut balance.income,
                Chain::Principal => &mut balance.principal,
            };
            part.add(coin);
            balance.total.add(coin);
        }
        balance
    }

    /// Returns what one account holds.
    pub fn account(&self, account: Account) -> Sum {
        match account {
            Account::Private => self.private,
            Account::Income => Sum {
                confirmed: self.income.confirmed + self.principal.confirmed,
                pending: self.income.pending + self.principal.pending,
                immature: self.income.immature + self.principal.immature,
            },
        }
    }
}

impl Sum {
    fn add(&mut self, coin: &Coin) {
        match (coin.height, coin.immature) {
            (None, _) => self.pending += coin.amount,
            (Some(_), true) => self.immature += coin.amount,
            (Some(_), false) => self.confirmed += coin.amount,
        }
    }
}

/// Says whether every input was the wallet's own.
pub(crate) fn made_here(scripts: &Scripts, tx: &Transaction) -> bool {
    !tx.is_coinbase() && tx.input.iter().all(|input| scripts.of(input.previous_output).is_some())
}

/// When a transaction was in a block that left the chain, in unix seconds: all that is known of one that nobody told.
pub(crate) fn left_block_at(node: &Node<'_>) -> u64 {
    node.anchors.iter().map(|anchor| anchor.confirmation_time).max().unwrap_or(0)
}

fn position(position: &ChainPosition<ConfirmationBlockTime>, first_seen: u64) -> Position {
    match position {
        ChainPosition::Confirmed { anchor, .. } => {
            Position::Confirmed { height: anchor.block_id.height, time: anchor.confirmation_time }
        }
        ChainPosition::Unconfirmed { .. } => Position::Unconfirmed { first_seen },
    }
}

/// What waits for a block comes first; the rest goes by block, and what does not hold by when it was seen. Within a
/// block, what was seen later is newer, and where that is unknown the order is any, but always the same.
fn order(
    graph: &TxGraph<ConfirmationBlockTime>,
    scripts: &Scripts,
    positions: &HashMap<Txid, Position>,
) -> Vec<Txid> {
    let mut keyed: Vec<_> = graph
        .full_txs()
        .filter(|node| scripts.concern(&node.tx))
        .map(|node| {
            let seen = node.first_seen.unwrap_or(0);
            let age = match positions.get(&node.txid) {
                Some(Position::Unconfirmed { .. }) => (u64::MAX, u32::MAX),
                Some(Position::Confirmed { height, time }) => (*time, *height),
                None => (seen, 0),
            };
            (Reverse(age), Reverse(seen), node.txid)
        })
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, _, txid)| txid).collect()
}
