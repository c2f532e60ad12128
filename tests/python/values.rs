//! Which values cross to Python and back, and which stay there.

use super::*;

#[tokio::test]
async fn values_cross_exactly_in_both_directions() {
    let echo = script("def echo(x): return x\ndef show(x): return repr(x)\n").await;
    let big = "170141183460469231731687303715884105727123456789";
    for (value, shown) in [
        (Value::Null, "None".to_owned()),
        (true.into(), "True".into()),
        (i64::MIN.into(), i64::MIN.to_string()),
        (i64::from(i32::MAX).into(), i32::MAX.to_string()),
        (u64::MAX.into(), u64::MAX.to_string()),
        (i128::MIN.into(), i128::MIN.to_string()),
        ((-0.0).into(), "-0.0".into()),
        (f64::NAN.into(), "nan".into()),
        ("naïve 𝄞\0".into(), "'naïve 𝄞\\x00'".into()),
        (Value::Bytes(vec![0, 255].into()), "b'\\x00\\xff'".into()),
        (Value::List(vec![1.into(), "x".into()].into()), "[1, 'x']".into()),
        (Value::Tuple(vec![1.into(), Value::Tuple(vec![])]), "(1, ())".into()),
        (
            Value::Map(vec![(Value::Tuple(vec![1.into()]), 2.into()), ("b".into(), Value::Null)]),
            "{(1,): 2, 'b': None}".into(),
        ),
    ] {
        let shown_there: String = echo.call("show", (&value,)).await.expect("it answers");
        assert_eq!(shown_there, shown);
        let back: Value = echo.call("echo", (&value,)).await.expect("it answers");
        assert_eq!(back, value, "{shown}");
    }
    let source = r#"
        import array, datetime, decimal, uuid
        cases = [
            {1, 'a'}, frozenset([2]), 1+2j, slice(1, None, 2), range(0, 9, 3), '\ud800x',
            datetime.date(2024, 2, 29),
            datetime.datetime(2024, 2, 29, 1, 2, 3, 4, datetime.timezone.utc),
            datetime.timedelta(days=-1, seconds=5), decimal.Decimal('-0.10'),
            uuid.UUID(int=7), array.array('d', [1.5, -0.0]),
        ]
    "#;
    let kinds = with(oad::python_script("kinds", dedent(source)))
        .within(echo.daemon())
        .await
        .expect("it is made");
    let cases: Vec<Value> = kinds.getattr("cases").await.expect("it answers");
    for case in cases {
        let back: Value = echo.call("echo", (&case,)).await.expect("it answers");
        assert_eq!(back, case, "{case:?}");
        assert!(!matches!(case, Value::Handle(_)), "{case:?} is a value");
    }
    let numbers: Vec<f64> = kinds
        .call::<oad::value::Array>("cases.__getitem__", (11,))
        .await
        .expect("it answers")
        .to_vec()
        .expect("it is of floats");
    assert_eq!(numbers, [1.5, -0.0]);
    let power: Value = echo.call("echo", (u128::MAX,)).await.expect("it answers");
    assert_eq!(power, u128::MAX.into());
    let parsed =
        with(oad::python("", "int")).arg(big).within(echo.daemon()).await.expect("it is made");
    assert_eq!(parsed.str().await.expect("it answers"), big);
}

#[tokio::test]
async fn what_is_no_value_stays_and_is_the_same_when_it_comes_back() {
    let script = script(
        r#"
        import weakref
        class Node: pass
        node = Node()
        made = []
        def make():
            n = Node()
            made.append(weakref.ref(n))
            return n
        def alive(): return sum(1 for r in made if r() is not None)
        def is_node(x): return x is node
        def pair(): return [node, node, 1]
        loop = []
        loop.append(loop)
    "#,
    )
    .await;
    let [first, second]: [PythonProxy; 2] = [
        script.getattr("node").await.expect("it answers"),
        script.getattr("node").await.expect("it answers"),
    ];
    assert_eq!(first.handle(), second.handle());
    assert!(script.call::<bool>("is_node", (&first,)).await.expect("it answers"));
    let (a, b, one): (Proxy, Proxy, i64) = script.call("pair", ()).await.expect("it answers");
    assert_eq!((a.handle(), b.handle(), one), (first.handle(), first.handle(), 1));
    drop((a, b, second));
    assert!(script.call::<bool>("is_node", (&first,)).await.expect("it is held"));
    let made: Vec<PythonProxy> = {
        let mut made = Vec::new();
        for _ in 0..10 {
            made.push(script.call("make", ()).await.expect("it answers"));
        }
        made
    };
    assert_eq!(script.call::<i64>("alive", ()).await.expect("it answers"), 10);
    drop(made);
    until(async || script.call::<i64>("alive", ()).await.expect("it answers") == 0).await;
    let recursive: Value = script.getattr("loop").await.expect("it crashes nothing");
    assert!(matches!(recursive, Value::List(_)));
    drop(recursive);
    until(async || script.daemon().objects().await.expect("it answers").len() == 2).await;
}

#[tokio::test]
async fn arguments_of_the_allowed_depth_travel() {
    let script = script("def echo(x, *, y=None): return x\n").await;
    let deep = (0..32).fold(Value::Int(7), |inner, _| Value::List(vec![inner, "x".into()].into()));
    let back: Value =
        script.call("echo", (&deep,)).keyword("y", &deep).await.expect("it is not too deep");
    assert_eq!(back, deep);
}

#[tokio::test]
async fn keys_that_are_equal_in_python_never_collapse() {
    let script = script(
        "import fractions\nhalf = fractions.Fraction(1, 2)\ndef count(x, **k): return len(x)\n",
    )
    .await;
    let half: Proxy = script.getattr("half").await.expect("it answers");
    let half = oad::value::to_value(&half).expect("it is a handle");
    let decimal = |text: &str| Value::Decimal(text.parse().expect("it is one"));
    let moment = |text: &str| Value::DateTime(text.parse().expect("it is one"));
    let large: oad::value::BigInt =
        "10000000000000000303786028427003666890752".parse().expect("it is one");
    for [one, other] in [
        [decimal("1"), decimal("1.0")],
        [decimal("1"), 1.into()],
        [decimal("1"), 1.0.into()],
        [decimal("0"), false.into()],
        [true.into(), 1.into()],
        [1e40.into(), large.into()],
        [half.clone(), 0.5.into()],
        [half, decimal("0.5")],
        [moment("2024-01-01T00:00:00+00:00"), moment("2024-01-01T01:00:00+01:00")],
        [(1, decimal("2")).into(), (1, 2).into()],
    ] {
        let both = vec![one.clone(), other.clone()];
        let map = Value::Map(both.iter().map(|key| (key.clone(), Value::Null)).collect());
        let sets = [Value::Set(both.clone().into()), Value::FrozenSet(both.clone().into())];
        for keys in [map].into_iter().chain(sets) {
            for call in [
                script.call::<u8>("count", (&keys,)),
                script.call::<u8>("count", ((),)).keyword("k", vec![&keys]),
            ] {
                let error = call.await.expect_err("one would be lost");
                assert_eq!(error.kind(), ErrorKind::WrongType, "{keys:?}: {error}");
                assert!(error.to_string().contains("equal in Python"), "{error}");
            }
        }
        assert_eq!(script.call::<u8>("count", (both,)).await.expect("it answers"), 2);
    }
    let nans = Value::Map(vec![(f64::NAN.into(), 1.into()), (decimal("NaN"), 2.into())]);
    assert_eq!(script.call::<u8>("count", (nans,)).await.expect("it answers"), 2);
}

#[tokio::test]
async fn arrays_come_back_with_their_typecode_and_every_bit() {
    let source = r#"
        import array, struct
        made = {code: array.array(code, [1, 2]) for code in 'bBhHiIlLqQfd'}
        def typecode(x): return x.typecode
        def echo(x): return x
        def bits(x): return struct.pack('<d', x)
    "#;
    let script = script(source).await;
    let arrays: Vec<(String, Value)> =
        script.call("made.items", ()).by_value().await.expect("it answers");
    assert_eq!(arrays.len(), 12);
    for (code, array) in arrays {
        let back: String = script.call("typecode", (&array,)).await.expect("it answers");
        assert_eq!(back, code);
        let back: Value = script.call("echo", (&array,)).await.expect("it answers");
        assert_eq!(back, array);
        let numbers: Vec<f64> = script.call("echo", (&array,)).await.expect("it answers");
        assert_eq!(numbers, [1.0, 2.0]);
    }
    let signalling = f32::from_bits(0x7f80_0001);
    let back: f32 = script.call("echo", (signalling,)).await.expect("it answers");
    assert_eq!(back.to_bits(), signalling.to_bits());
    let bits: oad::value::Bytes = script.call("bits", (signalling,)).await.expect("it answers");
    assert_eq!(bits.as_ref(), 0x7ff0_0000_2000_0000_u64.to_le_bytes());
}

#[tokio::test]
async fn result_by_value_is_what_its_class_is_derived_from() {
    let source = r#"
        import collections.abc, datetime, decimal
        class Money(decimal.Decimal): pass
        class Zone(datetime.tzinfo):
            def __init__(self, hours): self.hours = hours
            def utcoffset(self, when):
                return when and datetime.timedelta(hours=self.hours)
        class Fixed(Zone):
            def utcoffset(self, when): return datetime.timedelta(hours=self.hours)
        class Config(collections.abc.Mapping):
            def __init__(self, **entries): self.entries = entries
            def __getitem__(self, key): return self.entries[key]
            def __iter__(self): return iter(self.entries)
            def __len__(self): return len(self.entries)
        class Column:
            def tolist(self): return [1.5, None, 2.5]
        def rows(): return [Config(price=Money('1.50'), at=moment(Fixed(2)))]
        def moment(zone): return datetime.datetime(2024, 1, 2, tzinfo=zone)
        def varying(): return [moment(Zone(1))]
        def column(): return Column()
    "#;
    let script = script(source).await;
    #[derive(serde::Deserialize)]
    struct Row {
        price: oad::value::Decimal,
        at: oad::value::DateTime,
    }
    let rows: Vec<Row> = script.call("rows", ()).by_value().await.expect("it answers");
    assert_eq!(rows[0].price.as_str(), "1.50");
    assert_eq!(rows[0].at.to_string(), "2024-01-02T00:00:00+02:00");
    let column: Vec<Option<f64>> = script.call("column", ()).await.expect("it answers");
    assert_eq!(column, [Some(1.5), None, Some(2.5)]);
    let refused = script.call::<Value>("varying", ()).by_value().await.expect_err("it has rules");
    assert_eq!(refused.kind(), ErrorKind::WrongType);
    let text = refused.to_string();
    assert!(text.contains("`datetime.datetime` at `[0]`"), "{text}");
    assert!(text.contains("its time zone is a `") && text.contains("Zone`"), "{text}");
}

#[tokio::test]
async fn nan_is_none_where_that_is_asked_for() {
    let source = r#"
        import array
        nan = float('nan')
        def rows(): return [{'price': 1.5, 'size': 2}, {'price': nan, 'size': nan}]
        def column(): return array.array('d', [nan, 0.5])
        def items(): yield from (1.5, nan)
    "#;
    let script = script(source).await;
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Row {
        price: Option<f64>,
        size: Option<u8>,
    }
    let rows: Vec<Row> = script.call("rows", ()).nan_as_none().await.expect("it answers");
    let missing = Row { price: None, size: None };
    assert_eq!(rows, [Row { price: Some(1.5), size: Some(2) }, missing]);
    let error = script.call::<Vec<Row>>("rows", ()).await.expect_err("a size is a float");
    assert_eq!(error.kind(), ErrorKind::WrongType);
    let any: Vec<serde_json::Value> =
        script.call("rows", ()).nan_as_none().await.expect("it answers");
    assert_eq!(any[1], serde_json::json!({"price": null, "size": null}));
    let column: Vec<Option<f64>> =
        script.call("column", ()).nan_as_none().await.expect("it answers");
    assert_eq!(column, [None, Some(0.5)]);
    let kept: Vec<Option<f64>> = script.call("column", ()).await.expect("it answers");
    assert!(kept[0].is_some_and(f64::is_nan), "it is a float by default");
    let items = script.call_iter::<Option<f64>>("items", ()).nan_as_none();
    let items: Vec<_> = items.await.expect("it opens").collect().await.expect("it ends");
    assert_eq!(items, [Some(1.5), None]);
}

#[tokio::test]
async fn named_tuple_is_a_tuple_or_a_map_as_it_is_asked_for() {
    let source = r#"
        import collections, typing
        Point = collections.namedtuple('Point', 'y x')
        class Leg(typing.NamedTuple):
            start: Point
            name: str
        point = Point(1, 2.5)
        legs = [Leg(point, 'a'), Leg(Point(3, 4.5), 'b')]
        by_point = {point: 1}
        def kind(x): return type(x).__name__, x
    "#;
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Point {
        x: f64,
        y: i64,
    }
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Leg {
        name: String,
        start: Point,
    }
    for over_grpc in [false, true] {
        let made = with(oad::python_script("script.py", dedent(source)));
        let made = if over_grpc { made.over_grpc() } else { made };
        let script = made.await.expect("it is made");
        let tuple: (i64, f64) = script.getattr("point").await.expect("it is a tuple");
        assert_eq!(tuple, (1, 2.5));
        let point: Point = script.getattr("point").await.expect("it has names");
        assert_eq!(point, Point { x: 2.5, y: 1 });
        let map: BTreeMap<String, f64> = script.getattr("point").await.expect("it has names");
        assert_eq!(map, BTreeMap::from([("x".to_owned(), 2.5), ("y".to_owned(), 1.0)]));
        let legs: Vec<Leg> = script.getattr("legs").await.expect("they have names");
        assert_eq!(legs[1], Leg { name: "b".to_owned(), start: Point { x: 4.5, y: 3 } });
        let keys: BTreeMap<(i64, u8), u8> = {
            let keys: Value = script.getattr("by_point").by_value().await.expect("it answers");
            let [(Value::NamedTuple(key), _)] = keys.as_map().expect("it is a map") else {
                panic!("{keys:?}")
            };
            assert_eq!(key.names(), ["y", "x"]);
            BTreeMap::from([((1, 2), key.items().len() as u8)])
        };
        assert_eq!(keys[&(1, 2)], 2);
        let value: Value = script.getattr("point").by_value().await.expect("it is a value");
        let (kind, back): (String, Value) = script.call("kind", (&value,)).await.expect("it is");
        assert_eq!((kind.as_str(), back), ("tuple", (1, 2.5).into()));
        let json = serde_json::to_string(&value).expect("it has a plain form");
        assert_eq!(json, r#"{"y":1,"x":2.5}"#);
        let again = oad::value::to_value(&value).expect("it serializes");
        assert_eq!(again, value);
    }
}
