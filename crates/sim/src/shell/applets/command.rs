//! Programs that the machine around the container runs itself: `kubectl` of a workstation. The shell hands over the words
//! and what was piped in, and waits for the answer as for one of the network.

use std::sync::Arc;

use super::input::{Input, Piece};
use super::{Applet, run};
use crate::runtime::host::{RequestId, Response};
use crate::runtime::kernel::{FileId, Wait};
use crate::runtime::syscalls::{Ctx, Step};

/// Bytes of standard input that are handed over at most: as much as a request to the API server may have.
const MAX_INPUT: usize = 3 << 20;

/// A command under way.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    /// Standard input, if the command reads it and it is not at its end.
    input: Option<Input>,
    data: Vec<u8>,
    waiting: Option<RequestId>,
}

/// Starts such a program where the machine has it.
pub(super) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    if name != "kubectl" || !ctx.host.runs_commands() {
        return None;
    }
    // What goes to a process in a container is no input of the command itself.
    let own = arguments.iter().take_while(|word| &***word != "--");
    let reads = own.filter(|word| &***word == "-" || word.ends_with("=-")).count() > 0
        || arguments.iter().any(|word| &**word == "-f-" || &**word == "/dev/stdin");
    Some(run(Applet::Command(Command {
        input: reads.then(Input::stdin),
        data: Vec::new(),
        waiting: None,
    })))
}

impl Command {
    /// The open file that it holds.
    pub fn file(&self) -> Option<FileId> {
        self.input.as_ref().and_then(Input::file)
    }

    /// Lets it run for a turn.
    pub fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        while let Some(input) = &mut self.input {
            match input.chunk(ctx) {
                Piece::Data(data) => self.data.extend(data),
                Piece::FileEnd(_) => {}
                Piece::Wait(wait) => return Step::Wait(wait),
                Piece::End => self.input = None,
            }
            if self.data.len() > MAX_INPUT {
                ctx.complain(&format!("error: standard input has more than {MAX_INPUT} bytes"));
                return Step::Exit(1);
            }
        }
        let Some(id) = self.waiting else {
            let argv: Vec<String> = ctx.proc().argv.iter().map(|word| word.to_string()).collect();
            let directory = ctx.directory();
            let id = ctx.command(argv, &directory, std::mem::take(&mut self.data));
            self.waiting = Some(id);
            return Step::Wait(Wait::Answer(id, None));
        };
        match ctx.take_answer(id) {
            Some(Ok(Response::Output {
                stdout,
                stderr,
                exit_code,
            })) => {
                // Whoever read it may have gone.
                let written = ctx.write(1, &stdout).is_ok();
                let _ = ctx.write(2, &stderr);
                match exit_code {
                    Some(code) => Step::Exit(code),
                    None if written => Step::Wait(Wait::Answer(id, None)),
                    None => Step::Exit(1),
                }
            }
            Some(_) => Step::Exit(1),
            None => Step::Wait(Wait::Answer(id, None)),
        }
    }
}
