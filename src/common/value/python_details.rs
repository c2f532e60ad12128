//! What an exception carries as values.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::common::error::Exception;
use crate::common::value::{Value, from_value};

/// What a Python exception says of itself, and the exceptions behind it. No way leads
/// from one back to itself.
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
    /// The lines of the traceback but the last.
    pub(crate) stack: String,
    /// How many exceptions behind this very one were left out.
    pub(crate) omitted: u64,
}

impl PythonDetails {
    pub(crate) fn of(exception: &Exception) -> Option<&Self> {
        exception.value.as_ref()?.downcast_ref()
    }

    /// The exceptions right behind this one.
    pub(crate) fn behind(&self) -> impl Iterator<Item = &Arc<Exception>> {
        self.cause.iter().chain(&self.context).chain(&self.group)
    }

    /// What it was raised from, or else what was being handled.
    fn origin(&self) -> Option<&Exception> {
        self.cause.as_deref().or_else(|| self.context.as_deref().filter(|_| !self.suppress_context))
    }
}

impl Exception {
    /// Tells of those behind it what is told of each that stands alone; within an account
    /// it would be said many times over.
    pub(crate) fn summed_up(mut self) -> Self {
        let Some(account) = PythonDetails::of(&self) else { return self };
        let mut causes = Vec::new();
        let mut next = account.origin();
        while let Some(cause) = next {
            causes.push(cause.headline());
            next = PythonDetails::of(cause).and_then(PythonDetails::origin);
        }
        let mut omitted = account.omitted;
        let mut known: Vec<&Arc<Exception>> = Vec::new();
        let mut ahead: Vec<_> = account.behind().collect();
        while let Some(exception) = ahead.pop() {
            if known.iter().any(|known| Arc::ptr_eq(known, exception)) {
                continue;
            }
            known.push(exception);
            if let Some(account) = PythonDetails::of(exception) {
                omitted += account.omitted;
                ahead.extend(account.behind());
            }
        }
        let notes = account.notes.iter().map(|note| format!("{note}\n")).collect::<String>();
        let own_text = format!("{}{}\n{notes}", account.stack, self.headline());
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

    /// The error itself, if its type could be serialized in the daemon and is a `T` here.
    /// `None` for a Python exception.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self) -> Option<T> {
        from_value(self.value.as_ref()?.downcast_ref::<Value>()?.clone()).ok()
    }

    /// The names of a Python exception's type and of all that it derives from, in the
    /// order of method resolution.
    #[must_use]
    pub fn mro(&self) -> Vec<String> {
        PythonDetails::of(self).map(|account| account.mro.clone()).unwrap_or_default()
    }

    /// The arguments of a Python exception; what is no value, or is nested deeper than 30
    /// levels, is text that shows it.
    #[must_use]
    pub fn args(&self) -> Vec<Value> {
        PythonDetails::of(self).map(|account| account.args.clone()).unwrap_or_default()
    }

    /// An attribute of a Python exception: one that was set, or that its type keeps, such
    /// as `errno` and `filename` of an `OSError`, `code` of a `SystemExit`, or what
    /// stands in `__slots__`. What is no value, or is nested deeper than 30 levels, is
    /// text that shows it. Properties are not among them, because no code of the
    /// exception's is run to read them.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Value> {
        let mut attributes = PythonDetails::of(self)?.attributes.iter();
        attributes.find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// The notes of a Python exception.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        PythonDetails::of(self).map(|account| account.notes.clone()).unwrap_or_default()
    }

    /// What a Python exception was raised from.
    #[must_use]
    pub fn cause(&self) -> Option<Exception> {
        PythonDetails::of(self)?.cause.as_deref().map(|cause| cause.clone().summed_up())
    }

    /// What was being handled when a Python exception was raised, if that is not its
    /// cause.
    #[must_use]
    pub fn context(&self) -> Option<Exception> {
        PythonDetails::of(self)?.context.as_deref().map(|context| context.clone().summed_up())
    }

    /// The exceptions of a Python exception group.
    #[must_use]
    pub fn group(&self) -> Vec<Exception> {
        let group =
            PythonDetails::of(self).map(|account| account.group.as_slice()).unwrap_or_default();
        group.iter().map(|exception| (**exception).clone().summed_up()).collect()
    }
}
