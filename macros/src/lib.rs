//! The attribute macros of [`oad`](https://docs.rs/oad): [`macro@object`],
//! [`macro@python`] and [`macro@main`].
//!
//! A program depends on `oad`, which re-exports them. Generated code names everything by
//! its path from `::oad`, or from the path of the option `crate = "…"`. This crate reads
//! source, refuses it or writes it again; everything that runs in the program itself is
//! in `oad`.

use proc_macro::TokenStream;

mod as_handle;
mod crate_path;
mod entry;
mod interface;
mod object;
mod python;
mod refusals;

/// Lets values of a type live in their own daemon, and generates the proxy through which
/// they are called.
///
/// Place it on the type's own `impl` block, which it leaves as it is. For a type
/// `Counter` it adds the implementation of `oad::Object`, the registration under which a
/// daemon of the same program finds the type, and the type `CounterProxy`. On a trait,
/// and on an `impl` of that trait, it makes an [interface](#interfaces).
///
/// ```text
/// #[oad::object(pub)]
/// impl Counter {
///     fn new(start: i64) -> Self { … }  // CounterProxy::new(i64) -> oad::Spawn<CounterProxy>
///     fn add(&mut self, n: i64) -> i64 { … }  // counter.add(i64) -> oad::Call<i64>
///     fn name(&self) -> &str { … }  // counter.name() -> oad::Call<String>
///     fn load(&self, from: &Path) -> Result<u8> { … }  // counter.load(&Path) -> oad::Call<u8>
///     fn finish(self) -> i64 { … }  // counter.finish() -> oad::Call<i64>, ends the object
/// }
/// ```
///
/// A type has one such block. Further `impl` blocks, without the attribute, hold what is
/// not called through the proxy.
///
/// # Options
///
/// In any order, separated by commas, each at most once:
///
/// * `pub`, `pub(crate)`, `pub(super)`, `pub(in path)`: the visibility of the proxy. The
///   default is private. Each method of the proxy has the visibility of the function it
///   calls.
/// * `serial`: methods run one at a time, so the type need not be `Sync`. Two `&self`
///   calls then do not run in parallel.
/// * `name = "…"`: the name the type is registered under. The default is its path, such
///   as `my_crate::module::Counter`.
/// * `crate = "…"`: the path of oad, for a crate that has it by way of another, such as
///   `crate = "my_library::oad"`; the default is `::oad`. The path is used in several
///   modules, so it must start with a crate's name or with `crate`. Written without
///   quotes it may also start with the `$crate` of a `macro_rules` macro.
///
/// # How functions are translated
///
/// | function | on the proxy |
/// |---|---|
/// | no `self`, returns `Self` or `Result<Self, E>` | a constructor: returns `oad::Spawn`, which starts a daemon and creates the object there |
/// | `&self` | returns `oad::Call`; such calls run in parallel, so the type must be `Sync`, or `serial` |
/// | `&mut self` | returns `oad::Call`; such calls run alone, in the order they were made |
/// | `self` | returns `oad::Call`; takes the proxy and ends the object |
///
/// Each may be an `async fn`. None is on the proxy, because `Spawn` and `Call` are
/// awaited themselves. A proxy also has `spawn`, which sends an object that was created
/// here, if the type is `serde::Serialize` and `serde::Deserialize` and has no function
/// `spawn` of its own. Constants and types in the block are left alone.
///
/// # Arguments and returned values
///
/// Both are sent as serde values, so borrowed ones are sent as owned. The daemon reads a
/// `String` for a `&str`, a `Vec<T>` for a `&[T]`, a `PathBuf` for a `&Path` and a `T`
/// for a `&T`, and lends it to the method; the same inside an `Option`. A borrowed return
/// value arrives owned, at any depth, and lifetimes become `'static`.
///
/// A method that returns a `Result` becomes a `Call<T>`, whose `oad::Error` carries the
/// method's error, of any type, as an exception.
///
/// # Options of a function
///
/// * `#[oad(error)]`: the call returns the method's own `Result<T, E>`. `E` must be
///   `serde::Serialize`, `serde::Deserialize` and `From<oad::Error>`.
/// * `#[oad(finish)]`: the `async fn` runs to its end even if its caller is gone. By
///   default, dropping the call cancels it.
/// * `#[oad(skip)]`: the function is not called through the proxy; it may have any
///   signature.
///
/// # Interfaces
///
/// On a trait, the attribute adds a proxy that implements the trait, for a caller that
/// has only the trait: the types that implement it may be in another executable.
///
/// ```text
/// #[oad::object(pub)]
/// pub trait Store: Send + Sync {
///     fn get(&self, key: &str) -> Result<Option<String>, StoreError>;
///     async fn put(&mut self, key: String, value: String) -> Result<(), StoreError>;
///     fn len(&self) -> usize;
/// }
///
/// // An object that implements it:
/// #[oad::object] impl MemoryStore { fn new(capacity: usize) -> Self { … } }
/// #[oad::object] impl Store for MemoryStore { … }
///
/// let store = StoreProxy::spawn("MemoryStore::new", (16,));
/// let mut store = store.executable("target/debug/stores").await?;
/// store.get("a").await?;              // its own methods are calls, as on any proxy
/// fn fill(store: &mut impl Store) { … }
/// fill(&mut store);                   // and it stands in for the local type
/// ```
///
/// `StoreProxy::spawn` takes the registered name of the type, whole or its last part,
/// followed by the constructor, and a tuple of the constructor's arguments. The daemon
/// refuses a type that does not implement the interface before it creates the object.
///
/// In the proxy's implementation of the trait
///
/// * an `async fn`, or a method that returns an `impl Future`, awaits the call.
///   `#[async_trait]`, from any crate, works if it stands below `#[oad::object]`: it is
///   copied onto the implementation;
/// * a sync method blocks its thread. On the only thread of the async runtime in which
///   the daemon was started, which would have to receive the response itself, it fails
///   with `oad::ErrorKind::WouldDeadlock`. In a `LocalSet` of a multi-thread runtime
///   tokio panics;
/// * a `Result<T, E>` holds the method's own error if `E` is `serde::Serialize` and
///   `serde::Deserialize`, and else `E::from(oad::Error)`, which every `E` must have. A
///   method without a `Result` panics with the error's message;
/// * methods with a default body are calls like all others; constants have their default.
///
/// In calls by name, a type's own method wins over an interface's method of the same
/// name; `Store::get` always means the interface's, on the proxy too. `&self` methods run
/// in parallel unless the type is `serial` or, without `&self` methods of its own, not
/// `Sync`.
///
/// The options `pub` and `name` and all options of functions belong on the trait; the
/// `impl` takes only `crate`. `error` applies to the proxy's own methods. `skip` is for
/// methods with a default body, which the proxy keeps.
///
/// The trait gets one more, hidden function, by which an implementation elsewhere finds
/// its interface, and `#[allow(async_fn_in_trait)]`: an implementation with
/// `#[oad::object]` must have futures that are `Send`.
///
/// # Errors at compile time
///
/// The macro refuses, with the reason and at the right place:
///
/// * anything but an `impl` block or a trait, and a block or a trait with type parameters
///   or lifetimes;
/// * a function without `self` that does not return the object, and a `self` other than
///   `self`, `&self` and `&mut self`;
/// * type and const parameters, `unsafe`, `extern` and variadic functions, and `#[cfg]`
///   on one function or parameter;
/// * parameters that are patterns, `&mut` in a parameter or a return type, references
///   deep inside a parameter, `impl Trait`, and `dyn Trait` anywhere but in the error of
///   a `Result`;
/// * `!` as the return type;
/// * an `async fn` with `&self` in a `serial` object;
/// * options that are unknown, given twice, or without effect where they stand;
/// * in an interface: associated types, constants without a default, functions without
///   `self` (except `#[oad(skip)]` ones), `Self` in a parameter or a return type, a
///   borrowed or boxed-future return, a method named `spawn`, an error that is not
///   `From<oad::Error>`, and `unsafe trait`;
/// * an `impl` of a trait that is not an interface, for a type that is not an object, or
///   whose futures are not `Send`;
/// * a second block with `#[oad::object]` for one type.
#[proc_macro_attribute]
pub fn object(options: TokenStream, item: TokenStream) -> TokenStream {
    object::expand(options.into(), item.into()).into()
}

/// Makes a typed proxy of a Python object from a trait that declares its methods.
///
/// For a trait `TextBuffer`, the attribute writes the type `TextBufferProxy`, with the
/// trait's visibility. The trait itself is not kept, because nothing but the proxy could
/// implement it.
///
/// ```text
/// #[oad::python("io.StringIO")]
/// trait TextBuffer {
///     fn new(initial: &str) -> Self; // TextBufferProxy::new(&str) -> oad::PythonBuilder<…>
///     fn getvalue(&self) -> String; // text.getvalue() -> oad::Call<String>
///     fn readlines(&self) -> oad::Stream<String>; // -> oad::Call<oad::Stream<String>>
///     #[oad(attribute)]
///     fn closed(&self) -> bool; // -> oad::Call<bool>
/// }
/// ```
///
/// # Options
///
/// One of these names the Python object:
///
/// * `"module.Class"`: an instance of the class. A colon, as in
///   `"package.module:Outer.Inner"`, separates the module from a nested class. A name
///   without a module is a builtin, or a name of an earlier script.
/// * `class = "module.Class"`: the class itself, with its class methods and static
///   methods. The proxy has a function `import`.
/// * `module = "module"`: a module. The proxy has a function `import`.
///
/// `crate = "…"` is the path of oad, as for [`macro@object`].
///
/// # How functions are translated
///
/// | function | in Python |
/// |---|---|
/// | `fn new(…) -> Self`, or `#[oad(constructor)]` and any name | calls the class |
/// | `fn from_hex(…) -> Self` | calls that function of the class, to make an instance |
/// | `fn write(&self, …) -> T` | calls the method |
/// | `fn items(&self, …) -> oad::Stream<T>` | calls the method, and iterates over the result |
/// | `#[oad(attribute)] fn size(&self) -> T` | returns the attribute |
/// | `#[oad(attribute)] fn set_size(&self, size: T)` | sets the attribute |
/// | `#[oad(operator = "add")] fn add(&self, other: T) -> T` | applies an operator |
///
/// The names of operators are those of `oad::Operator`. `#[oad(name = "…")]` is the name
/// in Python, if it is another; dots reach further in. `async fn` means the same as `fn`,
/// because a call is awaited in either case. A constructor returns an
/// `oad::PythonBuilder`, which starts a daemon unless it is used with `within` or
/// `in_interpreter`.
///
/// # Parameters
///
/// A parameter is a positional argument of any type that is `serde::Serialize`, also an
/// `impl oad::ToPython`. A reference to a proxy passes the object itself.
///
/// | attribute | how it is passed |
/// |---|---|
/// | `#[oad(keyword)]` | by name; `None` leaves it out, `Some(None)` passes Python's `None` |
/// | `#[oad(keyword, name = "…")]` | by that name |
/// | `#[oad(optional)]` | by position; `None` leaves it out, and then nothing may follow it |
/// | `#[oad(default = value)]` | the value stands for a `None`; also with `keyword` |
/// | `#[oad(args)]` | the items of a tuple or a list as further positional arguments |
/// | `#[oad(keywords)]` | the fields of a struct or the entries of a map as keyword arguments |
///
/// # Returned values
///
/// As for any call of a Python object, the type decides how the result comes: by value,
/// as an `oad::PythonProxy`, or as another typed proxy, also inside an `Option`, a `Vec`
/// or a stream. `Self` is the proxy.
///
/// # The proxy
///
/// It dereferences to `oad::PythonProxy`, so that operators, items and undeclared methods
/// are there too; a declared function wins. `From` converts from and to a `PythonProxy`.
/// No conversion and no constructor compares the declaration with the object;
/// `oad::Interpreter::check` and `oad::PythonProxy::check` do.
///
/// # Errors at compile time
///
/// The macro refuses, with the reason and at the right place:
///
/// * anything but a trait, and a trait with type parameters, supertraits or anything but
///   functions;
/// * names that Python does not accept;
/// * functions with a body, `unsafe` and `extern` functions, and a `self` other than
///   `&self`;
/// * a function without `self` that does not return `Self`, or that belongs to a class or
///   a module;
/// * a returned `Result`, reference, `impl Trait` or `dyn Trait`, and any stream but
///   `oad::Stream`;
/// * parameters that are patterns or `&mut`, and positional ones after `optional` or
///   `args`;
/// * options that are unknown, given twice, or without effect where they stand.
#[proc_macro_attribute]
pub fn python(options: TokenStream, item: TokenStream) -> TokenStream {
    python::expand(options.into(), item.into()).into()
}

/// Makes an `async fn main` the entry point of a program that can be its own daemon.
///
/// The function first calls `oad::init()`, which never returns in a process that was
/// started as a daemon, and else runs the body on a runtime of one thread. Attributes,
/// visibility, documentation and the return type stay.
///
/// ```text
/// #[oad::main]
/// async fn main() -> oad::Result<()> { … }
/// ```
///
/// `#[oad::main(crate = "my_library::oad")]` is for a program that has oad by way of
/// another crate. A program with its own runtime calls `oad::init()` on the first line of
/// `main` instead.
///
/// # Errors at compile time
///
/// The macro refuses a function that is not `async`, has parameters or is generic, and
/// any option but `crate`.
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    entry::expand(arguments.into(), item.into()).into()
}
