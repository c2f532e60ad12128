#[oad::python(module = "json")]
trait Json {
    fn dumps(&self, value: impl oad::ToPython) -> String;
}

struct Own;

async fn dump(json: JsonProxy) {
    let _ = json.dumps(Own).await;
}

fn main() {}
