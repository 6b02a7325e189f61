//! Addresses of pages: stable, readable, and the only place where they are put together.

/// A note's name or path as a part of an address: letters of every script as they are (a browser encodes them on its
/// way), everything that has a meaning in an address encoded.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '/' | '!' | '(' | ')' | ',') {
            out.push(c);
        } else {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}

/// An address for a `Location` header, which takes ASCII only. What is encoded already stays.
pub fn location(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    for c in address.chars() {
        if c.is_ascii_graphic() {
            out.push(c);
        } else {
            let mut buffer = [0; 4];
            c.encode_utf8(&mut buffer)
                .bytes()
                .for_each(|byte| out.push_str(&format!("%{byte:02X}")));
        }
    }
    out
}

/// The page of a note, by its path without `.md`.
pub fn note(path: &str) -> String {
    format!("/n/{}", encode(path.strip_suffix(".md").unwrap_or(path)))
}

/// The page of a heading or block of a note; `anchor` without `#`.
pub fn note_at(path: &str, anchor: &str) -> String {
    if anchor.is_empty() {
        note(path)
    } else {
        format!("{}#{}", note(path), encode(anchor))
    }
}

/// A file of the vault that is not a note.
pub fn file(path: &str) -> String {
    format!("/file/{}", encode(path))
}

/// The notes with a tag.
pub fn tag(tag: &str) -> String {
    format!("/tag/{}", encode(tag))
}

/// The runs of a cell.
pub fn history(note: &str, cell: &str) -> String {
    format!(
        "/history/{}?cell={}",
        encode(note.strip_suffix(".md").unwrap_or(note)),
        encode(cell)
    )
}

/// The page of a run.
pub fn run(id: &str) -> String {
    format!("/r/{}", encode(id))
}

/// The page of a session.
pub fn session(id: i64) -> String {
    format!("/s/{id}")
}

/// The page of a trial; `index` from 0, as it is counted inside; people count from 1.
pub fn trial(run: &str, index: usize) -> String {
    format!("/r/{}/{}", encode(run), index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stay_readable_and_safe() {
        assert_eq!(
            note("파드가 failed 뜨는 상황이란.md"),
            "/n/파드가%20failed%20뜨는%20상황이란"
        );
        assert_eq!(note("a/b?c#d\"<>'&%"), "/n/a/b%3Fc%23d%22%3C%3E%27%26%25");
        assert_eq!(location("/n/가%20나#b"), "/n/%EA%B0%80%20%EB%82%98#b");
        assert_eq!(note_at("파드", "^claim"), "/n/파드#%5Eclaim");
        assert_eq!(trial("k3f", 0), "/r/k3f/1");
        assert_eq!(history("n", "a b"), "/history/n?cell=a%20b");
    }
}
