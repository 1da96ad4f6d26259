//! What of DAOs goes into the wallet's backup: enough for a member whom nobody answers any more to know what is theirs, and
//! to send the refund.

use std::{collections::BTreeMap, sync::Arc};

use data_encoding::BASE64;
use domain::{
    Record, SlotId,
    kinds::{DaoId, id},
};
use peer::Input;
use serde::{Deserialize, Serialize};

use super::{join, records, running::Running};
use crate::{
    api::ApiError,
    node::{Inner, unix_ms},
};

/// The part of a backup that holds DAOs.
const PART: &str = "daos";
/// Most bytes of all DAOs in a backup. What comes on top is left out, records first, and comes from other members.
const MAX_BYTES: usize = 24 << 20;

/// A DAO as a backup has it.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    dao: DaoId,
    /// What a member must not forget, as it is stored.
    changes: Vec<String>,
    /// Signed records, the charter first.
    records: Vec<String>,
    /// What was set aside to join with.
    wish: Option<serde_json::Value>,
}

/// Adds the DAOs in which the owner is anything to the parts of a backup.
///
/// # Errors
/// Those of the database.
pub(super) async fn add(node: &Inner, parts: &mut BTreeMap<String, String>) -> Result<(), ApiError> {
    let mut room = MAX_BYTES;
    let mut daos = Vec::new();
    for running in node.dao.all() {
        daos.extend(kept(node, &running, &mut room).await?);
    }
    let text = serde_json::to_string(&daos).expect("what is kept is plain data");
    parts.insert(PART.to_owned(), text);
    Ok(())
}

async fn kept(node: &Inner, running: &Running, room: &mut usize) -> Result<Option<Kept>, ApiError> {
    // Nothing changes while it is read.
    let driven = running.driven().await;
    let me = node.identity.id();
    let wish = join::kept(node, &running.dao).await?;
    let is_in = driven.member.evidence().joins.values().any(|(author, _)| *author == me);
    if !is_in && wish.is_none() {
        return Ok(None);
    }
    let changes = within(node.store.dao_changes(&running.dao).await?, room);
    let records = within(named(node, &running.dao).await?, room);
    Ok(Some(Kept { dao: running.dao, changes, records, wish }))
}

/// As many as there is room for, as text.
fn within(all: Vec<Vec<u8>>, room: &mut usize) -> Vec<String> {
    let mut fitting = Vec::new();
    for bytes in all {
        let Some(left) = room.checked_sub(bytes.len()) else {
            tracing::warn!("a backup has no room for all of a DAO");
            break;
        };
        *room = left;
        fitting.push(BASE64.encode(&bytes));
    }
    fitting
}

/// Reads the records of a DAO, and those of artists that its proposals name.
async fn named(node: &Inner, dao: &DaoId) -> Result<Vec<Vec<u8>>, ApiError> {
    let mut all: Vec<Record> = node.store.record(dao).await?.into_iter().collect();
    let records = node.store.dao_records(dao).await?;
    for artists in records.iter().filter_map(records::invests) {
        all.extend(node.store.records_in(&artists).await?);
        let notes = node.store.money_records_about(&artists[0], id::NOTE, store::MAX_LIMIT).await?;
        all.extend(
            notes.into_iter().filter(|note| matches!(records::of(note), records::Of::Dao(of) if of == *dao)),
        );
    }
    all.extend(records);
    let mut seen = std::collections::BTreeSet::<SlotId>::new();
    all.retain(|record| seen.insert(record.slot));
    Ok(all.into_iter().map(|record| record.bytes().to_vec()).collect())
}

/// Takes the DAOs of a backup in that are not known here.
///
/// # Errors
/// `backup_unreadable`, and those of the database.
pub(super) async fn restore(node: &Arc<Inner>, parts: &BTreeMap<String, String>) -> Result<(), ApiError> {
    let Some(text) = parts.get(PART) else { return Ok(()) };
    let daos: Vec<Kept> = serde_json::from_str(text).map_err(|_| unreadable())?;
    for kept in daos {
        for record in decoded(&kept.records)? {
            // Whoever wrote the backup checked them; who handed it over may be another.
            let record = Record::decode(record.into()).map_err(|_| unreadable())?;
            node.driver.input(Input::Adopt(Box::new(record))).await;
        }
        node.driver.settled().await;
        if let Err(error) = take(node, &kept).await {
            super::warn(node, error);
        }
    }
    Ok(())
}

async fn take(node: &Arc<Inner>, kept: &Kept) -> Result<(), ApiError> {
    let changes = decoded(&kept.changes)?;
    if node.store.dao_changes(&kept.dao).await?.is_empty() {
        node.store.open_dao(&kept.dao, node.money.network(), unix_ms()).await?;
        for change in changes {
            node.store.append_dao(&kept.dao, &change).await?;
        }
    }
    if let Some(wish) = &kept.wish {
        join::restore(node, &kept.dao, wish).await?;
    }
    node.dao.open(node, &kept.dao).await.map(drop)
}

fn decoded(texts: &[String]) -> Result<Vec<Vec<u8>>, ApiError> {
    texts.iter().map(|text| BASE64.decode(text.as_bytes()).map_err(|_| unreadable())).collect()
}

fn unreadable() -> ApiError {
    ApiError::new("backup_unreadable", "what the backup says of DAOs cannot be read")
}
