//! The refund R: what anyone may send once the coin has been silent for as long as the charter says.
//!
//! One transaction where it fits, else a tree whose levels go out one confirmation apart: a version 3 child of an
//! unconfirmed parent may have only 1,000 vB. Every node has an anchor of its own and pays its own fee.

use std::{ops::Range, sync::Arc};

use domain::bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute::LockTime,
    transaction::Version,
};

use super::{
    Epoch,
    state::{Pooled, State},
    weights::{
        ANCHOR, ANCHOR_OUTPUT, INPUT, LARGEST_OUTPUT, MAX_WEIGHT, anchor, output, overhead, refund_fee,
    },
};
use domain::kinds::MIN_OUTPUT;

/// A complete refund of a pooled coin, unsigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Whose keys sign every node.
    pub epoch: Arc<Epoch>,
    /// The root first, every other node after its parent.
    pub nodes: Vec<RefundNode>,
}

/// A transaction of a refund. It has one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundNode {
    /// The transaction.
    pub transaction: Transaction,
    /// The output that it spends: the pooled coin, or its parent's.
    pub spent: TxOut,
    /// Which node is its parent; none of the root.
    pub parent: Option<usize>,
}

/// How payments are divided among transactions.
enum Tree {
    Leaf(Range<usize>),
    Node(Vec<Tree>),
}

/// Builds the refund of a state's coin.
pub(super) fn refund(state: &State, coin: &Pooled) -> Option<Refund> {
    let epoch = state.epochs.last()?.clone();
    let payments = payments(state);
    let tree = Tree::of(0..payments.len(), capacity(&epoch));
    let mut builder = Builder { epoch: &epoch, payments: &payments, nodes: Vec::new() };
    let silence = Sequence::from_height(state.charter.recovery);
    let spent = TxOut { value: coin.value, script_pubkey: epoch.script() };
    builder.build(&tree, coin.outpoint, spent, silence, None);
    let nodes = builder.nodes;
    Some(Refund { epoch, nodes })
}

/// What the refund of a state costs, with an output for everybody who may ever be paid by it.
pub(super) fn reserve(state: &State, epoch: &Epoch) -> Amount {
    let scripts: Vec<&ScriptBuf> = state
        .accounts
        .values()
        .filter(|account| account.member.is_some() || account.claim > Amount::ZERO)
        .map(|account| &account.leave)
        .collect();
    let weights: Vec<u64> = scripts.into_iter().map(|script| output(script)).collect();
    let tree = Tree::of(0..weights.len(), capacity(epoch));
    Amount::from_sat(tree.cost(epoch, &weights))
}

fn payments(state: &State) -> Vec<TxOut> {
    let paid = state.exits().into_iter().filter(|(_, value)| value.to_sat() >= MIN_OUTPUT);
    let script = |peer| state.accounts.get(&peer).map(|account| account.leave.clone());
    paid.filter_map(|(peer, value)| Some(TxOut { value, script_pubkey: script(peer)? })).collect()
}

/// How many of the largest outputs a node can have.
fn capacity(epoch: &Epoch) -> usize {
    let left = MAX_WEIGHT.saturating_sub(node_weight(epoch, 0x100, 0));
    usize::try_from(left / LARGEST_OUTPUT).expect("fewer than ten thousand").max(2)
}

fn node_weight(epoch: &Epoch, outputs: usize, weight: u64) -> u64 {
    overhead(1, outputs + 1) + INPUT + epoch.witness_weight().to_wu() + ANCHOR_OUTPUT + weight
}

fn node_cost(epoch: &Epoch, outputs: usize, weight: u64) -> u64 {
    refund_fee(node_weight(epoch, outputs, weight)) + ANCHOR
}

impl Tree {
    fn of(range: Range<usize>, capacity: usize) -> Self {
        if range.len() <= capacity {
            return Self::Leaf(range);
        }
        let parts = range.len().div_ceil(capacity).min(capacity);
        let bound = |part: usize| range.start + range.len() * part / parts;
        Self::Node((0..parts).map(|part| Self::of(bound(part)..bound(part + 1), capacity)).collect())
    }

    /// Fees and anchors of all nodes.
    fn cost(&self, epoch: &Epoch, weights: &[u64]) -> u64 {
        match self {
            Self::Leaf(range) => node_cost(epoch, range.len(), weights[range.clone()].iter().sum()),
            Self::Node(parts) => {
                let own = node_cost(epoch, parts.len(), parts.len() as u64 * LARGEST_OUTPUT);
                own + parts.iter().map(|part| part.cost(epoch, weights)).sum::<u64>()
            }
        }
    }
}

struct Builder<'a> {
    epoch: &'a Epoch,
    payments: &'a [TxOut],
    nodes: Vec<RefundNode>,
}

impl Builder<'_> {
    fn build(&mut self, tree: &Tree, from: OutPoint, spent: TxOut, after: Sequence, parent: Option<usize>) {
        let mut outputs = match tree {
            Tree::Leaf(range) => self.payments[range.clone()].to_vec(),
            Tree::Node(parts) => parts.iter().map(|part| self.fund(part)).collect(),
        };
        outputs.push(anchor());
        let input = TxIn {
            previous_output: from,
            script_sig: ScriptBuf::new(),
            sequence: after,
            witness: Witness::new(),
        };
        let transaction = Transaction {
            version: Version(3),
            lock_time: LockTime::ZERO,
            input: vec![input],
            output: outputs,
        };
        let (at, txid) = (self.nodes.len(), transaction.compute_txid());
        let children = transaction.output.clone();
        self.nodes.push(RefundNode { transaction, spent, parent });
        let Tree::Node(parts) = tree else { return };
        for (vout, (part, spent)) in (0..).zip(parts.iter().zip(children)) {
            // A parent has to be confirmed before a child of this size is relayed.
            self.build(part, OutPoint { txid, vout }, spent, Sequence::from_height(1), Some(at));
        }
    }

    /// The output that pays for a part and all below it.
    fn fund(&self, tree: &Tree) -> TxOut {
        let weights: Vec<u64> = self.payments.iter().map(|payment| output(&payment.script_pubkey)).collect();
        TxOut {
            value: Amount::from_sat(tree.cost(self.epoch, &weights)) + self.paid(tree),
            script_pubkey: self.epoch.script(),
        }
    }

    fn paid(&self, tree: &Tree) -> Amount {
        match tree {
            Tree::Leaf(range) => self.payments[range.clone()].iter().map(|payment| payment.value).sum(),
            Tree::Node(parts) => parts.iter().map(|part| self.paid(part)).sum(),
        }
    }
}
