//! A section of a page of the documentation.

use std::fmt::Write as _;
use std::fs;

use crate::ratios::RATIOS;
use crate::report::{quantity, ratio, ratio_title};
use crate::row::{Kind, WorkResult};

const BEGIN: &str = "<!-- results: begin -->\n";
const END: &str = "<!-- results: end -->\n";

/// Replaces what is between the marker comments of a page.
pub(super) fn insert(page: &str, section: &str) -> String {
    let (before, rest) = page.split_once(BEGIN).expect("the page has the first marker");
    let (_, after) = rest.split_once(END).expect("the page has the second marker");
    format!("{before}{BEGIN}\n{section}\n{END}{after}")
}

pub(super) fn section(results: &[WorkResult], missing: &[String]) -> String {
    let mut text = format!("Measured on {}.\n", machine());
    for row in missing {
        // Writing to a string cannot fail.
        let _ = write!(text, "\nMissing: {row}\n");
    }
    text.push_str("\n| number | value |\n|---|---:|\n");
    for known in RATIOS {
        if let Some(value) = known.value(results) {
            let _ = writeln!(text, "| `{}` | {} |", known.name, quantity::digits(value));
        }
    }
    for work in results {
        let mut title = work.title.clone();
        title[..1].make_ascii_uppercase();
        let ratios = ratio_title(work.unit);
        let has_ratios = work.row("oad").is_some() && work.rows.len() > 1;
        let _ = match has_ratios {
            true => {
                write!(text, "\n### {title}\n\n| | p50 | p99 | {ratios} |\n|---|---:|---:|---:|\n")
            }
            false => write!(text, "\n### {title}\n\n| | p50 | p99 |\n|---|---:|---:|\n"),
        };
        for row in &work.rows {
            let name = match row.kind {
                Kind::Limit => format!("*{}*", row.name),
                Kind::Peer => row.name.clone(),
                Kind::Oad => format!("**{}**", row.name),
            };
            let (p50, p99) =
                (quantity::text(row.p50, work.unit), quantity::text(row.p99, work.unit));
            let _ = write!(text, "| {name} | {p50} | {p99} |");
            if let (true, Some(ratio)) = (has_ratios, ratio(work, row)) {
                let _ = write!(text, " {} |", quantity::digits(ratio));
            }
            text.push('\n');
        }
    }
    text
}

/// The processor, the number of its cores, and the kernel.
fn machine() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": ")).map_or("a processor", |(_, it)| it);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split(['-', '+']).next().unwrap_or_default().trim();
    format!("{cores} cores of {model}, Linux {kernel}")
}
