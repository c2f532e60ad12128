//! The methods of an object, as written in its source.

use crate::common::definition::short_name;

/// The name and the methods of an object's type.
#[derive(Debug)]
pub struct TypeDescription {
    /// The name it is registered under: its path, such as `my_crate::module::Counter`.
    pub name: &'static str,
    /// Its documentation: the comment on the `impl` block.
    pub documentation: &'static str,
    /// The functions that create one.
    pub constructors: &'static [Method],
    /// The methods that can be called.
    pub methods: &'static [Method],
    /// The names of the interfaces it implements, in their order.
    pub interfaces: &'static [&'static str],
    /// Where it was declared, as `file:line`.
    pub declared: &'static str,
}

/// A method, or a function that creates an object.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// Its documentation.
    pub documentation: &'static str,
    /// Its parameters without the receiver, in order.
    pub parameters: &'static [Parameter],
    /// The type it returns, as written in the source; empty for nothing.
    pub returns: &'static str,
    /// The whole signature as written in the source.
    pub signature: &'static str,
    /// How it takes its object.
    pub receiver: Receiver,
    /// Whether it is an `async fn`.
    pub is_async: bool,
    /// Whether it runs to its end even if its caller is gone
    /// (`#[oad(finish)]`).
    pub finishes: bool,
    /// Whether it returns a stream of items.
    pub streams: bool,
    /// The name of the interface it belongs to; empty if it is the type's own.
    pub interface: &'static str,
}

/// One parameter of a method.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its type, as written in the source.
    pub type_name: &'static str,
}

/// How a method takes its object, and so which calls may run in parallel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// None: it creates the object.
    None,
    /// `&self`: such calls run in parallel.
    Shared,
    /// `&mut self`: alone and in order. So is every method of a serial object.
    Exclusive,
    /// `self`: the call ends the object.
    Consuming,
}

impl TypeDescription {
    /// The type's name without its path, for messages.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        short_name(self.name)
    }

    /// The method of this name: as it is listed, or qualified by its interface, such as
    /// `Store::get` or `my_crate::Store::get`.
    pub(crate) fn method(&self, name: &str) -> Option<(usize, &'static Method)> {
        let mut methods = self.methods.iter().enumerate();
        methods.clone().find(|(_, method)| method.name == name).or_else(|| {
            let (interface, name) = name.rsplit_once("::")?;
            let interface = self.interface(interface)?;
            methods.find(|(_, method)| {
                method.interface == interface && short_name(method.name) == name
            })
        })
    }

    /// The whole name of an interface, from that or from its last name where only one has
    /// it.
    fn interface(&self, name: &str) -> Option<&'static str> {
        let mut called_so =
            self.interfaces.iter().copied().filter(|known| short_name(known) == name);
        let exact = self.interfaces.iter().copied().find(|known| *known == name);
        exact.or_else(|| called_so.next().filter(|_| called_so.next().is_none()))
    }

    pub(crate) fn constructor(&self, name: &str) -> Option<(usize, &'static Method)> {
        self.constructors.iter().enumerate().find(|(_, constructor)| constructor.name == name)
    }
}
