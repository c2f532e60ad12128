//! `#[oad::main]`: the entry point of a program that can be its own daemon.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::{Error, ItemFn, Result};

use crate::crate_path::CratePath;
use crate::refusals::{Refusals, both};

/// Writes the function again as a sync one, or reports why it cannot be one.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let Ok(function) = syn::parse2::<ItemFn>(item.clone()) else {
        let refusal = Error::new_spanned(&item, "`#[oad::main]` must be placed on an `async fn`")
            .into_compile_error();
        return quote!(#item #refusal);
    };
    let checked = both(crate_path(arguments), check(&function));
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let (name, output) = (&sig.ident, &sig.output);
    // Parameters and generics are left out even where they are refused, because the
    // compiler refuses them too and would report the same again.
    let (run, refusal) = match checked {
        Ok((crate_path, ())) => {
            let [init, block_on] =
                [quote!(__oad::init()), quote!(__oad::__private::block_on(__oad_main()))]
                    .map(|generated| crate_path.resolve(generated));
            // An `async fn` rather than an async block, so that the body is checked, and
            // its errors are reported, as written.
            let run = quote! {
                async fn __oad_main() #output #block
                #init;
                #block_on
            };
            (run, None)
        }
        Err(refusal) => (quote!(::core::unimplemented!()), Some(refusal.into_compile_error())),
    };
    quote! {
        #refusal
        #(#attrs)*
        #vis fn #name() #output { #run }
    }
}

/// Reads the arguments, which are empty or `crate = "…"`.
fn crate_path(arguments: TokenStream) -> Result<CratePath> {
    if arguments.is_empty() {
        return Ok(CratePath::default());
    }
    let read = |input: syn::parse::ParseStream<'_>| {
        input.parse::<syn::Token![crate]>()?;
        let path = input.parse::<CratePath>()?;
        input.parse::<Option<syn::Token![,]>>()?;
        Ok(path)
    };
    read.parse2(arguments.clone()).map_err(|_| {
        Error::new_spanned(arguments, "`#[oad::main]` takes only the option `crate = \"…\"`")
    })
}

fn check(function: &ItemFn) -> Result<()> {
    let mut refusals = Refusals::default();
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        let sentence = "`#[oad::main]` needs an `async fn`; in a sync `main`, call `oad::init()` \
                        on the first line instead";
        refusals.push(Error::new_spanned(signature.fn_token, sentence));
    }
    if !signature.inputs.is_empty() {
        refusals.push(Error::new_spanned(&signature.inputs, "`main` cannot have parameters"));
    }
    if !signature.generics.params.is_empty() {
        refusals.push(Error::new_spanned(&signature.generics, "`main` cannot be generic"));
    }
    refusals.finish()
}
