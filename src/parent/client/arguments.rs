//! The arguments of a call, as the caller hands them over.

use std::fmt;

use serde::Serialize;

use crate::common::error::{Error, ErrorKind, Result};
use crate::common::stream::{ItemSource, outgoing};
use crate::common::value::{
    Held, MAX_DEPTH, Value, before_writing, drop_written, holding, to_value_within,
};

/// Converts arguments to values, one after the other. The first one that cannot be
/// converted is reported when the call is made.
#[derive(Default)]
pub struct ArgumentsBuilder {
    values: Vec<Value>,
    keywords: Vec<(String, Value)>,
    failed: Option<Error>,
    held: Held,
    streams: Vec<ItemSource<'static>>,
    /// The optional positional argument that was left out first.
    omitted: Option<&'static str>,
}

/// The arguments of a call, ready to be sent.
pub(crate) struct CallParts {
    pub(crate) values: Vec<Value>,
    pub(crate) keywords: Vec<(String, Value)>,
    /// Kept until the call is answered.
    pub(crate) held: Held,
    /// The streams among the arguments, in the order of their numbers.
    pub(crate) streams: Vec<ItemSource<'static>>,
}

impl ArgumentsBuilder {
    /// Starts without arguments.
    #[must_use]
    pub fn new() -> Self {
        ArgumentsBuilder::default()
    }

    /// Takes the items of a tuple or a list as the arguments; `()` means no arguments.
    #[must_use]
    pub(crate) fn items_of<T: Serialize>(arguments: T) -> Self {
        let mut builder = ArgumentsBuilder::new();
        // The tuple around the arguments does not count as a level of nesting.
        match builder.convert(arguments, MAX_DEPTH + 1) {
            Ok(Value::Null) => {}
            Ok(Value::Tuple(items)) => builder.values = items,
            Ok(Value::List(items)) => builder.values = items.into_iter().collect(),
            Ok(other) => {
                let message = format!(
                    "the arguments of a call are a tuple, such as `(1,)`, not {}",
                    other.kind_name()
                );
                builder.fail(Error::new(ErrorKind::BadArguments, message));
            }
            Err(error) => builder.fail(error),
        }
        builder
    }

    /// Makes arguments that fail the call with this error.
    pub(crate) fn refused(error: Error) -> Self {
        ArgumentsBuilder { failed: Some(error), ..ArgumentsBuilder::new() }
    }

    /// Adds a positional argument.
    #[must_use]
    pub fn with<T: Serialize>(mut self, argument: T) -> Self {
        if self.failed.is_none() {
            match self.convert(argument, MAX_DEPTH) {
                Ok(value) => self.values.push(value),
                Err(error) => self.fail(error),
            }
        }
        self
    }

    /// Adds a positional argument, or leaves it out.
    #[must_use]
    pub fn with_optional<T: Serialize>(mut self, name: &'static str, argument: Option<T>) -> Self {
        match (argument, self.omitted) {
            (Some(argument), None) => self.with(argument),
            (Some(_), Some(omitted)) => {
                let message =
                    format!("`{name}` cannot be passed, because `{omitted}` before it is left out");
                self.fail(Error::new(ErrorKind::BadArguments, message));
                self
            }
            (None, _) => {
                self.omitted.get_or_insert(name);
                self
            }
        }
    }

    /// Adds the items of a tuple or a list as positional arguments.
    #[must_use]
    pub fn with_items<T: Serialize>(mut self, arguments: T) -> Self {
        let further = ArgumentsBuilder::items_of(arguments);
        match self.omitted {
            Some(omitted) if !further.values.is_empty() => {
                let message = format!(
                    "further arguments cannot be passed, because `{omitted}` before them is left \
                     out"
                );
                self.fail(Error::new(ErrorKind::BadArguments, message));
            }
            _ => self.append(further),
        }
        self
    }

    /// Adds a keyword argument, unless it is `None`.
    #[must_use]
    pub fn with_optional_keyword<T: Serialize>(self, name: &str, argument: Option<T>) -> Self {
        match argument {
            Some(argument) => self.with_keyword(name, argument),
            None => self,
        }
    }

    /// Adds a keyword argument.
    #[must_use]
    pub fn with_keyword<T: Serialize>(mut self, name: &str, argument: T) -> Self {
        if self.failed.is_none() {
            match self.convert(argument, MAX_DEPTH) {
                Ok(value) => self.add_keyword(name.to_owned(), value),
                Err(error) => self.fail(error),
            }
        }
        self
    }

    /// Adds the fields of a struct or the entries of a map as keyword arguments.
    #[must_use]
    pub fn with_keywords<T: Serialize>(mut self, arguments: T) -> Self {
        if self.failed.is_some() {
            return self;
        }
        // The map around the arguments does not count as a level of nesting.
        match self.convert(arguments, MAX_DEPTH + 1) {
            Ok(Value::Null) => {}
            Ok(Value::Map(entries)) => {
                for (name, value) in entries {
                    match name {
                        Value::Text(name) => self.add_keyword(name, value),
                        other => {
                            let message = format!(
                                "the names of keyword arguments are text, not {}",
                                other.kind_name()
                            );
                            self.fail(Error::new(ErrorKind::BadArguments, message));
                        }
                    }
                }
            }
            Ok(other) => {
                let message = format!(
                    "keyword arguments come from a struct or a map, not from {}",
                    other.kind_name()
                );
                self.fail(Error::new(ErrorKind::BadArguments, message));
            }
            Err(error) => self.fail(error),
        }
        self
    }

    /// Starts with arguments that are values.
    #[cfg(feature = "python")]
    pub(crate) fn of_values(values: Vec<Value>, keywords: Vec<(String, Value)>) -> Self {
        ArgumentsBuilder { values, keywords, ..ArgumentsBuilder::new() }
    }

    /// Adds a step of a chain: its kind, its name, the count of its arguments, the names
    /// of its keyword arguments, and all of the arguments.
    #[cfg(feature = "python")]
    #[must_use]
    pub(crate) fn with_step(mut self, kind: &str, name: String, mut step: Self) -> Self {
        let (names, values): (Vec<String>, Vec<Value>) =
            std::mem::take(&mut step.keywords).into_iter().unzip();
        let names = names.into_iter().map(Value::Text).collect();
        let count = step.values.len() as u64;
        self.values.extend([kind.into(), Value::Text(name), count.into(), Value::Tuple(names)]);
        self.append(step);
        self.values.extend(values);
        self
    }

    /// Adds the positional arguments of another builder.
    fn append(&mut self, other: ArgumentsBuilder) {
        let ArgumentsBuilder { values, failed, held, streams, .. } = other;
        if let Some(error) = failed {
            self.fail(error);
        }
        // The values name their streams by number, from 0 on.
        if !streams.is_empty() {
            let message = "a stream cannot be one of the further arguments";
            self.fail(Error::new(ErrorKind::BadArguments, message));
        }
        self.values.extend(values);
        self.held.extend(held);
    }

    fn add_keyword(&mut self, name: String, value: Value) {
        if self.keywords.iter().any(|(known, _)| *known == name) {
            let message = format!("keyword argument `{}` is given twice", name.escape_debug());
            return self.fail(Error::new(ErrorKind::BadArguments, message));
        }
        self.keywords.push((name, value));
    }

    fn fail(&mut self, error: Error) {
        self.failed.get_or_insert(error);
    }

    /// Converts an argument, and drops it.
    fn convert<T: Serialize>(&mut self, argument: T, depth_limit: usize) -> Result<Value> {
        before_writing();
        let value = holding(&mut self.held, || {
            outgoing(&mut self.streams, || to_value_within(&argument, depth_limit))
        });
        drop_written(argument);
        value
    }

    pub(crate) fn into_parts(self) -> Result<CallParts> {
        let ArgumentsBuilder { values, keywords, failed, held, streams, omitted: _ } = self;
        match failed {
            Some(error) => Err(error),
            None => Ok(CallParts { values, keywords, held, streams }),
        }
    }
}

impl fmt::Debug for ArgumentsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the values: they are the caller's data.
        f.debug_struct("ArgumentsBuilder")
            .field("positional", &self.values.len())
            .field("keywords", &self.keywords.len())
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
