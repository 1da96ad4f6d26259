//! What was seen of the chain for artists whose money was asked about: a cache that outlives the process.

use domain::{Network, PeerId};
use serde::de::DeserializeOwned;
use sqlx::{query, query_scalar};
use treasury::paying::{BlockFacts, Covered, TxFacts};

use crate::{Store, StoreError, row::Id};

/// Artists whose part of the chain is kept: those that were asked about last.
pub const MAX_SEEN: u32 = 256;

/// What was seen of the chain for one artist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The scripts that were looked for.
    pub covered: Covered,
    /// Blocks up to which all was seen, the newest last.
    pub blocks: Vec<BlockFacts>,
    /// What they confirmed, in the order of the chain.
    pub transactions: Vec<TxFacts>,
}

impl Store {
    /// Reads what was seen for an artist, `None` where nothing was, or where it cannot be understood any more.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn seen(&self, artist: &PeerId, network: Network) -> Result<Option<Seen>, StoreError> {
        let (artist, network) = (artist.sql(), network as i64);
        // One transaction, so that the parts are of one moment.
        let mut tx = self.read.begin().await?;
        let found = query!(
            "select id, covered, blocks from seen_artists where artist = ? and network = ?",
            artist,
            network
        );
        let Some(found) = found.fetch_optional(&mut *tx).await? else { return Ok(None) };
        let bodies = query_scalar!(
            "select body from seen_transactions where artist = ? order by height, position",
            found.id
        );
        let bodies = bodies.fetch_all(&mut *tx).await?;
        Ok(read(&found.covered, &found.blocks, &bodies))
    }

    /// Keeps what was seen for an artist. Of the transactions only those above a height are written; those up to it have
    /// to be here already.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keep_seen(
        &self,
        artist: &PeerId,
        network: Network,
        covered: &Covered,
        blocks: &[BlockFacts],
        above: u32,
        transactions: &[TxFacts],
    ) -> Result<(), StoreError> {
        let (artist, network) = (artist.sql(), network as i64);
        let (covered, blocks) = (json(covered), json(&blocks));
        let mut tx = self.write.begin_with("begin immediate").await?;
        let id = query_scalar!(
            r#"insert into seen_artists (network, artist, covered, blocks, used)
               values (?, ?, ?, ?, (select coalesce(max(used), 0) + 1 from seen_artists))
               on conflict (network, artist)
               do update set covered = excluded.covered, blocks = excluded.blocks, used = excluded.used
               returning id as "id!""#,
            network,
            artist,
            covered,
            blocks
        )
        .fetch_one(&mut *tx)
        .await?;
        query!("delete from seen_transactions where artist = ? and height > ?", id, above)
            .execute(&mut *tx)
            .await?;
        for facts in transactions.iter().filter(|facts| facts.block.height > above) {
            let (height, position, body) = (facts.block.height, facts.position, json(facts));
            query!(
                "insert into seen_transactions (artist, height, position, body) values (?, ?, ?, ?)",
                id,
                height,
                position,
                body
            )
            .execute(&mut *tx)
            .await?;
        }
        query!(
            "delete from seen_artists where id in (select id from seen_artists order by used desc limit -1 offset ?)",
            MAX_SEEN
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Forgets what was seen for an artist.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn forget_seen(&self, artist: &PeerId, network: Network) -> Result<(), StoreError> {
        let (artist, network) = (artist.sql(), network as i64);
        query!("delete from seen_artists where artist = ? and network = ?", artist, network)
            .execute(&self.write)
            .await?;
        Ok(())
    }
}

fn read(covered: &str, blocks: &str, bodies: &[String]) -> Option<Seen> {
    let transactions = bodies.iter().map(|body| parse(body)).collect::<Option<_>>()?;
    Some(Seen { covered: parse(covered)?, blocks: parse(blocks)?, transactions })
}

fn parse<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).inspect_err(|error| tracing::debug!(%error, "not understood")).ok()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("it has a JSON form")
}
