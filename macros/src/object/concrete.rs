//! `Self`, said by name.

use syn::visit_mut::{self, VisitMut};
use syn::{Path, PathSegment};

/// Puts the object's path where `Self` stands, because on the proxy `Self` is the proxy.
pub(crate) struct Concrete<'a>(pub(crate) &'a Path);

impl VisitMut for Concrete<'_> {
    fn visit_path_mut(&mut self, path: &mut Path) {
        if path.leading_colon.is_none()
            && let Some(first) = path.segments.first()
            && first.ident == "Self"
        {
            let place = first.ident.span();
            let object = self.0.segments.iter().cloned().map(|mut segment: PathSegment| {
                // What the compiler has to say of the type it says where `Self` was
                // written.
                segment.ident.set_span(segment.ident.span().located_at(place));
                segment
            });
            let rest = path.segments.iter().skip(1).cloned();
            path.segments = object.chain(rest).collect();
            path.leading_colon = self.0.leading_colon;
        }
        visit_mut::visit_path_mut(self, path);
    }
}

#[cfg(test)]
mod tests {
    use syn::visit_mut::VisitMut;
    use syn::{Type, parse_quote};

    use super::Concrete;
    use crate::object::text::text;

    #[test]
    fn self_is_replaced_at_any_depth() {
        let mut written: Type =
            parse_quote!(Result<(&Self, [u8; Self::SIZE]), <Self as Named>::Name>);
        Concrete(&parse_quote!(shop::Cart)).visit_type_mut(&mut written);
        assert_eq!(
            text(&written),
            "Result<(&shop::Cart, [u8; shop::Cart::SIZE]), <shop::Cart as Named>::Name>"
        );
    }
}
