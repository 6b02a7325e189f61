//! Applets that are done in one step cannot wait for a pipe: what comes through it is collected before they start, and is
//! then a file for them.

use std::sync::Arc;

use super::input::{Input, Piece};
use super::{Applet, run};
use crate::runtime::kernel::{FileId, FileKind};
use crate::runtime::syscalls::{Ctx, Step};

/// Bytes that are collected at most.
const MAX_BYTES: usize = 4 << 20;

/// A collection under way.
#[derive(Clone, Debug)]
pub(crate) struct Collect {
    name: Arc<str>,
    fd: u32,
    input: Input,
    data: Vec<u8>,
}

/// Begins to collect when this applet will read a pipe: standard input, or what is behind the name of a `<(…)`.
pub(super) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    let operands = || {
        arguments
            .iter()
            .filter(|argument| !argument.starts_with('-') || &***argument == "-")
    };
    let named = || operands().filter_map(|operand| operand.strip_prefix("/dev/fd/")?.parse::<u32>().ok());
    let input = match name {
        "cmp" | "comm" | "diff" => operands().any(|operand| &**operand == "-") || operands().count() == 1,
        "split" => operands()
            .next()
            .is_none_or(|operand| &**operand == "-" || operand.parse::<u64>().is_ok()),
        "bc" | "dc" | "factor" => operands().next().is_none(),
        _ => return None,
    };
    let fds: Vec<u32> = input.then_some(0).into_iter().chain(named()).collect();
    for fd in fds {
        let Ok(file) = ctx.file(fd) else { continue };
        let kind = ctx.kernel.files.get(&file).map(|file| &file.kind);
        if matches!(kind, Some(FileKind::PipeRead(_) | FileKind::PipeBoth(_))) {
            return Some(run(Applet::Collect(Collect {
                name: name.into(),
                fd,
                input: Input::of_file(ctx, file),
                data: Vec::new(),
            })));
        }
    }
    None
}

impl Collect {
    /// The open file that it holds.
    pub fn file(&self) -> Option<FileId> {
        self.input.file()
    }

    /// Lets it run for a turn.
    pub fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        loop {
            match self.input.chunk(ctx) {
                Piece::Data(data) => self.data.extend(data),
                Piece::FileEnd(_) => {}
                Piece::Wait(wait) => return Step::Wait(wait),
                Piece::End => break,
            }
            if self.data.len() > MAX_BYTES {
                ctx.notice(&format!(
                    "not simulated: more than {MAX_BYTES} bytes through a pipe to {}",
                    self.name
                ));
                self.input.stop(ctx);
                break;
            }
        }
        let text = FileKind::Text(std::mem::take(&mut self.data).into());
        let file = ctx.kernel.open(text, true, false);
        ctx.set_fd(self.fd, file);
        let argv = Arc::clone(&ctx.proc().argv);
        super::start(&self.name, &argv, ctx)
    }
}
