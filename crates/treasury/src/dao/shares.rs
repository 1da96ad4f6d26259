//! Parts of an amount, to the satoshi.

/// Divides an amount in proportion to weights, what does not divide by largest remainder, among equal ones to whoever is
/// first. No part of an amount that the weights sum to or exceed is larger than its weight. `None` where there is
/// something to divide and nobody to divide it among.
pub(super) fn pro_rata(amount: u64, weights: &[u64]) -> Option<Vec<u64>> {
    let whole: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    if whole == 0 {
        return (amount == 0).then(|| vec![0; weights.len()]);
    }
    let exact = |weight: &u64| u128::from(amount) * u128::from(*weight);
    let small = |part: u128| u64::try_from(part).expect("a part is at most the amount");
    let mut parts: Vec<u64> = weights.iter().map(|weight| small(exact(weight) / whole)).collect();
    let left = amount - parts.iter().sum::<u64>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(exact(&weights[at]) % whole));
    for at in order.into_iter().take(usize::try_from(left).expect("fewer than the parts")) {
        parts[at] += 1;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn remainders_go_to_the_largest_then_to_the_first() {
        assert_eq!(pro_rata(10, &[1, 1, 1]), Some(vec![4, 3, 3]));
        assert_eq!(pro_rata(10, &[1, 1, 2]), Some(vec![3, 2, 5]));
        assert_eq!(pro_rata(1, &[1, 2, 2]), Some(vec![0, 1, 0]));
        assert_eq!(pro_rata(0, &[]), Some(vec![]));
        assert_eq!(pro_rata(0, &[0]), Some(vec![0]));
        assert_eq!(pro_rata(1, &[0, 0]), None);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_part_exceeds_its_weight(
            weights in proptest::collection::vec(0..=2_100_000_000_000_000u64, 1..30), share in 0.0..=1.0f64,
        ) {
            let whole: u64 = weights.iter().sum();
            let amount = ((whole as f64) * share) as u64;
            prop_assume!(amount <= whole);
            let parts = pro_rata(amount, &weights).unwrap();
            prop_assert_eq!(parts.iter().sum::<u64>(), amount);
            prop_assert!(parts.iter().zip(&weights).all(|(part, weight)| part <= weight));
        }
    }
}
