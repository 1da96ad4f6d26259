//! Application error codes on closed connections and reset streams.

use quinn::VarInt;

use crate::{event::DownReason, sessions::Unwanted};

/// The session ends in peace.
pub(crate) const LEFT: VarInt = VarInt::from_u32(0);
/// There is another connection between the two.
pub(crate) const DUPLICATE: VarInt = VarInt::from_u32(1);
/// The sender does not want this peer.
pub(crate) const BLOCKED: VarInt = VarInt::from_u32(2);
/// The sender has too many sessions.
pub(crate) const FULL: VarInt = VarInt::from_u32(3);
/// A newer connection took the session over.
pub(crate) const REPLACED: VarInt = VarInt::from_u32(4);
/// The receiver of this code did not drain its stream.
pub(crate) const SLOW: VarInt = VarInt::from_u32(5);
/// The receiver of this code broke the protocol.
pub(crate) const PROTOCOL: VarInt = VarInt::from_u32(6);

/// Names the reason of a session's end for the other side.
pub(crate) fn code_of(reason: DownReason) -> VarInt {
    match reason {
        DownReason::Disconnected | DownReason::Left | DownReason::TimedOut | DownReason::Lost => LEFT,
        DownReason::Replaced => REPLACED,
        DownReason::Blocked => BLOCKED,
        DownReason::Slow => SLOW,
        DownReason::Protocol => PROTOCOL,
    }
}

/// Reads the reason that the other side names; it speaks of itself, so `SLOW` here means this side was.
pub(crate) fn reason_of(code: VarInt) -> DownReason {
    if code == REPLACED || code == DUPLICATE { DownReason::Replaced } else { DownReason::Left }
}

/// Names the reason why a connection does not become a session.
pub(crate) fn code_of_unwanted(unwanted: Unwanted) -> VarInt {
    match unwanted {
        Unwanted::Duplicate => DUPLICATE,
        Unwanted::Blocked => BLOCKED,
        Unwanted::Full => FULL,
    }
}
