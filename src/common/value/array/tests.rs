use super::*;
use crate::common::error::ErrorKind;
use crate::common::value::Complex;

#[test]
fn either_byte_order_is_read() {
    for (dtype, bytes) in [("<i2", [1, 0, 0xff, 0xff]), (">i2", [0, 1, 0xff, 0xff])] {
        let array = Array::new(ArraySource::Array, dtype, &[2], bytes.to_vec().into())
            .expect("it is an array");
        assert_eq!(array.dtype(), dtype);
        assert_eq!(array.to_vec::<i16>().expect("it is of that type"), [1, -1]);
        let error = array.to_vec::<u16>().expect_err("it has signs");
        assert_eq!(
            error.to_string(),
            format!("expected an array of `<u2`, found one of `{dtype}`")
        );
    }
}

#[test]
fn numbers_of_a_vector_are_not_copied() {
    let numbers = vec![1.5f64, -0.0, f64::NAN];
    let place = numbers.as_ptr();
    let array = Array::from(numbers);
    assert_eq!(array.bytes().as_ptr(), place.cast());
    let lent = array.numbers::<f64>().expect("they are of that type");
    assert_eq!((lent.as_ptr(), lent[0]), (place, 1.5));
    assert_eq!(Array::from_slice(&lent), array);
    let complex = vec![Complex { re: 1.0, im: 2.0 }];
    assert_eq!(Array::from(complex.clone()), Array::from_slice(&complex));
    assert_eq!(Array::from(vec![true, false]), Array::from_slice(&[true, false]));
    assert_eq!(Array::from(Vec::<u16>::new()).shape(), [0]);
}

#[test]
fn numbers_at_any_address_are_read() {
    let bytes = bytes::Bytes::from_iter([0].into_iter().chain(7u64.to_le_bytes()));
    let bytes = Bytes::from_owner(bytes.slice(1..));
    let array = Array::new(ArraySource::Numpy, "<u8", &[1], bytes).expect("it is an array");
    assert_eq!(array.numbers::<u64>().expect("it is of that type")[..], [7]);
}

#[test]
fn inconsistent_arrays_are_refused() {
    let cases: [(ArraySource, &str, &[u64], usize); 12] = [
        (ArraySource::Numpy, "<f8", &[2], 15),
        (ArraySource::Numpy, "<f8", &[u64::MAX, u64::MAX], 0),
        (ArraySource::Numpy, "<f8", &[u64::MAX / 4], 8),
        (ArraySource::Numpy, "f8", &[1], 8),
        (ArraySource::Numpy, "|f8", &[1], 8),
        (ArraySource::Numpy, "<i1", &[1], 1),
        (ArraySource::Numpy, "<f3", &[1], 3),
        (ArraySource::Numpy, "<O8", &[1], 8),
        (ArraySource::Numpy, "", &[1], 8),
        (ArraySource::Numpy, "é8", &[1], 8),
        (ArraySource::Array, "<f8", &[1, 1], 8),
        (ArraySource::Array, "<f2", &[1], 2),
    ];
    for (source, dtype, shape, bytes) in cases {
        let error = Array::new(source, dtype, shape, vec![0; bytes].into()).expect_err(dtype);
        assert_eq!(error.kind(), ErrorKind::WrongType);
    }
    Array::new(ArraySource::Numpy, "|b1", &[1], vec![2].into()).expect_err("2 is not a bool");
    Array::new(ArraySource::Numpy, "|b1", &[0; 65], vec![].into())
        .expect_err("it has too many dimensions");
}

#[test]
fn half_floats_are_read_exactly() {
    let bits = [0x3c00u16, 0xc000, 0x0001, 0x7c00, 0x8000, 0x3555];
    let bytes: Vec<u8> = bits.iter().flat_map(|bits| bits.to_be_bytes()).collect();
    let array = Array::new(ArraySource::Numpy, ">f2", &[6], bytes.into()).expect("it is an array");
    let read: Vec<Value> = array.into_items().expect("they are numbers").collect();
    let known = [1.0, -2.0, 2f64.powi(-24), f64::INFINITY, -0.0, 0.333_251_953_125];
    assert_eq!(read, known.map(Value::Float));
}
