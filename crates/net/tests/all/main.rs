//! The network over real sockets on loopback.
#![allow(clippy::unwrap_used, reason = "helpers of tests, beside the tests themselves")]

mod common;
mod sessions;
mod transfer;
