//! One parameter, and how Python receives it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, Expr, Ident, Pat, PatIdent, PatType, Result, Type};

use crate::object::at;
use crate::object::types::peel;
use crate::python::options::{self, FaceOption, find};
use crate::python::target::checked_path;

/// A parameter that is not the receiver.
pub(crate) struct FaceParameter {
    pub(crate) ident: Ident,
    pub(crate) passing: PythonPassing,
    written: Type,
}

/// How an argument is passed to Python.
pub(crate) enum PythonPassing {
    Positional,
    /// Positional; the default stands for a `None`.
    Default(Expr),
    /// Positional; `None` leaves it out.
    Optional,
    /// By this name, with what stands for a `None`, if that is not sent as it is.
    Keyword(String, KeywordDefault),
    /// The items of a tuple or a list as further positional arguments.
    Args,
    /// The fields of a struct as keyword arguments.
    Keywords,
}

pub(crate) enum KeywordDefault {
    /// The type is not an `Option`.
    Required,
    /// `None` leaves it out.
    Omitted,
    Value(Expr),
}

impl FaceParameter {
    pub(crate) fn read(source: &PatType) -> Result<Self> {
        let known = ["keyword", "optional", "default", "args", "keywords", "name"];
        let options = options::read(&source.attrs, &known)?;
        options::only_one(&options, &["keyword", "optional", "args", "keywords"])?;
        options::only_one(&options, &["optional", "args", "keywords", "default"])?;
        let ident = plain_name(&source.pat)?;
        if let Type::Reference(reference) = peel(&source.ty)
            && reference.mutability.is_some()
        {
            let sentence = "a `&mut` argument would change nothing here: Python receives a copy";
            return Err(Error::new_spanned(reference, sentence));
        }
        let passing = passing(&ident, &source.ty, &options)?;
        Ok(FaceParameter { ident, passing, written: (*source.ty).clone() })
    }

    /// The call of the arguments' builder that adds it.
    pub(crate) fn packed(&self) -> TokenStream {
        let ident = &self.ident;
        let place = at(self.written.span());
        match &self.passing {
            PythonPassing::Positional => quote_spanned!(place=> .with(#ident)),
            PythonPassing::Default(default) => {
                quote_spanned!(place=> .with(#ident.unwrap_or(#default)))
            }
            PythonPassing::Optional => {
                let name = ident.unraw().to_string();
                quote_spanned!(place=> .with_optional(#name, #ident))
            }
            PythonPassing::Keyword(name, default) => match default {
                KeywordDefault::Required => quote_spanned!(place=> .with_keyword(#name, #ident)),
                KeywordDefault::Omitted => {
                    quote_spanned!(place=> .with_optional_keyword(#name, #ident))
                }
                KeywordDefault::Value(default) => {
                    quote_spanned!(place=> .with_keyword(#name, #ident.unwrap_or(#default)))
                }
            },
            PythonPassing::Args => quote_spanned!(place=> .with_items(#ident)),
            PythonPassing::Keywords => quote!(.with_keywords(#ident)),
        }
    }
}

fn passing(ident: &Ident, written: &Type, options: &[FaceOption]) -> Result<PythonPassing> {
    let default = find(options, "default");
    let optional = find(options, "optional");
    if let Some(option) = default.or(optional)
        && !is_option(written)
    {
        let sentence = match default {
            Some(_) => "`default` needs an `Option`: the value is passed for a `None`",
            None => "`optional` needs an `Option`: `None` leaves the argument out",
        };
        return Err(Error::new_spanned(&option.word, sentence));
    }
    let default = default.and_then(|option| option.expression.clone());
    let name = find(options, "name");
    if find(options, "keyword").is_some() {
        let python_name = match name {
            Some(option) => {
                let name = option.literal().value();
                checked_name(&name, option)?;
                name
            }
            None => ident.unraw().to_string(),
        };
        let default = match default {
            Some(expression) => KeywordDefault::Value(expression),
            None if is_option(written) => KeywordDefault::Omitted,
            None => KeywordDefault::Required,
        };
        return Ok(PythonPassing::Keyword(python_name, default));
    }
    if let Some(option) = name {
        let sentence = "only a `keyword` is passed by name";
        return Err(Error::new_spanned(&option.word, sentence));
    }
    Ok(match default {
        Some(expression) => PythonPassing::Default(expression),
        None if optional.is_some() => PythonPassing::Optional,
        None if find(options, "args").is_some() => PythonPassing::Args,
        None if find(options, "keywords").is_some() => PythonPassing::Keywords,
        None => PythonPassing::Positional,
    })
}

fn checked_name(name: &str, option: &FaceOption) -> Result<()> {
    if name.contains('.') {
        let sentence = format!("`{}` is not the name of a keyword", name.escape_debug());
        return Err(Error::new_spanned(option.literal(), sentence));
    }
    checked_path(name, option.literal())
}

fn is_option(written: &Type) -> bool {
    let Type::Path(path) = peel(written) else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "Option")
}

fn plain_name(pattern: &Pat) -> Result<Ident> {
    match pattern {
        Pat::Ident(PatIdent { by_ref: None, mutability: None, subpat: None, ident, .. }) => {
            Ok(ident.clone())
        }
        _ => Err(Error::new_spanned(pattern, "a parameter must be a plain name")),
    }
}
