"""Values, both ways."""

import os
import random
import struct
import textwrap

from support import TIMEOUT, Case, Daemon, Failed, Raised, handle, kind

SAMPLES = [
    None,
    True,
    False,
    0,
    1,
    -1,
    1 << 63,
    -(1 << 63),
    10**500,
    -(10**500),
    0.0,
    -0.0,
    float('inf'),
    float('-inf'),
    1.5e-300,
    complex(-0.0, 1.0),
    '',
    'text',
    '\0',
    '\ud800 lone',
    '\U0001f600',
    b'',
    b'\0\xff',
    [],
    (),
    {},
    set(),
    frozenset(),
    [1, 'a', None],
    (1, (2, [3])),
    {'a': [1], 2: {'b': (None,)}},
    {1, 'a', (2, 3)},
    frozenset([frozenset([1])]),
    [True, 1, 1.0],
    {(1, 2): 3, None: 4, b'x': 5, frozenset([1]): 6},
]


class Values(Case):
    def test_plain_values_come_back_exactly(self):
        for sample in SAMPLES:
            got = self.echo(sample)
            self.assertEqual(type(got), type(sample))
            # Sets are in no order, and 1 == True.
            if type(sample) in (set, frozenset):
                self.assertEqual(sorted(map(repr, got)), sorted(map(repr, sample)))
            else:
                self.assertEqual(repr(got), repr(sample))

    def test_the_bits_of_a_nan_come_back(self):
        nan = struct.unpack('<d', struct.pack('<Q', 0x7FF8000000ABCDEF))[0]
        self.assertEqual(struct.pack('<d', self.echo(nan)), struct.pack('<d', nan))

    def test_dict_order_is_kept(self):
        self.assertEqual(list(self.echo(dict.fromkeys('zaqxb'))), list('zaqxb'))

    def test_random_nested_values_come_back_with_the_same_repr(self):
        seed = 20240731
        random_values = random.Random(seed)

        def make(level, hashable):
            choice = random_values.randrange(9 if level else 5)
            if choice < 5:
                return random_values.choice(
                    [
                        None,
                        True,
                        random_values.randrange(-1 << 70, 1 << 70),
                        random_values.random(),
                        'x' * random_values.randrange(5),
                        bytes([random_values.randrange(256)]),
                        chr(random_values.randrange(0x11000)),
                        complex(1, -0.0),
                    ]
                )
            count = random_values.randrange(5)
            if choice == 5 and not hashable:
                return [make(level - 1, False) for _ in range(count)]
            if choice == 6 and not hashable:
                return {make(level - 1, True): make(level - 1, False) for _ in range(count)}
            if choice == 7:
                # More members might come back in another order.
                return frozenset(make(level - 1, True) for _ in range(min(count, 1)))
            return tuple(make(level - 1, hashable) for _ in range(count))

        for _ in range(300):
            sample = make(5, False)
            self.assertEqual(repr(self.echo(sample)), repr(sample), seed)

    def test_standard_values_travel_as_markers_both_ways(self):
        for text, marker in [
            ('slice(1, None, (2, "a"))', (Ellipsis, 'slice', 1, None, (2, 'a'))),
            ('range(1, 10**30, 3)', (Ellipsis, 'range', 1, 10**30, 3)),
            ('datetime.date(2024, 2, 29)', (Ellipsis, 'date', 2024, 2, 29)),
            ('datetime.time(1, 2, 3, 4, fold=1)', (Ellipsis, 'time', 1, 2, 3, 4, 1, None)),
            (
                'datetime.time(1, tzinfo=datetime.timezone.utc)',
                (Ellipsis, 'time', 1, 0, 0, 0, 0, (0, None)),
            ),
            (
                'datetime.datetime(2024, 1, 2, 3, 4, 5, 6)',
                (Ellipsis, 'datetime', 2024, 1, 2, 3, 4, 5, 6, 0, None),
            ),
            (
                'datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone('
                'datetime.timedelta(seconds=-3660), "x"))',
                (Ellipsis, 'datetime', 2024, 1, 2, 0, 0, 0, 0, 0, (-3660000000, 'x')),
            ),
            ('datetime.timedelta(-1, 2, 3)', (Ellipsis, 'timedelta', -1, 2, 3)),
            ('decimal.Decimal("-0.00")', (Ellipsis, 'decimal', '-0.00')),
            ('decimal.Decimal("sNaN12")', (Ellipsis, 'decimal', 'sNaN12')),
            ('decimal.Decimal("1E+1000")', (Ellipsis, 'decimal', '1E+1000')),
            ('uuid.UUID(int=5)', (Ellipsis, 'uuid', b'\0' * 15 + b'\5')),
            (
                'array.array("h", [1, -2])',
                (Ellipsis, 'array', 'array', '<i2', (2,), b'\1\0\xfe\xff'),
            ),
            ('array.array("B", [7])', (Ellipsis, 'array', 'array', '|u1', (1,), b'\7')),
            ('array.array("q", [7])', (Ellipsis, 'array', 'array', '<i8', (1,), b'\7' + b'\0' * 7)),
            ('array.array("f")', (Ellipsis, 'array', 'array', '<f4', (0,), b'')),
        ]:
            with self.subTest(text):
                before = 'import datetime, decimal, uuid, array'
                self.assertEqual(self.evaluate(text, before=before), marker)
                self.assertEqual(self.echo([marker]), [marker])
                number = self.daemon.value(marker)
                self.assertEqual(
                    self.daemon.operate('repr', handle(number)),
                    self.evaluate('repr(' + text + ')', before=before),
                )

    def test_zones_travel_by_key_and_others_keep_the_value_here(self):
        self.assertEqual(
            kind(
                self.evaluate(
                    'datetime.datetime(2024, 1, 1, tzinfo=Z())',
                    before="""
import datetime
class Z(datetime.tzinfo):
    def utcoffset(self, when): return None
""",
                )
            ),
            'handle',
        )
        if tuple(self.daemon.info['version_info'][:2]) >= (3, 9) and os.path.exists(
            '/usr/share/zoneinfo/Europe/Berlin'
        ):
            text = 'datetime.datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))'
            marker = (Ellipsis, 'datetime', 2024, 1, 1, 0, 0, 0, 0, 0, 'Europe/Berlin')
            self.assertEqual(self.evaluate(text, before='import datetime, zoneinfo'), marker)
            self.assertEqual(self.echo(marker), marker)
        message = self.fails(
            'bad_arguments', self.echo, (Ellipsis, 'time', 1, 2, 3, 4, 1, 'No/Where')
        )
        self.assertIn("no time zone 'No/Where'", message)

    def test_buffers_become_bytes(self):
        self.assertEqual(
            self.evaluate('[bytearray(b"a"), memoryview(b"bcd"), memoryview(b"bcd")[::2]]'),
            [b'a', b'bcd', b'bd'],
        )
        self.assertEqual(
            kind(self.evaluate('m', before='m = memoryview(b"a")\nm.release()')), 'handle'
        )

    def test_an_ellipsis_and_a_tuple_with_one_are_not_markers(self):
        self.assertEqual(kind(self.evaluate('...')), 'handle')
        got = self.evaluate('(..., "handle", 1)')
        self.assertEqual((kind(got[0]), got[1:]), ('handle', ('handle', 1)))

    def test_keys_that_become_equal_are_refused(self):
        def instant(hour, zone):
            return (Ellipsis, 'datetime', 2024, 1, 1, hour, 0, 0, 0, 0, (zone * 3600000000, None))

        module = self.run_text('import fractions\nhalf = fractions.Fraction(1, 2)')
        half = self.daemon.get(module, 'half', 'handle')
        decimal = (Ellipsis, 'decimal', '1')
        for one, other in [
            (decimal, (Ellipsis, 'decimal', '1.0')),
            (decimal, 1),
            (decimal, True),
            ((Ellipsis, 'decimal', '0.5'), 0.5),
            (half, 0.5),
            (half, (Ellipsis, 'decimal', '0.50')),
            (instant(0, 0), instant(1, 1)),
            ((decimal, 2), (1, 2)),
            (frozenset([decimal]), frozenset([1])),
            (
                (Ellipsis, 'time', 1, 0, 0, 0, 0, (0, None)),
                (Ellipsis, 'time', 2, 0, 0, 0, 0, (3600000000, None)),
            ),
            ((Ellipsis, 'timedelta', 0, 3600, 0), (Ellipsis, 'timedelta', 0, 3599, 1000000)),
            ((Ellipsis, 'range', 0, 2, 2), (Ellipsis, 'range', 0, 1, 1)),
        ]:
            with self.subTest(one=one, other=other):
                for keys in ({one: 1, other: 2}, {one, other}, frozenset([one, other])):
                    message = self.fails('not_a_value', self.echo, keys)
                    self.assertIn('equal in Python', message)
                    self.fails('not_a_value', self.echo, [(keys,)])
                # Side by side in a list they are as good as any.
                self.echo([one, other])
        nan = (Ellipsis, 'decimal', 'NaN')
        self.assertEqual(len(self.echo({nan: 1, (nan,): 2})), 2)

    def test_malformed_markers_are_bad_arguments(self):
        for marker in [
            (Ellipsis,),
            Ellipsis,
            (Ellipsis, 'date', 1),
            (Ellipsis, 'date', 2024, 2, 30),
            (Ellipsis, 'decimal', 'x'),
            (Ellipsis, [], 1),
            (Ellipsis, 'what', 1),
            (Ellipsis, 'array', 'array', '<i9', (1,), b''),
            (Ellipsis, 'array', 'array', '>i4', (1,), b'abcd'),
            (Ellipsis, 'array', 'array', '<i4', (2,), b'abcd'),
            (Ellipsis, 'array', 'array', '<i4', (2,), b'abc'),
        ]:
            with self.subTest(marker):
                self.fails('bad_arguments', self.echo, marker)

    def test_without_numpy_its_arrays_are_refused_in_a_sentence(self):
        if self.daemon.info['numpy']:
            self.skipTest('numpy is there')
        message = self.fails(
            'bad_arguments', self.echo, (Ellipsis, 'array', 'numpy', '<i4', (1,), b'abcd')
        )
        self.assertIn('needs numpy', message)

    def test_numpy_arrays_and_numbers_travel(self):
        if not self.daemon.info['numpy']:
            self.skipTest('no numpy in this interpreter')
        for text, parts in [
            (
                'numpy.arange(6, dtype="<i2").reshape(2, 3).T',
                ('<i2', (3, 2), struct.pack('<6h', 0, 3, 1, 4, 2, 5)),
            ),
            ('numpy.array([1.5], ">f8")', ('>f8', (1,), struct.pack('>d', 1.5))),
            ('numpy.float32(1)', ('<f4', (), struct.pack('<f', 1))),
            ('numpy.array([True])', ('|b1', (1,), b'\1')),
            ('numpy.complex64(1j)', ('<c8', (), struct.pack('<ff', 0, 1))),
            ('numpy.float64(2)', ('<f8', (), struct.pack('<d', 2))),
        ]:
            marker = (Ellipsis, 'array', 'numpy') + parts
            self.assertEqual(self.evaluate(text, before='import numpy'), marker)
            self.assertEqual(self.echo(marker), marker)
        for text in [
            'numpy.array(["a"])',
            'numpy.array([None])',
            'numpy.datetime64("2024-01-01")',
            'numpy.matrix([1])',
        ]:
            self.assertEqual(kind(self.evaluate(text, before='import numpy')), 'handle')

    def test_subclasses_of_values_stay_by_default(self):
        for text in [
            'int.__new__(I, 3)',
            'S("a")',
            'T((1, 2))',
            'L()',
            'collections.OrderedDict()',
            'E.A',
            'object()',
            'iter([])',
            '{}.keys()',
        ]:
            before = textwrap.dedent("""
                import collections, enum
                class I(int): pass
                class S(str): pass
                class T(tuple): pass
                class L(list): pass
                class E(enum.IntEnum):
                    A = 1
            """)
            self.assertEqual(kind(self.evaluate(text, before=before)), 'handle')

    def test_by_value_subclasses_become_what_they_are_subclasses_of(self):
        before = textwrap.dedent("""
            import collections, enum, types
            class I(int):
                def __index__(self): return 9
                def __int__(self): return 9
            class S(str):
                def __str__(self): return 'lie'
            class B(bytes): pass
            class F(float): pass
            class L(list):
                def __iter__(self): return iter('lie')
            class M(set): pass
            class E(enum.Enum):
                A = 'a'
            class N(enum.IntEnum):
                A = 1
            P = collections.namedtuple('P', 'x y')
            o = collections.OrderedDict([(1, 2), (3, 4)])
            o.move_to_end(1)
            """)
        for text, expected in [
            ('I(3)', 3),
            ('S("a")', 'a'),
            ('B(b"a")', b'a'),
            ('F(1.5)', 1.5),
            ('L([1, S("b")])', [1, 'b']),
            ('M([1])', {1}),
            ('E.A', 'a'),
            ('N.A', 1),
            ('P(1, N.A)', (1, 1)),
            ('collections.Counter("aa")', {'a': 2}),
            ('collections.defaultdict(list, a=[1])', {'a': [1]}),
            ('types.MappingProxyType({1: 2})', {1: 2}),
            ('{1: 2}.keys()', [1]),
            ('{1: 2}.values()', [2]),
            ('{1: 2}.items()', [(1, 2)]),
            ('collections.deque([1, 2])', [1, 2]),
            ('[I(1), {"a": N.A}]', [1, {'a': 1}]),
        ]:
            with self.subTest(text):
                got = self.evaluate(text, 'value', before)
                self.assertEqual((type(got), got), (type(expected), expected))
        self.assertEqual(list(self.evaluate('o', 'value', before)), [3, 1])
        self.assertIn(
            'become equal', self.fails('not_a_value', self.evaluate, '{E.A, "a"}', 'value', before)
        )

    def test_plain_converts_what_it_can_and_keeps_the_rest(self):
        before = textwrap.dedent("""
            import collections, enum
            class L(list): pass
            class N(enum.IntEnum):
                A = 1
            class O: pass
            o = collections.OrderedDict([(1, N.A), (3, L([O(), 2]))])
            itself = L([1])
            itself.append(itself)
            """)
        got = self.evaluate('o', 'plain', before)
        self.assertEqual((type(got), list(got), got[1], got[3][1]), (dict, [1, 3], 1, 2))
        self.assertEqual(kind(got[3][0]), 'handle')
        self.assertTrue(got[3][0][3].endswith('.O'))
        self.assertEqual(kind(self.evaluate('O()', 'plain', before)), 'handle')
        self.assertEqual(kind(self.evaluate('{N.A, 1.0} | {"a", L}', 'plain', before)), None)
        got = self.evaluate('itself', 'plain', before)
        self.assertEqual((type(got), got[0], kind(got[1])), (list, 1, 'handle'))

    def test_by_value_a_dataclass_is_a_dict_of_its_fields(self):
        if tuple(self.daemon.info['version_info'][:2]) < (3, 7):
            self.skipTest('no dataclasses')
        before = textwrap.dedent("""
            import dataclasses
            @dataclasses.dataclass
            class D:
                name: str
                more: object = None
            """)
        self.assertEqual(
            self.evaluate('D("a", D("b"))', 'value', before),
            {'name': 'a', 'more': {'name': 'b', 'more': None}},
        )
        message = self.fails('not_a_value', self.evaluate, '[1, 2, D(object())]', 'value', before)
        self.assertEqual(message, '`object` at `[2].name` cannot be converted to a value')

    def test_by_value_nothing_is_consumed_and_other_objects_fail(self):
        module = self.run_text('g = iter([1, 2])\ndef f():\n    return [{"a": (g,)}]\n')
        message = self.fails('not_a_value', self.daemon.call, module, 'f', returns='value')
        self.assertIn("`list_iterator` at `[0]['a'][0]` cannot be converted", message)
        self.assertEqual(self.daemon.call(self.daemon.get(module, 'g', 'handle')[2], '__next__'), 1)

    def test_by_handle_even_none_stays(self):
        got = self.evaluate('None', 'handle')
        self.assertEqual((got[:2], got[3]), ((Ellipsis, 'handle'), 'NoneType'))

    def test_thirty_two_levels_travel_and_one_more_does_not(self):
        nest = (
            'def nest(n):\n    x = []\n    for _ in range(n - 1):\n        x = [x]\n    return x\n'
        )
        self.assertEqual(repr(self.evaluate('nest(32)', before=nest)), '[' * 32 + ']' * 32)
        for returns in ('default', 'value'):
            self.assertIn('32', self.fails('too_deep', self.evaluate, 'nest(33)', returns, nest))
            self.fails('too_deep', self.evaluate, 'nest(100000)', returns, nest)
            self.fails('too_deep', self.evaluate, '(nest(32),)', returns, nest)
            self.fails('too_deep', self.evaluate, '{1: nest(32)}', returns, nest)
        deep = []
        for _ in range(32):
            deep = [deep]
        self.fails('too_deep', self.echo, deep)
        self.assertEqual(self.echo(deep[0]), deep[0])

    def test_a_container_inside_itself_is_given_by_handle_there(self):
        got = self.evaluate('x', before='x = [1]\nx.append({"x": x})')
        self.assertEqual((got[0], kind(got[1]['x'])), (1, 'handle'))
        self.assertEqual(self.daemon.operate('len', got[1]['x']), 2)
        self.fails('not_a_value', self.evaluate, 'x', 'value', 'x = [1]\nx.append(x)')

    def test_shared_structure_larger_than_a_frame_is_refused(self):
        self.fails('too_large', self.evaluate, '[s] * 2000000', before='s = "a" * 2000000')
        self.fails('too_large', self.evaluate, '[[s] * 2000] * 2000', before='s = b"a" * 2000')
        self.fails('too_large', self.evaluate, '[n] * 10000000', before='n = 1 << 1000000')
        self.assertEqual(self.evaluate('1'), 1)

    def test_a_large_value_travels(self):
        self.assertEqual(len(self.evaluate('b"a" * (64 << 20)')), 64 << 20)
        self.assertEqual(self.echo('\u20ac' * (1 << 20)), '\u20ac' * (1 << 20))

    def test_large_bytes_and_text_travel_beside_the_object(self):
        sizes = (65535, 65536, 131072, 200000, 3 << 20)
        for size in sizes:
            for kind_of in ('b"ab"', '"ab"', 'bytearray(b"ab")', '"\\ud800b"'):
                text = '{} * {}'.format(kind_of, size // 2)
                expected = eval(text)
                is_array = type(expected) is bytearray
                expected = bytes(expected) if is_array else expected
                self.assertEqual(self.evaluate(text), expected)
                self.assertEqual(self.evaluate('[1, ' + text + ']'), [1, expected])
                self.assertEqual(self.evaluate('[' + text + ', "a"]'), [expected, 'a'])
                if not is_array:
                    got = self.evaluate('{' + text + ': ' + text + '}')
                    self.assertEqual(got, {expected: expected})
        # As many small ones as make up a large one stay where they are.
        self.assertEqual(self.evaluate('["ab"] * 100000'), ['ab'] * 100000)

    def with_parts(self, argument, parts, code='lambda x: x'):
        module = self.run_text('f = ' + code)
        self.daemon.next_id += 1
        payload = (module, 'f', [argument], None, 'default')
        self.daemon.send_frame((self.daemon.next_id, 'call', payload), parts)
        return self.daemon.answer(self.daemon.next_id)

    def test_parts_beside_the_arguments_are_put_in_their_place(self):
        large, small = b'abcd' * 50000, b'xy'
        first, second = (Ellipsis, 'bytes', 0), (Ellipsis, 'bytes', 1)
        got = self.with_parts([first, (second, first)], [large, small])
        self.assertEqual(got, [large, (small, large)])
        array = (Ellipsis, 'array', 'array', '|i1', (len(large),), first)
        self.assertEqual(self.with_parts(array, [large], 'lambda x: (x[0], len(x))'), (97, 200000))
        many = [struct.pack('<I', n) * 20000 for n in range(50)]
        places = [(Ellipsis, 'bytes', n) for n in range(50)]
        self.assertEqual(self.with_parts(places, many), many)
        for wrong in ((Ellipsis, 'bytes', 1), (Ellipsis, 'bytes', -1), (Ellipsis, 'bytes', 'a')):
            with self.assertRaises(Failed) as caught:
                self.with_parts(wrong, [large])
            self.assertEqual(caught.exception.code, 'bad_arguments')
        self.assertEqual(self.evaluate('1'), 1)

    def test_large_frame_of_impossible_lengths_ends_the_interpreter(self):
        largest = 1 << 30
        several = ([1 << 31, 1 << 31], [1 << 31, 2, largest, largest])
        for lengths in ([(1 << 32) - 1], [largest + 1], *several):
            with Daemon() as daemon:
                daemon.socket.sendall(b''.join(struct.pack('<I', length) for length in lengths))
                self.assertEqual(daemon.process.wait(TIMEOUT), os.EX_PROTOCOL)

    def test_signals_lose_nothing_of_a_large_frame(self):
        module = self.run_text("""
            import signal
            class Error(Exception): pass
            def handler(*_): raise Error
            def noisy():
                signal.signal(signal.SIGALRM, handler)
                signal.setitimer(signal.ITIMER_REAL, 0.004, 0.004)
            def echo(x): return x
            def quiet():
                signal.setitimer(signal.ITIMER_REAL, 0)
        """)
        large = [bytes([n]) * (3 << 20) for n in range(6)]
        places = [(Ellipsis, 'bytes', n) for n in range(6)]
        self.daemon.call(module, 'noisy', returns='nothing')
        for _ in range(20):
            try:
                self.daemon.next_id += 1
                payload = (module, 'echo', [places], None, 'default')
                self.daemon.send_frame((self.daemon.next_id, 'call', payload), large)
                self.assertEqual(self.daemon.answer(self.daemon.next_id), large)
            except Raised as raised:
                self.assertEqual(raised.report['type'].split('.')[-1], 'Error')
        while True:
            try:
                self.daemon.call(module, 'quiet')
                break
            except Raised:
                pass
        self.assertEqual(self.with_parts(places, large), large)

    def test_hostile_objects_stay_without_being_asked_anything(self):
        module = self.run_text("""
            calls = []
            class Meta(type):
                def __eq__(cls, other): calls.append('eq'); raise ValueError
                def __hash__(cls): calls.append('hash'); raise ValueError
                def __getattribute__(cls, name): calls.append(name); raise ValueError
                def __instancecheck__(cls, x): calls.append('instance'); raise ValueError
                def __subclasscheck__(cls, x): calls.append('subclass'); raise ValueError
            class Hostile(metaclass=Meta):
                @property
                def __class__(self): calls.append('class'); return int
                def __getattr__(self, name): return getattr(self, name + '_')
                def __getattribute__(self, name): calls.append(name); raise ValueError
                def __eq__(self, other): calls.append('eq'); raise ValueError
                def __hash__(self): calls.append('hash'); raise ValueError
                def __bool__(self): calls.append('bool'); raise ValueError
                def __iter__(self): calls.append('iter'); raise ValueError
                def __repr__(self): calls.append('repr'); raise ValueError
            hostile = [Hostile(), {'a': Hostile()}, (Hostile, 1)]
            del calls[:]
            def f(): return hostile
        """)
        for returns in ('default', 'value', 'handle'):
            if returns == 'value':
                self.fails('not_a_value', self.daemon.call, module, 'f', returns=returns)
            else:
                self.daemon.call(module, 'f', returns=returns)
        self.assertEqual(self.daemon.get(module, 'calls'), [])
        self.assertEqual(kind(self.daemon.call(module, 'f')[2][0]), 'handle')
        self.assertEqual(
            self.raises(self.daemon.operate, 'bool', self.daemon.call(module, 'f')[0])['type'],
            'ValueError',
        )

    def test_a_list_that_another_thread_changes_is_safe(self):
        module = self.run_text("""
            import threading, time
            x, d, end = [1], {}, False
            def change():
                while not end:
                    x.append(object()); d[len(x)] = bytearray(b'a')
                    if len(x) > 50: x[:] = [1]; d.clear()
            thread = threading.Thread(target=change)
            thread.start()
            def f(): return [x, d]
            def stop():
                global end
                end = True
                thread.join()
        """)
        for _ in range(200):
            try:
                self.daemon.call(module, 'f')
            except Raised as raised:
                self.assertIn('changed size', raised.report['message'])
        self.daemon.call(module, 'stop')
