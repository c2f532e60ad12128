//! Collects the rows of a work.

use std::path::PathBuf;

use crate::bench::Bench;
use crate::part::Part;
use crate::row::{Kind, Round, Row, Unit, WorkResult};
use crate::works::Work;

/// The rows of one work, without those that are not wanted.
pub(super) struct Rows<'a> {
    pub(super) bench: &'a Bench,
    work: &'static str,
    title: &'static str,
    rows: Vec<Row<'a>>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(bench: &'a Bench, work: &Work) -> Self {
        Rows { bench, work: work.key, title: work.title, rows: Vec::new() }
    }

    /// Adds a row, unless it is not wanted or cannot be measured. `start` starts what it
    /// needs.
    pub(super) fn add(
        &mut self,
        kind: Kind,
        id: &str,
        name: &str,
        start: impl FnOnce() -> Option<Round<'a>>,
    ) {
        if !self.bench.wants(self.work, id) {
            return;
        }
        if let Some(round) = start() {
            self.rows.push(Row { id: id.to_owned(), name: name.to_owned(), kind, round });
        }
    }

    /// Adds a row of a peer whose server is a part, which lives as long as the row.
    pub(super) fn add_part(
        &mut self,
        kind: Kind,
        id: &str,
        name: &str,
        connect: impl FnOnce(PathBuf) -> Round<'a>,
    ) {
        let directory = self.bench.directory();
        self.add(kind, id, name, || {
            let part = Part::start(id, directory);
            let mut round = connect(part.socket.clone());
            Some(Box::new(move || {
                let _serving = &part;
                round()
            }))
        });
    }

    /// Adds a row that a Python peer measures.
    pub(super) fn add_client(&mut self, kind: Kind, peer: &str, name: &str, command: &str) {
        let (bench, command) = (self.bench, command.to_owned());
        self.add(kind, peer, name, || {
            let client = bench.client(peer)?;
            Some(Box::new(move || client.borrow_mut().measure(&command)))
        });
    }

    /// Measures the rows.
    pub(super) fn measure(self, unit: Unit, rounds: usize) -> WorkResult {
        WorkResult::measure(self.work, self.title, unit, rounds, self.rows)
    }
}
