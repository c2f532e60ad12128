//! Traits whose methods are reached through whatever object implements them, and proxies
//! that implement the trait.
#![deny(warnings, missing_docs, unreachable_pub, missing_debug_implementations, clippy::all)]
#![forbid(unsafe_code)]

mod order;
pub mod store;

oad::test_daemon!();
