//! What is worth a notification: releases by artists whom the user follows, for whoever asked for them.

use std::{collections::VecDeque, time::Duration};

use domain::ReleaseId;

use crate::{
    api::{Event, ReleaseInfo, ReleaseQuery, Request, Response, Sort},
    node::unix_ms,
    shell::Api,
};

/// The setting that asks for them.
const SETTING: &str = "notify_releases";
/// What was published longer ago is no news, though it may arrive now.
const RECENT: Duration = Duration::from_secs(3 * 24 * 3600);
/// Most at once; a crowd of notifications is read by nobody.
const MOST: usize = 3;
/// Releases of which it is remembered that they were told.
const TOLD: usize = 256;

/// Remembers what was told already.
#[derive(Debug, Default)]
pub struct News {
    told: VecDeque<ReleaseId>,
}

impl News {
    /// Picks what the user is to be told of among these events.
    pub async fn among(&mut self, api: &dyn Api, events: &[Event]) -> Vec<ReleaseInfo> {
        let arrived: Vec<ReleaseId> = events.iter().filter_map(release).collect();
        if arrived.is_empty() || !is_wanted(api).await {
            return Vec::new();
        }
        let limit = Some(arrived.len().min(100) as u32);
        let newest = ReleaseQuery { followed: true, sort: Sort::New, limit, ..ReleaseQuery::default() };
        let Ok(Response::Releases(newest)) = api.call(Request::Releases(newest)).await else {
            return Vec::new();
        };
        self.fresh(newest.releases, &arrived, unix_ms())
    }

    /// Picks what is news, and remembers it.
    fn fresh(&mut self, newest: Vec<ReleaseInfo>, arrived: &[ReleaseId], now_ms: u64) -> Vec<ReleaseInfo> {
        let since = now_ms.saturating_sub(RECENT.as_millis() as u64);
        let is_news = |release: &ReleaseInfo| {
            !release.mine
                && release.published_at >= since
                && arrived.contains(&release.release_id)
                && !self.told.contains(&release.release_id)
        };
        let mut fresh: Vec<_> = newest.into_iter().filter(is_news).collect();
        self.told.extend(fresh.iter().map(|release| release.release_id));
        self.told.drain(..self.told.len().saturating_sub(TOLD));
        fresh.truncate(MOST);
        fresh
    }
}

fn release(event: &Event) -> Option<ReleaseId> {
    match event {
        Event::Release { release_id, .. } => Some(*release_id),
        _ => None,
    }
}

async fn is_wanted(api: &dyn Api) -> bool {
    let setting = api.call(Request::ConfigGet { key: Some(SETTING.to_owned()) }).await;
    matches!(setting, Ok(Response::Config(values)) if values.config.get(SETTING).is_some_and(|on| on == true))
}
