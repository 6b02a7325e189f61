//! Options of applets, as `getopt` reads them.

use std::sync::Arc;

/// Options and operands of a command line.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    given: Vec<(char, Option<String>)>,
    pub operands: Vec<Arc<str>>,
}

impl Options {
    /// Reads options. `letters` is as in `getopt`: a letter, with `:` after it when it takes a value. `long` maps long names
    /// to letters. With a leading `+`, operands end the options.
    ///
    /// # Errors
    /// busybox's words for an option that is not known or lacks its value.
    pub fn parse(letters: &str, long: &[(&str, char)], arguments: &[Arc<str>]) -> Result<Self, String> {
        let (stop, letters) = letters
            .strip_prefix('+')
            .map_or((false, letters), |letters| (true, letters));
        let mut options = Self::default();
        let mut rest = arguments.iter();
        let takes_value = |letter: char| {
            letters
                .find(letter)
                .map(|at| letters[at + letter.len_utf8()..].starts_with(':'))
        };
        while let Some(argument) = rest.next() {
            if &**argument == "--" {
                options.operands.extend(rest.cloned());
                break;
            }
            if let Some(name) = argument.strip_prefix("--") {
                let (name, value) = name
                    .split_once('=')
                    .map_or((name, None), |(name, value)| (name, Some(value.to_owned())));
                let Some(&(_, letter)) = long.iter().find(|(own, _)| *own == name) else {
                    return Err(format!("unrecognized option '--{name}'"));
                };
                let value = match (takes_value(letter), value) {
                    (Some(true), None) => Some(
                        rest.next()
                            .ok_or_else(|| format!("option '--{name}' requires an argument"))?
                            .to_string(),
                    ),
                    (_, value) => value,
                };
                options.given.push((letter, value));
                continue;
            }
            let Some(flags) = argument.strip_prefix('-').filter(|flags| !flags.is_empty()) else {
                options.operands.push(Arc::clone(argument));
                if stop {
                    options.operands.extend(rest.cloned());
                    break;
                }
                continue;
            };
            let mut flags = flags.chars();
            while let Some(letter) = flags.next() {
                match takes_value(letter) {
                    None => return Err(format!("invalid option -- '{letter}'")),
                    Some(false) => options.given.push((letter, None)),
                    Some(true) => {
                        let own: String = flags.by_ref().collect();
                        let value = if own.is_empty() {
                            rest.next()
                                .ok_or_else(|| format!("option requires an argument -- '{letter}'"))?
                                .to_string()
                        } else {
                            own
                        };
                        options.given.push((letter, Some(value)));
                    }
                }
            }
        }
        Ok(options)
    }

    /// Whether an option was given.
    pub fn has(&self, letter: char) -> bool {
        self.given.iter().any(|(own, _)| *own == letter)
    }

    /// The last value of an option.
    pub fn value(&self, letter: char) -> Option<&str> {
        self.given
            .iter()
            .rev()
            .find(|(own, _)| *own == letter)
            .and_then(|(_, value)| value.as_deref())
    }

    /// All values of an option.
    pub fn values(&self, letter: char) -> impl Iterator<Item = &str> {
        self.given
            .iter()
            .filter(move |(own, _)| *own == letter)
            .filter_map(|(_, value)| value.as_deref())
    }
}
