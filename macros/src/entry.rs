//! `#[oad::main]`: the entry point of a program that can be its own daemon.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, Result};

use crate::refusals::Refusals;

/// Writes the function again as a sync one, or says why it cannot be.
pub(crate) fn expand(arguments: &TokenStream, item: TokenStream) -> TokenStream {
    let Ok(function) = syn::parse2::<ItemFn>(item.clone()) else {
        let refusal =
            Error::new_spanned(&item, "`#[oad::main]` goes on an `async fn`").into_compile_error();
        return quote!(#item #refusal);
    };
    let refusal = check(arguments, &function).err().map(Error::into_compile_error);
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let (name, output) = (&sig.ident, &sig.output);
    // An `async fn` rather than an async block, so that the body is checked and its
    // errors are told as they were written. Without the parameters and generics that were
    // refused, because an `fn main` must have none: what it says of the body then comes
    // in the next build.
    let run = match &refusal {
        Some(_) => quote!(::core::unimplemented!()),
        None => quote! {
            async fn __oad_main() #output #block
            ::oad::init();
            ::oad::__private::block_on(__oad_main())
        },
    };
    quote! {
        #refusal
        #(#attrs)*
        #vis fn #name() #output { #run }
    }
}

fn check(arguments: &TokenStream, function: &ItemFn) -> Result<()> {
    let mut refusals = Refusals::default();
    let signature = &function.sig;
    if !arguments.is_empty() {
        refusals.push(Error::new_spanned(arguments, "`#[oad::main]` takes no arguments"));
    }
    if signature.asyncness.is_none() {
        let sentence = "`#[oad::main]` goes on an `async fn`; a sync `main` calls `oad::init()` first thing instead";
        refusals.push(Error::new_spanned(signature.fn_token, sentence));
    }
    if !signature.inputs.is_empty() {
        refusals.push(Error::new_spanned(
            &signature.inputs,
            "the entry point of a program has no parameters",
        ));
    }
    if !signature.generics.params.is_empty() {
        refusals.push(Error::new_spanned(
            &signature.generics,
            "the entry point of a program cannot be generic",
        ));
    }
    refusals.finish()
}
