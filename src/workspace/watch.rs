//! Notices of changed files: from the system where it gives them, otherwise by looking.

use std::path::PathBuf;
use std::sync::Weak;
use std::time::Duration;

use notify_debouncer_full::notify::{self, Config, PollWatcher, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer_opt};

use super::{Inner, Workspace};

/// Editors write a file in several steps; what happens within this time is one change.
const CALM: Duration = Duration::from_millis(80);
/// How often a folder is looked through that the system does not watch.
const POLL: Duration = Duration::from_secs(2);

/// Watches until it is dropped.
#[derive(Debug)]
pub struct Watching {
    _watcher: Watcher,
    polling: bool,
}

impl Watching {
    /// Whether the folder is looked through now and then, because the system gives no notice.
    pub fn is_polling(&self) -> bool {
        self.polling
    }
}

enum Watcher {
    System {
        _debouncer: Debouncer<RecommendedWatcher, RecommendedCache>,
    },
    Poll {
        _debouncer: Debouncer<PollWatcher, RecommendedCache>,
    },
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::System { .. } => "System",
            Self::Poll { .. } => "Poll",
        })
    }
}

/// Watches the workspace's folder; none if it has none, or nothing can watch it.
pub(super) fn watch(workspace: &Workspace) -> Option<Watching> {
    let root = workspace.root()?.to_owned();
    if let Ok(debouncer) = start::<RecommendedWatcher>(workspace, &root, Config::default()) {
        return Some(Watching {
            _watcher: Watcher::System { _debouncer: debouncer },
            polling: false,
        });
    }
    let debouncer = start::<PollWatcher>(workspace, &root, Config::default().with_poll_interval(POLL)).ok()?;
    Some(Watching {
        _watcher: Watcher::Poll { _debouncer: debouncer },
        polling: true,
    })
}

fn start<W: notify::Watcher>(
    workspace: &Workspace,
    root: &std::path::Path,
    config: Config,
) -> notify::Result<Debouncer<W, RecommendedCache>> {
    let inner = std::sync::Arc::downgrade(&workspace.inner);
    let handler = move |result: DebounceEventResult| handle(&inner, result);
    let mut debouncer = new_debouncer_opt::<_, W, _>(CALM, None, handler, RecommendedCache::new(), config)?;
    debouncer.watch(root, RecursiveMode::Recursive)?;
    Ok(debouncer)
}

fn handle(inner: &Weak<Inner>, result: DebounceEventResult) {
    let Some(inner) = inner.upgrade() else { return };
    let workspace = Workspace { inner };
    match result {
        // The system lost notices, or could not give them: only a look at everything tells.
        Err(_) => workspace.rescan(),
        Ok(events) if events.iter().any(|event| event.need_rescan()) => workspace.rescan(),
        Ok(events) => {
            let changing = events.iter().filter(|event| !event.kind.is_access());
            let mut paths: Vec<PathBuf> = changing.flat_map(|event| event.paths.iter().cloned()).collect();
            paths.sort_unstable();
            paths.dedup();
            if !paths.is_empty() {
                workspace.refresh(&paths);
            }
        }
    }
}
