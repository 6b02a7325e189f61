//! From the syntax tree to steps.

use std::sync::Arc;

use super::code::{Code, Op, RedirectKind};
use super::syntax::{Command, CommandKind, Item, List, Param, ParamOp, Part, Pipeline, Redirect, Script, Target, Word};

/// Compiles a script as the whole work of a shell: its last command may take the shell's place.
pub fn compile(script: &Script) -> Code {
    compile_script(script, true)
}

fn compile_script(script: &Script, tail: bool) -> Code {
    let mut compiler = Compiler::default();
    for (index, line) in script.lines.iter().enumerate() {
        compiler.list(line, tail && script.error.is_none() && index + 1 == script.lines.len());
    }
    if let Some(error) = &script.error {
        compiler.ops.push(Op::SyntaxError(error.clone()));
    }
    compiler.finish()
}

/// Compiles a script that a running shell reads (`eval`, `.`, a trap): nothing takes the shell's place.
pub fn compile_inner(script: &Script) -> Code {
    compile_script(script, false)
}

/// Compiles one complete command; what follows it is read when it has run.
pub fn compile_command(list: &List, more: Op) -> Code {
    let mut compiler = Compiler::default();
    compiler.list(list, false);
    compiler.ops.push(more);
    compiler.finish()
}

#[derive(Default)]
struct Compiler {
    ops: Vec<Op>,
}

impl Compiler {
    fn finish(self) -> Code {
        Code { ops: self.ops }
    }

    fn emit(&mut self, op: Op) -> usize {
        self.ops.push(op);
        self.ops.len() - 1
    }

    /// Points a jump at the next step.
    fn land(&mut self, jump: usize) {
        let here = self.ops.len();
        match &mut self.ops[jump] {
            Op::Jump(target)
            | Op::JumpIfOk(target)
            | Op::JumpIfFailed(target)
            | Op::JumpIfUnset { target, .. }
            | Op::OpenRedirects(target)
            | Op::ForNext { end: target, .. }
            | Op::CaseMatch(target)
            | Op::EnterLoop { end: target, .. } => *target = here,
            _ => {}
        }
    }

    fn list(&mut self, list: &List, tail: bool) {
        for (index, item) in list.iter().enumerate() {
            self.item(item, tail && index + 1 == list.len());
        }
    }

    fn item(&mut self, item: &Item, tail: bool) {
        if item.background {
            let mut inner = Self::default();
            inner.and_or(item, true);
            let line = item.first.commands.first().map_or(0, |command| command.line);
            self.emit(Op::Line(line));
            self.emit(Op::Background(Arc::new(inner.finish())));
        } else {
            self.and_or(item, tail);
        }
    }

    fn and_or(&mut self, item: &Item, tail: bool) {
        if item.rest.is_empty() {
            self.pipeline(&item.first, tail);
            return;
        }
        self.emit(Op::IgnoreErrors);
        self.pipeline(&item.first, false);
        self.emit(Op::HeedErrors);
        for (index, (and, pipeline)) in item.rest.iter().enumerate() {
            let last = index + 1 == item.rest.len();
            let skip = self.emit(if *and { Op::JumpIfFailed(0) } else { Op::JumpIfOk(0) });
            if !last {
                self.emit(Op::IgnoreErrors);
            }
            self.pipeline(pipeline, tail && last);
            if !last {
                self.emit(Op::HeedErrors);
            }
            self.land(skip);
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, tail: bool) {
        if pipeline.negated {
            self.emit(Op::IgnoreErrors);
        }
        match pipeline.commands.as_slice() {
            [command] => self.command(command, tail && !pipeline.negated),
            commands => {
                let line = commands.first().map_or(0, |command| command.line);
                self.emit(Op::Line(line));
                let codes = commands.iter().map(|command| {
                    let mut inner = Self::default();
                    inner.command(command, true);
                    Arc::new(inner.finish())
                });
                let codes: Arc<[Arc<Code>]> = codes.collect();
                self.emit(Op::Pipe(codes));
                self.emit(Op::CheckErrors);
            }
        }
        if pipeline.negated {
            self.emit(Op::HeedErrors);
            self.emit(Op::Negate);
        }
    }

    fn command(&mut self, command: &Command, tail: bool) {
        if let CommandKind::Simple { assigns, words } = &command.kind {
            self.emit(Op::Line(command.line));
            self.emit(Op::Command);
            for word in words {
                self.argument(word);
            }
            self.redirects(&command.redirects);
            for (name, word) in assigns {
                self.emit(Op::Begin);
                self.assigned(word);
                self.emit(Op::EndAssign(Arc::clone(name)));
            }
            self.emit(Op::Call { last: tail });
            self.emit(Op::CheckErrors);
            return;
        }
        let mut opened = None;
        if !command.redirects.is_empty() && !matches!(command.kind, CommandKind::Function { .. }) {
            self.emit(Op::Line(command.line));
            self.emit(Op::Command);
            self.redirects(&command.redirects);
            opened = Some(self.emit(Op::OpenRedirects(0)));
        }
        self.compound(&command.kind, command.line, tail && opened.is_none());
        if let Some(opened) = opened {
            self.emit(Op::CloseRedirects);
            self.land(opened);
            self.emit(Op::CheckErrors);
        }
    }

    fn compound(&mut self, kind: &CommandKind, line: u32, tail: bool) {
        match kind {
            CommandKind::Simple { .. } => {}
            CommandKind::Group(list) => self.list(list, tail),
            CommandKind::Subshell(list) => {
                let mut inner = Self::default();
                inner.list(list, true);
                self.emit(Op::Line(line));
                self.emit(Op::Subshell(Arc::new(inner.finish())));
                self.emit(Op::CheckErrors);
            }
            CommandKind::If { arms, otherwise } => self.conditional(arms, otherwise.as_ref(), tail),
            CommandKind::While { until, condition, body } => {
                let enter = self.emit(Op::EnterLoop { end: 0, next: 0 });
                let next = self.ops.len();
                if let Op::EnterLoop { next: target, .. } = &mut self.ops[enter] {
                    *target = next;
                }
                self.emit(Op::IgnoreErrors);
                self.list(condition, false);
                self.emit(Op::HeedErrors);
                let leave = self.emit(if *until { Op::JumpIfOk(0) } else { Op::JumpIfFailed(0) });
                self.list(body, false);
                self.emit(Op::LoopStatus);
                self.emit(Op::Jump(next));
                self.land(leave);
                self.emit(Op::LoopEnd);
                self.emit(Op::LeaveLoop);
                self.land(enter);
            }
            CommandKind::For { name, words, body } => {
                self.emit(Op::Line(line));
                self.emit(Op::Command);
                for word in words.iter().flatten() {
                    self.argument(word);
                }
                self.emit(Op::ForItems { all: words.is_none() });
                let enter = self.emit(Op::EnterLoop { end: 0, next: 0 });
                let next = self.ops.len();
                if let Op::EnterLoop { next: target, .. } = &mut self.ops[enter] {
                    *target = next;
                }
                let leave = self.emit(Op::ForNext {
                    name: Arc::clone(name),
                    end: 0,
                });
                self.list(body, false);
                self.emit(Op::LoopStatus);
                self.emit(Op::Jump(next));
                self.land(leave);
                self.emit(Op::LoopEnd);
                self.emit(Op::LeaveLoop);
                self.land(enter);
                self.emit(Op::ForEnd);
            }
            CommandKind::Case { subject, arms } => self.selection(subject, arms, line, tail),
            CommandKind::Function { name, body } => {
                let mut inner = Self::default();
                inner.command(body, false);
                self.emit(Op::Line(line));
                self.emit(Op::Define {
                    name: Arc::clone(name),
                    code: Arc::new(inner.finish()),
                });
                self.emit(Op::Status(0));
            }
        }
    }

    fn conditional(&mut self, arms: &[(List, List)], otherwise: Option<&List>, tail: bool) {
        let mut ends = Vec::new();
        for (condition, body) in arms {
            self.emit(Op::IgnoreErrors);
            self.list(condition, false);
            self.emit(Op::HeedErrors);
            let skip = self.emit(Op::JumpIfFailed(0));
            self.list(body, tail);
            ends.push(self.emit(Op::Jump(0)));
            self.land(skip);
        }
        match otherwise {
            Some(body) => self.list(body, tail),
            None => {
                self.emit(Op::Status(0));
            }
        }
        for end in ends {
            self.land(end);
        }
    }

    fn selection(&mut self, subject: &Word, arms: &[(Vec<Word>, List, bool)], line: u32, tail: bool) {
        self.emit(Op::Line(line));
        self.emit(Op::Begin);
        self.word(subject, false);
        self.emit(Op::CaseSubject);
        let mut ends = Vec::new();
        let mut fall: Option<usize> = None;
        for (patterns, body, falls_through) in arms {
            let mut hits = Vec::new();
            for pattern in patterns {
                self.emit(Op::Begin);
                self.word(pattern, false);
                hits.push(self.emit(Op::CaseMatch(0)));
            }
            let miss = self.emit(Op::Jump(0));
            for hit in hits {
                self.land(hit);
            }
            if let Some(fall) = fall.take() {
                self.land(fall);
            }
            self.emit(Op::Status(0));
            self.list(body, tail);
            if *falls_through {
                fall = Some(self.emit(Op::Jump(0)));
            } else {
                ends.push(self.emit(Op::Jump(0)));
            }
            self.land(miss);
        }
        self.emit(Op::Status(0));
        for end in ends.into_iter().chain(fall) {
            self.land(end);
        }
        self.emit(Op::CaseEnd);
    }

    fn redirects(&mut self, redirects: &[Redirect]) {
        for redirect in redirects {
            self.emit(Op::Begin);
            let kind = match &redirect.target {
                Target::Read(word) => self.redirect_word(word, RedirectKind::Read),
                Target::Write(word) => self.redirect_word(word, RedirectKind::Write),
                Target::Clobber(word) => self.redirect_word(word, RedirectKind::Clobber),
                Target::Append(word) => self.redirect_word(word, RedirectKind::Append),
                Target::ReadWrite(word) => self.redirect_word(word, RedirectKind::ReadWrite),
                Target::Duplicate(word) => self.redirect_word(word, RedirectKind::Duplicate),
                Target::Both(word) => self.redirect_word(word, RedirectKind::Both),
                Target::Here(body) => {
                    if let Some(word) = body.get() {
                        self.parts(word, true);
                    }
                    RedirectKind::Here
                }
            };
            self.emit(Op::EndRedirect { fd: redirect.fd, kind });
        }
    }

    fn redirect_word(&mut self, word: &Word, kind: RedirectKind) -> RedirectKind {
        self.word(word, false);
        kind
    }

    fn argument(&mut self, word: &Word) {
        if let [part] = word.as_slice() {
            match part {
                Part::Text(text) if !text.starts_with('~') && !text.contains(['*', '?', '[']) => {
                    self.emit(Op::Argument(Arc::clone(text)));
                    return;
                }
                Part::Quoted(text) => {
                    self.emit(Op::Argument(Arc::clone(text)));
                    return;
                }
                Part::DoubleQuotes(parts) => {
                    if let [Part::Quoted(text)] = parts.as_slice() {
                        self.emit(Op::Argument(Arc::clone(text)));
                        return;
                    }
                }
                _ => {}
            }
        }
        self.emit(Op::Begin);
        self.word(word, false);
        self.emit(Op::EndFields);
    }

    /// A word outside of quotes, where a leading tilde counts.
    fn word(&mut self, word: &Word, quoted: bool) {
        let rest = if quoted {
            word.as_slice()
        } else {
            self.tilde(word, false)
        };
        self.parts(rest, quoted);
    }

    /// The value of an assignment, where a tilde also counts after a colon.
    fn assigned(&mut self, word: &Word) {
        let rest = self.tilde(word, true);
        self.parts(rest, false);
    }

    /// Emits what a leading tilde stands for and gives what is left of the word.
    fn tilde<'a>(&mut self, word: &'a [Part], assigned: bool) -> &'a [Part] {
        let Some(Part::Text(text)) = word.first() else {
            return word;
        };
        let later = assigned && text.contains(":~");
        if !text.starts_with('~') && !later {
            return word;
        }
        let mut first = true;
        let mut pieces = if assigned {
            text.split(':').collect()
        } else {
            vec![&**text]
        };
        let last = pieces.len().saturating_sub(1);
        for (index, piece) in pieces.drain(..).enumerate() {
            if !first {
                self.emit(Op::Text(":".into()));
            }
            first = false;
            let (user, path) = piece
                .split_once('/')
                .map_or((piece, None), |(user, path)| (user, Some(path)));
            // `~$user` and `~"user"` are no tilde prefixes.
            let whole = path.is_some() || index < last || word.len() == 1;
            match user.strip_prefix('~') {
                Some(user) if whole => {
                    self.emit(Op::Tilde(user.into()));
                    if let Some(path) = path {
                        self.emit(Op::Text(format!("/{path}").into()));
                    }
                }
                _ => {
                    self.emit(Op::Text(piece.into()));
                }
            }
        }
        &word[1..]
    }

    /// The word of `${x-word}`: outside of quotes its text is split like an expansion.
    fn default_word(&mut self, word: &Word, quoted: bool) {
        if quoted {
            self.parts(word, true);
            return;
        }
        for part in self.tilde(word, false) {
            match part {
                Part::Text(text) => {
                    self.emit(Op::Split(Arc::clone(text)));
                }
                part => self.parts(std::slice::from_ref(part), false),
            }
        }
    }

    fn parts(&mut self, parts: &[Part], quoted: bool) {
        for part in parts {
            match part {
                Part::Text(text) if quoted => {
                    self.emit(Op::Quoted(Arc::clone(text)));
                }
                Part::Text(text) => {
                    self.emit(Op::Text(Arc::clone(text)));
                }
                Part::Quoted(text) => {
                    self.emit(Op::Quoted(Arc::clone(text)));
                }
                Part::DoubleQuotes(inner) => {
                    // An empty field comes from "" and from "$x" alike, but not from "$@" without parameters.
                    let only_parameters = matches!(inner.as_slice(), [Part::Param(param)] if &*param.name == "@" && matches!(param.op, ParamOp::Plain));
                    if !only_parameters {
                        self.emit(Op::Quoted("".into()));
                    }
                    self.parts(inner, true);
                }
                Part::Param(param) => self.param(param, quoted),
                Part::Command(script) => {
                    self.emit(Op::Substitute {
                        code: Arc::new(compile(script)),
                        quoted,
                    });
                }
                Part::Process { script, reads } => {
                    self.emit(Op::Process {
                        code: Arc::new(compile(script)),
                        reads: *reads,
                    });
                }
                Part::Arithmetic(parts) => {
                    self.emit(Op::Begin);
                    self.parts(parts, true);
                    self.emit(Op::Arithmetic { quoted });
                }
            }
        }
    }

    fn param(&mut self, param: &Param, quoted: bool) {
        let name = || Arc::clone(&param.name);
        match &param.op {
            ParamOp::Plain => {
                self.emit(Op::Param { name: name(), quoted });
            }
            ParamOp::Length => {
                self.emit(Op::Length { name: name(), quoted });
            }
            ParamOp::Default { kind, colon, word } => {
                let unset = self.emit(Op::JumpIfUnset {
                    name: name(),
                    colon: *colon,
                    target: 0,
                });
                if *kind == '+' {
                    self.default_word(word, quoted);
                    self.land(unset);
                    return;
                }
                self.emit(Op::Param { name: name(), quoted });
                let end = self.emit(Op::Jump(0));
                self.land(unset);
                match kind {
                    '-' => self.default_word(word, quoted),
                    '=' => {
                        self.emit(Op::Begin);
                        self.word(word, quoted);
                        self.emit(Op::AssignParam { name: name(), quoted });
                    }
                    _ => {
                        self.emit(Op::Begin);
                        self.word(word, quoted);
                        self.emit(Op::Complain {
                            name: name(),
                            colon: *colon,
                        });
                    }
                }
                self.land(end);
            }
            ParamOp::Trim { suffix, longest, word } => {
                self.emit(Op::Begin);
                self.word(word, false);
                self.emit(Op::Trim {
                    name: name(),
                    suffix: *suffix,
                    longest: *longest,
                    quoted,
                });
            }
            ParamOp::Substring { offset, length } => {
                self.emit(Op::Begin);
                self.parts(offset, true);
                if let Some(length) = length {
                    self.emit(Op::Begin);
                    self.parts(length, true);
                }
                self.emit(Op::Substring {
                    name: name(),
                    length: length.is_some(),
                    quoted,
                });
            }
            ParamOp::Replace { all, pattern, with } => {
                self.emit(Op::Begin);
                self.parts(pattern, false);
                self.emit(Op::Begin);
                self.parts(with, false);
                self.emit(Op::Replace {
                    name: name(),
                    all: *all,
                    quoted,
                });
            }
            ParamOp::Bad => {
                self.emit(Op::BadSubstitution);
            }
        }
    }
}
