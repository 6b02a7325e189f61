//! Durations as experiments write them: `90s`, `1m30s`, `300ms`, `1.5h`, `30d`.

use peapod_sim::time::{NoSpan, SimDuration};

/// Reads a duration.
///
/// # Errors
/// What would be right.
pub fn parse(text: &str) -> Result<SimDuration, String> {
    SimDuration::with_days(text.trim()).map_err(|error| match error {
        NoSpan::Form => {
            format!("{text:?} is no duration; write a number and a unit, such as 10m, 90s, 1h30m or 300ms")
        }
        NoSpan::Length => format!("{text:?} is longer than any trial"),
    })
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
