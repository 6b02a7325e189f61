//! Which file a link means.

use std::sync::Arc;

use super::names::Known;
use super::{FileRef, Layer, Resolution, Vault, Via, folder, last_segment};
use crate::text::fold;

impl Vault {
    /// The file that a link's target (without `#…`) means, seen from a note.
    ///
    /// Obsidian's rules: an empty target is the note itself; `./` and `../` are relative to the note's folder; otherwise
    /// the target is a path, or the end of one, without regard to case, normalisation and `.md`. Of several files the one
    /// at exactly that path is meant, then the one in the note's own folder, then the one with the shortest path. Nothing
    /// above the root is ever found. The user's vault is asked first, then the library.
    pub fn resolve(&self, from: &FileRef, target: &str) -> Option<Resolution> {
        if target.trim().is_empty() {
            return Some(Resolution {
                file: from.clone(),
                via: Via::Path,
            });
        }
        let (known, via) = self.lookup(&fold(folder(&from.path)), target)?;
        Some(Resolution {
            file: known.file.clone(),
            via,
        })
    }

    /// The file that a target means which is not empty, seen from a folded folder.
    pub(super) fn lookup(&self, from_folder: &str, target: &str) -> Option<(&Arc<Known>, Via)> {
        let target = fold(target.trim()).replace('\\', "/");
        let relative = target
            .split('/')
            .next()
            .is_some_and(|first| first == "." || first == "..");
        let target = if relative {
            join(from_folder, &target)?
        } else {
            target.trim_start_matches('/').to_owned()
        };
        let with_extension = format!("{target}.md");
        [Layer::User, Layer::Library].into_iter().find_map(|layer| {
            let found = [&target, &with_extension].into_iter().find_map(|target| {
                if relative {
                    self.at_path(layer, target)
                } else {
                    self.by_suffix(layer, target, from_folder)
                }
            });
            found.map(|known| (known, Via::Path)).or_else(|| {
                let by_alias = self.settings.alias_links && !relative;
                let owner = by_alias.then(|| self.names.owner(layer, &target)).flatten()?;
                Some((owner, Via::Alias))
            })
        })
    }

    /// The file at a folded path.
    fn at_path(&self, layer: Layer, path: &str) -> Option<&Arc<Known>> {
        let same_name = self.names.named(last_segment(path)).iter();
        same_name
            .filter(|known| known.file.layer == layer && known.folded == path)
            .min_by_key(|known| known.rank())
    }

    /// The best file whose folded path is the target or ends with it.
    fn by_suffix(&self, layer: Layer, target: &str, from_folder: &str) -> Option<&Arc<Known>> {
        let same_name = self.names.named(last_segment(target)).iter();
        let candidates = same_name.filter(|known| {
            let rest = known.folded.strip_suffix(target);
            known.file.layer == layer && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        });
        candidates.min_by_key(|known| {
            (
                known.folded != target,
                folder(&known.folded) != from_folder,
                known.length,
                known.rank(),
            )
        })
    }
}

/// Joins a relative target to a folder; none if it leads above the root.
fn join(folder: &str, target: &str) -> Option<String> {
    let mut segments: Vec<&str> = folder.split('/').filter(|segment| !segment.is_empty()).collect();
    for segment in target.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop()?;
            }
            _ => segments.push(segment),
        }
    }
    Some(segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::Note;
    use crate::vault::Settings;

    fn vault(user: &[&str], library: &[&str]) -> Vault {
        let mut vault = Vault::new(Settings {
            alias_links: true,
            ..Settings::default()
        });
        for (layer, paths) in [(Layer::User, user), (Layer::Library, library)] {
            for path in paths {
                vault.insert(layer, Note::parse(*path, "---\naliases: [별명]\n---\n"));
            }
        }
        vault
    }

    fn resolved(vault: &Vault, from: &str, target: &str) -> Option<String> {
        let from = FileRef {
            layer: Layer::User,
            path: from.to_owned(),
        };
        let resolution = vault.resolve(&from, target)?;
        Some(format!("{:?}:{}", resolution.file.layer, resolution.file.path))
    }

    #[test]
    fn the_users_vault_is_above_the_library() {
        let vault = vault(&["a/Pod.md", "mine.md"], &["Pod.md", "Job.md"]);
        assert_eq!(resolved(&vault, "mine.md", "pod").as_deref(), Some("User:a/Pod.md"));
        assert_eq!(resolved(&vault, "mine.md", "Job").as_deref(), Some("Library:Job.md"));
        assert_eq!(
            resolved(&vault, "mine.md", "별명"),
            None,
            "two notes of one layer have it"
        );
    }

    #[test]
    fn nothing_above_the_root() {
        let vault = vault(&["etc/passwd.md", "a/n.md"], &[]);
        for target in [
            "../../etc/passwd",
            "../../../etc/passwd",
            "a/../../etc/passwd",
            "/../etc/passwd",
            "..\\..\\etc\\passwd",
        ] {
            assert_eq!(resolved(&vault, "a/n.md", target), None, "{target}");
        }
        assert_eq!(
            resolved(&vault, "a/n.md", "../etc/passwd").as_deref(),
            Some("User:etc/passwd.md")
        );
        assert_eq!(
            resolved(&vault, "a/n.md", "/etc/passwd").as_deref(),
            Some("User:etc/passwd.md")
        );
    }

    #[test]
    fn an_alias_of_one_note() {
        let vault = vault(&["a.md"], &[]);
        assert_eq!(resolved(&vault, "a.md", "별명").as_deref(), Some("User:a.md"));
    }
}
