//! Routers that forward ports, played by servers on loopback that speak their protocols.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use net::{Event, PortMapping};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
    sync::mpsc,
};

use crate::{
    common::{Node, soon},
    namespace,
};

const OUTSIDE: Ipv4Addr = Ipv4Addr::new(5, 6, 7, 8);
/// Where PCP and NAT-PMP are spoken (RFC 6887, section 19).
const PCP_PORT: u16 = 5351;

/// What a router was asked: to forward a port for so long, or with 0 to stop.
type Asked = (u16, u32);

/// Answers NAT-PMP (RFC 6886), and tells PCP clients to speak it.
async fn nat_pmp(ip: [u8; 4], asked: mpsc::UnboundedSender<Asked>) {
    let socket = UdpSocket::bind((Ipv4Addr::from(ip), PCP_PORT)).await.unwrap();
    tokio::spawn(async move {
        let mut request = [0; 1100];
        loop {
            let (_, from) = socket.recv_from(&mut request).await.unwrap();
            let mut reply = vec![0, request[1] | 0x80, 0, 0, 0, 0, 0, 9];
            match request[..2] {
                [0, 0] => reply.extend(OUTSIDE.octets()),
                [0, 1] => {
                    let port = u16::from_be_bytes([request[4], request[5]]);
                    let lifetime = u32::from_be_bytes([request[8], request[9], request[10], request[11]]);
                    reply.extend(port.to_be_bytes());
                    let outside = if lifetime == 0 { 0 } else { 4321u16 };
                    reply.extend(outside.to_be_bytes());
                    reply.extend(lifetime.to_be_bytes());
                    asked.send((port, lifetime)).unwrap();
                }
                _ => reply[3] = 1,
            }
            socket.send_to(&reply, from).await.unwrap();
        }
    });
}

/// Answers PCP (RFC 6887).
async fn pcp(ip: [u8; 4], asked: mpsc::UnboundedSender<Asked>) {
    let socket = UdpSocket::bind((Ipv4Addr::from(ip), PCP_PORT)).await.unwrap();
    tokio::spawn(async move {
        let mut request = [0; 1100];
        loop {
            let (len, from) = socket.recv_from(&mut request).await.unwrap();
            let lifetime = u32::from_be_bytes([request[4], request[5], request[6], request[7]]);
            let port = u16::from_be_bytes([request[40], request[41]]);
            let mut reply = request[..len].to_vec();
            reply[1] |= 0x80;
            reply[3] = 0;
            reply[8..24].fill(0);
            if lifetime > 0 {
                reply[42..44].copy_from_slice(&4321u16.to_be_bytes());
                reply[44..60].copy_from_slice(&OUTSIDE.to_ipv6_mapped().octets());
            }
            asked.send((port, lifetime)).unwrap();
            socket.send_to(&reply, from).await.unwrap();
        }
    });
}

/// Answers SSDP and the few requests of UPnP that a port needs; returns where to search.
async fn upnp(ip: Ipv4Addr, asked: mpsc::UnboundedSender<Asked>) -> SocketAddr {
    let http = TcpListener::bind((ip, 0)).await.unwrap();
    let location = format!("http://{}/igd.xml", http.local_addr().unwrap());
    let ssdp = UdpSocket::bind((ip, 0)).await.unwrap();
    let search = ssdp.local_addr().unwrap();
    tokio::spawn(async move {
        let mut request = [0; 1500];
        loop {
            let (_, from) = ssdp.recv_from(&mut request).await.unwrap();
            let service = "urn:schemas-upnp-org:service:WANIPConnection:1";
            let reply = format!("HTTP/1.1 200 OK\r\nST: {service}\r\nLOCATION: {location}\r\n\r\n");
            ssdp.send_to(reply.as_bytes(), from).await.unwrap();
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = http.accept().await.unwrap();
            let asked = asked.clone();
            tokio::spawn(async move {
                let mut request = String::new();
                let mut piece = [0; 4096];
                while !is_whole(&request) {
                    let read = stream.read(&mut piece).await.unwrap();
                    request.push_str(std::str::from_utf8(&piece[..read]).unwrap());
                }
                let body = upnp_answer(&request, &asked);
                let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(reply.as_bytes()).await.unwrap();
            });
        }
    });
    search
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length =
        head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn upnp_answer(request: &str, asked: &mpsc::UnboundedSender<Asked>) -> String {
    let element = |name: &str| {
        let after = request.split_once(&format!("<{name}>")).unwrap().1;
        after.split_once('<').unwrap().0.parse::<u32>().unwrap()
    };
    let soap = |name: &str, inner: &str| {
        format!(
            r#"<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:{name}Response xmlns:u="urn:schemas-upnp-org:service:WANIPConnection:1">{inner}</u:{name}Response></s:Body></s:Envelope>"#
        )
    };
    if request.starts_with("GET /igd.xml") {
        return r#"<?xml version="1.0"?><root><device><serviceList><service>
            <serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>
            <controlURL>/control</controlURL><SCPDURL>/scpd.xml</SCPDURL>
            </service></serviceList></device></root>"#
            .into();
    }
    if request.starts_with("GET /scpd.xml") {
        let argument =
            |name: &str| format!("<argument><name>{name}</name><direction>in</direction></argument>");
        let delete = ["NewRemoteHost", "NewExternalPort", "NewProtocol"].map(argument).concat();
        let add = [
            "NewRemoteHost",
            "NewExternalPort",
            "NewProtocol",
            "NewInternalPort",
            "NewInternalClient",
            "NewEnabled",
            "NewPortMappingDescription",
            "NewLeaseDuration",
        ]
        .map(argument)
        .concat();
        let action = |name: &str, list: &str| {
            format!("<action><name>{name}</name><argumentList>{list}</argumentList></action>")
        };
        let actions = action("AddPortMapping", &add) + &action("DeletePortMapping", &delete);
        return format!(r#"<?xml version="1.0"?><scpd><actionList>{actions}</actionList></scpd>"#);
    }
    if request.contains("GetExternalIPAddress") {
        let ip = format!("<NewExternalIPAddress>{OUTSIDE}</NewExternalIPAddress>");
        return soap("GetExternalIPAddress", &ip);
    }
    if request.contains("DeletePortMapping") {
        asked.send((element("NewExternalPort") as u16, 0)).unwrap();
        return soap("DeletePortMapping", "");
    }
    asked.send((element("NewInternalPort") as u16, element("NewLeaseDuration"))).unwrap();
    soap("AddPortMapping", "")
}

async fn external(node: &mut Node) -> SocketAddr {
    node.until(|event| match event {
        Event::ExternalAddress { addr } => Some(addr),
        _ => None,
    })
    .await
}

/// A node asks, is told where it is seen, asks again after a change, and gives the port back at the end.
async fn maps_and_releases(
    mapping: PortMapping,
    mut asked: mpsc::UnboundedReceiver<Asked>,
    outside: Option<u16>,
) {
    let mut node = Node::with(1, |config| config.port_mapping = Some(mapping)).await;
    let inside = node.addr().port();
    let addr = external(&mut node).await;
    assert_eq!(addr, SocketAddr::new(IpAddr::V4(OUTSIDE), outside.unwrap_or(inside)));
    assert_eq!(node.net.candidates()[0], addr);
    assert!(node.net.is_dialable());
    let (port, lifetime) = soon(asked.recv()).await.unwrap();
    assert_eq!(port, inside);
    assert!(lifetime > 0);
    node.net.network_changed().await.unwrap();
    let (_, again) = soon(asked.recv()).await.unwrap();
    assert!(again > 0);
    node.net.shutdown().await;
    let (_, released) = soon(asked.recv()).await.unwrap();
    assert_eq!(released, 0);
}

#[tokio::test]
async fn nat_pmp_forwards_a_port() {
    let (asked, requests) = mpsc::unbounded_channel();
    nat_pmp([127, 0, 53, 51], asked).await;
    let mapping = PortMapping { gateway: Some([127, 0, 53, 51].into()), search: None };
    maps_and_releases(mapping, requests, Some(4321)).await;
}

#[tokio::test]
async fn pcp_forwards_a_port() {
    let (asked, requests) = mpsc::unbounded_channel();
    pcp([127, 0, 53, 52], asked).await;
    let mapping = PortMapping { gateway: Some([127, 0, 53, 52].into()), search: None };
    maps_and_releases(mapping, requests, Some(4321)).await;
}

/// UPnP clients do not believe a router on loopback, so this one has another address on that interface.
#[test]
fn upnp_forwards_a_port_where_the_router_speaks_nothing_else() {
    const TEST: &str = "router::upnp_forwards_a_port_where_the_router_speaks_nothing_else";
    const SCRIPT: &str =
        "ip link set lo up; ip addr add 10.53.0.1/24 dev lo; NET_TEST_ROLE=node exec $BIN $ARGS";
    if namespace::role(TEST, SCRIPT).is_none() {
        return;
    }
    namespace::block_on(async {
        let (asked, requests) = mpsc::unbounded_channel();
        let search = upnp([10, 53, 0, 1].into(), asked).await;
        let mapping = PortMapping { gateway: Some([10, 53, 0, 2].into()), search: Some(search) };
        maps_and_releases(mapping, requests, None).await;
    });
}
