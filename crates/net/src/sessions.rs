//! Which connection is the session with a peer. Both sides must choose the same one out of any number of
//! simultaneous dials, so one side alone chooses: the one with the lower id commits a connection by sending
//! its hello on it, and the other follows.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use domain::PeerId;

use crate::{config::Limits, event::Path, link::Link};

/// Bits of an IPv6 address that a host cannot choose for itself.
const PREFIX: u128 = u128::MAX << 64;

/// The sessions of one node.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    slots: HashMap<PeerId, Slot>,
    blocked: HashSet<PeerId>,
    last: u64,
}

/// Why a connection does not become a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwanted {
    /// There is one already.
    Duplicate,
    Blocked,
    Full,
}

/// What the side that commits knows of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    pub(crate) path: Path,
    /// `Some` on a connection that the other side dialled: the session it still holds, or 0.
    pub(crate) held: Option<u64>,
    /// What this side dialled it for.
    pub(crate) purpose: Purpose,
}

/// What a connection is for, where there is a session already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To have a session at all, or a direct one instead of a relayed one.
    Connect,
    /// To begin anew, because the session's path is lost.
    Renew,
}

/// What to say in the committing hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) session: u64,
    pub(crate) replaces: u64,
}

#[derive(Debug, Default)]
struct Slot {
    link: Option<Arc<Link>>,
    committing: Option<u64>,
}

impl Sessions {
    /// Starts numbering; numbers grow from start to start, so that a stale one never matches.
    pub(crate) fn new(first: u64) -> Self {
        Self { last: first, ..Self::default() }
    }

    pub(crate) fn link(&self, peer: &PeerId) -> Option<&Arc<Link>> {
        self.slots.get(peer)?.link.as_ref()
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = &Arc<Link>> {
        self.slots.values().filter_map(|slot| slot.link.as_ref())
    }

    pub(crate) fn is_blocked(&self, peer: &PeerId) -> bool {
        self.blocked.contains(peer)
    }

    pub(crate) fn block(&mut self, peer: PeerId) {
        self.blocked.insert(peer);
    }

    pub(crate) fn unblock(&mut self, peer: &PeerId) {
        self.blocked.remove(peer);
    }

    /// Says whether a connection with this peer has a chance; both sides ask before they say hello.
    /// `from` is where it comes from, unless this side dialled.
    pub(crate) fn admit(
        &self,
        peer: &PeerId,
        from: Option<SocketAddr>,
        limits: &Limits,
    ) -> Result<(), Unwanted> {
        if self.is_blocked(peer) {
            return Err(Unwanted::Blocked);
        }
        let Some(from) = from.filter(|_| !self.slots.contains_key(peer)) else { return Ok(()) };
        let crowded = self.of_host(from) >= limits.sessions_per_host;
        let full = self.slots.len() >= limits.sessions && self.spare(limits).is_none();
        if crowded || full { Err(Unwanted::Full) } else { Ok(()) }
    }

    /// Returns the session that has to end because a new one from elsewhere is one too many: several may have been
    /// admitted at once.
    pub(crate) fn surplus(&self, new: &Arc<Link>, limits: &Limits) -> Option<Arc<Link>> {
        if new.is_dialled() {
            return None;
        }
        if self.of_host(new.addr()) > limits.sessions_per_host {
            return Some(new.clone());
        }
        let full = self.slots.len() > limits.sessions;
        full.then(|| self.spare(limits).unwrap_or_else(|| new.clone()))
    }

    /// Returns the session from elsewhere that has not been used for the longest time, if that is long enough.
    fn spare(&self, limits: &Limits) -> Option<Arc<Link>> {
        let inbound = self.links().filter(|link| !link.is_dialled() && link.unused() >= limits.spare_after);
        inbound.max_by_key(|link| link.unused()).cloned()
    }

    /// Counts the sessions that one host began; what comes through relays counts for itself.
    fn of_host(&self, from: SocketAddr) -> usize {
        let inbound = self.links().filter(|link| !link.is_dialled());
        inbound.filter(|link| host(link.addr().ip()) == host(from.ip())).count()
    }

    /// Decides, on the side with the lower id, whether a connection becomes the session.
    pub(crate) fn commit(&mut self, peer: PeerId, offer: Offer) -> Result<Commit, Unwanted> {
        let slot = self.slots.entry(peer).or_default();
        if slot.committing.is_some() {
            return Err(Unwanted::Duplicate);
        }
        let replaces = match (&slot.link, offer.held) {
            (None, _) => 0,
            (Some(_), None) if offer.purpose == Purpose::Renew => 0,
            (Some(link), None) if link.path() == Path::Relayed && offer.path == Path::Direct => {
                link.session()
            }
            (Some(_), None) => return Err(Unwanted::Duplicate),
            (Some(link), Some(held)) if held == link.session() => {
                if link.path() == Path::Direct && offer.path == Path::Relayed {
                    return Err(Unwanted::Duplicate);
                }
                held
            }
            (Some(_), Some(_)) => 0,
        };
        self.last += 1;
        slot.committing = Some(self.last);
        Ok(Commit { session: self.last, replaces })
    }

    /// Takes back a commit whose connection failed before the other side's hello came.
    pub(crate) fn abort(&mut self, peer: &PeerId, session: u64) {
        let Some(slot) = self.slots.get_mut(peer) else { return };
        if slot.committing == Some(session) {
            slot.committing = None;
            self.sweep(peer);
        }
    }

    /// Puts a link in a peer's place and returns the one it displaces.
    pub(crate) fn install(&mut self, peer: PeerId, link: Arc<Link>) -> Option<Arc<Link>> {
        let slot = self.slots.entry(peer).or_default();
        slot.committing = None;
        slot.link.replace(link)
    }

    /// Notes that the commit became a new lane of the existing link.
    pub(crate) fn switched(&mut self, peer: &PeerId) {
        if let Some(slot) = self.slots.get_mut(peer) {
            slot.committing = None;
        }
    }

    /// Forgets a link that ended, unless another took its place.
    pub(crate) fn remove(&mut self, ended: &Arc<Link>) {
        let Some(slot) = self.slots.get_mut(&ended.peer()) else { return };
        if slot.link.as_ref().is_some_and(|link| Arc::ptr_eq(link, ended)) {
            slot.link = None;
            self.sweep(&ended.peer());
        }
    }

    fn sweep(&mut self, peer: &PeerId) {
        if self.slots.get(peer).is_some_and(|slot| slot.link.is_none() && slot.committing.is_none()) {
            self.slots.remove(peer);
        }
    }
}

fn host(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & PREFIX).into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_one_address_or_one_network_of_ipv6() {
        let host = |ip: &str| host(ip.parse().unwrap());
        assert_eq!(host("2001:db8:1:2:3::4"), host("2001:db8:1:2:ffff::5"));
        assert_ne!(host("2001:db8:1:2::4"), host("2001:db8:1:3::4"));
        assert_eq!(host("::ffff:192.0.2.1"), host("192.0.2.1"));
        assert_ne!(host("192.0.2.1"), host("192.0.2.2"));
    }
}
