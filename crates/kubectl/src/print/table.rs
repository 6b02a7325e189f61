//! Text tables, as `kubectl`'s tab writer lays them out: at least six wide, three blanks between columns, none after
//! the last cell.

/// Lays out tables and remembers how wide its columns were, so that later rows (of `get -w`) stand under the earlier ones.
#[derive(Clone, Debug)]
pub struct TableWriter {
    min_width: usize,
    padding: usize,
    widths: Vec<usize>,
}

impl Default for TableWriter {
    /// The layout of `kubectl get`.
    fn default() -> TableWriter {
        TableWriter {
            min_width: 6,
            padding: 3,
            widths: Vec::new(),
        }
    }
}

impl TableWriter {
    /// A writer with another smallest width and padding.
    #[must_use]
    pub fn new(min_width: usize, padding: usize) -> TableWriter {
        TableWriter {
            min_width,
            padding,
            widths: Vec::new(),
        }
    }

    /// Appends rows. Columns only ever get wider.
    pub fn write(&mut self, rows: &[Vec<String>], out: &mut String) {
        for row in rows {
            for (index, cell) in row.iter().enumerate().take(row.len().saturating_sub(1)) {
                let width = (cell.chars().count() + self.padding).max(self.min_width);
                match self.widths.get_mut(index) {
                    Some(known) => *known = width.max(*known),
                    None => self.widths.push(width),
                }
            }
        }
        for row in rows {
            for (index, cell) in row.iter().enumerate() {
                out.push_str(cell);
                if index + 1 < row.len() {
                    let blanks = self.widths[index].saturating_sub(cell.chars().count());
                    out.extend(std::iter::repeat_n(' ', blanks));
                }
            }
            out.push('\n');
        }
    }
}

/// What a cell may show: the first line, with `...` if there are more (`cli-runtime/pkg/printers/tableprinter.go printRows`).
pub(crate) fn one_line(cell: &str) -> String {
    match cell.find(['\u{c}', '\n', '\r']) {
        Some(end) => format!("{}...", &cell[..end]),
        None => cell.to_owned(),
    }
}
