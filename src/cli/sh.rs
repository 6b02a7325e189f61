//! `peapod sh`: a script in a container of its own, in virtual time. Output and exit code are the script's, and so is
//! standard input.

use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

use clap::Args;
use peapod_sim::cluster::NodeConfig;
use peapod_sim::runtime::catalogue::{Catalogue, Lookup, Reference};
use peapod_sim::runtime::process::{Spec, Stdin};
use peapod_sim::runtime::solo::Solo;
use peapod_sim::time::{SimDuration, SimTime};

/// Runs a shell script in a simulated container, in virtual time.
#[derive(Debug, Args)]
pub struct Sh {
    /// The script.
    #[arg(short = 'c', value_name = "SCRIPT")]
    command: Option<String>,
    /// The image in whose files it runs.
    #[arg(long, default_value = "busybox")]
    image: String,
    /// Seconds of virtual time after which it is stopped.
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 86_400)]
    limit: u64,
    /// Seed of `$RANDOM` and of /dev/urandom.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Says on standard error how much virtual time it took.
    #[arg(long)]
    time: bool,
    /// Without -c: a file with the script. Without either, the script comes on standard input.
    #[arg(value_name = "FILE", conflicts_with = "command")]
    file: Option<String>,
    /// `$0` and the parameters with -c, the parameters with a file.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

/// Runs it; the exit code is the script's, 124 when it was stopped, 2 when the command line is wrong.
pub fn run(arguments: &Sh) -> ExitCode {
    match script(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            eprintln!("peapod sh: {message}");
            ExitCode::from(2)
        }
    }
}

fn script(arguments: &Sh) -> Result<u8, String> {
    let reference =
        Reference::parse(&arguments.image).map_err(|error| format!("--image {:?}: {error}", arguments.image))?;
    let (image, assumed) = match Catalogue::builtin().lookup(&reference) {
        Lookup::Image(image) => (image, false),
        Lookup::Assumed(image) => (image, true),
        Lookup::NotFound => return Err(format!("--image {reference}: not found")),
    };
    let mut argv = vec!["sh".to_owned()];
    let mut solo = Solo::new(image.files(), arguments.seed);
    match (&arguments.command, &arguments.file) {
        (Some(command), _) => argv.extend(["-c".to_owned(), command.clone()]),
        (None, Some(file)) => {
            let text = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
            solo.root.write("/tmp/script.sh", &text, 0o755);
            argv.push("/tmp/script.sh".to_owned());
        }
        (None, None) if std::io::stdin().is_terminal() => {
            return Err("a script is needed: -c SCRIPT, FILE, or standard input".to_owned());
        }
        (None, None) => {}
    }
    // A terminal is not read: nobody is asked to type into virtual time.
    let stdin = if std::io::stdin().is_terminal() {
        Stdin::Null
    } else {
        solo.input = Some(|buffer| std::io::stdin().read(buffer).unwrap_or(0));
        Stdin::Host
    };
    argv.extend(arguments.arguments.iter().cloned());
    // Memory has an end, as on a node of the usual size: a line of `/dev/zero` has none.
    let memory = peapod_sim::quantity::parse(&NodeConfig::default().memory).map(|memory| memory.value());
    let spec = Spec {
        argv,
        env: image.env.clone(),
        working_dir: image.working_dir.clone(),
        user: image.user_id().unwrap_or(0),
        hostname: "peapod".to_owned(),
        stdin,
        memory_limit: memory.ok().and_then(|memory| u64::try_from(memory).ok()),
        assume_programs: assumed,
        ..Spec::default()
    };
    let until = SimTime::ZERO + SimDuration::from_secs(arguments.limit);
    let exit = solo.run(spec, until).map_err(|error| error.to_string())?;
    let (mut stdout, mut stderr) = (std::io::stdout().lock(), std::io::stderr().lock());
    for (to_stderr, bytes) in &solo.output {
        // Nobody reads any more: what is left is not worth an error.
        let written = if *to_stderr {
            stderr.write_all(bytes)
        } else {
            stdout.write_all(bytes)
        };
        if written.is_err() {
            break;
        }
    }
    let _ = stdout.flush();
    for notice in &solo.notices {
        let _ = writeln!(stderr, "peapod: {notice}");
    }
    if arguments.time {
        let _ = writeln!(stderr, "peapod: {} of virtual time", SimDuration(solo.now.0));
    }
    match exit {
        Some(exit) => Ok(u8::try_from(exit.code & 0xff).unwrap_or(1)),
        None => {
            let _ = writeln!(
                stderr,
                "peapod sh: stopped after {} of virtual time (see --for)",
                SimDuration(solo.now.0)
            );
            Ok(124)
        }
    }
}
