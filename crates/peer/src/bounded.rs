//! Memory that forgets the oldest.

use std::{
    collections::{HashSet, VecDeque},
    hash::Hash,
};

/// The newest members, at most so many.
#[derive(Debug)]
pub(crate) struct Newest<T> {
    most: usize,
    members: HashSet<T>,
    order: VecDeque<T>,
}

impl<T: Copy + Eq + Hash> Newest<T> {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, members: HashSet::new(), order: VecDeque::new() }
    }

    /// Adds a member; says whether it is new.
    pub(crate) fn insert(&mut self, member: T) -> bool {
        if !self.members.insert(member) {
            return false;
        }
        self.order.push_back(member);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.members.remove(&oldest);
        }
        true
    }

    pub(crate) fn extend(&mut self, members: impl IntoIterator<Item = T>) {
        for member in members {
            self.insert(member);
        }
    }

    pub(crate) fn contains(&self, member: &T) -> bool {
        self.members.contains(member)
    }

    pub(crate) fn clear(&mut self) {
        self.members.clear();
        self.order.clear();
    }

    /// Newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = T> {
        self.order.iter().rev().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let mut newest = Newest::new(2);
        assert!(newest.insert(1) && newest.insert(2) && !newest.insert(1) && newest.insert(3));
        assert!(!newest.contains(&1));
        assert_eq!(newest.iter().collect::<Vec<_>>(), [3, 2]);
    }
}
