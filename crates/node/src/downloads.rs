//! What is kept whole on this disk: releases that are seeded, and those that were saved as files.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::ReleaseId;
use serde::{Deserialize, Serialize};
use store::{ReleaseDetails, Store};

use crate::{
    api::{ApiError, DownloadInfo, Downloads},
    calls::SEEDED,
    catalogue,
    node::Inner,
};

/// The store's setting with what was saved as files, latest first.
const SAVED: &str = "downloaded";
/// Most releases whose folder is remembered.
const MAX_SAVED: usize = 1_000;
/// The folder in the user's music folder.
const FOLDER: &str = "MusicDAO";
/// Longest part of a folder's name, in characters.
const MAX_NAME: usize = 80;

/// A release that was saved as files.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Saved {
    release: ReleaseId,
    folder: String,
}

/// Lists what is kept.
pub(crate) async fn list(node: &Arc<Inner>) -> Result<Downloads, ApiError> {
    let seeded: Vec<ReleaseId> = node.store.setting(SEEDED).await?.unwrap_or_default();
    let saved: Vec<Saved> = node.store.setting(SAVED).await?.unwrap_or_default();
    let mut releases = seeded.clone();
    releases.extend(saved.iter().map(|one| one.release).filter(|release| !seeded.contains(release)));
    let mut downloads = Vec::with_capacity(releases.len());
    for release in releases {
        // One that was withdrawn or blocked since is not kept any more.
        let Some(details) = node.store.release(&release).await? else { continue };
        let folder = saved.iter().find(|one| one.release == release).map(|one| one.folder.clone());
        downloads.push(info(node, details, seeded.contains(&release), folder).await);
    }
    Ok(Downloads { downloads })
}

async fn info(
    node: &Arc<Inner>,
    details: ReleaseDetails,
    seeded: bool,
    folder: Option<String>,
) -> DownloadInfo {
    let (mut have, mut total, mut active) = (0, 0, false);
    for row in &details.tracks {
        let blob = row.track.blob;
        let held = node.blobs.find(blob.hash).await.map_or(0, |here| here.held_bytes().min(blob.size));
        (have, total) = (have + held, total + blob.size);
        active |= node.fetches.is_busy(&blob.hash);
    }
    let own = node.identity.id();
    let release = catalogue::infos(vec![store::ReleaseRow { have, ..details.row }], own).remove(0);
    DownloadInfo { release, have_bytes: have, total_bytes: total, active, seeded, folder }
}

/// Remembers where a release was saved to.
pub(crate) async fn remember(store: &Store, release: ReleaseId, folder: &Path) -> Result<(), ApiError> {
    let mut saved: Vec<Saved> = store.setting(SAVED).await?.unwrap_or_default();
    saved.retain(|one| one.release != release);
    saved.insert(0, Saved { release, folder: folder.display().to_string() });
    saved.truncate(MAX_SAVED);
    Ok(store.set_setting(SAVED, &saved).await?)
}

/// A folder for the release in the user's music folder; in the data folder where the system has none.
pub(crate) fn folder(node: &Inner, details: &ReleaseDetails) -> PathBuf {
    let music = directories::UserDirs::new().and_then(|dirs| dirs.audio_dir().map(Path::to_owned));
    let base = music.unwrap_or_else(|| node.data.join("music"));
    base.join(FOLDER).join(name(&details.row.artist)).join(name(&details.row.title))
}

/// A folder's name without what file systems refuse.
fn name(text: &str) -> String {
    let safe = |c: char| if c.is_control() || "/\\:*?\"<>|".contains(c) { '_' } else { c };
    let name: String = text.chars().map(safe).take(MAX_NAME).collect();
    match name.trim().trim_matches('.').trim() {
        "" => "_".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_folders_lead_nowhere_else() {
        for (text, expected) in
            [("AC/DC", "AC_DC"), ("..", "_"), (" a. ", "a"), ("", "_"), ("Sigur Rós", "Sigur Rós")]
        {
            assert_eq!(name(text), expected);
        }
    }
}
