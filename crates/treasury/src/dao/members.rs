//! A part of a list of members, a bit for each.

use minicbor::{Decode, Encode};

/// Says which of an ordered list of members are meant: bit `i % 8` of byte `i / 8` is the `i`th.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Members(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>);

impl Members {
    /// Makes it of the places in the list.
    pub fn of(places: impl IntoIterator<Item = usize>) -> Self {
        let mut bits = Vec::new();
        for place in places {
            if bits.len() <= place / 8 {
                bits.resize(place / 8 + 1, 0);
            }
            bits[place / 8] |= 1 << (place % 8);
        }
        Self(bits)
    }

    /// Returns the places, ascending.
    pub fn places(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len() * 8).filter(|place| self.0[place / 8] >> (place % 8) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_come_back_ascending(places in proptest::collection::btree_set(0usize..10_000, 0..200)) {
            let members = Members::of(places.iter().copied());
            prop_assert_eq!(members.places().collect::<Vec<_>>(), places.into_iter().collect::<Vec<_>>());
        }
    }
}
