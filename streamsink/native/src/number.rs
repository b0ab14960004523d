//! Reads the numbers of a JSON text, as RFC 8259 has them.

use crate::cursor::{Cursor, Stop};

/// Up to here every integer has a double.
const EXACT: u64 = 1 << 53;
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

pub enum Number {
    Int(i64),
    /// A whole number past 64 bits.
    Large,
    Double(f64),
}

impl Cursor<'_> {
    #[inline(always)]
    pub fn number(&mut self) -> Result<Number, Stop> {
        let start = self.at;
        let negative = self.peek() == b'-';
        if negative {
            self.at += 1;
        }
        let first = self.at;
        let mut digits = 0_u64;
        self.digits(&mut digits);
        let whole = self.at - first;
        if whole == 0 || (whole > 1 && self.bytes[first] == b'0') {
            return Err(Stop::Doubt);
        }
        if !matches!(self.peek(), b'.' | b'e' | b'E') {
            return Ok(integer(digits, whole, negative));
        }
        let mut fraction = 0;
        if self.peek() == b'.' {
            self.at += 1;
            let begin = self.at;
            self.digits(&mut digits);
            fraction = self.at - begin;
            if fraction == 0 {
                return Err(Stop::Doubt);
            }
        }
        let plain = !matches!(self.peek(), b'e' | b'E');
        if !plain {
            self.exponent()?;
        }
        if plain && whole + fraction <= 19 && digits < EXACT && fraction < TENS.len() {
            let value = digits as f64 / TENS[fraction];
            return Ok(Number::Double(if negative { -value } else { value }));
        }
        let text = std::str::from_utf8(&self.bytes[start..self.at]).map_err(|_| Stop::Doubt)?;
        let value: f64 = text.parse().map_err(|_| Stop::Doubt)?;
        // An infinity remembers its text elsewhere.
        if value.is_finite() {
            Ok(Number::Double(value))
        } else {
            Err(Stop::Doubt)
        }
    }

    #[inline]
    fn digits(&mut self, sum: &mut u64) {
        for byte in &self.bytes[self.at..] {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            *sum = sum.wrapping_mul(10).wrapping_add(u64::from(digit));
            self.at += 1;
        }
    }

    fn exponent(&mut self) -> Result<(), Stop> {
        self.at += 1;
        if matches!(self.peek(), b'+' | b'-') {
            self.at += 1;
        }
        let begin = self.at;
        self.digits(&mut 0);
        if self.at == begin {
            return Err(Stop::Doubt);
        }
        Ok(())
    }
}

#[inline]
fn integer(digits: u64, count: usize, negative: bool) -> Number {
    if count <= 18 {
        let value = digits as i64;
        return Number::Int(if negative { -value } else { value });
    }
    if count > 19 {
        return Number::Large;
    }
    // Nineteen digits fit 64 bits without a sign.
    let value = if negative {
        -i128::from(digits)
    } else {
        i128::from(digits)
    };
    i64::try_from(value).map_or(Number::Large, Number::Int)
}
