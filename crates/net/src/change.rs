//! A change of the network: other interfaces, another router, a phone that leaves the house, a sleep.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, info};

use crate::{
    dial,
    error::NetError,
    event::{DownReason, Event, Path},
    link::Link,
    network::Shared,
    overlay::Overlay,
    reach, streams,
};

/// How often the machine's addresses are compared.
const LOOK: Duration = Duration::from_secs(5);
/// A longer time between two looks was a sleep.
const SLEEP: Duration = Duration::from_secs(30);
/// How long a peer may take to answer over the path as it is now.
const ANSWER: Duration = Duration::from_secs(3);
/// How long the old socket may take to close, so that the new one gets its port.
const CLOSING: Duration = Duration::from_secs(1);
/// Pause between two looks at it.
const CLOSING_LOOK: Duration = Duration::from_millis(5);

/// Notices changes and sleeps until the network closes.
pub(crate) fn watch(shared: &Arc<Shared>) -> impl Future<Output = ()> + use<> {
    let (clock, mut closed) = (shared.config.clock.clone(), shared.closed.subscribe());
    let (mut looked, mut before) = (clock(), reach::interfaces(shared.local_addr()));
    let shared = Arc::downgrade(shared);
    async move {
        loop {
            tokio::select! {
                () = sleep(LOOK) => {}
                _ = closed.wait_for(|closed| *closed) => return,
            }
            let Some(strong) = shared.upgrade() else { return };
            // The clock of timers stands still during a sleep, that of the wall goes on.
            let slept = clock().duration_since(looked).is_ok_and(|passed| passed > SLEEP);
            looked = clock();
            let now = reach::interfaces(strong.local_addr());
            if before != now || slept || strong.unbound.load(Ordering::Relaxed) {
                info!(addresses = now.len(), slept, "the network changed");
                if let Err(error) = changed(&strong).await {
                    debug!(%error, "no new socket");
                }
                looked = clock();
            }
            before = now;
        }
    }
}

/// Opens a new socket, forgets what was known of the outside, and sees to every session.
pub(crate) async fn changed(shared: &Arc<Shared>) -> Result<(), NetError> {
    let _changing = shared.changing.lock().await;
    rebind(shared).await?;
    shared.reach().reset();
    shared.remap.notify_one();
    let links: Vec<Arc<Link>> = shared.sessions().links().cloned().collect();
    let mut checks = JoinSet::new();
    for link in links {
        let shared = shared.clone();
        checks.spawn(async move { check(&shared, &link).await });
    }
    checks.join_all().await;
    let _ = shared.events.send(Event::NetworkChanged).await;
    Ok(())
}

/// A connection that this side dialled moves with its next packet; on others only a new one can reach the
/// peer, whose packets go to where this node was.
async fn check(shared: &Arc<Shared>, link: &Link) {
    let connection = link.connection();
    match timeout(ANSWER, streams::observe(link.peer(), connection)).await {
        Ok(Ok(addr)) => {
            shared.reach().observed(link.peer(), addr);
            shared.tell_external_address().await;
        }
        // A relayed session's peer does not say; that it answered is enough.
        Ok(Err(NetError::Refused(_))) => {}
        _ if link.path() == Path::Direct && dial::renew(shared, link).await.is_ok() => {}
        _ => link.end(DownReason::Lost),
    }
}

/// Replaces the socket by a new one on the same port, if nobody took it meanwhile.
async fn rebind(shared: &Shared) -> Result<(), NetError> {
    let local = shared.local_addr();
    let quinn = shared.endpoint.quinn();
    let circuits = shared.overlay().circuits();
    let old = shared.overlay().socket();
    shared.unbound.store(true, Ordering::Relaxed);
    let failed = |source| NetError::Listen { addr: local, source };
    // The endpoint keeps the socket before the last, so the old one closes with the second replacement.
    for _ in 0..2 {
        let nowhere = Overlay::new(Arc::new(Nowhere(local)), circuits.clone());
        quinn.rebind_abstract(nowhere.clone()).map_err(failed)?;
        *shared.overlay() = nowhere;
    }
    let closing = async {
        while old.strong_count() > 0 {
            sleep(CLOSING_LOOK).await;
        }
    };
    let _ = timeout(CLOSING, closing).await;
    let listen = SocketAddr::new(shared.config.listen.ip(), local.port());
    let transport = &shared.config.transport;
    let socket = transport.bind(listen).or_else(|_| transport.bind(shared.config.listen)).map_err(failed)?;
    let overlay = Overlay::new(socket, circuits);
    quinn.rebind_abstract(overlay.clone()).map_err(failed)?;
    *shared.overlay() = overlay;
    shared.unbound.store(false, Ordering::Relaxed);
    Ok(())
}

/// Stands in while there is no socket: what is sent is lost, as on a bad path.
#[derive(Debug)]
struct Nowhere(SocketAddr);

impl UdpPoller for Nowhere {
    fn poll_writable(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncUdpSocket for Nowhere {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Self(self.0))
    }

    fn try_send(&self, _transmit: &Transmit<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Never wakes anybody: the endpoint is polled again when it is given the next socket.
    fn poll_recv(
        &self,
        _cx: &mut Context<'_>,
        _bufs: &mut [IoSliceMut<'_>],
        _meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.0)
    }
}
