//! How an attribute or a method is named.

/// The name of an attribute or a method of a Python object; dots reach further in.
///
/// Text is split at its dots: `"limits.upper"` is the attribute `upper` of the attribute
/// `limits`. An array or a slice of names is not split, so that names with dots inside
/// can be reached too, such as those of a torch state dictionary's namespace.
///
/// ```no_run
/// # async fn example(model: oad::PythonProxy) -> oad::Result<()> {
/// let upper: f64 = model.getattr("limits.upper").await?;
/// let weight: oad::PythonProxy = model.getattr(["layers", "0.weight"]).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AttributePath(String);

impl AttributePath {
    fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut path = String::new();
        for (place, name) in names.into_iter().enumerate() {
            if place > 0 {
                path.push('.');
            }
            for char in name.chars() {
                if matches!(char, '.' | '\\') {
                    path.push('\\');
                }
                path.push(char);
            }
        }
        AttributePath(path)
    }

    /// The names with dots between them; a dot or a backslash inside a name has a
    /// backslash before it.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl From<&str> for AttributePath {
    fn from(path: &str) -> Self {
        AttributePath::of(path.split('.'))
    }
}

impl From<&String> for AttributePath {
    fn from(path: &String) -> Self {
        AttributePath::from(path.as_str())
    }
}

impl From<String> for AttributePath {
    fn from(path: String) -> Self {
        AttributePath::from(path.as_str())
    }
}

impl From<&[&str]> for AttributePath {
    fn from(names: &[&str]) -> Self {
        AttributePath::of(names.iter().copied())
    }
}

impl<const N: usize> From<[&str; N]> for AttributePath {
    fn from(names: [&str; N]) -> Self {
        AttributePath::of(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_split_text_and_are_escaped_inside_names() {
        assert_eq!(AttributePath::from("a.b").into_text(), "a.b");
        assert_eq!(AttributePath::from(["a", "0.b\\c"]).into_text(), r"a.0\.b\\c");
    }
}
