//! Rows: what is measured, and what came out.

use serde::Serialize;

/// Measures one round and returns its samples.
pub(crate) type Round<'a> = Box<dyn FnMut() -> Vec<f64> + 'a>;

/// What a row stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The least that the operating system or the language allows.
    Limit,
    /// Something else that people use.
    Peer,
    /// oad.
    Oad,
}

/// What the samples of a work are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// Seconds; smaller is better.
    Seconds,
    /// Operations per second; larger is better.
    PerSecond,
    /// Bytes; smaller is better.
    Bytes,
}

/// One contender of a work.
pub(crate) struct Row<'a> {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) round: Round<'a>,
}

/// The samples of all contenders of one work.
#[derive(Debug, Serialize)]
pub(crate) struct WorkResult {
    pub(crate) work: &'static str,
    pub(crate) title: String,
    pub(crate) unit: Unit,
    pub(crate) rows: Vec<RowResult>,
}

/// The samples of one contender, summed up.
#[derive(Debug, Serialize)]
pub(crate) struct RowResult {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) samples: usize,
    pub(crate) p50: f64,
    /// The 99th percentile, or the worst sample if there are fewer than a hundred.
    pub(crate) p99: f64,
}

// === impl WorkResult ===

impl WorkResult {
    /// Runs the rounds of all rows, interleaved, so that what else the machine does meets
    /// each of them alike. A first round of each, which warms up, does not count.
    pub(crate) fn measure(
        work: &'static str,
        title: &str,
        unit: Unit,
        rounds: usize,
        mut rows: Vec<Row<'_>>,
    ) -> Self {
        let mut samples = vec![Vec::new(); rows.len()];
        for round in 0..=rounds {
            for (row, samples) in rows.iter_mut().zip(&mut samples) {
                let measured = (row.round)();
                if round > 0 {
                    samples.extend(measured);
                }
            }
        }
        let rows = rows.iter().zip(samples).map(|(row, samples)| {
            RowResult::new(row.id.clone(), row.name.clone(), row.kind, unit, samples)
        });
        WorkResult { work, title: title.to_owned(), unit, rows: rows.collect() }
    }

    /// The row with this id, if it was measured.
    pub(crate) fn row(&self, id: &str) -> Option<&RowResult> {
        self.rows.iter().find(|row| row.id == id)
    }
}

// === impl RowResult ===

impl RowResult {
    pub(crate) fn new(
        id: String,
        name: String,
        kind: Kind,
        unit: Unit,
        mut samples: Vec<f64>,
    ) -> Self {
        assert!(!samples.is_empty(), "`{name}` has no samples");
        samples.sort_unstable_by(f64::total_cmp);
        if unit == Unit::PerSecond {
            samples.reverse(); // the worst come last
        }
        let at = |percent: usize| samples[samples.len() * percent / 100];
        RowResult { id, name, kind, samples: samples.len(), p50: at(50), p99: at(99) }
    }
}
