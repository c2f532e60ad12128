//! Writes one trait.

use std::collections::BTreeMap;

use crate::parent::stubgen::rust_type::{Returned, TypeMap};
use crate::parent::stubgen::{
    InspectedKind, InspectedMember, InspectedObject, InspectedParameter, InspectedParameterKind,
};

/// How wide code is.
const CODE_WIDTH: usize = 100;

/// How wide a comment is.
const COMMENT_WIDTH: usize = 90;

/// The words of Rust that are not names, but with `r#`.
const RESERVED: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// The words of Rust that cannot be names at all.
const NO_NAMES: &[&str] = &["Self", "_", "crate", "self", "super"];

pub(super) struct Writer<'a> {
    object: &'a InspectedObject,
    /// The name of the trait.
    name: &'a str,
    proxies: &'a BTreeMap<String, String>,
    /// The names of the functions so far.
    taken: Vec<String>,
    text: &'a mut String,
}

/// A function of the trait, in parts.
#[derive(Default)]
struct FunctionText {
    documentation: String,
    notes: Vec<String>,
    /// The parts without a type, by the reason.
    untyped: Vec<(String, Vec<String>)>,
    /// What stands in `#[oad(…)]`.
    options: Vec<String>,
    name: String,
    parameters: Vec<String>,
    /// Empty if nothing is returned.
    returned: String,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        object: &'a InspectedObject,
        name: &'a str,
        proxies: &'a BTreeMap<String, String>,
        text: &'a mut String,
    ) -> Self {
        Writer { object, name, proxies, taken: Vec::new(), text }
    }

    pub(super) fn write(mut self) {
        let object = self.object;
        self.text.push('\n');
        if !object.documentation.is_empty() {
            self.comment("", "/// ", &documentation(&object.documentation));
        }
        for note in &object.notes {
            self.comment("", "// ", &format!("{note}."));
        }
        let is_module = object.name.is_empty();
        let target = if is_module { "module = " } else { "" };
        let (path, name) = (object.path(), self.name);
        self.text.push_str(&format!("#[oad::python({target}\"{path}\")]\npub trait {name} {{\n"));
        // A class can have a method of this name too.
        if object.members.iter().any(|member| member.kind == InspectedKind::Constructor) {
            self.taken.push("new".to_owned());
        }
        for member in &object.members {
            for function in self.functions(member) {
                self.function(&function);
            }
        }
        self.text.push_str("}\n");
    }

    /// What stands for a member: one function, or two for an attribute that can be set.
    fn functions(&mut self, member: &InspectedMember) -> Vec<FunctionText> {
        let mut types =
            TypeMap { proxies: self.proxies, own: &self.object.canonical, notes: vec![] };
        let mut function = FunctionText {
            documentation: documentation(&member.documentation),
            notes: member.notes.iter().map(|note| format!("{note}.")).collect(),
            ..FunctionText::default()
        };
        if member.kind == InspectedKind::Attribute {
            function.parameters.push("&self".to_owned());
            function.returned = types.attribute(member.returns.as_deref());
            function.options.push("attribute".to_owned());
            function.untyped("the attribute", &mut types.notes);
            function.note_untyped();
            self.name(&mut function, &member.name, &member.name);
            let setter = member.settable.then(|| self.setter(member)).flatten();
            return std::iter::once(function).chain(setter).collect();
        }
        let is_method = member.kind == InspectedKind::Method;
        if is_method {
            function.parameters.push("&self".to_owned());
        }
        parameters(&mut function, member.parameters.as_deref(), &mut types);
        function.returned = match member.kind {
            InspectedKind::Constructor | InspectedKind::ClassFunction => "Self".to_owned(),
            InspectedKind::Method | InspectedKind::Attribute => {
                match types.returned(member.returns.as_deref()) {
                    Returned::Value(value) if value == "()" => String::new(),
                    Returned::Value(value) => value,
                    Returned::Stream(item) => format!("oad::Stream<{item}>"),
                }
            }
        };
        if member.kind == InspectedKind::Method {
            function.untyped("the result", &mut types.notes);
        }
        function.note_untyped();
        match member.kind {
            InspectedKind::Constructor => function.name = "new".to_owned(),
            _ => self.name(&mut function, &member.name, &member.name),
        }
        vec![function]
    }

    /// The function that sets an attribute, unless a method has its name.
    fn setter(&mut self, member: &InspectedMember) -> Option<FunctionText> {
        let name = format!("set_{}", member.name);
        if self.taken.contains(&name) || self.object.members.iter().any(|other| other.name == name)
        {
            return None;
        }
        let mut types =
            TypeMap { proxies: self.proxies, own: &self.object.canonical, notes: vec![] };
        let mut setter = FunctionText::default();
        let written = types.parameter(member.returns.as_deref(), false, false);
        setter.parameters = vec!["&self".to_owned(), format!("value: {written}")];
        setter.options.push("attribute".to_owned());
        self.name(&mut setter, &name, &name);
        Some(setter)
    }

    /// Gives a function a name that Rust accepts and no other function has.
    fn name(&mut self, function: &mut FunctionText, wanted: &str, python: &str) {
        let mut name = wanted.to_owned();
        while NO_NAMES.contains(&name.as_str()) || self.taken.contains(&name) {
            name.push('_');
        }
        if name != wanted {
            function.options.push(format!("name = \"{python}\""));
        }
        self.taken.push(name.clone());
        function.name = raw(&name);
    }

    fn function(&mut self, function: &FunctionText) {
        const INDENT: &str = "    ";
        if !function.documentation.is_empty() {
            self.comment(INDENT, "/// ", &function.documentation);
        }
        for note in &function.notes {
            self.comment(INDENT, "// ", note);
        }
        if !function.options.is_empty() {
            self.text.push_str(&format!("{INDENT}#[oad({})]\n", function.options.join(", ")));
        }
        let returned = match function.returned.as_str() {
            "" => String::new(),
            returned => format!(" -> {returned}"),
        };
        let (name, parameters) = (&function.name, &function.parameters);
        let line = format!("{INDENT}fn {name}({}){returned};\n", parameters.join(", "));
        if line.chars().count() <= CODE_WIDTH + 1 {
            return self.text.push_str(&line);
        }
        self.text.push_str(&format!("{INDENT}fn {name}(\n"));
        for parameter in parameters {
            self.text.push_str(&format!("{INDENT}{INDENT}{parameter},\n"));
        }
        self.text.push_str(&format!("{INDENT}){returned};\n"));
    }

    /// Writes words as lines of a comment.
    fn comment(&mut self, indent: &str, start: &str, text: &str) {
        // The compiler refuses characters that change the direction of text.
        let is_direction = |char| matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let text = text.replace(is_direction, "");
        let start = format!("{indent}{start}");
        let mut line = start.clone();
        for word in text.split_whitespace() {
            if line.chars().count() + word.chars().count() > COMMENT_WIDTH && line != start {
                self.text.push_str(line.trim_end());
                self.text.push('\n');
                line.clone_from(&start);
            }
            line.push_str(word);
            line.push(' ');
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

impl FunctionText {
    /// Remembers why a part has no type, and empties the reasons.
    fn untyped(&mut self, part: &str, reasons: &mut Vec<String>) {
        for reason in reasons.drain(..) {
            match self.untyped.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, parts)) if parts.iter().any(|known| known == part) => {}
                Some((_, parts)) => parts.push(part.to_owned()),
                None => self.untyped.push((reason, vec![part.to_owned()])),
            }
        }
    }

    /// Adds a note for each reason why parts have no type.
    fn note_untyped(&mut self) {
        for (reason, parts) in self.untyped.drain(..) {
            self.notes.push(format!("Not typed: {} ({reason}).", parts.join(", ")));
        }
    }
}

fn parameters(
    function: &mut FunctionText,
    parameters: Option<&[InspectedParameter]>,
    types: &mut TypeMap<'_>,
) {
    let Some(parameters) = parameters else {
        function.parameters.push("#[oad(args)] args: impl oad::ToPython".to_owned());
        return function
            .parameters
            .push("#[oad(keywords)] keywords: impl oad::ToPython".to_owned());
    };
    let has_args =
        parameters.iter().any(|entry| entry.kind == InspectedParameterKind::VarPositional);
    for entry in parameters {
        let (name, python_name) = parameter_name(&entry.name, parameters);
        // With further positional arguments, only a position can say which one is meant.
        let is_keyword = match entry.kind {
            InspectedParameterKind::VarPositional => {
                function.parameters.push(format!("#[oad(args)] {name}: impl oad::ToPython"));
                continue;
            }
            InspectedParameterKind::VarKeyword => {
                function.parameters.push(format!("#[oad(keywords)] {name}: impl oad::ToPython"));
                continue;
            }
            InspectedParameterKind::PositionalOnly => false,
            InspectedParameterKind::PositionalOrKeyword => entry.has_default && !has_args,
            InspectedParameterKind::KeywordOnly => true,
        };
        let written =
            types.parameter(entry.annotation.as_deref(), entry.has_default, entry.is_none);
        function.untyped(&format!("`{}`", entry.name), &mut types.notes);
        let option = match (is_keyword, python_name) {
            (true, Some(python)) => format!("#[oad(keyword, name = \"{python}\")] "),
            (true, None) => "#[oad(keyword)] ".to_owned(),
            (false, _) if entry.has_default => "#[oad(optional)] ".to_owned(),
            (false, _) => String::new(),
        };
        function.parameters.push(format!("{option}{name}: {written}"));
    }
}

/// The name in Rust, and the one in Python if that is another.
fn parameter_name<'n>(
    python: &'n str,
    parameters: &[InspectedParameter],
) -> (String, Option<&'n str>) {
    if !NO_NAMES.contains(&python) {
        return (raw(python), None);
    }
    let mut name = format!("{python}_");
    while parameters.iter().any(|other| other.name == name) {
        name.push('_');
    }
    (name, Some(python))
}

fn raw(name: &str) -> String {
    match RESERVED.contains(&name) {
        true => format!("r#{name}"),
        false => name.to_owned(),
    }
}

/// The text without what rustdoc would read as a link, a tag or a block of code.
fn documentation(text: &str) -> String {
    let mut escaped = String::new();
    for char in text.replace("```", "``").chars().take(200) {
        if matches!(char, '[' | ']' | '<' | '>' | '\\') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}
