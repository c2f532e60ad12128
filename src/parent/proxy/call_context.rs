//! What a call does, and to which object.

use std::borrow::Cow;

use crate::common::definition::{Action, Returns, short_name};
use crate::common::error::{Error, ErrorKind};
use crate::parent::proxy::{Origin, Proxy};

/// What a call does, and to which object. It keeps the object alive, and explains errors.
#[derive(Clone, Debug)]
pub(super) struct CallContext {
    pub(super) proxy: Proxy,
    pub(super) action: Action,
    /// The name of a method, attribute or operator; empty for the object itself.
    pub(super) name: Cow<'static, str>,
    pub(super) returns: Returns,
    /// Whether a `NaN` is read as `None`.
    pub(super) nan_is_none: bool,
    /// Whether an exception is kept as an object.
    pub(super) keeps_exception: bool,
}

impl CallContext {
    /// Adds what was tried, and on which daemon.
    pub(super) fn explain(&self, error: Error) -> Error {
        let error = error.doing(self.describe_action()).on(self.proxy.daemon().to_string());
        match (error.kind(), &self.proxy.0.origin) {
            (ErrorKind::BadArguments, Origin::Rust) => {
                error.advise("check that the daemon's program is of the same version as this one")
            }
            _ => error,
        }
    }

    /// Explains why what the call returned cannot be read as the requested type.
    pub(super) fn explain_result(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::WrongType {
            return self.explain(error);
        }
        let error = match error.detail().split_once(", found ") {
            Some((expected, found)) => {
                let detail = match self.action {
                    Action::Iterate => {
                        format!("{expected}, but an item of `{}` is {found}", self.source())
                    }
                    _ => format!("{expected}, but `{}` returned {found}", self.source()),
                };
                error.with_detail(detail)
            }
            None => error,
        };
        // A result that was requested as `Plain` would have been copied if that were
        // possible, so `.by_value()` does not help.
        let stays = error.detail().ends_with("which stays in the interpreter");
        self.explain(match self.returns {
            Returns::Plain if stays => {
                error.with_advice("ask for a `Proxy`, or convert it in Python first")
            }
            _ => error,
        })
    }

    fn describe_action(&self) -> String {
        let object = self.proxy.display_name();
        match (self.action, short_name(&self.name)) {
            (Action::Call, _) => format!("calling {}", self.path()),
            (Action::GetAttribute, _) => format!("getting {}", self.path()),
            (Action::SetAttribute, _) => format!("setting {}", self.path()),
            (Action::DeleteAttribute, _) => format!("deleting {}", self.path()),
            (Action::Operate, "eval") => "evaluating an expression".to_owned(),
            (Action::Operate, "exec") => "running statements".to_owned(),
            (Action::Operate, "chain") => format!("running a chain of {object}"),
            (Action::Operate, "getitem") => format!("getting {object}[…]"),
            (Action::Operate, "setitem") => format!("setting {object}[…]"),
            (Action::Operate, "delitem") => format!("deleting {object}[…]"),
            (Action::Operate, name) => format!("applying `{name}` to {object}"),
            (Action::Iterate, _) => format!("iterating over {}", self.path()),
        }
    }

    /// Where a result comes from: `Counter.add`, `Counter[…]`, `len(Counter)`.
    fn source(&self) -> String {
        let object = self.proxy.display_name();
        match (self.action, &*self.name) {
            (Action::Operate, name @ ("eval" | "exec")) => name.to_owned(),
            (Action::Operate, "getitem") => format!("{object}[…]"),
            (Action::Operate, operator) => format!("{operator}({object})"),
            _ => self.path(),
        }
    }

    /// The method or attribute, or the object itself: `Counter.add`, `Counter`.
    fn path(&self) -> String {
        let object = self.proxy.display_name();
        match short_name(&self.name) {
            "" => object.to_owned(),
            name => format!("{object}.{name}"),
        }
    }
}
