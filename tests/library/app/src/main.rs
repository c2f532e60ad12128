//! Prints `done`, and never gets to `main` as a daemon.
#![forbid(unsafe_code)]

#[toolbox::remote::main(crate = "toolbox::remote")]
async fn main() -> toolbox::remote::Result<()> {
    app::work().await?;
    println!("done");
    Ok(())
}
