//! What is kept survives: other processes, the death of a process, damage, and other versions of Peapod.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use peapod::lab::model::RunStatus;
use peapod::store::{Conclusion, NewPrediction, RunFilter, RunId, Store, StoreError};
use serde_json::json;
use sqlx::Connection;

use super::sample;

/// A store in a folder of its own.
fn store() -> (tempfile::TempDir, Store) {
    let vault = tempfile::tempdir().expect("a folder");
    let store = Store::of_vault(vault.path());
    (vault, store)
}

/// Records a whole run.
async fn whole_run(store: &Store, note: &str) -> RunId {
    let run = store.start_run(&sample::new_run(note)).await.expect("started");
    let trials: Vec<_> = (0..4).map(sample::trial).collect();
    store.record_trials(run, &trials).await.expect("recorded");
    store
        .end_run(run, &Conclusion::from(&sample::result()))
        .await
        .expect("ended");
    run
}

#[tokio::test]
async fn reading_creates_nothing() {
    let (vault, store) = store();
    assert!(store.runs(&RunFilter::default()).await.expect("empty").is_empty());
    assert!(store.newest_claims("파드.md").await.expect("empty").is_empty());
    assert!(store.trace(RunId(1), 0).await.expect("empty").is_none());
    assert!(matches!(
        store.delete_run(RunId(1)).await,
        Err(StoreError::NoSuchRun(RunId(1)))
    ));
    assert_eq!(std::fs::read_dir(vault.path()).expect("readable").count(), 0);
}

#[tokio::test]
async fn a_run_comes_back_as_it_was() {
    let (vault, store) = store();
    let run = whole_run(&store, "파드가 failed 뜨는 상황이란.md").await;
    store.close().await;

    let store = Store::of_vault(vault.path());
    let stored = store.run(run).await.expect("readable").expect("there");
    assert_eq!(stored.result, sample::result());
    assert_eq!(stored.unfinished, [0_usize; 0]);
    assert_eq!(
        (stored.summary.total, stored.summary.done, stored.summary.failed),
        (4, 4, 0)
    );
    assert_eq!((stored.summary.claims, stored.summary.as_expected), (2, 2));
    assert!(
        stored
            .summary
            .ended_at
            .is_some_and(|end| end >= stored.summary.started_at)
    );
    assert!(!stored.summary.is_outdated(sample::SOURCE));
    assert!(stored.summary.is_outdated("id: other"));
    let trial = store.trial(run, 3).await.expect("readable").expect("there");
    assert_eq!(trial, sample::trial(3).result);
    let trace = store.trace(run, 3).await.expect("readable").expect("there");
    assert_eq!(trace, sample::trace("Never", 1, "Failed"));
    let newest = store
        .newest_run("파드가 failed 뜨는 상황이란.md", "exit-by-policy")
        .await
        .expect("readable");
    assert_eq!(newest.expect("there").summary.id, run);
    assert!(vault.path().join(".peapod/peapod.db").exists());
    assert_eq!(
        std::fs::read_to_string(vault.path().join(".peapod/.gitignore")).expect("readable"),
        "*\n"
    );
}

#[tokio::test]
async fn a_claim_has_its_newest_result_only() {
    let (_vault, store) = store();
    let first = whole_run(&store, "a.md").await;
    let second = whole_run(&store, "a.md").await;
    whole_run(&store, "b.md").await;
    // Neither a run of a changed copy nor one that was cancelled says anything about the note.
    let mut scratch = sample::new_run("a.md");
    scratch.scratch = true;
    let scratch = store.start_run(&scratch).await.expect("started");
    store
        .end_run(scratch, &Conclusion::from(&sample::result()))
        .await
        .expect("ended");
    let cancelled = store.start_run(&sample::new_run("a.md")).await.expect("started");
    let conclusion = Conclusion {
        status: RunStatus::Cancelled,
        ..Conclusion::from(&sample::result())
    };
    store.end_run(cancelled, &conclusion).await.expect("ended");

    let claims = store.newest_claims("a.md").await.expect("readable");
    let shown: Vec<_> = claims
        .iter()
        .map(|claim| (claim.run, claim.result.block.as_deref().unwrap_or("")))
        .collect();
    assert_eq!(shown, [(second, "never-fails"), (second, "always-never-fails")]);
    assert!(!claims[0].is_outdated(sample::SOURCE));
    let history: Vec<_> = store
        .history("a.md", "exit-by-policy")
        .await
        .expect("readable")
        .iter()
        .map(|run| run.id)
        .collect();
    assert_eq!(history, [cancelled, scratch, second, first]);
    let filter = RunFilter {
        note: Some("a.md".to_owned()),
        limit: 1,
        before: Some(second),
        ..RunFilter::default()
    };
    assert_eq!(store.runs(&filter).await.expect("readable")[0].id, first);
}

#[tokio::test]
async fn deletion_takes_what_nobody_else_needs() {
    let (vault, store) = store();
    let first = whole_run(&store, "a.md").await;
    let second = whole_run(&store, "a.md").await;
    let traces = || async {
        let mut connection = connect(vault.path()).await;
        let (count,): (i64,) = sqlx::query_as("select count(*) from traces")
            .fetch_one(&mut connection)
            .await
            .expect("readable");
        count
    };
    assert_eq!(traces().await, 4, "the same trial has the same trace, once");
    store.delete_run(first).await.expect("deleted");
    assert_eq!(traces().await, 4, "the second run needs them");
    assert!(store.trace(second, 0).await.expect("readable").is_some());
    store.delete_run(second).await.expect("deleted");
    assert_eq!(traces().await, 0);
    assert!(store.run(second).await.expect("readable").is_none());
    let third = whole_run(&store, "a.md").await;
    assert!(third > second, "a number is never given twice");
    let running = store.start_run(&sample::new_run("a.md")).await.expect("started");
    assert!(matches!(
        store.delete_run(running).await,
        Err(StoreError::StillRunning(_))
    ));
}

#[tokio::test]
async fn predictions_are_kept() {
    let (_vault, store) = store();
    let new = NewPrediction {
        note: "a.md".into(),
        cell: "x".into(),
        source: "id: x".into(),
        ask: "어떤 조합?".into(),
        answer: json!({"a": 1}),
    };
    let made = store.predict(&new).await.expect("kept");
    assert_eq!(
        store.predictions("a.md", "x").await.expect("readable"),
        std::slice::from_ref(&made)
    );
    store.delete_prediction(made.id).await.expect("deleted");
    assert!(store.predictions("a.md", "x").await.expect("readable").is_empty());
}

/// Starts this very program as another process that holds a run of four trials, two of which ended.
fn other_process(vault: &Path) -> (Child, RunId) {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["store::another_process", "--exact", "--ignored", "--nocapture"])
        .env("PEAPOD_TEST_VAULT", vault)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let output = BufReader::new(child.stdout.take().expect("piped"));
    let line = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once("peapod-run=").map(|(_, run)| run.to_owned()));
    (
        child,
        line.expect("it says which run").trim().parse().expect("a number"),
    )
}

#[tokio::test]
#[ignore = "is the other process of the tests below"]
async fn another_process() {
    let Ok(vault) = std::env::var("PEAPOD_TEST_VAULT") else {
        return;
    };
    let store = Store::of_vault(Path::new(&vault));
    let run = store.start_run(&sample::new_run("a.md")).await.expect("started");
    store.record_trials(run, &[sample::trial(0)]).await.expect("recorded");
    store.record_trials(run, &[sample::trial(2)]).await.expect("recorded");
    println!("peapod-run={run}");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

#[tokio::test]
async fn a_killed_process_loses_only_the_trials_in_flight() {
    let (vault, store) = store();
    let (mut child, run) = other_process(vault.path());
    assert_eq!(
        store.summary(run).await.expect("readable").expect("there").status,
        RunStatus::Running,
        "it lives"
    );
    assert!(matches!(
        store.resume_run(run).await,
        Err(StoreError::NotResumable { status: "running", .. })
    ));
    assert!(matches!(store.delete_run(run).await, Err(StoreError::StillRunning(_))));
    child.kill().expect("killed"); // SIGKILL
    child.wait().expect("gone");

    let store = Store::of_vault(vault.path());
    let left = store.run(run).await.expect("readable").expect("there");
    assert_eq!(left.summary.status, RunStatus::Interrupted);
    assert_eq!(left.unfinished, [1, 3]);
    assert_eq!(left.result.trials, [sample::trial(0).result, sample::trial(2).result]);
    assert!(store.trace(run, 2).await.expect("readable").is_some());

    let resumed = store.resume_run(run).await.expect("resumed");
    assert_eq!(
        (resumed.summary.status, resumed.unfinished),
        (RunStatus::Running, vec![1, 3])
    );
    store
        .record_trials(run, &[sample::trial(1), sample::trial(3)])
        .await
        .expect("recorded");
    store
        .end_run(run, &Conclusion::from(&sample::result()))
        .await
        .expect("ended");
    assert_eq!(
        store.run(run).await.expect("readable").expect("there").result,
        sample::result()
    );
    assert!(matches!(
        store.resume_run(run).await,
        Err(StoreError::NotResumable { status: "finished", .. })
    ));
}

#[tokio::test]
async fn two_processes_share_a_database() {
    let (vault, store) = store();
    let (mut child, theirs) = other_process(vault.path());
    let ours = whole_run(&store, "a.md").await;
    // A third one that comes later leaves the living alone.
    let third = Store::of_vault(vault.path());
    let runs: Vec<_> = third
        .runs(&RunFilter::default())
        .await
        .expect("readable")
        .iter()
        .map(|run| (run.id, run.status))
        .collect();
    assert_eq!(runs, [(ours, RunStatus::Finished), (theirs, RunStatus::Running)]);
    child.kill().expect("killed");
    child.wait().expect("gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_open_at_once() {
    let vault = tempfile::tempdir().expect("a folder");
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = Store::of_vault(vault.path());
            tokio::spawn(async move { whole_run(&store, "a.md").await })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let runs = Store::of_vault(vault.path())
        .runs(&RunFilter::default())
        .await
        .expect("readable");
    assert_eq!(runs.len(), 8);
}

async fn connect(vault: &Path) -> sqlx::SqliteConnection {
    let url = format!("sqlite:{}", vault.join(".peapod/peapod.db").display());
    sqlx::SqliteConnection::connect(&url).await.expect("a database")
}

#[tokio::test]
async fn a_damaged_trace_is_named_and_made_good_by_another_run() {
    let (vault, store) = store();
    let run = whole_run(&store, "a.md").await;
    let mut connection = connect(vault.path()).await;
    sqlx::query("update traces set body = x'28b52ffd0011'")
        .execute(&mut connection)
        .await
        .expect("damaged");
    let error = store.trace(run, 1).await.expect_err("damaged");
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("the trace of trial 1 of run {run} is damaged (")),
        "{text}"
    );
    assert!(text.contains("Run the experiment again"), "{text}");
    assert!(store.run(run).await.expect("everything else is readable").is_some());
    whole_run(&store, "a.md").await;
    assert!(store.trace(run, 1).await.expect("good again").is_some());
}

#[tokio::test]
async fn a_database_of_a_newer_peapod_is_left_alone() {
    let (vault, store) = store();
    whole_run(&store, "a.md").await;
    store.close().await;
    let mut connection = connect(vault.path()).await;
    let insert = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'later', 1, x'00', 1)";
    sqlx::query(insert)
        .execute(&mut connection)
        .await
        .expect("as a newer one does");
    let error = Store::of_vault(vault.path()).open().await.expect_err("newer");
    let text = error.to_string();
    assert!(matches!(error, StoreError::Newer { found: 9999, .. }), "{text}");
    assert!(
        text.contains("was written by a newer Peapod: it has schema 9999"),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_no_database_is_said_so() {
    let vault = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(vault.path().join(".peapod")).expect("made");
    std::fs::write(
        vault.path().join(".peapod/peapod.db"),
        "이것은 데이터베이스가 아니다\n".repeat(99),
    )
    .expect("written");
    let error = Store::of_vault(vault.path()).open().await.expect_err("no database");
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("Move it away to begin anew"), "{error}");
    // A file where the folder should be.
    let blocked = tempfile::tempdir().expect("a folder");
    std::fs::write(blocked.path().join(".peapod"), "").expect("written");
    let error = Store::of_vault(blocked.path())
        .start_run(&sample::new_run("a.md"))
        .await
        .expect_err("blocked");
    assert!(matches!(error, StoreError::Open { .. }), "{error}");
}
