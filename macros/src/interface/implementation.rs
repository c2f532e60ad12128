//! An implementation of the trait: it is registered for its type.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ImplItem, ItemImpl, Path, Result, Visibility};

use crate::crate_path::CratePath;
use crate::object::at;
use crate::object::block::self_path;
use crate::object::method_options;
use crate::object::options::Options;
use crate::refusals::{Refusals, both};

/// What registers an implementation, or why there can be none.
pub(crate) fn registration(options: TokenStream, source: &ItemImpl) -> Result<TokenStream> {
    let (interface, _) = source.trait_.as_ref().expect("it is an implementation of a trait");
    let (self_path, (crate_path, ())) =
        both(self_path(source), both(crate_path(options), no_method_options(source)))?;
    Ok(crate_path.resolve(write(&self_path, interface)))
}

/// Reads the options, of which only `crate` has a meaning here.
fn crate_path(options: TokenStream) -> Result<CratePath> {
    let Options { visibility, serial, name, crate_path } = syn::parse2(options)?;
    let mut refusals = Refusals::default();
    if !matches!(visibility, Visibility::Inherited) {
        let sentence = "the visibility of an interface's proxy is set on the trait";
        refusals.push(Error::new_spanned(visibility, sentence));
    }
    if let Some(word) = serial {
        let sentence =
            "`serial` belongs on the type's own `impl` block, and applies to its interfaces too";
        refusals.push(Error::new_spanned(word, sentence));
    }
    if let Some(name) = name {
        let sentence = "the name of an interface is set on the trait, and that of a type on its own `impl` \
             block";
        refusals.push(Error::new_spanned(name, sentence));
    }
    refusals.finish().map(|()| crate_path)
}

fn no_method_options(source: &ItemImpl) -> Result<()> {
    let mut refusals = Refusals::default();
    for item in &source.items {
        if let ImplItem::Fn(function) = item
            && let Some(option) =
                function.attrs.iter().find(|attribute| method_options::is_ours(attribute))
        {
            let sentence = "`#[oad(…)]` belongs on the trait's method, where it applies to every \
                 implementation";
            refusals.push(Error::new_spanned(option, sentence));
        }
    }
    refusals.finish()
}

fn write(self_path: &Path, interface: &Path) -> TokenStream {
    let place = at(interface.span());
    let found = quote_spanned!(place=> <#self_path as #interface>::__add_oad_object_to_the_trait());
    let object =
        quote_spanned!(at(self_path.span())=> __oad::__private::assert_object::<#self_path>());
    let [shared, exclusive, consuming] = [quote!(shared), quote!(exclusive), quote!(consuming)].map(|called| {
        // `Send` futures are required at the trait's name, because it is the trait's
        // async methods that may lack it.
        quote_spanned! {place=>
            |__oad_object, __oad_method, __oad_arguments| {
                __oad::__private::InterfaceDispatch::<#self_path>::#called(#found, __oad_object, __oad_method, __oad_arguments)
                    .forget()
            }
        }
    });
    quote! {
        #[allow(clippy::all, deprecated, non_local_definitions, unused)]
        const _: () = {
            fn __oad_assert() {
                #object
            }

            static __OAD_CALLS: __oad::__private::Calls<#self_path> = __oad::__private::Calls {
                shared: #shared,
                exclusive: #exclusive,
                consuming: #consuming,
            };

            __oad::__private::inventory::submit! {
                __oad::__private::Implementation {
                    interface: || #found.described(),
                    object: ::core::any::TypeId::of::<#self_path>(),
                    calls: &__OAD_CALLS,
                }
            }
        };
    }
}
