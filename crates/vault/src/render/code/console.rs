//! Consoles: prompt, command, output.

use super::Piece;

/// Lines that begin with `$ ` are commands, and the lines after a trailing backslash go on with them; the rest is output.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut goes_on = false;
    for line in text.split_inclusive('\n') {
        let command = match line.strip_prefix("$ ") {
            Some(command) => {
                pieces.push((Some("hl-prompt"), &line[..2]));
                command
            }
            None if goes_on => line,
            None => {
                pieces.push((Some("hl-output"), line));
                continue;
            }
        };
        goes_on = command.trim_end().ends_with('\\');
        pieces.push((Some("hl-command"), command));
    }
    pieces
}
