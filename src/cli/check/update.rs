//! What `--update` writes into notes.

use super::{Checked, Found};
use crate::notebook::transcript;
use crate::report;

/// Brings the consoles of notes up to date, and says which lines of which notes it has changed; whether it changed any.
pub(super) fn consoles(all: &[Found]) -> anyhow::Result<bool> {
    let mut changed = false;
    for found in all {
        let Some(updated) = transcript::update(&found.note) else {
            continue;
        };
        write(found, &updated.text)?;
        changed = true;
        for line in updated.lines {
            eprintln!("{}:{line}: updated", found.note.path);
        }
    }
    Ok(changed)
}

/// Writes under the experiments of notes what came out.
pub(super) fn results(all: &[Found], checked: &[Checked]) -> anyhow::Result<()> {
    for found in all {
        let own = checked
            .iter()
            .filter(|checked| checked.file == found.file && std::sync::Arc::ptr_eq(&checked.note, &found.note));
        let results = own.filter_map(|checked| Some((&checked.cell, checked.outcome.as_ref()?.result.as_ref()?)));
        let Some(updated) = report::under::update(&found.note, &results.collect::<Vec<_>>()) else {
            continue;
        };
        write(found, &updated.text)?;
        for line in updated.lines {
            eprintln!("{}:{line}: results updated", found.note.path);
        }
    }
    Ok(())
}

fn write(found: &Found, text: &str) -> anyhow::Result<()> {
    let Some(file) = found.disk() else {
        anyhow::bail!("{} is a note of the library, which is not changed", found.note.path)
    };
    // What somebody else has written meanwhile is not lost.
    let said = |error| anyhow::anyhow!("{}: {error}", file.display());
    if std::fs::read(&file).map_err(said)? != found.note.text.as_bytes() {
        anyhow::bail!("{} has changed meanwhile", file.display());
    }
    std::fs::write(&file, text).map_err(said)
}
