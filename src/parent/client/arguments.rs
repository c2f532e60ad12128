//! The arguments of a call as its caller hands them over.

use std::fmt;

use serde::Serialize;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::{ItemSource, outgoing};
use crate::common::value::{Held, MAX_DEPTH, Value, holding, to_value_within};

/// Arguments turned into values, one after the other; the first that cannot be is told
/// when the call is made.
#[derive(Default)]
pub struct ArgumentsBuilder {
    values: Vec<Value>,
    keywords: Vec<(String, Value)>,
    failed: Option<Error>,
    held: Held,
    streams: Vec<ItemSource<'static>>,
}

/// The arguments of a call, ready to be sent.
pub(crate) struct CallParts {
    pub(crate) values: Vec<Value>,
    pub(crate) keywords: Vec<(String, Value)>,
    /// What must be held until the call is answered.
    pub(crate) held: Held,
    /// The streams among them, in the order of their numbers.
    pub(crate) streams: Vec<ItemSource<'static>>,
}

impl ArgumentsBuilder {
    /// No arguments.
    #[must_use]
    pub fn new() -> Self {
        ArgumentsBuilder::default()
    }

    /// The items of a tuple or a list; `()` is none.
    #[must_use]
    pub(crate) fn items_of<T: Serialize + ?Sized>(arguments: &T) -> Self {
        let mut packed = ArgumentsBuilder::new();
        // The tuple around the arguments is no level of theirs.
        match packed.convert(arguments, MAX_DEPTH + 1) {
            Ok(Value::Null) => {}
            Ok(Value::Tuple(items)) => packed.values = items,
            Ok(Value::List(items)) => packed.values = items.into_iter().collect(),
            Ok(other) => {
                let message = format!(
                    "the arguments of a call are a tuple, such as `(1,)`, and not {}",
                    other.kind_name()
                );
                packed.failed = Some(Error::new(ErrorKind::BadArguments, message));
            }
            Err(error) => packed.failed = Some(error),
        }
        packed
    }

    /// Arguments of what cannot be asked for at all, for the reason that is told when it
    /// is.
    pub(crate) fn refused(error: Error) -> Self {
        ArgumentsBuilder { failed: Some(error), ..ArgumentsBuilder::new() }
    }

    /// And one more.
    #[must_use]
    pub fn with<T: Serialize + ?Sized>(mut self, argument: &T) -> Self {
        if self.failed.is_none() {
            match self.convert(argument, MAX_DEPTH) {
                Ok(value) => self.values.push(value),
                Err(error) => self.failed = Some(error),
            }
        }
        self
    }

    /// And one by name.
    #[must_use]
    pub(crate) fn with_keyword<T: Serialize + ?Sized>(mut self, name: &str, argument: &T) -> Self {
        if self.failed.is_none() && self.keywords.iter().any(|(known, _)| known == name) {
            let message = format!("`{}` is given twice by its name", name.escape_debug());
            self.failed = Some(Error::new(ErrorKind::BadArguments, message));
        }
        if self.failed.is_none() {
            match self.convert(argument, MAX_DEPTH) {
                Ok(value) => self.keywords.push((name.to_owned(), value)),
                Err(error) => self.failed = Some(error),
            }
        }
        self
    }

    fn convert<T: Serialize + ?Sized>(
        &mut self,
        argument: &T,
        depth_limit: usize,
    ) -> Result<Value> {
        holding(&mut self.held, || {
            outgoing(&mut self.streams, || to_value_within(argument, depth_limit))
        })
    }

    pub(crate) fn into_parts(self) -> Result<CallParts> {
        let ArgumentsBuilder { values, keywords, failed, held, streams } = self;
        match failed {
            Some(error) => Err(error),
            None => Ok(CallParts { values, keywords, held, streams }),
        }
    }
}

impl fmt::Debug for ArgumentsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packed")
            .field("values", &self.values)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
