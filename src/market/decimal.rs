//! Exact decimals: an integer and the number of its digits after the point.

use crate::limits::SCALE_MAX;

/// `units / 10^scale`. Prices and sizes are these from the feed's text to the client's text;
/// no binary float is between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Decimal {
    pub units: i64,
    pub scale: u8,
}

/// Why a text is not a decimal that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    #[error("is not a decimal number")]
    Syntax,
    #[error("has more than {SCALE_MAX} digits after the point")]
    TooFine,
    #[error("has more digits than a 64-bit integer holds")]
    TooLarge,
}

impl Decimal {
    pub fn new(units: i64, scale: u8) -> Decimal {
        debug_assert!(scale <= SCALE_MAX);
        Decimal { units, scale }
    }

    /// Parses a JSON number (RFC 8259, section 6), exponent included.
    pub fn parse(text: &str) -> Result<Decimal, DecimalError> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            None => (text, 0),
            Some(at) => {
                let exponent = text[at + 1..].strip_prefix('+').unwrap_or(&text[at + 1..]);
                (&text[..at], exponent.parse::<i8>().map_err(|_| DecimalError::Syntax)? as i32)
            }
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() || (fraction.is_empty() && digits.contains('.')) {
            return Err(DecimalError::Syntax);
        }
        let mut units: i64 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return Err(DecimalError::Syntax);
            }
            let digit = i64::from(byte - b'0');
            let shifted = units.checked_mul(10).and_then(|u| u.checked_add(digit));
            units = shifted.ok_or(DecimalError::TooLarge)?;
        }
        let mut scale = fraction.len() as i32 - exponent;
        while scale < 0 {
            units = units.checked_mul(10).ok_or(DecimalError::TooLarge)?;
            scale += 1;
        }
        if scale > i32::from(SCALE_MAX) {
            return Err(DecimalError::TooFine);
        }
        Ok(Decimal { units: if negative { -units } else { units }, scale: scale as u8 })
    }

    /// The same value with `scale` digits after the point; `None` where it does not fit.
    pub fn rescale(self, scale: u8) -> Option<Decimal> {
        if scale < self.scale {
            let divisor = 10_i64.checked_pow(u32::from(self.scale - scale))?;
            let exact = self.units % divisor == 0;
            return exact.then_some(Decimal { units: self.units / divisor, scale });
        }
        let factor = 10_i64.checked_pow(u32::from(scale - self.scale))?;
        Some(Decimal { units: self.units.checked_mul(factor)?, scale })
    }

    /// Appends the value as a JSON number: no exponent, no zeros at the end except the one that
    /// tells a price of `168.0` from an integer (two prices of a tick share a scale, so the
    /// number of zeros that the feed wrote is not kept; the value always is).
    pub fn write(self, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        if self.scale == 0 {
            return out.extend_from_slice(digits.format(self.units).as_bytes());
        }
        if self.units < 0 {
            out.push(b'-');
        }
        let power = 10_u64.pow(u32::from(self.scale));
        let magnitude = self.units.unsigned_abs();
        out.extend_from_slice(digits.format(magnitude / power).as_bytes());
        out.push(b'.');
        let first = out.len();
        // The leading one keeps the zeros right after the point; it is overwritten by the point.
        let fraction = digits.format(power + magnitude % power).as_bytes();
        out.extend_from_slice(&fraction[1..]);
        while out.len() > first + 1 && out.last() == Some(&b'0') {
            out.pop();
        }
    }

    /// The nearest 64-bit float: for MessagePack, whose prices are floats by the protocol.
    pub fn to_f64(self) -> f64 {
        // Both operands are exact for every price below 2^53 units, and then one IEEE division
        // gives the float nearest to the decimal.
        self.units as f64 / 10_f64.powi(i32::from(self.scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(decimal: Decimal) -> String {
        let mut out = Vec::new();
        decimal.write(&mut out);
        String::from_utf8(out).expect("digits are ASCII")
    }

    #[test]
    fn round_trips_what_feeds_write() {
        for same in ["0", "168.0", "13.84", "-37.63", "0.00000001", "9223372036854775807", "-0.5"] {
            assert_eq!(Decimal::parse(same).map(text), Ok(same.to_string()));
        }
        for (given, written) in
            [("13.80", "13.8"), ("1e2", "100"), ("1.5E-3", "0.0015"), ("168.00", "168.0")]
        {
            assert_eq!(Decimal::parse(given).map(text), Ok(written.to_string()));
        }
    }

    #[test]
    fn refuses_what_is_not_an_exact_decimal() {
        for bad in ["", "-", ".5", "5.", "1e", "1e1000", "abc", "1.2.3", "0x10", "NaN", "--1", "+1"]
        {
            assert_eq!(Decimal::parse(bad), Err(DecimalError::Syntax), "{bad}");
        }
        assert_eq!(Decimal::parse("9223372036854775808"), Err(DecimalError::TooLarge));
        assert_eq!(Decimal::parse("1e19"), Err(DecimalError::TooLarge));
        assert_eq!(Decimal::parse("0.0000000000000001"), Err(DecimalError::TooFine));
    }

    #[test]
    fn rescales_exactly_or_not_at_all() {
        let price = Decimal::new(1680, 1);
        assert_eq!(price.rescale(2), Some(Decimal::new(16_800, 2)));
        assert_eq!(price.rescale(0), Some(Decimal::new(168, 0)));
        assert_eq!(Decimal::new(1681, 1).rescale(0), None);
        assert_eq!(Decimal::new(i64::MAX, 0).rescale(1), None);
        assert_eq!(Decimal::new(1381, 2).to_f64(), 13.81);
    }
}
