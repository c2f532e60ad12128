#[oad::python("io.StringIO")]
trait TextBuffer {
    #[oad(attribute)]
    fn nothing(&self);
    #[oad(attribute)]
    fn closed(&self, closed: bool);
    #[oad(attribute)]
    fn set_both(&self, first: i64, second: i64);
    #[oad(attribute)]
    fn set_returns(&self, first: i64) -> i64;
    #[oad(attribute)]
    fn set_keyword(&self, #[oad(keyword)] first: i64);
    #[oad(attribute)]
    fn items(&self) -> oad::Stream<i64>;
}

fn main() {}
