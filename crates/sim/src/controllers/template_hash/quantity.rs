//! A quantity as Go holds it in memory after reading its canonical text
//! (`apimachinery/pkg/api/resource/quantity.go ParseQuantity`).

/// Writes the four fields of the struct.
pub fn dump(text: &str, out: &mut String) {
    let parsed = Parsed::of(text);
    let dec = match parsed.decimal {
        None => "(*inf.Dec)<nil>".to_owned(),
        Some(unscaled) => {
            // A big.Int keeps 64-bit words, the lowest first.
            let magnitude = unscaled.unsigned_abs();
            let (low, high) = (magnitude as u64, (magnitude >> 64) as u64);
            let words = if high > 0 {
                format!("{low} {high}")
            } else {
                low.to_string()
            };
            format!(
                "(*inf.Dec){{unscaled:(big.Int){{neg:(bool){} abs:(big.nat)[{words}]}} scale:(inf.Scale)9}}",
                unscaled < 0
            )
        }
    };
    out.push_str(&format!(
        "{{i:(resource.int64Amount){{value:(int64){} scale:(resource.Scale){}}} d:(resource.infDecAmount){{Dec:{dec}}} s:(string){} Format:(resource.Format){}}}",
        parsed.value, parsed.scale, parsed.kept, parsed.format,
    ));
}

#[derive(Default)]
struct Parsed<'a> {
    value: i64,
    scale: i32,
    /// The text itself, kept when it is provably canonical.
    kept: &'a str,
    format: &'static str,
    /// Billionths, when the number does not fit the fast form.
    decimal: Option<i128>,
}

impl<'a> Parsed<'a> {
    fn of(text: &'a str) -> Self {
        if text == "0" {
            return Self {
                kept: text,
                format: "DecimalSI",
                ..Self::default()
            };
        }
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let negative = text.starts_with('-');
        let end = unsigned
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            digits => digits,
        };
        let (exponent, format) = suffix_of(suffix);
        let shifted = format!("{whole}{fraction}");
        let sign = |value: i64| if negative { -value } else { value };
        if format == "BinarySI" {
            let precision = 15 - i32::try_from(whole.len()).unwrap_or(i32::MAX) - exponent * 3 / 10 - 1;
            if fraction.is_empty()
                && precision >= 0
                && let Some(value) = shifted.parse::<i64>().ok()
                && let Some(result) = value.checked_mul(1 << exponent)
            {
                let kept = if exponent % 10 == 0 && value & 7 != 0 { text } else { "" };
                return Self {
                    value: sign(result),
                    scale: 0,
                    kept,
                    format,
                    decimal: None,
                };
            }
        } else {
            let precision = 18 - i32::try_from(shifted.len()).unwrap_or(i32::MAX);
            let scale = exponent - i32::try_from(fraction.len()).unwrap_or(0);
            if precision >= 0
                && scale >= -9
                && let Ok(value) = shifted.parse::<i64>()
            {
                let canonical = scale % 3 == 0 && !shifted.ends_with("000") && !shifted.starts_with('0');
                return Self {
                    value: sign(value),
                    scale,
                    kept: if canonical { text } else { "" },
                    format,
                    decimal: None,
                };
            }
        }
        let mut billionths = shifted.parse::<i128>().unwrap_or(i128::MAX);
        let places = 9 - i32::try_from(fraction.len()).unwrap_or(0) + if format == "BinarySI" { 0 } else { exponent };
        if format == "BinarySI" {
            billionths = billionths.saturating_mul(1 << exponent);
        }
        let factor = 10_i128.saturating_pow(places.unsigned_abs());
        billionths = if places >= 0 {
            billionths.saturating_mul(factor)
        } else {
            billionths / factor + i128::from(billionths % factor != 0)
        };
        if format == "BinarySI" {
            billionths = billionths.min(i128::from(i64::MAX) * 1_000_000_000);
        }
        Self {
            decimal: Some(if negative { -billionths } else { billionths }),
            format,
            ..Self::default()
        }
    }
}

/// Exponent (of two for binary suffixes, of ten otherwise) and format.
fn suffix_of(suffix: &str) -> (i32, &'static str) {
    let position = |list: &[&str]| {
        list.iter()
            .position(|own| *own == suffix)
            .and_then(|index| i32::try_from(index).ok())
    };
    if let Some(index) = position(&["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]) {
        return (10 * (index + 1), "BinarySI");
    }
    if let Some(index) = position(&["n", "u", "m", "", "k", "M", "G", "T", "P", "E"]) {
        return (3 * (index - 3), "DecimalSI");
    }
    (
        suffix.get(1..).and_then(|digits| digits.parse().ok()).unwrap_or(0),
        "DecimalExponent",
    )
}
