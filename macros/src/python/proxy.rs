//! Writes the proxy.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Attribute;
use syn::spanned::Spanned;

use crate::as_handle::as_handle;
use crate::object::at;
use crate::python::declaration::Declaration;
use crate::python::function::{FaceAction, FaceFunction};
use crate::python::target::{Target, TargetKind};

pub(crate) fn proxy(declaration: &Declaration) -> TokenStream {
    let Declaration { options, attributes, visibility, .. } = declaration;
    let (proxy, target) = (declaration.proxy(), &options.target);
    let name = proxy.to_string();
    let summary = match target.kind {
        TargetKind::Instance => format!(" A proxy of a Python object: a `{}`.", target.text()),
        TargetKind::Class => format!(" A proxy of the Python class `{}`.", target.text()),
        TargetKind::Module => format!(" A proxy of the Python module `{}`.", target.text()),
    };
    let (import, conversions) = (import(declaration), conversions(declaration));
    let functions =
        declaration.functions.iter().map(|function| self::function(declaration, function));
    quote! {
        #[doc = #summary]
        #[doc = ""]
        #(#attributes)*
        #[derive(::core::clone::Clone)]
        #visibility struct #proxy(__oad::PythonProxy);

        impl ::core::fmt::Debug for #proxy {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_tuple(#name).field(&self.0).finish()
            }
        }

        #conversions

        #[allow(clippy::all, dead_code, deprecated, non_snake_case, unreachable_pub)]
        impl #proxy {
            #import
            #(#functions)*
        }
    }
}

/// `import`, for a class or a module.
fn import(declaration: &Declaration) -> Option<TokenStream> {
    let (target, visibility) = (&declaration.options.target, &declaration.visibility);
    let (module, name) = (&target.module, &target.name);
    let (summary, source) = match target.kind {
        TargetKind::Instance => return None,
        TargetKind::Class => {
            (format!(" Imports `{}`.", target.text()), quote!(__oad::python_name(#module, #name)))
        }
        TargetKind::Module => {
            (format!(" Imports `{}`.", target.text()), quote!(__oad::python_module(#module)))
        }
    };
    Some(quote! {
        #[doc = #summary]
        #visibility fn import() -> __oad::PythonBuilder<Self> {
            __oad::__private::typed_builder(#source)
        }
    })
}

/// What every typed proxy of a Python object is and can become.
fn conversions(declaration: &Declaration) -> TokenStream {
    let proxy = declaration.proxy();
    let as_handle = as_handle(&proxy);
    quote! {
        impl ::core::ops::Deref for #proxy {
            type Target = __oad::PythonProxy;

            fn deref(&self) -> &__oad::PythonProxy {
                &self.0
            }
        }

        impl ::core::convert::AsRef<__oad::PythonProxy> for #proxy {
            fn as_ref(&self) -> &__oad::PythonProxy {
                &self.0
            }
        }

        /// Takes any Python object; `check` compares it with the declaration.
        impl ::core::convert::From<__oad::PythonProxy> for #proxy {
            fn from(proxy: __oad::PythonProxy) -> Self {
                #proxy(proxy)
            }
        }

        impl ::core::convert::From<#proxy> for __oad::PythonProxy {
            fn from(proxy: #proxy) -> Self {
                proxy.0
            }
        }

        impl __oad::Remote for #proxy {
            fn as_proxy(&self) -> &__oad::Proxy {
                __oad::Remote::as_proxy(&self.0)
            }
        }

        impl __oad::__private::MadeInPython for #proxy {
            fn from_proxy(proxy: __oad::PythonProxy) -> Self {
                #proxy(proxy)
            }
        }

        impl __oad::__private::TypedProxy for #proxy {
            fn from_proxy(proxy: __oad::Proxy) -> Self {
                #proxy(__oad::__private::python_proxy(proxy))
            }

            fn is_python() -> bool {
                true
            }
        }

        #as_handle
    }
}

fn function(declaration: &Declaration, function: &FaceFunction) -> TokenStream {
    let FaceFunction { attributes, signature, parameters, .. } = function;
    let (summary, visibility) = (summary(declaration, function), &declaration.visibility);
    let arguments = parameters.iter().map(|parameter| parameter.packed());
    let arguments = quote!(__oad::__private::ArgumentsBuilder::new() #(#arguments)*);
    let (output, body) = output_and_body(declaration, function, &arguments);
    let (generics, clause) = (&signature.generics, &signature.generics.where_clause);
    let (ident, inputs) = (&signature.ident, &signature.inputs);
    quote! {
        #summary
        #(#attributes)*
        #visibility fn #ident #generics(#inputs) -> #output #clause {
            #body
        }
    }
}

/// What the function returns, and the call of ours that makes it.
fn output_and_body(
    declaration: &Declaration,
    function: &FaceFunction,
    arguments: &TokenStream,
) -> (TokenStream, TokenStream) {
    let FaceFunction { action, name, returned, .. } = function;
    let target = &declaration.options.target;
    let (operation, subject) = match action {
        FaceAction::Construct => return constructing(target, &target.name, arguments),
        FaceAction::ConstructBy => {
            return constructing(target, &format!("{}.{name}", target.name), arguments);
        }
        FaceAction::Call => (quote!(call), quote!(#name)),
        FaceAction::Iterate => (quote!(iterate), quote!(#name)),
        FaceAction::Get => (quote!(get), quote!(#name)),
        FaceAction::Set => (quote!(set), quote!(#name)),
        FaceAction::Operate(constant) => (quote!(operate), quote!(__oad::Operator::#constant)),
    };
    let output = match action {
        FaceAction::Iterate => quote!(__oad::Call<__oad::Stream<#returned>>),
        _ => quote!(__oad::Call<#returned>),
    };
    // At the returned type, because that is what may not be readable.
    let operation = quote_spanned! {at(returned.span())=>
        __oad::__private::python_face::#operation::<#returned>
    };
    (output, quote!(#operation(&self.0, #subject, #arguments)))
}

fn constructing(
    target: &Target,
    path: &str,
    arguments: &TokenStream,
) -> (TokenStream, TokenStream) {
    let module = &target.module;
    let construct = quote!(__oad::__private::python_face::construct);
    (quote!(__oad::PythonBuilder<Self>), quote!(#construct(#module, #path, #arguments)))
}

/// A summary for a function without documentation, so that a public proxy passes
/// `deny(missing_docs)`.
fn summary(declaration: &Declaration, function: &FaceFunction) -> Option<TokenStream> {
    let is_doc = |attribute: &Attribute| attribute.path().is_ident("doc");
    if function.attributes.iter().any(is_doc) {
        return None;
    }
    let target = declaration.options.target.text();
    let name = &function.name;
    let summary = match &function.action {
        FaceAction::Construct => format!(" Creates an object by calling `{target}`."),
        FaceAction::ConstructBy => format!(" Creates an object by calling `{target}.{name}`."),
        FaceAction::Call => format!(" Calls `{target}.{name}`."),
        FaceAction::Iterate => format!(" Iterates over what `{target}.{name}` returns."),
        FaceAction::Get => format!(" Returns the attribute `{name}`."),
        FaceAction::Set => format!(" Sets the attribute `{name}`."),
        FaceAction::Operate(constant) => {
            format!(" Applies the operator `{}`.", constant.to_string().to_lowercase())
        }
    };
    Some(quote!(#[doc = #summary]))
}
