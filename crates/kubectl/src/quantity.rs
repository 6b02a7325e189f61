//! Resource quantities, as far as descriptions add and show them (`apimachinery/pkg/api/resource/quantity.go`).

/// How a quantity was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Powers of 1024: `64Mi`.
    Binary,
    /// Powers of 1000: `250m`, `2k`.
    Decimal,
}

/// An amount of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quantity {
    /// In thousandths of a unit.
    milli: i128,
    form: Form,
}

impl Default for Quantity {
    fn default() -> Quantity {
        Quantity {
            milli: 0,
            form: Form::Decimal,
        }
    }
}

impl Quantity {
    /// Reads a quantity; anything finer than a thousandth is rounded up.
    pub(crate) fn parse(text: &str) -> Option<Quantity> {
        let end = text
            .find(|char: char| !(char.is_ascii_digit() || matches!(char, '.' | '+' | '-')))
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (form, numerator, denominator): (Form, i128, i128) = match suffix {
            "" => (Form::Decimal, 1, 1),
            "n" => (Form::Decimal, 1, 1_000_000_000),
            "u" => (Form::Decimal, 1, 1_000_000),
            "m" => (Form::Decimal, 1, 1000),
            "k" => (Form::Decimal, 1000, 1),
            "M" => (Form::Decimal, 1_000_000, 1),
            "G" => (Form::Decimal, 1_000_000_000, 1),
            "T" => (Form::Decimal, 1_000_000_000_000, 1),
            "P" => (Form::Decimal, 1_000_000_000_000_000, 1),
            "E" => (Form::Decimal, 1_000_000_000_000_000_000, 1),
            "Ki" => (Form::Binary, 1 << 10, 1),
            "Mi" => (Form::Binary, 1 << 20, 1),
            "Gi" => (Form::Binary, 1 << 30, 1),
            "Ti" => (Form::Binary, 1 << 40, 1),
            "Pi" => (Form::Binary, 1 << 50, 1),
            "Ei" => (Form::Binary, 1 << 60, 1),
            exponent => {
                let power: u32 = exponent
                    .strip_prefix(['e', 'E'])?
                    .parse()
                    .ok()
                    .filter(|power| *power <= 18)?;
                (Form::Decimal, 10_i128.pow(power), 1)
            }
        };
        let negative = number.starts_with('-');
        let number = number.trim_start_matches(['+', '-']);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if number.len() > 30 || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let scale = denominator.checked_mul(10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
        let value = digits.checked_mul(numerator)?.checked_mul(1000)?;
        let milli = value.div_euclid(scale) + i128::from(value.rem_euclid(scale) != 0);
        Some(Quantity {
            milli: if negative { -milli } else { milli },
            form,
        })
    }

    /// The sum; an empty sum takes the other's form.
    pub(crate) fn plus(self, other: Quantity) -> Quantity {
        let form = if self.milli == 0 { other.form } else { self.form };
        Quantity {
            milli: self.milli.saturating_add(other.milli),
            form,
        }
    }

    /// The greater one.
    pub(crate) fn max(self, other: Quantity) -> Quantity {
        if other.milli > self.milli { other } else { self }
    }

    /// This amount in units of a divisor, rounded up.
    pub(crate) fn divided_by(self, divisor: Quantity) -> i128 {
        let divisor = if divisor.milli == 0 { 1000 } else { divisor.milli };
        self.milli.div_euclid(divisor) + i128::from(self.milli.rem_euclid(divisor) != 0)
    }

    /// The share of a whole in percent, cut off; 0 of nothing.
    pub(crate) fn percent_of(self, whole: Quantity) -> i128 {
        if whole.milli == 0 {
            0
        } else {
            self.milli.saturating_mul(100) / whole.milli
        }
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.milli % 1000 != 0 {
            return write!(f, "{}m", self.milli);
        }
        let (mut value, base, suffixes) = match self.form {
            Form::Binary if self.milli.abs() >= 1024 * 1000 => {
                (self.milli / 1000, 1024, ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"])
            }
            _ => (self.milli / 1000, 1000, ["", "k", "M", "G", "T", "P", "E"]),
        };
        let mut suffix = 0;
        while value != 0 && value % base == 0 && suffix + 1 < suffixes.len() {
            value /= base;
            suffix += 1;
        }
        write!(f, "{value}{}", suffixes[suffix])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn sums_are_shown_in_their_form() {
        let sum = |left: &str, right: &str| {
            Quantity::parse(left)
                .unwrap()
                .plus(Quantity::parse(right).unwrap())
                .to_string()
        };
        for (left, right, expected) in [
            ("250m", "100m", "350m"),
            ("64Mi", "70Mi", "134Mi"),
            ("0", "128Mi", "128Mi"),
            ("1", "1", "2"),
            ("0.5", "500m", "1"),
            ("1Gi", "1Mi", "1025Mi"),
        ] {
            assert_eq!(sum(left, right), expected, "{left} + {right}");
        }
        assert_eq!(Quantity::parse("x"), None);
    }
}
