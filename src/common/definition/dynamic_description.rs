//! Descriptions of objects whose methods are only known at run time.

/// A description that an object returns at run time.
#[derive(Clone, Debug, Default)]
pub(crate) struct DynamicDescription {
    pub(crate) type_name: String,
    pub(crate) documentation: String,
    pub(crate) methods: Vec<DynamicMethod>,
    pub(crate) attributes: Vec<String>,
}

/// One method in such a description.
#[derive(Clone, Debug, Default)]
pub(crate) struct DynamicMethod {
    pub(crate) name: String,
    pub(crate) documentation: String,
    pub(crate) signature: String,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) returns: String,
}
