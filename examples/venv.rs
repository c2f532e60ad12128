//! A Python object in a virtual environment that is chosen at run time.

use std::path::Path;
use std::process::Command;

use oad::Remote as _;

#[oad::main]
async fn main() -> oad::Result<()> {
    // Somebody has made an environment, with a package in it.
    let folder = tempfile::tempdir().expect("the temporary directory can be written to");
    let environment = folder.path().join(".venv");
    make(&environment);

    // It is named by its folder. Nothing need be installed there, and nothing is written
    // there.
    let prices = oad::python_module("prices").interpreter(&environment).await?;
    let gross: i64 = prices.call("gross", (100,)).await?;
    println!("{gross} by {}", prices.getattr::<String>("__file__").await?);

    // Others can live beside it in the same interpreter.
    let sys = oad::python_module("sys").interpreter(&environment).within(prices.daemon()).await?;
    let prefix: String = sys.getattr("prefix").await?;
    println!("sys.prefix is {prefix}");
    assert_eq!(Path::new(&prefix), environment);

    // An environment that is none is told.
    let error = oad::python_module("sys")
        .interpreter(folder.path())
        .await
        .expect_err("it is the folder above");
    println!("{error}");
    println!("{}", prices.shutdown().await?);
    Ok(())
}

fn make(environment: &Path) {
    let mut python = Command::new("python3");
    let made = python
        .args(["-m", "venv", "--without-pip"])
        .arg(environment)
        .status()
        .expect("there is a python3");
    assert!(made.success(), "the standard library makes environments");
    let packages = "import sysconfig; print(sysconfig.get_paths()['purelib'])";
    let output = Command::new(environment.join("bin/python"))
        .args(["-c", packages])
        .output()
        .expect("it was made");
    let packages = String::from_utf8(output.stdout).expect("its path is text");
    let module = "def gross(net):\n    return net * 107 // 100\n";
    std::fs::write(Path::new(packages.trim_end()).join("prices.py"), module).expect("it is ours");
}
