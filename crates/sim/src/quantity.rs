//! Resource quantities: reading, arithmetic, and the canonical form in which the API shows them
//! (`apimachinery/pkg/api/resource/quantity.go`).

use std::fmt;

/// How a quantity was written, and is written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Powers of 1024: `64Mi`.
    BinarySi,
    /// Powers of 1000: `250m`, `2k`.
    DecimalSi,
    /// `1e3`
    DecimalExponent,
}

/// An amount of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// In billionths of a unit: nothing finer is kept.
    nano: i128,
    format: Format,
}

/// Why a text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a number with a suffix.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The suffix is none.
    #[error("unable to parse quantity's suffix")]
    Suffix,
    /// Too many digits.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
}

const NANO: i128 = 1_000_000_000;

/// Reads a quantity. What is finer than a billionth is rounded away from zero.
///
/// # Errors
/// What the API server says of a text that is none.
pub fn parse(text: &str) -> Result<Quantity, Error> {
    let (negative, rest) = match text.as_bytes().first() {
        None => return Err(Error::Format),
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        Some(_) => (false, text),
    };
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (whole, rest) = rest.split_at(end);
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())),
        None => ("", rest),
    };
    if !suffix_is_well_formed(suffix) {
        return Err(Error::Format);
    }
    let (format, base, exponent) = interpret(suffix).ok_or(Error::Suffix)?;
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    if whole.len() + fraction.len() > 24 {
        return Err(Error::Numeric);
    }
    let digits: i128 = if whole.is_empty() && fraction.is_empty() {
        0
    } else {
        format!("{whole}{fraction}").parse().map_err(|_| Error::Numeric)?
    };
    // digits × 10^-fraction × base^exponent × 10^9
    let places = i32::try_from(fraction.len()).map_err(|_| Error::Numeric)?;
    let magnitude = match base {
        2 => scale(
            digits.checked_mul(1_i128 << exponent).ok_or(Error::Numeric)?,
            9 - places,
        ),
        _ => scale(digits, 9 - places + exponent),
    };
    let nano = magnitude.ok_or(Error::Numeric)?;
    Ok(Quantity {
        nano: if negative { -nano } else { nano },
        format,
    })
}

/// `number × 10^power`, rounded up.
fn scale(number: i128, power: i32) -> Option<i128> {
    if number == 0 {
        return Some(0);
    }
    let factor = 10_i128.checked_pow(power.unsigned_abs());
    if power >= 0 {
        return number.checked_mul(factor?);
    }
    let factor = factor.unwrap_or(i128::MAX);
    Some(number / factor + i128::from(number % factor != 0))
}

/// `([eEinumkKMGTP]*[-+]?[0-9]*)`
fn suffix_is_well_formed(suffix: &str) -> bool {
    let rest = suffix.trim_start_matches(['e', 'E', 'i', 'n', 'u', 'm', 'k', 'K', 'M', 'G', 'T', 'P']);
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    rest.bytes().all(|byte| byte.is_ascii_digit())
}

fn interpret(suffix: &str) -> Option<(Format, i128, i32)> {
    Some(match suffix {
        "n" => (Format::DecimalSi, 10, -9),
        "u" => (Format::DecimalSi, 10, -6),
        "m" => (Format::DecimalSi, 10, -3),
        "" => (Format::DecimalSi, 10, 0),
        "k" => (Format::DecimalSi, 10, 3),
        "M" => (Format::DecimalSi, 10, 6),
        "G" => (Format::DecimalSi, 10, 9),
        "T" => (Format::DecimalSi, 10, 12),
        "P" => (Format::DecimalSi, 10, 15),
        "E" => (Format::DecimalSi, 10, 18),
        "Ki" => (Format::BinarySi, 2, 10),
        "Mi" => (Format::BinarySi, 2, 20),
        "Gi" => (Format::BinarySi, 2, 30),
        "Ti" => (Format::BinarySi, 2, 40),
        "Pi" => (Format::BinarySi, 2, 50),
        "Ei" => (Format::BinarySi, 2, 60),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            (Format::DecimalExponent, 10, exponent)
        }
    })
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self {
        nano: 0,
        format: Format::DecimalSi,
    };

    /// An amount of whole units.
    pub fn of(units: i64, format: Format) -> Self {
        Self {
            nano: i128::from(units) * NANO,
            format,
        }
    }

    /// In thousandths of a unit, rounded up.
    pub fn milli(self) -> i128 {
        round_up(self.nano, 1_000_000)
    }

    /// In whole units, rounded up.
    pub fn value(self) -> i128 {
        round_up(self.nano, NANO)
    }

    /// Its format.
    pub fn format(self) -> Format {
        self.format
    }

    /// The same amount, rounded up to a thousandth (`Quantity.RoundUp(Milli)`).
    pub fn rounded_to_milli(self) -> Self {
        Self {
            nano: self.milli() * 1_000_000,
            ..self
        }
    }

    /// The sum, in this one's format; of nothing and something, in the other's.
    pub fn plus(self, other: Self) -> Self {
        let format = if self.nano == 0 { other.format } else { self.format };
        Self {
            nano: self.nano.saturating_add(other.nano),
            format,
        }
    }

    /// The difference, in this one's format; of nothing and something, in the other's.
    pub fn minus(self, other: Self) -> Self {
        let format = if self.nano == 0 { other.format } else { self.format };
        Self {
            nano: self.nano.saturating_sub(other.nano),
            format,
        }
    }

    /// What is left of it, in its own format, when so many thousandths of a unit are taken; never less than nothing.
    pub fn milli_minus(self, milli: i128) -> Self {
        Self {
            nano: self.nano.saturating_sub(milli.saturating_mul(1_000_000)).max(0),
            ..self
        }
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.nano < 0
    }

    /// Whether it is a whole number of units.
    pub fn is_whole(self) -> bool {
        self.nano % NANO == 0
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.nano.cmp(&other.nano))
    }
}

fn round_up(number: i128, unit: i128) -> i128 {
    // Away from zero, as Go's inf.RoundUp.
    number / unit + if number % unit == 0 { 0 } else { number.signum() }
}

impl fmt::Display for Quantity {
    /// The canonical form: no fraction, and the greatest suffix that loses nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nano == 0 {
            return f.write_str("0");
        }
        if self.format == Format::BinarySi && self.nano % NANO == 0 && (self.nano / NANO).abs() >= 1024 {
            const SUFFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
            let (mut value, mut suffix) = (self.nano / NANO, 0);
            while value % 1024 == 0 && suffix + 1 < SUFFIXES.len() {
                value /= 1024;
                suffix += 1;
            }
            return write!(f, "{value}{}", SUFFIXES[suffix]);
        }
        const SUFFIXES: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
        let (mut value, mut thousands) = (self.nano, 0_usize);
        let exponents = self.format == Format::DecimalExponent;
        while value % 1000 == 0 && (exponents || thousands + 1 < SUFFIXES.len()) {
            value /= 1000;
            thousands += 1;
        }
        let exponent = i32::try_from(thousands).unwrap_or(0) * 3 - 9;
        match (exponents, exponent) {
            (true, 0) => write!(f, "{value}"),
            (true, exponent) => write!(f, "{value}e{exponent}"),
            (false, _) => write!(f, "{value}{}", SUFFIXES[thousands]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_shown_in_canonical_form() {
        for (text, canonical) in [
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("0.5Gi", "512Mi"),
            ("1.1Ki", "1126400m"),
            ("512", "512"),
            ("0.5Ki", "512"),
            ("1e3", "1e3"),
            ("10000000", "10M"),
            ("3e-10", "1e-9"),
            ("-", "0"),
            ("-1Ki", "-1Ki"),
            ("12E", "12E"),
        ] {
            assert_eq!(
                parse(text).map(|quantity| quantity.to_string()),
                Ok(canonical.to_owned()),
                "{text}"
            );
        }
        assert_eq!(parse("1K"), Err(Error::Suffix));
        assert_eq!(parse("abc"), Err(Error::Format));
        assert_eq!(parse(""), Err(Error::Format));
    }
}
