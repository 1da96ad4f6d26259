//! The QUIC endpoint and its tuning.

use std::{sync::Arc, time::Duration};

use domain::PeerId;
use quinn::{
    AsyncUdpSocket, ClientConfig, EndpointConfig, IdleTimeout, ServerConfig, TokioRuntime, TransportConfig,
    VarInt, congestion::CubicConfig,
};

use crate::{
    config::{Config, Limits},
    error::NetError,
    tls::{self, Tls},
};

/// Above 1 MiB a lossy path can leave more gaps in one stream than QUIC implementations track.
const STREAM_WINDOW: u32 = 1024 * 1024;
/// Bytes of all streams of one connection in flight towards us: eight full streams.
const CONNECTION_WINDOW: u32 = 8 * STREAM_WINDOW;
/// Bytes in flight from us to one peer.
const SEND_WINDOW: u64 = 8 * 1024 * 1024;
/// Streams a peer may have open towards us; requests are bounded further by [`Limits::requests`].
const STREAMS: u32 = 128;
/// Control streams: one, and one more while a session changes its lane.
const CONTROL_STREAMS: u32 = 4;
/// First flight, in bytes: 32 packets as common web servers send, so that the head of a track takes one
/// round trip on a fresh connection.
const INITIAL_WINDOW: u64 = 32 * 1200;
/// Assumed round trip before the first measurement, which spaces the first resends.
const INITIAL_RTT: Duration = Duration::from_millis(100);

/// The endpoint of one node, with what new connections are set up with.
#[derive(Debug)]
pub(crate) struct Endpoint {
    quinn: quinn::Endpoint,
    client: ClientConfig,
}

impl Endpoint {
    pub(crate) fn open(config: &Config, socket: Arc<dyn AsyncUdpSocket>) -> Result<Self, NetError> {
        let tls = Tls::new(&config.identity);
        let transport = Arc::new(transport(&config.limits));
        let mut server = ServerConfig::with_crypto(tls.server());
        server.transport_config(transport.clone());
        let mut client = ClientConfig::new(tls.client());
        client.transport_config(transport);
        let listen = |source| NetError::Listen { addr: config.listen, source };
        let runtime = Arc::new(TokioRuntime);
        let quinn = quinn::Endpoint::new_with_abstract_socket(
            EndpointConfig::default(),
            Some(server),
            socket,
            runtime,
        )
        .map_err(listen)?;
        Ok(Self { quinn, client })
    }

    pub(crate) fn quinn(&self) -> &quinn::Endpoint {
        &self.quinn
    }

    /// Dials an address and insists on the peer's key.
    pub(crate) async fn dial(
        &self,
        peer: PeerId,
        addr: std::net::SocketAddr,
    ) -> Result<quinn::Connection, NetError> {
        let name = tls::server_name(&peer);
        let connecting = self.quinn.connect_with(self.client.clone(), addr, &name);
        let connecting = connecting.map_err(|error| NetError::lost(peer, error))?;
        connecting.await.map_err(|error| NetError::lost(peer, error))
    }
}

fn transport(limits: &Limits) -> TransportConfig {
    let mut cubic = CubicConfig::default();
    cubic.initial_window(INITIAL_WINDOW);
    let mut config = TransportConfig::default();
    config
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .send_window(SEND_WINDOW)
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(CONTROL_STREAMS))
        .initial_rtt(INITIAL_RTT)
        .keep_alive_interval(Some(limits.keep_alive))
        .max_idle_timeout(IdleTimeout::try_from(limits.idle).ok())
        .congestion_controller_factory(Arc::new(cubic));
    config
}
