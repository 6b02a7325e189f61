//! The syntax tree of a shell script. Words are parsed into parts at once, so that running a loop never looks at text
//! again.
//!
//! The grammar is our own reader (`parser.rs`, `words.rs`) and not a parser crate's: a script in a manifest is hostile
//! input, so depth has to be bounded (a recursive parser without a bound overflows the stack, which cannot be caught);
//! a container's `sh` is POSIX with busybox's additions, where bash's arrays or `<(…)` are ordinary errors; lines before
//! a syntax error run before it is reported; and words have to come apart once, not at each expansion.

use std::fmt;
use std::sync::{Arc, OnceLock};

/// A script: complete commands in order, up to the first syntax error if there is one.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The complete commands.
    pub lines: Vec<List>,
    /// What is wrong with what follows them.
    pub error: Option<SyntaxError>,
    /// What the end of the text cuts off.
    pub open: Option<Open>,
}

/// What a script is in the middle of where its text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// A command: a loop without its `done`, a pipe to nothing, a line that ends with a backslash.
    Command,
    /// Text that belongs together: quotes, a here-document.
    Text,
}

/// A syntax error, in the words of busybox's `sh`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Line, from 1.
    pub line: u32,
    /// Column in bytes, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: syntax error: {}", self.line, self.message)
    }
}

/// Commands separated by `;`, `&` or newlines.
pub type List = Vec<Item>;

/// One and-or list, in the foreground or the background.
#[derive(Clone, Debug)]
pub struct Item {
    /// The first pipeline.
    pub first: Pipeline,
    /// `&&` (true) or `||`, and the next pipeline.
    pub rest: Vec<(bool, Pipeline)>,
    /// Whether `&` follows.
    pub background: bool,
}

/// Commands joined by `|`.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Whether `!` stands before it.
    pub negated: bool,
    /// The commands.
    pub commands: Vec<Command>,
}

/// A command with its redirections.
#[derive(Clone, Debug)]
pub struct Command {
    /// What it is.
    pub kind: CommandKind,
    /// Its redirections, in order.
    pub redirects: Vec<Redirect>,
    /// Line on which it starts.
    pub line: u32,
}

/// The kinds of commands.
#[derive(Clone, Debug)]
pub enum CommandKind {
    /// Assignments and words.
    Simple {
        /// `name=word`, in order.
        assigns: Vec<(Arc<str>, Word)>,
        /// The command's name and its arguments.
        words: Vec<Word>,
    },
    /// `{ list; }`
    Group(List),
    /// `( list )`
    Subshell(List),
    /// `if … then … elif … else … fi`
    If {
        /// Conditions with what they guard.
        arms: Vec<(List, List)>,
        /// The `else` part.
        otherwise: Option<List>,
    },
    /// `while` and `until`.
    While {
        /// Whether it is `until`.
        until: bool,
        /// The condition.
        condition: List,
        /// The body.
        body: List,
    },
    /// `for name in words; do … done`
    For {
        /// The variable.
        name: Arc<str>,
        /// The words; `None` for the positional parameters.
        words: Option<Vec<Word>>,
        /// The body.
        body: List,
    },
    /// `case word in … esac`
    Case {
        /// The subject.
        subject: Word,
        /// Patterns with what they guard, and whether `;&` falls through.
        arms: Vec<(Vec<Word>, List, bool)>,
    },
    /// `name() command`
    Function {
        /// Name.
        name: Arc<str>,
        /// Body.
        body: Arc<Command>,
    },
}

/// A redirection.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// The descriptor that is redirected.
    pub fd: u32,
    /// Where to.
    pub target: Target,
}

/// Where a redirection leads.
#[derive(Clone, Debug)]
pub enum Target {
    /// `< word`
    Read(Word),
    /// `> word`
    Write(Word),
    /// `>| word`
    Clobber(Word),
    /// `>> word`
    Append(Word),
    /// `<> word`
    ReadWrite(Word),
    /// `>& word`, `<& word`: a descriptor's number or `-`.
    Duplicate(Word),
    /// `&> word`: both standard output and standard error, as busybox has it.
    Both(Word),
    /// `<< word`: filled in when the body has been read.
    Here(Arc<OnceLock<Word>>),
}

/// A word: its parts in order.
pub type Word = Vec<Part>;

/// A part of a word.
#[derive(Clone, Debug)]
pub enum Part {
    /// Literal text outside of quotes: patterns in it count.
    Text(Arc<str>),
    /// Literal text in quotes or after a backslash.
    Quoted(Arc<str>),
    /// `"…"`
    DoubleQuotes(Vec<Part>),
    /// `$name`, `${…}`
    Param(Box<Param>),
    /// `` `…` `` or `$(…)`
    Command(Arc<Script>),
    /// `$((…))`
    Arithmetic(Vec<Part>),
    /// `<(…)` or `>(…)`: a command behind a file's name (busybox).
    Process {
        /// The command.
        script: Arc<Script>,
        /// Whether its output is read.
        reads: bool,
    },
}

/// A parameter expansion.
#[derive(Clone, Debug)]
pub struct Param {
    /// Name of a variable, a number, or one of `@ * # ? - $ !`.
    pub name: Arc<str>,
    /// What is done with the value.
    pub op: ParamOp,
}

/// What a parameter expansion does.
#[derive(Clone, Debug)]
pub enum ParamOp {
    /// The value.
    Plain,
    /// `${#x}`
    Length,
    /// `${x-word}` and its kin; with `colon` an empty value counts as unset.
    Default {
        /// `-`, `=`, `?` or `+`.
        kind: char,
        /// Whether `:` stands before it.
        colon: bool,
        /// The word.
        word: Word,
    },
    /// `${x%word}`, `${x%%word}`, `${x#word}`, `${x##word}`
    Trim {
        /// Whether the end is trimmed.
        suffix: bool,
        /// Whether the longest match is taken.
        longest: bool,
        /// The pattern.
        word: Word,
    },
    /// `${x:offset:length}` (busybox)
    Substring {
        /// Arithmetic.
        offset: Word,
        /// Arithmetic.
        length: Option<Word>,
    },
    /// `${x/pattern/text}`, `${x//pattern/text}` (busybox)
    Replace {
        /// Whether all matches are replaced.
        all: bool,
        /// The pattern.
        pattern: Word,
        /// The replacement.
        with: Word,
    },
    /// Cannot be expanded: an error when it is tried, as busybox reports `${}` and the like.
    Bad,
}
