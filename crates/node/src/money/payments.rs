//! The tips that were given and received, with what was answered; and what anybody can recompute of an artist's money.

use std::{collections::HashMap, sync::Arc};

use domain::{
    PeerId, Record,
    bitcoin::OutPoint,
    kinds::{self, PaymentId},
};
use treasury::{
    paying,
    wallet::{Chain, TxState, Wallet},
};

use super::{ledgers, records, tips};
use crate::{
    api::{ApiError, Audit, Done, Payment, Payments},
    node::Inner,
};

/// Tips of a list that is asked for without a limit.
const PAGE: u32 = 100;
/// Most tips of one list.
const MAX_PAGE: u32 = 1_000;

/// Tips by the output that they say was paid.
type Claims<'a> = HashMap<OutPoint, Vec<(PaymentId, &'a kinds::Payment)>>;

/// Lists tips, newest first; those that wait to be paid before all others.
pub(super) async fn list(node: &Inner, offset: u32, limit: Option<u32>) -> Result<Payments, ApiError> {
    let me = node.identity.id();
    let thanks = thanks(node).await?;
    let waiting = tips::waiting(node).await?;
    let signed = records::bodies::<kinds::Payment>(node).await?;
    let mut signed: Vec<_> =
        signed.into_iter().filter(|(record, tip)| record.author == me || tip.artist == me).collect();
    signed.sort_by(|(one, _), (other, _)| {
        other.created_at.cmp(&one.created_at).then(one.slot.cmp(&other.slot))
    });
    let total = waiting.len() + signed.len();
    let (skipped, limit) = (offset as usize, limit.unwrap_or(PAGE).min(MAX_PAGE) as usize);
    let mut payments = Vec::new();
    for tip in waiting.iter().rev().skip(skipped).take(limit) {
        payments.push(not_paid_yet(node, tip).await?);
    }
    let (skipped, limit) = (skipped.saturating_sub(waiting.len()), limit - payments.len());
    let mut claims: Claims<'_> = HashMap::new();
    for (record, tip) in &signed {
        claims.entry(tip.outpoint).or_default().push((record.slot, tip));
    }
    for (record, tip) in signed.iter().skip(skipped).take(limit) {
        let rivals = &claims[&tip.outpoint];
        let confirmations = confirmations(node, record, tip, rivals).await;
        payments.push(paid(node, record, tip, confirmations, &thanks).await?);
    }
    Ok(Payments { payments, total: total as u64 })
}

/// Answers a tip or an investment.
pub(super) async fn thank(node: &Inner, payment: PaymentId, words: String) -> Result<Done, ApiError> {
    let me = node.identity.id();
    let tip = records::body::<kinds::Payment>(node, &payment).await?.map(|(_, tip)| tip.artist);
    let note = records::body::<kinds::Note>(node, &payment).await?.map(|(_, note)| note.artist);
    if tip.or(note) != Some(me) {
        return Err(ApiError::new("payment_unknown", "there is no payment to you of this name"));
    }
    records::publish(node, kinds::Thanks { network: node.money.network, payment, words }).await?;
    Ok(Done {})
}

/// Recomputes an artist's notes for everybody's eyes.
pub(super) async fn audit(node: &Arc<Inner>, artist: PeerId) -> Result<Audit, ApiError> {
    let account = ledgers::account(node, artist).await?;
    Ok(Audit { json: paying::Audit::of(&account.ledger).to_json() })
}

async fn thanks(node: &Inner) -> Result<HashMap<(PeerId, PaymentId), String>, ApiError> {
    let thanks = records::bodies::<kinds::Thanks>(node).await?;
    Ok(thanks.into_iter().map(|(record, thanks)| ((record.author, thanks.payment), thanks.words)).collect())
}

async fn paid(
    node: &Inner,
    record: &Record,
    tip: &kinds::Payment,
    confirmations: Option<u32>,
    thanks: &HashMap<(PeerId, PaymentId), String>,
) -> Result<Payment, ApiError> {
    Ok(Payment {
        payment_id: record.slot,
        from: record.author,
        from_name: records::name(node, record.author).await?,
        artist_id: tip.artist,
        artist: records::name(node, tip.artist).await?,
        release_id: tip.release,
        amount_sat: tip.amount.to_sat(),
        txid: tip.outpoint.txid.to_string(),
        confirmations,
        waiting: false,
        at_ms: record.created_at,
        thanks: thanks.get(&(tip.artist, record.slot)).cloned(),
        memo: tip.memo.clone(),
    })
}

async fn not_paid_yet(node: &Inner, tip: &tips::Waiting) -> Result<Payment, ApiError> {
    let me = node.identity.id();
    Ok(Payment {
        payment_id: tip.id(node),
        from: me,
        from_name: records::name(node, me).await?,
        artist_id: tip.artist,
        artist: records::name(node, tip.artist).await?,
        release_id: tip.release,
        amount_sat: tip.amount_sat,
        memo: tip.memo.clone(),
        txid: String::new(),
        confirmations: None,
        waiting: true,
        at_ms: tip.at_ms,
        thanks: None,
    })
}

/// How deep a tip's payment is, where the own wallet bears it out: the output is there, pays the artist, and its
/// transaction says whose tips it holds. Whoever names somebody else's payment as a tip of theirs is found out.
async fn confirmations(
    node: &Inner,
    record: &Record,
    tip: &kinds::Payment,
    rivals: &[(PaymentId, &kinds::Payment)],
) -> Option<u32> {
    let purse = node.money.purse.lock().await;
    let wallet = purse.wallet().ok()?;
    let entry = wallet.entry(tip.outpoint.txid)?;
    let own = record.author == node.identity.id();
    match entry.state {
        _ if !own && !is_borne_out(wallet, record.slot, tip, rivals) => None,
        TxState::Confirmed(depth) => Some(depth),
        TxState::Signed | TxState::Broadcast | TxState::Mempool => Some(0),
        _ => None,
    }
}

fn is_borne_out(
    wallet: &Wallet,
    id: PaymentId,
    tip: &kinds::Payment,
    rivals: &[(PaymentId, &kinds::Payment)],
) -> bool {
    let Some(transaction) = wallet.transaction(tip.outpoint.txid) else { return false };
    let Some(output) = transaction.output.get(tip.outpoint.vout as usize) else { return false };
    let to_income = wallet.find(&output.script_pubkey).is_some_and(|(chain, _)| chain == Chain::Income);
    let root = paying::Root::of(&transaction);
    to_income && paying::believed(rivals, output.value, root).contains(&id)
}
