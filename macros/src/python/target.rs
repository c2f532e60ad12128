//! The options of `#[oad::python(…)]`: which Python object is meant.

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, LitStr, Result, Token};

use crate::crate_path::CratePath;

/// The options of `#[oad::python(…)]`.
pub(crate) struct FaceOptions {
    pub(crate) target: Target,
    pub(crate) crate_path: CratePath,
}

/// The Python object that the trait describes.
pub(crate) struct Target {
    pub(crate) kind: TargetKind,
    /// The module; empty for the builtins and the names of scripts.
    pub(crate) module: String,
    /// The dotted name in the module; empty for the module itself.
    pub(crate) name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetKind {
    /// An instance of the named class.
    Instance,
    /// The named class itself.
    Class,
    Module,
}

impl Parse for FaceOptions {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let (mut target, mut crate_path) = (None, CratePath::default());
        while !input.is_empty() {
            let place = input.span();
            let found = if input.peek(LitStr) {
                Some((TargetKind::Instance, input.parse()?))
            } else {
                named(input, &mut crate_path)?
            };
            if let Some((kind, literal)) = found
                && target.replace(Target::read(kind, &literal)?).is_some()
            {
                return Err(Error::new(place, "a trait describes one Python object"));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        let missing = || {
            let sentence = "`#[oad::python]` needs the name of a class, such as \
                            `#[oad::python(\"io.StringIO\")]`";
            Error::new(Span::call_site(), sentence)
        };
        Ok(FaceOptions { target: target.ok_or_else(missing)?, crate_path })
    }
}

/// Reads an option with a name; `crate` is stored, and the others name the object.
fn named(
    input: ParseStream<'_>,
    crate_path: &mut CratePath,
) -> Result<Option<(TargetKind, LitStr)>> {
    let option = input.call(Ident::parse_any)?;
    let kind = match option.to_string().as_str() {
        "class" => TargetKind::Class,
        "module" => TargetKind::Module,
        "crate" if crate_path.is_set() => {
            return Err(Error::new_spanned(&option, "`crate` is given twice"));
        }
        "crate" => {
            *crate_path = input.parse()?;
            return Ok(None);
        }
        unknown => {
            let sentence = format!(
                "unknown option `{unknown}`: expected `\"module.Class\"`, `class = \"…\"`, \
                 `module = \"…\"` or `crate = \"…\"`"
            );
            return Err(Error::new_spanned(&option, sentence));
        }
    };
    input.parse::<Token![=]>()?;
    Ok(Some((kind, input.parse()?)))
}

impl Target {
    fn read(kind: TargetKind, literal: &LitStr) -> Result<Self> {
        let text = literal.value();
        if kind == TargetKind::Module {
            checked_path(&text, literal)?;
            return Ok(Target { kind, module: text, name: String::new() });
        }
        let (module, name) = match text.split_once(':') {
            Some((module, name)) => {
                checked_path(module, literal)?;
                (module, name)
            }
            None => text.rsplit_once('.').unwrap_or(("", &text)),
        };
        if !module.is_empty() {
            checked_path(module, literal)?;
        }
        checked_path(name, literal)?;
        Ok(Target { kind, module: module.to_owned(), name: name.to_owned() })
    }

    /// The whole name, for documentation.
    pub(crate) fn text(&self) -> String {
        match (self.module.as_str(), self.name.as_str()) {
            ("", name) => name.to_owned(),
            (module, "") => module.to_owned(),
            (module, name) => format!("{module}.{name}"),
        }
    }
}

/// Refuses text that cannot be names with dots between them.
pub(crate) fn checked_path(text: &str, place: &impl ToTokens) -> Result<()> {
    match text.split('.').all(is_name) {
        true => Ok(()),
        false => {
            let sentence =
                format!("`{}` is not a Python name or a dotted path of names", text.escape_debug());
            Err(Error::new_spanned(place, sentence))
        }
    }
}

/// Whether Python accepts the text as a name, keywords aside.
pub(crate) fn is_name(text: &str) -> bool {
    let starts_well = text.chars().next().is_some_and(|char| char.is_alphabetic() || char == '_');
    starts_well && text.chars().all(|char| char.is_alphanumeric() || char == '_')
}
