//! Writes the call of one function in the daemon: its arguments are taken, it runs, and
//! what it returned is kept.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Path;
use syn::spanned::Spanned;

use crate::object::at;
use crate::object::method::{Method, Receiver};
use crate::object::returned::ResultParts;
use crate::object::types::Passing;

/// The statements that call `method` of the type or trait at `path` on `object` with
/// `__oad_arguments`; `keep` says what becomes of the value.
pub(crate) fn invoke(
    path: &Path,
    object: &TokenStream,
    method: &Method,
    keep: impl Fn(TokenStream) -> TokenStream,
) -> TokenStream {
    let taken = taken(method);
    let inputs = self::object(method, object).into_iter().chain(passed(method));
    let ident = method.ident();
    let awaited = method.is_async().then(|| quote!(.await));
    let kept = outcome(method, keep);
    quote! {
        #taken
        let __oad_returned = #path::#ident(#(#inputs),*) #awaited;
        #kept
    }
}

/// The statements that take the arguments.
pub(crate) fn taken(method: &Method) -> TokenStream {
    let taken = method.parameters.iter().enumerate().map(|(index, parameter)| {
        let (local, owned) = (local(index), &parameter.argument.owned);
        quote_spanned!(at(parameter.written.span())=> let #local: #owned = __oad_arguments.take()?;)
    });
    quote!(#(#taken)*)
}

/// The object, as the function takes it. Arguments that are no good are found before
/// this, so that they do not cost the object.
pub(crate) fn object(method: &Method, object: &TokenStream) -> Option<TokenStream> {
    match method.receiver {
        Receiver::None => None,
        Receiver::Consuming => Some(quote!(__oad::__private::take(__oad_object)?)),
        Receiver::Shared | Receiver::Exclusive => Some(object.clone()),
    }
}

/// The arguments, as the function takes them.
pub(crate) fn passed(method: &Method) -> impl Iterator<Item = TokenStream> {
    method.parameters.iter().enumerate().map(|(index, parameter)| {
        let local = local(index);
        match parameter.argument.passing {
            Passing::Owned => quote!(#local),
            Passing::Reference => quote!(&#local),
            Passing::OptionDeref => quote!(#local.as_deref()),
            Passing::OptionReference => quote!(#local.as_ref()),
        }
    })
}

/// The statements that look at what was returned: a value is kept, an error raised.
pub(crate) fn outcome(method: &Method, keep: impl Fn(TokenStream) -> TokenStream) -> TokenStream {
    // The value stands for the returned type.
    let place = at(method.returned.place);
    match &method.returned.outcome {
        ResultParts::Value => keep(quote_spanned!(place=> __oad_returned)),
        ResultParts::Exception | ResultParts::Error(_) => {
            let kept = keep(quote_spanned!(place=> __oad_value));
            quote! {
                match __oad_returned {
                    ::core::result::Result::Ok(__oad_value) => #kept,
                    ::core::result::Result::Err(__oad_error) => {
                        ::core::result::Result::Err(__oad::__raise!(__oad_error, __oad_arguments))
                    }
                }
            }
        }
    }
}

fn local(index: usize) -> Ident {
    format_ident!("__oad_{index}")
}
