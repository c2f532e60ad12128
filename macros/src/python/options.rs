//! The options of `#[oad(…)]` on a function or a parameter of a face.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Attribute, Error, Expr, LitStr, Result, Token};

use crate::object::method_options::is_ours;

/// One option, with what follows its `=`.
pub(crate) struct FaceOption {
    pub(crate) word: Ident,
    text: Option<LitStr>,
    pub(crate) expression: Option<Expr>,
}

/// Reads the options of all our attributes. `known` lists those that are allowed here.
pub(crate) fn read(attributes: &[Attribute], known: &[&str]) -> Result<Vec<FaceOption>> {
    let mut options: Vec<FaceOption> = Vec::new();
    for attribute in attributes.iter().filter(|attribute| is_ours(attribute)) {
        let expected = || format!("expected {}", listed(known));
        let list = attribute
            .meta
            .require_list()
            .map_err(|_| Error::new_spanned(attribute, format!("{} in `#[oad(…)]`", expected())))?;
        list.parse_args_with(|input: ParseStream<'_>| {
            while !input.is_empty() {
                let option = FaceOption::parse(input)?;
                let word = &option.word;
                if !known.iter().any(|known| word == known) {
                    let sentence = format!("unknown option `{word}`: {}", expected());
                    return Err(Error::new_spanned(word, sentence));
                }
                if options.iter().any(|other| other.word == *word) {
                    return Err(Error::new_spanned(word, format!("`{word}` is given twice")));
                }
                options.push(option);
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        })?;
    }
    Ok(options)
}

fn listed(known: &[&str]) -> String {
    let (last, others) = known.split_last().expect("there are options");
    let others: Vec<String> = others.iter().map(|word| format!("`{word}`")).collect();
    format!("{} or `{last}`", others.join(", "))
}

impl FaceOption {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let word = input.call(Ident::parse_any)?;
        let (mut text, mut expression) = (None, None);
        match word.to_string().as_str() {
            "default" => {
                input.parse::<Token![=]>()?;
                expression = Some(input.parse()?);
            }
            "name" | "operator" => {
                input.parse::<Token![=]>()?;
                text = Some(input.parse::<LitStr>()?);
            }
            _ => {}
        }
        Ok(FaceOption { word, text, expression })
    }

    /// The text of `name` or `operator`.
    pub(crate) fn literal(&self) -> &LitStr {
        self.text.as_ref().expect("these options have a text")
    }
}

/// The option of this name.
pub(crate) fn find<'a>(options: &'a [FaceOption], name: &str) -> Option<&'a FaceOption> {
    options.iter().find(|option| option.word == name)
}

/// Refuses two options that exclude each other.
pub(crate) fn only_one(options: &[FaceOption], excluding: &[&str]) -> Result<()> {
    let mut found =
        options.iter().filter(|option| excluding.iter().any(|name| option.word == name));
    match (found.next(), found.next()) {
        (Some(first), Some(second)) => {
            let sentence = format!("`{}` cannot be combined with `{}`", second.word, first.word);
            Err(Error::new_spanned(&second.word, sentence))
        }
        _ => Ok(()),
    }
}
