#[oad::python("io.StringIO")]
trait TextBuffer {
    fn pattern(&self, (a, b): (i64, i64));
    fn changed(&self, text: &mut String);
    fn unknown(&self, #[oad(positional)] text: &str);
    fn both(&self, #[oad(keyword, optional)] text: Option<&str>);
    fn plain(&self, #[oad(optional)] text: &str);
    fn default(&self, #[oad(default = 1)] size: i64);
    fn named(&self, #[oad(name = "x")] text: &str);
    fn dotted(&self, #[oad(keyword, name = "a.b")] text: &str);
    fn after(&self, #[oad(optional)] a: Option<i64>, b: i64);
    fn args(&self, #[oad(args)] a: (i64,), b: i64);
    fn keywords(&self, #[oad(keywords)] a: (), #[oad(keywords)] b: ());
}

fn main() {}
