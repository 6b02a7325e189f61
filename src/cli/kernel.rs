//! `peapod kernel`: Peapod as a kernel of Jupyter.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use peapod_sim::version::Version;

use crate::i18n::Lang;
use crate::jupyter::spec::{self, Place, Spec};
use crate::notebook::Settings;

/// Let Jupyter run Peapod's cells: manifests, experiments, `$ kubectl …` and `%` commands on a living cluster.
#[derive(Debug, Args)]
pub struct Kernel {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Install(Install),
    Uninstall(Uninstall),
    /// List the kernels that are installed: name, folder, what Jupyter shows.
    List,
    Run(Run),
}

/// Tell Jupyter where the kernel is, and print the folder in which that is written.
#[derive(Debug, Args)]
struct Install {
    /// For the current user. This is the default.
    #[arg(long, conflicts_with_all = ["sys_prefix", "prefix"])]
    user: bool,
    /// Into the Python environment that is active.
    #[arg(long, conflicts_with = "prefix")]
    sys_prefix: bool,
    /// Under this folder, as PREFIX/share/jupyter/kernels.
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<PathBuf>,
    /// Name of the kernel.
    #[arg(long, default_value = spec::NAME)]
    name: String,
    /// What Jupyter shows.
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Replace a kernel of that name, even one of another program.
    #[arg(long)]
    replace: bool,
    /// A variable of the kernel's environment; may be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Version of Kubernetes with which sessions begin.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    profile: Option<Version>,
}

/// Remove a kernel of Peapod, wherever it is installed.
#[derive(Debug, Args)]
struct Uninstall {
    /// Name of the kernel.
    #[arg(default_value = spec::NAME)]
    name: String,
}

/// Run a kernel; Jupyter does that.
#[derive(Debug, Args)]
struct Run {
    /// The file in which Jupyter says where to listen.
    #[arg(long, short = 'f', value_name = "FILE")]
    connection_file: PathBuf,
    /// Version of Kubernetes with which the session begins.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    profile: Option<Version>,
}

fn version(text: &str) -> Result<Version, String> {
    Version::named(text.trim_start_matches('v')).ok_or_else(|| {
        let known: Vec<String> = Version::all().map(|version| version.to_string()).collect();
        format!("there is {}", known.join(", "))
    })
}

/// Runs the command.
///
/// # Errors
/// When a kernelspec cannot be written or removed, or a kernel cannot listen.
pub fn main(arguments: &Kernel) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::Install(arguments) => {
            let place = match (&arguments.prefix, arguments.sys_prefix) {
                (Some(prefix), _) => Place::Prefix(prefix.clone()),
                (None, true) => Place::SysPrefix,
                (None, false) => Place::User,
            };
            let env = arguments.env.iter().map(|pair| {
                let pair = pair
                    .split_once('=')
                    .map(|(name, value)| (name.to_owned(), value.to_owned()));
                pair.ok_or_else(|| anyhow::anyhow!("--env takes NAME=VALUE"))
            });
            let spec = Spec {
                name: arguments.name.clone(),
                display_name: arguments.display_name.clone(),
                version: arguments.profile,
                env: env.collect::<Result<_, _>>()?,
            };
            println!("{}", spec.install(&place, arguments.replace)?.display());
        }
        Command::Uninstall(arguments) => {
            for folder in spec::uninstall(&arguments.name)? {
                println!("{}", folder.display());
            }
        }
        Command::List => {
            for (name, folder, title) in spec::list() {
                println!("{name}\t{}\t{title}", folder.display());
            }
        }
        Command::Run(arguments) => {
            let settings = Settings {
                version: arguments.profile.unwrap_or(Version::NEWEST),
                lang: language(),
                ..Settings::default()
            };
            crate::jupyter::kernel::run(&arguments.connection_file, settings)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The language of the environment, as programs of a terminal take it.
fn language() -> Lang {
    let said = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let tag = said.unwrap_or_default();
    Lang::named(tag.split(['_', '.', '-']).next().unwrap_or_default()).unwrap_or(Lang::En)
}
