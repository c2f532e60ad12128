//! Writes what a check compares with the Python object.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Attribute;

use crate::python::declaration::Declaration;
use crate::python::function::{FaceAction, FaceFunction};
use crate::python::parameter::{KeywordDefault, PythonPassing};
use crate::python::target::{Target, TargetKind};

pub(crate) fn face(declaration: &Declaration) -> TokenStream {
    let (proxy, target) = (declaration.proxy(), &declaration.options.target);
    let (rust_name, module, name) = (proxy.to_string(), &target.module, &target.name);
    let kind = match target.kind {
        TargetKind::Instance => quote!(Instance),
        TargetKind::Class => quote!(Class),
        TargetKind::Module => quote!(Module),
    };
    let members = declaration.functions.iter().map(|function| member(target, function));
    quote! {
        impl __oad::TypedPython for #proxy {
            const FACE: &'static __oad::__private::Face = &__oad::__private::Face {
                rust_name: #rust_name,
                kind: __oad::__private::FaceKind::#kind,
                module: #module,
                name: #name,
                members: &[#(#members),*],
            };
        }
    }
}

fn member(target: &Target, function: &FaceFunction) -> TokenStream {
    let name = match &function.action {
        FaceAction::Construct => target.name.clone(),
        FaceAction::Operate(constant) => constant.to_string().to_lowercase(),
        _ => function.name.clone(),
    };
    let (mut required, mut optional, mut is_open) = (0_usize, 0_usize, false);
    let (mut keywords, mut optional_keywords) = (Vec::new(), Vec::new());
    for parameter in &function.parameters {
        match &parameter.passing {
            PythonPassing::Positional | PythonPassing::Default(_) => required += 1,
            PythonPassing::Optional => optional += 1,
            PythonPassing::Keyword(name, KeywordDefault::Omitted) => optional_keywords.push(name),
            PythonPassing::Keyword(name, _) => keywords.push(name),
            PythonPassing::Args | PythonPassing::Keywords => is_open = true,
        }
    }
    let kind = match &function.action {
        FaceAction::Construct => quote!(Constructor),
        FaceAction::ConstructBy => quote!(ClassFunction),
        FaceAction::Call | FaceAction::Iterate => quote!(Method),
        FaceAction::Get => quote!(Attribute),
        FaceAction::Set => quote!(Setter),
        FaceAction::Operate(_) => quote!(Operator),
    };
    let is_cfg = |attribute: &&Attribute| attribute.path().is_ident("cfg");
    let cfg = function.attributes.iter().filter(is_cfg);
    quote! {
        #(#cfg)*
        __oad::__private::FaceMember {
            kind: __oad::__private::FaceMemberKind::#kind,
            name: #name,
            required: #required,
            optional: #optional,
            keywords: &[#(#keywords),*],
            optional_keywords: &[#(#optional_keywords),*],
            is_open: #is_open,
        }
    }
}
