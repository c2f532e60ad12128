#[oad::python("io.StringIO")]
trait Generic<T> {}

#[oad::python("io.StringIO")]
trait Derived: Clone {}

#[oad::python("io.StringIO")]
unsafe trait Unsafe {}

#[oad::python("io.StringIO")]
trait Items {
    const SIZE: usize;
    type Item;
}

fn main() {}
