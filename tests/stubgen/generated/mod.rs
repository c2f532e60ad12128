//! Written by stubgen, and compiled as it is; see `main.rs`.

pub(crate) mod depot;
pub(crate) mod shop;
pub(crate) mod standard;
