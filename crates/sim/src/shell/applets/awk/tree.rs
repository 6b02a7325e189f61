//! `awk`: the tree of a program.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A program.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub rules: Vec<Rule>,
    pub functions: BTreeMap<String, Function>,
    /// Whether it does something that may have to wait: a command, or input at its own wish.
    pub waits: bool,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub pattern: Pattern,
    pub action: Option<Vec<Statement>>,
}

#[derive(Debug)]
pub(super) enum Pattern {
    Begin,
    End,
    Always,
    If(Expr),
    Range(Expr, Expr),
}

#[derive(Debug)]
pub(super) struct Function {
    pub parameters: Vec<Arc<str>>,
    pub body: Vec<Statement>,
}

#[derive(Debug)]
pub(super) enum Statement {
    Expr(Expr),
    Print {
        items: Vec<Expr>,
        to: Option<(Output, Expr)>,
        formatted: bool,
    },
    If(Expr, Vec<Statement>, Vec<Statement>),
    While {
        condition: Expr,
        body: Vec<Statement>,
        first_body: bool,
    },
    For {
        start: Vec<Statement>,
        condition: Option<Expr>,
        step: Vec<Statement>,
        body: Vec<Statement>,
    },
    ForIn {
        name: Arc<str>,
        array: Arc<str>,
        body: Vec<Statement>,
    },
    Block(Vec<Statement>),
    Next,
    NextFile,
    Break,
    Continue,
    Exit(Option<Expr>),
    Return(Option<Expr>),
    Delete(Arc<str>, Option<Vec<Expr>>),
}

#[derive(Debug)]
pub(super) enum Expr {
    Number(f64),
    Text(Arc<str>),
    Regex(Arc<str>),
    Variable(Arc<str>),
    Field(Box<Expr>),
    Index(Arc<str>, Vec<Expr>),
    In(Vec<Expr>, Arc<str>),
    Assign(Box<Expr>, Assign, Box<Expr>),
    Step {
        target: Box<Expr>,
        by: f64,
        before: bool,
    },
    Not(Box<Expr>),
    Negate(Box<Expr>),
    Plus(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    Match(Box<Expr>, Box<Expr>, bool),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Concat(Box<Expr>, Box<Expr>),
    Call(String, Vec<Expr>),
    /// `getline`, with where it reads and what it sets.
    Getline(Source, Option<Box<Expr>>),
}

/// Where `print` goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// `> file`
    Write,
    /// `>> file`
    Append,
    /// `| command`
    Command,
}

/// Where `getline` reads.
#[derive(Debug)]
pub(super) enum Source {
    /// The program's input.
    Main,
    /// `< file`
    File(Box<Expr>),
    /// `command |`
    Command(Box<Expr>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Assign {
    Set,
    With(Binary),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    Less,
    LessEqual,
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
}
