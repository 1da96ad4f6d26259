//! Against real nodes.
