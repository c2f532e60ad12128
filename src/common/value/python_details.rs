//! What a Python exception carries as values.

use std::any::Any;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::common::error::Exception;
use crate::common::value::{Value, from_value};

/// The parts of a Python exception, and the exceptions behind it. There are no cycles.
#[derive(Clone, Debug, Default)]
pub(crate) struct PythonDetails {
    pub(crate) mro: Vec<String>,
    pub(crate) args: Vec<Value>,
    pub(crate) attributes: Vec<(String, Value)>,
    pub(crate) notes: Vec<String>,
    pub(crate) cause: Option<Arc<Exception>>,
    pub(crate) context: Option<Arc<Exception>>,
    pub(crate) suppress_context: bool,
    pub(crate) group: Vec<Arc<Exception>>,
    /// The traceback without its last line.
    pub(crate) stack: String,
    /// How many exceptions directly behind this one were omitted.
    pub(crate) omitted: u64,
    /// The proxy of the exception itself, if the caller has asked for it; this module is
    /// below that type and does not know it.
    pub(crate) object: Option<Arc<dyn Any + Send + Sync>>,
}

impl PythonDetails {
    pub(crate) fn of(exception: &Exception) -> Option<&Self> {
        exception.value.as_ref()?.downcast_ref()
    }

    /// The exceptions directly behind this one.
    pub(crate) fn behind(&self) -> impl Iterator<Item = &Arc<Exception>> {
        self.cause.iter().chain(&self.context).chain(&self.group)
    }

    /// What it was raised from, or otherwise what was being handled.
    fn origin(&self) -> Option<&Exception> {
        self.cause.as_deref().or_else(|| self.context.as_deref().filter(|_| !self.suppress_context))
    }
}

impl Exception {
    /// Fills in what an exception of its own says about those behind it: causes,
    /// traceback, and how many were omitted. Those behind another do without, or the same
    /// text would be repeated many times.
    pub(crate) fn summed_up(mut self) -> Self {
        let Some(details) = PythonDetails::of(&self) else { return self };
        let mut causes = Vec::new();
        let mut next = details.origin();
        while let Some(cause) = next {
            causes.push(cause.headline());
            next = PythonDetails::of(cause).and_then(PythonDetails::origin);
        }
        let mut omitted = details.omitted;
        let mut known: Vec<&Arc<Exception>> = Vec::new();
        let mut ahead: Vec<_> = details.behind().collect();
        while let Some(exception) = ahead.pop() {
            if known.iter().any(|known| Arc::ptr_eq(known, exception)) {
                continue;
            }
            known.push(exception);
            if let Some(details) = PythonDetails::of(exception) {
                omitted += details.omitted;
                ahead.extend(details.behind());
            }
        }
        let notes = details.notes.iter().map(|note| format!("{note}\n")).collect::<String>();
        let own_text = format!("{}{}\n{notes}", details.stack, self.headline());
        self.traceback.get_or_insert(own_text);
        (self.causes, self.omitted) = (causes, omitted);
        self
    }

    /// The last line of its traceback.
    fn headline(&self) -> String {
        match self.message.as_str() {
            "" => self.type_name.clone(),
            message => format!("{}: {message}", self.type_name),
        }
    }

    /// Returns the error itself, if its type could be serialized in the daemon and it is
    /// a `T`; `None` for a Python exception.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self) -> Option<T> {
        from_value(self.value.as_ref()?.downcast_ref::<Value>()?.clone()).ok()
    }

    /// Returns the names of a Python exception's type and its base types, in the order of
    /// method resolution.
    #[must_use]
    pub fn mro(&self) -> Vec<String> {
        PythonDetails::of(self).map(|details| details.mro.clone()).unwrap_or_default()
    }

    /// Returns the arguments of a Python exception. An argument that cannot be converted
    /// to a value, or is nested deeper than 30 levels, is text that shows it; after
    /// [`Call::keep_exception`](crate::Call::keep_exception) it is a handle.
    #[must_use]
    pub fn args(&self) -> Vec<Value> {
        PythonDetails::of(self).map(|details| details.args.clone()).unwrap_or_default()
    }

    /// Returns an attribute of a Python exception: one that was set, or that its type
    /// keeps, such as `errno` and `filename` of an `OSError`, `code` of a `SystemExit`,
    /// or a name in `__slots__`.
    ///
    /// An attribute that cannot be converted to a value, or is nested deeper than 30
    /// levels, is text that shows it. Properties are not included, because reading them
    /// would run code of the exception.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Value> {
        let mut attributes = PythonDetails::of(self)?.attributes.iter();
        attributes.find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// Returns the notes of a Python exception.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        PythonDetails::of(self).map(|details| details.notes.clone()).unwrap_or_default()
    }

    /// Returns what a Python exception was raised from: its `__cause__`.
    #[must_use]
    pub fn cause(&self) -> Option<Exception> {
        PythonDetails::of(self)?.cause.as_deref().map(|cause| cause.clone().summed_up())
    }

    /// Returns what was being handled when a Python exception was raised, unless that is
    /// its cause: its `__context__`.
    #[must_use]
    pub fn context(&self) -> Option<Exception> {
        PythonDetails::of(self)?.context.as_deref().map(|context| context.clone().summed_up())
    }

    /// Returns the exceptions of a Python exception group.
    #[must_use]
    pub fn group(&self) -> Vec<Exception> {
        let group =
            PythonDetails::of(self).map(|details| details.group.as_slice()).unwrap_or_default();
        group.iter().map(|exception| (**exception).clone().summed_up()).collect()
    }
}
