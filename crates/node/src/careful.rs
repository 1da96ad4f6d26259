//! What one keeps out of one's own sight, and what one tells followers to be careful with.

use domain::{
    PeerId, ReleaseId,
    kinds::{self, BlockEntry},
};
use store::Store;

use crate::{
    api::{ApiError, Event, Hidden, HiddenThing, HideCommand, HideTarget, ReportInfo, ReportReason},
    node::{Inner, unix_ms},
};

/// Reports shown of one release or artist.
const MAX_REPORTS: u32 = 50;

/// Hides, shows again, lists.
pub(crate) async fn hide(node: &Inner, command: HideCommand) -> Result<Hidden, ApiError> {
    match command {
        HideCommand::Add { what } => node.store.hide(&hidden(what)?, unix_ms()).await?,
        HideCommand::Remove { what } => {
            node.store.unhide(&hidden(what)?).await?;
        }
        HideCommand::List => return list(&node.store).await,
    }
    node.hub.tell(&Event::CatalogueChanged);
    list(&node.store).await
}

/// Tells followers what is wrong with something, or takes that back.
pub(crate) async fn report(
    node: &Inner,
    entry: BlockEntry,
    reason: ReportReason,
    note: Option<String>,
    remove: bool,
) -> Result<(), ApiError> {
    let note = note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    let report = kinds::Report { entry, reason: reason.into(), note };
    if remove { node.take_back(report).await } else { node.driver.publish(report).await.map(drop) }
}

/// Says which of both is meant.
pub(crate) fn target(release: Option<ReleaseId>, artist: Option<PeerId>) -> Result<BlockEntry, ApiError> {
    match (release, artist) {
        (Some(release), None) => Ok(BlockEntry::Release(release)),
        (None, Some(artist)) => Ok(BlockEntry::Author(artist)),
        _ => Err(ApiError::new("report_target", "either a release or an artist is reported")),
    }
}

/// What oneself and people one follows find wrong with a release and its artist, or with an artist.
pub(crate) async fn reports(
    store: &Store,
    own: PeerId,
    release: Option<&ReleaseId>,
    artist: PeerId,
) -> Result<Vec<ReportInfo>, ApiError> {
    let rows = store.reports(release, &artist, MAX_REPORTS).await?;
    let people: Vec<PeerId> = rows.iter().map(|row| row.author).collect();
    let names = store.names(&people).await?;
    let reports = rows.into_iter().map(|row| ReportInfo {
        peer_id: row.author,
        name: names.iter().find(|(peer, _)| *peer == row.author).map(|(_, name)| name.clone()),
        reason: row.reason.into(),
        note: row.note,
        artist: matches!(row.entry, BlockEntry::Author(_)),
        own: row.author == own,
    });
    Ok(reports.collect())
}

async fn list(store: &Store) -> Result<Hidden, ApiError> {
    let hidden = store.hidden(store::MAX_LIMIT).await?;
    let releases: Vec<ReleaseId> = hidden.iter().filter_map(release).collect();
    let artists: Vec<PeerId> = hidden.iter().filter_map(artist).collect();
    let rows = store.release_rows(&releases).await?;
    let names = store.names(&artists).await?;
    let title = |one: &store::Hidden| match one {
        store::Hidden::Release(id) => rows.iter().find(|row| row.release == *id).map(|row| row.title.clone()),
        store::Hidden::Artist(id) => names.iter().find(|(peer, _)| peer == id).map(|(_, name)| name.clone()),
        store::Hidden::Tag(tag) => Some(tag.clone()),
    };
    let hidden = hidden.into_iter().map(|one| {
        let title = title(&one).unwrap_or_default();
        HiddenThing { what: one.into(), title }
    });
    Ok(Hidden { hidden: hidden.collect() })
}

fn hidden(what: HideTarget) -> Result<store::Hidden, ApiError> {
    Ok(match what {
        HideTarget::Release { release } => store::Hidden::Release(release),
        HideTarget::Artist { artist } => store::Hidden::Artist(artist),
        HideTarget::Tag { tag } => store::Hidden::Tag(domain::normalize_tag(&tag)?),
    })
}

fn release(hidden: &store::Hidden) -> Option<ReleaseId> {
    match hidden {
        store::Hidden::Release(release) => Some(*release),
        _ => None,
    }
}

fn artist(hidden: &store::Hidden) -> Option<PeerId> {
    match hidden {
        store::Hidden::Artist(artist) => Some(*artist),
        _ => None,
    }
}

impl From<store::Hidden> for HideTarget {
    fn from(hidden: store::Hidden) -> Self {
        match hidden {
            store::Hidden::Release(release) => Self::Release { release },
            store::Hidden::Artist(artist) => Self::Artist { artist },
            store::Hidden::Tag(tag) => Self::Tag { tag },
        }
    }
}

impl From<ReportReason> for kinds::ReportReason {
    fn from(reason: ReportReason) -> Self {
        match reason {
            ReportReason::Other => Self::Other,
            ReportReason::NotTheirs => Self::NotTheirs,
            ReportReason::Mislabelled => Self::Mislabelled,
            ReportReason::Spam => Self::Spam,
            ReportReason::Harmful => Self::Harmful,
        }
    }
}

impl From<kinds::ReportReason> for ReportReason {
    fn from(reason: kinds::ReportReason) -> Self {
        match reason {
            kinds::ReportReason::Other => Self::Other,
            kinds::ReportReason::NotTheirs => Self::NotTheirs,
            kinds::ReportReason::Mislabelled => Self::Mislabelled,
            kinds::ReportReason::Spam => Self::Spam,
            kinds::ReportReason::Harmful => Self::Harmful,
        }
    }
}
