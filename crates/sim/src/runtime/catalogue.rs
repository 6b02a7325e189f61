//! The image catalogue: which images exist, how large they are, what they run. Data in YAML; a vault can add to it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, OnceLock};

use serde::Deserialize;

use super::files::{Content, Device, Node, Tree};
pub use super::reference::Reference;
use crate::time::SimDuration;

/// The images that exist, by repository.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Repositories by normalized name, such as `docker.io/library/busybox`.
    pub repositories: BTreeMap<String, Arc<Repository>>,
    /// Whether a repository that is not listed exists all the same and runs until it is stopped (a notice says so).
    pub assume_unknown: bool,
}

/// One repository.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// Tags that exist.
    pub tags: Vec<String>,
    /// How long a pull takes.
    pub pull: SimDuration,
    /// Whether nodes have it from the beginning.
    pub present: bool,
    /// Size in bytes, as the event `Pulled` names it.
    pub size: u64,
    /// Whether the registry gives it only to who shows a login; `login` is the one, `user:password`, or empty for any.
    pub private: bool,
    /// See `private`.
    pub login: String,
    /// ENTRYPOINT.
    pub entrypoint: Vec<String>,
    /// CMD.
    pub cmd: Vec<String>,
    /// USER: a number or a name, empty for root.
    pub user: String,
    /// STOPSIGNAL, `SIGTERM` when empty.
    pub stop_signal: String,
    /// Environment.
    pub env: Vec<(String, String)>,
    /// WORKDIR; empty for `/`.
    pub working_dir: String,
    /// Programs that the simulator knows, by their path in the image.
    pub programs: Vec<(String, String)>,
    /// Sets of programs: `busybox`, `debian`.
    pub userland: String,
    /// Files, by their path in the image.
    pub contents: Vec<(String, String)>,
    files: OnceLock<Tree>,
}

/// What is known of an image reference.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// The image is in the catalogue.
    Image(Arc<Repository>),
    /// The repository is in the catalogue, but not this tag: a pull fails with [`Reference::not_found`].
    NotFound,
    /// The repository is unknown; it is assumed to exist and to run until it is stopped.
    Assumed(Arc<Repository>),
}

/// A catalogue as it is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    #[serde(default)]
    assume_unknown: Option<bool>,
    #[serde(default)]
    images: BTreeMap<String, Entry>,
}

/// One image as it is written; its name is a reference without a tag.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Entry {
    tags: Vec<String>,
    #[serde(default)]
    pull: Option<String>,
    #[serde(default)]
    present: bool,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    login: String,
    #[serde(default)]
    entrypoint: Vec<String>,
    #[serde(default)]
    cmd: Vec<String>,
    #[serde(default)]
    user: String,
    #[serde(default)]
    stop_signal: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    working_dir: String,
    #[serde(default)]
    userland: String,
    #[serde(default)]
    programs: BTreeMap<String, String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
}

/// Bytes that a registry delivers in a second, where a pull's time is not given.
const PULL_SPEED: u64 = 30 << 20;
/// What a pull takes at least: asking the registry.
const PULL_LEAST: SimDuration = SimDuration::from_millis(900);

static BUILTIN: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::embedded(include_str!("images.yaml")));
static RECORDING: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::embedded(include_str!("recording.yaml")));

impl Default for Catalogue {
    fn default() -> Self {
        Self::builtin()
    }
}

impl Catalogue {
    /// The images that everybody uses, and any other one assumed to run.
    pub fn builtin() -> Self {
        BUILTIN.clone()
    }

    /// The registry of the recordings of a real cluster: nothing but its images exists.
    pub fn recording() -> Self {
        RECORDING.clone()
    }

    /// An embedded catalogue; the tests read them, so a mistake in one is found there.
    fn embedded(yaml: &str) -> Self {
        let mut catalogue = Self {
            repositories: BTreeMap::new(),
            assume_unknown: true,
        };
        let _ = catalogue.add(yaml);
        catalogue
    }

    /// Adds the images of a YAML document; those of the same name are replaced.
    ///
    /// # Errors
    /// What is wrong, with line and column where the reader knows them.
    pub fn with(mut self, yaml: &str) -> Result<Self, String> {
        self.add(yaml)?;
        Ok(self)
    }

    fn add(&mut self, yaml: &str) -> Result<(), String> {
        let document: Document = serde_yaml::from_str(yaml).map_err(|error| error.to_string())?;
        if let Some(assume) = document.assume_unknown {
            self.assume_unknown = assume;
        }
        for (name, entry) in document.images {
            let reference = Reference::parse(&name).map_err(|error| format!("image {name:?}: {error}"))?;
            let pull = match &entry.pull {
                Some(text) => crate::shell::applets::duration(text)
                    .ok_or_else(|| format!("image {name:?}: pull {text:?} is no duration"))?,
                None => PULL_LEAST + SimDuration(entry.size.saturating_mul(1_000_000_000) / PULL_SPEED),
            };
            let repository = Repository {
                tags: entry.tags,
                pull,
                present: entry.present,
                size: entry.size,
                private: entry.private || !entry.login.is_empty(),
                login: entry.login,
                entrypoint: entry.entrypoint,
                cmd: entry.cmd,
                user: entry.user,
                stop_signal: entry.stop_signal,
                env: entry.env.into_iter().collect(),
                working_dir: entry.working_dir,
                programs: entry.programs.into_iter().collect(),
                userland: entry.userland,
                contents: entry.files.into_iter().collect(),
                files: OnceLock::new(),
            };
            self.repositories.insert(reference.repository, Arc::new(repository));
        }
        Ok(())
    }

    /// What is known of the image of that reference.
    pub fn lookup(&self, reference: &Reference) -> Lookup {
        match self.repositories.get(&reference.repository) {
            Some(repository) => match &reference.tag {
                Some(tag) if !repository.tags.contains(tag) => Lookup::NotFound,
                _ => Lookup::Image(Arc::clone(repository)),
            },
            None if self.assume_unknown => Lookup::Assumed(assumed()),
            None => Lookup::NotFound,
        }
    }

    /// Makes a tag exist from now on, as when somebody pushes it; a repository that is not there is made a busybox.
    pub fn push(&mut self, reference: &Reference) {
        let repository = self
            .repositories
            .entry(reference.repository.clone())
            .or_insert_with(assumed);
        if let Some(tag) = &reference.tag
            && !repository.tags.contains(tag)
        {
            Arc::make_mut(repository).tags.push(tag.clone());
        }
    }
}

/// What an unknown image is taken for: a busybox without a command of its own, which runs until it is stopped.
fn assumed() -> Arc<Repository> {
    static ASSUMED: LazyLock<Arc<Repository>> = LazyLock::new(|| {
        Arc::new(Repository {
            pull: SimDuration::from_secs(3),
            size: 50_000_000,
            entrypoint: vec!["/assumed".to_owned()],
            userland: "busybox".to_owned(),
            programs: vec![("/assumed".to_owned(), "assumed".to_owned())],
            ..Repository::default()
        })
    });
    Arc::clone(&ASSUMED)
}

impl Repository {
    /// The files of the image. A clone costs nothing.
    pub fn files(&self) -> Tree {
        self.files.get_or_init(|| self.build()).clone()
    }

    /// The numeric user as whom the image's processes run.
    ///
    /// # Errors
    /// containerd's text when the image names a user that it does not have.
    pub fn user_id(&self) -> Result<u32, String> {
        let user = self.user.split(':').next().unwrap_or_default();
        if user.is_empty() {
            return Ok(0);
        }
        if let Ok(number) = user.parse() {
            return Ok(number);
        }
        let passwd = self.files().read("/etc/passwd").unwrap_or_default();
        let passwd = String::from_utf8_lossy(&passwd).into_owned();
        let line = passwd.lines().find(|line| line.split(':').next() == Some(user));
        line.and_then(|line| line.split(':').nth(2)?.parse().ok())
            .ok_or_else(|| "no users found".to_owned())
    }

    fn build(&self) -> Tree {
        let mut tree = Tree::default();
        for directory in [
            "/dev",
            "/etc",
            "/proc",
            "/sys",
            "/tmp",
            "/root",
            "/home",
            "/var/log",
            "/var/run",
            "/usr/bin",
            "/usr/sbin",
            "/bin",
            "/run",
        ] {
            tree.make_directories(directory);
        }
        if let Some(node) = tree.find("/tmp").and_then(|ino| tree.node_mut(ino)) {
            node.mode = 0o1777;
        }
        if let Some(node) = tree.find("/root").and_then(|ino| tree.node_mut(ino)) {
            node.mode = 0o700;
        }
        for (name, device) in [
            ("null", Device::Null),
            ("zero", Device::Zero),
            ("full", Device::Full),
            ("random", Device::Random),
            ("urandom", Device::Random),
        ] {
            tree.put(&format!("/dev/{name}"), Node::new(Content::Device(device), 0o666));
        }
        for (name, target) in [
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
            ("fd", "/proc/self/fd"),
        ] {
            tree.symlink(&format!("/dev/{name}"), target);
        }
        for name in super::procfs::CGROUP_FILES {
            tree.write(&format!("/sys/fs/cgroup/{name}"), b"", 0o644);
        }
        tree.write("/etc/passwd", PASSWD.as_bytes(), 0o644);
        tree.write(
            "/etc/group",
            b"root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nnobody:x:65534:\n",
            0o644,
        );
        for (directory, program) in userland(&self.userland) {
            tree.put(
                &format!("{directory}/{program}"),
                Node::new(Content::Program(program.into()), 0o755),
            );
        }
        if matches!(&*self.userland, "busybox" | "recording") {
            tree.put("/bin/busybox", Node::new(Content::Program("busybox".into()), 0o755));
            // Where `#!/usr/bin/env` looks for it.
            tree.put("/usr/bin/env", Node::new(Content::Program("env".into()), 0o755));
        }
        for (path, program) in &self.programs {
            tree.put(path, Node::new(Content::Program(program.as_str().into()), 0o755));
        }
        for (path, text) in &self.contents {
            tree.write(
                path,
                text.as_bytes(),
                if text.starts_with("#!") { 0o755 } else { 0o644 },
            );
        }
        tree.frozen()
    }
}

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nbin:x:2:2:bin:/bin:/bin/false\nmail:x:8:8:mail:/var/spool/mail:/bin/false\nwww-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n";

/// The applets of busybox 1.36 as Docker Hub's image has them.
const BUSYBOX: &str = include_str!("applets.txt");

/// Applets that Debian's busybox, which the recordings used, does not have.
const NOT_DEBIAN: &[&str] = &[
    "pkill", "pgrep", "crond", "crontab", "inotifyd", "ftpd", "telnetd", "tree",
];

/// Programs of a Debian system without busybox.
const DEBIAN: &str = "sh bash dash cat ls echo printf env date sleep true false test [ mkdir rmdir rm mv cp ln chmod chown touch head tail wc sort uniq cut tr tee seq expr id whoami hostname uname pwd basename dirname readlink realpath stat df du dd find grep egrep fgrep sed awk xargs kill timeout nohup nice yes tac rev nl fold paste od base64 md5sum sha256sum mktemp printenv which tty sync nproc arch stty cksum sha1sum sha512sum install truncate setsid apt apt-get apt-cache dpkg tar gzip gunzip zcat diff cmp comm join tsort pr fmt csplit split shuf factor numfmt b2sum base32 basenc chroot dir vdir logname pinky users who hostid stdbuf unlink link mkfifo mknod sum chcon dircolors pathchk ptx shred fallocate flock getopt lsblk lscpu more mount umount findmnt mountpoint su login passwd perl tput clear reset infocmp getent ldd iconv locale useradd groupadd adduser addgroup chpasswd unshare nsenter taskset chrt ionice renice swapon dmesg ipcs ipcmk ipcrm";

/// Programs of a set, with the directories that they are in.
fn userland(name: &str) -> Vec<(&'static str, &'static str)> {
    let busybox = || BUSYBOX.split_whitespace().map(|program| ("/bin", program));
    match name {
        "busybox" => busybox().collect(),
        "recording" => busybox().filter(|(_, program)| !NOT_DEBIAN.contains(program)).collect(),
        "debian" => DEBIAN.split_whitespace().map(|program| ("/bin", program)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_catalogues_are_read() {
        for (yaml, least) in [(include_str!("images.yaml"), 20), (include_str!("recording.yaml"), 4)] {
            let empty = Catalogue {
                repositories: BTreeMap::new(),
                assume_unknown: true,
            };
            let catalogue = empty.with(yaml).expect("a catalogue");
            assert!(catalogue.repositories.len() >= least);
        }
    }

    #[test]
    fn tags_exist_or_not() {
        let catalogue = Catalogue::recording();
        let lookup = |text: &str| catalogue.lookup(&Reference::parse(text).expect("a reference"));
        assert!(matches!(lookup("busybox:1.36"), Lookup::Image(_)));
        assert!(matches!(lookup("busybox:nope"), Lookup::NotFound));
        assert!(matches!(lookup("no-such-thing:1"), Lookup::NotFound));
        let unknown = Reference::parse("example.org/app:1").expect("a reference");
        assert!(matches!(Catalogue::builtin().lookup(&unknown), Lookup::Assumed(_)));
        let mut catalogue = catalogue;
        catalogue.push(&Reference::parse("late:1").expect("a reference"));
        assert!(matches!(
            catalogue.lookup(&Reference::parse("late:1").expect("a reference")),
            Lookup::Image(_)
        ));
    }

    #[test]
    fn a_catalogue_can_be_added_to() {
        let yaml = "images:\n  my/app:\n    tags: ['1']\n    userland: busybox\n    cmd: [sh, -c, 'echo hi']\n    user: nobody\n";
        let catalogue = Catalogue::builtin().with(yaml).expect("a catalogue");
        let Lookup::Image(image) = catalogue.lookup(&Reference::parse("my/app:1").expect("a reference")) else {
            panic!("not there")
        };
        assert_eq!(image.user_id(), Ok(65534));
        assert!(image.files().find("/bin/sh").is_some());
        assert!(Catalogue::builtin().with("images: {x: {tagz: []}}").is_err());
    }
}
