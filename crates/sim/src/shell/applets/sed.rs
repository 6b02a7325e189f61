//! `sed`: the stream editor.

use std::sync::Arc;

use super::options::Options;
use super::sed_parser::parse;
use crate::runtime::files::Node;
use crate::runtime::syscalls::{Ctx, Open};
use crate::shell::regex::{Captures, Regex};

/// Commands that one line may take: a loop without an end gives up.
const MAX_STEPS: u32 = 10_000;

/// Bytes that the pattern space and the hold space may have.
const MAX_SPACE: usize = 1 << 20;

/// An editor under way.
#[derive(Clone, Debug)]
pub(super) struct Sed {
    program: Arc<[Command]>,
    quiet: bool,
    pattern: String,
    hold: String,
    number: u64,
    /// Whether each command's range of lines is open, and the line at which it ends.
    ranges: Vec<Option<u64>>,
    /// A line that waits until it is known whether it is the last one.
    waiting: Option<(String, bool)>,
    needs_last: bool,
    /// Where to go on when `n` or `N` gets its line, and whether the line is appended.
    resume: Option<(usize, bool)>,
    after: String,
    terminated: bool,
    quit: Option<i32>,
    last_regex: Option<Arc<Regex>>,
}

#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) first: Option<Address>,
    pub(super) second: Option<Address>,
    pub(super) negated: bool,
    pub(super) verb: Verb,
}

#[derive(Clone, Debug)]
pub(super) enum Address {
    Line(u64),
    Last,
    Matches(Option<Arc<Regex>>),
    Step(u64, u64),
    Plus(u64),
}

#[derive(Clone, Debug)]
pub(super) enum Verb {
    /// `{`: where its `}` is.
    Open(usize),
    Close,
    Substitute {
        regex: Option<Arc<Regex>>,
        with: Vec<Piece>,
        all: bool,
        which: u64,
        print: bool,
        /// `w file`
        file: Option<String>,
    },
    Transliterate(Vec<(char, char)>),
    Print,
    PrintFirst,
    Delete,
    DeleteFirst,
    Next,
    Append,
    Quit {
        print: bool,
        code: i32,
    },
    After(String),
    Before(String),
    Change(String),
    Hold {
        append: bool,
    },
    Get {
        append: bool,
    },
    Exchange,
    /// `w file`
    Write(String),
    Number,
    Read(String),
    Label(String),
    Branch(String),
    BranchIf {
        label: String,
        changed: bool,
    },
    List,
}

#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text(String),
    Group(usize),
    Upper,
    Lower,
    EndCase,
}

impl Sed {
    /// An editor for these arguments, and the files that it reads.
    pub fn new(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Result<(Vec<Arc<str>>, Self), (i32, String)> {
        // `-i` takes its suffix only when it is attached.
        let in_place = arguments
            .iter()
            .find_map(|argument| {
                argument
                    .strip_prefix("-i")
                    .or_else(|| argument.strip_prefix("--in-place"))
            })
            .map(|suffix| suffix.trim_start_matches('=').to_owned());
        let arguments: Vec<Arc<str>> = arguments
            .iter()
            .filter(|argument| !argument.starts_with("-i") && !argument.starts_with("--in-place"))
            .cloned()
            .collect();
        let long = [
            ("quiet", 'n'),
            ("expression", 'e'),
            ("file", 'f'),
            ("regexp-extended", 'E'),
            ("silent", 'n'),
        ];
        let mut options = Options::parse("ne:f:Ersuz", &long, &arguments).map_err(|message| (1, message))?;
        let mut scripts: Vec<String> = options.values('e').map(str::to_owned).collect();
        for path in options.values('f') {
            let text = ctx.slurp(path).map_err(|error| (1, format!("{path}: {error}")))?;
            scripts.push(String::from_utf8_lossy(&text).into_owned());
        }
        if scripts.is_empty() {
            if options.operands.is_empty() {
                return Err((1, "no script".to_owned()));
            }
            scripts.push(options.operands.remove(0).to_string());
        }
        let extended = options.has('E') || options.has('r');
        let program = parse(&scripts.join("\n"), extended).map_err(|message| (1, message))?;
        let needs_last = program.iter().any(|command| {
            matches!(command.first, Some(Address::Last)) || matches!(command.second, Some(Address::Last))
        });
        let sed = Self {
            ranges: vec![None; program.len()],
            program: program.into(),
            quiet: options.has('n'),
            pattern: String::new(),
            hold: String::new(),
            number: 0,
            waiting: None,
            needs_last,
            resume: None,
            after: String::new(),
            terminated: true,
            quit: None,
            last_regex: None,
        };
        for command in sed.program.iter() {
            let file = match &command.verb {
                Verb::Write(path) => Some(path),
                Verb::Substitute { file, .. } => file.as_ref(),
                _ => None,
            };
            // Files that are written to begin empty.
            if let Some(path) = file.filter(|path| !path.starts_with("/dev/")) {
                let opened = ctx
                    .open(path, Open::WRITE)
                    .map_err(|error| (4, format!("{path}: {error}")))?;
                ctx.kernel.retain(opened);
                ctx.kernel.release(opened);
            }
        }
        if let Some(suffix) = in_place {
            for path in &options.operands {
                if !suffix.is_empty() {
                    let old = ctx.slurp(path).map_err(|error| (1, format!("{path}: {error}")))?;
                    let mode = ctx.stat(path, true).map_or(0o644, |node| node.mode);
                    let kept = ctx.walk(&format!("{path}{suffix}"), true).and_then(|walk| {
                        if walk.found.is_some() {
                            ctx.remove(&walk.path, false)?;
                        }
                        let walk = ctx.walk(&format!("{path}{suffix}"), true)?;
                        ctx.create(&walk, Node::file(old, mode)).map(drop)
                    });
                    kept.map_err(|error| (1, format!("{path}{suffix}: {error}")))?;
                }
                sed.clone()
                    .edit(ctx, path)
                    .map_err(|error| (1, format!("{path}: {error}")))?;
            }
            return Ok((vec!["/dev/null".into()], sed));
        }
        Ok((options.operands, sed))
    }

    /// Edits a file in its place.
    fn edit(mut self, ctx: &mut Ctx<'_>, path: &str) -> Result<(), crate::runtime::files::Errno> {
        let text = String::from_utf8_lossy(&ctx.slurp(path)?).into_owned();
        let mut out = Vec::new();
        for line in text.split_inclusive('\n') {
            let (line, terminated) = line.strip_suffix('\n').map_or((line, false), |line| (line, true));
            if self.line(ctx, line, terminated, &mut out) {
                break;
            }
        }
        self.end(ctx, &mut out);
        // A new file takes the old one's place, as in reality: a mounted single file cannot be edited so.
        let mode = ctx.stat(path, true).map_or(0o644, |node| node.mode);
        let walk = ctx.walk(path, true)?;
        if walk.name.is_empty() {
            return Err(crate::runtime::files::Errno::Busy);
        }
        ctx.remove(path, false)?;
        let walk = ctx.walk(path, true)?;
        ctx.create(&walk, Node::file(out, mode))?;
        ctx.change(path, true, |node| node.mode = mode)
    }

    /// Takes a line; true when it has quit.
    pub fn line(&mut self, ctx: &mut Ctx<'_>, line: &str, terminated: bool, out: &mut Vec<u8>) -> bool {
        if self.needs_last {
            if let Some((waiting, ended)) = self.waiting.replace((line.to_owned(), terminated)) {
                self.process(ctx, &waiting, ended, false, out);
            }
        } else {
            self.process(ctx, line, terminated, false, out);
        }
        self.quit.is_some()
    }

    /// After all lines; the exit code.
    pub fn end(&mut self, ctx: &mut Ctx<'_>, out: &mut Vec<u8>) -> i32 {
        if self.quit.is_none()
            && let Some((line, terminated)) = self.waiting.take()
        {
            self.process(ctx, &line, terminated, true, out);
        }
        if self.quit.is_none() && self.resume.take().is_some() {
            // `n` or `N` without a next line: what there is is printed.
            self.finish_cycle(out);
        }
        self.quit.unwrap_or(0)
    }

    /// Appends the pattern space to a file.
    fn write_to(&mut self, ctx: &mut Ctx<'_>, path: &str, out: &mut Vec<u8>) {
        let line = format!("{}\n", self.pattern);
        if path == "/dev/stdout" {
            out.extend(line.bytes());
            return;
        }
        if let Ok(file) = ctx.open(path, Open::APPEND) {
            ctx.kernel.retain(file);
            let _ = ctx.write_file(file, line.as_bytes());
            ctx.kernel.release(file);
        }
    }

    fn process(&mut self, ctx: &mut Ctx<'_>, line: &str, terminated: bool, last: bool, out: &mut Vec<u8>) {
        self.number += 1;
        self.terminated = terminated;
        let mut at = 0;
        match self.resume.take() {
            Some((next, append)) => {
                at = next;
                if append {
                    self.pattern.push('\n');
                    self.pattern.push_str(line);
                } else {
                    self.pattern = line.to_owned();
                }
            }
            None => self.pattern = line.to_owned(),
        }
        let program = Arc::clone(&self.program);
        let mut changed = false;
        let mut steps = 0;
        while let Some(command) = program.get(at) {
            steps += 1;
            ctx.spend(1 + ((self.pattern.len() + self.hold.len()) / 1024) as u32);
            if self.pattern.len() + self.hold.len() > MAX_SPACE {
                ctx.notice(&format!(
                    "sed: a pattern space of more than {MAX_SPACE} bytes was given up"
                ));
                self.quit = Some(4);
                return;
            }
            if steps > MAX_STEPS {
                ctx.notice("sed: a script that loops without an end was given up");
                break;
            }
            let selected = self.selected(at, command, last) != command.negated;
            at += 1;
            if !selected {
                if let Verb::Open(close) = command.verb {
                    at = close + 1;
                }
                continue;
            }
            match &command.verb {
                Verb::Open(_) | Verb::Close | Verb::Label(_) => {}
                Verb::Substitute {
                    regex,
                    with,
                    all,
                    which,
                    print,
                    file,
                } => {
                    if let Some(regex) = regex {
                        self.last_regex = Some(Arc::clone(regex));
                    }
                    let Some(regex) = self.last_regex.clone() else { continue };
                    if let Some(new) = substitute(&regex, &self.pattern, with, *all, *which) {
                        self.pattern = new;
                        changed = true;
                        if *print {
                            self.print(out);
                        }
                        if let Some(path) = file {
                            self.write_to(ctx, path, out);
                        }
                    }
                }
                Verb::Transliterate(pairs) => {
                    let map = |c: char| pairs.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to);
                    self.pattern = self.pattern.chars().map(map).collect();
                }
                Verb::Print => self.print(out),
                Verb::Write(path) => self.write_to(ctx, path, out),
                Verb::PrintFirst => {
                    let first = self.pattern.split('\n').next().unwrap_or_default();
                    out.extend(format!("{first}\n").bytes());
                }
                Verb::Delete => {
                    self.flush_after(out);
                    return;
                }
                Verb::DeleteFirst => match self.pattern.split_once('\n') {
                    Some((_, rest)) => {
                        self.pattern = rest.to_owned();
                        at = 0;
                    }
                    None => {
                        self.flush_after(out);
                        return;
                    }
                },
                Verb::Next => {
                    if last {
                        break;
                    }
                    if !self.quiet {
                        self.print(out);
                    }
                    self.flush_after(out);
                    self.resume = Some((at, false));
                    return;
                }
                Verb::Append => {
                    if last {
                        break;
                    }
                    self.flush_after(out);
                    self.resume = Some((at, true));
                    return;
                }
                Verb::Quit { print, code } => {
                    if *print {
                        self.finish_cycle(out);
                    }
                    self.quit = Some(*code);
                    return;
                }
                Verb::After(text) => self.after.push_str(text),
                Verb::Before(text) => out.extend(text.bytes()),
                Verb::Change(text) => {
                    let open = command.second.is_some() && self.ranges.get(at - 1).is_some_and(Option::is_some);
                    if !open || command.negated {
                        out.extend(text.bytes());
                    }
                    self.flush_after(out);
                    return;
                }
                Verb::Hold { append } => join(&mut self.hold, &self.pattern, *append),
                Verb::Get { append } => join(&mut self.pattern, &self.hold, *append),
                Verb::Exchange => std::mem::swap(&mut self.pattern, &mut self.hold),
                Verb::Number => out.extend(format!("{}\n", self.number).bytes()),
                Verb::Read(path) => {
                    if let Ok(text) = ctx.slurp(path) {
                        self.after.push_str(&String::from_utf8_lossy(&text));
                    }
                }
                Verb::List => {
                    out.extend(self.pattern.escape_default().to_string().bytes());
                    out.extend(b"$\n");
                }
                Verb::Branch(label) => at = target(&program, label),
                Verb::BranchIf { label, changed: wanted } => {
                    if std::mem::take(&mut changed) == *wanted {
                        at = target(&program, label);
                    }
                }
            }
        }
        self.finish_cycle(out);
    }

    fn finish_cycle(&mut self, out: &mut Vec<u8>) {
        if !self.quiet {
            out.extend(self.pattern.bytes());
            if self.terminated {
                out.push(b'\n');
            }
        }
        self.flush_after(out);
    }

    fn flush_after(&mut self, out: &mut Vec<u8>) {
        if !self.after.is_empty() && out.last().is_some_and(|last| *last != b'\n') && !self.terminated {
            out.push(b'\n');
        }
        out.extend(std::mem::take(&mut self.after).bytes());
    }

    fn print(&self, out: &mut Vec<u8>) {
        out.extend(self.pattern.bytes());
        out.push(b'\n');
    }

    fn selected(&mut self, index: usize, command: &Command, last: bool) -> bool {
        let Some(first) = &command.first else { return true };
        let Some(second) = &command.second else {
            return self.matches(first, last);
        };
        match self.ranges[index] {
            Some(end) => {
                let ends = match second {
                    Address::Line(_) | Address::Plus(_) => self.number >= end,
                    second => self.matches(second, last),
                };
                if ends {
                    self.ranges[index] = None;
                }
                // A line number that lies behind ends the range before this line.
                !(matches!(second, Address::Line(_)) && self.number > end)
            }
            None => {
                let begins = self.matches(first, last);
                if begins {
                    let end = match second {
                        Address::Line(line) => *line,
                        Address::Plus(count) => self.number + count,
                        _ => u64::MAX,
                    };
                    if end > self.number {
                        self.ranges[index] = Some(end);
                    }
                }
                begins
            }
        }
    }

    fn matches(&mut self, address: &Address, last: bool) -> bool {
        match address {
            Address::Line(line) => self.number == *line,
            Address::Last => last,
            Address::Step(first, step) => {
                if *step == 0 {
                    self.number == *first
                } else {
                    self.number >= *first && (self.number - first).is_multiple_of(*step)
                }
            }
            Address::Matches(regex) => {
                if let Some(regex) = regex {
                    self.last_regex = Some(Arc::clone(regex));
                }
                self.last_regex
                    .as_ref()
                    .is_some_and(|regex| regex.is_match(&self.pattern))
            }
            Address::Plus(_) => false,
        }
    }
}

fn join(to: &mut String, from: &str, append: bool) {
    if append {
        // A hold space that grows without an end is cut off.
        if to.len() < 4 << 20 {
            to.push('\n');
            to.push_str(from);
        }
    } else {
        from.clone_into(to);
    }
}

fn target(program: &[Command], label: &str) -> usize {
    if label.is_empty() {
        return program.len();
    }
    program
        .iter()
        .position(|command| matches!(&command.verb, Verb::Label(own) if own == label))
        .unwrap_or(program.len())
}

/// The text with matches replaced; `None` when there is none.
fn substitute(regex: &Regex, text: &str, with: &[Piece], all: bool, which: u64) -> Option<String> {
    let mut result = String::new();
    let mut at = 0;
    let mut copied = 0;
    let mut count = 0;
    let mut replaced = false;
    while at <= text.len() {
        let Some(captures) = regex.find(text, at) else { break };
        let Some((start, end)) = captures[0] else { break };
        count += 1;
        if count >= which {
            result.push_str(&text[copied..start]);
            expand(with, text, &captures, &mut result);
            copied = end;
            replaced = true;
            if !all {
                break;
            }
        }
        at = if end > start {
            end
        } else {
            match text[end..].chars().next() {
                Some(c) => end + c.len_utf8(),
                None => break,
            }
        };
        if result.len() > 4 << 20 {
            break;
        }
    }
    replaced.then(|| {
        result.push_str(&text[copied..]);
        result
    })
}

fn expand(with: &[Piece], text: &str, captures: &Captures, result: &mut String) {
    let mut case: Option<bool> = None;
    let mut push = |part: &str, case: Option<bool>| match case {
        Some(true) => result.push_str(&part.to_uppercase()),
        Some(false) => result.push_str(&part.to_lowercase()),
        None => result.push_str(part),
    };
    for piece in with {
        match piece {
            Piece::Text(part) => push(part, case),
            Piece::Group(index) => {
                if let Some((from, to)) = captures.get(*index).copied().flatten() {
                    push(&text[from..to], case);
                }
            }
            Piece::Upper => case = Some(true),
            Piece::Lower => case = Some(false),
            Piece::EndCase => case = None,
        }
    }
}
