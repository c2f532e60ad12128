//! Which values are equal, and their hashes.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::common::value::deep::MAX_RECURSION;
use crate::common::value::list::Packing;
use crate::common::value::{Set, Value};

/// Deeper parts do not count for a hash, so that no depth exhausts the stack.
const HASHED_LEVELS: usize = 32;

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        // A loop and not recursion, because a value may be deeper than the stack.
        let mut ahead = Vec::new();
        let mut next = Some((self, other));
        while let Some((one, other)) = next {
            if !equal_outside(one, other, &mut ahead) {
                return false;
            }
            next = ahead.pop();
        }
        true
    }
}

impl Eq for Value {}

/// Compares two values, but for the parts, whose pairs go to `ahead`.
fn equal_outside<'a>(
    one: &'a Value,
    other: &'a Value,
    ahead: &mut Vec<(&'a Value, &'a Value)>,
) -> bool {
    match (one, other) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::BigInt(a), Value::BigInt(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => match (a.packing(), b.packing()) {
            (Packing::Values(a), Packing::Values(b)) => pair(a, b, ahead),
            (a, b) => a == b,
        },
        (Value::Tuple(a), Value::Tuple(b)) => pair(a, b, ahead),
        (Value::Map(a), Value::Map(b)) => {
            let pairs = a.iter().zip(b);
            ahead.extend(pairs.flat_map(|(a, b)| [(&a.0, &b.0), (&a.1, &b.1)]));
            a.len() == b.len()
        }
        (Value::Some(a), Value::Some(b)) => {
            ahead.push((a, b));
            true
        }
        (Value::Handle(a), Value::Handle(b)) => a == b,
        (Value::Stream(a), Value::Stream(b)) => a == b,
        (Value::Complex(a), Value::Complex(b)) => a == b,
        (Value::Set(a), Value::Set(b)) | (Value::FrozenSet(a), Value::FrozenSet(b)) => {
            pair_by_hash(a, b, ahead)
        }
        (Value::RawText(a), Value::RawText(b)) => a == b,
        (Value::Slice(a), Value::Slice(b)) => {
            ahead.extend(a.parts().into_iter().zip(b.parts()));
            true
        }
        (Value::Range(a), Value::Range(b)) => a == b,
        (Value::Date(a), Value::Date(b)) => a == b,
        (Value::Time(a), Value::Time(b)) => a == b,
        (Value::DateTime(a), Value::DateTime(b)) => a == b,
        (Value::TimeDelta(a), Value::TimeDelta(b)) => a == b,
        (Value::Decimal(a), Value::Decimal(b)) => a == b,
        (Value::Uuid(a), Value::Uuid(b)) => a == b,
        (Value::Array(a), Value::Array(b)) => a == b,
        (Value::NamedTuple(a), Value::NamedTuple(b)) => {
            a.names() == b.names() && pair(a.items(), b.items(), ahead)
        }
        _ => false,
    }
}

fn pair<'a>(a: &'a [Value], b: &'a [Value], ahead: &mut Vec<(&'a Value, &'a Value)>) -> bool {
    ahead.extend(a.iter().zip(b));
    a.len() == b.len()
}

/// Pairs the items of two sets, whatever their order is.
fn pair_by_hash<'a>(a: &'a Set, b: &'a Set, ahead: &mut Vec<(&'a Value, &'a Value)>) -> bool {
    if a.len() != b.len() || a.len() < 2 {
        return pair(a.items(), b.items(), ahead);
    }
    let sorted = |set: &'a Set| {
        let mut items: Vec<(u64, &Value)> =
            set.items().iter().map(|item| (hash_of(item, 0), item)).collect();
        items.sort_by_key(|(hash, _)| *hash);
        items
    };
    let (one, other) = (sorted(a), sorted(b));
    if !one.iter().map(|(hash, _)| hash).eq(other.iter().map(|(hash, _)| hash)) {
        return false;
    }
    // Items of equal hashes may be in another order. Those that differ only where no hash
    // reaches are taken in their order.
    let has_twins = one.windows(2).any(|items| items[0].0 == items[1].0);
    if has_twins && one.iter().all(|(_, item)| !item.is_deeper_than(MAX_RECURSION)) {
        return a == b;
    }
    ahead.extend(one.into_iter().zip(other).map(|((_, a), (_, b))| (a, b)));
    true
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_at(self, 0, state);
    }
}

fn hash_of(value: &Value, level: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash_at(value, level, &mut hasher);
    hasher.finish()
}

fn hash_at<H: Hasher>(value: &Value, level: usize, state: &mut H) {
    std::mem::discriminant(value).hash(state);
    if level == HASHED_LEVELS {
        return;
    }
    let hash_all = |items: &[Value], state: &mut H| {
        items.len().hash(state);
        items.iter().for_each(|item| hash_at(item, level + 1, state));
    };
    match value {
        Value::Null => {}
        Value::Bool(bool) => bool.hash(state),
        Value::Int(int) => int.hash(state),
        Value::BigInt(int) => int.hash(state),
        Value::Float(float) => float.to_bits().hash(state),
        Value::Text(text) => text.hash(state),
        Value::Bytes(bytes) => bytes.hash(state),
        Value::List(list) => match list.packing() {
            Packing::Values(items) => hash_all(items, state),
            numbers => numbers.hash(state),
        },
        Value::Tuple(items) => hash_all(items, state),
        Value::Map(entries) => {
            entries.len().hash(state);
            for (key, value) in entries {
                hash_at(key, level + 1, state);
                hash_at(value, level + 1, state);
            }
        }
        Value::Some(value) => hash_at(value, level + 1, state),
        Value::Handle(handle) => handle.hash(state),
        Value::Stream(number) => number.hash(state),
        Value::Complex(complex) => complex.hash(state),
        Value::Set(set) | Value::FrozenSet(set) => {
            // A sum is the same in any order.
            let hashes = set.items().iter().map(|item| hash_of(item, level + 1));
            (set.len(), hashes.fold(0, u64::wrapping_add)).hash(state);
        }
        Value::RawText(text) => text.hash(state),
        Value::Slice(slice) => {
            slice.parts().into_iter().for_each(|part| hash_at(part, level + 1, state))
        }
        Value::Range(range) => range.hash(state),
        Value::Date(date) => date.hash(state),
        Value::Time(time) => time.hash(state),
        Value::DateTime(moment) => moment.hash(state),
        Value::TimeDelta(delta) => delta.hash(state),
        Value::Decimal(decimal) => decimal.hash(state),
        Value::Uuid(uuid) => uuid.hash(state),
        Value::Array(array) => array.hash(state),
        Value::NamedTuple(tuple) => {
            tuple.names().hash(state);
            hash_all(tuple.items(), state);
        }
    }
}
