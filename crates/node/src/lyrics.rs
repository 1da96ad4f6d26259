//! The words of a track, out of its file's tags.

use std::{fs::File, path::Path, sync::Arc, time::Duration};

use store::Reason;
use tokio::runtime::Handle;

use crate::{
    api::{ApiError, Lyrics, QueueItem},
    catalogue,
    node::Inner,
    stream::BlobSource,
};

/// Longest that the tags of a file elsewhere are waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads the words of a track.
pub(crate) async fn read(node: &Arc<Inner>, item: QueueItem) -> Result<Lyrics, ApiError> {
    let reading = match item {
        QueueItem::Track { release, track } => {
            let details = catalogue::details(&node.store, &release).await?;
            let row = details.tracks.iter().find(|row| row.number == track);
            let unknown = || ApiError::new("track_unknown", format!("the release has no track {track}"));
            let blob = row.ok_or_else(unknown)?.track.blob;
            let fetch = node.fetch(blob, Reason::Played, Some(details.row.artist_id)).await?;
            let source = BlobSource::new(fetch, Handle::current());
            tokio::task::spawn_blocking(move || {
                Ok::<_, ApiError>(audio::tags::read(source, &mut Vec::new()).0.lyrics)
            })
        }
        QueueItem::File { file } => {
            let known = node.store.local_file(file).await?;
            let unknown = || ApiError::new("file_unknown", format!("there is no file {file} in the library"));
            let path = known.ok_or_else(unknown)?.path;
            tokio::task::spawn_blocking(move || {
                Ok(audio::tags::read(File::open(Path::new(&path))?, &mut Vec::new()).0.lyrics)
            })
        }
    };
    let slow = |_| ApiError::new("timeout", "the words did not arrive in time");
    let read = tokio::time::timeout(PATIENCE, reading).await.map_err(slow)?;
    let text = read.map_err(|_| ApiError::new("file_damaged", "the file's tags cannot be read"))??;
    Ok(Lyrics { text })
}
