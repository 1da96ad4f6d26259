//! What the network talks about: ids, identities and signed records. No I/O, no clock, no randomness of its own.
#![warn(missing_docs)]

mod amount;
mod identity;
mod ids;
pub mod kinds;
mod money;
mod record;
mod text;

pub use amount::{AmountError, parse_amount};
pub use bitcoin;
pub use identity::{Identity, IdentityError, SECRET_LEN};
pub use ids::{BlobHash, Key, ParseIdError, PeerId, RecordId, ReleaseId, SlotId};
pub use kinds::Kinds;
pub use money::{Network, NetworkError};
pub use record::{Kind, MAX_AHEAD_MS, MAX_RECORD_LEN, MAX_REFS, Record, RecordError, Stamp, Topic};
pub use text::{MAX_TAG_CHARS, MIN_TAG_CHARS, normalize_tag};
