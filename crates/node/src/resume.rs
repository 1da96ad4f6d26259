//! What the player goes on with after a restart: its queue, its place in it, and what was chosen for it.

use std::time::Duration;

use audio::{EntryId, Player, Queue};
use serde::{Deserialize, Serialize};
use store::Store;

use crate::{
    api::{ApiError, GainMode, QueueItem, Repeat},
    playback::millis,
};

/// The store's setting.
const PLAYER: &str = "player";
/// Entries of the queue that are kept, from a little before the current one on.
const MAX_ENTRIES: usize = 2_000;
/// Entries before the current one among them.
const BEFORE: usize = 200;

/// A player as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Resumed {
    queue: Vec<QueueItem>,
    index: usize,
    position_ms: u64,
    volume: f32,
    repeat: Repeat,
    /// The places in the queue as it is kept, in the order to return to; none where it is not shuffled.
    #[serde(default)]
    unshuffled: Option<Vec<usize>>,
    pub(crate) replay_gain: GainMode,
    pub(crate) crossfade: f32,
    pub(crate) device: Option<String>,
}

impl Resumed {
    /// Reads how the player was left.
    pub(crate) async fn load(store: &Store) -> Option<Self> {
        store.setting(PLAYER).await.ok().flatten()
    }

    /// Notes how the player is; in a private session not what it plays.
    pub(crate) fn of(
        player: &Player<QueueItem>,
        resting: Option<(EntryId, Duration)>,
        private: bool,
        chosen: (GainMode, f32, Option<String>),
    ) -> Self {
        let state = player.state();
        let current = state.entry.as_ref().map(|entry| entry.id);
        let rested =
            resting.filter(|(id, _)| Some(*id) == current).map_or(Duration::ZERO, |(_, position)| position);
        let (queue, index, repeat, unshuffled) = player.queue(|queue| {
            let at = queue.entries().iter().position(|entry| Some(entry.id) == current).unwrap_or(0);
            let first = at.saturating_sub(BEFORE);
            let kept = queue.entries().iter().skip(first).take(if private { 0 } else { MAX_ENTRIES });
            let kept: Vec<QueueItem> = kept.map(|entry| entry.item).collect();
            let places = first..first + kept.len();
            let order = queue.unshuffled().map(|order| {
                order.into_iter().filter(|place| places.contains(place)).map(|place| place - first).collect()
            });
            (kept, at - first, queue.repeat(), order)
        });
        let (replay_gain, crossfade, device) = chosen;
        Self {
            queue,
            index,
            position_ms: millis(state.position.max(rested)),
            volume: state.volume,
            repeat: repeat.into(),
            unshuffled,
            replay_gain,
            crossfade,
            device,
        }
    }

    /// Puts the queue back without playing it. Returns the current entry with the place to go on from.
    pub(crate) fn restore(&self, player: &Player<QueueItem>) -> Option<(EntryId, Duration)> {
        player.set_volume(self.volume.clamp(0.0, 1.0));
        let current = player.edit(|queue: &mut Queue<QueueItem>| {
            queue.set_repeat(self.repeat.into());
            queue.replace(self.queue.iter().copied(), self.index);
            if let Some(order) = &self.unshuffled {
                queue.resume_shuffled(order.iter().copied());
            }
            queue.current().map(|entry| entry.id)
        });
        Some((current?, Duration::from_millis(self.position_ms)))
    }

    pub(crate) async fn save(&self, store: &Store) -> Result<(), ApiError> {
        Ok(store.set_setting(PLAYER, self).await?)
    }
}
