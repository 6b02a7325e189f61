//! `peapod golden DIR… [--emit OUT]`: replays recorded cases against the simulator: what their Pods showed, the Event
//! objects at the end, the lines of `kubectl get pods -w`.

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
    /// Write the simulated trace-SEED.json and events-SEED.json of each case for seeds 1 to 5 here.
    #[arg(long, value_name = "OUT")]
    emit: Option<PathBuf>,
    /// Only cases with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Everything in which a case disagrees, not only the first.
    #[arg(short, long)]
    verbose: bool,
}

/// How many agree, of how many.
#[derive(Default)]
struct Count {
    agree: usize,
    all: usize,
    unstable_agree: usize,
    unstable: usize,
}

impl Count {
    fn add(&mut self, agrees: bool, unstable: bool) {
        let (agree, all) = if unstable {
            (&mut self.unstable_agree, &mut self.unstable)
        } else {
            (&mut self.agree, &mut self.all)
        };
        *agree += usize::from(agrees);
        *all += 1;
    }

    fn print(&self, what: &str) {
        if self.unstable > 0 {
            let (agree, all) = (self.unstable_agree, self.unstable);
            println!("{what}of the unstable ones, {agree} of {all} agree");
        }
        if self.all + self.unstable > 0 {
            println!("{what}{} of {} agree", self.agree, self.all);
        }
    }
}

/// Runs it.
pub fn run(arguments: &Golden) -> ExitCode {
    let (mut traces, mut events) = (Count::default(), Count::default());
    let (mut watch, mut outputs) = (Count::default(), Count::default());
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
                    traces.add(false, false);
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
            let judgement = golden::judge(&case);
            let mark = if case.unstable { " (unstable)" } else { "" };
            traces.add(judgement.traces == Verdict::Agrees, case.unstable);
            tell(&case.name, &judgement.traces, mark, arguments.verbose);
            for (what, verdict, count) in [
                ("events", &judgement.events, &mut events),
                ("watch", &judgement.watch, &mut watch),
                ("outputs", &judgement.outputs, &mut outputs),
            ] {
                let Some(verdict) = verdict else { continue };
                count.add(*verdict == Verdict::Agrees, case.unstable);
                if *verdict != Verdict::Agrees {
                    tell(&format!("    {what}"), verdict, mark, arguments.verbose);
                }
            }
        }
    }
    events.print("events: ");
    watch.print("watch lines: ");
    outputs.print("outputs of get, describe and logs: ");
    traces.print("");
    if traces.agree == traces.all {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn tell(what: &str, verdict: &Verdict, mark: &str, verbose: bool) {
    match verdict {
        Verdict::Agrees => println!("{what}: agrees{mark}"),
        Verdict::CannotReplay(why) => println!("{what}: not simulated: {why}{mark}"),
        Verdict::Disagrees(problems) => {
            println!("{what}: {}{mark}", problems.first().map_or("", String::as_str));
            if verbose {
                for problem in problems.iter().skip(1) {
                    println!("        {problem}");
                }
            }
        }
    }
}

/// Writes what the simulator shows of a case, one digest a line, as the recordings are written.
fn emit(case: &Case, out: &Path) -> Result<(), String> {
    let folder = out.join(&case.name);
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(&folder).map_err(failed)?;
    for seed in SEEDS {
        let Ok(cluster) = golden::replay::run(case, seed) else {
            return Ok(());
        };
        let write = |file: String, lines: Result<Vec<String>, serde_json::Error>| {
            let lines = lines.map_err(|error| error.to_string())?;
            std::fs::write(folder.join(file), format!("[\n{}\n]\n", lines.join(",\n"))).map_err(failed)
        };
        let digests = golden::replay::shown(&cluster);
        write(format!("trace-{seed}.json"), digests.iter().map(line).collect())?;
        let events = golden::events::simulated(&cluster, golden::replay::namespace(case));
        write(format!("events-{seed}.json"), events.iter().map(line).collect())?;
    }
    Ok(())
}

fn line(value: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(value).map(|line| format!(" {line}"))
}
