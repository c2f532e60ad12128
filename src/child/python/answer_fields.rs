//! A dict of the agent's, by its keys. What is absent is empty.

use std::collections::HashMap;

use crate::child::python::marshal::Item;
use crate::common::error::Result;

pub(super) struct AnswerFields(HashMap<String, Item>);

impl AnswerFields {
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`](crate::ErrorKind::Protocol) if it is no dict with keys of
    /// text, or something in it is not what it should be; so for all of these.
    pub(super) fn of(item: Item) -> Result<Self> {
        let entries =
            item.into_entries()?.into_iter().map(|(name, item)| Ok((name.into_text()?, item)));
        entries.collect::<Result<_>>().map(AnswerFields)
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Item> {
        self.0.remove(name).filter(|item| !item.is_none())
    }

    /// Text for people, whatever it says.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>> {
        self.take(name).map(Item::into_text).transpose()
    }

    pub(super) fn bool(&mut self, name: &str) -> Result<bool> {
        self.take(name).map_or(Ok(false), |item| item.bool())
    }

    pub(super) fn number<T: TryFrom<i64> + Default>(&mut self, name: &str) -> Result<T> {
        self.take(name).map_or_else(|| Ok(T::default()), |item| item.number())
    }

    pub(super) fn items<T>(
        &mut self,
        name: &str,
        read: impl FnMut(Item) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.take(name)
            .map_or_else(|| Ok(Vec::new()), Item::into_items)?
            .into_iter()
            .map(read)
            .collect()
    }
}
