//! Income over time, by release and by supporter.

use std::collections::BTreeMap;

use domain::{
    PeerId, ReleaseId,
    bitcoin::{Amount, OutPoint},
    kinds::{Payment, PaymentId},
};

use super::{Book, Facts, Root, Watch, add, less};
use crate::wallet::Chain;

/// Seconds of a day.
const DAY: u32 = 24 * 60 * 60;

/// One output at an income address, and who says that they paid it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The output.
    pub outpoint: OutPoint,
    /// The block that confirms it.
    pub height: u32,
    /// That block's median time past, Unix seconds.
    pub time: u32,
    /// How much.
    pub amount: Amount,
    /// The payments that it is: the transaction itself names them, and they sum to no more than the output. What anybody
    /// says of a transaction that names nothing is hearsay.
    pub payments: Vec<PaymentId>,
}

/// Income by one measure after another; each sums to the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// By day, named by its first second.
    pub days: BTreeMap<u32, Amount>,
    /// By release; none for what names no release.
    pub releases: BTreeMap<Option<ReleaseId>, Amount>,
    /// By supporter; none for what names none.
    pub supporters: BTreeMap<Option<PeerId>, Amount>,
}

/// Lists every output at an income address in the order of the chain. A payment that names somebody else's output
/// takes no part in what anybody is owed, and here it makes nobody the supporter.
pub fn receipts(book: &Book, watch: &Watch, facts: &Facts) -> Vec<Receipt> {
    let mut claims: BTreeMap<OutPoint, Vec<(PaymentId, &Payment)>> = BTreeMap::new();
    for (id, payment) in book.payments() {
        claims.entry(payment.body.outpoint).or_default().push((*id, &payment.body));
    }
    let mut receipts = Vec::new();
    for transaction in book.counted(facts) {
        for (&vout, output) in &transaction.outputs {
            if watch.address(&output.script_pubkey).is_none_or(|(chain, _)| chain != Chain::Income) {
                continue;
            }
            let outpoint = OutPoint::new(transaction.txid, vout);
            let claims = claims.get(&outpoint).map(Vec::as_slice).unwrap_or_default();
            receipts.push(Receipt {
                outpoint,
                height: transaction.block.height,
                time: transaction.block.median_time_past,
                amount: output.value,
                payments: believed(claims, output.value, transaction.root),
            });
        }
    }
    receipts
}

/// Returns those of the claims on an output that its transaction bears out, by what that commits to; none where they are
/// of more than the output holds.
pub fn believed(claims: &[(PaymentId, &Payment)], value: Amount, root: Option<Root>) -> Vec<PaymentId> {
    let Some(root) = root else { return Vec::new() };
    let named =
        |(id, payment): &&(PaymentId, &Payment)| Root::above(id, payment.place.as_ref()) == Some(root);
    let named: Vec<_> = claims.iter().filter(named).collect();
    let sum = named.iter().try_fold(Amount::ZERO, |sum, (_, payment)| sum.checked_add(payment.amount));
    let fits = sum.is_some_and(|sum| sum <= value);
    if fits { named.iter().map(|(id, _)| *id).collect() } else { Vec::new() }
}

impl Series {
    /// Sums receipts up.
    pub fn of(book: &Book, receipts: &[Receipt]) -> Self {
        let mut series = Self::default();
        for receipt in receipts {
            grow(&mut series.days, receipt.time - receipt.time % DAY, receipt.amount);
            let mut left = receipt.amount;
            for payment in receipt.payments.iter().filter_map(|id| book.payments().get(id)) {
                let Payment { release, amount, .. } = payment.body;
                grow(&mut series.releases, release, amount);
                grow(&mut series.supporters, Some(payment.author), amount);
                left = less(left, amount);
            }
            if left > Amount::ZERO {
                grow(&mut series.releases, None, left);
                grow(&mut series.supporters, None, left);
            }
        }
        series
    }
}

fn grow<K: Ord>(sums: &mut BTreeMap<K, Amount>, key: K, amount: Amount) {
    let sum = sums.entry(key).or_default();
    *sum = add(*sum, amount);
}
