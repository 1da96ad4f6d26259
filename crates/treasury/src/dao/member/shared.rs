//! What members in one process have in common, as in a simulation of many.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    super::{TurnId, guard::Share},
    attempt::Attempt,
    message::{Part, PartShare},
};

/// What members of one DAO in one process compute alike, so that one does it for all.
///
/// A turn names what it follows and, by their hashes, the records that it relies on: what it makes is the same for whoever
/// has them. A signature is valid for everybody or for nobody.
#[derive(Default)]
pub struct Shared {
    attempts: Mutex<HashMap<TurnId, Attempt>>,
    shares: Mutex<HashMap<(TurnId, Part, u16), Arc<Share>>>,
}

impl Shared {
    /// Forgets everything.
    pub fn clear(&self) {
        lock(&self.attempts).clear();
        lock(&self.shares).clear();
    }

    pub(super) fn attempt(&self, turn: &TurnId, now: u64) -> Option<Attempt> {
        let mut attempt = lock(&self.attempts).get(turn).cloned()?;
        (attempt.opened, attempt.safe_since) = (now, now);
        Some(attempt)
    }

    /// Keeps an attempt as it is before anybody has signed.
    pub(super) fn keep_attempt(&self, attempt: &Attempt) {
        lock(&self.attempts).entry(attempt.id()).or_insert_with(|| attempt.clone());
    }

    /// Returns a share that was verified, if it is this one.
    pub(super) fn share(&self, share: &PartShare) -> Option<Arc<Share>> {
        let known = lock(&self.shares).get(&(share.turn, share.part, share.holder)).cloned();
        known.filter(|known| *known.as_bytes() == *share.share)
    }

    pub(super) fn keep(&self, share: &PartShare) {
        let verified = Arc::new(Share::from_bytes(*share.share));
        lock(&self.shares).insert((share.turn, share.part, share.holder), verified);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
