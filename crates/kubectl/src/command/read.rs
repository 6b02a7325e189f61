//! Commands that only look.

use super::{Action, FORMATS, Format, Grammar, Targets, format, split_commas};
use crate::flags::{switch, switches, value, values};

/// `kubectl get`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Get {
    /// What to show.
    pub targets: Targets,
    /// `-o`
    pub format: Format,
    /// `-w` or `--watch-only`: the application goes on printing changes, see [`crate::print::Watch`].
    pub watch: bool,
    /// `--watch-only`
    pub watch_only: bool,
    /// `--no-headers`
    pub no_headers: bool,
    /// `--show-labels`
    pub show_labels: bool,
    /// `-L`
    pub label_columns: Vec<String>,
    /// `--show-kind`
    pub show_kind: bool,
    /// `--sort-by`
    pub sort_by: Option<String>,
    /// `--ignore-not-found`
    pub ignore_not_found: bool,
    /// `--show-managed-fields`
    pub show_managed_fields: bool,
    /// `--subresource`
    pub subresource: Option<String>,
    /// `--allow-missing-template-keys`, on by default
    pub strict_template: bool,
}

pub(super) const GET: Grammar = Grammar {
    names: &["get"],
    flags: &[
        &switches([
            "watch-only",
            "no-headers",
            "show-labels",
            "show-kind",
            "ignore-not-found",
            "output-watch-events",
            "server-print",
        ]),
        &values(["sort-by", "subresource", "chunk-size"]),
        &[switch("watch").short('w'), value("label-columns").short('L')],
    ],
    subcommands: &[],
    read: |line| {
        let given = &line.given;
        Ok(Action::Get(Get {
            targets: line.targets(),
            format: format(given.get("output"), given.get("template"), FORMATS)?,
            watch: given.on("watch") || given.on("watch-only"),
            watch_only: given.on("watch-only"),
            no_headers: given.on("no-headers"),
            show_labels: given.on("show-labels"),
            label_columns: split_commas(&given.all("label-columns")),
            show_kind: given.on("show-kind"),
            sort_by: given.text("sort-by"),
            ignore_not_found: given.on("ignore-not-found"),
            show_managed_fields: given.on("show-managed-fields"),
            subresource: given.text("subresource"),
            strict_template: !line.on_unless_off("allow-missing-template-keys"),
        }))
    },
};

pub(super) const DESCRIBE: Grammar = Grammar {
    names: &["describe"],
    flags: &[&[switch("show-events"), value("chunk-size")]],
    subcommands: &[],
    read: |line| Ok(Action::Describe(line.targets(), line.on_unless_off("show-events"))),
};

pub(super) const EVENTS: Grammar = Grammar {
    names: &["events"],
    flags: &[
        &values(["for", "types", "chunk-size"]),
        &[switch("watch").short('w'), switch("no-headers")],
    ],
    subcommands: &[],
    read: |line| {
        let given = &line.given;
        Ok(Action::Events(
            given.text("for"),
            split_commas(&given.all("types")),
            given.on("no-headers"),
        ))
    },
};

pub(super) const API_RESOURCES: Grammar = Grammar {
    names: &["api-resources"],
    flags: &[
        &switches(["namespaced", "no-headers", "cached"]),
        &values(["api-group", "sort-by", "verbs", "categories"]),
    ],
    subcommands: &[],
    read: |_| Ok(Action::ApiResources),
};
