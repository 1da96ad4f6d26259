//! Places at which a test lets the process die, as a power cut would.

#[cfg(debug_assertions)]
use std::{
    env, process,
    sync::atomic::{AtomicU32, Ordering},
};

/// Names the place to die at, as `place`, or as `place:n` for the time when it is come to for the n-th time.
#[cfg(debug_assertions)]
const VARIABLE: &str = "MUSICDAO_TEST_DIE_AT";

/// How often the place was come to.
#[cfg(debug_assertions)]
static TIMES: AtomicU32 = AtomicU32::new(0);

/// Ends the process here if a test said so; release builds have no such place.
pub(super) fn point(place: &str) {
    #[cfg(debug_assertions)]
    if let Ok(wanted) = env::var(VARIABLE) {
        let (name, times) = wanted.split_once(':').unwrap_or((&wanted, "1"));
        if name == place && times.parse() == Ok(TIMES.fetch_add(1, Ordering::Relaxed) + 1) {
            process::abort();
        }
    }
    let _ = place;
}
