//! Durations as experiments write them: `90s`, `1m30s`, `300ms`, `1.5h`, `30d`.

use peapod_sim::time::SimDuration;

/// Reads a duration.
///
/// # Errors
/// What would be right.
pub fn parse(text: &str) -> Result<SimDuration, String> {
    let wrong = || format!("{text:?} is no duration; write a number and a unit, such as 10m, 90s, 1h30m or 300ms");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    if rest == "0" {
        return Ok(SimDuration::ZERO);
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(end);
        let unit_end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let unit: u128 = match unit {
            "d" => 86_400_000_000_000,
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" => 1_000,
            "ns" => 1,
            _ => return Err(wrong()),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.len() > 9 || whole.len() > 12 {
            return Err(wrong());
        }
        let digits = |text: &str| {
            if text.is_empty() {
                Ok(0)
            } else {
                text.parse::<u128>().map_err(|_| wrong())
            }
        };
        nanos += digits(whole)? * unit + digits(fraction)? * unit / 10_u128.pow(fraction.len() as u32);
        rest = tail;
    }
    u64::try_from(nanos)
        .map(SimDuration)
        .map_err(|_| format!("{text:?} is longer than any trial"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, millis) in [
            ("90s", Some(90_000)),
            ("1m30s", Some(90_000)),
            ("1h0m0s", Some(3_600_000)),
            ("300ms", Some(300)),
            ("1.5h", Some(5_400_000)),
            ("30d", Some(2_592_000_000)),
            ("0", Some(0)),
            ("10", None),
            ("10 m", None),
            ("m", None),
            ("ten minutes", None),
            ("", None),
            ("-5s", None),
            ("5x", None),
            ("999999999999d", None),
        ] {
            assert_eq!(parse(text).ok(), millis.map(SimDuration::from_millis), "{text}");
        }
    }
}
