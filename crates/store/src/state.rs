//! What the node itself remembers: settings, peers, traffic.

use domain::{BlobHash, PeerId};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{query, query_scalar};

use crate::{
    Store, StoreError,
    row::{self, Id},
};

/// Most peers whose addresses are remembered; those with the lowest score go first.
pub const MAX_PEERS: i64 = 2_000;
/// Most addresses of one peer.
pub const MAX_ADDRESSES: usize = 16;
/// Most blobs whose traffic is counted one by one; those used longest ago go first.
pub const MAX_TRAFFIC_BLOBS: i64 = 100_000;
/// Days for which traffic is kept.
pub const MAX_TRAFFIC_DAYS: u32 = 730;

/// Longest address in bytes.
const MAX_ADDRESS: usize = 256;
/// Longest value of a setting in bytes.
const MAX_SETTING: usize = 256 << 10;

/// How to reach a peer again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedPeer {
    /// Who.
    pub peer: PeerId,
    /// Where, the best first.
    pub addresses: Vec<String>,
    /// When it was connected last, in unix milliseconds.
    pub last_seen: u64,
    /// How well it served; the node decides what that is.
    pub score: i64,
}

/// Bytes that went to and fro.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The blob they belong to, or none.
    pub blob: Option<BlobHash>,
    /// Bytes sent.
    pub served: u64,
    /// Bytes received.
    pub fetched: u64,
}

/// A day's traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Days since 1970-01-01, UTC.
    pub day: u32,
    /// Bytes sent.
    pub served: u64,
    /// Bytes received.
    pub fetched: u64,
}

impl Store {
    /// Reads a setting; `None` where it was never set, or not to a value of this type.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn setting<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StoreError> {
        let value =
            query_scalar!("select value from settings where key = ?", key).fetch_optional(&self.read).await?;
        Ok(value.and_then(|value| {
            let parsed = serde_json::from_str(&value);
            parsed.inspect_err(|error| tracing::warn!(key, %error, "the setting is not used")).ok()
        }))
    }

    /// Sets a setting.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] where the value is too long or is none of JSON's.
    pub async fn set_setting(&self, key: &str, value: &impl Serialize) -> Result<(), StoreError> {
        let value = serde_json::to_string(value).map_err(|error| StoreError::Invalid(error.to_string()))?;
        if key.len() + value.len() > MAX_SETTING {
            return Err(StoreError::Invalid(format!("the setting has more than {MAX_SETTING} bytes")));
        }
        query!(
            "insert into settings (key, value) values (?, ?) on conflict (key) do update set value = excluded.value",
            key,
            value
        )
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// Removes a setting; `false` where it was not set.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn remove_setting(&self, key: &str) -> Result<bool, StoreError> {
        let done = query!("delete from settings where key = ?", key).execute(&self.write).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Lists all settings.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn settings(&self) -> Result<Vec<(String, serde_json::Value)>, StoreError> {
        let rows = query!("select key, value from settings order by key").fetch_all(&self.read).await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.key, serde_json::from_str(&row.value).unwrap_or_default()))
            .collect())
    }

    /// Remembers how to reach a peer, in the place of what was known.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn remember_peer(&self, peer: &CachedPeer) -> Result<(), StoreError> {
        let (key, seen) = (peer.peer.sql(), row::int(peer.last_seen));
        let addresses = peer.addresses.iter().filter(|address| address.len() <= MAX_ADDRESS);
        let addresses: Vec<&String> = addresses.take(MAX_ADDRESSES).collect();
        let addresses = serde_json::json!(addresses).to_string();
        let mut tx = self.write.begin_with("begin immediate").await?;
        query!(
            "insert into peers (peer, addresses, last_seen, score) values (?, ?, ?, ?)
             on conflict (peer) do update set addresses = excluded.addresses, last_seen = excluded.last_seen,
             score = excluded.score",
            key,
            addresses,
            seen,
            peer.score
        )
        .execute(&mut *tx)
        .await?;
        query!(
            "delete from peers where peer in
             (select peer from peers order by score desc, last_seen desc, peer limit -1 offset ?)",
            MAX_PEERS
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lists peers to try, the best first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn known_peers(&self, limit: u32) -> Result<Vec<CachedPeer>, StoreError> {
        let limit = row::limit(limit);
        let rows = query!(
            "select peer, addresses, last_seen, score from peers order by score desc, last_seen desc, peer limit ?",
            limit
        )
        .fetch_all(&self.read)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(CachedPeer {
                    peer: row::id(&row.peer)?,
                    addresses: serde_json::from_str(&row.addresses).unwrap_or_default(),
                    last_seen: row::uint(row.last_seen),
                    score: row.score,
                })
            })
            .collect()
    }

    /// Forgets how to reach a peer.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn forget_peer(&self, peer: &PeerId) -> Result<bool, StoreError> {
        let peer = peer.sql();
        let done = query!("delete from peers where peer = ?", peer).execute(&self.write).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Adds to a day's traffic. `day` counts from 1970-01-01, UTC.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn count_traffic(&self, day: u32, traffic: &[Traffic]) -> Result<(), StoreError> {
        let mut tx = self.write.begin_with("begin immediate").await?;
        for one in traffic {
            let (served, fetched) = (row::int(one.served), row::int(one.fetched));
            query!(
                "insert into traffic (day, served, fetched) values (?, ?, ?)
                 on conflict (day) do update set served = served + excluded.served, fetched = fetched + excluded.fetched",
                day,
                served,
                fetched
            )
            .execute(&mut *tx)
            .await?;
            let Some(blob) = one.blob.as_ref().map(Id::sql) else { continue };
            query!(
                "insert into blob_traffic (blob, served, fetched, last_day) values (?, ?, ?, ?)
                 on conflict (blob) do update set served = served + excluded.served,
                 fetched = fetched + excluded.fetched, last_day = max(last_day, excluded.last_day)",
                blob,
                served,
                fetched,
                day
            )
            .execute(&mut *tx)
            .await?;
        }
        query!("delete from traffic where day <= ? - ?", day, MAX_TRAFFIC_DAYS).execute(&mut *tx).await?;
        query!(
            "delete from blob_traffic where blob in
             (select blob from blob_traffic order by last_day desc, blob desc limit -1 offset ?)",
            MAX_TRAFFIC_BLOBS
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lists the traffic of days, the last first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn traffic(&self, limit: u32) -> Result<Vec<Day>, StoreError> {
        let limit = row::limit(limit);
        let rows = query!("select day, served, fetched from traffic order by day desc limit ?", limit)
            .fetch_all(&self.read)
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| Day {
                day: row::u32_of(row.day),
                served: row::uint(row.served),
                fetched: row::uint(row.fetched),
            })
            .collect())
    }

    /// Lists the traffic of blobs, those that were served most first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn blob_traffic(&self, limit: u32) -> Result<Vec<Traffic>, StoreError> {
        let limit = row::limit(limit);
        let rows = query!(
            "select blob, served, fetched from blob_traffic order by served desc, blob limit ?",
            limit
        )
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let (served, fetched) = (row::uint(row.served), row::uint(row.fetched));
                Ok(Traffic { blob: Some(row::id(&row.blob)?), served, fetched })
            })
            .collect()
    }
}
