//! The kernel beside a chain that is only told: [`world`] is the people, what they sign, and what confirms.

mod hostile;
mod model;
mod money;
mod plain;
mod world;
