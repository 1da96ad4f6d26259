//! What has to be kept of a wallet: everything but its keys, as differences that merge.

use std::collections::{BTreeMap, BTreeSet};

use bdk_wallet::chain::{ConfirmationBlockTime, Merge, tx_graph};
use bip329::Label;
use domain::bitcoin::{BlockHash, OutPoint, ScriptBuf, Transaction, Txid};
use serde::{Deserialize, Serialize};

use super::{Accounts, Chain, Draft, DraftId};

/// A difference between two states of a wallet. Merged in the order in which they were made, all of them are the
/// wallet; it holds no secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChangeSet {
    /// The public keys; set once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accounts: Option<Accounts>,
    /// Height of the first block that can pay the wallet; set once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) birthday: Option<u32>,
    /// Blocks that joined the best chain or left it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) blocks: BTreeMap<u32, Option<BlockHash>>,
    /// Transactions, and where and when they were seen.
    #[serde(default, skip_serializing_if = "Merge::is_empty")]
    pub(crate) graph: tx_graph::ChangeSet<ConfirmationBlockTime>,
    /// How many addresses of a chain were handed out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) revealed: BTreeMap<Chain, u32>,
    /// Bases of the windows in which payers draw their addresses.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) windows: BTreeSet<u32>,
    /// Coins that are not to be spent, or are again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) locked: BTreeMap<OutPoint, bool>,
    /// Transactions that this wallet signed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) sent: BTreeMap<Txid, Sent>,
    /// Payments of a backup that wait for a look at the chain, or no longer do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) returning: BTreeMap<Txid, Option<Transaction>>,
    /// Payments that were prepared, or are no longer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) drafts: BTreeMap<DraftId, Option<Draft>>,
    /// Labels by what they belong to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, Option<Label>>,
}

/// How far a transaction of this wallet's own got before it was confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// It is signed and kept, and nobody has it.
    Signed,
    /// It was handed to other nodes.
    Broadcast,
    /// Another node told it back.
    Mempool,
}

/// What is remembered of a transaction that this wallet signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) stage: Stage,
    /// When it was signed, in unix seconds.
    pub(crate) at: u64,
    /// The output that takes whatever is left, where all was to be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rest_to: Option<ScriptBuf>,
}

impl ChangeSet {
    /// Says whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds a difference that was made later.
    pub fn merge(&mut self, later: Self) {
        self.accounts = later.accounts.or(self.accounts.take());
        self.birthday = later.birthday.or(self.birthday);
        self.blocks.extend(later.blocks);
        self.graph.merge(later.graph);
        for (chain, count) in later.revealed {
            let known = self.revealed.entry(chain).or_default();
            *known = count.max(*known);
        }
        self.windows.extend(later.windows);
        self.locked.extend(later.locked);
        for (txid, sent) in later.sent {
            match self.sent.get_mut(&txid) {
                Some(known) => known.stage = known.stage.max(sent.stage),
                None => drop(self.sent.insert(txid, sent)),
            }
        }
        self.returning.extend(later.returning);
        self.drafts.extend(later.drafts);
        self.labels.extend(later.labels);
    }

    /// Drops what only told of something that is gone.
    pub(crate) fn tidied(mut self) -> Self {
        self.blocks.retain(|_, hash| hash.is_some());
        self.locked.retain(|_, locked| *locked);
        self.returning.retain(|_, payment| payment.is_some());
        self.drafts.retain(|_, draft| draft.is_some());
        self.labels.retain(|_, label| label.is_some());
        self
    }
}
