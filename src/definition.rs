//! How to make an object.

/// How to make an object: the name of its Rust type, the constructor that makes it or the fact that it comes by value, and what it must
/// implement.
///
/// The arguments travel beside it, because they may be large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    type_name: String,
    constructor: Option<String>,
    interface: Option<String>,
}

impl Definition {
    /// An object made in the daemon.
    pub(crate) fn constructed(type_name: impl Into<String>, constructor: impl Into<String>) -> Self {
        Definition { type_name: type_name.into(), constructor: Some(constructor.into()), interface: None }
    }

    /// An object made by the caller and sent; the only argument is its value.
    pub(crate) fn by_value(type_name: impl Into<String>) -> Self {
        Definition { type_name: type_name.into(), constructor: None, interface: None }
    }

    /// The same for an object that must implement an interface.
    pub(crate) fn implementing(self, interface: impl Into<String>) -> Self {
        Definition { interface: Some(interface.into()), ..self }
    }

    pub(crate) fn type_name(&self) -> &str {
        &self.type_name
    }

    pub(crate) fn constructor(&self) -> Option<&str> {
        self.constructor.as_deref()
    }

    pub(crate) fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
    }

    /// The type's name without the path to it, as messages say it.
    pub(crate) fn short_name(&self) -> &str {
        short_name(&self.type_name)
    }
}

/// A type's name without the path to it.
pub(crate) fn short_name(type_name: &str) -> &str {
    type_name.rsplit("::").next().unwrap_or(type_name)
}
