//! Study reports: one document model of a note and its newest results, written as self-contained HTML or as Markdown.

mod templates;
