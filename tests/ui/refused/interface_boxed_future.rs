use std::future::Future;
use std::pin::Pin;

#[oad::object]
trait Count {
    fn count(&self) -> Pin<Box<dyn Future<Output = u8> + Send + '_>>;
}

fn main() {}
