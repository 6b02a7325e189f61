//! Ages. The rules are those of `apimachinery/pkg/util/duration/duration.go`.

use jiff::Timestamp;
use serde_json::Value;

use crate::value::time;

/// A length of time in seconds, in about two units (`HumanDuration`).
#[must_use]
pub fn human_duration(seconds: i64) -> String {
    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |large: i64, unit: &str, small: i64, part: &str| {
        if small == 0 {
            format!("{large}{unit}")
        } else {
            format!("{large}{unit}{small}{part}")
        }
    };
    match seconds {
        ..=-2 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(seconds / 60, "m", seconds % 60, "s"),
        600..10_800 => format!("{}m", seconds / 60),
        10_800..28_800 => two(seconds / HOUR, "h", seconds % HOUR / 60, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two(seconds / YEAR, "y", seconds % YEAR / DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

/// A length of time in seconds, in one unit (`ShortHumanDuration`).
#[must_use]
pub fn short_human_duration(seconds: i64) -> String {
    match seconds {
        ..=-2 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        86_400..31_536_000 => format!("{}d", seconds / 86_400),
        _ => format!("{}y", seconds / 31_536_000),
    }
}

/// How long ago `then` was.
#[must_use]
pub fn since(then: Timestamp, now: Timestamp) -> String {
    // Go divides the duration by a second and cuts the fraction off.
    human_duration(now.duration_since(then).as_secs())
}

/// How long ago the time at a JSON pointer was, `<unknown>` if there is no time.
#[must_use]
pub fn age(object: &Value, pointer: &str, now: Timestamp) -> String {
    time(object, pointer).map_or_else(|| "<unknown>".to_owned(), |then| since(then, now))
}

/// A duration as Go writes it (`time.Duration.String`): `1m30s`, `1h0m0s`, `1.5s`, `500ms`.
#[must_use]
pub fn go_duration(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    if millis < 1000 {
        return if millis == 0 {
            "0s".to_owned()
        } else {
            format!("{sign}{millis}ms")
        };
    }
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let seconds = format!("{}s", rest as f64 / 1000.0);
    match minutes {
        0 => format!("{sign}{seconds}"),
        1..60 => format!("{sign}{minutes}m{seconds}"),
        _ => format!("{sign}{}h{}m{seconds}", minutes / 60, minutes % 60),
    }
}
