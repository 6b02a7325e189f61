//! A tree of files in memory: a container's root file system, a volume. A clone shares what was not changed.

/// A tree of files.
#[derive(Clone, Debug, Default)]
pub struct Tree {}

impl Tree {
    /// Writes a whole file and the directories on its way.
    pub fn write(&mut self, path: &str, data: &[u8], mode: u32) {
        let _ = (path, data, mode);
    }

    /// A file's content.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        let _ = path;
        None
    }

    /// Bytes that its files take.
    pub fn size(&self) -> u64 {
        0
    }
}
