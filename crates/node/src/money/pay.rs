//! Paying: prepared, signed, kept with all that belongs to it, and only then sent.

use std::sync::{Arc, atomic::Ordering};

use domain::bitcoin::{Address, Amount, FeeRate, Transaction, Txid};
use store::{PaymentRow, StoredRecord};
use treasury::wallet::{Coins, Draft, Entry, Keys, Passphrase, Payee, Speed, Spend, Wallet, parse_fee_rate};

use super::{Money, fault, purse::Purse, tips};
use crate::{
    api::{ApiError, Caution, Event, Fee, Sent},
    node::{Inner, random_bytes, unix_ms},
};

/// What a payment is for that lets a DAO's transaction into a block sooner.
const DAO_FEE: &str = "dao_fee";
/// Longest name of a wish in characters.
const MAX_KEY: usize = 64;

/// A payment to make.
#[derive(Default)]
pub(crate) struct Payment {
    /// Who gets how much.
    pub(crate) payees: Vec<Payee>,
    /// Who gets all the rest.
    pub(crate) rest_to: Option<Address>,
    /// Which coins.
    pub(crate) coins: Coins,
    /// What everybody can read in it.
    pub(crate) data: Option<Vec<u8>>,
    /// A word beside it.
    pub(crate) label: Option<String>,
    /// What it is: `tip`, `investment`, `payout`; empty for others.
    pub(crate) purpose: &'static str,
    /// What its purpose needs to know later, as JSON.
    pub(crate) detail: String,
    /// How it is paid.
    pub(crate) terms: Terms,
}

/// How something is paid.
#[derive(Clone, Default)]
pub(crate) struct Terms {
    pub(crate) fee: Fee,
    pub(crate) dry_run: bool,
    pub(crate) passphrase: Option<String>,
    pub(crate) key: Option<String>,
}

/// What is to be kept of a draft once it is signed.
type Rest<'a> = Box<dyn FnOnce(&Draft) -> Result<PaymentRow, ApiError> + Send + 'a>;

/// Makes a payment. `records` says which records belong to it; they are published before it is sent, and again after a
/// crash, until it is certain that they are.
///
/// # Errors
/// `wallet_none`, `wallet_locked`, `identity_in_use_elsewhere` where records belong to it and
/// another node signs as this person now, those of passphrases, of spending and of the database.
pub(crate) async fn pay(
    node: &Arc<Inner>,
    payment: Payment,
    records: impl FnOnce(&Draft) -> Result<Vec<StoredRecord>, ApiError> + Send,
) -> Result<Sent, ApiError> {
    let Payment { payees, rest_to, coins, data, label, purpose, detail, terms } = payment;
    let wish = terms.key.clone();
    let spend = Spend { payees, rest_to, rate: node.money.rate(node, terms.fee).await?, coins, data, label };
    let row = |draft: &Draft| {
        let (txid, records) = (draft.txid().to_string(), records(draft)?);
        if !records.is_empty() {
            check_signs(node)?;
        }
        let (purpose, published) = (purpose.to_owned(), records.is_empty());
        Ok(PaymentRow { txid, wish, purpose, detail, records, published, created_ms: unix_ms() })
    };
    let prepare = |wallet: &Wallet| Ok(wallet.prepare(&spend, random_bytes()?, now())?);
    node.money.carry_out(terms, prepare, Box::new(row)).await
}

/// Pays the network for a DAO's transaction, by the output of it that anybody can spend, with a coin of the wallet's.
/// `paid` is what the transaction pays itself.
///
/// # Errors
/// Those of [`pay`]; `bump_impossible` says why there is nothing to raise.
pub(crate) async fn pay_for(
    node: &Arc<Inner>,
    parent: &Transaction,
    paid: Amount,
    terms: Terms,
) -> Result<Sent, ApiError> {
    let rate = node.money.rate(node, terms.fee).await?;
    let wish = terms.key.clone();
    let row = |draft: &Draft| {
        let txid = draft.txid().to_string();
        let (purpose, created_ms) = (DAO_FEE.to_owned(), unix_ms());
        Ok(PaymentRow {
            txid,
            wish,
            purpose,
            detail: String::new(),
            records: Vec::new(),
            published: true,
            created_ms,
        })
    };
    let prepare = |wallet: &Wallet| Ok(wallet.prepare_anchored(parent, paid, rate, now())?);
    node.money.carry_out(terms, prepare, Box::new(row)).await
}

/// Pays the network more for what waits.
///
/// # Errors
/// Those of [`pay`]; `bump_impossible` says why there is nothing to raise.
pub(super) async fn bump(node: &Arc<Inner>, txid: Txid, terms: Terms) -> Result<Sent, ApiError> {
    let rate = node.money.rate(node, terms.fee).await?;
    let before = node.money.purse.lock().await.payment(txid).await?;
    let row = |draft: &Draft| {
        let (txid, created_ms) = (draft.txid().to_string(), unix_ms());
        Ok(match before {
            // What belonged to the old one belongs to the new one, the wish's name, too.
            Some(before) => tips::moved(PaymentRow { txid, created_ms, ..before }, draft),
            None => PaymentRow {
                txid,
                wish: None,
                purpose: String::new(),
                detail: String::new(),
                records: Vec::new(),
                published: true,
                created_ms,
            },
        })
    };
    let prepare = |wallet: &Wallet| Ok(wallet.prepare_bump(txid, rate, random_bytes()?, now())?);
    node.money.carry_out(terms, prepare, Box::new(row)).await
}

impl Money {
    async fn carry_out(
        &self,
        terms: Terms,
        prepare: impl FnOnce(&Wallet) -> Result<Draft, ApiError>,
        row: Rest<'_>,
    ) -> Result<Sent, ApiError> {
        let Terms { dry_run, passphrase, key, .. } = terms;
        check_key(key.as_deref())?;
        let keys = if dry_run { None } else { Some(self.keys(passphrase).await?) };
        let mut purse = self.purse.lock().await;
        if let Some(done) = self.done_before(&purse, key.as_deref()).await? {
            return Ok(done);
        }
        let draft = prepare(purse.wallet()?)?;
        let sent = preview(&draft, dry_run);
        let Some(keys) = keys else { return Ok(sent) };
        let row = row(&draft)?;
        sign(&mut purse, &draft, &keys, &row).await?;
        drop(purse);
        self.hub.tell(&Event::WalletChanged);
        self.wake.notify_one();
        Ok(sent)
    }

    /// The keys, by the passphrase where the wallet is locked.
    async fn keys(&self, passphrase: Option<String>) -> Result<Arc<Keys>, ApiError> {
        if let Some(keys) = self.vault.keys() {
            return Ok(keys);
        }
        let locked =
            || ApiError::new("wallet_locked", "the wallet is locked: unlock it or give its passphrase");
        let passphrase = passphrase.ok_or_else(locked)?;
        let seed = self.open_seed(Passphrase::new(passphrase)?).await?;
        Ok(Arc::new(seed.keys(self.network)))
    }

    /// The payment that a wish has led to already.
    async fn done_before(&self, purse: &Purse, key: Option<&str>) -> Result<Option<Sent>, ApiError> {
        let Some(key) = key else { return Ok(None) };
        let Some(row) = self.store.payment_of_wish(self.network.word(), key).await? else { return Ok(None) };
        let txid: Txid =
            row.txid.parse().map_err(|_| ApiError::new("wallet_damaged", "a payment has no name"))?;
        let wallet = purse.wallet()?;
        let Some(entry) = wallet.entry(txid) else {
            // What a backup brought back may be in a block that was not looked at yet.
            let sought = !self.caught_up.load(Ordering::Relaxed);
            return match sought || wallet.returning().any(|tx| tx.compute_txid() == txid) {
                true => Err(ApiError::new("wallet_behind", "it is not known yet whether this was paid")),
                false => Ok(None),
            };
        };
        Ok(Some(told_again(&entry)))
    }

    /// What a speed costs now.
    pub(super) async fn rate(&self, node: &Arc<Inner>, fee: Fee) -> Result<FeeRate, ApiError> {
        let speed = match fee {
            Fee::Fast => Speed::Fast,
            Fee::Normal => Speed::Normal,
            Fee::Slow => Speed::Slow,
            Fee::Custom { sat_per_vb } => return custom(sat_per_vb),
        };
        let rates = self.fee_rates(node).await?;
        Ok(speed.rate(rates.slow, rates.normal, rates.fast))
    }
}

/// Signs, and has it on the disk with all that belongs to it.
async fn sign(purse: &mut Purse, draft: &Draft, keys: &Keys, row: &PaymentRow) -> Result<(), ApiError> {
    // What is signed may not stand on what a full disk has not taken yet.
    purse.keep().await?;
    purse.wallet_mut()?.sign(draft, keys, now())?;
    fault::point("signed");
    purse.keep_payment(row).await?;
    fault::point("kept");
    Ok(())
}

/// What is answered where a wish was carried out before.
fn told_again(entry: &Entry) -> Sent {
    let fee = entry.fee.unwrap_or_default();
    let paid = entry.net.unsigned_abs().checked_sub(fee).unwrap_or_default();
    Sent {
        txid: entry.txid.to_string(),
        fee_sat: fee.to_sat(),
        vsize: entry.vsize,
        sat_per_vb: per_vbyte(fee, entry.vsize),
        amount_sat: paid.to_sat(),
        change_sat: 0,
        coins: Vec::new(),
        warnings: vec![Caution::PaidBefore],
        dry_run: false,
    }
}

fn preview(draft: &Draft, dry_run: bool) -> Sent {
    let change = draft.change().map_or(Amount::ZERO, |change| change.amount);
    Sent {
        txid: draft.txid().to_string(),
        fee_sat: draft.fee().to_sat(),
        vsize: draft.vsize(),
        sat_per_vb: per_vbyte(draft.fee(), draft.vsize()),
        amount_sat: draft.amount().to_sat(),
        change_sat: change.to_sat(),
        coins: draft.inputs().iter().map(|input| input.outpoint.to_string()).collect(),
        warnings: draft.warnings().into_iter().map(Caution::from).collect(),
        dry_run,
    }
}

#[allow(clippy::cast_precision_loss, reason = "both are far below 2^52")]
fn per_vbyte(fee: Amount, vsize: u64) -> f64 {
    let rate = fee.to_sat() as f64 / vsize.max(1) as f64;
    (rate * 1000.0).round() / 1000.0
}

fn custom(sat_per_vb: f64) -> Result<FeeRate, ApiError> {
    let rate = parse_fee_rate(&format!("{sat_per_vb:.3}")).filter(|_| sat_per_vb.is_finite());
    rate.ok_or_else(|| ApiError::new("fee_invalid", format!("{sat_per_vb} sat/vB is no fee rate")))
}

/// Fails where another node signs as this person now: what belongs to a payment could not be published, and the payment
/// would wait for ever.
fn check_signs(node: &Inner) -> Result<(), ApiError> {
    match node.read_only.load(Ordering::Relaxed) {
        false => Ok(()),
        true => Err(ApiError::new(
            "identity_in_use_elsewhere",
            "another node was seen to sign as you; stop it, then `musicdao identity take-over` here",
        )),
    }
}

fn check_key(key: Option<&str>) -> Result<(), ApiError> {
    match key.map_or(0, |key| key.chars().count()) {
        0..=MAX_KEY => Ok(()),
        count => Err(ApiError::new(
            "key_too_long",
            format!("a wish's name has {count} characters, more than {MAX_KEY}"),
        )),
    }
}

/// Unix seconds by this machine's clock.
pub(super) fn now() -> u64 {
    unix_ms() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_virtual_byte() {
        assert_eq!(custom(1.5).unwrap(), FeeRate::from_sat_per_kwu(375));
        for wrong in [f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(custom(wrong).unwrap_err().code, "fee_invalid", "{wrong}");
        }
        assert!((per_vbyte(Amount::from_sat(282), 141) - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_wish_has_a_short_name() {
        assert!(check_key(Some(&"é".repeat(MAX_KEY))).is_ok());
        assert_eq!(check_key(Some(&"x".repeat(MAX_KEY + 1))).unwrap_err().code, "key_too_long");
    }
}
