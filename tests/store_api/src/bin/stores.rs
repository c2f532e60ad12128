//! The program that implements the trait: it is started as a daemon, and alone does
//! nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use store_api::{Store, StoreError};

struct MemoryStore {
    texts: BTreeMap<String, String>,
    capacity: usize,
}

#[oad::object]
impl MemoryStore {
    fn new(capacity: usize) -> Self {
        MemoryStore { texts: BTreeMap::new(), capacity }
    }
}

#[oad::object]
impl Store for MemoryStore {
    fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.texts.get(key).cloned())
    }

    async fn put(&mut self, key: String, value: String) -> Result<(), StoreError> {
        if self.texts.len() == self.capacity {
            return Err(StoreError::Full);
        }
        self.texts.insert(key, value);
        Ok(())
    }

    fn len(&self) -> usize {
        self.texts.len()
    }
}

/// A file for each text.
struct FileStore(PathBuf);

#[oad::object]
impl FileStore {
    fn open(directory: PathBuf) -> std::io::Result<Self> {
        fs::create_dir_all(&directory)?;
        Ok(FileStore(directory))
    }
}

#[oad::object]
impl store_api::Store for FileStore {
    fn get(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(fs::read_to_string(self.0.join(key)).ok())
    }

    async fn put(&mut self, key: String, value: String) -> Result<(), StoreError> {
        fs::write(self.0.join(key), value)
            .map_err(|error| StoreError::Unreachable(error.to_string()))
    }

    fn len(&self) -> usize {
        fs::read_dir(&self.0).map_or(0, Iterator::count)
    }
}

fn main() {
    oad::init();
}
