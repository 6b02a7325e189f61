//! Applets that are done in one step cannot wait for a pipe: what comes through it is collected before they start, and is
//! then their standard input as a whole.

use std::sync::Arc;

use super::input::{Input, Piece};
use super::{Applet, run};
use crate::runtime::kernel::FileKind;
use crate::runtime::syscalls::{Ctx, Step};

/// Bytes that are collected at most.
const MAX_BYTES: usize = 4 << 20;

/// A collection under way.
#[derive(Clone, Debug)]
pub(crate) struct Collect {
    name: Arc<str>,
    input: Input,
    data: Vec<u8>,
}

/// Begins to collect when this applet will read standard input and that is a pipe.
pub(super) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    let operands = || arguments.iter().filter(|argument| !argument.starts_with('-') || &***argument == "-");
    let reads = match name {
        "cmp" | "comm" | "diff" => operands().any(|operand| &**operand == "-") || operands().count() == 1,
        "split" => operands().next().is_none_or(|operand| &**operand == "-" || operand.parse::<u64>().is_ok()),
        "bc" | "dc" | "factor" => operands().next().is_none(),
        _ => false,
    };
    let file = ctx.file(0).ok().and_then(|file| ctx.kernel.files.get(&file));
    let pipe = file.is_some_and(|file| matches!(file.kind, FileKind::PipeRead(_) | FileKind::PipeBoth(_)));
    (reads && pipe).then(|| {
        run(Applet::Collect(Collect {
            name: name.into(),
            input: Input::stdin(),
            data: Vec::new(),
        }))
    })
}

impl Collect {
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
                ctx.notice(&format!("not simulated: more than {MAX_BYTES} bytes on the standard input of {}", self.name));
                self.input.stop(ctx);
                break;
            }
        }
        let text = FileKind::Text(std::mem::take(&mut self.data).into());
        let file = ctx.kernel.open(text, true, false);
        ctx.set_fd(0, file);
        let argv = Arc::clone(&ctx.proc().argv);
        super::start(&self.name, &argv, ctx)
    }
}
