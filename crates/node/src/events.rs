//! What the network and the peer tell, and what follows from it.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

use domain::{BlobHash, PeerId, Record, kinds, kinds::Release};
use net::EventReceiver;
use peer::Input;
use store::{BlobRow, CachedPeer, Reason};
use tokio::sync::mpsc;

use crate::{
    api::{Event, Path},
    blocks,
    driver::Outcome,
    identity,
    node::{Inner, unix_ms},
    upkeep,
};

/// The store's setting that remembers that somebody else signs with this identity.
pub(crate) const IN_USE_ELSEWHERE: &str = "identity_in_use_elsewhere";

/// Hands on what the network tells, until it ends.
pub(crate) async fn from_network(node: Arc<Inner>, mut events: EventReceiver) {
    while let Some(Some(event)) = node.ending.run_until_cancelled(events.recv()).await {
        match event {
            net::Event::Up { peer, path, addr } => up(&node, peer, path, addr).await,
            net::Event::Down { peer, .. } => {
                node.idle.take_back(&peer);
                node.driver.input(Input::Down(peer)).await;
                node.hub.tell(&Event::PeerDown { peer_id: peer });
            }
            net::Event::Message { peer, bytes } => node.driver.input(Input::Message(peer, bytes)).await,
            net::Event::PathChanged { peer, path, .. } => {
                node.hub.tell(&Event::PeerUp { peer_id: peer, path: path.into() });
            }
            net::Event::Found { peer, contact, .. } => found(&node, peer, contact),
            net::Event::ExternalAddress { .. } => {
                node.driver.input(Input::Addresses(node.network.candidates())).await;
            }
            net::Event::NetworkChanged => {
                if let Err(error) = upkeep::wake(&node).await {
                    tracing::warn!(
                        code = error.code,
                        message = error.message,
                        "known peers could not be dialled"
                    );
                }
            }
            net::Event::ServiceFailed { service, reason } => {
                let error = net::NetError::Service { service, reason };
                node.hub.tell(&Event::Warning(error.into()));
            }
            net::Event::BadProvider { peer, hash } => {
                tracing::warn!(peer = peer.short(), blob = hash.short(), "a peer sent false bytes");
            }
            _ => {}
        }
    }
}

/// Acts upon what the peer tells, until it ends.
pub(crate) async fn from_peer(node: Arc<Inner>, mut outcomes: mpsc::Receiver<Outcome>) {
    while let Some(outcome) = outcomes.recv().await {
        let done = match outcome {
            Outcome::Event(event) => told(&node, *event).await,
            Outcome::Warning(warning) => {
                node.hub.tell(&Event::Warning(warning));
                Ok(())
            }
            Outcome::Applied(applied) => {
                for (release, list) in applied.fetch {
                    tracing::debug!(release = release.short(), "a list of tracks is to be fetched");
                    node.fetch_track_list(list, false);
                }
                if applied.orphans.is_empty() { Ok(()) } else { delete_doomed(&node).await }
            }
        };
        if let Err(error) = done {
            tracing::warn!(code = error.code, message = error.message, "an event could not be acted upon");
        }
    }
}

impl From<net::Path> for Path {
    fn from(path: net::Path) -> Self {
        match path {
            net::Path::Direct => Self::Direct,
            net::Path::Relayed => Self::Relayed,
        }
    }
}

async fn up(node: &Arc<Inner>, peer: PeerId, path: net::Path, addr: SocketAddr) {
    let direct = path == net::Path::Direct;
    let addrs = if direct { vec![addr] } else { Vec::new() };
    node.book.learn(peer, &addrs);
    node.driver.input(Input::Up { peer, addrs }).await;
    node.fetches.peer_up(peer);
    node.hub.tell(&Event::PeerUp { peer_id: peer, path: path.into() });
    if direct {
        let cached = CachedPeer { peer, addresses: vec![addr.to_string()], last_seen: unix_ms(), score: 1 };
        if let Err(error) = node.store.remember_peer(&cached).await {
            tracing::warn!(%error, "a peer could not be remembered");
        }
    }
}

/// Reaches a peer that discovery has found, and joins the swarm through it.
fn found(node: &Arc<Inner>, peer: PeerId, contact: net::Contact) {
    node.book.learn(peer, &contact.addrs);
    let found = node.clone();
    node.tasks.spawn(async move {
        match found.ending.run_until_cancelled(found.network.reach(peer, &contact)).await {
            Some(Ok(())) => found.driver.input(Input::Join(vec![peer])).await,
            Some(Err(error)) => {
                tracing::debug!(peer = peer.short(), code = error.code(), "a found peer is not reached")
            }
            None => {}
        }
    });
}

async fn told(node: &Arc<Inner>, event: peer::Event) -> Result<(), crate::api::ApiError> {
    match event {
        peer::Event::Added(record) | peer::Event::Replaced(record) => changed(node, &record).await?,
        peer::Event::Withdrawn(record) => {
            gone(node, &record);
            if record.kind == kinds::id::BLOCK_LIST {
                blocks::follow_list(node, &record).await?;
            }
            // The words are off the disk too, not only out of sight.
            node.store.checkpoint().await?;
        }
        peer::Event::Forgotten(_) => node.hub.tell(&Event::CatalogueChanged),
        peer::Event::Equivocated(proof) => {
            tracing::warn!(author = proof.one.author.short(), "an author signed two things for one version");
        }
        peer::Event::Synced { .. } => {
            if node.syncing.swap(false, Ordering::Relaxed) {
                identity::settle_import(&node.data)?;
                let node = node.clone();
                node.tasks.clone().spawn(async move { crate::money::announce(&node).await });
            }
        }
        peer::Event::NeighborUp(peer) => node.idle.take_back(&peer),
        peer::Event::NeighborDown(_) => {}
        peer::Event::Provider { blob, peer, addrs } => {
            node.book.learn(peer, &addrs);
            node.fetches.provider(node, blob, peer);
        }
        peer::Event::Found { query, from, records } => node.finds.found(node, query, from, &records),
        peer::Event::IdentityInUseElsewhere(_) => {
            node.read_only.store(true, Ordering::Relaxed);
            node.store.set_setting(IN_USE_ELSEWHERE, &true).await?;
            node.hub.tell(&Event::IdentityInUseElsewhere);
        }
        peer::Event::Refused { peer, code } => tracing::debug!(peer = peer.short(), code, "refused"),
    }
    Ok(())
}

async fn changed(node: &Arc<Inner>, record: &Record) -> Result<(), crate::api::ApiError> {
    if record.author == node.identity.id() {
        node.claim_own().await?;
    }
    node.dao.record(node, record);
    match record.kind {
        kinds::id::RELEASE => {
            if let Some(release) = record.read::<Release>()? {
                let (title, artist) = (release.title, release.artist);
                node.hub.tell(&Event::Release { release_id: record.slot, title, artist });
            }
        }
        kinds::id::BLOCK_LIST => blocks::follow_list(node, record).await?,
        _ => node.hub.tell(&Event::CatalogueChanged),
    }
    Ok(())
}

fn gone(node: &Inner, record: &Record) {
    node.hub.tell(&match record.kind {
        kinds::id::RELEASE => Event::ReleaseGone { release_id: record.slot },
        _ => Event::CatalogueChanged,
    });
}

/// Deletes files that the store has doomed, unless something names them again by now.
async fn delete_doomed(node: &Inner) -> Result<(), crate::api::ApiError> {
    for hash in node.store.doomed().await? {
        let _deciding = node.removal.deciding.lock().await;
        if node.removal.spares(&hash) || node.store.blob_servable(&hash).await? {
            node.store.spare_blob(&hash).await?;
        } else {
            forget_blob(node, hash).await?;
        }
    }
    Ok(())
}

/// Deletes a file to make room in the cache; `false` where it was used or chosen since the cache was looked through.
pub(crate) async fn give_up(node: &Inner, cold: &BlobRow) -> Result<bool, crate::api::ApiError> {
    let _deciding = node.removal.deciding.lock().await;
    let unchanged =
        |now: &BlobRow| now.reason == Reason::Played && !now.pinned && now.last_used == cold.last_used;
    if node.removal.spares(&cold.hash) || !node.store.blob(&cold.hash).await?.as_ref().is_some_and(unchanged)
    {
        return Ok(false);
    }
    forget_blob(node, cold.hash).await?;
    Ok(true)
}

/// Deletes a blob and stops serving it.
async fn forget_blob(node: &Inner, hash: BlobHash) -> Result<(), crate::api::ApiError> {
    node.fetches.cancel(&hash);
    node.cache.forget(&hash);
    node.renounce(&hash);
    node.blobs.remove(hash).await?;
    node.store.remove_blob(&hash).await?;
    node.tell_holding(hash, false);
    Ok(())
}

impl Inner {
    /// Serves files that a record of this identity names, as after the database was lost and the swarm gave it back.
    pub(crate) async fn claim_own(&self) -> Result<(), crate::api::ApiError> {
        for hash in self.store.claim_own().await? {
            self.cache.note(hash, Reason::Published, false);
            self.announce(&hash);
            self.tell_holding(hash, true);
        }
        Ok(())
    }

    /// Not awaited: the driver may be waiting for whoever calls this to take its next outcome.
    fn tell_holding(&self, hash: BlobHash, holding: bool) {
        let driver = self.driver.clone();
        self.tasks.spawn(async move { driver.input(Input::Holding(hash, holding)).await });
    }
}
