//! The ids of Python objects.

/// The id of an object that lives in an interpreter: the number of the interpreter in its
/// daemon, and the object's number there.
///
/// As one number it is `interpreter × 10¹² + object`, such as 1000000000007 for the
/// seventh object of the first interpreter. So a person can read and type it, JSON can
/// hold it as a number, and it is never the id of a Rust object, which counts from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ObjectId {
    pub(crate) interpreter: u64,
    pub(crate) object: u64,
}

const OBJECTS: u64 = 1_000_000_000_000;

impl ObjectId {
    /// The parts of an id; `None` for that of a Rust object.
    pub(crate) fn of(id: u64) -> Option<Self> {
        let (interpreter, object) = (id / OBJECTS, id % OBJECTS);
        (interpreter > 0).then_some(ObjectId { interpreter, object })
    }

    pub(crate) fn to_number(self) -> u64 {
        self.interpreter * OBJECTS + self.object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_taken_apart_as_it_was_put_together() {
        let id = ObjectId { interpreter: 3, object: 17 };
        assert_eq!(id.to_number(), 3_000_000_000_017);
        assert_eq!(ObjectId::of(id.to_number()), Some(id));
        assert_eq!(ObjectId::of(17), None);
    }
}
