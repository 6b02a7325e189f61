//! Kernelspecs: the folders in which Jupyter finds kernels.

use std::path::{Path, PathBuf};

use peapod_sim::version::Version;
use serde_json::{Map, Value, json};

use super::kernel::LANGUAGE;

/// The name of a spec unless another one is given.
pub const NAME: &str = "peapod";

/// Files beside `kernel.json`.
const LOGOS: [(&str, &[u8]); 3] = [
    ("logo-32x32.png", include_bytes!("logo/logo-32x32.png")),
    ("logo-64x64.png", include_bytes!("logo/logo-64x64.png")),
    ("logo-svg.svg", include_bytes!("../../static/icon.svg")),
];

/// Where a spec goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// For the user who installs it.
    User,
    /// Into the Python environment that is active.
    SysPrefix,
    /// Under a folder, as `PREFIX/share/jupyter/kernels`.
    Prefix(PathBuf),
}

/// What a spec says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its folder: `[A-Za-z0-9._-]+`.
    pub name: String,
    /// What a launcher shows; a text of its own if it is absent.
    pub display_name: Option<String>,
    /// Version of Kubernetes with which sessions begin.
    pub version: Option<Version>,
    /// Variables of the environment.
    pub env: Vec<(String, String)>,
}

impl Spec {
    /// What launchers show.
    fn title(&self) -> String {
        let version = self.version.unwrap_or(Version::NEWEST);
        self.display_name
            .clone()
            .unwrap_or_else(|| format!("Peapod (Kubernetes {version})"))
    }

    /// `kernel.json`, for a program at this path.
    fn json(&self, program: &str) -> Value {
        let mut argv = vec![program.to_owned()];
        argv.extend(["kernel", "run", "--connection-file", "{connection_file}"].map(str::to_owned));
        if let Some(version) = self.version {
            argv.extend(["--profile".to_owned(), version.to_string()]);
        }
        let env: Map<String, Value> = self
            .env
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        json!({
            "argv": argv,
            "display_name": self.title(),
            "language": LANGUAGE,
            "interrupt_mode": "message",
            "env": env,
            "metadata": { "peapod": { "version": env!("CARGO_PKG_VERSION") } },
        })
    }

    /// Writes the spec and gives its folder.
    ///
    /// # Errors
    /// When the name cannot be, the place is not known, a spec of another kernel is there, or it cannot be written.
    pub fn install(&self, place: &Place, replace: bool) -> anyhow::Result<PathBuf> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.name.is_empty() || !self.name.chars().all(is_name) || self.name.starts_with('.') {
            anyhow::bail!(
                "{:?} is no name of a kernel: letters, digits, `.`, `_` and `-`",
                self.name
            );
        }
        let folder = folder(place)?.join(self.name.to_ascii_lowercase());
        if folder.join("kernel.json").exists() && !replace && !is_ours(&folder) {
            anyhow::bail!("{} is another kernel's; --replace overwrites it", folder.display());
        }
        let program = std::env::current_exe()?;
        let program = program
            .to_str()
            .ok_or_else(|| anyhow::anyhow!("the path of this program is no text"))?;
        std::fs::create_dir_all(&folder)
            .map_err(|error| anyhow::anyhow!("{} cannot be made: {error}", folder.display()))?;
        let mut text = serde_json::to_string_pretty(&self.json(program))?;
        text.push('\n');
        std::fs::write(folder.join("kernel.json"), text)?;
        for (name, bytes) in LOGOS {
            std::fs::write(folder.join(name), bytes)?;
        }
        Ok(folder)
    }
}

/// Whether a spec starts this program's kernel.
fn is_ours(folder: &Path) -> bool {
    let text = std::fs::read_to_string(folder.join("kernel.json")).unwrap_or_default();
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    value.get("language").and_then(Value::as_str) == Some(LANGUAGE)
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn sys_prefix() -> Option<PathBuf> {
    variable("VIRTUAL_ENV").or_else(|| variable("CONDA_PREFIX"))
}

/// The user's own data of Jupyter.
fn user() -> Option<PathBuf> {
    if let Some(folder) = variable("JUPYTER_DATA_DIR") {
        return Some(folder);
    }
    if cfg!(target_os = "macos") {
        return Some(variable("HOME")?.join("Library/Jupyter"));
    }
    if cfg!(windows) {
        return Some(variable("APPDATA")?.join("jupyter"));
    }
    let data = variable("XDG_DATA_HOME").or_else(|| Some(variable("HOME")?.join(".local/share")))?;
    Some(data.join("jupyter"))
}

fn folder(place: &Place) -> anyhow::Result<PathBuf> {
    let kernels = |prefix: &Path| prefix.join("share/jupyter/kernels");
    match place {
        Place::User => user()
            .map(|data| data.join("kernels"))
            .ok_or_else(|| anyhow::anyhow!("there is no home folder; name a place with --prefix")),
        Place::SysPrefix => sys_prefix().map(|prefix| kernels(&prefix)).ok_or_else(|| {
            anyhow::anyhow!("no Python environment is active: neither VIRTUAL_ENV nor CONDA_PREFIX is set")
        }),
        Place::Prefix(prefix) => Ok(kernels(prefix)),
    }
}

/// The folders in which Jupyter looks, first those that win.
fn folders() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    if let Some(path) = std::env::var_os("JUPYTER_PATH") {
        found.extend(std::env::split_paths(&path).map(|path| path.join("kernels")));
    }
    found.extend(sys_prefix().map(|prefix| prefix.join("share/jupyter/kernels")));
    found.extend(user().map(|data| data.join("kernels")));
    if cfg!(unix) {
        found.extend(["/usr/local/share/jupyter/kernels", "/usr/share/jupyter/kernels"].map(PathBuf::from));
    }
    found
}

/// This program's specs: name, folder, what a launcher shows.
pub fn list() -> Vec<(String, PathBuf, String)> {
    let mut found = Vec::new();
    for folder in folders() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        let mut own: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        own.sort();
        for folder in own.into_iter().filter(|folder| is_ours(folder)) {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(folder.join("kernel.json")).unwrap_or_default();
            let value: Value = serde_json::from_str(&text).unwrap_or_default();
            let title = value.get("display_name").and_then(Value::as_str).unwrap_or_default();
            found.push((name, folder, title.to_owned()));
        }
    }
    found
}

/// Removes this program's specs of a name and gives their folders.
///
/// # Errors
/// When there is none, or one cannot be removed.
pub fn uninstall(name: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    for (_, folder, _) in list().into_iter().filter(|(own, ..)| own.eq_ignore_ascii_case(name)) {
        std::fs::remove_dir_all(&folder)
            .map_err(|error| anyhow::anyhow!("{} cannot be removed: {error}", folder.display()))?;
        removed.push(folder);
    }
    if removed.is_empty() {
        anyhow::bail!("there is no kernel {name:?} of Peapod");
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn spec(name: &str) -> Spec {
        Spec {
            name: name.to_owned(),
            display_name: None,
            version: Version::named("1.30"),
            env: vec![("LANG".to_owned(), "ko_KR.UTF-8".to_owned())],
        }
    }

    #[test]
    fn a_spec_is_written_and_does_not_overwrite_others() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Prefix(folder.path().to_owned());
        let own = spec("Peapod-130").install(&place, false).unwrap();
        assert!(own.ends_with("share/jupyter/kernels/peapod-130"));
        let value: Value = serde_json::from_str(&std::fs::read_to_string(own.join("kernel.json")).unwrap()).unwrap();
        assert_eq!(value["display_name"], "Peapod (Kubernetes 1.30)");
        assert_eq!(value["argv"].as_array().unwrap().last().unwrap(), "1.30");
        assert!(Path::new(value["argv"][0].as_str().unwrap()).is_absolute());
        assert!(own.join("logo-64x64.png").exists());
        spec("peapod-130").install(&place, false).unwrap();
        std::fs::write(own.join("kernel.json"), "{\"language\": \"python\"}").unwrap();
        assert!(spec("peapod-130").install(&place, false).is_err());
        assert!(spec("peapod-130").install(&place, true).is_ok());
        assert!(spec("a/b").install(&place, false).is_err());
        assert!(spec("..").install(&place, false).is_err());
    }
}
