//! `expr` and `seq`: applets that reckon.

use std::sync::Arc;

use crate::runtime::syscalls::Ctx;

/// A decimal number with its digits after the point: `seq` counts exactly.
fn decimal(text: &str) -> Option<(i128, u32)> {
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or((1, text.strip_prefix('+').unwrap_or(text)), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + fraction.len() == 0
        || whole.len() > 18
        || fraction.len() > 9
        || !whole.chars().chain(fraction.chars()).all(|c| c.is_ascii_digit())
    {
        return None;
    }
    let value: i128 = format!("0{whole}{fraction}").parse().ok()?;
    Some((sign * value, fraction.len() as u32))
}

/// Lines that `seq` prints at most.
const SEQ_LIMIT: usize = 1_000_000;

pub(super) fn seq(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let mut separator = "\n".to_owned();
    let mut width = false;
    let mut operands: Vec<&str> = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match &**argument {
            "-w" => width = true,
            "-s" => separator = rest.next().map(ToString::to_string).unwrap_or_default(),
            own if own.starts_with("-s") => separator = own[2..].to_owned(),
            operand => operands.push(operand),
        }
    }
    let (first, step, last) = match operands.as_slice() {
        [last] => ("1", "1", *last),
        [first, last] => (*first, "1", *last),
        [first, step, last] => (*first, *step, *last),
        _ => {
            ctx.complain("seq: usage: seq [-w] [-s SEP] [FIRST [INC]] LAST");
            return 1;
        }
    };
    let parsed = [first, step, last].map(decimal);
    let [Some(first), Some(step), Some(last)] = parsed else {
        let bad = operands
            .iter()
            .find(|operand| decimal(operand).is_none())
            .copied()
            .unwrap_or_default();
        ctx.complain(&format!("seq: invalid number '{bad}'"));
        return 1;
    };
    let digits = first.1.max(step.1);
    let scale = digits.max(last.1);
    let at_scale = |(value, own): (i128, u32)| value * 10i128.pow(scale - own);
    let (mut value, step, last) = (at_scale(first), at_scale(step), at_scale(last));
    let show = |value: i128, pad: usize| {
        let unit = 10i128.pow(scale);
        let sign = if value < 0 { "-" } else { "" };
        let (whole, fraction) = (value.abs() / unit, value.abs() % unit);
        let text = if digits == 0 {
            whole.to_string()
        } else {
            format!(
                "{whole}.{:0>1$}",
                fraction / 10i128.pow(scale - digits),
                digits as usize
            )
        };
        format!("{sign}{text:0>width$}", width = pad.saturating_sub(sign.len()))
    };
    let pad = if width {
        show(value, 0).len().max(show(last, 0).len())
    } else {
        0
    };
    let mut text = String::new();
    let mut count = 0;
    while (if step < 0 { value >= last } else { value <= last }) && count < SEQ_LIMIT {
        if count > 0 {
            text.push_str(&separator);
        }
        text.push_str(&show(value, pad));
        count += 1;
        value += step;
        if step == 0 {
            break;
        }
    }
    if count == SEQ_LIMIT {
        ctx.notice("seq is cut off after a million lines");
    }
    if count > 0 {
        text.push('\n');
    }
    ctx.spend(count.min(100_000) as u32);
    ctx.print(&text);
    0
}

pub(super) fn expr(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let words: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    let mut parser = Expr {
        words: &words,
        at: 0,
        depth: 0,
    };
    let value = parser.or().and_then(|value| {
        if parser.at < words.len() {
            Err("syntax error".to_owned())
        } else {
            Ok(value)
        }
    });
    match value {
        Ok(value) => {
            ctx.print(&format!("{value}\n"));
            i32::from(value.is_empty() || value.parse() == Ok(0))
        }
        Err(message) => {
            ctx.complain(&format!("expr: {message}"));
            2
        }
    }
}

struct Expr<'a> {
    words: &'a [&'a str],
    at: usize,
    depth: u32,
}

impl Expr<'_> {
    fn take(&mut self, operators: &[&'static str]) -> Option<&'static str> {
        let word = self.words.get(self.at)?;
        let found = operators.iter().find(|operator| *operator == word).copied();
        if found.is_some() {
            self.at += 1;
        }
        found
    }

    fn or(&mut self) -> Result<String, String> {
        let mut left = self.and()?;
        while self.take(&["|"]).is_some() {
            let right = self.and()?;
            if left.is_empty() || left.parse() == Ok(0) {
                left = if right.is_empty() { "0".to_owned() } else { right };
            }
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<String, String> {
        let mut left = self.comparison()?;
        while self.take(&["&"]).is_some() {
            let right = self.comparison()?;
            let zero = |text: &str| text.is_empty() || text.parse() == Ok(0);
            if zero(&left) || zero(&right) {
                left = "0".to_owned();
            }
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<String, String> {
        let mut left = self.sum()?;
        while let Some(operator) = self.take(&["<", "<=", "=", "==", "!=", ">=", ">"]) {
            let right = self.sum()?;
            let order = match (left.parse::<i64>(), right.parse::<i64>()) {
                (Ok(left), Ok(right)) => left.cmp(&right),
                _ => left.as_str().cmp(right.as_str()),
            };
            let holds = match operator {
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                "!=" => order.is_ne(),
                ">=" => order.is_ge(),
                ">" => order.is_gt(),
                _ => order.is_eq(),
            };
            left = i32::from(holds).to_string();
        }
        Ok(left)
    }

    fn number(text: &str) -> Result<i64, String> {
        text.parse().map_err(|_| "non-numeric argument".to_owned())
    }

    fn sum(&mut self) -> Result<String, String> {
        let mut left = self.product()?;
        while let Some(operator) = self.take(&["+", "-"]) {
            let right = Self::number(&self.product()?)?;
            let own = Self::number(&left)?;
            left = if operator == "+" {
                own.wrapping_add(right)
            } else {
                own.wrapping_sub(right)
            }
            .to_string();
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<String, String> {
        let mut left = self.matching()?;
        while let Some(operator) = self.take(&["*", "/", "%"]) {
            let right = Self::number(&self.matching()?)?;
            let own = Self::number(&left)?;
            if right == 0 && operator != "*" {
                return Err("division by zero".to_owned());
            }
            left = match operator {
                "*" => own.wrapping_mul(right),
                "/" => own.wrapping_div(right),
                _ => own.wrapping_rem(right),
            }
            .to_string();
        }
        Ok(left)
    }

    fn matching(&mut self) -> Result<String, String> {
        let mut left = self.primary()?;
        while self.take(&[":"]).is_some() {
            let right = self.primary()?;
            left = Self::matched(&left, &right)?;
        }
        Ok(left)
    }

    fn matched(text: &str, pattern: &str) -> Result<String, String> {
        let regex = crate::shell::regex::Regex::new(&format!("^{}", pattern.trim_start_matches('^')), false)?;
        let grouped = pattern.contains("\\(");
        let captures = regex.find(text, 0);
        Ok(match captures {
            Some(captures) if grouped => captures
                .get(1)
                .copied()
                .flatten()
                .map(|(from, to)| text[from..to].to_owned())
                .unwrap_or_default(),
            Some(captures) => captures[0]
                .map_or(0, |(from, to)| text[from..to].chars().count())
                .to_string(),
            None if grouped => String::new(),
            None => "0".to_owned(),
        })
    }

    fn primary(&mut self) -> Result<String, String> {
        let Some(&word) = self.words.get(self.at) else {
            return Err("syntax error".to_owned());
        };
        self.at += 1;
        match word {
            "(" => {
                self.depth += 1;
                if self.depth > 60 {
                    return Err("syntax error".to_owned());
                }
                let value = self.or()?;
                self.depth -= 1;
                if self.take(&[")"]).is_none() {
                    return Err("syntax error".to_owned());
                }
                Ok(value)
            }
            "length" if self.at < self.words.len() => Ok(self.operand()?.chars().count().to_string()),
            "match" if self.at + 1 < self.words.len() => {
                let text = self.operand()?;
                let pattern = self.operand()?;
                Self::matched(&text, &pattern)
            }
            "substr" if self.at + 2 < self.words.len() => {
                let text = self.operand()?;
                let from = Self::number(&self.operand()?)?;
                let count = Self::number(&self.operand()?)?;
                if from < 1 || count < 1 {
                    return Ok(String::new());
                }
                Ok(text.chars().skip(from as usize - 1).take(count as usize).collect())
            }
            "index" if self.at + 1 < self.words.len() => {
                let text = self.operand()?;
                let set = self.operand()?;
                Ok(text
                    .chars()
                    .position(|c| set.contains(c))
                    .map_or(0, |at| at + 1)
                    .to_string())
            }
            word => Ok(word.to_owned()),
        }
    }

    fn operand(&mut self) -> Result<String, String> {
        let word = self.words.get(self.at).ok_or("syntax error")?;
        self.at += 1;
        Ok((*word).to_owned())
    }
}
