//! Bytes that are cheap to clone.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::Deref;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::common::scoped::{Slot, with_slot};

/// Shorter bytes are cheaper to copy than to share.
const MIN_SHARED: usize = 1024;

/// Bytes, cheap to clone: Python's `bytes`. A `Vec<u8>` is a list of integers instead,
/// because serde cannot tell it from other vectors.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(bytes::Bytes);

impl Bytes {
    /// Creates bytes of memory that has an owner, without a copy: a `bytes::Bytes`, a
    /// mapped file, an `Arc<[u8]>`. A `Vec<u8>` is not copied by `From` either.
    #[must_use]
    pub fn from_owner(owner: impl AsRef<[u8]> + Send + 'static) -> Self {
        Bytes(bytes::Bytes::from_owner(owner))
    }

    /// Returns the bytes as a vector. They are copied if they are shared, have another
    /// owner, or were received and are large.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.0.into()
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(bytes.into())
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Bytes(bytes::Bytes::copy_from_slice(bytes))
    }
}

// serde passes on bytes as a slice or as a vector, and so with a copy. Between these
// bytes and the values of this module, the slice is accompanied by what owns it.
thread_local! {
    /// The bytes of the slice that is being passed on.
    static LENT: Slot<bytes::Bytes> = const { RefCell::new(None) };
    /// `Bytes` is being read, by a visitor that looks at `LENT`.
    static IS_ASKED: Cell<bool> = const { Cell::new(false) };
}

impl Bytes {
    /// Passes on a slice of the bytes, of which [`of_slice`](Self::of_slice) makes them
    /// again.
    pub(super) fn lend<T>(&self, pass_on: impl FnOnce(&[u8]) -> T) -> T {
        match self.len() {
            ..MIN_SHARED => pass_on(self),
            _ => with_slot(&LENT, self.0.clone(), || pass_on(self)).0,
        }
    }

    /// The bytes of a slice: those that are lent if it is theirs, or else a copy.
    pub(super) fn of_slice(slice: &[u8]) -> Self {
        let is_same = |lent: &&bytes::Bytes| {
            (lent.as_ptr(), lent.len()) == (slice.as_ptr(), slice.len()) && !slice.is_empty()
        };
        let lent = LENT.with_borrow(|lent| lent.as_ref().filter(is_same).cloned());
        lent.map_or_else(|| slice.into(), Bytes)
    }

    /// Whether `Bytes` is being read; afterwards it is not.
    pub(super) fn take_asked() -> bool {
        IS_ASKED.take()
    }
    pub(crate) fn new(bytes: bytes::Bytes) -> Self {
        Bytes(bytes)
    }

    pub(crate) fn into_inner(self) -> bytes::Bytes {
        self.0
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.lend(|bytes| serializer.serialize_bytes(bytes))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IS_ASKED.set(true);
        let read = deserializer.deserialize_byte_buf(BytesVisitor);
        IS_ASKED.set(false);
        read
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes::of_slice(bytes))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(bytes.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Bytes, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::value::{Array, Value, from_value, to_value};

    fn place(value: &Value) -> *const u8 {
        value.as_bytes().expect("they are bytes").as_ptr()
    }

    #[test]
    fn bytes_are_not_copied_on_their_way() {
        let vector = vec![7; MIN_SHARED];
        let at = vector.as_ptr();
        let value = to_value(&Some(Bytes::from(vector))).expect("it is a value");
        assert_eq!(place(&value), at);
        let value = to_value(&(1, value)).expect("it is a value")[1].clone();
        assert_eq!(place(&value), at);
        let value: Value = from_value(value).expect("it is one");
        assert_eq!(place(&value), at);
        let read: (Option<Bytes>, u8) = from_value((value, 1).into()).expect("they are");
        assert_eq!(read.0.expect("it is there").as_ptr(), at);
    }

    #[test]
    fn arrays_are_not_copied_on_their_way() {
        let array = Array::from_slice(&[1.5; MIN_SHARED]);
        let at = array.bytes().as_ptr();
        let read: Array = from_value(to_value(&array).expect("it is a value")).expect("it is one");
        assert_eq!((read.bytes().as_ptr(), &read), (at, &array));
    }

    #[test]
    fn owner_is_kept_as_long_as_its_bytes() {
        let owner = std::sync::Arc::<[u8]>::from([1; MIN_SHARED]);
        let bytes = Bytes::from_owner(std::sync::Arc::clone(&owner));
        assert_eq!(bytes.as_ptr(), owner.as_ptr());
        assert_eq!(std::sync::Arc::strong_count(&owner), 2);
        drop(bytes);
        assert_eq!(std::sync::Arc::strong_count(&owner), 1);
    }

    #[test]
    fn slice_of_others_is_copied() {
        let (lent, other) = (Bytes::from(vec![7; MIN_SHARED]), vec![8; MIN_SHARED]);
        lent.lend(|slice| {
            assert_eq!(Bytes::of_slice(&other), Bytes::from(other.clone()));
            assert_eq!(*Bytes::of_slice(&slice[1..]), slice[1..]);
            assert_ne!(Bytes::of_slice(&slice[1..]).as_ptr(), slice[1..].as_ptr());
            assert_eq!(Bytes::of_slice(slice).as_ptr(), slice.as_ptr());
        });
        assert_ne!(Bytes::of_slice(&lent).as_ptr(), lent.as_ptr());
    }

    #[test]
    fn other_formats_and_other_types_read_the_same_bytes() {
        let bytes = Bytes::from(vec![7; MIN_SHARED]);
        let text = serde_json::to_string(&bytes).expect("JSON can hold it");
        assert_eq!(serde_json::from_str::<Bytes>(&text).expect("it is one"), bytes);
        assert!(!Bytes::take_asked());
        let list: Vec<u8> = from_value(Value::Bytes(bytes.clone())).expect("bytes are numbers");
        assert_eq!(list, *bytes);
    }
}
