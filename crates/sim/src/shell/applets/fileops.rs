//! Applets that change files: all are done in one step.

use std::sync::Arc;

use super::options::Options;
use crate::runtime::files::{Content, Errno, Node};
use crate::runtime::syscalls::{Ctx, Open, Step};

/// How deep directories are walked.
pub(super) const MAX_DEPTH: u32 = 64;

/// Starts one of these applets.
pub(super) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    let result = match name {
        "touch" => touch(arguments, ctx),
        "mkdir" => mkdir(arguments, ctx),
        "rmdir" => rmdir(arguments, ctx),
        "rm" | "unlink" => rm(arguments, ctx),
        "mv" => mv(arguments, ctx),
        "cp" | "install" => cp(name, arguments, ctx),
        "ln" | "link" => ln(arguments, ctx),
        "chmod" => chmod(arguments, ctx),
        "chown" | "chgrp" => chown(name, arguments, ctx),
        "mkfifo" | "mknod" => mkfifo(name, arguments, ctx),
        "split" => split(arguments, ctx),
        "truncate" | "fallocate" => truncate(arguments, ctx),
        "mktemp" => mktemp(arguments, ctx),
        "basename" => basename(arguments, ctx),
        "dirname" => dirname(arguments, ctx),
        "readlink" => readlink(arguments, ctx),
        "realpath" => realpath(arguments, ctx),
        "mount" | "umount" => {
            ctx.notice(&format!("not simulated: {name}"));
            Err("permission denied (are you root?)".to_owned())
        }
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

type Outcome = Result<i32, String>;

fn needed(options: &Options) -> Result<(), String> {
    if options.operands.is_empty() {
        Err("missing operand".to_owned())
    } else {
        Ok(())
    }
}

/// Does something to each operand; reports each failure.
fn each(
    ctx: &mut Ctx<'_>,
    name: &str,
    options: &Options,
    mut act: impl FnMut(&mut Ctx<'_>, &str) -> Result<(), String>,
) -> Outcome {
    needed(options)?;
    let mut code = 0;
    for operand in &options.operands {
        if let Err(message) = act(ctx, operand) {
            ctx.complain(&format!("{name}: {message}"));
            code = 1;
        }
    }
    Ok(code)
}

fn touch(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let options = Options::parse(
        "acmhd:t:r:",
        &[("no-create", 'c'), ("date", 'd'), ("reference", 'r')],
        arguments,
    )?;
    each(ctx, "touch", &options, |ctx, path| {
        let mut at = ctx.now();
        if let Some(text) = options.value('d') {
            let wanted = super::system::parse_date(text).ok_or_else(|| format!("invalid date '{text}'"))?;
            // Nothing is older than the cluster.
            let ago = u64::try_from(ctx.wall_now().duration_since(wanted).as_nanos()).unwrap_or(0);
            at = crate::time::SimTime(at.0.saturating_sub(ago));
        }
        match ctx.change(path, true, |node| node.modified = at) {
            Err(Errno::NoEntry) if !options.has('c') => create_empty(ctx, path)
                .and_then(|()| ctx.change(path, true, |node| node.modified = at))
                .map_err(|error| format!("{path}: {error}")),
            Err(Errno::NoEntry) => Ok(()),
            result => result.map_err(|error| format!("{path}: {error}")),
        }
    })
}

fn create_empty(ctx: &mut Ctx<'_>, path: &str) -> Result<(), Errno> {
    let file = ctx.open(path, Open::APPEND)?;
    ctx.kernel.retain(file);
    ctx.kernel.release(file);
    Ok(())
}

fn mkdir(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let options = Options::parse("pm:v", &[("parents", 'p'), ("mode", 'm')], arguments)?;
    let mode = options.value('m').and_then(|mode| u32::from_str_radix(mode, 8).ok());
    each(ctx, "mkdir", &options, |ctx, path| {
        let fail = |error: Errno| format!("can't create directory '{path}': {error}");
        if options.has('p') {
            let mut built = String::new();
            let names: Vec<&str> = path.split('/').collect();
            for (index, name) in names.iter().enumerate() {
                built.push_str(name);
                if index + 1 < names.len() {
                    built.push('/');
                }
                if name.is_empty() || matches!(*name, "." | "..") {
                    continue;
                }
                let step = built.trim_end_matches('/');
                match ctx.stat(step, true) {
                    Ok(node) if node.is_directory() => {}
                    Ok(_) => {
                        return Err(fail(if index + 1 == names.len() {
                            Errno::Exists
                        } else {
                            Errno::NotDirectory
                        }));
                    }
                    Err(_) => ctx.make_directory(step, 0o777).map_err(fail)?,
                }
            }
        } else {
            ctx.make_directory(path, 0o777).map_err(fail)?;
        }
        match mode {
            Some(mode) => ctx.change(path, true, |node| node.mode = mode).map_err(fail),
            None => Ok(()),
        }
    })
}

/// `split [-l LINES | -b BYTES] [-a LETTERS] [file [prefix]]`
fn split(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let options = Options::parse("l:b:a:", &[("lines", 'l'), ("bytes", 'b')], arguments)?;
    let file = options.operands.first().map_or("-", |file| file);
    let prefix = options.operands.get(1).map_or("x", |prefix| prefix);
    let data = ctx
        .slurp(if file == "-" { "/dev/stdin" } else { file })
        .map_err(|error| format!("{file}: {error}"))?;
    let number = |letter: char| -> Result<Option<usize>, String> {
        let Some(text) = options.value(letter) else {
            return Ok(None);
        };
        let number = super::waiters::size(text).filter(|number| *number > 0);
        let number = number.and_then(|number| usize::try_from(number).ok());
        number.map(Some).ok_or_else(|| format!("invalid number '{text}'"))
    };
    let letters = number('a')?.unwrap_or(2).min(8);
    let pieces: Vec<Vec<u8>> = match number('b')? {
        Some(bytes) => data.chunks(bytes).map(<[u8]>::to_vec).collect(),
        None => {
            let lines: Vec<&[u8]> = data.split_inclusive(|byte| *byte == b'\n').collect();
            let most = number('l')?.unwrap_or(1000);
            lines.chunks(most).map(<[&[u8]]>::concat).collect()
        }
    };
    for (index, piece) in pieces.iter().enumerate() {
        let mut rest = index;
        let mut suffix: Vec<u8> = (0..letters)
            .map(|_| {
                let letter = b'a' + (rest % 26) as u8;
                rest /= 26;
                letter
            })
            .collect();
        if rest > 0 {
            return Err("suffixes exhausted".to_owned());
        }
        suffix.reverse();
        let path = format!("{prefix}{}", String::from_utf8_lossy(&suffix));
        let fail = |error: Errno| format!("{path}: {error}");
        let file = ctx.open(&path, Open::WRITE).map_err(fail)?;
        ctx.kernel.retain(file);
        let written = ctx.write_file(file, piece);
        ctx.kernel.release(file);
        written.map_err(fail)?;
    }
    Ok(0)
}

/// `mkfifo path …`, `mknod path p`
fn mkfifo(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let mut options = Options::parse("m:", &[("mode", 'm')], arguments)?;
    if name == "mknod" {
        if options.operands.get(1).is_none_or(|kind| &**kind != "p") {
            return Err("Operation not permitted".to_owned());
        }
        options.operands.truncate(1);
    }
    let mode = options
        .value('m')
        .map(|mode| new_mode(mode, 0o666, false, 0).ok_or_else(|| format!("invalid mode '{mode}'")));
    let mode = mode.transpose()?;
    each(ctx, name, &options, |ctx, path| {
        let fail = |error: Errno| format!("{path}: {error}");
        let walk = ctx.walk(path, false).map_err(fail)?;
        ctx.create(&walk, Node::new(Content::Fifo, 0o666)).map_err(fail)?;
        match mode {
            Some(mode) => ctx.change(path, true, |node| node.mode = mode).map_err(fail),
            None => Ok(()),
        }
    })
}

fn rmdir(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let options = Options::parse("p", &[], arguments)?;
    each(ctx, "rmdir", &options, |ctx, path| {
        ctx.remove(path, true).map_err(|error| format!("'{path}': {error}"))?;
        let mut parent = path.trim_end_matches('/');
        while options.has('p')
            && let Some((above, _)) = parent.rsplit_once('/')
            && !above.is_empty()
        {
            ctx.remove(above, true).map_err(|error| format!("'{above}': {error}"))?;
            parent = above;
        }
        Ok(())
    })
}

fn rm(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let options = Options::parse("rRfiv", &[("force", 'f'), ("recursive", 'r')], arguments)?;
    if options.operands.is_empty() && options.has('f') {
        return Ok(0);
    }
    let (recursive, force) = (options.has('r') || options.has('R'), options.has('f'));
    each(ctx, "rm", &options, |ctx, path| {
        let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        if matches!(last, "." | "..") || last.is_empty() {
            return Err("can't remove '.' or '..'".to_owned());
        }
        match ctx.stat(path, false) {
            Ok(node) if node.is_directory() && !recursive => Err(format!("'{path}' is a directory")),
            Ok(_) => remove_all(ctx, path, 0).map_err(|error| format!("can't remove '{path}': {error}")),
            Err(Errno::NoEntry | Errno::NotDirectory) if force => Ok(()),
            Err(error) => Err(format!("can't remove '{path}': {error}")),
        }
    })
}

fn remove_all(ctx: &mut Ctx<'_>, path: &str, depth: u32) -> Result<(), Errno> {
    if depth > MAX_DEPTH {
        return Err(Errno::Loop);
    }
    if ctx.stat(path, false)?.is_directory() {
        for name in ctx.list(path)? {
            remove_all(ctx, &format!("{}/{name}", path.trim_end_matches('/')), depth + 1)?;
        }
        ctx.remove(path, true)
    } else {
        ctx.remove(path, false)
    }
}

/// Where something goes: into a directory under its own name, or to that very path.
fn destination(ctx: &mut Ctx<'_>, source: &str, target: &str, into: bool) -> String {
    let directory = into && ctx.stat(target, true).is_ok_and(|node| node.is_directory());
    if !directory {
        return target.to_owned();
    }
    let name = source.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    format!("{}/{name}", target.trim_end_matches('/'))
}

/// Sources and the target of `cp`, `mv`, `ln`.
fn targets(ctx: &mut Ctx<'_>, options: &Options, into: bool) -> Result<(Vec<Arc<str>>, String), String> {
    needed(options)?;
    if let Some(target) = options.value('t') {
        return Ok((options.operands.clone(), target.to_owned()));
    }
    let (target, sources) = options.operands.split_last().ok_or("missing operand")?;
    if sources.is_empty() {
        return Err(format!("missing destination file operand after '{target}'"));
    }
    if sources.len() > 1 && !(into && ctx.stat(target, true).is_ok_and(|node| node.is_directory())) {
        return Err(format!("target '{target}' is not a directory"));
    }
    Ok((sources.to_vec(), target.to_string()))
}

fn mv(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let options = Options::parse("finvTt:", &[], arguments)?;
    let (sources, target) = targets(ctx, &options, true)?;
    let mut code = 0;
    for source in sources {
        let to = destination(ctx, &source, &target, !options.has('T'));
        if options.has('n') && ctx.stat(&to, false).is_ok() {
            continue;
        }
        let moved = match ctx.rename(&source, &to) {
            // Between volumes a move is a copy and a removal.
            Err(Errno::CrossDevice) => {
                copy_all(ctx, &source, &to, true, true, 0).and_then(|()| remove_all(ctx, &source, 0))
            }
            moved => moved,
        };
        if let Err(error) = moved {
            ctx.complain(&format!("mv: can't rename '{source}': {error}"));
            code = 1;
        }
    }
    Ok(code)
}

fn cp(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let letters = if name == "install" {
        "dDm:o:g:ct:v"
    } else {
        "arRfpdLPinuvTt:sl"
    };
    let options = Options::parse(
        letters,
        &[
            ("recursive", 'r'),
            ("archive", 'a'),
            ("no-clobber", 'n'),
            ("force", 'f'),
        ],
        arguments,
    )?;
    if name == "install" && options.has('d') {
        return mkdir(
            &std::iter::once("-p".into())
                .chain(options.operands.iter().cloned())
                .collect::<Vec<_>>(),
            ctx,
        );
    }
    let (sources, target) = targets(ctx, &options, true)?;
    let recursive = ['a', 'r', 'R'].iter().any(|letter| options.has(*letter));
    let keep = options.has('a') || options.has('p');
    let mut code = 0;
    for source in sources {
        let to = destination(ctx, &source, &target, !options.has('T'));
        if options.has('n') && ctx.stat(&to, false).is_ok() {
            continue;
        }
        let node = ctx.stat(&source, !recursive || options.has('L'));
        let result = match node {
            Err(error) => Err(format!("can't stat '{source}': {error}")),
            Ok(node) if node.is_directory() && !recursive => Err(format!("omitting directory '{source}'")),
            Ok(_) => copy_all(ctx, &source, &to, keep, recursive && !options.has('L'), 0)
                .map_err(|error| format!("can't create '{to}': {error}")),
        };
        if let Err(message) = result {
            ctx.complain(&format!("{name}: {message}"));
            code = 1;
        }
        if let Some(mode) = options.value('m').and_then(|mode| u32::from_str_radix(mode, 8).ok()) {
            let _ = ctx.change(&to, true, |node| node.mode = mode);
        }
    }
    Ok(code)
}

/// Copies a file or a whole directory.
fn copy_all(ctx: &mut Ctx<'_>, from: &str, to: &str, keep: bool, links: bool, depth: u32) -> Result<(), Errno> {
    if depth > MAX_DEPTH {
        return Err(Errno::Loop);
    }
    let source = ctx.stat(from, !links)?;
    match &source.content {
        Content::Directory { entries, .. } => {
            let names: Vec<Arc<str>> = entries.keys().cloned().collect();
            if ctx.stat(to, true).is_err() {
                ctx.make_directory(to, source.mode)?;
            }
            for name in names {
                copy_all(
                    ctx,
                    &format!("{from}/{name}"),
                    &format!("{to}/{name}"),
                    keep,
                    links,
                    depth + 1,
                )?;
            }
        }
        content => {
            let walk = ctx.walk(to, true)?;
            match walk.found {
                Some(place) => {
                    let user = ctx.proc().user;
                    let mut vfs = ctx.kernel.vfs(&mut *ctx.host, user);
                    vfs.writable(place.mount)?;
                    vfs.allowed(place, 2)?;
                    let now = vfs.host.now();
                    let node = vfs.tree(place.mount)?.node_mut(place.ino).ok_or(Errno::NoEntry)?;
                    match (&node.content, content) {
                        (Content::Directory { .. }, _) => return Err(Errno::IsDirectory),
                        (Content::Device(_), _) => return Ok(()),
                        _ => node.content = content.clone(),
                    }
                    node.modified = now;
                }
                None => drop(ctx.create(&walk, Node::new(content.clone(), source.mode))?),
            }
        }
    }
    if keep {
        let _ = ctx.change(to, false, |node| {
            node.mode = source.mode;
            node.modified = source.modified;
            node.user = source.user;
            node.group = source.group;
        });
    }
    Ok(())
}

fn ln(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let options = Options::parse(
        "sfnTvbt:r",
        &[("symbolic", 's'), ("force", 'f'), ("no-dereference", 'n')],
        arguments,
    )?;
    if options.operands.len() == 1 {
        let name = options.operands[0].rsplit('/').next().unwrap_or_default().to_owned();
        return link(ctx, &options, &options.operands[0], &name);
    }
    let (sources, target) = targets(ctx, &options, true)?;
    let mut code = 0;
    for source in sources {
        // With -n a link to a directory is replaced and not followed.
        let followed = !(options.has('n')
            && ctx
                .stat(&target, false)
                .is_ok_and(|node| matches!(node.content, Content::Symlink(_))));
        let to = destination(ctx, &source, &target, followed && !options.has('T'));
        code |= link(ctx, &options, &source, &to)?;
    }
    Ok(code)
}

fn link(ctx: &mut Ctx<'_>, options: &Options, source: &str, to: &str) -> Outcome {
    if options.has('f') {
        let _ = ctx.remove(to, false);
    }
    let result = if options.has('s') {
        ctx.walk(to, false).and_then(|walk| {
            ctx.create(&walk, Node::new(Content::Symlink(source.into()), 0o777))
                .map(drop)
        })
    } else {
        ctx.hard_link(source, to)
    };
    match result {
        Ok(()) => Ok(0),
        Err(error) => {
            ctx.complain(&format!("ln: {to}: {error}"));
            Ok(1)
        }
    }
}

/// A mode such as `755` or `u+x,go-w`, applied to an old one.
pub(crate) fn new_mode(text: &str, old: u32, directory: bool, umask: u32) -> Option<u32> {
    if let Ok(mode) = u32::from_str_radix(text, 8) {
        return Some(mode & 0o7777);
    }
    let mut mode = old;
    for clause in text.split(',') {
        let split = clause.find(['+', '-', '='])?;
        let (who, mut rest) = clause.split_at(split);
        let mut mask = 0;
        for c in who.chars() {
            mask |= match c {
                'u' => 0o4700,
                'g' => 0o2070,
                'o' => 0o1007,
                'a' => 0o7777,
                _ => return None,
            };
        }
        let allowed = if who.is_empty() { 0o7777 & !umask } else { mask };
        while let Some(operator) = rest.chars().next() {
            let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |end| end + 1);
            let mut bits = 0;
            for c in rest[1..end].chars() {
                bits |= match c {
                    'r' => 0o444,
                    'w' => 0o222,
                    'x' => 0o111,
                    'X' if directory || old & 0o111 != 0 => 0o111,
                    'X' => 0,
                    's' => 0o6000,
                    't' => 0o1000,
                    'u' => (old >> 6 & 7) * 0o111,
                    'g' => (old >> 3 & 7) * 0o111,
                    'o' => (old & 7) * 0o111,
                    _ => return None,
                };
            }
            bits &= allowed;
            mode = match operator {
                '+' => mode | bits,
                '-' => mode & !bits,
                _ => mode & !(allowed & 0o777) | bits,
            };
            rest = &rest[end..];
        }
    }
    Some(mode)
}

/// Does something to a file and, recursively, to what is below it.
fn recursively(
    ctx: &mut Ctx<'_>,
    path: &str,
    recursive: bool,
    depth: u32,
    act: &mut dyn FnMut(&mut Ctx<'_>, &str) -> Result<(), Errno>,
) -> Result<(), Errno> {
    act(ctx, path)?;
    if recursive && depth < MAX_DEPTH && ctx.stat(path, false)?.is_directory() {
        for name in ctx.list(path)? {
            recursively(
                ctx,
                &format!("{}/{name}", path.trim_end_matches('/')),
                recursive,
                depth + 1,
                act,
            )?;
        }
    }
    Ok(())
}

fn chmod(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    // A mode may begin with a minus: `-x` is no option.
    let is_mode = |argument: &str| {
        argument.starts_with('-') && argument[1..].chars().all(|c| "rwxXst".contains(c)) && argument.len() > 1
    };
    let mode = arguments
        .iter()
        .position(|argument| is_mode(argument))
        .map(|index| (index, Arc::clone(&arguments[index])));
    let rest: Vec<Arc<str>> = arguments
        .iter()
        .enumerate()
        .filter(|(index, _)| mode.as_ref().is_none_or(|(own, _)| own != index))
        .map(|(_, argument)| Arc::clone(argument))
        .collect();
    let mut options = Options::parse("Rcvf", &[("recursive", 'R')], &rest)?;
    needed(&options)?;
    let mode = match mode {
        Some((_, mode)) => mode,
        None => options.operands.remove(0),
    };
    let umask = ctx.proc().umask;
    if new_mode(&mode, 0, false, umask).is_none() {
        return Err(format!("invalid mode '{mode}'"));
    }
    let recursive = options.has('R');
    each(ctx, "chmod", &options, |ctx, path| {
        let mut act = |ctx: &mut Ctx<'_>, path: &str| {
            ctx.change(path, true, |node| {
                let directory = node.is_directory();
                node.mode = new_mode(&mode, node.mode, directory, umask).unwrap_or(node.mode);
            })
        };
        recursively(ctx, path, recursive, 0, &mut act).map_err(|error| format!("{path}: {error}"))
    })
}

fn chown(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let mut options = Options::parse("Rhcvf", &[("recursive", 'R')], arguments)?;
    needed(&options)?;
    let owner = options.operands.remove(0);
    let (user, group) = match owner.split_once([':', '.']) {
        Some((user, group)) => (user.to_owned(), group.to_owned()),
        None if name == "chgrp" => (String::new(), owner.to_string()),
        None => (owner.to_string(), String::new()),
    };
    let number = |ctx: &mut Ctx<'_>, text: &str, file: &str| -> Result<Option<u32>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        if let Ok(number) = text.parse() {
            return Ok(Some(number));
        }
        let table = String::from_utf8_lossy(&ctx.slurp(file).unwrap_or_default()).into_owned();
        let line = table.lines().find(|line| line.split(':').next() == Some(text));
        let id = line.and_then(|line| line.split(':').nth(2)?.parse().ok());
        id.map(Some).ok_or_else(|| format!("unknown user {text}"))
    };
    let user = number(ctx, &user, "/etc/passwd")?;
    let group = number(ctx, &group, "/etc/group")?;
    let recursive = options.has('R');
    each(ctx, name, &options, |ctx, path| {
        let mut act = |ctx: &mut Ctx<'_>, path: &str| {
            if ctx.proc().user != 0 {
                return Err(Errno::Permission);
            }
            ctx.change(path, true, |node| {
                node.user = user.unwrap_or(node.user);
                node.group = group.unwrap_or(node.group);
            })
        };
        recursively(ctx, path, recursive, 0, &mut act).map_err(|error| format!("{path}: {error}"))
    })
}

fn truncate(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let options = Options::parse("s:cl:o:", &[("size", 's'), ("length", 'l')], arguments)?;
    let text = options
        .value('s')
        .or(options.value('l'))
        .ok_or("a size is needed")?
        .to_owned();
    let amount =
        super::waiters::size(text.trim_start_matches(['+', '-'])).ok_or_else(|| format!("invalid number '{text}'"))?;
    each(ctx, "truncate", &options, |ctx, path| {
        let fail = |error: Errno| format!("{path}: {error}");
        if ctx.stat(path, true).is_err() {
            create_empty(ctx, path).map_err(fail)?;
        }
        let old = ctx.stat(path, true).map_err(fail)?.length();
        let new = match text.chars().next() {
            Some('+') => old.saturating_add(amount),
            Some('-') => old.saturating_sub(amount),
            _ => amount,
        };
        ctx.set_length(path, new).map_err(fail)
    })
}

fn mktemp(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let options = Options::parse("dqtup:", &[], arguments)?;
    let template = options.operands.first().map_or("tmp.XXXXXX", |template| template);
    let directory = options
        .value('p')
        .map(str::to_owned)
        .or_else(|| ctx.env("TMPDIR").map(|value| value.to_string()));
    let stem = template.trim_end_matches('X');
    let count = template.len() - stem.len();
    if count < 6 {
        return Err(format!("(null): {}", Errno::Invalid));
    }
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let letters: String = (0..count)
        .map(|_| char::from(LETTERS[ctx.host.random(LETTERS.len() as u64) as usize]))
        .collect();
    let in_directory = options.operands.is_empty() || options.has('p') || options.has('t');
    let path = if in_directory {
        format!("{}/{stem}{letters}", directory.as_deref().unwrap_or("/tmp"))
    } else {
        format!("{stem}{letters}")
    };
    let made = if options.has('d') {
        ctx.make_directory(&path, 0o700)
    } else {
        create_empty(ctx, &path)
    };
    made.map_err(|error| format!("{path}: {error}"))?;
    ctx.print(&format!("{path}\n"));
    Ok(0)
}

fn basename(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let options = Options::parse("as:", &[], arguments)?;
    needed(&options)?;
    let many = options.has('a') || options.has('s');
    let suffix = options.value('s').map(str::to_owned).or_else(|| {
        if many {
            None
        } else {
            options.operands.get(1).map(ToString::to_string)
        }
    });
    let paths = if many {
        options.operands.as_slice()
    } else {
        &options.operands[..1]
    };
    for path in paths {
        let trimmed = path.trim_end_matches('/');
        let name = if trimmed.is_empty() && !path.is_empty() {
            "/"
        } else {
            trimmed.rsplit('/').next().unwrap_or_default()
        };
        let name = suffix
            .as_deref()
            .and_then(|suffix| name.strip_suffix(suffix))
            .filter(|rest| !rest.is_empty())
            .unwrap_or(name);
        ctx.print(&format!("{name}\n"));
    }
    Ok(0)
}

fn dirname(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let options = Options::parse("", &[], arguments)?;
    needed(&options)?;
    for path in &options.operands {
        let trimmed = path.trim_end_matches('/');
        let directory = match trimmed.rsplit_once('/') {
            _ if trimmed.is_empty() && path.starts_with('/') => "/",
            None => ".",
            Some((directory, _)) => {
                let directory = directory.trim_end_matches('/');
                if directory.is_empty() { "/" } else { directory }
            }
        };
        ctx.print(&format!("{directory}\n"));
    }
    Ok(0)
}

fn readlink(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let options = Options::parse("fenmv", &[], arguments)?;
    needed(&options)?;
    let mut code = 0;
    for path in &options.operands {
        let text = if options.has('f') || options.has('e') || options.has('m') {
            ctx.walk(path, true).ok().map(|walk| walk.path)
        } else {
            match ctx.stat(path, false).map(|node| node.content) {
                Ok(Content::Symlink(target)) => Some(target.to_string()),
                _ => None,
            }
        };
        match text {
            Some(text) => ctx.print(&format!("{text}{}", if options.has('n') { "" } else { "\n" })),
            None => code = 1,
        }
    }
    Ok(code)
}

fn realpath(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Outcome {
    let options = Options::parse("emsq", &[], arguments)?;
    each(ctx, "realpath", &options, |ctx, path| {
        let walk = ctx.walk(path, true).map_err(|error| format!("{path}: {error}"))?;
        if walk.found.is_none() && !options.has('m') {
            return Err(format!("{path}: {}", Errno::NoEntry));
        }
        ctx.print(&format!("{}\n", walk.path));
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_numbers_or_clauses() {
        for (text, old, expected) in [
            ("755", 0o644, Some(0o755)),
            ("u+x", 0o644, Some(0o744)),
            ("+x", 0o644, Some(0o755)),
            ("go-r", 0o644, Some(0o600)),
            ("a=r", 0o777, Some(0o444)),
            ("u=rwx,go=", 0o666, Some(0o700)),
            ("z+x", 0o644, None),
        ] {
            assert_eq!(new_mode(text, old, false, 0o022), expected, "{text}");
        }
    }
}
