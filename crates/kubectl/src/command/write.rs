//! Commands that write objects: from files, from the live ones, or not at all any more.

use super::{Action, DryRun, Grammar, Line, ParseError, Targets};
use crate::api::PatchKind;
use crate::flags::{Flag, switch, switches, value, values};

/// `kubectl delete`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// What to delete.
    pub targets: Targets,
    /// `--grace-period`, in seconds; below 0 is not given.
    pub grace_period: i64,
    /// `--now`
    pub now: bool,
    /// `--force`
    pub force: bool,
    /// `--cascade`: `Background`, `Foreground` or `Orphan`.
    pub propagation: &'static str,
    /// `--wait`
    pub wait: bool,
    /// `--timeout`, in milliseconds
    pub timeout: Option<i64>,
    /// `--ignore-not-found`
    pub ignore_not_found: bool,
    /// `-o name`
    pub name_only: bool,
    /// `--dry-run`
    pub dry_run: DryRun,
}

/// How objects that go are deleted.
const DELETION: &[Flag] = &[
    switch("force"),
    switch("wait"),
    value("grace-period"),
    value("timeout"),
    value("cascade").or("background"),
];
const KUSTOMIZE: Flag = value("kustomize").short('k');

pub(super) const APPLY: Grammar = Grammar {
    names: &["apply"],
    flags: &[
        DELETION,
        &switches(["server-side", "force-conflicts", "overwrite", "prune"]),
        &[KUSTOMIZE],
    ],
    subcommands: &[],
    read: |line| {
        let given = &line.given;
        Ok(Action::Apply {
            files: line.needed_files()?,
            server_side: given.on("server-side"),
            force_conflicts: given.on("force-conflicts"),
            field_manager: given.text("field-manager"),
            write: line.write()?,
        })
    },
};

pub(super) const REPLACE: Grammar = Grammar {
    names: &["replace"],
    flags: &[DELETION, &[value("subresource")]],
    subcommands: &[],
    read: |line| {
        let files = line.files();
        if files.is_empty() {
            return Err(line.usage("must specify --filename (-f) to replace"));
        }
        Ok(Action::Replace(files, line.given.on("force"), line.write()?))
    },
};

pub(super) const EXPOSE: Grammar = Grammar {
    names: &["expose"],
    flags: &[
        &values([
            "name",
            "port",
            "target-port",
            "type",
            "protocol",
            "selector",
            "cluster-ip",
            "external-ip",
            "session-affinity",
        ]),
        &[value("labels").short('l')],
    ],
    subcommands: &[],
    read: |line| {
        let given = &line.given;
        Ok(Action::Expose {
            targets: Targets {
                selector: None,
                ..line.targets()
            },
            name: given.text("name"),
            port: line.int("port")?,
            target_port: given.text("target-port"),
            kind: given.text("type"),
            protocol: given.text("protocol"),
            selector: given.text("selector"),
            cluster_ip: given.text("cluster-ip"),
            write: line.write()?,
        })
    },
};

pub(super) const AUTOSCALE: Grammar = Grammar {
    names: &["autoscale"],
    flags: &[&values(["min", "max", "cpu-percent", "cpu", "memory", "name"])],
    subcommands: &[],
    read: |line| {
        let given = &line.given;
        let max = line.int("max")?.unwrap_or(-1);
        if max < 1 {
            return Err(ParseError::new(format!(
                "--max=MAXPODS is required and must be at least 1, max: {max}"
            )));
        }
        let cpu = match given.get("cpu") {
            Some(text) => text.trim_end_matches('%').parse().ok(),
            None => line.int("cpu-percent")?,
        };
        Ok(Action::Autoscale {
            targets: line.targets(),
            min: line.int("min")?.filter(|min| *min > 0),
            max,
            cpu,
            name: given.text("name"),
            write: line.write()?,
        })
    },
};

pub(super) const SCALE: Grammar = Grammar {
    names: &["scale"],
    flags: &[&values(["replicas", "current-replicas", "resource-version", "timeout"])],
    subcommands: &[],
    read: |line| {
        let Some(replicas) = line.int("replicas")? else {
            return Err(ParseError::new("required flag(s) \"replicas\" not set"));
        };
        if replicas < 0 {
            return Err(ParseError::new(
                "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0",
            ));
        }
        Ok(Action::Scale {
            targets: line.targets(),
            replicas,
            current: line.int("current-replicas")?.filter(|current| *current >= 0),
            write: line.write()?,
        })
    },
};

pub(super) const PATCH: Grammar = Grammar {
    names: &["patch"],
    flags: &[
        &values(["type", "patch-file", "subresource"]),
        &[value("patch").short('p')],
    ],
    subcommands: &[],
    read: patch,
};

fn patch(line: &Line) -> Result<Action, ParseError> {
    let given = &line.given;
    let kind = match given.get("type").map(str::to_ascii_lowercase).as_deref() {
        None | Some("strategic") => PatchKind::Strategic,
        Some("merge") => PatchKind::Merge,
        Some("json") => PatchKind::Json,
        Some(other) => {
            return Err(ParseError::new(format!(
                "--type must be one of [json merge strategic], not \"{other}\""
            )));
        }
    };
    let (patch, patch_file) = (given.text("patch"), given.text("patch-file"));
    match (&patch, &patch_file) {
        (None, None) => {
            return Err(ParseError::new(
                "must specify --patch or --patch-file containing the contents of the patch",
            ));
        }
        (Some(_), Some(_)) => return Err(ParseError::new("cannot specify --patch and --patch-file together")),
        _ => {}
    }
    Ok(Action::Patch {
        targets: line.targets(),
        kind,
        patch,
        patch_file,
        subresource: given.text("subresource"),
        write: line.write()?,
    })
}

pub(super) const DELETE: Grammar = Grammar {
    names: &["delete"],
    flags: &[
        DELETION,
        &[
            switch("now"),
            switch("ignore-not-found"),
            value("raw"),
            switch("interactive").short('i'),
            KUSTOMIZE,
        ],
    ],
    subcommands: &[],
    read: delete,
};

fn delete(line: &Line) -> Result<Action, ParseError> {
    let (given, targets) = (&line.given, line.targets());
    let (now, force) = (given.on("now"), given.on("force"));
    let mut grace_period = line.int("grace-period")?.unwrap_or(-1);
    if now {
        if grace_period != -1 {
            return Err(ParseError::new("--now and --grace-period cannot be specified together"));
        }
        grace_period = 1;
    }
    if grace_period == 0 && !force {
        // Without --force the client protects from data loss by waiting one second.
        grace_period = 1;
    }
    if force && grace_period < 0 {
        grace_period = 0;
    }
    if force && grace_period > 0 {
        return Err(ParseError::new(
            "--force and --grace-period greater than 0 cannot be specified together",
        ));
    }
    if targets.all && targets.selector.is_some() {
        return Err(ParseError::new("cannot set --all and --selector at the same time"));
    }
    let propagation = match given.get("cascade") {
        None | Some("background" | "true") => "Background",
        Some("foreground") => "Foreground",
        Some("orphan" | "false") => "Orphan",
        Some(other) => {
            return Err(ParseError::new(format!(
                "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
            )));
        }
    };
    let name_only = match given.get("output") {
        None | Some("") => false,
        Some("name") => true,
        Some(other) => {
            return Err(ParseError::new(format!(
                "unexpected -o output mode: {other}. We only support '-o name'"
            )));
        }
    };
    Ok(Action::Delete(Delete {
        targets,
        grace_period,
        now,
        force,
        propagation,
        wait: line.on_unless_off("wait"),
        timeout: line.duration("timeout")?.filter(|timeout| *timeout != 0),
        ignore_not_found: given.on("ignore-not-found"),
        name_only,
        dry_run: line.dry_run()?,
    }))
}
