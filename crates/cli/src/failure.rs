//! How a command fails, and what the shell is told of it.

use std::{io, process::ExitCode};

use node::api::ApiError;

/// What an interrupted command leaves behind: 128 and the number of the signal.
const INTERRUPTED: u8 = 130;

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Failure {
    /// The node, or a file, says no.
    #[error("{0}")]
    Refused(#[from] ApiError),
    /// The user pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// Whoever read standard output has gone, as `head` does; nobody is left to tell.
    #[error("nobody reads standard output")]
    Unread,
}

impl Failure {
    /// Says that a file could not be read or written.
    pub(crate) fn file(path: &std::path::Path, error: io::Error) -> Self {
        Self::Refused(at(path, error))
    }

    /// Tells standard error, and returns what to leave behind.
    pub(crate) fn report(&self, json: bool) -> ExitCode {
        match self {
            Self::Unread => return ExitCode::SUCCESS,
            Self::Refused(error) => report(error, json),
            Self::Interrupted => report(&ApiError::new("cancelled", "interrupted"), json),
        }
        match self {
            Self::Interrupted => ExitCode::from(INTERRUPTED),
            _ => ExitCode::FAILURE,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::Refused(error.into()),
        }
    }
}

/// Adds the path to an error of the file system.
pub(crate) fn at(path: &std::path::Path, error: io::Error) -> ApiError {
    if error.kind() == io::ErrorKind::AlreadyExists {
        let message = format!("{} exists already; choose another name", path.display());
        return ApiError::new("file_exists", message);
    }
    let ApiError { code, message } = error.into();
    ApiError { code, message: format!("{}: {message}", path.display()) }
}

/// Tells standard error: one line of JSON, or words with the code behind them.
pub(crate) fn report(error: &ApiError, json: bool) {
    // Where standard error cannot be written either, the exit code still tells.
    let _ = if json {
        use io::Write;
        writeln!(io::stderr(), "{}", serde_json::json!({ "error": error }))
    } else {
        use std::io::Write;
        let message = crate::text::clean_lines(&error.message);
        writeln!(io::stderr(), "musicdao: {message} [{}]", error.code)
    };
}
