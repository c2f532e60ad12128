//! What both programs know: the trait, and the error of its methods.

/// Why a store did not do it.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum StoreError {
    /// It holds as many as it may.
    Full,
    /// It could not be asked.
    Unreachable(String),
}

impl From<oad::Error> for StoreError {
    fn from(error: oad::Error) -> Self {
        StoreError::Unreachable(error.to_string())
    }
}

/// Keeps texts by key.
#[oad::object(pub)]
pub trait Store: Send + Sync {
    /// The text under a key.
    ///
    /// # Errors
    ///
    /// If it cannot be asked.
    fn get(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Puts a text under a key.
    ///
    /// # Errors
    ///
    /// If it is full, or cannot be asked.
    #[oad(error)]
    async fn put(&mut self, key: String, value: String) -> Result<(), StoreError>;

    /// How many texts it holds.
    fn len(&self) -> usize;

    /// Whether it holds none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
