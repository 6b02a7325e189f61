//! `dd`: copies in blocks, with the time that it takes.

use std::sync::Arc;

use super::waiters::size;
use super::{Applet, run};
use crate::runtime::files::{Device, Errno};
use crate::runtime::kernel::{FileId, FileKind, Wait};
use crate::runtime::syscalls::{Ctx, Open, Read, Step};
use crate::time::SimDuration;

/// A copy under way.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    input: FileId,
    output: FileId,
    block: u64,
    /// Blocks that are still to be read.
    count: Option<u64>,
    copied: u64,
    full: u64,
    partial: u64,
    silent: bool,
    started: crate::time::SimTime,
}

/// Bytes a second: a disk's pace.
const PACE: u64 = 500 << 20;
/// Bytes copied at once.
const AT_ONCE: u64 = 16 << 20;

/// Starts `dd`.
pub(super) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    if name != "dd" {
        return None;
    }
    Some(match dd(arguments, ctx) {
        Ok(copy) => run(Applet::Copy(copy)),
        Err(message) => {
            ctx.complain(&format!("dd: {message}"));
            Step::Exit(1)
        }
    })
}

fn dd(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Result<Copy, String> {
    let (mut input, mut output) = (None, None);
    let (mut block, mut count, mut skip, mut seek) = (512, None, 0, 0);
    let (mut silent, mut truncate, mut append) = (false, true, false);
    for argument in arguments {
        let (key, value) = argument
            .split_once('=')
            .ok_or_else(|| format!("invalid argument '{argument}'"))?;
        let number = || size(value).ok_or_else(|| format!("invalid number '{value}'"));
        match key {
            "if" => input = Some(value),
            "of" => output = Some(value),
            "bs" | "ibs" | "obs" => block = number()?.clamp(1, AT_ONCE),
            "count" => count = Some(number()?),
            "skip" => skip = number()?,
            "seek" => seek = number()?,
            "status" => silent = matches!(value, "none"),
            "conv" => truncate = !value.split(',').any(|flag| flag == "notrunc"),
            "oflag" => append = value.split(',').any(|flag| flag == "append"),
            "iflag" => {}
            _ => return Err(format!("invalid argument '{argument}'")),
        }
    }
    let input = match input {
        Some(path) => ctx
            .open(path, Open::READ)
            .map_err(|error| format!("can't open '{path}': {error}"))?,
        None => ctx.file(0).map_err(|error| error.to_string())?,
    };
    ctx.kernel.retain(input);
    let how = Open {
        truncate: truncate && seek == 0 && !append,
        append,
        ..Open::WRITE
    };
    let output_path = output;
    let output = match output {
        Some(path) => ctx
            .open(path, how)
            .map_err(|error| format!("can't open '{path}': {error}"))?,
        None => ctx.file(1).map_err(|error| error.to_string())?,
    };
    ctx.kernel.retain(output);
    if truncate && seek > 0 && !append && output_path.is_some() {
        // What is beyond the place that is written from is cut off, or the file grows to it.
        let _ = ctx.set_length(output_path.unwrap_or_default(), seek.saturating_mul(block));
    }
    for (file, blocks) in [(input, skip), (output, seek)] {
        if let Some(open) = ctx.kernel.files.get_mut(&file) {
            open.offset = open.offset.saturating_add(blocks.saturating_mul(block));
        }
    }
    Ok(Copy {
        input,
        output,
        block,
        count,
        copied: 0,
        full: 0,
        partial: 0,
        silent,
        started: ctx.now(),
    })
}

impl Copy {
    /// Open files that it holds; 0 is none.
    pub fn files(&self) -> impl Iterator<Item = FileId> {
        [self.input, self.output].into_iter().filter(|file| *file != 0)
    }

    /// Lets it run for a turn: it copies what its pace allows until now.
    pub fn step(&mut self, ctx: &mut Ctx<'_>) -> Step {
        let zeros = matches!(
            ctx.kernel.files.get(&self.input).map(|open| &open.kind),
            Some(FileKind::Device(Device::Zero))
        );
        let due = (u128::from(ctx.now().since(self.started).0) * u128::from(PACE) / 1_000_000_000) as u64 + AT_ONCE;
        while self.copied < due {
            if self.count == Some(0) {
                return self.end(ctx);
            }
            let most = match self.count {
                Some(count) => count.saturating_mul(self.block),
                None => u64::MAX,
            };
            let wanted = most.min((due - self.copied).div_ceil(self.block) * self.block);
            let copied = if zeros {
                self.copy_zeros(ctx, wanted)
            } else {
                self.copy_block(ctx)
            };
            match copied {
                Ok(Some(0)) => return self.end(ctx),
                Ok(Some(bytes)) => {
                    self.copied += bytes;
                    self.full += bytes / self.block;
                    self.partial += u64::from(bytes % self.block != 0);
                    if let Some(count) = &mut self.count {
                        *count = count.saturating_sub(bytes.div_ceil(self.block));
                    }
                }
                Ok(None) => return Step::Wait(Wait::Read(self.input, None)),
                Err(error) => {
                    ctx.complain(&format!("dd: error writing: {error}"));
                    self.end(ctx);
                    return Step::Exit(1);
                }
            }
            ctx.spend(4);
            if ctx.steps == 0 || !ctx.proc().out.is_empty() {
                return Step::Yield;
            }
        }
        Step::Wait(Wait::Until(ctx.now() + SimDuration(AT_ONCE * 1_000_000_000 / PACE)))
    }

    /// Zeros into a file only make it longer.
    fn copy_zeros(&mut self, ctx: &mut Ctx<'_>, wanted: u64) -> Result<Option<u64>, Errno> {
        let open = ctx.kernel.files.get(&self.output).ok_or(Errno::BadDescriptor)?;
        match open.kind.clone() {
            FileKind::Node(place) => {
                let (offset, now) = (open.offset, ctx.now());
                let user = ctx.proc().user;
                let mut vfs = ctx.kernel.vfs(&mut *ctx.host, user);
                let tree = vfs.tree(place.mount)?;
                let length = tree.node(place.ino).map_or(0, crate::runtime::files::Node::length);
                // What fits is written before the disk is full.
                let growth = offset.saturating_add(wanted).saturating_sub(length);
                let room = if growth > 0 { vfs.room(place.mount) } else { 0 };
                let wanted = wanted.saturating_sub(growth.saturating_sub(room));
                if wanted == 0 {
                    return Err(Errno::NoSpace);
                }
                let tree = vfs.tree(place.mount)?;
                tree.set_length(place.ino, length.max(offset.saturating_add(wanted)), now)?;
                if let Some(open) = ctx.kernel.files.get_mut(&self.output) {
                    open.offset += wanted;
                }
                Ok(Some(wanted))
            }
            FileKind::Device(Device::Full) => Err(Errno::NoSpace),
            FileKind::Device(_) => Ok(Some(wanted)),
            _ => {
                let bytes = wanted.min(self.block).min(32_768);
                self.write(ctx, &vec![0; bytes as usize])?;
                Ok(Some(bytes))
            }
        }
    }

    fn copy_block(&mut self, ctx: &mut Ctx<'_>) -> Result<Option<u64>, Errno> {
        match ctx.read_file(self.input, self.block as usize)? {
            Read::End => Ok(Some(0)),
            Read::Wait(_) => Ok(None),
            Read::Data(data) => {
                self.write(ctx, &data)?;
                Ok(Some(data.len() as u64))
            }
        }
    }

    fn write(&self, ctx: &mut Ctx<'_>, data: &[u8]) -> Result<(), Errno> {
        let user = ctx.proc().user;
        let taken = ctx.kernel.write(self.output, data, &mut *ctx.host, user)?;
        if taken < data.len() {
            ctx.kernel.retain(self.output);
            ctx.proc().out.push_back((self.output, data[taken..].to_vec()));
        }
        Ok(())
    }

    fn end(&mut self, ctx: &mut Ctx<'_>) -> Step {
        ctx.kernel.release(std::mem::take(&mut self.input));
        ctx.kernel.release(std::mem::take(&mut self.output));
        if !self.silent {
            let seconds = ctx.now().since(self.started).as_secs_f64();
            let records = format!(
                "{}+{} records in\n{}+{} records out",
                self.full, self.partial, self.full, self.partial
            );
            let pace = if seconds > 0.0 {
                self.copied as f64 / seconds / 1048576.0
            } else {
                500.0
            };
            ctx.complain(&format!(
                "{records}\n{} bytes ({:.1}MB) copied, {seconds:.6} seconds, {pace:.1}MB/s",
                self.copied,
                self.copied as f64 / 1048576.0
            ));
        }
        Step::Exit(0)
    }
}
