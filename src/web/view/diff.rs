//! Two texts line by line: what the newer one has instead.

use serde::Serialize;

/// Texts with more lines than this are not compared.
const MAX_LINES: usize = 2_000;
/// Lines that are the same, around those that are not.
const AROUND: usize = 2;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiffLine {
    /// `+`, `-`, ` `, or `…` for lines that are left out.
    pub sign: char,
    /// Its text.
    pub text: String,
}

/// The lines in which two texts differ, with a little around them; nothing when they are the same, or too long.
pub fn lines(old: &str, new: &str) -> Vec<DiffLine> {
    let old: Vec<&str> = old.trim_end().lines().map(str::trim_end).collect();
    let new: Vec<&str> = new.trim_end().lines().map(str::trim_end).collect();
    if old == new || old.len() > MAX_LINES || new.len() > MAX_LINES {
        return Vec::new();
    }
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[head..]
        .iter()
        .rev()
        .zip(new[head..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (a, b) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    // The longest common subsequence of what is between.
    let width = b.len() + 1;
    let mut longest = vec![0_u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * width + j] = if a[i] == b[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let mut all: Vec<DiffLine> = Vec::new();
    let line = |sign: char, text: &str| DiffLine {
        sign,
        text: text.to_owned(),
    };
    all.extend(old[..head].iter().map(|text| line(' ', text)));
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            all.push(line(' ', a[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1]) {
            all.push(line('-', a[i]));
            i += 1;
        } else {
            all.push(line('+', b[j]));
            j += 1;
        }
    }
    all.extend(old[old.len() - tail..].iter().map(|text| line(' ', text)));
    let changed: Vec<usize> = all
        .iter()
        .enumerate()
        .filter(|(_, line)| line.sign != ' ')
        .map(|(index, _)| index)
        .collect();
    let is_near = |index: usize| {
        let after = changed.partition_point(|at| *at < index);
        let near = |at: Option<&usize>| at.is_some_and(|at| at.abs_diff(index) <= AROUND);
        near(changed.get(after)) || near(after.checked_sub(1).and_then(|before| changed.get(before)))
    };
    let mut shown: Vec<DiffLine> = Vec::new();
    for (index, own) in all.into_iter().enumerate() {
        if is_near(index) {
            shown.push(own);
        } else if shown.last().is_some_and(|last| last.sign != '…') {
            shown.push(line('…', ""));
        }
    }
    if shown.last().is_some_and(|last| last.sign == '…') {
        shown.pop();
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(old: &str, new: &str) -> Vec<String> {
        let line = |line: DiffLine| format!("{}{}", line.sign, line.text);
        lines(old, new).into_iter().map(line).collect()
    }

    #[test]
    fn only_what_differs_is_shown() {
        assert!(words("a\nb\n", "a\nb").is_empty());
        assert_eq!(words("a\nb\nc", "a\nB\nc"), [" a", "-b", "+B", " c"]);
        assert_eq!(words("", "x"), ["+x"]);
        assert_eq!(words("x\ny", "y"), ["-x", " y"]);
        let long: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let old = long.join("\n");
        let new = old.replace("\n3\n", "\n3\nnew\n").replace("\n15\n", "\n");
        assert_eq!(
            words(&old, &new),
            [" 2", " 3", "+new", " 4", " 5", "…", " 13", " 14", "-15", " 16", " 17"]
        );
    }
}
