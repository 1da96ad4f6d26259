//! Signed records about money: an artist's book as it is known here, and what this node adds to its own.

use std::sync::Arc;

use domain::{
    Kind, Network, PeerId, Record, SlotId,
    kinds::{id, in_money_log},
};
use store::MAX_LIMIT;
use treasury::paying::{Book, id_of};

use crate::{api::ApiError, calls::blocking, node::Inner};

/// Records of one kind that are read for one question, the newest ones.
const MAX_RECORDS: u32 = 100_000;

/// Reads everything signed that concerns an artist's money, unless it was read before and nothing has changed. Whom the
/// user blocked makes no difference: what is owed is the same for everybody.
pub(super) async fn book(node: &Inner, artist: PeerId) -> Result<Arc<Book>, ApiError> {
    let (ledgers, network) = (&node.money.ledgers, node.money.network);
    // Asked first, so that what changes meanwhile is read again.
    let revision = node.store.ledger_revision(&artist).await?;
    if let Some(book) = ledgers.book(artist, revision) {
        return Ok(book);
    }
    let records = node.store.ledger_records(&artist, network).await?;
    let book = blocking(move || Ok(Arc::new(Book::read(artist, network, &records)))).await?;
    ledgers.keep_book(revision, book.clone());
    Ok(book)
}

/// Reads the payouts that this person signed, on any network.
pub(super) async fn own_payouts(node: &Inner) -> Result<Vec<Record>, ApiError> {
    Ok(node.store.records_of(&node.identity.id(), id::PAYOUT, MAX_RECORDS).await?)
}

/// Reads the records of a kind that are about money of this network, the newest [`MAX_RECORDS`] by authors who are not
/// blocked.
pub(super) async fn bodies<K: Kind>(node: &Inner) -> Result<Vec<(Record, K)>, ApiError> {
    let (network, mut read) = (node.money.network, Vec::new());
    for offset in pages() {
        let page = node.store.money_records_of_kind(network, K::ID, offset, MAX_LIMIT).await?;
        let is_last = page.len() < MAX_LIMIT as usize;
        read.extend(page.into_iter().filter_map(|record| understood(network, record)));
        if is_last {
            break;
        }
    }
    Ok(read)
}

/// Reads this node's own records of a kind that are about money of this network, the newest [`MAX_RECORDS`].
pub(super) async fn own<K: Kind>(node: &Inner) -> Result<Vec<(Record, K)>, ApiError> {
    let (me, network, mut read) = (node.identity.id(), node.money.network, Vec::new());
    for offset in pages() {
        let page = node.store.money_records_by(&me, network, K::ID, offset, MAX_LIMIT).await?;
        let is_last = page.len() < MAX_LIMIT as usize;
        read.extend(page.into_iter().filter_map(|record| understood(network, record)));
        if is_last {
            break;
        }
    }
    Ok(read)
}

/// Reads what fills a slot, where it is of this kind and about money of this network.
pub(super) async fn body<K: Kind>(node: &Inner, slot: &SlotId) -> Result<Option<(PeerId, K)>, ApiError> {
    let Some(record) = node.store.record(slot).await? else { return Ok(None) };
    let body = record.read::<K>().ok().flatten();
    let body = body.filter(|body| body.network() == Some(node.money.network));
    Ok(body.map(|body| (record.author, body)))
}

/// Signs a record and spreads it. One of the own money log names the one before, so that nobody misses it; what is
/// there already stays as it is.
pub(super) async fn publish<K: Kind + Send + 'static>(node: &Inner, body: K) -> Result<SlotId, ApiError> {
    if !node.can_publish() {
        return Err(ApiError::new("cannot_publish", "this identity does not sign here now"));
    }
    let me = node.identity.id();
    let slot = id_of(&me, &body);
    if !in_money_log(K::ID) {
        if !is_there(node, &slot, &body).await? {
            node.driver.publish(body).await?;
        }
        return Ok(slot);
    }
    let _one = node.money.ledgers.log().await;
    if node.store.record(&slot).await?.is_none() {
        let head = book(node, me).await?.head();
        node.driver.publish_after(body, head.into_iter().collect()).await?;
    }
    Ok(slot)
}

/// Encodes a record that is to be published with a payment.
pub(super) fn stored<K: Kind>(body: &K) -> store::StoredRecord {
    store::StoredRecord { kind: K::ID, body: encoded(body) }
}

/// Says whether a slot is filled with this very body.
async fn is_there<K: Kind>(node: &Inner, slot: &SlotId, body: &K) -> Result<bool, ApiError> {
    let Some(record) = node.store.record(slot).await? else { return Ok(false) };
    let there = record.read::<K>().ok().flatten();
    Ok(there.is_some_and(|there| encoded(&there) == encoded(body)))
}

fn encoded<K: Kind>(body: &K) -> Vec<u8> {
    minicbor::to_vec(body).expect("encoding into memory does not fail")
}

/// Names people; an id's beginning where no name is known.
pub(super) async fn name(node: &Inner, peer: PeerId) -> Result<String, ApiError> {
    let names = node.store.names(&[peer]).await?;
    Ok(names.into_iter().next().map_or_else(|| peer.short().to_string(), |(_, name)| name))
}

fn pages() -> impl Iterator<Item = u32> {
    (0..MAX_RECORDS).step_by(MAX_LIMIT as usize)
}

fn understood<K: Kind>(network: Network, record: Record) -> Option<(Record, K)> {
    let body = record.read::<K>().ok().flatten()?;
    (body.network() == Some(network)).then_some((record, body))
}
