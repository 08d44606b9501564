//! Medians of rounds, and ratios to the floor of the same round.

use serde::{Deserialize, Serialize};

/// The middle of some rounds, and the noise around it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub count: usize,
}

impl Spread {
    /// `None` of nothing. Of an even number the mean of the two in the middle.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let half = values.len() / 2;
        let median = match values.len() % 2 {
            0 => (values[half - 1] + values[half]) / 2.0,
            _ => values[half],
        };
        Some(Spread { median, min, max, count: values.len() })
    }
}

/// Pairs of the same round.
pub fn paired_ratios(ours: &[(usize, f64)], theirs: &[(usize, f64)]) -> Vec<f64> {
    let of_round =
        |round| theirs.iter().find(|(other, _)| *other == round).map(|(_, value)| *value);
    let pairs = ours.iter().filter_map(|(round, value)| Some((value, of_round(*round)?)));
    pairs.filter(|(_, floor)| *floor > 0.0).map(|(value, floor)| value / floor).collect()
}

/// Sizes of the small mode's numbers.
pub fn check() {
    let spread = Spread::of([3.0, 1.0, 2.0]).expect("three values");
    assert_eq!((spread.median, spread.min, spread.max, spread.count), (2.0, 1.0, 3.0, 3));
    assert_eq!(Spread::of([4.0, 1.0]).map(|s| s.median), Some(2.5));
    assert_eq!(Spread::of([]), None);
    let (ours, floor) = ([(0, 3.0), (1, 8.0), (2, 9.0)], [(0, 2.0), (1, 4.0), (3, 1.0)]);
    assert_eq!(paired_ratios(&ours, &floor), [1.5, 2.0]);
}
