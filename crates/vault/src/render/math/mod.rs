//! Formulas as MathML.
//!
//! `pulldown-latex` reads TeX; its own writer escapes nothing and writes `style` attributes, so that this one stands in its
//! place. A formula that is too large, too deep or wrong is shown as its TeX. The TeX is kept as an annotation.

mod alphabets;

use pulldown_latex::event::{
    Content, Dimension, DimensionUnit, EnvironmentFlow, Event, Font, Grouping, ScriptPosition, ScriptType, StateChange,
    Visual,
};
use pulldown_latex::{Parser, Storage};

use super::escape;
use crate::limits;

/// Appends a formula.
pub(super) fn push(tex: &str, display: bool, out: &mut String) {
    match mathml(tex, display) {
        Some(math) => out.push_str(&math),
        None => escape::text(out, tex),
    }
}

/// The formula as `<math>`; none if it is beyond a limit or no TeX.
fn mathml(tex: &str, display: bool) -> Option<String> {
    let within = tex.len() <= limits::FORMULA_BYTES
        && tex.matches('\\').count() <= limits::FORMULA_COMMANDS
        && depth(tex) <= limits::FORMULA_DEPTH;
    if !within || tex.trim().is_empty() {
        return None;
    }
    let storage = Storage::new();
    let events: Vec<Event<'_>> = Parser::new(tex, &storage).collect::<Result<_, _>>().ok()?;
    let mut out = String::from(if display {
        "<math display=\"block\"><semantics><mrow>"
    } else {
        "<math><semantics><mrow>"
    });
    let mut writer = Writer {
        events: &events,
        at: 0,
        out: &mut out,
        font: None,
        negated: false,
        display,
    };
    while writer.at < events.len() {
        writer.part(0)?;
    }
    out.push_str("</mrow><annotation encoding=\"application/x-tex\">");
    escape::text(&mut out, tex);
    out.push_str("</annotation></semantics></math>");
    Some(out)
}

/// How deep braces and environments are nested.
fn depth(tex: &str) -> usize {
    let braces = tex.bytes().fold((0usize, 0usize), |(depth, deepest), byte| match byte {
        b'{' => (depth + 1, deepest.max(depth + 1)),
        b'}' => (depth.saturating_sub(1), deepest),
        _ => (depth, deepest),
    });
    braces.1 + tex.matches("\\begin").count() + tex.matches("\\left").count()
}

struct Writer<'e, 'o> {
    events: &'e [Event<'e>],
    at: usize,
    out: &'o mut String,
    font: Option<Font>,
    /// Whether the next sign is struck through (`\not`).
    negated: bool,
    display: bool,
}

impl Writer<'_, '_> {
    /// What stands in a row: an element, or a change of the font.
    fn part(&mut self, depth: usize) -> Option<()> {
        match self.events.get(self.at)? {
            Event::StateChange(change) => {
                self.at += 1;
                if let StateChange::Font(font) = change {
                    self.font = *font;
                }
                Some(())
            }
            _ => self.element(depth),
        }
    }

    /// One element; none if the formula is not to be drawn.
    fn element(&mut self, depth: usize) -> Option<()> {
        if depth > 2 * limits::FORMULA_DEPTH {
            return None;
        }
        let event = self.events.get(self.at)?;
        self.at += 1;
        match event {
            Event::Content(content) => self.content(*content),
            Event::Begin(grouping) => return self.group(grouping, depth),
            Event::Visual(visual) => return self.visual(*visual, depth),
            Event::Script { ty, position } => return self.script(*ty, *position, depth),
            Event::Space { width, .. } => self.space(*width),
            Event::StateChange(_) => self.out.push_str("<mrow></mrow>"),
            Event::End | Event::EnvironmentFlow(_) => return None,
        }
        Some(())
    }

    fn elements(&mut self, name: &str, count: usize, depth: usize) -> Option<()> {
        self.open(name);
        for _ in 0..count {
            self.element(depth + 1)?;
        }
        self.close(name);
        Some(())
    }

    fn open(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
    }

    fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name.split(' ').next().unwrap_or(name));
        self.out.push('>');
    }

    fn token(&mut self, name: &str, text: &str) {
        self.open(name);
        escape::text(self.out, text);
        if std::mem::take(&mut self.negated) {
            self.out.push('\u{338}');
        }
        self.close(name);
    }

    fn content(&mut self, content: Content<'_>) {
        match content {
            Content::Text(text) => self.token("mtext", text),
            Content::Number(number) => {
                let number: String = number.chars().map(|c| alphabets::in_font(c, self.font)).collect();
                self.token("mn", &number);
            }
            Content::Function(name) => {
                self.token("mi", name);
                self.out.push_str("<mo>&#x2061;</mo>");
            }
            Content::Ordinary { content, stretchy } => {
                let name = match (stretchy, self.font) {
                    (true, _) => "mo stretchy=\"true\"",
                    (false, Some(Font::UpRight)) => "mi mathvariant=\"normal\"",
                    (false, _) => "mi",
                };
                let c = alphabets::in_font(content, self.font);
                self.token(name, c.encode_utf8(&mut [0; 4]));
            }
            Content::LargeOp { content, .. } => {
                self.token("mo largeop=\"true\"", content.encode_utf8(&mut [0; 4]));
            }
            Content::BinaryOp { content, .. } => self.token("mo", content.encode_utf8(&mut [0; 4])),
            Content::Punctuation(content) => self.token("mo separator=\"true\"", content.encode_utf8(&mut [0; 4])),
            Content::Delimiter { content, .. } => {
                self.token("mo stretchy=\"false\"", content.encode_utf8(&mut [0; 4]));
            }
            Content::Relation { content, .. } => {
                let mut buffer = [0; 8];
                let text = std::str::from_utf8(content.encode_utf8_to_buf(&mut buffer))
                    .unwrap_or("")
                    .to_owned();
                self.token("mo", &text);
            }
        }
    }

    fn visual(&mut self, visual: Visual, depth: usize) -> Option<()> {
        match visual {
            Visual::SquareRoot => self.elements("msqrt", 1, depth),
            Visual::Root => self.elements("mroot", 2, depth),
            Visual::Fraction(Some(Dimension { value: 0.0, .. })) => {
                self.elements("mfrac linethickness=\"0\"", 2, depth)
            }
            Visual::Fraction(_) => self.elements("mfrac", 2, depth),
            Visual::Negation => {
                self.negated = true;
                self.element(depth + 1)
            }
        }
    }

    fn script(&mut self, ty: ScriptType, position: ScriptPosition, depth: usize) -> Option<()> {
        let beside = match position {
            ScriptPosition::Right => true,
            ScriptPosition::AboveBelow => false,
            ScriptPosition::Movable => !self.display,
        };
        let (name, count) = match (ty, beside) {
            (ScriptType::Subscript, true) => ("msub", 2),
            (ScriptType::Superscript, true) => ("msup", 2),
            (ScriptType::SubSuperscript, true) => ("msubsup", 3),
            (ScriptType::Subscript, false) => ("munder", 2),
            (ScriptType::Superscript, false) => ("mover", 2),
            (ScriptType::SubSuperscript, false) => ("munderover", 3),
        };
        self.elements(name, count, depth)
    }

    fn space(&mut self, width: Option<Dimension>) {
        let em = width.map_or(0.0, |width| {
            width.value
                * match width.unit {
                    DimensionUnit::Em => 1.0,
                    DimensionUnit::Mu => 1.0 / 18.0,
                    DimensionUnit::Ex => 0.43,
                    DimensionUnit::Cm => 2.8,
                    DimensionUnit::In => 7.2,
                    DimensionUnit::Pc => 1.2,
                    _ => 0.1,
                }
        });
        if em > 0.0 {
            self.out
                .push_str(&format!("<mspace width=\"{:.3}em\"></mspace>", em.min(10.0)));
        }
    }

    /// A group, up to its end.
    fn group(&mut self, grouping: &Grouping, depth: usize) -> Option<()> {
        let font = self.font;
        match grouping {
            Grouping::Normal => self.row("mrow", depth)?,
            Grouping::LeftRight(left, right) => {
                self.out.push_str("<mrow>");
                self.fence(*left);
                self.row("mrow", depth)?;
                self.fence(*right);
                self.out.push_str("</mrow>");
            }
            Grouping::Cases { left } => {
                self.font = None;
                self.out.push_str("<mrow>");
                self.fence(left.then_some('{'));
                self.table(depth)?;
                self.fence((!left).then_some('}'));
                self.out.push_str("</mrow>");
            }
            _ => {
                self.font = None;
                self.table(depth)?;
            }
        }
        self.font = font;
        Some(())
    }

    fn fence(&mut self, delimiter: Option<char>) {
        if let Some(delimiter) = delimiter {
            self.token("mo stretchy=\"true\"", delimiter.encode_utf8(&mut [0; 4]));
        }
    }

    fn row(&mut self, name: &str, depth: usize) -> Option<()> {
        self.open(name);
        while *self.events.get(self.at)? != Event::End {
            self.part(depth + 1)?;
        }
        self.at += 1;
        self.close(name);
        Some(())
    }

    fn table(&mut self, depth: usize) -> Option<()> {
        self.out.push_str("<mtable><mtr><mtd>");
        loop {
            match self.events.get(self.at)? {
                Event::End => break,
                Event::EnvironmentFlow(flow) => {
                    self.at += 1;
                    self.font = None;
                    self.out.push_str(match flow {
                        EnvironmentFlow::Alignment => "</mtd><mtd>",
                        EnvironmentFlow::NewLine { .. } => "</mtd></mtr><mtr><mtd>",
                        EnvironmentFlow::StartLines { .. } => "",
                    });
                }
                _ => self.part(depth + 1)?,
            }
        }
        self.at += 1;
        self.out.push_str("</mtd></mtr></mtable>");
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(tex: &str) -> String {
        let math = mathml(tex, false).unwrap_or_default();
        let inside = math.split_once("<mrow>").map_or("", |(_, rest)| rest);
        inside
            .split_once("</mrow><annotation")
            .map_or(inside, |(body, _)| body)
            .to_owned()
    }

    #[test]
    fn formulas() {
        for (tex, expected) in [
            ("x_1", "<msub><mi>x</mi><mn>1</mn></msub>"),
            ("e^{i\\pi}", "<msup><mi>e</mi><mrow><mi>i</mi><mi>π</mi></mrow></msup>"),
            (
                "\\frac{a}{2}",
                "<mfrac><mrow><mi>a</mi></mrow><mrow><mn>2</mn></mrow></mfrac>",
            ),
            ("\\sqrt{x}", "<msqrt><mrow><mi>x</mi></mrow></msqrt>"),
            ("a<b", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
            ("\\mathbb{R}", "<mrow><mi>ℝ</mi></mrow>"),
            ("\\text{<b>}", "<mtext>&lt;b&gt;</mtext>"),
            ("\\operatorname{<b>}", "<mi>&lt;b&gt;</mi><mo>&#x2061;</mo>"),
        ] {
            assert_eq!(body(tex), expected, "{tex}");
        }
    }

    #[test]
    fn what_is_not_drawn() {
        for tex in [
            "\\frac",
            "{",
            "\\nosuchcommand",
            "",
            &"\\frac".repeat(20_000),
            &"{".repeat(200),
            &"x".repeat(5_000),
        ] {
            assert_eq!(mathml(tex, true), None);
        }
    }

    proptest! {
        #[test]
        fn every_tex(pieces in prop::collection::vec(prop::sample::select(vec![
            "\\frac", "{", "}", "x", "1", "^", "_", "\\left(", "\\right)", "\\begin{matrix}", "\\end{matrix}", "&", "\\\\", "\\sqrt",
            "[", "]", "\\sum", "\\text{a<b}", "'", "<", "\\not", "=", "\\mathbf", "\\color{red}", "\\begin{cases}", "\\end{cases}", " ",
            "\\over", "\\hspace{1em}", "\\operatorname", "가", "%", "#", "$", "~", "\\big", "\\middle|", "\\limits",
        ]), 0..20)) {
            let tex = pieces.concat();
            let mut out = String::new();
            push(&tex, true, &mut out);
            prop_assert!(!out.contains("style=") && !out.contains("<b>"));
        }
    }
}
