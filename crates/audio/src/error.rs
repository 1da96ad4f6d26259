use std::io;

/// Why a file or a stream of encoded sound cannot be used. The text is for people, [`Error::code`] for programs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No container or codec this crate knows begins here.
    #[error("this is not audio that can be played")]
    NotAudio,
    /// The container is known, what is inside it is not.
    #[error("the audio codec is not supported: {0}")]
    UnsupportedCodec(String),
    /// Zero bytes.
    #[error("the file is empty")]
    Empty,
    /// The sound ends before the place its own header promises.
    #[error("the file ends too early: {found} of {expected} samples are there")]
    Truncated {
        /// Samples per channel that could be decoded.
        found: u64,
        /// Samples per channel that the header promises; 0 where the header itself is cut off.
        expected: u64,
    },
    /// Too many parts of the file cannot be decoded.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// The operating system refuses to read it.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// It was there and is not any more.
    #[error("the file is gone")]
    Vanished,
    /// Longer than [`crate::inspect::LONGEST`].
    #[error("the file is longer than {hours} hours")]
    TooLong {
        /// The limit that was passed.
        hours: u64,
    },
    /// Somebody asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A partial source waited for bytes as long as it may.
    #[error("the sound did not arrive in time")]
    TimedOut,
    /// Whoever gives tracks out could not, for a reason in words.
    #[error("the track cannot be opened: {0}")]
    Unopened(String),
    /// Nobody who can be reached has the bytes.
    #[error("nobody who can be reached has this track")]
    NotFound,
}

impl Error {
    /// Returns the stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAudio => "not_audio",
            Self::UnsupportedCodec(_) => "codec_unsupported",
            Self::Empty => "file_empty",
            Self::Truncated { .. } => "file_truncated",
            Self::Damaged(_) => "file_damaged",
            Self::Unreadable(_) => "file_unreadable",
            Self::Vanished => "file_vanished",
            Self::TooLong { .. } => "file_too_long",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "track_timed_out",
            Self::Unopened(_) => "track_unopened",
            Self::NotFound => "track_not_found",
        }
    }
}

impl From<&io::Error> for Error {
    /// Reads the kinds as [`crate::Source`] defines them.
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::Interrupted => Self::Cancelled,
            io::ErrorKind::NotFound => Self::NotFound,
            _ => Self::Unreadable(error.to_string()),
        }
    }
}
