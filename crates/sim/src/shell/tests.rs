//! Whatever a script is, running it ends without a panic, and the same way each time.

use std::sync::Arc;

use proptest::prelude::*;

use crate::runtime::catalogue::{Catalogue, Lookup, Reference};
use crate::runtime::process::{Exit, Processes, Signal, Spec};
use crate::runtime::solo::Solo;
use crate::time::{SimDuration, SimTime};

fn solo() -> Solo {
    let reference = Reference::parse("busybox").expect("a reference");
    let Lookup::Image(image) = Catalogue::recording().lookup(&reference) else {
        panic!("no busybox")
    };
    Solo::new(image.files(), 1)
}

fn spec(argv: &[&str]) -> Spec {
    Spec {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        hostname: "pod".to_owned(),
        ..Spec::default()
    }
}

fn run(script: &str) -> (String, String, Option<Exit>, SimTime) {
    let mut solo = solo();
    let exit = solo
        .run(spec(&["sh", "-c", script]), SimTime::ZERO + SimDuration::from_secs(60))
        .expect("sh is there");
    let text = |stderr| String::from_utf8_lossy(&solo.written(stderr)).into_owned();
    (text(false), text(true), exit, solo.now)
}

#[test]
fn time_is_virtual() {
    let (out, _, exit, end) = run("echo a; sleep 2.5; echo b; exit 7");
    assert_eq!((out.as_str(), exit.map(|exit| exit.code)), ("a\nb\n", Some(7)));
    assert_eq!(end, SimTime::ZERO + SimDuration::from_millis(2500));
}

#[test]
fn the_first_process_ignores_what_it_has_no_handler_for() {
    for (script, code) in [
        ("sleep 30", None),
        ("trap 'exit 3' TERM; while true; do sleep 1; done", Some(3)),
        ("exec nginx-is-not-here", Some(127)),
    ] {
        let mut solo = solo();
        let mut processes = Processes::start(spec(&["sh", "-c", script]), &mut solo).expect("starts");
        let first = solo.go_on(&mut processes, SimTime::ZERO + SimDuration::from_millis(1500));
        processes.signal(Signal::TERM);
        let exit = first.or_else(|| solo.go_on(&mut processes, SimTime::ZERO + SimDuration::from_secs(10)));
        assert_eq!(exit.map(|exit| exit.code), code, "{script}");
        if exit.is_none() {
            processes.signal(Signal::KILL);
            let exit = solo
                .go_on(&mut processes, SimTime::ZERO + SimDuration::from_secs(10))
                .expect("killed");
            assert_eq!((exit.code, exit.signal), (137, Some(Signal::KILL)));
        }
    }
}

#[test]
fn a_random_number_is_one_inside_an_expression_too() {
    let mut solo = solo();
    let script = "for i in 1 2 3 4 5 6 7 8; do echo $((RANDOM % 1000)); done";
    let exit = solo.run(spec(&["sh", "-c", script]), SimTime::ZERO + SimDuration::from_secs(1));
    assert_eq!(exit.expect("starts").expect("ends").code, 0);
    let written = String::from_utf8(solo.written(false).to_vec()).expect("text");
    let numbers: std::collections::BTreeSet<&str> = written.lines().collect();
    assert!(numbers.len() > 4, "{numbers:?}");
}

#[test]
fn what_cannot_be_executed_is_refused_in_runcs_words() {
    for (argv, message) in [
        ("nosuchcmd", "exec: \"nosuchcmd\": executable file not found in $PATH"),
        (
            "/no/such/binary",
            "exec: \"/no/such/binary\": stat /no/such/binary: no such file or directory",
        ),
        ("/etc/passwd", "exec: \"/etc/passwd\": permission denied"),
        ("/tmp", "exec: \"/tmp\": permission denied"),
    ] {
        let error = Processes::start(spec(&[argv]), &mut solo()).expect_err(argv);
        assert_eq!(error.message, message);
    }
}

#[test]
fn memory_beyond_the_limit_kills() {
    let mut one = solo();
    let mut limited = spec(&["sh", "-c", "echo eat; exec eatmem 100"]);
    limited.memory_limit = Some(32 << 20);
    let exit = one
        .run(limited.clone(), SimTime::ZERO + SimDuration::from_secs(10))
        .expect("starts")
        .expect("killed");
    assert_eq!((exit.code, exit.oom), (137, true));
    // Under cgroup v1 only one process dies: the shell goes on and ends as it likes.
    limited.argv[2] = "eatmem 100; exit 0".to_owned();
    let exit = solo()
        .run(limited, SimTime::ZERO + SimDuration::from_secs(10))
        .expect("starts")
        .expect("ends");
    assert_eq!((exit.code, exit.oom), (0, true));
}

#[test]
fn execs_run_beside_the_main_process() {
    let mut solo = solo();
    let mut processes = Processes::start(spec(&["sleep", "100"]), &mut solo).expect("starts");
    processes.run(&mut solo);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let exec = processes
        .exec(
            &words(&["sh", "-c", "echo out; echo err >&2; echo main > /proc/1/fd/1; exit 4"]),
            &mut solo,
        )
        .expect("starts");
    let progress = processes.run(&mut solo);
    let [(id, end)] = progress.ended.as_slice() else {
        panic!("{progress:?}")
    };
    assert_eq!(
        (*id, end.exit_code, end.stdout.as_str(), end.stderr.as_str()),
        (exec, 4, "out\n", "err\n")
    );
    assert_eq!(solo.written(false), b"main\n");
    assert!(processes.exec(&words(&["nope"]), &mut solo).is_err());
    let hanging = processes.exec(&words(&["sleep", "50"]), &mut solo).expect("starts");
    processes.run(&mut solo);
    processes.kill_exec(hanging);
    assert!(processes.run(&mut solo).ended.is_empty());
}

#[test]
fn an_endless_loop_costs_few_steps() {
    for script in [
        "while true; do :; done",
        "f() { f & f; }; f",
        "yes > /dev/null",
        "yes | cat >/dev/null",
    ] {
        let mut solo = solo();
        let mut processes = Processes::start(spec(&["sh", "-c", script]), &mut solo).expect("starts");
        solo.go_on(&mut processes, SimTime::ZERO + SimDuration::from_secs(600));
        // Two million at full speed, then two thousand a second.
        assert!(processes.steps() < 4_000_000, "{script}: {}", processes.steps());
    }
}

#[test]
fn a_clone_is_a_branch() {
    let mut solo = solo();
    let mut processes = Processes::start(
        spec(&["sh", "-c", "x=1; sleep 1; echo $x; sleep 1; echo end"]),
        &mut solo,
    )
    .expect("starts");
    solo.go_on(&mut processes, SimTime::ZERO + SimDuration::from_millis(500));
    let (mut other, mut copy) = (solo.clone(), processes.clone());
    solo.go_on(&mut processes, SimTime::ZERO + SimDuration::from_secs(5));
    other.go_on(&mut copy, SimTime::ZERO + SimDuration::from_secs(5));
    assert_eq!(solo.written(false), b"1\nend\n");
    assert_eq!(other.written(false), solo.written(false));
}

#[test]
fn servers_answer_and_end_as_the_real_ones() {
    let (out, _, exit, _) = run(
        "mkdir /w; echo hi > /w/index.html; httpd -p 80 -h /w; wget -q -O - http://localhost/; wget -q -O - http://localhost/no; echo $?; wget -q -O - http://localhost:81/; echo $?",
    );
    assert_eq!((out.as_str(), exit.map(|exit| exit.code)), ("hi\n1\n1\n", Some(0)));
    let (out, ..) =
        run("(echo pong | nc -l -p 9000) & sleep 1; echo ping | nc localhost 9000; nc -z localhost 9001; echo $?");
    assert_eq!(out, "ping\npong\n1\n");
}

/// Pieces of scripts: put together at random they make programs that are nearly right.
fn piece() -> impl Strategy<Value = String> {
    let pieces: &[&str] = &[
        "echo",
        "a",
        "$x",
        "${x",
        "}",
        "\"",
        "'",
        "`",
        "$(",
        ")",
        "((",
        "))",
        ";",
        "&",
        "&&",
        "||",
        "|",
        "\n",
        "if",
        "then",
        "else",
        "fi",
        "while",
        "do",
        "done",
        "for",
        "in",
        "case",
        "esac",
        ";;",
        "{",
        "}",
        "(",
        "<<E",
        "E",
        "<",
        ">",
        ">&1",
        "2>&1",
        "f()",
        "f",
        "x=1",
        "x=",
        "$((",
        "1/0",
        "*",
        "[",
        "]",
        "exit",
        "return",
        "break",
        "continue",
        "set -e",
        "set -u",
        "trap 'echo t' EXIT",
        "kill $$",
        "wait",
        "sleep 1",
        "read x",
        "true",
        "false",
        "!",
        "eval",
        "shift",
        "local y",
        "cat",
        "sed s/a/b/",
        "awk '{print $1}'",
        "grep -E '(a*)*b'",
        "sort",
        "head -n 1",
        "yes",
        "xargs",
        "printf '%*d' 99999999 1",
        "${x:-",
        "${#x}",
        "${x%%*}",
        "~",
        "\\",
        "#",
        "$",
        "$@",
        "\"$@\"",
        "exec",
        ".",
        "getopts a: o",
        "seq 5",
        "dd",
        "find . -name '*'",
        "wget http://localhost",
        "alias a='b '",
        "alias a=a",
        "mkfifo p",
        "<(",
        ">(",
        "> p",
        "< p",
        "&",
        "set -C",
        "ulimit -n 3",
        "jobs",
        "awk 'BEGIN{while((\"echo a\"|getline x)>0)print x;system(\"exit 3\")}'",
        "awk '{print|\"sort\"}'",
        "tar cf - .",
        "gzip",
        "paste - -",
        "diff - /etc/passwd",
        "xxd",
        "${x//a*/b}",
        "${x/",
        "[[",
        "]]",
        "head -c 9999999 /dev/zero",
        "tail",
        "f&f",
        "\u{d55c}",
    ];
    prop_oneof![9 => proptest::sample::select(pieces).prop_map(str::to_owned), 1 => ".{0,12}".prop_map(|text: String| text)]
}

/// Runs a script and gives what it wrote, how it ended, and how many steps that took.
fn measured(script: &str) -> (String, Option<Exit>, u64) {
    let mut solo = solo();
    // As on any node, memory has an end: a line of `/dev/zero` has none.
    let mut limited = spec(&["sh", "-c", script]);
    limited.memory_limit = Some(256 << 20);
    let mut processes = Processes::start(limited, &mut solo).expect("sh is there");
    let exit = solo.go_on(&mut processes, SimTime::ZERO + SimDuration::from_secs(60));
    let text = solo.output.iter().flat_map(|(_, bytes)| bytes.iter().copied());
    let text = String::from_utf8_lossy(&text.collect::<Vec<u8>>()).into_owned();
    (text, exit, processes.steps())
}

/// Steps that a container can take in a minute: two million at full speed, then two thousand a second, and those of calls
/// that come while its time is not over.
const MINUTE: u64 = 3_000_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_script_panics(pieces in proptest::collection::vec((piece(), proptest::bool::ANY), 0..24)) {
        let script: String = pieces.iter().map(|(piece, space)| format!("{piece}{}", if *space { " " } else { "" })).collect();
        let first = measured(&script);
        prop_assert!(first.2 < MINUTE, "{} steps", first.2);
        prop_assert_eq!(measured(&script), first);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..120)) {
        let script = String::from_utf8_lossy(&bytes).replace('\0', "");
        let (_, _, steps) = measured(&script);
        prop_assert!(steps < MINUTE, "{steps} steps");
    }
}

#[test]
fn what_a_script_may_use_up_is_bounded_and_named() {
    for (script, code, words) in [
        (
            "x=a; while :; do x=$x$x$x$x; done",
            Some(2),
            "a word has more than 33554432 bytes",
        ),
        (
            "set -- a b c d; while :; do set -- \"$@\" \"$@\"; done",
            Some(2),
            "a command has more than 1048576 words",
        ),
        ("f() { f; }; f", Some(139), "deeper than 10000 levels"),
        (
            "x=$(head -c 200000 /dev/zero | tr '\\0' a); /bin/true $x; exit $?",
            Some(126),
            "/bin/true: Argument list too long",
        ),
        (
            "x=$(head -c 9000 /dev/zero | tr '\\0' a); echo ${x//a*b/}",
            Some(2),
            "a replacement takes more than 5000000 steps",
        ),
        (
            "awk 'BEGIN { while (1) s = s \"xxxxxxxxxxxxxxxx\" s }'; exit $?",
            Some(2),
            "",
        ),
        ("printf x | sed ':a;s/x/xx/g;ta'; exit $?", Some(4), ""),
    ] {
        let (text, exit, steps) = measured(script);
        assert_eq!(exit.map(|exit| exit.code), code, "{script}: {text:.300}");
        assert!(text.contains(words), "{script}: {text:.300}");
        assert!(steps < MINUTE, "{script}: {steps}");
    }
}

#[test]
fn what_has_no_end_is_not_read_to_its_end() {
    for (script, code, words) in [
        ("sh < /dev/zero; exit $?", 0, "what a script on standard input has"),
        ("nc localhost 80 < /dev/zero; exit $?", 1, "what nc is to send"),
        ("tar tf /dev/zero; exit $?", 1, ""),
        ("sha256sum < /dev/zero; exit $?", 0, "needs its whole input"),
        ("truncate -s 1T f; echo x >> f; exit $?", 1, "what a file has"),
        ("truncate -s 18446744073709551615 f; exit $?", 1, ""),
        ("dd if=/dev/zero of=f seek=18446744073709551615; exit $?", 1, ""),
        (
            "dd if=/dev/zero of=f seek=99999999 count=1 conv=notrunc; exit $?",
            0,
            "",
        ),
    ] {
        let mut solo = solo();
        let exit = solo
            .run(spec(&["sh", "-c", script]), SimTime::ZERO + SimDuration::from_secs(60))
            .expect("sh is there");
        assert_eq!(exit.map(|exit| exit.code), Some(code), "{script}");
        let notices = solo.notices.join("\n");
        assert!(notices.contains(words), "{script}: {notices}");
    }
}

#[test]
fn what_a_process_holds_counts_against_the_limit() {
    for script in [
        "head -c 10m /dev/zero | tail",
        "tail /dev/zero",
        "awk 'BEGIN { getline line < \"/dev/zero\" }'",
        "awk '{ held = held $0 }' /dev/zero",
        "yes $(head -c 9000 /dev/zero | tr '\\0' x) | tail -n 1000000",
        "yes $(head -c 9000 /dev/zero | tr '\\0' x) | head -n -1000000",
        "yes $(head -c 9000 /dev/zero | tr '\\0' x) | paste - -",
    ] {
        let mut limited = spec(&["sh", "-c", script]);
        limited.memory_limit = Some(8 << 20);
        limited.oom_kills_group = true;
        let exit = solo()
            .run(limited, SimTime::ZERO + SimDuration::from_secs(600))
            .expect("starts");
        assert_eq!(exit.map(|exit| (exit.code, exit.oom)), Some((137, true)), "{script}");
    }
}

#[test]
fn a_root_that_is_read_only_and_a_user_who_is_not_root_cannot_write() {
    let mut read_only = spec(&[
        "sh",
        "-c",
        "echo x > /tmp/f; echo $?; rm /etc/passwd; echo $?; echo y > /dev/null; echo $?",
    ]);
    read_only.read_only_root = true;
    let mut user = spec(&[
        "sh",
        "-c",
        "echo x > /etc/f; echo $?; echo x > /tmp/f; echo $?; id -u; whoami",
    ]);
    user.user = 1000;
    for (spec, out, err) in [
        (read_only, "1\n1\n0\n", "Read-only file system"),
        (user, "1\n0\n1000\n", "Permission denied"),
    ] {
        let mut solo = solo();
        solo.run(spec, SimTime::ZERO + SimDuration::from_secs(10))
            .expect("starts");
        assert_eq!(String::from_utf8_lossy(&solo.written(false)), out);
        assert!(String::from_utf8_lossy(&solo.written(true)).contains(err));
    }
}

#[test]
fn a_trap_waits_for_the_foreground_and_wait_does_not() {
    for (script, out, seconds) in [
        ("trap 'echo t' TERM; sleep 5; echo end", "t\nend\n", 5),
        ("trap 'echo t' TERM; sleep 5 & wait $!; echo $?", "t\n143\n", 1),
        ("trap '' TERM; sleep 3; echo end", "end\n", 3),
        ("sleep 3; echo end", "end\n", 3),
    ] {
        let mut solo = solo();
        let mut processes = Processes::start(spec(&["sh", "-c", script]), &mut solo).expect("starts");
        solo.go_on(&mut processes, SimTime::ZERO + SimDuration::from_secs(1));
        processes.signal(Signal::TERM);
        solo.go_on(&mut processes, SimTime::ZERO + SimDuration::from_secs(60));
        assert_eq!(String::from_utf8_lossy(&solo.written(false)), out, "{script}");
        assert_eq!(solo.now, SimTime::ZERO + SimDuration::from_secs(seconds), "{script}");
    }
}

#[test]
fn nesting_has_a_bound() {
    for open in [
        "(",
        "$(",
        "{ ",
        "if ",
        "\"$(",
        "${x:-",
        "$((",
        "while ",
        "case a in a) ",
        "! ",
        "f() ",
    ] {
        let script = open.repeat(20_000);
        let (_, err, exit, _) = run(&script);
        assert_eq!(exit.map(|exit| exit.code), Some(2), "{open}: {err}");
    }
}

#[test]
fn scripts_are_compiled_once() {
    let first = super::code::compiled("echo once");
    assert!(Arc::ptr_eq(&first, &super::code::compiled("echo once")));
}

#[test]
fn processes_are_directories_while_they_live() {
    let script = "sleep 9 & p=$!; test -d /proc/$p && echo lives; ls /proc/$p | head -n 2; \
                  kill $p; wait; test -e /proc/$p || echo gone; test -f /proc/self/status && echo file";
    let (out, err, _, _) = run(script);
    assert_eq!(
        (out.as_str(), err.as_str()),
        ("lives\ncgroup\ncmdline\ngone\nfile\n", "")
    );
}

#[test]
fn disks_memory_and_ports_are_shown_in_the_asked_unit() {
    let (out, _, _, _) =
        run("df -h /tmp | tail -n 1; free -m | grep Mem; nc -l -p 8080 & sleep 1; netstat -tln | tail -n 1");
    let words: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["overlay", "100.0G", "0", "100.0G", "0%", "/"]);
    assert_eq!(words[1][..2], ["Mem:", "8192"]);
    assert_eq!(words[2], ["tcp", "0", "0", "0.0.0.0:8080", "0.0.0.0:*", "LISTEN"]);
    let (_, err, exit, _) = run("df /nowhere");
    assert_eq!(
        (err.as_str(), exit.map(|exit| exit.code)),
        ("df: /nowhere: can't find mount point\n", Some(1))
    );
}
