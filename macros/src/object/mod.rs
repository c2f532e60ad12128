//! `#[oad::object]`: reads an `impl` block into a model of it, and writes what that model
//! needs.
//!
//! `block`, `options`, `method`, `method_options` and `types` read, and refuse what
//! cannot be an object. `describe`, `dispatch`, `register` and `proxy` write, and cannot
//! fail. Deliberately absent: what the generated code does when it runs, which is
//! `oad::__private`'s.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Error, Item, ItemImpl};

use crate::interface;
use block::Block;

pub(crate) mod block;
mod concrete;
pub(crate) mod describe;
mod dispatch;
pub(crate) mod invoke;
pub(crate) mod method;
pub(crate) mod method_options;
pub(crate) mod options;
mod parameter;
pub(crate) mod proxy;
mod register;
pub(crate) mod remoted;
pub(crate) mod returned;
pub(crate) mod stream;
pub(crate) mod streamed;
pub(crate) mod text;
pub(crate) mod types;

/// Writes the item again, followed by what makes its type an object, or by why it cannot
/// be one. A trait and an implementation of one are the interface's.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let refusal = match syn::parse2(item.clone()) {
        Ok(Item::Impl(source)) if source.trait_.is_some() => {
            return interface::implementation(options, source);
        }
        Ok(Item::Impl(source)) => return own_block(options, source),
        Ok(Item::Trait(source)) => return interface::declaration(options, source),
        Ok(other) => Error::new_spanned(
            other,
            "`#[oad::object]` must be placed on an `impl` block or a trait",
        ),
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
    method_options::strip(&mut source);
    quote!(#source #generated)
}

/// The span of generated code that stands for a piece of the source: the compiler reports
/// errors there, but names resolve as the macro's own, so that source written by another
/// macro works too.
pub(crate) fn at(place: Span) -> Span {
    Span::call_site().located_at(place)
}

fn generate(block: &Block) -> TokenStream {
    let description = describe::description(block);
    let object = dispatch::object(block);
    let registration = register::registration(block);
    let proxy = proxy::proxy(block);
    let only_block = only_block(block);
    // Lints are for code that a person wrote; here they would name lines that nobody can
    // change.
    block.options.crate_path.resolve(quote! {
        #only_block
        #[allow(clippy::all, deprecated, non_local_definitions, unused)]
        const _: () = {
            #description
            #object
            #registration
        };
        #proxy
    })
}

/// Two items that can exist once for each type, and whose names say so: a second block
/// repeats all that is generated, and the compiler reports these first. The type catches
/// a block in the same module, the implementation one in any other.
fn only_block(block: &Block) -> TokenStream {
    let (name, self_path) = (block.name(), &block.self_path);
    let marker = format_ident!("only_one_oad_object_block_for_{name}");
    quote! {
        #[doc(hidden)]
        #[allow(dead_code, missing_debug_implementations, non_camel_case_types)]
        enum #marker {}

        impl __oad::__private::OnlyOneObjectBlockPerType for #self_path {}
    }
}
