//! `free`, `df` and `uptime`, in busybox's words.

use std::sync::Arc;

use super::options::Options;
use crate::runtime::procfs::MACHINE_MEMORY;
use crate::runtime::syscalls::Ctx;

/// Bytes of the disk that `df` shows.
const DISK: u64 = 100 << 30;

/// `uptime`: `up 2 days,  3:04` or `up 5 min`, as busybox writes it.
pub(super) fn uptime(ctx: &mut Ctx<'_>) -> i32 {
    let up = ctx.now().as_secs();
    let clock = ctx.wall_now().strftime("%H:%M:%S").to_string();
    let (days, hours, minutes) = (up / 86_400, up / 3600 % 24, up / 60 % 60);
    let mut text = format!(" {clock} up ");
    if days > 0 {
        text.push_str(&format!("{days} day{}, ", if days == 1 { "" } else { "s" }));
    }
    if hours > 0 {
        text.push_str(&format!("{hours:>2}:{minutes:02}"));
    } else {
        text.push_str(&format!("{minutes} min"));
    }
    ctx.print(&format!("{text},  0 users,  load average: 0.00, 0.00, 0.00\n"));
    0
}

/// `free`: the memory of the machine, for `/proc/meminfo` knows no container.
pub(super) fn free(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let options = match Options::parse("bkmgh", &[], arguments) {
        Ok(options) => options,
        Err(message) => {
            ctx.complain(&format!("free: {message}"));
            return 1;
        }
    };
    let unit = ['b', 'k', 'm', 'g'].into_iter().find(|unit| options.has(*unit));
    let shown = |bytes: u64| match unit {
        _ if options.has('h') => human(bytes),
        Some('b') => bytes.to_string(),
        Some('m') => (bytes >> 20).to_string(),
        Some('g') => (bytes >> 30).to_string(),
        _ => (bytes >> 10).to_string(),
    };
    // As `/proc/meminfo` has it: half is free, a quarter holds files.
    let total = MACHINE_MEMORY;
    let cells = [total, total / 4, total / 2, 0, total / 4, total / 4 * 3].map(shown);
    let row = |title: &str, cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>12}")).collect();
        format!("{title:<7}{cells}\n")
    };
    let titles = ["total", "used", "free", "shared", "buff/cache", "available"].map(str::to_owned);
    let text = row("", &titles) + &row("Mem:", &cells) + &row("Swap:", &[0, 0, 0].map(shown));
    ctx.print(&text);
    0
}

/// `df`: what the root file system and the mounted volumes hold; with operands, those that these paths are in.
pub(super) fn df(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let options = match Options::parse("kmhTPaB:t:", &[], arguments) {
        Ok(options) => options,
        Err(message) => {
            ctx.complain(&format!("df: {message}"));
            return 1;
        }
    };
    for unknown in ['T', 'a', 'B', 't'] {
        if options.has(unknown) {
            ctx.notice(&format!("not simulated: df -{unknown}"));
        }
    }
    let mut all = vec![("overlay", "/".to_owned(), ctx.host.root().size())];
    let spec = Arc::clone(&ctx.kernel.spec);
    for mount in &spec.mounts {
        let used = ctx.host.volume(&mount.volume).map_or(0, |tree| tree.size());
        all.push(("/dev/vda1", mount.path.clone(), used));
    }
    let mut code = 0;
    let mut wanted = Vec::new();
    for operand in &options.operands {
        if ctx.stat(operand, true).is_err() {
            ctx.complain(&format!("df: {operand}: can't find mount point"));
            code = 1;
            continue;
        }
        let directory = ctx.directory();
        let path = if operand.starts_with('/') {
            operand.to_string()
        } else {
            format!("{directory}/{operand}")
        };
        let holds = |mount: &str| mount == "/" || path == mount || path.starts_with(&format!("{mount}/"));
        let deepest = (0..all.len())
            .filter(|at| holds(&all[*at].1))
            .max_by_key(|at| all[*at].1.len());
        wanted.extend(deepest);
    }
    if options.operands.is_empty() {
        wanted = (0..all.len()).collect();
    } else if wanted.is_empty() {
        return code;
    }
    let (title, unit) = match () {
        () if options.has('h') => ("Size", 1),
        () if options.has('m') => ("1M-blocks", 1 << 20),
        () if options.has('P') => ("1024-blocks", 1 << 10),
        () => ("1K-blocks", 1 << 10),
    };
    let shown = |bytes: u64| {
        if options.has('h') {
            human(bytes)
        } else {
            (bytes / unit).to_string()
        }
    };
    let mut text = format!(
        "{:<20} {title:>9} {:>9} Available Use% Mounted on\n",
        "Filesystem", "Used"
    );
    for at in wanted {
        let (name, mount, used) = &all[at];
        let used = *used;
        text.push_str(&format!(
            "{name:<20} {:>9} {:>9} {:>9} {:>3}% {mount}\n",
            shown(DISK),
            shown(used),
            shown(DISK.saturating_sub(used)),
            (used * 100).div_ceil(DISK)
        ));
    }
    ctx.print(&text);
    code
}

/// `252.0G`, as `make_human_readable_str` rounds it.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["K", "M", "G", "T"];
    if bytes < 1024 {
        return bytes.to_string();
    }
    let mut tenths = bytes.saturating_mul(10) / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn sizes_for_people() {
        for (bytes, shown) in [
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (1536, "1.5K"),
            (100 << 30, "100.0G"),
        ] {
            assert_eq!(human(bytes), shown);
        }
    }
}
