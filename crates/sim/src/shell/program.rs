//! What a process runs: a shell, an applet, a server; and how a path becomes one of them.

use std::sync::Arc;

use super::applets::{self, Applet};
use super::machine::Machine;
use crate::runtime::files::{Content, Errno};
use crate::runtime::kernel::FileId;
use crate::runtime::syscalls::{Ctx, Step};

/// What a process runs.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    /// A program that the simulator knows by name, about to start with its process's arguments.
    Start {
        /// Its name, which is not always that of its file.
        name: Arc<str>,
    },
    /// A script file, about to start.
    Script {
        /// Its path, which becomes `$0`.
        path: Arc<str>,
        /// Its text.
        text: Arc<str>,
    },
    /// A shell.
    Shell(Box<Machine>),
    /// Anything else.
    Applet(Box<Applet>),
}

impl Program {
    /// Open files that it holds beside its process's descriptors: they are given back when it is gone.
    pub fn files(&self) -> Vec<FileId> {
        let mut files = Vec::new();
        match self {
            Self::Shell(machine) => machine.files(&mut files),
            Self::Applet(applet) => applet.files(&mut files),
            _ => {}
        }
        files
    }

    /// Lets it run for a turn.
    pub fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        match self {
            Self::Shell(machine) => machine.step(ctx),
            Self::Applet(applet) => applet.step(ctx),
            Self::Start { name } => {
                ctx.spend(10);
                let name = Arc::clone(name);
                if matches!(&*name, "sh" | "ash" | "dash" | "bash") {
                    return match Machine::from_arguments(ctx) {
                        Ok(machine) => Step::Replace(Box::new(Self::Shell(Box::new(machine)))),
                        Err(code) => Step::Exit(code),
                    };
                }
                let argv = Arc::clone(&ctx.proc().argv);
                applets::start(&name, &argv, ctx)
            }
            Self::Script { path, text } => {
                let argv = Arc::clone(&ctx.proc().argv);
                let mut arguments: Vec<Arc<str>> = vec![Arc::clone(path)];
                arguments.extend(argv.iter().skip(1).cloned());
                let mut machine = Machine::new(ctx, super::code::compiled(text), arguments);
                machine.from_file = true;
                Step::Replace(Box::new(Self::Shell(Box::new(machine))))
            }
        }
    }
}

/// The program at a path.
pub(crate) fn load(ctx: &mut Ctx<'_>, path: &str) -> Result<Program, Errno> {
    load_nested(ctx, path, 0)
}

fn load_nested(ctx: &mut Ctx<'_>, path: &str, depth: u32) -> Result<Program, Errno> {
    let node = ctx.stat(path, true)?;
    if node.is_directory() || !ctx.allowed(path, 1) {
        return Err(Errno::Access);
    }
    match node.content {
        Content::Program(name) => Ok(Program::Start { name }),
        Content::File { .. } => {
            let text = String::from_utf8_lossy(&ctx.slurp(path)?).into_owned();
            let first = text.lines().next().unwrap_or_default();
            if let Some(interpreter) = first.strip_prefix("#!") {
                let mut words = interpreter.split_whitespace();
                let mut interpreter = words.next().unwrap_or_default().to_owned();
                if interpreter.ends_with("/env")
                    && let Some(name) = words.next()
                {
                    let path = ctx.env("PATH").unwrap_or_default();
                    interpreter = find_on_path(ctx, name, &path)?;
                }
                if depth > 3 {
                    return Err(Errno::Loop);
                }
                match load_nested(ctx, &interpreter, depth + 1)? {
                    Program::Start { name } if !matches!(&*name, "sh" | "ash" | "dash" | "bash") => {
                        ctx.notice(&format!("not simulated: the interpreter {name} of {path}"));
                        return Ok(Program::Start {
                            name: "not simulated".into(),
                        });
                    }
                    _ => {}
                }
            }
            Ok(Program::Script {
                path: path.into(),
                text: text.into(),
            })
        }
        _ => Err(Errno::Access),
    }
}

/// Where on `PATH` a program is. Access denied if only files were found that may not be executed.
pub(crate) fn find_on_path(ctx: &mut Ctx<'_>, name: &str, path: &str) -> Result<String, Errno> {
    let mut error = Errno::NoEntry;
    if name.is_empty() {
        return Err(error);
    }
    for directory in path.split(':') {
        let directory = if directory.is_empty() { "." } else { directory };
        let candidate = format!("{}/{name}", directory.trim_end_matches('/'));
        if let Ok(node) = ctx.stat(&candidate, true)
            && !node.is_directory()
        {
            if ctx.allowed(&candidate, 1) {
                return Ok(candidate);
            }
            error = Errno::Access;
        }
    }
    Err(error)
}
