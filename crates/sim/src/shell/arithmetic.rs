//! `$((…))`: 64-bit arithmetic with C's operators.

/// Where variables are read and written.
pub trait Variables {
    /// A variable's value; `None` when it is not set. Some change from one reading to the next (`RANDOM`).
    fn get(&mut self, name: &str) -> Option<String>;
    /// Sets a variable.
    ///
    /// # Errors
    /// When it may not be written.
    fn set(&mut self, name: &str, value: i64) -> Result<(), String>;
}

/// How deep parentheses, operators and variables that hold expressions may nest.
const MAX_DEPTH: u32 = 64;

/// The value of an expression.
///
/// # Errors
/// busybox's words for what is wrong.
pub fn evaluate(text: &str, variables: &mut dyn Variables) -> Result<i64, String> {
    evaluate_nested(text, variables, 0)
}

fn evaluate_nested(text: &str, variables: &mut dyn Variables, depth: u32) -> Result<i64, String> {
    let mut evaluator = Evaluator {
        text: text.as_bytes(),
        at: 0,
        variables,
        depth,
        skip: 0,
    };
    evaluator.blanks();
    if evaluator.at == evaluator.text.len() {
        return Ok(0);
    }
    let value = evaluator.comma()?.value;
    evaluator.blanks();
    if evaluator.at < evaluator.text.len() {
        Err(SYNTAX.to_owned())
    } else {
        Ok(value)
    }
}

const SYNTAX: &str = "arithmetic syntax error";

struct Evaluator<'a> {
    text: &'a [u8],
    at: usize,
    variables: &'a mut dyn Variables,
    depth: u32,
    /// Above zero in the part of `&&`, `||` or `?:` that is not evaluated.
    skip: u32,
}

struct Operand {
    value: i64,
    name: Option<String>,
}

impl From<i64> for Operand {
    fn from(value: i64) -> Self {
        Self { value, name: None }
    }
}

/// Binary operators by how tightly they bind.
const LEVELS: &[&[&str]] = &[
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

const ASSIGNMENTS: &[&str] = &["<<=", ">>=", "*=", "/=", "%=", "+=", "-=", "&=", "^=", "|=", "="];

impl Evaluator<'_> {
    fn blanks(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn starts(&self, operator: &str) -> bool {
        self.text[self.at..].starts_with(operator.as_bytes())
    }

    fn take(&mut self, operator: &str) -> bool {
        self.blanks();
        let taken = self.starts(operator);
        if taken {
            self.at += operator.len();
        }
        taken
    }

    fn comma(&mut self) -> Result<Operand, String> {
        let mut value = self.assignment()?;
        while self.take(",") {
            value = self.assignment()?.value.into();
        }
        Ok(value)
    }

    fn assignment(&mut self) -> Result<Operand, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("expression nests too deep".to_owned());
        }
        let result = self.assignment_inner();
        self.depth -= 1;
        result
    }

    fn assignment_inner(&mut self) -> Result<Operand, String> {
        let left = self.conditional()?;
        self.blanks();
        let operator = ASSIGNMENTS.iter().find(|operator| self.starts(operator)).copied();
        let Some(operator) = operator.filter(|operator| !(*operator == "=" && self.starts("=="))) else {
            return Ok(left);
        };
        let Some(name) = left.name else {
            return Err(SYNTAX.to_owned());
        };
        self.at += operator.len();
        let right = self.assignment()?.value;
        let value = match operator.trim_end_matches('=') {
            "" => right,
            operator => self.apply(operator, left.value, right)?,
        };
        self.store(&name, value)?;
        Ok(value.into())
    }

    fn store(&mut self, name: &str, value: i64) -> Result<(), String> {
        if self.skip > 0 {
            Ok(())
        } else {
            self.variables.set(name, value)
        }
    }

    fn conditional(&mut self) -> Result<Operand, String> {
        let condition = self.binary(0)?;
        if !self.take("?") {
            return Ok(condition);
        }
        self.skip += u32::from(condition.value == 0);
        let yes = self.assignment()?.value;
        self.skip -= u32::from(condition.value == 0);
        if !self.take(":") {
            return Err(SYNTAX.to_owned());
        }
        self.skip += u32::from(condition.value != 0);
        let no = self.assignment()?.value;
        self.skip -= u32::from(condition.value != 0);
        Ok(if condition.value != 0 { yes } else { no }.into())
    }

    fn binary(&mut self, level: usize) -> Result<Operand, String> {
        let Some(operators) = LEVELS.get(level) else {
            return self.power();
        };
        let mut left = self.binary(level + 1)?;
        loop {
            self.blanks();
            let found = operators
                .iter()
                .find(|operator| self.starts(operator) && !self.is_longer(operator));
            let Some(&operator) = found else { return Ok(left) };
            self.at += operator.len();
            left = match operator {
                "&&" | "||" => {
                    let decided = (left.value != 0) == (operator == "||");
                    self.skip += u32::from(decided);
                    let right = self.binary(level + 1)?.value;
                    self.skip -= u32::from(decided);
                    let value = if decided { operator == "||" } else { right != 0 };
                    i64::from(value).into()
                }
                _ => {
                    let right = self.binary(level + 1)?.value;
                    self.apply(operator, left.value, right)?.into()
                }
            };
        }
    }

    /// Whether what stands here is a longer operator than the one that was found.
    fn is_longer(&self, operator: &str) -> bool {
        let next = self.text.get(self.at + operator.len()).copied();
        match operator {
            "|" => matches!(next, Some(b'|' | b'=')),
            "&" => matches!(next, Some(b'&' | b'=')),
            "<" | ">" => next == self.text.get(self.at).copied(),
            "<<" | ">>" | "^" | "+" | "-" | "/" | "%" => next == Some(b'='),
            "*" => matches!(next, Some(b'*' | b'=')),
            _ => false,
        }
    }

    fn apply(&self, operator: &str, left: i64, right: i64) -> Result<i64, String> {
        Ok(match operator {
            "|" => left | right,
            "^" => left ^ right,
            "&" => left & right,
            "==" => i64::from(left == right),
            "!=" => i64::from(left != right),
            "<=" => i64::from(left <= right),
            ">=" => i64::from(left >= right),
            "<" => i64::from(left < right),
            ">" => i64::from(left > right),
            "<<" => left.wrapping_shl(right as u32),
            ">>" => left.wrapping_shr(right as u32),
            "+" => left.wrapping_add(right),
            "-" => left.wrapping_sub(right),
            "*" => left.wrapping_mul(right),
            "/" | "%" if right == 0 => {
                if self.skip > 0 {
                    return Ok(0);
                }
                return Err("divide by zero".to_owned());
            }
            "/" => left.wrapping_div(right),
            _ => left.wrapping_rem(right),
        })
    }

    fn power(&mut self) -> Result<Operand, String> {
        let base = self.unary()?;
        self.blanks();
        if !self.starts("**") || self.starts("**=") {
            return Ok(base);
        }
        self.at += 2;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("expression nests too deep".to_owned());
        }
        let exponent = self.power()?.value;
        self.depth -= 1;
        if exponent < 0 {
            return Err("negative exponent".to_owned());
        }
        Ok(base
            .value
            .wrapping_pow(u32::try_from(exponent).unwrap_or(u32::MAX))
            .into())
    }

    fn unary(&mut self) -> Result<Operand, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("expression nests too deep".to_owned());
        }
        let result = self.unary_inner();
        self.depth -= 1;
        result
    }

    fn unary_inner(&mut self) -> Result<Operand, String> {
        self.blanks();
        for (operator, change) in [("++", 1), ("--", -1)] {
            if self.starts(operator) {
                let start = self.at;
                self.at += 2;
                let operand = self.unary()?;
                if let Some(name) = operand.name {
                    let value = operand.value.wrapping_add(change);
                    self.store(&name, value)?;
                    return Ok(value.into());
                }
                // `--5` is two signs.
                self.at = start;
                break;
            }
        }
        match self.text.get(self.at) {
            Some(b'!') => {
                self.at += 1;
                Ok(i64::from(self.unary()?.value == 0).into())
            }
            Some(b'~') => {
                self.at += 1;
                Ok((!self.unary()?.value).into())
            }
            Some(b'-') => {
                self.at += 1;
                Ok(self.unary()?.value.wrapping_neg().into())
            }
            Some(b'+') => {
                self.at += 1;
                Ok(self.unary()?.value.into())
            }
            _ => self.primary(),
        }
    }

    fn primary(&mut self) -> Result<Operand, String> {
        if self.take("(") {
            let value = self.comma()?.value;
            return if self.take(")") {
                Ok(value.into())
            } else {
                Err(SYNTAX.to_owned())
            };
        }
        let start = self.at;
        while self
            .text
            .get(self.at)
            .is_some_and(|&byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'#')
        {
            self.at += 1;
        }
        let token = String::from_utf8_lossy(&self.text[start..self.at]).into_owned();
        let Some(first) = token.bytes().next() else {
            return Err(SYNTAX.to_owned());
        };
        if first.is_ascii_digit() {
            return Ok(number(&token).ok_or_else(|| SYNTAX.to_owned())?.into());
        }
        if token.contains('#') {
            return Err(SYNTAX.to_owned());
        }
        let value = match self.variables.get(&token) {
            None => 0,
            Some(text) => match number(text.trim()) {
                Some(value) => value,
                None if text.trim().is_empty() => 0,
                None => evaluate_nested(&text, self.variables, self.depth + 8)?,
            },
        };
        let operand = Operand {
            value,
            name: Some(token),
        };
        for (operator, change) in [("++", 1), ("--", -1)] {
            self.blanks();
            if self.starts(operator) {
                let after = self.text.get(self.at + 2).copied();
                // `a++b` is `a + (+b)`.
                if after.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'(') {
                    break;
                }
                self.at += 2;
                if let Some(name) = &operand.name {
                    self.store(name, value.wrapping_add(change))?;
                }
                return Ok(value.into());
            }
        }
        Ok(operand)
    }
}

/// A number as C writes it, or with a sign, or `base#digits`.
pub fn number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        (16, hex)
    } else if let Some((base, digits)) = digits.split_once('#') {
        (base.parse::<u32>().ok().filter(|base| (2..=36).contains(base))?, digits)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, &digits[1..])
    } else {
        (10, digits)
    };
    if digits.is_empty() || digits.starts_with(['+', '-']) {
        return None;
    }
    let value = match u64::from_str_radix(digits, radix) {
        Ok(value) => value as i64,
        Err(_) if digits.chars().all(|digit| digit.is_digit(radix)) => i64::MAX,
        Err(_) => return None,
    };
    Some(if negative { value.wrapping_neg() } else { value })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    impl Variables for BTreeMap<String, String> {
        fn get(&mut self, name: &str) -> Option<String> {
            BTreeMap::get(self, name).cloned()
        }

        fn set(&mut self, name: &str, value: i64) -> Result<(), String> {
            self.insert(name.to_owned(), value.to_string());
            Ok(())
        }
    }

    #[test]
    fn expressions_have_cs_values() {
        let mut variables = BTreeMap::from([("x".to_owned(), "5".to_owned()), ("y".to_owned(), "x+1".to_owned())]);
        for (text, expected) in [
            ("", 0),
            ("1+2*3", 7),
            ("(1+2)*3", 9),
            ("7%3", 1),
            ("-7/2", -3),
            ("1<<4|1", 17),
            ("!0 && ~0", 1),
            ("x", 5),
            ("y*2", 12),
            ("unset+1", 1),
            ("x==5 ? 10 : 20", 10),
            ("0x1f + 010", 39),
            ("a=3, a+=4, a", 7),
            ("a++ + a", 15),
            ("--a", 7),
            ("1 || 1/0", 1),
            ("0 && (z=1)", 0),
            ("z", 0),
            ("2**10", 1024),
            ("3>2", 1),
            ("3>=4", 0),
            ("5 - -3", 8),
            ("9223372036854775807 + 1", i64::MIN),
        ] {
            assert_eq!(evaluate(text, &mut variables), Ok(expected), "{text}");
        }
    }

    #[test]
    fn nonsense_is_an_error() {
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        for text in ["1+", "1 2", "(1", "08", "1/0", "5=3", "a b", "@", "1?2"] {
            assert!(evaluate(text, &mut variables).is_err(), "{text}");
        }
        let deep = "(".repeat(10_000);
        assert!(evaluate(&deep, &mut variables).is_err());
    }
}
