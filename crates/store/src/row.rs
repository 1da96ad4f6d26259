//! Between Rust's types and SQLite's: ids are blobs, unsigned numbers are signed ones.

use std::fmt::Display;

use domain::{BlobHash, PeerId, RecordId, SlotId, kinds::BlobRef};

use crate::StoreError;

/// Most rows that one query returns.
pub const MAX_LIMIT: u32 = 1_000;
/// Most ids that one query takes.
pub const MAX_BATCH: usize = 1_000;

/// An id of 32 bytes, as the database has it.
pub(crate) trait Id: Display + Sized {
    fn read(bytes: [u8; 32]) -> Self;
    /// What to bind.
    fn sql(&self) -> &[u8];
}

macro_rules! id {
    ($($name:ident),+) => {$(
        impl Id for $name {
            fn read(bytes: [u8; 32]) -> Self {
                Self::from_bytes(bytes)
            }

            fn sql(&self) -> &[u8] {
                self.as_bytes()
            }
        }
    )+};
}
id!(PeerId, RecordId, SlotId, BlobHash);

/// Reads an id.
pub(crate) fn id<T: Id>(bytes: &[u8]) -> Result<T, StoreError> {
    <[u8; 32]>::try_from(bytes).map(T::read).map_err(|_| StoreError::Corrupt {
        path: std::path::PathBuf::new(),
        problem: format!("an id has {} bytes", bytes.len()),
    })
}

/// Lists ids as JSON for `unhex(value) from json_each(?)`, so that one checked query takes any number of them.
pub(crate) fn ids<'a, T: Id + 'a>(ids: impl IntoIterator<Item = &'a T>) -> String {
    let hex: Vec<String> = ids.into_iter().map(|id| format!("\"{id}\"")).collect();
    format!("[{}]", hex.join(","))
}

/// As the database counts; what does not fit is as large as can be.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// As Rust counts; what is negative is 0.
pub(crate) fn uint(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(crate) fn u32_of(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(if number < 0 { 0 } else { u32::MAX })
}

pub(crate) fn u16_of(number: i64) -> u16 {
    u16::try_from(number).unwrap_or(if number < 0 { 0 } else { u16::MAX })
}

pub(crate) fn blob_ref(hash: Option<Vec<u8>>, size: Option<i64>) -> Result<Option<BlobRef>, StoreError> {
    let (Some(hash), Some(size)) = (hash, size) else { return Ok(None) };
    Ok(Some(BlobRef { hash: id(&hash)?, size: uint(size) }))
}

/// The whole release is 0 in the database.
pub(crate) fn track_of(number: i64) -> Option<u16> {
    Some(u16_of(number)).filter(|number| *number != 0)
}

pub(crate) fn limit(limit: u32) -> i64 {
    limit.min(MAX_LIMIT).into()
}

pub(crate) fn i16_of(number: i64) -> i16 {
    i16::try_from(number).unwrap_or(if number < 0 { i16::MIN } else { i16::MAX })
}

pub(crate) fn u8_of(number: i64) -> u8 {
    u8::try_from(number).unwrap_or(if number < 0 { 0 } else { u8::MAX })
}
