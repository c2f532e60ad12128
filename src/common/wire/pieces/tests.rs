//! Pieces, put together again, and prost's encoding of the same message.

use proptest::prelude::*;

use super::*;
use crate::common::value::tests::any_value;
use crate::common::wire::{arguments_to_pb, value_to_pb};

fn put_together(mut pieces: Pieces) -> Vec<u8> {
    let mut all = Vec::new();
    while !pieces.is_empty() {
        let part = pieces.split_off_front(5000);
        assert!(!part.is_empty() && part.len() <= 5000);
        all.extend_from_slice(&part);
    }
    assert_eq!(pieces.len(), 0);
    all
}

/// Values whose parts are large enough for pieces of their own.
fn large_value() -> impl Strategy<Value = crate::common::value::Value> {
    use crate::common::value::{Array, Value};
    let leaf = (0..5usize, OWN_PIECE - 2..OWN_PIECE + 2).prop_map(|(kind, len)| match kind {
        0 => Value::Bytes(vec![1; len].into()),
        1 => Value::Text("x".repeat(len)),
        2 => Value::from(vec![7u8; len]),
        3 => Value::Array(Array::from_slice(&vec![1.5; len / 8])),
        _ => Value::from(vec![1.5; len / 8]),
    });
    let leaf = prop_oneof![leaf, any_value()];
    leaf.prop_recursive(3, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Tuple),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((inner.clone(), inner.clone()), 0..3).prop_map(Value::Map),
            inner.prop_map(|value| Value::Some(Box::new(value))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_are_the_encoded_message(
        values in prop::collection::vec(large_value(), 0..3),
        name in "[a-z]{0,2}",
        keyword in large_value(),
    ) {
        let arguments = arguments_to_pb(values.clone(), vec![(name, keyword)]);
        let encoded = arguments.encode_to_vec();
        prop_assert!(put_together(arguments.into_pieces()) == encoded);
        for value in values {
            let value = value_to_pb(value);
            let outcome = Some(pb::call_response::Outcome::Value(value.clone()));
            let call = pb::session_response::Result::Call(pb::CallResponse { outcome });
            let items = pb::Items { values: vec![value], ..Default::default() };
            let items = pb::session_response::Result::Items(items);
            for result in [call, items] {
                let response =
                    pb::SessionResponse { id: 7, result: Some(result), detached: 0 };
                let encoded = response.encode_to_vec();
                prop_assert!(put_together(response.into_pieces()) == encoded);
            }
        }
    }
}

#[test]
fn large_bytes_are_not_copied() {
    let bytes = Bytes::from(vec![1; OWN_PIECE]);
    let kind = Some(Kind::Bytes(bytes.clone()));
    let arguments = pb::Arguments { arguments: vec![pb::Value { kind }], ..Default::default() };
    assert_eq!(arguments.uncopied(), OWN_PIECE);
    let mut pieces = arguments.into_pieces();
    pieces.split_off_front(usize::MAX);
    assert_eq!(pieces.split_off_front(usize::MAX).as_ptr(), bytes.as_ptr());
}
