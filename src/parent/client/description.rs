//! The description of an object.

use std::fmt;

use crate::common::definition::{DynamicDescription, DynamicMethod};
use crate::common::wire::pb;

/// A description of what an object can do. `Display` shows it like source code.
///
/// [`Proxy::describe`](crate::Proxy::describe) returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    type_name: String,
    documentation: String,
    methods: Vec<MethodDescription>,
    interfaces: Vec<String>,
    attributes: Vec<String>,
}

/// The description of one method of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodDescription {
    name: String,
    documentation: String,
    signature: String,
    parameters: Vec<(String, String)>,
    returns: String,
}

// === impl Description ===

impl Description {
    /// Returns the name of the object's type, such as `my_crate::Counter`.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// Returns the documentation of the object: for a Rust object, the comment on the
    /// `#[oad::object]` block.
    #[must_use]
    pub fn documentation(&self) -> &str {
        &self.documentation
    }

    /// Returns the object's methods in the order of the source: its own, and then those
    /// of each interface that it implements.
    ///
    /// A method that is hidden by another of the same name has the name of its interface
    /// in front, such as `Store::get`.
    #[must_use]
    pub fn methods(&self) -> &[MethodDescription] {
        &self.methods
    }

    /// Returns the names of the interfaces that the object implements, such as
    /// `my_crate::Store`.
    #[must_use]
    pub fn interfaces(&self) -> &[String] {
        &self.interfaces
    }

    /// Returns the names of the public attributes of a Python object. A Rust object has
    /// none.
    #[must_use]
    pub fn attributes(&self) -> &[String] {
        &self.attributes
    }

    /// Returns the method with this name.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<&MethodDescription> {
        self.methods.iter().find(|method| method.name == name)
    }

    pub(super) fn from_pb(message: pb::DescribeResponse) -> Self {
        let pb::DescribeResponse { r#type, documentation, methods, interfaces, attributes } =
            message;
        let methods = methods.into_iter().map(MethodDescription::from_pb).collect();
        Description { type_name: r#type, documentation, methods, interfaces, attributes }
    }
}

/// A Python object's.
impl From<DynamicDescription> for Description {
    fn from(description: DynamicDescription) -> Self {
        let DynamicDescription { type_name, documentation, methods, attributes } = description;
        let method = |method: DynamicMethod| {
            let DynamicMethod { name, documentation, signature, parameters, returns } = method;
            MethodDescription { name, documentation, signature, parameters, returns }
        };
        let methods = methods.into_iter().map(method).collect();
        Description { type_name, documentation, methods, interfaces: Vec::new(), attributes }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_comment(f, "", &self.documentation)?;
        writeln!(f, "impl {} {{", self.type_name)?;
        self.interfaces
            .iter()
            .try_for_each(|interface| writeln!(f, "    // implements {interface}"))?;
        for method in &self.methods {
            write_comment(f, "    ", &method.documentation)?;
            writeln!(f, "    {};", method.signature)?;
        }
        f.write_str("}")
    }
}

fn write_comment(f: &mut fmt::Formatter<'_>, indent: &str, documentation: &str) -> fmt::Result {
    documentation
        .lines()
        .try_for_each(|line| writeln!(f, "{}", format!("{indent}/// {line}").trim_end()))
}

// === impl MethodDescription ===

impl MethodDescription {
    /// Returns the name of the method.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the documentation of the method.
    #[must_use]
    pub fn documentation(&self) -> &str {
        &self.documentation
    }

    /// Returns the whole signature, as written in the source.
    #[must_use]
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// Returns the names and types of the parameters, as written in the source, without
    /// the receiver.
    pub fn parameters(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, type_name)| (name.as_str(), type_name.as_str()))
    }

    /// Returns the return type as written in the source; it is empty if there is none.
    #[must_use]
    pub fn returns(&self) -> &str {
        &self.returns
    }

    fn from_pb(message: pb::Method) -> Self {
        MethodDescription {
            name: message.name,
            documentation: message.documentation,
            signature: message.signature,
            parameters: message
                .parameters
                .into_iter()
                .map(|parameter| (parameter.name, parameter.r#type))
                .collect(),
            returns: message.returns,
        }
    }
}
