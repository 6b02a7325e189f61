//! Which file a link means.

use super::{FileRef, Layer, Resolution, Vault, Via, folder, last_segment};
use crate::text::{fold, nfc};

impl Vault {
    /// The file that a link's target (without `#…`) means, seen from a note.
    ///
    /// Obsidian's rules: an empty target is the note itself; `./` and `../` are relative to the note's folder; otherwise
    /// the target is a path, or the end of one, without regard to case, normalisation and `.md`. Of several files the one
    /// at exactly that path is meant, then the one in the note's own folder, then the one with the shortest path. Nothing
    /// above the root is ever found. The user's vault is asked first, then the library.
    pub fn resolve(&self, from: &FileRef, target: &str) -> Option<Resolution> {
        let by_path = |file: &FileRef| Resolution {
            file: file.clone(),
            via: Via::Path,
        };
        if target.trim().is_empty() {
            return Some(by_path(from));
        }
        let target = fold(target.trim()).replace('\\', "/");
        let from_folder = fold(folder(&from.path));
        let relative = target
            .split('/')
            .next()
            .is_some_and(|first| first == "." || first == "..");
        let target = if relative {
            join(&from_folder, &target)?
        } else {
            target.trim_start_matches('/').to_owned()
        };
        [Layer::User, Layer::Library].into_iter().find_map(|layer| {
            let found = if relative {
                self.at_path(layer, &target)
            } else {
                self.by_suffix(layer, &target, &from_folder)
            };
            found
                .map(by_path)
                .or_else(|| self.by_alias(layer, &target).filter(|_| !relative))
        })
    }

    /// The file at a folded path, with `.md` tried as well.
    fn at_path(&self, layer: Layer, path: &str) -> Option<&FileRef> {
        [path.to_owned(), format!("{path}.md")].iter().find_map(|path| {
            let same_name = self.by_name.get(last_segment(path)).into_iter().flatten();
            same_name
                .filter(|file| file.layer == layer && fold(&file.path) == *path)
                .min_by_key(|file| rank(file))
        })
    }

    /// The best file whose folded path is the target or ends with it.
    fn by_suffix(&self, layer: Layer, target: &str, from_folder: &str) -> Option<&FileRef> {
        [target.to_owned(), format!("{target}.md")].iter().find_map(|target| {
            let same_name = self.by_name.get(last_segment(target)).into_iter().flatten();
            let candidates = same_name.filter(|file| file.layer == layer).filter_map(|file| {
                let path = fold(&file.path);
                let ends = path == *target
                    || path
                        .strip_suffix(target.as_str())
                        .is_some_and(|rest| rest.ends_with('/'));
                ends.then_some((file, path))
            });
            let best = candidates.min_by_key(|(file, path)| {
                (
                    path != target,
                    folder(path) != from_folder,
                    file.path.chars().count(),
                    rank(file),
                )
            });
            best.map(|(file, _)| file)
        })
    }

    /// The one note that has an alias.
    fn by_alias(&self, layer: Layer, target: &str) -> Option<Resolution> {
        if !self.settings.alias_links {
            return None;
        }
        let file = self.aliases().owners.get(&(layer, target.to_owned()))?.clone()?;
        Some(Resolution { file, via: Via::Alias })
    }
}

/// Of two files that are otherwise alike, the one whose name is in NFC, then the smaller path.
fn rank(file: &FileRef) -> (bool, &str) {
    (nfc(&file.path) != file.path, &file.path)
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
        let mut vault = Vault::new(Settings { alias_links: true });
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
