//! Writes the proxy of an interface: its own methods, as those of any proxy, and its
//! implementation of the trait.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::interface::declaration::Declaration;
use crate::interface::function::{Form, Function};
use crate::object::at;
use crate::object::proxy::{Shell, method, packed, shell};

pub(crate) fn proxy(declaration: &Declaration) -> TokenStream {
    let (proxy, ident, name) = (declaration.proxy(), &declaration.ident, declaration.name());
    let (registered, visibility) = (declaration.registered(), &declaration.options.visibility);
    let methods = declaration
        .functions
        .iter()
        .map(|function| method(&name, &function.method, &wire_name(declaration, function)));
    let shell_of = Shell {
        proxy: proxy.clone(),
        visibility,
        attributes: &declaration.attributes,
        summary: format!(
            " A proxy for an object that lives in a daemon; both implement [`{name}`]."
        ),
        check: quote! {
            fn interface() -> ::core::option::Option<&'static str> {
                ::core::option::Option::Some(#registered)
            }
        },
    };
    let spawn = quote! {
        /// Creates an object in a daemon. `constructor` names a type that implements the
        /// interface there and its constructor, such as `"MemoryStore::new"`;
        /// `arguments` is a tuple of the constructor's arguments.
        #visibility fn spawn(
            constructor: &str,
            arguments: impl __oad::__private::serde::Serialize,
        ) -> __oad::Spawn<#proxy> {
            __oad::Spawn::implementing(#registered, constructor, arguments)
        }
    };
    let shell = shell(&shell_of, &quote!(#spawn #(#methods)*));
    let attributes = declaration.async_trait();
    let implemented =
        declaration.functions.iter().map(|function| implemented(declaration, function));
    // At the trait's name, because what the proxy may lack is what the trait asks of it.
    let implementation = quote_spanned!(at(ident.span())=> impl #ident for #proxy);
    quote! {
        #shell

        #[allow(clippy::all, deprecated, unused)]
        #(#attributes)*
        #implementation {
            #(#implemented)*
        }
    }
}

/// The function of the trait, by a call.
fn implemented(declaration: &Declaration, function: &Function) -> TokenStream {
    let Function { method, signature, form, .. } = function;
    let (packed, owned, name) =
        (packed(method), &method.returned.owned, wire_name(declaration, function));
    let place = at(method.returned.place);
    // The very token of the signature: where a macro wrote that, another `self` would be
    // another name.
    let this = signature.receiver().map(|receiver| &receiver.self_token);
    let body = match form {
        Form::Sync => {
            let call = quote_spanned!(place=> __oad::__private::call_blocking::<#owned>);
            finished(function, &quote!(#call(&#this.0, #name, #packed)))
        }
        Form::Async | Form::Future => {
            let call = quote_spanned!(place=> __oad::__private::call::<#owned>);
            let finished = finished(function, &quote!(__oad_call.await));
            let answer =
                if *form == Form::Async { finished } else { quote!(async move { #finished }) };
            quote! {
                let __oad_call = #call(&#this.0, #name, #packed);
                #answer
            }
        }
    };
    quote!(#signature { #body })
}

/// What the trait's function returns, from the answer.
fn finished(function: &Function, answer: &TokenStream) -> TokenStream {
    let Some(error) = &function.error else { return quote!(__oad::__private::infallible(#answer)) };
    let convert = quote_spanned! {at(error.span())=>
        <#error as __oad::__private::FromError>::from_error(__oad_error)
    };
    quote! {
        match #answer {
            ::core::result::Result::Ok(__oad_value) => ::core::result::Result::Ok(__oad_value),
            ::core::result::Result::Err(__oad_error) => {
                use __oad::__private::{Opaque as _, Readable as _};
                let __oad_type = __oad::__private::Recover::<#error>(::core::marker::PhantomData);
                match (&&__oad_type).own(&__oad_error) {
                    ::core::option::Option::Some(__oad_own) => {
                        ::core::result::Result::Err(__oad_own)
                    }
                    ::core::option::Option::None => ::core::result::Result::Err(#convert),
                }
            }
        }
    }
}

/// The name by which the daemon finds the method, whatever else the object's type has of
/// that name.
fn wire_name(declaration: &Declaration, function: &Function) -> TokenStream {
    let (registered, name) =
        (declaration.registered(), function.method.ident().unraw().to_string());
    quote!(::core::concat!(#registered, "::", #name))
}
