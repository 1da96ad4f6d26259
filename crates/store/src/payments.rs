//! What a wallet's own payments are for, and what is published with them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sqlx::{SqliteConnection, query, query_as};
use treasury::wallet::ChangeSet;

use crate::{Store, StoreError, row, wallet};

/// A record that belongs to a payment, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRecord {
    /// Its kind.
    pub kind: u16,
    /// Its body, encoded.
    pub body: Vec<u8>,
}

/// A payment that a wallet signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentRow {
    /// The transaction.
    pub txid: String,
    /// The asker's name for the wish, by which it is not carried out twice.
    pub wish: Option<String>,
    /// What it is: a word of the node's, empty for what is nothing special.
    pub purpose: String,
    /// What the purpose has to know later, as the node likes it.
    pub detail: String,
    /// What is to be published before it is sent.
    pub records: Vec<StoredRecord>,
    /// Whether that has happened.
    pub published: bool,
    /// When it was signed, in unix milliseconds.
    pub created_ms: u64,
}

/// As the database has it.
struct Raw {
    txid: String,
    wish: Option<String>,
    purpose: String,
    detail: String,
    records: String,
    published: bool,
    created_at: i64,
}

impl Store {
    /// Keeps a signed payment: the wallet's change and what belongs to the payment, both or neither. When this returns
    /// it outlives a crash and a power cut.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is no such wallet.
    pub async fn keep_payment(
        &self,
        name: &str,
        change: &ChangeSet,
        payment: &PaymentRow,
    ) -> Result<(), StoreError> {
        let body = wallet::encode(change);
        let mut tx = self.write.begin_with("begin immediate").await?;
        wallet::exists(&mut tx, name).await?;
        wallet::insert(&mut tx, name, &body).await?;
        insert(&mut tx, name, payment).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Reads the newest payment that a wish has led to.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where it cannot be read.
    pub async fn payment_of_wish(&self, name: &str, wish: &str) -> Result<Option<PaymentRow>, StoreError> {
        let select = query_as!(
            Raw,
            r#"select txid, wish, purpose, detail, records, published as "published: bool", created_at
               from wallet_payments where wallet = ? and wish = ? order by id desc limit 1"#,
            name,
            wish
        );
        select.fetch_optional(&self.read).await?.map(Raw::read).transpose()
    }

    /// Reads a payment by its transaction.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where it cannot be read.
    pub async fn payment(&self, name: &str, txid: &str) -> Result<Option<PaymentRow>, StoreError> {
        let select = query_as!(
            Raw,
            r#"select txid, wish, purpose, detail, records, published as "published: bool", created_at
               from wallet_payments where wallet = ? and txid = ?"#,
            name,
            txid
        );
        select.fetch_optional(&self.read).await?.map(Raw::read).transpose()
    }

    /// Lists the payments, oldest first; on request only those whose records are not published yet.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where one of them cannot be read.
    pub async fn payments(&self, name: &str, only_unpublished: bool) -> Result<Vec<PaymentRow>, StoreError> {
        let select = query_as!(
            Raw,
            r#"select txid, wish, purpose, detail, records, published as "published: bool", created_at
               from wallet_payments where wallet = ? and (published = 0 or not ?) order by id"#,
            name,
            only_unpublished
        );
        select.fetch_all(&self.read).await?.into_iter().map(Raw::read).collect()
    }

    /// Notes that the records of a payment are published.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn mark_published(&self, name: &str, txid: &str) -> Result<(), StoreError> {
        query!("update wallet_payments set published = 1 where wallet = ? and txid = ?", name, txid)
            .execute(&self.write)
            .await?;
        Ok(())
    }
}

pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    name: &str,
    payment: &PaymentRow,
) -> Result<(), StoreError> {
    let records = serde_json::to_string(&payment.records).expect("records have a JSON form");
    let PaymentRow { txid, wish, purpose, detail, published, created_ms, .. } = payment;
    let created_at = row::int(*created_ms);
    let keep = query!(
        "insert into wallet_payments (wallet, txid, wish, purpose, detail, records, published, created_at)
             values (?, ?, ?, ?, ?, ?, ?, ?)
             on conflict (wallet, txid) do nothing",
        name,
        txid,
        wish,
        purpose,
        detail,
        records,
        published,
        created_at
    );
    keep.execute(connection).await?;
    Ok(())
}

impl Raw {
    fn read(self) -> Result<PaymentRow, StoreError> {
        let records = serde_json::from_str(&self.records).map_err(|error| StoreError::Corrupt {
            path: PathBuf::new(),
            problem: format!("a payment's records cannot be read: {error}"),
        })?;
        Ok(PaymentRow {
            txid: self.txid,
            wish: self.wish,
            purpose: self.purpose,
            detail: self.detail,
            records,
            published: self.published,
            created_ms: row::uint(self.created_at),
        })
    }
}
