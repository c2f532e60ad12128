//! Sets of values of any kind.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Deserializer};

use crate::common::value::Value;
use crate::common::value::special::{PlainForm, SET, Special};

/// A set: Python's `set` or `frozenset`. Two are equal if they hold the same items, in
/// any order.
///
/// Items that are equal are all kept, because a set in Python may hold two `NaN`s, which
/// are equal here.
///
/// ```
/// use oad::value::{Set, Value};
///
/// let set: Set = [1, 2].into_iter().map(Value::from).collect();
/// assert_eq!(set, Set::from(vec![2.into(), 1.into()]));
/// ```
#[derive(Clone, Default)]
pub struct Set(Vec<Value>);

impl Set {
    /// Returns the items, in the order in which they came.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        &self.0
    }

    /// Returns the same items without a copy.
    #[must_use]
    pub fn into_items(mut self) -> Vec<Value> {
        std::mem::take(&mut self.0)
    }

    /// Returns the number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts how often each item occurs.
    fn counts(&self) -> HashMap<&Value, usize> {
        let mut counts = HashMap::new();
        for item in &self.0 {
            *counts.entry(item).or_default() += 1;
        }
        counts
    }
}

impl From<Vec<Value>> for Set {
    fn from(items: Vec<Value>) -> Self {
        Set(items)
    }
}

impl FromIterator<Value> for Set {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Set(items.into_iter().collect())
    }
}

impl<T: Into<Value>, S: BuildHasher> From<HashSet<T, S>> for Set {
    fn from(items: HashSet<T, S>) -> Self {
        items.into_iter().map(Into::into).collect()
    }
}

impl<T: Into<Value>> From<BTreeSet<T>> for Set {
    fn from(items: BTreeSet<T>) -> Self {
        items.into_iter().map(Into::into).collect()
    }
}

/// Sets in sets are dropped by a loop, because they may be deeper than the stack.
impl Drop for Set {
    fn drop(&mut self) {
        if self.0.iter().any(Value::is_container) {
            Value::dismantle(std::mem::take(&mut self.0));
        }
    }
}

impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        // Different lengths and equal orders are common, and found without hashing.
        self.len() == other.len() && (self.0 == other.0 || self.counts() == other.counts())
    }
}

impl Eq for Set {}

impl Hash for Set {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // A sum is the same in any order.
        let sum = self.0.iter().fold(0u64, |sum, item| {
            let mut hasher = DefaultHasher::new();
            item.hash(&mut hasher);
            sum.wrapping_add(hasher.finish())
        });
        (self.len(), sum).hash(state);
    }
}

impl Special for Set {
    const NAME: &'static str = SET;
    const WHAT: &'static str = "a set";

    fn plain(&self) -> PlainForm<'_> {
        PlainForm::List(&self.0)
    }

    fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Set)
    }
}
