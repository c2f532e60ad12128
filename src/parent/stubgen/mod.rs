//! Writes traits for [`#[oad::python]`](macro@crate::python) from what Python itself
//! reports of a class or a module.
//!
//! The code in `annotations.py` and `inspection.py` runs in the interpreter. It reads
//! signatures, annotations and stub files (`.pyi`), and returns types as text with whole
//! names. `rust_type` maps them to Rust, and `writer` writes the traits. Deliberately
//! absent: operators, which every typed proxy has from `PythonProxy`.

mod rust_type;
mod writer;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::common::error::{Error, ErrorKind, Result};
use crate::parent::proxy::{Interpreter, Remote as _};
use writer::Writer;

const SOURCE: &str = concat!(include_str!("annotations.py"), include_str!("inspection.py"));

/// Writes a trait for [`#[oad::python]`](macro@crate::python) for each class or module,
/// from signatures, annotations and stub files (`.pyi`).
///
/// A target is the dotted name of a class or a module, such as `io.StringIO` or `json`. A
/// colon separates a nested class from its module: `package.module:Outer.Inner`. Classes
/// that are written together refer to each other by their typed proxies; other classes
/// become `oad::PythonProxy`.
///
/// The text compiles as it is. What has no annotation, or one that has no counterpart in
/// Rust, becomes an `oad::Value` if it is returned, and an `impl oad::ToPython` or an
/// `oad::Value` if it is a parameter; a comment that begins with `Not typed:` says so.
///
/// ```no_run
/// # async fn example() -> oad::Result<()> {
/// let py = oad::interpreter(".venv").await?;
/// let traits = oad::stubgen::generate(&py, &["fractions.Fraction", "json"]).await?;
/// std::fs::write("src/python.rs", traits).expect("src is writable");
/// # Ok(()) }
/// ```
///
/// The classes and modules are imported, so their code runs in the interpreter.
///
/// # Errors
///
/// [`ErrorKind::Exception`] if a target cannot be imported or is neither a class nor a
/// module; [`ErrorKind::BadArguments`] if there is no target, or if two of them have the
/// same name.
///
/// # Cancel safety
///
/// As [`Call`](crate::Call).
pub async fn generate(interpreter: &Interpreter, targets: &[&str]) -> Result<String> {
    if targets.is_empty() {
        return Err(refused("no class or module is named".to_owned()));
    }
    let objects: Vec<InspectedObject> = interpreter
        .run(SOURCE, "read", (targets,))
        .await
        .map_err(|error| error.on(interpreter.daemon().to_string()))?;
    for object in &objects {
        let path = object.path();
        // A module can call itself anything.
        if !path.chars().all(|char| char.is_alphanumeric() || "_.:".contains(char)) {
            return Err(refused(format!("`{}` is not a name", path.escape_debug())));
        }
    }
    let names = trait_names(&objects)?;
    let proxy = |(object, name): (&InspectedObject, &String)| {
        (object.canonical.clone(), format!("{name}Proxy"))
    };
    let proxies: BTreeMap<String, String> = objects.iter().zip(&names).map(proxy).collect();
    let mut version = interpreter.version().split('.');
    let version = [version.next(), version.next()].map(Option::unwrap_or_default).join(".");
    let mut text = format!("// Written by `oad::stubgen` from Python {version}.\n");
    for (object, name) in objects.iter().zip(&names) {
        Writer::new(object, name, &proxies, &mut text).write();
    }
    Ok(text)
}

/// The names of the traits, which must differ. A module leaves its name to a class.
fn trait_names(objects: &[InspectedObject]) -> Result<Vec<String>> {
    let is_class = |object: &&InspectedObject| !object.name.is_empty();
    let classes: Vec<String> =
        objects.iter().filter(is_class).map(InspectedObject::trait_name).collect();
    let mut names: Vec<String> = Vec::new();
    for object in objects {
        let mut name = object.trait_name();
        if object.name.is_empty() && classes.contains(&name) {
            name.push_str("Module");
        }
        if let Some(place) = names.iter().position(|other| *other == name) {
            let (one, other) = (objects[place].path(), object.path());
            return Err(refused(format!("`{one}` and `{other}` would both be `{name}`"))
                .advise("write them into two modules"));
        }
        names.push(name);
    }
    Ok(names)
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::BadArguments, message).doing("writing traits of Python objects")
}

/// A class or a module, as Python reports it.
#[derive(Debug, Deserialize)]
struct InspectedObject {
    module: String,
    /// The dotted name in the module; empty for the module itself.
    name: String,
    /// The name by which annotations refer to it; empty for a module.
    canonical: String,
    documentation: String,
    members: Vec<InspectedMember>,
    notes: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct InspectedMember {
    name: String,
    kind: InspectedKind,
    documentation: String,
    /// Whether it is an attribute that can be set.
    settable: bool,
    /// `None` if Python reports no signature.
    parameters: Option<Vec<InspectedParameter>>,
    returns: Option<String>,
    notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum InspectedKind {
    Constructor,
    ClassFunction,
    Method,
    Attribute,
}

#[derive(Debug, Deserialize)]
struct InspectedParameter {
    name: String,
    kind: InspectedParameterKind,
    has_default: bool,
    /// Whether the default is Python's `None`.
    is_none: bool,
    #[serde(rename = "type")]
    annotation: Option<String>,
}

/// As `inspect` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum InspectedParameterKind {
    PositionalOnly,
    PositionalOrKeyword,
    VarPositional,
    KeywordOnly,
    VarKeyword,
}

impl InspectedObject {
    /// The name of the trait: the last one of the object's, in camel case.
    fn trait_name(&self) -> String {
        let path = if self.name.is_empty() { &self.module } else { &self.name };
        let last = path.rsplit('.').next().unwrap_or_default();
        let words = last.split('_').filter(|word| !word.is_empty());
        let name: String = words
            .map(|word| {
                let mut chars = word.chars();
                let first = chars.next().into_iter().flat_map(char::to_uppercase);
                first.chain(chars).collect::<String>()
            })
            .collect();
        let starts_well = name.starts_with(|char: char| char.is_alphabetic());
        if starts_well && name != "Self" { name } else { format!("Python{name}") }
    }

    /// The name that the attribute of the trait has.
    fn path(&self) -> String {
        match (self.module.as_str(), self.name.as_str()) {
            (module, "") => module.to_owned(),
            (module, name) if name.contains('.') => format!("{module}:{name}"),
            (module, name) => format!("{module}.{name}"),
        }
    }
}
