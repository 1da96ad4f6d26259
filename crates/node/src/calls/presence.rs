//! Who this node is and who is there.

use std::{net::IpAddr, sync::Arc};

use domain::{PeerId, ReleaseId, kinds::id as kind};

use crate::{
    api::{self, ApiError, Done, Invite, Link, PeerInfo, Peers, Status},
    careful, catalogue, links,
    node::Inner,
};

impl Inner {
    pub(super) async fn status(&self) -> Result<Status, ApiError> {
        let counts = self.store.counts().await?;
        let totals = self.store.blob_totals().await?;
        let stored = [totals.played, totals.seeded, totals.downloaded, totals.published];
        let peers = self.network.peers();
        let (settings, own) = (self.settings(), self.identity.id());
        let relayed = peers.iter().filter(|info| info.path == net::Path::Relayed).count() as u64;
        let name = catalogue::written(&self.store, own).await?.map(|profile| profile.name);
        Ok(Status {
            peer_id: own,
            fresh: name.is_none() && self.is_unused().await?,
            name: name.filter(|name| !name.is_empty()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data: self.data.display().to_string(),
            listen: vec![self.network.local_addr().to_string()],
            peers: peers.len() as u64,
            nearby: peers.iter().filter(|info| is_nearby(info)).count() as u64,
            direct: peers.len() as u64 - relayed,
            relayed,
            online: !peers.is_empty(),
            searching: peers.is_empty() && (settings.dht || settings.mdns),
            metered: settings.metered,
            private_session: settings.private_session,
            releases: counts.releases,
            records: counts.records,
            stored_bytes: stored.iter().map(|total| total.bytes).sum(),
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            can_publish: self.can_publish(),
            dropped_events: self.hub.dropped(),
        })
    }

    pub(super) async fn peers(&self) -> Result<Peers, ApiError> {
        let mut infos = self.network.peers();
        infos.sort_by_key(|info| info.peer);
        let ids: Vec<PeerId> = infos.iter().map(|info| info.peer).collect();
        let names = self.store.names(&ids).await?;
        let peers = infos.into_iter().map(|info| PeerInfo {
            peer_id: info.peer,
            name: names.iter().find(|(peer, _)| *peer == info.peer).map(|(_, name)| name.clone()),
            path: info.path.into(),
            rtt_ms: info.rtt.as_secs_f64() * 1000.0,
        });
        Ok(Peers { peers: peers.collect() })
    }

    pub(super) fn shown_invite(&self) -> Invite {
        let invite = self.invite();
        let ways = invite.contact.addrs.iter().filter(|addr| !addr.ip().is_loopback()).count();
        Invite { invite: invite.to_string(), ways: (ways + invite.contact.relays.len()) as u64 }
    }

    pub(super) async fn join_by(&self, invite: &str) -> Result<Done, ApiError> {
        self.join(invite).await?;
        Ok(Done {})
    }

    pub(super) fn share(&self, release: Option<ReleaseId>, artist: Option<PeerId>) -> Result<Link, ApiError> {
        Ok(Link { link: links::share(self, &careful::target(release, artist)?)? })
    }

    pub(super) async fn open(
        self: &Arc<Self>,
        link: &str,
        wait_ms: Option<u64>,
    ) -> Result<api::Opened, ApiError> {
        links::open(self, link, wait_ms).await
    }

    pub(super) async fn profile(&self, peer: Option<PeerId>) -> Result<api::Profile, ApiError> {
        let own = self.identity.id();
        catalogue::profile(&self.store, own, peer.unwrap_or(own)).await
    }

    /// Says whether nothing is published, saved, added or followed.
    async fn is_unused(&self) -> Result<bool, ApiError> {
        let totals = self.store.library_totals().await?;
        let kept = totals.saved + totals.files + totals.history;
        let own = self.store.records_of(&self.identity.id(), kind::RELEASE, 1).await?;
        Ok(kept == 0 && own.is_empty() && self.store.followed(1).await?.is_empty())
    }
}

/// Says whether a peer is in the same building, as far as its address tells; on the same machine nobody else is.
fn is_nearby(info: &net::PeerInfo) -> bool {
    let near = match info.addr.ip().to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    near && info.path == net::Path::Direct
}
