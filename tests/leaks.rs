//! Many lives of daemons leave their parent as it was after the first.

use std::time::Duration;

use oad::{Remote as _, Value};
use support::lab::LabProxy;
use support::{PART, Parent, say};

mod support;

oad::test_daemon!();

const CYCLES: usize = 300;

/// How many of them at once, every third time.
const AT_ONCE: usize = 4;

/// Plays the parent: makes, calls and drops daemons when it is told to, by the creation
/// of a file.
#[test]
fn parent_of_many() {
    if std::env::var_os(PART).is_none() {
        return;
    }
    // The caller's own memory is to be counted, not what glibc keeps per thread.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        live_and_die().await;
        say("one");
        wait_for_word().await;
        let mut made = 1;
        while made < CYCLES {
            match made % 3 {
                0 => {
                    futures_util::future::join_all((0..AT_ONCE).map(|_| live_and_die())).await;
                    made += AT_ONCE;
                }
                _ => {
                    live_and_die().await;
                    made += 1;
                }
            }
        }
        say(made);
        wait_for_word().await;
    });
}

async fn live_and_die() {
    let lab = LabProxy::new().await.expect("a daemon can be made");
    assert_eq!(lab.echo(Value::Int(5)).await.expect("it answers"), Value::Int(5));
    let pid = lab.pid();
    drop(lab);
    while support::state(pid).is_some() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Waits for SIGUSR1.
async fn wait_for_word() {
    let kind = tokio::signal::unix::SignalKind::user_defined1();
    let mut signals = tokio::signal::unix::signal(kind).expect("signals can be heard");
    say("listening");
    signals.recv().await;
}

/// What must not be more after many lives than after one.
#[derive(Debug)]
struct Look {
    processes: Vec<(u32, String)>,
    children: Vec<u32>,
    directories: Vec<std::path::PathBuf>,
    /// Descriptors, threads, sockets.
    holdings: (usize, usize, usize),
}

impl Look {
    /// The parent closes the last descriptors a moment after it has reaped the process,
    /// so that there may have been more of them after the first life.
    fn is_no_more_than(&self, before: &Look) -> bool {
        let ((descriptors, threads, sockets), was) = (self.holdings, before.holdings);
        self.processes == before.processes
            && (&self.children, &self.directories) == (&before.children, &before.directories)
            && descriptors <= was.0
            && (threads, sockets) == (was.1, was.2)
    }
}

fn look(parent: &Parent) -> Look {
    parent.wait_until_gone_but_itself(Duration::from_secs(5));
    Look {
        processes: parent.census(),
        children: support::children(parent.pid()),
        directories: parent.directories(),
        holdings: support::holdings(parent.pid()),
    }
}

#[test]
fn hundreds_of_lives_leave_nothing() {
    let mut parent = Parent::start("parent_of_many", "go");
    assert_eq!(parent.hear(), ["one"]);
    assert_eq!(parent.hear(), ["listening"]);
    let before = look(&parent);
    let memory_before = support::resident_kib(parent.pid());
    support::signal(parent.pid(), "-USR1");
    let made: usize = parent.hear_number();
    assert!(made >= CYCLES);
    assert_eq!(parent.hear(), ["listening"]);
    support::wait_until(Duration::from_secs(5), || match look(&parent) {
        after if after.is_no_more_than(&before) => Ok(()),
        after => Err(format!("{after:?}, and before {before:?}")),
    });
    let after = look(&parent);
    let memory_after = support::resident_kib(parent.pid());
    println!(
        "{made} lives: memory grew by {} KiB; {:?}",
        memory_after.saturating_sub(memory_before),
        after.holdings
    );
    assert!(
        memory_after < memory_before + 2 * 1024,
        "from {memory_before} KiB to {memory_after} KiB"
    );
    support::signal(parent.pid(), "-USR1");
    assert!(parent.process.wait().expect("it is ours").success());
}
