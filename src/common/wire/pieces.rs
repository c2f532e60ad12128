//! Large messages as pieces, so that bytes, text and arrays are sent from where they lie.
//!
//! An encoded message is a run of bytes. Most bytes of a large one are those of a few
//! fields. They are not copied into the run but stay pieces of their own between what is
//! encoded around them. The run is the same as prost's, byte by byte; the test compares
//! the two.

use std::collections::VecDeque;

use bytes::Bytes;
use prost::{Message, encode_length_delimiter, length_delimiter_len};

use crate::common::wire::pb;
use crate::common::wire::pb::value::Kind;

/// Fields from this size on are pieces of their own. Shorter ones are cheaper to copy.
const OWN_PIECE: usize = 16 * 1024;

/// The wire type of everything with a length in front.
const LENGTH_DELIMITED: u32 = 2;

/// The numbers of the fields that are encoded here, from `value.proto` and
/// `objects.proto`.
mod field {
    pub(super) const TEXT: u32 = 6;
    pub(super) const BYTES: u32 = 7;
    pub(super) const LIST: u32 = 8;
    pub(super) const TUPLE: u32 = 9;
    pub(super) const MAP: u32 = 10;
    pub(super) const SOME: u32 = 11;
    pub(super) const ARRAY: u32 = 26;

    pub(super) const ITEMS_OF_SEQUENCE: u32 = 1;
    pub(super) const OCTETS_OF_LIST: u32 = 2;
    pub(super) const ENTRIES_OF_MAP: u32 = 1;
    pub(super) const KEY_OF_ENTRY: u32 = 1;
    pub(super) const VALUE_OF_ENTRY: u32 = 2;
    pub(super) const DATA_OF_ARRAY: u32 = 4;

    pub(super) const POSITIONAL_OF_ARGUMENTS: u32 = 1;
    pub(super) const KEYWORDS_OF_ARGUMENTS: u32 = 2;
    pub(super) const CALL_OF_RESPONSE: u32 = 3;
    pub(super) const VALUE_OF_CALL: u32 = 1;
    pub(super) const ITEMS_OF_RESPONSE: u32 = 10;
    pub(super) const VALUES_OF_ITEMS: u32 = 2;
}

/// An encoded message in pieces. None of them is empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces {
    pieces: VecDeque<Bytes>,
    /// What has been encoded since the last piece.
    open: Vec<u8>,
    len: usize,
}

/// A message whose large fields can be taken out.
pub(crate) trait IntoPieces: Message + Sized {
    /// Encodes the message; its large fields are not copied.
    fn into_pieces(self) -> Pieces {
        let mut pieces = Pieces::default();
        self.write(&mut pieces);
        pieces.close();
        pieces
    }

    /// How many bytes of the encoded message are not copied.
    fn uncopied(&self) -> usize;

    #[doc(hidden)]
    fn write(self, pieces: &mut Pieces);
}

// === impl Pieces ===

impl Pieces {
    /// How many bytes the rest has.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Removes bytes from the beginning, at most `most` of them, as far as they lie
    /// together.
    pub(crate) fn split_off_front(&mut self, most: usize) -> Bytes {
        let Some(first) = self.pieces.front_mut() else { return Bytes::new() };
        let part = match first.len() <= most {
            true => self.pieces.pop_front().unwrap_or_default(),
            false => first.split_to(most),
        };
        self.len -= part.len();
        part
    }

    fn key(&mut self, number: u32, len: usize) {
        let key = number << 3 | LENGTH_DELIMITED;
        for number in [key as usize, len] {
            encode_length_delimiter(number, &mut self.open).expect("a vector takes everything");
        }
    }

    fn message(&mut self, message: &impl Message) {
        message.encode(&mut self.open).expect("a vector takes everything");
    }

    fn bytes(&mut self, number: u32, bytes: Bytes) {
        self.key(number, bytes.len());
        if bytes.len() < OWN_PIECE {
            self.open.extend_from_slice(&bytes);
        } else {
            self.close();
            self.add(bytes);
        }
    }

    fn value(&mut self, number: u32, value: pb::Value) {
        let len = value.encoded_len();
        self.key(number, len);
        if len < OWN_PIECE {
            return self.message(&value);
        }
        match value.kind {
            Some(Kind::Bytes(bytes)) => self.bytes(field::BYTES, bytes),
            Some(Kind::Text(text)) => self.bytes(field::TEXT, text.into()),
            Some(Kind::Some(value)) => self.value(field::SOME, *value),
            Some(Kind::Tuple(tuple)) => {
                self.key(field::TUPLE, tuple.encoded_len());
                self.values(field::ITEMS_OF_SEQUENCE, tuple.values);
            }
            // A list has only one of its fields.
            Some(Kind::List(list)) if !list.octets.is_empty() => {
                self.key(field::LIST, list.encoded_len());
                self.bytes(field::OCTETS_OF_LIST, list.octets);
            }
            Some(Kind::List(list)) if !list.values.is_empty() => {
                self.key(field::LIST, list.encoded_len());
                self.values(field::ITEMS_OF_SEQUENCE, list.values);
            }
            Some(Kind::Map(map)) => {
                self.key(field::MAP, map.encoded_len());
                for entry in map.entries {
                    self.key(field::ENTRIES_OF_MAP, entry.encoded_len());
                    entry.key.into_iter().for_each(|key| self.value(field::KEY_OF_ENTRY, key));
                    entry.value.into_iter().for_each(|of| self.value(field::VALUE_OF_ENTRY, of));
                }
            }
            Some(Kind::Array(mut array)) => {
                self.key(field::ARRAY, array.encoded_len());
                let data = std::mem::take(&mut array.data);
                self.message(&array);
                if !data.is_empty() {
                    self.bytes(field::DATA_OF_ARRAY, data);
                }
            }
            kind => self.message(&pb::Value { kind }),
        }
    }

    fn values(&mut self, number: u32, values: Vec<pb::Value>) {
        values.into_iter().for_each(|value| self.value(number, value));
    }

    fn add(&mut self, piece: Bytes) {
        self.len += piece.len();
        self.pieces.push_back(piece);
    }

    /// Makes a piece of what is open.
    fn close(&mut self) {
        if !self.open.is_empty() {
            let piece = std::mem::take(&mut self.open);
            self.add(piece.into());
        }
    }
}

impl From<Bytes> for Pieces {
    fn from(bytes: Bytes) -> Self {
        let mut pieces = Pieces::default();
        if !bytes.is_empty() {
            pieces.add(bytes);
        }
        pieces
    }
}

// === impl IntoPieces ===

impl IntoPieces for pb::Arguments {
    fn uncopied(&self) -> usize {
        let keywords = self.keywords.iter().filter_map(|keyword| keyword.value.as_ref());
        self.arguments.iter().chain(keywords).map(uncopied).sum()
    }

    fn write(self, pieces: &mut Pieces) {
        pieces.values(field::POSITIONAL_OF_ARGUMENTS, self.arguments);
        for keyword in self.keywords {
            pieces.key(field::KEYWORDS_OF_ARGUMENTS, keyword.encoded_len());
            // As prost does, an empty name is left out.
            if !keyword.name.is_empty() {
                pieces.bytes(field::KEY_OF_ENTRY, keyword.name.into());
            }
            keyword.value.into_iter().for_each(|of| pieces.value(field::VALUE_OF_ENTRY, of));
        }
    }
}

impl IntoPieces for pb::Items {
    fn uncopied(&self) -> usize {
        self.values.iter().map(uncopied).sum()
    }

    fn write(mut self, pieces: &mut Pieces) {
        let values = std::mem::take(&mut self.values);
        // The fields behind the values come before them, which protobuf allows.
        pieces.message(&self);
        pieces.values(field::VALUES_OF_ITEMS, values);
    }
}

impl IntoPieces for pb::SessionResponse {
    fn uncopied(&self) -> usize {
        use pb::session_response::Result as SessionResult;
        match &self.result {
            Some(SessionResult::Call(pb::CallResponse {
                outcome: Some(pb::call_response::Outcome::Value(value)),
            })) => uncopied(value),
            Some(SessionResult::Items(items)) => items.uncopied(),
            _ => 0,
        }
    }

    fn write(self, pieces: &mut Pieces) {
        use pb::session_response::Result as SessionResult;
        let envelope = pb::SessionResponse { result: None, ..self };
        match self.result {
            Some(SessionResult::Call(pb::CallResponse {
                outcome: Some(pb::call_response::Outcome::Value(value)),
            })) => {
                pieces.message(&envelope);
                let len = value.encoded_len();
                pieces.key(field::CALL_OF_RESPONSE, 1 + length_delimiter_len(len) + len);
                pieces.value(field::VALUE_OF_CALL, value);
            }
            Some(SessionResult::Items(items)) => {
                pieces.message(&envelope);
                pieces.key(field::ITEMS_OF_RESPONSE, items.encoded_len());
                items.write(pieces);
            }
            result => pieces.message(&pb::SessionResponse { result, ..envelope }),
        }
    }
}

fn uncopied(value: &pb::Value) -> usize {
    let own = |len: usize| if len < OWN_PIECE { 0 } else { len };
    match &value.kind {
        Some(Kind::Bytes(bytes)) => own(bytes.len()),
        Some(Kind::Text(text)) => own(text.len()),
        Some(Kind::Some(value)) => uncopied(value),
        Some(Kind::Tuple(tuple)) => tuple.values.iter().map(uncopied).sum(),
        Some(Kind::List(list)) => {
            own(list.octets.len()) + list.values.iter().map(uncopied).sum::<usize>()
        }
        Some(Kind::Map(map)) => {
            let entries = map.entries.iter();
            entries.flat_map(|entry| [&entry.key, &entry.value]).flatten().map(uncopied).sum()
        }
        Some(Kind::Array(array)) => own(array.data.len()),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
