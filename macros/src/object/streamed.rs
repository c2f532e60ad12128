//! Returned types that are streams of items: iterators, streams, and oad's own.

use syn::punctuated::Punctuated;
use syn::{GenericArgument, Path, PathArguments, PathSegment, Token, Type, TypeParamBound};

use crate::crate_path::is_oad;
use crate::object::types::peel;

/// What is known of a stream by its type as written.
pub(crate) struct Streamed {
    pub(crate) kind: Kind,
    /// The type of an item.
    pub(crate) item: Type,
    /// Whether it borrows nothing, so that the object is free once the method has
    /// returned.
    pub(crate) is_apart: bool,
}

/// The type that yields the items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Iterator,
    Stream,
    /// `oad::Stream`
    Ours,
}

impl Streamed {
    /// Reads a returned type; `None` if it is not a stream.
    pub(crate) fn read(written: &Type) -> Option<Self> {
        match peel(written) {
            Type::ImplTrait(opaque) => {
                let (kind, item) = items(&opaque.bounds)?;
                let is_apart = lifetime(&opaque.bounds).is_some_and(|name| name == "static");
                Some(Streamed { kind, item, is_apart })
            }
            Type::Path(path) if path.qself.is_none() => Streamed::of_path(&path.path),
            _ => None,
        }
    }

    fn of_path(path: &Path) -> Option<Self> {
        let last = path.segments.last()?;
        match (last.ident.to_string().as_str(), type_arguments(last).as_slice()) {
            ("Pin", [inner]) => Streamed::read(inner),
            ("Box", [inner]) => {
                let Type::TraitObject(object) = peel(inner) else { return None };
                let (kind, item) = items(&object.bounds)?;
                // Without one it is `'static`, as for every boxed trait object.
                let is_apart = lifetime(&object.bounds).is_none_or(|name| name == "static");
                Some(Streamed { kind, item, is_apart })
            }
            ("BoxStream", [item]) => {
                let is_apart = lifetime_argument(last).is_some_and(|name| name == "static");
                Some(Streamed { kind: Kind::Stream, item: (*item).clone(), is_apart })
            }
            ("Stream", [item]) if path.segments.len() == 1 || is_oad(&path.segments[0]) => {
                Some(Streamed { kind: Kind::Ours, item: (*item).clone(), is_apart: true })
            }
            _ => None,
        }
    }
}

/// The kind and the type of the items, if one of the bounds is a trait of items.
fn items(bounds: &Punctuated<TypeParamBound, Token![+]>) -> Option<(Kind, Type)> {
    bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let last = bound.path.segments.last()?;
        let kind = match last.ident.to_string().as_str() {
            "Iterator" | "DoubleEndedIterator" | "ExactSizeIterator" | "FusedIterator" => {
                Kind::Iterator
            }
            "Stream" | "FusedStream" => Kind::Stream,
            _ => return None,
        };
        let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(associated) if associated.ident == "Item" => {
                Some((kind, associated.ty.clone()))
            }
            _ => None,
        })
    })
}

/// The name of the lifetime among the bounds.
fn lifetime(bounds: &Punctuated<TypeParamBound, Token![+]>) -> Option<String> {
    bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Lifetime(lifetime) => Some(lifetime.ident.to_string()),
        _ => None,
    })
}

fn lifetime_argument(segment: &PathSegment) -> Option<String> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Lifetime(lifetime) => Some(lifetime.ident.to_string()),
        _ => None,
    })
}

fn type_arguments(segment: &PathSegment) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return Vec::new() };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    });
    types.collect()
}

#[cfg(test)]
mod tests {
    use syn::Type;

    use super::{Kind, Streamed};
    use crate::object::text::text;

    fn read(written: &str) -> Option<(Kind, String, bool)> {
        let written: Type = syn::parse_str(written).expect("it is a type");
        Streamed::read(&written)
            .map(|streamed| (streamed.kind, text(&streamed.item), streamed.is_apart))
    }

    #[test]
    fn iterators_and_streams_are_found_however_they_are_spelled() {
        for (written, kind, is_apart) in [
            ("impl Iterator<Item = (u8, String)> + Send", Kind::Iterator, false),
            ("impl Iterator<Item = (u8, String)> + Send + '_", Kind::Iterator, false),
            (
                "impl Send + ::std::iter::ExactSizeIterator<Item = (u8, String)> + 'static",
                Kind::Iterator,
                true,
            ),
            ("Box<dyn Iterator<Item = (u8, String)> + Send>", Kind::Iterator, true),
            ("Box<dyn Iterator<Item = (u8, String)> + Send + '_>", Kind::Iterator, false),
            ("Pin<Box<dyn futures::Stream<Item = (u8, String)> + Send + 'a>>", Kind::Stream, false),
            ("impl Stream<Item = (u8, String)>", Kind::Stream, false),
            ("BoxStream<'static, (u8, String)>", Kind::Stream, true),
            ("oad::Stream<(u8, String)>", Kind::Ours, true),
        ] {
            assert_eq!(
                read(written),
                Some((kind, "(u8, String)".to_owned(), is_apart)),
                "{written}"
            );
        }
    }

    #[test]
    fn other_types_are_not_streams() {
        for written in
            ["Vec<u8>", "Box<dyn Error>", "impl Into<String>", "other::Stream<u8>", "Box<u8>"]
        {
            assert_eq!(read(written), None, "{written}");
        }
    }
}
