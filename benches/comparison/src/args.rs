//! The program's arguments.

use std::path::PathBuf;

use clap::Parser;

use crate::ratios::RATIOS;
use crate::works::WORKS;

/// Compares oad with its peers: medians over interleaved rounds.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// Measure only the rows that the ratios need, in fewer rounds
    #[arg(long)]
    pub(crate) quick: bool,
    /// Print only the ratios, one `name value` a line
    #[arg(long)]
    pub(crate) ratios: bool,
    /// Measure so many rounds of each work
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: Option<u32>,
    /// Measure only this work; may be repeated
    #[arg(long, value_name = "WORK", value_parser = keys())]
    pub(crate) only: Vec<String>,
    /// Write all results to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a bar chart to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Replace the tables between the marker comments of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// The Python that makes the virtual environment of the Python peers
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    pub(crate) python: PathBuf,
}

impl Args {
    /// Whether a work is to be measured.
    pub(crate) fn wants(&self, work: &str) -> bool {
        let is_picked = self.only.is_empty() || self.only.iter().any(|key| key == work);
        is_picked && (!self.quick || RATIOS.iter().any(|ratio| ratio.needs_work(work)))
    }
}

fn keys() -> clap::builder::PossibleValuesParser {
    WORKS.iter().map(|work| work.key).collect::<Vec<_>>().into()
}
