//! Go's template language (`text/template`), as `-o go-template` uses it: actions between `{{` and `}}`, pipelines,
//! variables, `if`, `with`, `range`, `define`, and the functions of the library with `exists` and `base64decode`.

mod exec;
mod functions;
mod parse;

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use functions::quoted;
use parse::Node;

/// The name that errors give to a template of the command line.
const NAME: &str = "output";

/// The longest template, in bytes.
const MAX_TEMPLATE: usize = 16 * 1024;

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    source: String,
    /// The templates that are defined, among them the main one.
    named: BTreeMap<String, Vec<Node>>,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// Go's words for what is wrong, with the line.
    pub fn parse(source: &str) -> Result<Template, String> {
        if source.len() > MAX_TEMPLATE {
            return Err(format!("the template is longer than {MAX_TEMPLATE} bytes"));
        }
        let named = parse::parse(source).map_err(|(line, message)| format!("template: {NAME}:{line}: {message}"))?;
        Ok(Template {
            source: source.to_owned(),
            named,
        })
    }

    /// The text that the template makes of a value. `strict` makes a key that a map does not have an error.
    ///
    /// # Errors
    /// What was printed so far, and Go's words for what went wrong.
    pub fn print(&self, value: &Value, strict: bool) -> Result<String, (String, String)> {
        exec::run(self, value, strict)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    /// Rows made with the real client: `create configmap --dry-run=client -o go-template=…`.
    #[test]
    fn templates_print_what_go_prints() {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1", "b": "x y", "c": "aGk="},
            "metadata": {"name": "cm"}, "list": [1, 2, "z"], "n": 5, "f": 1.5, "nothing": null,
        });
        for (template, expected) in [
            ("{{.kind}}", "ConfigMap"),
            ("{{.data}}", "map[a:1 b:x y c:aGk=]"),
            (
                "{{.nosuch}}|{{.nosuch.deeper}}|{{.nothing}}",
                "<no value>|<no value>|<no value>",
            ),
            ("{{range $k, $v := .data}}{{$k}}={{$v}};{{end}}", "a=1;b=x y;c=aGk=;"),
            ("{{range .nosuch}}a{{else}}none{{end}}", "none"),
            ("{{range $i, $e := .list}}{{if $i}},{{end}}{{$e}}{{end}}", "1,2,z"),
            ("a {{- .kind -}} b", "aConfigMapb"),
            (
                "{{if and .data (eq .kind \"ConfigMap\")}}yes{{else if .x}}x{{else}}no{{end}}",
                "yes",
            ),
            ("{{with .metadata}}{{.name}} {{$.kind}}{{end}}", "cm ConfigMap"),
            ("{{with .nosuch}}a{{else with .kind}}{{.}}{{end}}", "ConfigMap"),
            ("{{define \"t\"}}<{{.}}>{{end}}{{template \"t\" .kind}}", "<ConfigMap>"),
            ("{{block \"b\" .n}}{{.}}{{end}}", "5"),
            ("{{$x := 1}}{{$x = 2}}{{$x}}", "2"),
            (
                "{{printf \"%s-%d-%05d|%-4s|%q|%v|%t|%x\" .kind .n .n \"a\" \"b\" .data true 255}}",
                "ConfigMap-5-00005|a   |\"b\"|map[a:1 b:x y c:aGk=]|true|ff",
            ),
            ("{{printf \"%d\" .kind}}", "%!d(string=ConfigMap)"),
            (
                "{{.data.c | base64decode}} {{exists . \"data\" \"a\"}} {{exists . \"data\" \"q\"}}",
                "hi true false",
            ),
            (
                "{{len .data}} {{len .kind}} {{index .list 1}} {{index .data \"a\"}}",
                "3 9 2 1",
            ),
            (
                "{{range .list}}{{if eq . 2}}{{continue}}{{end}}{{if eq . \"z\"}}{{break}}{{end}}{{.}}{{end}}",
                "",
            ),
            ("{{(index .list 0)}}{{(.metadata).name}}", "1cm"),
            ("{{/* a comment */ -}}  x", "x"),
            ("{{`raw\"`}} {{'a'}} {{0x10}} {{1_000}} {{nil | print}}", ""),
            (
                "{{lt 1 2}} {{le 2 2}} {{gt .n 4}} {{ge 1.5 .f}} {{ne \"a\" \"b\"}} {{not .n}}",
                "true true true true true false",
            ),
            ("{{range 3}}{{.}}{{end}}", "012"),
            ("{{slice .kind 0 6}} {{slice .list 1}}", "Config [2 z]"),
            (
                "{{print 1 2}} {{print \"a\" \"b\"}} {{println 1 \"a\"}}",
                "1 2 ab 1 a\n",
            ),
            ("{{.f}} {{1e5}} {{1e6}} {{print 1e21}}", "1.5 100000 1e+06 1e+21"),
        ] {
            if expected.is_empty() {
                // Only what must not panic.
                let _ = Template::parse(template).map(|template| template.print(&object, false));
                continue;
            }
            let printed = Template::parse(template).unwrap().print(&object, false);
            assert_eq!(printed, Ok(expected.to_owned()), "{template}");
        }
        for (template, error) in [
            ("{{.items", "template: output:1: unclosed action"),
            ("{{frob}}", "template: output:1: function \"frob\" not defined"),
            ("{{if .a}}", "template: output:1: unexpected EOF"),
            ("{{end}}", "template: output:1: unexpected {{end}}"),
            ("{{}}", "template: output:1: missing value for command"),
            ("{{$x}}", "template: output:1: undefined variable \"$x\""),
            ("a\n{{\"x}}", "template: output:2: unterminated quoted string"),
            ("{{break}}", "template: output:1: {{break}} outside {{range}}"),
        ] {
            assert_eq!(Template::parse(template).unwrap_err(), error, "{template}");
        }
        for (template, error) in [
            (
                "{{.kind.x}}",
                "template: output:1:7: executing \"output\" at <.kind.x>: can't evaluate field x in type interface {}",
            ),
            (
                "{{index .list 5}}",
                "template: output:1:2: executing \"output\" at <index .list 5>: error calling index: reflect: slice index out of range",
            ),
            (
                "{{range .n}}{{.x}}{{end}}",
                "template: output:1:14: executing \"output\" at <.x>: can't evaluate field x in type int",
            ),
            (
                "{{eq .kind 1}}",
                "template: output:1:2: executing \"output\" at <eq .kind 1>: error calling eq: incompatible types for comparison: string and int",
            ),
        ] {
            let printed = Template::parse(template).unwrap().print(&object, false);
            assert_eq!(printed.unwrap_err().1, error, "{template}");
        }
    }
}
