//! The events at the end of a description (`describe.go DescribeEvents`).

use jiff::Timestamp;
use serde_json::Value;

use super::writer::Writer;
use crate::print::age::since;
use crate::value::{int, text, time};

/// Writes the events among `around`, or `<none>`.
pub(super) fn events(out: &mut Writer, around: &[Value], now: Timestamp) {
    let mut events: Vec<&Value> = around
        .iter()
        .filter(|object| text(object, "/kind") == "Event")
        .collect();
    if events.is_empty() {
        out.line(0, "Events:\t<none>");
        return;
    }
    // Events of the new style have no last time and come first.
    events.sort_by_key(|event| time(event, "/lastTimestamp"));
    out.line(0, "Events:\n  Type\tReason\tAge\tFrom\tMessage");
    out.line(1, "----\t------\t----\t----\t-------");
    for event in events {
        let first = time(event, "/firstTimestamp").or_else(|| time(event, "/eventTime"));
        let shown = |at: Option<Timestamp>| at.map_or_else(|| "<unknown>".to_owned(), |at| since(at, now));
        let (series, count) = (int(event, "/series/count"), int(event, "/count"));
        let age = if series > 1 {
            format!(
                "{} (x{series} over {})",
                shown(time(event, "/series/lastObservedTime")),
                shown(first)
            )
        } else if count > 1 {
            format!(
                "{} (x{count} over {})",
                shown(time(event, "/lastTimestamp")),
                shown(first)
            )
        } else {
            shown(first)
        };
        let source = match text(event, "/source/component") {
            "" => text(event, "/reportingComponent"),
            source => source,
        };
        let mut message = text(event, "/message").trim().to_owned();
        let path = text(event, "/involvedObject/fieldPath");
        if !path.is_empty() {
            message = format!("{path}: {message}");
        }
        out.line(
            1,
            format!(
                "{}\t{}\t{age}\t{source}\t{message}",
                text(event, "/type"),
                text(event, "/reason")
            ),
        );
    }
}
