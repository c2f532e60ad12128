//! The arguments of one call, bound to the parameters of its method.

use std::fmt;
use std::sync::Arc;
use std::vec::IntoIter;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::child::object::{CallScope, ObjectRef, call_scope};
use crate::common::definition::{Method, Parameter};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::{self, Value};

/// The arguments of one call in the order of the parameters. Generated code takes them
/// one by one and then calls [`reply`](Arguments::reply).
pub struct Arguments {
    values: IntoIter<Value>,
    parameters: &'static [Parameter],
    scope: Arc<dyn CallScope>,
    /// The objects that the arguments refer to, so that none is released before it is
    /// taken.
    _referenced: Vec<ObjectRef>,
}

impl Arguments {
    /// Assigns a value to each parameter of `method`, by position or by name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadArguments`] if there are too many arguments, or if one is missing,
    /// given twice or has an unknown name; [`ErrorKind::NoSuchObject`] if one refers to
    /// an object that does not exist.
    pub(crate) fn bind(
        method: &'static Method,
        positional: Vec<Value>,
        keywords: Vec<(String, Value)>,
        scope: Arc<dyn CallScope>,
    ) -> Result<Self> {
        let parameters = method.parameters;
        let given = positional.iter().chain(keywords.iter().map(|(_, value)| value));
        let _referenced = given
            .flat_map(Value::handles)
            .map(|handle| scope.find(&handle))
            .collect::<Result<_>>()?;
        if positional.len() > parameters.len() {
            return Err(mismatch(method, &were_given(positional.len())));
        }
        let mut values: Vec<Option<Value>> = positional.into_iter().map(Some).collect();
        values.resize_with(parameters.len(), || None);
        for (name, value) in keywords {
            let Some(index) = parameters.iter().position(|parameter| parameter.name == name) else {
                return Err(mismatch(
                    method,
                    &format!("`{}` is not one of them", name.escape_debug()),
                ));
            };
            if values[index].replace(value).is_some() {
                return Err(mismatch(method, &format!("`{name}` was given twice")));
            }
        }
        let given = values.iter().flatten().count();
        match values.into_iter().collect::<Option<Vec<Value>>>() {
            Some(values) => {
                Ok(Arguments { values: values.into_iter(), parameters, scope, _referenced })
            }
            None => Err(mismatch(method, &were_given(given))),
        }
    }

    /// Returns the next argument.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::BadArguments`], with the name of the parameter, if the value does not
    /// have its type.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<T> {
        let position = self.parameters.len() - self.values.len();
        let value = self
            .values
            .next()
            .ok_or_else(|| Error::new(ErrorKind::BadArguments, "too few arguments"))?;
        call_scope::within(&self.scope, || value::from_value(value)).map_err(|error| {
            let Parameter { name, type_name } = &self.parameters[position];
            Error::new(
                ErrorKind::BadArguments,
                format!("invalid argument `{name}: {type_name}`: {}", error.detail()),
            )
        })
    }

    /// Converts the value that the method returned.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`] if the value cannot be serialized, [`ErrorKind::TooDeep`]
    /// if it is nested too deeply.
    pub fn reply<T: Serialize>(&self, returned: T) -> Result<Value> {
        let value = self.converted(&returned);
        value::drop_written(returned);
        value
    }

    /// Does the same with what the caller drops by [`drop_written`](value::drop_written).
    pub(super) fn converted<T: Serialize>(&self, returned: &T) -> Result<Value> {
        let _built = BuiltOnDrop(&*self.scope);
        value::before_writing();
        let value = call_scope::within(&self.scope, || {
            value::to_value_within(returned, self.scope.depth_limit())
        })?;
        self.scope.count_handles(&value);
        Ok(value)
    }
}

impl Arguments {
    /// Returns the same call without arguments, for converting its items.
    pub(super) fn for_items(&self) -> Self {
        let scope = Arc::clone(&self.scope);
        Arguments {
            values: Vec::new().into_iter(),
            parameters: &[],
            scope,
            _referenced: Vec::new(),
        }
    }

    /// Counts the handles in a value that is passed through.
    pub(super) fn count_handles(&self, value: &Value) {
        self.scope.count_handles(value);
    }

    pub(super) fn scope(&self) -> &Arc<dyn CallScope> {
        &self.scope
    }
}

/// A guard, because the conversion runs the object's own code and may panic.
struct BuiltOnDrop<'a>(&'a dyn CallScope);

impl Drop for BuiltOnDrop<'_> {
    fn drop(&mut self) {
        self.0.made();
    }
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arguments").field("left", &self.values.len()).finish_non_exhaustive()
    }
}

fn were_given(count: usize) -> String {
    format!("{count} {} given", if count == 1 { "was" } else { "were" })
}

fn mismatch(method: &Method, what: &str) -> Error {
    let names: Vec<String> = method
        .parameters
        .iter()
        .map(|Parameter { name, type_name }| format!("{name}: {type_name}"))
        .collect();
    let takes = match names.len() {
        0 => "no arguments".to_owned(),
        1 => format!("1 argument ({})", names[0]),
        count => format!("{count} arguments ({})", names.join(", ")),
    };
    Error::new(ErrorKind::BadArguments, format!("`{}` takes {takes}, but {what}", method.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::object::{ReplyChannel, no_such_object};
    use crate::common::definition::Receiver;
    use crate::common::value::Handle;

    const MOVE_BY: Method = Method {
        name: "move_by",
        documentation: "",
        parameters: &[
            Parameter { name: "x", type_name: "i64" },
            Parameter { name: "label", type_name: "String" },
        ],
        returns: "",
        signature: "fn move_by(&mut self, x: i64, label: String)",
        receiver: Receiver::Exclusive,
        is_async: false,
        finishes: false,
        streams: false,
        interface: "",
    };

    /// A scope without objects.
    #[derive(Debug)]
    struct EmptyScope;

    impl CallScope for EmptyScope {
        fn find(&self, _: &Handle) -> Result<ObjectRef> {
            Err(no_such_object())
        }

        fn hand_out(&self, _: &ObjectRef) -> Handle {
            unreachable!("there is no object")
        }

        fn count_handles(&self, _: &Value) {}

        fn made(&self) {}

        fn note_sent(&self, _: &[Handle]) {}

        fn release(&self, _: &[Handle]) {}

        fn channel(&self) -> Option<&dyn ReplyChannel> {
            None
        }

        fn is_ending(&self) -> bool {
            false
        }

        fn stalled(&self) -> futures_util::future::BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }

        fn daemon(&self) -> uuid::Uuid {
            uuid::Uuid::nil()
        }

        fn message_limit(&self) -> usize {
            1 << 20
        }

        fn depth_limit(&self) -> usize {
            32
        }
    }

    fn bind(positional: Vec<Value>, keywords: Vec<(&str, Value)>) -> Result<Arguments> {
        let keywords = keywords.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Arguments::bind(&MOVE_BY, positional, keywords, Arc::new(EmptyScope))
    }

    #[test]
    fn names_and_positions_mix() {
        let mut arguments =
            bind(vec![Value::Int(1)], vec![("label", Value::Text("a".into()))]).expect("it binds");
        assert_eq!(arguments.take::<i64>().expect("x"), 1);
        assert_eq!(arguments.take::<String>().expect("label"), "a");
    }

    #[test]
    fn mismatch_lists_the_parameters() {
        let takes = "`move_by` takes 2 arguments (x: i64, label: String), but ";
        for (positional, keywords, end) in [
            (vec![], vec![], "0 were given"),
            (vec![Value::Null], vec![], "1 was given"),
            (vec![Value::Null; 3], vec![], "3 were given"),
            (vec![Value::Null], vec![("x", Value::Null)], "`x` was given twice"),
            (vec![Value::Null], vec![("y", Value::Null)], "`y` is not one of them"),
        ] {
            let error = bind(positional, keywords).expect_err("it does not bind");
            assert_eq!(error.to_string(), format!("{takes}{end}"));
            assert_eq!(error.kind(), ErrorKind::BadArguments);
        }
    }

    #[test]
    fn wrong_type_names_the_parameter() {
        let mut arguments =
            bind(vec![Value::Text("one".into()), Value::Null], vec![]).expect("it binds");
        let error = arguments.take::<i64>().expect_err("text is not an i64");
        assert!(error.to_string().starts_with("invalid argument `x: i64`: "), "{error}");
    }
}
