//! Wallets as their changes, each kept before anything that it says leaves the node.

use std::path::PathBuf;

use futures_util::TryStreamExt;
use sqlx::{SqliteConnection, query, query_scalar};
use treasury::wallet::ChangeSet;

use crate::{PaymentRow, Store, StoreError, payments, row};

/// Longest name of a wallet in bytes.
const MAX_NAME: usize = 128;

impl Store {
    /// Makes a wallet of its first change.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] where one of this name is there, or the name is none.
    pub async fn create_wallet(&self, name: &str, first: &ChangeSet, now: u64) -> Result<(), StoreError> {
        self.restore_wallet(name, first, &[], now).await
    }

    /// Makes a wallet of its first change, with what its earlier payments were for: all of it or nothing.
    ///
    /// # Errors
    /// Those of [`Store::create_wallet`].
    pub async fn restore_wallet(
        &self,
        name: &str,
        first: &ChangeSet,
        payments: &[PaymentRow],
        now: u64,
    ) -> Result<(), StoreError> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(StoreError::Invalid(format!("{name:?} is no name of a wallet")));
        }
        let (body, now) = (encode(first), row::int(now));
        let mut tx = self.write.begin_with("begin immediate").await?;
        let made = query!("insert or ignore into wallets (name, created_at) values (?, ?)", name, now);
        if made.execute(&mut *tx).await?.rows_affected() == 0 {
            return Err(StoreError::Invalid(format!("there is a wallet {name:?} already")));
        }
        insert(&mut tx, name, &body).await?;
        for payment in payments {
            payments::insert(&mut tx, name, payment).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Keeps a change; when this returns it outlives a crash and a power cut.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is no such wallet.
    pub async fn append_wallet(&self, name: &str, change: &ChangeSet) -> Result<(), StoreError> {
        let body = encode(change);
        let mut tx = self.write.begin_with("begin immediate").await?;
        exists(&mut tx, name).await?;
        insert(&mut tx, name, &body).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Puts the whole wallet in the place of all its changes.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is no such wallet.
    pub async fn compact_wallet(&self, name: &str, snapshot: &ChangeSet) -> Result<(), StoreError> {
        let body = encode(snapshot);
        let mut tx = self.write.begin_with("begin immediate").await?;
        exists(&mut tx, name).await?;
        query!("delete from wallet_changes where wallet = ?", name).execute(&mut *tx).await?;
        insert(&mut tx, name, &body).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Reads a wallet: its changes, merged.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where one of them cannot be read.
    pub async fn wallet(&self, name: &str) -> Result<Option<ChangeSet>, StoreError> {
        let select = query_scalar!("select body from wallet_changes where wallet = ? order by id", name);
        let mut bodies = select.fetch(&self.read);
        let mut merged: Option<ChangeSet> = None;
        while let Some(body) = bodies.try_next().await? {
            let change = decode(&body)?;
            match &mut merged {
                Some(merged) => merged.merge(change),
                None => merged = Some(change),
            }
        }
        Ok(merged)
    }

    /// Returns how many changes a wallet consists of: many make reading slow, see [`Store::compact_wallet`].
    ///
    /// # Errors
    /// Those of the database.
    pub async fn wallet_changes(&self, name: &str) -> Result<u64, StoreError> {
        let count = query_scalar!("select count(*) from wallet_changes where wallet = ?", name);
        Ok(row::uint(count.fetch_one(&self.read).await?))
    }

    /// Lists the wallets' names.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn wallets(&self) -> Result<Vec<String>, StoreError> {
        Ok(query_scalar!("select name from wallets order by name").fetch_all(&self.read).await?)
    }

    /// Deletes a wallet and all that is known of it. Its coins are where they were; only the seed brings them back.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is no such wallet.
    pub async fn delete_wallet(&self, name: &str) -> Result<(), StoreError> {
        let deleted = query!("delete from wallets where name = ?", name).execute(&self.write).await?;
        match deleted.rows_affected() {
            0 => Err(StoreError::missing("wallet", name)),
            _ => Ok(()),
        }
    }
}

pub(crate) async fn exists(connection: &mut SqliteConnection, name: &str) -> Result<(), StoreError> {
    let found =
        query_scalar!("select name from wallets where name = ?", name).fetch_optional(connection).await?;
    found.map(drop).ok_or_else(|| StoreError::missing("wallet", name))
}

pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    name: &str,
    body: &str,
) -> Result<(), StoreError> {
    query!("insert into wallet_changes (wallet, body) values (?, ?)", name, body).execute(connection).await?;
    Ok(())
}

pub(crate) fn encode(change: &ChangeSet) -> String {
    serde_json::to_string(change).expect("a change has a JSON form")
}

fn decode(body: &str) -> Result<ChangeSet, StoreError> {
    serde_json::from_str(body).map_err(|error| StoreError::Corrupt {
        path: PathBuf::new(),
        problem: format!("a wallet's change cannot be read: {error}"),
    })
}
