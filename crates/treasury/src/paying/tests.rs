//! An artist, investors and fans on a chain of the tests' own.

mod properties;
mod rules;
mod world;
