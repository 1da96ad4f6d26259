//! Composition: one peer on tokio behind the one Api for every shell.

pub mod api;
mod asset;
#[doc(hidden)]
pub mod bench;
mod blocks;
mod book;
mod cache;
mod calls;
mod careful;
mod catalogue;
mod config;
mod doctor;
mod driver;
mod events;
mod fetch;
mod finds;
mod folder;
mod hub;
mod identity;
mod idle;
mod jobs;
mod library;
mod lists;
mod node;
mod playback;
mod publish;
mod remote;
mod rendezvous;
mod server;
mod shell;
mod stream;
mod unsigned;
mod upkeep;

pub use asset::Asset;
pub use config::{Config, RelayPolicy, Settings};
pub use domain;
pub use folder::set_aside_database;
pub use node::{Ended, Node, NodeHandle};
pub use remote::Remote;
pub use server::{Page, Server, Web};
pub use shell::{Api, EVENT_BACKLOG};
