//! `#[oad::object]` on a trait, and on an implementation of one.
//!
//! On the trait: it is read into a model (`declaration`, `function`), and all that is
//! refused is refused there. Written are what it asks for and how that is called on an
//! object of any type (`dispatch`), and a proxy that implements it (`proxy`). On an
//! implementation: it is registered for its type (`implementation`). What is the same for
//! the methods of a type is `object`'s.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{ItemImpl, ItemTrait};

use declaration::Declaration;

mod declaration;
mod dispatch;
mod function;
mod implementation;
mod proxy;
mod refused;

/// Writes the trait again, followed by what makes it an interface, or by why it cannot be
/// one.
pub(crate) fn declaration(options: TokenStream, mut source: ItemTrait) -> TokenStream {
    let declared = Declaration::read(options, &source);
    declaration::strip(&mut source);
    match declared {
        Ok(declaration) => {
            declaration.link(&mut source);
            let (dispatch, proxy) = (dispatch::dispatch(&declaration), proxy::proxy(&declaration));
            let generated = declaration.options.crate_path.resolve(quote!(#dispatch #proxy));
            quote!(#source #generated)
        }
        Err(refusal) => {
            let refusal = refusal.into_compile_error();
            quote!(#source #refusal)
        }
    }
}

/// Writes the implementation again, followed by its registration, or by why there can be
/// none.
pub(crate) fn implementation(options: TokenStream, mut source: ItemImpl) -> TokenStream {
    let registration = implementation::registration(options, &source)
        .unwrap_or_else(syn::Error::into_compile_error);
    crate::object::method_options::strip(&mut source);
    quote!(#source #registration)
}
