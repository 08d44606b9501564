//! Families of metrics, each written whole.

use crate::shard::{Reading, bound};
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use std::fmt;

pub type Labels = Vec<(&'static str, String)>;

/// Buckets of a histogram that are written: one for each doubling.
const BUCKET_STEP: usize = 4;

pub struct Families<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl<'a> Families<'a> {
    pub fn new(encoder: DescriptorEncoder<'a>) -> Families<'a> {
        Families { encoder }
    }

    pub fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) -> fmt::Result {
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Info)?;
        family.encode_info(&labels)
    }

    /// A count that only grows; its name gets `_total`.
    pub fn counter(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        self.counter_of(name, None, help, rows)
    }

    /// The same of bytes.
    pub fn counter_of(
        &mut self,
        name: &str,
        unit: Option<Unit>,
        help: &str,
        rows: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let kind = MetricType::Counter;
        let mut family = self.encoder.encode_descriptor(name, help, unit.as_ref(), kind)?;
        for (labels, value) in rows {
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(&value, None)?;
        }
        Ok(())
    }

    pub fn gauge(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        self.gauge_of(name, None, help, rows.into_iter().map(|(labels, v)| (labels, v as f64)))
    }

    pub fn seconds(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        self.gauge_of(name, Some(Unit::Seconds), help, rows)
    }

    pub fn gauge_of(
        &mut self,
        name: &str,
        unit: Option<Unit>,
        help: &str,
        rows: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        let kind = MetricType::Gauge;
        let mut family = self.encoder.encode_descriptor(name, help, unit.as_ref(), kind)?;
        for (labels, value) in rows {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// `scale` makes the unit of what was recorded: a millionth for times in us.
    pub fn histogram(
        &mut self,
        name: &str,
        unit: Option<Unit>,
        help: &str,
        scale: f64,
        rows: impl IntoIterator<Item = (Labels, Reading)>,
    ) -> fmt::Result {
        let kind = MetricType::Histogram;
        let mut family = self.encoder.encode_descriptor(name, help, unit.as_ref(), kind)?;
        for (labels, reading) in rows {
            let buckets = buckets(&reading, scale);
            let (sum, count) = (reading.sum as f64 * scale, reading.count());
            let mut row = family.encode_family(&labels)?;
            row.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }
}

/// Upper bounds, and the counts between them; the last one is without a bound.
fn buckets(reading: &Reading, scale: f64) -> Vec<(f64, u64)> {
    let counts = reading.buckets.chunks(BUCKET_STEP).map(|chunk| chunk.iter().sum::<u64>());
    let bounds = (0..).map(|index| bound((index + 1) * BUCKET_STEP - 1) as f64 * scale);
    let mut buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
    if let Some(last) = buckets.last_mut() {
        last.0 = f64::INFINITY;
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::BUCKETS;

    #[test]
    fn buckets_are_doublings_and_hold_everything_once() {
        let mut reading = Reading::default();
        reading.buckets[0] = 3;
        reading.buckets[7] = 2;
        reading.buckets[BUCKETS - 1] = 1;
        let buckets = buckets(&reading, 1e-6);
        assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), 6);
        assert_eq!((buckets[0], buckets[1]), ((4e-6, 3), (8e-6, 2)));
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, 1)));
        assert!(buckets.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
