//! Arrays of numbers, as Python's `array` and numpy have them.

use std::borrow::Cow;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::common::error::Result;
use crate::common::value::fault::wrong_type;
use crate::common::value::number::{ByteOrder, Dtype, NumberKind};
use crate::common::value::special::{ARRAY, PlainForm, Special, plain_struct};
use crate::common::value::{Bytes, Number, Value};

/// An array of numbers of one type, with any number of dimensions: Python's
/// `array.array`, and the arrays and numbers of numpy. Cheap to clone.
///
/// ```
/// use oad::value::{Array, ArraySource};
///
/// let array = Array::from_slice(&[1.5f64, -2.0, 0.0, 1.0]).into_numpy(&[2, 2])?;
/// assert_eq!((array.dtype().as_str(), array.shape()), ("<f8", &[2, 2][..]));
/// assert_eq!(array.to_vec::<f64>()?, [1.5, -2.0, 0.0, 1.0]);
/// # Ok::<(), oad::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Array(Box<ArrayParts>);

#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
struct ArrayParts {
    source: ArraySource,
    dtype: Dtype,
    shape: Vec<u64>,
    bytes: Bytes,
}

/// What an array is in Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ArraySource {
    /// The standard library's `array.array`, which has one dimension.
    Array,
    /// An `array.array` of the typecode `l` or `L`: C's `long`, for which there is
    /// another typecode of the same size.
    ArrayLong,
    /// An array of numpy, or, if the shape is empty, a number of numpy.
    Numpy,
}

/// The most dimensions that any version of numpy allows.
const MAX_DIMENSIONS: usize = 64;
/// How many rows without a number in them are read one by one.
const MAX_EMPTY_ROWS: u64 = 1 << 16;

impl Array {
    /// Creates an array of these bytes, row after row.
    ///
    /// The data type is written as numpy's `dtype.str`: `<` for little-endian, `>` for
    /// big-endian, `|` for a single byte; then `b` for bools, `i` and `u` for integers
    /// with and without a sign, `f` for floats, `c` for complex numbers; then the size of
    /// one number in bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if the data type is not one
    /// of these, the number of bytes does not match the shape, `array.array` has no such
    /// arrays, or a bool is neither 0 nor 1.
    pub fn new(source: ArraySource, dtype: &str, shape: &[u64], bytes: Bytes) -> Result<Self> {
        let dtype = dtype.parse().map_err(wrong_type)?;
        Array(Box::new(ArrayParts { source, dtype, shape: shape.to_vec(), bytes })).checked()
    }

    /// Creates an array of one dimension: an `array.array`, or, of numbers that it does
    /// not have, such as bools, an array of numpy.
    ///
    /// It copies the numbers; to avoid that, make the array `From` a vector.
    #[must_use]
    pub fn from_slice<T: Number>(numbers: &[T]) -> Self {
        let bytes = match T::as_le_bytes(numbers) {
            Some(bytes) => bytes.into(),
            None => le_bytes(numbers).into(),
        };
        Array::of_one_dimension::<T>(numbers.len(), bytes)
    }

    fn of_one_dimension<T: Number>(count: usize, bytes: Bytes) -> Self {
        let source = match T::DTYPE.is_of_array() {
            true => ArraySource::Array,
            false => ArraySource::Numpy,
        };
        let shape = vec![count as u64];
        Array(Box::new(ArrayParts { source, dtype: T::DTYPE, shape, bytes }))
    }

    /// An array of numpy, whose shape must be one of as many numbers.
    #[cfg(feature = "ndarray")]
    pub(super) fn numpy<'a, T: Number + 'a>(
        numbers: impl IntoIterator<Item = &'a T>,
        shape: Vec<u64>,
    ) -> Self {
        let (source, dtype) = (ArraySource::Numpy, T::DTYPE);
        Array(Box::new(ArrayParts { source, dtype, shape, bytes: le_bytes(numbers).into() }))
    }

    /// Makes it an array of numpy with this shape, or a number of numpy if the shape is
    /// empty.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if the shape does not have
    /// as many numbers.
    pub fn into_numpy(self, shape: &[u64]) -> Result<Self> {
        Array(Box::new(ArrayParts { source: ArraySource::Numpy, shape: shape.to_vec(), ..*self.0 }))
            .checked()
    }

    /// Returns what it is in Python.
    #[must_use]
    pub fn source(&self) -> ArraySource {
        self.0.source
    }

    /// Returns the data type, such as `<f8`; see [`new`](Array::new).
    #[must_use]
    pub fn dtype(&self) -> String {
        self.0.dtype.to_string()
    }

    /// Returns the length of each dimension; empty for a single number.
    #[must_use]
    pub fn shape(&self) -> &[u64] {
        &self.0.shape
    }

    /// Returns the bytes of the numbers, row after row.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// Returns all numbers, row after row, as a vector of their own.
    ///
    /// To convert numbers of another type where that is exact, read the array as a
    /// `Vec<T>` with [`from_value`](crate::value::from_value).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if they are of another type.
    pub fn to_vec<T: Number>(&self) -> Result<Vec<T>> {
        self.numbers().map(Cow::into_owned)
    }

    /// Returns all numbers, row after row: where they lie, or copied if this machine has
    /// them in another form.
    ///
    /// They are copied if their byte order is not that of the machine, if they begin at
    /// an address that is not a multiple of their size, and if they are bools or complex.
    /// A large array that was received begins at a suitable address.
    ///
    /// ```
    /// use std::borrow::Cow;
    ///
    /// use oad::value::Array;
    ///
    /// let array = Array::from(vec![1.5f64, 2.5]);
    /// let numbers = array.numbers::<f64>()?;
    /// assert_eq!(numbers.iter().sum::<f64>(), 4.0);
    /// # #[cfg(target_endian = "little")]
    /// assert!(matches!(numbers, Cow::Borrowed(_)));
    /// # Ok::<(), oad::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`to_vec`](Self::to_vec).
    pub fn numbers<T: Number>(&self) -> Result<Cow<'_, [T]>> {
        let Dtype { sort, size, order } = self.0.dtype;
        if (sort, size) != (T::DTYPE.sort, T::DTYPE.size) {
            return Err(wrong_type(format!(
                "expected an array of `{}`, found one of `{}`",
                T::DTYPE,
                self.0.dtype
            )));
        }
        if order == ByteOrder::Little
            && let Some(numbers) = T::in_le_bytes(&self.0.bytes)
        {
            return Ok(Cow::Borrowed(numbers));
        }
        let numbers = self.0.bytes.chunks_exact(usize::from(size));
        Ok(Cow::Owned(numbers.map(|bytes| T::from_bytes(bytes, order)).collect()))
    }

    /// # Errors
    ///
    /// Those of [`new`](Array::new).
    fn checked(self) -> Result<Self> {
        let ArrayParts { source, dtype, shape, bytes } = &*self.0;
        let count = match shape.contains(&0) {
            true => Some(0),
            false => shape.iter().try_fold(1u64, |count, rows| count.checked_mul(*rows)),
        };
        let size = count.and_then(|count| count.checked_mul(u64::from(dtype.size)));
        if shape.len() > MAX_DIMENSIONS {
            return Err(wrong_type(format!(
                "expected an array of at most {MAX_DIMENSIONS} dimensions, found {}",
                shape.len()
            )));
        }
        if size != Some(bytes.len() as u64) {
            return Err(wrong_type(format!(
                "an array of `{dtype}` with the shape {shape:?} cannot have {} bytes",
                bytes.len()
            )));
        }
        let is_held = match source {
            ArraySource::Array => shape.len() == 1 && dtype.is_of_array(),
            ArraySource::ArrayLong => shape.len() == 1 && dtype.is_of_long(),
            ArraySource::Numpy => true,
        };
        if !is_held {
            return Err(wrong_type(format!(
                "`array.array` cannot hold `{dtype}` in {} dimensions",
                shape.len()
            )));
        }
        if dtype.sort == NumberKind::Bool && bytes.iter().any(|byte| *byte > 1) {
            return Err(wrong_type("a bool of the array is neither 0 nor 1"));
        }
        Ok(self)
    }

    /// The number that it is, if it has no dimensions.
    pub(super) fn number(&self) -> Option<Result<Value>> {
        self.0.shape.is_empty().then(|| self.0.dtype.value(&self.0.bytes))
    }

    /// The numbers of an array of one dimension, or the rows of one of more dimensions.
    pub(super) fn into_items(self) -> Result<Box<dyn ExactSizeIterator<Item = Value>>> {
        let ArrayParts { source, dtype, mut shape, bytes } = *self.0;
        if shape.is_empty() {
            return Err(wrong_type("expected a list, found a single number"));
        }
        let empty = shape
            .iter()
            .take_while(|rows| **rows > 0)
            .fold(1, |all: u64, rows| all.saturating_mul(*rows));
        if bytes.is_empty() && empty > MAX_EMPTY_ROWS {
            return Err(wrong_type(format!("the array has {empty} rows without a number in them")));
        }
        let rows = usize::try_from(shape.remove(0))
            .map_err(|_| wrong_type("the array has too many rows"))?;
        let bytes = bytes.into_inner();
        let size = bytes.len().checked_div(rows).unwrap_or(0);
        if shape.is_empty() {
            // Whether a number can be read depends on its data type only.
            dtype.value(&vec![0; usize::from(dtype.size)])?;
            return Ok(Box::new((0..rows).map(move |row| {
                dtype
                    .value(&bytes[row * size..][..size])
                    .expect("a number of this data type was read above")
            })));
        }
        Ok(Box::new((0..rows).map(move |row| {
            let bytes = Bytes::new(bytes.slice(row * size..(row + 1) * size));
            Value::Array(Array(Box::new(ArrayParts { source, dtype, shape: shape.clone(), bytes })))
        })))
    }
}

impl<T: Number> From<&[T]> for Array {
    fn from(numbers: &[T]) -> Self {
        Array::from_slice(numbers)
    }
}

/// Makes an array of one dimension of the vector's memory, without a copy; bools and
/// complex numbers are copied. See [`from_slice`](Array::from_slice).
impl<T: Number> From<Vec<T>> for Array {
    fn from(numbers: Vec<T>) -> Self {
        /// The owner of the array's memory.
        struct VectorMemory<T>(Vec<T>);

        impl<T: Number> AsRef<[u8]> for VectorMemory<T> {
            fn as_ref(&self) -> &[u8] {
                T::as_le_bytes(&self.0).expect("this type lies in memory as bytes")
            }
        }

        match T::as_le_bytes(&numbers) {
            Some(_) => {
                let count = numbers.len();
                Array::of_one_dimension::<T>(count, Bytes::from_owner(VectorMemory(numbers)))
            }
            None => Array::from_slice(&numbers),
        }
    }
}

fn le_bytes<'a, T: Number + 'a>(numbers: impl IntoIterator<Item = &'a T>) -> Vec<u8> {
    let numbers = numbers.into_iter();
    let mut bytes = Vec::with_capacity(numbers.size_hint().0 * size_of::<T>());
    numbers.for_each(|number| number.push_le_bytes(&mut bytes));
    bytes
}

/// Shows the source, the data type and the shape.
impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Array({:?}, {}, {:?})", self.0.source, self.0.dtype, self.0.shape)
    }
}

impl Array {
    /// The plain form.
    pub(in crate::common::value) fn plain_value(&self) -> Value {
        let ArrayParts { source, dtype, shape, bytes } = &*self.0;
        let source = match source {
            ArraySource::Array => "array",
            ArraySource::ArrayLong => "array_long",
            ArraySource::Numpy => "numpy",
        };
        plain_struct([
            ("source", source.into()),
            ("dtype", dtype.to_string().into()),
            ("shape", shape.clone().into()),
            ("bytes", bytes.clone().into()),
        ])
    }
}

impl Special for Array {
    const NAME: &'static str = ARRAY;
    const WHAT: &'static str = "an array";

    fn plain(&self) -> PlainForm<'_> {
        PlainForm::Flat(self.plain_value())
    }

    fn read_plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Array(Box::new(ArrayParts::deserialize(deserializer)?)).checked().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
