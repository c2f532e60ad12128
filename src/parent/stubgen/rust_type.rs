//! The types of Rust that stand for those of Python.

use std::collections::BTreeMap;

/// A type of Python: a whole name, and the types in its brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PythonType {
    name: String,
    arguments: Vec<PythonType>,
}

/// Maps types, and notes what it cannot map.
pub(super) struct TypeMap<'a> {
    /// The typed proxies that are written together, by the names of their classes.
    pub(super) proxies: &'a BTreeMap<String, String>,
    /// The class whose trait is written.
    pub(super) own: &'a str,
    /// Why something became a `Value`.
    pub(super) notes: Vec<String>,
}

/// A returned type.
pub(super) enum Returned {
    Value(String),
    /// A stream of such items.
    Stream(String),
}

/// Where an owned type stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Whole,
    /// Inside another type, where a proxy is an `oad::Proxy`.
    Inside,
}

/// The longest tuple that is a tuple in Rust; longer ones do not print.
const LONGEST_TUPLE: usize = 12;

impl PythonType {
    /// Reads `name[argument, …]`. What does not read is a name that no rule knows.
    fn parse(text: &str) -> Self {
        let mut rest = text;
        PythonType::parse_one(&mut rest)
    }

    fn parse_one(rest: &mut &str) -> Self {
        let end = rest.find(['[', ']', ',']).unwrap_or(rest.len());
        let name = match rest[..end].trim() {
            "NoneType" => "None".to_owned(),
            name => name.to_owned(),
        };
        *rest = &rest[end..];
        let mut arguments = Vec::new();
        if rest.starts_with('[') {
            while rest.starts_with(['[', ',']) {
                *rest = &rest[1..];
                arguments.push(PythonType::parse_one(rest));
            }
            *rest = rest.strip_prefix(']').unwrap_or(rest).trim_start();
        }
        PythonType { name, arguments }
    }

    /// The name without the modules that only describe types.
    fn short(&self) -> &str {
        ["typing.", "typing_extensions.", "collections.abc.", "collections."]
            .iter()
            .find_map(|module| self.name.strip_prefix(module))
            .unwrap_or(&self.name)
    }

    /// The members of a union but `None`, and whether that is one.
    fn union(&self) -> Option<(Vec<&PythonType>, bool)> {
        let members = match self.short() {
            "Optional" => {
                let inner = self.arguments.first()?;
                let (members, _) = inner.union().unwrap_or((vec![inner], false));
                return Some((members, true));
            }
            "Union" => &self.arguments,
            _ => return None,
        };
        let (mut found, mut has_none): (Vec<&PythonType>, bool) = (Vec::new(), false);
        for member in members {
            match member.union() {
                Some((members, inner_none)) => {
                    found.extend(members);
                    has_none |= inner_none;
                }
                None if member.name == "None" => has_none = true,
                None => found.push(member),
            }
        }
        let mut distinct: Vec<&PythonType> = Vec::new();
        for member in found {
            if !distinct.contains(&member) {
                distinct.push(member);
            }
        }
        Some((distinct, has_none))
    }

    /// Whether the type of Rust can be a key: whether it is `Ord`.
    fn is_key(&self) -> bool {
        match self.short() {
            "int" | "str" | "bool" => true,
            "tuple" | "Tuple" => self.arguments.iter().all(PythonType::is_key),
            _ => false,
        }
    }

    fn is_sequence(&self) -> bool {
        matches!(
            self.short(),
            "list" | "List" | "Sequence" | "MutableSequence" | "Collection" | "deque" | "Deque"
        )
    }

    fn is_map(&self) -> bool {
        matches!(
            self.short(),
            "dict"
                | "Dict"
                | "Mapping"
                | "MutableMapping"
                | "OrderedDict"
                | "DefaultDict"
                | "defaultdict"
        )
    }

    fn is_set(&self) -> bool {
        matches!(
            self.short(),
            "set" | "Set" | "frozenset" | "FrozenSet" | "AbstractSet" | "MutableSet"
        )
    }

    /// Whether it is a type whose first argument is the one that counts.
    fn is_transparent(&self) -> bool {
        matches!(
            self.short(),
            "ClassVar" | "Final" | "Annotated" | "Required" | "NotRequired" | "ReadOnly"
        )
    }
}

impl TypeMap<'_> {
    /// The type that a method returns.
    pub(super) fn returned(&mut self, text: Option<&str>) -> Returned {
        let Some(text) = text else { return Returned::Value(self.untyped("no annotation")) };
        let python = PythonType::parse(text);
        let inner = |place: usize| python.arguments.get(place).cloned();
        match python.short() {
            "Iterator" | "Iterable" | "Generator" => Returned::Stream(match inner(0) {
                Some(item) => self.owned(&item, Position::Inside),
                None => self.untyped("the items have no type"),
            }),
            // A coroutine is awaited where its result is asked for.
            "Awaitable" | "Coroutine" => match python.arguments.last() {
                Some(result) => Returned::Value(self.owned(result, Position::Whole)),
                None => Returned::Value(self.untyped("the result has no type")),
            },
            _ => Returned::Value(self.owned(&python, Position::Whole)),
        }
    }

    /// The type of an attribute.
    pub(super) fn attribute(&mut self, text: Option<&str>) -> String {
        match text {
            Some(text) => self.owned(&PythonType::parse(text), Position::Whole),
            None => self.untyped("no annotation"),
        }
    }

    /// The type of a parameter. One that is `optional` can be left out.
    pub(super) fn parameter(
        &mut self,
        text: Option<&str>,
        optional: bool,
        is_none: bool,
    ) -> String {
        let noted = self.notes.len();
        let python = text.map(PythonType::parse);
        let mapped = match &python {
            Some(python) => self.borrowed(python),
            None => self.untyped("no annotation"),
        };
        let is_untyped = self.notes.len() > noted && mapped.trim_start_matches('&') == "oad::Value";
        match (is_untyped, optional) {
            (true, false) => "impl oad::ToPython".to_owned(),
            (true, true) => "Option<oad::Value>".to_owned(),
            (false, true) if is_none && mapped.starts_with("Option<") => mapped,
            (false, true) => format!("Option<{mapped}>"),
            (false, false) => mapped,
        }
    }

    fn untyped(&mut self, reason: &str) -> String {
        self.notes.push(reason.to_owned());
        "oad::Value".to_owned()
    }

    /// The type of an argument, borrowed where Rust would.
    fn borrowed(&mut self, python: &PythonType) -> String {
        if let Some((members, has_none)) = python.union() {
            return match (members.as_slice(), has_none) {
                ([member], true) => {
                    let noted = self.notes.len();
                    let inner = self.borrowed(member);
                    if self.notes.len() > noted && inner == "oad::Value" {
                        return inner;
                    }
                    format!("Option<{inner}>")
                }
                ([member], false) => self.borrowed(member),
                _ => self.untyped("several types"),
            };
        }
        let first = python.arguments.first();
        match python.short() {
            "str" | "Text" | "LiteralString" => return "&str".to_owned(),
            "Iterable" | "Iterator" => {
                let item = self.slice_item(first);
                return format!("&[{item}]");
            }
            _ if python.is_sequence() => {
                let item = self.slice_item(first);
                return format!("&[{item}]");
            }
            // A `Vec` would arrive as a list.
            "tuple" | "Tuple" if python.arguments.last().is_none_or(|last| last.name == "...") => {
                return self.untyped("a tuple of any length");
            }
            // What becomes a list in Python would not do.
            _ if python.is_set() => return "&oad::value::Set".to_owned(),
            _ => {}
        }
        let owned = self.owned(python, Position::Whole);
        let is_lent = owned.ends_with("Proxy")
            || owned == "Self"
            || owned.starts_with("std::collections::")
            || owned == "oad::value::Bytes"
            || owned == "oad::value::Array";
        if is_lent { format!("&{owned}") } else { owned }
    }

    fn slice_item(&mut self, item: Option<&PythonType>) -> String {
        match item {
            Some(item) if item.short() == "str" => "&str".to_owned(),
            Some(item) => self.owned(item, Position::Inside),
            None => self.untyped("the items have no type"),
        }
    }

    /// The type that owns its value.
    fn owned(&mut self, python: &PythonType, position: Position) -> String {
        if python.name == self.own && !self.own.is_empty() || python.short() == "Self" {
            return "Self".to_owned();
        }
        if let Some(proxy) = self.proxies.get(&python.name) {
            return proxy.clone();
        }
        if let Some(simple) = simple(python) {
            return simple.to_owned();
        }
        if let Some((members, has_none)) = python.union() {
            return match (members.as_slice(), has_none) {
                ([member], true) => {
                    let inner = self.owned(member, Position::Inside);
                    format!("Option<{inner}>")
                }
                ([member], false) => self.owned(member, position),
                _ => self.untyped("several types"),
            };
        }
        self.container(python, position)
    }

    fn container(&mut self, python: &PythonType, position: Position) -> String {
        let arguments = &python.arguments;
        if python.is_transparent() {
            return match arguments.first() {
                Some(inner) => self.owned(inner, position),
                None => self.untyped("no type is given"),
            };
        }
        if python.is_sequence() {
            let item = self.item(arguments.first());
            return format!("Vec<{item}>");
        }
        if python.is_set() {
            return match arguments.first() {
                Some(item) if item.is_key() => {
                    format!("std::collections::BTreeSet<{}>", self.item(Some(item)))
                }
                _ => "oad::value::Set".to_owned(),
            };
        }
        if python.is_map() {
            return match arguments.as_slice() {
                [key, value] if key.is_key() => {
                    let (key, value) = (self.item(Some(key)), self.item(Some(value)));
                    format!("std::collections::BTreeMap<{key}, {value}>")
                }
                _ => self.untyped("a map without keys that Rust can sort"),
            };
        }
        match python.short() {
            "tuple" | "Tuple" => self.tuple(arguments),
            "Any" | "object" => self.untyped("any type"),
            "TypeVar" | "AnyStr" => self.untyped("a type variable"),
            "" | "unknown" | "..." | "list_of_types" | "NewType" => {
                self.untyped("an annotation that oad cannot read")
            }
            "uuid.UUID" => self.untyped("a UUID, which a `uuid::Uuid` can hold"),
            _ if position == Position::Inside => "oad::Proxy".to_owned(),
            _ => "oad::PythonProxy".to_owned(),
        }
    }

    fn tuple(&mut self, arguments: &[PythonType]) -> String {
        match arguments {
            [item, rest] if rest.name == "..." => {
                let item = self.item(Some(item));
                format!("Vec<{item}>")
            }
            [] => self.untyped("a tuple without types"),
            items if items.len() > LONGEST_TUPLE => self.untyped("a long tuple"),
            items => {
                let items: Vec<String> = items.iter().map(|item| self.item(Some(item))).collect();
                match items.as_slice() {
                    [only] => format!("({only},)"),
                    _ => format!("({})", items.join(", ")),
                }
            }
        }
    }

    fn item(&mut self, item: Option<&PythonType>) -> String {
        match item {
            Some(item) => self.owned(item, Position::Inside),
            None => self.untyped("the items have no type"),
        }
    }
}

/// The types that are copied as one value.
fn simple(python: &PythonType) -> Option<&'static str> {
    Some(match python.short() {
        "None" | "NoReturn" | "Never" => "()",
        "bool" => "bool",
        "int" => "i64",
        "float" => "f64",
        "complex" => "oad::value::Complex",
        "str" | "Text" | "LiteralString" => "String",
        "bytes" | "bytearray" | "memoryview" | "ByteString" => "oad::value::Bytes",
        "slice" => "oad::value::Slice",
        "range" => "oad::value::Range",
        "datetime.date" => "oad::value::Date",
        "datetime.time" => "oad::value::Time",
        "datetime.datetime" => "oad::value::DateTime",
        "datetime.timedelta" => "oad::value::TimeDelta",
        "decimal.Decimal" => "oad::value::Decimal",
        "array.array" | "numpy.ndarray" => "oad::value::Array",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
