//! The arrays of `ndarray`, which are arrays of numpy in Python.

use ndarray::{ArrayBase, Data, Dimension, IxDyn};

use crate::common::error::{Error, Result};
use crate::common::value::fault::wrong_type;
use crate::common::value::{Array, AsValue, Number, Value};

/// Of any layout and any number of dimensions; the bytes are copied, row after row.
impl<T: Number, S: Data<Elem = T>, D: Dimension> From<&ArrayBase<S, D>> for Array {
    fn from(array: &ArrayBase<S, D>) -> Self {
        let shape = array.shape().iter().map(|rows| *rows as u64).collect();
        Array::numpy(array.iter(), shape)
    }
}

impl<T: Number, S: Data<Elem = T>, D: Dimension> From<ArrayBase<S, D>> for Array {
    fn from(array: ArrayBase<S, D>) -> Self {
        Array::from(&array)
    }
}

impl<T: Number, S: Data<Elem = T>, D: Dimension> From<ArrayBase<S, D>> for Value {
    fn from(array: ArrayBase<S, D>) -> Self {
        Value::Array(Array::from(&array))
    }
}

/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if the numbers are of another
/// type, or there are more or fewer dimensions.
impl<T: Number, D: Dimension> TryFrom<&Array> for ndarray::Array<T, D> {
    type Error = Error;

    fn try_from(array: &Array) -> Result<Self> {
        let rows = |rows: &u64| usize::try_from(*rows).map_err(|_| wrong_type("too many rows"));
        let shape: Vec<usize> = array.shape().iter().map(rows).collect::<Result<_>>()?;
        let numbers = array.to_vec::<T>()?;
        let array = ndarray::ArrayD::from_shape_vec(IxDyn(&shape), numbers);
        array.and_then(|array| array.into_dimensionality()).map_err(|_| {
            let wanted = D::NDIM.map_or("any number of".to_owned(), |count| count.to_string());
            wrong_type(format!(
                "expected an array of {wanted} dimensions, found the shape {shape:?}"
            ))
        })
    }
}

/// # Errors
///
/// As from a reference.
impl<T: Number, D: Dimension> TryFrom<Array> for ndarray::Array<T, D> {
    type Error = Error;

    fn try_from(array: Array) -> Result<Self> {
        (&array).try_into()
    }
}

impl<T: Number, D: Dimension> AsValue for ndarray::Array<T, D> {
    type Kind = Array;

    fn to_kind(&self) -> Result<Array> {
        Ok(self.into())
    }

    fn from_kind(array: Array) -> Result<Self> {
        array.try_into()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, ArrayD, array, s};

    use super::*;
    use crate::common::value::foreign::survives;
    use crate::common::value::{ArraySource, from_value};

    #[test]
    fn arrays_survive_in_any_layout() {
        let rows = array![[1.5f64, -0.0, 2.0], [3.0, 4.0, f64::INFINITY]];
        let kind = Array::from(&rows);
        assert_eq!((kind.dtype().as_str(), kind.shape()), ("<f8", &[2, 3][..]));
        assert_eq!(kind.source(), ArraySource::Numpy);
        survives(rows.clone(), kind);
        let turned = Array::from(&rows.t());
        assert_eq!(turned.shape(), [3, 2]);
        assert_eq!(turned.to_vec::<f64>().expect("they are floats")[..2], [1.5, 3.0]);
        let part = Array::from(&rows.slice(s![.., ..;2]));
        assert_eq!(
            from_value::<Vec<[f64; 2]>>(part.into()).expect("it is")[1],
            [3.0, f64::INFINITY]
        );
        survives(ndarray::arr0(7u8), Array::from_slice(&[7u8]).into_numpy(&[]).expect("it is one"));
        survives(Array1::<i64>::zeros(0), Array::from(&Array1::<i64>::zeros(0)));
        survives(array![true, false], Array::from(&array![true, false]));
    }

    #[test]
    fn other_dimensions_and_numbers_are_refused() {
        let kind = Array::from(&array![1i32, 2]);
        let error = Array2::<i32>::try_from(&kind).expect_err("it has one dimension");
        assert_eq!(error.to_string(), "expected an array of 2 dimensions, found the shape [2]");
        Array1::<i64>::try_from(&kind).expect_err("they are smaller");
        ArrayD::<i32>::try_from(kind).expect("any number of dimensions will do");
    }

    #[cfg(feature = "half")]
    #[test]
    fn arrays_of_16_bit_floats_survive() {
        let floats = array![half::f16::from_f32(0.5), half::f16::MAX];
        survives(floats.clone(), Array::from(&floats));
        assert_eq!(Array::from(&floats).dtype(), "<f2");
    }
}
