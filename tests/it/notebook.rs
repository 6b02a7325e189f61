//! Sessions: cells that are run one after the other on a living cluster.

use peapod::lab::Cancel;
use peapod::notebook::{Failure, Output, Session, Settings};

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: c, image: busybox, command: [sleep, \"3600\"]}\n";

fn session() -> Session {
    Session::new(Settings::default()).expect("a session")
}

/// Runs a cell and gives what it shows as plain text.
fn run(session: &mut Session, cell: &str) -> (String, Result<(), Failure>) {
    let mut shown = String::new();
    let done = session.run(cell, &Cancel::new(), &mut |output| match output {
        Output::Stream { text, .. } => shown.push_str(&text),
        Output::Display { bundle, .. } | Output::Update { bundle, .. } | Output::Result(bundle) => {
            shown.push_str(bundle.plain());
            shown.push('\n');
        }
        Output::Clear { .. } => shown.clear(),
    });
    (shown, done)
}

fn shows(session: &mut Session, cell: &str) -> String {
    let (shown, done) = run(session, cell);
    assert_eq!(done, Ok(()), "{cell}\n{shown}");
    shown
}

#[test]
fn cells_share_a_cluster_whose_clock_the_reader_holds() {
    let mut session = session();
    assert_eq!(shows(&mut session, POD), "pod/web created\n");
    let get = "$ kubectl get pod web --no-headers | awk '{print $3}'";
    assert_eq!(shows(&mut session, get), "Pending\n");
    assert!(shows(&mut session, "%until pod/web Ready").starts_with("t = "));
    assert_eq!(shows(&mut session, get), "Running\n");
    assert_eq!(shows(&mut session, POD), "pod/web unchanged\n");
    shows(&mut session, "%snapshot before");
    shows(&mut session, "$ kubectl delete pod web --now");
    assert_eq!(
        shows(&mut session, "kubectl get pods"),
        "No resources found in default namespace.\n"
    );
    shows(&mut session, "%restore before");
    assert_eq!(shows(&mut session, get), "Running\n");
    assert!(shows(&mut session, "%why pod/web").contains("kubectl apply"));
    assert!(shows(&mut session, "%timeline pod/web").contains("web phase: "));
}

#[test]
fn the_same_cells_give_the_same_outputs() {
    let cells = [
        POD,
        "%settle",
        "$ kubectl get pod web -o yaml",
        "$ kubectl describe pod web; date; echo $RANDOM",
        "%timeline",
        "%reset --nodes 3 --profile 1.30 --seed 4",
        "$ kubectl get nodes",
    ];
    let whole = || {
        let mut session = session();
        let mut outputs = Vec::new();
        for cell in cells {
            let done = session.run(cell, &Cancel::new(), &mut |output| outputs.push(output));
            assert_eq!(done, Ok(()), "{cell}");
        }
        outputs
    };
    assert_eq!(whole(), whole());
}

#[test]
fn what_fails_says_where() {
    for (cell, name, line) in [
        ("apiVersion: v1\nkind: Pod\nspec: [\n", "ManifestError", "  3 | spec: ["),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {contaners: []}\n",
            "ManifestError",
            "  4 | spec: {contaners: []}",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: A}\nspec: {containers: [{name: c, image: i}]}\n",
            "Invalid",
            "  3 | metadata: {name: A}",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: nowhere}\nspec: {containers: [{name: c, image: i}]}\n",
            "NotFound",
            "",
        ),
        (
            "$ true\n$ kubectl get pod no",
            "CommandFailed",
            "  2 | $ kubectl get pod no",
        ),
        ("%now\n%nosuchmagic", "UsageError", "  2 | %nosuchmagic"),
        ("%advance", "UsageError", "  1 | %advance"),
        ("%advance 3 weeks", "UsageError", "  1 | %advance 3 weeks"),
        ("%until pod/no Ready", "CommandFailed", "  1 | %until pod/no Ready"),
        ("%restore", "NotFound", "  1 | %restore"),
        ("steps:\n- aply: x\n", "ExperimentError", "  2 | - aply: x"),
        (
            "steps:\n- kubectl: get pods\nexpect:\n- claim: never\n  finally: \"false\"\n",
            "ClaimFailed",
            "  4 | - claim: never",
        ),
        ("what is this", "UsageError", "  1 | what is this"),
    ] {
        let failure = run(&mut session(), cell).1.expect_err(cell);
        assert_eq!(failure.name, name, "{cell}: {failure:?}");
        assert_eq!(failure.traceback.get(1).map_or("", String::as_str), line, "{cell}");
    }
}

#[test]
fn expected_text_is_compared() {
    let mut session = session();
    let cell =
        "$ kubectl get ns -o name\nnamespace/default\n…\n$ kubectl get pod no\nError from server (NotFound): …\n";
    shows(&mut session, cell);
    let wrong = "$ echo a\nb\n";
    assert!(shows(&mut session, wrong).contains("- b\n+ a"));
    shows(&mut session, "%reset --strict");
    let failure = run(&mut session, wrong).1.expect_err("it is strict");
    assert_eq!(failure.name, "NotAsWritten");
}

#[test]
fn an_interrupt_leaves_the_cluster_where_it_is() {
    let mut session = session();
    shows(&mut session, POD);
    let cancel = Cancel::new();
    cancel.cancel();
    let failure = session
        .run("%advance 10s", &cancel, &mut |_| ())
        .expect_err("interrupted");
    assert_eq!(
        (failure.name.as_str(), failure.value.as_str()),
        ("Interrupted", "at 0s")
    );
    assert!(shows(&mut session, "%advance 10s").starts_with("t = 10s"));
}

#[test]
fn hostile_names_are_text() {
    let mut session = session();
    let mut html = String::new();
    shows(&mut session, "$ kubectl create configmap a --from-literal='x=<script>'");
    for cell in [
        "$ kubectl get cm a -o custom-columns='X:.data.x,NAME:.metadata.name'",
        "%timeline",
        "$ echo '<b>'",
    ] {
        let done = session.run(cell, &Cancel::new(), &mut |output| {
            if let Output::Display { bundle, .. } = output {
                for (kind, value) in bundle.data().iter().filter(|(kind, _)| *kind != "text/plain") {
                    html.push_str(&format!("{kind} {value}"));
                }
            }
        });
        assert_eq!(done, Ok(()));
    }
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
}

#[test]
fn a_note_is_the_same_when_it_comes_back_from_a_notebook() {
    let note = |text: &str| peapod_vault::Note::parse("n.md", text);
    for text in [
        "",
        "\n",
        "# Only prose",
        "---\na: b\n---\n# T\n\ntext\n",
        "a\n\n\n\n## b\n```yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n\n```\n```yaml\napiVersion: v1\nkind: Pod\n```\n",
        "a\r\n\r\n```console\r\n$ kubectl get ns -o name\r\nnamespace/default\r\n…\r\n```\r\n",
        "- ```yaml\n  apiVersion: v1\n  kind: Pod\n  ```\n",
        "```yaml\napiVersion: v1\nkind: Pod\n",
        "[[a|b [c]]] ![[x.png]] %%[[hidden]]%%\n\n~~~yaml\napiVersion: v1\nkind: Pod\n~~~",
        "```experiment\nid: x\nsteps:\n- kubectl: get pods\n```\n",
    ] {
        let book = peapod::notebook::ipynb::export(&note(text), &|_| peapod::notebook::ipynb::Target::Nothing);
        let back = peapod::notebook::ipynb::import(&book).expect("a notebook");
        assert_eq!(back.text, text);
    }
}

#[test]
fn a_cell_that_needs_a_fresh_cluster_gets_one() {
    let pod = |image: &str| {
        format!(
            "```yaml\napiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec: {{restartPolicy: {image}, containers: [{{name: c, image: nginx}}]}}\n```\n"
        )
    };
    let text = format!("{}\n{}\n", pod("Always"), pod("Never"));
    let note = peapod_vault::Note::parse("n.md", text);
    let book = peapod::notebook::ipynb::export(&note, &|_| peapod::notebook::ipynb::Target::Nothing);
    assert_eq!(book.matches("\"generated\": true").count(), 2);
    assert_eq!(book.matches("\"output_type\": \"error\"").count(), 0);
    assert_eq!(book.matches("pod/a created").count(), 2);
}

const PIPED: &str = "# T\n\n```yaml\napiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: nginx}]}\n```\n\n```console\n$ N=web\n$ kubectl get pod $N --no-headers | awk '{print $3}'\nRunning\n$ kubectl get pod web\nNAME   READY   STATUS    RESTARTS   AGE\nweb    1/1     Running   0          <age>\n$ kubectl delete pod $N && kubectl get pods\npod \"web\" deleted from default namespace\nNo resources found in default namespace.\n```\n";

#[test]
fn consoles_of_notes_have_a_shell_and_are_brought_up_to_date() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("n.md");
    let check = |more: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_peapod"))
            .arg("check")
            .args(more)
            .arg(&path)
            .output()
            .expect("it runs");
        output.status.code()
    };
    std::fs::write(&path, PIPED).expect("written");
    assert_eq!(check(&[]), Some(0));
    std::fs::write(&path, PIPED.replace("\nRunning\n", "\nPending\nor so\n")).expect("written");
    assert_eq!(check(&[]), Some(1));
    assert_eq!(check(&["--update"]), Some(0));
    assert_eq!(std::fs::read_to_string(&path).expect("read"), PIPED);
    std::fs::write(&path, PIPED.replace("$ N=web", "$ false")).expect("written");
    assert_eq!(check(&[]), Some(1));
}
