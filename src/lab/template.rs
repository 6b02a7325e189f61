//! `{{ … }}` in manifests, `kubectl` lines and faults: expressions over the variables, inserted as YAML values.
//!
//! Where the braces are the whole value (`restartPolicy: {{ restartPolicy }}`), the value is inserted as YAML flow, text
//! in quotes, so that it keeps its type whatever it looks like (`"yes"`, `"1.30"`). Inside a quoted scalar it is inserted as text
//! that fits the quotes; anywhere else as bare text.

use peapod_sim::time::SimTime;
use serde_json::Value;

use super::expr::{Compiled, Compiler, Names, Scope, Trouble, View};
use super::model::Assignment;

/// A text with holes for expressions.
#[derive(Clone, Debug)]
pub struct Template {
    source: String,
    holes: Vec<Hole>,
}

#[derive(Clone, Debug)]
struct Hole {
    /// The bytes of the braces and what is between them.
    start: usize,
    end: usize,
    expression: Compiled,
    context: Context,
}

/// What surrounds a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Context {
    /// It is a whole value.
    Value,
    /// Inside of `"…"`.
    Double,
    /// Inside of `'…'`.
    Single,
    /// Inside of bare text.
    Text,
}

/// A template that was filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// For each part: its first byte in the text, its first byte in the template, and whether it is a hole's value.
    parts: Vec<(usize, usize, bool)>,
}

impl Rendered {
    /// The bytes of the text that come from holes.
    pub fn filled(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        let ends = self.parts.iter().skip(1).map(|(start, _, _)| *start);
        self.parts
            .iter()
            .zip(ends)
            .filter(|((_, _, hole), _)| *hole)
            .map(|((start, _, _), end)| *start..end)
    }

    /// The byte of the template from which a byte of the text comes.
    pub fn source(&self, at: usize) -> usize {
        let index = self
            .parts
            .partition_point(|(start, _, _)| *start <= at)
            .saturating_sub(1);
        match self.parts.get(index) {
            Some((_, source, true)) => *source,
            Some((start, source, false)) => source + (at - start),
            None => at,
        }
    }
}

impl Template {
    /// Reads a template. `yaml` says whether it is a manifest; anything else is bare text.
    ///
    /// # Errors
    /// What is wrong with it: an opening without an end, an expression that cannot be.
    pub fn parse(text: &str, names: &Names, yaml: bool) -> Result<Self, Vec<Trouble>> {
        let mut compiler = Compiler::of_variables(names);
        let (mut holes, mut troubles) = (Vec::new(), Vec::new());
        let mut at = 0;
        while let Some(start) = text[at..].find("{{").map(|found| at + found) {
            let inner_start = start + 2;
            let Some(length) = end_of_hole(&text[inner_start..]) else {
                let end = text[start..].find('\n').map_or(text.len(), |end| start + end);
                troubles.push(Trouble {
                    start,
                    end,
                    message: "`{{` has no `}}`".to_owned(),
                    hints: vec![
                        "a template is `{{ name }}`; a flow mapping in a flow mapping needs a space: `{ {`".to_owned(),
                    ],
                });
                break;
            };
            let (inner, end) = (&text[inner_start..inner_start + length], inner_start + length + 2);
            match compiler.compile(inner) {
                Ok(expression) => {
                    let context = if yaml { context(text, start, end) } else { Context::Text };
                    holes.push(Hole {
                        start,
                        end,
                        expression,
                        context,
                    });
                }
                Err(found) => troubles.extend(found.into_iter().map(|trouble| Trouble {
                    start: trouble.start + inner_start,
                    end: trouble.end + inner_start,
                    ..trouble
                })),
            }
            at = end;
        }
        if troubles.is_empty() {
            Ok(Self {
                source: text.to_owned(),
                holes,
            })
        } else {
            Err(troubles)
        }
    }

    /// Whether it has no holes, so that it reads the same in every trial.
    pub fn is_plain(&self) -> bool {
        self.holes.is_empty()
    }

    /// Fills it in for one assignment of the variables.
    pub fn render(&self, variables: &Assignment) -> Rendered {
        let view = View::default();
        let mut text = String::with_capacity(self.source.len());
        let mut parts = Vec::with_capacity(2 * self.holes.len() + 1);
        let mut at = 0;
        for hole in &self.holes {
            parts.push((text.len(), at, false));
            text.push_str(&self.source[at..hole.start]);
            parts.push((text.len(), hole.start, true));
            let bound = hole.expression.bind(variables);
            let value = Scope::new(&view, SimTime::ZERO, &[]).eval(&bound.node).to_json();
            text.push_str(&hole.context.write(&value));
            at = hole.end;
        }
        parts.push((text.len(), at, false));
        text.push_str(&self.source[at..]);
        Rendered { text, parts }
    }
}

/// The length of what stands before the `}}` that ends a hole; braces inside of quotes do not count.
fn end_of_hole(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if character == open => quote = None,
            (None, '}') if text[at..].starts_with("}}") => return Some(at),
            (_, '\n') => return None,
            _ => {}
        }
    }
    None
}

impl Context {
    fn write(self, value: &Value) -> String {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match self {
            // JSON is YAML flow, and its quoted text is never taken for another type.
            Self::Value => value.to_string(),
            Self::Double => {
                let quoted = Value::String(text).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::Single => text.replace('\'', "''"),
            Self::Text => text,
        }
    }
}

/// What surrounds the bytes `start..end` of a manifest.
fn context(text: &str, start: usize, end: usize) -> Context {
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    if in_block(text, line_start) {
        return Context::Text;
    }
    let before = &text[line_start..start];
    let mut quote: Option<char> = None;
    let mut opens = true;
    let mut characters = before.chars().peekable();
    while let Some(character) = characters.next() {
        match quote {
            Some('"') if character == '\\' => {
                characters.next();
            }
            Some('\'') if character == '\'' && characters.peek() == Some(&'\'') => {
                characters.next();
            }
            Some(open) if character == open => quote = None,
            Some(_) => {}
            // A quote is one only where a value begins.
            None if opens && matches!(character, '"' | '\'') => quote = Some(character),
            None => opens = matches!(character, ' ' | '\t' | '[' | '{' | ',' | ':'),
        }
    }
    match quote {
        Some('"') => return Context::Double,
        Some(_) => return Context::Single,
        None => {}
    }
    let head = before.trim_end();
    let spaced = head.len() < before.len();
    let begins =
        head.is_empty() || matches!(head.chars().last(), Some('[' | '{' | ',')) || spaced && head.ends_with([':', '-']);
    let tail = text[end..].lines().next().unwrap_or_default();
    let rest = tail.trim_start();
    let ends = rest.is_empty() || rest.starts_with([',', ']', '}']) || rest.starts_with('#') && rest.len() < tail.len();
    if begins && ends { Context::Value } else { Context::Text }
}

/// Whether a line lies in a block scalar (`|` or `>`).
fn in_block(text: &str, line_start: usize) -> bool {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let own = indent(text[line_start..].lines().next().unwrap_or_default());
    // The nearest line above that is further out decides: it has the header, or there is none.
    let mut least = own;
    for line in text[..line_start].lines().rev() {
        if line.trim().is_empty() || indent(line) >= least {
            continue;
        }
        least = indent(line);
        let line = line.trim_end();
        let header = line.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+'));
        if header.ends_with(": |") || header.ends_with(": >") || header.ends_with("- |") || header.ends_with("- >") {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::model::Variable;
    use serde_json::json;

    fn render(text: &str, name: &str, value: Value) -> String {
        let names = Names::new(
            &[Variable {
                name: name.to_owned(),
                values: vec![value.clone()],
            }],
            &[],
        );
        let template = Template::parse(text, &names, true).expect("a template");
        template.render(&[(name.to_owned(), value)].into_iter().collect()).text
    }

    #[test]
    fn values_keep_their_type_and_fit_their_quotes() {
        for (text, value, expected) in [
            ("a: {{ x }}", json!("Always"), r#"a: "Always""#),
            ("a: {{ x }}", json!("yes"), r#"a: "yes""#),
            ("a: {{x}} # why", json!(3), "a: 3 # why"),
            ("a: {{ x }}", json!({"b": [1, true]}), r#"a: {"b":[1,true]}"#),
            ("- {{ x }}", json!(null), "- null"),
            ("a: {cpu: {{ x }}}", json!("100m"), r#"a: {cpu: "100m"}"#),
            ("a: [sh, {{ x }}]", json!("b"), r#"a: [sh, "b"]"#),
            (
                r#"c: [sh, -c, "exit {{ x }}"]"#,
                json!(137),
                r#"c: [sh, -c, "exit 137"]"#,
            ),
            (r#"c: "say {{ x }}""#, json!("a \"b\"\n"), r#"c: "say a \"b\"\n""#),
            ("c: 'say {{ x }}'", json!("it's"), "c: 'say it''s'"),
            ("image: busybox:{{ x }}", json!("1.36"), "image: busybox:1.36"),
            (
                "c:\n  - |\n    echo 'a {{ x }}'",
                json!("it's"),
                "c:\n  - |\n    echo 'a it's'",
            ),
            ("web-{{ x }}: 1", json!("a"), "web-a: 1"),
            ("a: {{ x + 1 }}", json!(3), "a: 4"),
            ("a: {{ x == 'b' ? 'c' : 'd' }}", json!("b"), r#"a: "c""#),
            ("a: it's\nb: {{ x }}", json!("c"), "a: it's\nb: \"c\""),
        ] {
            assert_eq!(render(text, "x", value.clone()), expected, "{text} with {value}");
        }
    }

    #[test]
    fn a_place_in_the_text_leads_back_to_the_template() {
        let names = Names::new(
            &[Variable {
                name: "x".to_owned(),
                values: vec![json!("long value")],
            }],
            &[],
        );
        let template = Template::parse("a: {{ x }}\nb: 1\n", &names, true).expect("a template");
        let rendered = template.render(&[("x".to_owned(), json!("long value"))].into_iter().collect());
        let b = rendered.text.find("b:").expect("b");
        assert_eq!(rendered.source(b), 11);
        assert_eq!(rendered.source(5), 3, "inside of the value: the hole");
    }

    #[test]
    fn wrong_templates_say_where() {
        let names = Names::new(
            &[Variable {
                name: "policy".to_owned(),
                values: vec![json!("a")],
            }],
            &[],
        );
        let trouble = |text: &str| Template::parse(text, &names, true).expect_err("wrong").remove(0);
        let unknown = trouble("a: {{ polciy }}");
        assert_eq!((unknown.start, unknown.end), (6, 12));
        assert_eq!(unknown.hints, ["did you mean `policy`?"]);
        assert_eq!(trouble("a: {{ policy").start, 3);
        assert!(trouble("a: {{ pod('x') }}").message.contains("only variables"));
    }
}
