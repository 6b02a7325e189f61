//! The built-in library: the notes that the program carries.

use peapod_vault::{FileRef, Layer, Note, Vault};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "notes/"]
#[exclude = ".*"]
#[exclude = "*/.*"]
struct Files;

/// The notes that come with Peapod.
#[derive(Clone, Copy, Debug)]
pub struct Library;

impl Library {
    /// Adds all notes and attachments to a vault, as its lower layer.
    pub(super) fn insert_into(vault: &mut Vault) {
        for path in Files::iter() {
            if !super::load::is_note(&path) {
                vault.insert_attachment(Layer::Library, path.into_owned());
                continue;
            }
            if let Some(bytes) = Self::bytes(&path) {
                vault.insert(
                    Layer::Library,
                    Note::parse(path.into_owned(), String::from_utf8_lossy(&bytes).into_owned()),
                );
            }
        }
    }

    /// A file of the library.
    pub fn bytes(path: &str) -> Option<Vec<u8>> {
        Files::get(path).map(|file| file.data.into_owned())
    }

    /// The paths of its files.
    pub fn files() -> impl Iterator<Item = FileRef> {
        Files::iter().map(|path| FileRef {
            layer: Layer::Library,
            path: path.into_owned(),
        })
    }
}
