//! What the macros refuse, and the sentence they say: each case beside the whole text
//! that its author reads.
//!
//! trybuild builds the dependencies once more, in `target/tests/trybuild`: it checks with
//! `--cfg trybuild` and other flags of its own, which makes every artifact another one,
//! so a shared folder would save nothing. It only checks them, and keeps them for the
//! next run.
//!
//! `error_that_cannot_cross` and `shared_without_sync` are judged by the compiler,
//! through assertions of `oad::__private`.

#[test]
fn refused_source_reads_the_sentence() {
    trybuild::TestCases::new().compile_fail("tests/ui/refused/*.rs");
}
