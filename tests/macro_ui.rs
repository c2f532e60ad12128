//! What the macros refuse: each case beside the whole text that its author reads.
//!
//! trybuild builds the dependencies once more, in `target/tests/trybuild`: it checks with
//! `--cfg trybuild` and other flags of its own, which makes every artifact another one, so a
//! shared folder would save nothing. It only checks them, and keeps them for the next run.
//!
//! The compiler reports some of the sentences, through assertions and names of
//! `oad::__private`.

#[test]
fn refused_source_fails_with_its_message() {
    trybuild::TestCases::new().compile_fail("tests/ui/refused/*.rs");
}
