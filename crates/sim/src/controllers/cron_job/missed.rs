//! Which time of a schedule a Job is due for (`pkg/controller/cronjob/utils.go`).

use jiff::{SignedDuration, Timestamp};

use super::schedule::Schedule;

/// Past a time the next is looked for this much later, so that clocks agree that it has come (`nextScheduleDelta`).
pub const DELTA: SignedDuration = SignedDuration::from_millis(100);

/// How many times of the schedule have passed unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// None, or the one that is due.
    None,
    /// Some.
    Few,
    /// More than a hundred, as far as can be estimated.
    Many,
}

/// What the times are counted from.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    /// When the CronJob was created.
    pub created: Timestamp,
    /// The time that a Job was made for last.
    pub last: Option<Timestamp>,
    /// How late a Job may start, in seconds.
    pub deadline: Option<i64>,
}

impl Since {
    /// The earliest time that counts, the newest that has passed, and how many passed unused (`mostRecentScheduleTime`).
    ///
    /// # Errors
    /// What is wrong with a schedule that never comes.
    pub fn most_recent(
        &self,
        now: Timestamp,
        schedule: &Schedule,
        with_deadline: bool,
    ) -> Result<(Timestamp, Option<Timestamp>, Missed), String> {
        let mut earliest = self.last.unwrap_or(self.created);
        if let Some(seconds) = self.deadline.filter(|_| with_deadline)
            && let Ok(limit) = now.checked_sub(SignedDuration::from_secs(seconds))
        {
            earliest = earliest.max(limit);
        }
        let Some(first) = schedule.next(earliest) else {
            return Err("time difference between two schedules is less than 1 second".to_owned());
        };
        if now < first {
            return Ok((earliest, None, Missed::None));
        }
        let Some(second) = schedule.next(first).filter(|second| *second <= now) else {
            return Ok((earliest, Some(first), Missed::None));
        };
        let between = second.duration_since(first).as_secs().max(1);
        let missed = now.duration_since(first).as_secs() / between + 1;
        let start = first
            .checked_add(SignedDuration::from_secs((missed - 2) * between))
            .unwrap_or(first);
        let mut recent = None;
        let mut next = schedule.next(start);
        while let Some(time) = next.filter(|time| *time <= now) {
            recent = Some(time);
            next = schedule.next(time);
        }
        Ok((earliest, recent, if missed > 100 { Missed::Many } else { Missed::Few }))
    }

    /// The time that a Job is due for now, if there is one (`nextScheduleTime`).
    ///
    /// # Errors
    /// What is wrong with a schedule that never comes.
    pub fn due(&self, now: Timestamp, schedule: &Schedule) -> Result<(Option<Timestamp>, Missed), String> {
        let (_, recent, missed) = self.most_recent(now, schedule, true)?;
        Ok((recent, missed))
    }

    /// How long until the CronJob is looked at again (`nextScheduleTimeDuration`).
    pub fn requeue(&self, now: Timestamp, schedule: &Schedule) -> Option<SignedDuration> {
        let (earliest, recent, missed) = self.most_recent(now, schedule, false).ok()?;
        let from = recent.unwrap_or(if missed == Missed::None { earliest } else { now });
        Some(schedule.next(from)?.duration_since(now) + DELTA)
    }
}
