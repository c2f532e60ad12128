//! What the macros refuse: each case beside the whole text that its author reads.
//!
//! The compiler reports some of them, through assertions and names of `oad::__private`.

#[test]
fn refused_source_fails_with_its_message() {
    trybuild::TestCases::new().compile_fail("tests/ui/refused/*.rs");
}
