//! Writes the call of a method that returns a stream: the call lasts as long as its
//! items.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::Path;

use crate::object::at;
use crate::object::invoke::{object, outcome, passed, taken};
use crate::object::method::Method;
use crate::object::returned::Items;
use crate::object::streamed::Kind;

pub(crate) fn answer(self_path: &Path, method: &Method, items: &Items) -> TokenStream {
    let taken = taken(method);
    // Bound before the closure, which takes what it names, and must not take what is only
    // lent.
    let (locals, inputs): (Vec<_>, Vec<TokenStream>) = object(method, &quote!(self))
        .into_iter()
        .chain(passed(method))
        .enumerate()
        .map(|(index, input)| (format_ident!("__oad_input_{index}"), input))
        .unzip();
    let ident = method.ident();
    let call = quote!(#self_path::#ident(#(#locals),*));
    let returned = match method.is_async() {
        true => quote!(#call.await),
        // It may block, and so may its items.
        false => quote!(__oad::__private::in_place(move || #call).await),
    };
    let kept = outcome(method, |value| sent(method, items, &value));
    let variant = if items.is_apart { quote!(Items) } else { quote!(Later) };
    let called = at(method.ident().span());
    quote_spanned! {called=>
        __oad::__private::MethodOutput::#variant(::std::boxed::Box::pin(async move {
            #taken
            #(let #locals = #inputs;)*
            let __oad_returned = #returned;
            #kept
        }))
    }
}

/// What becomes of the iterator or the stream that was returned.
pub(crate) fn sent(method: &Method, items: &Items, value: &TokenStream) -> TokenStream {
    let place = at(method.returned.place);
    let reply = match items.is_fallible {
        false => quote_spanned!(place=> __oad_arguments.reply(__oad_item)),
        true => quote_spanned! {place=>
            match __oad_item {
                ::core::result::Result::Ok(__oad_item) => __oad_arguments.reply(__oad_item),
                ::core::result::Result::Err(__oad_error) => {
                    ::core::result::Result::Err(__oad::__raise!(__oad_error, __oad_arguments))
                }
            }
        },
    };
    match (items.is_apart, items.kind) {
        (false, Kind::Iterator) => quote_spanned! {place=>
            __oad::__private::send_iterator(&__oad_arguments, #value, |__oad_item| #reply).await
        },
        (false, _) => quote_spanned! {place=>
            __oad::__private::send_stream(&__oad_arguments, #value, |__oad_item| #reply).await
        },
        (true, kind) => {
            let function = match kind {
                Kind::Iterator => quote!(iterator),
                Kind::Stream => quote!(stream),
                Kind::Ours => quote!(oad_stream),
            };
            quote_spanned! {place=>
                ::core::result::Result::Ok(__oad::__private::OwnedItems::#function(
                    __oad_arguments,
                    #value,
                    |__oad_arguments, __oad_item| #reply,
                ))
            }
        }
    }
}
