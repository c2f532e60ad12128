//! One function of the block: a constructor, or a method.

use syn::visit_mut::VisitMut;
use syn::{
    Attribute, Error, FnArg, GenericParam, Ident, ImplItemFn, Path, ReceiverKind, Result, Safety,
    Signature, Visibility,
};

use crate::object::concrete::Concrete;
use crate::object::parameter::Parameter;
use crate::object::returned::Returned;
use crate::object::words::Words;
use crate::refusals::{Refusals, all, both};

/// A function that is reached through the proxy.
pub(crate) struct Method {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    /// The signature as it was written.
    pub(crate) signature: Signature,
    pub(crate) receiver: Receiver,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) returned: Returned,
    /// Whether it runs to its end even if nobody waits for it any more.
    pub(crate) finishes: bool,
}

/// How a function takes its object; the same as `oad::__private::Receiver`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    None,
    Shared,
    Exclusive,
    Consuming,
}

impl Method {
    /// Reads a function, unless it is marked to be left out.
    pub(crate) fn read(
        source: &ImplItemFn,
        self_path: &Path,
        is_serial: bool,
    ) -> Result<Option<Self>> {
        let words = Words::read(&source.attrs)?;
        if words.skip.is_some() {
            return Ok(None);
        }
        let mut signature = source.sig.clone();
        Concrete(self_path).visit_signature_mut(&mut signature);
        let receiver = Receiver::read(&signature, is_serial);
        let parameters = all(signature.inputs.iter().filter_map(|input| match input {
            FnArg::Receiver(_) => None,
            FnArg::Typed(parameter) => Some(Parameter::read(parameter)),
        }));
        let returned = match receiver {
            Ok(Receiver::None) => {
                both(Returned::of_constructor(&signature, self_path), constructor_words(&words))
            }
            _ => {
                let returned = Returned::of_method(&signature, &words);
                let streams = returned.as_ref().is_ok_and(|returned| returned.items.is_some());
                both(returned, method_words(&words, &signature, streams))
            }
        };
        let ((receiver, parameters), ((returned, ()), ())) =
            both(both(receiver, parameters), both(returned, callable(source)))?;
        Ok(Some(Method {
            attributes: source.attrs.clone(),
            visibility: source.vis.clone(),
            signature: source.sig.clone(),
            receiver,
            parameters,
            returned,
            finishes: words.finish.is_some(),
        }))
    }

    pub(crate) fn ident(&self) -> &Ident {
        &self.signature.ident
    }

    pub(crate) fn is_async(&self) -> bool {
        self.signature.asyncness.is_some()
    }
}

impl Receiver {
    fn read(signature: &Signature, is_serial: bool) -> Result<Self> {
        let Some(receiver) = signature.receiver() else { return Ok(Receiver::None) };
        match &receiver.kind {
            ReceiverKind::Value => Ok(Receiver::Consuming),
            ReceiverKind::Reference(_, lifetime, mutability)
                if lifetime.as_ref().is_none_or(|lifetime| lifetime.ident != "static") =>
            {
                match mutability {
                    Some(_) => Ok(Receiver::Exclusive),
                    None if !is_serial => Ok(Receiver::Shared),
                    None if signature.asyncness.is_none() => Ok(Receiver::Exclusive),
                    None => {
                        let sentence = "an `async fn` of a `serial` object holds `&self` across an await, which needs \
                                        `Sync`: take `&mut self`";
                        Err(Error::new_spanned(receiver, sentence))
                    }
                }
            }
            _ => {
                let sentence = "a method of an object takes `self`, `&self` or `&mut self`, because the daemon owns \
                                the object and lends it for one call";
                Err(Error::new_spanned(receiver, sentence))
            }
        }
    }
}

/// Refuses what no caller in another process could call.
fn callable(source: &ImplItemFn) -> Result<()> {
    let mut refusals = Refusals::default();
    let signature = &source.sig;
    if let Some(attribute) = source.attrs.iter().find(|attribute| attribute.path().is_ident("cfg"))
    {
        let sentence = "a `#[cfg]` on one method would leave a gap in the object's description: put it on the whole \
                        `impl` block or into the method's body";
        refusals.push(Error::new_spanned(attribute, sentence));
    }
    for parameter in &signature.generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            let sentence = "a method of an object cannot be generic: a call carries the method's name and values, but no types";
            refusals.push(Error::new_spanned(parameter, sentence));
        }
    }
    if let Safety::Unsafe(token) = &signature.safety {
        let sentence = "an `unsafe fn` cannot be reached through a proxy, which could not keep what it asks for: mark \
                        it `#[oad(skip)]`";
        refusals.push(Error::new_spanned(token, sentence));
    }
    // A variadic function is always one of these.
    if let Some(abi) = &signature.abi {
        let sentence =
            "an `extern` function cannot be reached through a proxy: mark it `#[oad(skip)]`";
        refusals.push(Error::new_spanned(abi, sentence));
    }
    refusals.finish()
}

fn constructor_words(words: &Words) -> Result<()> {
    let mut refusals = Refusals::default();
    if let Some(word) = &words.error {
        let sentence = "`error` is for methods: a constructor that fails gives an `oad::Error` with its error as the exception";
        refusals.push(Error::new_spanned(word, sentence));
    }
    if let Some(word) = &words.finish {
        let sentence = "`finish` is for methods: nobody would hold the object that a constructor makes when its caller is gone";
        refusals.push(Error::new_spanned(word, sentence));
    }
    refusals.finish()
}

fn method_words(words: &Words, signature: &Signature, streams: bool) -> Result<()> {
    match &words.finish {
        Some(word) if streams => {
            let sentence = "`finish` is not for a method that returns a stream: it runs as long as its items are wanted";
            Err(Error::new_spanned(word, sentence))
        }
        Some(word) if signature.asyncness.is_none() => {
            let sentence = "`finish` is for an `async fn`: a sync method always runs to its end";
            Err(Error::new_spanned(word, sentence))
        }
        _ => Ok(()),
    }
}
