//! An implementation of the trait: it is registered for its type.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ImplItem, ItemImpl, Path, Result, Visibility};

use crate::object::at;
use crate::object::block::self_path;
use crate::object::options::Options;
use crate::object::words;
use crate::refusals::{Refusals, both};

/// What registers an implementation, or why there can be none.
pub(crate) fn registration(options: TokenStream, source: &ItemImpl) -> Result<TokenStream> {
    let (interface, _) = source.trait_.as_ref().expect("it is an implementation of a trait");
    let (self_path, ((), ())) =
        both(self_path(source), both(no_options(options), no_words(source)))?;
    Ok(write(&self_path, interface))
}

fn no_options(options: TokenStream) -> Result<()> {
    let Options { visibility, serial, name } = syn::parse2(options)?;
    let mut refusals = Refusals::default();
    if !matches!(visibility, Visibility::Inherited) {
        let sentence = "the interface has its proxy already: its visibility is said on the trait";
        refusals.push(Error::new_spanned(visibility, sentence));
    }
    if let Some(word) = serial {
        let sentence =
            "`serial` is said on the type's own `impl` block, and counts for its interfaces too";
        refusals.push(Error::new_spanned(word, sentence));
    }
    if let Some(name) = name {
        let sentence =
            "the interface's name is said on the trait, and the type's on its own `impl` block";
        refusals.push(Error::new_spanned(name, sentence));
    }
    refusals.finish()
}

fn no_words(source: &ItemImpl) -> Result<()> {
    let mut refusals = Refusals::default();
    for item in &source.items {
        if let ImplItem::Fn(function) = item
            && let Some(word) = function.attrs.iter().find(|attribute| words::is_ours(attribute))
        {
            let sentence =
                "the words of an interface's methods stand on the trait, for all who implement it";
            refusals.push(Error::new_spanned(word, sentence));
        }
    }
    refusals.finish()
}

fn write(self_path: &Path, interface: &Path) -> TokenStream {
    let place = at(interface.span());
    let found = quote_spanned!(place=> <#self_path as #interface>::__oad_object_on_the_trait());
    let object =
        quote_spanned!(at(self_path.span())=> ::oad::__private::assert_object::<#self_path>());
    let [shared, exclusive, consuming] = [quote!(shared), quote!(exclusive), quote!(consuming)].map(|called| {
        // That the futures are `Send` is asked at the trait's name, because it is its
        // async methods that lack it.
        quote_spanned! {place=>
            |__oad_object, __oad_method, __oad_arguments| {
                ::oad::__private::InterfaceDispatch::<#self_path>::#called(#found, __oad_object, __oad_method, __oad_arguments)
                    .boxed()
            }
        }
    });
    quote! {
        #[allow(clippy::all, deprecated, non_local_definitions, unused)]
        const _: () = {
            fn __oad_assert() {
                #object
            }

            static __OAD_CALLS: ::oad::__private::Calls<#self_path> = ::oad::__private::Calls {
                shared: #shared,
                exclusive: #exclusive,
                consuming: #consuming,
            };

            ::oad::__private::inventory::submit! {
                ::oad::__private::Implementation {
                    interface: || #found.described(),
                    object: ::core::any::TypeId::of::<#self_path>(),
                    calls: &__OAD_CALLS,
                }
            }
        };
    }
}
