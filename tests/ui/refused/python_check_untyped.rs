async fn check(py: oad::Interpreter) {
    let _ = py.check::<String>().await;
}

fn main() {}
