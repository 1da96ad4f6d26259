//! Paying for the treasury's transactions, out of the owner's own wallet: whoever wants one in a block sooner can.

use std::sync::Arc;

use domain::bitcoin::{Amount, Transaction};

use super::{driven::Driven, running::Running};
use crate::{
    api::{ApiError, Pay, Sent},
    money::{self, Terms},
    node::Inner,
};

/// Raises the fee of what waits for its block, or says what that would cost.
///
/// # Errors
/// `dao_nothing_waits`, `txid_malformed`, those of spending and of the wallet.
pub(super) async fn bump(
    node: &Arc<Inner>,
    running: &Running,
    txid: Option<String>,
    pay: Pay,
) -> Result<Sent, ApiError> {
    let (parent, paid) = find(&*running.driven().await, txid.as_deref())?;
    let Pay { fee, dry_run, passphrase, key } = pay;
    money::pay_for(node, &parent, paid, Terms { fee, dry_run, passphrase, key }).await
}

/// The transaction that waits, or the one of this name, with what it pays.
fn find(driven: &Driven, txid: Option<&str>) -> Result<(Transaction, Amount), ApiError> {
    let named = |transaction: &Transaction| {
        txid.is_none_or(|txid| transaction.compute_txid().to_string() == txid.trim().to_lowercase())
    };
    // Of a refund of many transactions, one is taken after the one before it is in a block, and once.
    let is_refunded = driven.member.refunded().is_some();
    let is_next = |transaction: &Transaction| {
        let spent = transaction.input.first().map(|input| input.previous_output);
        !is_refunded || spent.is_some_and(|outpoint| driven.sight.has(&outpoint))
    };
    let mut waiting = driven.member.unconfirmed().into_iter();
    let found = waiting.find(|(transaction, _)| named(transaction) && is_next(transaction));
    found.ok_or_else(|| {
        let message = "no such transaction of this DAO is complete and waits for a block";
        ApiError::new("dao_nothing_waits", message)
    })
}
