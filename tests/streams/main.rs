//! Methods that return streams of items, and that take them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use oad::{ErrorKind, Remote as _, Shared, Stream};
use tokio::sync::Notify;

use support::until;

#[path = "../support/mod.rs"]
mod support;

mod many;
mod uploads;

oad::test_daemon!();

#[derive(Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("line {0} cannot be read")]
struct Unreadable(u32);

struct Word(String);

#[oad::object]
impl Word {
    fn text(&self) -> String {
        self.0.clone()
    }
}

/// Counts what it makes, and notes when it is dropped.
struct Counted {
    next: u64,
    made: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
}

impl Iterator for Counted {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.next += 1;
        self.made.fetch_add(1, Ordering::SeqCst);
        Some(self.next)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Library {
    lines: Vec<String>,
    made: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
    stored: Option<Stream<u64>>,
    waiting_at_gate: AtomicU64,
    gate: Arc<Gate>,
    notify: Arc<Notify>,
    recorded: AtomicU64,
}

/// Whether it is open, and who waits for that.
type Gate = (Mutex<bool>, Condvar);

/// Waits until the gate is open, and closes it.
fn pass((open, opened): &Gate) {
    let open = open.lock().expect("nobody panics with it");
    *opened.wait_while(open, |is_open| !*is_open).expect("nobody panics with it") = false;
}

#[oad::object]
impl Library {
    fn new() -> Self {
        Library { lines: ["one", "two", "three"].map(str::to_owned).into(), ..Library::default() }
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Borrows its argument too.
    fn starting(&self, with: &str) -> impl Iterator<Item = String> {
        self.lines.iter().filter(move |line| line.starts_with(with)).cloned()
    }

    fn drain(&mut self) -> impl Iterator<Item = String> {
        self.lines.drain(..)
    }

    fn into_lines(self) -> Box<dyn Iterator<Item = String> + Send> {
        Box::new(self.lines.into_iter())
    }

    async fn ticks(&self, count: u32) -> impl futures_util::Stream<Item = u32> {
        tokio::task::yield_now().await;
        stream::iter(0..count)
            .then(async |tick| {
                tokio::task::yield_now().await;
                tick
            })
            .boxed()
    }

    fn endless(&self) -> Box<dyn Iterator<Item = u64> + Send> {
        Box::new(Counted { next: 0, made: self.made.clone(), dropped: self.dropped.clone() })
    }

    fn endless_borrowing(&self) -> impl Iterator<Item = u64> {
        Counted { next: 0, made: self.made.clone(), dropped: self.dropped.clone() }
    }

    fn waiting(&self) -> stream::BoxStream<'static, u64> {
        stream::pending().boxed()
    }

    fn made(&self) -> u64 {
        self.made.load(Ordering::SeqCst)
    }

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::SeqCst)
    }

    fn push(&mut self, line: String) {
        self.lines.push(line);
    }

    fn checked(
        &self,
        fail_at: u32,
    ) -> Result<impl Iterator<Item = Result<u32, Unreadable>>, String> {
        if fail_at == 0 {
            return Err("nothing to read".to_owned());
        }
        Ok((1..).map(move |line| if line == fail_at { Err(Unreadable(line)) } else { Ok(line) }))
    }

    fn panicking(&self) -> impl Iterator<Item = u32> {
        (0..).map(|number| if number == 3 { panic!("three is too many") } else { number })
    }

    /// Waits in the middle of an item until somebody opens the gate.
    fn gated(&self) -> impl Iterator<Item = u64> {
        std::iter::once_with(|| {
            self.waiting_at_gate.fetch_add(1, Ordering::SeqCst);
            let (open, opened) = &*self.gate;
            let open = open.lock().expect("nobody panics with it");
            u64::from(*opened.wait_while(open, |is_open| !*is_open).expect("nobody panics with it"))
        })
    }

    /// Makes an item each time that somebody opens the gate, the first one at once.
    fn one_by_one(&self) -> impl Iterator<Item = u64> {
        (0..).inspect(|number| {
            if *number > 0 {
                pass(&self.gate)
            }
        })
    }

    /// The same, without borrowing.
    fn one_by_one_owned(&self) -> impl Iterator<Item = u64> + Send + 'static + use<> {
        let gate = self.gate.clone();
        (0..).inspect(move |number| {
            if *number > 0 {
                pass(&gate)
            }
        })
    }

    async fn one_by_one_async(&self) -> impl futures_util::Stream<Item = u64> {
        let notify = self.notify.clone();
        stream::iter(0..).then(move |number| {
            let notify = notify.clone();
            async move {
                if number > 0 {
                    notify.notified().await;
                }
                number
            }
        })
    }

    fn let_one_pass(&self) {
        *self.gate.0.lock().expect("nobody panics with it") = true;
        self.gate.1.notify_all();
        self.notify.notify_one();
    }

    /// Records what comes.
    async fn record(&self, mut numbers: Stream<u64>) -> oad::Result<()> {
        while let Some(number) = numbers.next().await {
            self.recorded.store(number?, Ordering::SeqCst);
        }
        Ok(())
    }

    fn recorded(&self) -> u64 {
        self.recorded.load(Ordering::SeqCst)
    }

    fn waiting_at_gate(&self) -> u64 {
        self.waiting_at_gate.load(Ordering::SeqCst)
    }

    fn open_gate(&self) {
        *self.gate.0.lock().expect("nobody panics with it") = true;
        self.gate.1.notify_all();
    }

    fn always_ready(&self) -> stream::BoxStream<'static, u64> {
        stream::repeat(1).boxed()
    }

    fn words(&self) -> Stream<Shared<Word>> {
        Stream::iter(self.lines.clone().into_iter().map(|line| Shared::new(Word(line))))
    }

    fn large(&self, count: usize, size: usize) -> impl Iterator<Item = oad::value::Bytes> {
        (0..count).map(move |index| vec![index as u8; size].into())
    }

    async fn sum(&self, mut numbers: Stream<u64>) -> oad::Result<u64> {
        let mut sum = 0;
        while let Some(number) = numbers.next().await {
            sum += number?;
        }
        Ok(sum)
    }

    fn blocking_sum(&self, numbers: Stream<u64>) -> oad::Result<u64> {
        numbers.blocking_iter().sum()
    }

    async fn first_of(&self, mut numbers: Stream<u64>) -> oad::Result<Option<u64>> {
        numbers.next().await.transpose()
    }

    async fn sizes(&self, parts: Stream<oad::value::Bytes>) -> oad::Result<Vec<usize>> {
        parts
            .map(|part| part.map(|part| part.len()))
            .collect::<Vec<_>>()
            .await
            .into_iter()
            .collect()
    }

    fn doubled(&self, numbers: Stream<u64>) -> impl futures_util::Stream<Item = oad::Result<u64>> {
        numbers.map(|number| number.map(|number| number * 2))
    }

    async fn lengths(&self, words: Stream<Shared<Word>>) -> oad::Result<Vec<usize>> {
        let words: Vec<Shared<Word>> = words.collect().await?;
        words.iter().map(|word| Ok(word.blocking_read()?.0.len())).collect()
    }

    fn merge(
        &self,
        left: Stream<u64>,
        right: Stream<u64>,
    ) -> impl Iterator<Item = oad::Result<(u64, u64)>> {
        left.blocking_iter().zip(right.blocking_iter()).map(|(left, right)| Ok((left?, right?)))
    }

    fn store(&mut self, numbers: Stream<u64>) {
        self.stored = Some(numbers);
    }

    async fn stored(&mut self) -> oad::Result<Option<u64>> {
        match &mut self.stored {
            Some(stored) => stored.next().await.transpose(),
            None => Ok(None),
        }
    }

    fn exit(&self) {
        std::process::exit(3);
    }
}

async fn library() -> LibraryProxy {
    LibraryProxy::new().await.expect("a daemon can be made")
}

async fn all<T: serde::de::DeserializeOwned>(stream: oad::Result<Stream<T>>) -> Vec<T> {
    stream.expect("it opens").collect().await.expect("it ends well")
}

async fn all_or_error<T: serde::de::DeserializeOwned>(
    stream: oad::Result<Stream<T>>,
) -> oad::Result<Vec<T>> {
    stream?.collect().await
}

/// Waits for what the daemon does on its own.
#[tokio::test]
async fn iterators_and_streams_of_every_spelling_arrive() {
    let library = library().await;
    assert_eq!(all(library.lines().await).await, ["one", "two", "three"]);
    assert_eq!(all(library.starting("t").await).await, ["two", "three"]);
    assert_eq!(all(library.ticks(1000).await).await, (0..1000).collect::<Vec<u32>>());
    assert_eq!(all(library.drain().await).await, ["one", "two", "three"]);
    assert_eq!(all(library.lines().await).await, [""; 0]);
    library.push("last".to_owned()).await.expect("it answers");
    assert_eq!(all(library.clone().into_lines().await).await, ["last"]);
    assert_eq!(library.made().await.expect_err("it was taken").kind(), ErrorKind::NoSuchObject);
}

#[tokio::test]
async fn slow_consumer_holds_its_producer_and_nothing_else() {
    let library = library().await;
    let mut numbers = library.endless().await.expect("it opens");
    let mut few = library.endless().window(2).await.expect("it opens");
    assert_eq!(numbers.next().await.expect("there are more").expect("it comes"), 1);
    until(async || library.made().await.expect("it answers") >= 64 + 2).await;
    for _ in 0..200 {
        library.push("others have their turns".to_owned()).await.expect("it answers");
    }
    assert_eq!(library.made().await.expect("it answers"), 64 + 2, "no more than the windows");
    assert_eq!(few.next().await.expect("there are more").expect("it comes"), 1);
    for expected in 2..1000 {
        assert_eq!(numbers.next().await.expect("there are more").expect("it comes"), expected);
    }
}

#[tokio::test]
async fn dropped_stream_ends_the_making_of_its_items() {
    let library = library().await;
    let mut numbers = library.endless().await.expect("it opens");
    numbers.next().await.expect("there are more").expect("it comes");
    drop(numbers);
    until(async || library.dropped().await.expect("it answers") == 1).await;
    // Dropped before it was looked at, and while it opens.
    drop(library.endless().await.expect("it opens"));
    let mut opening = Box::pin(library.endless());
    assert!(futures_util::poll!(opening.as_mut()).is_pending());
    drop(opening);
    drop(library.waiting().await.expect("it opens"));
    // Asked for as something else.
    let error = library.as_proxy().call::<u64>("endless", ()).await.expect_err("it is a stream");
    assert_eq!(error.kind(), ErrorKind::WrongType);
    assert!(error.to_string().ends_with("returned a stream"), "{error}");
    until(async || library.dropped().await.expect("it answers") >= 3).await;
    let report = library.shutdown().await.expect("it ends");
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn stream_that_borrows_holds_the_object_as_it_would_locally() {
    let library = library().await;
    let mut borrowing = library.endless_borrowing().await.expect("it opens");
    borrowing.next().await.expect("there are more").expect("it comes");
    assert!(library.made().await.expect("readers are not held") > 0);
    let error = library
        .push(String::new())
        .timeout(Duration::from_millis(50))
        .await
        .expect_err("it is borrowed");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    drop(borrowing);
    library.push(String::new()).await.expect("it is free");
}

#[tokio::test]
async fn failure_is_the_last_item() {
    let library = library().await;
    let error = library.checked(0).await.expect_err("it does not open");
    assert_eq!(error.exception().expect("it is the method's own").message(), "nothing to read");
    let mut lines = library.checked(3).await.expect("it opens");
    assert_eq!(lines.next().await.expect("one").expect("it comes"), 1);
    assert_eq!(lines.next().await.expect("two").expect("it comes"), 2);
    let error = lines.next().await.expect("the failure").expect_err("it fails");
    assert_eq!(
        error.exception().and_then(|exception| exception.get::<Unreadable>()).expect("it is").0,
        3
    );
    assert!(error.to_string().starts_with("calling Library.checked on daemon"), "{error}");
    assert!(lines.next().await.is_none());

    let items: Vec<_> =
        library.panicking().await.expect("it opens").collect::<Vec<_>>().await.map_or_else(
            |error| vec![error.exception().expect("it panicked").message().to_owned()],
            |_| Vec::new(),
        );
    assert_eq!(items, ["three is too many"]);
    let error = library.endless().timeout(Duration::from_millis(50)).await.expect("it opens");
    let error = error.collect::<Vec<_>>().await.expect_err("it is too late");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    library.lines().await.expect("the object is usable");
}

#[tokio::test]
async fn death_of_the_daemon_ends_its_streams() {
    let library = library().await;
    let mut waiting = library.waiting().await.expect("it opens");
    let exit = library.exit();
    let (item, exited) = tokio::join!(waiting.next(), exit);
    assert_eq!(exited.expect_err("it is gone").kind(), ErrorKind::Died);
    let error = item.expect("the failure").expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::Died);
    assert!(error.to_string().contains("exited with code 3"), "{error}");
}

#[tokio::test]
async fn items_may_be_objects_that_stay() {
    let library = library().await;
    let mut words = library.words().window(1).await.expect("it opens");
    let first: WordProxy = words.next().await.expect("one").expect("it comes");
    assert_eq!(first.text().await.expect("it answers"), "one");
    drop(words);
    assert_eq!(first.text().await.expect("it lives"), "one");
    let all: Vec<WordProxy> = all(library.words().await).await;
    // Given away: nobody else holds them.
    assert_eq!(library.lengths(Stream::iter(all)).await.expect("it answers"), [3, 3, 5]);
    drop(first);
    until(async || library.daemon().objects().await.expect("it answers").len() == 1).await;
}

/// Shorter than the grace of these daemons, and longer than a shutdown takes.
const HALF_THE_GRACE: Duration = Duration::from_secs(30);

async fn assert_ends_soon(daemon: &oad::Daemon) {
    let report = tokio::time::timeout(HALF_THE_GRACE, daemon.shutdown());
    let report = report.await.expect("nothing is waited for").expect("it ends");
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn streams_that_are_open_and_not_read_do_not_delay_the_shutdown() {
    for over_grpc in [false, true] {
        let library = LibraryProxy::new().grace(HALF_THE_GRACE * 2);
        let library = if over_grpc { library.over_grpc() } else { library };
        let library = library.await.expect("a daemon can be made");
        let full = library.endless().await.expect("it opens");
        let borrowing = library.endless_borrowing().await.expect("it opens");
        let waiting = library.waiting().await.expect("it opens");
        let large = library.large(100, 1 << 20).window(1).await.expect("it opens");
        // Its item is made only when the end has begun.
        let mut gated = library.gated().await.expect("it opens");
        until(async || library.waiting_at_gate().await.expect("it answers") == 1).await;
        let open_gate = library.open_gate();
        let (opened, ()) = tokio::join!(open_gate, assert_ends_soon(library.daemon()));
        opened.expect("it came first");
        assert_eq!(gated.next().await.expect("it was made").expect("it was made"), 1);
        for stream in [full, borrowing, waiting] {
            let error = stream.collect::<Vec<_>>().await.expect_err("it was cut short");
            assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
        }
        assert_eq!(large.collect::<Vec<_>>().await.expect_err("as well").kind(), ErrorKind::Closed);
    }
}

#[tokio::test]
async fn stream_that_is_read_comes_to_its_end_during_the_shutdown() {
    let library = LibraryProxy::new().grace(HALF_THE_GRACE * 2).await.expect("a daemon is made");
    let mut ticks = library.ticks(20_000).await.expect("it opens");
    ticks.next().await.expect("there are more").expect("it comes");
    let (rest, ()) = tokio::join!(ticks.collect::<Vec<_>>(), assert_ends_soon(library.daemon()));
    assert_eq!(rest.expect("it was read").len(), 19_999);
}

#[tokio::test]
async fn item_arrives_before_the_next_one_is_made() {
    for (over_grpc, method) in [false, true].into_iter().flat_map(|over_grpc| {
        ["one_by_one", "one_by_one_owned", "one_by_one_async"].map(|method| (over_grpc, method))
    }) {
        // One item is still waited for at the end.
        let library = LibraryProxy::new().grace(Duration::from_millis(10));
        let library = if over_grpc { library.over_grpc() } else { library };
        let library = library.await.expect("a daemon can be made");
        let numbers = library.as_proxy().call::<Stream<u64>>(method, ()).await;
        let mut numbers = numbers.expect("it opens");
        for expected in 0..3 {
            let number = tokio::time::timeout(HALF_THE_GRACE, numbers.next()).await;
            let number = number.expect("it is not held back").expect("there are more");
            assert_eq!(number.expect("it comes"), expected, "{method}");
            library.let_one_pass().await.expect("it answers");
        }
    }
}

#[tokio::test]
async fn item_of_an_upload_arrives_before_the_next_one_is_made() {
    for over_grpc in [false, true] {
        let library = LibraryProxy::new();
        let library = if over_grpc { library.over_grpc() } else { library };
        let library = library.await.expect("a daemon can be made");
        let (sender, receiver) = std::sync::mpsc::channel();
        let (sender_async, receiver_async) = tokio::sync::mpsc::unbounded_channel();
        let both = async |numbers: Stream<u64>, send: &dyn Fn(u64), base: u64| {
            let recording = library.record(numbers);
            let sending = async {
                for number in base..base + 3 {
                    send(number);
                    until(async || library.recorded().await.expect("it answers") == number).await;
                }
            };
            tokio::select! {
                ended = recording => panic!("there are more: {ended:?}"),
                () = sending => {}
            }
        };
        let blocking = Stream::iter(receiver.into_iter());
        both(blocking, &|number| sender.send(number).expect("it is received"), 1).await;
        let unfolded = Stream::new(stream::unfold(receiver_async, async |mut receiver| {
            let number = tokio::sync::mpsc::UnboundedReceiver::recv(&mut receiver).await?;
            Some((number, receiver))
        }));
        both(unfolded, &|number| sender_async.send(number).expect("it is received"), 10).await;
    }
}
