//! The types of the caller's side: a proxy, where the daemon has an object that it
//! shares.

use syn::visit_mut::{self, VisitMut};
use syn::{GenericArgument, Path, PathArguments, Type, parse_quote};

use crate::crate_path::is_oad;

/// The type that a caller has for one in the daemon: the same, but for each `Shared<T>`
/// in it the proxy of `T`.
pub(crate) fn remoted(mut written: Type) -> Type {
    Remoted.visit_type_mut(&mut written);
    written
}

struct Remoted;

impl VisitMut for Remoted {
    fn visit_type_mut(&mut self, visited: &mut Type) {
        match visited {
            Type::Path(path) if path.qself.is_none() => match shared(&path.path) {
                Some(object) => *visited = parse_quote!(<#object as __oad::Object>::Proxy),
                None => visit_mut::visit_type_mut(self, visited),
            },
            _ => visit_mut::visit_type_mut(self, visited),
        }
    }
}

/// The object's type, if the path is `Shared<T>` or `oad::Shared<T>`. One of another
/// crate's is not ours.
fn shared(path: &Path) -> Option<Type> {
    let last = path.segments.last().filter(|last| last.ident == "Shared")?;
    let is_ours = match path.segments.len() {
        1 => path.leading_colon.is_none(),
        2 => is_oad(&path.segments[0]),
        _ => false,
    };
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) if is_ours && arguments.args.len() == 1 => {
            match &arguments.args[0] {
                GenericArgument::Type(object) => Some(object.clone()),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use syn::{Type, parse_quote};

    use super::remoted;
    use crate::object::text::text;

    #[test]
    fn shared_objects_are_proxies_at_any_depth() {
        let caller_has = |written: Type| text(&remoted(written));
        assert_eq!(caller_has(parse_quote!(Shared<Account>)), "<Account as __oad::Object>::Proxy");
        assert_eq!(
            caller_has(parse_quote!(Option<(Vec<::oad::Shared<bank::Account>>, u8)>)),
            "Option<(Vec<<bank::Account as __oad::Object>::Proxy>, u8)>"
        );
        assert_eq!(
            caller_has(parse_quote!(&Shared<Account>)),
            "&<Account as __oad::Object>::Proxy"
        );
    }

    #[test]
    fn other_types_of_that_name_are_left_alone() {
        for written in ["other::Shared<T>", "Shared", "Shared<A, B>", "a::oad::Shared<T>"] {
            let parsed: Type = syn::parse_str(written).expect("it is a type");
            assert_eq!(text(&remoted(parsed)), written);
        }
    }
}
