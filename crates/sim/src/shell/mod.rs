//! A POSIX shell and the common applets in virtual time.
//!
//! A script is read (`parser`, `words`), compiled into flat steps (`compile`) and taken step by step by a
//! [`machine`](self), so that a process which sleeps in the middle of a pipe is a few numbers and stacks. Programs other
//! than the shell are in `applets`. What they may do is in [`crate::runtime`]: the system calls, the files, the host.

mod alias;
pub(crate) mod applets;
mod arithmetic;
mod builtins;
mod calling;
mod code;
mod compile;
mod conditions;
mod expand;
mod expansion;
mod machine;
mod options;
mod parser;
mod pattern;
mod printing;
pub(crate) mod program;
mod redirect;
mod regex;
mod syntax;
#[cfg(test)]
mod tests;
mod waiting;
mod words;

pub use syntax::Open;

/// What a script is in the middle of where it ends: more lines belong to it, as whoever types them one by one is asked for
/// with `> `. `None` when it is whole, or wrong whatever follows.
pub fn open(text: &str) -> Option<Open> {
    parser::parse(text).open
}
