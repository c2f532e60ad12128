//! What is printed.

use crate::ratios::RATIOS;
use crate::report::{quantity, ratio, ratio_title};
use crate::row::WorkResult;

/// Prints the ratios, one `name value` a line.
pub(crate) fn print_ratios(results: &[WorkResult]) {
    for known in RATIOS {
        match known.value(results) {
            Some(value) if value >= 100.0 => println!("{} {value:.0}", known.name),
            Some(value) => println!("{} {value:.3}", known.name),
            None => eprintln!("not measured: {}", known.name),
        }
    }
}

/// Prints a table for each work, and the ratios.
pub(crate) fn print_tables(results: &[WorkResult]) {
    for work in results {
        let title = ratio_title(work.unit);
        println!("{:<52} {:>12} {:>12} {:>20}", work.title, "p50", "p99", title);
        for row in &work.rows {
            let (p50, p99) =
                (quantity::text(row.p50, work.unit), quantity::text(row.p99, work.unit));
            let ratio = ratio(work, row).map(quantity::digits).unwrap_or_default();
            println!("  {:<50} {p50:>12} {p99:>12} {ratio:>20}", row.name);
        }
        println!();
    }
    print_ratios(results);
}
