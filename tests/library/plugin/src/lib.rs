//! A plugin, such as an extension module of Python, that wants a daemon.

use std::time::{Duration, Instant};

#[cfg(feature = "auto")]
use toolbox as _;

struct Plain;

#[oad::object]
impl Plain {
    fn new() -> Self {
        Plain
    }
}

/// Tries to start a daemon, and prints how that fails.
#[unsafe(no_mangle)]
pub extern "C" fn start() {
    if cfg!(not(feature = "auto")) {
        oad::init();
    }
    let began = Instant::now();
    let started = oad::__private::block_on(async { PlainProxy::new().await });
    let error = started.expect_err("a shared library is not started again");
    assert!(began.elapsed() < Duration::from_secs(1), "it fails at once");
    println!("{:?}: {error}", error.kind());

    let here = oad::__private::block_on(async { PlainProxy::new().in_process().await });
    here.expect("a daemon within this process needs no program");
}
