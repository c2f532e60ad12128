//! `#[oad::object]`: reads an `impl` block into a model of it, and writes what that model needs.
//!
//! Reading is `block` with `options`, `method`, `words` and `types`; all that is refused is refused there. Writing is
//! `describe`, `dispatch`, `register` and `proxy`, which cannot fail. Deliberately absent: what the generated code does
//! when it runs, which is `oad::__private`'s.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Error, Item, ItemImpl, Result};

use block::Block;

mod block;
mod concrete;
mod describe;
mod dispatch;
mod invoke;
mod method;
mod options;
mod parameter;
mod proxy;
mod register;
mod remoted;
mod returned;
mod stream;
mod streamed;
mod text;
mod types;
mod words;

/// Writes the item again, followed by what makes its type an object, or by why it cannot be one.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut source = match impl_block(item.clone()) {
        Ok(source) => source,
        Err(refusal) => {
            let refusal = refusal.into_compile_error();
            return quote!(#item #refusal);
        }
    };
    let generated = match Block::read(options, &source) {
        Ok(block) => generate(&block),
        Err(refusal) => refusal.into_compile_error(),
    };
    words::strip(&mut source);
    quote!(#source #generated)
}

fn impl_block(item: TokenStream) -> Result<ItemImpl> {
    match syn::parse2(item)? {
        Item::Impl(source) => Ok(source),
        Item::Trait(source) => {
            Err(Error::new_spanned(source.ident, "interfaces (`#[oad::object]` on a trait) are not there yet"))
        }
        other => Err(Error::new_spanned(other, "`#[oad::object]` goes on an `impl` block")),
    }
}

/// Where a token of generated code stands for a piece of the source: what the compiler has to say of it is said there,
/// but its names stay the macro's own, so that source which comes out of another macro is no different.
fn at(place: Span) -> Span {
    Span::call_site().located_at(place)
}

fn generate(block: &Block) -> TokenStream {
    let description = describe::description(block);
    let object = dispatch::object(block);
    let registration = register::registration(block);
    let proxy = proxy::proxy(block);
    // The lints judge code that a person wrote; here they would name lines that nobody can change.
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
