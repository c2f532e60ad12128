//! The house: which room may import which. A new arrow is added here, with its reason, where a reviewer sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// What each room under `src/` may import. `error` imports nothing of ours, and the two stairs — `proxy daemon client` and
/// `server service host object` — meet on the ground floor only.
const ROOMS: &[(&str, &[&str])] = &[
    // The crate page: re-exports, and what the macros' code needs.
    (
        "lib",
        &["client", "daemon", "error", "init", "object", "process", "proxy", "server", "stream", "transport", "value"],
    ),
    // Both sides: it decides which this process is.
    ("init", &["process", "server"]),
    // Both sides in one process, and so both stairs.
    ("in_process", &["daemon", "host", "server", "transport"]),
    // The left stair. `object` is the contract with the macros: descriptions and packed arguments.
    ("proxy", &["client", "daemon", "definition", "error", "object", "park", "stream", "value"]),
    ("daemon", &["client", "definition", "error", "handshake", "object", "process", "transport", "value"]),
    ("client", &["definition", "error", "stream", "transport", "value", "wire"]),
    // The right stair.
    // `object` to say what makes Python objects, which no other room of this side knows.
    ("server", &["handshake", "host", "object", "process", "python", "service", "transport", "wire"]),
    // `transport` for the token that is demanded, and nothing of its sockets.
    ("service", &["definition", "error", "host", "object", "stream", "transport", "value", "wire"]),
    ("host", &["definition", "error", "object", "value"]),
    ("python", &["definition", "error", "object", "process", "value"]),
    ("object", &["definition", "error", "park", "stream", "value"]),
    // The ground.
    ("stream", &["error", "park", "value"]),
    ("wire", &["error", "value"]),
    ("transport", &["error"]),
    ("process", &["error"]),
    ("handshake", &["transport"]),
    ("definition", &[]),
    ("park", &[]),
    ("value", &["error"]),
    ("error", &[]),
];

/// Names that may be used in some rooms only: (name, the rooms, why).
const KEPT_IN: &[(&str, &[&str], &str)] = &[
    (
        "std::process",
        &["process", "error", "daemon", "client", "server", "init", "service"],
        "processes are started in `process`; others name exit statuses and ids",
    ),
    ("std::process::Command", &["process"], "processes are started in `process`"),
    ("tokio::process", &[], "tokio's `Child` reaps behind our back"),
    ("std::os::unix::net", &["process", "transport", "server"], "sockets are made in `transport` and `process`"),
    (
        "tokio::net",
        &["process", "transport", "server", "daemon", "client", "python"],
        "sockets are made in `transport` and `process`; others hold them",
    ),
    ("http_body", &["daemon"], "only the channel for generated clients handles bodies"),
    ("prost", &["wire", "client", "service"], "protobuf stays below the stairs"),
];

/// The room that a file under `src/` belongs to.
fn room(file: &Path) -> String {
    let first = file.strip_prefix("src").expect("it is under src").components().next().expect("it has a name");
    Path::new(first.as_os_str()).file_stem().expect("it has a name").to_string_lossy().into_owned()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("it is a directory").flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
            _ => {}
        }
    }
    found.sort();
    found
}

/// Every path of a file, those in `use` trees put together, and those in the arguments of macros.
#[derive(Default)]
struct Paths(BTreeSet<String>);

impl Paths {
    fn of(source: &str) -> Self {
        let mut paths = Paths::default();
        paths.visit_file(&syn::parse_file(source).expect("it is Rust"));
        paths
    }

    fn tree(&mut self, before: &str, tree: &syn::UseTree) {
        let join = |name: &dyn ToString| match before {
            "" => name.to_string(),
            before => format!("{before}::{}", name.to_string()),
        };
        match tree {
            syn::UseTree::Path(path) => self.tree(&join(&path.ident), &path.tree),
            syn::UseTree::Name(name) => drop(self.0.insert(join(&name.ident))),
            syn::UseTree::Rename(rename) => drop(self.0.insert(join(&rename.ident))),
            syn::UseTree::Glob(_) => drop(self.0.insert(join(&"*"))),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(before, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree("", &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.0.insert(segments.join("::"));
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        // What a macro is given is no syntax tree yet; a path in it is still spelled as one.
        let tokens = item.tokens.to_string().replace(' ', "");
        for (at, _) in tokens.match_indices("crate::") {
            let path = &tokens[at..];
            let end = path.find(|char: char| !char.is_alphanumeric() && !"_:".contains(char)).unwrap_or(path.len());
            self.0.insert(path[..end].to_owned());
        }
        syn::visit::visit_macro(self, item);
    }
}

/// What a source of a room imports that the room may not.
fn forbidden(room: &str, source: &str) -> Vec<String> {
    let allowed = ROOMS.iter().find(|(name, _)| *name == room).map(|(_, allowed)| *allowed);
    let Some(allowed) = allowed else { return vec![format!("the room `{room}` is not in the table")] };
    let rooms: BTreeSet<&str> = ROOMS.iter().map(|(name, _)| *name).collect();
    let mut found = Vec::new();
    for path in Paths::of(source).0 {
        if let Some(rest) = path.strip_prefix("crate::") {
            let target = rest.split("::").next().expect("it has a first part");
            if rooms.contains(target) && target != room && !allowed.contains(&target) {
                found.push(format!("`{path}`: `{room}` may not import `{target}`"));
            }
        }
        if path.starts_with("super::super") || (path.ends_with("::*") && !path.starts_with("super")) {
            found.push(format!("`{path}`: name it from the crate's root, one by one"));
        }
        for (name, kept_in, why) in KEPT_IN {
            let is_it = path == *name || path.starts_with(&format!("{name}::"));
            if is_it && !kept_in.contains(&room) {
                found.push(format!("`{path}` in `{room}`: {why}"));
            }
        }
    }
    found
}

#[test]
fn every_room_imports_what_it_may() {
    let wrong: Vec<String> = files(Path::new("src"))
        .iter()
        .filter(|file| !file.ends_with("tests.rs"))
        .flat_map(|file| {
            let source = fs::read_to_string(file).expect("it can be read");
            forbidden(&room(file), &source).into_iter().map(|wrong| format!("{}: {wrong}", file.display()))
        })
        .collect();
    assert!(wrong.is_empty(), "forbidden arrows; see tests/tidy.rs\n{}", wrong.join("\n"));
}

#[test]
fn forbidden_arrows_are_found_in_every_spelling() {
    for source in [
        "use crate::host::Host;",
        "use crate::{error::Error, host::{self, Host}};",
        "fn f() { crate::host::panic::catch(|| ()); }",
        "fn f() { let x: Vec<crate::host::Host>; }",
        "fn f() { println!(\"{}\", crate::host::NAME); }",
        "use std::process::Command;",
        "use prost::Message as _;",
        "use super::super::error::Error;",
        "use crate::error::*;",
    ] {
        assert_eq!(forbidden("handshake", source).len().min(1), 1, "{source}");
    }
    assert_eq!(forbidden("handshake", "use crate::transport::Endpoint; use std::io;"), Vec::<String>::new());
    assert!(!forbidden("cellar", "").is_empty(), "a room that is not in the table");
}

#[test]
fn every_room_of_the_table_is_there() {
    let there: BTreeSet<String> = files(Path::new("src")).iter().map(|file| room(file)).collect();
    let listed: BTreeSet<String> = ROOMS.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(listed, there);
}

#[test]
fn the_map_shows_the_table() {
    let map = fs::read_to_string("docs/architecture.md").expect("the map is there");
    for (room, allowed) in ROOMS {
        let imports = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(" ") };
        let row = format!("| `{room}` | {imports} |");
        assert!(map.contains(&row), "docs/architecture.md lacks the row: {row}");
    }
}

#[test]
fn unsafe_code_stands_only_where_the_map_says() {
    let map = fs::read_to_string("docs/architecture.md").expect("the map is there");
    let mut places = BTreeMap::new();
    for file in files(Path::new("src")) {
        let source = fs::read_to_string(&file).expect("it can be read");
        let count = source.matches("#[allow(unsafe_code)]").count();
        if count > 0 {
            places.insert(file.display().to_string(), count);
        }
    }
    for (file, count) in &places {
        assert!(map.contains(&format!("`{file}` ({count})")), "docs/architecture.md lacks `{file}` ({count})");
    }
    assert!(places.len() <= 3, "{places:?}");
}
