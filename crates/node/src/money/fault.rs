//! Places at which a test lets the process die, as a power cut would.

/// Names the place to die at.
#[cfg(debug_assertions)]
const VARIABLE: &str = "MUSICDAO_TEST_DIE_AT";

/// Ends the process here if a test said so; release builds have no such place.
pub(super) fn point(place: &str) {
    #[cfg(debug_assertions)]
    if std::env::var(VARIABLE).is_ok_and(|wanted| wanted == place) {
        std::process::abort();
    }
    let _ = place;
}
