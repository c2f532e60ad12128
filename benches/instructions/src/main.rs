//! Makes calls, one after the other, for callgrind to count their instructions.
//!
//! `oad-instructions rust COUNT` calls a Rust object, and
//! `oad-instructions python COUNT INTERPRETER` a Python object. `.ci/instructions` runs
//! it.

use oad::Remote as _;

/// Returns what it is called with.
struct Echo;

#[oad::object]
impl Echo {
    fn new() -> Self {
        Echo
    }

    fn same(&self, number: u64) -> u64 {
        number
    }
}

const SCRIPT: &str = "
class Echo:
    def same(self, number):
        return number
";

fn main() -> oad::Result<()> {
    oad::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // valgrind cannot follow into `/proc/self/exe`.
    let program = std::env::current_exe().expect("/proc is mounted");
    let count = |text: &str| text.parse::<u64>().expect("COUNT is a number");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("the system has threads").block_on(async {
        match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["rust", calls] => {
                let echo = EchoProxy::new().executable(program).await?;
                for number in 0..count(calls) {
                    assert_eq!(echo.same(number).await?, number);
                }
                echo.shutdown().await.map(drop)
            }
            ["python", calls, interpreter] => {
                let python = oad::interpreter(*interpreter).executable(program).await?;
                let echo = python.script("echo.py", SCRIPT).await?.call("Echo", ()).await?;
                let echo: oad::PythonProxy = echo;
                for number in 0..count(calls) {
                    assert_eq!(echo.call::<u64>("same", (number,)).await?, number);
                }
                echo.shutdown().await.map(drop)
            }
            _ => panic!("usage: oad-instructions rust COUNT | python COUNT INTERPRETER"),
        }
    })
}
