//! Long work: its progress is told, and it can be cancelled.

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use domain::ReleaseId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    api::{self, ApiError, Event, JobId, JobInfo, Progress, Unit},
    hub::Hub,
};

/// Progress is told at most this often, and at the end of each stage.
const INTERVAL: Duration = Duration::from_millis(100);
/// Most named jobs at once.
const MAX_JOBS: usize = 256;

/// All work under way that has a name.
#[derive(Debug, Default)]
pub(crate) struct Jobs(Mutex<BTreeMap<JobId, Running>>);

#[derive(Debug)]
struct Running {
    kind: &'static str,
    began: Instant,
    cancelled: CancellationToken,
    progress: Option<Progress>,
}

/// One piece of work; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Job {
    name: Option<JobId>,
    jobs: Arc<Jobs>,
    hub: Arc<Hub>,
    cancelled: CancellationToken,
    told: Mutex<Option<Instant>>,
    made: Mutex<Option<ReleaseId>>,
    error: Mutex<Option<ApiError>>,
}

impl Jobs {
    /// Begins work; without a name it can be neither watched nor cancelled.
    pub(crate) fn begin(
        self: &Arc<Self>,
        kind: &'static str,
        name: Option<JobId>,
        hub: &Arc<Hub>,
    ) -> Result<Job, ApiError> {
        let cancelled = CancellationToken::new();
        if let Some(name) = &name {
            let mut running = self.running();
            if running.contains_key(name) {
                return Err(ApiError::new("job_exists", format!("a job `{name:.80}` is under way already")));
            }
            if running.len() >= MAX_JOBS {
                return Err(ApiError::new("too_many_jobs", format!("{MAX_JOBS} jobs are under way already")));
            }
            let cancelled = cancelled.clone();
            running.insert(name.clone(), Running { kind, began: Instant::now(), cancelled, progress: None });
        }
        Ok(Job {
            name,
            jobs: self.clone(),
            hub: hub.clone(),
            cancelled,
            told: Mutex::default(),
            made: Mutex::default(),
            error: Mutex::default(),
        })
    }

    /// Lists what is under way, in the order in which it began.
    pub(crate) fn list(&self) -> api::Jobs {
        let running = self.running();
        let mut jobs: Vec<(Instant, JobInfo)> =
            running.iter().map(|(job, one)| (one.began, one.info(job))).collect();
        jobs.sort_by_key(|(began, _)| *began);
        api::Jobs { jobs: jobs.into_iter().map(|(_, info)| info).collect() }
    }

    pub(crate) fn cancel(&self, name: &str) -> Result<(), ApiError> {
        let running = self.running();
        let job = running.get(name);
        job.ok_or_else(|| ApiError::new("job_unknown", format!("no job `{name:.80}` is under way")))?
            .cancelled
            .cancel();
        Ok(())
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<JobId, Running>> {
        self.0.lock().expect("no holder panics")
    }
}

impl Running {
    fn info(&self, job: &str) -> JobInfo {
        JobInfo {
            job: job.to_owned(),
            kind: self.kind.to_owned(),
            running_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            progress: self.progress.clone(),
        }
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
        let progress = Progress { job: job.clone(), stage, item, unit, done, total };
        if let Some(running) = self.jobs.running().get_mut(job) {
            running.progress = Some(progress.clone());
        }
        self.hub.tell(&Event::Progress(progress));
    }

    /// Notes the release that came of the work, which is told with its end.
    pub(crate) fn made(&self, release: ReleaseId) {
        *self.made.lock().expect("no holder panics") = Some(release);
    }

    /// Notes how the work ended, which is told once this is dropped.
    pub(crate) fn ended<T>(&self, result: Result<T, ApiError>) -> Result<T, ApiError> {
        *self.error.lock().expect("no holder panics") = result.as_ref().err().cloned();
        result
    }

    /// Does work that blocks on a thread for it, which tells how many bytes it has done and ends early where it is told to.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        stage: &str,
        item: &str,
        total: u64,
        work: impl FnOnce(&mut dyn FnMut(u64) -> ControlFlow<()>) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let (told, mut progress) = watch::channel(0);
        let cancelled = self.token();
        let mut work = tokio::task::spawn_blocking(move || {
            work(&mut |done| {
                told.send_replace(done);
                if cancelled.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        });
        loop {
            tokio::select! {
                done = &mut work => {
                    self.progress(stage, Unit::Bytes, item, total, total);
                    return done.map_err(|_| ApiError::new("file_damaged", "the file cannot be decoded"));
                }
                Ok(()) = progress.changed() => self.progress(stage, Unit::Bytes, item, *progress.borrow_and_update(), total),
            }
        }
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
            self.jobs.running().remove(name);
            let error = self.error.lock().expect("no holder panics").take();
            let release_id = self.made.lock().expect("no holder panics").take();
            self.hub.tell(&Event::JobEnded { job: name.clone(), release_id, error });
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
        let mut events = hub.listen();
        let job = jobs.begin("publish", Some("one".into()), &hub).unwrap();
        assert_eq!(jobs.begin("publish", Some("one".into()), &hub).unwrap_err().code, "job_exists");
        job.progress("reading", Unit::Files, "a.mp3", 1, 2);
        let listed = jobs.list().jobs.pop().unwrap();
        assert_eq!((listed.job.as_str(), listed.kind.as_str()), ("one", "publish"));
        assert_eq!(listed.progress.unwrap().done, 1);
        jobs.cancel("one").unwrap();
        let ended = job.run(std::future::pending::<Result<(), ApiError>>()).await;
        let error = job.ended(ended).unwrap_err();
        assert_eq!(error.code, "cancelled");
        drop(job);
        assert!(jobs.list().jobs.is_empty());
        assert!(matches!(events.recv().await, Some(Event::Progress(_))));
        assert_eq!(
            events.recv().await,
            Some(Event::JobEnded { job: "one".into(), release_id: None, error: Some(error) })
        );
        assert_eq!(jobs.cancel("one").unwrap_err().code, "job_unknown");
    }
}
