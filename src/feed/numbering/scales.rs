//! A record's prices and sizes in units of one scale each, as a tick has them.

use super::Refusal;
use crate::market::{Decimal, Record, RecordBody};

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CommonScales {
    pub price_scale: u8,
    pub size_scale: u8,
    /// Of a quote: bid and ask. Of a bar: open, high, low, close and average. Of a trade: its own.
    pub prices: [i64; 5],
    /// Of a quote: bid and ask. Of a bar and of a trade: one.
    pub sizes: [i64; 2],
}

impl CommonScales {
    pub fn of(record: &Record<'_>) -> Result<CommonScales, Refusal> {
        let scales = match &record.body {
            RecordBody::Trade { price, size, .. } => of(&[*price], &[*size]),
            RecordBody::Quote { bid, ask, .. } => of(&[bid.0, ask.0], &[bid.1, ask.1]),
            RecordBody::Bar { open, high, low, close, volume, vwap, .. } => {
                of(&[*open, *high, *low, *close, *vwap], &[*volume])
            }
            RecordBody::Lost { .. } => Some(CommonScales::default()),
        };
        scales.ok_or(Refusal::Scales(record.symbol))
    }
}

/// `None` where one does not fit the finest scale of its kind.
fn of(prices: &[Decimal], sizes: &[Decimal]) -> Option<CommonScales> {
    let mut scales = CommonScales::default();
    scales.price_scale = join(prices, &mut scales.prices)?;
    scales.size_scale = join(sizes, &mut scales.sizes)?;
    Some(scales)
}

/// All in units of the finest scale, which it gives.
fn join(numbers: &[Decimal], units: &mut [i64]) -> Option<u8> {
    let scale = numbers.iter().map(|number| number.scale).max()?;
    for (number, units) in numbers.iter().zip(units) {
        *units = number.rescale(scale)?.units;
    }
    Some(scale)
}
