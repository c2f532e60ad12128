//! Typed proxies of Python objects, over both ways: what a trait can declare, what
//! arrives in Python, and what a check finds. `OAD_PYTHON` names the interpreter.
#![deny(warnings, missing_docs, unreachable_pub, missing_debug_implementations, clippy::all)]

use std::collections::BTreeMap;

use oad::{ErrorKind, Interpreter, Proxy, PythonProxy, Remote as _, ToPython};
use support::python::{dedent, interpreter};

mod support;

oad::test_daemon!();

const SOURCE: &str = r#"
    class Room:
        floor = 3
        __slots__ = ('size', 'things', 'last')
        def __init__(self, size=1, *, name='a'):
            self.size, self.things = size, [name]
        @classmethod
        def named(cls, name): return cls(2, name=name)
        @staticmethod
        def largest(rooms): return max(rooms, key=lambda room: room.size)
        @property
        def area(self): return self.size * 10
        def put(self, name, count=1, *more, note=None, **others):
            self.last = (name, count, more, note, others)
            return repr(self.last)
        def place(self, x, y=0, z=0): return [x, y, z]
        def each(self, upto):
            for size in range(upto): yield Room(size)
        def doubled(self): return Room(self.size * 2)
        def find(self, size): return self if size == self.size else None
        def both(self, other): return [self, other]
        def is_same(self, other): return self is other
        def __add__(self, other): return Room(self.size + other.size)
        def type(self): return 'room'
        async def later(self): return 1
    def area_of(room, *, factor=1): return room.area * factor
"#;

/// A room of a script.
#[oad::python("Room")]
trait Room {
    fn new() -> Self;
    #[oad(constructor)]
    fn sized(size: i64, #[oad(keyword)] name: Option<&str>) -> Self;
    fn named(name: &str) -> Self;
    #[oad(name = "named")]
    fn called(name: &str) -> Self;

    /// How large it is.
    #[oad(attribute)]
    fn size(&self) -> i64;
    #[oad(attribute)]
    fn set_size(&self, size: i64);
    #[oad(attribute, name = "size")]
    fn resize(&self, size: i64);
    #[oad(attribute)]
    fn area(&self) -> i64;
    #[oad(attribute, name = "__class__.__name__")]
    fn class_name(&self) -> String;

    fn put(
        &self,
        name: &str,
        #[oad(default = 7)] count: Option<i64>,
        #[oad(args)] more: impl ToPython,
        #[oad(keyword)] note: Option<Option<&str>>,
        #[oad(keyword, name = "type")] kind: Option<&str>,
        #[oad(keyword, default = 2.5)] weight: Option<f64>,
        #[oad(keywords)] others: impl ToPython,
    ) -> String;
    fn place(
        &self,
        x: i64,
        #[oad(optional)] y: Option<i64>,
        #[oad(optional)] z: Option<i64>,
    ) -> Vec<i64>;
    fn each(&self, upto: i64) -> oad::Stream<RoomProxy>;
    async fn doubled(&self) -> Self;
    fn find(&self, size: i64) -> Option<RoomProxy>;
    fn both(&self, other: &RoomProxy) -> Vec<Self>;
    fn is_same(&self, other: &PythonProxy) -> bool;
    #[oad(operator = "add")]
    fn plus(&self, other: &Self) -> Self;
    fn r#type(&self) -> String;
    #[oad(name = "find")]
    fn find_as<T: oad::FromPython>(&self, size: i64) -> T
    where
        T: Clone;
    fn largest(&self, rooms: &[&RoomProxy]) -> PythonProxy;
}

/// The class itself.
#[oad::python(class = "Room")]
pub(crate) trait Rooms {
    fn largest(&self, rooms: &[RoomProxy]) -> RoomProxy;
    fn named(&self, name: &str) -> RoomProxy;
    #[oad(attribute)]
    fn floor(&self) -> i64;
}

/// The script; as any Python object, it can get a typed proxy.
#[oad::python(module = "rooms")]
trait Script {
    fn area_of(&self, room: &RoomProxy, #[oad(keyword)] factor: i64) -> i64;
    #[cfg(any())]
    fn absent(&self);
}

/// The typed proxy of a script over each way, and its interpreter.
async fn both_ways() -> Vec<(Interpreter, ScriptProxy)> {
    let direct = oad::interpreter(interpreter()).await.expect("it starts");
    let over_grpc = oad::interpreter(interpreter()).over_grpc().await.expect("it starts");
    let mut made = Vec::new();
    for py in [direct, over_grpc] {
        let script = py.script("rooms.py", dedent(SOURCE)).await.expect("it is made");
        made.push((py, ScriptProxy::from(script)));
    }
    made
}

async fn room(py: &Interpreter, size: i64) -> RoomProxy {
    RoomProxy::sized(size, None).in_interpreter(py).await.expect("it is made")
}

#[tokio::test]
async fn constructors_call_the_class_or_its_functions() {
    for (py, _) in both_ways().await {
        let first = RoomProxy::new().in_interpreter(&py).await.expect("it is made");
        assert_eq!(first.size().await.expect("it has one"), 1);
        let room = RoomProxy::sized(4, Some("b")).in_interpreter(&py).await.expect("it is made");
        assert_eq!(room.size().await.expect("it has one"), 4);
        assert_eq!(room.getattr::<Vec<String>>("things").await.expect("it has some"), ["b"]);
        for made in [RoomProxy::named("c"), RoomProxy::called("c")] {
            let room = made.within(py.daemon()).await.expect("it is made");
            assert_eq!(room.size().await.expect("it has one"), 2);
            assert_eq!(room.interpreter().pid(), py.pid());
        }
    }
}

#[tokio::test]
async fn constructor_alone_starts_a_daemon() {
    for over_grpc in [false, true] {
        let half = FractionProxy::new("1/2").interpreter(interpreter());
        let half = if over_grpc { half.over_grpc() } else { half };
        let half = half.await.expect("it is made");
        assert_eq!(half.denominator().await.expect("it has one"), 2);
        half.shutdown().await.expect("it ends");
    }
}

/// Its macro is reached by way of another crate.
#[oad::python("fractions.Fraction", crate = "crate::elsewhere::oad")]
trait Fraction {
    fn new(text: &str) -> Self;
    #[oad(attribute)]
    fn denominator(&self) -> i64;
    #[oad(name = "as_integer_ratio")]
    fn same_parts(&self) -> crate::elsewhere::oad::Stream<i64>;
}

mod elsewhere {
    #[allow(clippy::single_component_path_imports)] // Another crate would re-export it so.
    pub(crate) use oad;
}

#[tokio::test]
async fn stream_of_another_path_is_a_stream() {
    let (py, _) = both_ways().await.remove(0);
    let ratio =
        py.eval::<PythonProxy>("type('Ratio', (), {'as_integer_ratio': lambda self: [3, 4]})()");
    let ratio = FractionProxy::from(ratio.await.expect("it is evaluated"));
    let mut parts = ratio.same_parts().await.expect("it iterates");
    assert_eq!(parts.next().await.expect("there is one").expect("it is one"), 3);
}

#[tokio::test]
async fn attributes_are_read_and_set() {
    for (py, _) in both_ways().await {
        let room = room(&py, 4).await;
        room.set_size(5).await.expect("it is set");
        assert_eq!(room.area().await.expect("it is a property"), 50);
        room.resize(6).await.expect("it is set");
        assert_eq!(room.size().await.expect("it is set"), 6);
        assert_eq!(room.class_name().await.expect("it has one"), "Room");
        assert_eq!(room.r#type().await.expect("it is called"), "room");
    }
}

#[tokio::test]
async fn arguments_arrive_as_declared() {
    for (py, _) in both_ways().await {
        let room = room(&py, 4).await;
        let put = room.put("pen", None, (), None, None, None, ()).await.expect("it is called");
        assert_eq!(put, "('pen', 7, (), None, {'weight': 2.5})");
        let others = BTreeMap::from([("x", 1), ("y", 2)]);
        let put = room.put("pen", Some(3), (4, "b"), Some(Some("n")), Some("t"), Some(1.5), others);
        assert_eq!(
            put.await.expect("it is called"),
            "('pen', 3, (4, 'b'), 'n', {'type': 't', 'weight': 1.5, 'x': 1, 'y': 2})"
        );
        let put = room.put("pen", None, [1], Some(None), None, None, ()).keyword("free", true);
        assert_eq!(
            put.await.expect("it is called"),
            "('pen', 7, (1,), None, {'weight': 2.5, 'free': True})"
        );
        assert_eq!(room.place(1, None, None).await.expect("it is called"), [1, 0, 0]);
        assert_eq!(room.place(1, Some(2), None).await.expect("it is called"), [1, 2, 0]);
        let error = room.place(1, None, Some(3)).await.expect_err("`y` has no value");
        assert_eq!(error.kind(), ErrorKind::BadArguments);
        assert!(
            error.to_string().contains("`z` cannot be passed, because `y` before it"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn results_are_typed_proxies() {
    for (py, script) in both_ways().await {
        let room = room(&py, 4).await;
        let double = room.doubled().await.expect("it is made");
        assert_eq!(double.size().await.expect("it has one"), 8);
        assert_eq!(
            room.find(4).await.expect("it is called").expect("found").handle(),
            room.handle()
        );
        assert!(room.find(5).await.expect("it is called").is_none());
        assert!(room.find_as::<Option<Proxy>>(5).await.expect("it is called").is_none());
        let both = room.both(&double).await.expect("they are returned");
        assert_eq!(both[1].handle(), double.handle());
        assert!(room.is_same(&both[0]).await.expect("it is called"));
        let sum = room.plus(&double).await.expect("they are added");
        assert_eq!(script.area_of(&sum, 2).await.expect("it is called"), 240);

        let mut rooms = room.each(3).await.expect("it iterates");
        let mut sizes = Vec::new();
        while let Some(room) = rooms.next().await {
            sizes.push(room.expect("it is one").size().await.expect("it has one"));
        }
        assert_eq!(sizes, [0, 1, 2]);
    }
}

#[tokio::test]
async fn class_and_module_are_imported() {
    for (py, _) in both_ways().await {
        let rooms = RoomsProxy::import().in_interpreter(&py).await.expect("it is imported");
        assert_eq!(rooms.floor().await.expect("it has one"), 3);
        let (small, large) = (room(&py, 1).await, room(&py, 9).await);
        let largest = rooms.largest(&[small.clone(), large.clone()]).await.expect("it is called");
        assert_eq!(largest.handle(), large.handle());
        let by_object = small.largest(&[&small, &large]).await.expect("it is called");
        assert_eq!(by_object.handle(), large.handle());
        assert_eq!(
            rooms.named("x").await.expect("it is made").size().await.expect("it has one"),
            2
        );
        let script = ScriptProxy::import().in_interpreter(&py).await.expect("it is a module");
        assert_eq!(script.area_of(&large, 1).await.expect("it is called"), 90);
    }
}

#[tokio::test]
async fn typed_proxy_converts_from_and_to_others() {
    let (py, _) = both_ways().await.remove(0);
    let room = room(&py, 4).await;
    let plain: PythonProxy = room.clone().into();
    assert_eq!(RoomProxy::from(plain.clone()).size().await.expect("it has one"), 4);
    assert_eq!(plain.typed::<RoomProxy>().expect("a Python object").handle(), room.handle());
    assert!(format!("{room:?}").starts_with("RoomProxy(PythonProxy("), "{room:?}");
    assert!(room.repr().await.expect("it has one").contains("Room"));

    let counter = CounterProxy::new().await.expect("it is made");
    let error = counter.as_proxy().typed::<RoomProxy>().expect_err("it is a Rust object");
    assert_eq!(error.kind(), ErrorKind::WrongType);
    assert!(error.to_string().contains("not a Python object"), "{error}");
    let error = py.value(1).await.expect("it is made").typed::<CounterProxy>();
    assert_eq!(error.expect_err("it is a Python object").kind(), ErrorKind::WrongType);
}

/// An object of Rust.
#[derive(serde::Serialize, serde::Deserialize)]
struct Counter;

#[oad::object]
impl Counter {
    fn new() -> Self {
        Counter
    }
}

#[tokio::test]
async fn settings_of_another_interpreter_are_refused() {
    let (py, _) = both_ways().await.remove(0);
    let other = oad::interpreter(interpreter()).await.expect("it starts");
    let refused = [
        (RoomProxy::new().interpreter("python3"), "`interpreter`"),
        (RoomProxy::new().path_entry("/"), "`path_entry`"),
        (RoomProxy::new().within(other.daemon()), "`within`"),
    ];
    for (room, setting) in refused {
        let error = room.in_interpreter(&py).await.expect_err("the interpreter runs already");
        assert_eq!(error.kind(), ErrorKind::BadArguments);
        assert!(error.to_string().contains(setting), "{error}");
    }
    let room = RoomProxy::new().within(py.daemon()).in_interpreter(&py).await;
    assert_eq!(room.expect("both name one daemon").interpreter().pid(), py.pid());
}

/// Declares what the room does not have.
#[oad::python("Room")]
trait Wrong {
    fn new(size: i64, things: i64) -> Self;
    fn named() -> Self;
    fn absent(&self);
    fn place(&self, x: i64, #[oad(keyword)] w: Option<i64>) -> Vec<i64>;
    fn doubled(&self, by: i64) -> Self;
    #[oad(attribute)]
    fn set_area(&self, area: i64);
    fn floor(&self) -> i64;
    fn area(&self) -> i64;
    #[oad(attribute)]
    fn colour(&self) -> String;
    #[oad(operator = "sub")]
    fn minus(&self, other: &Self) -> Self;
}

#[tokio::test]
async fn check_lists_everything_that_does_not_fit() {
    for (py, _) in both_ways().await {
        let error = py.check::<WrongProxy>().await.expect_err("it does not fit");
        assert_eq!(error.kind(), ErrorKind::WrongType);
        let text = error.to_string();
        for part in [
            "`Room` does not fit `WrongProxy`: `Room`: too many positional arguments; ",
            // The defaults are the object's own data.
            "the signature in Python is `(size=…, *, name=…)`",
            "`named`: missing a required argument: 'name'; the signature in Python is `(name)`",
            "`absent`: does not exist",
            "`place`: got an unexpected keyword argument 'w'",
            "`doubled`: too many positional arguments",
            "`area`: is read-only",
            "`floor`: is not a function, but int",
        ] {
            assert!(text.contains(part), "{part} is missing: {text}");
        }
        assert!(!text.contains("colour") && !text.contains("minus"), "{text}");

        // Of an instance, it is known which attributes it has; constructors play no part.
        let room = room(&py, 1).await;
        let error = room.check::<WrongProxy>().await.expect_err("it does not fit").to_string();
        assert!(error.contains("`colour`: does not exist"), "{error}");
        assert!(error.contains("rooms.Room` does not fit"), "{error}");
        assert!(!error.contains("`named`"), "{error}");
    }
}

#[tokio::test]
async fn check_accepts_what_fits_and_lists_what_it_could_not_compare() {
    for (py, script) in both_ways().await {
        let room = room(&py, 1).await;
        for report in [py.check::<RoomProxy>().await, room.check::<RoomProxy>().await] {
            let report = report.expect("it fits");
            let unchecked = [
                "`__class__.__name__`: belongs to an attribute",
                "`add`: operators have no signature",
            ];
            assert_eq!(report.unchecked(), unchecked, "{report}");
        }
        py.check::<RoomsProxy>().await.expect("it fits");
        assert_eq!(
            script.check::<ScriptProxy>().await.expect("it fits").to_string(),
            "everything fits"
        );
        let error = py.check::<NowhereProxy>().await.expect_err("there is no such module");
        assert_eq!(error.kind(), ErrorKind::Exception);
        let report = py.check::<DictionaryProxy>().await.expect("it fits");
        assert!(report.to_string().contains("`update`: Python reports no signature"), "{report}");
        // The check leaves no names behind, and compares objects that know nothing of it.
        assert!(py.eval::<bool>("'check_member' not in globals()").await.expect("evaluated"));
    }
}

#[oad::python("no_such_module.Class")]
trait Nowhere {
    fn new() -> Self;
}

/// Written in C, and its methods have no signatures.
#[oad::python("dict")]
trait Dictionary {
    fn update(&self, #[oad(keywords)] entries: impl ToPython);
    fn copy(&self) -> Self;
}
