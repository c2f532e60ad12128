//! Writes the proxy: what a caller holds of the object.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Visibility};

use crate::object::at;
use crate::object::block::Block;
use crate::object::method::{Method, Receiver};
use crate::object::returned::{ResultParts, Returned};
use crate::object::text::text;

/// What there is of a proxy around its methods.
pub(crate) struct Shell<'a> {
    pub(crate) proxy: Ident,
    pub(crate) visibility: &'a Visibility,
    /// Those of what it is a proxy of, for the documentation among them.
    pub(crate) attributes: &'a [Attribute],
    /// The first sentence of its documentation.
    pub(crate) summary: String,
    /// What `oad::Remote` asks for to know whether an object is of this type.
    pub(crate) check: TokenStream,
}

pub(crate) fn proxy(block: &Block) -> TokenStream {
    let (object, self_path) = (path_text(block), &block.self_path);
    let constructors = block.constructors.iter().map(|method| constructor(block, method));
    let spawn = spawn(block);
    let methods =
        block.methods.iter().map(|method| self::method(&object, method, &wire_name(method)));
    let shell = Shell {
        proxy: block.proxy(),
        visibility: &block.options.visibility,
        attributes: &block.attributes,
        summary: format!(" A proxy of a [`{object}`] that lives in a daemon."),
        check: quote! {
            fn object_type() -> ::core::option::Option<&'static str> {
                ::core::option::Option::Some(<#self_path as ::oad::Object>::DESCRIPTION.name)
            }
        },
    };
    self::shell(&shell, &quote!(#(#constructors)* #spawn #(#methods)*))
}

/// The type of the proxy, with `items` as its own functions.
pub(crate) fn shell(shell: &Shell<'_>, items: &TokenStream) -> TokenStream {
    let Shell { proxy, visibility, attributes, summary, check } = shell;
    let name = proxy.to_string();
    // A type that is `pub` may not name a less visible one as its `Object::Proxy`
    // (E0446). So the proxy is `pub` in a module that nobody else sees, and the `use` has
    // the visibility that was asked for; the documentation is there too, for its links.
    let module = format_ident!("__oad_{}", proxy);
    let documentation = attributes.iter().filter(|attribute| attribute.path().is_ident("doc"));
    quote! {
        #[allow(missing_docs, non_snake_case, unreachable_pub)]
        mod #module {
            #[derive(::core::clone::Clone)]
            pub struct #proxy(pub(super) ::oad::Proxy);
        }

        #[doc = #summary]
        #[doc = ""]
        #(#documentation)*
        #[allow(rustdoc::private_intra_doc_links, unreachable_pub, unused_imports)]
        #visibility use #module::#proxy;

        impl ::core::fmt::Debug for #proxy {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_tuple(#name).field(&self.0).finish()
            }
        }

        impl ::oad::Remote for #proxy {
            fn as_proxy(&self) -> &::oad::Proxy {
                &self.0
            }
        }

        impl ::oad::__private::TypedProxy for #proxy {
            fn from_proxy(proxy: ::oad::Proxy) -> Self {
                #proxy(proxy)
            }

            #check
        }

        /// As a handle, among the arguments of a call.
        impl ::oad::__private::serde::Serialize for #proxy {
            fn serialize<__OadSerializer: ::oad::__private::serde::Serializer>(
                &self,
                serializer: __OadSerializer,
            ) -> ::core::result::Result<__OadSerializer::Ok, __OadSerializer::Error> {
                ::oad::__private::serde::Serialize::serialize(&self.0, serializer)
            }
        }

        /// From a handle, in the answer of a call.
        impl<'de> ::oad::__private::serde::Deserialize<'de> for #proxy {
            fn deserialize<__OadDeserializer: ::oad::__private::serde::Deserializer<'de>>(
                deserializer: __OadDeserializer,
            ) -> ::core::result::Result<Self, __OadDeserializer::Error> {
                ::oad::__private::read_typed(deserializer)
            }
        }

        #[allow(clippy::all, dead_code, deprecated, non_snake_case, unreachable_pub)]
        impl #proxy {
            #items
        }
    }
}

fn constructor(block: &Block, method: &Method) -> TokenStream {
    let (proxy, self_path) = (block.proxy(), &block.self_path);
    let (head, name, packed) =
        (head(&path_text(block), method, "Makes an object by"), wire_name(method), packed(method));
    let parameters = parameters(method);
    quote! {
        #head(#(#parameters),*) -> ::oad::Spawn<#proxy> {
            ::oad::Spawn::constructed(<#self_path as ::oad::Object>::DESCRIPTION, #name, #packed)
        }
    }
}

/// The way for an object that was made here, unless the type has a function of that name.
/// The bound stands on a parameter, because one on the type itself would have to hold for
/// all objects, spawned that way or not.
fn spawn(block: &Block) -> Option<TokenStream> {
    if block.constructors.iter().chain(&block.methods).any(|method| method.ident() == "spawn") {
        return None;
    }
    let (proxy, self_path, visibility) =
        (block.proxy(), &block.self_path, &block.options.visibility);
    Some(quote! {
        /// Sends an object that was made here to a daemon of its own.
        #visibility fn spawn<__OadObject>(object: __OadObject) -> ::oad::Spawn<#proxy>
        where
            __OadObject: ::oad::Object<Proxy = #proxy> + ::oad::__private::serde::Serialize,
        {
            ::oad::Spawn::by_value(<#self_path as ::oad::Object>::DESCRIPTION, &object)
        }
    })
}

/// A method of the proxy, which calls the one named `name` of `subject`.
pub(crate) fn method(subject: &str, method: &Method, name: &impl ToTokens) -> TokenStream {
    let (head, packed) = (head(subject, method, "Calls"), packed(method));
    let parameters = parameters(method);
    let receiver =
        if method.receiver == Receiver::Consuming { quote!(self) } else { quote!(&self) };
    let Returned { owned, outcome, place, .. } = &method.returned;
    let (call, types) = match outcome {
        ResultParts::Value | ResultParts::Exception => {
            (quote_spanned!(at(*place)=> ::oad::__private::call::<#owned>), quote!(#owned))
        }
        // The assertion and the call at one place, so that the compiler says once what
        // the error's type lacks.
        ResultParts::Error(error) => (
            quote_spanned! {at(error.span())=>
                ::oad::__private::assert_error::<#error>();
                ::oad::__private::call_fallible::<#owned, #error>
            },
            quote!(#owned, #error),
        ),
    };
    quote! {
        #head(#receiver #(, #parameters)*) -> ::oad::Call<#types> {
            #call(&self.0, #name, #packed)
        }
    }
}

/// All that stands before the parameters. What is not documented in the source says what
/// it is, so that a proxy that is more visible than its object passes
/// `deny(missing_docs)`.
fn head(subject: &str, method: &Method, does: &str) -> TokenStream {
    let (visibility, ident) = (&method.visibility, method.ident());
    let carried = |attribute: &&Attribute| {
        ["doc", "deprecated"].iter().any(|name| attribute.path().is_ident(name))
    };
    let attributes: Vec<&Attribute> = method.attributes.iter().filter(carried).collect();
    let summary = attributes.iter().all(|attribute| !attribute.path().is_ident("doc")).then(|| {
        let summary = format!(" {does} `{subject}::{}`.", ident.unraw());
        quote!(#[doc = #summary])
    });
    quote!(#summary #(#attributes)* #visibility fn #ident)
}

fn parameters(method: &Method) -> impl Iterator<Item = TokenStream> {
    method.parameters.iter().map(|parameter| {
        let (ident, written) = (&parameter.ident, &parameter.written);
        quote!(#ident: #written)
    })
}

/// The arguments of a call, as values.
pub(crate) fn packed(method: &Method) -> TokenStream {
    let arguments = method.parameters.iter().map(|parameter| {
        let ident = &parameter.ident;
        quote_spanned!(at(parameter.written.span())=> .with(&#ident))
    });
    quote!(::oad::__private::ArgumentsBuilder::new() #(#arguments)*)
}

fn wire_name(method: &Method) -> String {
    method.ident().unraw().to_string()
}

fn path_text(block: &Block) -> String {
    text(&block.self_path)
}
