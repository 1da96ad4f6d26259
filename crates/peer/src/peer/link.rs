use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use domain::PeerId;

use crate::limits::{
    ANNOUNCED, BYTES, Bucket, EXPENSIVE, GOSSIPED, INTRODUCED, MAX_ADDRS, MESSAGES, NEW_AUTHORS, OWN_CHECKS,
    OWN_COMPARISONS, PROOFS, SERVED, TAUGHT,
};

/// A connected peer: where it is, and what it may still cost.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) addrs: Vec<SocketAddr>,
    pub(super) features: u64,
    pub(super) since: u64,
    pub(super) life: Option<u64>,
    /// When a comparison with it last ended.
    pub(super) synced_at: Option<Duration>,
    /// Against whom it has proofs that were not asked for: none of their records was here.
    pub(super) caught: BTreeSet<PeerId>,
    pub(super) strikes: u32,
    pub(super) overflows: u32,
    pub(super) messages: Bucket,
    pub(super) bytes: Bucket,
    pub(super) gossiped: Bucket,
    pub(super) taught: Bucket,
    pub(super) authors: Bucket,
    pub(super) proofs: Bucket,
    pub(super) announced: Bucket,
    pub(super) introduced: Bucket,
    pub(super) expensive: Bucket,
    pub(super) served: Bucket,
    /// What is kept for it while it is a neighbour.
    pub(super) checks: Bucket,
    /// As `checks`.
    pub(super) comparisons: Bucket,
}

impl Link {
    pub(super) fn new(addrs: Vec<SocketAddr>, now: Duration) -> Self {
        let bucket = |rate| Bucket::new(rate, now);
        let mut link = Self {
            addrs: Vec::new(),
            features: 0,
            since: 0,
            life: None,
            synced_at: None,
            caught: BTreeSet::new(),
            strikes: 0,
            overflows: 0,
            messages: bucket(MESSAGES),
            bytes: bucket(BYTES),
            gossiped: bucket(GOSSIPED),
            taught: bucket(TAUGHT),
            authors: bucket(NEW_AUTHORS),
            proofs: bucket(PROOFS),
            announced: bucket(ANNOUNCED),
            introduced: bucket(INTRODUCED),
            expensive: bucket(EXPENSIVE),
            served: bucket(SERVED),
            checks: bucket(OWN_CHECKS),
            comparisons: bucket(OWN_COMPARISONS),
        };
        link.learn(addrs);
        link
    }

    pub(super) fn learn(&mut self, addrs: Vec<SocketAddr>) {
        for addr in addrs {
            if self.addrs.len() < MAX_ADDRS && !self.addrs.contains(&addr) {
                self.addrs.push(addr);
            }
        }
    }
}
