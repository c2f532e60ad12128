//! Python objects with typed proxies: a trait declares the methods, and the compiler
//! checks their use.

use oad::{Remote as _, ToPython};

/// A number that is exactly the quotient of two integers.
#[oad::python("fractions.Fraction")]
trait Fraction {
    fn new(numerator: i64, denominator: i64) -> Self;
    #[oad(constructor)]
    fn parse(text: &str) -> Self;
    #[oad(attribute)]
    fn numerator(&self) -> i64;
    #[oad(operator = "add")]
    fn add(&self, other: &Self) -> Self;
}

#[oad::python("io.StringIO")]
trait TextBuffer {
    fn new(#[oad(optional)] initial: Option<&str>) -> Self;
    fn seek(&self, position: u64) -> u64;
    #[oad(name = "__iter__")]
    fn lines(&self) -> oad::Stream<String>;
}

#[oad::python(module = "json")]
trait Json {
    fn dump(&self, value: impl ToPython, file: &TextBufferProxy);
    fn dumps(&self, value: impl ToPython, #[oad(keyword)] indent: Option<u8>) -> String;
}

#[oad::main]
async fn main() -> oad::Result<()> {
    let py = oad::interpreter("python3").await?;

    // Constructors are builders; without `in_interpreter` they start a daemon.
    let third = FractionProxy::new(1, 3).in_interpreter(&py).await?;
    let half = FractionProxy::parse("1/2").in_interpreter(&py).await?;
    let sum = third.add(&half).await?;
    // What the trait does not declare, such as `str`, is still there.
    println!("1/3 + 1/2 = {}, its numerator is {}", sum.str().await?, sum.numerator().await?);

    // Typed proxies are passed to each other.
    let json = JsonProxy::import().in_interpreter(&py).await?;
    let text = TextBufferProxy::new(None).in_interpreter(&py).await?;
    println!("{}", json.dumps([1, 2], Some(4)).await?);
    json.dump(["a", "b"], &text).await?;
    text.seek(0).await?;
    let mut lines = text.lines().await?;
    while let Some(line) = lines.next().await {
        print!("{}", line?);
    }
    println!();

    // On request, the declaration is compared with the class.
    println!("Fraction: {}", py.check::<FractionProxy>().await?);
    println!("Json: {}", py.check::<JsonProxy>().await?);
    println!("{}", py.shutdown().await?);
    Ok(())
}
