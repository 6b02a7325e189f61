//! `ipcs`, `ipcmk`, `ipcrm`: System V objects of the pod, in the words of util-linux, which busybox shares.

use std::sync::Arc;

use super::options::Options;
use super::system::user_name;
use crate::runtime::namespaces::{IpcKind, IpcObject};
use crate::runtime::syscalls::Ctx;

const KINDS: [(IpcKind, &str); 3] = [
    (IpcKind::Queue, "q"),
    (IpcKind::Memory, "m"),
    (IpcKind::Semaphores, "s"),
];

/// Runs one of the three.
pub(super) fn run(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    match name {
        "ipcs" => list(arguments, ctx),
        "ipcmk" => make(arguments, ctx),
        _ => remove(arguments, ctx),
    }
}

fn list(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let flags: String = arguments
        .iter()
        .filter_map(|argument| argument.strip_prefix('-'))
        .collect();
    let asked = |flag: &str| flags.contains(flag);
    let all = flags.contains('a') || !KINDS.iter().any(|(_, flag)| asked(flag));
    for (kind, flag) in KINDS {
        if all || asked(flag) {
            show(kind, ctx);
        }
    }
    ctx.print("\n");
    0
}

fn show(kind: IpcKind, ctx: &mut Ctx<'_>) {
    let (title, header) = match kind {
        IpcKind::Queue => (
            "Message Queues",
            "key        msqid      owner      perms      used-bytes   messages    ",
        ),
        IpcKind::Memory => (
            "Shared Memory Segments",
            "key        shmid      owner      perms      bytes      nattch     status      ",
        ),
        IpcKind::Semaphores => (
            "Semaphore Arrays",
            "key        semid      owner      perms      nsems     ",
        ),
    };
    ctx.print(&format!("\n------ {title} --------\n{header}\n"));
    let objects: Vec<(u32, IpcObject)> = ctx
        .host
        .ipc()
        .map(|ipc| ipc.list(kind).map(|(id, object)| (id, *object)).collect())
        .unwrap_or_default();
    for (id, object) in objects {
        let owner = user_name(ctx, object.owner).unwrap_or_else(|| object.owner.to_string());
        let rest = match kind {
            IpcKind::Queue => format!("{:<12} {:<12}", 0, 0),
            IpcKind::Memory => format!("{:<10} {:<10} {:<12}", object.size, 0, ""),
            IpcKind::Semaphores => format!("{:<10}", object.size),
        };
        let line = format!(
            "0x{:08x} {id:<10} {owner:<10} {:<10o} {rest}\n",
            object.key, object.mode
        );
        ctx.print(&line);
    }
}

/// The long options of `ipcmk`.
const LONG: &[(&str, char)] = &[("shmem", 'M'), ("semaphore", 'S'), ("queue", 'Q'), ("mode", 'p')];

/// A number of bytes with a unit, as `ipcmk` reads it.
fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => 1,
        "K" | "k" | "KiB" => 1 << 10,
        "M" | "m" | "MiB" => 1 << 20,
        "G" | "g" | "GiB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn make(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let Ok(options) = Options::parse("QM:S:p:", LONG, arguments) else {
        ctx.complain("ipcmk: bad usage");
        return 1;
    };
    let mode = options.value('p').and_then(|text| u32::from_str_radix(text, 8).ok());
    let mut wanted = Vec::new();
    for (flag, kind, title) in [
        ('M', IpcKind::Memory, "Shared memory"),
        ('S', IpcKind::Semaphores, "Semaphore"),
    ] {
        if let Some(text) = options.value(flag) {
            let Some(size) = size(text).filter(|size| *size > 0) else {
                ctx.complain(&format!("ipcmk: failed to parse size: '{text}'"));
                return 1;
            };
            wanted.push((kind, size, title));
        }
    }
    if options.has('Q') {
        wanted.push((IpcKind::Queue, 0, "Message queue"));
    }
    if wanted.is_empty() {
        ctx.complain("ipcmk: bad usage\nTry 'ipcmk --help' for more information.");
        return 1;
    }
    for (kind, size, title) in wanted {
        let object = IpcObject {
            key: u32::try_from(ctx.host.random(u64::from(u32::MAX))).unwrap_or(1),
            owner: ctx.proc().user,
            mode: mode.unwrap_or(0o644),
            size,
        };
        match ctx.host.ipc().and_then(|ipc| ipc.make(kind, object)) {
            Some(id) => ctx.print(&format!("{title} id: {id}\n")),
            None => {
                ctx.complain("ipcmk: create share memory failed: No space left on device");
                return 1;
            }
        }
    }
    0
}

fn remove(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let mut status = 0;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(flag) = argument.strip_prefix('-').and_then(|flag| flag.chars().next()) else {
            ctx.complain(&format!("ipcrm: unknown argument: {argument}"));
            return 1;
        };
        if flag == 'a' {
            for (kind, _) in KINDS {
                if let Some(ipc) = ctx.host.ipc() {
                    let ids: Vec<u32> = ipc.list(kind).map(|(id, _)| id).collect();
                    for id in ids {
                        ipc.remove(kind, id);
                    }
                }
            }
            continue;
        }
        let kind = KINDS
            .iter()
            .find(|(_, known)| known.starts_with(flag.to_ascii_lowercase()));
        let own = argument.get(2..).filter(|own| !own.is_empty()).map(str::to_owned);
        let (Some((kind, _)), Some(value)) = (kind, own.or_else(|| rest.next().map(ToString::to_string))) else {
            ctx.complain("ipcrm: bad usage");
            return 1;
        };
        let by_key = flag.is_ascii_uppercase();
        let number = match value.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => value.parse().ok(),
        };
        let removed = number.is_some_and(|number| {
            ctx.host.ipc().is_some_and(|ipc| {
                let id = if by_key { ipc.find(*kind, number) } else { Some(number) };
                id.is_some_and(|id| ipc.remove(*kind, id))
            })
        });
        if !removed {
            let what = if by_key { "key" } else { "id" };
            ctx.complain(&format!("ipcrm: invalid {what} ({value})"));
            status = 1;
        }
    }
    status
}
