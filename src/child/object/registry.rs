//! The object types of this program, by name.

use std::any::TypeId;

use crate::child::object::{Arguments, Construction, Hosted};
use crate::common::definition::TypeDescription;
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
    pub revive: fn(Value) -> Result<Box<dyn Hosted>>,
}

inventory::collect!(Registration);

/// Finds a type by its path, or by its short name if only one type has it.
pub(super) fn find(name: &str) -> Result<&'static Registration> {
    choose(name, inventory::iter::<Registration>())
}

fn choose<'a>(
    name: &str,
    all: impl Iterator<Item = &'a Registration> + Clone,
) -> Result<&'a Registration> {
    let exact: Vec<&Registration> =
        all.clone().filter(|found| found.description.name == name).collect();
    let found = match exact.is_empty() {
        false => exact,
        true => all.clone().filter(|found| found.description.short_name() == name).collect(),
    };
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let mut known: Vec<&str> = all.map(|known| known.description.name).collect();
            known.sort_unstable();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let name = name.escape_debug();
            Err(Error::new(
                ErrorKind::NoSuchMethod,
                format!("the daemon's program has no object type `{name}`"),
            )
            .advise(format!("its `#[oad::object]` types are: {known}")))
        }
        several => {
            let places: Vec<String> = several
                .iter()
                .map(|found| {
                    format!("`{}` at {}", found.description.name, found.description.declared)
                })
                .collect();
            Err(Error::new(
                ErrorKind::NoSuchMethod,
                format!(
                    "{} object types are named `{name}`: {}",
                    several.len(),
                    places.join(" and ")
                ),
            )
            .advise("use the full path, or rename one with `#[oad::object(name = \"…\")]`"))
        }
    }
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
            revive: |_| unreachable!("the test only compares names"),
        }
    }

    fn choose_name(name: &str, of: &[&'static TypeDescription]) -> Result<&'static str, String> {
        let all: Vec<Registration> =
            of.iter().map(|description| registration(description)).collect();
        choose(name, all.iter())
            .map(|found| found.description.declared)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn path_or_unique_last_name_finds_the_type() {
        assert_eq!(choose_name("app::b::Counter", &[&A, &B, &C]), Ok("src/b.rs:7"));
        assert_eq!(choose_name("Clock", &[&A, &B, &C]), Ok("src/main.rs:3"));
    }

    #[test]
    fn two_types_of_one_name_are_both_named() {
        let expected = "2 object types are named `Counter`: `app::a::Counter` at src/a.rs:1 and \
                        `app::b::Counter` at src/b.rs:7; use the full path, or rename one with \
                        `#[oad::object(name = \"…\")]`";
        assert_eq!(choose_name("Counter", &[&A, &B]), Err(expected.to_owned()));
        let error = choose_name("app::Clock", &[&C, &TWIN]).expect_err("two are registered");
        assert!(error.contains("src/main.rs:3") && error.contains("src/main.rs:9"), "{error}");
    }

    #[test]
    fn unknown_type_lists_the_known() {
        let expected = "the daemon's program has no object type `Nope`; its `#[oad::object]` types \
                        are: app::Clock";
        assert_eq!(choose_name("Nope", &[&C]), Err(expected.to_owned()));
    }
}
