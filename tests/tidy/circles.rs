//! The files of a room do not import each other in circles, so that each can be read
//! after the ones it builds on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::Visit as _;

use super::{Paths, files, is_test};

/// Circles that stay: (the room, the files, the reason).
const ALLOWED: &[(&str, &[&str], &str)] = &[
    (
        "child::object",
        &["arguments", "call_scope", "dynamic", "hosted", "object_ref", "owned_items"],
        "types that refer to each other: an object has methods, methods take arguments, and \
         arguments refer to objects",
    ),
    (
        "common::value::time",
        &["text", "time_of_day"],
        "the reader of texts reads times of day, whose own text form it is",
    ),
    ("common::value::de", &["", "compound"], "the items of a list are values"),
    ("common::value::ser", &["", "compound"], "the items of a list are values"),
];

/// The modules by their paths, such as `child::host::table`.
type Modules = BTreeMap<String, Imports>;

/// The paths that a module uses, and those that it re-exports.
struct Imports {
    used: BTreeSet<String>,
    exported: BTreeSet<String>,
}

impl Imports {
    fn of(source: &str) -> Self {
        let mut file = syn::parse_file(source).expect("the file is Rust");
        file.items.retain(|item| !matches!(item, syn::Item::Mod(item) if item.ident == "tests"));
        let is_export = |item: &syn::Item| match item {
            syn::Item::Use(item) => !matches!(item.vis, syn::Visibility::Inherited),
            _ => false,
        };
        let (exports, others) = file.items.into_iter().partition(is_export);
        let paths = |items: Vec<syn::Item>| {
            let mut paths = Paths::default();
            items.iter().for_each(|item| paths.visit_item(item));
            paths.0
        };
        Imports { used: paths(others), exported: paths(exports) }
    }
}

/// The module of a file, such as `child::host::table` for `src/child/host/table.rs`.
fn module_of(file: &Path) -> String {
    let path = file.strip_prefix("src").expect("it is under src").with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    parts.filter(|part| part != "mod").collect::<Vec<_>>().join("::")
}

/// The room that a module belongs to: the first two parts of its path.
fn room_of(module: &str) -> &str {
    module.match_indices("::").nth(1).map_or(module, |(end, _)| &module[..end])
}

/// Makes a path that is used in `module` absolute, without `crate::`. Other paths name
/// other crates, or a child of the module itself.
fn absolute(module: &str, path: &str) -> Option<String> {
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    match path.split_once("::")? {
        ("crate", rest) => Some(rest.to_owned()),
        ("super", rest) => Some(format!("{parent}::{rest}")),
        _ => None,
    }
}

/// The module that defines what an absolute path names, through re-exports.
fn definition_of(path: &str, modules: &Modules) -> Option<String> {
    let parts: Vec<&str> = path.split("::").collect();
    let len =
        (1..=parts.len()).rev().find(|len| modules.contains_key(&parts[..*len].join("::")))?;
    let module = parts[..len].join("::");
    let Some(name) = parts.get(len) else { return Some(module) };
    let exported = modules[&module]
        .exported
        .iter()
        .find(|export| export.rsplit("::").next() == Some(name))
        .map(|export| absolute(&module, export).unwrap_or_else(|| format!("{module}::{export}")))
        .filter(|export| export != path);
    match exported {
        Some(export) => definition_of(&export, modules),
        None => Some(module),
    }
}

/// The sets of modules of one room that import each other, directly or not.
fn circles(modules: &Modules) -> BTreeSet<BTreeSet<String>> {
    let imports = |module: &String| -> BTreeSet<String> {
        let used = modules[module].used.iter();
        used.filter_map(|path| definition_of(&absolute(module, path)?, modules))
            .filter(|target| target != module && room_of(target) == room_of(module))
            .collect()
    };
    let imports: BTreeMap<&String, BTreeSet<String>> =
        modules.keys().map(|module| (module, imports(module))).collect();
    let reachable = |module: &String| {
        let mut found = BTreeSet::new();
        let mut left = vec![module];
        while let Some(module) = left.pop() {
            for target in &imports[module] {
                if found.insert(target) {
                    left.push(target);
                }
            }
        }
        found
    };
    let reachable: BTreeMap<&String, BTreeSet<&String>> =
        modules.keys().map(|module| (module, reachable(module))).collect();
    let circle = |module: &String| -> BTreeSet<String> {
        let others = reachable[module].iter().filter(|other| reachable[**other].contains(module));
        others.map(|other| (*other).clone()).collect()
    };
    modules.keys().map(circle).filter(|circle| circle.len() > 1).collect()
}

/// The full module paths of an entry of [`ALLOWED`].
fn allowed_modules(room: &str, files: &[&str]) -> BTreeSet<String> {
    let module = |file: &&str| match *file {
        "" => room.to_owned(),
        file => format!("{room}::{file}"),
    };
    files.iter().map(module).collect()
}

#[test]
fn files_of_a_room_import_each_other_in_one_direction() {
    let sources = files(Path::new("src")).into_iter().filter(|file| !is_test(file));
    let modules = sources
        .map(|file| {
            let source = fs::read_to_string(&file).expect("the file can be read");
            (module_of(&file), Imports::of(&source))
        })
        .collect();
    let found = circles(&modules);
    let allowed: Vec<BTreeSet<String>> =
        ALLOWED.iter().map(|(room, files, _)| allowed_modules(room, files)).collect();
    let unexpected: Vec<_> = found
        .iter()
        .filter(|circle| !allowed.iter().any(|allowed| circle.is_subset(allowed)))
        .collect();
    assert!(unexpected.is_empty(), "files that import each other: {unexpected:#?}");
    let stale: Vec<_> = allowed
        .iter()
        .filter(|allowed| !found.iter().any(|circle| circle.is_subset(allowed)))
        .collect();
    assert!(stale.is_empty(), "circles that are gone; remove them from ALLOWED: {stale:#?}");
}

#[test]
fn circles_are_found_through_re_exports() {
    let modules = |sources: &[(&str, &str)]| -> Modules {
        sources.iter().map(|(module, source)| ((*module).to_owned(), Imports::of(source))).collect()
    };
    let b_uses_a = "use crate::wing::room::A;";
    for a_uses_b in [
        "use crate::wing::room::b::B;",
        "use crate::wing::room::{B, C};",
        "fn f() { super::b::f(); }",
        "fn f() { println!(\"{}\", crate::wing::room::b::NAME); }",
    ] {
        let found = circles(&modules(&[
            ("wing::room", "mod a; mod b; pub(crate) use a::A; pub use b::{B, C};"),
            ("wing::room::a", a_uses_b),
            ("wing::room::b", b_uses_a),
        ]));
        let expected = ["wing::room::a", "wing::room::b"].map(str::to_owned);
        assert_eq!(found, BTreeSet::from([BTreeSet::from(expected)]), "{a_uses_b}");
    }
    let found = circles(&modules(&[
        ("wing::room", "mod a; mod b; pub(crate) use a::A; pub use b::B;"),
        ("wing::room::a", "use crate::wing::room::B; use crate::wing::other::C;"),
        ("wing::room::b", "#[cfg(test)] mod tests { use crate::wing::room::A; }"),
        ("wing::other", "use crate::wing::room::A;"),
    ]));
    assert!(found.is_empty(), "tests and other rooms do not count: {found:?}");
}
