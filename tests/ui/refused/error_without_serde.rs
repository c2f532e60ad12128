struct Broken;

struct Counter;

#[oad::object]
impl Counter {
    #[oad(error)]
    fn count(&self) -> Result<u8, Broken> {
        Err(Broken)
    }

    #[oad(error)]
    fn read(&self) -> std::io::Result<u8> {
        Ok(0)
    }
}

fn main() {}
