//! What an object can do, as its daemon tells it.

use std::fmt;

use crate::common::wire::pb;

/// What an object can do, as its daemon tells it. `Display` shows it as the source does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    type_name: String,
    documentation: String,
    methods: Vec<MethodDescription>,
    interfaces: Vec<String>,
    attributes: Vec<String>,
}

/// One method of an object.
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
    /// The name its type is registered under, such as `my_crate::Counter`.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// Its documentation: the comment on the `impl` block.
    #[must_use]
    pub fn documentation(&self) -> &str {
        &self.documentation
    }

    /// Its methods, in the order of the source: its own, then those of each interface it
    /// implements. One that another of the same name hides is called such as
    /// `Store::get`.
    #[must_use]
    pub fn methods(&self) -> &[MethodDescription] {
        &self.methods
    }

    /// The names that the interfaces it implements are registered under.
    #[must_use]
    pub fn interfaces(&self) -> &[String] {
        &self.interfaces
    }

    /// The names of its public attributes, if it is a Python object.
    #[must_use]
    pub fn attributes(&self) -> &[String] {
        &self.attributes
    }

    /// The method of this name.
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
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its documentation.
    #[must_use]
    pub fn documentation(&self) -> &str {
        &self.documentation
    }

    /// The whole of its signature, as written in the source.
    #[must_use]
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// Its parameters without the receiver: their names and types, as written in the
    /// source.
    pub fn parameters(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, type_name)| (name.as_str(), type_name.as_str()))
    }

    /// The type it returns, as written in the source; empty for nothing.
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
