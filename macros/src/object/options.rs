//! The options of `#[oad::object(…)]`.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, LitStr, Result, Token, Visibility};

use crate::crate_path::CratePath;

/// The options of `#[oad::object(…)]`.
pub(crate) struct Options {
    /// The visibility of the proxy.
    pub(crate) visibility: Visibility,
    /// Whether all methods run one at a time.
    pub(crate) serial: Option<Ident>,
    /// The name to register the type under, if not its path.
    pub(crate) name: Option<LitStr>,
    /// The path of oad.
    pub(crate) crate_path: CratePath,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            visibility: Visibility::Inherited,
            serial: None,
            name: None,
            crate_path: CratePath::default(),
        }
    }
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Options::default();
        while !input.is_empty() {
            options.parse_one(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl Options {
    fn parse_one(&mut self, input: ParseStream<'_>) -> Result<()> {
        if input.peek(Token![pub]) {
            let visibility = input.parse::<Visibility>()?;
            return match self.visibility {
                Visibility::Inherited => {
                    self.visibility = visibility;
                    Ok(())
                }
                _ => Err(twice(&visibility, "pub")),
            };
        }
        let option = input.call(Ident::parse_any)?;
        match option.to_string().as_str() {
            "serial" if self.serial.is_some() => Err(twice(&option, "serial")),
            "serial" => {
                self.serial = Some(option);
                Ok(())
            }
            "name" if self.name.is_some() => Err(twice(&option, "name")),
            "name" => {
                input.parse::<Token![=]>()?;
                let name = input.parse::<LitStr>()?;
                if name.value().is_empty() {
                    return Err(Error::new_spanned(name, "the registered name cannot be empty"));
                }
                self.name = Some(name);
                Ok(())
            }
            "crate" if self.crate_path.is_set() => Err(twice(&option, "crate")),
            "crate" => {
                self.crate_path = input.parse()?;
                Ok(())
            }
            unknown => {
                let sentence = format!(
                    "unknown option `{unknown}`: expected `pub`, `serial`, `name = \"…\"` or \
                     `crate = \"…\"`"
                );
                Err(Error::new_spanned(&option, sentence))
            }
        }
    }
}

fn twice(option: &impl ToTokens, name: &str) -> Error {
    Error::new_spanned(option, format!("`{name}` is given twice"))
}
