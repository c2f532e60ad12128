"""What a caller that asks for a value gets of objects that are not exactly one."""

import struct
import textwrap

from support import Case, kind

UTC = (0, None)


class ByValue(Case):
    def value(self, text, before, mode='value'):
        return self.evaluate(text, mode, textwrap.dedent(before))

    def refusal(self, text, before):
        return self.fails('not_a_value', self.evaluate, text, 'value', textwrap.dedent(before))

    def test_subclasses_of_standard_values_are_their_base(self):
        before = """
            import array, datetime, decimal, uuid
            class Day(datetime.date): pass
            class Moment(datetime.datetime): pass
            class Clock(datetime.time): pass
            class Span(datetime.timedelta):
                def __str__(self): return 'lie'
            class Money(decimal.Decimal):
                def __str__(self): return 'lie'
            class Id(uuid.UUID): pass
            class Row(array.array): pass
        """
        for text, marker in [
            ('Day(2024, 2, 29)', ('date', 2024, 2, 29)),
            ('Moment(2024, 1, 2, 3, 4, 5, 6)', ('datetime', 2024, 1, 2, 3, 4, 5, 6, 0, None)),
            ('Clock(1, 2, fold=1)', ('time', 1, 2, 0, 0, 1, None)),
            ('Span(1, 2, 3)', ('timedelta', 1, 2, 3)),
            ('Money("1.50")', ('decimal', '1.50')),
            ('Id(int=5)', ('uuid', b'\0' * 15 + b'\5')),
            ('Row("B", [7])', ('array', 'array', '|u1', (1,), b'\7')),
        ]:
            with self.subTest(text):
                for mode in ('value', 'plain'):
                    self.assertEqual(self.value(text, before, mode), (Ellipsis,) + marker)
                self.assertEqual(kind(self.value(text, before, 'default')), 'handle')
        liar = """
            import datetime
            class Late(datetime.date):
                @property
                def year(self): return datetime.date.year.__get__(self) + 1
            class Fine(datetime.datetime):
                nanosecond = 5
        """
        self.assertIn('its `year` is not', self.refusal('Late(2024, 1, 1)', liar))
        self.assertIn('nanoseconds', self.refusal('Fine(2024, 1, 1)', liar))

    def test_zones_are_names_or_fixed_offsets(self):
        before = """
            import datetime
            class Fixed(datetime.tzinfo):
                def utcoffset(self, when): return datetime.timedelta(hours=-3, minutes=-30)
            class Varying(datetime.tzinfo):
                def utcoffset(self, when): return when and datetime.timedelta(hours=when.month)
        """
        marker = (Ellipsis, 'datetime', 2024, 1, 2, 0, 0, 0, 0, 0, (-12600000000, None))
        text = 'datetime.datetime(2024, 1, 2, tzinfo=Fixed())'
        self.assertEqual(self.value(text, before), marker)
        self.assertEqual(
            self.value('datetime.time(1, tzinfo=Fixed())', before),
            (Ellipsis, 'time', 1, 0, 0, 0, 0, (-12600000000, None)),
        )
        text = 'datetime.datetime(2024, 1, 2, tzinfo=Varying())'
        self.assertIn('its time zone is a `', self.refusal(text, before))
        self.assertIn('Varying`', self.refusal(text, before))
        self.assertEqual(kind(self.value(text, before, 'plain')), 'handle')

    def test_zones_of_well_known_libraries_travel(self):
        before = """
            import datetime, dateutil.tz, pytz
            berlin = pytz.timezone('Europe/Berlin')
            def at(zone): return datetime.datetime(2024, 7, 1, 12, tzinfo=zone)
        """
        if self.lacks('pytz', 'dateutil'):
            self.skipTest('pytz or dateutil is not installed')
        summer = (Ellipsis, 'datetime', 2024, 7, 1, 12, 0, 0, 0, 0)
        for text, zone in [
            ('at(pytz.utc)', UTC),
            ('at(pytz.FixedOffset(90))', (5400000000, None)),
            ('at(dateutil.tz.tzutc())', UTC),
            ('at(dateutil.tz.tzoffset("x", -3600))', (-3600000000, None)),
            ('berlin.localize(datetime.datetime(2024, 7, 1, 12))', 'Europe/Berlin'),
            ('at(dateutil.tz.gettz("Europe/Berlin"))', 'Europe/Berlin'),
            # What pytz does without `localize`.
            ('at(berlin)', (3180000000, None)),
        ]:
            with self.subTest(text):
                self.assertEqual(self.value(text, before), summer + (zone,))
        # The hour that comes twice, for the second time.
        text = 'berlin.localize(datetime.datetime(2024, 10, 27, 2, 30), is_dst={})'
        for is_dst, fold in [(True, 0), (False, 1)]:
            marker = (Ellipsis, 'datetime', 2024, 10, 27, 2, 30, 0, 0, fold, 'Europe/Berlin')
            self.assertEqual(self.value(text.format(is_dst), before), marker)

    def test_zone_of_pydantic_is_a_fixed_offset(self):
        if self.lacks('pydantic'):
            self.skipTest('pydantic is not installed')
        before = """
            import datetime, pydantic
            class M(pydantic.BaseModel):
                t: datetime.datetime
            at = M.model_validate_json('{"t": "2024-01-02T03:04:05+02:00"}').t
        """
        marker = (Ellipsis, 'datetime', 2024, 1, 2, 3, 4, 5, 0, 0, (7200000000, None))
        self.assertEqual(self.value('at', before), marker)

    def test_containers_of_any_class_are_their_content(self):
        before = """
            import collections, collections.abc
            class M(collections.abc.Mapping):
                def __getitem__(self, key): return {'a': 1, 'b': [2]}[key]
                def __iter__(self): return iter(['a', 'b'])
                def __len__(self): return 2
            class S(collections.abc.Sequence):
                def __init__(self, *items): self.items = items
                def __getitem__(self, at): return self.items[at]
                def __len__(self): return len(self.items)
            class F(collections.abc.Set):
                def __contains__(self, x): return x in (1, 2)
                def __iter__(self): return iter((1, 2))
                def __len__(self): return 2
            class R:
                def __getitem__(self, at): return [7, 8][at]
                def __len__(self): return 2
            collections.abc.Sequence.register(R)
            class Itself(S):
                def __init__(self): self.items = (1, self)
        """
        for text, expected in [
            ('M()', {'a': 1, 'b': [2]}),
            ('[S(1, M()), S()]', [[1, {'a': 1, 'b': [2]}], []]),
            ('F()', frozenset([1, 2])),
            ('R()', [7, 8]),
            ('collections.UserDict(a=1)', {'a': 1}),
            ('collections.UserList([1])', [1]),
            ('collections.UserString("ab")', 'ab'),
            ('collections.ChainMap({"a": 1}, {"b": 2})', {'a': 1, 'b': 2}),
        ]:
            with self.subTest(text):
                got = self.value(text, before)
                self.assertEqual((type(got), got), (type(expected), expected))
                self.assertEqual(kind(self.value('[' + text + ']', before, 'default')[0]) or 'list',
                                 'list' if text.startswith('[') else 'handle')
        self.assertEqual(list(self.value('M()', before)), ['a', 'b'])
        self.assertIn('contains itself', self.refusal('Itself()', before))
        # Containers of containers are as deep as lists.
        nest = 'def nest(n):\n    x = 1\n    for _ in range(n): x = S(x)\n    return x\n'
        deep = textwrap.dedent(before) + nest
        self.assertEqual(repr(self.value('nest(32)', deep)), '[' * 32 + '1' + ']' * 32)
        self.fails('too_deep', self.evaluate, 'nest(33)', 'value', deep)

    def test_array_likes_and_buffers_are_lists_and_bytes(self):
        before = """
            import array, mmap
            class A:
                def tolist(self): return [1, [2.5]]
            class Wrong:
                def tolist(self): return Wrong()
            shared = mmap.mmap(-1, 4)
            shared.write(b'abcd')
            import ctypes
        """
        self.assertEqual(self.value('A()', before), [1, [2.5]])
        self.assertIn('tolist', self.refusal('Wrong()', before))
        self.assertEqual(self.value('shared', before), b'abcd')
        self.assertEqual(self.value('(ctypes.c_char * 3)(b"a", b"b", b"c")', before), b'abc')
        self.assertEqual(self.value('(ctypes.c_int * 2)(-1, 2)', before), [-1, 2])
        self.assertEqual(self.value('array.array("u", "ab")', before), ['a', 'b'])
        text = '(ctypes.c_int.__ctype_be__ * 1)(1)'
        self.assertIn('`>i`', self.refusal(text, before))

    def test_typecodes_come_back(self):
        for code in 'bBhHiIlLqQfd':
            text = 'array.array("{}", [1, 2])'.format(code)
            marker = self.evaluate(text, before='import array')
            number = self.daemon.value(marker)
            self.assertEqual(self.daemon.get(number, 'typecode'), code)

    def test_numpy_comes_back_as_it_went_or_stays(self):
        if self.lacks('numpy'):
            self.skipTest('numpy is not installed')
        before = """
            import numpy
            def same(x): return x
        """
        for text in [
            'numpy.array(5)',
            'numpy.array(["a"])',
            'numpy.array([1], "q")',
            'numpy.longlong(5)',
            'numpy.ma.array([1, 2], mask=[0, 1])',
            'numpy.array([2], "u1").view("?")',
        ]:
            with self.subTest(text):
                self.assertEqual(kind(self.value(text, before, 'default')), 'handle')
        nan = struct.pack('<I', 0x7F800001)
        for text, dtype, shape, data in [
            ('numpy.array([0x7f800001], "u4").view("f4")', '<f4', (1,), nan),
            ('numpy.array([0x7f800001], "u4").view("f4")[0]', '<f4', (), nan),
            ('numpy.array([0x7c01], "u2").view("f2")', '<f2', (1,), b'\x01\x7c'),
            ('numpy.array([1, 2, 3, 4], ">i2")[::2]', '>i2', (2,), b'\0\1\0\3'),
            ('numpy.array([[1, 2], [3, 4]], "u1", order="F")', '|u1', (2, 2), b'\1\2\3\4'),
            ('numpy.float16(1)', '<f2', (), b'\0\x3c'),
        ]:
            with self.subTest(text):
                marker = self.value(text, before, 'default')
                self.assertEqual(marker, (Ellipsis, 'array', 'numpy', dtype, shape, data))
                self.assertEqual(self.echo(marker), marker)

    def test_numpy_by_value_is_numbers_lists_and_times(self):
        if self.lacks('numpy'):
            self.skipTest('numpy is not installed')
        before = """
            import numpy
            class Sub(numpy.ndarray): pass
            def time(text, unit): return numpy.datetime64(text, unit)
        """
        number = (Ellipsis, 'array', 'numpy', '<i8', (), b'\5' + b'\0' * 7)
        row = (Ellipsis, 'array', 'numpy', '|u1', (2,), b'\1\2')
        moment = (Ellipsis, 'datetime', 2024, 1, 2, 3, 0, 0, 0, 0, None)
        for text, expected in [
            ('numpy.array(5)', number),
            ('numpy.longlong(5)', number),
            ('numpy.array([5], "q")', number[:4] + ((1,),) + number[5:]),
            ('numpy.array([1, 2], "u1").view(Sub)', row),
            ('numpy.matrix([[1, 2]], "u1")', row[:4] + ((1, 2), b'\1\2')),
            ('numpy.ma.array([1, 2], mask=[0, 1])', [1, None]),
            ('numpy.array(["a", None], object)', ['a', None]),
            ('numpy.array(["a", "bc"])', ['a', 'bc']),
            ('numpy.array("a", object)', 'a'),
            ('numpy.array([(1, 2.5)], "i4,f8")', [(1, 2.5)]),
            ('time("2024-01-02T03", "ns")', moment),
            ('numpy.array([time("2024-01-02T03", "ns"), time("NaT", "ns")])', [moment, None]),
            ('time("2024-01-02", "D")', (Ellipsis, 'date', 2024, 1, 2)),
            ('time("NaT", "ns")', None),
            ('numpy.timedelta64(90, "s")', (Ellipsis, 'timedelta', 0, 90, 0)),
        ]:
            with self.subTest(text):
                self.assertEqual(self.value(text, before), expected)
        for text, dtype in [
            ('time("2024-01-02T00:00:00.000000001", "ns")', 'datetime64[ns]'),
            ('[numpy.array([time("20000-01-01", "s")])]', 'datetime64[s]'),
            ('numpy.timedelta64(1, "M")', 'timedelta64[M]'),
        ]:
            self.assertIn(dtype, self.refusal(text, before))

    def test_pandas_by_value_is_plain(self):
        if self.lacks('pandas'):
            self.skipTest('pandas is not installed')
        before = """
            import pandas
            day = pandas.Timestamp('2024-01-02 03:04:05.000006')
            frame = pandas.DataFrame({'t': [day, pandas.NaT], 'n': [1, 2]})
        """
        moment = (Ellipsis, 'datetime', 2024, 1, 2, 3, 4, 5, 6, 0, None)
        for text, expected in [
            ('day', moment),
            ('frame.to_dict("records")', [{'t': moment, 'n': 1}, {'t': None, 'n': 2}]),
            ('frame.t', [moment, None]),
            ('frame.n', [1, 2]),
            ('frame.index', [0, 1]),
            ('pandas.Index(["a"])', ['a']),
            ('[pandas.NaT, pandas.NA, None]', [None, None, None]),
            ('pandas.array([1, None], "Int64")', [1, None]),
            ('pandas.Timedelta("1s")', (Ellipsis, 'timedelta', 0, 1, 0)),
            ('day.tz_localize("UTC")', moment[:-1] + (UTC,)),
            ('day.tz_localize("Europe/Berlin")', moment[:-1] + ('Europe/Berlin',)),
        ]:
            with self.subTest(text):
                self.assertEqual(self.value(text, before), expected)
        for text in ('day + pandas.Timedelta(1, "ns")', 'pandas.Timedelta(1, "ns")'):
            self.assertIn('nanoseconds', self.refusal(text, before))
        self.assertIn('DataFrame', self.refusal('frame', before))

    def lacks(self, *modules):
        before = 'import importlib.util\ndef has(name): return importlib.util.find_spec(name)'
        has = 'has({!r}) is not None'
        return not all(self.evaluate(has.format(name), before=before) for name in modules)
