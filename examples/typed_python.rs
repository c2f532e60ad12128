//! Python objects with typed proxies: a trait declares the methods, and the compiler
//! checks their use.

use oad::{Operator, Remote as _, ToPython};

/// A number that is exactly the quotient of two integers.
#[oad::python("fractions.Fraction")]
trait Fraction {
    fn new(numerator: i64, denominator: i64) -> Self;
    #[oad(constructor)]
    fn parse(text: &str) -> Self;
    fn from_float(number: f64) -> Self;

    #[oad(attribute)]
    fn numerator(&self) -> i64;
    #[oad(operator = "add")]
    fn add(&self, other: &Self) -> Self;
    fn limit_denominator(&self, #[oad(default = 1_000_000)] greatest: Option<i64>) -> Self;
}

#[oad::python("io.StringIO")]
trait TextBuffer {
    fn new(#[oad(optional)] initial: Option<&str>) -> Self;
    fn write(&self, text: &str) -> usize;
    #[oad(name = "__iter__")]
    fn lines(&self) -> oad::Stream<String>;
    fn seek(&self, position: u64) -> u64;
    #[oad(attribute)]
    fn closed(&self) -> bool;
}

#[oad::python(module = "json")]
trait Json {
    fn dump(&self, value: impl ToPython, file: &TextBufferProxy);
    fn dumps(
        &self,
        value: impl ToPython,
        #[oad(keyword)] indent: Option<u8>,
        #[oad(keyword)] sort_keys: Option<bool>,
    ) -> String;
}

#[oad::main]
async fn main() -> oad::Result<()> {
    let py = oad::interpreter("python3").await?;

    // Constructors are builders, as `oad::python` is. Without `in_interpreter` they start
    // a daemon.
    let third = FractionProxy::new(1, 3).in_interpreter(&py).await?;
    let half = FractionProxy::parse("1/2").in_interpreter(&py).await?;
    let sum = third.add(&half).await?;
    println!("1/3 + 1/2 = {}, of which the numerator is {}", sum.str().await?, {
        sum.numerator().await?
    });
    let pi = FractionProxy::from_float(std::f64::consts::PI).in_interpreter(&py).await?;
    println!("pi is about {}", pi.limit_denominator(Some(1000)).await?.str().await?);

    // What the trait does not declare is still there.
    assert!(third.operate::<bool>(Operator::LT, (&half,)).await?);

    // Typed proxies are passed to each other.
    let json = JsonProxy::import().in_interpreter(&py).await?;
    println!("{}", json.dumps([1, 2], None, None).await?);
    let text = TextBufferProxy::new(None).in_interpreter(&py).await?;
    json.dump(vec!["a", "b"], &text).await?;
    text.write("\nand more").await?;
    text.seek(0).await?;
    let mut lines = text.lines().await?;
    while let Some(line) = lines.next().await {
        print!("{}", line?);
    }
    println!("\nclosed: {}", text.closed().await?);

    // On request, the declaration is compared with the class.
    println!("Fraction: {}", py.check::<FractionProxy>().await?);
    println!("TextBuffer: {}", py.check::<TextBufferProxy>().await?);
    println!("{}", py.shutdown().await?);
    Ok(())
}
