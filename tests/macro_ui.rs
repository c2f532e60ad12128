//! What the macros refuse, and the sentence they say: each case beside the whole text
//! that its author reads.
//!
//! `error_that_cannot_cross` and `shared_without_sync` are judged by the compiler,
//! through assertions of `oad::__private`.

#[test]
fn refused_source_reads_the_sentence() {
    trybuild::TestCases::new().compile_fail("tests/ui/refused/*.rs");
}
