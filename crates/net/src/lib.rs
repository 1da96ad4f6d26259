//! QUIC sessions between identities, and verified blobs over them. No records, no policy: the node decides
//! what is said, served and fetched.
#![warn(missing_docs)]

mod blobs;
mod change;
mod close;
mod config;
mod contact;
mod dht;
mod dial;
mod early;
mod endpoint;
mod error;
mod event;
mod fetch;
mod frames;
mod greet;
#[cfg(test)]
mod hostile;
mod lan;
mod link;
mod lock;
mod network;
mod overlay;
mod portmap;
mod punch;
mod reach;
mod relay;
mod serve;
mod sessions;
mod shaped;
mod streams;
mod tls;
mod transport;
pub mod wire;

pub use blobs::{Blob, BlobError, BlobInfo, Blobs, MAX_READ};
pub use config::{Answer, Clock, Config, Handler, Limits, RefuseAll};
pub use contact::{Contact, Invite, InviteError, MAX_INVITE, MAX_RELAYS, Relay};
pub use dht::{Dht, DhtConfig, MAX_TOPICS, Topic};
pub use error::NetError;
pub use event::{DownReason, Event, EventReceiver, Path, Via};
pub use fetch::{Download, Progress, Reader};
pub use lan::Lan;
pub use network::{Network, PeerInfo};
pub use portmap::PortMapping;
pub use relay::{RelayLimits, RelayPolicy};
pub use shaped::{Shape, Shaped};
pub use transport::{PlainUdp, Transport, Udp};
