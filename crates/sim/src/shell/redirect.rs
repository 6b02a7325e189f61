//! Redirections: descriptors are changed for a command and put back after it.

use std::sync::Arc;

use super::code::RedirectKind;
use super::machine::{Machine, Pending};
use crate::runtime::files::{Content, Errno};
use crate::runtime::kernel::{FileId, FileKind};
use crate::runtime::syscalls::{Ctx, Open};

/// Descriptors from here on are the shell's own.
pub(super) const OWN_FDS: u32 = 1024;

/// A redirection with its word expanded.
#[derive(Clone, Debug)]
pub(super) struct Redirection {
    pub fd: u32,
    pub kind: RedirectKind,
    pub text: Arc<str>,
}

/// What a descriptor led to before; held so that it stays open.
#[derive(Clone, Debug)]
pub(super) struct Saved {
    fd: u32,
    file: Option<FileId>,
}

impl Saved {
    pub(super) fn file(&self) -> Option<FileId> {
        self.file
    }
}

/// Applies redirections in order. When one fails, those before it are undone.
pub(super) fn open(machine: &Machine, ctx: &mut Ctx<'_>, redirections: &[Redirection]) -> Result<Vec<Saved>, String> {
    let mut saved = Vec::new();
    for redirection in redirections {
        if let Err(message) = open_one(machine, ctx, redirection, &mut saved) {
            restore(ctx, saved);
            return Err(message);
        }
    }
    Ok(saved)
}

/// As [`open`], for a command: what its `<(…)` opened is closed with the rest.
pub(super) fn open_for(machine: &Machine, ctx: &mut Ctx<'_>, command: &Pending) -> Result<Vec<Saved>, String> {
    let opened = || command.opened.iter().map(|&fd| Saved { fd, file: None });
    match open(machine, ctx, &command.redirects) {
        Ok(saved) if command.opened.is_empty() => Ok(saved),
        Ok(saved) => Ok(opened().chain(saved).collect()),
        Err(message) => {
            restore(ctx, opened().collect());
            Err(message)
        }
    }
}

fn open_one(
    machine: &Machine,
    ctx: &mut Ctx<'_>,
    redirection: &Redirection,
    saved: &mut Vec<Saved>,
) -> Result<(), String> {
    let Redirection { fd, kind, text } = redirection;
    let create = |error: Errno| match error {
        Errno::NoEntry => format!("can't create {text}: nonexistent directory"),
        error => format!("can't create {text}: {error}"),
    };
    let read = |error: Errno| match error {
        Errno::NoEntry => format!("can't open {text}: no such file"),
        error => format!("can't open {text}: {error}"),
    };
    let file = match kind {
        RedirectKind::Read => ctx.open(text, Open::READ).map_err(read)?,
        RedirectKind::Write
            if machine.options.noclobber
                && ctx
                    .stat(text, true)
                    .is_ok_and(|node| matches!(node.content, Content::File { .. } | Content::Program(_))) =>
        {
            return Err(create(Errno::Exists));
        }
        RedirectKind::Write | RedirectKind::Clobber | RedirectKind::Both => {
            ctx.open(text, Open::WRITE).map_err(create)?
        }
        RedirectKind::Append => ctx.open(text, Open::APPEND).map_err(create)?,
        RedirectKind::ReadWrite => ctx.open(text, Open::READ_WRITE).map_err(create)?,
        RedirectKind::Here => ctx.kernel.open(FileKind::Text(text.as_bytes().into()), true, false),
        RedirectKind::Duplicate if &**text == "-" => {
            save(ctx, *fd, saved);
            ctx.close(*fd);
            return Ok(());
        }
        RedirectKind::Duplicate => match text.parse::<u32>() {
            Ok(from) => ctx.file(from).map_err(|error| format!("{from}: {error}"))?,
            // `>&file` is `&>file`.
            Err(_) if *fd == 1 => {
                let file = ctx.open(text, Open::WRITE).map_err(create)?;
                save(ctx, 2, saved);
                ctx.set_fd(2, file);
                file
            }
            Err(_) => return Err(format!("{text}: bad fd number")),
        },
    };
    save(ctx, *fd, saved);
    ctx.set_fd(*fd, file);
    if *kind == RedirectKind::Both {
        save(ctx, 2, saved);
        ctx.set_fd(2, file);
    }
    Ok(())
}

fn save(ctx: &mut Ctx<'_>, fd: u32, saved: &mut Vec<Saved>) {
    let file = ctx.file(fd).ok();
    if let Some(file) = file {
        ctx.kernel.retain(file);
    }
    saved.push(Saved { fd, file });
}

/// Puts descriptors back, the last change first.
pub(super) fn restore(ctx: &mut Ctx<'_>, saved: Vec<Saved>) {
    for Saved { fd, file } in saved.into_iter().rev() {
        match file {
            Some(file) => {
                ctx.set_fd(fd, file);
                ctx.kernel.release(file);
            }
            None => ctx.close(fd),
        }
    }
}

/// Keeps descriptors as they are, as `exec >file` asks.
pub(super) fn forget(ctx: &mut Ctx<'_>, saved: Vec<Saved>) {
    for file in saved.into_iter().filter_map(|saved| saved.file) {
        ctx.kernel.release(file);
    }
}
