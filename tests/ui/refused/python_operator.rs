#[oad::python("fractions.Fraction")]
trait Fraction {
    #[oad(operator = "plus")]
    fn plus(&self, other: &Self) -> Self;
}

fn main() {}
