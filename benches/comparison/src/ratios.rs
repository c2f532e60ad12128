//! The numbers that stand for the whole comparison.

use crate::row::WorkResult;

/// A named number: the median of a row, or the ratio of two medians.
pub(crate) struct Ratio {
    pub(crate) name: &'static str,
    work: &'static str,
    row: &'static str,
    over: Option<&'static str>,
}

/// All ratios, in the order in which they are printed.
pub(crate) const RATIOS: &[Ratio] = &[
    Ratio::of("rust_call_vs_pingpong", "rust_call", "oad", "pingpong"),
    Ratio::of("rust_call_vs_tonic_unary", "rust_call", "oad", "tonic"),
    Ratio::of("rust_call_vs_tarpc", "rust_call", "oad", "tarpc"),
    Ratio::of("rust_call_vs_ttrpc", "rust_call", "oad", "ttrpc"),
    Ratio::of("python_call_vs_managers", "python_call", "oad", "managers"),
    Ratio::of("python_call_vs_pyoad", "python_call", "oad", "pyoad"),
    Ratio::median("rust_64_per_s", "rust_64", "oad"),
    Ratio::of("python_64_vs_managers", "python_64", "oad", "managers"),
    Ratio::of("rust_64mib_vs_socket", "rust_64mib", "oad", "socket"),
    Ratio::of("python_1mib_vs_managers", "python_1mib", "oad", "managers"),
    Ratio::of("numpy_1m_vs_managers", "numpy_1m", "oad", "managers"),
    Ratio::median("rust_items_per_s", "rust_items", "oad"),
    Ratio::median("python_items_per_s", "python_items", "oad"),
];

impl Ratio {
    const fn of(
        name: &'static str,
        work: &'static str,
        row: &'static str,
        over: &'static str,
    ) -> Self {
        Ratio { name, work, row, over: Some(over) }
    }

    const fn median(name: &'static str, work: &'static str, row: &'static str) -> Self {
        Ratio { name, work, row, over: None }
    }

    pub(crate) fn needs_work(&self, work: &str) -> bool {
        self.work == work
    }

    pub(crate) fn needs_row(&self, work: &str, row: &str) -> bool {
        self.work == work && (self.row == row || self.over == Some(row))
    }

    /// The number, if all that it needs was measured.
    pub(crate) fn value(&self, results: &[WorkResult]) -> Option<f64> {
        let work = results.iter().find(|result| result.work == self.work)?;
        let value = work.row(self.row)?.p50;
        Some(match self.over {
            Some(over) => value / work.row(over)?.p50,
            None => value,
        })
    }
}
