//! One function of the block: a constructor, or a method.

use syn::visit_mut::VisitMut;
use syn::{
    Attribute, Error, FnArg, GenericParam, Ident, ImplItemFn, Path, ReceiverKind, Result, Safety,
    Signature, Visibility,
};

use crate::crate_path::CratePath;
use crate::object::concrete::Concrete;
use crate::object::method_options::MethodOptions;
use crate::object::parameter::Parameter;
use crate::object::returned::Returned;
use crate::refusals::{Refusals, all, both};

/// A function that is called through the proxy.
pub(crate) struct Method {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    /// The signature as it was written.
    pub(crate) signature: Signature,
    pub(crate) receiver: Receiver,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) returned: Returned,
    /// Whether it runs to its end even if its caller is gone.
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
    /// Reads a function; `None` if it is skipped.
    pub(crate) fn read(
        source: &ImplItemFn,
        self_path: &Path,
        crate_path: &CratePath,
        is_serial: bool,
    ) -> Result<Option<Self>> {
        let options = MethodOptions::read(&source.attrs)?;
        if options.skip.is_some() {
            return Ok(None);
        }
        let mut signature = source.sig.clone();
        Concrete(self_path).visit_signature_mut(&mut signature);
        VisitMut::visit_signature_mut(&mut &*crate_path, &mut signature);
        let receiver = Receiver::read(&signature, is_serial);
        let parameters = all(signature.inputs.iter().filter_map(|input| match input {
            FnArg::Receiver(_) => None,
            FnArg::Typed(parameter) => Some(Parameter::read(parameter)),
        }));
        let returned = match receiver {
            Ok(Receiver::None) => both(
                Returned::of_constructor(&signature, self_path),
                check_constructor_options(&options),
            ),
            _ => {
                let returned = Returned::of_method(&signature, &options);
                let streams = returned.as_ref().is_ok_and(|returned| returned.items.is_some());
                both(returned, check_method_options(&options, &signature, streams))
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
            finishes: options.finish.is_some(),
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
                        let sentence = "an `async fn` holds `&self` across an await, which needs `Sync`, and a `serial` object \
                                        need not be: take `&mut self`";
                        Err(Error::new_spanned(receiver, sentence))
                    }
                }
            }
            _ => {
                let sentence = "a method must take `self`, `&self` or `&mut self`, because the daemon owns the object \
                                and lends it for one call";
                Err(Error::new_spanned(receiver, sentence))
            }
        }
    }
}

/// Refuses functions that cannot be called from another process.
fn callable(source: &ImplItemFn) -> Result<()> {
    let mut refusals = Refusals::default();
    let signature = &source.sig;
    if let Some(attribute) = source.attrs.iter().find(|attribute| attribute.path().is_ident("cfg"))
    {
        let sentence = "`#[cfg]` on one method would leave a gap in the object's description: put it on the whole \
                        `impl` block or inside the method's body";
        refusals.push(Error::new_spanned(attribute, sentence));
    }
    for parameter in &signature.generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            let sentence = "a method cannot be generic: a call carries the method's name and values, not \
                 types";
            refusals.push(Error::new_spanned(parameter, sentence));
        }
    }
    if let Safety::Unsafe(token) = &signature.safety {
        let sentence = "an `unsafe fn` cannot be called through a proxy, which cannot uphold its safety contract: mark \
                        it `#[oad(skip)]`";
        refusals.push(Error::new_spanned(token, sentence));
    }
    // A variadic function is always one of these.
    if let Some(abi) = &signature.abi {
        let sentence =
            "an `extern` function cannot be called through a proxy: mark it `#[oad(skip)]`";
        refusals.push(Error::new_spanned(abi, sentence));
    }
    refusals.finish()
}

fn check_constructor_options(options: &MethodOptions) -> Result<()> {
    let mut refusals = Refusals::default();
    if let Some(option) = &options.error {
        let sentence = "`error` applies to methods: a constructor fails with an `oad::Error` whose \
             exception holds its error";
        refusals.push(Error::new_spanned(option, sentence));
    }
    if let Some(option) = &options.finish {
        let sentence = "`finish` applies to methods: without its caller, nobody would hold the constructed \
             object";
        refusals.push(Error::new_spanned(option, sentence));
    }
    refusals.finish()
}

fn check_method_options(
    options: &MethodOptions,
    signature: &Signature,
    streams: bool,
) -> Result<()> {
    match &options.finish {
        Some(option) if streams => {
            let sentence = "`finish` does not apply to a method that returns a stream: it runs while its \
                 items are read";
            Err(Error::new_spanned(option, sentence))
        }
        Some(option) if signature.asyncness.is_none() => {
            let sentence =
                "`finish` applies to an `async fn`: a sync method always runs to its end";
            Err(Error::new_spanned(option, sentence))
        }
        _ => Ok(()),
    }
}
