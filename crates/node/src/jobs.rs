//! Long work: its progress is told, and it can be cancelled.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::{
    api::{ApiError, Event, JobId, Progress, Unit},
    hub::Hub,
};

/// Progress is told at most this often, and at the end of each stage.
const INTERVAL: Duration = Duration::from_millis(100);

/// All work under way that has a name.
#[derive(Debug, Default)]
pub(crate) struct Jobs(Mutex<HashMap<JobId, CancellationToken>>);

/// One piece of work; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Job {
    name: Option<JobId>,
    jobs: Arc<Jobs>,
    hub: Arc<Hub>,
    cancelled: CancellationToken,
    told: Mutex<Option<Instant>>,
}

impl Jobs {
    /// Begins work; without a name it can be neither watched nor cancelled.
    pub(crate) fn begin(self: &Arc<Self>, name: Option<JobId>, hub: &Arc<Hub>) -> Result<Job, ApiError> {
        let cancelled = CancellationToken::new();
        if let Some(name) = &name {
            let mut running = self.0.lock().expect("no holder panics");
            if running.contains_key(name) {
                return Err(ApiError::new("job_exists", format!("a job `{name:.80}` is under way already")));
            }
            running.insert(name.clone(), cancelled.clone());
        }
        Ok(Job { name, jobs: self.clone(), hub: hub.clone(), cancelled, told: Mutex::new(None) })
    }

    pub(crate) fn cancel(&self, name: &str) -> Result<(), ApiError> {
        let running = self.0.lock().expect("no holder panics");
        let job = running.get(name);
        job.ok_or_else(|| ApiError::new("job_unknown", format!("no job `{name:.80}` is under way")))?
            .cancel();
        Ok(())
    }
}

impl Job {
    /// Tells how far the work is.
    pub(crate) fn progress(&self, stage: &str, unit: Unit, item: &str, done: u64, total: u64) {
        let Some(job) = &self.name else { return };
        let mut told = self.told.lock().expect("no holder panics");
        if done < total && told.is_some_and(|told| told.elapsed() < INTERVAL) {
            return;
        }
        *told = Some(Instant::now());
        let (stage, item) = (stage.to_owned(), item.to_owned());
        self.hub.tell(&Event::Progress(Progress { job: job.clone(), stage, item, unit, done, total }));
    }

    /// Returns what tells other threads that the work was cancelled.
    pub(crate) fn token(&self) -> CancellationToken {
        self.cancelled.clone()
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// Fails once the work was cancelled.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        if self.is_cancelled() { Err(cancelled()) } else { Ok(()) }
    }

    /// Does the work until it is done or cancelled.
    pub(crate) async fn run<T>(
        &self,
        work: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        let ended = self.cancelled.run_until_cancelled(work).await;
        ended.unwrap_or_else(|| Err(cancelled()))
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            self.jobs.0.lock().expect("no holder panics").remove(name);
        }
    }
}

fn cancelled() -> ApiError {
    ApiError::new("cancelled", "it was cancelled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cancelled_job_ends_and_frees_its_name() {
        let (jobs, hub) = (Arc::new(Jobs::default()), Arc::new(Hub::default()));
        let job = jobs.begin(Some("one".into()), &hub).unwrap();
        assert_eq!(jobs.begin(Some("one".into()), &hub).unwrap_err().code, "job_exists");
        jobs.cancel("one").unwrap();
        let ended = job.run(std::future::pending::<Result<(), ApiError>>()).await;
        assert_eq!(ended.unwrap_err().code, "cancelled");
        drop(job);
        assert_eq!(jobs.cancel("one").unwrap_err().code, "job_unknown");
    }
}
