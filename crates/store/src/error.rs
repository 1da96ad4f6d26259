use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;

/// Says why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A later version of the program wrote the database; the file was not touched.
    #[error(
        "the database {} has version {found}, newer than {known}, the newest that this program knows; {way_back}",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
        /// What the user can do, as the end of a sentence.
        way_back: String,
    },
    /// The file is not a database or is damaged; it was not touched.
    #[error("the database {} is damaged: {problem}", shown(path))]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What SQLite says of it.
        problem: String,
    },
    /// There is no room left. What was asked for did not happen; everything before it is safe.
    #[error("the disk is full: {0}")]
    DiskFull(String),
    /// Another process has the folder.
    #[error("{} is in use by the process {pid}", folder.display())]
    AlreadyRunning {
        /// The data folder.
        folder: PathBuf,
        /// The process that has it, or `?`.
        pid: String,
    },
    /// Another program holds the database's lock for too long.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// The file or its folder cannot be read or written.
    #[error("{} cannot be used: {problem}", shown(path))]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        problem: String,
    },
    /// The database could not be brought to this program's version; it is as it was before.
    #[error("the database could not be upgraded: {0}")]
    Migration(String),
    /// What was named does not exist.
    #[error("there is no {what} {id}")]
    Missing {
        /// The sort of thing.
        what: &'static str,
        /// Its name.
        id: String,
    },
    /// The caller asked for something that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// Any other error of the database.
    #[error("database error: {0}")]
    Sql(sqlx::Error),
}

impl StoreError {
    /// Returns the stable code for scripts and screens.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Newer { .. } => "database_newer",
            Self::Corrupt { .. } => "database_corrupt",
            Self::DiskFull(_) => "disk_full",
            Self::AlreadyRunning { .. } => "already_running",
            Self::Busy(_) => "database_busy",
            Self::Unreadable { .. } => "database_unreadable",
            Self::Migration(_) => "database_migration",
            Self::Missing { .. } => "not_found",
            Self::Invalid(_) => "invalid_argument",
            Self::Sql(_) => "database_error",
        }
    }

    pub(crate) fn missing(what: &'static str, id: impl ToString) -> Self {
        Self::Missing { what, id: id.to_string() }
    }

    pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Self::DiskFull(error.to_string());
        }
        Self::Unreadable { path: path.to_owned(), problem: error.to_string() }
    }

    /// Puts the database's path where SQLite's own errors know none.
    pub(crate) fn at(self, file: &Path) -> Self {
        match self {
            Self::Corrupt { path, problem } if path.as_os_str().is_empty() => {
                Self::Corrupt { path: file.to_owned(), problem }
            }
            Self::Unreadable { path, problem } if path.as_os_str().is_empty() => {
                Self::Unreadable { path: file.to_owned(), problem }
            }
            other => other,
        }
    }
}

/// SQLite's own errors know no path; a process has one database.
fn shown(path: &Path) -> std::path::Display<'_> {
    if path.as_os_str().is_empty() { Path::new(crate::FILE_NAME).display() } else { path.display() }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let problem = error.to_string();
        // The primary result code is the lowest byte of the extended one (https://www.sqlite.org/rescode.html).
        let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => Self::Busy(problem),
            Some(8 | 10 | 14) => Self::Unreadable { path: PathBuf::new(), problem },
            Some(11 | 26) => Self::Corrupt { path: PathBuf::new(), problem },
            Some(13) => Self::DiskFull(problem),
            _ => Self::Sql(error),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => match error.into() {
                Self::Sql(error) => Self::Migration(error.to_string()),
                other => other,
            },
            other => Self::Migration(other.to_string()),
        }
    }
}
