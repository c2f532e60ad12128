//! Streams from and to another process. Items are produced no faster than they are read.

use std::time::Duration;

use oad::{Remote as _, Stream};

struct Sensor {
    readings: u64,
}

#[oad::object]
impl Sensor {
    fn new() -> Self {
        Sensor { readings: 0 }
    }

    /// An endless iterator.
    fn read(&mut self) -> impl Iterator<Item = u64> {
        std::iter::from_fn(|| {
            self.readings += 1;
            Some(self.readings * self.readings)
        })
    }

    fn readings(&self) -> u64 {
        self.readings
    }

    /// The mean of the values, computed as they arrive.
    async fn mean(&self, mut values: Stream<f64>) -> oad::Result<f64> {
        let (mut sum, mut count) = (0.0, 0.0);
        while let Some(value) = values.next().await {
            sum += value?;
            count += 1.0;
        }
        Ok(sum / count)
    }
}

#[oad::main]
async fn main() -> oad::Result<()> {
    let sensor = SensorProxy::new().await?;

    let mut values = sensor.read().window(8).await?;
    for _ in 0..5 {
        let value = values.next().await.transpose()?;
        println!("read {value:?}");
    }
    drop(values); // ends the endless iterator
    println!(
        "the sensor was read {} times",
        sensor.readings().timeout(Duration::from_secs(5)).await?
    );

    let mean = sensor.mean(Stream::iter((1..=1000).map(f64::from))).await?;
    println!("the mean is {mean}");
    println!("{}", sensor.shutdown().await?);
    Ok(())
}
