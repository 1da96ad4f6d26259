//! Asking the router to forward a port: PCP (RFC 6887) or NAT-PMP (RFC 6886), else UPnP.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    num::NonZeroU16,
    sync::Weak,
    time::Duration,
};

use crab_nat::{InternetProtocol, PortMappingOptions, PortMappingType, TimeoutConfig, natpmp};
use igd_next::{PortMappingProtocol, SearchOptions, aio::Gateway, aio::tokio::Tokio};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tracing::{debug, info};

use crate::{network::Shared, reach::is_global};

/// Lifetime asked for; it is renewed at half of what is granted.
const LIFETIME: u32 = 3600;
/// Least time between renewals, whatever a router grants.
const LEAST_RENEWAL: Duration = Duration::from_secs(30);
/// Pause after a failure; most routers that do not forward today will not in an hour.
const RETRY: Duration = Duration::from_secs(600);
/// How long a router may take to be found by UPnP.
const SEARCH: Duration = Duration::from_secs(3);
/// How long the router may take to take a mapping back.
const RELEASE: Duration = Duration::from_secs(1);
/// What the router's owner reads in its list.
const DESCRIPTION: &str = "MusicDAO";

/// How to ask the router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortMapping {
    /// The router; `None` looks it up in the routing table.
    pub gateway: Option<Ipv4Addr>,
    /// Where UPnP searches; `None` is the multicast address of SSDP.
    pub search: Option<SocketAddr>,
}

/// A port that the router forwards.
#[derive(Debug)]
enum Mapping {
    Pcp { mapping: crab_nat::PortMapping, external: SocketAddr },
    Upnp { gateway: Box<Gateway<Tokio>>, external: SocketAddr, local: SocketAddr },
}

/// Keeps a port forwarded until the network closes, then takes it back.
pub(crate) async fn run(shared: Weak<Shared>, config: PortMapping, mut closed: watch::Receiver<bool>) {
    let mut mapping = None;
    loop {
        let Some(strong) = shared.upgrade() else { break };
        let (port, changed) = (strong.local_addr().port(), strong.remap.clone());
        drop(strong);
        mapping = renewed(mapping, &config, port).await;
        let pause = mapping.as_ref().map_or(RETRY, Mapping::renew_after);
        let Some(strong) = shared.upgrade() else { break };
        let external = mapping.as_ref().map(Mapping::external).filter(|addr| is_global(&addr.ip()));
        strong.reach().set_mapped(external);
        strong.tell_external_address().await;
        drop(strong);
        tokio::select! {
            () = sleep(pause) => {}
            () = changed.notified() => mapping = None,
            _ = closed.wait_for(|closed| *closed) => break,
        }
    }
    if let Some(mapping) = mapping {
        let _ = timeout(RELEASE, mapping.release()).await;
    }
}

async fn renewed(mapping: Option<Mapping>, config: &PortMapping, port: u16) -> Option<Mapping> {
    let renewed = match mapping {
        Some(mapping) => mapping.renew().await,
        None => None,
    };
    match renewed {
        Some(mapping) => Some(mapping),
        None => mapped(config, port).await,
    }
}

/// Tries the protocols in turn.
async fn mapped(config: &PortMapping, port: u16) -> Option<Mapping> {
    let port = NonZeroU16::new(port)?;
    if let Some(gateway) = config.gateway.or_else(default_gateway) {
        match pcp(gateway, port).await {
            Ok(mapping) => return Some(mapping),
            Err(error) => debug!(%gateway, error, "no PCP or NAT-PMP"),
        }
    }
    match upnp(config, port).await {
        Ok(mapping) => Some(mapping),
        Err(error) => {
            debug!(error, "no UPnP");
            None
        }
    }
}

async fn pcp(gateway: Ipv4Addr, port: NonZeroU16) -> Result<Mapping, String> {
    let timing = TimeoutConfig {
        initial_timeout: Duration::from_millis(250),
        max_retries: 3,
        max_retry_timeout: Some(Duration::from_secs(1)),
    };
    let options = PortMappingOptions {
        external_port: Some(port),
        lifetime_seconds: Some(LIFETIME),
        timeout_config: Some(timing),
    };
    let local = local_towards(gateway).map_err(|error| error.to_string())?;
    let mapping = crab_nat::PortMapping::new(gateway.into(), local, InternetProtocol::Udp, port, options);
    let mapping = mapping.await.map_err(|error| error.to_string())?;
    let ip = match mapping.mapping_type() {
        PortMappingType::Pcp { external_ip, .. } => external_ip.to_canonical(),
        PortMappingType::NatPmp => {
            let asked = natpmp::external_address(gateway.into(), Some(timing)).await;
            IpAddr::V4(asked.map_err(|error| error.to_string())?)
        }
    };
    let external = SocketAddr::new(ip, mapping.external_port().get());
    info!("the router forwards a port");
    Ok(Mapping::Pcp { mapping, external })
}

async fn upnp(config: &PortMapping, port: NonZeroU16) -> Result<Mapping, String> {
    let mut options = SearchOptions::default();
    options.timeout = Some(SEARCH);
    options.single_search_timeout = Some(SEARCH);
    if let Some(search) = config.search {
        options.broadcast_address = search;
    }
    let gateway = igd_next::aio::tokio::search_gateway(options).await.map_err(|error| error.to_string())?;
    let IpAddr::V4(router) = gateway.addr.ip() else { return Err("the router has no IPv4 address".into()) };
    let local = SocketAddr::new(local_towards(router).map_err(|error| error.to_string())?, port.get());
    let ip = gateway.get_external_ip().await.map_err(|error| error.to_string())?;
    let external = add(&gateway, port.get(), local).await?;
    let external = SocketAddr::new(ip, external);
    info!("the router forwards a port");
    Ok(Mapping::Upnp { gateway: Box::new(gateway), external, local })
}

/// Asks for the same port outside, else for any.
async fn add(gateway: &Gateway<Tokio>, port: u16, local: SocketAddr) -> Result<u16, String> {
    let udp = PortMappingProtocol::UDP;
    match gateway.add_port(udp, port, local, LIFETIME, DESCRIPTION).await {
        Ok(()) => Ok(port),
        Err(_) => {
            let any = gateway.add_any_port(udp, local, LIFETIME, DESCRIPTION).await;
            any.map_err(|error| error.to_string())
        }
    }
}

impl Mapping {
    fn external(&self) -> SocketAddr {
        match self {
            Self::Pcp { external, .. } | Self::Upnp { external, .. } => *external,
        }
    }

    fn renew_after(&self) -> Duration {
        let lifetime = match self {
            Self::Pcp { mapping, .. } => mapping.lifetime(),
            Self::Upnp { .. } => LIFETIME,
        };
        (Duration::from_secs(u64::from(lifetime)) / 2).max(LEAST_RENEWAL)
    }

    async fn renew(self) -> Option<Self> {
        match self {
            Self::Pcp { mut mapping, external } => {
                mapping.renew().await.ok()?;
                let external = SocketAddr::new(external.ip(), mapping.external_port().get());
                Some(Self::Pcp { mapping, external })
            }
            Self::Upnp { gateway, external, local } => {
                let udp = PortMappingProtocol::UDP;
                gateway.add_port(udp, external.port(), local, LIFETIME, DESCRIPTION).await.ok()?;
                Some(Self::Upnp { gateway, external, local })
            }
        }
    }

    async fn release(self) {
        match self {
            Self::Pcp { mapping, .. } => {
                let _ = mapping.try_drop().await;
            }
            Self::Upnp { gateway, external, .. } => {
                let _ = gateway.remove_port(PortMappingProtocol::UDP, external.port()).await;
            }
        }
    }
}

/// Returns the address of this machine that packets to the router carry; nothing is sent.
fn local_towards(router: Ipv4Addr) -> std::io::Result<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect((router, crab_nat::GATEWAY_PORT))?;
    Ok(socket.local_addr()?.ip())
}

/// Reads the router's address where the system shows its table of routes; elsewhere UPnP finds it.
fn default_gateway() -> Option<Ipv4Addr> {
    parse_routes(&std::fs::read_to_string("/proc/net/route").ok()?)
}

/// Finds the gateway of the default route in the format of Linux's `/proc/net/route`.
fn parse_routes(table: &str) -> Option<Ipv4Addr> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        let gateway = u32::from_str_radix(gateway, 16).ok()?;
        let is_default = destination == "00000000" && gateway != 0;
        is_default.then(|| Ipv4Addr::from(gateway.to_ne_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_names_the_router() {
        let table = "Iface\tDestination\tGateway \tFlags\n\
            eth0\t0000A8C0\t00000000\t0001\n\
            eth0\t00000000\t0101A8C0\t0003\n";
        assert_eq!(parse_routes(table), Some(Ipv4Addr::new(192, 168, 1, 1)));
        assert_eq!(parse_routes("Iface\tDestination\n"), None);
        assert_eq!(parse_routes(""), None);
    }
}
