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
    for script in ["while true; do :; done", "f() { f & f; }; f", "yes > /dev/null", "yes | cat >/dev/null"] {
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
        "\u{d55c}",
    ];
    prop_oneof![9 => proptest::sample::select(pieces).prop_map(str::to_owned), 1 => ".{0,12}".prop_map(|text: String| text)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_script_panics(pieces in proptest::collection::vec((piece(), proptest::bool::ANY), 0..24)) {
        let script: String = pieces.iter().map(|(piece, space)| format!("{piece}{}", if *space { " " } else { "" })).collect();
        let first = run(&script);
        prop_assert_eq!(run(&script), first);
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
