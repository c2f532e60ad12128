//! The trait as a whole.

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;
use syn::ext::IdentExt;
use syn::{Attribute, Error, ItemTrait, Result, TraitItem, Visibility};

use crate::python::function::FaceFunction;
use crate::python::target::{FaceOptions, TargetKind};
use crate::refusals::{Refusals, all, both};

/// A trait that describes a Python object.
pub(crate) struct Declaration {
    pub(crate) options: FaceOptions,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) ident: Ident,
    pub(crate) functions: Vec<FaceFunction>,
}

impl Declaration {
    pub(crate) fn read(options: TokenStream, source: &ItemTrait) -> Result<Self> {
        let options = syn::parse2::<FaceOptions>(options);
        let kind = options.as_ref().map_or(TargetKind::Instance, |options| options.target.kind);
        let crate_path =
            options.as_ref().map(|options| options.crate_path.clone()).unwrap_or_default();
        let functions = all(source.items.iter().map(|item| match item {
            TraitItem::Fn(function) => FaceFunction::read(function, kind, &crate_path),
            other => {
                let sentence = "a trait of a Python object contains only functions";
                Err(Error::new_spanned(other, sentence))
            }
        }));
        let ((options, functions), ()) = both(both(options, functions), whole(source))?;
        Ok(Declaration {
            options,
            attributes: source.attrs.clone(),
            visibility: source.vis.clone(),
            ident: source.ident.clone(),
            functions,
        })
    }

    pub(crate) fn proxy(&self) -> Ident {
        format_ident!("{}Proxy", self.ident.unraw())
    }
}

fn whole(source: &ItemTrait) -> Result<()> {
    let mut refusals = Refusals::default();
    if !source.generics.params.is_empty() {
        let sentence = "a trait of a Python object cannot be generic; its functions can";
        refusals.push(Error::new_spanned(&source.generics, sentence));
    }
    if !source.supertraits.is_empty() {
        let sentence = "a trait of a Python object cannot have supertraits: write out the \
                        functions of the base classes";
        refusals.push(Error::new_spanned(&source.supertraits, sentence));
    }
    if let Some(token) = &source.unsafety {
        let sentence = "an `unsafe trait` cannot describe a Python object: there is nothing \
                        unsafe about a call";
        refusals.push(Error::new_spanned(token, sentence));
    }
    refusals.finish()
}
