// Written by `oad::stubgen` from Python 3.11.

#[oad::python("depot.Depot")]
pub trait Depot {
    fn new(size: i64, #[oad(keywords)] options: impl oad::ToPython) -> Self;
    // Not typed: the other overloads (the first of 2 is declared).
    fn put(&self, item: &str, #[oad(keyword)] count: Option<i64>) -> i64;
    fn take(&self, item: &str) -> Vec<String>;
    #[oad(attribute)]
    fn full(&self) -> bool;
    #[oad(attribute)]
    fn set_full(&self, value: bool);
    fn copy(&self) -> Self;
    fn of(size: i64) -> Self;
    #[oad(attribute)]
    fn size(&self) -> i64;
    #[oad(attribute)]
    fn set_size(&self, value: i64);
}

/// A depot, whose types are in a stub file.
#[oad::python(module = "depot")]
pub trait DepotModule {
    #[oad(attribute)]
    fn DEPTH(&self) -> i64;
    fn open_depot(&self, path: &str, #[oad(keyword)] mode: Option<&str>) -> Option<DepotProxy>;
}
