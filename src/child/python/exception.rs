//! A Python exception, from what the agent says of it.

use std::sync::Arc;

use crate::child::python::answer_fields::AnswerFields;
use crate::child::python::marshal::Item;
use crate::common::error::{Exception, Result};
use crate::common::value::{PythonDetails, Value};

/// How deep an argument or an attribute of an exception may be, so that it can travel
/// within the message of one behind another. The agent shows what is deeper than 30
/// levels; what holds a range there is one deeper.
const DEPTH: usize = 31;

pub(super) fn read(said: Item) -> Result<Exception> {
    let mut said = AnswerFields::of(said)?;
    let mut behind = Vec::new();
    for other in said.items("others", AnswerFields::of)? {
        let other = exception(other, &behind)?;
        behind.push(Arc::new(other));
    }
    let traceback = said.text("traceback")?;
    Ok(Exception { traceback, ..exception(said, &behind)? }.summed_up())
}

/// One of them, for which those that it names have been read already.
fn exception(mut said: AnswerFields, behind: &[Arc<Exception>]) -> Result<Exception> {
    let link = |place: usize| place.checked_sub(1).and_then(|index| behind.get(index)).cloned();
    let attribute = |(name, item): (Item, Item)| Ok((name.into_text()?, shown(item)));
    let attributes = said.take("attributes").map_or_else(|| Ok(Vec::new()), Item::into_entries)?;
    let account = PythonDetails {
        mro: said.items("mro", Item::into_text)?,
        args: said.items("args", |item| Ok(shown(item)))?,
        attributes: attributes.into_iter().map(attribute).collect::<Result<_>>()?,
        notes: said.items("notes", Item::into_text)?,
        cause: link(said.number("cause")?),
        context: link(said.number("context")?),
        suppress_context: said.bool("suppress_context")?,
        group: said.items("group", |item| item.number())?.into_iter().filter_map(link).collect(),
        stack: said.text("stack")?.unwrap_or_default(),
        omitted: said.number("omitted")?,
    };
    let type_name = said.text("type")?.unwrap_or_else(|| "Exception".to_owned());
    Ok(Exception {
        location: said.text("location")?,
        value: Some(Arc::new(account)),
        ..Exception::new(type_name, said.text("message")?.unwrap_or_default())
    })
}

/// A part of it, or what is the matter with that. An exception keeps nothing alive, so
/// there are no handles in it.
fn shown(item: Item) -> Value {
    let value = item.into_value(&mut |_| Err(super::nothing())).and_then(|value| {
        value.check_depth(DEPTH)?;
        Ok(value)
    });
    value.unwrap_or_else(|error| format!("<{}>", error.detail()).into())
}
