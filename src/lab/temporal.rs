//! Expectations over time: what `eventually`, `always`, `never`, `finally` and `until` make of a value that changes at
//! single instants.
//!
//! A [`Watch`] is told each change; between two changes the value stays. So the answer is that of a look at every
//! instant, and `within`, `for` and `after` are exact.

use peapod_sim::time::{SimDuration, SimTime};

use super::model::{ExpectationOutcome, Outcome};

/// The forms of an expectation whose truth depends on time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// At some instant.
    Eventually,
    /// At every instant.
    Always,
    /// At none.
    Never,
    /// At the end.
    Finally,
    /// The first value until the second.
    Until,
}

/// The bounds of an expectation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Looked at only from this long after the start.
    pub after: Option<SimDuration>,
    /// To be decided within this long of `after`.
    pub within: Option<SimDuration>,
    /// Without a break for this long.
    pub lasting: Option<SimDuration>,
}

/// How the observation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// At its time: what is not decided stays so.
    Reached,
    /// Nothing would change any more: the last value stays for ever.
    Settled,
    /// Before its time: nothing can be said that was not said before.
    Broken,
}

/// One expectation in one trial.
#[derive(Clone, Debug)]
pub struct Watch {
    form: Form,
    start: SimTime,
    deadline: Option<SimTime>,
    lasting: Option<SimDuration>,
    /// The values, and since when they are so.
    current: Option<(bool, bool)>,
    last: SimTime,
    /// Since when the first value is as `for` asks.
    since: Option<SimTime>,
    decided: Option<(Outcome, SimTime)>,
}

impl Watch {
    /// An expectation that has seen nothing yet.
    pub fn new(form: Form, bounds: Bounds) -> Self {
        let start = SimTime::ZERO + bounds.after.unwrap_or_default();
        let mut deadline = bounds.within.map(|within| start + within);
        let mut lasting = bounds.lasting;
        if form == Form::Always
            && let Some(lasting) = lasting.take()
        {
            let end = start + lasting;
            deadline = Some(deadline.map_or(end, |deadline| deadline.min(end)));
        }
        Self {
            form,
            start,
            deadline,
            lasting,
            current: None,
            last: SimTime::ZERO,
            since: None,
            decided: None,
        }
    }

    /// Whether nothing can change the outcome any more.
    pub fn is_decided(&self) -> bool {
        self.decided.is_some()
    }

    /// From this instant on the values are these (the second one matters to `until` alone).
    pub fn look(&mut self, now: SimTime, first: bool, second: bool) {
        self.pass(now);
        if self.decided.is_some() {
            return;
        }
        self.current = Some((first, second));
        self.last = now;
        let wanted = self.wanted(first);
        if wanted {
            self.since.get_or_insert(now.max(self.start));
        } else {
            self.since = None;
        }
        self.at(now);
    }

    /// Time passes with the values as they are.
    pub fn pass(&mut self, now: SimTime) {
        if self.decided.is_some() || now < self.last {
            return;
        }
        if self.last < self.start && now >= self.start {
            self.at(self.start);
        }
        if self.decided.is_some() {
            return;
        }
        // `for` may be fulfilled between two changes.
        if let (Some(lasting), Some(since)) = (self.lasting, self.since)
            && matches!(self.form, Form::Eventually | Form::Never)
            && since + lasting <= now
            && self.deadline.is_none_or(|deadline| since + lasting <= deadline)
        {
            let outcome = if self.form == Form::Eventually {
                Outcome::Holds
            } else {
                Outcome::Fails
            };
            self.decided = Some((outcome, since + lasting));
            return;
        }
        if let Some(deadline) = self.deadline
            && now > deadline
            && self.current.is_some()
        {
            let outcome = match self.form {
                Form::Eventually | Form::Until => Outcome::Fails,
                Form::Always | Form::Never => Outcome::Holds,
                Form::Finally => return,
            };
            self.decided = Some((outcome, deadline));
        }
    }

    /// Whether the value is one that the form waits for.
    fn wanted(&self, first: bool) -> bool {
        match self.form {
            Form::Eventually | Form::Never | Form::Finally => first,
            Form::Always | Form::Until => !first,
        }
    }

    /// Decides what the present values decide at an instant of the window.
    fn at(&mut self, now: SimTime) {
        let Some((first, second)) = self.current else { return };
        if now < self.start || self.deadline.is_some_and(|deadline| now > deadline) {
            return;
        }
        let immediate = self.lasting.is_none();
        self.decided = match self.form {
            Form::Eventually if immediate && first => Some((Outcome::Holds, now)),
            Form::Never if immediate && first => Some((Outcome::Fails, now)),
            Form::Always if !first => Some((Outcome::Fails, now)),
            Form::Until if second => Some((Outcome::Holds, now)),
            Form::Until if !first => Some((Outcome::Fails, now)),
            _ => None,
        };
    }

    /// The observation ends at this instant.
    pub fn finish(&mut self, end: SimTime, how: End) -> (Outcome, Option<SimTime>) {
        self.pass(end);
        if how == End::Settled {
            // What has not come by now never comes; what lasts, lasts.
            self.pass(SimTime(u64::MAX));
        }
        if let Some((outcome, at)) = self.decided {
            return (outcome, Some(at));
        }
        let too_early = self.deadline.is_some_and(|deadline| end < deadline) || end < self.start;
        if how == End::Broken || self.current.is_none() || too_early && how == End::Reached {
            return (Outcome::Undecided, None);
        }
        let outcome = match self.form {
            Form::Eventually | Form::Until => Outcome::Fails,
            Form::Always | Form::Never => Outcome::Holds,
            Form::Finally => {
                let long_enough = match (self.lasting, self.since) {
                    (None, _) => true,
                    (Some(lasting), Some(since)) => how == End::Settled || since + lasting <= end,
                    (Some(_), None) => false,
                };
                let holds = self.current.is_some_and(|(first, _)| first) && long_enough;
                if holds { Outcome::Holds } else { Outcome::Fails }
            }
        };
        (outcome, Some(end))
    }
}

/// The outcome of an expectation with its sentence.
pub fn outcome(outcome: Outcome, at: Option<SimTime>, message: String) -> ExpectationOutcome {
    ExpectationOutcome {
        outcome,
        at,
        message: if outcome == Outcome::Holds {
            String::new()
        } else {
            message
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    fn span(seconds: u64) -> Option<SimDuration> {
        Some(SimDuration::from_secs(seconds))
    }

    /// Changes as `(second, value)`, then the end.
    fn run(form: Form, bounds: Bounds, changes: &[(u64, bool)], end: u64, how: End) -> (Outcome, Option<u64>) {
        let mut watch = Watch::new(form, bounds);
        for (at, value) in changes {
            watch.look(secs(*at), *value, false);
        }
        let (outcome, at) = watch.finish(secs(end), how);
        (outcome, at.map(SimTime::as_secs))
    }

    #[test]
    fn forms_without_bounds() {
        use Outcome::{Fails, Holds};
        let late = &[(0, false), (5, true), (6, false)][..];
        let all = &[(0, true)][..];
        for (form, changes, expected) in [
            (Form::Eventually, late, (Holds, Some(5))),
            (Form::Eventually, &[(0, false)][..], (Fails, Some(10))),
            (Form::Never, late, (Fails, Some(5))),
            (Form::Never, &[(0, false)], (Holds, Some(10))),
            (Form::Always, late, (Fails, Some(0))),
            (Form::Always, all, (Holds, Some(10))),
            (Form::Finally, late, (Fails, Some(10))),
            (Form::Finally, all, (Holds, Some(10))),
        ] {
            assert_eq!(
                run(form, Bounds::default(), changes, 10, End::Reached),
                expected,
                "{form:?} {changes:?}"
            );
        }
        // Two writes at one instant: the value between them counts.
        let flash = &[(0, false), (3, true), (3, false)][..];
        assert_eq!(
            run(Form::Eventually, Bounds::default(), flash, 10, End::Reached),
            (Holds, Some(3))
        );
        assert_eq!(
            run(Form::Never, Bounds::default(), flash, 10, End::Reached),
            (Fails, Some(3))
        );
    }

    #[test]
    fn bounds() {
        use Outcome::{Fails, Holds, Undecided};
        let within = Bounds {
            within: span(4),
            ..Bounds::default()
        };
        let after = Bounds {
            after: span(4),
            ..Bounds::default()
        };
        let both = Bounds {
            after: span(4),
            within: span(4),
            lasting: None,
        };
        let lasting = Bounds {
            lasting: span(3),
            ..Bounds::default()
        };
        let late = &[(0, false), (5, true), (9, false)][..];
        let early = &[(0, true), (2, false)][..];
        for (form, bounds, changes, expected) in [
            (Form::Eventually, within, late, (Fails, Some(4))),
            (Form::Eventually, within, &[(0, false), (4, true)][..], (Holds, Some(4))),
            (Form::Never, within, late, (Holds, Some(4))),
            (Form::Always, within, &[(0, true), (5, false)], (Holds, Some(4))),
            (Form::Eventually, after, early, (Fails, Some(20))),
            (Form::Eventually, after, &[(0, true)], (Holds, Some(4))),
            (Form::Never, after, early, (Holds, Some(20))),
            (Form::Always, after, &[(0, false), (3, true)], (Holds, Some(20))),
            (Form::Always, after, &[(0, true), (1, false)], (Fails, Some(4))),
            (Form::Eventually, both, late, (Holds, Some(5))),
            (Form::Eventually, both, &[(0, false), (9, true)], (Fails, Some(8))),
            (Form::Eventually, lasting, late, (Holds, Some(8))),
            (Form::Eventually, lasting, early, (Fails, Some(20))),
            (Form::Never, lasting, early, (Holds, Some(20))),
            (Form::Never, lasting, late, (Fails, Some(8))),
            (Form::Always, lasting, &[(0, true), (4, false)], (Holds, Some(3))),
            (Form::Finally, lasting, &[(0, false), (18, true)], (Fails, Some(20))),
            (Form::Finally, lasting, &[(0, false), (17, true)], (Holds, Some(20))),
        ] {
            assert_eq!(
                run(form, bounds, changes, 20, End::Reached),
                expected,
                "{form:?} {bounds:?} {changes:?}"
            );
        }
        // The end comes before the bound.
        let long = Bounds {
            within: span(60),
            ..Bounds::default()
        };
        assert_eq!(
            run(Form::Eventually, long, &[(0, false)], 20, End::Reached),
            (Undecided, None)
        );
        assert_eq!(
            run(Form::Eventually, long, &[(0, false)], 20, End::Settled),
            (Fails, Some(60))
        );
        assert_eq!(
            run(Form::Always, long, &[(0, true)], 20, End::Settled),
            (Holds, Some(60))
        );
        assert_eq!(
            run(Form::Eventually, lasting, &[(0, false), (19, true)], 20, End::Settled),
            (Holds, Some(22))
        );
        let far = Bounds {
            after: span(60),
            ..Bounds::default()
        };
        assert_eq!(
            run(Form::Always, far, &[(0, true)], 20, End::Reached),
            (Undecided, None)
        );
        // A trial that broke off says nothing new, and keeps what was decided.
        assert_eq!(
            run(Form::Always, Bounds::default(), &[(0, true)], 20, End::Broken),
            (Undecided, None)
        );
        assert_eq!(
            run(Form::Never, Bounds::default(), &[(0, true)], 20, End::Broken),
            (Fails, Some(0))
        );
    }

    #[test]
    fn until() {
        use Outcome::{Fails, Holds};
        let run = |changes: &[(u64, bool, bool)]| {
            let mut watch = Watch::new(Form::Until, Bounds::default());
            for (at, first, second) in changes {
                watch.look(secs(*at), *first, *second);
            }
            let (outcome, at) = watch.finish(secs(20), End::Reached);
            (outcome, at.map(SimTime::as_secs))
        };
        assert_eq!(run(&[(0, true, false), (5, false, true)]), (Holds, Some(5)));
        assert_eq!(
            run(&[(0, true, false), (5, false, false), (6, true, true)]),
            (Fails, Some(5))
        );
        assert_eq!(run(&[(0, true, false)]), (Fails, Some(20)));
        assert_eq!(run(&[(0, false, true)]), (Holds, Some(0)));
    }
}
