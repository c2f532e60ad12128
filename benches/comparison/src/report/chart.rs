//! A chart of the times: a bar for each row, on a logarithmic axis.

use std::fmt::Write as _;

use crate::report::quantity;
use crate::row::{Kind, Unit, WorkResult};

/// The works that are shown; the chart would be too long with all.
const CHARTED: &[&str] =
    &["rust_call", "python_call", "rust_1mib", "python_1mib", "numpy_1m", "python_life"];

const WIDTH: f64 = 860.0;
const LEFT: f64 = 320.0;
const RIGHT: f64 = 90.0;
const LINE: f64 = 20.0;
const BAR: f64 = 13.0;
const TITLE: f64 = 46.0;

pub(super) fn svg(results: &[WorkResult]) -> String {
    let is_charted =
        |work: &&WorkResult| work.unit == Unit::Seconds && CHARTED.contains(&work.work);
    let works: Vec<&WorkResult> = results.iter().filter(is_charted).collect();
    let height: f64 = works.iter().map(|work| TITLE + LINE * work.rows.len() as f64).sum();
    let height = height + LINE;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    let mut top = 0.0;
    for work in works {
        draw(&mut text, work, top);
        top += TITLE + LINE * work.rows.len() as f64;
    }
    text + "</svg>\n"
}

/// Draws a work: its title, the lines of its axis, and a bar for each row.
fn draw(text: &mut String, work: &WorkResult, top: f64) {
    let values = || work.rows.iter().map(|row| row.p50);
    // The shortest bar is a third of a decade long, so that it can be seen.
    let least = values().fold(f64::INFINITY, f64::min).log10() - 0.33;
    let most = values().fold(0.0, f64::max).log10();
    let place =
        |value: f64| LEFT + (value.log10() - least) / (most - least) * (WIDTH - LEFT - RIGHT);
    let (first, last) = (top + TITLE, top + TITLE + LINE * work.rows.len() as f64);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "<text x=\"10\" y=\"{}\" font-size=\"14\" font-weight=\"bold\">{}</text>",
        top + 26.0,
        escape(&work.title)
    );
    for decade in least.ceil() as i32..=most.floor() as i32 {
        let (value, x) = (10f64.powi(decade), place(10f64.powi(decade)));
        let _ = writeln!(
            text,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{first}\" y2=\"{last}\" stroke=\"#ccc\"/>\
             <text x=\"{x:.1}\" y=\"{}\" fill=\"#888\" text-anchor=\"middle\">{}</text>",
            first - 4.0,
            axis_label(value)
        );
    }
    for (number, row) in work.rows.iter().enumerate() {
        let y = first + LINE * number as f64;
        let (end, middle) = (place(row.p50), y + BAR);
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{middle}\">{}</text>",
            LEFT - 8.0,
            escape(&row.name),
            y + 2.0,
            end - LEFT,
            color(row.kind),
            end + 5.0,
            quantity::text(row.p50, work.unit)
        );
    }
}

fn color(kind: Kind) -> &'static str {
    match kind {
        Kind::Limit => "#bbbbbb",
        Kind::Peer => "#7a9cc6",
        Kind::Oad => "#d9743b",
    }
}

/// A power of ten of a second.
fn axis_label(value: f64) -> String {
    match value {
        value if value < 0.9e-3 => format!("{:.0} µs", value * 1e6),
        value if value < 0.9 => format!("{:.0} ms", value * 1e3),
        value => format!("{value:.0} s"),
    }
}

/// Text as XML has it. Backquotes mark code only in Markdown.
fn escape(text: &str) -> String {
    text.replace('`', "").replace('&', "&amp;").replace('<', "&lt;")
}
