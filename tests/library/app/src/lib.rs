//! A program that has oad by way of a library. It calls no `init`.
#![forbid(unsafe_code)]

use toolbox::remote::{self, Remote as _};
use toolbox::{StackProxy, Tool};

toolbox::tool!(Hammer);

/// A tool of the program's own, by the path as a text.
pub struct Saw(u32);

#[remote::object(pub, crate = "toolbox::remote")]
impl Saw {
    pub fn new(uses: u32) -> Self {
        Saw(uses)
    }

    /// Fails, and gives a stream: generated code names more of oad for these.
    pub fn cut(&mut self, pieces: &[u32]) -> Result<remote::Stream<u32>, std::io::Error> {
        self.0 += 1;
        let pieces: Vec<u32> = pieces.to_vec();
        match pieces.is_empty() {
            true => Err(std::io::Error::other("nothing to cut")),
            false => Ok(remote::Stream::iter(pieces)),
        }
    }

    /// Takes an object by its full path.
    pub fn beside(&self, stack: toolbox::remote::Shared<toolbox::Stack>) -> bool {
        stack.blocking_read().is_ok()
    }
}

#[remote::object(crate = "toolbox::remote")]
impl Tool for Saw {
    fn uses(&self) -> u32 {
        self.0
    }
}

/// An interface of the program's own.
#[remote::object(pub, crate = "toolbox::remote")]
pub trait Sharpen {
    fn sharpen(&mut self, times: u32) -> Result<u32, remote::Error>;
}

#[remote::object(crate = "toolbox::remote")]
impl Sharpen for Saw {
    fn sharpen(&mut self, times: u32) -> Result<u32, remote::Error> {
        self.0 -= times;
        Ok(self.0)
    }
}

/// Uses objects of both crates, each in a process of its own.
pub async fn work() -> remote::Result<()> {
    let stack = StackProxy::new().await?;
    stack.push("a").await?;
    assert_eq!(stack.pop().await?.as_deref(), Some("a"));
    assert_ne!(stack.pid(), std::process::id());

    let hammer = HammerProxy::new(3).await?;
    assert_eq!(hammer.used().await?, 4);

    let saw = SawProxy::new(3).await?;
    let mut pieces = saw.cut(&[5, 7]).await?;
    assert_eq!(pieces.next().await.transpose()?, Some(5));
    let error = saw.cut(&[]).await.expect_err("there is nothing to cut");
    assert_eq!(error.exception().map(|exception| exception.message()), Some("nothing to cut"));

    let sharpener = SharpenProxy::spawn("Saw::new", (9,)).await?;
    assert_eq!(sharpener.sharpen(2).await?, 7);
    assert!(hammer.shutdown().await?.is_clean());
    Ok(())
}
