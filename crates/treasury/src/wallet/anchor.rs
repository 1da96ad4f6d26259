//! Paying for a transaction of others by its anchor, with a coin of one's own.

use std::sync::Arc;

use domain::bitcoin::{Amount, FeeRate, OutPoint, ScriptBuf, Transaction, TxOut, Txid};

use super::{
    Chain, Coin, Draft, DraftKind, SpendError, Wallet,
    bump::RELAY_RATE,
    spend::{ChangeOutput, Input, check_rate},
    view::{Position, made_here},
};
use crate::dao::{Child, Purse, child};

impl Wallet {
    /// Prepares the child by which a treasury's transaction is paid for at a rate: it spends the anchor, which is anybody's,
    /// and one confirmed coin of this wallet. `paid` is what the transaction pays itself. An earlier child of this wallet
    /// is replaced. Signed, the two go out together.
    ///
    /// # Errors
    /// [`SpendError::Bump`] says why there is nothing to speed up, [`SpendError::Insufficient`] that no single coin is
    /// enough; otherwise as [`Wallet::prepare`].
    pub fn prepare_anchored(
        &self,
        parent: &Transaction,
        paid: Amount,
        rate: FeeRate,
        now: u64,
    ) -> Result<Draft, SpendError> {
        check_rate(rate)?;
        let index = self.revealed(Chain::Change);
        let change = self.scripts.script(Chain::Change, index);
        let earlier = self.children(parent);
        let mut coins: Vec<Coin> = self.spendable().filter(|coin| coin.height.is_some()).collect();
        coins.extend(earlier.iter().flat_map(|tx| self.coins_of(tx)));
        // Private coins first; of each account the smallest that is enough.
        coins.sort_by_key(|coin| (coin.chain.account(), coin.amount));
        let mut short = None;
        for coin in coins {
            let purse = Purse {
                outpoint: coin.outpoint,
                output: TxOut { value: coin.amount, script_pubkey: coin.script.clone() },
            };
            match child(parent, paid, &purse, change.clone(), rate) {
                Ok(child) => {
                    self.check_beats(&child, &earlier)?;
                    let draft = anchored(parent, child, Input::of(&coin), index, now);
                    self.check_caps(&draft)?;
                    return Ok(draft);
                }
                Err(error @ SpendError::Insufficient { .. }) => short = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(short.unwrap_or_else(|| nothing(parent, paid, change, rate)))
    }

    /// Returns the transaction of others that this one pays for and that has no block yet: the two are sent together.
    pub fn parent(&self, tx: &Transaction) -> Option<Arc<Transaction>> {
        let anchored = tx.input.first().filter(|input| self.scripts.of(input.previous_output).is_none())?;
        let txid = anchored.previous_output.txid;
        let waits = matches!(self.position(txid), Some(Position::Unconfirmed { .. }));
        self.graph.get_tx(txid).filter(|_| waits && is_treasurys(tx))
    }

    /// The wallet's own transactions that pay for the parent already.
    pub(crate) fn children(&self, parent: &Transaction) -> Vec<Arc<Transaction>> {
        let spenders = self.graph.tx_spends(parent.compute_txid()).flat_map(|(_, spenders)| spenders);
        let waits = |txid: &&Txid| matches!(self.position(**txid), Some(Position::Unconfirmed { .. }));
        spenders.filter(waits).filter_map(|txid| self.graph.get_tx(*txid)).collect()
    }

    /// The wallet's coins that a transaction spends.
    fn coins_of(&self, tx: &Transaction) -> Vec<Coin> {
        let spent = tx.input.iter().map(|input| input.previous_output);
        let coin = |outpoint: OutPoint| {
            let output = self.graph.get_txout(outpoint)?.clone();
            self.spent_coin(outpoint, &output)
        };
        spent.filter_map(coin).collect()
    }

    /// Nodes take a replacement that pays the old fee and its own relay on top (BIP 125).
    fn check_beats(&self, child: &Child, earlier: &[Arc<Transaction>]) -> Result<(), SpendError> {
        let old = earlier.iter().filter_map(|tx| self.graph.calculate_fee(tx).ok()).max();
        let least = old.map(|old| old + RELAY_RATE * child.weight);
        match least.filter(|least| child.fee < *least) {
            Some(_) => Err(SpendError::Bump {
                txid: child.transaction.input[0].previous_output.txid,
                problem: "the new rate must be at least 1 sat/vB above the old one",
            }),
            None => Ok(()),
        }
    }
}

/// Says whether a transaction is of the kind that treasuries and their children are (BIP 431): nobody pays for it as for
/// other transactions.
pub(crate) fn is_treasurys(tx: &Transaction) -> bool {
    tx.version.0 == 3
}

/// Says whether others have a part in a transaction of a treasury's kind.
pub(crate) fn is_shared(wallet: &Wallet, tx: &Transaction) -> bool {
    is_treasurys(tx) && !made_here(&wallet.scripts, tx)
}

fn anchored(parent: &Transaction, child: Child, input: Input, index: u32, now: u64) -> Draft {
    let amount = child.transaction.output[0].value;
    Draft {
        kind: DraftKind::Child(parent.compute_txid()),
        tx: child.transaction,
        inputs: vec![input],
        change: Some(ChangeOutput { vout: 0, amount, index }),
        rest_to: None,
        label: None,
        made_at: now,
        parent: Some(parent.clone()),
    }
}

/// What is said where there is no coin at all.
fn nothing(parent: &Transaction, paid: Amount, change: ScriptBuf, rate: FeeRate) -> SpendError {
    let purse = Purse {
        outpoint: OutPoint::null(),
        output: TxOut { value: Amount::ZERO, script_pubkey: change.clone() },
    };
    let empty = SpendError::Insufficient { needed: paid, available: Amount::ZERO };
    child(parent, paid, &purse, change, rate).err().unwrap_or(empty)
}
