//! Applets about the system: the clock, users, processes, the environment. All are done in one step.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::options::Options;
use super::reckoning::{expr, seq};
use super::{interfaces, usage};
use crate::runtime::process::Signal;
use crate::runtime::syscalls::{Ctx, Step};
use crate::shell::builtins::{kill, signal_number};
use crate::shell::{conditions, printing};

/// Starts one of these applets.
pub(super) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    let code = match name {
        "true" | "sync" | ":" | "nop" => 0,
        "false" => 1,
        "echo" => {
            let bytes = printing::echo(arguments);
            let _ = ctx.write(1, &bytes);
            0
        }
        "printf" => printf(arguments, ctx),
        "test" | "[" => test(name, arguments, ctx),
        "pwd" => {
            let directory = ctx.directory();
            ctx.print(&format!("{directory}\n"));
            0
        }
        "date" => date(arguments, ctx),
        "hostname" => {
            let hostname = ctx.kernel.spec.hostname.clone();
            let text = if arguments.iter().any(|argument| &**argument == "-i") {
                ctx.host.address()
            } else {
                hostname
            };
            ctx.print(&format!("{text}\n"));
            0
        }
        "id" => id(arguments, ctx),
        "whoami" => {
            let user = ctx.proc().user;
            let name = user_name(ctx, user);
            match name {
                Some(name) => {
                    ctx.print(&format!("{name}\n"));
                    0
                }
                None => {
                    ctx.complain(&format!("whoami: unknown uid {user}"));
                    1
                }
            }
        }
        "uname" => uname(arguments, ctx),
        "nproc" => {
            ctx.print("4\n");
            0
        }
        "arch" => {
            ctx.print("x86_64\n");
            0
        }
        "uptime" => usage::uptime(ctx),
        "free" => usage::free(arguments, ctx),
        "df" => usage::df(arguments, ctx),
        "ifconfig" | "ip" | "netstat" => return interfaces::start(name, arguments, ctx),
        "groups" => {
            let user = ctx.proc().user;
            let name = user_name(ctx, user).unwrap_or_else(|| user.to_string());
            ctx.print(&format!("{name}\n"));
            0
        }
        "factor" => factor(arguments, ctx),
        "printenv" => printenv(arguments, ctx),
        "ps" => ps(ctx),
        "kill" => kill(ctx, "kill", arguments, &[]),
        "killall" | "pkill" | "pgrep" | "pidof" => by_name(name, arguments, ctx),
        "expr" => expr(arguments, ctx),
        "seq" => seq(arguments, ctx),
        "which" => which(arguments, ctx),
        "tty" => {
            ctx.print("not a tty\n");
            1
        }
        "clear" | "reset" | "stty" => 0,
        "logger" => 0,
        "ipcs" | "ipcmk" | "ipcrm" => super::ipc::run(name, arguments, ctx),
        _ => return None,
    };
    Some(Step::Exit(code))
}

fn printf(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let Some((format, values)) = arguments.split_first() else {
        ctx.complain("printf: usage: printf FORMAT [ARG]...");
        return 1;
    };
    let printed = printing::printf(format, values);
    let _ = ctx.write(1, &printed.bytes);
    for message in &printed.errors {
        ctx.complain(&format!("printf: {message}"));
    }
    i32::from(!printed.errors.is_empty())
}

fn test(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let mut words: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    if name == "[" && words.pop() != Some("]") {
        ctx.complain("[: missing ]");
        return 2;
    }
    match conditions::test(ctx, &words) {
        Ok(holds) => i32::from(!holds),
        Err(message) => {
            ctx.complain(&format!("{name}: {message}"));
            2
        }
    }
}

fn date(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let options = match Options::parse(
        "uRId:s:r:D:",
        &[("utc", 'u'), ("date", 'd'), ("iso-8601", 'I')],
        arguments,
    ) {
        Ok(options) => options,
        Err(message) => {
            ctx.complain(&format!("date: {message}"));
            return 1;
        }
    };
    let mut instant = ctx.wall_now();
    if let Some(text) = options.value('d') {
        match parse_date(text) {
            Some(parsed) => instant = parsed,
            None => {
                ctx.complain(&format!("date: invalid date '{text}'"));
                return 1;
            }
        }
    }
    let time = instant.to_zoned(TimeZone::UTC);
    let format = match options.operands.first() {
        Some(operand) => match operand.strip_prefix('+') {
            Some(format) => format.to_owned(),
            None => {
                ctx.complain(&format!("date: invalid date '{operand}'"));
                return 1;
            }
        },
        None if options.has('R') => "%a, %d %b %Y %H:%M:%S +0000".to_owned(),
        None if options.has('I') => "%Y-%m-%d".to_owned(),
        None => "%a %b %e %H:%M:%S UTC %Y".to_owned(),
    };
    let text = format_date(&time, &format);
    ctx.print(&format!("{text}\n"));
    0
}

/// An instant as `date -d` takes it: `@seconds`, `2024-08-10T10:20:53Z`, `2024-08-10 10:20`, `2024-08-10`.
pub(super) fn parse_date(text: &str) -> Option<Timestamp> {
    if let Some(seconds) = text.strip_prefix('@') {
        return Timestamp::from_second(seconds.parse().ok()?).ok();
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    let civil = text.trim().replace(' ', "T");
    let civil: jiff::civil::DateTime = civil.parse().ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// `strftime` for the conversions that C has; an unknown one stays as it is.
pub(super) fn format_date(time: &Zoned, format: &str) -> String {
    let mut text = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let unpadded = chars.next_if_eq(&'-').is_some();
        let Some(letter) = chars.next() else {
            text.push('%');
            break;
        };
        match letter {
            'N' => text.push_str(&format!("{:09}", time.subsec_nanosecond())),
            's' => text.push_str(&time.timestamp().as_second().to_string()),
            'n' => text.push('\n'),
            't' => text.push('\t'),
            '%' => text.push('%'),
            'Z' => text.push_str("UTC"),
            'z' => text.push_str("+0000"),
            'c' => text.push_str(&time.strftime("%a %b %e %H:%M:%S %Y").to_string()),
            'x' => text.push_str(&time.strftime("%m/%d/%y").to_string()),
            'X' => text.push_str(&time.strftime("%H:%M:%S").to_string()),
            'r' => text.push_str(&time.strftime("%I:%M:%S %p").to_string()),
            'R' => text.push_str(&time.strftime("%H:%M").to_string()),
            'a' | 'A' | 'b' | 'B' | 'h' | 'C' | 'd' | 'D' | 'e' | 'F' | 'g' | 'G' | 'H' | 'I' | 'j' | 'k' | 'l'
            | 'm' | 'M' | 'p' | 'P' | 'S' | 'T' | 'u' | 'U' | 'V' | 'w' | 'W' | 'y' | 'Y' => {
                let part = time.strftime(&format!("%{letter}")).to_string();
                text.push_str(if unpadded {
                    part.trim_start_matches(['0', ' '])
                } else {
                    &part
                });
            }
            other => {
                text.push('%');
                text.push(other);
            }
        }
    }
    text
}

/// A user's name from the container's `/etc/passwd`.
pub(super) fn user_name(ctx: &mut Ctx<'_>, user: u32) -> Option<String> {
    let passwd = ctx.slurp("/etc/passwd").ok();
    let passwd = passwd
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let found = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(user)).then(|| name.to_owned())
    });
    found.or_else(|| (user == 0).then(|| "root".to_owned()))
}

/// A group's name from the container's `/etc/group`.
fn group_name(ctx: &mut Ctx<'_>, group: u32) -> Option<String> {
    let known = ctx.slurp("/etc/group").unwrap_or_default();
    let known = String::from_utf8_lossy(&known).into_owned();
    let found = known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(group)).then(|| name.to_owned())
    });
    found.or_else(|| (group == 0).then(|| "root".to_owned()))
}

fn id(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let user = ctx.proc().user;
    let groups = ctx.kernel.spec.groups.clone();
    let primary = groups.first().copied().unwrap_or(user);
    let options = Options::parse("ugnGr", &[], arguments).unwrap_or_default();
    let name = user_name(ctx, user);
    let names: Vec<Option<String>> = groups.iter().map(|group| group_name(ctx, *group)).collect();
    let plain = |number: u32, name: &Option<String>| match name {
        Some(name) if options.has('n') => name.clone(),
        _ => number.to_string(),
    };
    let full = |number: u32, name: &Option<String>| match name {
        Some(name) => format!("{number}({name})"),
        None => number.to_string(),
    };
    let first = names.first().cloned().flatten();
    let list = |shown: &dyn Fn(u32, &Option<String>) -> String, between: &str| -> String {
        let all: Vec<String> = groups
            .iter()
            .zip(&names)
            .map(|(group, name)| shown(*group, name))
            .collect();
        all.join(between)
    };
    let text = if options.has('u') {
        plain(user, &name)
    } else if options.has('g') {
        plain(primary, &first)
    } else if options.has('G') {
        list(&plain, " ")
    } else {
        format!(
            "uid={} gid={} groups={}",
            full(user, &name),
            full(primary, &first),
            list(&full, ",")
        )
    };
    ctx.print(&format!("{text}\n"));
    0
}

/// `factor`: the prime factors of numbers.
fn factor(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    for argument in arguments {
        let Ok(number) = argument.parse::<u64>() else {
            ctx.complain(&format!("factor: invalid number '{argument}'"));
            return 1;
        };
        let mut text = format!("{number}:");
        let (mut rest, mut divisor) = (number, 2);
        while divisor * divisor <= rest {
            if rest % divisor == 0 {
                text.push_str(&format!(" {divisor}"));
                rest /= divisor;
            } else {
                divisor += if divisor == 2 { 1 } else { 2 };
                if divisor > 1_000_000 {
                    ctx.notice("not simulated: factor looks for divisors up to a million only");
                    break;
                }
            }
        }
        if rest > 1 {
            text.push_str(&format!(" {rest}"));
        }
        ctx.spend(u32::try_from(divisor / 16).unwrap_or(u32::MAX));
        ctx.print(&format!("{text}\n"));
    }
    0
}

fn uname(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let options = Options::parse("amnrspvio", &[], arguments).unwrap_or_default();
    let hostname = ctx.kernel.spec.hostname.clone();
    let parts = [
        ('s', "Linux"),
        ('n', hostname.as_str()),
        ('r', "6.1.0"),
        ('v', "#1 SMP"),
        ('m', "x86_64"),
        ('o', "GNU/Linux"),
    ];
    let shown: Vec<&str> = parts
        .iter()
        .filter(|(letter, _)| options.has('a') || options.has(*letter) || arguments.is_empty() && *letter == 's')
        .map(|(_, text)| *text)
        .collect();
    ctx.print(&format!("{}\n", shown.join(" ")));
    0
}

fn printenv(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let env = Arc::clone(&ctx.proc().env);
    if arguments.is_empty() {
        let lines: String = env.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        ctx.print(&lines);
        return 0;
    }
    let mut status = 0;
    for name in arguments {
        match env.iter().rev().find(|(own, _)| own == name) {
            Some((_, value)) => ctx.print(&format!("{value}\n")),
            None => status = 1,
        }
    }
    status
}

fn ps(ctx: &mut Ctx<'_>) -> i32 {
    let procs = ctx.kernel.visible();
    let mut text = "PID   USER     TIME  COMMAND\n".to_owned();
    for process in procs {
        let (pid, user) = (process.pid, process.user);
        let user = user_name(ctx, user).unwrap_or_else(|| user.to_string());
        let command = if process.zombie {
            format!("[{}]", process.argv.first().map_or("", |name| name))
        } else {
            process.argv.join(" ")
        };
        text.push_str(&format!("{pid:>5} {user:<8}  0:00 {command}\n"));
    }
    ctx.print(&text);
    0
}

/// `killall`, `pkill`, `pgrep`, `pidof`: processes by name.
fn by_name(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let mut signal = Signal::TERM;
    let mut full = false;
    let mut exact = matches!(name, "killall" | "pidof");
    let mut patterns = Vec::new();
    for argument in arguments {
        match argument.strip_prefix('-') {
            Some("f") => full = true,
            Some("x") => exact = true,
            Some(flag) if matches!(name, "killall" | "pkill") && signal_number(flag).is_some() => {
                signal = Signal(signal_number(flag).unwrap_or(15));
            }
            Some(_) => {}
            None => patterns.push(Arc::clone(argument)),
        }
    }
    let own = ctx.pid;
    let mut hits = Vec::new();
    for pattern in &patterns {
        let regex = crate::shell::regex::Regex::new(pattern, true).ok();
        for proc in ctx.kernel.visible() {
            let pid = proc.pid;
            if pid == own || proc.zombie {
                continue;
            }
            let command = proc
                .argv
                .first()
                .map_or("", |name| name.rsplit('/').next().unwrap_or_default());
            let line = proc.argv.join(" ");
            let subject = if full { line.as_str() } else { command };
            let hit = if exact {
                subject == &**pattern
            } else {
                regex.as_ref().is_some_and(|regex| regex.is_match(subject))
            };
            if hit {
                hits.push(pid);
            }
        }
    }
    if hits.is_empty() {
        if name == "killall" {
            ctx.complain(&format!(
                "killall: {}: no process killed",
                patterns.first().map_or("", |pattern| pattern)
            ));
        }
        return 1;
    }
    match name {
        "pgrep" => ctx.print(&hits.iter().map(|pid| format!("{pid}\n")).collect::<String>()),
        "pidof" => {
            let text: Vec<String> = hits.iter().rev().map(ToString::to_string).collect();
            ctx.print(&format!("{}\n", text.join(" ")));
        }
        _ => {
            for pid in hits {
                ctx.kernel.signal(pid, signal);
            }
        }
    }
    0
}

fn which(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let path = ctx.env("PATH").unwrap_or_default();
    let mut status = 0;
    for name in arguments.iter().filter(|argument| !argument.starts_with('-')) {
        match crate::shell::program::find_on_path(ctx, name, &path) {
            Ok(path) => ctx.print(&format!("{path}\n")),
            Err(_) => status = 1,
        }
    }
    status
}
