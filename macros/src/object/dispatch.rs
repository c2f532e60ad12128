//! Writes the implementation of `oad::Object`: a call that names a method by number
//! becomes a call of it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::object::at;
use crate::object::block::Block;
use crate::object::invoke::invoke;
use crate::object::method::{Method, Receiver};
use crate::object::stream;

pub(crate) fn object(block: &Block) -> TokenStream {
    let (self_path, proxy) = (&block.self_path, block.proxy());
    let [shared, exclusive, consuming] =
        [Receiver::Shared, Receiver::Exclusive, Receiver::Consuming]
            .map(|receiver| arms(block, receiver));
    let place = at(self_path.span());
    let host = if block.options.serial.is_some() {
        quote_spanned!(place=> __oad::__private::serial::<#self_path>(self))
    } else if block.overlaps() {
        // Both in one function and at one place, so that the compiler says once what the
        // type lacks.
        quote_spanned! {place=>
            __oad::__private::assert_parallel::<#self_path>();
            __oad::__private::overlapping::<#self_path>(self)
        }
    } else {
        // No method of its own takes `&self`, so that the type need not be `Sync`; but an
        // interface's may.
        quote_spanned! {place=>
            use __oad::__private::{SerialKind as _, OverlappingKind as _};
            (&&__oad::__private::HostedAs::<#self_path>(::core::marker::PhantomData)).host(self)
        }
    };
    quote! {
        impl __oad::Object for #self_path {
            type Proxy = #proxy;
            const DESCRIPTION: &'static __oad::__private::TypeDescription = &__OAD_DESCRIPTION;

            fn host(self) -> ::std::boxed::Box<dyn __oad::__private::Hosted> {
                #host
            }

            fn call_shared(
                &self,
                __oad_method: usize,
                mut __oad_arguments: __oad::__private::Arguments,
            ) -> __oad::__private::MethodOutput<'_> {
                match __oad_method { #shared }
            }

            fn call_exclusive(
                &mut self,
                __oad_method: usize,
                mut __oad_arguments: __oad::__private::Arguments,
            ) -> __oad::__private::MethodOutput<'_> {
                match __oad_method { #exclusive }
            }

            fn call_consuming(
                __oad_object: &mut ::core::option::Option<Self>,
                __oad_method: usize,
                mut __oad_arguments: __oad::__private::Arguments,
            ) -> __oad::__private::MethodOutput<'_> {
                match __oad_method { #consuming }
            }
        }
    }
}

/// The arms for the methods with this receiver, each under its place in the description.
fn arms(block: &Block, receiver: Receiver) -> TokenStream {
    let methods =
        block.methods.iter().enumerate().filter(|(_, method)| method.receiver == receiver);
    let arms = methods.map(|(number, method)| {
        let answer = answer(block, method);
        quote!(#number => #answer,)
    });
    quote! {
        #(#arms)*
        _ => __oad::__private::MethodOutput::no_such_method(),
    }
}

fn answer(block: &Block, method: &Method) -> TokenStream {
    if let Some(items) = &method.returned.items {
        return stream::answer(&block.self_path, method, items);
    }
    let returned = at(method.returned.place);
    let reply = |value| quote_spanned!(returned=> __oad_arguments.reply(#value));
    let body = invoke(&block.self_path, &quote!(self), method, reply);
    let called = at(method.ident().span());
    if method.is_async() {
        quote_spanned! {called=>
            __oad::__private::MethodOutput::Later(::std::boxed::Box::pin(async move { #body }))
        }
    } else {
        quote_spanned! {called=>
            __oad::__private::MethodOutput::Now((|| -> __oad::Result<__oad::Value> { #body })())
        }
    }
}
