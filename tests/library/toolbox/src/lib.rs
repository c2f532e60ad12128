//! A library whose users have never heard of oad.
#![forbid(unsafe_code)]

pub use oad as remote;

oad::auto_init!();

/// Something to implement.
#[oad::object(pub)]
pub trait Tool: Send + Sync {
    /// How often it was used.
    fn uses(&self) -> u32;
}

/// Holds texts.
#[derive(Default)]
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

/// Declares an object in the crate that uses it.
#[macro_export]
macro_rules! tool {
    ($name:ident) => {
        pub struct $name(u32);

        #[$crate::remote::object(pub, crate = $crate::remote)]
        impl $name {
            pub fn new(uses: u32) -> Self {
                $name(uses)
            }

            pub fn used(&mut self) -> u32 {
                self.0 += 1;
                self.0
            }
        }
    };
}
