//! A note as a page: its text, its cells with their newest results, and at the edge its outline and what links to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use jiff::Timestamp;
use peapod_vault::note::{Block, Tag};
use peapod_vault::render::{self, CellRenderer, Destination, Options, OutlineEntry, Resolver, escape};
use peapod_vault::{Cell, CellKind, FileRef, Layer, Note, Vault};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cells::{self, CellInfo};
use super::error::{PageResult, Problem};
use super::reader::Reader;
use super::view::problem::{self, ProblemView};
use super::view::{claims, result};
use super::{App, address, frame, predict, run};
use crate::i18n::{Lang, Text, time};
use crate::lab::model::{RunStatus, Verdict};
use crate::store::{NewestClaim, RunFilter, RunId, RunSummary};
use crate::workspace::Snapshot;

/// At most so many sentences of one note that links here.
const MAX_CONTEXTS: usize = 3;

/// A note that is shown in one language at one state of the vault.
pub type PreparedKey = (FileRef, Lang, u64);

/// A note rendered as far as it does not depend on runs.
#[derive(Debug)]
pub struct Prepared {
    pieces: Vec<Piece>,
    /// Cells of the note and of the notes that it embeds: file and cell.
    cells: Vec<(FileRef, CellInfo, String)>,
    /// Blocks with ids: file and id.
    badges: Vec<(FileRef, String)>,
    outline: Vec<OutlineEntry>,
    backlinks: Vec<BacklinkView>,
    properties: Vec<PropertyView>,
    tags: Vec<(String, String)>,
    problems: Vec<ProblemView>,
}

#[derive(Debug)]
enum Piece {
    Html(String),
    /// Index into [`Prepared::cells`].
    Cell(usize),
    /// Index into [`Prepared::badges`].
    Badge(usize),
}

#[derive(Debug, Clone, Serialize)]
struct BacklinkView {
    title: String,
    href: String,
    contexts: Vec<String>,
}

/// `GET /n/{*path}`.
pub async fn page(
    State(app): State<App>,
    Path(path): Path<String>,
    Query(asked): Query<Asked>,
    reader: Reader,
) -> PageResult {
    let copy = match asked.copy.and_then(|id| id.parse::<RunId>().ok()) {
        Some(id) => copy_of(&app, id).await?,
        None => None,
    };
    let snapshot = app.workspace().snapshot();
    let Some((file, note)) = find(&snapshot.vault, &path) else {
        return unresolved(&app, reader, &snapshot, &path);
    };
    let note = note.clone();
    let prepared = prepare(&app, reader.lang, &snapshot, &file, &note);
    let state = Newest::load(&app, &prepared).await?;
    let mut body = String::new();
    for piece in &prepared.pieces {
        match piece {
            Piece::Html(html) => body.push_str(html),
            Piece::Cell(index) => {
                if let Some((file, info, source)) = prepared.cells.get(*index) {
                    let copy = copy
                        .as_ref()
                        .filter(|(of, key, _)| *of == file.path && *key == info.key)
                        .map(|(.., source)| source.as_str());
                    body.push_str(&cell_html(&app, reader, &snapshot, (file, info, source, copy), &state).await?);
                }
            }
            Piece::Badge(index) => {
                if let Some((file, id)) = prepared.badges.get(*index) {
                    body.push_str(&badge_html(reader.lang, &state, file, id, &prepared));
                }
            }
        }
    }
    let cells: Vec<CellLink> = prepared
        .cells
        .iter()
        .filter(|(of, ..)| *of == file)
        .map(|(of, info, _)| state.link(of, info))
        .collect();
    let view = NoteView {
        frame: frame::frame(&app, reader, &snapshot, Some(&file)),
        title: note.title.clone(),
        path: file.path.clone(),
        library: file.layer == Layer::Library,
        revision: snapshot.revision,
        body,
        outline: flatten(&prepared.outline),
        backlinks: prepared.backlinks.clone(),
        properties: prepared.properties.clone(),
        tags: prepared.tags.clone(),
        problems: prepared.problems.clone(),
        runnable: !cells.is_empty(),
        cells,
        export_html: format!("/export/{}?to=html", address::encode(&file.path)),
        export_markdown: format!("/export/{}?to=md", address::encode(&file.path)),
    };
    Ok(app.templates().page("pages/note.html", reader, &view))
}

/// The text of a note around its own cells: pieces of HTML, each with the key of the cell that follows it. Cells of notes
/// that are embedded stand as text.
pub(super) fn around(
    app: &App,
    reader: Reader,
    snapshot: &Snapshot,
    file: &FileRef,
    note: &Note,
) -> Vec<(String, Option<String>)> {
    let prepared = prepare(app, reader.lang, snapshot, file, note);
    let mut pieces = Vec::new();
    let mut html = String::new();
    for piece in &prepared.pieces {
        match piece {
            Piece::Html(text) => html.push_str(text),
            Piece::Cell(index) => match prepared.cells.get(*index) {
                Some((of, info, _)) if of == file => {
                    pieces.push((std::mem::take(&mut html), Some(info.key.clone())));
                }
                Some((_, _, source)) => html.push_str(source),
                None => {}
            },
            Piece::Badge(_) => {}
        }
    }
    pieces.push((html, None));
    pieces
}

/// What an address of a note asks for besides.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    /// A run whose text stands in the editor of its cell.
    copy: Option<String>,
}

/// Note, cell and text of a run.
async fn copy_of(app: &App, id: RunId) -> Result<Option<(String, String, String)>, Problem> {
    let summary = app.store().summary(id).await.map_err(Problem::internal)?;
    let said = app.store().said(id).await.map_err(Problem::internal)?;
    Ok(summary
        .zip(said)
        .map(|(summary, (source, _))| (summary.note, summary.cell, source)))
}

/// A property as it is shown under the title.
#[derive(Clone, Debug, Serialize)]
struct PropertyView {
    name: String,
    value: String,
    href: Option<String>,
}

#[derive(Serialize)]
struct NoteView {
    frame: frame::Frame,
    title: String,
    path: String,
    library: bool,
    revision: u64,
    body: String,
    outline: Vec<OutlineView>,
    backlinks: Vec<BacklinkView>,
    properties: Vec<PropertyView>,
    tags: Vec<(String, String)>,
    problems: Vec<ProblemView>,
    cells: Vec<CellLink>,
    export_html: String,
    export_markdown: String,
    /// Whether there is something to open a session for.
    runnable: bool,
}

#[derive(Serialize)]
struct OutlineView {
    level: u8,
    text: String,
    anchor: String,
}

fn flatten(entries: &[OutlineEntry]) -> Vec<OutlineView> {
    fn walk(entries: &[OutlineEntry], depth: u8, out: &mut Vec<OutlineView>) {
        for entry in entries {
            out.push(OutlineView {
                level: depth,
                text: entry.text.clone(),
                anchor: entry.anchor.clone(),
            });
            walk(&entry.children, depth.saturating_add(1), out);
        }
    }
    let mut out = Vec::new();
    walk(entries, 1, &mut out);
    out
}

/// A cell in the list at the edge.
#[derive(Serialize)]
struct CellLink {
    anchor: String,
    title: String,
    class: &'static str,
}

/// The note at a path of an address: with or without `.md`.
pub fn find<'a>(vault: &'a Vault, path: &str) -> Option<(FileRef, &'a Arc<Note>)> {
    vault.find(&format!("{path}.md")).or_else(|| vault.find(path))
}

/// What runs say about the cells of a page.
struct Newest {
    /// Newest runs of each cell's own text: the newest finished one, the newest of all, and how many.
    runs: BTreeMap<(String, String), CellRuns>,
    claims: BTreeMap<String, Vec<NewestClaim>>,
}

#[derive(Clone, Debug, Default)]
struct CellRuns {
    finished: Option<RunSummary>,
    newest: Option<RunSummary>,
    count: usize,
}

impl Newest {
    async fn load(app: &App, prepared: &Prepared) -> Result<Self, Problem> {
        let mut state = Self {
            runs: BTreeMap::new(),
            claims: BTreeMap::new(),
        };
        let mut notes: Vec<&str> = prepared.cells.iter().map(|(file, ..)| file.path.as_str()).collect();
        notes.extend(prepared.badges.iter().map(|(file, _)| file.path.as_str()));
        notes.sort_unstable();
        notes.dedup();
        for note in notes {
            let filter = RunFilter {
                note: Some(note.to_owned()),
                scratch: true,
                limit: 500,
                ..RunFilter::default()
            };
            for summary in app.store().runs(&filter).await.map_err(Problem::internal)? {
                let runs = state.runs.entry((note.to_owned(), summary.cell.clone())).or_default();
                runs.count += 1;
                if summary.scratch {
                    continue;
                }
                if runs.finished.is_none() && summary.status == RunStatus::Finished {
                    runs.finished = Some(summary.clone());
                }
                if runs.newest.is_none() {
                    runs.newest = Some(summary);
                }
            }
            state.claims.insert(
                note.to_owned(),
                app.store().newest_claims(note).await.map_err(Problem::internal)?,
            );
        }
        Ok(state)
    }

    fn of(&self, file: &FileRef, key: &str) -> CellRuns {
        self.runs
            .get(&(file.path.clone(), key.to_owned()))
            .cloned()
            .unwrap_or_default()
    }

    fn link(&self, file: &FileRef, info: &CellInfo) -> CellLink {
        let class = match self.of(file, &info.key).finished {
            _ if info.experiment.is_none() => "broken",
            None => "unchecked",
            Some(run) if run.claims == 0 => "ran",
            Some(run) if run.as_expected == run.claims => "holds",
            Some(_) => "fails",
        };
        CellLink {
            anchor: anchor(&info.key),
            title: title_of(info),
            class,
        }
    }
}

/// The `id` of a cell on its page.
pub(super) fn anchor(key: &str) -> String {
    format!("cell-{key}")
}

fn title_of(info: &CellInfo) -> String {
    match (&info.experiment, info.kind) {
        (Some(experiment), CellKind::Experiment) => experiment.title.clone(),
        (_, CellKind::Manifest) => cells::manifest_title(&info.source),
        _ => info.key.clone(),
    }
}

fn prepare(app: &App, lang: Lang, snapshot: &Snapshot, file: &FileRef, note: &Note) -> Arc<Prepared> {
    let key = (file.clone(), lang, snapshot.revision);
    if let Some(prepared) = app.inner.notes.get(&key) {
        return prepared;
    }
    let vault = &snapshot.vault;
    let mut marks = Marks::new(vault, file);
    let options = Options {
        omit_title: note.title_in_text,
        korean: lang == Lang::Ko,
        ..Options::default()
    };
    let html = render::note_with(note, file, &Links { vault, lang }, &mut marks, options);
    let pieces = marks.cut(&html);
    let cells = marks
        .cells
        .iter()
        .filter_map(|(file, index, source)| {
            let of = vault.note(file)?;
            let cell = of.cells.get(*index)?;
            Some((file.clone(), cells::read(of, cell), source.clone()))
        })
        .collect();
    let mut backlinks: Vec<BacklinkView> = Vec::new();
    for link in vault.backlinks(file) {
        let href = match vault.note(&link.from) {
            Some(_) => address::note(&link.from.path),
            None => address::file(&link.from.path),
        };
        let context = shorten(&link.context, 90);
        match backlinks.iter_mut().find(|known| known.href == href) {
            Some(known) if known.contexts.len() < MAX_CONTEXTS && !known.contexts.contains(&context) => {
                known.contexts.push(context)
            }
            Some(_) => {}
            None => backlinks.push(BacklinkView {
                title: link.title,
                href,
                contexts: vec![context],
            }),
        }
    }
    let hidden = ["tags", "tag", "aliases", "alias", "cssclasses", "cssclass"];
    let mut properties: Vec<PropertyView> = note
        .properties
        .values
        .iter()
        .filter(|(name, _)| !hidden.contains(&name.to_lowercase().as_str()))
        .map(|(name, value)| {
            // A value that is a link leads where it points; in a list it stays as it is written.
            let link = note.properties.links.iter().find(|link| link.key == *name);
            match link.filter(|_| value.is_string()) {
                Some(link) => PropertyView {
                    name: name.clone(),
                    value: link.alias.clone().unwrap_or_else(|| link.target.clone()),
                    href: Links { vault, lang }
                        .resolve(file, &link.target)
                        .map(|found| found.href),
                },
                None => PropertyView {
                    name: name.clone(),
                    value: property(value),
                    href: None,
                },
            }
        })
        .collect();
    if !note.aliases.is_empty() {
        let aliases = PropertyView {
            name: Text::Aliases.say(lang).to_owned(),
            value: note.aliases.join(", "),
            href: None,
        };
        properties.insert(0, aliases);
    }
    let problems = note
        .diagnostics
        .iter()
        .map(|diagnostic| problem::view(lang, &problem::of_note(diagnostic, &file.path, &note.text), &note.text))
        .chain(
            snapshot
                .problems
                .iter()
                .filter(|problem| problem.file.as_deref() == Some(&file.path))
                .map(|problem| problem::view(lang, problem, "")),
        )
        .take(30)
        .collect();
    let prepared = Prepared {
        pieces,
        cells,
        badges: marks.badges,
        outline: render::outline(note),
        backlinks,
        properties,
        tags: tags(&note.tags),
        problems,
    };
    app.inner.notes.put(key, prepared)
}

fn tags(tags: &[Tag]) -> Vec<(String, String)> {
    let mut names: Vec<&str> = Vec::new();
    for tag in tags {
        if !names.iter().any(|name| name.to_lowercase() == tag.name.to_lowercase()) {
            names.push(&tag.name);
        }
    }
    names
        .into_iter()
        .map(|name| (name.to_owned(), address::tag(name)))
        .collect()
}

fn property(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(property).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn shorten(text: &str, most: usize) -> String {
    let text = text.trim();
    if text.chars().count() <= most {
        text.to_owned()
    } else {
        format!("{}…", text.chars().take(most).collect::<String>().trim_end())
    }
}

/// Where links lead.
struct Links<'a> {
    vault: &'a Vault,
    lang: Lang,
}

impl Resolver for Links<'_> {
    fn resolve(&self, from: &FileRef, target: &str) -> Option<Destination> {
        let file = self.vault.resolve(from, target)?.file;
        let (href, name) = match self.vault.note(&file) {
            Some(note) => (address::note(&file.path), note.title.clone()),
            None => (address::file(&file.path), file.path.clone()),
        };
        // Only a link that leaves the reader's own vault is marked as one into the library.
        let into_library = file.layer == Layer::Library && from.layer == Layer::User;
        let title = into_library
            .then(|| crate::i18n::fill(self.lang, Text::FromLibraryTitle.say(self.lang), &[("name", name)]));
        Some(Destination { file, href, title })
    }

    fn note(&self, file: &FileRef) -> Option<&Note> {
        self.vault.note(file).map(AsRef::as_ref)
    }

    fn text(&self, file: &FileRef) -> Option<&str> {
        self.vault.text(file).map(AsRef::as_ref)
    }

    fn missing(&self, target: &str) -> Option<String> {
        Some(address::note(target))
    }

    fn tag(&self, tag: &str) -> Option<String> {
        Some(address::tag(tag))
    }
}

/// Puts marks in the place of what depends on runs, so that the rest of a page can be kept. A mark holds a number that no
/// note can guess, so no note can write one.
struct Marks<'a> {
    vault: &'a Vault,
    file: &'a FileRef,
    secret: String,
    cells: Vec<(FileRef, usize, String)>,
    badges: Vec<(FileRef, String)>,
}

impl<'a> Marks<'a> {
    fn new(vault: &'a Vault, file: &'a FileRef) -> Self {
        use std::hash::{BuildHasher, RandomState};
        let secret = format!("peapod{:016x}", RandomState::new().hash_one(std::time::Instant::now()));
        Self {
            vault,
            file,
            secret,
            cells: Vec::new(),
            badges: Vec::new(),
        }
    }

    fn file_of(&self, note: &Note) -> FileRef {
        let is = |file: &FileRef| {
            self.vault
                .note(file)
                .is_some_and(|known| std::ptr::eq(known.as_ref(), note))
        };
        let layers = [self.file.layer, Layer::User, Layer::Library];
        let mut files = layers.into_iter().map(|layer| FileRef {
            layer,
            path: note.path.clone(),
        });
        files.find(is).unwrap_or_else(|| FileRef {
            layer: self.file.layer,
            path: note.path.clone(),
        })
    }

    fn cut(&self, html: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (index, part) in html.split(&self.secret).enumerate() {
            if index == 0 {
                pieces.push(Piece::Html(part.to_owned()));
                continue;
            }
            let (mark, rest) = part.split_once(';').unwrap_or((part, ""));
            match (
                mark.split_at_checked(1),
                mark.get(1..).and_then(|number| number.parse().ok()),
            ) {
                (Some(("c", _)), Some(number)) => pieces.push(Piece::Cell(number)),
                (Some(("b", _)), Some(number)) => pieces.push(Piece::Badge(number)),
                _ => {}
            }
            pieces.push(Piece::Html(rest.to_owned()));
        }
        pieces
    }
}

impl CellRenderer for Marks<'_> {
    fn cell(&mut self, note: &Note, cell: &Cell, source: &str) -> Option<String> {
        self.cells.push((self.file_of(note), cell.index, source.to_owned()));
        Some(format!("{}c{};", self.secret, self.cells.len() - 1))
    }

    fn badge(&mut self, note: &Note, block: &Block) -> Option<String> {
        self.badges.push((self.file_of(note), block.id.clone()));
        Some(format!("{}b{};", self.secret, self.badges.len() - 1))
    }
}

/// A cell as its template sees it.
#[derive(Serialize)]
struct CellView<'a> {
    anchor: String,
    key: &'a str,
    note: &'a str,
    kind: &'static str,
    kind_text: &'static str,
    title: String,
    question: Option<&'a str>,
    source: &'a str,
    /// The text in the editor.
    text: &'a str,
    /// The note's.
    own: &'a str,
    /// Whether the editor has the text of a run.
    copied: bool,
    runnable: bool,
    problems: Vec<ProblemView>,
    total: usize,
    kubernetes: String,
    history: String,
    history_count: usize,
    /// The newest finished run: its page, how long ago, whether the cell has changed since.
    run: Option<RunLink>,
    result: String,
    /// A run that goes on: its id.
    going: Option<String>,
    /// What the reader is asked before the run, and what was answered.
    prediction: Option<predict::PredictionView>,
}

#[derive(Serialize)]
struct RunLink {
    href: String,
    id: String,
    ago: String,
    stale: bool,
    wall: String,
}

async fn cell_html(
    app: &App,
    reader: Reader,
    snapshot: &Snapshot,
    (file, info, source, copy): (&FileRef, &CellInfo, &str, Option<&str>),
    state: &Newest,
) -> Result<String, Problem> {
    let lang = reader.lang;
    let runs = state.of(file, &info.key);
    let note_text = snapshot.vault.note(file).map_or("", |note| note.text.as_ref());
    let result = match &runs.finished {
        Some(summary) => run::result_html(app, reader, snapshot, summary.id)
            .await?
            .as_ref()
            .clone(),
        None => String::new(),
    };
    let going = runs
        .newest
        .as_ref()
        .filter(|run| run.status == RunStatus::Running && app.runs().watch(run.id).is_some());
    let experiment = info.experiment.as_deref();
    let (kind, kind_text) = match info.kind {
        CellKind::Manifest => ("manifest", Text::CellManifest),
        CellKind::Experiment => ("experiment", Text::CellExperiment),
        CellKind::Console => ("console", Text::CellConsole),
    };
    let view = CellView {
        anchor: anchor(&info.key),
        key: &info.key,
        note: &file.path,
        kind,
        kind_text: kind_text.say(lang),
        title: title_of(info),
        question: experiment
            .filter(|_| info.kind == CellKind::Experiment)
            .and_then(|e| e.question.as_deref()),
        source,
        text: copy.unwrap_or(&info.source),
        own: &info.source,
        copied: copy.is_some(),
        runnable: experiment.is_some(),
        problems: info
            .diagnostics
            .iter()
            .map(|diagnostic| problem::view(lang, diagnostic, note_text))
            .take(20)
            .collect(),
        total: info.total,
        kubernetes: experiment.map_or_else(String::new, |e| e.kubernetes.join(", ")),
        history: address::history(&file.path, &info.key),
        history_count: runs.count,
        run: runs
            .finished
            .as_ref()
            .map(|summary| run_link(lang, summary, &info.source)),
        result,
        going: going.map(|run| run.id.to_string()),
        prediction: predict::view(app, lang, &file.path, info, runs.finished.as_ref()).await?,
    };
    app.templates().part("partials/cell.html", reader, &view)
}

fn run_link(lang: Lang, summary: &RunSummary, source: &str) -> RunLink {
    let seconds = Timestamp::now().duration_since(summary.started_at).as_secs();
    let wall = summary.ended_at.map_or_else(String::new, |ended| {
        let nanos = ended.duration_since(summary.started_at).as_nanos();
        time::span(lang, peapod_sim::time::SimDuration(u64::try_from(nanos).unwrap_or(0)))
    });
    RunLink {
        href: address::run(&summary.id.to_string()),
        id: summary.id.to_string(),
        ago: time::ago(lang, seconds),
        stale: summary.is_outdated(source),
        wall,
    }
}

/// The verdict beside a sentence: that of the newest run whose expectation checks it.
fn badge_html(lang: Lang, state: &Newest, file: &FileRef, id: &str, prepared: &Prepared) -> String {
    let is_checked = |info: &CellInfo| {
        info.experiment.as_ref().is_some_and(|e| {
            e.expect
                .iter()
                .any(|x| x.block.as_deref().is_some_and(|block| block.eq_ignore_ascii_case(id)))
        })
    };
    let newest = state.claims.get(&file.path).into_iter().flatten().find(|claim| {
        claim
            .result
            .block
            .as_deref()
            .is_some_and(|block| block.eq_ignore_ascii_case(id))
    });
    let (class, words, href) = match newest {
        Some(claim) => {
            let (class, word) = claims::word(claim.result.verdict);
            let run = claim.run.to_string();
            let total = claim.result.trials_for + claim.result.trials_against;
            let words = match claim.result.verdict {
                Verdict::Unchecked => word.say(lang).to_owned(),
                _ => format!("{} · {}/{total}", word.say(lang), claim.result.trials_for),
            };
            let href = match &claim.result.counter_example {
                Some(example) => {
                    let at = example
                        .at
                        .map_or_else(String::new, |at| format!("?t={}", crate::timeline::axis::to_query(at)));
                    format!("{}{at}", address::trial(&run, example.trial))
                }
                None => address::run(&run),
            };
            (class, words, href)
        }
        // A block id that no expectation names is an ordinary block.
        None => match prepared
            .cells
            .iter()
            .find(|(of, info, _)| of == file && is_checked(info))
        {
            Some((_, info, _)) => (
                "unchecked",
                Text::NotRunYet.say(lang).to_owned(),
                format!("#{}", address::encode(&anchor(&info.key))),
            ),
            None => return String::new(),
        },
    };
    format!(
        " <a class=\"verdict {class}\" href=\"{}\">{}</a>",
        escape(&href),
        escape(&words)
    )
}

/// The sentences of a note by block id.
pub fn sentences(vault: &Vault, path: &str) -> impl Fn(&str) -> Option<String> {
    let blocks: BTreeMap<String, String> = find(vault, path)
        .map(|(_, note)| {
            note.blocks
                .iter()
                .map(|block| (block.id.to_lowercase(), block.text.clone()))
                .collect()
        })
        .unwrap_or_default();
    move |id: &str| blocks.get(&id.to_lowercase()).cloned()
}

#[derive(Serialize)]
struct UnresolvedView {
    frame: frame::Frame,
    name: String,
    file: String,
    from: Vec<BacklinkView>,
    similar: Vec<frame::Entry>,
}

/// The page of a name that no note has: what links to it.
fn unresolved(app: &App, reader: Reader, snapshot: &Snapshot, path: &str) -> PageResult {
    let vault = &snapshot.vault;
    let name = path.strip_suffix(".md").unwrap_or(path);
    let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
    let links_here = |note: &Note| {
        note.links
            .iter()
            .any(|link| same(link.target.strip_suffix(".md").unwrap_or(&link.target), name))
    };
    let from: Vec<BacklinkView> = vault
        .notes()
        .filter(|(_, note)| links_here(note))
        .map(|(file, note)| {
            let link = note
                .links
                .iter()
                .find(|link| same(link.target.strip_suffix(".md").unwrap_or(&link.target), name));
            let line = link
                .and_then(|link| note.text.lines().nth(link.place.line.saturating_sub(1) as usize))
                .unwrap_or("");
            BacklinkView {
                title: note.title.clone(),
                href: address::note(&file.path),
                contexts: vec![shorten(line, 90)],
            }
        })
        .take(100)
        .collect();
    let index = frame::index(app, reader, snapshot);
    let words: Vec<String> = name.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let similar = index
        .notes
        .iter()
        .chain(&index.library)
        .filter(|entry| {
            let title = entry.title.to_lowercase();
            words
                .iter()
                .any(|word| word.chars().count() > 1 && title.contains(word.as_str()))
        })
        .take(8)
        .cloned()
        .collect();
    let view = UnresolvedView {
        frame: frame::frame(app, reader, snapshot, None),
        name: name.chars().take(200).collect(),
        file: format!("{}.md", name.chars().take(200).collect::<String>()),
        from,
        similar,
    };
    Ok((
        StatusCode::NOT_FOUND,
        app.templates().page("pages/unresolved.html", reader, &view),
    )
        .into_response())
}

/// The status of a run as a class and a word, for lists.
pub fn status_of(lang: Lang, summary: &RunSummary) -> (&'static str, &'static str) {
    let (class, text) = result::status(summary.status);
    (class, text.say(lang))
}
