//! One function of the trait, and what it means in Python.

use syn::ext::IdentExt;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Error, FnArg, Ident, ReceiverKind, Result, ReturnType, Safety, Signature,
    TraitItemFn, Type, TypeReference, parse_quote,
};

use crate::crate_path::CratePath;
use crate::object::method_options::is_ours;
use crate::object::streamed::{Kind, Streamed};
use crate::object::types::peel;
use crate::python::options::{self, FaceOption, find};
use crate::python::parameter::{FaceParameter, PythonPassing};
use crate::python::target::{TargetKind, checked_path};
use crate::refusals::{Refusals, all, both};

/// A function of the proxy.
pub(crate) struct FaceFunction {
    /// Without our own.
    pub(crate) attributes: Vec<Attribute>,
    /// As the proxy has it, but for what it returns.
    pub(crate) signature: Signature,
    pub(crate) action: FaceAction,
    /// The name in Python.
    pub(crate) name: String,
    pub(crate) parameters: Vec<FaceParameter>,
    /// What the call returns; for a stream, the type of its items.
    pub(crate) returned: Type,
}

/// What the function does in Python.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum FaceAction {
    /// Calls the class.
    Construct,
    /// Calls a function of the class that returns an instance.
    ConstructBy,
    Call,
    /// Calls a method, and iterates over what that returns.
    Iterate,
    Get,
    Set,
    /// Applies the operator of this constant.
    Operate(Ident),
}

impl FaceFunction {
    pub(crate) fn read(
        source: &TraitItemFn,
        kind: TargetKind,
        crate_path: &CratePath,
    ) -> Result<Self> {
        let mut source = source.clone();
        VisitMut::visit_signature_mut(&mut &*crate_path, &mut source.sig);
        let source = &source;
        let known = ["constructor", "attribute", "operator", "name"];
        let options = options::read(&source.attrs, &known).and_then(|options| {
            options::only_one(&options, &["constructor", "attribute", "operator"])?;
            options::only_one(&options, &["constructor", "operator", "name"])?;
            Ok(options)
        });
        let parameters = all(source.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Receiver(_) => None,
            FnArg::Typed(parameter) => Some(FaceParameter::read(parameter)),
        }));
        let ((options, parameters), ()) = both(both(options, parameters), callable(source))?;
        in_order(&parameters)?;
        let action = action(&source.sig, &options, kind)?;
        let name = name(&source.sig.ident, &options, &action)?;
        let (returned, action) = returned(&source.sig, action)?;
        fits(&source.sig, &action, &parameters)?;
        Ok(FaceFunction {
            attributes: others(&source.attrs),
            signature: signature(&source.sig),
            action,
            name,
            parameters,
            returned,
        })
    }
}

/// Refuses functions that no proxy can have.
fn callable(source: &TraitItemFn) -> Result<()> {
    let mut refusals = Refusals::default();
    let signature = &source.sig;
    if let Some(body) = &source.default {
        let sentence = "declare the function without a body: Python provides it";
        refusals.push(Error::new_spanned(body, sentence));
    }
    if let Safety::Unsafe(token) = &signature.safety {
        refusals.push(Error::new_spanned(token, "a call of a Python object is not `unsafe`"));
    }
    if let Some(abi) = &signature.abi {
        refusals.push(Error::new_spanned(abi, "a call of a Python object is not `extern`"));
    }
    if let Some(receiver) = signature.receiver()
        && !matches!(receiver.kind, ReceiverKind::Reference(_, _, None))
    {
        let sentence = "a method of a Python object takes `&self`: the proxy is not changed, and \
                        other proxies may refer to the same object";
        refusals.push(Error::new_spanned(receiver, sentence));
    }
    refusals.finish()
}

/// What the function does, apart from streams.
fn action(signature: &Signature, options: &[FaceOption], kind: TargetKind) -> Result<FaceAction> {
    let constructor = find(options, "constructor");
    if signature.receiver().is_none() {
        return constructing(signature, options, kind);
    }
    if let Some(option) = constructor {
        let sentence = "a constructor has no `self`, and returns `Self`";
        return Err(Error::new_spanned(&option.word, sentence));
    }
    if let Some(option) = find(options, "operator") {
        let literal = option.literal();
        let constant = literal.value().to_uppercase();
        if !constant.starts_with(|char: char| char.is_ascii_alphabetic())
            || !constant.chars().all(|char| char.is_ascii_alphanumeric())
        {
            let sentence = "this is not the name of an operator; see `oad::Operator`";
            return Err(Error::new_spanned(literal, sentence));
        }
        return Ok(FaceAction::Operate(Ident::new(&constant, literal.span())));
    }
    Ok(match find(options, "attribute") {
        None => FaceAction::Call,
        Some(_) if signature.inputs.len() == 1 => FaceAction::Get,
        Some(_) => FaceAction::Set,
    })
}

/// A function without `self` makes an instance.
fn constructing(
    signature: &Signature,
    options: &[FaceOption],
    kind: TargetKind,
) -> Result<FaceAction> {
    let is_self = matches!(&signature.output, ReturnType::Type(_, returned)
        if matches!(peel(returned), Type::Path(path) if path.path.is_ident("Self")));
    if kind != TargetKind::Instance {
        let sentence = "a class or a module is imported, not constructed: its functions take \
                        `&self`, and `import` of the proxy makes the proxy";
        return Err(Error::new_spanned(&signature.ident, sentence));
    }
    if !is_self {
        let sentence = "a function without `self` is a constructor, and returns `Self`; for a \
                        static method, take `&self`, or describe the class itself with \
                        `#[oad::python(class = \"…\")]`";
        return Err(Error::new_spanned(&signature.ident, sentence));
    }
    if let Some(option) = find(options, "attribute").or(find(options, "operator")) {
        let sentence = format!("`{}` needs `&self`", option.word);
        return Err(Error::new_spanned(&option.word, sentence));
    }
    let calls_class = find(options, "constructor").is_some()
        || signature.ident == "new" && find(options, "name").is_none();
    Ok(if calls_class { FaceAction::Construct } else { FaceAction::ConstructBy })
}

fn name(ident: &Ident, options: &[FaceOption], action: &FaceAction) -> Result<String> {
    if let Some(option) = find(options, "name") {
        let name = option.literal().value();
        checked_path(&name, option.literal())?;
        return Ok(name);
    }
    let own = ident.unraw().to_string();
    match (action, own.strip_prefix("set_")) {
        (FaceAction::Set, Some(name)) if !name.is_empty() => Ok(name.to_owned()),
        (FaceAction::Set, _) => {
            let sentence = "a function that sets an attribute is named `set_…` after it, or has \
                            an `#[oad(attribute, name = \"…\")]`; one that gets it has no \
                            parameters";
            Err(Error::new_spanned(ident, sentence))
        }
        _ => Ok(own),
    }
}

/// What the function returns, and whether that is a stream.
fn returned(signature: &Signature, action: FaceAction) -> Result<(Type, FaceAction)> {
    let ReturnType::Type(_, written) = &signature.output else {
        return Ok((parse_quote!(()), action));
    };
    let written = peel(written);
    if let Some(streamed) = Streamed::read(written) {
        let sentence = match (streamed.kind, &action) {
            (Kind::Ours, FaceAction::Call) => return Ok((streamed.item, FaceAction::Iterate)),
            (Kind::Ours, _) => "only a method can return a stream",
            _ => "items arrive in a stream: return an `oad::Stream`",
        };
        return Err(Error::new_spanned(written, sentence));
    }
    if let Type::Path(path) = written
        && path.path.segments.last().is_some_and(|last| last.ident == "Result")
    {
        let sentence = "every call of a Python object returns a `Result`: name the type of the \
                        value alone";
        return Err(Error::new_spanned(written, sentence));
    }
    let mut borrowed = Borrowed::default();
    borrowed.visit_type_mut(&mut written.clone());
    borrowed.0.finish()?;
    Ok((written.clone(), action))
}

/// Finds what a proxy cannot return.
#[derive(Default)]
struct Borrowed(Refusals);

impl VisitMut for Borrowed {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        let sentence =
            "a proxy cannot return a reference into another process: return an owned value";
        self.0.push(Error::new_spanned(&*reference, sentence));
    }

    fn visit_type_mut(&mut self, visited: &mut Type) {
        match visited {
            Type::ImplTrait(_) | Type::TraitObject(_) => {
                let sentence = "the proxy has to name this type: write the type itself, or \
                                `oad::PythonProxy`";
                self.0.push(Error::new_spanned(&*visited, sentence));
            }
            _ => visit_mut::visit_type_mut(self, visited),
        }
    }
}

/// Refuses positional parameters that Python could not tell apart.
fn in_order(parameters: &[FaceParameter]) -> Result<()> {
    let mut refusals = Refusals::default();
    let (mut ended, mut keywords) = (None, false);
    for parameter in parameters {
        let sentence = match (&parameter.passing, ended) {
            (PythonPassing::Keyword(..), _) => continue,
            (PythonPassing::Keywords, _) if keywords => "`keywords` is given twice".to_owned(),
            (PythonPassing::Keywords, _) => {
                keywords = true;
                continue;
            }
            (PythonPassing::Optional, None | Some("optional")) => {
                ended = Some("optional");
                continue;
            }
            (PythonPassing::Args, None | Some("optional")) => {
                ended = Some("args");
                continue;
            }
            (_, None) => continue,
            (_, Some(before)) => {
                format!("a positional parameter cannot follow one that is `{before}`")
            }
        };
        refusals.push(Error::new_spanned(&parameter.ident, sentence));
    }
    refusals.finish()
}

/// Refuses what attributes and operators do not have.
fn fits(signature: &Signature, action: &FaceAction, parameters: &[FaceParameter]) -> Result<()> {
    let is_plain = |parameter: &FaceParameter| {
        matches!(parameter.passing, PythonPassing::Positional | PythonPassing::Optional)
    };
    let sentence = match action {
        FaceAction::Set
            if parameters.len() != 1 || !matches!(signature.output, ReturnType::Default) =>
        {
            "a function that sets an attribute has one parameter, and returns nothing"
        }
        FaceAction::Set | FaceAction::Operate(_) if !parameters.iter().all(is_plain) => {
            "attributes and operators have plain parameters only"
        }
        FaceAction::Get if matches!(signature.output, ReturnType::Default) => {
            "a function that gets an attribute returns it"
        }
        _ => return Ok(()),
    };
    Err(Error::new(signature.ident.span(), sentence))
}

fn others(attributes: &[Attribute]) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| !is_ours(attribute)).cloned().collect()
}

/// The signature without what the proxy's function does not have.
fn signature(source: &Signature) -> Signature {
    let mut signature = source.clone();
    signature.asyncness = None;
    signature.output = ReturnType::Default;
    for input in &mut signature.inputs {
        if let FnArg::Typed(parameter) = input {
            parameter.attrs.retain(|attribute| !is_ours(attribute));
        }
    }
    signature
}
