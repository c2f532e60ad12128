//! The options of `#[oad(…)]` on a function.

use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, ImplItem, ItemImpl, Result, Token};

/// The options of one function, each with its place.
#[derive(Default)]
pub(crate) struct MethodOptions {
    /// The function is left out.
    pub(crate) skip: Option<Ident>,
    /// The call returns the method's own error.
    pub(crate) error: Option<Ident>,
    /// The call runs to its end, even without a caller.
    pub(crate) finish: Option<Ident>,
}

impl MethodOptions {
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut options = MethodOptions::default();
        for attribute in attributes.iter().filter(|attribute| is_ours(attribute)) {
            let list = attribute.meta.require_list().map_err(|_| {
                Error::new_spanned(
                    attribute,
                    "expected `#[oad(skip)]`, `#[oad(error)]` or `#[oad(finish)]`",
                )
            })?;
            for option in list.parse_args_with(names)? {
                options.set(option)?;
            }
        }
        match &options {
            MethodOptions { skip: Some(_), error: Some(other), .. }
            | MethodOptions { skip: Some(_), finish: Some(other), .. } => Err(Error::new_spanned(
                other,
                "`skip` leaves the function out, so no other option can be combined with it",
            )),
            _ => Ok(options),
        }
    }

    fn set(&mut self, option: Ident) -> Result<()> {
        let name = option.to_string();
        let field = match name.as_str() {
            "skip" => &mut self.skip,
            "error" => &mut self.error,
            "finish" => &mut self.finish,
            unknown => {
                let sentence =
                    format!("unknown option `{unknown}`: expected `skip`, `error` or `finish`");
                return Err(Error::new_spanned(&option, sentence));
            }
        };
        match field.replace(option) {
            Some(first) => Err(Error::new_spanned(field, format!("`{first}` is given twice"))),
            None => Ok(()),
        }
    }
}

/// Removes the attributes, which the compiler would take for those of a macro `oad`.
pub(crate) fn strip(source: &mut ItemImpl) {
    for item in &mut source.items {
        if let ImplItem::Fn(function) = item {
            function.attrs.retain(|attribute| !is_ours(attribute));
        }
    }
}

pub(crate) fn is_ours(attribute: &Attribute) -> bool {
    attribute.path().is_ident("oad")
}

fn names(input: ParseStream<'_>) -> Result<Punctuated<Ident, Token![,]>> {
    Punctuated::parse_terminated_with(input, Ident::parse_any)
}
