//! What may stand in a type's own methods, but not in a trait that a proxy implements.

use syn::visit_mut::{self, VisitMut};
use syn::{Error, FnArg, Path, ReturnType, Signature, Type, TypeReference};

use crate::object::remoted::remoted;
use crate::object::streamed::{Kind, Streamed};
use crate::object::text::text;
use crate::refusals::Refusals;

/// Gathers what is wrong with a signature.
#[derive(Default)]
struct Search {
    is_returned: bool,
    refusals: Refusals,
}

/// # Errors
///
/// For `Self` among the types that cross, and for what is returned borrowed.
pub(crate) fn check(signature: &Signature) -> syn::Result<()> {
    let mut search = Search::default();
    for input in &signature.inputs {
        if let FnArg::Typed(parameter) = input {
            search.visit_type_mut(&mut (*parameter.ty).clone());
        }
    }
    if let ReturnType::Type(_, returned) = &signature.output {
        search.is_returned = true;
        search.visit_type_mut(&mut (**returned).clone());
    }
    search.refusals.finish()
}

impl VisitMut for Search {
    fn visit_path_mut(&mut self, path: &mut Path) {
        if path.leading_colon.is_none()
            && path.segments.first().is_some_and(|first| first.ident == "Self")
        {
            let sentence =
                "`Self` is one type in the proxy and another in the daemon: name a concrete type";
            self.refusals.push(Error::new_spanned(&*path, sentence));
        }
        visit_mut::visit_path_mut(self, path);
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        if self.is_returned {
            let sentence =
                "a proxy cannot return a reference into another process: return an owned value";
            self.refusals.push(Error::new_spanned(&*reference, sentence));
        }
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_type_mut(&mut self, visited: &mut Type) {
        let is_boxed_future = self.is_returned && {
            let text = text(visited);
            text.contains("Pin<") && text.contains("Future")
        };
        if text(&remoted(visited.clone())) != text(visited) {
            let sentence = "`Shared<T>` is a proxy on the caller's side, and a trait has one signature for both sides: \
                            move the method to the type's own `impl` block";
            self.refusals.push(Error::new_spanned(&*visited, sentence));
            return;
        }
        if self.is_returned
            && Streamed::read(visited).is_some_and(|streamed| streamed.kind != Kind::Ours)
        {
            let sentence = "a proxy cannot return the iterator or stream of another process: return an \
                 `oad::Stream`";
            self.refusals.push(Error::new_spanned(&*visited, sentence));
            return;
        }
        if is_boxed_future {
            let sentence = "a boxed future hides its output type: write an `async fn`, and place `#[oad::object]` above \
                            `#[async_trait]`";
            self.refusals.push(Error::new_spanned(&*visited, sentence));
            return;
        }
        visit_mut::visit_type_mut(self, visited);
    }
}
