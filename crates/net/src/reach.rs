//! What this node knows of its own reachability: where others see it, and whether strangers can dial it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use domain::PeerId;

use crate::wire::MAX_ADDRESSES;

/// Observations kept; the oldest peers' are replaced.
const OBSERVERS: usize = 64;
/// Addresses this node dialled that are remembered, to tell solicited connections from others.
const DIALLED: usize = 4096;

/// The knowledge, gathered from peers, the router and the interfaces.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    observed: HashMap<PeerId, SocketAddr>,
    mapped: Option<SocketAddr>,
    dialled: HashSet<SocketAddr>,
    /// A stranger on the Internet got through without this node having sent anything there before.
    dialable: bool,
    told: Option<SocketAddr>,
}

impl Reach {
    /// Notes from where a peer sees this node.
    pub(crate) fn observed(&mut self, by: PeerId, addr: SocketAddr) {
        if self.observed.len() >= OBSERVERS && !self.observed.contains_key(&by) {
            let any = self.observed.keys().next().copied();
            any.map(|peer| self.observed.remove(&peer));
        }
        self.observed.insert(by, addr);
    }

    /// Notes the address that the router forwards here, or that it stopped.
    pub(crate) fn set_mapped(&mut self, addr: Option<SocketAddr>) {
        self.mapped = addr;
    }

    /// Notes that this node sent something there, which opens its own router for the answer.
    pub(crate) fn dialled(&mut self, addr: SocketAddr) {
        if self.dialled.len() >= DIALLED {
            self.dialled.clear();
        }
        self.dialled.insert(addr);
    }

    /// Notes a connection from elsewhere.
    pub(crate) fn accepted(&mut self, from: SocketAddr) {
        self.dialable |= is_global(&from.ip()) && !self.dialled.contains(&from);
    }

    /// Forgets everything: the network is another one.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Says whether strangers can dial this node.
    pub(crate) fn is_dialable(&self) -> bool {
        self.dialable || self.mapped.is_some()
    }

    /// Returns the address that a stranger would dial: what the router says, else what most peers see.
    pub(crate) fn external(&self) -> Option<SocketAddr> {
        self.mapped.or_else(|| self.by_votes().into_iter().find(|addr| is_global(&addr.ip())))
    }

    /// Returns the external address if it is another than when this was asked last.
    pub(crate) fn news(&mut self) -> Option<SocketAddr> {
        let external = self.external();
        if external == self.told {
            return None;
        }
        self.told = external;
        external
    }

    /// Lists where this node may be reached, best first.
    pub(crate) fn candidates(&self, interfaces: &[SocketAddr]) -> Vec<SocketAddr> {
        let all = self.mapped.into_iter().chain(self.by_votes()).chain(interfaces.iter().copied());
        let mut candidates = Vec::new();
        for addr in all {
            if candidates.len() < MAX_ADDRESSES && !candidates.contains(&addr) {
                candidates.push(addr);
            }
        }
        candidates
    }

    fn by_votes(&self) -> Vec<SocketAddr> {
        let mut votes: BTreeMap<SocketAddr, usize> = BTreeMap::new();
        for addr in self.observed.values() {
            *votes.entry(*addr).or_default() += 1;
        }
        let mut addrs: Vec<(SocketAddr, usize)> = votes.into_iter().collect();
        addrs.sort_by_key(|(_, votes)| std::cmp::Reverse(*votes));
        addrs.into_iter().map(|(addr, _)| addr).collect()
    }
}

/// Lists the addresses of this machine that the socket listens on.
pub(crate) fn interfaces(local: SocketAddr) -> Vec<SocketAddr> {
    if !local.ip().is_unspecified() {
        return vec![local];
    }
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    let ips = found.iter().map(if_addrs::Interface::ip);
    let usable =
        ips.filter(|ip| !ip.is_loopback() && !is_link_local(ip) && (ip.is_ipv4() || local.is_ipv6()));
    let mut addrs: Vec<SocketAddr> = usable.map(|ip| SocketAddr::new(ip, local.port())).collect();
    addrs.sort_by_key(|addr| !is_global(&addr.ip()));
    addrs
}

/// Says whether an address means the same host everywhere on the Internet.
pub(crate) fn is_global(ip: &IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            let special = ip.octets()[0] == 0 || ip.octets()[0] >= 224;
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared || special)
        }
        IpAddr::V6(ip) => {
            let unique_local = ip.segments()[0] & 0xfe00 == 0xfc00;
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || unique_local
                || is_link_local_v6(&ip))
        }
    }
}

fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => is_link_local_v6(ip),
    }
}

fn is_link_local_v6(ip: &Ipv6Addr) -> bool {
    ip.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_most_peers_see_is_the_external_address() {
        let mut reach = Reach::default();
        reach.observed(peer(1), at("10.0.0.7:1"));
        reach.observed(peer(2), at("10.0.0.7:1"));
        assert_eq!(reach.external(), None);
        reach.observed(peer(3), at("5.6.7.8:9"));
        assert_eq!(reach.news(), Some(at("5.6.7.8:9")));
        assert_eq!(reach.news(), None);
        reach.set_mapped(Some(at("5.6.7.8:4000")));
        assert_eq!(reach.news(), Some(at("5.6.7.8:4000")));
        let expected = ["5.6.7.8:4000", "10.0.0.7:1", "5.6.7.8:9", "192.168.0.2:9"].map(at);
        assert_eq!(reach.candidates(&[at("192.168.0.2:9"), at("5.6.7.8:9")]), expected);
    }

    #[test]
    fn only_an_unsolicited_stranger_proves_that_this_node_can_be_dialled() {
        let mut reach = Reach::default();
        reach.accepted(at("192.168.0.3:4"));
        reach.dialled(at("5.6.7.8:9"));
        reach.accepted(at("5.6.7.8:9"));
        assert!(!reach.is_dialable());
        reach.accepted(at("5.6.7.9:9"));
        assert!(reach.is_dialable());
        reach.reset();
        assert!(!reach.is_dialable());
    }

    #[test]
    fn observations_are_bounded() {
        let mut reach = Reach::default();
        for number in 0..=255 {
            reach.observed(peer(number), at("5.6.7.8:9"));
        }
        assert_eq!(reach.observed.len(), OBSERVERS);
    }
}
