//! Values nested deeper than the stack.

use std::hash::{DefaultHasher, Hash as _};

use super::*;

const DEEP: usize = 20_000;

fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(1024 * 1024).spawn(test);
    thread.expect("a thread can be started").join().expect("it does not overflow");
}

/// A value nested so deep, with one container in the other.
fn nested(wrap: fn(Value) -> Value) -> Value {
    (0..DEEP).fold(Value::Null, |value, _| wrap(value))
}

/// What can hold any value; lists and sets first.
const WRAPS: [fn(Value) -> Value; 9] = [
    |value| Value::List(vec![value].into()),
    |value| Value::Set(vec![value].into()),
    |value| Value::FrozenSet(vec![1.into(), value].into()),
    |value| Value::List(vec![Value::Tuple(vec![Value::Some(Box::new(value))])].into()),
    |value| Value::Tuple(vec![value]),
    |value| Value::Map(vec![("a".into(), value)]),
    |value| Value::Some(Box::new(value)),
    |value| NamedTuple::new(["a"], vec![value]).expect("it has a name").into(),
    |value| Slice { start: value, stop: Value::Null, step: Value::Null }.into(),
];

#[test]
fn deep_values_are_compared_copied_hashed_shown_and_refused() {
    on_small_stack(|| {
        for wrap in WRAPS {
            let (one, other) = (nested(wrap), nested(wrap));
            assert!(one.depth() >= DEEP);
            assert!(one == other, "they are equal");
            let copy = one.clone();
            assert!(copy == one, "it is the same");
            let longer = wrap(other);
            assert!(one != longer, "one is deeper");
            one.hash(&mut DefaultHasher::new());
            assert!(format!("{one:?}{one:#?}").len() < 10_000);
            assert_eq!(to_value(&one).expect_err("it is too deep").kind(), ErrorKind::TooDeep);
            assert!(serde_json::to_string(&one).is_err());
            let error = from_value::<serde_json::Value>(one).expect_err("it is too deep");
            assert_eq!(error.kind(), ErrorKind::TooDeep);
            // Below a list, a chain of any kind is dropped by a loop.
            drop(Value::List(vec![copy, longer].into()));
        }
    });
}

#[test]
fn deep_lists_and_sets_are_dropped_by_a_loop() {
    on_small_stack(|| WRAPS[..4].iter().for_each(|wrap| drop(nested(*wrap))));
}

#[test]
fn what_cannot_be_dropped_is_forgotten_once_it_was_refused() {
    on_small_stack(|| {
        for wrap in WRAPS {
            let deep = ("a", vec![nested(wrap)]);
            before_writing();
            to_value(&deep).expect_err("it is too deep");
            drop_written(deep);
        }
    });
    // What was written before, and what is only a little too deep, is dropped.
    struct Noted<'a>(&'a std::cell::Cell<u32>, Value);

    impl Serialize for Noted<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.1.serialize(serializer)
        }
    }

    impl Drop for Noted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    let drops = std::cell::Cell::new(0);
    let slightly = (0..40).fold(Value::Null, |value, _| WRAPS[4](value));
    for value in [Value::Null, slightly] {
        to_value(&Value::List(vec![nested(WRAPS[6])].into())).expect_err("it is too deep");
        let noted = Noted(&drops, value);
        before_writing();
        let _ = to_value(&noted);
        drop_written(noted);
    }
    assert_eq!(drops.get(), 2);
}

#[test]
fn values_that_only_differ_below_the_hashed_levels_are_not_equal() {
    for wrap in WRAPS {
        let nest = |inner: i64| (0..200).fold(Value::from(inner), |value, _| wrap(value));
        assert!(nest(1) == nest(1));
        assert!(nest(1) != nest(2));
    }
}
