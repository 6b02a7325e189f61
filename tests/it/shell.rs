//! The simulated shell beside the machine's own: every script of `tests/data/shell/` runs in dash, in busybox's sh and in
//! the simulator, and must write the same to standard output and end with the same code.
//!
//! A case begins with `=== name`; `only busybox` or `only dash` after it leaves the other shell out where the two differ.
//! A file that begins with `programs: busybox` is run with busybox's programs on the path instead of the machine's.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use peapod_sim::runtime::catalogue::{Catalogue, Lookup, Reference};
use peapod_sim::runtime::process::Spec;
use peapod_sim::runtime::solo::Solo;
use peapod_sim::time::{SimDuration, SimTime};

const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct Case {
    name: String,
    only: Option<String>,
    /// Whether the programs beside the shell are busybox's.
    applets: bool,
    script: String,
}

fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/shell");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&directory)
        .expect("tests/data/shell")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).expect("a text file");
        let applets = text.starts_with("programs: busybox\n");
        let mut case: Option<Case> = None;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("=== ") {
                cases.extend(case.take());
                let (name, only) = name
                    .split_once(" only ")
                    .map_or((name, None), |(name, only)| (name, Some(only)));
                case = Some(Case {
                    name: format!("{stem}: {name}"),
                    only: only.map(str::to_owned),
                    applets,
                    script: String::new(),
                });
            } else if let Some(case) = &mut case {
                if !case.script.is_empty() {
                    case.script.push('\n');
                }
                case.script.push_str(line);
            }
        }
        cases.extend(case);
    }
    cases
}

/// A directory with a link to busybox for each of its programs.
fn busybox_programs() -> PathBuf {
    let directory = std::env::temp_dir().join(format!("peapod-shell-{}-programs", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let done = Command::new("busybox")
        .args(["--install", "-s"])
        .arg(&directory)
        .output()
        .expect("busybox starts");
    assert!(done.status.success(), "busybox --install: {done:?}");
    directory
}

/// Standard output and exit code of a real shell. Seconds pass for real here, so a case takes few of them.
fn real(shell: &str, script: &str, number: usize, path: &str) -> (String, i32) {
    let directory = std::env::temp_dir().join(format!("peapod-shell-{}-{shell}-{number}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    // With a path of its own: the program is looked for on the path that the child gets.
    let program = SYSTEM_PATH
        .split(':')
        .map(|directory| Path::new(directory).join(shell))
        .find(|program| program.exists())
        .expect("the shell is on the path");
    // Whoever starts the tests may have SIGINT ignored, and a shell keeps that.
    let output = Command::new("/usr/bin/env")
        .arg("--default-signal=INT,QUIT")
        .arg(program)
        .args((shell == "busybox").then_some("sh"))
        .args(["-c", script, "sh"])
        .current_dir(&directory)
        .env_clear()
        .env("PATH", path)
        .env("HOME", "/root")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .expect("the shell starts");
    std::fs::remove_dir_all(&directory).expect("the directory goes");
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        output.status.code().unwrap_or(-1),
    )
}

/// Standard output and exit code in the simulated busybox container.
fn simulated(script: &str) -> (String, i32) {
    let reference = Reference::parse("busybox").expect("a reference");
    let Lookup::Image(image) = Catalogue::builtin().lookup(&reference) else {
        panic!("no busybox")
    };
    let mut solo = Solo::new(image.files(), 1);
    let spec = Spec {
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        working_dir: "/work".to_owned(),
        hostname: "test".to_owned(),
        ..Spec::default()
    };
    let exit = solo
        .run(spec, SimTime::ZERO + SimDuration::from_secs(3600))
        .expect("sh is there");
    let stdout = String::from_utf8_lossy(&solo.written(false)).into_owned();
    (stdout, exit.map_or(-1, |exit| exit.code))
}

#[test]
fn scripts_do_what_dash_and_busybox_do() {
    let shells: Vec<&str> = ["dash", "busybox"]
        .into_iter()
        .filter(|shell| {
            Command::new(shell)
                .arg("-c")
                .arg(":")
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .stdout(Stdio::null())
                .status()
                .is_ok()
        })
        .collect();
    assert_eq!(
        shells,
        ["dash", "busybox"],
        "both shells are needed for this test: apt-get install dash busybox"
    );
    let cases = cases();
    assert!(cases.len() >= 300, "{} cases", cases.len());
    let programs = busybox_programs();
    let own_programs = programs.to_string_lossy().into_owned();
    let next = AtomicUsize::new(0);
    let failures: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number) else { return };
                    let own = simulated(&case.script);
                    for shell in shells
                        .iter()
                        .filter(|shell| case.only.as_deref().is_none_or(|only| only == **shell))
                    {
                        let path = if case.applets { &own_programs } else { SYSTEM_PATH };
                        let theirs = real(shell, &case.script, number, path);
                        if own != theirs {
                            let text = format!(
                                "{} ({shell})\n  script: {}\n  theirs: {theirs:?}\n  ours:   {own:?}",
                                case.name, case.script
                            );
                            failures.lock().expect("unpoisoned").push(text);
                        }
                    }
                }
            });
        }
    });
    let _ = std::fs::remove_dir_all(&programs);
    let mut failures = failures.into_inner().expect("unpoisoned");
    failures.sort();
    assert!(
        failures.is_empty(),
        "{} of {} differ:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

#[test]
fn a_script_costs_microseconds_and_no_time_of_the_host() {
    let (stdout, code) = simulated("sleep 2; exit 1");
    assert_eq!((stdout.as_str(), code), ("", 1));
    // An endless loop takes virtual time and few steps.
    let (_, code) = simulated("while true; do :; done");
    assert_eq!(code, -1);
}
