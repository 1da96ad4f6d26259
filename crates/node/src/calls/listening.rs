//! Playing, and keeping as files.

use std::{path::PathBuf, sync::Arc};

use domain::ReleaseId;
use store::Reason;

use super::blocking;
use crate::{
    api::{self, ApiError, Devices, JobId, Played, SavedFile, Unit},
    downloads,
    jobs::Job,
    node::Inner,
    playback,
};

impl Inner {
    pub(super) async fn play_once(self: &Arc<Self>, play: api::Play) -> Result<Played, ApiError> {
        self.release(&play.release).await?;
        let job = self.job("play", play.job.clone())?;
        job.ended(self.play(play, &job).await)
    }

    pub(super) async fn download(
        self: &Arc<Self>,
        release: ReleaseId,
        to: Option<PathBuf>,
        job: Option<JobId>,
    ) -> Result<api::Downloaded, ApiError> {
        let job = self.job("download", job)?;
        job.ended(self.save_files(release, to, &job).await)
    }

    async fn save_files(
        self: &Arc<Self>,
        release: ReleaseId,
        to: Option<PathBuf>,
        job: &Job,
    ) -> Result<api::Downloaded, ApiError> {
        let details = self.release(&release).await?;
        let to = to.unwrap_or_else(|| downloads::folder(self, &details));
        tokio::fs::create_dir_all(&to).await?;
        let artist = details.row.artist_id;
        let mut files = Vec::with_capacity(details.tracks.len());
        for row in &playback::chosen(&details, None)? {
            let blob = row.track.blob;
            let fetch = self.fetch(blob, Reason::Downloaded, Some(artist)).await?;
            let told = |held| job.progress("fetching", Unit::Bytes, &row.track.title, held, blob.size);
            job.run(fetch.complete(told)).await?;
            job.progress("fetching", Unit::Bytes, &row.track.title, blob.size, blob.size);
            let path = to.join(file_name(row.number, &row.track));
            let size = self.blobs.export(blob.hash, &path).await?;
            files.push(SavedFile { path: path.display().to_string(), size, blake3: blob.hash });
        }
        downloads::remember(&self.store, release, &to).await?;
        Ok(api::Downloaded { files })
    }
}

pub(super) async fn devices() -> Result<Devices, ApiError> {
    let devices = blocking(|| Ok(audio::devices())).await?;
    Ok(Devices { devices: devices.into_iter().map(|device| device.name).collect() })
}

/// `NN Title.ending`, without what file systems refuse.
fn file_name(number: u16, track: &domain::kinds::Track) -> String {
    let safe = |c: char| if c.is_control() || "/\\:*?\"<>|".contains(c) { '_' } else { c };
    let title: String = track.title.chars().map(safe).take(100).collect();
    // Some file systems end names at 255 bytes.
    let title: String = title.char_indices().take_while(|(at, _)| *at < 200).map(|(_, c)| c).collect();
    format!("{number:02} {}.{}", title.trim().trim_matches('.'), track.codec.extension())
}
