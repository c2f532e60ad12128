//! Quantities with three significant digits.

use crate::row::Unit;

/// A quantity as text: `12.3 µs`, `4,560 /s`, `7.89 MiB`.
pub(super) fn text(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds if value < 1e-3 => format!("{} µs", digits(value * 1e6)),
        Unit::Seconds if value < 1.0 => format!("{} ms", digits(value * 1e3)),
        Unit::Seconds => format!("{} s", digits(value)),
        Unit::PerSecond => format!("{} /s", digits(value)),
        Unit::Bytes => format!("{} MiB", digits(value / f64::from(1 << 20))),
    }
}

/// A number without a unit.
pub(super) fn digits(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => thousands(&format!("{value:.0}")),
    }
}

fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
