//! The layout of a description: two blanks a level, keys and values in columns that end where the block ends.

/// Collects lines whose cells are divided by tabs and lays them out like Go's `text/tabwriter` with a padding of two
/// blanks: a column reaches over the lines that follow one another and have it.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    text: String,
}

impl Writer {
    /// Appends a line at a level; cells are divided by tabs.
    pub(crate) fn line(&mut self, level: usize, text: impl AsRef<str>) {
        self.text.extend(std::iter::repeat_n("  ", level));
        self.text.push_str(text.as_ref());
        self.text.push('\n');
    }

    /// The laid out text.
    pub(crate) fn finish(self) -> String {
        let lines: Vec<Vec<&str>> = self.text.split('\n').map(|line| line.split('\t').collect()).collect();
        let mut widths: Vec<Vec<usize>> = lines
            .iter()
            .map(|cells| vec![0; cells.len().saturating_sub(1)])
            .collect();
        for column in 0..lines.iter().map(Vec::len).max().unwrap_or(0) {
            let mut start = 0;
            while start < lines.len() {
                if lines[start].len() <= column + 1 {
                    start += 1;
                    continue;
                }
                let end = lines[start..]
                    .iter()
                    .position(|cells| cells.len() <= column + 1)
                    .map_or(lines.len(), |length| start + length);
                let width = lines[start..end]
                    .iter()
                    .map(|cells| cells[column].chars().count())
                    .max()
                    .unwrap_or(0)
                    + 2;
                // A column of nothing but empty cells still takes its padding.
                for row in &mut widths[start..end] {
                    row[column] = width;
                }
                start = end;
            }
        }
        let mut out = String::new();
        for (index, (cells, widths)) in lines.iter().zip(&widths).enumerate() {
            if index > 0 {
                out.push('\n');
            }
            for (column, cell) in cells.iter().enumerate() {
                out.push_str(cell);
                if let Some(width) = widths.get(column) {
                    out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
                }
            }
        }
        out
    }
}
