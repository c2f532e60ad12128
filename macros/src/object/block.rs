//! The `impl` block as a whole.

use proc_macro2::TokenStream;
use quote::format_ident;
use syn::ext::IdentExt;
use syn::{Attribute, Error, Ident, ImplItem, ItemImpl, Path, PathSegment, Result, Type};

use crate::object::method::{Method, Receiver};
use crate::object::options::Options;
use crate::object::types::peel;
use crate::refusals::{all, both};

/// A type that is to be an object, and what of it is reached through the proxy.
pub(crate) struct Block {
    pub(crate) options: Options,
    pub(crate) attributes: Vec<Attribute>,
    /// The path of the type, as the block says it.
    pub(crate) self_path: Path,
    pub(crate) constructors: Vec<Method>,
    pub(crate) methods: Vec<Method>,
}

impl Block {
    pub(crate) fn read(options: TokenStream, source: &ItemImpl) -> Result<Self> {
        let options: Result<Options> = syn::parse2(options);
        let crate_path =
            options.as_ref().map(|options| options.crate_path.clone()).unwrap_or_default();
        let is_serial = options.as_ref().is_ok_and(|options| options.serial.is_some());
        let self_path = self_path(source);
        let functions = match &self_path {
            Ok(self_path) => all(source.items.iter().filter_map(|item| match item {
                ImplItem::Fn(function) => {
                    Method::read(function, self_path, &crate_path, is_serial).transpose()
                }
                _ => None,
            })),
            // Without the type's name no constructor can be told from another function.
            Err(_) => Ok(Vec::new()),
        };
        let ((options, self_path), functions) = both(both(options, self_path), functions)?;
        let (constructors, methods) = functions
            .into_iter()
            .partition(|function: &Method| function.receiver == Receiver::None);
        Ok(Block { options, attributes: source.attrs.clone(), self_path, constructors, methods })
    }

    /// The last name of the type.
    pub(crate) fn name(&self) -> String {
        self.ident().unraw().to_string()
    }

    pub(crate) fn proxy(&self) -> Ident {
        format_ident!("{}Proxy", self.ident())
    }

    /// Whether calls overlap. Where no method takes `&self` none could, so that the type
    /// need not be `Sync`.
    pub(crate) fn overlaps(&self) -> bool {
        self.methods.iter().any(|method| method.receiver == Receiver::Shared)
    }

    fn ident(&self) -> &Ident {
        let last = self.self_path.segments.last();
        &last.expect("a type's path has a last name").ident
    }
}

/// The path of the type that a block is for.
pub(crate) fn self_path(source: &ItemImpl) -> Result<Path> {
    if !source.generics.params.is_empty() {
        let sentence = "the type of an object cannot be generic: a daemon finds it by its name, which must \
             mean one type";
        return Err(Error::new_spanned(&source.generics, sentence));
    }
    match peel(&source.self_ty) {
        Type::Path(path) if path.qself.is_none() && path.path.segments.iter().all(is_plain) => {
            Ok(path.path.clone())
        }
        other => Err(Error::new_spanned(
            other,
            "the type of an object must be a plain path such as `Counter`",
        )),
    }
}

fn is_plain(segment: &PathSegment) -> bool {
    segment.arguments.is_none()
}
