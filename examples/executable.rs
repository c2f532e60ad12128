//! Another executable as the daemon: here a script that prepares the environment and
//! becomes this program, as a launcher or a profiler would.

use std::os::unix::fs::PermissionsExt as _;

use oad::Remote as _;

const WRAPPER: &str = "#!/bin/sh\nexport PREPARED=\"by the script, in $PWD\"\nexec \"$@\"\n";

/// Reports its process's surroundings.
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
}

#[oad::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?; // removed with its contents when `main` returns
    let wrapper = folder.path().join("wrapper");
    std::fs::write(&wrapper, WRAPPER)?;
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755))?;

    let surroundings = SurroundingsProxy::new()
        .executable(&wrapper) // instead of this program
        .program_arg(std::env::current_exe()?) // the script runs this program after all
        .program_arg("--quiet")
        .env_clear() // inherits no variable of this process …
        .env("MODEL", "small") // … and has this one
        .current_dir(folder.path())
        .await?;
    let arguments = surroundings.arguments().await?;
    println!("process {} was started with {arguments:?}", surroundings.pid());
    for name in ["MODEL", "PREPARED", "HOME"] {
        println!("{name} is {:?}", surroundings.variable(name).await?);
    }
    println!("{}", surroundings.shutdown().await?);

    // The error of a program that does not become a daemon says how it failed.
    for program in ["/bin/true", "/no/such/program"] {
        let failed = SurroundingsProxy::new().executable(program).await;
        println!("{}", failed.expect_err("the program is not a daemon"));
    }
    Ok(())
}
