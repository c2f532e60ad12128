//! A Python object in a virtual environment, chosen at run time.

use std::path::Path;
use std::process::Command;

use oad::Remote as _;

#[oad::main]
async fn main() -> oad::Result<()> {
    // An environment with a package, as `python3 -m venv` and pip would leave it.
    let folder = tempfile::tempdir().expect("the temporary directory is writable");
    let environment = folder.path().join(".venv");
    create(&environment);

    // Its directory names it. oad installs nothing and writes nothing there.
    let py = oad::interpreter(&environment).await?;
    let prices = py.import("prices").await?;
    let gross: i64 = prices.call("gross", (100,)).await?;
    println!("{gross} by {}", prices.getattr::<String>("__file__").await?);

    // Other objects can live in the same interpreter.
    let prefix: String = py.import("sys").await?.getattr("prefix").await?;
    println!("sys.prefix is {prefix}");
    assert_eq!(Path::new(&prefix), environment);

    // A directory that is not an environment is an error.
    println!("{}", oad::interpreter(folder.path()).await.expect_err("it contains no Python"));
    println!("{}", prices.shutdown().await?);
    Ok(())
}

fn create(environment: &Path) {
    let mut python = Command::new("python3");
    let status = python.args(["-m", "venv", "--without-pip"]).arg(environment).status();
    assert!(status.expect("python3 is installed").success());
    let packages = "import sysconfig; print(sysconfig.get_paths()['purelib'])";
    let output = Command::new(environment.join("bin/python")).args(["-c", packages]).output();
    let packages = String::from_utf8(output.expect("the environment has a Python").stdout);
    let packages = packages.expect("the path is UTF-8");
    let module = "def gross(net):\n    return net * 107 // 100\n";
    std::fs::write(Path::new(packages.trim_end()).join("prices.py"), module)
        .expect("the environment is writable");
}
