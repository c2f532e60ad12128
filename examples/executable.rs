//! Another executable as the daemon: here a script that prepares the environment and
//! becomes this program, as a launcher or a profiler would.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use oad::Remote as _;

/// Tells what it finds around it.
struct Surroundings;

#[oad::object]
impl Surroundings {
    fn new() -> Self {
        Surroundings
    }

    fn arguments(&self) -> Vec<String> {
        std::env::args().skip(1).collect()
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn directory(&self) -> std::io::Result<PathBuf> {
        std::env::current_dir()
    }
}

#[oad::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?; // removed with all that is in it when `main` returns
    let wrapper = folder.path().join("wrapper");
    std::fs::write(
        &wrapper,
        "#!/bin/sh\nexport PREPARED=\"by the script, in $PWD\"\nexec \"$@\"\n",
    )?;
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755))?;

    let surroundings = SurroundingsProxy::new()
        .executable(&wrapper) // in place of this program
        .program_arg(std::env::current_exe()?) // what the script runs: it must call `oad::init` and have the type
        .program_arg("--quiet")
        .env_clear() // nothing of this process's environment …
        .env("MODEL", "small") // … but for this
        .current_dir(folder.path())
        .await?;
    println!(
        "process {} was started with {:?}",
        surroundings.pid(),
        surroundings.arguments().await?
    );
    for name in ["MODEL", "PREPARED", "HOME"] {
        println!("{name} is {:?}", surroundings.variable(name).await?);
    }
    println!("it is in {}", surroundings.directory().await?.display());
    println!("{}", surroundings.shutdown().await?);

    // What is no daemon is an error that says how it failed.
    println!(
        "{}",
        SurroundingsProxy::new().executable("/bin/true").await.expect_err("it ends at once")
    );
    println!(
        "{}",
        SurroundingsProxy::new().executable("/no/such/program").await.expect_err("it is not there")
    );
    Ok(())
}
