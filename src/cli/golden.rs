//! `peapod golden DIR… [--emit OUT]`: replays recorded cases against the simulator.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::golden::{self, Case, SEEDS, Verdict};

/// Replay cases recorded on a real cluster and say which agree.
#[derive(Debug, Args)]
pub struct Golden {
    /// Folders that hold cases, or cases themselves.
    #[arg(required = true)]
    directories: Vec<PathBuf>,
    /// Write the simulated trace-SEED.json of each case for seeds 1 to 5 here.
    #[arg(long, value_name = "OUT")]
    emit: Option<PathBuf>,
    /// Only cases with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Everything in which a case disagrees, not only the first.
    #[arg(short, long)]
    verbose: bool,
}

/// Runs it.
pub fn run(arguments: &Golden) -> ExitCode {
    let (mut agree, mut all) = (0, 0);
    let (mut unstable_agree, mut unstable) = (0, 0);
    for directory in &arguments.directories {
        let folders = match golden::folders(directory) {
            Ok(folders) => folders,
            Err(error) => {
                eprintln!("{}: {error}", directory.display());
                return ExitCode::from(2);
            }
        };
        for folder in folders {
            let case = match Case::read(&folder) {
                Ok(case) => case,
                Err(error) => {
                    println!("{}: {error}", folder.display());
                    all += 1;
                    continue;
                }
            };
            if arguments.tag.as_ref().is_some_and(|tag| !case.tags.contains(tag)) {
                continue;
            }
            if let Some(out) = &arguments.emit
                && let Err(error) = emit(&case, out)
            {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
            let verdict = golden::judge(&case);
            let (good, total) = if case.unstable {
                (&mut unstable_agree, &mut unstable)
            } else {
                (&mut agree, &mut all)
            };
            *total += 1;
            *good += usize::from(verdict == Verdict::Agrees);
            let mark = if case.unstable { " (unstable)" } else { "" };
            match verdict {
                Verdict::Agrees => println!("{}: agrees{mark}", case.name),
                Verdict::CannotReplay(why) => println!("{}: not simulated: {why}{mark}", case.name),
                Verdict::Disagrees(problems) => {
                    println!("{}: {}{mark}", case.name, problems.first().map_or("", String::as_str));
                    if arguments.verbose {
                        for problem in problems.iter().skip(1) {
                            println!("    {problem}");
                        }
                    }
                }
            }
        }
    }
    if unstable > 0 {
        println!("of the unstable ones, {unstable_agree} of {unstable} agree");
    }
    println!("{agree} of {all} agree");
    if agree == all {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Writes what the simulator shows of a case, one digest a line, as the recordings are written.
fn emit(case: &Case, out: &Path) -> Result<(), String> {
    let folder = out.join(&case.name);
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(&folder).map_err(failed)?;
    for seed in SEEDS {
        let Ok(digests) = golden::replay::replay(case, seed) else {
            return Ok(());
        };
        let lines: Vec<String> = digests
            .iter()
            .map(|digest| serde_json::to_string(digest).map(|line| format!(" {line}")))
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?;
        std::fs::write(
            folder.join(format!("trace-{seed}.json")),
            format!("[\n{}\n]\n", lines.join(",\n")),
        )
        .map_err(failed)?;
    }
    Ok(())
}
