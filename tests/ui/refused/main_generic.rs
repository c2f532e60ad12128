#[oad::main]
async fn main<T>() -> Result<(), u8> {
    Ok(())
}
