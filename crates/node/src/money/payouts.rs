//! Payouts: what investors, collaborators and fans get, in one payment.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use domain::{
    Kind, PeerId, SlotId,
    bitcoin::{Amount, Txid},
    kinds::{self, Due, NoteId, OfferId},
};
use tokio::time::{Instant, timeout_at};
use treasury::{
    paying::{self, Plan, PlanError, PlanLine, Root},
    wallet::{self, Chain, Coins, FORGOTTEN_AFTER},
};

use super::{
    income,
    ledgers::{self, Account},
    offers,
    pay::{self, Payment, Terms, now},
    records,
};
use crate::{
    api::{ApiError, Caution, Event, PaidOut, PayoutLine, Reward},
    node::{Inner, random_bytes},
};

/// What a payment is called that pays out.
const PURPOSE: &str = "payout";
/// How long the wallet may take to see the block that the ledger ends with.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pays what an offer owes, or exactly so much to its notes, and presents beside that.
pub(super) async fn payout(
    node: &Arc<Inner>,
    offer: OfferId,
    amount: Option<Amount>,
    rewards: Vec<Reward>,
    terms: Terms,
) -> Result<PaidOut, ApiError> {
    let (artist, _) = offers::find(node, &offer).await?;
    check_own(node, artist)?;
    if let Some(done) = done_before(node, &terms).await? {
        return Ok(done);
    }
    let account = settled(node).await?;
    let mut plan = Plan::default();
    let owed = paying::Wish { offer: Some(offer), amount, ..paying::Wish::default() };
    match account.ledger.plan(account.watch(), &owed) {
        Ok(owed) => plan = owed,
        Err(PlanError::NothingOwed) if !rewards.is_empty() => {}
        Err(error) => return Err(error.into()),
    }
    if !rewards.is_empty() {
        let wish =
            paying::Wish { rewards: presents(node, rewards.clone()).await?, ..paying::Wish::default() };
        plan.lines.extend(account.ledger.plan(account.watch(), &wish)?.lines);
    }
    carry_out(node, &account, plan, &rewards, terms).await
}

/// Gives an investment back: what came beyond the goal or too late, else all of one that has not earned yet.
pub(super) async fn refund(node: &Arc<Inner>, note: NoteId, terms: Terms) -> Result<PaidOut, ApiError> {
    if let Some(done) = done_before(node, &terms).await? {
        return Ok(done);
    }
    let account = settled(node).await?;
    let plan = account.ledger.plan_refund(account.watch(), note)?;
    carry_out(node, &account, plan, &[], terms).await
}

async fn carry_out(
    node: &Arc<Inner>,
    account: &Account,
    plan: Plan,
    rewards: &[Reward],
    terms: Terms,
) -> Result<PaidOut, ApiError> {
    let lines = lines(node, account, &plan, rewards).await?;
    let mut salts = Vec::new();
    for _ in 0..plan.lines.len() {
        salts.push(random_bytes()?);
    }
    let mut salts = salts.into_iter();
    let salt = || salts.next().expect("there are no more records than lines");
    let batch = plan.batch(&node.identity.id(), node.money.network, salt).ok_or(PlanError::NothingOwed)?;
    for payout in &batch.payouts {
        payout.check()?;
    }
    let payees = plan.lines.iter().map(|line| {
        let address = income::address(node, &line.script)?;
        Ok(wallet::Payee { address, amount: line.amount })
    });
    let dry_run = terms.dry_run;
    let payment = Payment {
        payees: payees.collect::<Result<_, ApiError>>()?,
        data: Some(batch.root.payload()),
        coins: Coins::First(wallet::Account::Income),
        purpose: PURPOSE,
        detail: serde_json::to_string(&lines).expect("lines are plain data"),
        terms,
        ..Payment::default()
    };
    let stored = batch.payouts.iter().map(records::stored).collect();
    let sent = pay::pay(node, payment, |_| Ok(stored)).await?;
    let carried = carried(&plan);
    let warnings = sent.warnings.into_iter().chain(carried).collect();
    Ok(PaidOut { txid: (!dry_run).then_some(sent.txid), fee_sat: sent.fee_sat, lines, warnings })
}

/// The payout that a wish has led to already.
async fn done_before(node: &Inner, terms: &Terms) -> Result<Option<PaidOut>, ApiError> {
    let Some(key) = &terms.key else { return Ok(None) };
    let Some(row) = node.store.payment_of_wish(node.money.network.word(), key).await? else {
        return Ok(None);
    };
    let damaged = |_| ApiError::new("wallet_damaged", "a payout's lines cannot be read");
    let lines: Vec<PayoutLine> = serde_json::from_str(&row.detail).map_err(damaged)?;
    let purse = node.money.purse.lock().await;
    let entry = row.txid.parse().ok().and_then(|txid: Txid| purse.wallet().ok()?.entry(txid));
    let fee_sat = entry.and_then(|entry| entry.fee).map_or(0, Amount::to_sat);
    Ok(Some(PaidOut { txid: Some(row.txid), fee_sat, lines, warnings: vec![Caution::PaidBefore] }))
}

/// The own money as of the wallet's newest block. While a payout waits for a block nothing else is paid out: what it
/// pays would be paid twice.
async fn settled(node: &Arc<Inner>) -> Result<Account, ApiError> {
    let mut events = node.hub.listen();
    let deadline = Instant::now() + PATIENCE;
    let account = loop {
        let account = ledgers::account(node, node.identity.id()).await?;
        if node.money.purse.lock().await.wallet()?.tip().hash == account.ledger.tip.hash {
            break account;
        }
        drop(account);
        let changed = async { while !matches!(events.recv().await, Some(Event::WalletChanged) | None) {} };
        if timeout_at(deadline, changed).await.is_err() {
            return Err(ApiError::new("wallet_behind", "the wallet has not seen the newest block yet"));
        }
    };
    check_settled(node, &account).await?;
    Ok(account)
}

/// Fails while a payout may still get into a block, whoever made it: this node, another one with the same wallet, or
/// this one before an old backup of it came back.
async fn check_settled(node: &Inner, account: &Account) -> Result<(), ApiError> {
    let rows = node.store.payments(node.money.network.word(), false).await?;
    let own: HashMap<&str, bool> =
        rows.iter().map(|row| (row.txid.as_str(), row.purpose == PURPOSE)).collect();
    let signed = signed(node).await?;
    let mut known = BTreeSet::new();
    let purse = node.money.purse.lock().await;
    let wallet = purse.wallet()?;
    for transaction in wallet.made() {
        let (txid, root) = (transaction.compute_txid().to_string(), Root::of(&transaction));
        let named = root.is_some_and(|root| signed.contains_key(&root));
        if own.get(txid.as_str()).copied().unwrap_or(named) && wallet.may_come(&transaction) {
            let message = format!("the payout {txid} waits for a block: let it confirm before the next one");
            return Err(ApiError::new("payout_pending", message));
        }
        known.extend(root);
    }
    let is_paid = |id: &SlotId| account.ledger.payouts.contains_key(id);
    let unheard_of = |(root, (id, _)): &(&Root, &(SlotId, u64))| !known.contains(root) && !is_paid(id);
    // A transaction that nobody has mined for so long is forgotten by others, too.
    let recent = |at_ms: u64| at_ms / 1000 + FORGOTTEN_AFTER > now();
    match signed.iter().filter(unheard_of).find(|(_, (_, at_ms))| recent(*at_ms)) {
        Some((_, (_, at_ms))) => {
            let day = income::day(at_ms / 1000);
            let message = format!(
                "another node of yours signed a payout on {day} whose payment is not seen here: \
                 what it pays would be paid twice"
            );
            Err(ApiError::new("payout_pending", message))
        }
        None => Ok(()),
    }
}

/// The own payouts that were signed, by what their transactions commit to, each with one of its records and when.
async fn signed(node: &Inner) -> Result<BTreeMap<Root, (SlotId, u64)>, ApiError> {
    let mut signed = BTreeMap::new();
    for record in records::own_payouts(node).await? {
        let body = record.read::<kinds::Payout>().ok().flatten();
        let body = body.filter(|body| body.network == node.money.network);
        if let Some(root) = body.and_then(|body| Root::above(&record.slot, body.place.as_ref())) {
            signed.insert(root, (record.slot, record.created_at));
        }
    }
    Ok(signed)
}

/// Where fans get their presents: at addresses that they published.
async fn presents(node: &Arc<Inner>, rewards: Vec<Reward>) -> Result<Vec<paying::Reward>, ApiError> {
    let mut presents = Vec::new();
    for Reward { peer, amount_sat } in rewards {
        let book = records::book(node, peer).await?;
        let script = income::draw(node, &book, Chain::Income).await?;
        presents.push(paying::Reward { script, amount: Amount::from_sat(amount_sat), payment: None });
    }
    Ok(presents)
}

async fn lines(
    node: &Inner,
    account: &Account,
    plan: &Plan,
    rewards: &[Reward],
) -> Result<Vec<PayoutLine>, ApiError> {
    let mut fans = rewards.iter();
    let mut lines = Vec::new();
    for PlanLine { due, script, amount, owner } in &plan.lines {
        let (note_id, peer, known) = match due {
            Due::Earned(note) | Due::Refund(note) => {
                (Some(*note), owner.unwrap_or(account.ledger.notes[note].investor), None)
            }
            Due::Split(offer, number) => {
                let split = &account.ledger.offers[offer].offer.splits()[usize::from(*number)];
                (None, split.peer.unwrap_or(account.book.artist), Some(split.name.clone()))
            }
            Due::Reward(_) => (None, fans.next().expect("each present is a fan's").peer, None),
        };
        let name = match known {
            Some(name) => name,
            None => records::name(node, peer).await?,
        };
        let address = income::address(node, script)?.to_string();
        lines.push(PayoutLine { note_id, peer, name, address, sat: amount.to_sat() });
    }
    Ok(lines)
}

fn carried(plan: &Plan) -> Option<Caution> {
    let sat: u64 = plan.carried.iter().map(|(_, amount)| amount.to_sat()).sum();
    (sat > 0).then_some(Caution::TooLittleToSend { sat, payees: plan.carried.len() as u64 })
}

fn check_own(node: &Inner, artist: PeerId) -> Result<(), ApiError> {
    match artist == node.identity.id() {
        true => Ok(()),
        false => Err(ApiError::new("offer_not_own", "only the artist whose offer it is can pay out")),
    }
}

impl From<PlanError> for ApiError {
    fn from(error: PlanError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
