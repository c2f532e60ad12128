//! The start of a program: if it was started as a daemon, it serves and never returns.

use std::any::Any;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;

use crate::child::server::{self, Services};
use crate::common::handshake::write_failure;
use crate::common::process::{
    Constructor, ConstructorArguments, FailureChannel, InheritedLifeline, LaterConstructors,
    inherited_lifeline, is_started_as_daemon, note_initialized,
};

/// Lets this program be started again as a daemon. Call it on the first line of `main`,
/// or write [`#[oad::main]`](macro@crate::main) on an async `main`.
///
/// In a program that was started as a daemon it serves until the daemon ends, and never
/// returns. In any other it returns at once, having done next to nothing. It may be
/// called inside an async `main`, and more than once.
///
/// A daemon has no `tracing` subscriber until somebody calls `oad.v1.Control/Logs`, which
/// sets one unless the program or an object has set its own.
///
/// A shared library, such as a plugin or an extension module of Python, cannot call it
/// for the program that has loaded it: the program, started again, would not load the
/// library. Starting a daemon then fails with
/// [`NotInitialized`](crate::ErrorKind::NotInitialized). See
/// [`executable`](crate::Spawn::executable) and [`in_process`](crate::Spawn::in_process).
/// A library whose users should not have to call it has [`auto_init!`](crate::auto_init).
///
/// ```
/// oad::init(); // the first line of `main`
/// ```
#[track_caller]
pub fn init() {
    init_with(|services| services);
}

/// Does the same as [`init`], for a program whose daemons also serve gRPC services of its
/// own. Health and reflection include them, and
/// [`Daemon::channel`](crate::Daemon::channel) connects generated clients. The function
/// is called only in a daemon.
///
/// ```text
/// oad::init_with(|services| services.add_service(GreeterServer::new(Greetings), DESCRIPTOR_SET));
/// ```
///
/// The example `own_service` shows all of it.
#[track_caller]
pub fn init_with(add: impl FnOnce(Services) -> Services + Send + 'static) {
    // Before serving, because the daemon's objects may start daemons too. The caller's
    // location is static data of the caller, which lies in the file that holds its code.
    note_initialized(std::ptr::from_ref(Location::caller()).addr());
    match inherited_lifeline() {
        Ok(None) => {}
        Ok(Some(lifeline)) => serve(lifeline, add),
        Err(error) => give_up(FailureChannel::at_stdin(), &error.to_string()),
    }
}

/// Serves as a daemon, on a thread of its own, because this one may be inside a runtime,
/// in which another cannot be started.
fn serve(
    lifeline: InheritedLifeline,
    add: impl FnOnce(Services) -> Services + Send + 'static,
) -> ! {
    let report = FailureChannel::of(&lifeline);
    let server = Builder::new().name("oad-server".to_owned());
    match server.spawn(move || server::run(lifeline, add(Services::default()))) {
        // It ends the process itself; only its panic gets here.
        Ok(server) => match server.join() {
            Err(panic) => {
                report_failure(report, &panic_message(&*panic));
                std::process::exit(101)
            }
        },
        Err(error) => give_up(report, &format!("failed to start a thread: {error}")),
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("it panicked: {}", message.unwrap_or("no message"))
}

/// Ends a process that cannot be a daemon. The reason goes to the parent, and to stderr.
fn give_up(lifeline: Option<FailureChannel>, reason: &str) -> ! {
    eprintln!("oad: this process was started as a daemon but cannot be one: {reason}");
    report_failure(lifeline, reason);
    std::process::exit(1)
}

fn report_failure(lifeline: Option<FailureChannel>, reason: &str) {
    if let Some(mut lifeline) = lifeline {
        // If that fails too, the parent still reads the end of stderr.
        let _ = write_failure(&mut lifeline, reason);
    }
}

/// Runs the body of `#[oad::main]` on a runtime of one thread: connection and caller then
/// wake each other without waking a thread.
pub fn block_on<T>(main: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a program can create an epoll descriptor").block_on(main)
}

/// Does what [`init_with`] does, in the constructor that [`auto_init!`](crate::auto_init)
/// has made. In a process that was not started as a daemon it only looks at fd 0.
pub fn init_before_main(
    constructor: &'static Constructor,
    arguments: ConstructorArguments,
    add: impl FnOnce(Services) -> Services + Send + 'static,
) {
    static IS_SERVING: AtomicBool = AtomicBool::new(false);
    note_initialized(std::ptr::from_ref(constructor).expose_provenance());
    // The second of two constructors runs as a later one of the first.
    if !is_started_as_daemon() || IS_SERVING.swap(true, Ordering::Relaxed) {
        return;
    }
    match LaterConstructors::of(constructor) {
        Ok(Some(later)) => later.run(arguments),
        // This is a shared library: its program may call `init` itself.
        Ok(None) => return IS_SERVING.store(false, Ordering::Relaxed),
        Err(error) => give_up(FailureChannel::at_stdin(), &constructors_unknown(&error)),
    }
    if let Err(error) = ignore_broken_pipes() {
        give_up(FailureChannel::at_stdin(), &format!("failed to handle SIGPIPE: {error}"));
    }
    match inherited_lifeline() {
        // A later constructor has taken it, and returned.
        Ok(None) => {}
        Ok(Some(lifeline)) => serve(lifeline, add),
        Err(error) => give_up(FailureChannel::at_stdin(), &error.to_string()),
    }
}

fn constructors_unknown(error: &io::Error) -> String {
    format!("`oad::auto_init!` failed to find the constructors that run before `main`: {error}")
}

/// Lets writes to closed pipes fail, as Rust does before `main`; without this, a daemon
/// that prints something after its parent's death would die of SIGPIPE.
fn ignore_broken_pipes() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _entered = runtime.enter();
    // tokio never removes the handler that it installs for this.
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::pipe()).map(drop)
}

/// Lets a program be started again as a daemon without [`init`]: write it once, in a
/// library or in the program, outside of any function. The argument of [`init_with`] may
/// be given too.
///
/// It is for libraries whose users have never heard of oad. It adds a function that runs
/// before `main`, and that only looks at fd 0, unless the process was started as a
/// daemon: then it lets all other such functions run (the registrations of objects, the
/// initializers of C++ libraries) and serves until the daemon ends, so that `main` never
/// runs. [`test_daemon!`](crate::test_daemon) is not needed either.
///
/// Compared with [`init`], in such a daemon
///
/// - the program's arguments are empty, unless its C library is glibc;
/// - a stack overflow is reported as a signal only, without Rust's message;
/// - a program whose section headers were removed (`strip --strip-section-headers`, UPX)
///   cannot be a daemon. Starting one fails with that reason.
///
/// In a shared library it has no effect, as [`init`] has none there.
///
/// ```
/// oad::auto_init!();
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! auto_init {
    () => {
        $crate::auto_init!(|services| services);
    };
    ($add:expr) => {
        const _: () = {
            extern "C" fn constructor(argc: usize, argv: usize, envp: usize) {
                $crate::__private::init_before_main(&CONSTRUCTOR, [argc, argv, envp], $add);
            }

            // SAFETY: the section holds pointers to functions that the C library calls
            // once, before `main`, with three arguments or none. This is one pointer to
            // such a function, which does not depend on its arguments.
            #[used]
            #[unsafe(link_section = ".init_array")]
            static CONSTRUCTOR: $crate::__private::Constructor =
                $crate::__private::Constructor(constructor);
        };
    };
}

/// Lets the tests of a crate start daemons: write it once, at the top of each test
/// binary, which is `tests/name.rs`, or `src/lib.rs` under `#[cfg(test)]`.
///
/// A test binary has no `main` to call [`init`] in. This adds a test that only does that;
/// the binary is started again with the name of that test to be a daemon. The argument of
/// [`init_with`] may be given too.
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
