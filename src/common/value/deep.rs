//! Values nested deeper than the stack allows to go down by recursion.
//!
//! Nobody sends such a value, but an object can build one. Whatever oad does to it is a
//! loop, or is refused before. What no loop can do is to drop a chain of tuples, maps and
//! options, of which Rust drops each from within the one around it: a `Drop` of
//! [`Value`] would forbid to move anything out of it in a pattern. So a result or an
//! argument that is too deep to be sent is not dropped but forgotten.

use std::cell::Cell;

use serde::ser::Error as _;

use crate::common::value::list::Packing;
use crate::common::value::{Set, Slice, Value};

/// The most levels that are gone down by recursion.
pub(super) const MAX_RECURSION: usize = 128;

thread_local! {
    /// How many containers are being written, each within the one before.
    static LEVEL: Cell<usize> = const { Cell::new(0) };
    /// Whether one that could not be written is too deep to be dropped.
    static IS_TOO_DEEP_TO_DROP: Cell<bool> = const { Cell::new(false) };
}

/// Writes a container with `write`.
///
/// # Errors
///
/// An error of `S`'s if it is nested deeper than recursion may go, and those of `write`.
pub(super) fn write_container<S: serde::Serializer>(
    container: &Value,
    serializer: S,
    write: impl FnOnce(S) -> Result<S::Ok, S::Error>,
) -> Result<S::Ok, S::Error> {
    /// A guard, because the serializer may panic.
    struct LevelOnDrop(usize);

    impl Drop for LevelOnDrop {
        fn drop(&mut self) {
            LEVEL.set(self.0);
        }
    }

    let level = LevelOnDrop(LEVEL.get());
    LEVEL.set(level.0 + 1);
    let written = match level.0 {
        ..MAX_RECURSION => write(serializer),
        _ => Err(S::Error::custom(format_args!(
            "the value is nested deeper than {MAX_RECURSION} levels"
        ))),
    };
    if written.is_err() && level.0 == 0 && container.is_deeper_than(MAX_RECURSION) {
        IS_TOO_DEEP_TO_DROP.set(true);
    }
    written
}

/// Is called before something is written that [`drop_written`] drops.
pub(crate) fn before_writing() {
    IS_TOO_DEEP_TO_DROP.set(false);
}

/// Drops what this thread has written last, or forgets it if a value in it was too deep
/// to be written and is too deep to be dropped: memory is lost then, but not the process.
pub(crate) fn drop_written<T>(written: T) {
    match IS_TOO_DEEP_TO_DROP.take() {
        true => std::mem::forget(written),
        false => drop(written),
    }
}

impl Value {
    /// Drops values by a loop.
    pub(super) fn dismantle(mut values: Vec<Value>) {
        let mut ahead = Vec::new();
        loop {
            ahead.extend(values.drain(..).filter(Value::is_container));
            values = match ahead.pop() {
                None => return,
                Some(Value::Tuple(items)) => items,
                Some(Value::List(list)) => match list.into_unshared() {
                    Some(Packing::Values(items)) => items,
                    _ => continue,
                },
                Some(Value::Map(entries)) => {
                    entries.into_iter().flat_map(|(key, value)| [key, value]).collect()
                }
                Some(Value::Some(value)) => vec![*value],
                Some(Value::Set(set) | Value::FrozenSet(set)) => set.into_items(),
                Some(Value::Slice(slice)) => slice.into_parts().into(),
                Some(Value::NamedTuple(tuple)) => tuple.into_items(),
                Some(_) => continue,
            };
        }
    }

    /// Whether it can hold other values.
    pub(super) fn is_container(&self) -> bool {
        match self {
            Value::Tuple(_)
            | Value::Map(_)
            | Value::Some(_)
            | Value::Set(_)
            | Value::FrozenSet(_)
            | Value::Slice(_)
            | Value::NamedTuple(_) => true,
            Value::List(list) => !list.nested().is_empty(),
            _ => false,
        }
    }
}

/// Copies a container by a loop.
pub(super) fn copy(container: &Value) -> Value {
    enum CopyStep<'a> {
        Copy(&'a Value),
        /// The copies of its parts are the last ones.
        PutTogether(&'a Value, usize),
    }

    let mut steps = vec![CopyStep::Copy(container)];
    let mut copies: Vec<Value> = Vec::new();
    while let Some(step) = steps.pop() {
        match step {
            // A list is shared.
            CopyStep::Copy(value) if matches!(value, Value::List(_)) || !value.is_container() => {
                copies.push(value.clone());
            }
            CopyStep::Copy(value) => {
                let parts = parts(value);
                steps.push(CopyStep::PutTogether(value, parts.len()));
                steps.extend(parts.into_iter().rev().map(CopyStep::Copy));
            }
            CopyStep::PutTogether(value, count) => {
                let parts = copies.split_off(copies.len() - count);
                copies.push(put_together(value, parts));
            }
        }
    }
    copies.pop().unwrap_or(Value::Null)
}

fn parts(value: &Value) -> Vec<&Value> {
    match value {
        Value::Tuple(items) => items.iter().collect(),
        Value::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
        Value::Some(value) => vec![value],
        Value::Set(set) | Value::FrozenSet(set) => set.items().iter().collect(),
        Value::Slice(slice) => slice.parts().into(),
        Value::NamedTuple(tuple) => tuple.items().iter().collect(),
        _ => Vec::new(),
    }
}

/// A container of the same kind, of these parts.
fn put_together(value: &Value, mut parts: Vec<Value>) -> Value {
    match value {
        Value::Map(_) => {
            let mut entries = Vec::with_capacity(parts.len() / 2);
            let mut parts = parts.into_iter();
            while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
                entries.push((key, value));
            }
            Value::Map(entries)
        }
        Value::Some(_) => Value::Some(Box::new(parts.pop().unwrap_or(Value::Null))),
        Value::NamedTuple(tuple) => Value::NamedTuple(Box::new(tuple.with_items(parts))),
        Value::Set(_) => Value::Set(Set::from(parts)),
        Value::FrozenSet(_) => Value::FrozenSet(Set::from(parts)),
        Value::Slice(_) => match <[Value; 3]>::try_from(parts) {
            Ok(parts) => Value::Slice(Box::new(Slice::from(parts))),
            Err(parts) => Value::Tuple(parts),
        },
        _ => Value::Tuple(parts),
    }
}
