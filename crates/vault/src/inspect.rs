//! Everything that is in a note, as JSON: what `peapod vault inspect` prints.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::note::{EmbedKind, Link, LinkSyntax, Note};
use crate::place::Place;
use crate::text::fold;
use crate::vault::{FileRef, Vault};

/// The facts of a note of a vault.
///
/// Lists are in the order of the text. Each thing has `line` and `column` (from 1) and `bytes` (`[start, end)` of the file).
/// `links` holds embeds and links in comments too; their `resolved` is a path in the vault, or null.
pub fn facts(vault: &Vault, file: &FileRef) -> Option<Value> {
    let note = vault.note(file)?;
    let mut links: Vec<&Link> = note.links.iter().chain(&note.comment_links).collect();
    links.sort_by_key(|link| link.place);
    let properties = &note.properties;
    let kinds = properties
        .values
        .keys()
        .map(|name| (name.clone(), json!(properties.kind(name))));
    let property_links = properties.links.iter().map(|link| {
        let mut value = json!({"key": link.key, "target": link.target, "alias": link.alias});
        insert(
            &mut value,
            "resolved",
            json!(vault.resolve(file, &link.target).map(|found| found.file.path)),
        );
        value
    });
    let mut known = HashSet::new();
    let tag_set: Vec<&str> = note
        .tags
        .iter()
        .filter(|tag| known.insert(fold(&tag.name)))
        .map(|tag| tag.name.as_str())
        .collect();
    Some(json!({
        "path": note.path,
        "title": note.title,
        "links": links.into_iter().map(|link| link_facts(vault, file, note, link)).collect::<Vec<_>>(),
        "external": list(&note.external, |link| link.place),
        "images": list(&note.images, |image| image.place),
        "tags": list(&note.tags, |tag| tag.place),
        "tag_set": tag_set,
        "properties": properties.values,
        "properties_error": properties.broken,
        "property_types": kinds.collect::<Map<_, _>>(),
        "property_links": property_links.collect::<Vec<_>>(),
        "aliases": note.aliases,
        "cssclasses": note.css_classes,
        "legacy_properties": properties.legacy,
        "callouts": list(&note.callouts, |callout| callout.place),
        "headings": headings(note),
        "blocks": list(&note.blocks, |block| block.place),
        "tasks": list(&note.tasks, |task| task.place),
        "highlights": note.highlights.iter().map(|highlight| &highlight.text).collect::<Vec<_>>(),
        "comments": list(&note.comments, |comment| comment.place),
        "math": list(&note.math, |math| math.place),
        "footnotes": list(&note.footnotes, |footnote| footnote.place),
        "code": code(note),
        "cells": cells(note),
        "diagnostics": list(&note.diagnostics, |diagnostic| diagnostic.place),
        "counts": {"bytes": note.text.len(), "lines": note.text.lines().count()},
    }))
}

fn insert(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(map) = object {
        map.insert(key.to_owned(), value);
    }
}

/// Things as objects, their place as `line`, `column` and `bytes`.
fn list<T: serde::Serialize>(things: &[T], place: impl Fn(&T) -> Place) -> Vec<Value> {
    let object = |thing: &T| {
        let mut value = serde_json::to_value(thing).unwrap_or_default();
        if let Value::Object(map) = &mut value {
            map.remove("place");
            map.remove("block");
        }
        set_place(&mut value, place(thing));
        value
    };
    things.iter().map(object).collect()
}

fn set_place(value: &mut Value, place: Place) {
    insert(value, "line", json!(place.line));
    insert(value, "column", json!(place.column));
    insert(value, "bytes", json!([place.start, place.end]));
}

fn link_facts(vault: &Vault, file: &FileRef, note: &Note, link: &Link) -> Value {
    let resolved = vault.resolve(file, &link.target);
    let target_note = resolved.as_ref().and_then(|found| vault.note(&found.file));
    let spot = link
        .subpath
        .as_ref()
        .zip(target_note)
        .and_then(|(subpath, note)| Vault::spot(note, subpath));
    let mut value = json!({
        "kind": match link.syntax { LinkSyntax::Wiki => "wiki", LinkSyntax::Markdown => "md" },
        "embed": link.embed,
        "target": link.target,
        "heading": link.heading(),
        "block": link.block(),
        "alias": link.alias,
        "display": link.display,
        "raw": note.text.get(link.place.range()),
        "resolved": resolved.as_ref().map(|found| &found.file.path),
        "layer": resolved.as_ref().map(|found| found.file.layer),
        "via": resolved.as_ref().map(|found| found.via),
    });
    set_place(&mut value, link.place);
    if link.subpath.is_some() {
        insert(&mut value, "target_line", json!(spot.map(|spot| spot.line)));
    }
    if link.in_comment {
        insert(&mut value, "in_comment", json!(true));
    }
    if link.embed {
        let kind = resolved
            .as_ref()
            .map_or_else(|| link.embed_kind, |found| Some(EmbedKind::of_path(&found.file.path)));
        insert(&mut value, "kind_of", json!(kind));
        insert(&mut value, "width", json!(link.width));
        insert(&mut value, "height", json!(link.height));
        insert(&mut value, "alt", json!(link.alt));
        insert(
            &mut value,
            "cycle",
            json!(resolved.is_some_and(|found| found.file == *file)),
        );
        for (key, option) in [("page", "page"), ("pdf_height", "height")] {
            if let Some(number) = link.pdf_option(option) {
                insert(&mut value, key, json!(number));
            }
        }
    }
    value
}

fn headings(note: &Note) -> Vec<Value> {
    let headings = note.headings.iter().map(|heading| {
        let parent = heading
            .parent
            .and_then(|parent| note.headings.get(parent))
            .map(|parent| &parent.text);
        let mut value = json!({
            "level": heading.level,
            "text": heading.text,
            "raw": heading.raw,
            "anchor": heading.anchor,
            "parent": parent,
        });
        set_place(&mut value, heading.place);
        value
    });
    headings.collect()
}

fn code(note: &Note) -> Vec<Value> {
    let mut list = list(&note.code, |code| code.place);
    for (value, code) in list.iter_mut().zip(&note.code) {
        let lines: Vec<[usize; 2]> = code.lines.iter().map(|line| [line.start, line.end]).collect();
        insert(value, "line_bytes", json!(lines));
    }
    list
}

fn cells(note: &Note) -> Vec<Value> {
    let mut list = list(&note.cells, |cell| cell.place);
    for (value, cell) in list.iter_mut().zip(&note.cells) {
        insert(value, "content", json!([cell.content.start, cell.content.end]));
    }
    list
}
