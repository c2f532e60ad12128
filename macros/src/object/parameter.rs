//! One parameter of a function.

use syn::ext::IdentExt;
use syn::visit_mut::{self, VisitMut};
use syn::{Error, Ident, Pat, PatIdent, PatType, Result, Type, TypeReference};

use crate::object::remoted::remoted;
use crate::object::types::Argument;
use crate::refusals::both;

/// A parameter that is not the receiver.
pub(crate) struct Parameter {
    pub(crate) ident: Ident,
    /// Its type on the proxy: as written, with lifetimes left to the compiler, and
    /// proxies for shared objects.
    pub(crate) written: Type,
    /// What it is in the daemon.
    pub(crate) argument: Argument,
}

/// Takes the lifetimes off references, because the proxy's method declares none.
struct Elided;

impl Parameter {
    /// Reads a parameter in whose type `Self` has been replaced.
    pub(crate) fn read(source: &PatType) -> Result<Self> {
        let plain = both(without_cfg(source), plain_name(&source.pat));
        let (((), ident), argument) = both(plain, Argument::read(&source.ty))?;
        let mut written = (*source.ty).clone();
        Elided.visit_type_mut(&mut written);
        Ok(Parameter { ident, written: remoted(written), argument })
    }

    /// The name that messages and other languages call it by.
    pub(crate) fn name(&self) -> String {
        self.ident.unraw().to_string()
    }
}

impl VisitMut for Elided {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        reference.lifetime = None;
        visit_mut::visit_type_reference_mut(self, reference);
    }
}

fn without_cfg(source: &PatType) -> Result<()> {
    match source.attrs.iter().find(|attribute| attribute.path().is_ident("cfg")) {
        Some(attribute) => {
            let sentence = "`#[cfg]` on one parameter would leave a gap in the method's description: put it on the \
                            whole `impl` block";
            Err(Error::new_spanned(attribute, sentence))
        }
        None => Ok(()),
    }
}

fn plain_name(pattern: &Pat) -> Result<Ident> {
    match pattern {
        Pat::Ident(PatIdent { by_ref: None, subpat: None, ident, .. }) => Ok(ident.clone()),
        _ => {
            let sentence = "a parameter must be a plain name, because callers may pass it by name: \
                 destructure it in the body";
            Err(Error::new_spanned(pattern, sentence))
        }
    }
}
