//! The 16-bit floats of `half`. An array of them is an [`Array`] of `<f2`; numpy has no
//! `bf16`.
//!
//! [`Array`]: crate::value::Array

use half::f16;

use crate::common::error::Result;
use crate::common::value::fault::wrong_type;
use crate::common::value::{AsValue, Value};

impl From<f16> for Value {
    fn from(float: f16) -> Self {
        Value::Float(float.to_f64())
    }
}

impl AsValue for f16 {
    type Kind = f64;

    fn to_kind(&self) -> Result<f64> {
        Ok(self.to_f64())
    }

    fn from_kind(wide: f64) -> Result<Self> {
        let float = f16::from_f64(wide);
        match float.to_f64().to_bits() == wide.to_bits() {
            true => Ok(float),
            false => {
                Err(wrong_type(format!("expected a 16-bit float, found {wide}, which needs more")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::value::foreign::survives;
    use crate::common::value::{Array, ArraySource, from_value};

    #[test]
    fn floats_survive_or_are_refused() {
        survives(f16::MAX, 65_504.0);
        survives(f16::from_f32(-1.5), -1.5);
        for float in [f16::MIN_POSITIVE_SUBNORMAL, f16::NEG_INFINITY, f16::NEG_ZERO, f16::NAN] {
            let wide = float.to_kind().expect("every float fits");
            let back = f16::from_kind(wide).expect("it is exact");
            assert_eq!(back.to_bits(), float.to_bits());
        }
        f16::from_kind(0.1).expect_err("it needs more digits");
        f16::from_kind(65_520.0).expect_err("it is too large");
    }

    #[test]
    fn arrays_of_16_bit_floats_survive() {
        let floats = [f16::from_f32(1.5), f16::MIN];
        let array = Array::from_slice(&floats);
        assert_eq!((array.dtype().as_str(), array.source()), ("<f2", ArraySource::Numpy));
        assert_eq!(array.to_vec::<f16>().expect("they are of that type"), floats);
        assert_eq!(from_value::<Vec<f32>>(array.into()).expect("they fit"), [1.5, -65_504.0]);
    }
}
