//! Spans of time as a reader of either language writes them.

use peapod_sim::time::{SimDuration, SimTime};

use super::Lang;

/// A span for prose: `3분 14초`, `3 min 14 s`. Parts that are zero are left out; below a minute tenths are kept, below a
/// second milliseconds.
pub fn span(lang: Lang, span: SimDuration) -> String {
    let nanos = span.0;
    if nanos == 0 {
        return match lang {
            Lang::Ko => "0초".to_owned(),
            Lang::En => "0 s".to_owned(),
        };
    }
    if nanos < 1_000_000_000 {
        let millis = nanos.div_ceil(1_000_000);
        return match lang {
            Lang::Ko => format!("{millis}밀리초"),
            Lang::En => format!("{millis} ms"),
        };
    }
    if nanos < 60_000_000_000 {
        let tenths = (nanos + 50_000_000) / 100_000_000;
        let number = if tenths.is_multiple_of(10) {
            (tenths / 10).to_string()
        } else {
            format!("{}.{}", tenths / 10, tenths % 10)
        };
        return match lang {
            Lang::Ko => format!("{number}초"),
            Lang::En => format!("{number} s"),
        };
    }
    let seconds = (nanos + 500_000_000) / 1_000_000_000;
    let parts = [
        (seconds / 86_400, "일", "d"),
        (seconds / 3600 % 24, "시간", "h"),
        (seconds / 60 % 60, "분", "min"),
        (seconds % 60, "초", "s"),
    ];
    let words: Vec<String> = parts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, ko, en)| match lang {
            Lang::Ko => format!("{count}{ko}"),
            Lang::En => format!("{count} {en}"),
        })
        .collect();
    words.join(" ")
}

/// An instant of a trial for a clock: `3:14.250`, `1:00:00.000`.
pub fn clock(at: SimTime) -> String {
    let millis = at.0 / 1_000_000;
    let (seconds, rest) = (millis / 1000, millis % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}.{rest:03}")
    } else {
        format!("{minutes}:{seconds:02}.{rest:03}")
    }
}

/// How long ago something was, in words: `방금`, `3분 전`, `2 days ago`.
pub fn ago(lang: Lang, seconds: i64) -> String {
    let (count, ko, en) = match seconds {
        i64::MIN..=44 => {
            return match lang {
                Lang::Ko => "방금".to_owned(),
                Lang::En => "just now".to_owned(),
            };
        }
        45..=3599 => ((seconds + 30) / 60, "분", "minute"),
        3600..=86_399 => (seconds / 3600, "시간", "hour"),
        _ => (seconds / 86_400, "일", "day"),
    };
    match lang {
        Lang::Ko => format!("{count}{ko} 전"),
        Lang::En if count == 1 => format!("1 {en} ago"),
        Lang::En => format!("{count} {en}s ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_naturally() {
        for (millis, ko, en) in [
            (0, "0초", "0 s"),
            (11, "11밀리초", "11 ms"),
            (2_000, "2초", "2 s"),
            (2_340, "2.3초", "2.3 s"),
            (194_250, "3분 14초", "3 min 14 s"),
            (600_000, "10분", "10 min"),
            (5_400_000, "1시간 30분", "1 h 30 min"),
            (90_000_000, "1일 1시간", "1 d 1 h"),
        ] {
            assert_eq!(span(Lang::Ko, SimDuration::from_millis(millis)), ko);
            assert_eq!(span(Lang::En, SimDuration::from_millis(millis)), en);
        }
    }

    #[test]
    fn clocks_and_ages() {
        assert_eq!(clock(SimTime(194_250_000_000)), "3:14.250");
        assert_eq!(clock(SimTime(3_600_000_000_000)), "1:00:00.000");
        for (seconds, ko, en) in [
            (-5, "방금", "just now"),
            (60, "1분 전", "1 minute ago"),
            (7200, "2시간 전", "2 hours ago"),
            (86_400, "1일 전", "1 day ago"),
        ] {
            assert_eq!(ago(Lang::Ko, seconds), ko);
            assert_eq!(ago(Lang::En, seconds), en);
        }
    }
}
