//! A `main` without `init`. It prints a line in each process that runs it.
#![forbid(unsafe_code)]

fn main() {
    println!("main");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(app::work()).expect("the objects work");
    println!("done");
}
