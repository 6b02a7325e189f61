//! The machine at which a person sits: a shell with the usual filters and with `kubectl`, beside a living cluster whose
//! virtual time passes while a command waits.

use std::collections::VecDeque;

use jiff::Timestamp;
use peapod_kubectl::{Files, Output};
use peapod_sim::cluster::Cluster;
use peapod_sim::manifest;
use peapod_sim::rng::Rng;
use peapod_sim::runtime::catalogue::{Catalogue, Lookup, Reference};
use peapod_sim::runtime::files::{Content, Node, Tree};
use peapod_sim::runtime::host::{Host, RequestId, Response};
use peapod_sim::runtime::process::{Processes, Spec};
use peapod_sim::shell::{self, Open};
use peapod_sim::time::{SimDuration, SimTime};
use serde_json::Value;

use crate::cluster_api::{self, Passing};
use crate::following::Following;
use crate::lab::Cancel;

/// Virtual time that one line may take: nobody sits before a terminal for longer.
pub const PATIENCE: SimDuration = SimDuration::from_secs(24 * 60 * 60);

/// Bytes that one line may print.
pub const MAX_OUTPUT: usize = 4 << 20;

/// Memory of the machine: a line of `/dev/zero` has no end.
const MEMORY: u64 = 1 << 30;

const HOME: &str = "/root";

/// Where the shell leaves what the next line goes on with.
const LEFT: &str = "/var/run/peapod-shell";

/// A workstation: its files, its directory and its variables. A clone goes its own way.
#[derive(Clone)]
pub struct Workstation {
    tree: Tree,
    directory: String,
    rng: Rng,
}

/// What typing a line gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// The exit code; 130 when it was interrupted.
    pub exit_code: i32,
    /// The output of the one `kubectl` command that is all of the line; of a line with filters or several commands there
    /// is none.
    pub table: Option<String>,
    /// What the shell accepted without simulating it.
    pub notices: Vec<String>,
    /// Whether it was stopped from outside.
    pub interrupted: bool,
}

impl Workstation {
    /// A machine as it is installed: busybox's tools and `kubectl`.
    pub fn new(seed: u64) -> Self {
        let busybox = Reference::parse("busybox").map(|reference| Catalogue::builtin().lookup(&reference));
        let mut tree = match busybox {
            Ok(Lookup::Image(image) | Lookup::Assumed(image)) => image.files(),
            _ => Tree::default(),
        };
        tree.make_directories(HOME);
        tree.make_directories("/var/run");
        tree.make_directories("/usr/local/bin");
        let kubectl = Node::new(Content::Program("kubectl".into()), 0o755);
        tree.put("/usr/local/bin/kubectl", kubectl);
        Self {
            tree,
            directory: HOME.to_owned(),
            rng: Rng::new(seed),
        }
    }

    /// Writes a file, with the directories that it needs; the path may be relative to the shell's directory.
    pub fn write(&mut self, path: &str, text: &str) {
        let path = absolute(&self.directory, path);
        if let Some((directory, _)) = path.rsplit_once('/') {
            self.tree.make_directories(directory);
        }
        self.tree.write(&path, text.as_bytes(), 0o644);
    }

    /// The names in the shell's directory.
    pub fn names(&self) -> Vec<String> {
        self.tree.names(&self.directory)
    }

    /// Types a line (or several) into the shell. What is printed comes through `print` as it is printed: whether to
    /// standard error, and the text. Variables that are set, and the directory, are still there for the next line.
    pub fn enter(&mut self, time: &mut dyn Passing, line: &str, print: &mut dyn FnMut(bool, &str)) -> Typed {
        // `set -a` makes every variable one that `export -p` shows.
        let script = format!(
            "[ -f {LEFT}.env ] && . {LEFT}.env\ntrap 'export -p > {LEFT}.env; pwd > {LEFT}.dir' EXIT\nset -a\n{line}\n"
        );
        let mut machine = Machine {
            tree: &mut self.tree,
            rng: &mut self.rng,
            now: time.cluster().now(),
            wall: time.cluster().wall_now(),
            output: VecDeque::new(),
            commands: VecDeque::new(),
            notices: Vec::new(),
        };
        let spec = Spec {
            argv: vec!["sh".to_owned(), "-c".to_owned(), script],
            working_dir: self.directory.clone(),
            env: vec![("HOME".to_owned(), HOME.to_owned())],
            hostname: "workstation".to_owned(),
            memory_limit: Some(MEMORY),
            ..Spec::default()
        };
        let mut typed = Typed::default();
        let mut processes = match Processes::start(spec, &mut machine) {
            Ok(processes) => processes,
            Err(error) => {
                print(true, &format!("{error}\n"));
                typed.exit_code = 126;
                return typed;
            }
        };
        let deadline = time.cluster().now() + PATIENCE;
        let (mut printed, mut whole, mut ran) = (0, String::new(), Vec::new());
        let mut followed: Vec<(RequestId, Following)> = Vec::new();
        typed.exit_code = loop {
            machine.now = time.cluster().now();
            machine.wall = time.cluster().wall_now();
            let progress = processes.run(&mut machine);
            for (stderr, bytes) in machine.output.drain(..) {
                printed += bytes.len();
                let text = String::from_utf8_lossy(&bytes);
                if !stderr {
                    whole.push_str(&text);
                }
                print(stderr, &text);
            }
            if printed > MAX_OUTPUT {
                print(true, &format!("peapod: stopped: a line may print {MAX_OUTPUT} bytes\n"));
                break 1;
            }
            if let Some(exit) = progress.main_exit {
                break exit.code;
            }
            if !time.goes_on() {
                typed.interrupted = true;
                break 130;
            }
            if let Some((id, argv, directory, stdin)) = machine.commands.pop_front() {
                let files = Desk {
                    tree: machine.tree,
                    directory: &directory,
                    stdin: &stdin,
                };
                let words = argv.get(1..).unwrap_or_default();
                let output = cluster_api::kubectl_words(time, words, &files);
                ran.push(output.clone());
                match Following::of(words, &output, time.cluster()) {
                    Some(following) => {
                        processes.answer(id, Ok(piece(&output.stdout)));
                        followed.push((id, following));
                    }
                    None => processes.answer(id, Ok(ended(output))),
                }
                continue;
            }
            if !followed.is_empty() {
                let until = progress.wake.unwrap_or(deadline).min(deadline);
                let came = follow(time, until, &mut followed, progress.wake.is_some());
                let any = !came.is_empty();
                for (id, response) in came {
                    processes.answer(id, Ok(response));
                }
                if any {
                    continue;
                }
                if !time.goes_on() {
                    typed.interrupted = true;
                    break 130;
                }
            }
            match progress.wake {
                Some(wake) if wake <= deadline => {
                    if !pass(time, wake) {
                        typed.interrupted = !time.goes_on();
                        break 130;
                    }
                }
                _ => {
                    print(true, "peapod: stopped: the line waits for what never comes\n");
                    break 124;
                }
            }
        };
        typed.notices = machine.notices;
        if let [output] = ran.as_slice()
            && output.stdout == whole
            && output.exit_code == typed.exit_code
        {
            typed.table = Some(whole);
        }
        if let Some(directory) = self.tree.read(&format!("{LEFT}.dir")) {
            let directory = String::from_utf8_lossy(&directory).trim_end().to_owned();
            if self.tree.find(&directory).is_some() {
                self.directory = directory;
            }
        }
        typed
    }
}

/// Lets virtual time pass up to an instant; `false` when it may not, was interrupted, or the cluster has met a limit.
pub fn pass(time: &mut dyn Passing, until: SimTime) -> bool {
    while time.cluster().next_event_at().is_some_and(|next| next <= until) {
        if !time.goes_on() || !time.step() {
            return false;
        }
    }
    time.reach(until)
}

/// A cluster whose time stops passing when somebody says so.
pub struct Held<'a> {
    /// The cluster.
    pub cluster: &'a mut Cluster,
    /// Who says so.
    pub cancel: &'a Cancel,
}

impl Passing for Held<'_> {
    fn cluster(&mut self) -> &mut Cluster {
        self.cluster
    }

    fn goes_on(&mut self) -> bool {
        !self.cancel.is_cancelled()
    }
}

/// Whether a command goes on in the next line: the shell would ask for more.
pub fn goes_on(command: &str) -> bool {
    shell::open(command).is_some()
}

/// The whole of a command that begins with a line: as many of the lines under it as it goes on for.
pub fn whole<'a>(first: &str, under: &mut impl Iterator<Item = &'a str>) -> String {
    let mut command = first.to_owned();
    while let Some(open) = shell::open(&command) {
        let Some(line) = under.next() else { break };
        // The prompt of a continued line is no part of it; inside of quotes `$ ` is text.
        let own = match (line.strip_prefix('>'), open) {
            (Some(""), _) => "",
            (Some(rest), _) if rest.starts_with(' ') => &rest[1..],
            (_, Open::Command) => line.strip_prefix("$ ").unwrap_or(line),
            (_, Open::Text) => line,
        };
        command.push('\n');
        command.push_str(own);
    }
    command
}

/// Lets time pass until a command that follows has something to say, at most up to an instant. Where nobody ends it
/// otherwise, it ends when nothing happens any more.
fn follow(
    time: &mut dyn Passing,
    until: SimTime,
    followed: &mut Vec<(RequestId, Following)>,
    somebody_waits: bool,
) -> Vec<(RequestId, Response)> {
    let mut came = Vec::new();
    let mut revision = None;
    loop {
        if revision != Some(time.cluster().revision()) {
            revision = Some(time.cluster().revision());
            followed.retain_mut(|(id, following)| {
                let (text, goes_on) = following.poll(time.cluster());
                if !text.is_empty() || !goes_on {
                    let mut response = piece(&text);
                    if let (Response::Output { exit_code, .. }, false) = (&mut response, goes_on) {
                        *exit_code = Some(0);
                    }
                    came.push((*id, response));
                }
                goes_on
            });
            if !came.is_empty() {
                return came;
            }
        }
        let is_over = !somebody_waits && time.cluster().settled();
        let next = time.cluster().next_event_at().filter(|next| *next <= until && !is_over);
        if next.is_some() && time.goes_on() && time.step() {
            continue;
        }
        if !somebody_waits && time.goes_on() {
            let ends = followed.drain(..).map(|(id, _)| (id, ended(Output::default())));
            came.extend(ends);
        }
        return came;
    }
}

/// A piece of what a command prints that goes on.
fn piece(text: &str) -> Response {
    Response::Output {
        stdout: text.as_bytes().to_vec(),
        stderr: Vec::new(),
        exit_code: None,
    }
}

fn ended(output: Output) -> Response {
    Response::Output {
        stdout: output.stdout.into_bytes(),
        stderr: output.stderr.into_bytes(),
        exit_code: Some(output.exit_code),
    }
}

fn absolute(directory: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let path = path.strip_prefix("~/").map_or_else(
        || format!("{}/{path}", directory.trim_end_matches('/')),
        |rest| format!("{HOME}/{rest}"),
    );
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The files that a command line of the workstation names.
struct Desk<'a> {
    tree: &'a Tree,
    directory: &'a str,
    stdin: &'a [u8],
}

impl Desk<'_> {
    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        match name {
            "-" | "/dev/stdin" => Some(self.stdin.to_vec()),
            name => self.tree.read(&absolute(self.directory, name)),
        }
    }

    /// The file itself, or the manifests in a directory.
    fn named(&self, name: &str) -> Vec<String> {
        let path = absolute(self.directory, name);
        let directory = self.tree.find(&path).and_then(|ino| self.tree.node(ino));
        if !directory.is_some_and(Node::is_directory) {
            return vec![name.to_owned()];
        }
        let mut names = self.tree.names(&path);
        names.sort();
        names.retain(|name| [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end)));
        names.into_iter().map(|name| format!("{path}/{name}")).collect()
    }
}

impl Files for Desk<'_> {
    fn manifests(&self, name: &str) -> Result<Vec<Value>, String> {
        let mut found = Vec::new();
        for name in self.named(name) {
            let bytes = self
                .bytes(&name)
                .ok_or_else(|| format!("the path \"{name}\" does not exist"))?;
            let shown = if name == "-" { "STDIN" } else { &name };
            let manifests = manifest::read(&String::from_utf8_lossy(&bytes)).map_err(|problems| {
                let message = problems.into_iter().next().map(|problem| problem.message);
                format!("error parsing {shown}: {}", message.unwrap_or_default())
            })?;
            found.extend(manifests.into_iter().map(|manifest| manifest.value));
        }
        Ok(found)
    }

    fn text(&self, name: &str) -> Result<String, String> {
        let bytes = self
            .bytes(name)
            .ok_or_else(|| format!("open {name}: no such file or directory"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// What the processes of the workstation see of it.
struct Machine<'a> {
    tree: &'a mut Tree,
    rng: &'a mut Rng,
    now: SimTime,
    wall: Timestamp,
    output: VecDeque<(bool, Vec<u8>)>,
    commands: VecDeque<(RequestId, Vec<String>, String, Vec<u8>)>,
    notices: Vec<String>,
}

impl Host for Machine<'_> {
    fn now(&self) -> SimTime {
        self.now
    }

    fn wall_now(&self) -> Timestamp {
        self.wall
    }

    fn random(&mut self, bound: u64) -> u64 {
        self.rng.below(bound)
    }

    fn write_log(&mut self, stderr: bool, line: &str) {
        self.output.push_back((stderr, format!("{line}\n").into_bytes()));
    }

    fn write_output(&mut self, stderr: bool, bytes: &[u8]) -> bool {
        self.output.push_back((stderr, bytes.to_vec()));
        true
    }

    fn root(&mut self) -> &mut Tree {
        self.tree
    }

    fn notice(&mut self, text: &str) {
        if !self.notices.iter().any(|own| own == text) {
            self.notices.push(text.to_owned());
        }
    }

    fn runs_commands(&self) -> bool {
        true
    }

    fn command(&mut self, id: RequestId, argv: Vec<String>, directory: &str, stdin: Vec<u8>) {
        self.commands.push_back((id, argv, directory.to_owned(), stdin));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]
    use super::*;
    use peapod_sim::cluster::Config;

    fn typed(lines: &[&str]) -> (String, String, i32, Cluster) {
        let mut cluster = Cluster::new(Config::default()).expect("a cluster");
        let mut station = Workstation::new(1);
        let (mut out, mut err, mut code) = (String::new(), String::new(), 0);
        for line in lines {
            let end = station.enter(&mut cluster, line, &mut |stderr, text| {
                if stderr { &mut err } else { &mut out }.push_str(text);
            });
            code = end.exit_code;
        }
        (out, err, code, cluster)
    }

    #[test]
    fn lines_have_pipes_variables_loops_and_files() {
        for (lines, out, err, code) in [
            (&["echo hello, world"][..], "hello, world\n", "", 0),
            (&["echo careful >&2"], "", "careful\n", 0),
            (&["kubectl get ns -o name | grep kube | wc -l"], "3\n", "", 0),
            (
                &["N=default", "kubectl get ns $N -o name"],
                "namespace/default\n",
                "",
                0,
            ),
            (
                &["for n in a b; do kubectl create ns $n; done"],
                "namespace/a created\nnamespace/b created\n",
                "",
                0,
            ),
            (&["mkdir d; cd d", "pwd"], "/root/d\n", "", 0),
            (
                &["kubectl get pod nope"],
                "",
                "Error from server (NotFound): pods \"nope\" not found\n",
                1,
            ),
            (&["kubectl get pod nope 2>/dev/null || echo none"], "none\n", "", 0),
            (
                &["cat <<EOF | kubectl apply -f -\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\nEOF"],
                "configmap/c created\n",
                "",
                0,
            ),
            (
                &["X=$(kubectl get ns default -o jsonpath={.metadata.name}); echo \"<$X>\""],
                "<default>\n",
                "",
                0,
            ),
            (
                &[
                    "kubectl create cm a --dry-run=client -o yaml > a.yaml",
                    "kubectl apply -f a.yaml",
                ],
                "configmap/a created\n",
                "",
                0,
            ),
            (&["nosuch"], "", "sh: nosuch: not found\n", 127),
            (
                &[
                    "kubectl run a --image=busybox --restart=Never -- sh -c 'for i in 1 2 3; do echo $i; sleep 5; done'",
                    "kubectl wait --for=condition=Ready pod/a >/dev/null; kubectl logs -f a; kubectl get pods -w | awk '{print $3}'",
                ],
                "pod/a created\n1\n2\n3\nSTATUS\nCompleted\nCompleted\n",
                "",
                0,
            ),
            (
                &[
                    "timeout 20 kubectl get pods -w --no-headers 2>/dev/null | awk '{print $3}' & sleep 1; kubectl run a --image=nginx >/dev/null; wait",
                ],
                "Pending\nPending\nContainerCreating\nContainerCreating\nRunning\n",
                "",
                0,
            ),
            (
                &[
                    "kubectl create deployment d --image=nginx >/dev/null; kubectl get pods -w --no-headers | head -2 | wc -l",
                ],
                "2\n",
                "",
                0,
            ),
        ] {
            let got = typed(lines);
            assert_eq!((got.0.as_str(), got.1.as_str(), got.2), (out, err, code), "{lines:?}");
        }
    }

    #[test]
    fn commands_go_on_in_the_next_line() {
        for (command, expected) in [
            ("kubectl get pods", false),
            ("kubectl get pods \\", true),
            ("kubectl get pods \\\n-A", false),
            ("cat <<EOF", true),
            ("cat <<EOF\na", true),
            ("cat <<'EOF' | kubectl apply -f -\na'b\nEOF", false),
            ("cat <<-EOF\n\tEOF", false),
            ("echo \"a", true),
            ("echo \"a\nb\"", false),
            ("echo it\\'s", false),
            ("echo # it's", false),
            ("cat <<<EOF", false),
            ("for i in 1 2; do", true),
            ("for i in 1 2; do\necho $i\ndone", false),
            ("for i in 1 2\ndo echo $i", true),
            ("if true; then echo a", true),
            ("kubectl get pods |", true),
            ("kubectl get pods &&", true),
            ("f() {", true),
            ("case $x in", true),
            ("echo $(kubectl get", true),
            ("echo `date", true),
            ("echo ${x", true),
            ("echo done", false),
            ("done", false),
            ("echo a; done", false),
            ("echo 'a\\'", false),
            ("echo a\\\\", false),
        ] {
            assert_eq!(goes_on(command), expected, "{command}");
        }
    }

    #[test]
    fn a_command_takes_the_lines_that_belong_to_it() {
        for (first, under, expected) in [
            ("echo a", &["b"][..], "echo a"),
            (
                "for i in 1 2; do",
                &["> echo $i", "> done", "1"],
                "for i in 1 2; do\necho $i\ndone",
            ),
            (
                "for i in 1 2",
                &["$ do echo $i", "$ done", "1"],
                "for i in 1 2\ndo echo $i\ndone",
            ),
            ("cat <<EOF", &["$ a", ">", "EOF", "x"], "cat <<EOF\n$ a\n\nEOF"),
            ("echo 'a", &["> b'", "a"], "echo 'a\nb'"),
        ] {
            assert_eq!(whole(first, &mut under.iter().copied()), expected);
        }
    }

    #[test]
    fn virtual_time_passes_while_a_line_waits() {
        let (_, _, code, cluster) = typed(&[
            "kubectl run web --image=nginx",
            "kubectl wait --for=condition=Ready pod/web --timeout=60s",
            "sleep 30",
        ]);
        assert_eq!(code, 0);
        assert!(cluster.now() > SimTime::ZERO + SimDuration::from_secs(30));
        let (_, _, code, cluster) = typed(&["timeout 5 sleep 100"]);
        assert_eq!((code, cluster.now().as_secs()), (143, 5));
    }

    #[test]
    fn a_line_that_never_ends_is_stopped() {
        let (_, err, code, _) = typed(&["yes"]);
        assert_eq!(code, 1, "{err}");
        let cancel = Cancel::new();
        cancel.cancel();
        let mut cluster = Cluster::new(Config::default()).expect("a cluster");
        let mut held = Held {
            cluster: &mut cluster,
            cancel: &cancel,
        };
        let end = Workstation::new(1).enter(&mut held, "sleep 1000", &mut |_, _| ());
        assert!(end.interrupted);
        assert_eq!(cluster.now(), SimTime::ZERO);
    }
}
