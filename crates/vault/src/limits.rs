//! Every limit of this crate. A note that goes beyond one keeps its text and gets a [`Diagnostic`](crate::Diagnostic)
//! which names the limit; nothing is cut silently.

/// Largest note that is read as Markdown, in bytes (8 MiB). A larger one is shown as its first lines, as source.
pub const NOTE_BYTES: usize = 8 * 1024 * 1024;

/// How much of a note above [`NOTE_BYTES`] is shown as source, in bytes.
pub const OVERSIZE_PREVIEW_BYTES: usize = 16 * 1024;

/// Deepest nesting of quotes, lists, callouts and emphasis. What is deeper is shown as source.
pub const NESTING: usize = 100;

/// Most links and embeds of one note; later ones are shown as text.
pub const LINKS: usize = 50_000;

/// Largest piece of raw HTML that is shown as HTML, in bytes.
pub const HTML_BYTES: usize = 64 * 1024;

/// Most tags in one piece of raw HTML; a piece beyond either limit is shown as source.
pub const HTML_TAGS: usize = 1_000;

/// How deep embeds of notes in notes are followed.
pub const EMBED_DEPTH: usize = 8;

/// Most notes that are embedded into one page, all levels together.
pub const EMBEDS_PER_PAGE: usize = 200;

/// A page that is longer than this embeds no more notes, in bytes.
pub const EMBEDDING_PAGE_BYTES: usize = 16 * 1024 * 1024;

/// Longest code block that is highlighted, in bytes; a longer one is shown plain.
pub const HIGHLIGHT_BYTES: usize = 64 * 1024;

/// Longest code block in another language than YAML or a console that is highlighted, in bytes.
pub const HIGHLIGHT_OTHER_BYTES: usize = 16 * 1024;

/// Longest line of such a block, in bytes.
pub const HIGHLIGHT_LINE_BYTES: usize = 1024;

/// How many highlighted code blocks are kept for the next rendering.
pub const HIGHLIGHT_CACHE: usize = 512;

/// Longest formula that is drawn, in bytes; a longer one is shown as TeX.
pub const FORMULA_BYTES: usize = 4 * 1024;

/// Most commands (`\frac` …) of a formula that is drawn.
pub const FORMULA_COMMANDS: usize = 500;

/// Deepest nesting of a formula that is drawn.
pub const FORMULA_DEPTH: usize = 64;

/// Most notes of a local graph; the nearest ones are kept.
pub const GRAPH_NODES: usize = 1_000;

/// About how much of a note a preview shows, in bytes of its source.
pub const EXCERPT_BYTES: usize = 2_400;

/// Most cards, and most arrows, of a canvas that is drawn.
pub const CANVAS_CARDS: usize = 5_000;
