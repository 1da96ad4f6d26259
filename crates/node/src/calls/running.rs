//! The node itself: counts, settings, work under way, the end.

use std::sync::Arc;

use peer::Input;

use crate::{
    api::{self, ApiError, ConfigValues, Done, JobId, Stats},
    jobs::Job,
    node::{Ended, Inner},
    upkeep,
};

/// Rows of statistics by day and by file.
const STATS_ROWS: u32 = 366;

impl Inner {
    pub(super) async fn stats(&self) -> Result<Stats, ApiError> {
        upkeep::count(self).await?;
        let days = self.store.traffic(STATS_ROWS).await?;
        let blobs = self.store.blob_traffic(STATS_ROWS).await?;
        Ok(Stats {
            served_bytes: days.iter().map(|day| day.served).sum(),
            fetched_bytes: days.iter().map(|day| day.fetched).sum(),
            days: days
                .into_iter()
                .map(|day| api::DayStats {
                    day: date(day.day),
                    served_bytes: day.served,
                    fetched_bytes: day.fetched,
                })
                .collect(),
            blobs: blobs
                .into_iter()
                .filter_map(|row| {
                    let (served_bytes, fetched_bytes) = (row.served, row.fetched);
                    Some(api::BlobStats { blob: row.blob?, served_bytes, fetched_bytes })
                })
                .collect(),
        })
    }

    pub(super) fn config(&self, key: Option<&str>) -> Result<ConfigValues, ApiError> {
        Ok(ConfigValues { config: self.settings().values(key)? })
    }

    pub(super) async fn configure(
        self: &Arc<Self>,
        key: &str,
        value: &str,
    ) -> Result<ConfigValues, ApiError> {
        let before = self.settings();
        self.write_setting(key, value)?;
        let now = self.settings();
        if now.network != before.network {
            // Wallet, records and peers are of one network.
            self.end(Ended::Restart);
        } else if (&now.bitcoin_peers, now.bitcoin_proxy) != (&before.bitcoin_peers, before.bitcoin_proxy) {
            self.money.reconnect(self).await?;
        }
        Ok(ConfigValues { config: crate::Settings::load(&self.data)?.values(Some(key))? })
    }

    fn write_setting(&self, key: &str, value: &str) -> Result<(), ApiError> {
        // What the command line says for one run is not written down.
        let settings = crate::Settings::load(&self.data)?.with(key, value)?;
        settings.save(&self.data)?;
        let mut current = self.settings.write().expect("no holder panics");
        *current = current.with(key, value)?;
        let changed = self.cache.configure(&current);
        let driver = self.driver.clone();
        self.tasks.spawn(async move {
            for (hash, served) in changed {
                driver.input(Input::Holding(hash, served)).await;
            }
        });
        self.network.set_upload_limit((current.upload_limit > 0).then_some(current.upload_limit));
        self.network.set_metered(current.metered);
        Ok(())
    }

    pub(super) fn cancel(&self, job: &JobId) -> Result<Done, ApiError> {
        self.jobs.cancel(job)?;
        Ok(Done {})
    }

    pub(super) fn asked_to_end(&self) -> Done {
        self.end(Ended::Shutdown);
        Done {}
    }

    pub(super) fn job(&self, kind: &'static str, name: Option<api::JobId>) -> Result<Job, ApiError> {
        self.jobs.begin(kind, name, &self.hub)
    }
}

/// A day since 1970 as `YYYY-MM-DD`.
fn date(days: u32) -> String {
    (time::OffsetDateTime::UNIX_EPOCH + time::Duration::days(days.into())).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        let dates = [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_779, "2026-11-22")];
        for (day, text) in dates {
            assert_eq!(date(day), text);
        }
    }
}
