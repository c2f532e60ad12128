//! Compiles `proto/oad/v1` with protox, a compiler in Rust, so that nobody needs a `protoc`.

use std::error::Error;
use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let files = ["value", "objects", "control"].map(|file| format!("proto/oad/v1/{file}.proto"));
    let descriptors = protox::compile(&files, ["proto"])?;

    // The same descriptors go to the reflection service, so that grpcurl shows the comments' subjects without any file.
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("oad_descriptor.bin"), descriptors.encode_to_vec())?;

    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    println!("cargo:rerun-if-changed=proto");
    Ok(())
}
