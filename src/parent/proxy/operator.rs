//! The operators of Python objects.

use std::borrow::Cow;
use std::fmt;

/// An operator or a builtin function that
/// [`PythonProxy::operate`](crate::PythonProxy::operate) applies; a constant, or its name
/// as text.
///
/// The operands are those after the object itself. Reflected forms apply as in Python:
/// for `a.operate(Operator::ADD, (&b,))` the class of `b` may decide. The result of an
/// in-place operator, such as `iadd`, replaces the object, as in `a += b`.
///
/// | operators | operands | result |
/// |---|---|---|
/// | `eq` `ne` `lt` `le` `gt` `ge` | the other object | what its class returns |
/// | `add` `sub` `mul` `matmul` `truediv` | the other object | the result |
/// | `floordiv` `mod` `divmod` `lshift` `rshift` | the other object | the result |
/// | `and` `or` `xor` | the other object | the result |
/// | `pow` | the exponent; optionally the modulus | the result |
/// | `round` | optionally the number of digits | the result |
/// | `neg` `pos` `abs` `invert` | – | the result |
/// | `iadd` `isub` `imul` `imatmul` | the other object | the object afterwards |
/// | `itruediv` `ifloordiv` `imod` `ipow` | the other object | the object afterwards |
/// | `iand` `ior` `ixor` `ilshift` `irshift` | the other object | the object afterwards |
/// | `len` | – | an integer |
/// | `contains` | the item | `bool` |
/// | `getitem` `delitem` | the key or slice | the item; nothing |
/// | `setitem` | the key, the value | nothing |
/// | `iter` | optionally the sentinel of a callable | an iterator |
/// | `next` | optionally the default at the end | the next item |
/// | `bool` `truth` | – | `bool` |
/// | `int` | optionally the base | an integer |
/// | `float` `index` | – | a number |
/// | `complex` | optionally the imaginary part | a complex number |
/// | `bytes` | optionally encoding and errors | bytes |
/// | `str` | optionally encoding and errors | text |
/// | `repr` `ascii` `hash` `id` `type` `dir` `callable` | – | as the builtin function |
/// | `format` | optionally the format specification | text |
/// | `isinstance` `issubclass` | the class, or a tuple of classes | `bool` |
/// | `doc` `signature` | – | text |
/// | `enter` | – | what `__enter__` returns |
/// | `exit` | optionally an exception | whether it was swallowed |
/// | `close` | – | nothing |
/// | `eval` | the expression | its value; the object itself plays no part |
/// | `exec` | the statements; optionally a name | nothing, or what they bind to the name |
/// | `chain` | the steps of a [`Chain`](crate::Chain) | the result of the last step |
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operator(Cow<'static, str>);

macro_rules! operators {
    ($($constant:ident $name:literal)*) => {
        impl Operator {
            $(
                #[doc = concat!("`", $name, "`; see the table of [`Operator`].")]
                pub const $constant: Operator = Operator(Cow::Borrowed($name));
            )*
        }

        #[cfg(test)]
        const ALL: &[&str] = &[$($name),*];
    };
}

operators! {
    EQ "eq" NE "ne" LT "lt" LE "le" GT "gt" GE "ge"
    ADD "add" SUB "sub" MUL "mul" TRUEDIV "truediv" FLOORDIV "floordiv" MOD "mod" DIVMOD "divmod"
    POW "pow" MATMUL "matmul" AND "and" OR "or" XOR "xor" LSHIFT "lshift" RSHIFT "rshift"
    NEG "neg" POS "pos" ABS "abs" INVERT "invert" ROUND "round"
    IADD "iadd" ISUB "isub" IMUL "imul" ITRUEDIV "itruediv" IFLOORDIV "ifloordiv" IMOD "imod"
    IPOW "ipow" IMATMUL "imatmul" IAND "iand" IOR "ior" IXOR "ixor" ILSHIFT "ilshift"
    IRSHIFT "irshift"
    LEN "len" CONTAINS "contains" GETITEM "getitem" SETITEM "setitem" DELITEM "delitem"
    ITER "iter" NEXT "next"
    BOOL "bool" TRUTH "truth" INT "int" FLOAT "float" COMPLEX "complex" INDEX "index"
    BYTES "bytes" STR "str" REPR "repr" ASCII "ascii" FORMAT "format" HASH "hash"
    TYPE "type" ISINSTANCE "isinstance" ISSUBCLASS "issubclass" CALLABLE "callable" DIR "dir"
    ID "id" DOC "doc" SIGNATURE "signature"
    ENTER "enter" EXIT "exit" CLOSE "close"
}

impl Operator {
    /// Returns the name of the operator.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn into_name(self) -> Cow<'static, str> {
        self.0
    }
}

/// By name. An unknown name fails the call, with a list of the known ones.
impl From<&str> for Operator {
    fn from(name: &str) -> Self {
        Operator(Cow::Owned(name.to_owned()))
    }
}

impl From<String> for Operator {
    fn from(name: String) -> Self {
        Operator(Cow::Owned(name))
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constant_is_in_the_table() {
        let source = include_str!("operator.rs");
        let table: String = source.lines().filter(|line| line.starts_with("/// | ")).collect();
        for name in ALL {
            assert!(table.contains(&format!("`{name}`")), "the table lacks `{name}`");
        }
    }
}
