//! How often a passphrase may be tried.

use serde::{Deserialize, Serialize};

/// Wrong passphrases in a row that cost no wait.
const FREE: u32 = 3;
/// The first wait in milliseconds; each further failure doubles it.
const FIRST_WAIT_MS: u64 = 1_000;
/// Longest wait in milliseconds.
const MAX_WAIT_MS: u64 = 300_000;

/// Says that a passphrase may not be tried yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many wrong passphrases: try again in {} s", wait_ms.div_ceil(1_000))]
pub struct TooManyAttempts {
    /// How long to wait, in milliseconds.
    pub wait_ms: u64,
}

impl TooManyAttempts {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        "unlock_rate_limited"
    }
}

/// Counts wrong passphrases. It knows no clock; keep it over restarts, or a restart forgives them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    failures: u32,
    last_ms: u64,
}

impl Attempts {
    /// Says whether a passphrase may be tried at this time, in unix milliseconds.
    ///
    /// # Errors
    /// [`TooManyAttempts`] says for how long not.
    pub fn check(&self, now_ms: u64) -> Result<(), TooManyAttempts> {
        // A clock that was set back must lock nobody out for longer than the wait.
        let passed = now_ms.saturating_sub(self.last_ms);
        match self.wait_ms().checked_sub(passed) {
            None | Some(0) => Ok(()),
            Some(wait_ms) => Err(TooManyAttempts { wait_ms }),
        }
    }

    /// Notes a try before its outcome is known, so that a crash in the middle of it does not forgive it.
    pub fn begin(&mut self, now_ms: u64) {
        self.failures = self.failures.saturating_add(1);
        self.last_ms = now_ms;
    }

    /// Notes that the passphrase was right.
    pub fn succeed(&mut self) {
        *self = Self::default();
    }

    fn wait_ms(&self) -> u64 {
        match self.failures.checked_sub(FREE) {
            None => 0,
            Some(over) => FIRST_WAIT_MS.saturating_mul(1 << over.min(16)).min(MAX_WAIT_MS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_gets_slower_and_success_forgives() {
        let mut attempts = Attempts::default();
        let mut now = 1_000_000;
        let mut waits = Vec::new();
        for _ in 0..15 {
            waits.push(attempts.check(now).err().map_or(0, |error| error.wait_ms));
            now += waits.last().unwrap();
            assert_eq!(attempts.check(now), Ok(()));
            attempts.begin(now);
        }
        assert_eq!(waits[..6], [0, 0, 0, 1_000, 2_000, 4_000]);
        assert_eq!(waits[14], MAX_WAIT_MS);
        assert_eq!(attempts.check(now).unwrap_err().code(), "unlock_rate_limited");
        attempts.succeed();
        assert_eq!(attempts.check(now), Ok(()));
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out_for_ever() {
        let attempts = Attempts { failures: u32::MAX, last_ms: u64::MAX };
        assert_eq!(attempts.check(0), Err(TooManyAttempts { wait_ms: MAX_WAIT_MS }));
        // The next try is counted from the clock as it is now.
        let mut again = attempts.clone();
        again.begin(0);
        assert_eq!(again.check(MAX_WAIT_MS), Ok(()));
    }
}
