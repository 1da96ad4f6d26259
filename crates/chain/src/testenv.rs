//! Throw-away regtest nodes.
