//! What happened, newest first.

use std::sync::Arc;

use domain::bitcoin::{Amount, SignedAmount, Transaction, Txid};

use super::{
    Account, Draft, DraftId, Wallet,
    anchor::is_shared,
    changes::Stage,
    view::{Position, made_here},
};

/// Confirmations after which a payment counts as settled; the history counts no further steps.
pub const SETTLED: u32 = 6;
/// Most entries of one page.
pub const MAX_PAGE: usize = 500;

/// How far a payment got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxState {
    /// It is prepared and not signed.
    Draft,
    /// It is signed, and nobody else has it.
    Signed,
    /// It was handed to other nodes, and none told it back yet.
    Broadcast,
    /// It waits for a block.
    Mempool,
    /// It is in a block, with so many on top of it and itself.
    Confirmed(u32),
    /// Another one took its place, mostly itself with a higher fee.
    Replaced {
        /// Which.
        by: Txid,
    },
    /// A coin that it spends went elsewhere; it can never be confirmed while that holds.
    Conflicted {
        /// Where to.
        by: Txid,
    },
    /// It was given up, or was not seen for so long that it no longer counts.
    Dropped,
}

impl TxState {
    /// Returns the stable word for scripts and screens.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Signed => "signed",
            Self::Broadcast => "broadcast",
            Self::Mempool => "mempool",
            Self::Confirmed(_) => "confirmed",
            Self::Replaced { .. } => "replaced",
            Self::Conflicted { .. } => "conflicted",
            Self::Dropped => "dropped",
        }
    }

    /// Returns the blocks from the one that holds it to the tip.
    pub fn confirmations(&self) -> u32 {
        match self {
            Self::Confirmed(count) => *count,
            _ => 0,
        }
    }
}

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The transaction; a draft has its future name.
    pub txid: Txid,
    /// The draft, if it is one.
    pub draft: Option<DraftId>,
    /// What the wallet gained or lost by it, with the fee.
    pub net: SignedAmount,
    /// The same for the income account alone.
    pub net_income: SignedAmount,
    /// The fee, where all inputs are known.
    pub fee: Option<Amount>,
    /// Its size.
    pub vsize: u64,
    /// How far it got.
    pub state: TxState,
    /// When, in unix seconds: the block's time, else when it was seen first.
    pub at: u64,
    /// The block that it is in.
    pub height: Option<u32>,
    /// Its label.
    pub label: Option<String>,
    /// Whether this wallet alone made it.
    pub own: bool,
    /// Whether it can be sped up.
    pub can_bump: bool,
}

/// Some of the history, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// How many there are in all.
    pub total: usize,
}

impl Wallet {
    /// Returns a page of the history: drafts first, then what waits for a block, then the rest by age. At most
    /// [`MAX_PAGE`] entries.
    pub fn history(&self, offset: usize, limit: usize) -> Page {
        let order = &self.view().order;
        let drafts = self.drafts.iter().rev().map(|(id, draft)| self.draft_entry(*id, draft));
        let sent = order.iter().skip(offset.saturating_sub(self.drafts.len()));
        let entries = drafts.skip(offset).chain(sent.filter_map(|txid| self.entry(*txid)));
        Page { entries: entries.take(limit.min(MAX_PAGE)).collect(), total: self.drafts.len() + order.len() }
    }

    /// Returns the line of one transaction.
    pub fn entry(&self, txid: Txid) -> Option<Entry> {
        let node = self.graph.get_tx_node(txid)?;
        let (state, at, height) = match self.position(txid) {
            Some(Position::Confirmed { height, time }) => {
                let depth = (self.tip().height + 1).saturating_sub(height);
                (TxState::Confirmed(depth), time, Some(height))
            }
            Some(Position::Unconfirmed { first_seen }) => (self.waiting_state(txid), first_seen, None),
            None => (self.void_state(&node.tx), node.first_seen.unwrap_or(0), None),
        };
        let own = made_here(&self.scripts, &node.tx);
        let waits = matches!(self.position(txid), Some(Position::Unconfirmed { .. }));
        Some(Entry {
            txid,
            draft: None,
            net: self.net(&node.tx, None),
            net_income: self.net(&node.tx, Some(Account::Income)),
            fee: self.fee(&node.tx),
            vsize: node.tx.vsize() as u64,
            state,
            at,
            height,
            label: self.label_of(txid),
            own,
            can_bump: waits
                && !is_shared(self, &node.tx)
                && (own || self.view().coins.iter().any(|coin| coin.outpoint.txid == txid)),
        })
    }

    /// Returns the transactions that this wallet alone made, on this machine or another.
    pub fn made(&self) -> impl Iterator<Item = Arc<Transaction>> {
        let known = self.view().order.iter().filter_map(|txid| self.graph.get_tx(*txid));
        known.filter(|tx| made_here(&self.scripts, tx))
    }

    /// Says whether a transaction that is in no block may still get into one: it waits, or loses only to another that
    /// waits.
    pub fn may_come(&self, tx: &Transaction) -> bool {
        let waits = |txid| matches!(self.position(txid), Some(Position::Unconfirmed { .. }));
        match self.position(tx.compute_txid()) {
            Some(Position::Confirmed { .. }) => false,
            Some(Position::Unconfirmed { .. }) => true,
            None => match self.void_state(tx) {
                TxState::Replaced { by } | TxState::Conflicted { by } => waits(by),
                _ => false,
            },
        }
    }

    /// Writes the whole history as CSV (RFC 4180), oldest first.
    pub fn history_csv(&self) -> String {
        let mut csv = String::from("time,txid,state,confirmations,net_sat,fee_sat,label\r\n");
        for entry in self.view().order.iter().rev().filter_map(|txid| self.entry(*txid)) {
            let fee = entry.fee.map(|fee| fee.to_sat().to_string()).unwrap_or_default();
            let label = quoted(entry.label.as_deref().unwrap_or_default());
            let (state, net) = (entry.state, entry.net.to_sat());
            let (word, depth) = (state.word(), state.confirmations());
            csv.push_str(&format!("{},{},{word},{depth},{net},{fee},{label}\r\n", entry.at, entry.txid));
        }
        csv
    }

    fn draft_entry(&self, id: DraftId, draft: &Draft) -> Entry {
        let tx = draft.transaction();
        Entry {
            txid: draft.txid(),
            draft: Some(id),
            net: self.net(tx, None),
            net_income: self.net(tx, Some(Account::Income)),
            fee: Some(draft.fee()),
            vsize: draft.vsize(),
            state: TxState::Draft,
            at: draft.made_at(),
            height: None,
            label: draft.label().map(str::to_owned),
            own: true,
            can_bump: false,
        }
    }

    fn waiting_state(&self, txid: Txid) -> TxState {
        match self.sent.get(&txid).map(|sent| sent.stage) {
            Some(Stage::Signed) => TxState::Signed,
            Some(Stage::Broadcast) => TxState::Broadcast,
            Some(Stage::Mempool) | None => TxState::Mempool,
        }
    }

    /// Why a transaction does not hold: because of the nearest one that does and spends the same coin, be it a coin of
    /// its own or of one that it builds on.
    fn void_state(&self, tx: &Transaction) -> TxState {
        let winner = |tx: &Transaction| {
            let rivals = self.graph.direct_conflicts(tx).map(|(_, rival)| rival);
            rivals.filter(|rival| self.position(*rival).is_some()).min()
        };
        if let Some(by) = winner(tx) {
            return self.beaten(tx, by);
        }
        let ancestors = self.graph.walk_ancestors(tx.clone(), |_, ancestor| Some(winner(&ancestor)));
        match ancestors.flatten().next() {
            Some(by) => TxState::Conflicted { by },
            None => TxState::Dropped,
        }
    }

    /// The maker of a payment replaces it; whoever else spends its coins conflicts with it.
    fn beaten(&self, tx: &Transaction, by: Txid) -> TxState {
        let ours = self.sent.contains_key(&tx.compute_txid());
        let pays_us = self.graph.get_tx(by).is_some_and(|winner| self.scripts.concern(&winner));
        match if ours { self.sent.contains_key(&by) } else { pays_us } {
            true => TxState::Replaced { by },
            false => TxState::Conflicted { by },
        }
    }

    fn fee(&self, tx: &Transaction) -> Option<Amount> {
        self.graph.calculate_fee(tx).ok()
    }

    fn net(&self, tx: &Transaction, account: Option<Account>) -> SignedAmount {
        let counts = |outpoint| {
            self.scripts
                .of(outpoint)
                .is_some_and(|(chain, _)| account.is_none_or(|only| chain.account() == only))
        };
        let spent = tx.input.iter().filter(|input| counts(input.previous_output));
        let spent: Amount = spent
            .filter_map(|input| self.graph.get_txout(input.previous_output))
            .map(|output| output.value)
            .sum();
        let gained = tx.output.iter().filter(|output| {
            let place = self.scripts.find(&output.script_pubkey);
            place.is_some_and(|(chain, _)| account.is_none_or(|only| chain.account() == only))
        });
        let gained: Amount = gained.map(|output| output.value).sum();
        signed(gained) - signed(spent)
    }
}

fn signed(amount: Amount) -> SignedAmount {
    amount.to_signed().unwrap_or(SignedAmount::MAX)
}

/// A field that no program takes for several fields, nor a spreadsheet for a formula.
fn quoted(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}
