//! The DAO: one pooled coin that many members guard together.

pub mod guard;
