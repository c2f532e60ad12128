//! How much memory a decoded message takes, which is a multiple of its encoded size if it
//! consists of small values.

use prost::Message as _;

use crate::common::wire::pb;
use crate::common::wire::pb::value::Kind;

/// About how many bytes of memory the arguments take.
pub(crate) fn arguments_weight(arguments: &pb::Arguments) -> usize {
    let keyword = |keyword: &pb::Keyword| {
        size_of::<pb::Keyword>() + keyword.name.len() + option(&keyword.value)
    };
    values(&arguments.arguments) + arguments.keywords.iter().map(keyword).sum::<usize>()
}

/// About how many bytes of memory a response takes.
pub(crate) fn response_weight(response: &pb::SessionResponse) -> usize {
    use pb::session_response::Result as SessionResult;
    match &response.result {
        Some(SessionResult::Call(response)) => call_response_weight(response),
        _ => response.encoded_len(),
    }
}

/// About how many bytes of memory the response of a call takes.
pub(crate) fn call_response_weight(response: &pb::CallResponse) -> usize {
    match &response.outcome {
        Some(pb::call_response::Outcome::Value(value)) => value_weight(value),
        _ => response.encoded_len(),
    }
}

/// About how many bytes of memory a value takes.
pub(crate) fn value_weight(value: &pb::Value) -> usize {
    let parts = match &value.kind {
        Some(Kind::List(list)) => {
            values(&list.values) + list.octets.len() + 8 * (list.ints.len() + list.floats.len())
        }
        Some(Kind::Tuple(tuple)) => values(&tuple.values),
        Some(Kind::Set(set) | Kind::FrozenSet(set)) => values(&set.values),
        Some(Kind::NamedTuple(tuple)) => {
            let name = |name: &String| size_of::<String>() + name.len();
            values(&tuple.values) + tuple.names.iter().map(name).sum::<usize>()
        }
        Some(Kind::Map(map)) => {
            map.entries.iter().map(|entry| option(&entry.key) + option(&entry.value)).sum()
        }
        Some(Kind::Some(value)) => value_weight(value),
        Some(Kind::Text(text)) => text.len(),
        Some(Kind::Bytes(bytes)) => bytes.len(),
        Some(Kind::Array(array)) => array.data.len(),
        // Small numbers, and what has about as many bytes as its encoding.
        _ => value.encoded_len(),
    };
    size_of::<pb::Value>() + parts
}

fn values(values: &[pb::Value]) -> usize {
    values.iter().map(value_weight).sum()
}

fn option(value: &Option<pb::Value>) -> usize {
    value.as_ref().map_or(size_of::<pb::Value>(), value_weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::value::Value;
    use crate::common::wire::value_to_pb;

    #[test]
    fn small_values_weigh_more_than_their_encoding() {
        let nulls = value_to_pb(Value::Tuple(vec![Value::Null; 1000]));
        assert!(nulls.encoded_len() < 5000);
        assert!(value_weight(&nulls) > 1000 * size_of::<pb::Value>());
        let text = value_to_pb(Value::Tuple(vec![Value::from("x".repeat(1000))]));
        assert_eq!(value_weight(&text), 1000 + 2 * size_of::<pb::Value>());
    }

    #[test]
    fn arguments_weigh_as_much_as_their_values_and_names() {
        let value = Some(value_to_pb(Value::Int(1)));
        let keyword = pb::Keyword { name: "n".repeat(100), value };
        let arguments =
            pb::Arguments { arguments: vec![value_to_pb(Value::Null)], keywords: vec![keyword] };
        assert!(arguments_weight(&arguments) > 100 + 2 * size_of::<pb::Value>());
    }
}
