//! Arrays of numpy's, by value and by reference. Without numpy in python3 it says so and
//! does nothing.

use oad::value::Array;
use oad::{PythonProxy, Remote as _};

#[oad::main]
async fn main() -> oad::Result<()> {
    let numpy = match oad::python_module("numpy").await {
        Err(error)
            if error
                .exception()
                .is_some_and(|exception| exception.type_name() == "ModuleNotFoundError") =>
        {
            println!(
                "*** SKIPPED: python3 has no numpy; this example shows nothing without it ***"
            );
            return Ok(());
        }
        made => made?,
    };

    // An array crosses as its bytes.
    let matrix = Array::from_slice(&[2.0f64, 1.0, 1.0, 3.0]).into_numpy(&[2, 2])?;
    let inverse: Array = numpy.call("linalg.inv", (&matrix,)).await?;
    println!("{:?} of {}: {:.1?}", inverse.shape(), inverse.dtype(), inverse.to_vec::<f64>()?);

    // Read as rows, or as a number.
    let rows: Vec<Vec<f64>> = numpy.call("dot", (&matrix, &inverse)).await?;
    println!("{rows:.1?}");
    let determinant: f64 = numpy.call("linalg.det", (&matrix,)).await?;
    println!("{determinant:.1}");

    // What is large stays there, and only what is asked for crosses.
    let large: PythonProxy = numpy.call("arange", (10_000_000,)).await?;
    let every: Vec<i64> = large
        .get_item(oad::value::Slice { start: 5.into(), stop: 50.into(), step: 10.into() })
        .await?;
    println!("{every:?} of {} numbers", large.len().await?);
    println!("{}", numpy.shutdown().await?);
    Ok(())
}
