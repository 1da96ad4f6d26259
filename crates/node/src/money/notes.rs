//! Notes: investments that this node made, and how any of them stands.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use domain::{
    Kind, PeerId, Record,
    bitcoin::{Amount, ScriptBuf, Txid},
    kinds::{self, NoteId, OfferId, Payee},
};
use store::PaymentRow;
use treasury::{
    paying::{self, NoteState, Tree, id_of},
    wallet::{self, Chain, Draft, TxState},
};

use super::{
    income,
    ledgers::{self, Account},
    offers,
    pay::{self, Payment, Terms, now},
    records,
};
use crate::{
    api::{ApiError, Caution, Invested, Note, NoteStatus, Notes},
    node::{Inner, random_bytes},
};

/// What a payment is called that pays a note.
const PURPOSE: &str = "investment";
/// The risk, said before anything is paid.
const RISKS: [Caution; 3] = [Caution::LossPossible, Caution::IncomeUncertain, Caution::EarningsBounded];

/// Invests in an offer, or says what that would cost.
pub(super) async fn invest(
    node: &Arc<Inner>,
    offer_id: OfferId,
    amount: Amount,
    terms: Terms,
) -> Result<Invested, ApiError> {
    let (artist, offer) = offers::find(node, &offer_id).await?;
    if artist == node.identity.id() {
        return Err(ApiError::new(
            "payee_self",
            "this is your own offer: it cannot be invested in by yourself",
        ));
    }
    let done = match &terms.key {
        Some(key) => node.store.payment_of_wish(node.money.network.word(), key).await?,
        None => None,
    };
    if done.is_none() {
        check_room(node, artist, &offer_id, amount).await?;
    }
    let note = kinds::Note {
        network: offer.network,
        salt: random_bytes()?,
        artist,
        offer: offer_id,
        principal: amount,
        vout: 0,
        payee: Payee::Script(own_script(node, terms.dry_run || done.is_some()).await?),
        place: None,
    };
    note.check()?;
    let dry_run = terms.dry_run;
    let sent = pay::pay(node, payment(node, &note, terms).await?, |draft| pays(draft, &note)).await?;
    let row = node.store.payment(node.money.network.word(), &sent.txid).await?;
    let note_id = row.and_then(|row| ids(node, &row).first().copied());
    let warnings = RISKS.into_iter().chain(sent.warnings).collect();
    Ok(Invested {
        note_id: note_id.filter(|_| !dry_run),
        txid: (!dry_run).then_some(sent.txid),
        fee_sat: sent.fee_sat,
        principal_sat: amount.to_sat(),
        cap_sat: offer.cap_of(amount).to_sat(),
        warnings,
    })
}

/// Lists this node's own investments, newest first.
pub(super) async fn own(node: &Arc<Inner>) -> Result<Notes, ApiError> {
    let mut by_artist: BTreeMap<PeerId, Vec<(Record, kinds::Note)>> = BTreeMap::new();
    for (record, note) in records::own::<kinds::Note>(node).await? {
        by_artist.entry(note.artist).or_default().push((record, note));
    }
    let paid = paid(node).await?;
    let (mut notes, mut waiting) = (Vec::new(), None);
    for (artist, of_artist) in by_artist {
        let account = ledgers::account_unless(node, artist, &mut waiting).await?;
        for (record, note) in of_artist {
            let state =
                account.as_ref().and_then(|account| Some((account, account.ledger.notes.get(&record.slot)?)));
            let shown = match state {
                Some((account, state)) => of_ledger(node, record.slot, state, account).await?,
                None => unconfirmed(node, &record, &note, paid.get(&record.slot).copied()).await?,
            };
            notes.push((record.seq, shown));
        }
    }
    notes.sort_by_key(|(seq, _)| std::cmp::Reverse(*seq));
    let waiting = waiting.map(|error| error.message);
    Ok(Notes { notes: notes.into_iter().map(|(_, note)| note).collect(), waiting })
}

/// Shows a note that the chain bears out.
pub(super) async fn of_ledger(
    node: &Inner,
    note_id: NoteId,
    state: &NoteState,
    account: &Account,
) -> Result<Note, ApiError> {
    let offer = account.ledger.offers.get(&state.offer);
    Ok(Note {
        note_id,
        offer_id: state.offer,
        artist_id: account.book.artist,
        artist: records::name(node, account.book.artist).await?,
        investor: state.investor,
        investor_name: records::name(node, state.investor).await?,
        principal_sat: state.principal.to_sat(),
        cap_sat: state.cap.to_sat(),
        owed_sat: state.owed().to_sat(),
        paid_sat: state.paid.to_sat(),
        status: status(state.status()),
        txid: state.outpoint.txid.to_string(),
        expiry_ms: offer.map_or(0, |offer| u64::from(offer.offer.expiry) * 1000),
    })
}

/// Shows an own note that no block bears out yet.
async fn unconfirmed(
    node: &Inner,
    record: &Record,
    note: &kinds::Note,
    paid: Option<(Txid, TxState)>,
) -> Result<Note, ApiError> {
    let offer = records::body::<kinds::Offer>(node, &note.offer).await?.map(|(_, offer)| offer);
    let status = match paid {
        Some((_, TxState::Replaced { .. } | TxState::Conflicted { .. } | TxState::Dropped)) => {
            NoteStatus::Invalid
        }
        _ => NoteStatus::Pending,
    };
    Ok(Note {
        note_id: record.slot,
        offer_id: note.offer,
        artist_id: note.artist,
        artist: records::name(node, note.artist).await?,
        investor: record.author,
        investor_name: records::name(node, record.author).await?,
        principal_sat: note.principal.to_sat(),
        cap_sat: offer.as_ref().map_or(0, |offer| offer.cap_of(note.principal).to_sat()),
        owed_sat: 0,
        paid_sat: 0,
        status,
        txid: paid.map(|(txid, _)| txid.to_string()).unwrap_or_default(),
        expiry_ms: offer.map_or(0, |offer| u64::from(offer.expiry) * 1000),
    })
}

/// Which payment each own note was made with, and where that is. Where a fee was raised the last one counts.
async fn paid(node: &Inner) -> Result<HashMap<NoteId, (Txid, TxState)>, ApiError> {
    let rows = node.store.payments(node.money.network.word(), false).await?;
    let purse = node.money.purse.lock().await;
    let Ok(wallet) = purse.wallet() else { return Ok(HashMap::new()) };
    let mut paid = HashMap::new();
    for row in rows.iter().filter(|row| row.purpose == PURPOSE) {
        let entry = row.txid.parse().ok().and_then(|txid: Txid| wallet.entry(txid));
        for (id, entry) in ids(node, row).into_iter().zip(entry) {
            paid.insert(id, (entry.txid, entry.state));
        }
    }
    Ok(paid)
}

fn ids(node: &Inner, row: &PaymentRow) -> Vec<NoteId> {
    let notes = row.records.iter().filter(|record| record.kind == kinds::Note::ID);
    let notes = notes.filter_map(|record| minicbor::decode::<kinds::Note>(&record.body).ok());
    notes.map(|note| id_of(&node.identity.id(), &note)).collect()
}

/// Fails where an investment would only be given back.
pub(super) async fn check_room(
    node: &Arc<Inner>,
    artist: PeerId,
    offer_id: &OfferId,
    amount: Amount,
) -> Result<(), ApiError> {
    let account = ledgers::account(node, artist).await?;
    let Some(state) = account.ledger.offers.get(offer_id) else {
        return Err(ApiError::new("offer_unknown", "the artist's records do not name this offer"));
    };
    if state.is_expired || u64::from(state.offer.expiry) <= now() {
        return Err(ApiError::new(
            "offer_expired",
            "the offer is over: what is invested now would earn nothing",
        ));
    }
    let room = state.offer.goal.checked_sub(state.raised).unwrap_or(Amount::ZERO);
    if room == Amount::ZERO {
        return Err(ApiError::new(
            "offer_full",
            "the goal is reached: what comes now would only be given back",
        ));
    }
    match amount <= room {
        true => Ok(()),
        false => Err(ApiError::new(
            "amount_above_goal",
            format!("{} sat are more than the {} sat that the goal lacks", amount.to_sat(), room.to_sat()),
        )),
    }
}

/// An own address that is used for nothing else; for a trial one that was shown before.
async fn own_script(node: &Arc<Inner>, trial: bool) -> Result<ScriptBuf, ApiError> {
    if trial {
        let purse = node.money.purse.lock().await;
        return Ok(purse.wallet()?.current_address().1.script_pubkey());
    }
    let reveal = |wallet: &mut wallet::Wallet| {
        let (_, address) = wallet.fresh_address();
        Ok((address.script_pubkey(), wallet.take_new_scripts()))
    };
    let (script, scripts) = node.money.change(reveal).await?;
    if !scripts.is_empty() {
        // Nobody was shown them yet.
        node.money.connect(node).await?.watch(scripts, chain::Since::Now).await?;
    }
    Ok(script)
}

async fn payment(node: &Arc<Inner>, note: &kinds::Note, terms: Terms) -> Result<Payment, ApiError> {
    let book = records::book(node, note.artist).await?;
    let script = income::draw(node, &book, Chain::Principal).await?;
    let id = id_of(&node.identity.id(), note);
    let tree = Tree::of([id]).expect("one record is a tree");
    Ok(Payment {
        payees: vec![wallet::Payee { address: income::address(node, &script)?, amount: note.principal }],
        data: Some(tree.root().payload()),
        label: Some(records::name(node, note.artist).await?),
        purpose: PURPOSE,
        terms,
        ..Payment::default()
    })
}

/// The note belongs to the payment whose first output pays it.
fn pays(draft: &Draft, note: &kinds::Note) -> Result<Vec<store::StoredRecord>, ApiError> {
    let first = draft.payments().next();
    match first.is_some_and(|(vout, output)| vout == note.vout && output.value == note.principal) {
        true => Ok(vec![records::stored(note)]),
        false => Err(ApiError::new("draft_stale", "the payment does not pay the note")),
    }
}

fn status(status: paying::NoteStatus) -> NoteStatus {
    match status {
        paying::NoteStatus::Live => NoteStatus::Active,
        paying::NoteStatus::Late => NoteStatus::Late,
        paying::NoteStatus::Repaid => NoteStatus::Complete,
        paying::NoteStatus::Expired => NoteStatus::Expired,
        paying::NoteStatus::RefundDue => NoteStatus::Refundable,
        paying::NoteStatus::Refunded | paying::NoteStatus::Declined => NoteStatus::Refunded,
    }
}
