//! What a node keeps: signed records, what is shown of them, full-text search, the private library, and the index of
//! blobs. One SQLite file, written by one connection.
//!
//! Tables that show something are derived from records in the transaction that writes the records, and can be derived
//! again: nothing that was withdrawn or blocked stays in them, in the index or in the file's free pages.
#![warn(missing_docs)]

mod apply;
#[doc(hidden)]
pub mod bench;
mod blobs;
mod catalogue;
mod dao;
mod derive;
mod error;
mod hidden;
mod index;
mod library;
mod lock;
mod money_records;
mod open;
mod payments;
mod playlists;
mod records;
mod row;
mod search;
mod seen;
mod shown;
mod state;
#[cfg(test)]
mod tests;
mod wallet;
mod words;

pub use apply::{Applied, Cause, MAX_EVICTED, MAX_LIST_BYTES, MAX_PROOFS, Orphan};
pub use blobs::{BlobRow, BlobTotals, Reason, Total};
pub use catalogue::{
    ArtistRow, BlobUse, Counts, Cursor, PublicPlaylist, ReleaseDetails, ReleaseFilter, ReleasePage,
    ReleaseRow, Sort, TRENDING_FOLLOWED_WEIGHT, TRENDING_WINDOW_MS, TagRow, TrackRow,
};
pub use dao::{DaoIncidentRow, MAX_DAO_INCIDENTS, MAX_DAO_RECORDS};
pub use error::StoreError;
pub use hidden::{Hidden, MAX_HIDDEN, ReportRow};
pub use library::{Followed, Item, LibraryTotals, LocalFile, MAX_HISTORY, Played, Saved};
pub use lock::FolderLock;
pub use money_records::MAX_LEDGER_RECORDS;
pub use open::{KEPT_COPIES, Store};
pub use payments::{PaymentRow, StoredRecord};
pub use playlists::{MAX_PLAYLIST_ITEMS, MAX_PLAYLISTS, PlaylistEntry, PlaylistSummary, PrivatePlaylist};
pub use row::{MAX_BATCH, MAX_LIMIT};
pub use search::{Hit, HitKind};
pub use seen::{MAX_SEEN, Seen};
pub use shown::Shown;
pub use state::{CachedPeer, Day, MAX_ADDRESSES, MAX_PEERS, MAX_TRAFFIC_BLOBS, MAX_TRAFFIC_DAYS, Traffic};

/// Name of the database in a data folder.
pub const FILE_NAME: &str = "musicdao.db";
