//! Where peers were last reachable: what can be tried first when one is to be dialled.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::Mutex,
};

use domain::PeerId;

/// Most peers remembered in memory; the one learnt first goes first.
const MAX_PEERS: usize = 10_000;
/// Most addresses of one peer; the newest come first.
const MAX_ADDRESSES: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    addresses: HashMap<PeerId, Vec<SocketAddr>>,
    order: VecDeque<PeerId>,
}

impl Book {
    /// Remembers addresses, newest first.
    pub(crate) fn learn(&self, peer: PeerId, addrs: &[SocketAddr]) {
        if addrs.is_empty() {
            return;
        }
        let mut pages = self.0.lock().expect("no holder panics");
        if !pages.addresses.contains_key(&peer) {
            pages.make_room();
            pages.order.push_back(peer);
        }
        let known = pages.addresses.entry(peer).or_default();
        for addr in addrs.iter().rev() {
            known.retain(|other| other != addr);
            known.insert(0, *addr);
        }
        known.truncate(MAX_ADDRESSES);
    }

    /// Returns what is known, newest first.
    pub(crate) fn addresses(&self, peer: &PeerId) -> Vec<SocketAddr> {
        self.0.lock().expect("no holder panics").addresses.get(peer).cloned().unwrap_or_default()
    }
}

impl Pages {
    fn make_room(&mut self) {
        while self.order.len() >= MAX_PEERS {
            let Some(oldest) = self.order.pop_front() else { return };
            self.addresses.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn the_newest_addresses_come_first_and_the_oldest_go() {
        let (book, peer) = (Book::default(), PeerId::from_bytes([1; 32]));
        for port in 0..20 {
            book.learn(peer, &[addr(port)]);
        }
        book.learn(peer, &[addr(15)]);
        let known = book.addresses(&peer);
        assert_eq!(known.len(), MAX_ADDRESSES);
        assert_eq!(known[..2], [addr(15), addr(19)]);
    }

    #[test]
    fn strangers_cannot_fill_the_memory() {
        let book = Book::default();
        for number in 0..=MAX_PEERS as u64 {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_le_bytes());
            book.learn(PeerId::from_bytes(id), &[addr(1)]);
        }
        assert!(book.addresses(&PeerId::from_bytes([0; 32])).is_empty());
        assert_eq!(book.0.lock().unwrap().addresses.len(), MAX_PEERS);
    }
}
