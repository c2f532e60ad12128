//! The path by which generated code names oad.
//!
//! Generated code is written with the placeholder `__oad`. [`CratePath::resolve`]
//! replaces it with `::oad`, or with the path of the option `crate = "…"`, by which a
//! library that re-exports oad spares its users the dependency.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::visit_mut::{self, VisitMut};
use syn::{Error, LitStr, Path, PathSegment, Result, Token};

/// The name of oad in generated code, before it is resolved.
const PLACEHOLDER: &str = "__oad";

/// The path of oad in the crate that uses the macro; `::oad` by default.
#[derive(Clone, Default)]
pub(crate) struct CratePath(Option<Path>);

/// `= "path"`, as `serde` has it, or `= path`, which lets a `macro_rules` macro write
/// `$crate::oad`.
impl Parse for CratePath {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        input.parse::<Token![=]>()?;
        if !input.peek(LitStr) {
            return Ok(CratePath(Some(input.call(Path::parse_mod_style)?)));
        }
        let literal = input.parse::<LitStr>()?;
        match literal.parse_with(Path::parse_mod_style) {
            Ok(path) => Ok(CratePath(Some(path))),
            Err(_) => {
                let sentence = "`crate` must be the path of oad, such as `\"my_library::oad\"`";
                Err(Error::new_spanned(literal, sentence))
            }
        }
    }
}

impl CratePath {
    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }

    /// Replaces the placeholder in generated code.
    pub(crate) fn resolve(&self, generated: TokenStream) -> TokenStream {
        self.resolve_changed(&generated).unwrap_or(generated)
    }

    /// `None` where nothing changes. Groups are rebuilt only where they must be, because
    /// a new one loses the places of its two delimiters.
    fn resolve_changed(&self, generated: &TokenStream) -> Option<TokenStream> {
        let mut is_changed = false;
        let mut resolved = TokenStream::new();
        for token in generated.clone() {
            match token {
                TokenTree::Ident(ident) if ident == PLACEHOLDER => {
                    is_changed = true;
                    self.write(ident.span(), &mut resolved);
                }
                TokenTree::Group(group) => match self.resolve_changed(&group.stream()) {
                    Some(stream) => {
                        is_changed = true;
                        let mut changed = Group::new(group.delimiter(), stream);
                        changed.set_span(group.span());
                        changed.to_tokens(&mut resolved);
                    }
                    None => group.to_tokens(&mut resolved),
                },
                other => other.to_tokens(&mut resolved),
            }
        }
        is_changed.then_some(resolved)
    }

    /// Writes the path. Each name is looked up where the path was written, and reported
    /// where the placeholder stood.
    fn write(&self, place: Span, resolved: &mut TokenStream) {
        match &self.0 {
            None => resolved.extend(quote_spanned!(place=> ::oad)),
            Some(path) => resolved.extend(path.to_token_stream().into_iter().map(|mut token| {
                token.set_span(token.span().located_at(place));
                token
            })),
        }
    }

    /// Replaces the path of oad in the source, so that `my_library::oad::Shared<T>` is
    /// recognized as `oad::Shared<T>` is; also where only its last name is written,
    /// behind a `use my_library::oad;`.
    pub(crate) fn recognize(&self, path: &mut Path) {
        let Some(own) = &self.0 else { return };
        let starts_with_last_name = path.segments.len() == 2
            && path.leading_colon.is_none()
            && own.segments.last().map(|last| &last.ident) == Some(&path.segments[0].ident)
            && ["Shared", "Stream"].iter().any(|name| path.segments[1].ident == name);
        let count = if starts_with_last_name { 1 } else { own.segments.len() };
        let is_own = starts_with_last_name
            || path.segments.len() > count
                && own
                    .segments
                    .iter()
                    .zip(&path.segments)
                    .all(|(own, other)| own.ident == other.ident);
        if is_own {
            let place = path.segments[0].ident.span();
            let placeholder = PathSegment::from(Ident::new(PLACEHOLDER, place));
            let rest = path.segments.iter().skip(count).cloned();
            path.segments = std::iter::once(placeholder).chain(rest).collect();
            path.leading_colon = None;
        }
    }
}

impl VisitMut for &CratePath {
    fn visit_path_mut(&mut self, path: &mut Path) {
        self.recognize(path);
        visit_mut::visit_path_mut(self, path);
    }
}

/// Whether it is the first name of a path into oad.
pub(crate) fn is_oad(segment: &PathSegment) -> bool {
    segment.ident == "oad" || segment.ident == PLACEHOLDER
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::{Type, parse_quote};

    use super::*;
    use crate::object::text::text;

    #[test]
    fn placeholder_is_replaced_at_any_depth() {
        let generated = quote!(impl __oad::Object for Counter { fn f(_: &[__oad::Value]) {} });
        let expected = quote!(impl ::oad::Object for Counter { fn f(_: &[::oad::Value]) {} });
        assert_eq!(
            CratePath::default().resolve(generated.clone()).to_string(),
            expected.to_string()
        );
        for given in [quote!(= "lib::rt"), quote!(= lib::rt)] {
            let path: CratePath = syn::parse2(given).expect("it is a path");
            let expected =
                quote!(impl lib::rt::Object for Counter { fn f(_: &[lib::rt::Value]) {} });
            assert_eq!(path.resolve(generated.clone()).to_string(), expected.to_string());
        }
    }

    #[test]
    fn path_of_the_crate_is_recognized_in_the_source() {
        let path: CratePath = syn::parse2(quote!(= "lib::rt")).expect("it is a path");
        let recognized = |mut written: Type| {
            (&path).visit_type_mut(&mut written);
            text(&written)
        };
        assert_eq!(
            recognized(parse_quote!((lib::rt::Shared<lib::Item>, rt::Stream<u8>))),
            "(__oad::Shared<lib::Item>, __oad::Stream<u8>)"
        );
        for other in ["rt::Item", "lib::Shared<T>", "other::rt::Stream<u8>"] {
            assert_eq!(recognized(syn::parse_str(other).expect("it is a type")), other);
        }
    }
}
