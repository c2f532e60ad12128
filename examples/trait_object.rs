//! A trait as an interface: the proxy implements it, so generic code accepts the proxy.

#[oad::object]
trait Index: Send + Sync {
    async fn add(&mut self, word: String);
    fn find(&self, word: &str) -> oad::Result<Option<usize>>;
}

struct Listed(Vec<String>);

#[oad::object]
impl Listed {
    fn new() -> Self {
        Listed(Vec::new())
    }
}

#[oad::object]
impl Index for Listed {
    async fn add(&mut self, word: String) {
        self.0.push(word);
    }
    fn find(&self, word: &str) -> oad::Result<Option<usize>> {
        Ok(self.0.iter().position(|known| known == word))
    }
}

struct Sorted(std::collections::BTreeMap<String, usize>);

#[oad::object]
impl Sorted {
    fn starting_with(word: String) -> Self {
        Sorted([(word, 0)].into())
    }
}

#[oad::object]
impl Index for Sorted {
    async fn add(&mut self, word: String) {
        self.0.insert(word, self.0.len());
    }
    fn find(&self, word: &str) -> oad::Result<Option<usize>> {
        Ok(self.0.get(word).copied())
    }
}

async fn fill(what: &str, index: &mut impl Index) -> oad::Result<()> {
    index.add("daemon".to_owned()).await;
    println!("{what}: `daemon` is number {:?}", index.find("daemon")?);
    Ok(())
}

#[tokio::main] // with several threads, because `find` blocks one of them
async fn main() -> oad::Result<()> {
    oad::init();
    fill("a local list", &mut Listed::new()).await?;
    fill("a list, in a daemon", &mut IndexProxy::spawn("Listed::new", ()).await?).await?;
    let mut tree = IndexProxy::spawn("Sorted::starting_with", ("a",)).await?;
    fill("a tree, in a daemon", &mut tree).await
}
