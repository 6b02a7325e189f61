//! What the reader makes of texts: values, places, refusals. The rows of the Kubernetes dialect are what `kubectl`
//! answers to the same text.

use peapod_yaml::{Dialect, Value, read, read_each};
use proptest::prelude::*;
use serde_json::json;

#[track_caller]
fn kubernetes(text: &str) -> serde_json::Value {
    let documents = read(text, Dialect::Kubernetes).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    documents.first().map(peapod_yaml::Node::to_json).unwrap_or_default()
}

#[test]
fn plain_scalars_of_yaml_1_1() {
    for (text, value) in [
        ("yes", json!(true)),
        ("On", json!(true)),
        ("y", json!(true)),
        ("n", json!(false)),
        ("OFF", json!(false)),
        ("nUll", json!("nUll")),
        ("tRue", json!("tRue")),
        ("Null", json!(null)),
        ("~", json!(null)),
        ("", json!(null)),
        ("0644", json!(420)),
        ("-0644", json!(-420)),
        ("012", json!(10)),
        ("08", json!(8)),
        ("0o644", json!(420)),
        ("0x1F", json!(31)),
        ("+0x1F", json!(31)),
        ("0b11", json!(3)),
        ("+1", json!(1)),
        ("-0", json!(0)),
        ("1e3", json!(1000)),
        ("1.0", json!(1)),
        (".5", json!(0.5)),
        (".1_1", json!(0.11)),
        ("1e100", json!(1e100)),
        ("1_000", json!(1000)),
        ("1:30", json!("1:30")),
        ("2024-01-01", json!("2024-01-01")),
        ("_1", json!("_1")),
        ("0x", json!("0x")),
        ("1e400", json!("1e400")),
        ("9223372036854775807", json!(i64::MAX)),
        ("9223372036854775808", json!(9_223_372_036_854_775_808.0)),
        ("'yes'", json!("yes")),
        ("\"0644\"", json!("0644")),
        ("!!str 123", json!("123")),
        ("!custom x", json!("x")),
        ("! 12", json!("12")),
        ("!!int \"5\"", json!(5)),
        ("!!float 5", json!(5)),
        ("!!binary aGk=", json!("hi")),
    ] {
        assert_eq!(kubernetes(&format!("a: {text}\n")), json!({ "a": value }), "{text}");
    }
}

#[test]
fn keys_are_scalars_too() {
    for (text, value) in [
        ("y: 2\non: 1", json!({ "true": 1 })),
        ("1: a\n1.5: b\n0x10: c", json!({ "1": "a", "1.5": "b", "16": "c" })),
        ("a: 1\na: 2", json!({ "a": 2 })),
        (
            "b: &b {x: 1, y2: 2}\nc: {<<: *b, x: 3}",
            json!({ "b": { "x": 1, "y2": 2 }, "c": { "x": 3, "y2": 2 } }),
        ),
        // As go-yaml merges: what stands later wins, also when it is merged.
        (
            "b: &b {x: 1}\nc: {x: 3, <<: *b}",
            json!({ "b": { "x": 1 }, "c": { "x": 1 } }),
        ),
        (
            "b: &b {x: 1}\n<<: [*b, {x: 2, z: 3}]",
            json!({ "b": { "x": 1 }, "x": 1, "z": 3 }),
        ),
        ("\"<<\": {x: 1}", json!({ "<<": { "x": 1 } })),
    ] {
        assert_eq!(kubernetes(text), value, "{text}");
    }
}

#[test]
fn texts_that_the_parser_alone_would_refuse() {
    for (text, value) in [
        ("a: [\n]\n", json!({ "a": [] })),
        (
            "a:\n- b: [\n    1, # one\n    2\n  ]\n  c: 3\n",
            json!({ "a": [{ "b": [1, 2], "c": 3 }] }),
        ),
        ("a: {\nb: 1\n}\n", json!({ "a": { "b": 1 } })),
        ("a:\tb\n", json!({ "a": "b" })),
        ("{\n\t\"a\": [\n\t\t1\n\t]\n}\n", json!({ "a": [1] })),
    ] {
        assert_eq!(kubernetes(text), value, "{text}");
    }
}

#[test]
fn refusals_in_the_words_of_kubectl() {
    const HEAD: &str = "apiVersion: x/v1\nkind: Foo\nmetadata: {name: a}\n";
    for (text, wording, place) in [
        (
            "a: [1, 2\nb: 3\n",
            "yaml: line 4: did not find expected ',' or ']'",
            (5, 2),
        ),
        (
            "a: b: c\n",
            "yaml: line 4: mapping values are not allowed in this context",
            (4, 5),
        ),
        (
            "spec:\n  a: 1\n b: 2\n",
            "yaml: line 5: did not find expected key",
            (6, 2),
        ),
        (
            "spec:\n\ta: 1\n",
            "yaml: line 5: found character that cannot start any token",
            (5, 1),
        ),
        ("a: *nope\n", "yaml: unknown anchor 'nope' referenced", (4, 4)),
        ("a: \"abc\n", "yaml: line 5: found unexpected end of stream", (4, 4)),
        ("a\nb: 1\n", "yaml: line 5: could not find expected ':'", (5, 1)),
        (
            "a: @x\n",
            "yaml: line 4: found character that cannot start any token",
            (4, 4),
        ),
        ("a: 'it's'\n", "yaml: line 3: did not find expected key", (4, 8)),
        ("a: ]\n", "yaml: line 3: did not find expected node content", (4, 4)),
        ("? [a]\n: b\n", "yaml: invalid map key: []interface {}{\"a\"}", (4, 3)),
        (
            "~: b\n",
            "unsupported map key of type: %!s(<nil>), key: <nil>, value: \"b\"",
            (4, 1),
        ),
        ("a: &x [*x]\n", "yaml: anchor 'x' value contains itself", (4, 8)),
        ("a: !!int abc\n", "yaml: cannot decode !!str `abc` as a !!int", (4, 4)),
        ("a: .nan\n", "json: unsupported value: NaN", (4, 4)),
        ("a: -.inf\n", "json: unsupported value: -Inf", (4, 4)),
        (
            "b: &b 2\n<<: *b\n",
            "yaml: map merge requires map or sequence of maps as the value",
            (5, 5),
        ),
        ("a: b\u{1}\n", "yaml: control characters are not allowed", (4, 5)),
    ] {
        let error = read(&format!("{HEAD}{text}"), Dialect::Kubernetes).expect_err(text);
        assert_eq!(error.wording, wording, "{text}");
        assert_eq!((error.span.line, error.span.column), place, "{text}");
    }
    let error = read("a: [", Dialect::Kubernetes).expect_err("open");
    assert!(
        error
            .of_file("-")
            .starts_with("error parsing STDIN: error converting YAML to JSON: yaml: "),
        "{error:?}"
    );
}

#[test]
fn the_core_schema_takes_words_as_words() {
    for (text, value) in [
        ("yes", json!("yes")),
        ("true", json!(true)),
        ("0644", json!(644)),
        ("0o644", json!(420)),
        ("1.0", json!(1.0)),
        ("1_000", json!("1_000")),
        (".inf", json!(".inf")),
        ("null", json!(null)),
        ("2024-01-01", json!("2024-01-01")),
    ] {
        let documents = read(&format!("a: {text}\n"), Dialect::Core).expect(text);
        assert_eq!(documents[0].to_json(), json!({ "a": value }), "{text}");
    }
    let documents = read("on: 1\n1.0: 2\n<<: {a: 3}\n", Dialect::Core).expect("keys");
    assert_eq!(documents[0].to_json(), json!({ "on": 1, "1.0": 2, "<<": { "a": 3 } }));
}

#[test]
fn every_value_knows_its_place() {
    let text = "# 파드\nkind: Pod\r\nspec:\n  '이름': \"값\"\n  list:\n  - a: 1\n    b: [x, {y2: z}]\n  - |\n    line\n---\n\nsecond: 2\n";
    let text = format!("\u{feff}{text}");
    let documents = read(&text, Dialect::Kubernetes).expect("it is YAML");
    assert_eq!(documents.len(), 2);
    let place = |document: usize, pointer: &str| {
        let span = documents[document].place(pointer).expect(pointer);
        (span.line, span.column, &text[span.start..span.end])
    };
    assert_eq!(place(0, "/kind"), (2, 7, "Pod"));
    assert_eq!(place(0, "/spec/이름"), (4, 9, "\"값\""));
    assert_eq!(place(0, "/spec/list/0/a"), (6, 8, "1"));
    assert_eq!(place(0, "/spec/list/0"), (6, 5, "a: 1\n    b: [x, {y2: z}]"));
    assert_eq!(place(0, "/spec/list/0/b/1/y2"), (7, 17, "z"));
    assert_eq!(place(1, "/second"), (12, 9, "2"));
    let pointers: Vec<String> = documents[0].places().into_iter().map(|(pointer, _)| pointer).collect();
    let expected = [
        "",
        "/kind",
        "/spec",
        "/spec/이름",
        "/spec/list",
        "/spec/list/0",
        "/spec/list/0/a",
        "/spec/list/0/b",
    ];
    assert_eq!(pointers[..8], expected);
    let keys: Vec<_> = documents[0]
        .entries()
        .iter()
        .map(|(key, _)| (key.span.line, key.span.column, &*key.name))
        .collect();
    assert_eq!(keys, [(2, 1, "kind"), (3, 1, "spec")]);
}

#[test]
fn duplicate_keys_are_kept_and_documents_are_read_one_by_one() {
    let documents = read("a: 1\nb: 2\na: 3\n", Dialect::Kubernetes).expect("kept");
    let Value::Mapping(entries) = &documents[0].value else {
        panic!("a mapping")
    };
    assert_eq!(
        entries.iter().map(|(key, _)| &*key.name).collect::<Vec<_>>(),
        ["a", "b", "a"]
    );
    assert_eq!(documents[0].place("/a").map(|span| span.line), Some(3));

    let results = read_each(
        "---\n# nothing\n---\na: 1\n---\nb: [\n--- # third\nc: 3\n",
        Dialect::Kubernetes,
    );
    assert_eq!(results.len(), 3);
    assert_eq!(
        results[0].as_ref().map(peapod_yaml::Node::to_json).ok(),
        Some(json!({ "a": 1 }))
    );
    assert!(results[1].is_err());
    assert_eq!(
        results[2]
            .as_ref()
            .ok()
            .and_then(|node| node.place("/c"))
            .map(|span| span.line),
        Some(8)
    );
}

#[test]
fn hostile_texts_are_refused_soon() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let item = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![item; 9].join(", ")));
    }
    let error = read(&bomb, Dialect::Kubernetes).expect_err("a bomb");
    assert_eq!(error.wording, "yaml: document contains excessive aliasing");
    let mut chain = "a0: &a0 [x]\n".to_owned();
    for level in 1..5000 {
        chain.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    for text in [
        chain,
        "[".repeat(100_000),
        "- ".repeat(100_000),
        "{a: ".repeat(10_000),
        "? ".repeat(10_000),
        "a: [\n".repeat(3_000),
    ] {
        for dialect in [Dialect::Kubernetes, Dialect::Core] {
            read(&text, dialect).expect_err("too deep");
        }
    }
    for text in [
        "a: &a b\n".repeat(20_000),
        "x".repeat(1_000_000),
        "a: 'x\n".repeat(20_000),
        "- [\n]\n".repeat(20_000),
    ] {
        let _ = read(&text, Dialect::Kubernetes);
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        "[ -~가-힣]{0,12}".prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::Array),
            prop::collection::btree_map("[a-z가-힣 :#.-]{0,8}", inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[ \n\t\r:#&*!|>'\"{}\\[\\],?a-c0-9.~<%@`é파-]{0,60}") {
        for dialect in [Dialect::Kubernetes, Dialect::Core] {
            for node in read_each(&text, dialect).into_iter().flatten() {
                for (_, span) in node.places() {
                    prop_assert!(text.get(span.start..span.end).is_some(), "{span:?} in {text:?}");
                }
            }
        }
    }

    #[test]
    fn any_unicode_does_not_make_it_panic(text in "\\PC{0,40}") {
        let _ = read_each(&text, Dialect::Kubernetes);
        let _ = read_each(&text, Dialect::Core);
    }

    #[test]
    fn what_is_json_is_read_as_json(value in json_value()) {
        // JSON is YAML, but for keys that YAML gives a meaning: quoted, they have none.
        let text = serde_json::to_string_pretty(&json!({ "value": value })).expect("JSON");
        for dialect in [Dialect::Kubernetes, Dialect::Core] {
            let documents = read(&text, dialect);
            prop_assert_eq!(documents.as_ref().map(|nodes| nodes[0].to_json()).ok(), Some(json!({ "value": value })), "{}", text);
        }
    }
}
