//! numpy arrays, by value and by reference. Needs numpy in `python3`; without it the
//! example only says so.

use oad::value::{Array, Slice};
use oad::{PythonProxy, Remote as _};

#[oad::main]
async fn main() -> oad::Result<()> {
    let py = oad::interpreter("python3").await?;
    let numpy = match py.import("numpy").await {
        Err(error) if error.exception().is_some_and(|e| e.type_name() == "ModuleNotFoundError") => {
            println!("*** SKIPPED: python3 has no numpy, which this example needs ***");
            return Ok(());
        }
        imported => imported?,
    };

    // An array crosses as one block of bytes.
    let matrix = Array::from_slice(&[2.0f64, 1.0, 1.0, 3.0]).into_numpy(&[2, 2])?;
    let inverse: Array = numpy.call("linalg.inv", (&matrix,)).await?;
    println!("{:?} of {}: {:.1?}", inverse.shape(), inverse.dtype(), inverse.to_vec::<f64>()?);

    // It can also be read as rows, or as a number.
    let rows: Vec<Vec<f64>> = numpy.call("dot", (&matrix, &inverse)).await?;
    println!("{rows:.1?}");
    let determinant: f64 = numpy.call("linalg.det", (&matrix,)).await?;
    println!("{determinant:.1}");

    // A large array stays in the interpreter, and only the requested part crosses.
    let large: PythonProxy = numpy.call("arange", (10_000_000,)).await?;
    let slice = Slice { start: 5.into(), stop: 50.into(), step: 10.into() };
    let every_tenth: Vec<i64> = large.get_item(slice).await?;
    println!("{every_tenth:?} of {} numbers", large.len().await?);
    println!("{}", numpy.shutdown().await?);
    Ok(())
}
