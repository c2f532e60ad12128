//! Source as a person writes it.
//!
//! The compiler's own text of tokens has spaces where nobody puts them (`Vec < u8 >`),
//! but signatures and types of a description are read by people, in messages too. What is
//! said here of spaces is enough for types and signatures, not for expressions.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, MetaNameValue};

/// The text of a type or a signature.
pub(crate) fn text(source: &impl ToTokens) -> String {
    let mut words = Vec::new();
    split(source.to_token_stream(), &mut words);
    let mut text = String::new();
    for (index, word) in words.iter().enumerate() {
        if index > 0 && is_spaced(&words[index - 1], word) {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

/// The documentation that `attributes` hold, a line for each comment line.
pub(crate) fn documentation(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(MetaNameValue {
            path,
            value: Expr::Lit(ExprLit { lit: Lit::Str(line), .. }),
            ..
        }) if path.is_ident("doc") => {
            let line = line.value();
            Some(line.strip_prefix(' ').unwrap_or(&line).to_owned())
        }
        _ => None,
    });
    lines.collect::<Vec<String>>().join("\n")
}

fn split(tokens: TokenStream, words: &mut Vec<String>) {
    let mut is_joined = false;
    for token in tokens {
        let continues = std::mem::take(&mut is_joined);
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                words.extend((!open.is_empty()).then(|| open.to_owned()));
                split(group.stream(), words);
                words.extend((!close.is_empty()).then(|| close.to_owned()));
            }
            TokenTree::Punct(punct) => {
                is_joined = punct.spacing() == Spacing::Joint && ":-.'".contains(punct.as_char());
                append(words, punct.as_char().to_string(), continues);
            }
            TokenTree::Ident(ident) => append(words, ident.to_string(), continues),
            TokenTree::Literal(literal) => append(words, literal.to_string(), continues),
        }
    }
}

/// Adds a word, or the rest of one such as `::`, `->` and `'a`.
fn append(words: &mut Vec<String>, word: String, continues: bool) {
    match words.last_mut() {
        Some(last) if continues => last.push_str(&word),
        _ => words.push(word),
    }
}

fn is_spaced(left: &str, right: &str) -> bool {
    let follows_name = left == ">"
        || (is_name(left)
            && !matches!(left, "as" | "const" | "dyn" | "impl" | "in" | "mut" | "where"));
    match (left, right) {
        (_, "," | ";" | ":" | ")" | "]" | ">" | ".") => false,
        ("(" | "[" | "<" | "&" | "::" | "." | "!" | "#", _) => false,
        ("*", "const" | "mut") => false,
        (_, "(" | "[" | "<" | "::" | "!") => !follows_name,
        _ => true,
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_alphanumeric() || first == '_')
}

#[cfg(test)]
mod tests {
    use syn::{Signature, Type};

    use super::text;

    #[test]
    fn signature_reads_as_it_was_written() {
        for written in [
            "fn new(start: i64) -> Self",
            "async fn slow(&self, label: Option<&str>) -> io::Result<u8>",
            "fn longest<'a>(&'a mut self, mut x: &'a [u8], y: [u8; 4]) -> (&'a str, ())",
            "fn exit(self) -> !",
        ] {
            let signature: Signature = syn::parse_str(written).expect("it is a signature");
            assert_eq!(text(&signature), written);
        }
    }

    #[test]
    fn type_reads_as_it_was_written() {
        for written in [
            "Vec<HashMap<String, (u8,)>>",
            "<Self as ::core::ops::Add<&'a mut [T]>>::Output",
            "Box<dyn Fn(&str) -> Option<u8> + Send + 'static>",
            "Box<dyn Iterator<Item = (A, B)>>",
            "dyn ::std::error::Error",
            "*const [u8; 3]",
        ] {
            let written_type: Type = syn::parse_str(written).expect("it is a type");
            assert_eq!(text(&written_type), written);
        }
    }
}
