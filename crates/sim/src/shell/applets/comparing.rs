//! Applets that compare files: `cmp`, `comm`, `diff`.

use std::sync::Arc;

use super::options::Options;
use crate::runtime::syscalls::{Ctx, Step};

/// Lines by lines that a comparison looks at; beyond it only what is equal at both ends counts as common.
const MAX_TABLE: usize = 4_000_000;

/// Directories within one another that are compared.
const MAX_DEPTH: u32 = 32;

/// Starts one of these applets.
pub(super) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    let result = match name {
        "cmp" => cmp(arguments, ctx),
        "comm" => comm(arguments, ctx),
        "diff" => diff(arguments, ctx),
        _ => return None,
    };
    Some(Step::Exit(result.unwrap_or_else(|message| {
        ctx.complain(&format!("{name}: {message}"));
        2
    })))
}

fn contents(ctx: &mut Ctx<'_>, path: &str) -> Result<Vec<u8>, String> {
    ctx.slurp(if path == "-" { "/dev/stdin" } else { path })
        .map_err(|error| match error {
            crate::runtime::files::Errno::NoEntry => format!("can't stat '{path}': {error}"),
            error => format!("{path}: {error}"),
        })
}

fn two(options: &Options) -> Result<(Arc<str>, Arc<str>), String> {
    match options.operands.as_slice() {
        [left, right, ..] => Ok((Arc::clone(left), Arc::clone(right))),
        [left] => Ok((Arc::clone(left), "-".into())),
        [] => Err("missing operand".to_owned()),
    }
}

fn cmp(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Result<i32, String> {
    let options = Options::parse("sln:", &[], arguments)?;
    let (left, right) = two(&options)?;
    let (old, new) = (contents(ctx, &left)?, contents(ctx, &right)?);
    if old == new {
        return Ok(0);
    }
    if options.has('s') {
        return Ok(1);
    }
    if options.has('l') {
        let lines: String = old
            .iter()
            .zip(&new)
            .enumerate()
            .filter(|(_, (old, new))| old != new)
            .map(|(at, (old, new))| format!("{} {old:>3o} {new:>3o}\n", at + 1))
            .collect();
        ctx.print(&lines);
    }
    match old.iter().zip(&new).position(|(left, right)| left != right) {
        Some(at) if !options.has('l') => {
            let line = old[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
            ctx.print(&format!("{left} {right} differ: char {}, line {line}\n", at + 1));
        }
        Some(_) => {}
        None => {
            let shorter = if old.len() < new.len() { left } else { right };
            ctx.complain(&format!("cmp: EOF on {shorter}"));
        }
    }
    Ok(1)
}

fn comm(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Result<i32, String> {
    let options = Options::parse("123", &[], arguments)?;
    let (left, right) = two(&options)?;
    let texts = [contents(ctx, &left)?, contents(ctx, &right)?].map(|text| String::from_utf8_lossy(&text).into_owned());
    let [mut left, mut right] = [texts[0].lines().peekable(), texts[1].lines().peekable()];
    let shown = |column: char| !options.has(column);
    let mut out = String::new();
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(left), Some(right)) => left.cmp(right),
        };
        let (column, line) = match order {
            std::cmp::Ordering::Less => ('1', left.next()),
            std::cmp::Ordering::Greater => ('2', right.next()),
            std::cmp::Ordering::Equal => {
                right.next();
                ('3', left.next())
            }
        };
        if shown(column) {
            // A column is as far in as columns before it are shown.
            let tabs = ['1', '2'].iter().filter(|own| **own < column && shown(**own)).count();
            out.push_str(&"\t".repeat(tabs));
            out.push_str(line.unwrap_or_default());
            out.push('\n');
        }
    }
    ctx.print(&out);
    Ok(0)
}

fn diff(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Result<i32, String> {
    let long = [
        ("unified", 'u'),
        ("brief", 'q'),
        ("recursive", 'r'),
        ("new-file", 'N'),
        ("ignore-case", 'i'),
        ("ignore-all-space", 'w'),
        ("ignore-space-change", 'b'),
        ("report-identical-files", 's'),
    ];
    let options = Options::parse("abBdiL:NqrsS:tTuU:w", &long, arguments)?;
    let (left, right) = two(&options)?;
    compare(ctx, &options, &left, &right, 0)
}

fn compare(ctx: &mut Ctx<'_>, options: &Options, left: &str, right: &str, depth: u32) -> Result<i32, String> {
    let directory = |ctx: &mut Ctx<'_>, path: &str| ctx.stat(path, true).is_ok_and(|node| node.is_directory());
    let last = |path: &str| {
        path.trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let (mut left, mut right) = (left.to_owned(), right.to_owned());
    match (directory(ctx, &left), directory(ctx, &right)) {
        (true, true) => return directories(ctx, options, &left, &right, depth),
        (true, false) => left = format!("{}/{}", left.trim_end_matches('/'), last(&right)),
        (false, true) => right = format!("{}/{}", right.trim_end_matches('/'), last(&left)),
        (false, false) => {}
    }
    let absent = |ctx: &mut Ctx<'_>, path: &str| options.has('N') && ctx.stat(path, true).is_err();
    let read = |ctx: &mut Ctx<'_>, path: &str| {
        if absent(ctx, path) {
            Ok(Vec::new())
        } else {
            contents(ctx, path)
        }
    };
    let (old, new) = (read(ctx, &left)?, read(ctx, &right)?);
    let texts = [old, new].map(|text| String::from_utf8_lossy(&text).into_owned());
    let lines = [&texts[0], &texts[1]].map(|text| text.split_inclusive('\n').collect::<Vec<_>>());
    let keys = [&lines[0], &lines[1]].map(|lines| lines.iter().map(|line| key(options, line)).collect::<Vec<_>>());
    if keys[0] == keys[1] {
        if options.has('s') {
            ctx.print(&format!("Files {left} and {right} are identical\n"));
        }
        return Ok(0);
    }
    if options.has('q') {
        ctx.print(&format!("Files {left} and {right} differ\n"));
        return Ok(1);
    }
    ctx.spend(((lines[0].len() + lines[1].len()) / 4) as u32);
    let context = options.value('U').and_then(|count| count.parse().ok()).unwrap_or(3);
    let hunks = unified(&lines, &keys, context);
    let mut labels = options.values('L');
    let heads = (
        labels.next().unwrap_or(&left).to_owned(),
        labels.next().unwrap_or(&right).to_owned(),
    );
    ctx.print(&format!("--- {}\n+++ {}\n{hunks}", heads.0, heads.1));
    Ok(1)
}

fn directories(ctx: &mut Ctx<'_>, options: &Options, left: &str, right: &str, depth: u32) -> Result<i32, String> {
    if depth >= MAX_DEPTH {
        return Err(format!("directories nest deeper than {MAX_DEPTH} levels"));
    }
    let list = |ctx: &mut Ctx<'_>, path: &str| ctx.list(path).map_err(|error| format!("{path}: {error}"));
    let (old, new) = (list(ctx, left)?, list(ctx, right)?);
    let mut names: Vec<&String> = old.iter().chain(&new).collect();
    names.sort();
    names.dedup();
    let mut code = 0;
    for name in names {
        let (from, to) = (format!("{left}/{name}"), format!("{right}/{name}"));
        let alone = if !old.contains(name) {
            Some(right)
        } else if !new.contains(name) {
            Some(left)
        } else {
            None
        };
        if let Some(place) = alone.filter(|_| !options.has('N')) {
            ctx.print(&format!("Only in {place}: {name}\n"));
            code = 1;
            continue;
        }
        let both = [&from, &to].map(|path| ctx.stat(path, true).is_ok_and(|node| node.is_directory()));
        if both == [true, true] && !options.has('r') {
            ctx.print(&format!("Common subdirectories: {from} and {to}\n"));
            continue;
        }
        code = code.max(compare(ctx, options, &from, &to, depth + 1)?);
    }
    Ok(code)
}

/// What of a line counts.
fn key(options: &Options, line: &str) -> String {
    let mut key = line.to_owned();
    if options.has('w') {
        key.retain(|c| !c.is_whitespace());
    } else if options.has('b') {
        let words: Vec<&str> = key.split_whitespace().collect();
        let indent = if key.starts_with([' ', '\t']) { " " } else { "" };
        key = format!("{indent}{}", words.join(" "));
    }
    if options.has('i') {
        key = key.to_lowercase();
    }
    key
}

/// What becomes of a line, with its place in the old and in the new text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edit {
    Keep(usize, usize),
    Delete(usize, usize),
    Insert(usize, usize),
}

/// The edits that lead from one text to the other: those outside of the longest row of common lines.
fn edits(old: &[String], new: &[String]) -> Vec<Edit> {
    let prefix = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let most = old.len().min(new.len()) - prefix;
    let suffix = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(most)
        .take_while(|(old, new)| old == new)
        .count();
    let (middle, other) = (&old[prefix..old.len() - suffix], &new[prefix..new.len() - suffix]);
    let mut edits: Vec<Edit> = (0..prefix).map(|at| Edit::Keep(at, at)).collect();
    let (mut from, mut to) = (0, 0);
    let width = other.len() + 1;
    let table = if (middle.len() + 1).saturating_mul(width) <= MAX_TABLE {
        let mut table = vec![0u32; (middle.len() + 1) * width];
        for row in (0..middle.len()).rev() {
            for column in (0..other.len()).rev() {
                table[row * width + column] = if middle[row] == other[column] {
                    table[(row + 1) * width + column + 1] + 1
                } else {
                    table[(row + 1) * width + column].max(table[row * width + column + 1])
                };
            }
        }
        table
    } else {
        Vec::new()
    };
    while from < middle.len() || to < other.len() {
        let places = (prefix + from, prefix + to);
        let at = |row: usize, column: usize| table.get(row * width + column).copied().unwrap_or(0);
        if from < middle.len() && to < other.len() && !table.is_empty() && middle[from] == other[to] {
            edits.push(Edit::Keep(places.0, places.1));
            from += 1;
            to += 1;
        } else if from < middle.len() && (to >= other.len() || at(from + 1, to) >= at(from, to + 1)) {
            edits.push(Edit::Delete(places.0, places.1));
            from += 1;
        } else {
            edits.push(Edit::Insert(places.0, places.1));
            to += 1;
        }
    }
    edits.extend((0..suffix).map(|at| Edit::Keep(old.len() - suffix + at, new.len() - suffix + at)));
    edits
}

/// The hunks of a unified difference.
fn unified(lines: &[Vec<&str>; 2], keys: &[Vec<String>; 2], context: usize) -> String {
    let edits = edits(&keys[0], &keys[1]);
    let changed: Vec<usize> = edits
        .iter()
        .enumerate()
        .filter(|(_, edit)| !matches!(edit, Edit::Keep(..)))
        .map(|(at, _)| at)
        .collect();
    let mut text = String::new();
    let mut next = 0;
    while let Some(&first) = changed.get(next) {
        let mut last = first;
        while let Some(&more) = changed.get(next).filter(|more| **more <= last + 2 * context + 1) {
            last = more;
            next += 1;
        }
        let hunk = &edits[first.saturating_sub(context)..(last + context + 1).min(edits.len())];
        let places = hunk.first().map(|edit| match edit {
            Edit::Keep(old, new) | Edit::Delete(old, new) | Edit::Insert(old, new) => (*old, *new),
        });
        let (old, new) = places.unwrap_or_default();
        let count = |gone: bool| {
            hunk.iter()
                .filter(|edit| match edit {
                    Edit::Keep(..) => true,
                    Edit::Delete(..) => gone,
                    Edit::Insert(..) => !gone,
                })
                .count()
        };
        text.push_str(&format!(
            "@@ -{} +{} @@\n",
            range(old, count(true)),
            range(new, count(false))
        ));
        for edit in hunk {
            let (mark, line) = match edit {
                Edit::Keep(old, _) => (' ', lines[0][*old]),
                Edit::Delete(old, _) => ('-', lines[0][*old]),
                Edit::Insert(_, new) => ('+', lines[1][*new]),
            };
            text.push(mark);
            text.push_str(line);
            if !line.ends_with('\n') {
                text.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    text
}

fn range(start: usize, count: usize) -> String {
    match count {
        0 => format!("{start},0"),
        1 => (start + 1).to_string(),
        count => format!("{},{count}", start + 1),
    }
}
