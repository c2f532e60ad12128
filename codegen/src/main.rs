//! Generates the code of `proto/oad/v1`, which is committed in `proto/generated`.
//!
//! `cargo run -p oad-codegen` writes it. The test in this file fails if the committed
//! code is not what the `.proto` files generate. The crate `oad` itself has no build
//! dependency on a protobuf compiler: that saves its users a quarter of the build.
//! protox is a compiler written in Rust, so nobody needs `protoc` here either.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message as _;

/// The files that are generated: the code, and the descriptors for the reflection
/// service.
const FILES: [&str; 2] = ["oad.v1.rs", "descriptors.bin"];

/// Fields that are boxed. They are rare and large, and would make every message as large
/// as they are: each call moves its request and its response several times.
const LARGE_FIELDS: [&str; 6] = [
    ".oad.v1.CreateResponse.outcome.exception",
    ".oad.v1.CallResponse.outcome.exception",
    ".oad.v1.GetAttributeResponse.outcome.exception",
    ".oad.v1.OperateResponse.outcome.exception",
    ".oad.v1.IterateResponse.outcome.exception",
    ".oad.v1.SessionRequest.operation.create",
];

fn main() -> Result<(), Box<dyn Error>> {
    generate(&protos().join("generated"))
}

/// The folder of the `.proto` files.
fn protos() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto")
}

/// Writes the [`FILES`] into `out`.
fn generate(out: &Path) -> Result<(), Box<dyn Error>> {
    let files = ["value", "objects", "control"].map(|name| format!("oad/v1/{name}.proto"));
    let descriptors = protox::compile(files, [protos()])?;
    fs::write(out.join(FILES[1]), descriptors.encode_to_vec())?;
    let mut builder = tonic_prost_build::configure().bytes(".");
    for field in LARGE_FIELDS {
        builder = builder.boxed(field);
    }
    builder.out_dir(out).compile_fds(descriptors)?;
    Ok(())
}

#[test]
fn committed_code_is_current() {
    let fresh = tempfile::tempdir().expect("the system has a temporary directory");
    generate(fresh.path()).expect("the protos compile");
    for file in FILES {
        let committed = fs::read(protos().join("generated").join(file)).unwrap_or_default();
        let generated = fs::read(fresh.path().join(file)).expect("it was just generated");
        assert!(
            committed == generated,
            "proto/generated/{file} is out of date: run `cargo run -p oad-codegen`"
        );
    }
}
