//! Long work: its progress is shown, and Ctrl-C cancels it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use node::api::{Done, Event, JobId, Progress, Request, Unit};
use tokio::time::timeout;

use crate::{
    failure::Failure,
    output::Output,
    session::{Answer, Session},
    text::{clean, size},
};

/// Longest that cancelled work may take to end.
const CANCELLING: Duration = Duration::from_secs(5);

/// How the work's progress is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    /// To people on a terminal.
    People,
    /// And to programs, one line at a time before the answer.
    Programs,
}

/// Returns a name for this process's one job.
pub(crate) fn name() -> JobId {
    format!("cli-{}", std::process::id())
}

/// Asks for long work under [`name`].
///
/// # Errors
/// What the node says; [`Failure::Interrupted`] after Ctrl-C.
pub(crate) async fn run<T: Answer>(
    session: &Session,
    request: Request,
    output: Output,
    tell: Tell,
) -> Result<T, Failure> {
    let mut events = session.events().await?;
    let bar = ProgressBar::no_length();
    let work = session.ask::<T>(request);
    // One listener throughout, so that no signal falls between two.
    let interrupt = tokio::signal::ctrl_c();
    tokio::pin!(work, interrupt);
    let answer = loop {
        tokio::select! {
            answer = &mut work => break answer,
            Some(event) = events.recv() => match event {
                Event::Progress(progress) if progress.job == name() => {
                    draw(&bar, &progress);
                    if tell == Tell::Programs {
                        output.stream(&Event::Progress(progress))?;
                    }
                }
                _ => {}
            },
            Ok(()) = &mut interrupt => {
                // What cannot be cancelled any more ends by itself.
                let _ = session.ask::<Done>(Request::Cancel { job: name() }).await;
                let _ = timeout(CANCELLING, &mut work).await;
                bar.finish_and_clear();
                return Err(Failure::Interrupted);
            }
        }
    };
    bar.finish_and_clear();
    Ok(answer?)
}

/// Draws where standard error is a terminal.
fn draw(bar: &ProgressBar, progress: &Progress) {
    if bar.length().is_none() {
        let style = ProgressStyle::with_template("{prefix:10} {wide_msg} {bar:24} {percent:>3} %");
        bar.set_style(style.expect("the template is sound").progress_chars("━╸ "));
    }
    bar.set_length(progress.total);
    bar.set_position(progress.done);
    bar.set_prefix(clean(&progress.stage));
    bar.set_message(words(progress));
}

fn words(progress: &Progress) -> String {
    let unit = match progress.unit {
        Unit::Bytes => size,
        Unit::Files => |count: u64| count.to_string(),
    };
    format!("{} {} of {}", clean(&progress.item), unit(progress.done), unit(progress.total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_in_its_unit() {
        let progress = |unit: Unit| Progress {
            job: name(),
            stage: "reading".into(),
            item: "a\u{1b}song".into(),
            unit,
            done: 61_000,
            total: 5_000_000,
        };
        assert_eq!(words(&progress(Unit::Bytes)), "a�song 61.0 kB of 5.0 MB");
        assert_eq!(words(&progress(Unit::Files)), "a�song 61000 of 5000000");
    }
}
