//! Lists, packed where all items are numbers.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock, OnceLock};

use crate::common::value::Value;

/// A list of values: Python's `list`. Cheap to clone.
///
/// Numbers of one kind are packed: a list of 64 Mi small integers takes 64 MiB.
#[derive(Clone)]
pub struct List(Arc<ListParts>);

struct ListParts {
    packing: Packing,
    /// Present if the items are packed and cannot be borrowed.
    unpacked: Option<Box<dyn UnpackedItems>>,
}

/// Lists in lists are dropped by a loop, because they may be deeper than the stack.
impl Drop for ListParts {
    fn drop(&mut self) {
        if let Packing::Values(values) = &mut self.packing
            && values.iter().any(Value::is_container)
        {
            Value::dismantle(std::mem::take(values));
        }
    }
}

/// The packed items of a list that were asked for by reference.
///
/// A trait, because clippy warns of keys of a `HashMap` whose type shows that it can
/// change inside, although this changes neither equality nor hash.
trait UnpackedItems: Send + Sync {
    /// The chunks, of which each is unpacked when one of its items is asked for first.
    fn chunks(&self) -> &OnceLock<Box<[UnpackedChunk]>>;
}

type UnpackedChunk = OnceLock<Box<[Value]>>;

impl UnpackedItems for OnceLock<Box<[UnpackedChunk]>> {
    fn chunks(&self) -> &OnceLock<Box<[UnpackedChunk]>> {
        self
    }
}

/// How many items are unpacked at once.
const CHUNK_ITEMS: usize = 64;

/// The items of packed octets, for all lists.
static OCTETS: LazyLock<[Value; 256]> =
    LazyLock::new(|| std::array::from_fn(|octet| Value::Int(octet as i64)));

/// How the items of a list are stored.
///
/// The packing of a list is the first that can hold all items, so that lists are equal if
/// their packings are.
#[derive(Clone)]
pub(crate) enum Packing {
    /// Every item is an integer from 0 to 255, and there is at least one.
    Octets(bytes::Bytes),
    /// Every item is an integer that fits 64 bits, and there is at least one.
    Ints(Vec<i64>),
    /// Every item is a float, and there is at least one.
    Floats(Vec<f64>),
    /// Anything else.
    Values(Vec<Value>),
}

/// A list that is being built, and packed as far as its items allow.
#[derive(Debug, Default)]
pub(super) struct ListBuilder(PartialList);

#[derive(Debug, Default)]
enum PartialList {
    #[default]
    Empty,
    Octets(Vec<u8>),
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Values(Vec<Value>),
}

/// The iterator over the items of a [`List`].
#[derive(Debug)]
pub struct IntoIter(ListIter);

#[derive(Debug)]
enum ListIter {
    Octets(bytes::buf::IntoIter<bytes::Bytes>),
    Ints(std::vec::IntoIter<i64>),
    Floats(std::vec::IntoIter<f64>),
    Values(std::vec::IntoIter<Value>),
}

impl List {
    fn new(packing: Packing) -> Self {
        let unpacked: Option<Box<dyn UnpackedItems>> = match packing {
            Packing::Ints(_) | Packing::Floats(_) => Some(Box::new(OnceLock::new())),
            Packing::Octets(_) | Packing::Values(_) => None,
        };
        List(Arc::new(ListParts { packing, unpacked }))
    }

    /// Returns the number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.packing() {
            Packing::Octets(octets) => octets.len(),
            Packing::Ints(ints) => ints.len(),
            Packing::Floats(floats) => floats.len(),
            Packing::Values(values) => values.len(),
        }
    }

    /// Whether it has no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the item at a position.
    ///
    /// To have it by reference, a list of packed numbers unpacks 64 of them at a time and
    /// keeps them; [`iter`](List::iter) does not.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Value> {
        match self.packing() {
            Packing::Values(values) => values.get(index),
            Packing::Octets(octets) => octets.get(index).map(|octet| &OCTETS[usize::from(*octet)]),
            Packing::Ints(_) | Packing::Floats(_) if index < self.len() => {
                let chunks = self.0.unpacked.as_ref()?.chunks().get_or_init(|| {
                    (0..self.len().div_ceil(CHUNK_ITEMS)).map(|_| OnceLock::new()).collect()
                });
                let first = index - index % CHUNK_ITEMS;
                let chunk = chunks[index / CHUNK_ITEMS].get_or_init(|| {
                    (first..self.len().min(first + CHUNK_ITEMS))
                        .filter_map(|index| self.item(index))
                        .collect()
                });
                chunk.get(index - first)
            }
            Packing::Ints(_) | Packing::Floats(_) => None,
        }
    }

    fn item(&self, index: usize) -> Option<Value> {
        match self.packing() {
            Packing::Octets(octets) => octets.get(index).map(|octet| Value::Int(i64::from(*octet))),
            Packing::Ints(ints) => ints.get(index).copied().map(Value::Int),
            Packing::Floats(floats) => floats.get(index).copied().map(Value::Float),
            Packing::Values(values) => values.get(index).cloned(),
        }
    }

    /// Returns the items, one by one.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Value> {
        (0..self.len()).map(|index| self.item(index).expect("the index is below the length"))
    }

    /// The items, which are copied only where that is cheap.
    pub(super) fn cows(&self) -> impl ExactSizeIterator<Item = Cow<'_, Value>> {
        (0..self.len()).map(|index| match self.nested().get(index) {
            Some(value) => Cow::Borrowed(value),
            None => Cow::Owned(self.item(index).expect("the index is below the length")),
        })
    }

    pub(crate) fn packing(&self) -> &Packing {
        &self.0.packing
    }

    pub(crate) fn into_packing(self) -> Packing {
        match Arc::try_unwrap(self.0) {
            Ok(mut parts) => std::mem::take(&mut parts.packing),
            Err(shared) => shared.packing.clone(),
        }
    }

    /// The items, unless others share them.
    pub(super) fn into_unshared(self) -> Option<Packing> {
        Arc::into_inner(self.0).map(|mut parts| std::mem::take(&mut parts.packing))
    }

    pub(crate) fn from_octets(octets: bytes::Bytes) -> Self {
        List::new(match octets.is_empty() {
            true => Packing::Values(Vec::new()),
            false => Packing::Octets(octets),
        })
    }

    pub(crate) fn from_ints(ints: Vec<i64>) -> Self {
        match ints.iter().map(|int| u8::try_from(*int)).collect::<Result<Vec<u8>, _>>() {
            Ok(octets) => List::from_octets(octets.into()),
            Err(_) => List::new(Packing::Ints(ints)),
        }
    }

    pub(crate) fn from_floats(floats: Vec<f64>) -> Self {
        List::new(match floats.is_empty() {
            true => Packing::Values(Vec::new()),
            false => Packing::Floats(floats),
        })
    }

    /// The items that can hold others; empty if the items are packed numbers.
    pub(super) fn nested(&self) -> &[Value] {
        match self.packing() {
            Packing::Values(values) => values,
            _ => &[],
        }
    }
}

impl From<Vec<Value>> for List {
    fn from(values: Vec<Value>) -> Self {
        if values.iter().all(|value| matches!(value, Value::Int(_)))
            || values.iter().all(|value| matches!(value, Value::Float(_)))
        {
            return values.into_iter().collect();
        }
        List::new(Packing::Values(values))
    }
}

impl FromIterator<Value> for List {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        let mut builder = ListBuilder::default();
        values.into_iter().for_each(|value| builder.push(value));
        builder.finish()
    }
}

impl IntoIterator for List {
    type Item = Value;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter(match self.into_packing() {
            Packing::Octets(octets) => ListIter::Octets(octets.into_iter()),
            Packing::Ints(ints) => ListIter::Ints(ints.into_iter()),
            Packing::Floats(floats) => ListIter::Floats(floats.into_iter()),
            Packing::Values(values) => ListIter::Values(values.into_iter()),
        })
    }
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.packing() == other.packing()
    }
}

impl Eq for List {}

impl Hash for List {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.packing().hash(state);
    }
}

// === impl Packing ===

impl Default for Packing {
    fn default() -> Self {
        Packing::Values(Vec::new())
    }
}

impl PartialEq for Packing {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Packing::Octets(a), Packing::Octets(b)) => a == b,
            (Packing::Ints(a), Packing::Ints(b)) => a == b,
            (Packing::Floats(a), Packing::Floats(b)) => bits(a).eq(bits(b)),
            (Packing::Values(a), Packing::Values(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Packing {}

impl Hash for Packing {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Packing::Octets(octets) => octets.hash(state),
            Packing::Ints(ints) => ints.hash(state),
            Packing::Floats(floats) => bits(floats).for_each(|bits| bits.hash(state)),
            Packing::Values(values) => values.hash(state),
        }
    }
}

fn bits(floats: &[f64]) -> impl Iterator<Item = u64> {
    floats.iter().map(|float| float.to_bits())
}

// === impl ListBuilder ===

impl ListBuilder {
    pub(super) fn push(&mut self, value: Value) {
        // Nearly every item of a long list takes this path, which moves nothing.
        match (&mut self.0, &value) {
            (PartialList::Octets(octets), Value::Int(int)) if (0..=255).contains(int) => {
                return octets.push(u8::try_from(*int).expect("it is from 0 to 255"));
            }
            (PartialList::Ints(ints), Value::Int(int)) => return ints.push(*int),
            (PartialList::Floats(floats), Value::Float(float)) => return floats.push(*float),
            (PartialList::Values(values), _) => return values.push(value),
            _ => {}
        }
        let building = std::mem::take(&mut self.0);
        self.0 = match (building, value) {
            (PartialList::Empty, Value::Int(int)) => match u8::try_from(int) {
                Ok(octet) => PartialList::Octets(vec![octet]),
                Err(_) => PartialList::Ints(vec![int]),
            },
            (PartialList::Empty, Value::Float(float)) => PartialList::Floats(vec![float]),
            (PartialList::Octets(octets), Value::Int(int)) => {
                PartialList::Ints(octets.into_iter().map(i64::from).chain([int]).collect())
            }
            (building, value) => {
                let mut values = building.into_values();
                values.push(value);
                PartialList::Values(values)
            }
        };
    }

    pub(super) fn finish(self) -> List {
        List::new(match self.0 {
            PartialList::Empty => Packing::Values(Vec::new()),
            PartialList::Octets(octets) => Packing::Octets(octets.into()),
            PartialList::Ints(ints) => Packing::Ints(ints),
            PartialList::Floats(floats) => Packing::Floats(floats),
            PartialList::Values(values) => Packing::Values(values),
        })
    }
}

impl PartialList {
    fn into_values(self) -> Vec<Value> {
        match self {
            PartialList::Empty => Vec::new(),
            PartialList::Octets(octets) => {
                octets.into_iter().map(|octet| Value::Int(i64::from(octet))).collect()
            }
            PartialList::Ints(ints) => ints.into_iter().map(Value::Int).collect(),
            PartialList::Floats(floats) => floats.into_iter().map(Value::Float).collect(),
            PartialList::Values(values) => values,
        }
    }
}

// === impl IntoIter ===

impl Iterator for IntoIter {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        match &mut self.0 {
            ListIter::Octets(octets) => octets.next().map(|octet| Value::Int(i64::from(octet))),
            ListIter::Ints(ints) => ints.next().map(Value::Int),
            ListIter::Floats(floats) => floats.next().map(Value::Float),
            ListIter::Values(values) => values.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            ListIter::Octets(octets) => octets.size_hint(),
            ListIter::Ints(ints) => ints.size_hint(),
            ListIter::Floats(floats) => floats.size_hint(),
            ListIter::Values(values) => values.size_hint(),
        }
    }
}

impl ExactSizeIterator for IntoIter {}
