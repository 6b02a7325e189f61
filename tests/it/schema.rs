//! The JSON Schema of the experiment language says what the reader says.

use std::path::Path;

use peapod::lab::{read, schema};
use peapod_vault::{CellKind, Note};
use peapod_yaml::Dialect;
use serde_json::Value;

const COMMITTED: &str = include_str!("../../docs/experiment.schema.json");

/// Whether the schema takes an experiment.
struct Checker {
    schemas: boon::Schemas,
    index: boon::SchemaIndex,
}

impl Checker {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.add_resource("experiment.json", schema()).expect("it is JSON");
        let index = compiler
            .compile("experiment.json", &mut schemas)
            .expect("it is a schema");
        Self { schemas, index }
    }

    fn check(&self, text: &str) -> Result<(), String> {
        let documents = peapod_yaml::read(text, Dialect::Core).map_err(|error| error.problem)?;
        let [root] = documents.as_slice() else {
            return Err("one document".to_owned());
        };
        let value = root.to_json();
        let valid = self.schemas.validate(&value, self.index);
        valid.map_err(|error| error.to_string())
    }
}

/// The texts of all experiments of the library.
fn library() -> Vec<(String, String)> {
    let notes = Path::new(env!("CARGO_MANIFEST_DIR")).join("notes");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(notes).expect("the library") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a note");
        let experiments = Note::parse("note.md", text).cells;
        let experiments = experiments.into_iter().filter(|cell| cell.kind == CellKind::Experiment);
        found.extend(experiments.map(|cell| (path.display().to_string(), cell.text)));
    }
    found
}

#[test]
fn the_schema_in_the_documentation_is_the_programs() {
    let committed: Value = serde_json::from_str(COMMITTED).expect("it is JSON");
    assert!(committed == schema(), "peapod schema > docs/experiment.schema.json");
}

#[test]
fn every_key_of_the_language_is_described() {
    fn walk(value: &Value, path: &str) {
        match value {
            Value::Null => panic!("{path} is not described in src/lab/read/schema.rs"),
            Value::Object(fields) => fields
                .iter()
                .for_each(|(key, value)| walk(value, &format!("{path}/{key}"))),
            Value::Array(items) => items.iter().for_each(|value| walk(value, path)),
            _ => {}
        }
    }
    walk(&schema(), "");
}

#[test]
fn what_the_library_has_is_of_the_schema() {
    let checker = Checker::new();
    let experiments = library();
    assert!(experiments.len() > 40, "{}", experiments.len());
    for (path, text) in experiments {
        assert_eq!(checker.check(&text), Ok(()), "{path}");
    }
}

#[test]
fn what_the_reader_takes_and_refuses_so_does_the_schema() {
    let checker = Checker::new();
    let pod = "steps: [{apply: ''}]\n";
    for text in [
        "steps: [{kubectl: get pods, at: 1m30s, orElse: continue}]\n",
        "steps: [{wait: {for: \"true\", timeout: .5h}}]\nuntil: {settled: 2d}\n",
        "steps: [{fault: {container: a/b, kill: SIGTERM}}, {fault: {registry: docker.io, down: true}}]\n",
        "steps: [{fault: {node: node-1, staticPod: {remove: a.yaml}}}]\n",
        &format!(
            "{pod}kubernetes: [\"1.28\", 1.36]\ncluster: {{nodes: 3, settings: {{evictionHard: {{memory.available: 1Gi}}}}}}\n"
        ),
        &format!(
            "{pod}cluster: {{nodes: [{{name: a, cpu: 2, taints: ['k=v:NoSchedule', {{key: k, effect: NoExecute}}]}}]}}\n"
        ),
        &format!(
            "{pod}variables: {{a: [1, 2]}}\nexclude: [{{a: 1}}]\nobserve: {{b: a}}\nexpect: [{{claim: ^x, always: b > 0, for: 3s}}]\n"
        ),
        &format!("{pod}expect: [{{claim: y, until: {{a: 'true', b: 'true'}}, verdict: fails}}]\npredict: {{ask: z}}\n"),
        &format!("{pod}expect: [{{claim: y, shape: {{kind: Pod, metadata: {{name: a}}}}}}]\n"),
    ] {
        let reading = read(text, None, 1);
        assert!(reading.experiment.is_some(), "{text}: {:?}", reading.diagnostics);
        assert_eq!(checker.check(text), Ok(()), "{text}");
    }
    for text in [
        "title: nothing is done\n",
        "steps: []\n",
        "step: [{apply: ''}]\n",
        "steps: [{apply: '', kubectl: get pods}]\n",
        "steps: [{at: 1m}]\n",
        "steps: [{apply: '', at: 1m, after: 1m}]\n",
        "steps: [{apply: '', at: 10}]\n",
        "steps: [{apply: '', at: 1 minute}]\n",
        "steps: [{apply: '', orElse: stop}]\n",
        "steps: [{kubectl: kubectl get pods}]\n",
        "steps: [{wait: {timeout: 1m}}]\n",
        "steps: [{fault: {node: node-1}}]\n",
        "steps: [{fault: {node: node-1, kill: SIGKILL}}]\n",
        "steps: [{fault: {node: node-1, powerOff: true, partition: true}}]\n",
        "steps: [{fault: {node: node-1, crash: false}}]\n",
        "steps: [{fault: {container: a/b, kill: SIGNOT}}]\n",
        "steps: [{fault: {node: node-1, staticPod: {write: a.yaml}}}]\n",
        "steps: [{fault: {planet: earth, down: true}}]\n",
        &format!("{pod}id: a b\n"),
        &format!("{pod}kubernetes: \"2.0\"\n"),
        &format!("{pod}cluster: {{nodes: 0}}\n"),
        &format!("{pod}cluster: {{settings: {{nodeMonitorGracePeriods: 1s}}}}\n"),
        &format!("{pod}cluster: {{nodes: [{{taints: ['k=v:Never']}}]}}\n"),
        &format!("{pod}variables: {{a: 1}}\n"),
        &format!("{pod}variables: {{a: [1, 1]}}\n"),
        &format!("{pod}variables: {{true: [1]}}\n"),
        &format!("{pod}observe: {{a-b: 'true'}}\n"),
        &format!("{pod}seed: -1\n"),
        &format!("{pod}jitter: some\n"),
        &format!("{pod}schedules: 0\n"),
        &format!("{pod}until: soon\n"),
        &format!("{pod}expect: [{{claim: a}}]\n"),
        &format!("{pod}expect: [{{claim: a, always: 'true', never: 'true'}}]\n"),
        &format!("{pod}expect: [{{claim: a, finally: 'true', within: 1s}}]\n"),
        &format!("{pod}expect: [{{claim: a, always: 'true', verdict: maybe}}]\n"),
        &format!("{pod}expect: [{{claim: ^a b, always: 'true'}}]\n"),
        &format!("{pod}expect: [{{claim: a, shape: {{kind: Pot, metadata: {{name: a}}}}}}]\n"),
        &format!("{pod}predict: {{question: a}}\n"),
    ] {
        assert!(read(text, None, 1).experiment.is_none(), "the reader takes {text}");
        assert!(checker.check(text).is_err(), "the schema takes {text}");
    }
}
