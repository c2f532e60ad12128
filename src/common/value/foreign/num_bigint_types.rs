//! The integers of `num-bigint`.

use num_bigint::{BigUint, Sign};

use crate::common::error::{Error, Result};
use crate::common::value::fault::wrong_type;
use crate::common::value::{AsValue, BigInt, Value};

impl From<&num_bigint::BigInt> for BigInt {
    fn from(int: &num_bigint::BigInt) -> Self {
        BigInt::from_le_bytes(&int.to_signed_bytes_le())
    }
}

impl From<num_bigint::BigInt> for BigInt {
    fn from(int: num_bigint::BigInt) -> Self {
        BigInt::from(&int)
    }
}

impl From<BigUint> for BigInt {
    fn from(int: BigUint) -> Self {
        BigInt::from(num_bigint::BigInt::from(int))
    }
}

impl From<num_bigint::BigInt> for Value {
    fn from(int: num_bigint::BigInt) -> Self {
        BigInt::from(int).into()
    }
}

impl From<BigUint> for Value {
    fn from(int: BigUint) -> Self {
        BigInt::from(int).into()
    }
}

impl From<&BigInt> for num_bigint::BigInt {
    fn from(int: &BigInt) -> Self {
        num_bigint::BigInt::from_signed_bytes_le(int.to_le_bytes())
    }
}

impl From<BigInt> for num_bigint::BigInt {
    fn from(int: BigInt) -> Self {
        num_bigint::BigInt::from(&int)
    }
}

/// # Errors
///
/// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is negative.
impl TryFrom<BigInt> for BigUint {
    type Error = Error;

    fn try_from(int: BigInt) -> Result<Self> {
        match num_bigint::BigInt::from(int).into_parts() {
            (Sign::Minus, _) => {
                Err(wrong_type("expected an integer from 0 on, found a negative one"))
            }
            (_, magnitude) => Ok(magnitude),
        }
    }
}

impl AsValue for num_bigint::BigInt {
    type Kind = BigInt;

    fn to_kind(&self) -> Result<BigInt> {
        Ok(self.into())
    }

    fn from_kind(int: BigInt) -> Result<Self> {
        Ok(int.into())
    }
}

impl AsValue for BigUint {
    type Kind = BigInt;

    fn to_kind(&self) -> Result<BigInt> {
        Ok(self.clone().into())
    }

    fn from_kind(int: BigInt) -> Result<Self> {
        int.try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::value::foreign::survives;

    #[test]
    fn integers_of_any_size_survive() {
        for text in ["0", "-1", "18446744073709551616", "-170141183460469231731687303715884105729"]
        {
            let int: num_bigint::BigInt = text.parse().expect("it is one");
            survives(int, text.parse().expect("it is one"));
        }
        survives(BigUint::from(u128::MAX), BigInt::from(u128::MAX));
        survives(BigUint::ZERO, BigInt::from(0));
        BigUint::try_from(BigInt::from(-1)).expect_err("it is negative");
    }
}
