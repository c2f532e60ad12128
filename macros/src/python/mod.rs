//! `#[oad::python]`: a trait that declares what a Python object can do becomes its typed
//! proxy.
//!
//! `target` reads the options, `declaration` the trait, `function` and `parameter` its
//! parts, with their `options`; what a proxy cannot have is refused there. `proxy` writes
//! the proxy, and `face` what a check compares with the object; neither can fail. The
//! trait itself is not written again: nothing but the proxy could implement it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Item};

use declaration::Declaration;

mod declaration;
mod face;
mod function;
mod options;
mod parameter;
mod proxy;
mod target;

/// Writes the proxy in place of the trait, or why there cannot be one.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let refusal = match syn::parse2(item.clone()) {
        Ok(Item::Trait(source)) => match Declaration::read(options, &source) {
            Ok(declaration) => {
                let (proxy, face) = (proxy::proxy(&declaration), face::face(&declaration));
                return declaration.options.crate_path.resolve(quote!(#proxy #face));
            }
            Err(refusal) => return refusal.into_compile_error(),
        },
        Ok(other) => Error::new_spanned(other, "`#[oad::python]` must be placed on a trait"),
        Err(refusal) => refusal,
    };
    let refusal = refusal.into_compile_error();
    quote!(#item #refusal)
}
