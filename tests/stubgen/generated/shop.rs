// Written by `oad::stubgen` from Python 3.11.

/// A shop, with annotations.
#[oad::python(module = "shop")]
pub trait ShopModule {
    #[oad(attribute)]
    fn rate(&self) -> i64;
    fn total(&self, orders: &[OrderProxy]) -> i64;
    // Not typed: `values`, `seed`, the result (no annotation).
    fn shuffled(
        &self,
        values: impl oad::ToPython,
        #[oad(keyword)] seed: Option<oad::Value>,
    ) -> oad::Value;
}

/// One order \[of a shop\].
#[oad::python("shop.Order")]
pub trait Order {
    fn new(
        name: &str,
        #[oad(keyword)] count: Option<i64>,
        #[oad(keyword)] note: Option<&str>,
    ) -> Self;
    #[oad(attribute)]
    fn count(&self) -> i64;
    #[oad(attribute)]
    fn set_count(&self, value: i64);
    #[oad(attribute)]
    fn note(&self) -> Option<String>;
    #[oad(attribute)]
    fn set_note(&self, value: Option<&str>);
    /// What is ordered.
    #[oad(attribute)]
    fn r#type(&self) -> String;
    #[oad(attribute)]
    fn size(&self) -> i64;
    #[oad(attribute)]
    fn set_size(&self, value: i64);
    fn parse(text: &str) -> Self;
    fn is_name(&self, text: &str) -> bool;
    #[oad(name = "self")]
    fn self_(
        &self,
        #[oad(keyword)] self_: Option<i64>,
        #[oad(keywords)] crate_: impl oad::ToPython,
    ) -> Self;
}

#[oad::python("shop.Shop")]
pub trait Shop {
    fn new(#[oad(keyword)] orders: Option<&[OrderProxy]>) -> Self;
    fn add(&self, order: &OrderProxy, #[oad(args)] more: impl oad::ToPython) -> Self;
    fn each(&self) -> oad::Stream<OrderProxy>;
    // Not typed: `step` (no annotation).
    // Not typed: the result (any type).
    fn generated(&self, step: impl oad::ToPython) -> oad::Stream<oad::Value>;
    fn find(&self, name: &str, #[oad(keyword)] default: Option<&OrderProxy>) -> Option<OrderProxy>;
    fn prices(
        &self,
        prices: &std::collections::BTreeMap<String, f64>,
        #[oad(keyword)] rate: Option<f64>,
    ) -> std::collections::BTreeMap<String, f64>;
    fn names(&self) -> std::collections::BTreeSet<String>;
    fn pair(&self, point: (i64, String), when: oad::value::Date) -> (String, oad::value::Date);
    // Not typed: `what` (several types).
    // Not typed: `anything` (any type).
    // Not typed: `untyped` (no annotation).
    // Not typed: the result (a type variable).
    fn many(
        &self,
        what: impl oad::ToPython,
        how: &oad::PythonProxy,
        anything: impl oad::ToPython,
        #[oad(keyword)] untyped: Option<oad::Value>,
    ) -> oad::Value;
    fn later(&self, #[oad(keyword)] seconds: Option<f64>) -> oad::value::Bytes;
    fn a_method_with_a_long_name(
        &self,
        first_parameter: i64,
        #[oad(keyword)] second_parameter: Option<&str>,
    );
}
