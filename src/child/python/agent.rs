//! The Python program that runs in every interpreter.

use std::sync::LazyLock;

/// The program that the interpreter is started with. It receives the agent and runs it.
pub(super) const BOOTSTRAP: &str = include_str!("bootstrap.py");

/// The agent's modules, each after those that it imports.
const MODULES: [&str; 26] = [
    include_str!("agent/failure.py"),
    include_str!("agent/standard_library.py"),
    include_str!("agent/surroundings.py"),
    include_str!("agent/wire.py"),
    include_str!("agent/inspection.py"),
    include_str!("agent/standard_values.py"),
    include_str!("agent/by_value.py"),
    include_str!("agent/encoding.py"),
    include_str!("agent/decoding.py"),
    include_str!("agent/exceptions.py"),
    include_str!("agent/objects.py"),
    include_str!("agent/names.py"),
    include_str!("agent/description.py"),
    include_str!("agent/texts.py"),
    include_str!("agent/operators.py"),
    include_str!("agent/steps.py"),
    include_str!("agent/kept.py"),
    include_str!("agent/operations.py"),
    include_str!("agent/doors.py"),
    include_str!("agent/signals.py"),
    include_str!("agent/threads.py"),
    include_str!("agent/coroutines.py"),
    include_str!("agent/reader.py"),
    include_str!("agent/listener.py"),
    include_str!("agent/forking.py"),
    include_str!("agent/request_loop.py"),
];

/// The agent as one text: its modules in order, without the statements that import one
/// from another.
pub(super) static AGENT: LazyLock<String> = LazyLock::new(|| {
    let mut is_import = false;
    let is_kept = |line: &&str| {
        let is_dropped = is_import || line.starts_with("from agent.");
        is_import = is_dropped && line.trim_end().ends_with(['(', ',']);
        !is_dropped
    };
    MODULES.iter().flat_map(|module| module.split_inclusive('\n')).filter(is_kept).collect()
});
