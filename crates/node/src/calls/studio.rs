//! From files to a release.

use std::{path::PathBuf, sync::Arc};

use super::blocking;
use crate::{
    api::{self, ApiError, Done, JobId},
    draft,
    node::Inner,
    publish,
};

impl Inner {
    pub(super) async fn inspect(
        self: &Arc<Self>,
        paths: Vec<PathBuf>,
        job: Option<JobId>,
    ) -> Result<api::Draft, ApiError> {
        let job = self.job("inspect", job)?;
        job.ended(draft::inspect(self, paths, &job).await)
    }

    pub(super) async fn discard(&self, paths: Vec<PathBuf>) -> Result<Done, ApiError> {
        let drafts = self.drafts.clone();
        let discarding = move || {
            drafts.discard(paths.iter().map(PathBuf::as_path));
            Ok(Done {})
        };
        blocking(discarding).await
    }

    pub(super) async fn publish(self: &Arc<Self>, publish: api::Publish) -> Result<api::Published, ApiError> {
        let job = self.job("publish", publish.job.clone())?;
        job.ended(publish::publish(self, publish, &job).await)
    }
}
