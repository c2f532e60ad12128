//! How the results are shown: text, JSON, a section of Markdown, and a chart.

mod chart;
mod json;
mod markdown;
mod quantity;
pub(crate) mod text;

use std::fs;
use std::path::Path;

use crate::args::Args;
use crate::row::{RowResult, Unit, WorkResult};

/// Writes the files that the arguments name.
pub(crate) fn write_files(args: &Args, results: &[WorkResult], missing: &[String]) {
    if let Some(file) = &args.json {
        write(file, &json::text(results, missing));
    }
    if let Some(file) = &args.svg {
        write(file, &chart::svg(results));
    }
    if let Some(file) = &args.markdown {
        let page = fs::read_to_string(file);
        let page = page.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        write(file, &markdown::insert(&page, &markdown::section(results, missing)));
    }
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

/// How many times as long as a row oad takes, or how many times as much memory; for
/// rates, how many times as fast oad is.
fn ratio(work: &WorkResult, row: &RowResult) -> Option<f64> {
    Some(work.row("oad")?.p50 / row.p50)
}

/// How good a ratio is: for rates, more is better.
fn ratio_title(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "oad's time / this",
        Unit::PerSecond => "oad's rate / this",
        Unit::Bytes => "oad's memory / this",
    }
}
