//! A report as one HTML file that needs nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use peapod_vault::note::Block;
use peapod_vault::render::{self, CellRenderer, Destination, Resolver};
use peapod_vault::{Cell, FileRef, Note};
use serde::Serialize;

use super::document::{Document, Experiment};
use super::{MAX_IMAGE_BYTES, Material, ReportError, templates};
use crate::i18n::{Lang, Text, fill};

/// The style sheets of the pages that a report shares, and its own.
const STYLES: [&str; 5] = [
    include_str!("../../static/css/tokens.css"),
    include_str!("../../static/css/base.css"),
    include_str!("../../static/css/note.css"),
    include_str!("../../static/css/cell.css"),
    include_str!("../../templates/report/report.css"),
];

#[derive(Serialize)]
struct Page<'a> {
    lang: &'static str,
    document: &'a Document,
    style: String,
    text: String,
    summary: String,
    t: Words,
}

/// The words of the templates.
#[derive(Clone, Serialize)]
struct Words {
    kind: &'static str,
    claims: &'static str,
    results: &'static str,
    timelines: &'static str,
    changes: &'static str,
    trials: &'static str,
    trial: &'static str,
    ended: &'static str,
    seed: &'static str,
    digest: &'static str,
    manifests: &'static str,
    notices: &'static str,
    source: &'static str,
    not_run: &'static str,
    outdated: &'static str,
    errors: &'static str,
    or: &'static str,
    not_minimal: &'static str,
    appendix: &'static str,
    appendix_hint: &'static str,
    note: &'static str,
    made_at: &'static str,
    kubernetes: &'static str,
    peapod: &'static str,
    made_with: &'static str,
    instant: &'static str,
    what: &'static str,
    state: &'static str,
}

impl Words {
    fn new(lang: Lang) -> Self {
        let say = |text: Text| text.say(lang);
        Self {
            kind: say(Text::ReportKind),
            claims: say(Text::Claims),
            results: say(Text::Results),
            timelines: say(Text::Timeline),
            changes: say(Text::AsTable),
            trials: say(Text::AllTrials),
            trial: say(Text::Trials),
            ended: say(Text::Ended),
            seed: say(Text::Seed),
            digest: say(Text::Digest),
            manifests: say(Text::ReportSteps),
            notices: say(Text::Notices),
            source: say(Text::Source),
            not_run: say(Text::NotRunYet),
            outdated: say(Text::Stale),
            errors: say(Text::Problem),
            or: say(Text::RuleOr),
            not_minimal: say(Text::RuleNotMinimal),
            appendix: say(Text::ReportAppendix),
            appendix_hint: say(Text::ReportAppendixHint),
            note: say(Text::ReportNote),
            made_at: say(Text::ReportMadeAt),
            kubernetes: say(Text::Kubernetes),
            peapod: say(Text::ReportPeapod),
            made_with: say(Text::ReportMadeWith),
            instant: say(Text::Instant),
            what: say(Text::What),
            state: say(Text::State),
        }
    }
}

/// The report as HTML.
///
/// # Errors
/// When a template is wrong.
pub fn html(material: &Material, lang: Lang) -> Result<String, ReportError> {
    let document = Document::new(material, lang)?;
    let words = Words::new(lang);
    let mut cells = Cells {
        document: &document,
        words: words.clone(),
        lang,
        error: None,
    };
    let options = render::Options {
        omit_title: true,
        korean: lang == Lang::Ko,
        ..render::Options::default()
    };
    let resolver = Embedded { material };
    let text = render::note_with(&material.note, &material.file, &resolver, &mut cells, options);
    if let Some(error) = cells.error {
        return Err(error.into());
    }
    let page = Page {
        lang: lang.tag(),
        style: STYLES.concat(),
        text: without_requests(&text),
        summary: summary(&document, lang),
        document: &document,
        t: words,
    };
    Ok(templates::render("page.html", &page)?)
}

/// `실험 3개 · 주장 7개 중 5개가 기대한 대로`.
pub(super) fn summary(document: &Document, lang: Lang) -> String {
    let values = [
        ("run", document.run.to_string()),
        ("cells", document.cells.to_string()),
        ("claims", document.claims.to_string()),
        ("expected", document.as_expected.to_string()),
    ];
    let text = if document.claims == 0 {
        Text::ReportSummaryNoClaims
    } else {
        Text::ReportSummary
    };
    fill(lang, text.say(lang), &values)
}

/// Puts results into the places of cells, and verdicts beside claims.
struct Cells<'a> {
    document: &'a Document,
    words: Words,
    lang: Lang,
    error: Option<minijinja::Error>,
}

#[derive(Serialize)]
struct CellPage<'a> {
    experiment: &'a Experiment,
    source: &'a str,
    t: &'a Words,
}

impl Cells<'_> {
    fn render(&mut self, name: &str, context: impl Serialize) -> Option<String> {
        match templates::render(name, context) {
            Ok(html) => Some(html),
            Err(error) => {
                self.error.get_or_insert(error);
                None
            }
        }
    }
}

impl CellRenderer for Cells<'_> {
    fn cell(&mut self, _note: &Note, cell: &Cell, source: &str) -> Option<String> {
        let document = self.document;
        let experiment = document
            .experiments
            .iter()
            .find(|experiment| experiment.cell == cell.index)?;
        let words = self.words.clone();
        self.render(
            "cell.html",
            CellPage {
                experiment,
                source,
                t: &words,
            },
        )
    }

    fn badge(&mut self, _note: &Note, block: &Block) -> Option<String> {
        #[derive(Serialize)]
        struct Badge<'a> {
            class: &'a str,
            verdict: &'a str,
            evidence: &'a str,
            remark: &'a str,
            outdated: &'a str,
            anchor: &'a str,
        }
        let document = self.document;
        let (experiment, claim) = document.claim_of(&block.id)?;
        let outdated = experiment.results.as_ref().is_some_and(|report| report.outdated);
        let badge = Badge {
            class: claim.class,
            verdict: &claim.verdict,
            evidence: &claim.evidence,
            remark: &claim.remark,
            outdated: if outdated { Text::Stale.say(self.lang) } else { "" },
            anchor: &experiment.anchor,
        };
        self.render("badge.html", badge)
    }
}

/// Images as `data:` addresses; other notes lead nowhere, because they are not in the file.
struct Embedded<'a> {
    material: &'a Material,
}

impl Resolver for Embedded<'_> {
    fn resolve(&self, from: &FileRef, target: &str) -> Option<Destination> {
        let vault = &self.material.snapshot.vault;
        let file = vault.resolve(from, target)?.file;
        if file == self.material.file {
            return Some(Destination {
                file,
                href: String::new(),
                title: None,
            });
        }
        if vault.note(&file).is_some() {
            // An embedded note needs its file; a link to it is made plain afterwards.
            return Some(Destination {
                title: None,
                href: ELSEWHERE.to_owned(),
                file,
            });
        }
        let href = data_address(self.material, &file)?;
        Some(Destination {
            file,
            href,
            title: None,
        })
    }

    fn note(&self, file: &FileRef) -> Option<&Note> {
        self.material.snapshot.vault.note(file).map(|note| note.as_ref())
    }
}

/// Stands for the address of a note that is not in the file.
const ELSEWHERE: &str = "about:blank";

/// An image as a `data:` address; none for what is no image, or too large.
fn data_address(material: &Material, file: &FileRef) -> Option<String> {
    let content = material.workspace.file(file).ok()?;
    // An SVG image may name other files, which would be requests, or not be shown at all.
    let is_image = content.media_type.starts_with("image/") && content.media_type != "image/svg+xml";
    (is_image && content.bytes.len() <= MAX_IMAGE_BYTES)
        .then(|| format!("data:{};base64,{}", content.media_type, STANDARD.encode(&content.bytes)))
}

/// The HTML of a note without anything that would be fetched when the report is opened: images, audio, video and frames
/// from elsewhere become links, links to notes that are not in the file become text.
fn without_requests(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    // Depth of links to elsewhere whose end tag is still to be dropped; links do not nest.
    let mut dropped_link = false;
    while let Some(open) = rest.find('<') {
        let (before, tag_on) = rest.split_at(open);
        out.push_str(before);
        let end = tag_end(tag_on);
        let (tag, after) = tag_on.split_at(end);
        rest = after;
        let name: String = tag
            .trim_start_matches(['<', '/'])
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_lowercase();
        match name.as_str() {
            "a" if tag.starts_with("</") && dropped_link => {
                out.push_str("</span>");
                dropped_link = false;
            }
            "a" if attribute(tag, "href").is_some_and(|href| href.starts_with(ELSEWHERE)) => {
                out.push_str("<span class=\"elsewhere\">");
                dropped_link = true;
            }
            "img" | "audio" | "video" | "source" | "iframe" | "embed" | "object" => {
                let source = attribute(tag, "src").or_else(|| attribute(tag, "data")).unwrap_or("");
                if tag.starts_with("</") || source.starts_with("data:") || source.is_empty() {
                    out.push_str(tag);
                } else if source.starts_with("http:") || source.starts_with("https:") {
                    out.push_str(&format!(
                        "<a class=\"external\" href=\"{source}\" rel=\"noopener nofollow\">{source}</a>"
                    ));
                }
            }
            _ => out.push_str(tag),
        }
    }
    out.push_str(rest);
    out
}

/// Where a tag ends: after its `>`, which does not count inside quotation marks.
fn tag_end(tag: &str) -> usize {
    let mut quote = None;
    for (at, c) in tag.char_indices() {
        match (quote, c) {
            (None, '>') => return at + 1,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    tag.len()
}

/// The value of an attribute, still escaped as HTML.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let rest = tag.get(start..)?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_fetched() {
        for (html, expected) in [
            (
                "<p>a <img src=\"data:image/png;base64,AA\" alt=\"x\"></p>",
                "<p>a <img src=\"data:image/png;base64,AA\" alt=\"x\"></p>",
            ),
            (
                "<img alt=\"a > b\" src=\"https://x.y/z.png?a&amp;b\">",
                "<a class=\"external\" href=\"https://x.y/z.png?a&amp;b\" rel=\"noopener nofollow\">https://x.y/z.png?a&amp;b</a>",
            ),
            ("<img src=\"/files/a.png\">", ""),
            (
                "<a class=\"x\" href=\"about:blank#h\">kubelet</a> <a href=\"#h\">h</a>",
                "<span class=\"elsewhere\">kubelet</span> <a href=\"#h\">h</a>",
            ),
            (
                "<iframe src=\"http://x\"></iframe>",
                "<a class=\"external\" href=\"http://x\" rel=\"noopener nofollow\">http://x</a></iframe>",
            ),
            ("1 < 2 <b", "1 < 2 <b"),
        ] {
            assert_eq!(without_requests(html), expected);
        }
    }
}
