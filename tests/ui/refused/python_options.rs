#[oad::python("io.StringIO", pub)]
trait Public {}

#[oad::python("io.StringIO", class = "io.BytesIO")]
trait Two {}

#[oad::python("io.String IO")]
trait Space {}

#[oad::python(module = "")]
trait Empty {}

#[oad::python("a.b:")]
trait Colon {}

#[oad::python("io.StringIO", crate = "oad", crate = "oad")]
trait Twice {}

fn main() {}
