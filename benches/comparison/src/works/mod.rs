//! The works: each measures the same thing with every contender.

mod arrays;
mod call;
mod contenders;
mod data;
mod growth;
mod items;
mod life;
mod many;
mod memory;
mod rows;

use crate::bench::Bench;
use crate::row::WorkResult;

/// Something to measure.
pub(crate) struct Work {
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    measure: fn(&Bench, &Work) -> Vec<WorkResult>,
}

/// All works, in the order in which they are measured and shown.
pub(crate) const WORKS: &[Work] = &[
    Work::new("rust_call", "one call of a Rust object", call::rust),
    Work::new("python_call", "one call of a Python object", call::python),
    Work::new("rust_64", "64 calls of a Rust object in flight", many::rust),
    Work::new("python_64", "64 calls of a Python object in flight", many::python),
    Work::new("rust_1mib", "1 MiB to a Rust object and back", data::rust_1mib),
    Work::new("rust_64mib", "64 MiB to a Rust object and back", data::rust_64mib),
    Work::new("python_1mib", "1 MiB to a Python object and back", data::python_1mib),
    Work::new("python_64mib", "64 MiB to a Python object and back", data::python_64mib),
    Work::new("rust_floats", "a Vec of 1,000,000 f64 to a Rust object and back", arrays::rust),
    Work::new("numpy_1m", "an array of 1,000,000 f64 to numpy and back", arrays::numpy),
    Work::new("numpy_thin", "an array of 122 MiB to numpy, 8 MiB back", arrays::thin),
    Work::new("rust_items", "100,000 items of a Rust object", items::rust),
    Work::new("python_items", "100,000 items of a Python object", items::python),
    Work::new("rust_life", "start of a Rust object's process and a call", life::rust),
    Work::new("python_life", "start of a Python object's process and a call", life::python),
    Work::new("rust_memory", "memory of a Rust object's process (PSS)", memory::rust),
    Work::new("python_memory", "memory of a Python object's processes (PSS)", memory::python),
    Work::new("daemons", "one call with so many daemons", growth::daemons),
    Work::new("objects", "one call with so many objects in one daemon", growth::objects),
];

impl Work {
    const fn new(
        key: &'static str,
        title: &'static str,
        measure: fn(&Bench, &Work) -> Vec<WorkResult>,
    ) -> Self {
        Work { key, title, measure }
    }

    pub(crate) fn measure(&self, bench: &Bench) -> Vec<WorkResult> {
        (self.measure)(bench, self)
    }
}
