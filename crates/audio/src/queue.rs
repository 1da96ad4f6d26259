//! What plays, what comes next, and in which order.

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde::{Deserialize, Serialize};

/// Entries a queue holds at most; what goes beyond is not added.
pub const MOST_ENTRIES: usize = 100_000;

/// Names one place in a queue, also where the same item stands twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntryId(pub u64);

/// An item and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<T> {
    /// Stays the same while the entry moves.
    pub id: EntryId,
    /// What is to be played.
    pub item: T,
}

/// What follows the last entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Nothing.
    #[default]
    Off,
    /// The same entry again.
    One,
    /// The first entry.
    All,
}

/// An ordered list with a current entry.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    entries: Vec<Entry<T>>,
    current: Option<usize>,
    /// The order to return to, while shuffled.
    unshuffled: Option<Vec<EntryId>>,
    repeat: Repeat,
    next_id: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), current: None, unshuffled: None, repeat: Repeat::Off, next_id: 0 }
    }
}

impl<T> Queue<T> {
    /// Returns all entries in playing order.
    pub fn entries(&self) -> &[Entry<T>] {
        &self.entries
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Says whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the entry that plays or would play.
    pub fn current(&self) -> Option<&Entry<T>> {
        self.entries.get(self.current?)
    }

    /// Returns an entry.
    pub fn get(&self, id: EntryId) -> Option<&Entry<T>> {
        self.entries.get(self.index(id)?)
    }

    /// Replaces everything; the entry at `start` becomes the current one. Repeat stays, shuffle ends.
    pub fn replace(&mut self, items: impl IntoIterator<Item = T>, start: usize) {
        self.clear();
        self.insert(0, items);
        self.current = (start < self.len()).then_some(start).or(if self.is_empty() { None } else { Some(0) });
    }

    /// Inserts behind the current entry and makes the first of them the current one.
    pub fn play_now(&mut self, items: impl IntoIterator<Item = T>) {
        let at = self.behind_current();
        if self.insert(at, items) > 0 {
            self.current = Some(at);
        }
    }

    /// Inserts behind the current entry.
    pub fn play_next(&mut self, items: impl IntoIterator<Item = T>) {
        self.insert(self.behind_current(), items);
    }

    /// Appends.
    pub fn play_later(&mut self, items: impl IntoIterator<Item = T>) {
        self.insert(self.len(), items);
    }

    /// Moves an entry so that it stands at `to`, or last. Says whether there is such an entry.
    pub fn reorder(&mut self, id: EntryId, to: usize) -> bool {
        let Some(from) = self.index(id) else { return false };
        let current = self.current().map(|entry| entry.id);
        let entry = self.entries.remove(from);
        let to = to.min(self.entries.len());
        self.entries.insert(to, entry);
        self.current = current.and_then(|id| self.index(id));
        true
    }

    /// Takes an entry out. Where it is the current one, the entry behind it becomes current.
    pub fn remove(&mut self, id: EntryId) -> Option<T> {
        let at = self.index(id)?;
        let entry = self.entries.remove(at);
        if let Some(order) = &mut self.unshuffled {
            order.retain(|other| *other != id);
        }
        self.current = self.current.map(|current| if at < current { current - 1 } else { current });
        self.current = self.current.filter(|current| *current < self.entries.len());
        Some(entry.item)
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.entries.clear();
        (self.current, self.unshuffled) = (None, None);
    }

    /// Makes an entry the current one. Says whether there is such an entry.
    pub fn select(&mut self, id: EntryId) -> bool {
        let at = self.index(id);
        self.current = at.or(self.current);
        at.is_some()
    }

    /// Makes no entry the current one: playing begins at the first again.
    pub fn rewind(&mut self) {
        self.current = None;
    }

    /// Makes the first entry current where none is.
    pub fn begin(&mut self) -> Option<&Entry<T>> {
        self.current = self.current.or((!self.is_empty()).then_some(0));
        self.current()
    }

    /// Goes to the next entry because somebody asked to; [`Repeat::One`] does not hold it. `None` at the end.
    pub fn forward(&mut self) -> Option<&Entry<T>> {
        let next = match self.current {
            None => 0,
            Some(at) if at + 1 < self.len() => at + 1,
            Some(_) if self.repeat == Repeat::Off => return None,
            Some(_) => 0,
        };
        self.current = (next < self.len()).then_some(next);
        self.current()
    }

    /// Goes to the entry before; from the first one to the last where all is repeated, else it stays.
    pub fn back(&mut self) -> Option<&Entry<T>> {
        let at = self.current?;
        self.current = match at.checked_sub(1) {
            Some(before) => Some(before),
            None if self.repeat == Repeat::All => self.len().checked_sub(1),
            None => Some(0),
        };
        self.current()
    }

    /// Returns what plays when the entry ends by itself.
    pub fn following(&self, id: EntryId) -> Option<&Entry<T>> {
        match self.repeat {
            Repeat::One => self.get(id),
            _ => self.beyond(id),
        }
    }

    /// Returns what plays when the entry cannot be played.
    pub fn beyond(&self, id: EntryId) -> Option<&Entry<T>> {
        let next = self.index(id)? + 1;
        match self.repeat {
            Repeat::Off => self.entries.get(next),
            Repeat::One | Repeat::All => self.entries.get(next).or(self.entries.first()),
        }
    }

    /// Returns what follows the last entry.
    pub fn repeat(&self) -> Repeat {
        self.repeat
    }

    /// Sets what follows the last entry.
    pub fn set_repeat(&mut self, repeat: Repeat) {
        self.repeat = repeat;
    }

    /// Says whether the order is a random one.
    pub fn is_shuffled(&self) -> bool {
        self.unshuffled.is_some()
    }

    /// Puts the current entry first and the others behind it in an order that depends on the seed only.
    pub fn shuffle(&mut self, seed: u64) {
        let order = self.unshuffled.take().unwrap_or_else(|| self.ids());
        let mut rng = StdRng::seed_from_u64(seed);
        let first = match self.current {
            Some(at) => {
                self.entries.swap(0, at);
                1
            }
            None => 0,
        };
        self.entries[first..].shuffle(&mut rng);
        self.current = self.current.map(|_| 0);
        self.unshuffled = Some(order);
    }

    /// Returns to the order before [`Queue::shuffle`]; the current entry stays current.
    pub fn unshuffle(&mut self) {
        let Some(order) = self.unshuffled.take() else { return };
        let current = self.current().map(|entry| entry.id);
        let rank: std::collections::HashMap<_, _> =
            order.into_iter().enumerate().map(|(rank, id)| (id, rank)).collect();
        self.entries.sort_by_key(|entry| rank.get(&entry.id).copied());
        self.current = current.and_then(|id| self.index(id));
    }

    /// Returns the places of the entries in the order to return to, while shuffled: what [`Queue::resume_shuffled`]
    /// takes.
    pub fn unshuffled(&self) -> Option<Vec<usize>> {
        Some(self.unshuffled.as_ref()?.iter().filter_map(|id| self.index(*id)).collect())
    }

    /// Makes a queue that was filled in shuffled order a shuffled one: these are the places of its entries in the order
    /// to return to. Places that it does not have, or that are told twice, are passed over, and entries that are not
    /// told come last.
    pub fn resume_shuffled(&mut self, places: impl IntoIterator<Item = usize>) {
        let mut left: Vec<Option<EntryId>> = self.entries.iter().map(|entry| Some(entry.id)).collect();
        let told: Vec<EntryId> =
            places.into_iter().filter_map(|place| left.get_mut(place).and_then(Option::take)).collect();
        self.unshuffled = Some(told.into_iter().chain(left.into_iter().flatten()).collect());
    }

    fn index(&self, id: EntryId) -> Option<usize> {
        self.entries.iter().position(|entry| entry.id == id)
    }

    fn ids(&self) -> Vec<EntryId> {
        self.entries.iter().map(|entry| entry.id).collect()
    }

    fn behind_current(&self) -> usize {
        self.current.map_or(0, |at| at + 1)
    }

    /// Inserts as many as fit and returns how many.
    fn insert(&mut self, at: usize, items: impl IntoIterator<Item = T>) -> usize {
        let room = MOST_ENTRIES - self.len().min(MOST_ENTRIES);
        let first = self.next_id;
        let entries: Vec<_> =
            (first..).zip(items).take(room).map(|(id, item)| Entry { id: EntryId(id), item }).collect();
        let count = entries.len();
        self.next_id += count as u64;
        self.remember(at, entries.iter().map(|entry| entry.id).collect());
        self.entries.splice(at..at, entries);
        if let Some(current) = self.current.filter(|current| *current >= at) {
            self.current = Some(current + count);
        }
        count
    }

    /// Keeps the unshuffled order complete: new entries stand there behind the same neighbour, or last.
    fn remember(&mut self, at: usize, ids: Vec<EntryId>) {
        let last = at == self.len();
        let before = at.checked_sub(1).and_then(|before| self.entries.get(before)).map(|entry| entry.id);
        let Some(order) = &mut self.unshuffled else { return };
        let behind = before.and_then(|before| order.iter().position(|id| *id == before));
        let place = behind.filter(|_| !last).map_or(order.len(), |behind| behind + 1);
        order.splice(place..place, ids);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn queue(count: usize) -> Queue<usize> {
        let mut queue = Queue::default();
        queue.replace(0..count, 0);
        queue
    }

    #[test]
    fn a_shuffled_queue_is_taken_up_again_and_returns_to_its_order() {
        let mut before = queue(50);
        before.shuffle(7);
        let items: Vec<usize> = before.entries().iter().map(|entry| entry.item).collect();
        let order = before.unshuffled().unwrap();
        let mut after = Queue::default();
        after.replace(items.iter().copied(), 0);
        assert_eq!(after.unshuffled(), None);
        after.resume_shuffled(order);
        assert!(after.is_shuffled());
        assert_eq!(after.current().unwrap().item, items[0]);
        after.unshuffle();
        let items: Vec<usize> = after.entries().iter().map(|entry| entry.item).collect();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
        let mut odd = queue(3);
        odd.resume_shuffled([2, 9, 2]);
        assert_eq!(odd.unshuffled(), Some(vec![2, 0, 1]), "what is wrong in it does no harm");
    }

    fn items(queue: &Queue<usize>) -> Vec<usize> {
        queue.entries().iter().map(|entry| entry.item).collect()
    }

    fn playing(queue: &Queue<usize>) -> Option<usize> {
        queue.current().map(|entry| entry.item)
    }

    #[test]
    fn now_next_and_later_insert_where_they_say() {
        let mut queue = queue(2);
        queue.play_next([10, 11]);
        queue.play_later([20]);
        assert_eq!(items(&queue), [0, 10, 11, 1, 20]);
        assert_eq!(playing(&queue), Some(0));
        queue.play_now([30]);
        assert_eq!(items(&queue), [0, 30, 10, 11, 1, 20]);
        assert_eq!(playing(&queue), Some(30));
    }

    #[test]
    fn repeat_decides_what_follows() {
        let mut queue = queue(2);
        let ids = queue.ids();
        assert_eq!(queue.following(ids[1]), None);
        queue.set_repeat(Repeat::All);
        assert_eq!(queue.following(ids[1]).map(|entry| entry.id), Some(ids[0]));
        queue.set_repeat(Repeat::One);
        assert_eq!(queue.following(ids[1]).map(|entry| entry.id), Some(ids[1]));
        assert_eq!(queue.beyond(ids[1]).map(|entry| entry.id), Some(ids[0]));
        queue.forward();
        assert_eq!(playing(&queue), Some(1), "asking for the next one leaves a repeated entry");
    }

    #[test]
    fn previous_stays_at_the_first_unless_all_is_repeated() {
        let mut queue = queue(3);
        queue.back();
        assert_eq!(playing(&queue), Some(0));
        queue.set_repeat(Repeat::All);
        queue.back();
        assert_eq!(playing(&queue), Some(2));
    }

    #[test]
    fn removing_the_current_entry_moves_on() {
        let mut queue = queue(3);
        let ids = queue.ids();
        queue.select(ids[1]);
        assert_eq!(queue.remove(ids[1]), Some(1));
        assert_eq!(playing(&queue), Some(2));
        queue.remove(ids[2]);
        assert_eq!(playing(&queue), None);
        assert_eq!(queue.remove(ids[2]), None);
    }

    #[test]
    fn a_queue_has_a_limit() {
        let mut queue = queue(MOST_ENTRIES - 1);
        queue.play_next(0..10);
        assert_eq!(queue.len(), MOST_ENTRIES);
    }

    #[derive(Clone, Debug)]
    enum Act {
        Now(usize),
        Next(usize),
        Later(usize),
        Reorder(usize, usize),
        Remove(usize),
        Select(usize),
        Forward,
        Back,
        Shuffle(u64),
        Unshuffle,
        Repeat(Repeat),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0..4usize).prop_map(Act::Now),
            (0..4usize).prop_map(Act::Next),
            (0..4usize).prop_map(Act::Later),
            (0..20usize, 0..20usize).prop_map(|(from, to)| Act::Reorder(from, to)),
            (0..20usize).prop_map(Act::Remove),
            (0..20usize).prop_map(Act::Select),
            Just(Act::Forward),
            Just(Act::Back),
            any::<u64>().prop_map(Act::Shuffle),
            Just(Act::Unshuffle),
            prop_oneof![Just(Repeat::Off), Just(Repeat::One), Just(Repeat::All)].prop_map(Act::Repeat),
        ]
    }

    fn apply(queue: &mut Queue<usize>, act: &Act) {
        let at = |index: usize| queue.entries().get(index).map_or(EntryId(u64::MAX), |entry| entry.id);
        match *act {
            Act::Now(count) => queue.play_now(0..count),
            Act::Next(count) => queue.play_next(0..count),
            Act::Later(count) => queue.play_later(0..count),
            Act::Reorder(from, to) => drop(queue.reorder(at(from), to)),
            Act::Remove(index) => drop(queue.remove(at(index))),
            Act::Select(index) => drop(queue.select(at(index))),
            Act::Forward => drop(queue.forward().map(drop)),
            Act::Back => drop(queue.back().map(drop)),
            Act::Shuffle(seed) => queue.shuffle(seed),
            Act::Unshuffle => queue.unshuffle(),
            Act::Repeat(repeat) => queue.set_repeat(repeat),
        }
    }

    proptest! {
        #[test]
        fn whatever_is_done_ids_stay_unique_and_the_current_entry_exists(acts in prop::collection::vec(act(), 0..60)) {
            let mut queue = queue(5);
            for act in &acts {
                let before = queue.current().map(|entry| entry.id);
                apply(&mut queue, act);
                let mut ids = queue.ids();
                ids.sort_unstable();
                ids.dedup();
                prop_assert_eq!(ids.len(), queue.len());
                if let Some(order) = &queue.unshuffled {
                    let mut order = order.clone();
                    order.sort_unstable();
                    prop_assert_eq!(&order, &ids);
                }
                if matches!(act, Act::Reorder(..) | Act::Shuffle(_) | Act::Unshuffle | Act::Next(_) | Act::Later(_)) {
                    prop_assert_eq!(queue.current().map(|entry| entry.id), before);
                }
            }
        }

        #[test]
        fn unshuffle_restores_the_order(count in 0..40usize, start in 0..40usize, seeds in prop::collection::vec(any::<u64>(), 1..4)) {
            let mut queue = queue(count);
            let order = queue.ids();
            queue.select(EntryId(start as u64));
            let current = playing(&queue);
            for seed in seeds {
                queue.shuffle(seed);
                prop_assert_eq!(items(&queue).first().copied(), current);
            }
            queue.unshuffle();
            prop_assert_eq!(queue.ids(), order);
            prop_assert_eq!(playing(&queue), current);
        }

        #[test]
        fn a_seed_gives_one_order(seed in any::<u64>()) {
            let (mut one, mut other) = (queue(30), queue(30));
            one.shuffle(seed);
            other.shuffle(seed);
            prop_assert_eq!(items(&one), items(&other));
        }
    }
}
