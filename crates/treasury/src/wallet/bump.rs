//! Speeding up what waits: by a replacement with a higher fee, or by a child that pays for its parent.

use std::sync::Arc;

use domain::bitcoin::{Amount, FeeRate, OutPoint, Transaction, TxOut, Txid, Weight};

use super::{
    Chain, Coin, Draft, DraftKind, SpendError, Wallet,
    anchor::is_shared,
    spend::{Plan, check_rate},
    view::{Position, made_here},
};

/// What a replacement pays on top for being relayed (Bitcoin Core's `-incrementalrelayfee`, as it was before 30.0, so
/// that older nodes take it, too).
pub(crate) const RELAY_RATE: FeeRate = FeeRate::from_sat_per_vb_u32(1);

impl Wallet {
    /// Prepares what makes an unconfirmed transaction faster: one of the wallet's own is replaced, one of others' gets a
    /// child. An own one on which others already build gets a child, too: replacing it would undo them.
    ///
    /// # Errors
    /// [`SpendError::Bump`] says why there is nothing to speed up; otherwise as [`Wallet::prepare`].
    pub fn prepare_bump(
        &self,
        txid: Txid,
        rate: FeeRate,
        entropy: [u8; 32],
        now: u64,
    ) -> Result<Draft, SpendError> {
        check_rate(rate)?;
        let tx = self.waiting(txid)?;
        if is_shared(self, &tx) {
            return Err(SpendError::Bump { txid, problem: "it is a treasury's, which is paid for as such" });
        }
        match made_here(&self.scripts, &tx) && !self.has_children(txid) {
            true => self.replacement(txid, &tx, rate, entropy, now),
            false => self.child(txid, &tx, rate, entropy, now),
        }
    }

    /// The transaction, if it waits for a block.
    pub(crate) fn waiting(&self, txid: Txid) -> Result<Arc<Transaction>, SpendError> {
        let refuse = |problem| SpendError::Bump { txid, problem };
        match self.position(txid) {
            Some(Position::Unconfirmed { .. }) => {
                self.graph.get_tx(txid).ok_or(refuse("the wallet does not know it"))
            }
            Some(Position::Confirmed { .. }) => Err(refuse("it is confirmed")),
            None if self.graph.get_tx(txid).is_none() => Err(refuse("the wallet does not know it")),
            None => Err(refuse("another transaction took its place")),
        }
    }

    fn replacement(
        &self,
        txid: Txid,
        tx: &Arc<Transaction>,
        rate: FeeRate,
        entropy: [u8; 32],
        now: u64,
    ) -> Result<Draft, SpendError> {
        let prevouts = self.prevouts(tx).unwrap_or_default();
        let spent: Amount = prevouts.iter().map(|output| output.value).sum();
        let old = spent - tx.output.iter().map(|output| output.value).sum();
        if rate * tx.weight() < old + RELAY_RATE * tx.weight() {
            return Err(SpendError::Bump {
                txid,
                problem: "the new rate must be at least 1 sat/vB above the old one",
            });
        }
        let rest_to = self.sent.get(&txid).and_then(|sent| sent.rest_to.clone());
        let kept =
            |output: &&TxOut| Some(&output.script_pubkey) != rest_to.as_ref() && !self.is_change(output);
        let outputs: Vec<TxOut> = tx.output.iter().filter(kept).cloned().collect();
        let hide_change = !outputs.iter().any(|output| output.script_pubkey.is_op_return());
        let mut plan = Plan {
            kind: DraftKind::Replacement(txid),
            outputs,
            rest_to,
            rate,
            extra: Amount::ZERO,
            label: self.label_of(txid),
            hide_change,
        };
        let required: Vec<Coin> = tx
            .input
            .iter()
            .zip(&prevouts)
            .filter_map(|(input, output)| self.spent_coin(input.previous_output, output))
            .collect();
        // A replacement must not bring in other unconfirmed coins (BIP 125, rule 2).
        let optional = || self.spendable().filter(|coin| coin.height.is_some()).collect();
        let draft = self.assemble(&plan, required.clone(), optional(), entropy, now)?;
        // A smaller transaction at a higher rate may pay less than the old one; nodes want the old fee and its relay.
        let least = old + RELAY_RATE * Weight::from_vb_unchecked(draft.vsize());
        match least.checked_sub(draft.fee()) {
            None | Some(Amount::ZERO) => Ok(draft),
            Some(missing) => {
                plan.extra = missing;
                self.assemble(&plan, required, optional(), entropy, now)
            }
        }
    }

    fn child(
        &self,
        txid: Txid,
        parent: &Arc<Transaction>,
        rate: FeeRate,
        entropy: [u8; 32],
        now: u64,
    ) -> Result<Draft, SpendError> {
        let refuse = |problem| SpendError::Bump { txid, problem };
        let required: Vec<Coin> =
            self.view().coins.iter().filter(|coin| coin.outpoint.txid == txid).cloned().collect();
        if required.is_empty() {
            return Err(refuse("no coin of it is left to pay with"));
        }
        let script = self.scripts.script(Chain::Change, self.revealed(Chain::Change));
        // Where the parent's inputs are unknown, so is its fee; then the child pays as if there were none.
        let paid = self.graph.calculate_fee(parent).unwrap_or(Amount::ZERO);
        let wanted = rate * parent.weight();
        let extra = wanted.checked_sub(paid).filter(|extra| *extra > Amount::ZERO);
        let plan = Plan {
            kind: DraftKind::Child(txid),
            outputs: Vec::new(),
            rest_to: Some(script),
            rate,
            extra: extra.ok_or(refuse("it pays that much already"))?,
            label: None,
            hide_change: false,
        };
        match self.assemble(&plan, required.clone(), Vec::new(), entropy, now) {
            Err(SpendError::Insufficient { .. }) => {
                let more =
                    self.spendable().filter(|coin| coin.height.is_some() && coin.chain == Chain::Receive);
                let largest = more.max_by_key(|coin| coin.amount);
                self.assemble(&plan, required.into_iter().chain(largest).collect(), Vec::new(), entropy, now)
            }
            done => done,
        }
    }

    fn has_children(&self, txid: Txid) -> bool {
        self.graph
            .tx_spends(txid)
            .flat_map(|(_, spenders)| spenders)
            .any(|child| self.position(*child).is_some())
    }

    fn is_change(&self, output: &TxOut) -> bool {
        self.scripts.find(&output.script_pubkey).is_some_and(|(chain, _)| chain == Chain::Change)
    }

    /// A coin that the replaced transaction had spent.
    pub(crate) fn spent_coin(&self, outpoint: OutPoint, output: &TxOut) -> Option<Coin> {
        let (chain, index) = self.scripts.of(outpoint)?;
        let tx = self.graph.get_tx(outpoint.txid)?;
        let own = made_here(&self.scripts, &tx);
        let script = output.script_pubkey.clone();
        let amount = output.value;
        Some(Coin {
            outpoint,
            amount,
            script,
            chain,
            index,
            height: None,
            own,
            immature: false,
            locked: false,
        })
    }
}
