//! All results, for other programs.

use serde::Serialize;

use crate::ratios::RATIOS;
use crate::row::WorkResult;

#[derive(Serialize)]
struct Report<'a> {
    ratios: serde_json::Map<String, serde_json::Value>,
    /// Seconds, operations per second, or bytes.
    works: &'a [WorkResult],
    missing: &'a [String],
}

pub(super) fn text(results: &[WorkResult], missing: &[String]) -> String {
    let ratios = RATIOS
        .iter()
        .filter_map(|ratio| Some((ratio.name.to_owned(), ratio.value(results)?.into())));
    let report = Report { ratios: ratios.collect(), works: results, missing };
    serde_json::to_string_pretty(&report).expect("the results are plain data") + "\n"
}
