//! The object types of this program, by name.

use std::any::TypeId;

use crate::child::object::{Arguments, Construction, Hosted};
use crate::common::definition::{Method, TypeDescription, short_name};
use crate::common::error::{Error, ErrorKind, Result};
use crate::common::value::Value;

/// An object type, registered by `#[oad::object]`.
#[derive(Debug)]
pub struct Registration {
    /// The type.
    pub object: TypeId,
    /// The name and the methods.
    pub description: &'static TypeDescription,
    /// Runs the constructor with this index.
    pub construct: fn(usize, Arguments) -> Construction,
    /// Creates an object from a value.
    pub from_value: fn(Value) -> Result<Box<dyn Hosted>>,
}

inventory::collect!(Registration);

/// Finds a type by its path, or by its short name if only one type has it.
pub(super) fn find(name: &str) -> Result<&'static Registration> {
    select(name, inventory::iter::<Registration>())
}

fn select<'a>(
    name: &str,
    all: impl Iterator<Item = &'a Registration> + Clone,
) -> Result<&'a Registration> {
    let found = find_by_name(name, all.clone(), |registration| registration.description.name);
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let mut known: Vec<&str> = all.map(|known| known.description.name).collect();
            known.sort_unstable();
            let known = or_none(&known);
            let name = name.escape_debug();
            Err(Error::new(
                ErrorKind::NoSuchMethod,
                format!("the daemon's program has no object type `{name}`"),
            )
            .advise(format!("its `#[oad::object]` types are: {known}")))
        }
        several => {
            let places = several.iter().map(|found| {
                let TypeDescription { name, declared, .. } = found.description;
                (*name, *declared)
            });
            Err(ambiguous("object types", name, places))
        }
    }
}

/// Returns the error for an unknown method or constructor of a type, with the known ones.
pub(crate) fn unknown_method(
    kind: &str,
    description: &TypeDescription,
    name: &str,
    known: &[Method],
) -> Error {
    let names: Vec<&str> = known.iter().map(|method| method.name).collect();
    let (owner, name, names) = (description.name, name.escape_debug(), or_none(&names));
    let message = format!("`{owner}` has no {kind} `{name}`; its {kind}s are: {names}");
    Error::new(ErrorKind::NoSuchMethod, message)
}

fn or_none(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Returns the items with a name, given as a path; if no path matches, those whose short
/// name matches.
pub(super) fn find_by_name<T>(
    name: &str,
    all: impl Iterator<Item = T> + Clone,
    name_of: impl Fn(&T) -> &str,
) -> Vec<T> {
    let exact: Vec<T> = all.clone().filter(|item| name_of(item) == name).collect();
    match exact.is_empty() {
        false => exact,
        true => all.filter(|item| short_name(name_of(item)) == name).collect(),
    }
}

/// Returns the error for a name that several items have. `places` are their full names
/// and the places of their declarations.
pub(super) fn ambiguous<'a>(
    what: &str,
    name: &str,
    places: impl Iterator<Item = (&'a str, &'a str)>,
) -> Error {
    let mut places: Vec<String> =
        places.map(|(name, declared)| format!("`{name}` at {declared}")).collect();
    places.sort_unstable();
    let (count, places) = (places.len(), places.join(" and "));
    Error::new(ErrorKind::NoSuchMethod, format!("{count} {what} are named `{name}`: {places}"))
        .advise("use the full path, or rename one with `#[oad::object(name = \"…\")]`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn description(name: &'static str, declared: &'static str) -> TypeDescription {
        TypeDescription {
            name,
            documentation: "",
            constructors: &[],
            methods: &[],
            interfaces: &[],
            declared,
        }
    }

    static A: TypeDescription = description("app::a::Counter", "src/a.rs:1");
    static B: TypeDescription = description("app::b::Counter", "src/b.rs:7");
    static C: TypeDescription = description("app::Clock", "src/main.rs:3");
    static TWIN: TypeDescription = description("app::Clock", "src/main.rs:9");

    fn registration(description: &'static TypeDescription) -> Registration {
        Registration {
            object: TypeId::of::<()>(),
            description,
            construct: |_, _| unreachable!("the test only compares names"),
            from_value: |_| unreachable!("the test only compares names"),
        }
    }

    fn declared_at(name: &str, of: &[&'static TypeDescription]) -> Result<&'static str, String> {
        let all: Vec<Registration> =
            of.iter().map(|description| registration(description)).collect();
        select(name, all.iter())
            .map(|found| found.description.declared)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn path_or_unique_short_name_finds_the_type() {
        assert_eq!(declared_at("app::b::Counter", &[&A, &B, &C]), Ok("src/b.rs:7"));
        assert_eq!(declared_at("Clock", &[&A, &B, &C]), Ok("src/main.rs:3"));
    }

    #[test]
    fn ambiguous_name_lists_both_types() {
        let expected = "2 object types are named `Counter`: `app::a::Counter` at src/a.rs:1 and \
                        `app::b::Counter` at src/b.rs:7; use the full path, or rename one with \
                        `#[oad::object(name = \"…\")]`";
        assert_eq!(declared_at("Counter", &[&A, &B]), Err(expected.to_owned()));
        let error = declared_at("app::Clock", &[&C, &TWIN]).expect_err("two are registered");
        assert!(error.contains("src/main.rs:3") && error.contains("src/main.rs:9"), "{error}");
    }

    #[test]
    fn unknown_type_lists_the_known_ones() {
        let expected = "the daemon's program has no object type `Nope`; its `#[oad::object]` types \
                        are: app::Clock";
        assert_eq!(declared_at("Nope", &[&C]), Err(expected.to_owned()));
    }
}
