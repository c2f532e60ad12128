//! One function of the trait.

use proc_macro2::Ident;
use quote::quote;
use syn::visit_mut::VisitMut;
use syn::{
    Error, GenericArgument, Path, PathArguments, Result, ReturnType, Signature, TraitItemFn, Type,
    TypeParamBound, Visibility, parse_quote_spanned,
};

use crate::crate_path::CratePath;
use crate::interface::refused;
use crate::object::method::Method;
use crate::object::method_options::MethodOptions;
use crate::object::returned::error_of;
use crate::refusals::both;

/// A function of the trait that is reached through the proxy.
pub(crate) struct Function {
    /// The same as a method of an object: an `async fn`, where the trait's returns a
    /// future.
    pub(crate) method: Method,
    /// The signature as the trait has it.
    pub(crate) signature: Signature,
    pub(crate) form: Form,
    /// The type of its error, if it returns a `Result`.
    pub(crate) error: Option<Type>,
}

/// How the function returns its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Sync,
    Async,
    /// It is not an `async fn`, but returns an `impl Future`.
    Future,
}

impl Function {
    /// Reads a function; `None` if it is skipped.
    pub(crate) fn read(
        source: &TraitItemFn,
        interface: &Ident,
        visibility: &Visibility,
        crate_path: &CratePath,
    ) -> Result<Option<Self>> {
        let is_skipped = MethodOptions::read(&source.attrs)?.skip.is_some();
        if is_skipped {
            return has_default_body(source).map(|()| None);
        }
        has_self(source)?;
        let (signature, form) = as_method(&source.sig);
        let (attributes, path) = (&source.attrs, Path::from(interface.clone()));
        let function = syn::parse2(quote!(#(#attributes)* #visibility #signature {}))?;
        // `Method::read` would refuse these too, but for a less exact reason.
        let mut recognized = signature.clone();
        VisitMut::visit_signature_mut(&mut &*crate_path, &mut recognized);
        refused::check(&recognized)?;
        let (method, ()) =
            both(Method::read(&function, &path, crate_path, false), not_spawn(source))?;
        let error = error_of(&signature);
        Ok(method.map(|method| Function { method, signature: source.sig.clone(), form, error }))
    }
}

fn has_default_body(source: &TraitItemFn) -> Result<()> {
    if source.default.is_some() {
        return Ok(());
    }
    let sentence =
        "a skipped method needs a default body, because the proxy implements the trait too";
    Err(Error::new_spanned(&source.sig, sentence))
}

fn has_self(source: &TraitItemFn) -> Result<()> {
    if source.sig.receiver().is_some() {
        return Ok(());
    }
    let sentence = "a function without `self` cannot be called through a proxy: mark it \
                    `#[oad(skip)]` and give it \
                    a default body, or move it to the types themselves";
    Err(Error::new_spanned(&source.sig.ident, sentence))
}

fn not_spawn(source: &TraitItemFn) -> Result<()> {
    if source.sig.ident != "spawn" {
        return Ok(());
    }
    let sentence =
        "`spawn` is the constructor of an interface's proxy: give the method another name";
    Err(Error::new_spanned(&source.sig.ident, sentence))
}

/// The signature as that of an object's method, and what it was.
fn as_method(written: &Signature) -> (Signature, Form) {
    let mut signature = written.clone();
    if written.asyncness.is_some() {
        return (signature, Form::Async);
    }
    match &written.output {
        ReturnType::Type(arrow, returned) => match future_output(returned) {
            Some(output) => {
                signature.asyncness = Some(parse_quote_spanned!(written.fn_token.span=> async));
                signature.output = ReturnType::Type(*arrow, Box::new(output));
                (signature, Form::Future)
            }
            None => (signature, Form::Sync),
        },
        ReturnType::Default => (signature, Form::Sync),
    }
}

/// The `T` of an `impl Future<Output = T>`.
fn future_output(returned: &Type) -> Option<Type> {
    let Type::ImplTrait(future) = returned else { return None };
    future.bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let last = bound.path.segments.last().filter(|last| last.ident == "Future")?;
        let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(output) if output.ident == "Output" => {
                Some(output.ty.clone())
            }
            _ => None,
        })
    })
}
