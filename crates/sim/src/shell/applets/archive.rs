//! `tar`, `gzip` and their kin. What they read from standard input is collected first (see `filters`), then taken whole.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::options::Options;
use crate::runtime::files::{Content, Node};
use crate::runtime::syscalls::{Ctx, Open, Read};

/// Bytes that an archive or an unpacked file may have.
pub(super) const MAX_BYTES: u64 = 64 << 20;

/// Directories within one another that are packed.
const MAX_DEPTH: u32 = 64;

const BLOCK: usize = 512;

/// Whether a name is that of such an applet.
pub(super) fn is_archiver(name: &str) -> bool {
    matches!(name, "tar" | "gzip" | "gunzip" | "zcat")
}

/// What such an applet does.
#[derive(Clone, Debug)]
pub(super) struct Archiver {
    name: Arc<str>,
    pub options: Options,
}

/// What an applet has done: its code, and what goes to standard output.
type Done = Result<(i32, Vec<u8>), String>;

impl Archiver {
    pub fn new(name: &str, arguments: &[Arc<str>]) -> Result<Self, String> {
        let options = if name == "tar" {
            // `tar xzf file`: the first word needs no minus.
            let mut arguments = arguments.to_vec();
            if let Some(first) = arguments.first_mut().filter(|first| !first.starts_with('-')) {
                *first = format!("-{first}").into();
            }
            let long = [
                ("create", 'c'),
                ("extract", 'x'),
                ("list", 't'),
                ("file", 'f'),
                ("directory", 'C'),
                ("gzip", 'z'),
                ("verbose", 'v'),
                ("to-stdout", 'O'),
                ("strip-components", 'S'),
                ("exclude", 'E'),
                ("no-same-owner", 'o'),
            ];
            // The letters after an `f` in one word are not its value as long as a word follows: `-cfz` is an error in
            // reality as well.
            Options::parse("cxtf:C:zvOS:E:okpmah", &long, &arguments)?
        } else {
            Options::parse(
                "cdfktv123456789nqS:",
                &[("stdout", 'c'), ("decompress", 'd'), ("keep", 'k')],
                arguments,
            )?
        };
        Ok(Self {
            name: name.into(),
            options,
        })
    }

    /// Whether it reads standard input.
    pub fn reads_input(&self) -> bool {
        if &*self.name == "tar" {
            !self.options.has('c') && self.options.value('f').is_none_or(|file| file == "-")
        } else {
            self.options.operands.is_empty() || self.options.operands.iter().all(|operand| &**operand == "-")
        }
    }

    /// Does it, with what it read from standard input.
    pub fn run(&self, ctx: &mut Ctx<'_>, input: &[u8]) -> Done {
        if &*self.name == "tar" {
            self.tar(ctx, input)
        } else {
            self.gzip(ctx, input)
        }
    }

    fn gzip(&self, ctx: &mut Ctx<'_>, input: &[u8]) -> Done {
        let unpack = self.options.has('d') || &*self.name != "gzip";
        let to_output = self.options.has('c') || &*self.name == "zcat" || self.options.has('t');
        let convert = |data: &[u8]| if unpack { unzip(data) } else { Ok(zip(data)) };
        if self.reads_input() {
            return convert(input).map(|bytes| (0, if self.options.has('t') { Vec::new() } else { bytes }));
        }
        let mut out = Vec::new();
        let mut code = 0;
        for path in &self.options.operands {
            let result = self.gzip_file(ctx, path, unpack, to_output, convert);
            match result {
                Ok(bytes) => out.extend(bytes),
                Err(message) => {
                    ctx.complain(&format!("{}: {message}", self.name));
                    code = 1;
                }
            }
        }
        if self.options.has('t') {
            out.clear();
        }
        Ok((code, out))
    }

    fn gzip_file(
        &self,
        ctx: &mut Ctx<'_>,
        path: &str,
        unpack: bool,
        to_output: bool,
        convert: impl Fn(&[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<Vec<u8>, String> {
        let data = slurp(ctx, path).map_err(|error| format!("{path}: {error}"))?;
        if to_output {
            return convert(&data).map_err(|message| format!("{path}: {message}"));
        }
        let target = if unpack {
            match path.strip_suffix(".gz") {
                Some(target) => target.to_owned(),
                None => match path.strip_suffix(".tgz") {
                    Some(target) => format!("{target}.tar"),
                    None => return Err(format!("{path}: unknown suffix - ignored")),
                },
            }
        } else {
            format!("{path}.gz")
        };
        let bytes = convert(&data).map_err(|message| format!("{path}: {message}"))?;
        if !self.options.has('f') && ctx.stat(&target, false).is_ok() {
            return Err(format!("{target}: File exists"));
        }
        let mode = ctx.stat(path, true).map_or(0o644, |node| node.mode);
        write_file(ctx, &target, &bytes).map_err(|error| format!("{target}: {error}"))?;
        let _ = ctx.change(&target, true, |node| node.mode = mode);
        if !self.options.has('k') {
            ctx.remove(path, false).map_err(|error| format!("{path}: {error}"))?;
        }
        Ok(Vec::new())
    }

    fn tar(&self, ctx: &mut Ctx<'_>, input: &[u8]) -> Done {
        let file = self.options.value('f').filter(|file| *file != "-").map(str::to_owned);
        let home = ctx.directory();
        let from_home = |path: &str| {
            if path.starts_with('/') {
                path.to_owned()
            } else {
                format!("{home}/{path}")
            }
        };
        let file = file.map(|file| from_home(&file));
        if !['c', 'x', 't'].iter().any(|letter| self.options.has(*letter)) {
            return Err("must specify exactly one of c, x, t".to_owned());
        }
        let archive = if self.options.has('c') {
            None
        } else {
            let bytes = match &file {
                Some(path) => slurp(ctx, path).map_err(|error| format!("can't open '{path}': {error}"))?,
                None => input.to_vec(),
            };
            // Like the real one, it sees by itself what is packed.
            Some(if bytes.starts_with(&[0x1f, 0x8b]) {
                unzip(&bytes)?
            } else {
                bytes
            })
        };
        if let Some(directory) = self.options.value('C') {
            let path = from_home(directory);
            match ctx.stat(&path, true) {
                Ok(node) if node.is_directory() => ctx.proc().directory = path.into(),
                _ => {
                    return Err(format!(
                        "can't change directory to '{directory}': No such file or directory"
                    ));
                }
            }
        }
        let mut out = Vec::new();
        let code = match archive {
            Some(archive) => self.unpack(ctx, &archive, &mut out)?,
            None => {
                let mut archive = Vec::new();
                let mut code = 0;
                let mut listed = String::new();
                for operand in &self.options.operands {
                    if let Err(message) = self.pack(ctx, operand, &mut archive, &mut listed, 0) {
                        ctx.complain(&format!("tar: {message}"));
                        code = 1;
                    }
                }
                archive.resize(archive.len() + 2 * BLOCK, 0);
                archive.resize(archive.len().next_multiple_of(20 * BLOCK), 0);
                if self.options.has('z')
                    || file
                        .as_ref()
                        .is_some_and(|file| self.options.has('a') && file.ends_with("gz"))
                {
                    archive = zip(&archive);
                }
                match &file {
                    Some(path) => {
                        write_file(ctx, path, &archive).map_err(|error| format!("can't open '{path}': {error}"))?;
                        out.extend(listed.bytes());
                    }
                    None => {
                        out = archive;
                        let _ = ctx.write(2, listed.as_bytes());
                    }
                }
                code
            }
        };
        ctx.proc().directory = home;
        Ok((code, out))
    }

    fn excluded(&self, path: &str) -> bool {
        let mut patterns = self.options.values('E');
        patterns.any(|pattern| {
            let chars: Vec<(char, bool)> = pattern.chars().map(|c| (c, false)).collect();
            let pattern = crate::shell::pattern::Pattern::new(&chars);
            let mut tails = std::iter::once(path).chain(path.match_indices('/').map(|(at, _)| &path[at + 1..]));
            tails.any(|tail| pattern.matches(tail))
        })
    }

    fn pack(
        &self,
        ctx: &mut Ctx<'_>,
        path: &str,
        archive: &mut Vec<u8>,
        listed: &mut String,
        depth: u32,
    ) -> Result<(), String> {
        if self.excluded(path.trim_end_matches('/')) {
            return Ok(());
        }
        if depth > MAX_DEPTH || archive.len() as u64 > MAX_BYTES {
            return Err(format!(
                "{path}: an archive holds at most {MAX_BYTES} bytes and {MAX_DEPTH} levels"
            ));
        }
        let node = ctx.stat(path, false).map_err(|error| format!("{path}: {error}"))?;
        let name = path.trim_start_matches('/');
        let name = if node.is_directory() {
            format!("{}/", name.trim_end_matches('/'))
        } else {
            name.to_owned()
        };
        let (kind, link, data) = match &node.content {
            Content::Directory { .. } => (b'5', String::new(), Vec::new()),
            Content::Symlink(target) => (b'2', target.to_string(), Vec::new()),
            Content::File { .. } => {
                let data = slurp(ctx, path).map_err(|error| format!("can't open '{path}': {error}"))?;
                (b'0', String::new(), data)
            }
            // What the simulator knows by name has no bytes of its own.
            _ => return Ok(()),
        };
        let seconds = modified(ctx, &node);
        archive.extend(header(&name, &node, kind, &link, data.len() as u64, seconds)?);
        archive.extend_from_slice(&data);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
        if self.options.has('v') {
            listed.push_str(&format!("{name}\n"));
        }
        if node.is_directory() {
            for child in ctx.list(path).map_err(|error| format!("{path}: {error}"))? {
                let child = format!("{}/{child}", path.trim_end_matches('/'));
                self.pack(ctx, &child, archive, listed, depth + 1)?;
            }
        }
        Ok(())
    }

    fn unpack(&self, ctx: &mut Ctx<'_>, archive: &[u8], out: &mut Vec<u8>) -> Result<i32, String> {
        let strip: usize = self
            .options
            .value('S')
            .and_then(|count| count.parse().ok())
            .unwrap_or(0);
        let mut at = 0;
        let mut found = vec![false; self.options.operands.len()];
        let mut long: Option<String> = None;
        while let Some(head) = archive.get(at..at + BLOCK) {
            if head.iter().all(|byte| *byte == 0) {
                break;
            }
            ctx.spend(4);
            let text = |range: std::ops::Range<usize>| {
                let bytes = &head[range];
                let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
                String::from_utf8_lossy(&bytes[..end]).into_owned()
            };
            let number = |range: std::ops::Range<usize>| u64::from_str_radix(text(range).trim(), 8).unwrap_or(0);
            if checksum(head) != number(148..156) {
                return Err("invalid tar header checksum".to_owned());
            }
            let length = usize::try_from(number(124..136)).unwrap_or(usize::MAX);
            let data_end = (at + BLOCK).saturating_add(length);
            let data = archive.get(at + BLOCK..data_end).ok_or("short read")?;
            at = data_end.next_multiple_of(BLOCK);
            let kind = head[156];
            if kind == b'L' {
                long = Some(String::from_utf8_lossy(data).trim_end_matches('\0').to_owned());
                continue;
            }
            let prefix = text(345..500);
            let mut name = long.take().unwrap_or_else(|| {
                let name = text(0..100);
                if prefix.is_empty() {
                    name
                } else {
                    format!("{prefix}/{name}")
                }
            });
            let wanted = self
                .options
                .operands
                .iter()
                .enumerate()
                .fold(found.is_empty(), |hit, (index, operand)| {
                    let operand = operand.trim_end_matches('/');
                    let own = name.trim_end_matches('/') == operand || name.starts_with(&format!("{operand}/"));
                    found[index] |= own;
                    hit || own
                });
            if !wanted || self.excluded(name.trim_end_matches('/')) {
                continue;
            }
            if self.options.has('t') {
                out.extend(self.row(&name, kind, head, length as u64).bytes());
                continue;
            }
            if strip > 0 {
                name = name.splitn(strip + 1, '/').nth(strip).unwrap_or_default().to_owned();
            }
            // No entry leads out of the directory.
            let safe = name.trim_start_matches('/').to_owned();
            if safe.is_empty() || safe.split('/').any(|part| part == "..") {
                continue;
            }
            if self.options.has('v') {
                out.extend(format!("{name}\n").bytes());
            }
            if self.options.has('O') {
                out.extend_from_slice(data);
                continue;
            }
            extract(ctx, &safe, kind, &text(157..257), number(100..108) as u32, data)
                .map_err(|error| format!("can't create '{safe}': {error}"))?;
        }
        let mut code = 0;
        for (operand, found) in self.options.operands.iter().zip(found) {
            if !found {
                ctx.complain(&format!("tar: {operand}: not found in archive"));
                code = 1;
            }
        }
        Ok(code)
    }

    fn row(&self, name: &str, kind: u8, head: &[u8], length: u64) -> String {
        if !self.options.has('v') {
            return format!("{name}\n");
        }
        let octal = |range: std::ops::Range<usize>| {
            let text = String::from_utf8_lossy(&head[range]).into_owned();
            u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).unwrap_or(0)
        };
        let mode = octal(100..108) as u32;
        let letter = match kind {
            b'5' => 'd',
            b'2' => 'l',
            _ => '-',
        };
        let bits: String = (0..9)
            .map(|bit| {
                if mode >> (8 - bit) & 1 == 1 {
                    ['r', 'w', 'x'][bit % 3]
                } else {
                    '-'
                }
            })
            .collect();
        let time = jiff::Timestamp::from_second(octal(136..148) as i64).unwrap_or_default();
        format!(
            "{letter}{bits} {}/{} {length:>9} {} {name}\n",
            octal(108..116),
            octal(116..124),
            time.strftime("%Y-%m-%d %H:%M:%S")
        )
    }
}

/// A whole file, or why it is not to be had.
fn slurp(ctx: &mut Ctx<'_>, path: &str) -> Result<Vec<u8>, String> {
    let mut data = Vec::new();
    let file = ctx.open(path, Open::READ).map_err(|error| error.to_string())?;
    ctx.kernel.retain(file);
    // A device has no length, and no end.
    while data.len() as u64 <= MAX_BYTES
        && let Ok(Read::Data(more)) = ctx.read_file(file, 1 << 20)
    {
        data.extend(more);
    }
    ctx.kernel.release(file);
    if data.len() as u64 > MAX_BYTES {
        return Err(format!("longer than the {MAX_BYTES} bytes that are simulated"));
    }
    Ok(data)
}

fn write_file(ctx: &mut Ctx<'_>, path: &str, data: &[u8]) -> Result<(), crate::runtime::files::Errno> {
    let file = ctx.open(path, Open::WRITE)?;
    ctx.kernel.retain(file);
    let result = ctx.write_file(file, data);
    ctx.kernel.release(file);
    result
}

fn extract(
    ctx: &mut Ctx<'_>,
    path: &str,
    kind: u8,
    link: &str,
    mode: u32,
    data: &[u8],
) -> Result<(), crate::runtime::files::Errno> {
    let mut parent = String::new();
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let (_, directories) = parts.split_last().unwrap_or((&"", &[]));
    for name in directories {
        parent.push_str(name);
        if ctx.stat(&parent, true).is_err() {
            ctx.make_directory(&parent, 0o755)?;
        }
        parent.push('/');
    }
    let path = path.trim_end_matches('/');
    match kind {
        b'5' => {
            if !ctx.stat(path, true).is_ok_and(|node| node.is_directory()) {
                ctx.make_directory(path, 0o755)?;
            }
        }
        b'2' => {
            let _ = ctx.remove(path, false);
            let walk = ctx.walk(path, false)?;
            ctx.create(&walk, Node::new(Content::Symlink(link.into()), 0o777))?;
            return Ok(());
        }
        b'1' => return ctx.hard_link(link, path),
        b'0' | 0 => write_file(ctx, path, data)?,
        _ => return Ok(()),
    }
    ctx.change(path, true, |node| node.mode = mode & 0o7777)
}

fn modified(ctx: &mut Ctx<'_>, node: &Node) -> i64 {
    let ago = ctx.now().0.saturating_sub(node.modified.0) / 1_000_000_000;
    ctx.wall_now().as_second() - i64::try_from(ago).unwrap_or(0)
}

fn header(name: &str, node: &Node, kind: u8, link: &str, length: u64, seconds: i64) -> Result<Vec<u8>, String> {
    let mut head = vec![0u8; BLOCK];
    let (prefix, short) = if name.len() <= 100 {
        ("", name)
    } else {
        let at = name
            .char_indices()
            .filter(|&(at, c)| c == '/' && at <= 155 && name.len() - at - 1 <= 100 && at + 1 < name.len())
            .map(|(at, _)| at)
            .next();
        match at {
            Some(at) => (&name[..at], &name[at + 1..]),
            None => return Err(format!("{name}: name too long")),
        }
    };
    let mut put = |at: usize, text: &str| {
        let bytes = text.as_bytes();
        head[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(0, short);
    put(100, &format!("{:07o}", node.mode & 0o7777));
    put(108, &format!("{:07o}", node.user));
    put(116, &format!("{:07o}", node.group));
    put(124, &format!("{length:011o}"));
    put(136, &format!("{:011o}", seconds.max(0)));
    put(156, &char::from(kind).to_string());
    put(157, link.get(..link.len().min(100)).unwrap_or_default());
    put(257, "ustar  ");
    put(345, prefix);
    let sum = format!("{:06o}\0 ", checksum(&head));
    head[148..156].copy_from_slice(sum.as_bytes());
    Ok(head)
}

/// The sum of a header's bytes, with blanks in the place of the sum itself.
fn checksum(head: &[u8]) -> u64 {
    head.iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) })
        .sum()
}

fn zip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let _ = encoder.write_all(data);
    encoder.finish().unwrap_or_default()
}

fn unzip(data: &[u8]) -> Result<Vec<u8>, String> {
    if !data.starts_with(&[0x1f, 0x8b]) {
        return Err("invalid magic".to_owned());
    }
    let mut bytes = Vec::new();
    match MultiGzDecoder::new(data).take(MAX_BYTES + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > MAX_BYTES => Err(format!("more than {MAX_BYTES} bytes")),
        Ok(_) => Ok(bytes),
        Err(_) => Err("corrupted data".to_owned()),
    }
}
