#[oad::object]
trait Count: Sized {
    fn equals(&self, other: &Self) -> bool;
    fn copy(&self) -> Self;
}

fn main() {}
