//! The plugin, loaded by a Python interpreter, which cannot be its daemon.

use std::process::Command;

#[test]
fn plugin_reads_at_once_what_to_do() {
    let this = std::env::current_exe().expect("it has a path");
    let folder = this.parent().expect("it is in a folder, as the library is");
    let library = folder.join("libplugin.so");
    let output = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/load.py"))
        .arg(&library)
        .output()
        .expect("there is a Python");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let library = format!("oad was initialized in the shared library `{}`", library.display());
    let advice =
        "name a program that calls `oad::init()` with `.executable(…)`, or use `.in_process()`";
    for line in printed.lines() {
        assert!(line.starts_with("NotInitialized: starting a daemon for Plain: "), "{line}");
        assert!(line.contains(&library) && line.ends_with(advice), "{line}");
    }
    assert_eq!(printed.lines().count(), 2, "{printed}");
}
