//! The words of `#[oad(…)]` on a function.

use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, ImplItem, ItemImpl, Result, Token};

/// The words on one function, each where it stands.
#[derive(Default)]
pub(crate) struct Words {
    /// The function is left out.
    pub(crate) skip: Option<Ident>,
    /// The call gives the method's own error.
    pub(crate) error: Option<Ident>,
    /// The call runs to its end.
    pub(crate) finish: Option<Ident>,
}

impl Words {
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut words = Words::default();
        for attribute in attributes.iter().filter(|attribute| is_ours(attribute)) {
            let list = attribute.meta.require_list().map_err(|_| {
                Error::new_spanned(
                    attribute,
                    "expected `#[oad(skip)]`, `#[oad(error)]` or `#[oad(finish)]`",
                )
            })?;
            for word in list.parse_args_with(words_of)? {
                words.set(word)?;
            }
        }
        match &words {
            Words { skip: Some(_), error: Some(other), .. }
            | Words { skip: Some(_), finish: Some(other), .. } => Err(Error::new_spanned(
                other,
                "`skip` leaves the function out, so that no other word can stand beside it",
            )),
            _ => Ok(words),
        }
    }

    fn set(&mut self, word: Ident) -> Result<()> {
        let name = word.to_string();
        let place = match name.as_str() {
            "skip" => &mut self.skip,
            "error" => &mut self.error,
            "finish" => &mut self.finish,
            unknown => {
                let sentence = format!(
                    "unknown word `{unknown}`: `#[oad(…)]` takes `skip`, `error` and `finish`"
                );
                return Err(Error::new_spanned(&word, sentence));
            }
        };
        match place.replace(word) {
            Some(first) => Err(Error::new_spanned(place, format!("`{first}` is given twice"))),
            None => Ok(()),
        }
    }
}

/// Takes the words off, so that the compiler does not look for a macro `oad`.
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

fn words_of(input: ParseStream<'_>) -> Result<Punctuated<Ident, Token![,]>> {
    Punctuated::parse_terminated_with(input, Ident::parse_any)
}
