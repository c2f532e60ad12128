//! Am I a daemon? Then serve, and never return.

use std::future::Future;

use crate::child::server::{self, Services};
use crate::common::process::{inherited_lifeline, note_initialized};

/// Makes this program able to be started again as a daemon: call it first thing in
/// `main`, or write [`#[oad::main]`](macro@crate::main).
///
/// In a program that was started as a daemon it serves until the daemon ends, and never
/// returns. In any other it returns at once, having done next to nothing. It may be
/// called inside an async `main`, and more than once.
///
/// In a daemon it also becomes the `tracing` subscriber, for `oad.v1.Control/Logs`,
/// unless the program has set one before.
///
/// ```
/// oad::init(); // the first line of `main`
/// ```
pub fn init() {
    init_with(|services| services);
}

/// As [`init`], for a program whose daemons serve gRPC services of its own beside oad's:
/// health and reflection know them, and [`Daemon::channel`](crate::Daemon::channel) is
/// what a generated client is made of. The function is called in a daemon only.
///
/// ```text
/// oad::init_with(|services| services.add_service(GreeterServer::new(Greetings), DESCRIPTOR_SET));
/// ```
///
/// The example `own_service` shows the whole of it.
pub fn init_with(add: impl FnOnce(Services) -> Services + Send + 'static) {
    match inherited_lifeline() {
        Ok(None) => note_initialized(),
        Ok(Some(lifeline)) => {
            // Its objects may make daemons in their turn.
            note_initialized();
            // On a thread of its own, because this one may be inside a runtime, which
            // another may not be started in.
            let server = std::thread::Builder::new().name("oad-server".to_owned());
            match server.spawn(move || server::run(lifeline, add(Services::default()))) {
                Ok(server) => match server.join() {
                    // It ends the process itself; only its panic gets here.
                    Err(_) => std::process::exit(101),
                },
                Err(error) => fail(&error),
            }
        }
        Err(error) => fail(&error),
    }
}

fn fail(error: &std::io::Error) -> ! {
    eprintln!("oad: this process was started as a daemon and cannot be one: {error}");
    std::process::exit(1)
}

/// Runs the body of `#[oad::main]`, on a runtime of one thread: connection and caller
/// then wake each other without waking a thread.
pub fn block_on<T>(main: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("the system gives a program a poll descriptor").block_on(main)
}

/// Lets the tests of a crate make daemons: put it once, at the top of each test binary —
/// `tests/name.rs`, or `src/lib.rs` under `#[cfg(test)]`.
///
/// A test binary has no `main` to call [`init`] in. This adds a test that does nothing
/// but that; the binary is started again with the name of that test to be a daemon. What
/// [`init_with`] is given may be given here too.
///
/// ```
/// oad::test_daemon!();
/// ```
#[macro_export]
macro_rules! test_daemon {
    () => {
        $crate::test_daemon!(|services| services);
    };
    ($add:expr) => {
        #[cfg(test)]
        #[test]
        fn oad_test_daemon() {
            $crate::init_with($add);
        }

        #[cfg(test)]
        $crate::__private::inventory::submit! {
            $crate::__private::TestDaemon { module: ::core::module_path!() }
        }
    };
}
