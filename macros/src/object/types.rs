//! The owned form of a type: what crosses for it.
//!
//! Nothing borrowed crosses between processes. An argument is read as its owned form and
//! lent to the method; a returned value arrives as its owned form. What has none is
//! refused.

use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Error, GenericArgument, Lifetime, PathArguments, Result, Token, Type, TypeReference,
    parse_quote,
};

use crate::refusals::Refusals;

/// The type of a parameter, as the daemon meets it.
pub(crate) struct Argument {
    /// What the daemon reads.
    pub(crate) owned: Type,
    /// How that is handed to the method.
    pub(crate) passing: Passing,
}

/// How an owned value becomes the argument that a method takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passing {
    /// As it is.
    Owned,
    /// `&value`
    Reference,
    /// `value.as_deref()`
    OptionDeref,
    /// `value.as_ref()`
    OptionReference,
}

/// Turns a type into its owned form, and gathers what has none.
struct Owning {
    position: Position,
    refusals: Refusals,
}

/// Where a type stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Parameter,
    Returned,
    /// The error of a `Result`. It arrives as an exception whatever its type, so that it
    /// may be a `Box<dyn Error>`; only `#[oad(error)]` asks more of it, by an assertion.
    Error,
}

impl Argument {
    pub(crate) fn read(written: &Type) -> Result<Self> {
        let mut owned = peel(written).clone();
        let mut passing = Passing::Owned;
        let mut owning = Owning { position: Position::Parameter, refusals: Refusals::default() };
        if let Type::Reference(reference) = &owned {
            passing = Passing::Reference;
            owned = owning.referent(reference);
        } else if let Some(GenericArgument::Type(inner)) =
            arguments_of(&mut owned, "Option").and_then(|all| all.first_mut())
            && let Type::Reference(reference) = peel(inner)
        {
            // `as_deref` would go one step too far where the type lent is itself a
            // pointer, such as a `String`.
            let is_unsized = owned_form(&reference.elem).is_some();
            passing = if is_unsized { Passing::OptionDeref } else { Passing::OptionReference };
            *inner = owning.referent(reference);
        }
        owning.visit_type_mut(&mut owned);
        owning.refusals.finish()?;
        Ok(Argument { owned, passing })
    }
}

/// The owned form of a returned type.
pub(crate) fn owned_return(written: &Type) -> Result<Type> {
    let mut owned = peel(written).clone();
    let mut owning = Owning { position: Position::Returned, refusals: Refusals::default() };
    match arguments_of(&mut owned, "Result") {
        Some(arguments) => {
            for argument in arguments {
                owning.visit_generic_argument_mut(argument);
                if matches!(argument, GenericArgument::Type(_)) {
                    owning.position = Position::Error;
                }
            }
        }
        None => owning.visit_type_mut(&mut owned),
    }
    owning.refusals.finish()?;
    Ok(owned)
}

/// The generic arguments of a type whose last name is `name`.
fn arguments_of<'a>(
    written: &'a mut Type,
    name: &str,
) -> Option<&'a mut Punctuated<GenericArgument, Token![,]>> {
    let Type::Path(path) = written else { return None };
    let last = path.path.segments.last_mut()?;
    match &mut last.arguments {
        PathArguments::AngleBracketed(arguments) if last.ident == name => Some(&mut arguments.args),
        _ => None,
    }
}

/// The type without the parentheses around it, among them the unseen ones around what a
/// `macro_rules` macro was given.
pub(crate) fn peel(written: &Type) -> &Type {
    match written {
        Type::Paren(paren) => peel(&paren.elem),
        Type::Group(group) => peel(&group.elem),
        bare => bare,
    }
}

/// The type that owns what is lent as a reference to `referent`, if that is another type.
fn owned_form(referent: &Type) -> Option<Type> {
    match peel(referent) {
        Type::Slice(slice) => {
            let element = &slice.elem;
            Some(parse_quote!(::std::vec::Vec<#element>))
        }
        Type::Path(path) if path.qself.is_none() => {
            match path.path.segments.last()?.ident.to_string().as_str() {
                "str" => Some(parse_quote!(::std::string::String)),
                "Path" => Some(parse_quote!(::std::path::PathBuf)),
                "OsStr" => Some(parse_quote!(::std::ffi::OsString)),
                "CStr" => Some(parse_quote!(::std::ffi::CString)),
                _ => None,
            }
        }
        _ => None,
    }
}

impl Owning {
    /// The owned form of a reference, or its referent as it is where the reference is
    /// refused.
    fn referent(&mut self, reference: &TypeReference) -> Type {
        if reference.mutability.is_some() {
            let sentence = match self.position {
                Position::Parameter => {
                    "a `&mut` argument would change only the daemon's copy: return the new value \
                     instead"
                }
                Position::Returned | Position::Error => {
                    "a returned `&mut` would change only the caller's copy: return an owned value"
                }
            };
            self.refusals.push(Error::new_spanned(reference, sentence));
        }
        let is_static =
            reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static");
        if self.position == Position::Parameter && is_static {
            let sentence =
                "an argument cannot be borrowed for `'static`: the daemon keeps it for one call";
            self.refusals.push(Error::new_spanned(reference, sentence));
        }
        owned_form(&reference.elem).unwrap_or_else(|| peel(&reference.elem).clone())
    }
}

impl VisitMut for Owning {
    fn visit_type_mut(&mut self, visited: &mut Type) {
        if let Type::Reference(reference) = visited
            && self.position == Position::Parameter
            && reference.mutability.is_none()
        {
            self.refusals.push(borrowed_inside(reference));
        }
        while let Type::Reference(reference) = visited {
            let referent = self.referent(reference);
            *visited = referent;
        }
        match visited {
            Type::ImplTrait(_) => {
                let sentence = "the proxy has to name this type, so it cannot be an `impl Trait`: write the \
                     type itself";
                self.refusals.push(Error::new_spanned(visited, sentence));
            }
            Type::TraitObject(_) if self.position != Position::Error => {
                let sentence = "a `dyn Trait` cannot be sent to another process: use a type that implements \
                     serde's traits";
                self.refusals.push(Error::new_spanned(visited, sentence));
            }
            Type::Never(_) => {
                let sentence =
                    "a method that never returns has no result to send: mark it `#[oad(skip)]`";
                self.refusals.push(Error::new_spanned(visited, sentence));
            }
            _ => visit_mut::visit_type_mut(self, visited),
        }
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if self.position == Position::Parameter
            && lifetime.ident != "_"
            && lifetime.ident != "static"
        {
            self.refusals.push(borrowed_inside(lifetime));
        }
        *lifetime = Lifetime::new("'static", lifetime.span());
    }
}

fn borrowed_inside(place: &impl ToTokens) -> Error {
    let sentence = "a reference inside a parameter's type cannot be sent to another process: only `&T`, `&str`, \
                    `&[T]` and an `Option` of one can; use an owned type";
    Error::new_spanned(place, sentence)
}

#[cfg(test)]
mod tests;
