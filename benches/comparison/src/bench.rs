//! What all works share: processes that are started when they are first needed.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use oad::{PythonProxy, Remote as _};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Args;
use crate::client_process::ClientProcess;
use crate::echo::{EchoingProxy, Way, python_target};
use crate::place::multi_thread;
use crate::ratios::RATIOS;
use crate::venv;

/// Everything is ended, and the directory removed, when this is dropped.
pub(crate) struct Bench {
    quick: bool,
    rounds: Option<usize>,
    /// A runtime with several threads. Calls are made from it unless a row says
    /// otherwise.
    pub(crate) runtime: Arc<Runtime>,
    clients: RefCell<BTreeMap<String, Option<Rc<RefCell<ClientProcess>>>>>,
    echoes: [OnceCell<EchoingProxy>; 2],
    targets: [OnceCell<PythonProxy>; 2],
    python: OnceCell<Result<PathBuf, String>>,
    system_python: PathBuf,
    missing: RefCell<Vec<String>>,
    directory: TempDir,
}

impl Bench {
    pub(crate) fn new(args: &Args) -> Self {
        let directory = tempfile::Builder::new().prefix("oad-bench.").tempdir();
        let directory = directory.expect("the temporary directory can be written to");
        let runtime = multi_thread();
        let path = directory.path().to_owned();
        runtime.spawn(async move {
            let terminate = signal(SignalKind::terminate());
            let mut terminate = terminate.expect("signals can be handled");
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            // The processes end with this one; nothing else removes the directory.
            // One that cannot be removed stays in the temporary directory.
            let _ = std::fs::remove_dir_all(path);
            std::process::exit(130);
        });
        Bench {
            quick: args.quick,
            rounds: args.rounds.map(|rounds| rounds as usize),
            runtime,
            clients: RefCell::default(),
            echoes: Default::default(),
            targets: Default::default(),
            python: OnceCell::new(),
            system_python: args.python.clone(),
            missing: RefCell::default(),
            directory,
        }
    }

    /// Whether a row is to be measured.
    pub(crate) fn wants(&self, work: &str, row: &str) -> bool {
        !self.quick || RATIOS.iter().any(|ratio| ratio.needs_row(work, row))
    }

    /// How many rounds to measure: fewer if it has to be quick.
    pub(crate) fn rounds(&self, quick: usize, full: usize) -> usize {
        self.rounds.unwrap_or(if self.quick { quick } else { full })
    }

    /// Where sockets may be made.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The interpreter with the peers' packages.
    pub(crate) fn python(&self) -> Option<&Path> {
        let python = self.python.get_or_init(|| {
            let python = venv::interpreter(&self.system_python);
            if let Err(error) = &python {
                self.report_missing(format!("all rows of Python: {error}"));
            }
            python
        });
        python.as_deref().ok()
    }

    /// A Python peer that is used for all works.
    pub(crate) fn client(&self, peer: &str) -> Option<Rc<RefCell<ClientProcess>>> {
        if let Some(known) = self.clients.borrow().get(peer) {
            return known.clone();
        }
        let client = self.start_client(&[peer]).map(|client| Rc::new(RefCell::new(client)));
        self.clients.borrow_mut().insert(peer.to_owned(), client.clone());
        client
    }

    /// Starts a Python peer.
    pub(crate) fn start_client(&self, arguments: &[&str]) -> Option<ClientProcess> {
        match ClientProcess::python(self.python()?, arguments, self.directory()) {
            Ok(client) => Some(client),
            Err(error) => {
                self.report_missing(format!("the Python peer {}: {error}", arguments[0]));
                None
            }
        }
    }

    /// A Rust object that is used for all works.
    pub(crate) fn echo(&self, way: Way) -> EchoingProxy {
        let echo = self.echoes[way as usize]
            .get_or_init(|| self.runtime.block_on(way.echo()).expect("a daemon can be started"));
        echo.clone()
    }

    /// A Python object that is used for all works.
    pub(crate) fn target(&self, way: Way) -> Option<PythonProxy> {
        let python = self.python()?;
        let target = self.targets[way as usize].get_or_init(|| {
            let target = self.runtime.block_on(python_target(python, way));
            target.expect("an interpreter can be started")
        });
        Some(target.clone())
    }

    pub(crate) fn report_missing(&self, what: String) {
        eprintln!("*** MISSING: {what} ***");
        self.missing.borrow_mut().push(what);
    }

    /// Ends everything, and returns what is missing in the results.
    pub(crate) fn finish(self) -> Vec<String> {
        self.runtime.block_on(async {
            for echo in self.echoes.iter().filter_map(OnceCell::get) {
                echo.shutdown().await.expect("a daemon can be ended");
            }
            for target in self.targets.iter().filter_map(OnceCell::get) {
                target.shutdown().await.expect("a daemon can be ended");
            }
        });
        self.missing.take()
    }
}
