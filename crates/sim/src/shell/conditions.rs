//! `test` and `[`.

use crate::runtime::files::{Content, Node};
use crate::runtime::kernel::FileKind;
use crate::runtime::syscalls::Ctx;

/// Nested parentheses and negations at most.
const MAX_DEPTH: u32 = 60;

/// Whether an expression holds.
///
/// # Errors
/// What is wrong with it.
pub(super) fn test(ctx: &mut Ctx<'_>, words: &[&str]) -> Result<bool, String> {
    // POSIX decides by the number of operands, so that operands may look like operators.
    match words {
        [] => return Ok(false),
        [word] => return Ok(!word.is_empty()),
        ["!", rest] => return Ok(rest.is_empty()),
        [left, operator, right] if is_binary(operator) => return binary(ctx, left, operator, right),
        ["!", rest @ ..] if rest.len() <= 3 => return test(ctx, rest).map(|holds| !holds),
        ["(", inner, ")"] => return Ok(!inner.is_empty()),
        _ => {}
    }
    let mut parser = Parser {
        ctx,
        words,
        at: 0,
        depth: 0,
    };
    let holds = parser.or()?;
    match words.get(parser.at) {
        None => Ok(holds),
        Some(word) => Err(format!("{word}: unknown operand")),
    }
}

struct Parser<'a, 'b, 'c> {
    ctx: &'a mut Ctx<'c>,
    words: &'b [&'b str],
    at: usize,
    depth: u32,
}

impl Parser<'_, '_, '_> {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).copied()
    }

    fn or(&mut self) -> Result<bool, String> {
        let mut holds = self.and()?;
        while self.peek() == Some("-o") {
            self.at += 1;
            let right = self.and()?;
            holds |= right;
        }
        Ok(holds)
    }

    fn and(&mut self) -> Result<bool, String> {
        let mut holds = self.not()?;
        while self.peek() == Some("-a") {
            self.at += 1;
            let right = self.not()?;
            holds &= right;
        }
        Ok(holds)
    }

    fn not(&mut self) -> Result<bool, String> {
        let mut negated = false;
        while self.peek() == Some("!") {
            self.at += 1;
            negated = !negated;
        }
        Ok(self.primary()? != negated)
    }

    fn primary(&mut self) -> Result<bool, String> {
        let words = self.words;
        let Some(&first) = words.get(self.at) else {
            return Err("argument expected".to_owned());
        };
        if let (Some(operator), Some(right)) = (words.get(self.at + 1), words.get(self.at + 2))
            && is_binary(operator)
            && !matches!(*operator, "-a" | "-o")
        {
            self.at += 3;
            return binary(self.ctx, first, operator, right);
        }
        self.at += 1;
        if first == "(" {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err("expression nests too deep".to_owned());
            }
            let holds = self.or()?;
            self.depth -= 1;
            if self.peek() != Some(")") {
                return Err("closing paren expected".to_owned());
            }
            self.at += 1;
            return Ok(holds);
        }
        if is_unary(first)
            && let Some(&operand) = words.get(self.at)
        {
            self.at += 1;
            return unary(self.ctx, first, operand);
        }
        Ok(!first.is_empty())
    }
}

fn is_binary(word: &str) -> bool {
    matches!(
        word,
        "=" | "=="
            | "!="
            | "<"
            | ">"
            | "-eq"
            | "-ne"
            | "-lt"
            | "-le"
            | "-gt"
            | "-ge"
            | "-nt"
            | "-ot"
            | "-ef"
            | "-a"
            | "-o"
            | "=~"
    )
}

fn is_unary(word: &str) -> bool {
    word.len() == 2 && word.starts_with('-') && "bcdefghknprstuwxzLOGS".contains(&word[1..])
}

fn integer(text: &str) -> Result<i64, String> {
    text.trim().parse().map_err(|_| format!("{text}: bad number"))
}

fn binary(ctx: &mut Ctx<'_>, left: &str, operator: &str, right: &str) -> Result<bool, String> {
    Ok(match operator {
        "=" | "==" => left == right,
        "!=" => left != right,
        "<" => left < right,
        ">" => left > right,
        "-a" => !left.is_empty() && !right.is_empty(),
        "-o" => !left.is_empty() || !right.is_empty(),
        "-nt" | "-ot" => {
            let time = |ctx: &mut Ctx<'_>, path: &str| ctx.stat(path, true).ok().map(|node| node.modified);
            let (left, right) = (time(ctx, left), time(ctx, right));
            match (left, right) {
                (Some(left), Some(right)) if operator == "-nt" => left > right,
                (Some(left), Some(right)) => left < right,
                _ => false,
            }
        }
        "-ef" => {
            let place = |ctx: &mut Ctx<'_>, path: &str| ctx.walk(path, true).ok().and_then(|walk| walk.found);
            let left = place(ctx, left);
            left.is_some() && left == place(ctx, right)
        }
        "=~" => {
            let regex = super::regex::Regex::new(right, true).map_err(|error| error.to_string())?;
            regex.find(left, 0).is_some()
        }
        _ => {
            let (left, right) = (integer(left)?, integer(right)?);
            match operator {
                "-eq" => left == right,
                "-ne" => left != right,
                "-lt" => left < right,
                "-le" => left <= right,
                "-gt" => left > right,
                _ => left >= right,
            }
        }
    })
}

fn unary(ctx: &mut Ctx<'_>, operator: &str, operand: &str) -> Result<bool, String> {
    let is = |ctx: &mut Ctx<'_>, check: fn(&Node) -> bool| ctx.stat(operand, true).is_ok_and(|node| check(&node));
    Ok(match &operator[1..] {
        "n" => !operand.is_empty(),
        "z" => operand.is_empty(),
        "e" => exists(ctx, operand),
        "f" => is(ctx, |node| {
            matches!(node.content, Content::File { .. } | Content::Program(_))
        }),
        "d" => is(ctx, Node::is_directory),
        "s" => is(ctx, |node| node.length() > 0),
        "L" | "h" => ctx
            .stat(operand, false)
            .is_ok_and(|node| matches!(node.content, Content::Symlink(_))),
        "c" => is(ctx, |node| matches!(node.content, Content::Device(_))),
        "r" => ctx.allowed(operand, 4),
        "w" => ctx.allowed(operand, 2),
        "x" => ctx.allowed(operand, 1),
        "u" => is(ctx, |node| node.mode & 0o4000 != 0),
        "g" => is(ctx, |node| node.mode & 0o2000 != 0),
        "k" => is(ctx, |node| node.mode & 0o1000 != 0),
        "O" | "G" => {
            let user = ctx.proc().user;
            ctx.stat(operand, true).is_ok_and(|node| node.user == user)
        }
        "p" if is(ctx, |node| matches!(node.content, Content::Fifo)) => true,
        "p" => {
            let fd = operand.strip_prefix("/dev/fd/").and_then(|fd| fd.parse().ok());
            let file = fd
                .and_then(|fd| ctx.file(fd).ok())
                .and_then(|file| ctx.kernel.files.get(&file));
            matches!(
                file.map(|open| &open.kind),
                Some(FileKind::PipeRead(_) | FileKind::PipeWrite(_))
            )
        }
        // No terminals, sockets and block devices here.
        _ => false,
    })
}

fn exists(ctx: &mut Ctx<'_>, path: &str) -> bool {
    if ctx.stat(path, true).is_ok() {
        return true;
    }
    // `/proc/7` and the like are made when they are asked for.
    let pid = path
        .strip_prefix("/proc/")
        .and_then(|rest| rest.split('/').next())
        .and_then(|pid| pid.parse::<u32>().ok());
    pid.is_some_and(|pid| ctx.kernel.visible().iter().any(|process| process.pid == pid))
}
