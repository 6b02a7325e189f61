//! Filters as their command lines ask for them.

use std::sync::Arc;

use super::super::archive::{self, Archiver};
use super::super::input::Input;
use super::super::options::Options;
use super::super::sed::Sed;
use super::super::{Applet, run};
use super::columns::{self, cut, tr};
use super::encoding::Dump;
use super::ends::{head, tail};
use super::grep::grep;
use super::sorting::wc;
use super::{Filter, Kind};
use crate::runtime::syscalls::{Ctx, Open, Step};

/// Starts one of these applets.
pub(in crate::shell::applets) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    let result = match name {
        "cat" => cat(arguments),
        "head" => head(arguments),
        "tail" => tail(arguments),
        "grep" | "egrep" | "fgrep" => grep(name, arguments, ctx),
        "wc" => wc(arguments),
        "sort" => parsed("nrufk:t:o:csbdghiMVzm", arguments, |options| {
            Ok((
                options.operands.clone(),
                Kind::Sort {
                    options,
                    lines: Vec::new(),
                },
            ))
        }),
        "uniq" => parsed("cdiuf:s:w:z", arguments, |options| {
            Ok((
                options.operands.iter().take(1).cloned().collect(),
                Kind::Uniq {
                    options,
                    last: None,
                    count: 0,
                },
            ))
        }),
        "cut" => cut(arguments),
        "tr" => tr(arguments),
        "tee" => tee(arguments, ctx),
        "nl" => parsed("b:w:s:", arguments, |options| {
            let all = options.value('b').is_some_and(|which| which.starts_with('a'));
            Ok((options.operands, Kind::Nl { count: 0, all }))
        }),
        "tac" | "rev" => parsed("", arguments, |options| {
            Ok((
                options.operands,
                Kind::Reverse {
                    lines: Vec::new(),
                    within: name == "rev",
                },
            ))
        }),
        "fold" => parsed("w:bs", arguments, |options| {
            let width = options
                .value('w')
                .and_then(|width| width.parse().ok())
                .unwrap_or(80)
                .max(1);
            Ok((options.operands, Kind::Fold { width }))
        }),
        "md5sum" | "sha1sum" | "sha256sum" | "sha512sum" | "cksum" | "crc32" => parsed("csbtw", arguments, |options| {
            Ok((
                options.operands.clone(),
                Kind::Digest {
                    name: name.into(),
                    options,
                    data: Vec::new(),
                },
            ))
        }),
        name if archive::is_archiver(name) => Archiver::new(name, arguments)
            .map(|archiver| {
                let files = if archiver.reads_input() {
                    Vec::new()
                } else {
                    vec!["/dev/null".into()]
                };
                let data = Vec::new();
                (files, Kind::Archive { archiver, data })
            })
            .map_err(|message| (1, message)),
        "expand" | "unexpand" => parsed("aft:", arguments, |options| {
            Ok((
                options.operands.clone(),
                Kind::Expand {
                    stop: options
                        .value('t')
                        .and_then(|stop| stop.parse().ok())
                        .unwrap_or(8)
                        .max(1),
                    back: name == "unexpand",
                    all: options.has('a') || options.has('t'),
                },
            ))
        }),
        "dos2unix" | "unix2dos" => parsed("ud", arguments, |options| {
            let dos = name == "unix2dos" && !options.has('u') || options.has('d');
            Ok((options.operands, Kind::LineEnds { dos }))
        }),
        "shuf" => parsed("ei:n:o:zr", arguments, |options| {
            let most = options
                .value('n')
                .and_then(|most| most.parse().ok())
                .unwrap_or(usize::MAX);
            let mut lines: Vec<Vec<u8>> = Vec::new();
            if options.has('e') {
                lines = options.operands.iter().map(|word| word.as_bytes().to_vec()).collect();
            }
            if let Some((low, high)) = options.value('i').and_then(|range| range.split_once('-')) {
                let bad = || (1, "invalid range".to_owned());
                let (low, high): (u64, u64) = (low.parse().map_err(|_| bad())?, high.parse().map_err(|_| bad())?);
                let high = high.min(low.saturating_add(1_000_000));
                lines = (low..=high).map(|number| number.to_string().into_bytes()).collect();
            }
            let files = if lines.is_empty() {
                options.operands
            } else {
                vec!["/dev/null".into()]
            };
            Ok((files, Kind::Shuffle { lines, most }))
        }),
        "base64" => parsed("dw:", arguments, |options| {
            let wrap = options.value('w').and_then(|wrap| wrap.parse().ok()).unwrap_or(76);
            Ok((
                options.operands.clone(),
                Kind::Base64 {
                    decode: options.has('d'),
                    wrap,
                    data: Vec::new(),
                },
            ))
        }),
        "paste" => parsed("sd:", arguments, |options| {
            let delimiters = columns::tr_set(options.value('d').unwrap_or("\t"));
            let inputs = options.operands.iter().filter(|operand| &***operand == "-").count();
            let dealt = if inputs == options.operands.len() { inputs } else { 1 };
            Ok((
                options.operands.clone(),
                Kind::Paste {
                    serial: options.has('s'),
                    delimiters,
                    rows: vec![Vec::new()],
                    dealt: dealt.max(1),
                },
            ))
        }),
        "sed" => Sed::new(arguments, ctx).map(|(files, sed)| (files, Kind::Sed(Box::new(sed)))),
        "od" => parsed("A:t:cxbdvN:", arguments, |options| {
            Ok((
                options.operands.clone(),
                Kind::Dump {
                    data: Vec::new(),
                    style: Dump::Od,
                    options: options.clone(),
                },
            ))
        }),
        "hexdump" | "xxd" | "hd" => {
            let mut arguments = arguments.to_vec();
            if name == "hd" {
                arguments.insert(0, "-C".into());
            }
            parsed("Cpn:vs:l:", &arguments, |options| {
                Ok((
                    options.operands.clone(),
                    Kind::Dump {
                        data: Vec::new(),
                        style: if name == "xxd" { Dump::Xxd } else { Dump::Hexdump },
                        options: options.clone(),
                    },
                ))
            })
        }
        "strings" => parsed("n:", arguments, |options| {
            Ok((
                options.operands.clone(),
                Kind::Dump {
                    data: Vec::new(),
                    style: Dump::Strings,
                    options: options.clone(),
                },
            ))
        }),
        "less" | "more" => parsed("", arguments, |options| {
            Ok((
                options.operands,
                Kind::Cat {
                    number: false,
                    count: 0,
                    ends: false,
                    filled: false,
                    tabs: false,
                    visible: false,
                },
            ))
        }),
        _ => return None,
    };
    Some(match result {
        Ok((files, kind)) => {
            let mut input = Input::new(&files);
            if let Kind::Sort { options, .. } | Kind::Uniq { options, .. } = &kind
                && options.has('z')
            {
                input.delimiter = 0;
            }
            if let Kind::Grep(grep) = &kind {
                input.quiet = grep.options.has('s');
            }
            run(Applet::Filter(Filter {
                input,
                kind,
                out: Vec::new(),
                code: 0,
                done: false,
                held: 0,
            }))
        }
        Err((code, message)) => {
            ctx.complain(&format!("{name}: {message}"));
            Step::Exit(code)
        }
    })
}

/// The files to read and what is to be done with them, or the exit code and what is wrong.
pub(super) type Made = Result<(Vec<Arc<str>>, Kind), (i32, String)>;

pub(super) fn parsed(letters: &str, arguments: &[Arc<str>], make: impl FnOnce(Options) -> Made) -> Made {
    make(Options::parse(letters, &[], arguments).map_err(|message| (1, message))?)
}

fn cat(arguments: &[Arc<str>]) -> Made {
    parsed("nbuvteTAE", arguments, |options| {
        let number = options.has('n') || options.has('b');
        Ok((
            options.operands.clone(),
            Kind::Cat {
                number,
                count: 0,
                ends: options.has('E') || options.has('e') || options.has('A'),
                filled: options.has('b'),
                tabs: options.has('T') || options.has('t') || options.has('A'),
                visible: ['v', 'e', 't', 'A'].iter().any(|letter| options.has(*letter)),
            },
        ))
    })
}

fn tee(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Made {
    let options = Options::parse("ai", &[], arguments).map_err(|message| (1, message))?;
    let mut files = Vec::new();
    for operand in &options.operands {
        let how = if options.has('a') { Open::APPEND } else { Open::WRITE };
        match ctx.open(operand, how) {
            Ok(file) => {
                ctx.kernel.retain(file);
                files.push(file);
            }
            Err(error) => ctx.complain(&format!("tee: {operand}: {error}")),
        }
    }
    Ok((Vec::new(), Kind::Tee { files }))
}
