//! Tips: paid to an address of the artist's that is drawn at random, whether the artist is there or not. One that the
//! network's fee would eat waits until it can go with others.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use domain::{
    Kind, PeerId, ReleaseId,
    bitcoin::{Amount, OutPoint, ScriptBuf},
    kinds::{self, PaymentId},
};
use serde::{Deserialize, Serialize};
use store::{PaymentRow, StoredRecord};
use treasury::{
    paying::{Tree, id_of},
    wallet::{Chain, Draft, DraftKind, Payee},
};

use super::{
    income,
    pay::{self, Payment, Terms},
    records,
};
use crate::{
    api::{ApiError, Caution, Sent, Tipped},
    catalogue::unknown_release,
    node::{Inner, random_bytes, unix_ms},
};

/// What a payment is called that pays tips.
pub(super) const PURPOSE: &str = "tip";
/// A tip waits for others where a payment of its own would cost at least this part of it, in percent.
const EATEN_PERCENT: u64 = 50;
/// Those that wait go together once that costs at most this part of them, in percent.
const GROUP_PERCENT: u64 = 20;
/// Least that an artist's output can hold, in satoshis: what Bitcoin Core relays at P2TR addresses.
const DUST: u64 = 330;
/// Tips that may wait.
const MAX_WAITING: usize = 500;

/// A tip that somebody wishes to give.
pub(super) struct Wish {
    pub(super) artist: Option<PeerId>,
    pub(super) release: Option<ReleaseId>,
    pub(super) amount: Amount,
    pub(super) memo: Option<String>,
    /// Pays at once, whatever that costs.
    pub(super) now: bool,
}

/// A tip that waits to go with others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Waiting {
    salt: [u8; 16],
    pub(super) artist: PeerId,
    pub(super) amount_sat: u64,
    pub(super) memo: Option<String>,
    pub(super) release: Option<ReleaseId>,
    /// The asker's name for the wish.
    key: Option<String>,
    pub(super) at_ms: u64,
}

impl Waiting {
    fn body(&self, node: &Inner) -> kinds::Payment {
        kinds::Payment {
            network: node.money.network,
            salt: self.salt,
            artist: self.artist,
            outpoint: OutPoint::null(),
            amount: Amount::from_sat(self.amount_sat),
            memo: self.memo.clone(),
            release: self.release,
            place: None,
        }
    }

    pub(super) fn id(&self, node: &Inner) -> PaymentId {
        id_of(&node.identity.id(), &self.body(node))
    }
}

/// Pays a tip, lets it wait for others, or says which it would be and what it would cost.
pub(super) async fn tip(node: &Arc<Inner>, wish: Wish, terms: Terms) -> Result<Tipped, ApiError> {
    let now = wish.now;
    let tip = wished(node, wish, terms.key.clone()).await?;
    let (dry_run, artist) = (terms.dry_run, records::name(node, tip.artist).await?);
    let alone = now || paid_before(node, &terms).await? || fares_alone(node, &tip, &terms).await?;
    let sent = match (alone, dry_run) {
        (true, _) => Some(send(node, vec![tip.clone()], terms).await?.0),
        (false, true) => None,
        (false, false) => wait(node, tip.clone(), terms).await?,
    };
    tipped(node, &tip, artist, sent, dry_run).await
}

/// Pays all tips that wait and can be paid.
pub(super) async fn send_waiting(node: &Arc<Inner>, terms: Terms) -> Result<Tipped, ApiError> {
    let _one = node.money.ledgers.tips().await;
    let ready = ready(&waiting(node).await?);
    if ready.is_empty() {
        return Err(ApiError::new(
            "no_tips_waiting",
            "no tip waits that can be paid by itself or with the others",
        ));
    }
    let amount_sat = ready.iter().map(|tip| tip.amount_sat).sum();
    let mut artists = BTreeSet::new();
    for tip in &ready {
        artists.insert(records::name(node, tip.artist).await?);
    }
    let (sent, payments) = send(node, ready, terms).await?;
    let artist = artists.into_iter().collect::<Vec<_>>().join(", ");
    let payment_id = payments.first().copied().filter(|_| !sent.dry_run);
    let txid = (!sent.dry_run).then_some(sent.txid);
    let Sent { fee_sat, warnings, .. } = sent;
    Ok(Tipped { payment_id, txid, fee_sat, amount_sat, artist, waiting: false, warnings })
}

/// Returns the tips that wait. Those that a payment has taken along do not wait any more, although a crash may have
/// come before that was noted.
pub(super) async fn waiting(node: &Inner) -> Result<Vec<Waiting>, ApiError> {
    let tips: Vec<Waiting> = node.store.setting(&setting(node)).await?.unwrap_or_default();
    if tips.is_empty() {
        return Ok(tips);
    }
    let paid: BTreeSet<PaymentId> = node
        .store
        .payments(node.money.network.word(), false)
        .await?
        .iter()
        .flat_map(|row| ids(node, row))
        .collect();
    Ok(tips.into_iter().filter(|tip| !paid.contains(&tip.id(node))).collect())
}

/// What a fee bump makes of the records of a payment: they name the outputs of the one that takes its place.
pub(super) fn moved(row: PaymentRow, draft: &Draft) -> PaymentRow {
    if row.purpose != PURPOSE || !matches!(draft.kind(), DraftKind::Replacement(_)) {
        return row;
    }
    // With data in it the outputs keep their places.
    let moved = |mut body: kinds::Payment| {
        body.outpoint.txid = draft.txid();
        records::stored(&body)
    };
    let records = bodies(&row).into_iter().map(moved).collect();
    PaymentRow { records, published: false, ..row }
}

/// Returns the tips that a payment pays.
pub(super) fn bodies(row: &PaymentRow) -> Vec<kinds::Payment> {
    let tips = row.records.iter().filter(|record| record.kind == kinds::Payment::ID);
    tips.filter_map(|record| minicbor::decode(&record.body).ok()).collect()
}

fn ids(node: &Inner, row: &PaymentRow) -> Vec<PaymentId> {
    bodies(row).iter().map(|body| id_of(&node.identity.id(), body)).collect()
}

async fn wished(node: &Inner, wish: Wish, key: Option<String>) -> Result<Waiting, ApiError> {
    let artist = match (wish.artist, &wish.release) {
        (Some(artist), _) => artist,
        (None, Some(release)) => {
            let details = node.store.release(release).await?.ok_or_else(|| unknown_release(release))?;
            details.row.artist_id
        }
        (None, None) => return Err(ApiError::new("payee_missing", "say whom the tip is for")),
    };
    if artist == node.identity.id() {
        return Err(ApiError::new(
            "payee_self",
            "this is your own music: a tip to yourself would only cost its fee",
        ));
    }
    let memo = wish.memo.filter(|memo| !memo.trim().is_empty());
    let Wish { release, amount, .. } = wish;
    let tip = Waiting {
        salt: random_bytes()?,
        artist,
        amount_sat: amount.to_sat(),
        memo,
        release,
        key,
        at_ms: unix_ms(),
    };
    tip.body(node).check()?;
    Ok(tip)
}

/// Says whether a wish was carried out already, so that it is only told again.
async fn paid_before(node: &Inner, terms: &Terms) -> Result<bool, ApiError> {
    let Some(key) = &terms.key else { return Ok(false) };
    Ok(node.store.payment_of_wish(node.money.network.word(), key).await?.is_some())
}

/// Says whether what a payment of its own would cost is in proportion.
async fn fares_alone(node: &Arc<Inner>, tip: &Waiting, terms: &Terms) -> Result<bool, ApiError> {
    match send(node, vec![tip.clone()], trial(terms)).await {
        Ok((sent, _)) => Ok(sent.fee_sat.saturating_mul(100) < tip.amount_sat.saturating_mul(EATEN_PERCENT)),
        Err(error) if error.code == "amount_dust" => Ok(false),
        Err(error) => Err(error),
    }
}

/// Puts a tip to those that wait; all of them go where that is cheap enough by now.
async fn wait(node: &Arc<Inner>, tip: Waiting, terms: Terms) -> Result<Option<Sent>, ApiError> {
    let _one = node.money.ledgers.tips().await;
    let mut tips = waiting(node).await?;
    let again = tip.key.is_some() && tips.iter().any(|other| other.key == tip.key);
    if !again {
        if tips.len() >= MAX_WAITING {
            let message = format!("{MAX_WAITING} tips wait already; send them, or give more at once");
            return Err(ApiError::new("too_many_tips", message));
        }
        tips.push(tip);
        node.store.set_setting(&setting(node), &tips).await?;
    }
    let ready = ready(&tips);
    if ready.is_empty() {
        return Ok(None);
    }
    let sum: u64 = ready.iter().map(|tip| tip.amount_sat).sum();
    let cheap = |sent: &Sent| sent.fee_sat.saturating_mul(100) <= sum.saturating_mul(GROUP_PERCENT);
    // They wait for better times where they cannot be paid now; that is no reason to refuse the tip.
    match send(node, ready.clone(), trial(&terms)).await {
        Ok((sent, _)) if cheap(&sent) => {
            let terms = Terms { key: None, ..terms };
            Ok(send(node, ready, terms).await.ok().map(|(sent, _)| sent))
        }
        _ => Ok(None),
    }
}

/// Pays tips with one payment: an output for each artist, a record for each tip.
async fn send(
    node: &Arc<Inner>,
    tips: Vec<Waiting>,
    terms: Terms,
) -> Result<(Sent, Vec<PaymentId>), ApiError> {
    let tree = Tree::of(tips.iter().map(|tip| tip.id(node))).ok_or_else(|| too_many(tips.len()))?;
    let scripts = scripts(node, &tips).await?;
    let payees = scripts.values().map(|(script, amount)| {
        let address = income::address(node, script)?;
        Ok(Payee { address, amount: *amount })
    });
    let payment = Payment {
        payees: payees.collect::<Result<_, ApiError>>()?,
        data: Some(tree.root().payload()),
        label: Some(label(node, &tips).await?),
        purpose: PURPOSE,
        terms,
        ..Payment::default()
    };
    let stored = |draft: &Draft| {
        let stored = |tip: &Waiting| stored(node, tip, &tree, &scripts, draft);
        tips.iter().map(stored).collect::<Result<Vec<_>, _>>()
    };
    let sent = pay::pay(node, payment, stored).await?;
    let row = node.store.payment(node.money.network.word(), &sent.txid).await?;
    Ok((sent, row.map(|row| ids(node, &row)).unwrap_or_default()))
}

/// Draws an address for each artist, with what is for them in all.
async fn scripts(
    node: &Arc<Inner>,
    tips: &[Waiting],
) -> Result<BTreeMap<PeerId, (ScriptBuf, Amount)>, ApiError> {
    let mut scripts: BTreeMap<PeerId, (ScriptBuf, Amount)> = BTreeMap::new();
    for tip in tips {
        let (_, amount) = match scripts.entry(tip.artist) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let book = records::book(node, tip.artist).await?;
                new.insert((income::draw(node, &book, Chain::Income).await?, Amount::ZERO))
            }
        };
        *amount = amount.checked_add(Amount::from_sat(tip.amount_sat)).unwrap_or(Amount::MAX_MONEY);
    }
    Ok(scripts)
}

fn stored(
    node: &Inner,
    tip: &Waiting,
    tree: &Tree,
    scripts: &BTreeMap<PeerId, (ScriptBuf, Amount)>,
    draft: &Draft,
) -> Result<StoredRecord, ApiError> {
    let paid = scripts.get(&tip.artist).and_then(|(script, _)| draft.outpoint(script));
    let outpoint = paid.ok_or_else(|| ApiError::new("draft_stale", "the payment does not pay the tip"))?;
    let place = tree.place(&tip.id(node));
    Ok(records::stored(&kinds::Payment { outpoint, place, ..tip.body(node) }))
}

async fn tipped(
    node: &Inner,
    tip: &Waiting,
    artist: String,
    sent: Option<Sent>,
    dry_run: bool,
) -> Result<Tipped, ApiError> {
    let amount_sat = tip.amount_sat;
    let Some(sent) = sent else {
        let payment_id = (!dry_run).then(|| tip.id(node));
        return Ok(Tipped {
            payment_id,
            txid: None,
            fee_sat: 0,
            amount_sat,
            artist,
            waiting: true,
            warnings: vec![Caution::TipWaits],
        });
    };
    let row = node.store.payment(node.money.network.word(), &sent.txid).await?;
    let known = row.map(|row| ids(node, &row)).unwrap_or_default();
    // The same wish asked for again has another salt, but is answered with the first one's record.
    let own = Some(tip.id(node)).filter(|id| known.contains(id)).or(known.first().copied());
    let txid = (!dry_run).then_some(sent.txid);
    let payment_id = own.filter(|_| !dry_run);
    Ok(Tipped {
        payment_id,
        txid,
        fee_sat: sent.fee_sat,
        amount_sat,
        artist,
        waiting: false,
        warnings: sent.warnings,
    })
}

/// Returns the tips that make up more than dust for each of their artists.
fn ready(tips: &[Waiting]) -> Vec<Waiting> {
    let mut sums: BTreeMap<PeerId, u64> = BTreeMap::new();
    for tip in tips {
        *sums.entry(tip.artist).or_default() += tip.amount_sat;
    }
    tips.iter().filter(|tip| sums[&tip.artist] >= DUST).cloned().collect()
}

async fn label(node: &Inner, tips: &[Waiting]) -> Result<String, ApiError> {
    match tips {
        [tip] => Ok(records::name(node, tip.artist).await?),
        tips => Ok(format!("{} tips", tips.len())),
    }
}

fn trial(terms: &Terms) -> Terms {
    Terms { dry_run: true, key: None, passphrase: None, ..terms.clone() }
}

fn setting(node: &Inner) -> String {
    format!("tips_waiting_{}", node.money.network)
}

fn too_many(count: usize) -> ApiError {
    ApiError::new("too_many_tips", format!("{count} tips cannot go with one payment"))
}
