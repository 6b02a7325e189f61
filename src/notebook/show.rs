//! How results look: as plain text for every reader, as HTML and SVG for those who draw. Neither needs a script, a style
//! sheet or anything from elsewhere, and names that come from manifests are escaped.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use peapod_sim::trace::{Trace, What};
use peapod_vault::render::escape;
use serde_json::{Value, json};

use super::magic::MAGICS;
use super::output::Bundle;
use crate::i18n::{Lang, Text, fill, time};
use crate::lab::model::{ClaimResult, DecisionTable, RunResult, Verdict};
use crate::lab::said;
use crate::timeline::{Lane, LaneKind, Scale, State, Timeline, why};

/// Lanes of a picture.
const MAX_LANES: usize = 40;

/// Rows of a table that are drawn; the text has all of them.
const MAX_ROWS: usize = 500;

/// What `kubectl get` prints, as a table too. `None` when it is none: a table has a head in capitals whose columns stand
/// apart, and every row begins in them.
pub fn table(text: &str) -> Option<Bundle> {
    let mut lines = text.lines();
    let head: Vec<char> = lines.next()?.chars().collect();
    let starts = columns(&head)?;
    let rows: Vec<Vec<String>> = lines.map(|line| cells(line, &starts)).collect::<Option<_>>()?;
    if rows.is_empty() {
        return None;
    }
    let mut html = String::from("<table><thead><tr>");
    let names = cells(&head.iter().collect::<String>(), &starts)?;
    for name in &names {
        let _ = write!(html, "<th style=\"text-align:left\">{}</th>", escape(name));
    }
    html.push_str("</tr></thead><tbody>");
    for row in rows.iter().take(MAX_ROWS) {
        html.push_str("<tr>");
        for (name, cell) in names.iter().zip(row) {
            let state = matches!(name.as_str(), "STATUS" | "REASON" | "TYPE").then(|| color_of_word(cell));
            let style = state
                .flatten()
                .map_or_else(String::new, |color| format!(";color:{color};font-weight:600"));
            let _ = write!(html, "<td style=\"text-align:left{style}\">{}</td>", escape(cell));
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table>");
    if rows.len() > MAX_ROWS {
        let _ = write!(html, "<p>… {} more</p>", rows.len() - MAX_ROWS);
    }
    Some(Bundle::new(text).with("text/html", html))
}

/// Where the columns of a head begin: three blanks stand between two of them.
fn columns(head: &[char]) -> Option<Vec<usize>> {
    let capital = |c: &char| c.is_ascii_uppercase() || matches!(c, ' ' | '-' | '(' | ')') || c.is_ascii_digit();
    if head.is_empty() || head.first()? == &' ' || !head.iter().all(capital) {
        return None;
    }
    let mut starts = vec![0];
    let mut blanks = 0;
    for (at, c) in head.iter().enumerate() {
        if *c == ' ' {
            blanks += 1;
            continue;
        }
        if blanks >= 3 {
            starts.push(at);
        }
        blanks = 0;
    }
    (starts.len() > 1).then_some(starts)
}

fn cells(line: &str, starts: &[usize]) -> Option<Vec<String>> {
    let characters: Vec<char> = line.chars().collect();
    let mut cells = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        // A row whose cell runs into the next column is of no table.
        if *start > 0 && characters.get(start - 1).is_some_and(|before| *before != ' ') {
            return None;
        }
        let end = starts.get(index + 1).copied().unwrap_or(characters.len());
        let cell: String = characters
            .get(*start..end.min(characters.len()))
            .unwrap_or_default()
            .iter()
            .collect();
        cells.push(cell.trim_end().to_owned());
    }
    Some(cells)
}

fn color_of_word(word: &str) -> Option<&'static str> {
    if word == "Warning" {
        return Some(color(State::Failed));
    }
    let state = State::of_word(word.split([',', ' ']).next().unwrap_or_default())?;
    (state != State::Waiting).then(|| color(state)).or(Some("#87501f"))
}

/// The color of a state, for white paper and for dark.
fn color(state: State) -> &'static str {
    match state {
        State::Pending => "#b07d0c",
        State::Running => "#43803a",
        State::Succeeded => "#3272a8",
        State::Failed | State::Warning => "#bd4034",
        State::Unknown => "#7d6b9e",
        State::Waiting => "#a59c80",
        State::Terminating | State::Fault => "#a9682f",
        State::Normal | State::Step => "#888",
    }
}

/// Lines that are expected and lines that are printed, where they differ.
pub fn difference(expected: &str, printed: &str) -> String {
    let mut text = String::new();
    for line in expected.trim_end().lines() {
        let _ = writeln!(text, "- {line}");
    }
    for line in printed.trim_end().lines() {
        let _ = writeln!(text, "+ {line}");
    }
    text
}

/// How far a run is.
pub fn progress(done: usize, total: usize) -> Bundle {
    const WIDTH: usize = 30;
    let filled = done * WIDTH / total.max(1);
    let plain = format!("{}{} {done}/{total}", "█".repeat(filled), "░".repeat(WIDTH - filled));
    let percent = done * 100 / total.max(1);
    let html = format!(
        "<div style=\"display:flex;gap:8px;align-items:center\"><div style=\"width:240px;height:8px;background:#ddd\"><div style=\"width:{percent}%;height:8px;background:#43803a\"></div></div><span>{done}/{total}</span></div>"
    );
    Bundle::new(plain).with("text/html", html)
}

/// The `%` commands.
pub fn magics(lang: Lang) -> Bundle {
    let (mut plain, mut html) = (String::new(), String::from("<table><tbody>"));
    for magic in MAGICS {
        let said = match lang {
            Lang::Ko => magic.ko,
            Lang::En => magic.en,
        };
        let usage = format!("{} {}", magic.name, magic.usage);
        let _ = writeln!(plain, "{}\n    {said}", usage.trim_end());
        let _ = write!(
            html,
            "<tr><td style=\"text-align:left\"><code>{}</code></td><td style=\"text-align:left\">{}</td></tr>",
            escape(usage.trim_end()),
            escape(said)
        );
    }
    html.push_str("</tbody></table>");
    Bundle::new(plain.trim_end()).drawn(html)
}

/// Leaves of a trace only an object, what it owns, and what is said of them.
pub fn only(trace: &mut Trace, kind: &str, name: &str) {
    let mut kept: BTreeSet<String> = BTreeSet::new();
    let own = |version: &peapod_sim::trace::Version| version.object.kind == kind && version.object.name == name;
    kept.extend(
        trace
            .versions
            .iter()
            .filter(|version| own(version))
            .map(|version| version.object.uid.clone()),
    );
    // Owners are written before what they own.
    for version in &trace.versions {
        let owners = version
            .value
            .pointer("/metadata/ownerReferences")
            .and_then(Value::as_array);
        let owned = owners
            .into_iter()
            .flatten()
            .filter_map(|owner| owner.get("uid")?.as_str())
            .any(|uid| kept.contains(uid));
        if owned {
            kept.insert(version.object.uid.clone());
        }
    }
    trace.versions.retain(|version| kept.contains(&version.object.uid));
    for record in &mut trace.records {
        let about = record.object.as_ref().is_some_and(|object| kept.contains(&object.uid));
        // Numbers of records are their places: what is about something else stays, and says nothing.
        if matches!(record.what, What::Event { .. }) && !about {
            record.what = What::Notice { text: String::new() };
        }
    }
}

/// What has happened, as a picture.
pub fn timeline(trace: &Trace, title: &str, lang: Lang) -> Bundle {
    let timeline = Timeline::new(trace, Scale::Event);
    let shown = timeline
        .lanes
        .get(..timeline.lanes.len().min(MAX_LANES))
        .unwrap_or_default();
    let hidden = timeline.hidden + timeline.lanes.len() - shown.len();
    let (mut plain, mut html) = (format!("{title}  0s – {}\n", timeline.end), String::new());
    let _ = write!(
        html,
        "<div style=\"font-size:12px\"><div><b>{}</b> 0s – {}</div>",
        escape(title),
        timeline.end
    );
    for lane in shown {
        let name = lane_name(lane, lang);
        let mut pieces: Vec<String> = lane
            .segments
            .iter()
            .map(|segment| format!("{} {}", segment.from, segment.text))
            .collect();
        pieces.extend(lane.marks.iter().map(|mark| format!("{} {}", mark.at, mark.text)));
        let _ = writeln!(plain, "{name}: {}", pieces.join(" → "));
        let _ = write!(
            html,
            "<div style=\"display:flex;align-items:center;height:20px\"><div style=\"width:190px;overflow:hidden;white-space:nowrap\">{}</div><div style=\"position:relative;flex:1;height:16px;background:rgba(128,128,128,.12)\">",
            escape(&name)
        );
        for segment in &lane.segments {
            let said = format!("{} – {} {}", segment.from, segment.to, segment.text);
            let _ = write!(
                html,
                "<div title=\"{}\" style=\"position:absolute;left:{:.2}%;width:{:.2}%;height:16px;background:{};color:#fff;font-size:10px;line-height:16px;overflow:hidden;white-space:nowrap\">{}</div>",
                escape(&said),
                segment.x,
                segment.width.max(0.2),
                color(segment.state),
                if segment.width > 6.0 {
                    format!("&nbsp;{}", escape(&segment.text))
                } else {
                    String::new()
                }
            );
        }
        for mark in &lane.marks {
            let said = format!(
                "{} {} {}",
                mark.at,
                mark.text,
                if mark.state == State::Step { "" } else { &mark.more }
            );
            let _ = write!(
                html,
                "<div title=\"{}\" style=\"position:absolute;left:{:.2}%;top:4px;width:8px;height:8px;background:{}\"></div>",
                escape(said.trim_end()),
                mark.x.min(99.0),
                color(mark.state)
            );
        }
        html.push_str("</div></div>");
    }
    if hidden > 0 {
        let said = fill(lang, Text::LanesHidden.say(lang), &[("n", hidden.to_string())]);
        let _ = writeln!(plain, "{said}");
        let _ = write!(html, "<div>{}</div>", escape(&said));
    }
    html.push_str("</div>");
    let bundle = Bundle::new(plain.trim_end()).with("text/html", html);
    match crate::report::timeline_svg(trace, title, lang) {
        Ok(svg) => bundle.with("image/svg+xml", svg),
        Err(_) => bundle,
    }
}

fn lane_name(lane: &Lane, lang: Lang) -> String {
    match lane.kind {
        LaneKind::Steps => Text::LaneSteps.say(lang).to_owned(),
        LaneKind::Events => Text::LaneEvents.say(lang).to_owned(),
        _ => format!("{} {}", lane.name, lane.part).trim().to_owned(),
    }
}

/// The causes behind a record, newest first.
pub fn why(trace: &Trace, record: usize, lang: Lang) -> Bundle {
    let (mut plain, mut html) = (String::new(), String::from("<ul>"));
    for (_, record) in why::chain(trace, u32::try_from(record).unwrap_or(u32::MAX)) {
        let (text, rule) = said::words(lang, record);
        let clock = time::clock(record.at);
        let _ = writeln!(plain, "{clock}  {text}");
        let _ = write!(html, "<li><code>{clock}</code> {}", escape(&text));
        if !rule.is_empty() {
            let _ = writeln!(plain, "          ({rule})");
            match crate::lab::why::source(&rule) {
                Some(source) => {
                    let _ = write!(html, " <a href=\"{}\">{}</a>", escape(&source), escape(&rule));
                }
                None => {
                    let _ = write!(html, " <code>{}</code>", escape(&rule));
                }
            }
        }
        html.push_str("</li>");
    }
    html.push_str("</ul>");
    Bundle::new(plain.trim_end()).drawn(html)
}

/// Verdicts and tables of an experiment.
pub fn experiment(result: &RunResult, lang: Lang) -> Bundle {
    let experiment = &result.experiment;
    let trials = result.trials.len();
    let head = format!(
        "{} · {} · Kubernetes {}",
        experiment.title,
        fill(lang, Text::TrialsN.say(lang), &[("n", trials.to_string())]),
        experiment.kubernetes.join(", ")
    );
    let mut plain = format!("{head}\n");
    let mut html = format!("<div><b>{}</b></div>", escape(&head));
    if !result.claims.is_empty() {
        html.push_str("<table><tbody>");
    }
    for claim in &result.claims {
        let (mark, state) = mark(claim);
        let sentence = sentence(claim);
        let _ = writeln!(plain, "  {mark} {sentence}");
        let mut more: Vec<String> = claim.rule.iter().cloned().collect();
        if let Some(counter) = &claim.counter_example {
            let trial = result.trials.iter().find(|trial| trial.trial.index == counter.trial);
            let with = trial
                .filter(|trial| !trial.trial.variables.is_empty())
                .map_or_else(String::new, |trial| {
                    format!("{}: ", assignment(&trial.trial.variables, lang))
                });
            more.push(format!("{with}{}", counter.message));
        }
        for line in &more {
            for line in line.lines() {
                let _ = writeln!(plain, "      {line}");
            }
        }
        let _ = write!(
            html,
            "<tr><td style=\"color:{};font-weight:600\">{mark}</td><td style=\"text-align:left\">{}{}</td></tr>",
            color(state),
            escape(&sentence),
            more.iter()
                .map(|line| format!("<br><small>{}</small>", escape(line)))
                .collect::<String>(),
        );
    }
    if !result.claims.is_empty() {
        html.push_str("</tbody></table>");
    }
    for table in &result.tables {
        decision(table, lang, &mut plain, &mut html);
    }
    if result.tables.is_empty() {
        for trial in &result.trials {
            for (name, value) in &trial.observations {
                let line = format!("{name} = {}", said::value(lang, value));
                let _ = writeln!(plain, "  {line}");
                let _ = write!(html, "<div><code>{}</code></div>", escape(&line));
            }
        }
    }
    let notices: BTreeSet<&String> = result.trials.iter().flat_map(|trial| &trial.notices).collect();
    for notice in notices {
        let _ = writeln!(plain, "note: {notice}");
        let _ = write!(html, "<div><small>{}</small></div>", escape(notice));
    }
    let verdicts: Vec<Value> = result
        .claims
        .iter()
        .map(|claim| json!({ "claim": sentence(claim), "verdict": claim.verdict, "asExpected": claim.as_expected }))
        .collect();
    Bundle::new(plain.trim_end()).drawn(html).with(
        "application/vnd.peapod.result.v1+json",
        json!({ "trials": trials, "claims": verdicts }),
    )
}

fn assignment(variables: &crate::lab::model::Assignment, lang: Lang) -> String {
    let shown = variables
        .iter()
        .map(|(name, value)| format!("{name} = {}", said::value(lang, value)));
    shown.collect::<Vec<_>>().join(", ")
}

fn sentence(claim: &ClaimResult) -> String {
    match (&claim.block, claim.claim.is_empty()) {
        (_, false) => claim.claim.clone(),
        (Some(block), _) => format!("^{block}"),
        (None, _) => format!("{} {}", claim.keyword, claim.condition),
    }
}

fn mark(claim: &ClaimResult) -> (&'static str, State) {
    let state = if claim.as_expected {
        State::Running
    } else {
        State::Failed
    };
    let mark = match claim.verdict {
        Verdict::Holds => "✓",
        Verdict::Fails => "✗",
        Verdict::Depends => "◐",
        Verdict::Unchecked => "?",
    };
    (mark, state)
}

fn decision(table: &DecisionTable, lang: Lang, plain: &mut String, html: &mut String) {
    let _ = writeln!(plain, "\n{}", table.outcome);
    html.push_str("<table><thead><tr>");
    for variable in &table.variables {
        let _ = write!(html, "<th style=\"text-align:left\">{}</th>", escape(&variable.name));
    }
    let _ = write!(
        html,
        "<th style=\"text-align:left\">{}</th></tr></thead><tbody>",
        escape(&table.outcome)
    );
    for cell in table.cells.iter().take(MAX_ROWS) {
        html.push_str("<tr>");
        let mut values = Vec::new();
        for (variable, index) in table.variables.iter().zip(&cell.values) {
            let value = variable
                .values
                .get(*index)
                .map(|value| said::value(lang, value))
                .unwrap_or_default();
            let _ = write!(html, "<td style=\"text-align:left\">{}</td>", escape(&value));
            values.push(format!("{} = {value}", variable.name));
        }
        let outcome = said::value(lang, &cell.outcome);
        let style = color_of_word(&outcome).map_or_else(String::new, |color| format!(";color:{color};font-weight:600"));
        let _ = write!(
            html,
            "<td style=\"text-align:left{style}\">{}</td></tr>",
            escape(&outcome)
        );
        let _ = writeln!(plain, "  {outcome} ← {}", values.join(", "));
    }
    html.push_str("</tbody></table>");
    for rule in &table.rules {
        let line = format!("{} ⇐ {}", said::value(lang, &rule.outcome), rule.text);
        let _ = writeln!(plain, "  {line}");
        let _ = write!(html, "<div>{}</div>", escape(&line));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_a_table() {
        let text = "NAME   READY   NOMINATED NODE\na<b    1/1     <none>\n";
        let html = table(text).unwrap().data()["text/html"].as_str().unwrap().to_owned();
        assert!(
            html.contains("NOMINATED NODE</th>") && html.contains(">a&lt;b</td>"),
            "{html}"
        );
        for text in [
            "hello, world\n",
            "NAME   READY\n",
            "",
            "NAME\nx\n",
            "AB   CD\nlonger than it\n",
        ] {
            assert_eq!(table(text), None, "{text}");
        }
    }
}
