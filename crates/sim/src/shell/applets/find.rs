//! `find`: files below a path that an expression asks for, and what is done with them.

use std::sync::Arc;

use super::fileops::MAX_DEPTH;
use super::waiters::size;
use crate::runtime::files::{Content, Node};
use crate::runtime::syscalls::{Ctx, Step};
use crate::shell::pattern::Pattern;
use crate::shell::program::Program;

/// What `find` asks of a file.
#[derive(Debug)]
enum Test {
    Name(Pattern, bool),
    Path(Pattern),
    Kind(char),
    Size(std::cmp::Ordering, u64, u64),
    Minutes(std::cmp::Ordering, u64),
    Empty,
    Newer(crate::time::SimTime),
    Mode(u32),
    Print(&'static str),
    Delete,
    Prune,
    Exec(Vec<Arc<str>>),
    Not(Box<Test>),
    Or(Vec<Vec<Test>>),
    Quit,
}

/// Starts `find`.
pub(super) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    (name == "find").then(|| find(arguments, ctx))
}

fn find(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Step {
    let start = arguments
        .iter()
        .position(|argument| argument.starts_with('-') && argument.len() > 1 || matches!(&**argument, "!" | "("))
        .unwrap_or(arguments.len());
    let (paths, expression) = arguments.split_at(start);
    let mut words = expression.iter();
    let mut limits = (0, u32::MAX);
    let tests = match tests(&mut words, ctx, &mut limits, 0) {
        Ok(tests) => tests,
        Err(message) => {
            ctx.complain(&format!("find: {message}"));
            return Step::Exit(1);
        }
    };
    let acts = |tests: &[Vec<Test>]| tests.iter().flatten().any(acts);
    let prints = !acts(&tests);
    let mut search = Search {
        tests,
        prints,
        limits,
        out: String::new(),
        commands: Vec::new(),
        code: 0,
        quit: false,
    };
    let paths: Vec<Arc<str>> = if paths.is_empty() {
        vec![".".into()]
    } else {
        paths.to_vec()
    };
    for path in paths {
        search.visit(ctx, &path, 0);
    }
    let out = std::mem::take(&mut search.out);
    ctx.print(&out);
    if search.commands.is_empty() {
        return Step::Exit(search.code);
    }
    // Commands run one after the other in a shell, which waits for each of them.
    let quoted = |words: &Vec<Arc<str>>| {
        words
            .iter()
            .map(|word| crate::shell::builtins::quote(word))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let script: String = search.commands.iter().map(|command| quoted(command) + "\n").collect();
    let code = crate::shell::code::compiled(&script);
    let machine = crate::shell::machine::Machine::new(ctx, code, vec!["find".into()]);
    Step::Replace(Box::new(Program::Shell(Box::new(machine))))
}

fn acts(test: &Test) -> bool {
    match test {
        Test::Print(_) | Test::Delete | Test::Exec(_) => true,
        Test::Not(inner) => acts(inner),
        Test::Or(branches) => branches.iter().flatten().any(acts),
        _ => false,
    }
}

/// Reads an expression: branches of `-o`, each a row of tests.
fn tests(
    words: &mut std::slice::Iter<'_, Arc<str>>,
    ctx: &mut Ctx<'_>,
    limits: &mut (u32, u32),
    depth: u32,
) -> Result<Vec<Vec<Test>>, String> {
    if depth > 30 {
        return Err("expression nests too deep".to_owned());
    }
    let mut branches = vec![Vec::new()];
    let mut negated = false;
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .map(ToString::to_string)
                .ok_or_else(|| format!("missing argument to '{word}'"))
        };
        let compared = |text: &str| {
            let (order, digits) = match text.chars().next() {
                Some('+') => (std::cmp::Ordering::Greater, &text[1..]),
                Some('-') => (std::cmp::Ordering::Less, &text[1..]),
                _ => (std::cmp::Ordering::Equal, text),
            };
            (order, digits.to_owned())
        };
        let test = match &**word {
            "!" | "-not" => {
                negated = !negated;
                continue;
            }
            "-a" | "-and" | "-xdev" | "-follow" | "-depth" => continue,
            "-o" | "-or" => {
                branches.push(Vec::new());
                continue;
            }
            ")" => return Ok(branches),
            "(" => Test::Or(tests(words, ctx, limits, depth + 1)?),
            "-name" => Test::Name(Pattern::of(&value()?), false),
            "-iname" => Test::Name(Pattern::of(&value()?.to_lowercase()), true),
            "-path" | "-wholename" => Test::Path(Pattern::of(&value()?)),
            "-type" => Test::Kind(value()?.chars().next().unwrap_or('f')),
            "-maxdepth" => {
                limits.1 = value()?.parse().map_err(|_| "bad depth")?;
                continue;
            }
            "-mindepth" => {
                limits.0 = value()?.parse().map_err(|_| "bad depth")?;
                continue;
            }
            "-size" => {
                let (order, text) = compared(&value()?);
                let unit = match text.chars().next_back() {
                    Some('c') => 1,
                    Some('k') => 1 << 10,
                    Some('M') => 1 << 20,
                    Some('G') => 1 << 30,
                    _ => 512,
                };
                let count = size(text.trim_end_matches(|c: char| c.is_ascii_alphabetic())).ok_or("bad size")?;
                Test::Size(order, count, unit)
            }
            "-mmin" | "-amin" | "-cmin" => {
                let (order, text) = compared(&value()?);
                Test::Minutes(order, text.parse().map_err(|_| "bad number")?)
            }
            "-mtime" | "-atime" | "-ctime" => {
                let (order, text) = compared(&value()?);
                Test::Minutes(
                    order,
                    text.parse::<u64>().map_err(|_| "bad number")?.saturating_mul(1440),
                )
            }
            "-newer" => {
                let path = value()?;
                Test::Newer(
                    ctx.stat(&path, true)
                        .map_err(|error| format!("{path}: {error}"))?
                        .modified,
                )
            }
            "-perm" => {
                Test::Mode(u32::from_str_radix(value()?.trim_start_matches(['-', '/']), 8).map_err(|_| "bad mode")?)
            }
            "-empty" => Test::Empty,
            "-print" => Test::Print("\n"),
            "-print0" => Test::Print("\0"),
            "-delete" => Test::Delete,
            "-prune" => Test::Prune,
            "-quit" => Test::Quit,
            "-exec" | "-ok" => {
                let mut command = Vec::new();
                loop {
                    match words.next() {
                        Some(end) if matches!(&**end, ";" | "+") => break,
                        Some(word) => command.push(Arc::clone(word)),
                        None => return Err("-exec: no terminating ;".to_owned()),
                    }
                }
                Test::Exec(command)
            }
            word => return Err(format!("unrecognized: {word}")),
        };
        let test = if std::mem::take(&mut negated) {
            Test::Not(Box::new(test))
        } else {
            test
        };
        if let Some(branch) = branches.last_mut() {
            branch.push(test);
        }
    }
    Ok(branches)
}

struct Search {
    tests: Vec<Vec<Test>>,
    prints: bool,
    limits: (u32, u32),
    out: String,
    commands: Vec<Vec<Arc<str>>>,
    code: i32,
    quit: bool,
}

impl Search {
    fn visit(&mut self, ctx: &mut Ctx<'_>, path: &str, depth: u32) {
        if self.quit {
            return;
        }
        let node = match ctx.stat(path, false) {
            Ok(node) => node,
            Err(error) => {
                ctx.complain(&format!("find: {path}: {error}"));
                self.code = 1;
                return;
            }
        };
        // -delete works from the bottom up.
        let deletes = self.tests.iter().flatten().any(|test| matches!(test, Test::Delete));
        let mut descend = node.is_directory() && depth < self.limits.1.min(MAX_DEPTH);
        if deletes && descend {
            self.below(ctx, path, depth);
            descend = false;
        }
        if depth >= self.limits.0 {
            let tests = std::mem::take(&mut self.tests);
            let mut prune = false;
            if self.holds(ctx, &tests, path, &node, &mut prune) && self.prints && !prune {
                self.out.push_str(path);
                self.out.push('\n');
            }
            self.tests = tests;
            descend &= !prune;
        }
        if descend {
            self.below(ctx, path, depth);
        }
    }

    fn below(&mut self, ctx: &mut Ctx<'_>, path: &str, depth: u32) {
        for name in ctx.list(path).unwrap_or_default() {
            self.visit(ctx, &format!("{}/{name}", path.trim_end_matches('/')), depth + 1);
        }
    }

    fn holds(&mut self, ctx: &mut Ctx<'_>, branches: &[Vec<Test>], path: &str, node: &Node, prune: &mut bool) -> bool {
        branches
            .iter()
            .any(|branch| branch.iter().all(|test| self.test(ctx, test, path, node, prune)))
    }

    fn test(&mut self, ctx: &mut Ctx<'_>, test: &Test, path: &str, node: &Node, prune: &mut bool) -> bool {
        let name = || {
            path.trim_end_matches('/')
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        match test {
            Test::Name(pattern, ignore_case) => {
                pattern.matches(&if *ignore_case { name().to_lowercase() } else { name() })
            }
            Test::Path(pattern) => pattern.matches(path),
            Test::Kind(kind) => match &node.content {
                Content::Directory { .. } => *kind == 'd',
                Content::Symlink(_) => *kind == 'l',
                Content::Device(_) => *kind == 'c',
                Content::Fifo => *kind == 'p',
                _ => *kind == 'f',
            },
            Test::Size(order, count, unit) => node.length().div_ceil(*unit).cmp(count) == *order,
            Test::Minutes(order, minutes) => (ctx.now().since(node.modified).as_secs() / 60).cmp(minutes) == *order,
            Test::Newer(than) => node.modified > *than,
            Test::Mode(mode) => node.mode & mode == *mode,
            Test::Empty => match &node.content {
                Content::Directory { entries, .. } => entries.is_empty(),
                _ => node.length() == 0,
            },
            Test::Print(end) => {
                self.out.push_str(path);
                self.out.push_str(end);
                true
            }
            Test::Delete => match ctx.remove(path, node.is_directory()) {
                Ok(()) => true,
                Err(error) => {
                    if path != "." {
                        ctx.complain(&format!("find: {path}: {error}"));
                        self.code = 1;
                    }
                    false
                }
            },
            Test::Prune => {
                *prune = true;
                true
            }
            Test::Quit => {
                self.quit = true;
                true
            }
            Test::Exec(command) => {
                self.commands
                    .push(command.iter().map(|word| word.replace("{}", path).into()).collect());
                true
            }
            Test::Not(inner) => !self.test(ctx, inner, path, node, prune),
            Test::Or(branches) => self.holds(ctx, branches, path, node, prune),
        }
    }
}
