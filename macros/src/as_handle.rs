//! What every generated proxy has: it travels as the handle of its object.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

/// The implementations of serde's traits for the proxy. They stand where `__oad` is the
/// path to oad.
pub(crate) fn as_handle(proxy: &Ident) -> TokenStream {
    quote! {
        /// Serializes to a handle, as an argument of a call.
        impl __oad::__private::serde::Serialize for #proxy {
            fn serialize<__OadSerializer: __oad::__private::serde::Serializer>(
                &self,
                serializer: __OadSerializer,
            ) -> ::core::result::Result<__OadSerializer::Ok, __OadSerializer::Error> {
                __oad::__private::serde::Serialize::serialize(&self.0, serializer)
            }
        }

        /// Deserializes from a handle, in the response of a call.
        impl<'de> __oad::__private::serde::Deserialize<'de> for #proxy {
            fn deserialize<__OadDeserializer: __oad::__private::serde::Deserializer<'de>>(
                deserializer: __OadDeserializer,
            ) -> ::core::result::Result<Self, __OadDeserializer::Error> {
                __oad::__private::read_typed(deserializer)
            }
        }
    }
}
