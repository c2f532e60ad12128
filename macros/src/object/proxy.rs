//! Writes the proxy: what a caller holds of the object.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Visibility};

use crate::as_handle::as_handle;
use crate::object::at;
use crate::object::block::Block;
use crate::object::method::{Method, Receiver};
use crate::object::returned::{ResultParts, Returned};
use crate::object::text::text;

/// What surrounds the methods of a proxy.
pub(crate) struct Shell<'a> {
    pub(crate) proxy: Ident,
    pub(crate) visibility: &'a Visibility,
    /// The attributes of the block or trait, for the documentation among them.
    pub(crate) attributes: &'a [Attribute],
    /// The first sentence of its documentation.
    pub(crate) summary: String,
    /// The functions of `TypedProxy` that check whether an object is of this type.
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
        summary: format!(" A proxy for a [`{object}`] that lives in a daemon."),
        check: quote! {
            fn object_type() -> ::core::option::Option<&'static str> {
                ::core::option::Option::Some(<#self_path as __oad::Object>::DESCRIPTION.name)
            }
        },
    };
    self::shell(&shell, &quote!(#(#constructors)* #spawn #(#methods)*))
}

/// The type of the proxy, with `items` as its own functions.
pub(crate) fn shell(shell: &Shell<'_>, items: &TokenStream) -> TokenStream {
    let Shell { proxy, visibility, attributes, summary, check } = shell;
    let (name, as_handle) = (proxy.to_string(), as_handle(proxy));
    // A type that is `pub` may not name a less visible one as its `Object::Proxy`
    // (E0446). So the proxy is `pub` in a module that nobody else sees, and the `use` has
    // the visibility that was asked for; the documentation is there too, for its links.
    let module = format_ident!("__oad_{}", proxy);
    let documentation = attributes.iter().filter(|attribute| attribute.path().is_ident("doc"));
    // Where a private proxy is used elsewhere, the compiler reports each name that leads
    // to it, with its place. So one of the names says what to do.
    let (alias, imported) = match visibility {
        Visibility::Inherited => {
            let alias = format_ident!("write_oad_object_pub_to_use_it_elsewhere");
            let declared = Ident::new(&name, Span::call_site());
            (Some(quote!(pub use #proxy as #alias;)), quote!(#alias as #declared))
        }
        _ => (None, proxy.to_token_stream()),
    };
    quote! {
        #[allow(missing_docs, non_snake_case, unreachable_pub)]
        mod #module {
            #[derive(::core::clone::Clone)]
            pub struct #proxy(pub(super) __oad::Proxy);
            #alias
        }

        #[doc = #summary]
        #[doc = ""]
        #(#documentation)*
        #[allow(rustdoc::private_intra_doc_links, unreachable_pub, unused_imports)]
        #visibility use #module::#imported;

        impl ::core::fmt::Debug for #proxy {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_tuple(#name).field(&self.0).finish()
            }
        }

        impl __oad::Remote for #proxy {
            fn as_proxy(&self) -> &__oad::Proxy {
                &self.0
            }
        }

        impl __oad::__private::TypedProxy for #proxy {
            fn from_proxy(proxy: __oad::Proxy) -> Self {
                #proxy(proxy)
            }

            #check
        }

        #as_handle

        #[allow(clippy::all, dead_code, deprecated, non_snake_case, unreachable_pub)]
        impl #proxy {
            #items
        }
    }
}

fn constructor(block: &Block, method: &Method) -> TokenStream {
    let (proxy, self_path) = (block.proxy(), &block.self_path);
    let (head, name, packed) = (
        head(&path_text(block), method, "Creates an object by calling"),
        wire_name(method),
        packed(method),
    );
    let parameters = parameters(method);
    quote! {
        #head(#(#parameters),*) -> __oad::Spawn<#proxy> {
            __oad::Spawn::constructed(<#self_path as __oad::Object>::DESCRIPTION, #name, #packed)
        }
    }
}

/// `spawn`, for an object that was created here, unless the type has a function of that
/// name. The bound is on a type parameter, because one on the type itself would have to
/// hold for all objects, spawned or not.
fn spawn(block: &Block) -> Option<TokenStream> {
    if block.constructors.iter().chain(&block.methods).any(|method| method.ident() == "spawn") {
        return None;
    }
    let (proxy, self_path, visibility) =
        (block.proxy(), &block.self_path, &block.options.visibility);
    Some(quote! {
        /// Moves an object that was created here into its own daemon.
        #visibility fn spawn<__OadObject>(object: __OadObject) -> __oad::Spawn<#proxy>
        where
            __OadObject: __oad::Object<Proxy = #proxy> + __oad::__private::serde::Serialize,
        {
            __oad::Spawn::by_value(<#self_path as __oad::Object>::DESCRIPTION, &object)
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
            (quote_spanned!(at(*place)=> __oad::__private::call::<#owned>), quote!(#owned))
        }
        // The assertion and the call have one place, so that the compiler reports once
        // what the error's type lacks.
        ResultParts::Error(error) => (
            quote_spanned! {at(error.span())=>
                __oad::__private::assert_error::<#error>();
                __oad::__private::call_fallible::<#owned, #error>
            },
            quote!(#owned, #error),
        ),
    };
    quote! {
        #head(#receiver #(, #parameters)*) -> __oad::Call<#types> {
            #call(&self.0, #name, #packed)
        }
    }
}

/// The part before the parameters. A function without documentation gets a summary, so
/// that a proxy that is more visible than its object passes `deny(missing_docs)`.
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
        quote_spanned!(at(parameter.written.span())=> .with(#ident))
    });
    quote!(__oad::__private::ArgumentsBuilder::new() #(#arguments)*)
}

fn wire_name(method: &Method) -> String {
    method.ident().unraw().to_string()
}

fn path_text(block: &Block) -> String {
    text(&block.self_path)
}
