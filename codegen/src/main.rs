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
use prost_types::DescriptorProto;

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
    let mut descriptors = protox::compile(files, [protos()])?;
    fs::write(out.join(FILES[1]), descriptors.encode_to_vec())?;
    descriptors.file.iter_mut().flat_map(|file| &mut file.message_type).for_each(keep_order);
    let mut builder = tonic_prost_build::configure().bytes(".");
    for field in LARGE_FIELDS {
        builder = builder.boxed(field);
    }
    builder.out_dir(out).compile_fds(descriptors)?;
    Ok(())
}

/// Makes each map from names to values a list of `Keyword`, for the Rust code only.
///
/// Both are encoded alike, but the order of keyword arguments is lost in a `HashMap`. In
/// the descriptors they stay maps, because a person can type a map.
fn keep_order(message: &mut DescriptorProto) {
    let (entries, others): (Vec<_>, Vec<_>) =
        std::mem::take(&mut message.nested_type).into_iter().partition(is_keyword);
    message.nested_type = others;
    for field in &mut message.field {
        let is_of = |entry: &DescriptorProto| {
            field.type_name().ends_with(&format!(
                ".{}.{}",
                message.name.as_deref().unwrap_or_default(),
                entry.name()
            ))
        };
        if entries.iter().any(is_of) {
            field.type_name = Some(".oad.v1.Keyword".to_owned());
        }
    }
}

/// Whether it is the entry of a map from names to values.
fn is_keyword(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(|options| options.map_entry())
        && message.field.iter().any(|field| field.type_name() == ".oad.v1.Value")
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
