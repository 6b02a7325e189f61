//! Applets that look at files: `ls`, `stat`, `du`, `df`, `tree`.

use std::sync::Arc;

use super::fileops::MAX_DEPTH;
use super::options::Options;
use super::system::user_name;
use crate::runtime::files::{Content, Errno, Node};
use crate::runtime::syscalls::{Ctx, Step};

/// Starts one of these applets.
pub(super) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    let result = match name {
        "ls" | "dir" => ls(arguments, ctx),
        "stat" => stat(arguments, ctx),
        "du" => du(arguments, ctx),
        "tree" => tree(arguments, ctx),
        "mountpoint" => mountpoint(arguments, ctx),
        "file" => Err("not simulated by Peapod".to_owned()),
        _ => return None,
    };
    Some(Step::Exit(match result {
        Ok(code) => code,
        Err(message) => {
            ctx.complain(&format!("{name}: {message}"));
            1
        }
    }))
}

/// `drwxr-xr-x`
pub(super) fn mode_text(node: &Node) -> String {
    let kind = match &node.content {
        Content::Directory { .. } => 'd',
        Content::Symlink(_) => 'l',
        Content::Device(_) => 'c',
        Content::Fifo => 'p',
        _ => '-',
    };
    let mut text = String::from(kind);
    for shift in [6, 3, 0] {
        let bits = node.mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (shift, bits & 1 != 0, node.mode) {
            (0, executable, mode) if mode & 0o1000 != 0 => {
                if executable {
                    't'
                } else {
                    'T'
                }
            }
            (6, executable, mode) if mode & 0o4000 != 0 => {
                if executable {
                    's'
                } else {
                    'S'
                }
            }
            (_, true, _) => 'x',
            _ => '-',
        });
    }
    text
}

/// An instant of virtual time on the wall clock, as `ls -l` prints it.
fn time_text(ctx: &mut Ctx<'_>, node: &Node, format: &str) -> String {
    let ago = ctx.now().since(node.modified);
    let wall = ctx.wall_now();
    let then = wall
        .checked_sub(jiff::SignedDuration::from_nanos(
            i64::try_from(ago.0).unwrap_or(i64::MAX),
        ))
        .unwrap_or(wall);
    then.strftime(format).to_string()
}

fn ls(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Result<i32, String> {
    let options = Options::parse(
        "1aAlhdRtrSiFpnCxsLHkgocu",
        &[
            ("all", 'a'),
            ("human-readable", 'h'),
            ("recursive", 'R'),
            ("color", 'k'),
            ("full-time", 'l'),
        ],
        arguments,
    )?;
    let mut operands: Vec<String> = options.operands.iter().map(ToString::to_string).collect();
    if operands.is_empty() {
        operands.push(".".to_owned());
    }
    let mut code = 0;
    let (mut files, mut directories) = (Vec::new(), Vec::new());
    for path in operands {
        match ctx.stat(&path, !options.has('l')).or_else(|_| ctx.stat(&path, false)) {
            Ok(node) if node.is_directory() && !options.has('d') => directories.push(path),
            Ok(node) => {
                let to_directory = ctx.stat(&path, true).is_ok_and(|target| target.is_directory());
                if to_directory && !options.has('d') && !options.has('l') {
                    directories.push(path)
                } else {
                    files.push((path, node))
                }
            }
            Err(error) => {
                ctx.complain(&format!("ls: {path}: {error}"));
                code = 1;
            }
        }
    }
    sort(&options, &mut files);
    let many = files.len() + directories.len() > 1 || options.has('R') || code != 0 && !directories.is_empty();
    let mut out = rows(ctx, &options, "", files);
    let mut queue: std::collections::VecDeque<(String, u32)> = directories.into_iter().map(|path| (path, 0)).collect();
    while let Some((path, depth)) = queue.pop_front() {
        let names = match ctx.list(&path) {
            Ok(names) => names,
            Err(error) => {
                ctx.complain(&format!("ls: can't open '{path}': {error}"));
                code = 1;
                continue;
            }
        };
        if many {
            if !out.is_empty() {
                out.push('\n');
            }
            out.push_str(&format!("{path}:\n"));
        }
        let base = format!("{}/", path.trim_end_matches('/'));
        let mut entries = Vec::new();
        if options.has('a') {
            for name in [".", ".."] {
                if let Ok(node) = ctx.stat(&format!("{base}{name}"), true) {
                    entries.push((name.to_owned(), node));
                }
            }
        }
        for name in names {
            if name.starts_with('.') && !options.has('a') && !options.has('A') {
                continue;
            }
            // What a mount hides is shown as the mount.
            if let Ok(node) = ctx.stat(&format!("{base}{name}"), false) {
                entries.push((name, node));
            }
        }
        sort(&options, &mut entries);
        if options.has('l') {
            let blocks: u64 = entries
                .iter()
                .map(|(_, node)| node.length().div_ceil(1024).div_ceil(4) * 4)
                .sum();
            out.push_str(&format!("total {blocks}\n"));
        }
        if options.has('R') && depth < MAX_DEPTH {
            let below: Vec<String> = entries
                .iter()
                .filter(|(name, node)| node.is_directory() && name != "." && name != "..")
                .map(|(name, _)| format!("{base}{name}"))
                .collect();
            for path in below.into_iter().rev() {
                queue.push_front((path, depth + 1));
            }
        }
        out.push_str(&rows(ctx, &options, &base, entries));
    }
    ctx.print(&out);
    Ok(code)
}

fn sort(options: &Options, entries: &mut [(String, Node)]) {
    entries.sort_by(|left, right| left.0.cmp(&right.0));
    if options.has('t') {
        entries.sort_by_key(|(_, node)| std::cmp::Reverse(node.modified));
    } else if options.has('S') {
        entries.sort_by_key(|(_, node)| std::cmp::Reverse(node.length()));
    }
    if options.has('r') {
        entries.reverse();
    }
}

fn rows(ctx: &mut Ctx<'_>, options: &Options, base: &str, entries: Vec<(String, Node)>) -> String {
    let mut text = String::new();
    for (name, node) in entries {
        if options.has('i') {
            text.push_str(&format!("{:>7} ", node.length() % 100_000));
        }
        if options.has('l') || options.has('n') || options.has('g') || options.has('o') {
            let user = if options.has('n') {
                None
            } else {
                user_name(ctx, node.user)
            }
            .unwrap_or_else(|| node.user.to_string());
            let group = if options.has('n') {
                None
            } else {
                user_name(ctx, node.group)
            }
            .unwrap_or_else(|| node.group.to_string());
            let length = if options.has('h') {
                human(node.length())
            } else {
                node.length().to_string()
            };
            let links = match &node.content {
                Content::Directory { .. } => 2,
                _ => node.links,
            };
            let time = time_text(ctx, &node, "%b %e %H:%M");
            text.push_str(&format!(
                "{}  {links:>3} {user:<8} {group:<8} {length:>9} {time} {name}",
                mode_text(&node)
            ));
            if let Content::Symlink(target) = &node.content {
                text.push_str(&format!(" -> {target}"));
            }
        } else {
            text.push_str(&name);
        }
        if options.has('F') || options.has('p') {
            match &node.content {
                Content::Directory { .. } => text.push('/'),
                Content::Symlink(_) if options.has('F') && !options.has('l') => text.push('@'),
                _ if options.has('F') && node.mode & 0o111 != 0 && !matches!(node.content, Content::Symlink(_)) => {
                    text.push('*')
                }
                _ => {}
            }
        }
        text.push('\n');
    }
    let _ = base;
    text
}

/// `1.5K`, `12M`
fn human(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    let (mut value, mut unit) = (bytes as f64 / 1024.0, 0);
    while value >= 1024.0 && unit < 4 {
        value /= 1024.0;
        unit += 1;
    }
    let letter = ["K", "M", "G", "T", "P"][unit];
    if value < 10.0 {
        format!("{value:.1}{letter}")
    } else {
        format!("{value:.0}{letter}")
    }
}

fn stat(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Result<i32, String> {
    let options = Options::parse("c:Lft", &[("format", 'c')], arguments)?;
    let mut code = 0;
    for path in &options.operands {
        let node = match ctx.stat(path, options.has('L')) {
            Ok(node) => node,
            Err(error) => {
                ctx.complain(&format!("stat: can't stat '{path}': {error}"));
                code = 1;
                continue;
            }
        };
        let kind = match &node.content {
            Content::Directory { .. } => "directory",
            Content::Symlink(_) => "symbolic link",
            Content::Device(_) => "character special file",
            Content::Fifo => "fifo",
            _ if node.length() == 0 => "regular empty file",
            _ => "regular file",
        };
        let user = user_name(ctx, node.user).unwrap_or_else(|| node.user.to_string());
        let group = user_name(ctx, node.group).unwrap_or_else(|| node.group.to_string());
        let text = match options.value('c') {
            Some(format) => {
                let mut text = String::new();
                let mut chars = format.chars();
                while let Some(c) = chars.next() {
                    if c != '%' {
                        text.push(c);
                        continue;
                    }
                    match chars.next() {
                        Some('n') => text.push_str(path),
                        Some('s') => text.push_str(&node.length().to_string()),
                        Some('a') => text.push_str(&format!("{:o}", node.mode)),
                        Some('A') => text.push_str(&mode_text(&node)),
                        Some('u') => text.push_str(&node.user.to_string()),
                        Some('g') => text.push_str(&node.group.to_string()),
                        Some('U') => text.push_str(&user),
                        Some('G') => text.push_str(&group),
                        Some('F') => text.push_str(kind),
                        Some('h') => text.push_str(&node.links.to_string()),
                        Some('Y') => text.push_str(&time_text(ctx, &node, "%s")),
                        Some('y') => text.push_str(&time_text(ctx, &node, "%Y-%m-%d %H:%M:%S.000000000 +0000")),
                        Some('N') => text.push_str(&format!("'{path}'")),
                        Some('%') => text.push('%'),
                        other => {
                            text.push('%');
                            text.extend(other);
                        }
                    }
                }
                text + "\n"
            }
            None => {
                let time = time_text(ctx, &node, "%Y-%m-%d %H:%M:%S.000000000 +0000");
                format!(
                    "  File: {path}\n  Size: {}\tBlocks: {}\tIO Block: 4096   {kind}\nDevice: 30h/48d\tInode: 1\tLinks: {}\nAccess: ({:04o}/{})  Uid: ({:>5}/{user:>8})   Gid: ({:>5}/{group:>8})\nAccess: {time}\nModify: {time}\nChange: {time}\n",
                    node.length(),
                    node.length().div_ceil(512),
                    node.links,
                    node.mode,
                    mode_text(&node),
                    node.user,
                    node.group,
                )
            }
        };
        ctx.print(&text);
    }
    Ok(code)
}

/// Bytes of files below a path.
fn total(ctx: &mut Ctx<'_>, path: &str, depth: u32, each: &mut dyn FnMut(&str, u64, u32)) -> Result<u64, Errno> {
    let node = ctx.stat(path, false)?;
    if !node.is_directory() {
        return Ok(node.length().div_ceil(4096) * 4096);
    }
    let mut sum = 4096;
    if depth < MAX_DEPTH {
        for name in ctx.list(path)? {
            sum += total(ctx, &format!("{}/{name}", path.trim_end_matches('/')), depth + 1, each)?;
        }
    }
    each(path, sum, depth);
    Ok(sum)
}

fn du(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Result<i32, String> {
    let options = Options::parse(
        "shkmcad:xbL",
        &[
            ("summarize", 's'),
            ("human-readable", 'h'),
            ("max-depth", 'd'),
            ("apparent-size", 'b'),
        ],
        arguments,
    )?;
    let operands = if options.operands.is_empty() {
        vec![Arc::from(".")]
    } else {
        options.operands.clone()
    };
    let most = options
        .value('d')
        .and_then(|depth| depth.parse().ok())
        .unwrap_or(u32::MAX);
    let shown = |bytes: u64| {
        if options.has('h') {
            let text = human(bytes);
            if bytes < 1024 { bytes.to_string() } else { text }
        } else if options.has('b') {
            bytes.to_string()
        } else if options.has('m') {
            bytes.div_ceil(1 << 20).to_string()
        } else {
            bytes.div_ceil(1024).to_string()
        }
    };
    let mut code = 0;
    let mut text = String::new();
    for path in operands {
        let mut lines = String::new();
        let sum = total(ctx, &path, 0, &mut |path, bytes, depth| {
            if !options.has('s') && depth <= most {
                lines.push_str(&format!("{}\t{path}\n", shown(bytes)));
            }
        });
        match sum {
            Ok(sum) => {
                let directory = ctx.stat(&path, false).is_ok_and(|node| node.is_directory());
                text.push_str(&lines);
                if options.has('s') || !directory {
                    text.push_str(&format!("{}\t{path}\n", shown(sum)));
                }
            }
            Err(error) => {
                ctx.complain(&format!("du: {path}: {error}"));
                code = 1;
            }
        }
    }
    ctx.print(&text);
    Ok(code)
}

fn mountpoint(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Result<i32, String> {
    let options = Options::parse("qdn", &[], arguments)?;
    let path = options.operands.first().ok_or("missing operand")?;
    let walk = ctx.walk(path, true).map_err(|error| format!("{path}: {error}"))?;
    let is = walk.name.is_empty() && walk.found.is_some();
    if !options.has('q') {
        ctx.print(&format!("{path} is {}a mountpoint\n", if is { "" } else { "not " }));
    }
    Ok(i32::from(!is))
}

fn tree(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Result<i32, String> {
    let options = Options::parse("aL:d", &[], arguments)?;
    let path = options.operands.first().map_or(".", |path| path).to_owned();
    let mut text = format!("{path}\n");
    let mut counts = (0, 0);
    branch(ctx, &path, "", 0, &mut text, &mut counts);
    text.push_str(&format!("\n{} directories, {} files\n", counts.0, counts.1));
    ctx.print(&text);
    Ok(0)
}

fn branch(ctx: &mut Ctx<'_>, path: &str, indent: &str, depth: u32, text: &mut String, counts: &mut (u32, u32)) {
    let names: Vec<String> = ctx
        .list(path)
        .unwrap_or_default()
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .collect();
    for (index, name) in names.iter().enumerate() {
        let last = index + 1 == names.len();
        let child = format!("{}/{name}", path.trim_end_matches('/'));
        text.push_str(&format!("{indent}{}{name}\n", if last { "└── " } else { "├── " }));
        if ctx.stat(&child, false).is_ok_and(|node| node.is_directory()) && depth < MAX_DEPTH {
            counts.0 += 1;
            branch(
                ctx,
                &child,
                &format!("{indent}{}", if last { "    " } else { "│   " }),
                depth + 1,
                text,
                counts,
            );
        } else {
            counts.1 += 1;
        }
    }
}
