//! What is refused, gathered so that one build reports all of it.

use syn::{Error, Result};

/// The refusals found so far.
#[derive(Default)]
pub(crate) struct Refusals(Option<Error>);

impl Refusals {
    pub(crate) fn push(&mut self, refusal: Error) {
        match &mut self.0 {
            Some(first) => first.combine(refusal),
            None => self.0 = Some(refusal),
        }
    }

    /// All that was refused, if anything was.
    pub(crate) fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// All values, or all refusals.
pub(crate) fn all<T>(results: impl IntoIterator<Item = Result<T>>) -> Result<Vec<T>> {
    let mut refusals = Refusals::default();
    let values = results
        .into_iter()
        .filter_map(|result| result.map_err(|refusal| refusals.push(refusal)).ok())
        .collect();
    refusals.finish()?;
    Ok(values)
}

/// Both values, or the refusals of both.
pub(crate) fn both<A, B>(first: Result<A>, second: Result<B>) -> Result<(A, B)> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Err(mut refusal), Err(other)) => {
            refusal.combine(other);
            Err(refusal)
        }
        (Err(refusal), Ok(_)) | (Ok(_), Err(refusal)) => Err(refusal),
    }
}
