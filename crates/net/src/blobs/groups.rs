use std::ops::Range;

const WORD: u64 = u64::BITS as u64;

/// A set of groups of one blob: one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Groups {
    words: Vec<u64>,
    len: u64,
    count: u64,
}

impl Groups {
    /// Makes an empty set over `len` groups; callers bound `len` by [`crate::wire::MAX_BLOB`].
    pub(crate) fn new(len: u64) -> Self {
        Self { words: vec![0; len.div_ceil(WORD) as usize], len, count: 0 }
    }

    pub(crate) fn full(len: u64) -> Self {
        let mut groups = Self::new(len);
        groups.insert(0..len);
        groups
    }

    /// Restores a set from its words; `None` when they do not fit `len`.
    pub(crate) fn from_words(words: Vec<u64>, len: u64) -> Option<Self> {
        let tail = len % WORD;
        let stray = tail != 0 && words.last().is_some_and(|last| last >> tail != 0);
        if words.len() as u64 != len.div_ceil(WORD) || stray {
            return None;
        }
        let count = words.iter().map(|word| u64::from(word.count_ones())).sum();
        Some(Self { words, len, count })
    }

    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count == self.len
    }

    pub(crate) fn has(&self, group: u64) -> bool {
        let word = self.words.get((group / WORD) as usize);
        group < self.len && word.is_some_and(|word| word >> (group % WORD) & 1 == 1)
    }

    /// Adds the groups; what lies beyond the end is ignored.
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        for group in range.start..range.end.min(self.len) {
            let word = &mut self.words[(group / WORD) as usize];
            let bit = 1 << (group % WORD);
            self.count += u64::from(*word & bit == 0);
            *word |= bit;
        }
    }

    pub(crate) fn has_all(&self, range: Range<u64>) -> bool {
        self.missing(range).next().is_none()
    }

    /// Runs of groups in `range` that are not in the set, ascending.
    pub(crate) fn missing(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        self.runs(range, false)
    }

    /// Runs of groups in `range` that are in the set, ascending.
    pub(crate) fn present(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        self.runs(range, true)
    }

    fn runs(&self, range: Range<u64>, wanted: bool) -> impl Iterator<Item = Range<u64>> + '_ {
        let end = range.end.min(self.len);
        let mut at = range.start;
        std::iter::from_fn(move || {
            let start = self.seek(at, end, wanted);
            at = self.seek(start, end, !wanted);
            (start < end).then_some(start..at)
        })
    }

    /// Finds the first group from `at` whose membership is `wanted`, or `end`; skips whole words.
    fn seek(&self, mut at: u64, end: u64, wanted: bool) -> u64 {
        while at < end {
            let word = self.words[(at / WORD) as usize];
            let matching = if wanted { word } else { !word } >> (at % WORD);
            if matching != 0 {
                return (at + u64::from(matching.trailing_zeros())).min(end);
            }
            at += WORD - at % WORD;
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_agree_with_a_plain_set(
            len in 1u64..400,
            inserted in proptest::collection::vec((0u64..420, 0u64..70), 0..12),
            asked in (0u64..420, 0u64..200),
        ) {
            let (mut groups, mut model) = (Groups::new(len), BTreeSet::new());
            for (start, size) in inserted {
                groups.insert(start..start + size);
                model.extend((start..start + size).filter(|group| *group < len));
            }
            let asked = asked.0..asked.0 + asked.1;
            let within = |group: &u64| asked.contains(group) && *group < len;
            let present: Vec<u64> = groups.present(asked.clone()).flatten().collect();
            let missing: Vec<u64> = groups.missing(asked.clone()).flatten().collect();
            prop_assert_eq!(groups.count(), model.len() as u64);
            prop_assert_eq!(present, model.iter().copied().filter(within).collect::<Vec<_>>());
            prop_assert_eq!(missing, (0..len).filter(|g| within(g) && !model.contains(g)).collect::<Vec<_>>());
            prop_assert_eq!(Groups::from_words(groups.words().to_vec(), len), Some(groups));
        }
    }

    #[test]
    fn words_with_stray_bits_are_refused() {
        assert_eq!(Groups::from_words(vec![u64::MAX], 3), None);
        assert_eq!(Groups::from_words(vec![1], 65), None);
        assert!(Groups::from_words(vec![7], 3).unwrap().is_full());
    }
}
