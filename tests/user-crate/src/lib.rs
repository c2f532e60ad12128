//! A stack in a daemon, with its tests beside it.

/// Holds texts.
#[derive(Default, serde::Serialize, serde::Deserialize)]
pub struct Stack(Vec<String>);

#[oad::object(pub)]
impl Stack {
    /// An empty one.
    pub fn new() -> Self {
        Stack::default()
    }

    /// Puts one on top.
    pub fn push(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }

    /// Takes the topmost.
    pub fn pop(&mut self) -> Option<String> {
        self.0.pop()
    }
}

#[cfg(test)]
oad::test_daemon!();

#[cfg(test)]
mod tests {
    use super::StackProxy;

    #[tokio::test]
    async fn unit_test_makes_a_daemon() {
        let stack = StackProxy::new().await.expect("a daemon can be made");
        stack.push("a").await.expect("it answers");
        assert_eq!(stack.pop().await.expect("it answers").as_deref(), Some("a"));
        assert_eq!(stack.pop().await.expect("it answers"), None);
    }
}
