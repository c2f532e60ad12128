"""The agent, asked over its socket as the daemon asks it.

OAD_PYTHON names the interpreter under test; this one is the default.
"""
import collections
import marshal
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(HERE, '..', '..', 'src', 'child', 'python')
PYTHON = os.environ.get('OAD_PYTHON', sys.executable)
TIMEOUT = 20

# A shell starts what is to run in the background with SIGINT ignored, and so would be every interpreter under test.
signal.signal(signal.SIGINT, signal.default_int_handler)


def source(name):
    with open(os.path.join(SOURCES, name), encoding='utf-8') as file:
        return file.read()


BOOTSTRAP = source('bootstrap.py')
AGENT = source('agent.py')


class Raised(Exception):
    """What the object raised, as the agent told it."""

    def __init__(self, told):
        Exception.__init__(self, told['traceback'])
        self.told = told
        behind = told.get('behind', [])
        for entry in behind + [told]:
            for link in ('cause', 'context'):
                entry[link] = behind[entry[link] - 1] if entry[link] else None
            if entry['group'] is not None:
                entry['group'] = [behind[place - 1] for place in entry['group']]


class Failed(Exception):
    """What the agent could not do."""

    def __init__(self, code, message):
        Exception.__init__(self, code, message)
        self.code = code
        self.message = message


class Daemon:
    """Plays the daemon: starts an interpreter, sends requests, receives answers and output."""

    def __init__(self, python=PYTHON, hello=True, env=None, cwd=None, before=(), path=()):
        self.socket, theirs = socket.socketpair()
        self.urgent, urgent = socket.socketpair()
        self.fd = theirs.fileno()
        self.socket.settimeout(TIMEOUT)
        environment = dict(os.environ, PYTHONSAFEPATH='oad')
        environment.update(env or {})
        self.process = subprocess.Popen(
            [python] + list(before) + ['-u', '-B', '-c', BOOTSTRAP, str(theirs.fileno()), str(urgent.fileno())],
            pass_fds=[theirs.fileno(), urgent.fileno()],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=cwd)
        theirs.close()
        urgent.close()
        self.output = {'stdout': b'', 'stderr': b''}
        self.drains = [
            threading.Thread(target=self.drain, args=(name,), daemon=True) for name in self.output]
        for drain in self.drains:
            drain.start()
        self.next_id = 0
        self.answers = {}
        self.version = self.receive_frame()
        if hello:
            self.send_frame(AGENT)
            self.info = self.ask('hello', {'depth': 32, 'path': list(path)})

    def drain(self, name):
        stream = getattr(self.process, name)
        while True:
            part = os.read(stream.fileno(), 65536)
            if not part:
                return
            self.output[name] = (self.output[name] + part)[-1 << 20:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for drain in self.drains:
            drain.join(5)
        self.process.stdout.close()
        self.process.stderr.close()

    def close(self):
        self.socket.close()
        self.urgent.close()

    def interrupt(self, number):
        self.urgent.sendall(marshal_frame((0, 'interrupt', number)))

    def send_frame(self, x):
        self.socket.sendall(marshal_frame(x))

    def receive(self, count):
        parts = []
        while count:
            part = self.socket.recv(min(count, 1 << 20))
            if not part:
                raise EOFError('the interpreter is gone: {!r}'.format(self.output))
            parts.append(part)
            count -= len(part)
        return b''.join(parts)

    def receive_frame(self):
        return marshal.loads(self.receive(struct.unpack('<I', self.receive(4))[0]))

    def send(self, operation, payload):
        self.next_id += 1
        self.send_frame((self.next_id, operation, payload))
        return self.next_id

    def answer(self, number):
        while number not in self.answers:
            answered, status, payload = self.receive_frame()
            assert answered not in self.answers, 'answered twice'
            self.answers[answered] = status, payload
        status, payload = self.answers.pop(number)
        if status == 'raised':
            raise Raised(payload)
        if status == 'failed':
            raise Failed(*payload)
        return payload

    def ask(self, operation, payload):
        return self.answer(self.send(operation, payload))

    def make(self, module, name, *args, **kwargs):
        definition = {'kind': 'instance', 'module': module, 'name': name, 'args': list(args), 'kwargs': kwargs}
        return self.ask('make', definition)[2]

    def value(self, x):
        return self.ask('make', {'kind': 'value', 'value': x})[2]

    def script(self, text, name=None):
        return self.ask('make', {'kind': 'script', 'source': text, 'name': name})[2]

    def call(self, target, name, *args, **kwargs):
        returns = kwargs.pop('returns', 'default')
        return self.ask('call', {'target': target, 'name': name, 'args': list(args), 'kwargs': kwargs,
            'returns': returns})

    def get(self, target, name, returns='default'):
        return self.ask('get', {'target': target, 'name': name, 'returns': returns})

    def set(self, target, name, value):
        return self.ask('set', {'target': target, 'name': name, 'value': value})

    def operate(self, operator, *operands, **options):
        returns = options.get('returns', 'default')
        return self.ask('operate', {'operator': operator, 'operands': list(operands), 'returns': returns})

    def release(self, number, count=0):
        self.send('release', (number, count))


def handle(number):
    return (Ellipsis, 'handle', number)


def kind(marker):
    return marker[1] if type(marker) is tuple and marker and marker[0] is Ellipsis else None


class Case(unittest.TestCase):
    """One interpreter for a class of tests."""

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.__exit__()

    def run_text(self, text, name=None):
        return self.daemon.script(textwrap.dedent(text), name)

    def raises(self, function, *args, **kwargs):
        with self.assertRaises(Raised) as caught:
            function(*args, **kwargs)
        return caught.exception.told

    def fails(self, code, function, *args, **kwargs):
        with self.assertRaises(Failed) as caught:
            function(*args, **kwargs)
        self.assertEqual(caught.exception.code, code)
        return caught.exception.message

    def echo(self, x):
        """A value to the interpreter and back."""
        number = self.daemon.value(x)
        module = self.daemon.ask('make', {'kind': 'object', 'module': 'builtins', 'name': 'list'})[2]
        got = self.daemon.operate('getitem', self.daemon.call(module, None, [handle(number)], returns='handle'), 0)
        self.daemon.release(number)
        return got

    def evaluate(self, text, returns='default', before=''):
        module = self.run_text(before + '\ndef f():\n    return ' + text + '\n')
        return self.daemon.call(module, 'f', returns=returns)


SAMPLES = [
    None, True, False, 0, 1, -1, 1 << 63, -(1 << 63), 10 ** 500, -10 ** 500, 0.0, -0.0, float('inf'), float('-inf'),
    1.5e-300, complex(-0.0, 1.0), '', 'text', '\0', '\ud800 lone', '\U0001f600', b'', b'\0\xff', [], (), {}, set(),
    frozenset(),
    [1, 'a', None], (1, (2, [3])), {'a': [1], 2: {'b': (None,)}}, {1, 'a', (2, 3)}, frozenset([frozenset([1])]),
    [True, 1, 1.0],
    {(1, 2): 3, None: 4, b'x': 5, frozenset([1]): 6}]


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
        nan = struct.unpack('<d', struct.pack('<Q', 0x7ff8000000abcdef))[0]
        self.assertEqual(struct.pack('<d', self.echo(nan)), struct.pack('<d', nan))

    def test_dict_order_is_kept(self):
        self.assertEqual(list(self.echo({key: None for key in 'zaqxb'})), list('zaqxb'))

    def test_random_nested_values_come_back_with_the_same_repr(self):
        seed = 20240731
        random_values = random.Random(seed)

        def make(level, hashable):
            choice = random_values.randrange(9 if level else 5)
            if choice < 5:
                return random_values.choice([
                    None, True, random_values.randrange(-1 << 70, 1 << 70), random_values.random(),
                    'x' * random_values.randrange(5),
                    bytes([random_values.randrange(256)]), chr(random_values.randrange(0x11000)), complex(1, -0.0)])
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
                ('range(1, 10**30, 3)', (Ellipsis, 'range', 1, 10 ** 30, 3)),
                ('datetime.date(2024, 2, 29)', (Ellipsis, 'date', 2024, 2, 29)),
                ('datetime.time(1, 2, 3, 4, fold=1)', (Ellipsis, 'time', 1, 2, 3, 4, 1, None)),
                ('datetime.time(1, tzinfo=datetime.timezone.utc)', (Ellipsis, 'time', 1, 0, 0, 0, 0, (0, None))),
                ('datetime.datetime(2024, 1, 2, 3, 4, 5, 6)', (Ellipsis, 'datetime', 2024, 1, 2, 3, 4, 5, 6, 0, None)),
                ('datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(seconds=-3660), "x"))',
                 (Ellipsis, 'datetime', 2024, 1, 2, 0, 0, 0, 0, 0, (-3660000000, 'x'))),
                ('datetime.timedelta(-1, 2, 3)', (Ellipsis, 'timedelta', -1, 2, 3)),
                ('decimal.Decimal("-0.00")', (Ellipsis, 'decimal', '-0.00')),
                ('decimal.Decimal("sNaN12")', (Ellipsis, 'decimal', 'sNaN12')),
                ('decimal.Decimal("1E+1000")', (Ellipsis, 'decimal', '1E+1000')),
                ('uuid.UUID(int=5)', (Ellipsis, 'uuid', b'\0' * 15 + b'\5')),
                ('array.array("h", [1, -2])', (Ellipsis, 'array', 'array', '<i2', (2,), b'\1\0\xfe\xff')),
                ('array.array("B", [7])', (Ellipsis, 'array', 'array', '|u1', (1,), b'\7')),
                ('array.array("q", [7])', (Ellipsis, 'array', 'array', '<i8', (1,), b'\7' + b'\0' * 7)),
                ('array.array("f")', (Ellipsis, 'array', 'array', '<f4', (0,), b''))]:
            with self.subTest(text):
                before = 'import datetime, decimal, uuid, array'
                self.assertEqual(self.evaluate(text, before=before), marker)
                self.assertEqual(self.echo([marker]), [marker])
                number = self.daemon.value(marker)
                self.assertEqual(self.daemon.operate('repr', handle(number)),
                    self.evaluate('repr(' + text + ')', before=before))

    def test_zones_travel_by_key_and_others_keep_the_value_here(self):
        self.assertEqual(kind(self.evaluate('datetime.datetime(2024, 1, 1, tzinfo=Z())', before="""
import datetime
class Z(datetime.tzinfo):
    def utcoffset(self, when): return None
""")), 'handle')
        if tuple(self.daemon.info['version_info'][:2]) >= (3,
            9) and os.path.exists('/usr/share/zoneinfo/Europe/Berlin'):
            text = 'datetime.datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))'
            marker = (Ellipsis, 'datetime', 2024, 1, 1, 0, 0, 0, 0, 0, 'Europe/Berlin')
            self.assertEqual(self.evaluate(text, before='import datetime, zoneinfo'), marker)
            self.assertEqual(self.echo(marker), marker)
        message = self.fails('bad_arguments', self.echo, (Ellipsis, 'time', 1, 2, 3, 4, 1, 'No/Where'))
        self.assertIn("no time zone 'No/Where'", message)

    def test_buffers_become_bytes(self):
        self.assertEqual(self.evaluate('[bytearray(b"a"), memoryview(b"bcd"), memoryview(b"bcd")[::2]]'),
            [b'a', b'bcd', b'bd'])
        self.assertEqual(kind(self.evaluate('m', before='m = memoryview(b"a")\nm.release()')), 'handle')

    def test_an_ellipsis_and_what_begins_with_one_are_no_markers(self):
        self.assertEqual(kind(self.evaluate('...')), 'handle')
        got = self.evaluate('(..., "handle", 1)')
        self.assertEqual((kind(got[0]), got[1:]), ('handle', ('handle', 1)))

    def test_malformed_markers_are_bad_arguments(self):
        for marker in [(Ellipsis,), Ellipsis, (Ellipsis, 'date', 1), (Ellipsis, 'date', 2024, 2, 30),
                (Ellipsis, 'decimal', 'x'), (Ellipsis, [], 1),
                       (Ellipsis, 'what', 1), (Ellipsis, 'array', 'array', '<i9', (1,), b''),
                       (Ellipsis, 'array', 'array', '>i4', (1,), b'abcd'),
                       (Ellipsis, 'array', 'array', '<i4', (2,), b'abcd'),
                       (Ellipsis, 'array', 'array', '<i4', (2,), b'abc')]:
            with self.subTest(marker):
                self.fails('bad_arguments', self.echo, marker)

    def test_without_numpy_its_arrays_are_refused_in_a_sentence(self):
        if self.daemon.info['numpy']:
            self.skipTest('numpy is there')
        message = self.fails('bad_arguments', self.echo, (Ellipsis, 'array', 'numpy', '<i4', (1,), b'abcd'))
        self.assertIn('needs numpy', message)

    def test_numpy_arrays_and_numbers_travel(self):
        if not self.daemon.info['numpy']:
            self.skipTest('no numpy in this interpreter')
        for text, marker in [
                ('numpy.arange(6, dtype="<i2").reshape(2, 3).T', ('<i2', (3, 2), struct.pack('<6h', 0, 3, 1, 4, 2, 5))),
                ('numpy.array([1.5], ">f8")', ('>f8', (1,), struct.pack('>d', 1.5))),
                ('numpy.float32(1)', ('<f4', (), struct.pack('<f', 1))),
                ('numpy.array([True])', ('|b1', (1,), b'\1')),
                ('numpy.complex64(1j)', ('<c8', (), struct.pack('<ff', 0, 1))),
                ('numpy.float64(2)', ('<f8', (), struct.pack('<d', 2)))]:
            marker = (Ellipsis, 'array', 'numpy') + marker
            self.assertEqual(self.evaluate(text, before='import numpy'), marker)
            self.assertEqual(self.echo(marker), marker)
        for text in ['numpy.array(["a"])', 'numpy.array([None])', 'numpy.datetime64("2024-01-01")',
                'numpy.matrix([1])']:
            self.assertEqual(kind(self.evaluate(text, before='import numpy')), 'handle')

    def test_subclasses_of_values_stay_by_default(self):
        for text in ['int.__new__(I, 3)', 'S("a")', 'T((1, 2))', 'L()', 'collections.OrderedDict()', 'E.A',
                'object()', 'iter([])', '{}.keys()']:
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
                ('I(3)', 3), ('S("a")', 'a'), ('B(b"a")', b'a'), ('F(1.5)', 1.5), ('L([1, S("b")])', [1, 'b']),
                ('M([1])', {1}), ('E.A', 'a'),
                ('N.A', 1), ('P(1, N.A)', (1, 1)), ('collections.Counter("aa")', {'a': 2}),
                ('collections.defaultdict(list, a=[1])', {'a': [1]}),
                ('types.MappingProxyType({1: 2})', {1: 2}), ('{1: 2}.keys()', [1]), ('{1: 2}.values()', [2]),
                ('{1: 2}.items()', [(1, 2)]),
                ('collections.deque([1, 2])', [1, 2]), ('[I(1), {"a": N.A}]', [1, {'a': 1}])]:
            with self.subTest(text):
                got = self.evaluate(text, 'value', before)
                self.assertEqual((type(got), got), (type(expected), expected))
        self.assertEqual(list(self.evaluate('o', 'value', before)), [3, 1])
        self.assertIn('become equal', self.fails('not_a_value', self.evaluate, '{E.A, "a"}', 'value', before))

    def test_plain_is_by_value_what_can_be_and_the_rest_by_handle(self):
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
        before = 'import dataclasses\n@dataclasses.dataclass\nclass D:\n    name: str\n    more: object = None\n'
        self.assertEqual(self.evaluate('D("a", D("b"))', 'value', before),
            {'name': 'a', 'more': {'name': 'b', 'more': None}})
        message = self.fails('not_a_value', self.evaluate, '[1, 2, D(object())]', 'value', before)
        self.assertIn('object at [2].name', message)

    def test_by_value_nothing_is_consumed_and_what_is_no_value_fails(self):
        module = self.run_text('g = iter([1, 2])\ndef f():\n    return [{"a": (g,)}]\n')
        message = self.fails('not_a_value', self.daemon.call, module, 'f', returns='value')
        self.assertIn("list_iterator at [0]['a'][0]", message)
        self.assertEqual(self.daemon.call(self.daemon.get(module, 'g', 'handle')[2], '__next__'), 1)

    def test_by_handle_even_none_stays(self):
        got = self.evaluate('None', 'handle')
        self.assertEqual((got[:2], got[3]), ((Ellipsis, 'handle'), 'NoneType'))

    def test_thirty_two_levels_travel_and_one_more_does_not(self):
        nest = 'def nest(n):\n    x = []\n    for _ in range(n - 1):\n        x = [x]\n    return x\n'
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
        self.assertEqual(self.raises(self.daemon.operate, 'bool', self.daemon.call(module, 'f')[0])['type'],
            'ValueError')

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
                self.assertIn('changed size', raised.told['message'])
        self.daemon.call(module, 'stop')


class Handles(Case):
    def listed(self):
        return {number: count for number, _, count in self.daemon.ask('objects', {})}

    def test_the_same_object_has_the_same_number_and_a_count(self):
        module = self.run_text('class A: pass\na = A()\ndef f(): return [a, a, (a,)]\n')
        first, second, (third,) = self.daemon.call(module, 'f')
        self.assertEqual((first, second), (second, third))
        self.assertTrue(first[3].endswith('.A'))
        self.assertEqual(self.listed()[first[2]], 3)
        self.daemon.release(first[2], 2)
        self.assertEqual(self.listed()[first[2]], 1)
        self.daemon.release(first[2], 1)
        self.assertNotIn(first[2], self.listed())
        self.assertGreater(self.daemon.get(module, 'a')[2], first[2])

    def test_a_released_object_dies_at_once(self):
        module = self.run_text("""
            import weakref
            class A:
                def __del__(self): raise ValueError('no')
            def make():
                global r
                a = A()
                r = weakref.ref(a)
                return a
            def alive(): return r() is not None
        """)
        number = self.daemon.call(module, 'make')[2]
        self.assertTrue(self.daemon.call(module, 'alive'))
        self.daemon.release(number, 1)
        self.assertFalse(self.daemon.call(module, 'alive'))
        self.daemon.release(number, 1)

    def test_a_handle_sent_back_is_the_object_itself(self):
        module = self.run_text('a = object()\ndef same(x): return x[0]["k"] is a\n')
        self.assertTrue(self.daemon.call(module, 'same', [{'k': self.daemon.get(module, 'a')}]))

    def test_a_stale_handle_is_no_object(self):
        self.fails('no_such_object', self.daemon.operate, 'len', handle(10 ** 6))
        self.fails('no_such_object', self.daemon.call, 'x', None)
        self.fails('no_such_object', self.daemon.get, 10 ** 6, 'x')

    def test_counts_of_a_failed_answer_are_taken_back(self):
        module = self.run_text("""
            a, new, deep = object(), object(), []
            for _ in range(40): deep = [deep]
            def f(): return [a, new, deep]
        """)
        number = self.daemon.get(module, 'a')[2]
        before = self.listed()
        self.fails('too_deep', self.daemon.call, module, 'f')
        self.assertEqual(self.listed(), before)
        self.assertEqual(before[number], 1)

    def test_numbers_are_never_used_again(self):
        numbers = []
        for _ in range(50):
            numbers.append(self.daemon.value([]))
            self.daemon.release(numbers[-1])
        self.assertEqual(sorted(set(numbers)), numbers)

    def test_arguments_do_not_outlive_the_call(self):
        module = self.run_text("""
            import weakref
            class A: pass
            def make(): return A()
            def look(a):
                global r
                r = weakref.ref(a)
                return a
            def alive(): return r() is not None
        """)
        number = self.daemon.call(module, 'make')[2]
        self.daemon.call(module, 'look', handle(number))
        self.daemon.release(number, 2)
        self.assertFalse(self.daemon.call(module, 'alive'))


class Definitions(Case):
    def test_instances_are_found_by_module_and_nested_name(self):
        self.run_text('class Outer:\n    class Inner:\n        def __init__(self, a, b=0): self.total = a + b\n')
        number = self.daemon.make(None, 'Outer.Inner', 1, b=2)
        self.assertEqual(self.daemon.get(number, 'total'), 3)
        self.assertEqual(self.daemon.operate('len', handle(self.daemon.make(None, 'list', (1, 2)))), 2)
        self.assertEqual(self.daemon.operate('int', handle(self.daemon.make('math', 'gcd', 4, 6))), 2)
        self.assertEqual(self.daemon.operate('str', handle(self.daemon.make('os', 'path.join', 'a', 'b'))), 'a/b')

    def test_a_missing_module_or_name_is_raised_as_python_does(self):
        self.assertEqual(self.raises(self.daemon.make, 'no_such_module', 'A')['type'], 'ModuleNotFoundError')
        told = self.raises(self.daemon.make, 'math', 'Nothing')
        self.assertEqual((told['type'], told['stack'], told['location']), ('AttributeError', '', None))
        self.assertIn('Nothing', told['message'])
        self.assertEqual(self.raises(self.daemon.make, None, 'Nothing')['type'], 'AttributeError')
        self.fails('bad_arguments', self.daemon.ask, 'make', {'kind': 'instance'})
        self.fails('bad_arguments', self.daemon.ask, 'make', {'kind': 'what'})
        self.fails('no_such_operation', self.daemon.ask, 'what', {})
        self.fails('bad_arguments', self.daemon.ask, 'make', 5)
        self.fails('bad_arguments', self.daemon.make, 'io', 5)

    def test_a_value_an_object_and_a_module_are_kept(self):
        number = self.daemon.value([1, {'a': 2}])
        self.daemon.call(number, 'append', 3)
        self.assertEqual(self.daemon.operate('repr', handle(number)), "[1, {'a': 2}, 3]")
        got = self.daemon.ask('make', {'kind': 'object', 'module': 'collections', 'name': 'OrderedDict'})
        self.assertEqual((got[1], got[3]), ('handle', 'type'))
        got = self.daemon.ask('make', {'kind': 'module', 'module': 'os.path'})
        self.assertEqual(self.daemon.call(got[2], 'join', 'a', 'b'), 'a/b')

    def test_a_file_becomes_a_module_of_its_own(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in [('json.py', 'x = 1\nimport json, sys\ny = json.dumps\n'), ('plain.txt', 'x = 2\n'),
                    ('broken.py', '1 / 0\n')]:
                with open(os.path.join(folder, name), 'w') as file:
                    file.write(text)
            make = lambda name: self.daemon.ask('make', {'kind': 'file', 'path': os.path.join(folder, name)})[2]
            number = make('json.py')
            self.assertEqual(self.daemon.get(number, 'x'), 1)
            self.assertEqual(kind(self.daemon.get(number, 'y')), 'handle')
            self.assertEqual(self.daemon.get(make('plain.txt'), 'x'), 2)
            told = self.raises(make, 'broken.py')
            self.assertEqual((told['type'], told['location']),
                ('ZeroDivisionError', os.path.join(folder, 'broken.py') + ':1'))
            self.assertEqual(self.raises(make, 'missing.py')['type'], 'FileNotFoundError')
            self.assertEqual(sorted(os.listdir(folder)), ['broken.py', 'json.py', 'plain.txt'])
            path = self.daemon.get(self.daemon.ask('make', {'kind': 'module', 'module': 'sys'})[2], 'path')
            self.assertNotIn(folder, path)

    def test_a_script_shows_its_lines_in_tracebacks(self):
        module = self.run_text('def f():\n    return 1 / 0  # here\n', 'sums.py')
        told = self.raises(self.daemon.call, module, 'f')
        self.assertIn('\n  File "sums.py", line 2, in f\n    return 1 / 0  # here\n', told['stack'])
        self.assertEqual(told['location'], 'sums.py:2')
        self.assertEqual(told['location'], 'sums.py:2')
        self.assertIn('# here', told['traceback'])
        other = self.run_text('def f():\n    return [][1]\n', 'sums.py')
        self.assertIn('return [][1]', self.raises(self.daemon.call, other, 'f')['traceback'])
        self.assertIn('# here', self.raises(self.daemon.call, module, 'f')['traceback'])

    def test_a_script_that_does_not_compile_or_fails_is_raised(self):
        told = self.raises(self.run_text, 'def f(:\n')
        self.assertEqual(told['type'], 'SyntaxError')
        self.assertIn('def f(:', told['traceback'])
        self.assertEqual(self.raises(self.run_text, 'raise KeyError(1)')['type'], 'KeyError')

    def test_a_script_may_define_an_ordered_dict(self):
        module = self.run_text("""
            from collections import OrderedDict
            d = OrderedDict(b=1, a=2)
            n = 3
            nested = {'x': {'y': [1, (2,)]}}
            def twice(x): return 2 * x
            class A:
                kind = 'a'
        """)
        self.assertEqual(self.daemon.call(self.daemon.get(module, 'd')[2], 'popitem'), ('a', 2))
        self.assertEqual(self.daemon.call(module, 'd.get', 'b'), 1)
        self.assertEqual(self.daemon.get(module, 'n'), 3)
        self.assertEqual(self.daemon.get(module, 'nested'), {'x': {'y': [1, (2,)]}})
        self.assertEqual(self.daemon.call(module, 'twice', 'ab'), 'abab')
        self.assertEqual(self.daemon.get(self.daemon.get(module, 'A')[2], 'kind'), 'a')
        self.assertEqual(self.daemon.get(module, 'A.kind'), 'a')

    def test_a_string_io_tells_its_story(self):
        text = self.daemon.make('io', 'StringIO', 'hello, world!\n')
        self.assertEqual(self.daemon.call(text, 'seek', 0, 2), 14)
        self.assertEqual(self.daemon.call(text, 'write', 'more'), 4)
        self.assertEqual(self.daemon.call(text, 'seek', 0), 0)
        self.assertEqual(self.daemon.call(text, 'read', 5), 'hello')
        self.assertEqual(self.daemon.call(text, 'readlines'), [', world!\n', 'more'])
        self.assertIsNone(self.daemon.call(text, 'close'))
        told = self.raises(self.daemon.call, text, 'read')
        self.assertEqual((told['type'], told['message']), ('ValueError', 'I/O operation on closed file'))



class Operators(Case):
    def test_every_operator_gives_what_python_gives(self):
        for name, operands, expected in [
                ('truth', [[]], False), ('bool', [[1]], True), ('len', ['abc'], 3), ('contains', [[1, 2], 2], True),
                ('str', [1], '1'),
                ('repr', ['a'], "'a'"), ('ascii', ['\xe9'], "'\\xe9'"), ('format', [3.14159, '.2f'], '3.14'),
                ('hash', [5], 5),
                ('callable', [5], False), ('getitem', ['abc', (Ellipsis, 'slice', 1, None, None)], 'bc'),
                ('eq', [1, 1.0], True),
                ('ne', [1, 2], True), ('lt', ['a', 'b'], True), ('le', [1, 1], True), ('gt', [{1, 2}, {1}], True),
                ('ge', [1, 2], False),
                ('add', [1, 2], 3), ('sub', [1, 2], -1), ('mul', ['a', 3], 'aaa'), ('truediv', [1, 2], 0.5),
                ('floordiv', [7, 2], 3),
                ('mod', ['%d', 3], '3'), ('divmod', [7, 2], (3, 1)), ('pow', [2, 10], 1024),
                ('pow', [2, 10, 1000], 24), ('and', [6, 3], 2),
                ('or', [6, 3], 7), ('xor', [6, 3], 5), ('lshift', [1, 70], 1 << 70), ('rshift', [8, 1], 4),
                ('iadd', [[1], (2,)], [1, 2]),
                ('isub', [3, 1], 2), ('ipow', [2, 3], 8), ('ior', [{1}, {2}], {1, 2}), ('neg', [1], -1),
                ('pos', [True], 1), ('abs', [-2], 2),
                ('invert', [0], -1), ('round', [2.567, 1], 2.6), ('index', [True], 1), ('int', ['ff', 16], 255),
                ('float', ['1.5'], 1.5),
                ('complex', [1, 2], 1 + 2j), ('bytes', ['\xe9', 'latin-1'], b'\xe9')]:
            with self.subTest(name):
                self.assertEqual(self.daemon.operate(name, *operands), expected)
        module = self.daemon.script('def f(): "Does it."')
        self.assertEqual(self.daemon.operate('doc', self.daemon.get(module, 'f')), 'Does it.')
        self.assertEqual(self.raises(self.daemon.operate, 'matmul', 1, 2)['type'], 'TypeError')
        self.assertEqual(self.raises(self.daemon.operate, 'imatmul', 1, 2)['type'], 'TypeError')
        self.assertEqual(self.raises(self.daemon.operate, 'add', 1, 'a')['type'], 'TypeError')
        self.fails('bad_arguments', self.daemon.operate, 'what', 1)
        self.fails('bad_arguments', self.daemon.operate, 'add', 1)
        self.fails('bad_arguments', self.daemon.operate, 'add', 1, 2, 3)
        self.fails('bad_arguments', self.daemon.operate, 'add', 1, 2, returns='what')

    def test_classes_are_asked_for_and_about(self):
        number = self.daemon.value([])
        list_class = self.daemon.operate('type', handle(number))
        self.assertEqual(list_class[3], 'type')
        self.assertTrue(self.daemon.operate('isinstance', handle(number), list_class))
        self.assertTrue(self.daemon.operate('issubclass', list_class, list_class))
        self.assertIn('append', self.daemon.operate('dir', handle(number)))
        self.assertEqual(type(self.daemon.operate('id', handle(number))), int)
        module = self.run_text('def f(a, b=1, *, c: int=2) -> str: pass\n')
        self.assertEqual(self.daemon.operate('signature', self.daemon.get(module, 'f')),
            '(a, b=1, *, c: int = 2) -> str'
                         if self.daemon.info['version_info'][1] > 6 else '(a, b=1, *, c:int=2) -> str')
        self.assertIsNone(self.daemon.operate('signature', handle(number)))

    def test_in_place_addition_keeps_the_identity(self):
        number = self.daemon.value([1])
        self.assertEqual(self.daemon.operate('iadd', handle(number), [2], returns='handle')[2], number)
        self.assertEqual(self.daemon.operate('len', handle(number)), 2)

    def test_reflected_and_unsupported_forms_are_pythons_own(self):
        module = self.run_text("""
            class A:
                def __radd__(self, other): return ('radd', other)
                def __eq__(self, other): return NotImplemented
                def __lt__(self, other): return [other]
            a = A()
        """)
        a = self.daemon.get(module, 'a')
        self.assertEqual(self.daemon.operate('add', 1, a), ('radd', 1))
        self.assertFalse(self.daemon.operate('eq', a, 1))
        self.assertTrue(self.daemon.operate('eq', a, a))
        self.assertEqual(self.daemon.operate('gt', 3, a), [3])
        self.assertEqual(self.raises(self.daemon.operate, 'hash', a)['type'], 'TypeError')

    def test_items_are_set_and_deleted(self):
        number = handle(self.daemon.value({'a': 1, 'b': 2}))
        self.assertIsNone(self.daemon.operate('setitem', number, 'c', 3))
        self.assertIsNone(self.daemon.operate('delitem', number, 'a'))
        self.assertEqual(self.daemon.operate('repr', number), "{'b': 2, 'c': 3}")
        self.assertEqual(self.raises(self.daemon.operate, 'getitem', number, 'a')['args'], ['a'])

    def test_a_property_runs_exactly_once(self):
        module = self.run_text("""
            class A:
                count = 0
                @property
                def p(self): self.count += 1; return self.count
                @p.setter
                def p(self, value): self.count += 100
                @p.deleter
                def p(self): self.count += 10000
            a = A()
        """)
        a = self.daemon.get(module, 'a')[2]
        self.assertEqual(self.daemon.get(a, 'p'), 1)
        self.daemon.set(a, 'p', 5)
        self.assertEqual(self.daemon.get(a, 'count'), 101)
        self.daemon.ask('delete', {'target': a, 'name': 'p'})
        self.assertEqual(self.daemon.get(a, 'count'), 10101)
        self.daemon.ask('describe', {'target': a})
        self.assertEqual(self.daemon.get(a, 'count'), 10101)
        self.daemon.set(module, 'a.other', [1])
        self.assertEqual(self.daemon.get(module, 'a.other'), [1])
        self.daemon.ask('delete', {'target': module, 'name': 'a.other'})
        self.assertEqual(self.raises(self.daemon.get, a, 'other')['type'], 'AttributeError')

    def test_context_managers_are_entered_and_left(self):
        module = self.run_text("""
            class C:
                seen = []
                def __enter__(self): return self
                def __exit__(self, *args): self.seen.append([repr(arg) for arg in args]); return True
            c, error = C(), ValueError('no')
        """)
        c = self.daemon.get(module, 'c')
        self.assertEqual(self.daemon.operate('enter', c)[2], c[2])
        self.assertTrue(self.daemon.operate('exit', c))
        self.assertTrue(self.daemon.operate('exit', c, self.daemon.get(module, 'error')))
        seen = self.daemon.get(c[2], 'seen')
        self.assertEqual(seen[0], ['None'] * 3)
        self.assertIn('ValueError', seen[1][1])

    def iterate(self, target, count):
        return self.daemon.ask('iterate', {'target': target, 'count': count})

    def test_iterators_are_read_in_batches(self):
        number = self.daemon.operate('iter', [1, [2], 3])[2]
        self.assertEqual(self.iterate(number, 2), ([1, [2]], False))
        self.assertEqual(self.iterate(number, 2), ([3], True))
        self.assertEqual(self.iterate(number, 2), ([], True))
        self.assertEqual(self.iterate(number, 0), ([], False))
        number = self.daemon.operate('iter', ['a' * 40000] * 5)[2]
        self.assertEqual(len(self.iterate(number, 100)[0]), 2)
        self.assertEqual(self.daemon.operate('next', handle(number), 5), 'a' * 40000)
        self.assertEqual(self.raises(self.iterate, self.daemon.value([]), 1)['type'], 'TypeError')

    def test_a_slow_iterator_gives_what_it_has(self):
        module = self.run_text("""
            import time
            def f():
                for i in range(3):
                    time.sleep(0.01)
                    yield i
        """)
        number = self.daemon.call(module, 'f')[2]
        self.assertEqual(self.iterate(number, 100), ([0], False))

    def test_what_is_raised_after_some_items_comes_after_them(self):
        module = self.run_text("""
            def f():
                yield 1
                yield object()
                raise ValueError('no')
            def g():
                deep = []
                for _ in range(40): deep = [deep]
                yield 1
                yield [object(), deep]
                yield 2
        """)
        number = self.daemon.call(module, 'f')[2]
        items, done = self.iterate(number, 10)
        self.assertEqual((items[0], kind(items[1]), done), (1, 'handle', False))
        self.assertEqual(self.raises(self.iterate, number, 10)['message'], 'no')
        self.assertEqual(self.iterate(number, 10), ([], True))
        number = self.daemon.call(module, 'g')[2]
        before = self.daemon.ask('objects', {})
        self.assertEqual(self.iterate(number, 10), ([1], False))
        self.fails('too_deep', self.iterate, number, 10)
        self.assertEqual(self.iterate(number, 10), ([2], True))
        self.assertEqual(self.daemon.ask('objects', {}), before)

    def test_a_generator_is_closed(self):
        module = self.run_text("""
            ended = []
            def f():
                try: yield 1
                finally: ended.append(True)
        """)
        number = self.daemon.call(module, 'f')[2]
        self.iterate(number, 1)
        self.assertIsNone(self.daemon.operate('close', handle(number)))
        self.assertEqual(self.daemon.get(module, 'ended'), [True])
        self.assertEqual(self.iterate(number, 1), ([], True))
        self.assertIsNone(self.daemon.operate('close', self.daemon.operate('iter', [])))

    def test_an_object_is_described_without_running_it(self):
        module = self.run_text("""
            class A:
                "An A."
                limit = 5
                def __init__(self): self.size = 1
                def add(self, n: int, *, twice: 'bool' = False) -> float:
                    "Adds."
                @staticmethod
                def fixed(x): pass
                @classmethod
                def made(cls, y): pass
                @property
                def broken(self): raise ValueError
                def _private(self): pass
            class Hostile(A):
                def __getattribute__(self, name): raise ValueError
                def __dir__(self): raise ValueError
                __doc__ = property(lambda self: 1 / 0)
            a, hostile = A(), Hostile()
        """)
        told = self.daemon.ask('describe', {'target': self.daemon.get(module, 'a')[2]})
        self.assertEqual(told['doc'], 'An A.')
        self.assertEqual(told['attributes'], ['broken', 'limit', 'size'])
        self.assertEqual([method['name'] for method in told['methods']], ['add', 'fixed', 'made'])
        self.assertEqual(told['methods'][0]['doc'], 'Adds.')
        self.assertEqual(told['methods'][0]['parameters'], [('n', 'int'), ('twice', 'bool')])
        self.assertEqual(told['methods'][0]['returns'], 'float')
        self.assertEqual(told['methods'][1]['signature'], '(x)')
        self.assertEqual(told['methods'][2]['signature'], '(y)')
        told = self.daemon.ask('describe', {'target': self.daemon.get(module, 'hostile')[2]})
        self.assertIn('add', [method['name'] for method in told['methods']])
        told = self.daemon.ask('describe', {'target': module})
        self.assertEqual(told['attributes'], ['A', 'Hostile', 'a', 'hostile'])
        told = self.daemon.ask('describe', {'target': self.daemon.value([])})
        self.assertIn('append', [method['name'] for method in told['methods']])
        told = self.daemon.ask('describe', {'target': self.daemon.get(module, 'A')[2]})
        self.assertIn('add', [method['name'] for method in told['methods']])


class Exceptions(Case):
    def fail(self, text, before=''):
        module = self.run_text(before + '\ndef f():\n' + textwrap.indent(textwrap.dedent(text), '    '))
        return self.raises(self.daemon.call, module, 'f')

    def test_everything_about_an_exception_arrives(self):
        told = self.fail("""
            try:
                {}['a']
            except KeyError as error:
                e = Mine('no', 3, object())
                e.public, e._private = [1], object()
                raise e from error
        """, 'class Mine(ValueError): pass\n')
        self.assertTrue(told['type'].endswith('.Mine'))
        self.assertEqual(told['mro'][1:], ['ValueError', 'Exception', 'BaseException', 'object'])
        self.assertEqual(told['args'][:2], ['no', 3])
        self.assertEqual((kind(told['args'][2]), kind(told['attributes']['_private'])), ('repr', 'repr'))
        self.assertEqual(told['attributes']['public'], [1])
        self.assertEqual((told['cause']['type'], told['cause']['args'], told['cause']['message']),
            ('KeyError', ['a'], "'a'"))
        self.assertEqual((told['context'], told['suppress_context'], told['group'], told['cut']), (None, True, None, 0))
        self.assertTrue(told['traceback'].startswith('Traceback (most recent call last):\n  File "<script'))
        self.assertIn('direct cause', told['traceback'])
        self.assertNotIn('oad agent', told['traceback'])
        file, line = told['location'].rsplit(':', 1)
        last = '  File "{}", line {}, in f\n    raise e from error\n'.format(file, line)
        self.assertEqual(told['stack'], 'Traceback (most recent call last):\n' + last)

    def test_the_context_arrives_and_the_traceback_is_the_interpreters(self):
        told = self.fail('try:\n    1 / 0\nexcept ZeroDivisionError:\n    int("x")\n')
        self.assertEqual((told['cause'], told['context']['type'], told['suppress_context']),
            (None, 'ZeroDivisionError', False))
        self.assertIn('During handling', told['traceback'])
        module = self.run_text("""
            import traceback
            def g(): raise ValueError('no')
            def f():
                try: g()
                except ValueError as error:
                    lines = traceback.format_exception(type(error), error, error.__traceback__.tb_next)
                    return ''.join(lines)
        """)
        self.assertIn(self.raises(self.daemon.call, module, 'g')['traceback'].split('\n', 1)[1],
            self.daemon.call(module, 'f'))

    def test_what_built_in_exceptions_keep_outside_of_their_dict_arrives(self):
        told = self.fail('open("/no/such")')
        self.assertEqual(told['type'], 'FileNotFoundError')
        self.assertEqual(told['attributes'],
            {'errno': 2, 'strerror': 'No such file or directory', 'filename': '/no/such', 'filename2': None})
        attributes = self.fail('raise OSError("x")')['attributes']
        self.assertEqual((attributes['errno'], attributes['filename']), (None, None))
        attributes = self.fail('exec("x = (")')['attributes']
        self.assertEqual((attributes['lineno'], attributes['filename']), (1, '<string>'))
        attributes = self.fail('import no.such')['attributes']
        self.assertEqual((attributes['name'], attributes['path']), ('no', None))
        self.assertEqual(self.fail('raise SystemExit(3)')['attributes'], {'code': 3})
        self.assertEqual(self.fail('raise StopIteration(4)')['attributes'], {'value': 4})
        attributes = self.fail('b"a\\xff".decode()')['attributes']
        self.assertEqual((attributes['start'], attributes['object']), (1, b'a\xff'))
        self.assertEqual(self.fail('raise ValueError(1)')['attributes'], {})

    def test_what_a_class_keeps_outside_of_its_dict_arrives_without_running_any_code(self):
        told = self.fail('e = Mine("x")\ne.set = 5\ne.own = 6\nraise e', textwrap.dedent("""
            class Slots(Exception):
                __slots__ = ('set', 'unset', 'hidden')
            class Mine(Slots):
                hidden = 7
                args = broken = property(lambda self: 1 / 0)
        """))
        self.assertEqual(told['attributes'], {'set': 5, 'own': 6})
        told = self.fail('Big().missing', textwrap.dedent("""
            class Big:
                def __repr__(self):
                    while True: pass
        """))
        if 'obj' in told['attributes']:
            self.assertTrue(told['attributes']['obj'][2].endswith('.Big object>'))
        told = self.fail('raise Many(*range(2000))', textwrap.dedent("""
            class Many(Exception):
                def __init__(self, *args):
                    self.__dict__.update(('a{}'.format(i), i) for i in args)
        """))
        self.assertEqual((len(told['args']), told['args'][-1][2]), (1001, '\u2026 (2000 in all)'))
        self.assertEqual((len(told['attributes']), told['attributes']['\u2026'][2]), (1001, '2000 attributes in all'))

    def test_what_is_nested_deep_is_shown_and_nothing_is_told_as_none(self):
        told = self.fail("""
            deep = [7]
            for i in range(29): deep = [deep]
            e = ValueError(deep, [deep])
            e.x = [deep]
            raise e
        """)
        self.assertEqual(str(told['args'][0]), '[' * 30 + '7' + ']' * 30)
        self.assertEqual((told['args'][1], told['attributes']['x']), (
            (Ellipsis, 'repr', '[' * 31 + '7' + ']' * 31),) * 2)

    def test_an_exception_that_is_behind_another_twice_is_told_once_and_never_lost(self):
        if tuple(self.daemon.info['version_info'][:2]) < (3, 11):
            self.skipTest('no groups')
        told = self.fail('try: 1 / 0\nexcept ZeroDivisionError as e: raise ExceptionGroup("g", [e, KeyError(1), e])')
        self.assertEqual([member['type'] for member in told['group']], ['ZeroDivisionError', 'KeyError', 'ZeroDivisionError'])
        self.assertEqual((told['context']['type'], len(told['behind'])), ('ZeroDivisionError', 2))
        self.assertEqual(told['attributes'], {'message': 'g'})

    def test_many_large_exceptions_arrive(self):
        told = self.fail("""
            e = None
            for i in range(64):
                n = ValueError(str(i % 10) * 1000000)
                n.x, n.y, n.__cause__ = 'x' * 1000000, ['y' * 1000] * 900, e
                e = n
            raise e
        """)
        self.assertEqual((len(told['behind']), told['message']), (63, '3' * 1000000))
        self.assertLess(len(marshal.dumps(told['behind'])), 1 << 25)

    def test_notes_and_groups_arrive(self):
        if tuple(self.daemon.info['version_info'][:2]) < (3, 11):
            self.skipTest('no notes')
        told = self.fail('e = ValueError("no")\ne.add_note("a note")\nraise ExceptionGroup("g", [e, TypeError(1)])')
        self.assertEqual([member['type'] for member in told['group']], ['ValueError', 'TypeError'])
        self.assertEqual(told['group'][0]['notes'], ['a note'])
        self.assertIn('a note', told['traceback'])
        self.assertEqual(self.fail('e = ValueError()\ne.__notes__ = 5\nraise e')['notes'], ['5'])

    def test_hostile_exceptions_arrive(self):
        told = self.fail("""
            e = Mine(Mine())
            e.x = Mine()
            raise e
        """, textwrap.dedent("""
            class Mine(Exception):
                def __str__(self): raise Mine
                __repr__ = __str__
                args = property(lambda self: 1 / 0)
                __notes__ = property(lambda self: 1 / 0)
                __cause__ = property(lambda self: 1 / 0)
                __context__ = property(lambda self: 1 / 0)
                __traceback__ = property(lambda self: 1 / 0)
                __eq__ = __hash__ = __bool__ = __len__ = lambda *args: 1 / 0
        """))
        self.assertIn('str failed', told['message'])
        self.assertIn('repr failed', told['args'][0][2])
        self.assertIn(', in f\n', told['stack'])
        told = self.fail('raise type("E", (Exception,), {"__getattribute__": lambda self, name: 1 / 0})("x")')
        self.assertEqual((told['message'], told['args']), ('x', ['x']))
        told = self.fail('e = ValueError("x")\ne.__dict__[5] = 6\ne.__dict__["__x__"] = 1\nraise e')
        self.assertEqual(told['attributes'], {})
        told = self.fail('e = ValueError(H())\ne.x = H()\nraise e', textwrap.dedent("""
            class Meta(type):
                def __eq__(cls, other): raise KeyError
                def __hash__(cls): raise KeyError
            class H(metaclass=Meta):
                def __repr__(self): return 'an H'
        """))
        self.assertEqual((told['type'], told['args'], told['attributes']), (
            'ValueError', [(Ellipsis, 'repr', 'an H')], {'x': (Ellipsis, 'repr', 'an H')}))
        told = self.fail('raise ValueError(M("x"))', 'class M(str):\n    def __str__(self): return self\n')
        self.assertEqual(told['message'], 'x')

    def test_cycles_and_long_chains_of_causes_are_bounded(self):
        told = self.fail('a, b = ValueError(1), ValueError(2)\na.__cause__, b.__cause__ = b, a\nraise a')
        self.assertEqual((told['cause']['args'], told['cause']['cause']), ([2], None))
        for length in (1000, 30000):
            told = self.fail("""
                e = None
                for i in range({}):
                    n = ValueError(i)
                    n.__cause__ = e
                    e = n
                raise e
            """.format(length))
            depth = 1
            while told['cause']:
                told, depth = told['cause'], depth + 1
            self.assertEqual((depth, told['cut']), (64, length - 64))

    def test_huge_messages_are_bounded_and_say_so(self):
        told = self.fail('raise ValueError("a" * 100000000)')
        self.assertLess(len(told['message']), (1 << 20) + 100)
        self.assertTrue(told['message'].endswith('(100000000 characters in all)'))
        self.assertLess(len(told['args'][0][2]), 1010)
        self.assertLess(len(told['traceback']), 1100000)

    def test_recursion_and_memory_errors_arrive_and_the_next_call_works(self):
        module = self.run_text('def f(n=0): return f(n + 1)\ndef g(): return "a" * (1 << 62)\ndef h(): return 5\n')
        for _ in range(3):
            told = self.raises(self.daemon.call, module, 'f')
            self.assertEqual(told['type'], 'RecursionError')
            self.assertEqual(self.raises(self.daemon.call, module, 'g')['type'], 'MemoryError')
            self.assertEqual(self.daemon.call(module, 'h'), 5)

    def test_exits_and_base_exceptions_are_exceptions_and_the_interpreter_lives(self):
        for text, name in [('sys.exit(3)', 'SystemExit'), ('raise KeyboardInterrupt', 'KeyboardInterrupt'),
                ('raise GeneratorExit', 'GeneratorExit'),
                           ('raise StopIteration(4)', 'StopIteration'),
                           ('raise StopAsyncIteration', 'StopAsyncIteration')]:
            self.assertEqual(self.fail(text, 'import sys')['type'], name)
        self.assertIn('CancelledError', self.fail('raise asyncio.CancelledError', 'import asyncio')['type'])
        self.assertIn('Own', self.fail('raise Own', 'class Own(BaseException): pass')['type'])
        self.assertEqual(self.evaluate('1'), 1)

    def test_what_a_failed_call_held_dies_after_the_answer(self):
        module = self.run_text("""
            import weakref, gc
            gc.disable()
            class A: pass
            def f():
                global r
                a = A()
                r = weakref.ref(a)
                try: raise KeyError(a)
                except KeyError as error: raise ValueError(a) from error
            def alive(): return r() is not None
        """)
        for _ in range(3):
            self.raises(self.daemon.call, module, 'f')
            self.assertFalse(self.daemon.call(module, 'alive'))


class Interruption(Case):
    BODIES = {
        'sleep': 'time.sleep(60)', 'loop': 'while True: pass', 'lock': 'l = threading.Lock(); l.acquire(); l.acquire()',
        'timed lock': 'l = threading.Lock(); l.acquire(); l.acquire(timeout=60)',
        'socket': 'a, b = socket.socketpair(); a.recv(1)',
        'select': 'a, b = socket.socketpair(); select.select([a], [], [])',
        'join': 't = threading.Thread(target=time.sleep, args=(5,), daemon=True); t.start(); t.join()',
        'event': 'threading.Event().wait()', 'queue': 'queue.Queue().get()', 'deep': 'deep(900)'}

    def start(self, text, **options):
        module = self.run_text('import time, threading, socket, select, subprocess, queue, os\n'
                               'def deep(n):\n    if n: deep(n - 1)\n    else: time.sleep(60)\n'
                               'def f():\n    os.write(1, b"begun\\n")\n    ' + text + '\n')
        before = self.begun()
        number = self.daemon.send('call', dict({'target': module, 'name': 'f'}, **options))
        self.wait_for(lambda: self.begun() > before)
        return number

    def begun(self):
        return self.daemon.output['stdout'].count(b'begun')

    def wait_for(self, reached):
        end = time.monotonic() + TIMEOUT
        while not reached():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.002)

    def interrupt(self, number):
        self.daemon.interrupt(number)

    def test_what_waits_or_loops_is_interrupted(self):
        for name, text in self.BODIES.items():
            with self.subTest(name):
                number = self.start(text)
                start = time.monotonic()
                self.interrupt(number)
                # One that comes while a weakref's callback or a __del__ runs is lost, as every exception is there. So it is said again, as the
                # daemon does it; where the first had its effect this one finds nothing.
                again = threading.Timer(1, self.interrupt, (number,))
                again.start()
                self.fails('interrupted', self.daemon.answer, number)
                again.cancel()
                again.join()
                self.assertLess(time.monotonic() - start, 2)
                self.assertEqual(self.evaluate('1 + 1'), 2)

    def test_a_wait_for_a_process_is_interrupted(self):
        module = self.run_text("""
            import os, subprocess
            process = subprocess.Popen(['sleep', '60'])
            def f():
                os.write(1, b'begun\\n')
                process.wait()
            def end():
                process.kill()
                return process.wait()
        """)
        before = self.begun()
        number = self.daemon.send('call', {'target': module, 'name': 'f'})
        self.wait_for(lambda: self.begun() > before)
        self.interrupt(number)
        self.fails('interrupted', self.daemon.answer, number)
        self.assertEqual(self.daemon.call(module, 'end'), -signal.SIGKILL)

    def test_a_queued_request_is_answered_at_once_and_never_runs(self):
        kept = self.daemon.value([])
        number = self.start('time.sleep(60)')
        queued = self.daemon.send('call', {'target': kept, 'name': 'append', 'args': [1]})
        self.interrupt(queued)
        self.interrupt(queued)
        self.fails('interrupted', self.daemon.answer, queued)
        self.interrupt(number)
        self.fails('interrupted', self.daemon.answer, number)
        self.assertEqual(self.daemon.operate('len', handle(kept)), 0)

    def test_an_interruption_for_what_is_done_does_nothing(self):
        number = self.daemon.send('objects', {})
        self.daemon.answer(number)
        self.interrupt(number)
        self.assertEqual(self.evaluate('1'), 1)

    def test_an_interruption_that_overtakes_its_request_is_its_answer(self):
        kept = self.daemon.value([])
        coming = self.daemon.next_id + 1
        self.interrupt(coming)
        self.fails('interrupted', self.daemon.answer, coming)
        self.assertEqual(self.daemon.send('call', {'target': kept, 'name': 'append', 'args': [1]}), coming)
        self.assertEqual(self.daemon.operate('len', handle(kept)), 0)

    def test_code_that_swallows_it_may_be_interrupted_again(self):
        module = self.run_text("""
            import os, time
            def f():
                for _ in range(3):
                    try:
                        os.write(1, b'begun\\n')
                        time.sleep(60)
                    except BaseException:
                        pass
        """)
        for round_number in range(3):
            before = self.begun() if round_number == 0 else before + 1
            if round_number == 0:
                number = self.daemon.send('call', {'target': module, 'name': 'f'})
            self.wait_for(lambda: self.begun() > before)
            self.interrupt(number)
        self.assertIsNone(self.daemon.answer(number))

    def test_an_exception_that_never_ends_its_str_is_interrupted(self):
        number = self.start('raise E', )
        self.raises(self.daemon.answer, number)
        module = self.run_text("""
            import os, time
            class E(Exception):
                def __str__(self):
                    os.write(1, b'begun\\n')
                    time.sleep(60)
            def f(): raise E
        """)
        before = self.begun()
        number = self.daemon.send('call', {'target': module, 'name': 'f'})
        self.wait_for(lambda: self.begun() > before)
        self.interrupt(number)
        self.fails('interrupted', self.daemon.answer, number)

    def test_a_replaced_handler_makes_a_call_uninterruptible_and_no_more(self):
        with Daemon() as daemon:
            module = daemon.script(textwrap.dedent("""
                import signal, time
                for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1): signal.signal(number, signal.SIG_IGN)
                def f(): time.sleep(0.3); return 5
            """))
            number = daemon.send('call', {'target': module, 'name': 'f'})
            time.sleep(0.1)
            daemon.interrupt(number)
            self.assertEqual(daemon.answer(number), 5)

    def test_short_calls_interrupted_at_any_time_are_each_answered_once(self):
        module = self.run_text("""
            import time
            def f(n, kind):
                if kind == 0: return n
                if kind == 1:
                    total = 0
                    for i in range(n % 300): total += i
                    return n
                if kind == 2: time.sleep(0.0003); return n
                raise ValueError(n)
            x = object()
            def g(n): return [x, n]
        """)
        rng = random.Random(7)
        outcomes = collections.Counter()
        for step in range(400):
            sent = {}
            for n in range(10):
                sort = rng.randrange(4)
                n += step * 10
                sent[self.daemon.send('call', {'target': module, 'name': 'f', 'args': [n, sort]})] = n, sort
                if rng.random() < 0.3:
                    time.sleep(rng.random() * 0.0004)
                for number in rng.sample(sorted(sent), min(len(sent), rng.randrange(3))):
                    self.interrupt(number)
            for number, (n, sort) in sent.items():
                try:
                    self.assertEqual(self.daemon.answer(number), n)
                    outcomes['value'] += 1
                except Raised as raised:
                    self.assertEqual((raised.told['type'], raised.told['args'], sort), ('ValueError', [n], 3))
                    outcomes['raised'] += 1
                except Failed as failed:
                    self.assertEqual(failed.code, 'interrupted')
                    outcomes[failed.message] += 1
            self.assertEqual(self.daemon.answers, {})
        self.assertEqual(len(outcomes), 4, outcomes)
        self.assertEqual(sum(outcomes.values()), 4000)
        self.assertEqual(self.daemon.ask('call', {'target': module, 'name': 'g', 'args': [1]})[1], 1)

    def test_handles_are_counted_right_through_interruptions(self):
        with Daemon() as daemon:
            module = daemon.script('x = object()\ndef g(): return [x] * 50\n')
            rng = random.Random(8)
            count = 0
            for _ in range(1000):
                number = daemon.send('call', {'target': module, 'name': 'g'})
                time.sleep(rng.random() * 0.0002)
                daemon.interrupt(number)
                try:
                    count += len(daemon.answer(number))
                except Failed as failed:
                    self.assertEqual(failed.code, 'interrupted')
            kept = [entry[2] for entry in daemon.ask('objects', {}) if entry[1] == 'object']
            self.assertEqual(sum(kept), count)

    def test_signals_of_others_raise_in_calls_and_do_no_harm_between_them(self):
        with Daemon() as daemon:
            module = daemon.script('import time\ndef f(n): return n\ndef g(): time.sleep(60)\n')
            number = daemon.send('call', {'target': module, 'name': 'g'})
            time.sleep(0.2)
            os.kill(daemon.process.pid, signal.SIGINT)
            self.assertEqual(self.raises(daemon.answer, number)['type'], 'KeyboardInterrupt')
            for n in range(2000):
                number = daemon.send('call', {'target': module, 'name': 'f', 'args': [n]})
                if n % 3 == 0:
                    os.kill(daemon.process.pid, signal.SIGINT)
                try:
                    self.assertEqual(daemon.answer(number), n)
                except Raised as raised:
                    self.assertEqual(raised.told['type'], 'KeyboardInterrupt')



class Processes(unittest.TestCase):
    """Each with an interpreter of its own."""

    def wait_for(self, reached, seconds=TIMEOUT):
        end = time.monotonic() + seconds
        while not reached():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def ends(self, daemon, seconds=1.0):
        """The exit status, which must be there in time."""
        start = time.monotonic()
        status = daemon.process.wait(TIMEOUT)
        # A busy machine is given some more.
        self.assertLess(time.monotonic() - start, seconds + 0.5)
        return status

    def test_hello_tells_of_the_interpreter(self):
        with Daemon(path=['/one', '/two']) as daemon:
            self.assertEqual(daemon.version, (0, 'version', tuple(daemon.info['version_info'][:3]) + ('cpython',)))
            self.assertEqual(daemon.info['pid'], daemon.process.pid)
            self.assertEqual(sorted(daemon.info), [
                'base_prefix', 'executable', 'implementation', 'numpy', 'pid', 'prefix', 'version', 'version_info'])
            system = daemon.ask('make', {'kind': 'module', 'module': 'sys'})[2]
            self.assertEqual(daemon.get(system, 'path')[:2], ['/one', '/two'])
            self.assertNotIn('', daemon.get(system, 'path'))
            self.assertEqual(daemon.get(system, 'argv'), [''])
            main = daemon.ask('make', {'kind': 'module', 'module': '__main__'})[2]
            names = set(daemon.operate('dir', handle(main)))
            self.assertEqual({name for name in names if not name.startswith('__')}, set())
            self.assertNotIn('__file__', names)
            self.assertEqual(daemon.get(main, '__name__'), '__main__')

    def test_output_of_every_kind_disturbs_nothing(self):
        with Daemon() as daemon:
            module = daemon.script(textwrap.dedent("""
                import os, sys
                def shout():
                    print('print'); os.write(1, b'write\\n'); sys.stderr.write('error\\n')
                    os.system('echo shell'); sys.stdout.write('unfinished')
                    return 1
                def flood():
                    for _ in range(200): os.write(2, b'x' * 100000)
                    return 2
                def none(): sys.stdout = sys.stderr = sys.stdin = None; return 3
                class Broken:
                    def flush(self): raise SystemExit
                    def __getattr__(self, name): raise ValueError
                def replace(): sys.stdout = sys.stderr = Broken(); return 4
                def remove(): del sys.stdout, sys.stderr; return 5
                def restore(): sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__; return 6
                def shut(): sys.stdout.close(); sys.stderr.close(); return 7
                def close_all():
                    for fd in (0, 1, 2): os.close(fd)
                    return 8
                def fail(): raise ValueError
            """))
            self.assertEqual(daemon.call(module, 'shout'), 1)
            self.wait_for(lambda: daemon.output['stdout'] == b'print\nwrite\nshell\nunfinished')
            self.wait_for(lambda: daemon.output['stderr'] == b'error\n')
            for name, expected in [('flood', 2), ('none', 3), ('replace', 4), ('remove', 5), ('restore', 6),
                    ('shut', 7), ('close_all', 8)]:
                self.assertEqual(daemon.call(module, name), expected)
                with self.assertRaises(Raised):
                    daemon.call(module, 'fail')

    def test_standard_output_that_is_closed_from_the_start_is_survived(self):
        text = 'exec "$0" "$@" 0<&- 1>&- 2>&-'
        with Daemon(python='/bin/sh', before=['-c', text, PYTHON]) as daemon:
            self.assertEqual(daemon.call(daemon.value([1]), 'pop'), 1)

    def test_a_forked_copy_that_comes_back_ends_without_an_answer(self):
        with Daemon() as daemon:
            module = daemon.script(textwrap.dedent("""
                import os, sys
                def f(): return os.fork()
                def wait(pid): return os.WEXITSTATUS(os.waitpid(pid, 0)[1])
                def exits():
                    pid = os.fork()
                    if not pid: sys.exit(3)
                    return pid
                def breaks():
                    pid = os.fork()
                    if not pid: raise ValueError('in the copy')
                    return pid
                def again():
                    pid = os.fork()
                    if not pid:
                        mine = os.dup2(1, %d)
                        inner = os.fork()
                        if not inner:
                            try: os.fstat(%d)
                            except OSError: os._exit(9)
                            os._exit(4)
                        os._exit(wait(inner))
                    return wait(pid)
                def fds():
                    pid = os.fork()
                    if not pid:
                        try: os.fstat(%d)
                        except OSError: os._exit(7)
                        os._exit(8)
                    return wait(pid)
            """) % ((daemon.fd,) * 3))
            self.assertEqual(daemon.call(module, 'wait', daemon.call(module, 'f')), 0)
            self.assertEqual(daemon.call(module, 'wait', daemon.call(module, 'exits')), 3)
            self.assertEqual(daemon.call(module, 'wait', daemon.call(module, 'breaks')), 1)
            self.wait_for(lambda: b'in the copy' in daemon.output['stderr'])
            self.assertEqual(daemon.call(module, 'fds'), 7 if daemon.info['version_info'][1] > 6 else 8)
            self.assertEqual(daemon.call(module, 'again'), 4)
            self.assertEqual(daemon.answers, {})

    def test_the_socket_is_not_inherited(self):
        with Daemon() as daemon:
            module = daemon.script(textwrap.dedent("""
                import subprocess
                def f(): return subprocess.check_output(['ls', '/proc/self/fd'], close_fds=False)
            """))
            self.assertNotIn(str(daemon.fd).encode(), daemon.call(module, 'f').split())

    def test_multiprocessing_works_inside_the_object(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, 'work.py'), 'w') as file:
                file.write(textwrap.dedent("""
                    import multiprocessing, sys
                    from concurrent.futures import ProcessPoolExecutor
                    def double(x): return 2 * x, '__oad_agent__' in sys.modules
                    def run(method):
                        with multiprocessing.get_context(method).Pool(1) as pool: return pool.map(double, [1, 2])
                    def executor():
                        with ProcessPoolExecutor(1) as pool: return list(pool.map(double, [4]))
                """))
            with Daemon(path=[folder]) as daemon:
                module = daemon.ask('make', {'kind': 'module', 'module': 'work'})[2]
                self.assertEqual(daemon.call(module, 'run', 'spawn'), [(2, False), (4, False)])
                self.assertEqual(daemon.call(module, 'run', 'forkserver'), [(2, False), (4, False)])
                self.assertEqual(daemon.call(module, 'run', 'fork'), [(2, True), (4, True)])
                self.assertEqual(daemon.call(module, 'executor')[0][0], 8)
                daemon.close()
                self.ends(daemon)

    def test_the_current_directory_shadows_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ('socket', 'json', 'os', 'marshal', 'signal', 'traceback', 'linecache', 'collections',
                    'types', 'operator', 'time'):
                with open(os.path.join(folder, name + '.py'), 'w') as file:
                    file.write('raise SystemExit("shadowed")\n')
            with Daemon(cwd=folder) as daemon:
                module = daemon.script('import json, os\n')
                self.assertEqual(daemon.call(module, 'json.dumps', [1]), '[1]')
                self.assertIsNone(daemon.call(module, 'os.getenv', 'PYTHONSAFEPATH'))
                self.assertEqual(kind(daemon.ask('make', {'kind': 'module', 'module': 'socket'})), 'handle')
            self.assertFalse(os.path.exists(os.path.join(folder, '__pycache__')))
            with Daemon(cwd=folder, env={'PYTHONSAFEPATH': '1'}) as daemon:
                self.assertEqual(kind(daemon.ask('make', {'kind': 'module', 'module': 'socket'})), 'handle')

    def test_a_sitecustomize_that_prints_or_raises_is_survived(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, 'sitecustomize.py'), 'w') as file:
                file.write('import sys\nprint("noise")\nsys.stderr.write("more noise")\nraise ValueError("broken")\n')
            with Daemon(env={'PYTHONPATH': folder}) as daemon:
                self.assertEqual(daemon.call(daemon.value([1]), 'pop'), 1)
                self.wait_for(lambda: b'noise' in daemon.output['stdout'])

    def test_an_old_python_says_its_version_and_ends(self):
        old = shutil.which('python2.7', path=os.path.expanduser('~/.pyenv/versions/2.7.18/bin'))
        if old is None:
            self.skipTest('no Python 2.7 here')
        with Daemon(python=old, hello=False) as daemon:
            self.assertEqual(daemon.version, (0, 'version', (2, 7, 18, 'cpython')))
            self.assertEqual(daemon.process.wait(TIMEOUT), 0)

    def test_the_end_of_the_socket_ends_the_process_in_order(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in [('idle', 'pass'), ('sleeps', 'time.sleep(60)'), ('loops', 'while True: pass'),
                    ('swallows', SWALLOWS)]:
                with self.subTest(name), Daemon() as daemon:
                    path = os.path.join(folder, name)
                    module = daemon.script(textwrap.dedent("""
                        import atexit, os, time, threading
                        threading.Thread(target=time.sleep, args=(60,)).start()
                        atexit.register(lambda: open(PATH, 'w').close())
                        print('unfinished', end='')
                        def f():
                            os.write(2, b'begun')
                            TEXT
                    """).replace('PATH', repr(path)).replace('TEXT', text))
                    daemon.send('call', {'target': module, 'name': 'f'})
                    self.wait_for(lambda: b'begun' in daemon.output['stderr'])
                    daemon.close()
                    self.assertEqual(self.ends(daemon), 0)
                    self.assertTrue(os.path.exists(path))
                    self.wait_for(lambda: daemon.output['stdout'] == b'unfinished')

    def test_an_atexit_handler_that_hangs_delays_the_end_no_longer_than_a_second(self):
        with Daemon() as daemon:
            daemon.script('import atexit, time\natexit.register(time.sleep, 60)\n')
            daemon.close()
            self.assertEqual(self.ends(daemon), 0)

    def test_an_interrupted_call_leaves_its_with_blocks_at_the_end(self):
        with tempfile.TemporaryDirectory() as folder, Daemon() as daemon:
            path = os.path.join(folder, 'left')
            module = daemon.script(textwrap.dedent("""
                import os, time
                def f():
                    try:
                        os.write(2, b'begun')
                        time.sleep(60)
                    finally:
                        open({!r}, 'w').close()
            """).format(path))
            daemon.send('call', {'target': module, 'name': 'f'})
            self.wait_for(lambda: b'begun' in daemon.output['stderr'])
            daemon.close()
            self.ends(daemon)
            self.assertTrue(os.path.exists(path))

    def test_a_malformed_frame_ends_the_process(self):
        for frame in [b'\xff\xff\xff\xff', b'\1\0\0\0?', b'\5\0\0\0(\1\0\0\0', b'\1\0\0\0N', struct.pack('<I', 0),
                marshal_frame((1, 2)),
                      marshal_frame((1, 2, 3)), b'\1\0\0\0\0', b'\1\0']:
            with self.subTest(frame), Daemon() as daemon:
                daemon.socket.sendall(frame)
                daemon.socket.shutdown(socket.SHUT_WR)
                self.assertEqual(self.ends(daemon), os.EX_PROTOCOL)

    def test_an_end_before_the_agent_came_is_quiet(self):
        with Daemon(hello=False) as daemon:
            daemon.socket.close()
            self.assertEqual(self.ends(daemon), 0)
        self.assertEqual(daemon.output['stderr'], b'')

    def test_a_dead_process_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            with Daemon(cwd=folder, env={'TMPDIR': folder}) as daemon:
                daemon.call(daemon.value([1]), 'pop')
                daemon.process.kill()
                self.assertEqual(self.ends(daemon), -signal.SIGKILL)
                self.assertEqual(daemon.socket.recv(1), b'')
            self.assertEqual(os.listdir(folder), [])

    def test_calls_run_on_the_main_thread_and_no_thread_of_threading_is_added(self):
        with Daemon() as daemon:
            module = daemon.script(textwrap.dedent("""
                import asyncio, signal, sqlite3, threading
                base = sqlite3.connect(':memory:')
                def f():
                    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
                    base.execute('select 1')
                    async def g(): await asyncio.sleep(0.001); return 5
                    done = asyncio.new_event_loop().run_until_complete(g())
                    return threading.current_thread() is threading.main_thread(), threading.active_count(), done
            """))
            self.assertEqual(daemon.call(module, 'f'), (True, 1, 5))

    def test_many_requests_are_answered_in_order(self):
        with Daemon() as daemon:
            number = daemon.value([])
            def send():
                for n in range(3000):
                    daemon.send('call', {'target': number, 'name': 'append', 'args': [n]})
            # Beside the reading: an agent that cannot write its answers reads no requests.
            first, sending = daemon.next_id + 1, threading.Thread(target=send)
            sending.start()
            answered = [daemon.receive_frame()[0] for _ in range(3000)]
            sending.join()
            self.assertEqual(answered, list(range(first, first + 3000)))
            self.assertEqual(daemon.operate('eq', handle(number), list(range(3000))), True)


SWALLOWS = """
    while True:
        try: time.sleep(60)
        except BaseException: pass
"""


def marshal_frame(x):
    body = marshal.dumps(x, 2)
    return struct.pack('<I', len(body)) + body


if __name__ == '__main__':
    unittest.main()
