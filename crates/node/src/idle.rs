//! Connections that the swarm does not need: closed once nothing else uses them.

use std::{collections::HashMap, sync::Mutex};

use domain::PeerId;
use net::Network;

/// Connections that stay open in any case: blobs, searches and friends live on them.
const SPARE: usize = 24;
/// Bytes between two looks below which a connection counts as unused; keep-alives are fewer.
const QUIET: u64 = 4096;

/// Peers whose connection the swarm gave up, with their bytes at the last look.
#[derive(Debug, Default)]
pub(crate) struct Idle(Mutex<HashMap<PeerId, Option<u64>>>);

impl Idle {
    /// Notes that the swarm does not need the connection.
    pub(crate) fn offer(&self, peer: PeerId) {
        self.0.lock().expect("no holder panics").entry(peer).or_default();
    }

    /// Notes that the swarm needs the connection after all, or that it is gone.
    pub(crate) fn take_back(&self, peer: &PeerId) {
        self.0.lock().expect("no holder panics").remove(peer);
    }

    /// Closes those that nothing has used since the last look, beyond the spare ones.
    pub(crate) fn close_unused(&self, network: &Network) {
        let peers = network.peers();
        let mut idle = self.0.lock().expect("no holder panics");
        let mut over = peers.len().saturating_sub(SPARE);
        for info in peers {
            let Some(last) = idle.get_mut(&info.peer) else { continue };
            let bytes = info.bytes_in + info.bytes_out;
            let quiet = last.replace(bytes).is_some_and(|last| bytes.saturating_sub(last) < QUIET);
            if quiet && over > 0 {
                network.disconnect(info.peer);
                over -= 1;
            }
        }
    }
}
