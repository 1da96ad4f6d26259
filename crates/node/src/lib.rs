//! Composition: one peer on tokio behind the one Api for every shell.

pub mod api;
mod book;
mod config;
mod folder;
mod hub;
mod identity;
mod jobs;
mod remote;
mod server;
mod shell;

pub use config::{Config, RelayPolicy, Settings};
pub use domain;
pub use remote::Remote;
pub use server::Server;
pub use shell::{Api, EVENT_BACKLOG};
