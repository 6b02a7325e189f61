//! Files that are made when they are opened: `/proc`, the control group in `/sys/fs/cgroup`, `/dev/stdout` and its kin.

use std::sync::Arc;

use super::files::{Content, Errno, Node, ROOT};
use super::kernel::{FileId, FileKind, Pid, Proc, State};
use super::syscalls::Ctx;

/// Memory and processors of the machine, as `/proc` shows those of the node to every container.
pub(crate) const MACHINE_MEMORY: u64 = 8 << 30;
pub(crate) const PROCESSORS: u32 = 4;

/// What the control group's directory holds, with cgroup v2.
pub(crate) const CGROUP_FILES: &[&str] = &[
    "cgroup.procs",
    "cpu.max",
    "cpu.stat",
    "memory.current",
    "memory.events",
    "memory.max",
    "memory.min",
    "pids.current",
    "pids.max",
];

/// The files of `/proc` about the machine.
const MACHINE_FILES: &[&str] = &[
    "cpuinfo",
    "filesystems",
    "loadavg",
    "meminfo",
    "mounts",
    "self",
    "sys",
    "uptime",
    "version",
];
/// The files of a process's own directory.
const PROCESS_FILES: &[&str] = &[
    "cgroup",
    "cmdline",
    "comm",
    "environ",
    "fd",
    "limits",
    "mounts",
    "oom_score_adj",
    "stat",
    "status",
];
/// What of them is a directory.
const DIRECTORIES: &[&str] = &["self", "sys", "fd"];

impl Ctx<'_> {
    /// The process whose directory a path names.
    fn process_of(&self, path: &str) -> Option<Pid> {
        let name = path.strip_prefix("/proc/")?.trim_end_matches('/');
        if name == "self" {
            return Some(self.pid);
        }
        let pid = name.parse::<Pid>().ok()?;
        self.kernel
            .visible()
            .iter()
            .any(|process| process.pid == pid)
            .then_some(pid)
    }

    /// What a directory of `/proc` holds; `None` for all others.
    pub(super) fn list_proc(&self, path: &str) -> Option<Vec<String>> {
        if path.trim_end_matches('/') != "/proc" {
            self.process_of(path)?;
            return Some(PROCESS_FILES.iter().map(|name| (*name).to_owned()).collect());
        }
        let processes = self.kernel.visible();
        let processes = processes.iter().map(|process| process.pid.to_string());
        Some(
            processes
                .chain(MACHINE_FILES.iter().map(|name| (*name).to_owned()))
                .collect(),
        )
    }

    /// A file or directory of `/proc`; `None` for all others.
    pub(super) fn stat_proc(&self, path: &str) -> Option<Node> {
        let rest = path.strip_prefix("/proc/")?.trim_end_matches('/');
        let name = match rest.rsplit_once('/') {
            _ if self.process_of(path).is_some() => "self",
            Some((process, name)) => {
                self.process_of(&format!("/proc/{process}"))?;
                PROCESS_FILES.iter().find(|known| **known == name)?
            }
            None => MACHINE_FILES.iter().find(|known| **known == rest)?,
        };
        Some(if DIRECTORIES.contains(&name) {
            let content = Content::Directory {
                entries: Arc::default(),
                parent: ROOT,
            };
            Node::new(content, 0o555)
        } else {
            Node::file(Vec::new(), 0o444)
        })
    }

    /// A file that is made when it is opened; `None` for all others.
    pub(super) fn open_special(&mut self, path: &str) -> Result<Option<FileId>, Errno> {
        let own = match path {
            "/dev/stdin" => Some(0),
            "/dev/stdout" => Some(1),
            "/dev/stderr" => Some(2),
            _ => path.strip_prefix("/dev/fd/").and_then(|fd| fd.parse().ok()),
        };
        if let Some(fd) = own {
            return self.file(fd).map(Some);
        }
        let text = if let Some(name) = path.strip_prefix("/sys/fs/cgroup/") {
            self.control_group(name)
        } else if let Some(rest) = path.strip_prefix("/proc/") {
            let (first, what) = rest.split_once('/').unwrap_or((rest, ""));
            let pid = if first == "self" {
                Some(self.pid)
            } else {
                first.parse::<Pid>().ok()
            };
            match pid {
                None => self.machine(rest),
                Some(pid) => {
                    let Some(proc) = self.kernel.procs.get(&pid) else {
                        return self.open_neighbour(pid, what).map(Some);
                    };
                    if let Some(fd) = what.strip_prefix("fd/").and_then(|fd| fd.parse::<u32>().ok()) {
                        let file = proc.fds.iter().find(|(own, _)| *own == fd).map(|(_, file)| *file);
                        return file.map(Some).ok_or(Errno::NoEntry);
                    }
                    Some(self.process(pid, proc, what).ok_or(Errno::NoEntry)?)
                }
            }
        } else {
            None
        };
        Ok(text.map(|text| {
            let text = FileKind::Text(text.into_bytes().into());
            self.kernel.open(text, true, false)
        }))
    }

    /// Files about the machine.
    fn machine(&self, name: &str) -> Option<String> {
        let up = self.now().as_secs_f64();
        Some(match name {
            "uptime" => format!("{up:.2} {up:.2}\n"),
            "loadavg" => "0.00 0.00 0.00 1/1 1\n".to_owned(),
            "version" => "Linux version 6.1.0\n".to_owned(),
            "sys/kernel/hostname" => format!("{}\n", self.kernel.spec.hostname),
            "sys/kernel/ostype" => "Linux\n".to_owned(),
            "sys/kernel/osrelease" => "6.1.0\n".to_owned(),
            "mounts" => self.mounts_text(),
            "filesystems" => "nodev\tproc\nnodev\ttmpfs\nnodev\toverlay\n\text4\n".to_owned(),
            "cpuinfo" => (0..PROCESSORS)
                .map(|cpu| format!("processor\t: {cpu}\nvendor_id\t: Peapod\ncpu MHz\t\t: 2000.000\n\n"))
                .collect(),
            "meminfo" => {
                let total = MACHINE_MEMORY >> 10;
                format!(
                    "MemTotal:       {total:>8} kB\nMemFree:        {:>8} kB\nMemAvailable:   {:>8} kB\n",
                    total / 2,
                    total / 4 * 3
                )
            }
            _ => return None,
        })
    }

    /// Files about a process.
    fn process(&self, pid: Pid, proc: &Proc, what: &str) -> Option<String> {
        let name = proc
            .argv
            .first()
            .map_or("", |name| name.rsplit('/').next().unwrap_or_default());
        let state = match proc.state {
            State::Zombie(_) => "Z (zombie)",
            _ if proc.stopped => "T (stopped)",
            _ if pid == self.pid => "R (running)",
            _ => "S (sleeping)",
        };
        Some(match what {
            "cmdline" => proc.argv.iter().map(|argument| format!("{argument}\0")).collect(),
            "comm" => format!("{name}\n"),
            "environ" => proc
                .env
                .iter()
                .map(|(name, value)| format!("{name}={value}\0"))
                .collect(),
            "status" => {
                let group = self.kernel.spec.groups.first().copied().unwrap_or(proc.user);
                let groups: Vec<String> = self.kernel.spec.groups.iter().map(ToString::to_string).collect();
                format!(
                    "Name:\t{name}\nState:\t{state}\nPid:\t{pid}\nPPid:\t{}\nUid:\t{u}\t{u}\t{u}\t{u}\nGid:\t{group}\t{group}\t{group}\t{group}\nGroups:\t{}\nVmRSS:\t{:>8} kB\nThreads:\t1\nSigIgn:\t{:016x}\nSigCgt:\t{:016x}\n",
                    proc.parent,
                    groups.join(" "),
                    proc.memory / 1024,
                    proc.ignored >> 1,
                    proc.handled >> 1,
                    u = proc.user,
                )
            }
            "stat" => format!("{pid} ({name}) {} {} {} 0 0\n", &state[..1], proc.parent, proc.group),
            "mounts" => self.mounts_text(),
            "cgroup" => "0::/\n".to_owned(),
            "oom_score_adj" => "0\n".to_owned(),
            "limits" => "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1048576              1048576              files     \n".to_owned(),
            _ => return None,
        })
    }

    /// What `/proc` tells of a process of another container. Its environment and files need more rights than a container
    /// has.
    fn open_neighbour(&mut self, pid: Pid, what: &str) -> Result<FileId, Errno> {
        let process = self.kernel.others.iter().find(|other| other.pid == pid);
        let process = process.ok_or(Errno::NoEntry)?;
        let name = process
            .argv
            .first()
            .map_or("", |name| name.rsplit('/').next().unwrap_or_default());
        let text = match what {
            "cmdline" => process.argv.iter().map(|argument| format!("{argument}\0")).collect(),
            "comm" => format!("{name}\n"),
            "status" => format!(
                "Name:\t{name}\nState:\tS (sleeping)\nPid:\t{pid}\nPPid:\t{}\nUid:\t{u}\t{u}\t{u}\t{u}\nVmRSS:\t{} kB\n",
                process.parent,
                process.memory / 1024,
                u = process.user,
            ),
            "stat" => format!("{pid} ({name}) S {} {pid} 0 0\n", process.parent),
            "environ" => return Err(Errno::Access),
            _ => return Err(Errno::NoEntry),
        };
        Ok(self.kernel.open(FileKind::Text(text.into_bytes().into()), true, false))
    }

    /// Files of the container's control group.
    fn control_group(&self, name: &str) -> Option<String> {
        let kernel = &*self.kernel;
        let or_max = |limit: Option<u64>| limit.map_or_else(|| "max\n".to_owned(), |limit| format!("{limit}\n"));
        Some(match name {
            "memory.max" => or_max(kernel.spec.memory_limit),
            "memory.current" => format!("{}\n", kernel.memory()),
            "memory.min" => "0\n".to_owned(),
            "memory.events" => {
                let kills = u8::from(kernel.oom);
                format!("low 0\nhigh 0\nmax {kills}\noom {kills}\noom_kill {kills}\noom_group_kill 0\n")
            }
            "cpu.max" => match kernel.spec.cpu_limit {
                // In microseconds of each tenth of a second.
                Some(millicores) => format!("{} 100000\n", millicores * 100),
                None => "max 100000\n".to_owned(),
            },
            "cpu.stat" => {
                "usage_usec 0\nuser_usec 0\nsystem_usec 0\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n".to_owned()
            }
            "pids.max" => "max\n".to_owned(),
            "pids.current" => format!("{}\n", kernel.procs.len()),
            "cgroup.procs" => kernel.procs.keys().map(|pid| format!("{pid}\n")).collect(),
            _ => return None,
        })
    }

    fn mounts_text(&self) -> String {
        let root = if self.kernel.spec.read_only_root { "ro" } else { "rw" };
        let mut text = format!(
            "overlay / overlay {root},relatime 0 0\nproc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\ncgroup /sys/fs/cgroup cgroup2 ro,nosuid,nodev,noexec,relatime 0 0\n"
        );
        for mount in &self.kernel.spec.mounts {
            if mount.path == "/dev/shm" {
                text.push_str("shm /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=65536k 0 0\n");
                continue;
            }
            let mode = if mount.read_only { "ro" } else { "rw" };
            text.push_str(&format!("/dev/vda1 {} ext4 {mode},relatime 0 0\n", mount.path));
        }
        text
    }
}
