//! Flags as kubectl's command library reads them: `--name value`, `--name=value`, `-nvalue`, `-n value`, grouped
//! short switches, flags and arguments mixed, everything after `--` kept apart.

/// How a flag takes its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// A switch: true when given alone, `--name=false` allowed.
    Switch,
    /// A value is needed.
    Value,
    /// A value only after `=`; alone it means the text here.
    Or(&'static str),
}

/// One flag of one command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    pub long: &'static str,
    pub short: Option<char>,
    pub takes: Takes,
}

/// A switch.
pub(crate) const fn switch(long: &'static str) -> Flag {
    Flag {
        long,
        short: None,
        takes: Takes::Switch,
    }
}

/// A flag with a value.
pub(crate) const fn value(long: &'static str) -> Flag {
    Flag {
        long,
        short: None,
        takes: Takes::Value,
    }
}

/// Switches that have no short form.
pub(crate) const fn switches<const N: usize>(names: [&'static str; N]) -> [Flag; N] {
    let mut flags = [switch(""); N];
    let mut at = 0;
    while at < N {
        flags[at].long = names[at];
        at += 1;
    }
    flags
}

/// Flags with a value that have no short form.
pub(crate) const fn values<const N: usize>(names: [&'static str; N]) -> [Flag; N] {
    let mut flags = [value(""); N];
    let mut at = 0;
    while at < N {
        flags[at].long = names[at];
        at += 1;
    }
    flags
}

impl Flag {
    /// The same with a short form.
    pub(crate) const fn short(mut self, short: char) -> Flag {
        self.short = Some(short);
        self
    }

    /// The same with a meaning when no value is given.
    pub(crate) const fn or(mut self, default: &'static str) -> Flag {
        self.takes = Takes::Or(default);
        self
    }
}

/// Flags that every command takes. Those that choose a server are read and ignored: there is one.
pub(crate) const GLOBAL: &[Flag] = &[
    value("namespace").short('n'),
    value("context"),
    value("cluster"),
    value("user"),
    value("kubeconfig"),
    value("request-timeout"),
    value("as"),
    value("v").short('v'),
    switch("warnings-as-errors"),
];

/// What was given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    values: Vec<(&'static str, String)>,
    /// Words that are no flags, before `--`.
    pub args: Vec<String>,
    /// Words after `--`, if it was given.
    pub rest: Option<Vec<String>>,
}

impl Given {
    /// Reads `words` by `flags`.
    ///
    /// # Errors
    /// The library's own words for a flag that is unknown or lacks its value.
    pub(crate) fn read(words: &[String], flags: &[Flag]) -> Result<Given, String> {
        let mut given = Given::default();
        let mut words = words.iter();
        let all = || flags.iter().chain(GLOBAL);
        while let Some(word) = words.next() {
            if word == "--" {
                given.rest = Some(words.cloned().collect());
                break;
            } else if let Some(long) = word.strip_prefix("--") {
                let (name, mut text) = match long.split_once('=') {
                    Some((name, text)) => (name, Some(text.to_owned())),
                    None => (long, None),
                };
                let Some(flag) = all().find(|flag| flag.long == name) else {
                    return Err(format!("unknown flag: --{name}"));
                };
                if text.is_none() {
                    text = match flag.takes {
                        Takes::Switch => Some("true".to_owned()),
                        Takes::Or(default) => Some(default.to_owned()),
                        Takes::Value => Some(
                            words
                                .next()
                                .cloned()
                                .ok_or_else(|| format!("flag needs an argument: --{name}"))?,
                        ),
                    };
                }
                given.push(flag, text.unwrap_or_default())?;
            } else if word.len() > 1 && word.starts_with('-') {
                for (index, short) in word[1..].char_indices() {
                    let Some(flag) = all().find(|flag| flag.short == Some(short)) else {
                        return Err(format!("unknown shorthand flag: '{short}' in {word}"));
                    };
                    let rest = &word[1 + index + short.len_utf8()..];
                    if let Some(text) = rest.strip_prefix('=') {
                        given.push(flag, text.to_owned())?;
                        break;
                    }
                    match flag.takes {
                        Takes::Switch => given.push(flag, "true".to_owned())?,
                        Takes::Or(default) => given.push(flag, default.to_owned())?,
                        Takes::Value => {
                            let text = if rest.is_empty() {
                                words
                                    .next()
                                    .cloned()
                                    .ok_or_else(|| format!("flag needs an argument: '{short}' in {word}"))?
                            } else {
                                rest.to_owned()
                            };
                            given.push(flag, text)?;
                            break;
                        }
                    }
                }
            } else {
                given.args.push(word.clone());
            }
        }
        Ok(given)
    }

    fn push(&mut self, flag: &Flag, text: String) -> Result<(), String> {
        if flag.takes == Takes::Switch && parse_bool(&text).is_none() {
            let spelled = match flag.short {
                Some(short) => format!("-{short}, --{}", flag.long),
                None => format!("--{}", flag.long),
            };
            return Err(format!(
                "invalid argument \"{text}\" for \"{spelled}\" flag: strconv.ParseBool: parsing \"{text}\": invalid syntax"
            ));
        }
        self.values.push((flag.long, text));
        Ok(())
    }

    /// The last value of a flag.
    pub(crate) fn get(&self, long: &str) -> Option<&str> {
        self.values
            .iter()
            .rev()
            .find(|(name, _)| *name == long)
            .map(|(_, text)| text.as_str())
    }

    /// All values of a flag that may be repeated.
    pub(crate) fn all(&self, long: &str) -> Vec<String> {
        self.values
            .iter()
            .filter(|(name, _)| *name == long)
            .map(|(_, text)| text.clone())
            .collect()
    }

    /// Whether a switch is on.
    pub(crate) fn on(&self, long: &str) -> bool {
        self.get(long).and_then(parse_bool).unwrap_or(false)
    }

    /// The value of a flag, owned.
    pub(crate) fn text(&self, long: &str) -> Option<String> {
        self.get(long).map(str::to_owned)
    }

    /// The value of a flag that takes a whole number.
    ///
    /// # Errors
    /// The library's own words for something that is no number.
    pub(crate) fn int(&self, long: &str) -> Result<Option<i64>, String> {
        self.get(long)
            .map(|text| {
                text.parse().map_err(|_| {
                    format!("invalid argument \"{text}\" for \"--{long}\" flag: strconv.ParseInt: parsing \"{text}\": invalid syntax")
                })
            })
            .transpose()
    }

    /// The value of a flag that takes a Go duration, in milliseconds.
    ///
    /// # Errors
    /// The library's own words for something that is no duration.
    pub(crate) fn duration(&self, long: &str) -> Result<Option<i64>, String> {
        self.get(long)
            .map(|text| {
                go_duration(text).ok_or_else(|| {
                    format!("invalid argument \"{text}\" for \"--{long}\" flag: time: invalid duration \"{text}\"")
                })
            })
            .transpose()
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A duration as Go's `time.ParseDuration` reads it (`1m30s`, `500ms`, `-1s`, `0`), in milliseconds.
pub(crate) fn go_duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let (unit, scale) = [
            ("ms", 1.0),
            ("us", 1e-3),
            ("µs", 1e-3),
            ("ns", 1e-6),
            ("h", 3.6e6),
            ("m", 6e4),
            ("s", 1e3),
        ]
        .into_iter()
        .find(|(unit, _)| rest.starts_with(unit))?;
        total += number * scale;
        rest = &rest[unit.len()..];
    }
    Some((sign * total) as i64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn flags_are_read_in_every_form() {
        let flags = [
            value("output").short('o'),
            switch("watch").short('w'),
            switch("all").short('A'),
            value("dry-run").or("unchanged"),
        ];
        let words: Vec<String> = ["a", "-ojson", "-wA", "--dry-run", "b", "--namespace=x", "--", "-c", "d"]
            .map(str::to_owned)
            .to_vec();
        let given = Given::read(&words, &flags).unwrap();
        assert_eq!(given.args, ["a", "b"]);
        assert_eq!(
            (given.get("output"), given.on("watch"), given.on("all")),
            (Some("json"), true, true)
        );
        assert_eq!(
            (given.get("dry-run"), given.get("namespace")),
            (Some("unchanged"), Some("x"))
        );
        assert_eq!(given.rest.unwrap(), ["-c", "d"]);
        for (word, error) in [
            ("--frob", "unknown flag: --frob"),
            ("-x", "unknown shorthand flag: 'x' in -x"),
            ("-o", "flag needs an argument: 'o' in -o"),
            ("--output", "flag needs an argument: --output"),
        ] {
            assert_eq!(Given::read(&[word.to_owned()], &flags).unwrap_err(), error);
        }
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("30s", Some(30_000)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            ("0", Some(0)),
            ("-1s", Some(-1000)),
            ("5", None),
            ("", None),
            ("1x", None),
        ] {
            assert_eq!(go_duration(text), expected, "{text}");
        }
    }
}
