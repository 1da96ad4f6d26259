//! What is going to happen in a simulation: the earliest first, of what happens at one time what was said first.

use std::{cmp::Ordering, collections::BinaryHeap};

/// What is going to happen. Equal calls give equal orders.
pub(crate) struct Queue<T, W> {
    heap: BinaryHeap<Scheduled<T, W>>,
    numbers: u64,
}

/// Something that happens.
pub(crate) struct Scheduled<T, W> {
    pub at: T,
    /// How many were said before.
    pub number: u64,
    pub what: W,
}

impl<T: Copy + Ord, W> Queue<T, W> {
    pub(crate) fn push(&mut self, at: T, what: W) {
        self.numbers += 1;
        self.heap.push(Scheduled { at, number: self.numbers, what });
    }

    /// Takes what is next, if it happens by then.
    pub(crate) fn pop(&mut self, until: T) -> Option<Scheduled<T, W>> {
        self.heap.peek().is_some_and(|next| next.at <= until).then(|| self.heap.pop())?
    }
}

impl<T: Copy + Ord, W> Default for Queue<T, W> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), numbers: 0 }
    }
}

impl<T: Ord, W> PartialEq for Scheduled<T, W> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T: Ord, W> Eq for Scheduled<T, W> {}

impl<T: Ord, W> PartialOrd for Scheduled<T, W> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The heap's largest is the earliest.
impl<T: Ord, W> Ord for Scheduled<T, W> {
    fn cmp(&self, other: &Self) -> Ordering {
        (&other.at, other.number).cmp(&(&self.at, self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_at_one_time_what_was_said_first() {
        let mut queue = Queue::default();
        let said = [(5, 'c'), (3, 'a'), (5, 'd'), (3, 'b'), (9, 'e')];
        said.into_iter().for_each(|(at, what)| queue.push(at, what));
        let happened: String = std::iter::from_fn(|| queue.pop(5)).map(|next| next.what).collect();
        assert_eq!(happened, "abcd");
        assert!(queue.pop(8).is_none());
        assert_eq!(queue.pop(9).map(|next| (next.at, next.number)), Some((9, 5)));
    }
}
