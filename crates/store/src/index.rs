//! The full-text index and the vocabulary beside it, written in the transaction that writes what they lead to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use sqlx::{SqliteConnection, query};

use crate::{StoreError, words::slips};

/// Documents written with one statement.
const BATCH: usize = 2_000;
/// Bits of a document's number below its kind.
const KIND_SHIFT: u32 = 48;

/// What a document of the index stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DocKind {
    Artist = 1,
    Release = 2,
    Track = 3,
}

impl DocKind {
    /// The largest id of a row.
    pub(crate) const MAX_ID: i64 = (1 << KIND_SHIFT) - 1;

    /// The index's number for the row with this id.
    pub(crate) fn doc(self, id: i64) -> i64 {
        ((self as i64) << KIND_SHIFT) | id
    }
}

/// A document and its words.
pub(crate) type Doc = (i64, BTreeSet<String>);

/// Adds documents.
pub(crate) async fn add(db: &mut SqliteConnection, docs: &[Doc]) -> Result<(), StoreError> {
    for batch in docs.chunks(BATCH) {
        let rows = rows(batch);
        query!(
            "insert into search (rowid, words)
             select json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(?)",
            rows
        )
        .execute(&mut *db)
        .await?;
    }
    add_words(db, docs).await
}

/// Removes documents; their words must be those that were added.
pub(crate) async fn remove(db: &mut SqliteConnection, docs: &[Doc]) -> Result<(), StoreError> {
    for batch in docs.chunks(BATCH) {
        let rows = rows(batch);
        query!(
            "insert into search (search, rowid, words)
             select 'delete', json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(?)",
            rows
        )
        .execute(&mut *db)
        .await?;
    }
    remove_words(db, docs).await
}

async fn add_words(db: &mut SqliteConnection, docs: &[Doc]) -> Result<(), StoreError> {
    let counts = counts(docs);
    let json = json!(counts).to_string();
    let words = query!(
        r#"insert into words (word, docs) select key, value from json_each(?) where true
           on conflict (word) do update set docs = docs + excluded.docs
           returning id as "id!", word as "word!", docs as "docs!""#,
        json
    )
    .fetch_all(&mut *db)
    .await?;
    // A word that stands only in these documents was not known before.
    let new = words.iter().filter(|row| counts.get(row.word.as_str()) == Some(&row.docs));
    let slips: Vec<(u32, i64)> =
        new.flat_map(|row| slips(&row.word).into_iter().map(|hash| (hash, row.id))).collect();
    let slips = json!(slips).to_string();
    query!(
        "insert or ignore into slips (hash, word)
         select json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(?)",
        slips
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn remove_words(db: &mut SqliteConnection, docs: &[Doc]) -> Result<(), StoreError> {
    let json = json!(counts(docs)).to_string();
    query!(
        "update words set docs = docs - gone.value from json_each(?) as gone where words.word = gone.key",
        json
    )
    .execute(&mut *db)
    .await?;
    let gone = query!(
        r#"delete from words where docs <= 0 and word in (select key from json_each(?))
           returning id as "id!", word as "word!""#,
        json
    )
    .fetch_all(&mut *db)
    .await?;
    let slips: Vec<(u32, i64)> =
        gone.iter().flat_map(|row| slips(&row.word).into_iter().map(|hash| (hash, row.id))).collect();
    let slips = json!(slips).to_string();
    query!(
        "delete from slips where (hash, word) in
         (select json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(?))",
        slips
    )
    .execute(db)
    .await?;
    Ok(())
}

fn rows(docs: &[Doc]) -> String {
    let join = |words: &BTreeSet<String>| words.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    let rows: Vec<(i64, String)> = docs.iter().map(|(id, words)| (*id, join(words))).collect();
    json!(rows).to_string()
}

fn counts(docs: &[Doc]) -> BTreeMap<&str, i64> {
    let mut counts = BTreeMap::new();
    for word in docs.iter().flat_map(|(_, words)| words) {
        *counts.entry(word.as_str()).or_default() += 1;
    }
    counts
}
