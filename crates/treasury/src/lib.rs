//! Bitcoin, offline: the wallet's policy, and who is owed what and was paid. No sockets, clocks, threads or files.
#![warn(missing_docs)]

#[doc(hidden)]
pub mod bench;
pub mod dao;
pub mod paying;
pub mod wallet;
