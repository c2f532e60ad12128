//! The types of other crates as values, each behind the feature of its crate's name.
//!
//! Every type has `From` or `TryFrom` in both directions, and implements [`AsValue`], so
//! that `#[serde(with = "oad::value::as_value")]` makes it a value where its own
//! `Serialize` would write something else, such as a text.

#[cfg(feature = "chrono")]
mod chrono_types;
#[cfg(feature = "half")]
mod half_types;
#[cfg(feature = "jiff")]
mod jiff_types;
#[cfg(feature = "ndarray")]
mod ndarray_types;
#[cfg(feature = "num-bigint")]
mod num_bigint_types;
#[cfg(feature = "rust_decimal")]
mod rust_decimal_types;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::common::error::Result;

/// A type that travels as one of oad's own kinds of value, by
/// `#[serde(with = "oad::value::as_value")]`.
///
/// The features `chrono`, `half`, `jiff`, `ndarray`, `num-bigint` and `rust_decimal`
/// implement it for the types of those crates. Implement it for a type of your own to use
/// the same attribute.
pub trait AsValue: Sized {
    /// What it travels as, such as [`Date`](crate::value::Date).
    type Kind: Serialize + DeserializeOwned;

    /// Converts it into what it travels as.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if that cannot hold it
    /// exactly.
    fn to_kind(&self) -> Result<Self::Kind>;

    /// Converts what has travelled back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if the type cannot hold it
    /// exactly.
    fn from_kind(kind: Self::Kind) -> Result<Self>;
}

impl<T: AsValue> AsValue for Option<T> {
    type Kind = Option<T::Kind>;

    fn to_kind(&self) -> Result<Self::Kind> {
        self.as_ref().map(T::to_kind).transpose()
    }

    fn from_kind(kind: Self::Kind) -> Result<Self> {
        kind.map(T::from_kind).transpose()
    }
}

impl<T: AsValue> AsValue for Vec<T> {
    type Kind = Vec<T::Kind>;

    fn to_kind(&self) -> Result<Self::Kind> {
        self.iter().map(T::to_kind).collect()
    }

    fn from_kind(kind: Self::Kind) -> Result<Self> {
        kind.into_iter().map(T::from_kind).collect()
    }
}

/// The module for `#[serde(with = "oad::value::as_value")]`: a field of another crate's
/// type travels as one of oad's own kinds of value.
///
/// The field may be of any type that implements [`AsValue`], or an `Option` or a `Vec` of
/// one.
///
/// ```
/// use oad::value::{AsValue, BigInt, to_value};
/// use serde::Serialize;
///
/// struct Cents(i64);
///
/// impl AsValue for Cents {
///     type Kind = oad::value::Decimal;
///
///     fn to_kind(&self) -> oad::Result<Self::Kind> {
///         oad::value::Decimal::new(&format!("{}e-2", self.0))
///     }
///
///     fn from_kind(kind: Self::Kind) -> oad::Result<Self> {
///         # unimplemented!()
///         // …
///     }
/// }
///
/// #[derive(Serialize)]
/// struct Order {
///     #[serde(with = "oad::value::as_value")]
///     price: Cents,
/// }
///
/// let value = to_value(&Order { price: Cents(1999) })?;
/// assert_eq!(value["price"], oad::value::Decimal::new("19.99")?.into());
/// # Ok::<(), oad::Error>(())
/// ```
pub mod as_value {
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::common::value::AsValue;

    /// Serializes what a field travels as.
    ///
    /// # Errors
    ///
    /// Those of the conversion and of the serializer.
    pub fn serialize<T: AsValue, S: Serializer>(
        field: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        field.to_kind().map_err(S::Error::custom)?.serialize(serializer)
    }

    /// Deserializes a field from what it has travelled as.
    ///
    /// # Errors
    ///
    /// Those of the deserializer and of the conversion.
    pub fn deserialize<'de, T: AsValue, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        T::from_kind(T::Kind::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Implements [`AsValue`] by `TryFrom` in both directions.
#[cfg(any(feature = "chrono", feature = "jiff"))]
macro_rules! as_value_by_try_from {
    ($($type:ty => $kind:ident),* $(,)?) => {
        $(impl $crate::common::value::AsValue for $type {
            type Kind = $crate::common::value::$kind;

            fn to_kind(&self) -> $crate::common::error::Result<Self::Kind> {
                self.clone().try_into()
            }

            fn from_kind(kind: Self::Kind) -> $crate::common::error::Result<Self> {
                kind.try_into()
            }
        })*
    };
}

#[cfg(any(feature = "chrono", feature = "jiff"))]
use as_value_by_try_from;

/// Sends a field through `as_value` and JSON, and back.
#[cfg(all(
    test,
    any(
        feature = "chrono",
        feature = "half",
        feature = "jiff",
        feature = "ndarray",
        feature = "num-bigint",
        feature = "rust_decimal"
    )
))]
#[track_caller]
fn survives<T: AsValue + Clone + PartialEq + std::fmt::Debug>(field: T, kind: T::Kind) {
    use crate::common::value::{from_value, to_value};

    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(bound = "")]
    struct Holder<T: AsValue> {
        #[serde(with = "as_value")]
        field: T,
        #[serde(with = "as_value")]
        fields: Vec<Option<T>>,
    }

    let holder = Holder { field: field.clone(), fields: vec![Some(field.clone()), None] };
    let value = to_value(&holder).expect("it serializes");
    assert_eq!(value["field"], to_value(&kind).expect("it serializes"));
    let back: Holder<T> = from_value(value).expect("it deserializes");
    assert_eq!((&back.field, back.fields), (&field, vec![Some(field.clone()), None]));
    let json = serde_json::to_string(&holder).expect("it has a plain form");
    let back: Holder<T> = serde_json::from_str(&json).expect("it reads back");
    assert_eq!(back.field, field);
}
