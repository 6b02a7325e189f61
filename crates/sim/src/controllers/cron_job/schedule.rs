//! Cron schedules as `robfig/cron` reads them: five fields, or a word such as `@hourly`.

use jiff::{SignedDuration, Timestamp, civil};

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Instants whose fields match.
    Fields(Fields),
    /// `@every`: a fixed span after the last time.
    Every(SignedDuration),
}

/// The values that each field allows, one bit a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    minute: u64,
    hour: u64,
    day: Field,
    month: u64,
    weekday: Field,
}

/// A field whose star counts: days match by date and weekday when one of both is a star, else by either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Field {
    bits: u64,
    star: bool,
}

/// Years that are searched for the next time.
const SEARCHED_YEARS: i16 = 5;

impl Schedule {
    /// Reads a schedule (`ParseStandard`).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("empty spec string".to_owned());
        }
        if let Some(span) = text.strip_prefix("@every ") {
            let span = duration(span)
                .ok_or_else(|| format!("failed to parse duration {text}: time: invalid duration {span:?}"))?;
            // Spans are whole seconds, one at least.
            return Ok(Self::Every(SignedDuration::from_secs(span.as_secs().max(1))));
        }
        let text = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            word if word.starts_with('@') => return Err(format!("unrecognized descriptor: {word}")),
            fields => fields,
        };
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = parts[..] else {
            return Err(format!("expected exactly 5 fields, found {}: {parts:?}", parts.len()));
        };
        let months = [
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ];
        let days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
        Ok(Self::Fields(Fields {
            minute: field(minute, 0, 59, &[])?.bits,
            hour: field(hour, 0, 23, &[])?.bits,
            day: field(day, 1, 31, &[])?,
            month: field(month, 1, 12, &months)?.bits,
            weekday: field(weekday, 0, 6, &days)?,
        }))
    }

    /// The first time after an instant, in UTC; `None` when there is none within five years.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let whole = Timestamp::from_second(after.as_second()).ok()?;
        let fields = match self {
            Self::Every(span) => return whole.checked_add(*span).ok(),
            Self::Fields(fields) => fields,
        };
        let utc = jiff::tz::TimeZone::UTC;
        let start = utc.to_datetime(
            whole
                .checked_add(SignedDuration::from_secs(60 - whole.as_second().rem_euclid(60)))
                .ok()?,
        );
        let last_year = start.year() + SEARCHED_YEARS;
        let mut date = start.date();
        let mut time = (start.hour(), start.minute());
        while date.year() <= last_year {
            if fields.allows(date)
                && let Some((hour, minute)) = fields.time_from(time)
            {
                return utc.to_timestamp(date.at(hour, minute, 0, 0)).ok();
            }
            date = date.tomorrow().ok()?;
            time = (0, 0);
        }
        None
    }
}

fn has(bits: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| bits >> value & 1 == 1)
}

impl Fields {
    fn allows(&self, date: civil::Date) -> bool {
        let day = has(self.day.bits, date.day());
        let weekday = has(self.weekday.bits, date.weekday().to_sunday_zero_offset());
        let both = if self.day.star || self.weekday.star {
            day && weekday
        } else {
            day || weekday
        };
        has(self.month, date.month()) && both
    }

    /// The first time of a day that is not before `from`.
    fn time_from(&self, from: (i8, i8)) -> Option<(i8, i8)> {
        (from.0..24).filter(|hour| has(self.hour, *hour)).find_map(|hour| {
            let first = if hour == from.0 { from.1 } else { 0 };
            (first..60)
                .find(|minute| has(self.minute, *minute))
                .map(|minute| (hour, minute))
        })
    }
}

fn field(text: &str, min: u32, max: u32, names: &[&str]) -> Result<Field, String> {
    let mut all = Field::default();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let own = range(part, min, max, names)?;
        all.bits |= own.bits;
        all.star |= own.star;
    }
    if all.bits == 0 {
        return Err(format!("a field of the schedule is empty: {text}"));
    }
    Ok(all)
}

/// `number | number "-" number [ "/" number ]`, `*` and `?` being all.
fn range(text: &str, min: u32, max: u32, names: &[&str]) -> Result<Field, String> {
    let number = |word: &str| -> Result<u32, String> {
        let lower = word.to_lowercase();
        if let Some(index) = names.iter().position(|name| *name == lower) {
            return Ok(min + u32::try_from(index).unwrap_or(0));
        }
        word.parse().map_err(|_| not_a_number(word))
    };
    let mut parts = text.split('/');
    let (span, step, rest) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let mut limits = span.split('-');
    let (low, high, more) = (limits.next().unwrap_or_default(), limits.next(), limits.next());
    if more.is_some() {
        return Err(format!("too many hyphens: {text}"));
    }
    if rest.is_some() {
        return Err(format!("too many slashes: {text}"));
    }
    let mut star = matches!(low, "*" | "?");
    let (start, mut end) = if star {
        (min, max)
    } else {
        let start = number(low)?;
        (start, high.map_or(Ok(start), number)?)
    };
    let step = match step {
        None => 1,
        Some(step) => {
            let step = step.parse::<u32>().map_err(|_| not_a_number(step))?;
            if high.is_none() && !star {
                // `5/15` is `5-59/15`.
                end = max;
            }
            star &= step <= 1;
            step
        }
    };
    if start < min {
        return Err(format!("beginning of range ({start}) below minimum ({min}): {text}"));
    }
    if end > max {
        return Err(format!("end of range ({end}) above maximum ({max}): {text}"));
    }
    if start > end {
        return Err(format!(
            "beginning of range ({start}) beyond end of range ({end}): {text}"
        ));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {text}"));
    }
    let bits = (start..=end)
        .step_by(usize::try_from(step).unwrap_or(1))
        .fold(0, |bits, value| bits | 1 << value);
    Ok(Field { bits, star })
}

fn not_a_number(word: &str) -> String {
    format!("failed to parse int from {word}: strconv.Atoi: parsing {word:?}: invalid syntax")
}

/// A span as Go writes it, such as `1h30m`.
fn duration(text: &str) -> Option<SignedDuration> {
    let (mut rest, mut total) = (text.trim(), 0.0_f64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let unit_end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        total += number
            * match &rest[..unit_end] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[unit_end..];
    }
    SignedDuration::try_from_secs_f64(total).ok()
}
