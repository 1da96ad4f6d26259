//! The QUIC endpoint and its tuning.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use domain::PeerId;
use quinn::{
    AsyncUdpSocket, ClientConfig, Connecting, Connection, ConnectionError, EndpointConfig, IdleTimeout,
    Incoming, MtuDiscoveryConfig, ServerConfig, TokioRuntime, TransportConfig, VarInt, congestion::BbrConfig,
};

use crate::{
    config::{Config, Limits},
    error::NetError,
    overlay::is_circuit,
    tls::{self, Tls},
};

/// Above 1 MiB a lossy path can leave more gaps in one stream than QUIC implementations track.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// Bytes that any peer can make us hold unread.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW;
/// The same once we fetch from the peer: eight full streams.
pub(crate) const FETCH_WINDOW: u32 = 8 * STREAM_WINDOW;
/// Bytes in flight from us to one peer.
const SEND_WINDOW: u64 = 8 * 1024 * 1024;
/// Streams a peer may have open towards us; requests are bounded further by [`Limits::requests`].
const STREAMS: u32 = 128;
/// Control streams: one, and one more while a session changes its lane.
const CONTROL_STREAMS: u32 = 4;
/// Connections from elsewhere that wait for their handshake.
const MAX_INCOMING: usize = 1024;
/// Bytes that one of them, and all together, may send ahead of it.
const INCOMING_BUFFER: u64 = 64 * 1024;
const INCOMING_BUFFERS: u64 = 4 * 1024 * 1024;
/// First flight, in bytes: 32 packets as common web servers send, so that the head of a track takes one
/// round trip on a fresh connection.
const INITIAL_WINDOW: u64 = 32 * 1200;
/// Bytes of relayed datagrams that wait on a connection; older ones give way, as in a router.
const DATAGRAMS: usize = 256 * 1024;
/// Largest packet that is tried: what a jumbo frame of 9000 bytes carries over IPv6.
const LARGEST_PACKET: u16 = 9000 - 40 - 8;
/// Assumed round trip before the first measurement, which spaces the first resends.
const INITIAL_RTT: Duration = Duration::from_millis(100);

/// The endpoint of one node, with what new connections are set up with.
#[derive(Debug)]
pub(crate) struct Endpoint {
    quinn: quinn::Endpoint,
    tls: Tls,
    direct: Setup,
    relayed: Setup,
}

/// How connections of one kind are set up.
#[derive(Debug)]
struct Setup {
    client: ClientConfig,
    server: Arc<ServerConfig>,
}

impl Endpoint {
    pub(crate) fn open(config: &Config, socket: Arc<dyn AsyncUdpSocket>) -> Result<Self, NetError> {
        let tls = Tls::new(&config.identity);
        let direct = Setup::new(&tls, transport(&config.limits));
        let relayed = Setup::new(&tls, relayed(transport(&config.limits)));
        let listen = |source| NetError::Listen { addr: config.listen, source };
        let (runtime, server) = (Arc::new(TokioRuntime), Some(direct.server.as_ref().clone()));
        let mut options = EndpointConfig::default();
        options.max_udp_payload_size(LARGEST_PACKET).expect("a jumbo frame is above QUIC's least size");
        let quinn = quinn::Endpoint::new_with_abstract_socket(options, server, socket, runtime);
        Ok(Self { quinn: quinn.map_err(listen)?, tls, direct, relayed })
    }

    pub(crate) fn quinn(&self) -> &quinn::Endpoint {
        &self.quinn
    }

    /// Returns bytes that nobody can guess.
    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        self.tls.random()
    }

    /// Begins to dial an address, insisting on the peer's key.
    pub(crate) fn dial(&self, peer: PeerId, addr: SocketAddr) -> Result<Connecting, NetError> {
        let setup = if is_circuit(&addr) { &self.relayed } else { &self.direct };
        let name = tls::server_name(&peer);
        let connecting = self.quinn.connect_with(setup.client.clone(), addr, &name);
        connecting.map_err(|error| NetError::lost(peer, error))
    }

    /// Dials an address and takes whoever answers.
    pub(crate) async fn meet(&self, addr: SocketAddr) -> Result<Connection, NetError> {
        let nobody = |_| NetError::NobodyThere(addr);
        let connecting = self.quinn.connect_with(self.direct.client.clone(), addr, tls::ANYBODY);
        connecting.map_err(|_| NetError::NobodyThere(addr))?.await.map_err(nobody)
    }

    /// Goes on with the handshake of a connection from elsewhere.
    pub(crate) fn accept(&self, incoming: Incoming) -> Result<Connecting, ConnectionError> {
        let setup = if is_circuit(&incoming.remote_address()) { &self.relayed } else { &self.direct };
        incoming.accept_with(setup.server.clone())
    }
}

impl Setup {
    fn new(tls: &Tls, transport: TransportConfig) -> Self {
        let transport = Arc::new(transport);
        let mut server = ServerConfig::with_crypto(tls.server());
        server
            .transport_config(transport.clone())
            .max_incoming(MAX_INCOMING)
            .incoming_buffer_size(INCOMING_BUFFER)
            .incoming_buffer_size_total(INCOMING_BUFFERS);
        let mut client = ClientConfig::new(tls.client());
        client.transport_config(transport);
        Self { client, server: Arc::new(server) }
    }
}

/// Over a circuit every packet must fit a datagram of the outer connection, and round trips add up.
fn relayed(mut config: TransportConfig) -> TransportConfig {
    config.mtu_discovery_config(None).initial_rtt(INITIAL_RTT * 3);
    config
}

fn transport(limits: &Limits) -> TransportConfig {
    // Losses by chance are no congestion: docs/adr/0005-congestion.md.
    let mut bbr = BbrConfig::default();
    bbr.initial_window(INITIAL_WINDOW);
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(LARGEST_PACKET);
    let mut config = TransportConfig::default();
    config
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(SEND_WINDOW)
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(CONTROL_STREAMS))
        .initial_rtt(INITIAL_RTT)
        .mtu_discovery_config(Some(mtu))
        .datagram_receive_buffer_size(Some(DATAGRAMS))
        .datagram_send_buffer_size(DATAGRAMS)
        .keep_alive_interval(Some(limits.keep_alive))
        .max_idle_timeout(IdleTimeout::try_from(limits.idle).ok())
        .congestion_controller_factory(Arc::new(bbr));
    config
}
