//! Standard output: one line of JSON, or words for people.

use std::io::{self, Write};

use serde::Serialize;

use crate::failure::Failure;

/// An answer that people can read.
pub(crate) trait Human: Serialize {
    /// Writes it in words; every line ends in a newline.
    fn human(&self) -> String;
}

/// Where a command's answer goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Tells an answer.
    ///
    /// # Errors
    /// Those of standard output.
    pub(crate) fn say(self, answer: &impl Human) -> Result<(), Failure> {
        self.say_as(answer, || answer.human())
    }

    /// Tells an answer in words of one's own.
    ///
    /// # Errors
    /// Those of standard output.
    pub(crate) fn say_as(
        self,
        answer: &impl Serialize,
        words: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json { raw(format!("{}\n", json(answer)).as_bytes()) } else { human(&words()) }
    }

    /// Tells a line of a stream, where programs listen.
    ///
    /// # Errors
    /// Those of standard output.
    pub(crate) fn stream(self, line: &impl Serialize) -> Result<(), Failure> {
        if self.json { raw(format!("{}\n", json(line)).as_bytes()) } else { Ok(()) }
    }

    /// Tells people on standard error what they should know beside the answer.
    pub(crate) fn note(self, words: &str) {
        if !self.json {
            // The answer matters, not the remark.
            let _ = writeln!(anstream::stderr(), "{}", crate::text::clean_lines(words));
        }
    }
}

/// Writes one value on one line.
pub(crate) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("answers are plain data with texts as keys")
}

/// Writes bytes as they are.
///
/// # Errors
/// Those of standard output.
pub(crate) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    Ok(stdout.flush()?)
}

/// Writes words, in bold only where a terminal shows them and `NO_COLOR` is not set.
fn human(words: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(words.as_bytes())?;
    Ok(stdout.flush()?)
}
