//! Peers in the same local network, through multicast DNS (RFC 6762, RFC 6763).

use std::{
    net::{IpAddr, SocketAddr, SocketAddrV6},
    sync::{Arc, Weak},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use domain::PeerId;
use mdns_sd::{ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};
use tracing::debug;

use crate::{
    contact::Contact,
    error::NetError,
    event::{Event, Via},
    network::Shared,
};

/// Most characters of a suffix: a service name has at most 15 (RFC 6335, section 5.1).
const MAX_SUFFIX: usize = 6;
/// How long the newcomer may take to dial before the other side does, as it may be behind a firewall.
const PATIENCE: Duration = Duration::from_secs(3);
/// Digits of the id in the instance's name; a DNS label holds at most 63.
const NAME_DIGITS: usize = 32;
/// TXT property with the whole id.
const ID: &str = "id";
/// TXT property with the time at which the node started, in milliseconds since 1970: who is the newcomer.
const SINCE: &str = "since";

/// How peers in the local network are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lan {
    /// Keeps apart groups that should not meet, such as tests: up to six lower-case letters and digits.
    pub suffix: Option<String>,
}

/// The running announcement; it is taken back when this ends.
pub(crate) struct Announcement {
    daemon: ServiceDaemon,
    name: String,
}

impl Lan {
    fn service(&self) -> Result<String, NetError> {
        let Some(suffix) = &self.suffix else { return Ok("_musicdao._udp.local.".into()) };
        let fits = suffix.len() <= MAX_SUFFIX
            && suffix.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !fits || suffix.is_empty() {
            return Err(failed(format!("`{suffix}` is not a suffix")));
        }
        Ok(format!("_musicdao-{suffix}._udp.local."))
    }
}

/// Announces this node and reports the others until the network ends.
pub(crate) fn start(shared: &Arc<Shared>, lan: &Lan, local: SocketAddr) -> Result<Announcement, NetError> {
    let service = lan.service()?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let id = shared.id.to_string();
    let name = &id[..NAME_DIGITS];
    let properties = [(ID, id.clone()), (SINCE, since.to_string())];
    let host = format!("{name}.local.");
    let everywhere = local.ip().is_unspecified();
    let ip = if everywhere { String::new() } else { local.ip().to_string() };
    let info = ServiceInfo::new(&service, name, &host, ip, local.port(), &properties[..]).map_err(failed)?;
    let mut info = if everywhere { info.enable_addr_auto() } else { info };
    // The name is part of a key, so nobody else has it: no need to ask around for 750 ms first.
    info.set_requires_probe(false);
    let name = info.get_fullname().to_owned();
    let daemon = ServiceDaemon::new().map_err(failed)?;
    daemon.register(info).map_err(failed)?;
    let found = daemon.browse(&service).map_err(failed)?;
    let shared = Arc::downgrade(shared);
    tokio::spawn(async move {
        while let Ok(event) = found.recv_async().await {
            let ServiceEvent::ServiceResolved(resolved) = event else { continue };
            match Neighbour::of(&resolved) {
                Some(neighbour) => neighbour.report(&shared, since),
                None => debug!(name = resolved.fullname, "not one of ours"),
            }
        }
    });
    Ok(Announcement { daemon, name })
}

impl Drop for Announcement {
    fn drop(&mut self) {
        let _ = self.daemon.unregister(&self.name);
        let _ = self.daemon.shutdown();
    }
}

impl std::fmt::Debug for Announcement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Announcement({})", self.name)
    }
}

/// Another node, as it announces itself.
#[derive(Debug, PartialEq, Eq)]
struct Neighbour {
    peer: PeerId,
    since: u128,
    addrs: Vec<SocketAddr>,
}

impl Neighbour {
    fn of(service: &ResolvedService) -> Option<Self> {
        let peer = service.get_property_val_str(ID)?.parse().ok()?;
        let since = service.get_property_val_str(SINCE)?.parse().ok()?;
        let mut addrs: Vec<SocketAddr> =
            service.addresses.iter().filter_map(|ip| socket_addr(ip, service.port)).collect();
        addrs.sort_by_key(preference);
        Some(Self { peer, since, addrs: Contact::of(&addrs).addrs })
    }

    /// The newcomer dials, so it reports at once; the other reports only if that did not work.
    fn report(self, shared: &Weak<Shared>, our_since: u128) {
        let Some(strong) = shared.upgrade() else { return };
        if self.peer == strong.id || self.addrs.is_empty() {
            return;
        }
        let newcomer = (our_since, strong.id) > (self.since, self.peer);
        let events = strong.events.clone();
        let shared = shared.clone();
        tokio::spawn(async move {
            if !newcomer {
                tokio::time::sleep(PATIENCE).await;
            }
            let linked = shared.upgrade().is_none_or(|shared| shared.link(&self.peer).is_some());
            if !linked {
                let contact = Contact { addrs: self.addrs, relays: Vec::new() };
                let _ = events.send(Event::Found { peer: self.peer, contact, via: Via::Lan }).await;
            }
        });
    }
}

fn socket_addr(ip: &ScopedIp, port: u16) -> Option<SocketAddr> {
    let addr = match ip {
        ScopedIp::V4(ip) => SocketAddr::new(IpAddr::V4(*ip.addr()), port),
        ScopedIp::V6(ip) if ip.addr().is_unicast_link_local() => {
            SocketAddrV6::new(*ip.addr(), port, 0, ip.scope_id().index).into()
        }
        ScopedIp::V6(ip) => SocketAddr::new(IpAddr::V6(*ip.addr()), port),
        _ => return None,
    };
    (port != 0).then_some(addr)
}

/// Plain IPv4 first, link-local IPv6 after it, loopback last.
fn preference(addr: &SocketAddr) -> (bool, bool) {
    (addr.ip().is_loopback(), addr.is_ipv6())
}

fn failed(reason: impl ToString) -> NetError {
    NetError::Service { service: "local discovery", reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_is_short_and_plain() {
        let service = |suffix: &str| Lan { suffix: Some(suffix.into()) }.service();
        assert_eq!(service("ab12").unwrap(), "_musicdao-ab12._udp.local.");
        for wrong in ["", "toolong", "UP", "a.b", "ä"] {
            assert_eq!(service(wrong).unwrap_err().code(), "service_failed");
        }
        assert_eq!(Lan::default().service().unwrap(), "_musicdao._udp.local.");
    }
}
