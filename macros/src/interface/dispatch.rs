//! Writes what the trait asks for, and how its methods are called on an object of a type
//! that implements it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::Path;

use crate::interface::declaration::Declaration;
use crate::object::at;
use crate::object::describe;
use crate::object::invoke::invoke;
use crate::object::method::{Method, Receiver};
use crate::object::stream::sent;

pub(crate) fn dispatch(declaration: &Declaration) -> TokenStream {
    let (interface, ident, registered) =
        (declaration.interface(), &declaration.ident, declaration.registered());
    let module = declaration.module();
    let methods = declaration.functions.iter().map(|function| describe::method(&function.method));
    let object = quote!(__OadObject);
    let called = [
        (format_ident!("shared"), Receiver::Shared, quote!(&#object)),
        (format_ident!("exclusive"), Receiver::Exclusive, quote!(&mut #object)),
        (
            format_ident!("consuming"),
            Receiver::Consuming,
            quote!(&mut ::core::option::Option<#object>),
        ),
    ]
    .map(|(name, receiver, taken)| {
        let arms = arms(declaration, receiver);
        quote! {
            fn #name(
                self,
                __oad_object: #taken,
                __oad_method: usize,
                mut __oad_arguments: __oad::__private::Arguments,
            ) -> __oad::__private::Reply<
                impl ::core::future::Future<Output = __oad::Result<__oad::Value>>,
            > {
                #arms
            }
        }
    });
    // The lints judge code that a person wrote; here they would name lines that nobody
    // can change.
    quote! {
        #[doc(hidden)]
        #[allow(missing_docs, missing_debug_implementations, non_snake_case, unreachable_pub)]
        mod #module {
            #[derive(::core::clone::Clone, ::core::marker::Copy)]
            pub struct Interface;
        }

        #[allow(clippy::all, deprecated, non_local_definitions, unused, unreachable_pub)]
        const _: () = {
            static __OAD_INTERFACE: __oad::__private::Interface = __oad::__private::Interface {
                name: #registered,
                methods: &[#(#methods),*],
                declared: ::core::concat!(::core::file!(), ":", ::core::line!()),
            };

            impl #interface {
                pub fn described(self) -> &'static __oad::__private::Interface {
                    &__OAD_INTERFACE
                }
            }

            impl<#object: #ident> __oad::__private::InterfaceDispatch<#object> for #interface {
                #(#called)*
            }
        };
    }
}

/// What the methods with this receiver do, each under its place in the description. The
/// futures of all async ones are one, so that it has a type without a box, and shows
/// whether it is `Send` where the object's type is known.
fn arms(declaration: &Declaration, receiver: Receiver) -> TokenStream {
    let path = Path::from(declaration.ident.clone());
    let with_receiver = |is_async: bool| {
        let methods = declaration.functions.iter().map(|function| &function.method).enumerate();
        methods.filter(move |(_, method)| {
            method.receiver == receiver && runs_later(method) == is_async
        })
    };
    let now = with_receiver(false).map(|(number, method)| {
        let (body, called) = (body(&path, method), at(method.ident().span()));
        quote_spanned! {called=>
            #number => __oad::__private::Reply::Now((|| -> __oad::Result<__oad::Value> {
                #body
            })()),
        }
    });
    let later = with_receiver(true).map(|(number, method)| {
        let body = body(&path, method);
        quote!(#number => { #body })
    });
    quote! {
        match __oad_method {
            #(#now)*
            _ => __oad::__private::Reply::later(async move {
                match __oad_method {
                    #(#later)*
                    _ => __oad::__private::no_such_method(),
                }
            }),
        }
    }
}

/// Whether it is a future: an async method, or one that lasts as long as the items it has
/// returned.
fn runs_later(method: &Method) -> bool {
    method.is_async() || method.returned.items.is_some()
}

fn body(path: &Path, method: &Method) -> TokenStream {
    let returned = at(method.returned.place);
    if let Some(items) = &method.returned.items {
        return invoke(path, &quote!(__oad_object), method, |value| {
            let items = sent(method, items, &value);
            quote_spanned!(returned=> {
                let __oad_items: __oad::Result<__oad::__private::OwnedItems> = #items;
                __oad_items?.send().await
            })
        });
    }
    let reply = |value| quote_spanned!(returned=> __oad_arguments.reply(#value));
    invoke(path, &quote!(__oad_object), method, reply)
}
