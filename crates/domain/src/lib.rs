//! What the network talks about: ids, identities and signed records. No I/O, no clock, no randomness of its own.
#![warn(missing_docs)]

mod identity;
mod ids;

pub use identity::{Identity, IdentityError, SECRET_LEN};
pub use ids::{BlobHash, ParseIdError, PeerId, RecordId, ReleaseId, SlotId};
