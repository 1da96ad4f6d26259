//! What goes on inside: in files that rotate, and on standard error for whoever asks.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use node::api::ApiError;
use tracing::{Level, Metadata, level_filters::LevelFilter};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{Layer, filter::filter_fn, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::failure::at;

/// The folder of the logs within the data folder.
pub(crate) const FOLDER: &str = "logs";
/// The newest file; older ones end in `.1` to `.9`.
const FILE: &str = "musicdao.log";
/// Longest file.
const MAX_LEN: u64 = 5_000_000;
/// Files in all.
const MAX_FILES: usize = 10;
/// Lines that wait for the disk before further ones are dropped.
const BACKLOG: usize = 4096;
/// The crates whose lines hold no addresses, search terms, tokens or secrets.
const OURS: [&str; 8] = ["audio", "domain", "musicdao", "net", "node", "peer", "sim", "store"];

/// Logging that goes on until this is dropped, which writes what waits.
pub(crate) struct Logs {
    _worker: WorkerGuard,
}

/// A file that makes way for a new one when it is long enough.
#[derive(Debug)]
struct Rotating {
    path: PathBuf,
    /// None where the last rotation failed; the next line tries again.
    file: Option<File>,
    len: u64,
    max_len: u64,
}

impl Logs {
    /// Logs into the data folder, and to standard error where that was asked for.
    ///
    /// # Errors
    /// When the folder cannot be made or the file not be opened.
    pub(crate) fn start(data: &Path, verbose: u8) -> Result<Self, ApiError> {
        let folder = data.join(FOLDER);
        private_folder(&folder).map_err(|error| at(&folder, error))?;
        let path = folder.join(FILE);
        let file = Rotating::open(path.clone(), MAX_LEN).map_err(|error| at(&path, error))?;
        let (writer, worker) =
            NonBlockingBuilder::default().buffered_lines_limit(BACKLOG).lossy(true).finish(file);
        let file = fmt::layer()
            .with_ansi(false)
            .with_writer(writer)
            .with_filter(filter_fn(|line| *line.level() <= Level::INFO && is_ours(line)));
        // Only the first subscriber of a process counts, and no command starts two.
        let _ = tracing_subscriber::registry().with(file).with(stderr_layer(verbose)).try_init();
        Ok(Self { _worker: worker })
    }
}

/// Tells standard error where that was asked for; a command that talks to a daemon has no log file.
pub(crate) fn start_stderr(verbose: u8) {
    let _ = tracing_subscriber::registry().with(stderr_layer(verbose)).try_init();
}

/// Returns the log files that exist, newest first.
pub(crate) fn files(data: &Path) -> Vec<PathBuf> {
    let path = data.join(FOLDER).join(FILE);
    let older = (1..MAX_FILES).map(|age| aged(&path, age));
    [path.clone()].into_iter().chain(older).filter(|path| path.is_file()).collect()
}

impl Rotating {
    fn open(path: PathBuf, max_len: u64) -> io::Result<Self> {
        let mut rotating = Self { path, file: None, len: 0, max_len };
        rotating.reopen()?;
        Ok(rotating)
    }

    fn reopen(&mut self) -> io::Result<&mut File> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&self.path)?;
        self.len = file.metadata()?.len();
        Ok(self.file.insert(file))
    }

    fn rotate(&mut self) {
        self.file = None;
        for age in (1..MAX_FILES).rev() {
            // A gap in the row of files is no fault, and the newest lines matter more than the order.
            let _ = fs::rename(aged(&self.path, age - 1), aged(&self.path, age));
        }
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.len > 0 && self.len + line.len() as u64 > self.max_len {
            self.rotate();
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.reopen()?,
        };
        let written = file.write(line)?;
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
    }
}

fn aged(path: &Path, age: usize) -> PathBuf {
    match age {
        0 => path.to_owned(),
        age => path.with_extension(format!("log.{age}")),
    }
}

/// Makes a folder that only its owner may enter, and those it lies in.
pub(crate) fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn stderr_layer<S>(verbose: u8) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    let level = if verbose == 0 { LevelFilter::OFF } else { LevelFilter::DEBUG };
    let layer = fmt::layer().with_ansi(colours()).with_writer(io::stderr).with_filter(level);
    layer.with_filter(filter_fn(move |line| verbose > 1 || is_ours(line)))
}

/// Says whether standard error shows colours, and the user wants them.
fn colours() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

fn is_ours(line: &Metadata<'_>) -> bool {
    let crate_name = line.target().split("::").next().unwrap_or_default();
    OURS.contains(&crate_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_files_stay_and_the_newest_lines_are_in_the_first() {
        let data = tempfile::tempdir().unwrap();
        private_folder(&data.path().join(FOLDER)).unwrap();
        let mut log = Rotating::open(data.path().join(FOLDER).join(FILE), 10).unwrap();
        for number in 0..100 {
            log.write_all(format!("line {number:04}\n").as_bytes()).unwrap();
        }
        let contents =
            files(data.path()).iter().map(|file| fs::read_to_string(file).unwrap()).collect::<Vec<_>>();
        let expected = (90..100).rev().map(|number| format!("line {number:04}\n")).collect::<Vec<_>>();
        assert_eq!(contents, expected);
    }

    #[test]
    fn a_restart_appends_and_a_lost_folder_is_only_an_error() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join(FILE);
        Rotating::open(path.clone(), 10).unwrap().write_all(b"one\n").unwrap();
        let mut log = Rotating::open(path.clone(), 10).unwrap();
        log.write_all(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        drop(data);
        log.write_all(b"three\n").unwrap_err();
    }
}
