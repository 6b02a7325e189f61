//! Blocks when they end: paragraphs and their ids, headings, quotes and callouts, items and tasks, code, footnotes.

use std::ops::Range;

use super::super::inline::{self, Context, Token};
use super::super::tree::{Inline, InlineKind, Item, Node, NodeKind};
use super::super::{callout, text};
use super::{Builder, CodeFrame, Frame, FrameKind};
use crate::note::{Block, BlockKind, Callout, CodeBlock, Heading, Math, Task};
use crate::place::Place;

impl Builder<'_> {
    /// Reads the task marker of an item from the source.
    pub(super) fn item(&mut self, range: &Range<usize>) -> FrameKind {
        let none = FrameKind::Item {
            task: None,
            text_from: 0,
            tight: false,
        };
        let source = &self.mapped.text()[range.clone()];
        let after = source.trim_start();
        let after = match after.strip_prefix(['-', '*', '+']) {
            Some(after) => after,
            None => match after
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .strip_prefix(['.', ')'])
            {
                Some(after) => after,
                None => return none,
            },
        };
        let content = after.trim_start_matches([' ', '\t']);
        let start = range.start + (source.len() - content.len());
        let mut chars = content.chars();
        let (Some('['), Some(state), Some(']')) = (chars.next(), chars.next(), chars.next()) else {
            return none;
        };
        if matches!(state, '\n' | '\r') || !chars.next().is_none_or(|c| matches!(c, ' ' | '\t' | '\n' | '\r')) {
            return none;
        }
        let end = start + 2 + state.len_utf8();
        let place = self.found.place(self.mapped.range(start..end));
        self.found.tasks.push(Task {
            state,
            done: state != ' ',
            text: String::new(),
            depth: 0,
            place,
        });
        FrameKind::Item {
            task: Some(self.found.tasks.len() - 1),
            text_from: place.end,
            tight: false,
        }
    }

    pub(super) fn paragraph(&mut self, mut frame: Frame) {
        let in_title = matches!(self.top().kind, FrameKind::Quote(Some(_))) && self.top().nodes.is_empty();
        let first = self.top().nodes.is_empty();
        let item = match self.top().kind {
            FrameKind::Item { text_from, .. } if first => Some(text_from),
            _ => None,
        };
        if let Some(text_from) = item {
            frame.tokens.retain(|token| token.range().start >= text_from);
            let spaces = frame
                .tokens
                .iter()
                .take_while(|token| text_from > 0 && token.is_space())
                .count();
            frame.tokens.drain(..spaces);
        }
        let mut named = None;
        if !in_title {
            named = self.take_block_id(&mut frame.tokens, item.is_some());
        }
        let place = self.block_range(frame.range);
        let inlines = inline::finish(frame.tokens, Context::default(), &mut self.found);
        if let Some((id, id_range)) = named {
            let place_of_id = self.found.place(id_range);
            if inlines.is_empty() && item.is_none() {
                self.name_block_before(id, place_of_id);
                return;
            }
            let kind = if item.is_some() {
                BlockKind::Item
            } else {
                BlockKind::Paragraph
            };
            let index = self.add_block(
                id,
                kind,
                self.plain(&inlines),
                place_of_id,
                self.found.place(place.clone()),
            );
            // An item takes the id over from its text when it is closed.
            let mut node = Node::new(place, NodeKind::Paragraph(inlines));
            node.ids.push(index);
            self.top().nodes.push(node);
            return;
        }
        if inlines.is_empty() && !in_title {
            return;
        }
        self.top().nodes.push(Node::new(place, NodeKind::Paragraph(inlines)));
    }

    /// Takes a block id off the end of a paragraph, or off the first line of an item.
    pub(super) fn take_block_id(&mut self, tokens: &mut Vec<Token>, item: bool) -> Option<(String, Range<usize>)> {
        if let Some((id, range, rest)) = inline::block_id(tokens) {
            // A paragraph that is nothing but an id names what stands before it; without that it is text.
            if rest == 0 && !item && self.top().nodes.is_empty() {
                return None;
            }
            tokens.truncate(rest);
            return Some((id, range));
        }
        if item && let Some(line_end) = tokens.iter().position(Token::is_break) {
            let (id, range, rest) = inline::block_id(&tokens[..line_end])?;
            tokens.drain(rest..line_end);
            return Some((id, range));
        }
        None
    }

    /// The text of inlines, as a fact.
    pub(super) fn plain(&self, inlines: &[Inline]) -> String {
        text::plain(inlines, &self.found)
    }

    pub(super) fn add_block(&mut self, id: String, kind: BlockKind, text: String, place: Place, block: Place) -> usize {
        self.found.blocks.push(Block {
            id,
            kind,
            text,
            place,
            block,
        });
        self.found.blocks.len() - 1
    }

    /// Gives an id that stands alone to the block before it.
    pub(super) fn name_block_before(&mut self, id: String, place: Place) {
        let Some(mut node) = self.top().nodes.pop() else { return };
        let kind = match &node.kind {
            NodeKind::Paragraph(_) => BlockKind::Paragraph,
            NodeKind::Heading(..) => BlockKind::Heading,
            NodeKind::Quote(_) => BlockKind::Quote,
            NodeKind::Callout(..) => BlockKind::Callout,
            NodeKind::List(_) => BlockKind::List,
            NodeKind::Table(_) => BlockKind::Table,
            NodeKind::Code(_) => BlockKind::Code,
            NodeKind::Html(_) | NodeKind::Rule | NodeKind::Math(_) | NodeKind::TooDeep => BlockKind::Other,
        };
        let text = text::plain_of_nodes(std::slice::from_ref(&node), &self.found);
        let block = self.found.place(node.range.clone());
        let index = self.add_block(id, kind, text, place, block);
        node.ids.push(index);
        self.top().nodes.push(node);
    }

    pub(super) fn heading(&mut self, level: u8, mut frame: Frame) {
        let named = match inline::block_id(&frame.tokens) {
            Some((id, range, rest)) if rest > 0 => {
                frame.tokens.truncate(rest);
                Some((id, range))
            }
            _ => None,
        };
        let place = self.block_range(frame.range);
        let source = self.found.text.get(place.clone()).unwrap_or("");
        let raw = raw_heading(source, named.as_ref().map(|(id, _)| id.as_str()));
        let inlines = inline::finish(frame.tokens, Context::default(), &mut self.found);
        let text = self.plain(&inlines).trim().to_owned();
        let index = self.found.headings.len();
        let place_of = self.found.place(place.clone());
        let mut node = Node::new(place, NodeKind::Heading(index, inlines));
        if let Some((id, range)) = named {
            let id_place = self.found.place(range);
            node.ids
                .push(self.add_block(id, BlockKind::Heading, text.clone(), id_place, place_of));
        }
        self.found.headings.push(Heading {
            level,
            text,
            raw,
            anchor: String::new(),
            parent: None,
            place: place_of,
            section_end: 0,
        });
        self.top().nodes.push(node);
    }

    pub(super) fn quote(&mut self, head: Option<usize>, frame: Frame) {
        let range = self.block_range(frame.range);
        let mut nodes = frame.nodes;
        let Some(head) = head.and_then(|head| self.heads.get(head)) else {
            self.top().nodes.push(Node::new(range, NodeKind::Quote(nodes)));
            return;
        };
        let mut title = Vec::new();
        if let Some(Node {
            kind: NodeKind::Paragraph(_),
            ..
        }) = nodes.first()
            && let NodeKind::Paragraph(inlines) = nodes.remove(0).kind
        {
            title = inlines;
        }
        if title.is_empty() {
            title.push(Inline {
                range: head.range.clone(),
                kind: InlineKind::Text(callout::default_title(&head.kind)),
            });
        }
        let depth = 1 + self
            .stack
            .iter()
            .filter(|frame| matches!(frame.kind, FrameKind::Quote(Some(_))))
            .count();
        let kind = head.kind.to_lowercase();
        self.found.callouts.push(Callout {
            canonical: callout::canonical(&kind),
            kind,
            metadata: head.metadata.clone(),
            title: self.plain(&title).trim().to_owned(),
            fold: head.fold,
            depth,
            place: self.found.place(range.clone()),
        });
        let index = self.found.callouts.len() - 1;
        self.top()
            .nodes
            .push(Node::new(range, NodeKind::Callout(index, title, nodes)));
    }

    pub(super) fn end_item(&mut self, task: Option<usize>, tight: bool, range: Range<usize>, mut nodes: Vec<Node>) {
        let place = self.block_range(range);
        let mut ids = Vec::new();
        if let Some(Node {
            kind: NodeKind::Paragraph(inlines),
            ids: own,
            ..
        }) = nodes.first_mut()
        {
            ids.append(own);
            let text = text::plain(inlines, &self.found);
            if let Some(task) = task.and_then(|task| self.found.tasks.get_mut(task)) {
                task.text = text;
            }
        }
        for &id in &ids {
            let block = self.found.place(place.clone());
            if let Some(found) = self.found.blocks.get_mut(id) {
                found.kind = BlockKind::Item;
                found.block = block;
            }
        }
        self.top().items.push(Item {
            range: place,
            task,
            children: nodes,
            tight,
            ids,
        });
    }

    pub(super) fn code(&mut self, code: CodeFrame, range: Range<usize>) {
        let fenced = code.info.is_some();
        let mut place = self.block_range(range);
        if let Some(first) = code.lines.first().filter(|_| !fenced) {
            place.start = first.start;
        }
        let place_of = self.found.place(place.clone());
        if code.info.as_deref().is_some_and(|info| info.chars().eq([self.mark])) {
            self.found.math.push(Math {
                display: true,
                tex: format!("\n{}", code.text),
                place: place_of,
            });
            let index = self.found.math.len() - 1;
            self.top().nodes.push(Node::new(place, NodeKind::Math(index)));
            return;
        }
        self.verbatim.push(place.clone());
        let info = code.info.unwrap_or_default().replace(self.mark, "").trim().to_owned();
        let lang = info
            .split([' ', '\t', '{'])
            .next()
            .filter(|lang| !lang.is_empty())
            .map(str::to_lowercase);
        let first_line = code
            .lines
            .first()
            .map_or(place_of.line + 1, |first| self.found.lines.line(first.start));
        let (text, lines) = (code.text, code.lines);
        self.found.code.push(CodeBlock {
            lang,
            info,
            text,
            first_line,
            lines,
            fenced,
            place: place_of,
        });
        let index = self.found.code.len() - 1;
        self.top().nodes.push(Node::new(place, NodeKind::Code(index)));
    }

    pub(super) fn definition(&mut self, label: &str, range: Range<usize>, mut nodes: Vec<Node>) {
        let place = self.block_range(range);
        if label.contains(char::is_whitespace) {
            // No footnote by Obsidian's rules: text.
            let text = format!("[^{label}]: ");
            let inline = Inline {
                range: place.start..place.start,
                kind: InlineKind::Text(text),
            };
            match nodes.first_mut() {
                Some(Node {
                    kind: NodeKind::Paragraph(inlines),
                    ..
                }) => inlines.insert(0, inline),
                _ => nodes.insert(
                    0,
                    Node::new(place.start..place.start, NodeKind::Paragraph(vec![inline])),
                ),
            }
            self.top().nodes.append(&mut nodes);
            return;
        }
        let index = self.found.footnote(label);
        let place = self.found.place(place);
        if let Some(footnote) = self.found.footnotes.get_mut(index).filter(|footnote| !footnote.defined) {
            (footnote.place, footnote.nodes, footnote.defined) = (place, nodes, true);
        }
    }
}
/// The source of a heading's text: without `#` marks, underline and block id.
fn raw_heading(source: &str, id: Option<&str>) -> String {
    let source = source.trim();
    let mut raw = if source.starts_with('#') {
        let inside = source.trim_start_matches('#').trim();
        let without = inside.trim_end_matches('#');
        if without.is_empty() || without.ends_with([' ', '\t']) {
            without.trim_end()
        } else {
            inside
        }
    } else {
        source.rsplit_once('\n').map_or(source, |(text, _)| text.trim())
    };
    if let Some(id) = id
        && let Some(before) = raw.strip_suffix(id).and_then(|raw| raw.strip_suffix('^'))
    {
        raw = before.trim_end();
    }
    raw.to_owned()
}
