//! The 16-bit floats of `half`. An array of them is an [`Array`] of `<f2`; numpy has no
//! `bf16`.
//!
//! [`Array`]: crate::value::Array

use half::f16;

use crate::common::error::Result;
use crate::common::value::fault::wrong_type;
use crate::common::value::number::widened;
use crate::common::value::{AsValue, Value};

/// The same float with more bits, exactly.
fn wide(float: f16) -> f64 {
    widened(float.to_bits().into(), 5, 10)
}

impl From<f16> for Value {
    fn from(float: f16) -> Self {
        Value::Float(wide(float))
    }
}

impl AsValue for f16 {
    type Kind = f64;

    fn to_kind(&self) -> Result<f64> {
        Ok(wide(*self))
    }

    fn from_kind(float: f64) -> Result<Self> {
        let bits = float.to_bits();
        let narrow = match float.is_nan() {
            // The sign, the exponent and the first bits of the payload.
            true => f16::from_bits(
                (bits >> 48) as u16 & 1 << 15 | 0x1f << 10 | (bits >> 42) as u16 & 0x3ff,
            ),
            false => f16::from_f64(float),
        };
        match wide(narrow).to_bits() == bits {
            true => Ok(narrow),
            false => {
                Err(wrong_type(format!("expected a 16-bit float, found {float}, which needs more")))
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
        for float in [
            f16::MIN_POSITIVE_SUBNORMAL,
            f16::NEG_INFINITY,
            f16::NEG_ZERO,
            f16::NAN,
            f16::from_bits(0xfd01),
        ] {
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
