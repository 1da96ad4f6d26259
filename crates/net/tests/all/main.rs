//! The network over real sockets on loopback.
#![allow(clippy::unwrap_used, reason = "helpers of tests, beside the tests themselves")]

mod blobs;
mod change;
mod common;
mod dht;
mod internet;
mod lan;
mod namespace;
mod nat;
mod routed;
mod router;
mod sessions;
mod transfer;
