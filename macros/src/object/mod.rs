//! `#[oad::object]`: reads an `impl` block into a model of it, and writes what that model
//! needs.
//!
//! Reading is `block` with `options`, `method`, `words` and `types`; all that is refused
//! is refused there. Writing is `describe`, `dispatch`, `register` and `proxy`, which
//! cannot fail. Deliberately absent: what the generated code does when it runs, which is
//! `oad::__private`'s.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Error, Item, ItemImpl};

use crate::interface;
use block::Block;

pub(crate) mod block;
mod concrete;
pub(crate) mod describe;
mod dispatch;
pub(crate) mod invoke;
pub(crate) mod method;
pub(crate) mod options;
mod parameter;
pub(crate) mod proxy;
mod register;
pub(crate) mod remoted;
pub(crate) mod returned;
pub(crate) mod stream;
pub(crate) mod streamed;
pub(crate) mod text;
mod types;
pub(crate) mod words;

/// Writes the item again, followed by what makes its type an object, or by why it cannot
/// be one. A trait and an implementation of one are the interface's.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let refusal = match syn::parse2(item.clone()) {
        Ok(Item::Impl(source)) if source.trait_.is_some() => {
            return interface::implementation(options, source);
        }
        Ok(Item::Impl(source)) => return own_block(options, source),
        Ok(Item::Trait(source)) => return interface::declaration(options, source),
        Ok(other) => {
            Error::new_spanned(other, "`#[oad::object]` goes on an `impl` block or on a trait")
        }
        Err(refusal) => refusal,
    };
    let refusal = refusal.into_compile_error();
    quote!(#item #refusal)
}

fn own_block(options: TokenStream, mut source: ItemImpl) -> TokenStream {
    let generated = match Block::read(options, &source) {
        Ok(block) => generate(&block),
        Err(refusal) => refusal.into_compile_error(),
    };
    words::strip(&mut source);
    quote!(#source #generated)
}

/// Where a token of generated code stands for a piece of the source: what the compiler
/// has to say of it is said there, but its names stay the macro's own, so that source
/// which comes out of another macro is no different.
pub(crate) fn at(place: Span) -> Span {
    Span::call_site().located_at(place)
}

fn generate(block: &Block) -> TokenStream {
    let description = describe::description(block);
    let object = dispatch::object(block);
    let registration = register::registration(block);
    let proxy = proxy::proxy(block);
    // The lints judge code that a person wrote; here they would name lines that nobody
    // can change.
    quote! {
        #[allow(clippy::all, deprecated, non_local_definitions, unused)]
        const _: () = {
            #description
            #object
            #registration
        };
        #proxy
    }
}
