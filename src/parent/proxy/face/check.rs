//! Compares a declaration with the Python object itself.

use std::fmt;

use crate::common::error::{Error, ErrorKind, Result};
use crate::parent::proxy::face::{Face, FaceKind, TypedPython};
use crate::parent::proxy::interpreter::Interpreter;
use crate::parent::proxy::python::PythonProxy;
use crate::parent::proxy::remote::Remote;

/// Runs in the interpreter; it leaves no name there.
const SOURCE: &str = include_str!("check.py");

/// What a check of a typed proxy could not compare.
///
/// [`Interpreter::check`](crate::Interpreter::check) returns it if everything that it
/// could compare fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    unchecked: Vec<String>,
}

impl CheckReport {
    /// Returns the names that were not compared, each with the reason, such as
    /// ``"`readline`: Python reports no signature"``.
    #[must_use]
    pub fn unchecked(&self) -> &[String] {
        &self.unchecked
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unchecked.as_slice() {
            [] => f.write_str("everything fits"),
            unchecked => write!(f, "everything else fits; not checked: {}", unchecked.join("; ")),
        }
    }
}

impl Interpreter {
    /// Imports the class or module that a typed proxy declares, and checks that it has
    /// the declared functions with fitting signatures: the number of positional arguments
    /// and the names of keywords. Types are not compared.
    ///
    /// ```no_run
    /// #[oad::python("io.StringIO")]
    /// trait TextBuffer {
    ///     fn getvalue(&self) -> String;
    /// }
    ///
    /// # async fn example(py: oad::Interpreter) -> oad::Result<()> {
    /// println!("{}", py.check::<TextBufferProxy>().await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`] if something is missing or does not fit; the error lists
    /// all of it. [`ErrorKind::Exception`] if the import fails.
    ///
    /// # Cancel safety
    ///
    /// As [`Call`](crate::Call).
    pub async fn check<P: TypedPython>(&self) -> Result<CheckReport> {
        let target = self.builder(P::FACE.source()).await?;
        let how = match P::FACE.kind {
            FaceKind::Instance => "instances of the class",
            FaceKind::Class | FaceKind::Module => "itself",
        };
        compare(self, P::FACE, &target, how).await
    }
}

impl PythonProxy {
    /// Checks that this very object has the functions that a typed proxy declares, with
    /// fitting signatures; see [`Interpreter::check`](crate::Interpreter::check). Its
    /// class plays no part, and neither do constructors.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`] if something is missing or does not fit; the error lists
    /// all of it.
    ///
    /// # Cancel safety
    ///
    /// As [`Call`](crate::Call).
    pub async fn check<P: TypedPython>(&self) -> Result<CheckReport> {
        let how = match P::FACE.kind {
            FaceKind::Instance => "an instance",
            FaceKind::Class | FaceKind::Module => "itself",
        };
        compare(&self.interpreter(), P::FACE, self, how).await
    }
}

async fn compare(
    interpreter: &Interpreter,
    face: &Face,
    target: &PythonProxy,
    how: &str,
) -> Result<CheckReport> {
    let (wrong, unchecked): (Vec<String>, Vec<String>) =
        interpreter.run(SOURCE, "check", (target, how, face.members)).await?;
    if wrong.is_empty() {
        return Ok(CheckReport { unchecked });
    }
    let object = match (face.module, face.name) {
        _ if how == "an instance" => target.type_name().to_owned(),
        ("", name) => name.to_owned(),
        (module, "") => module.to_owned(),
        (module, name) => format!("{module}.{name}"),
    };
    let message = format!("`{object}` does not fit `{}`: {}", face.rust_name, wrong.join("; "));
    Err(Error::new(ErrorKind::WrongType, message)
        .on(interpreter.daemon().to_string())
        .advise("correct the trait of `#[oad::python]`"))
}
