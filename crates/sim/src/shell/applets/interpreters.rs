//! Programs of images that do one small thing: `hello-world`, and what tutorials let `perl` do.

use std::sync::Arc;

use super::waiters::Waiter;
use super::{Applet, run};
use crate::runtime::syscalls::{Ctx, Step};
use crate::time::SimDuration;

/// Digits of pi that are computed at most.
const MAX_DIGITS: usize = 20_000;

/// What perl's arbitrary numbers take for pi: two microseconds for each pair of digits, about what they take in reality.
const NANOS_PER_PAIR: u64 = 2_000;

const HELLO: &str =
    "\nHello from Docker!\nThis message shows that your installation appears to be working correctly.\n\n";

/// Starts one of these programs.
pub(super) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    Some(match name {
        "hello-world" => {
            ctx.print(HELLO);
            Step::Exit(0)
        }
        "perl" => perl(arguments, ctx),
        _ => return None,
    })
}

/// What a perl script of one line does.
#[derive(Debug, Default, PartialEq)]
struct Script {
    text: String,
    code: i32,
    takes: u64,
}

fn perl(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Step {
    let (mut code, mut newline, mut bignum) = (None, false, false);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match &**argument {
            "-v" | "--version" => {
                ctx.print("This is perl 5, version 34, subversion 0 (v5.34.0)\n");
                return Step::Exit(0);
            }
            module if module.starts_with("-M") => bignum |= module.contains("bpi"),
            flags if flags.starts_with('-') => {
                newline |= flags.contains('l');
                if flags.ends_with(['e', 'E']) {
                    code = rest.next();
                }
            }
            _ => {}
        }
    }
    let script = match code {
        None if arguments.is_empty() => Some(Script::default()),
        None => None,
        Some(code) => read(code, newline, bignum),
    };
    match script {
        Some(script) => run(Applet::Waiter(Waiter::Later {
            until: ctx.now() + SimDuration(script.takes),
            text: script.text.into(),
            code: script.code,
        })),
        None => {
            ctx.notice("not simulated: what perl runs; it is assumed to run until it is stopped");
            super::server::idle(ctx)
        }
    }
}

/// Reads statements that are known: `print`, `say`, `sleep`, `exit`, with texts, numbers and `bpi(n)`.
fn read(code: &str, newline: bool, bignum: bool) -> Option<Script> {
    let mut script = Script::default();
    for statement in statements(code)? {
        let (verb, _) = statement
            .split_once(|c: char| c.is_whitespace() || c == '(')
            .unwrap_or((statement, ""));
        let operand = statement[verb.len()..].trim();
        let operand = operand
            .strip_prefix('(')
            .and_then(|inner| inner.strip_suffix(')'))
            .unwrap_or(operand)
            .trim();
        match verb {
            "" => {}
            "print" | "say" => {
                for item in items(operand)? {
                    script.text.push_str(&value(item.trim(), bignum, &mut script.takes)?);
                }
                if newline || verb == "say" {
                    script.text.push('\n');
                }
            }
            "sleep" => {
                script.takes += operand
                    .parse::<u32>()
                    .ok()
                    .map(|seconds| u64::from(seconds) * 1_000_000_000)?
            }
            "exit" => {
                script.code = if operand.is_empty() {
                    0
                } else {
                    operand.parse::<u8>().ok()?.into()
                };
                return Some(script);
            }
            _ => return None,
        }
    }
    Some(script)
}

/// Parts of a text that a separator outside of quotes and parentheses divides.
fn divided<'a>(text: &'a str, separators: &[char]) -> Option<Vec<&'a str>> {
    let (mut parts, mut start, mut quote, mut depth, mut escaped) = (Vec::new(), 0, None, 0, false);
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, c) {
            (Some(_), '\\') => escaped = true,
            (Some(own), c) if c == own => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, c) if depth == 0 && separators.contains(&c) => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (quote.is_none() && depth == 0).then_some(parts)
}

fn statements(code: &str) -> Option<Vec<&str>> {
    divided(code, &[';']).map(|parts| parts.into_iter().map(str::trim).collect())
}

fn items(operand: &str) -> Option<Vec<&str>> {
    divided(operand, &[',', '.'])
}

fn value(item: &str, bignum: bool, takes: &mut u64) -> Option<String> {
    if let Some(digits) = item
        .strip_prefix("bpi(")
        .and_then(|rest| rest.strip_suffix(')'))
        .filter(|_| bignum)
    {
        let digits = digits
            .trim()
            .parse::<usize>()
            .ok()
            .filter(|digits| (1..=MAX_DIGITS).contains(digits))?;
        *takes += (digits * digits) as u64 * NANOS_PER_PAIR;
        return Some(pi(digits));
    }
    if item.parse::<u64>().is_ok() {
        return Some(item.to_owned());
    }
    let inner = |quote: char| item.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    if let Some(text) = inner('\'') {
        return (!text.contains('\\')).then(|| text.to_owned());
    }
    let text = inner('"')?;
    if text.contains(['$', '@']) {
        return None;
    }
    Some(text.replace("\\n", "\n").replace("\\t", "\t").replace("\\\"", "\""))
}

/// Pi to so many digits, rounded: 16 arctan(1/5) - 4 arctan(1/239) in groups of nine decimals.
fn pi(digits: usize) -> String {
    const BASE: u64 = 1_000_000_000;
    let groups = digits / 9 + 4;
    let divide = |number: &mut [u64], divisor: u64| {
        let mut rest = 0;
        for group in number.iter_mut() {
            let value = rest * BASE + *group;
            *group = value / divisor;
            rest = value % divisor;
        }
    };
    let add = |sum: &mut [u64], term: &[u64], minus: bool| {
        let mut carry = 0i64;
        for (group, other) in sum.iter_mut().zip(term).rev() {
            let other = if minus { -(*other as i64) } else { *other as i64 };
            let value = *group as i64 + other + carry;
            carry = value.div_euclid(BASE as i64);
            *group = value.rem_euclid(BASE as i64) as u64;
        }
    };
    let mut sum = vec![0u64; groups];
    for (factor, of, minus) in [(16, 5u64, false), (4, 239, true)] {
        let mut power = vec![0u64; groups];
        power[0] = factor;
        divide(&mut power, of);
        let mut odd = 1;
        let mut negative = minus;
        while power.iter().any(|group| *group > 0) {
            let mut term = power.clone();
            divide(&mut term, odd);
            add(&mut sum, &term, negative);
            divide(&mut power, of * of);
            odd += 2;
            negative = !negative;
        }
    }
    let decimals: String = sum[1..].iter().map(|group| format!("{group:09}")).collect();
    let all = format!("{}{decimals}", sum[0]);
    let mut kept: Vec<u8> = all.bytes().take(digits).collect();
    if all.as_bytes().get(digits).is_some_and(|next| *next >= b'5') {
        for digit in kept.iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                break;
            }
            *digit = b'0';
        }
    }
    let text = String::from_utf8_lossy(&kept).into_owned();
    match text.split_at(1) {
        (whole, "") => whole.to_owned(),
        (whole, decimals) => format!("{whole}.{decimals}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pi_is_right_to_the_last_digit() {
        assert_eq!(pi(1), "3");
        assert_eq!(pi(5), "3.1416");
        assert_eq!(pi(50), "3.1415926535897932384626433832795028841971693993751");
        assert!(pi(1000).ends_with("216420199"), "{}", pi(1000));
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let text = |code: &str| read(code, true, true).map(|script| (script.text, script.code));
        assert_eq!(text("print bpi(5)"), Some(("3.1416\n".to_owned(), 0)));
        assert_eq!(
            text("print \"a\", 'b' . 3; exit 4; print 1"),
            Some(("ab3\n".to_owned(), 4))
        );
        assert_eq!(text("print $x"), None);
        assert_eq!(text("while (1) { print 1 }"), None);
    }
}
