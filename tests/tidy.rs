//! The house: which room may import which. A new arrow is added here, with its reason,
//! where a reviewer sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

#[path = "tidy/circles.rs"]
mod circles;

/// `max_width` in `rustfmt.toml`.
const CODE_WIDTH: usize = 100;

/// How wide a comment may be, its indentation included.
const COMMENT_WIDTH: usize = 90;

/// What each room under `src/` may import. A room is a folder or file of a wing, or a
/// file beside the wings. `error` imports nothing of ours.
const ROOMS: &[(&str, &[&str])] = &[
    // The crate page: re-exports, and what the macros' code needs.
    (
        "lib",
        &[
            "client",
            "daemon",
            "definition",
            "error",
            "init",
            "object",
            "process",
            "proxy",
            "server",
            "stream",
            "stubgen",
            "transport",
            "value",
        ],
    ),
    // Decides which of the two processes this is.
    ("init", &["handshake", "process", "server"]),
    // Both processes in one, and so both wings.
    ("in_process", &["daemon", "host", "proxy", "server", "transport"]),
    // The parent's wing. `process` for looking up a program on `PATH`, as the daemon
    // does, and `agent` for the reports of exceptions that are kept.
    (
        "proxy",
        &[
            "agent",
            "client",
            "daemon",
            "definition",
            "door",
            "error",
            "park",
            "process",
            "scoped",
            "stream",
            "value",
        ],
    ),
    // Reads a class through the proxy of its interpreter.
    ("stubgen", &["error", "proxy"]),
    // `agent` for the ids of Python objects, and for how an interpreter's end is
    // reported.
    (
        "daemon",
        &[
            "agent",
            "client",
            "definition",
            "door",
            "error",
            "handshake",
            "process",
            "threads",
            "transport",
            "value",
        ],
    ),
    // The second way down this stair: past the daemon's process, to the interpreter. What
    // a call is in a session it is here too, so this room stands on the client. `wire`
    // shortens exceptions as the daemon does.
    (
        "door",
        &[
            "agent",
            "client",
            "definition",
            "error",
            "stream",
            "threads",
            "transport",
            "value",
            "wire",
        ],
    ),
    (
        "client",
        &[
            "buffer_pool",
            "definition",
            "error",
            "lane",
            "stream",
            "threads",
            "transport",
            "value",
            "wire",
        ],
    ),
    // The child's wing. `server` imports `python` to register what makes Python objects,
    // which no other room of this wing knows.
    (
        "server",
        &[
            "handshake",
            "host",
            "object",
            "process",
            "python",
            "service",
            "threads",
            "transport",
            "wire",
        ],
    ),
    // `transport` for the required token and for the sockets of lanes.
    (
        "service",
        &[
            "buffer_pool",
            "definition",
            "error",
            "host",
            "lane",
            "object",
            "park",
            "stream",
            "threads",
            "transport",
            "value",
            "wire",
        ],
    ),
    ("host", &["definition", "error", "object", "threads", "value"]),
    // `handshake` for what the parent is told of its doors.
    (
        "python",
        &[
            "agent",
            "definition",
            "error",
            "handshake",
            "object",
            "process",
            "threads",
            "transport",
            "value",
        ],
    ),
    ("object", &["definition", "error", "park", "scoped", "stream", "threads", "value"]),
    // What both stand on. `agent` is for both doors of an interpreter: frames on the
    // sockets of `transport`.
    ("agent", &["buffer_pool", "definition", "error", "transport", "value"]),
    ("stream", &["error", "park", "scoped", "value"]),
    // The messages of `wire` over the sockets of `transport`.
    ("lane", &["buffer_pool", "transport", "wire"]),
    ("wire", &["buffer_pool", "error", "value"]),
    ("transport", &["error"]),
    ("process", &["error", "threads"]),
    ("handshake", &["error", "transport"]),
    ("definition", &["value"]),
    ("buffer_pool", &[]),
    ("park", &[]),
    // Threads for work that may block. Whatever takes long, in any room, runs there.
    ("threads", &[]),
    ("scoped", &[]),
    ("value", &["error", "scoped"]),
    ("error", &[]),
];

/// The wings, and which of them a wing may import from.
const WINGS: &[(&str, &[&str])] =
    &[("parent", &["parent", "common"]), ("child", &["child", "common"]), ("common", &["common"])];

/// Names that may be used in some rooms only: (name, the rooms, why).
const KEPT_IN: &[(&str, &[&str], &str)] = &[
    (
        "std::process",
        &["process", "error", "daemon", "client", "server", "init", "service"],
        "processes are started in `process`; others name exit statuses and ids",
    ),
    ("std::process::Command", &["process"], "processes are started in `process`"),
    ("tokio::process", &[], "tokio's `Child` reaps behind our back"),
    (
        "std::os::unix::net",
        &["process", "transport", "server", "init"],
        "sockets are made in `transport` and `process`; others hold them",
    ),
    (
        "tokio::net",
        &["process", "transport", "lane", "server", "daemon", "client", "agent"],
        "sockets are made in `transport` and `process`; others hold them",
    ),
    ("http_body", &["daemon", "service"], "bodies are handled where their fate matters"),
    ("prost", &["wire", "client", "lane", "service"], "protobuf stays below the stairs"),
];

/// The wing that a file under `src/` belongs to, if it is in one, and its room.
fn place(file: &Path) -> (Option<String>, String) {
    let stem = |part: std::path::Component<'_>| {
        Path::new(part.as_os_str())
            .file_stem()
            .expect("it has a name")
            .to_string_lossy()
            .into_owned()
    };
    let mut parts = file.strip_prefix("src").expect("it is under src").components().map(stem);
    let first = parts.next().expect("it has a name");
    match parts.next() {
        Some(room) => (Some(first), room),
        None => (None, first),
    }
}

/// Whether a file only lists the rooms of a wing.
fn lists_rooms(file: &Path) -> bool {
    place(file).1 == "mod"
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

/// Every path of a file, those in `use` trees put together, and those in the arguments of
/// macros.
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
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.tree(before, tree))
            }
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree("", &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.0.insert(segments.join("::"));
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        // What a macro is given is no syntax tree yet; a path in it is still spelled as
        // one.
        let tokens = item.tokens.to_string().replace(' ', "");
        for (at, _) in tokens.match_indices("crate::") {
            let path = &tokens[at..];
            let end = path
                .find(|char: char| !char.is_alphanumeric() && !"_:".contains(char))
                .unwrap_or(path.len());
            self.0.insert(path[..end].to_owned());
        }
        syn::visit::visit_macro(self, item);
    }
}

/// What a source imports that its wing or its room may not.
fn forbidden(wing: Option<&str>, room: &str, source: &str) -> Vec<String> {
    let allowed = ROOMS.iter().find(|(name, _)| *name == room).map(|(_, allowed)| *allowed);
    let Some(allowed) = allowed else {
        return vec![format!("the room `{room}` is not in the table")];
    };
    let wings = WINGS.iter().find(|(name, _)| Some(*name) == wing).map(|(_, wings)| *wings);
    let mut found = Vec::new();
    for path in Paths::of(source).0 {
        if let Some(rest) = path.strip_prefix("crate::") {
            let mut parts = rest.split("::");
            let first = parts.next().expect("it has a first part");
            let is_wing = WINGS.iter().any(|(name, _)| *name == first);
            if is_wing && wings.is_some_and(|wings| !wings.contains(&first)) {
                let wing = wing.unwrap_or_default();
                found.push(format!("`{path}`: the wing `{wing}` may not import from `{first}`"));
            }
            let target = if is_wing { parts.next().unwrap_or(first) } else { first };
            let is_room = ROOMS.iter().any(|(name, _)| *name == target);
            if is_room && target != room && !allowed.contains(&target) {
                found.push(format!("`{path}`: `{room}` may not import `{target}`"));
            }
        }
        if path.starts_with("super::super") || (path.ends_with("::*") && !path.starts_with("super"))
        {
            found.push(format!("`{path}`: import by name from the crate's root"));
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

/// Whether a file contains unit tests and nothing else: `tests.rs`, or one in `tests/`.
fn is_test(file: &Path) -> bool {
    file.ends_with("tests.rs") || file.iter().any(|folder| folder == "tests")
}

#[test]
fn every_room_imports_what_it_may() {
    let wrong: Vec<String> = files(Path::new("src"))
        .iter()
        .filter(|file| !is_test(file) && !lists_rooms(file))
        .flat_map(|file| {
            let source = fs::read_to_string(file).expect("it can be read");
            let (wing, room) = place(file);
            forbidden(wing.as_deref(), &room, &source)
                .into_iter()
                .map(|wrong| format!("{}: {wrong}", file.display()))
        })
        .collect();
    assert!(wrong.is_empty(), "forbidden imports; see tests/tidy.rs\n{}", wrong.join("\n"));
}

#[test]
fn forbidden_imports_are_found_in_every_spelling() {
    for source in [
        "use crate::child::host::Host;",
        "use crate::common::{error::Error, value::{self, Value}};",
        "fn f() { crate::common::value::catch(|| ()); }",
        "fn f() { let x: Vec<crate::common::value::Value>; }",
        "fn f() { println!(\"{}\", crate::common::value::NAME); }",
        "use std::process::Command;",
        "use prost::Message as _;",
        "use super::super::value::Value;",
        "use crate::common::value::*;",
    ] {
        assert!(!forbidden(Some("common"), "park", source).is_empty(), "{source}");
    }
    let allowed = "use crate::common::transport::Endpoint; use std::io;";
    assert_eq!(forbidden(Some("common"), "handshake", allowed), Vec::<String>::new());
    assert!(!forbidden(None, "cellar", "").is_empty(), "a room that is not in the table");
}

#[test]
fn the_two_wings_never_import_each_other() {
    for (wing, room, source) in [
        ("parent", "proxy", "use crate::child::host::Host;"),
        ("child", "host", "use crate::parent::proxy::Proxy;"),
        ("common", "value", "use crate::parent::proxy::Proxy;"),
    ] {
        let found = forbidden(Some(wing), room, source).join("\n");
        assert!(found.contains(&format!("the wing `{wing}` may not import from")), "{found}");
    }
}

#[test]
fn every_type_name_has_one_definition() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files(Path::new("src")) {
        let source = fs::read_to_string(&file).expect("it can be read");
        let mut names = TypeNames::default();
        names.visit_file(&syn::parse_file(&source).expect("it is Rust"));
        for name in names.0 {
            places.entry(name).or_default().push(file.display().to_string());
        }
    }
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "types that share a name: {places:#?}");
}

/// The types, traits and aliases that a file defines.
#[derive(Default)]
struct TypeNames(Vec<String>);

impl<'ast> Visit<'ast> for TypeNames {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.0.push(item.ident.to_string());
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.0.push(item.ident.to_string());
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.0.push(item.ident.to_string());
        syn::visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.0.push(item.ident.to_string());
    }
}

#[test]
fn lines_fit_the_width() {
    let mut wide = Vec::new();
    for root in ["src", "macros/src", "tests", "examples", "benches"] {
        for file in files(Path::new(root)) {
            if file.ends_with("echo_capnp.rs") {
                continue; // generated, with names that cannot be broken
            }
            let source = fs::read_to_string(&file).expect("it can be read");
            let mut is_example = false;
            for (line, text) in source.lines().enumerate() {
                let text = text.trim_end();
                let comment = text.trim_start().trim_start_matches(['/', '!']).trim_start();
                let is_comment = text.trim_start().starts_with("//");
                is_example ^= is_comment && comment.starts_with("```");
                // The code of an example is as wide as code. A row of a table, a link and
                // a path cannot be broken.
                let width = if is_comment && !is_example { COMMENT_WIDTH } else { CODE_WIDTH };
                let can_break = !is_comment
                    || !(comment.starts_with('|') || text.trim_start().split(' ').count() <= 2);
                if text.chars().count() > width && can_break {
                    wide.push(format!("{}:{}", file.display(), line + 1));
                }
            }
        }
    }
    assert!(
        wide.is_empty(),
        "code is at most {CODE_WIDTH} wide, a comment {COMMENT_WIDTH}:\n{}",
        wide.join("\n")
    );
}

#[test]
fn every_room_of_the_table_is_there() {
    let there: BTreeSet<String> = files(Path::new("src"))
        .iter()
        .filter(|file| !lists_rooms(file))
        .map(|file| place(file).1)
        .collect();
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
        assert!(
            map.contains(&format!("`{file}` ({count})")),
            "docs/architecture.md lacks `{file}` ({count})"
        );
    }
    assert!(places.len() <= 3, "{places:?}");
}
