//! The attribute macros of [`oad`](https://docs.rs/oad): [`macro@object`] and
//! [`macro@main`].
//!
//! A program depends on `oad`, which re-exports both; what they generate names everything
//! by its path from `::oad`. Here the source is read, refused or written again.
//! Deliberately absent: anything that runs in the program itself, which is `oad`'s.

use proc_macro::TokenStream;

mod entry;
mod interface;
mod object;
mod refusals;

/// Lets values of a type live in a daemon of their own, and generates the proxy through
/// which they are called.
///
/// It goes on the type's own `impl` block and leaves that block as it is. For a type
/// `Counter` it adds the implementation of `oad::Object`, the registration under which a
/// daemon of the same program finds the type, and the type `CounterProxy`. On a trait,
/// and on an `impl` of that trait, it makes an [interface](#interfaces).
///
/// ```text
/// #[oad::object(pub)]
/// impl Counter {
///     fn new(start: i64) -> Self { … }                // CounterProxy::new(start: i64) -> oad::Spawn<CounterProxy>
///     fn add(&mut self, n: i64) -> i64 { … }          // counter.add(n: i64) -> oad::Call<i64>
///     fn name(&self) -> &str { … }                    // counter.name() -> oad::Call<String>
///     fn load(&self, from: &Path) -> Result<u8> { … } // counter.load(from: &Path) -> oad::Call<u8>
///     fn finish(self) -> i64 { … }                    // counter.finish() -> oad::Call<i64>, and the object is gone
/// }
/// ```
///
/// # Options
///
/// In any order, separated by commas, each at most once:
///
/// * `pub`, `pub(crate)`, `pub(super)`, `pub(in path)`: the visibility of the proxy.
///   Without it the proxy is private. Each method of the proxy has the visibility of the
///   function it stands for.
/// * `serial`: all methods run one at a time, so that the type need not be `Sync`. Two
///   `&self` calls then no longer overlap.
/// * `name = "…"`: the name the type is registered under. Without it that is its path,
///   such as `my_crate::module::Counter`.
///
/// # What becomes of each function
///
/// | function | on the proxy |
/// |---|---|
/// | no `self`, returns `Self` or `Result<Self, E>` | a constructor: gives `oad::Spawn`, which starts a daemon and makes the object there |
/// | `&self` | gives `oad::Call`; such calls overlap, so the type must be `Sync`, or `serial` |
/// | `&mut self` | gives `oad::Call`; such calls run alone and in the order they were made |
/// | `self` | gives `oad::Call`, takes the proxy and ends the object |
///
/// Each may be an `async fn`; on the proxy none is, because `Spawn` and `Call` are
/// themselves awaited. A proxy also has `spawn`, which sends an object that was made
/// here, if the type is `serde::Serialize` and `serde::Deserialize` and has no function
/// `spawn` of its own. Constants and types in the block are left alone.
///
/// # Arguments and returned values
///
/// Both cross as serde values, so borrowed ones cross as owned: the daemon reads a
/// `String` for a `&str`, a `Vec<T>` for a `&[T]`, a `PathBuf` for a `&Path`, a `T` for a
/// `&T`, and lends it to the method; the same inside an `Option`. What a method returns
/// borrowed, at any depth, arrives owned, and lifetimes become `'static`.
///
/// A method that returns a `Result` gives `Call<T>` whose `oad::Error` carries the
/// method's error as an exception, whatever type it is.
///
/// # Words on a function
///
/// * `#[oad(error)]`: the call gives the method's own `Result<T, E>`. `E` must be
///   `serde::Serialize`, `serde::Deserialize` and `From<oad::Error>`.
/// * `#[oad(finish)]`: the `async fn` runs to its end even if nobody waits for it any
///   more. Without it, dropping the call cancels it.
/// * `#[oad(skip)]`: the function is not reached through the proxy; it may have any
///   shape.
///
/// # Interfaces
///
/// On a trait it adds a proxy that implements the trait, for a caller that has nothing
/// but the trait: the types that implement it may be in another executable.
///
/// ```text
/// #[oad::object(pub)]
/// pub trait Store: Send + Sync {
///     fn get(&self, key: &str) -> Result<Option<String>, StoreError>;
///     async fn put(&mut self, key: String, value: String) -> Result<(), StoreError>;
///     fn len(&self) -> usize;
/// }
///
/// #[oad::object] impl MemoryStore { fn new(capacity: usize) -> Self { … } } // a type that implements it, and is an object
/// #[oad::object] impl Store for MemoryStore { … }                           // this too is reached through the object
///
/// let mut store = StoreProxy::spawn("MemoryStore::new", (16,)).executable("target/debug/stores").await?;
/// store.get("a").await?;              // its own methods are calls, as those of any proxy
/// fn fill(store: &mut impl Store) { … }
/// fill(&mut store);                   // and it stands in for the local type
/// ```
///
/// `StoreProxy::spawn` takes the registered name of the type, whole or its last part,
/// with the constructor behind it, and a tuple of the constructor's arguments. A type
/// that does not implement the interface is refused by the daemon before it is made.
///
/// In the trait's implementation by the proxy
///
/// * an `async fn`, or a method that returns an `impl Future`, awaits the call.
///   `#[async_trait]`, from whatever crate, works if it stands below `#[oad::object]`: it
///   is copied onto the implementation;
/// * a sync method waits on its thread. Where that thread would have to fetch the answer
///   itself, because it is the only one of the async runtime that the daemon was made in,
///   it fails with `oad::ErrorKind::WouldDeadlock`. In a `LocalSet` of a multi-thread
///   runtime tokio panics;
/// * a `Result<T, E>` gives the method's own error if `E` is `serde::Serialize` and
///   `serde::Deserialize`, and else `E::from(oad::Error)`, which every `E` must have. A
///   method without a `Result` panics with the error's message;
/// * methods with a default body are calls like all others; constants have their default.
///
/// An own method of the type wins over an interface's of the same name in calls by name;
/// `Store::get` always means the interface's, and so does the proxy. `&self` methods
/// overlap unless the type is `serial` or, without `&self` methods of its own, not
/// `Sync`.
///
/// The options `pub` and `name` go on the trait, and so do all the words; on the `impl`
/// there are none. `error` then counts for the proxy's own methods. `skip` is for methods
/// with a default body, which the proxy then has as they are.
///
/// The trait gets one hidden function more, by which an implementation elsewhere finds
/// its interface, and `#[allow(async_fn_in_trait)]`: whoever implements it with
/// `#[oad::object]` is asked for futures that are `Send`.
///
/// # What is refused
///
/// At compile time, with the reason, at the place:
///
/// * anything but an `impl` block or a trait, and a block or a trait with type parameters
///   or lifetimes;
/// * a function without `self` that makes no object, and a `self` other than `self`,
///   `&self` and `&mut self`;
/// * type and const parameters, `unsafe`, `extern` and variadic functions, and `#[cfg]`
///   on one function or parameter;
/// * parameters that are patterns, `&mut` in a parameter or a returned type, references
///   deep inside a parameter, `impl Trait`, and `dyn Trait` anywhere but in the error of
///   a `Result`;
/// * `!` as the returned type;
/// * an `async fn` with `&self` in a `serial` object;
/// * options and words that are unknown, given twice, or without effect where they stand;
/// * in an interface: associated types, constants without a default, functions without
///   `self` (but `#[oad(skip)]` ones), `Self` in a parameter or a returned type, a
///   borrowed or boxed-future return, a method named `spawn`, an error that is not
///   `From<oad::Error>`, and `unsafe trait`;
/// * an `impl` of a trait that is no interface, for a type that is no object, or whose
///   futures are not `Send`.
#[proc_macro_attribute]
pub fn object(options: TokenStream, item: TokenStream) -> TokenStream {
    object::expand(options.into(), item.into()).into()
}

/// Makes an `async fn main` the start of a program that can be its own daemon.
///
/// The function first asks `oad::init()` whether this process was started as a daemon,
/// which then never returns, and else runs the body on a runtime. Attributes, visibility,
/// documentation and the returned type stay.
///
/// ```text
/// #[oad::main]
/// async fn main() -> oad::Result<()> { … }
/// ```
///
/// A program with a runtime of its own calls `oad::init()` first thing in `main` instead.
///
/// # What is refused
///
/// A function that is not `async`, has parameters or is generic, and arguments to the
/// attribute.
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(&arguments.into(), item.into()).into()
}
