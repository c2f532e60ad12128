//! What a function returns.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Error, GenericArgument, Path, PathArguments, Result, ReturnType, Signature, Type};
use syn::{parse_quote, parse_quote_spanned};

use crate::object::method_options::MethodOptions;
use crate::object::remoted::remoted;
use crate::object::streamed::{Kind, Streamed};
use crate::object::types::{owned_return, peel};

/// What a function returns.
pub(crate) struct Returned {
    /// The type that arrives at the caller if all goes well.
    pub(crate) owned: Type,
    pub(crate) outcome: ResultParts,
    /// Set if it is a stream of items.
    pub(crate) items: Option<Items>,
    /// The place of the type, for the compiler's errors.
    pub(crate) place: Span,
}

/// The items of a returned stream.
pub(crate) struct Items {
    pub(crate) kind: Kind,
    pub(crate) is_apart: bool,
    /// Whether an item is a `Result`, whose error ends the stream.
    pub(crate) is_fallible: bool,
}

/// Whether a function can fail, and what the caller receives then.
pub(crate) enum ResultParts {
    /// It cannot fail.
    Value,
    /// Its error becomes an exception.
    Exception,
    /// Its error arrives as a value of this type.
    Error(Box<Type>),
}

impl Returned {
    /// Reads what a function without a receiver returns, in whose signature `Self` has
    /// been replaced by `self_path`.
    pub(crate) fn of_constructor(signature: &Signature, self_path: &Path) -> Result<Self> {
        let (written, place) = written(signature);
        let outcome = match result_arguments(&written).as_deref() {
            None if is_object(&written, self_path) => ResultParts::Value,
            Some([made, ..]) if is_object(made, self_path) => ResultParts::Exception,
            _ => {
                let sentence = "an associated function that does not return `Self` cannot be \
                                called through a proxy: \
                                mark it `#[oad(skip)]` or move it to another `impl` block";
                return Err(Error::new_spanned(&signature.ident, sentence));
            }
        };
        Ok(Returned { owned: parse_quote!(#self_path), outcome, items: None, place })
    }

    /// Reads what a method returns.
    pub(crate) fn of_method(signature: &Signature, options: &MethodOptions) -> Result<Self> {
        let (mut written, place) = written(signature);
        let items = take_stream(&mut written, place)?;
        let owned = remoted(owned_return(&written)?);
        match (&options.error, sides(&owned, place)) {
            (None, None) => Ok(Returned { owned, outcome: ResultParts::Value, items, place }),
            (None, Some((owned, _))) => {
                Ok(Returned { owned, outcome: ResultParts::Exception, items, place })
            }
            (Some(_), Some((owned, error))) => {
                Ok(Returned { owned, outcome: ResultParts::Error(Box::new(error)), items, place })
            }
            (Some(option), None) => Err(Error::new_spanned(
                option,
                "`error` applies to a method whose return type is spelled `Result`",
            )),
        }
    }
}

/// Puts the stream that a caller has in the place of the one that a method returns, alone
/// or in a `Result`.
fn take_stream(written: &mut Type, place: Span) -> Result<Option<Items>> {
    let stream = match result_value(written) {
        Some(value) => value,
        None => written,
    };
    let Some(Streamed { kind, item, is_apart }) = Streamed::read(stream) else { return Ok(None) };
    let item = owned_return(&item)?;
    let fallible = sides(&item, place);
    let is_fallible = fallible.is_some();
    let item = fallible.map_or(item, |(value, _)| value);
    *stream = parse_quote!(__oad::Stream<#item>);
    Ok(Some(Items { kind, is_apart, is_fallible }))
}

/// The type of the value in a `Result`.
fn result_value(written: &mut Type) -> Option<&mut Type> {
    let Type::Path(path) = written else { return None };
    let last = path.path.segments.last_mut().filter(|last| last.ident == "Result")?;
    let PathArguments::AngleBracketed(arguments) = &mut last.arguments else { return None };
    arguments.args.iter_mut().find_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    })
}

/// The error type of what a method returns, if that is called `Result`.
pub(crate) fn error_of(signature: &Signature) -> Option<Type> {
    let (written, place) = written(signature);
    sides(&owned_return(&written).ok()?, place).map(|(_, error)| error)
}

fn written(signature: &Signature) -> (Type, Span) {
    match &signature.output {
        ReturnType::Default => (parse_quote!(()), signature.ident.span()),
        ReturnType::Type(_, written) => (peel(written).clone(), written.span()),
    }
}

fn is_object(written: &Type, self_path: &Path) -> bool {
    let Type::Path(written) = peel(written) else { return false };
    let names =
        |path: &Path| path.segments.iter().map(|segment| segment.ident.clone()).collect::<Vec<_>>();
    let (written, own) = (names(&written.path), names(self_path));
    written == own || (written.len() == 1 && written.last() == own.last())
}

/// The value and the error of a type called `Result`, asked of the compiler where an
/// alias hides them.
fn sides(written: &Type, place: Span) -> Option<(Type, Type)> {
    Some(match *result_arguments(written)? {
        [value, error] => (value.clone(), error.clone()),
        _ => (
            parse_quote_spanned!(place=> <#written as __oad::__private::ResultParts>::Ok),
            parse_quote_spanned!(place=> <#written as __oad::__private::ResultParts>::Err),
        ),
    })
}

/// The types in the brackets of a type called `Result`.
fn result_arguments(written: &Type) -> Option<Vec<&Type>> {
    let Type::Path(path) = peel(written) else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Result")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Some(Vec::new()) };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    });
    Some(types.collect())
}
