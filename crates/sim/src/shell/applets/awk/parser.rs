//! `awk`: from tokens to the tree.

use std::sync::Arc;

use super::lexer::{KEYWORDS, Token, tokens};
use super::tree::{Assign, Binary, Expr, Function, Output, Pattern, Program, Rule, Source, Statement};

/// How deep expressions and blocks may nest.
const MAX_DEPTH: u32 = 80;

/// Reads a program.
pub(super) fn parse(text: &str) -> Result<Program, String> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
        no_in: false,
        no_greater: false,
        waits: false,
    };
    parser.program()
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: u32,
    /// In `for (… in …)` heads and `print … > file`, where these operators mean something else.
    no_in: bool,
    no_greater: bool,
    waits: bool,
}

type Parsed<T> = Result<T, String>;

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn bump(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn is(&self, operator: &str) -> bool {
        matches!(self.peek(), Token::Op(own) if *own == operator)
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Token::Name(own) if own == name)
    }

    fn take(&mut self, operator: &str) -> bool {
        let taken = self.is(operator);
        self.at += usize::from(taken);
        taken
    }

    fn take_name(&mut self, name: &str) -> bool {
        let taken = self.is_name(name);
        self.at += usize::from(taken);
        taken
    }

    fn need(&mut self, operator: &str) -> Parsed<()> {
        if self.take(operator) {
            Ok(())
        } else {
            Err(format!("unexpected token, '{operator}' expected"))
        }
    }

    fn newlines(&mut self) {
        while matches!(self.peek(), Token::Newline) || self.is(";") {
            self.at += 1;
        }
    }

    fn skip_newlines(&mut self) {
        while matches!(self.peek(), Token::Newline) {
            self.at += 1;
        }
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("the program nests too deep".to_owned());
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn program(&mut self) -> Parsed<Program> {
        let mut program = Program::default();
        loop {
            self.newlines();
            if matches!(self.peek(), Token::End) {
                program.waits = self.waits;
                return Ok(program);
            }
            if self.take_name("function") || self.take_name("func") {
                let (Token::Name(name) | Token::Call(name)) = self.bump() else {
                    return Err("a function needs a name".to_owned());
                };
                self.need("(")?;
                let mut parameters = Vec::new();
                while !self.take(")") {
                    let Token::Name(parameter) = self.bump() else {
                        return Err("bad parameter".to_owned());
                    };
                    parameters.push(parameter.into());
                    self.take(",");
                }
                self.skip_newlines();
                let body = self.block()?;
                program.functions.insert(name, Function { parameters, body });
                continue;
            }
            let pattern = if self.take_name("BEGIN") {
                Pattern::Begin
            } else if self.take_name("END") {
                Pattern::End
            } else if self.is("{") {
                Pattern::Always
            } else {
                let first = self.expr()?;
                if self.take(",") {
                    self.skip_newlines();
                    Pattern::Range(first, self.expr()?)
                } else {
                    Pattern::If(first)
                }
            };
            let action = if self.is("{") { Some(self.block()?) } else { None };
            program.rules.push(Rule { pattern, action });
        }
    }

    fn block(&mut self) -> Parsed<Vec<Statement>> {
        self.need("{")?;
        let mut statements = Vec::new();
        loop {
            self.newlines();
            if self.take("}") {
                return Ok(statements);
            }
            if matches!(self.peek(), Token::End) {
                return Err("unexpected end, '}' expected".to_owned());
            }
            statements.push(self.nested(Self::statement)?);
        }
    }

    /// A statement or a block, as the body of a condition or a loop.
    fn body(&mut self) -> Parsed<Vec<Statement>> {
        self.skip_newlines();
        if self.is("{") {
            return self.nested(Self::block);
        }
        if self.take(";") {
            return Ok(Vec::new());
        }
        Ok(vec![self.nested(Self::statement)?])
    }

    fn ends_statement(&self) -> bool {
        matches!(self.peek(), Token::Newline | Token::End) || self.is(";") || self.is("}")
    }

    fn end_of_statement(&mut self) -> Parsed<()> {
        if self.is("}") || matches!(self.peek(), Token::End) {
            return Ok(());
        }
        if matches!(self.peek(), Token::Newline) || self.is(";") {
            self.at += 1;
            return Ok(());
        }
        Err("unexpected token after a statement".to_owned())
    }

    fn statement(&mut self) -> Parsed<Statement> {
        if self.is("{") {
            return Ok(Statement::Block(self.block()?));
        }
        if self.take_name("if") {
            self.need("(")?;
            let condition = self.expr()?;
            self.need(")")?;
            let yes = self.body()?;
            let mark = self.at;
            self.newlines();
            let mut no = Vec::new();
            if self.take_name("else") {
                no = self.body()?;
            } else {
                self.at = mark;
            }
            return Ok(Statement::If(condition, yes, no));
        }
        if self.take_name("while") {
            self.need("(")?;
            let condition = self.expr()?;
            self.need(")")?;
            return Ok(Statement::While {
                condition,
                body: self.body()?,
                first_body: false,
            });
        }
        if self.take_name("do") {
            let body = self.body()?;
            self.newlines();
            if !self.take_name("while") {
                return Err("'while' expected".to_owned());
            }
            self.need("(")?;
            let condition = self.expr()?;
            self.need(")")?;
            return Ok(Statement::While {
                condition,
                body,
                first_body: true,
            });
        }
        if self.take_name("for") {
            return self.for_statement();
        }
        let statement = self.simple()?;
        self.end_of_statement()?;
        Ok(statement)
    }

    fn for_statement(&mut self) -> Parsed<Statement> {
        self.need("(")?;
        if let (Some(Token::Name(name)), Some(Token::Name(word)), Some(Token::Name(array)), Some(Token::Op(")"))) = (
            self.tokens.get(self.at),
            self.tokens.get(self.at + 1),
            self.tokens.get(self.at + 2),
            self.tokens.get(self.at + 3),
        ) && word == "in"
        {
            let (name, array) = (Arc::from(name.as_str()), Arc::from(array.as_str()));
            self.at += 4;
            return Ok(Statement::ForIn {
                name,
                array,
                body: self.body()?,
            });
        }
        let start = if self.is(";") { Vec::new() } else { vec![self.simple()?] };
        self.need(";")?;
        self.skip_newlines();
        let condition = if self.is(";") { None } else { Some(self.expr()?) };
        self.need(";")?;
        self.skip_newlines();
        let step = if self.is(")") { Vec::new() } else { vec![self.simple()?] };
        self.need(")")?;
        Ok(Statement::For {
            start,
            condition,
            step,
            body: self.body()?,
        })
    }

    fn simple(&mut self) -> Parsed<Statement> {
        if self.take_name("next") {
            return Ok(Statement::Next);
        }
        if self.take_name("nextfile") {
            return Ok(Statement::NextFile);
        }
        if self.take_name("break") {
            return Ok(Statement::Break);
        }
        if self.take_name("continue") {
            return Ok(Statement::Continue);
        }
        if self.take_name("exit") {
            return Ok(Statement::Exit(if self.ends_statement() {
                None
            } else {
                Some(self.expr()?)
            }));
        }
        if self.take_name("return") {
            return Ok(Statement::Return(if self.ends_statement() {
                None
            } else {
                Some(self.expr()?)
            }));
        }
        if self.take_name("delete") {
            let Token::Name(array) = self.bump() else {
                return Err("'delete' needs an array".to_owned());
            };
            let mut keys = None;
            if self.take("[") {
                keys = Some(self.list("]")?);
            }
            return Ok(Statement::Delete(array.into(), keys));
        }
        let formatted = self.is_name("printf");
        if formatted || self.is_name("print") {
            self.at += 1;
            let outer = std::mem::replace(&mut self.no_greater, true);
            let items = self.print_items();
            self.no_greater = outer;
            let items = items?;
            let mut to = None;
            for (operator, output) in [(">>", Output::Append), (">", Output::Write), ("|", Output::Command)] {
                if self.take(operator) {
                    self.waits |= output == Output::Command;
                    to = Some((output, self.target()?));
                    break;
                }
            }
            return Ok(Statement::Print { items, to, formatted });
        }
        Ok(Statement::Expr(self.expr()?))
    }

    fn print_items(&mut self) -> Parsed<Vec<Expr>> {
        if self.ends_statement() || self.is(">") || self.is(">>") || self.is("|") {
            return Ok(Vec::new());
        }
        // `print (a, b)`: parentheses around all of it.
        if self.is("(") {
            let mark = self.at;
            self.at += 1;
            let outer = std::mem::replace(&mut self.no_greater, false);
            let list = self.list(")");
            self.no_greater = outer;
            if let Ok(list) = list
                && (self.ends_statement() || self.is(">") || self.is(">>") || self.is("|"))
            {
                return Ok(list);
            }
            self.at = mark;
        }
        let mut items = vec![self.expr()?];
        while self.take(",") {
            self.skip_newlines();
            items.push(self.expr()?);
        }
        Ok(items)
    }

    /// Expressions up to a closing bracket, which is taken.
    fn list(&mut self, close: &str) -> Parsed<Vec<Expr>> {
        let mut items = Vec::new();
        self.skip_newlines();
        while !self.take(close) {
            items.push(self.expr()?);
            self.skip_newlines();
            if !self.take(",") && !self.is(close) {
                return Err(format!("unexpected token, '{close}' expected"));
            }
            self.skip_newlines();
        }
        Ok(items)
    }

    fn expr(&mut self) -> Parsed<Expr> {
        self.nested(Self::ternary)
    }

    fn ternary(&mut self) -> Parsed<Expr> {
        let condition = self.or()?;
        if self.take("?") {
            self.skip_newlines();
            let yes = self.expr()?;
            self.skip_newlines();
            self.need(":")?;
            self.skip_newlines();
            let no = self.expr()?;
            return Ok(Expr::If(Box::new(condition), Box::new(yes), Box::new(no)));
        }
        let assignments = [
            ("=", Assign::Set),
            ("+=", Assign::With(Binary::Add)),
            ("-=", Assign::With(Binary::Subtract)),
            ("*=", Assign::With(Binary::Multiply)),
            ("/=", Assign::With(Binary::Divide)),
            ("%=", Assign::With(Binary::Remainder)),
            ("^=", Assign::With(Binary::Power)),
            ("**=", Assign::With(Binary::Power)),
        ];
        for (operator, assign) in assignments {
            if self.is(operator) {
                if !matches!(condition, Expr::Variable(_) | Expr::Field(_) | Expr::Index(..)) {
                    return Err("only variables and fields can be assigned".to_owned());
                }
                self.at += 1;
                self.skip_newlines();
                let value = self.expr()?;
                return Ok(Expr::Assign(Box::new(condition), assign, Box::new(value)));
            }
        }
        Ok(condition)
    }

    fn or(&mut self) -> Parsed<Expr> {
        let mut left = self.and()?;
        while self.take("||") {
            self.skip_newlines();
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut left = self.membership()?;
        while self.take("&&") {
            self.skip_newlines();
            left = Expr::And(Box::new(left), Box::new(self.membership()?));
        }
        Ok(left)
    }

    fn membership(&mut self) -> Parsed<Expr> {
        let mut left = self.matching()?;
        while !self.no_in && self.take_name("in") {
            let Token::Name(array) = self.bump() else {
                return Err("'in' needs an array".to_owned());
            };
            left = Expr::In(vec![left], array.into());
        }
        Ok(left)
    }

    fn matching(&mut self) -> Parsed<Expr> {
        let mut left = self.comparison()?;
        loop {
            let negated = self.is("!~");
            if !negated && !self.is("~") {
                return Ok(left);
            }
            self.at += 1;
            left = Expr::Match(Box::new(left), Box::new(self.comparison()?), negated);
        }
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let mut left = self.concat()?;
        while self.is("|") && matches!(self.tokens.get(self.at + 1), Some(Token::Name(name)) if name == "getline") {
            self.at += 2;
            let target = self.getline_target()?;
            left = Expr::Getline(Source::Command(Box::new(left)), target);
        }
        let operators = [
            ("<=", Binary::LessEqual),
            ("<", Binary::Less),
            ("==", Binary::Equal),
            ("!=", Binary::NotEqual),
            (">=", Binary::GreaterEqual),
            (">", Binary::Greater),
        ];
        for (operator, binary) in operators {
            if self.is(operator) && !(operator == ">" && self.no_greater) {
                self.at += 1;
                return Ok(Expr::Binary(binary, Box::new(left), Box::new(self.concat()?)));
            }
        }
        Ok(left)
    }

    /// What `print` goes to: comparisons mean something else here.
    fn target(&mut self) -> Parsed<Expr> {
        let target = self.concat()?;
        if !self.take("?") {
            return Ok(target);
        }
        let yes = self.expr()?;
        self.need(":")?;
        let no = self.expr()?;
        Ok(Expr::If(Box::new(target), Box::new(yes), Box::new(no)))
    }

    /// What `getline` sets, when something is named.
    fn getline_target(&mut self) -> Parsed<Option<Box<Expr>>> {
        self.waits = true;
        let named = match self.peek() {
            Token::Name(name) => !KEYWORDS.contains(&name.as_str()),
            Token::Op(operator) => *operator == "$",
            _ => false,
        };
        Ok(if named {
            Some(Box::new(self.nested(Self::primary)?))
        } else {
            None
        })
    }

    fn concat(&mut self) -> Parsed<Expr> {
        let mut left = self.sum()?;
        loop {
            let starts = match self.peek() {
                Token::Number(_) | Token::Text(_) | Token::Call(_) | Token::Regex(_) => true,
                Token::Name(name) => name == "getline" || !KEYWORDS.contains(&name.as_str()),
                Token::Op(operator) => matches!(*operator, "$" | "!" | "(" | "-" | "+" | "++" | "--"),
                _ => false,
            };
            if !starts || self.is("+") || self.is("-") {
                return Ok(left);
            }
            left = Expr::Concat(Box::new(left), Box::new(self.sum()?));
        }
    }

    fn sum(&mut self) -> Parsed<Expr> {
        let mut left = self.product()?;
        loop {
            let binary = if self.is("+") {
                Binary::Add
            } else if self.is("-") {
                Binary::Subtract
            } else {
                return Ok(left);
            };
            self.at += 1;
            left = Expr::Binary(binary, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Parsed<Expr> {
        let mut left = self.unary()?;
        loop {
            let binary = if self.is("*") {
                Binary::Multiply
            } else if self.is("/") {
                Binary::Divide
            } else if self.is("%") {
                Binary::Remainder
            } else {
                return Ok(left);
            };
            self.at += 1;
            left = Expr::Binary(binary, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        if self.take("!") {
            return Ok(Expr::Not(Box::new(self.nested(Self::unary)?)));
        }
        if self.take("-") {
            return Ok(Expr::Negate(Box::new(self.nested(Self::unary)?)));
        }
        if self.take("+") {
            return Ok(Expr::Plus(Box::new(self.nested(Self::unary)?)));
        }
        let base = self.postfix()?;
        if self.take("^") || self.take("**") {
            let exponent = self.nested(Self::unary)?;
            return Ok(Expr::Binary(Binary::Power, Box::new(base), Box::new(exponent)));
        }
        Ok(base)
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        for (operator, by) in [("++", 1.0), ("--", -1.0)] {
            if self.take(operator) {
                let target = self.nested(Self::primary)?;
                return Ok(Expr::Step {
                    target: Box::new(target),
                    by,
                    before: true,
                });
            }
        }
        let target = self.nested(Self::primary)?;
        if matches!(target, Expr::Variable(_) | Expr::Field(_) | Expr::Index(..)) {
            for (operator, by) in [("++", 1.0), ("--", -1.0)] {
                if self.take(operator) {
                    return Ok(Expr::Step {
                        target: Box::new(target),
                        by,
                        before: false,
                    });
                }
            }
        }
        Ok(target)
    }

    fn primary(&mut self) -> Parsed<Expr> {
        match self.bump() {
            Token::Number(number) => Ok(Expr::Number(number)),
            Token::Text(text) => Ok(Expr::Text(text.into())),
            Token::Regex(text) => Ok(Expr::Regex(text.into())),
            Token::Op("$") => {
                let index = if self.is("++") || self.is("--") {
                    self.postfix()?
                } else if self.take("-") {
                    Expr::Negate(Box::new(self.nested(Self::primary)?))
                } else {
                    self.nested(Self::primary)?
                };
                Ok(Expr::Field(Box::new(index)))
            }
            Token::Op("(") => {
                let outer = (
                    std::mem::replace(&mut self.no_in, false),
                    std::mem::replace(&mut self.no_greater, false),
                );
                let mut items = self.list(")")?;
                (self.no_in, self.no_greater) = outer;
                if items.len() > 1 {
                    if !self.take_name("in") {
                        return Err("unexpected token, 'in' expected".to_owned());
                    }
                    let Token::Name(array) = self.bump() else {
                        return Err("'in' needs an array".to_owned());
                    };
                    return Ok(Expr::In(items, array.into()));
                }
                // A group keeps a regular expression or an assignment apart from what stands around it.
                items.pop().ok_or_else(|| "empty parentheses".to_owned())
            }
            Token::Call(name) => {
                self.need("(")?;
                let outer = (
                    std::mem::replace(&mut self.no_in, false),
                    std::mem::replace(&mut self.no_greater, false),
                );
                let arguments = self.list(")")?;
                (self.no_in, self.no_greater) = outer;
                self.waits |= matches!(name.as_str(), "system" | "close" | "fflush");
                Ok(Expr::Call(name, arguments))
            }
            Token::Name(name) if name == "length" => Ok(Expr::Call(name, Vec::new())),
            Token::Name(name) if name == "getline" => {
                let target = self.getline_target()?;
                if !self.take("<") {
                    return Ok(Expr::Getline(Source::Main, target));
                }
                let file = self.nested(Self::primary)?;
                Ok(Expr::Getline(Source::File(Box::new(file)), target))
            }
            Token::Name(name) if KEYWORDS.contains(&name.as_str()) => Err(format!("unexpected '{name}'")),
            Token::Name(name) => {
                if self.take("[") {
                    return Ok(Expr::Index(name.into(), self.list("]")?));
                }
                Ok(Expr::Variable(name.into()))
            }
            token => Err(format!("unexpected token {}", describe(&token))),
        }
    }
}

fn describe(token: &Token) -> String {
    match token {
        Token::Op(operator) => format!("'{operator}'"),
        Token::Newline => "newline".to_owned(),
        Token::End => "end".to_owned(),
        other => format!("{other:?}"),
    }
}
