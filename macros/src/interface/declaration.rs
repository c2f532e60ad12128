//! The trait as a whole.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Error, ItemTrait, Result, TraitItem, parse_quote};

use crate::interface::function::Function;
use crate::object::method_options;
use crate::object::options::Options;
use crate::refusals::{Refusals, all, both};

/// A trait that is to be an interface.
pub(crate) struct Declaration {
    pub(crate) options: Options,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) ident: Ident,
    pub(crate) functions: Vec<Function>,
}

impl Declaration {
    pub(crate) fn read(options: TokenStream, source: &ItemTrait) -> Result<Self> {
        let options = syn::parse2::<Options>(options).and_then(|options| match &options.serial {
            Some(word) => {
                let sentence =
                    "`serial` belongs on the `impl` block of a type: each type decides whether \
                     its calls overlap";
                Err(Error::new_spanned(word, sentence))
            }
            None => Ok(options),
        });
        let visibility = options
            .as_ref()
            .map(|options| options.visibility.clone())
            .unwrap_or(source.vis.clone());
        let crate_path =
            options.as_ref().map(|options| options.crate_path.clone()).unwrap_or_default();
        let functions = all(source.items.iter().filter_map(|item| match item {
            TraitItem::Fn(function) => {
                Function::read(function, &source.ident, &visibility, &crate_path).transpose()
            }
            other => associated(other).err().map(Err),
        }));
        let ((options, functions), ()) = both(both(options, functions), whole(source))?;
        Ok(Declaration {
            options,
            attributes: source.attrs.clone(),
            ident: source.ident.clone(),
            functions,
        })
    }

    /// The name of the trait.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }

    /// The name it is registered under.
    pub(crate) fn registered(&self) -> TokenStream {
        match &self.options.name {
            Some(name) => quote!(#name),
            None => {
                let name = self.name();
                quote!(::core::concat!(::core::module_path!(), "::", #name))
            }
        }
    }

    pub(crate) fn proxy(&self) -> Ident {
        format_ident!("{}Proxy", self.ident)
    }

    /// The path of the type that says how the trait's methods are called.
    pub(crate) fn interface(&self) -> TokenStream {
        let module = self.module();
        quote!(#module::Interface)
    }

    pub(crate) fn module(&self) -> Ident {
        format_ident!("__oad_{}", self.ident)
    }

    /// The attributes that must stand on every implementation too: `#[async_trait]`, from
    /// whatever crate.
    pub(crate) fn async_trait(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(|attribute| {
            attribute.path().segments.last().is_some_and(|segment| segment.ident == "async_trait")
        })
    }

    /// Adds a function to the trait that returns its interface: an implementation
    /// elsewhere knows only the trait's path. The function's name is what the compiler
    /// reports for a trait without it.
    pub(crate) fn link(&self, source: &mut ItemTrait) {
        let interface = self.interface();
        source.items.push(parse_quote! {
            #[doc(hidden)]
            fn __add_oad_object_to_the_trait() -> #interface
            where
                Self: ::core::marker::Sized,
            {
                #interface
            }
        });
        // The lint asks for `Send` futures. The registration of an implementation
        // requires them, and the proxy's are.
        source.attrs.push(parse_quote!(#[allow(async_fn_in_trait)]));
    }
}

/// Removes the attributes, which the compiler would take for those of a macro `oad`.
pub(crate) fn strip(source: &mut ItemTrait) {
    for item in &mut source.items {
        if let TraitItem::Fn(function) = item {
            function.attrs.retain(|attribute| !method_options::is_ours(attribute));
        }
    }
}

fn whole(source: &ItemTrait) -> Result<()> {
    let mut refusals = Refusals::default();
    if !source.generics.params.is_empty() {
        let sentence = "an interface cannot be generic: a daemon finds it by its name, which must mean one \
             trait";
        refusals.push(Error::new_spanned(&source.generics, sentence));
    }
    if let Some(token) = &source.unsafety {
        let sentence =
            "an `unsafe trait` cannot be an interface: its proxy cannot uphold its safety contract";
        refusals.push(Error::new_spanned(token, sentence));
    }
    refusals.finish()
}

fn associated(item: &TraitItem) -> Result<()> {
    let sentence = match item {
        TraitItem::Const(constant) if constant.default.is_none() => {
            "the proxy cannot know the constant's value in the daemon: give it a default, or \
             make it a method"
        }
        TraitItem::Const(_) => return Ok(()),
        TraitItem::Type(_) => {
            "the proxy cannot know which type the daemon uses: name a concrete type in the \
             signatures"
        }
        _ => {
            "a macro call is not expanded here, so the proxy could lack its methods: write them out"
        }
    };
    Err(Error::new_spanned(item, sentence))
}
