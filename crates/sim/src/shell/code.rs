//! What a script becomes: a flat list of steps. A process that waits in the middle of a word, a pipe or a loop is then
//! nothing but a position in the list and a few small stacks, which can be copied, resumed and compared.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::syntax::SyntaxError;

/// A compiled script, function body, subshell or command substitution.
#[derive(Debug, Default)]
pub struct Code {
    /// The steps.
    pub ops: Vec<Op>,
}

/// How a redirection leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectKind {
    /// `<`
    Read,
    /// `>`
    Write,
    /// `>|`: also over a file that is there, whatever `set -C` says
    Clobber,
    /// `>>`
    Append,
    /// `<>`
    ReadWrite,
    /// `>&` and `<&`
    Duplicate,
    /// `&>`
    Both,
    /// `<<`
    Here,
}

/// One step. "The word" is the one that was begun last.
#[derive(Debug)]
pub enum Op {
    /// A statement starts on that line: traps are taken here.
    Line(u32),
    /// Goes on elsewhere.
    Jump(usize),
    /// Goes on elsewhere when the last status is 0.
    JumpIfOk(usize),
    /// Goes on elsewhere when the last status is not 0.
    JumpIfFailed(usize),
    /// Sets the last status.
    Status(i32),
    /// `!`
    Negate,
    /// What follows may fail under `set -e`.
    IgnoreErrors,
    /// Ends the last [`Op::IgnoreErrors`].
    HeedErrors,
    /// Exits under `set -e` when the last status is not 0.
    CheckErrors,
    /// A syntax error that is reported when it is reached.
    SyntaxError(SyntaxError),

    /// Begins a word.
    Begin,
    /// Literal text outside of quotes.
    Text(Arc<str>),
    /// Literal text of `${x-text}` outside of quotes: it is split like an expansion.
    Split(Arc<str>),
    /// Literal text in quotes; makes a field even when it is empty.
    Quoted(Arc<str>),
    /// `~` or `~user`
    Tilde(Arc<str>),
    /// The value of a parameter.
    Param {
        /// Its name.
        name: Arc<str>,
        /// Whether it stands in double quotes.
        quoted: bool,
    },
    /// The length of a parameter's value.
    Length {
        /// Its name.
        name: Arc<str>,
        /// Whether it stands in double quotes.
        quoted: bool,
    },
    /// Goes on elsewhere when a parameter is not set (with `colon`: or is empty).
    JumpIfUnset {
        /// Its name.
        name: Arc<str>,
        /// Whether empty counts as unset.
        colon: bool,
        /// Where to.
        target: usize,
    },
    /// Ends the word, assigns it and adds the value to the word around it.
    AssignParam {
        /// Its name.
        name: Arc<str>,
        /// Whether it stands in double quotes.
        quoted: bool,
    },
    /// Ends the word and stops the script with it as the message.
    Complain {
        /// Its name.
        name: Arc<str>,
        /// Whether empty counts as unset.
        colon: bool,
    },
    /// Ends the word as a pattern and adds the trimmed value of a parameter to the word around it.
    Trim {
        /// Its name.
        name: Arc<str>,
        /// Whether the end is trimmed.
        suffix: bool,
        /// Whether the longest match is taken.
        longest: bool,
        /// Whether it stands in double quotes.
        quoted: bool,
    },
    /// Ends one or two words as offset and length and adds that part of a value to the word around them.
    Substring {
        /// Its name.
        name: Arc<str>,
        /// Whether there is a length.
        length: bool,
        /// Whether it stands in double quotes.
        quoted: bool,
    },
    /// Ends two words as pattern and text and adds the value with replacements to the word around them.
    Replace {
        /// Its name.
        name: Arc<str>,
        /// Whether all matches are replaced.
        all: bool,
        /// Whether it stands in double quotes.
        quoted: bool,
    },
    /// An expansion that cannot be.
    BadSubstitution,
    /// Ends the word as an expression and adds its value to the word around it.
    Arithmetic {
        /// Whether it stands in double quotes.
        quoted: bool,
    },
    /// Runs a script in a subshell and adds its output to the word.
    Substitute {
        /// The script.
        code: Arc<Code>,
        /// Whether it stands in double quotes.
        quoted: bool,
    },

    /// Runs a script beside this one and adds the name of the file that leads to its output, or to its input.
    Process {
        /// The script.
        code: Arc<Code>,
        /// Whether its output is read.
        reads: bool,
    },
    /// The rest of a script whose aliases are not known before it runs: reads its next command.
    More {
        /// The text.
        text: Arc<str>,
        /// Where the rest begins.
        at: usize,
        /// On which line.
        line: u32,
    },

    /// Begins a command.
    Command,
    /// Adds an argument that needs no expansion.
    Argument(Arc<str>),
    /// Ends the word: its fields are arguments of the command.
    EndFields,
    /// Ends the word: the command assigns it.
    EndAssign(Arc<str>),
    /// Ends the word: the command is redirected to it.
    EndRedirect {
        /// The descriptor.
        fd: u32,
        /// How.
        kind: RedirectKind,
    },
    /// Runs the command. `last` if nothing of this shell is left to do after it, so that it may take the shell's place.
    Call {
        /// Whether nothing follows.
        last: bool,
    },
    /// Opens the command's redirections for a compound command; on failure goes on elsewhere.
    OpenRedirects(usize),
    /// Ends the last [`Op::OpenRedirects`].
    CloseRedirects,
    /// Runs commands joined by pipes.
    Pipe(Arc<[Arc<Code>]>),
    /// Runs a subshell.
    Subshell(Arc<Code>),
    /// Runs commands in the background.
    Background(Arc<Code>),
    /// Defines a function.
    Define {
        /// Name.
        name: Arc<str>,
        /// Body.
        code: Arc<Code>,
    },

    /// Enters a loop: where `break` and `continue` lead.
    EnterLoop {
        /// After the loop.
        end: usize,
        /// The next turn.
        next: usize,
    },
    /// Leaves a loop.
    LeaveLoop,
    /// Keeps the last status of a loop's body for the end of the loop.
    LoopStatus,
    /// Ends a loop's condition: the loop's status is that of the last turn of its body, or 0.
    LoopEnd,
    /// Takes the arguments of the command as the items of a `for` loop; `all` for the positional parameters.
    ForItems {
        /// Whether the positional parameters are the items.
        all: bool,
    },
    /// Assigns the next item, or goes on elsewhere.
    ForNext {
        /// The variable.
        name: Arc<str>,
        /// Where to go when none is left.
        end: usize,
    },
    /// Ends a `for` loop's items.
    ForEnd,
    /// Ends the word as the subject of `case`.
    CaseSubject,
    /// Ends the word as a pattern; goes on elsewhere when the subject matches.
    CaseMatch(usize),
    /// Forgets the subject.
    CaseEnd,
}

thread_local! {
    static CACHE: RefCell<BTreeMap<Arc<str>, Arc<Code>>> = const { RefCell::new(BTreeMap::new()) };
}

/// How many scripts a thread keeps compiled.
const CACHED_SCRIPTS: usize = 256;

/// The code of a script. The same text is compiled once a thread: a container that starts again and again does not read
/// its script again. Only a memory of a pure function, so nothing depends on it.
pub fn compiled(text: &str) -> Arc<Code> {
    CACHE.with(|cache| {
        let mut cache = cache.borrow_mut();
        if let Some(code) = cache.get(text) {
            return Arc::clone(code);
        }
        let code = if text.contains("alias") {
            more(text)
        } else {
            Arc::new(super::compile::compile(&super::parser::parse(text)))
        };
        if cache.len() >= CACHED_SCRIPTS {
            cache.clear();
        }
        cache.insert(text.into(), Arc::clone(&code));
        code
    })
}

/// The code of a script that a running shell reads: `eval`, `.`, a trap. With `aliases` in force, or when it may set
/// some, it is read command by command.
pub fn inner(text: &str, aliases: bool) -> Arc<Code> {
    if aliases || text.contains("alias") {
        return more(text);
    }
    Arc::new(super::compile::compile_inner(&super::parser::parse(text)))
}

fn more(text: &str) -> Arc<Code> {
    Arc::new(Code {
        ops: vec![Op::More {
            text: text.into(),
            at: 0,
            line: 1,
        }],
    })
}
