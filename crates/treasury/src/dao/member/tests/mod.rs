mod chain;
mod faults;
mod net;
mod plain;
mod properties;
mod random;
mod together;
