//! Writes the description of the object: what it is called and what it can do.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{FnArg, ReturnType};

use crate::object::block::Block;
use crate::object::method::{Method, Receiver};
use crate::object::text::{documentation, text};

pub(crate) fn description(block: &Block) -> TokenStream {
    let name = match &block.options.name {
        Some(name) => quote!(#name),
        None => {
            let name = block.name();
            quote!(::core::concat!(::core::module_path!(), "::", #name))
        }
    };
    let documentation = documentation(&block.attributes);
    let constructors = block.constructors.iter().map(method);
    let methods = block.methods.iter().map(method);
    quote! {
        static __OAD_DESCRIPTION: __oad::__private::TypeDescription =
            __oad::__private::TypeDescription {
            name: #name,
            documentation: #documentation,
            constructors: &[#(#constructors),*],
            methods: &[#(#methods),*],
            interfaces: &[],
            declared: ::core::concat!(::core::file!(), ":", ::core::line!()),
        };
    }
}

pub(crate) fn method(method: &Method) -> TokenStream {
    let name = method.ident().unraw().to_string();
    let documentation = documentation(&method.attributes);
    let parameters =
        method.parameters.iter().zip(written_types(method)).map(|(parameter, type_name)| {
            let name = parameter.name();
            quote!(__oad::__private::Parameter { name: #name, type_name: #type_name })
        });
    let returns = match &method.signature.output {
        ReturnType::Default => String::new(),
        ReturnType::Type(_, written) => text(written),
    };
    let signature = signature(method);
    let receiver = match method.receiver {
        Receiver::None => quote!(None),
        Receiver::Shared => quote!(Shared),
        Receiver::Exclusive => quote!(Exclusive),
        Receiver::Consuming => quote!(Consuming),
    };
    let (is_async, finishes, streams) =
        (method.is_async(), method.finishes, method.returned.items.is_some());
    quote! {
        __oad::__private::Method {
            name: #name,
            documentation: #documentation,
            parameters: &[#(#parameters),*],
            returns: #returns,
            signature: #signature,
            receiver: __oad::__private::Receiver::#receiver,
            is_async: #is_async,
            finishes: #finishes,
            streams: #streams,
            interface: "",
        }
    }
}

fn written_types(method: &Method) -> impl Iterator<Item = String> {
    method.signature.inputs.iter().filter_map(|input| match input {
        FnArg::Receiver(_) => None,
        FnArg::Typed(parameter) => Some(text(&parameter.ty)),
    })
}

fn signature(method: &Method) -> String {
    let mut signature = method.signature.clone();
    // What only the layout of the source put there.
    signature.inputs.pop_punct();
    for input in &mut signature.inputs {
        match input {
            FnArg::Receiver(receiver) => receiver.attrs.clear(),
            FnArg::Typed(parameter) => parameter.attrs.clear(),
        }
    }
    text(&signature)
}
