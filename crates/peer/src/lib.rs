//! One member of the swarm as a pure state machine: inputs in, outputs out; time and randomness are handed in.
#![warn(missing_docs)]

mod change;

pub use change::{ChangeSet, Entry, Equivocation, Loaded};
