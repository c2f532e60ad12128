//! Writes the registration under which a daemon of the same program finds the type, and
//! makes an object of it.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use crate::object::at;
use crate::object::block::Block;
use crate::object::invoke::invoke;
use crate::object::method::Method;

pub(crate) fn registration(block: &Block) -> TokenStream {
    let self_path = &block.self_path;
    let arms = block.constructors.iter().enumerate().map(|(number, constructor)| {
        let construction = construction(block, constructor);
        quote!(#number => #construction,)
    });
    quote! {
        __oad::__private::inventory::submit! {
            __oad::__private::Registration {
                object: ::core::any::TypeId::of::<#self_path>(),
                description: &__OAD_DESCRIPTION,
                construct: __oad_construct,
                from_value: __oad_from_value,
            }
        }

        fn __oad_construct(
            __oad_constructor: usize,
            mut __oad_arguments: __oad::__private::Arguments,
        ) -> __oad::__private::Construction {
            match __oad_constructor {
                #(#arms)*
                _ => __oad::__private::Construction::no_such_constructor(),
            }
        }

        fn __oad_from_value(
            __oad_value: __oad::Value,
        ) -> __oad::Result<::std::boxed::Box<dyn __oad::__private::Hosted>> {
            use __oad::__private::{Deserialized as _, NotDeserialized as _};
            let __oad_type = __oad::__private::ByValue::<#self_path>(::core::marker::PhantomData);
            ::core::result::Result::Ok(__oad::Object::host((&&__oad_type).convert(__oad_value)?))
        }
    }
}

fn construction(block: &Block, constructor: &Method) -> TokenStream {
    let host = |object| quote!(::core::result::Result::Ok(__oad::Object::host(#object)));
    let body = invoke(&block.self_path, &TokenStream::new(), constructor, host);
    let called = at(constructor.ident().span());
    if constructor.is_async() {
        quote_spanned!(called=> __oad::__private::construction(async move { #body }))
    } else {
        quote_spanned! {called=>
            __oad::__private::Construction::Now(
                (|| -> __oad::Result<::std::boxed::Box<dyn __oad::__private::Hosted>> { #body })(),
            )
        }
    }
}
