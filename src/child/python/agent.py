"""Holds Python objects for a daemon and does with them what it is asked.

At the other end of two sockets is the daemon, written in Rust, which started this interpreter and sent it this text. The
main thread reads requests from the first and answers them in order, so that what must run on a main thread (signal,
sqlite3, RLock) does, and no thread has to wake another. A second thread listens at the second socket for what cannot wait
for its turn: interruptions, and the end.

Deliberately absent: any import that is not of the standard library, any use of sys.stdin, sys.stdout or sys.stderr but
flushing them (they belong to the object), any pickling, and any opinion about which objects may be called: the daemon
decides what it asks for.

Failures, answered where the object was not asked or its answer cannot travel:
no_such_object · no_such_operation · bad_arguments · not_a_value · too_deep · too_large · interrupted
"""
import _thread
import builtins
import collections
import itertools
import linecache
import marshal
import operator
import os
import signal
import sys
import time
import traceback
import types

try:
    import _socket
except ImportError:
    _socket = None

FRAME_LIMIT = 1 << 30
SOURCE_NAME = '<oad agent>'


class Failure(Exception):
    """A request that cannot be carried out, or an answer that cannot travel."""

    def __init__(self, code, message):
        Exception.__init__(self, code, message)
        self.code = code
        self.message = message


class Interrupted(BaseException):
    """Raised in a running call which the daemon no longer waits for."""


# === the wire ===


class Wire:
    """Frames on a socket: four bytes of length, little endian, then one marshalled object."""

    def __init__(self, fd):
        self.fd = fd
        self.turn = _thread.RLock()
        if _socket is None:
            self.take, self.give = (lambda size: os.read(fd, size)), (lambda data: os.write(fd, data))
        else:
            # Not by the number alone: if the object closes it, it may soon be that of a file of the object's.
            self.socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)
            self.socket.settimeout(None)
            self.take, self.give = self.socket.recv, self.socket.send

    def read(self, parts):
        """Appends what has come, or an empty part at the end."""
        # A signal handler of the object's may raise between any two bytecodes of the main thread, and what has been read
        # must not be lost: it is the C call that reads that keeps it.
        size = max(READ_SIZE, missing(parts)) if parts else READ_SIZE
        try:
            parts.extend(map(self.take, (size,)))
        except OSError as error:
            if not raised_here(error):
                raise
            if not isinstance(error, ConnectionError):
                lost(error)
            # The daemon died with answers unread; that is an end like any other.
            parts.append(b'')

    def write(self, frame, progress):
        """Writes what `progress` says is still missing of the frame."""
        # As in `read`, the count is kept by the very C call that writes; and the lock is one that may be taken again and
        # is then given back wholly.
        self.turn.acquire()
        try:
            while sum(progress) < len(frame):
                rest = memoryview(frame)[sum(progress):] if progress else frame
                progress.extend(map(self.give, (rest,)))
        finally:
            while self.turn._is_owned():
                self.turn.release()


READ_SIZE = 65536


def lost(error):
    """Ends the process where nobody can be told by way of a socket."""
    message = 'oad: the object has closed the sockets of its agent, or something else is there: {}\n'.format(error)
    attempt(lambda: os.write(2, message.encode()), None)
    os._exit(os.EX_IOERR)


def raised_here(error):
    """Says whether a C function has raised it in the frame that catches it, not a signal handler, which has a frame of its own."""
    return error.__traceback__.tb_next is None


def split(parts):
    """The body of the first frame, and what follows it; None where it has not all come."""
    if len(parts) == 1:
        # As most come: whole, and nothing else with it.
        data = parts[0]
        if len(data) == 4 + int.from_bytes(data[:4], 'little'):
            return data[4:], []
    if not parts or missing(parts) > 0:
        return None
    data = b''.join(parts)
    end = 4 + int.from_bytes(data[:4], 'little')
    return data[4:end], [data[end:]] if len(data) > end else []


def missing(parts):
    """How many bytes of the first frame have not come; a frame that is too long ends with its head, and so is no request."""
    come = sum(map(len, parts))
    head = parts[0] if len(parts[0]) >= 4 else b''.join(parts)[:4]
    length = int.from_bytes(head[:4], 'little') if len(head) >= 4 else 0
    return 4 + (length if length <= FRAME_LIMIT else 0) - come


def packed(number, status, payload):
    """One answer as a frame."""
    body = marshal.dumps((number, status, payload), 2)
    if len(body) > FRAME_LIMIT:
        message = 'the answer takes {} bytes, more than the {} of a frame'
        raise Failure('too_large', message.format(len(body), FRAME_LIMIT))
    return len(body).to_bytes(4, 'little') + body


# === values ===

MARKER = Ellipsis
# How a place is shown in a message: an item by index or key, a field by name; a member of a set or a key has no name.
ITEM, FIELD, MEMBER = '[', '.', '{'
SCALARS = (type(None), bool, int, float, complex, str, bytes)
# Types are told apart by identity, for a metaclass may define == and hash. These live for ever, so that no other type
# ever has their id.
SCALAR_IDS = frozenset(map(id, SCALARS))
INT_ID = id(int)
SIZES = {INT_ID: lambda x: x.bit_length() // 8, id(str): len, id(bytes): len}


def scalar_kinds(items):
    """The ids of the items' types, or None where not all are scalars; no loop in Python, and no item is asked."""
    if not items:
        return frozenset()
    first = type(next(iter(items)))
    if id(first) not in SCALAR_IDS:
        return None
    if len(items) > 100 and all(map(operator.is_, map(type, items), itertools.repeat(first))):
        return frozenset((id(first),))
    kinds = frozenset(map(id, map(type, items)))
    return kinds if kinds <= SCALAR_IDS else None


def type_name(cls):
    """`module.qualname` of a class, past whatever its metaclass says."""
    name = str.__str__(type.__dict__['__qualname__'].__get__(cls))
    try:
        module = type.__dict__['__module__'].__get__(cls)
    except AttributeError:
        module = None
    if type(module) is str and module != 'builtins':
        name = module + '.' + name
    return name[:1000]


def bases(cls):
    """The classes of a class, itself first, past whatever its metaclass says."""
    return type.__dict__['__mro__'].__get__(cls)


def own_names(cls):
    """The names a class itself defines, past whatever its metaclass says."""
    return type.__dict__['__dict__'].__get__(cls)


def is_a(cls, base):
    """issubclass by identity, which asks neither class."""
    return any(entry is base for entry in bases(cls))


def exactly(x, *classes):
    """Says whether the object is of one of the classes itself, by identity."""
    return any(type(x) is cls for cls in classes)


def loaded(module, name):
    """A name of a module that has been imported already, else None."""
    module = sys.modules.get(module)
    return module.__dict__.get(name) if type(module) is types.ModuleType else None


def short_repr(x):
    """The repr of an object, bounded, whatever the object does."""
    if exactly(x, str, bytes):
        x = x[:1000]
    text = attempt(lambda: str.__str__(repr(x)), None)
    if text is None:
        text = '<{} object whose repr failed>'.format(type_name(type(x)))
    return text if len(text) <= 1000 else text[:999] + '\u2026'


def attempt(function, otherwise):
    """What the function gives, or something else if it raises: for code of the object's that must not disturb."""
    try:
        return function()
    except Interrupted:
        raise
    except BaseException:
        return otherwise


def place_text(form, name):
    if form == FIELD:
        return '.' + name
    if form == MEMBER or id(type(name)) not in SCALAR_IDS:
        return '{\u2026}' if form == MEMBER else '[\u2026]'
    return '[' + short_repr(name[:50] if exactly(name, str, bytes) else name) + ']'


class Encoding:
    """Turns objects into what marshal may see; what stays is noted here and kept only once the answer is sure to go."""

    def __init__(self, table, mode, depth, limit=FRAME_LIMIT):
        self.table = table
        self.mode = mode
        self.depth = depth
        self.limit = limit
        # What is left of the frame, and of the message that the daemon makes of it.
        self.room = FRAME_LIMIT
        self.message = limit
        self.sent = []
        self.new = {}
        self.open = {}
        self.place = []

    def top(self, x):
        """The answer to a request."""
        if self.mode == 'nothing' or (self.mode == 'handle_or_null' and x is None):
            return None
        return self.stay(x) if self.mode in ('handle', 'handle_or_null') else self.encode(x)

    def encode(self, x):
        kind = id(type(x))
        if kind in SCALAR_IDS:
            if kind in SIZES:
                self.take(SIZES[kind](x))
            return x
        encode = ENCODE.get(kind)
        if encode is not None:
            return encode(self, x)
        marker = self.standard(x)
        if marker is not None:
            return marker
        return self.converted(x) if self.mode in ('value', 'plain') else self.stay(x)

    def take(self, size, least=None):
        """Counts what something takes in a frame, and the least that it may take in a message."""
        # Shared structure is small in memory and huge on the wire, so the room is counted before marshal is let loose.
        self.room -= size
        self.message -= size if least is None else least
        if self.message < 0:
            message = 'the value at {} makes the message larger than the limit of {} bytes; keep it by handle'
            raise Failure('too_large', message.format(self.where(), self.limit))
        if self.room < 0:
            message = 'the value at {} makes the answer larger than a frame; keep it by handle'
            raise Failure('too_large', message.format(self.where()))

    def take_scalars(self, items, kinds):
        self.take(8 * len(items), len(items))
        if len(kinds) > 1:
            self.take(max(0, sum(map(sys.getsizeof, items)) - 32 * len(items)))
        elif INT_ID in kinds:
            self.take(sum(map(int.bit_length, items)) // 8)
        elif not kinds.isdisjoint(SIZES):
            self.take(sum(map(len, items)))

    def where(self):
        return ''.join(place_text(form, name) for form, name in self.place) or 'the top'

    def contents(self, x, items, names=None, form=ITEM):
        """The items of a container, encoded; None where the container contains itself."""
        kinds = scalar_kinds(items)
        if kinds is None and id(x) in self.open:
            return None
        if len(self.open) >= self.depth:
            message = 'the value is nested deeper than {} levels at {}; keep it by handle'
            raise Failure('too_deep', message.format(self.depth, self.where()))
        if kinds is not None:
            self.take_scalars(items, kinds)
            return items
        self.open[id(x)] = x
        self.take(8 * len(items), len(items))
        encoded = []
        for name, item in zip(names or itertools.count(), items):
            if id(type(item)) in SCALAR_IDS:
                encoded.append(self.encode(item))
                continue
            self.place.append((form, name))
            encoded.append(self.encode(item))
            self.place.pop()
        del self.open[id(x)]
        return encoded

    def list(self, x):
        # Another thread may change the list, so what is looked at and what marshal sees is a copy.
        encoded = self.contents(x, x[:])
        return self.stay(x) if encoded is None else encoded

    def tuple(self, x):
        encoded = self.contents(x, x)
        return self.stay(x) if encoded is None else tuple(encoded)

    def set(self, x):
        items = list(x)
        encoded = self.contents(x, items, form=MEMBER)
        return self.stay(x) if encoded is None else self.members(x, type(x), encoded)

    def members(self, x, kind, encoded):
        made = kind(encoded)
        # Members may be different and have the same value, as those of an enumeration and their values.
        return made if len(made) == len(encoded) else self.stay(x, 'members become equal')

    def dict(self, x):
        return self.pairs(x, list(x.items()))

    def pairs(self, x, pairs, form=ITEM):
        keys, values = zip(*pairs) if pairs else ((), ())
        encoded = self.contents(x, keys, form=MEMBER)
        if encoded is None:
            return self.stay(x)
        made = dict(zip(encoded, self.contents(x, values, keys, form)))
        return made if len(made) == len(pairs) else self.stay(x, 'keys become equal')

    def parts(self, x, name, parts):
        encoded = self.contents(x, parts)
        return self.stay(x) if encoded is None else (MARKER, name) + tuple(encoded)

    def slice(self, x):
        return self.parts(x, 'slice', (x.start, x.stop, x.step))

    def range(self, x):
        return (MARKER, 'range') + tuple(map(int.__index__, (x.start, x.stop, x.step)))

    def buffer(self, x):
        try:
            data = bytes(x) if type(x) is bytearray else x.tobytes()
        except ValueError:
            return self.stay(x)
        self.take(len(data))
        return data

    def standard(self, x):
        """The marker of a standard library's or numpy's value, None for any other object."""
        cls = type(x)
        name = type_name(cls)
        encode = STANDARD.get(name)
        if encode is not None and loaded(*name.split('.')) is cls:
            marker = encode(x)
        elif name.startswith('numpy.'):
            marker = numpy_marker(x)
        else:
            marker = None
        if marker is not None and marker[1] == 'array':
            self.take(len(marker[-1]))
        return marker

    def stay(self, x, why=None):
        """The object by handle, or by its repr, or not at all: as the mode has it."""
        if self.mode == 'repr':
            return (MARKER, 'repr', short_repr(x))
        name = type_name(type(x))
        if self.mode == 'value':
            why = why or ('it contains itself' if id(x) in self.open else 'it has no value that can travel')
            message = 'the {} at {} is no value: {}'.format(name, self.where(), why)
            raise Failure('not_a_value', message)
        number = self.table.numbers.get(id(x))
        if number is None and id(x) not in self.new:
            self.new[id(x)] = (next(self.table.counter), x)
        if number is None:
            number = self.new[id(x)][0]
        self.sent.append((number, x))
        return (MARKER, 'handle', number, name)

    def converted(self, x):
        """By value what is a subclass of a value, or a well-known container of values."""
        cls = type(x)
        for base in bases(cls):
            exact = EXACT.get(id(base))
            if exact is not None:
                return self.encode(exact(x))
        for base in bases(cls):
            if base is tuple:
                encoded = self.contents(x, tuple.__getitem__(x, slice(None)))
                return self.stay(x) if encoded is None else tuple(encoded)
            if base is list or base is collections.deque:
                encoded = self.contents(x, list(base.__iter__(x)))
                return self.stay(x) if encoded is None else list(encoded)
            if base is set or base is frozenset:
                encoded = self.contents(x, list(base.__iter__(x)))
                return self.stay(x) if encoded is None else self.members(x, base, encoded)
            if base is collections.OrderedDict or base is dict:
                return self.pairs(x, list(base.items(x)))
            if id(base) in VIEWS:
                encoded = self.contents(x, list(x))
                return self.stay(x) if encoded is None else list(encoded)
            if base is types.MappingProxyType:
                return self.pairs(x, [(key, x[key]) for key in x])
            if base is loaded('enum', 'Enum'):
                return self.encode(object.__getattribute__(x, '_value_'))
            if type(own_names(base).get('__dataclass_fields__')) is dict and 'dataclasses' in sys.modules:
                fields = sys.modules['dataclasses'].fields(cls)
                return self.pairs(x, [(field.name, getattr(x, field.name)) for field in fields], FIELD)
        return self.stay(x)


ENCODE = {id(cls): encode for cls, encode in (
    (list, Encoding.list), (tuple, Encoding.tuple), (set, Encoding.set), (frozenset, Encoding.set),
    (dict, Encoding.dict), (slice, Encoding.slice), (range, Encoding.range), (bytearray, Encoding.buffer),
    (memoryview, Encoding.buffer))}
# These give the plain value even where the subclass has methods of its own.
EXACT = {id(cls): exact for cls, exact in (
    (int, int.__index__), (float, float.__float__), (complex, complex.__pos__), (str, str.__str__),
    (bytes, lambda x: bytes.__getitem__(x, slice(None))),
    (bytearray, lambda x: bytes(bytearray.__getitem__(x, slice(None)))))}
VIEWS = frozenset(id(type(view)) for view in ({}.keys(), {}.values(), {}.items()))


def zone(tz):
    """A time zone as data, or False where it is none that can travel."""
    if tz is None:
        return None
    if type(tz) is loaded('datetime', 'timezone'):
        offset, name = (tz.__getinitargs__() + (None,))[:2]
        return (microseconds(offset), name) if name is None or type(name) is str else False
    if type(tz) is loaded('zoneinfo', 'ZoneInfo') and type(tz.key) is str:
        return tz.key
    return False


def microseconds(delta):
    return (delta.days * 86400 + delta.seconds) * 1000000 + delta.microseconds


def date_marker(x):
    return (MARKER, 'date', x.year, x.month, x.day)


def time_marker(x):
    tz = zone(x.tzinfo)
    return None if tz is False else (MARKER, 'time', x.hour, x.minute, x.second, x.microsecond, x.fold, tz)


def datetime_marker(x):
    tz = zone(x.tzinfo)
    day = (MARKER, 'datetime', x.year, x.month, x.day)
    return None if tz is False else day + (x.hour, x.minute, x.second, x.microsecond, x.fold, tz)


def timedelta_marker(x):
    return (MARKER, 'timedelta', x.days, x.seconds, x.microseconds)


def decimal_marker(x):
    text = str(x)
    return (MARKER, 'decimal', text) if type(text) is str else None


def uuid_marker(x):
    data = attempt(lambda: x.bytes, None)
    return (MARKER, 'uuid', data) if type(data) is bytes and len(data) == 16 else None


def array_marker(x):
    if x.typecode in 'uw':
        return None
    kind = 'f' if x.typecode in 'fd' else 'i' if x.typecode.islower() else 'u'
    order = '|' if x.itemsize == 1 else '<' if sys.byteorder == 'little' else '>'
    data = x.tobytes()
    return (MARKER, 'array', 'array', order + kind + str(x.itemsize), (len(data) // x.itemsize,), data)


def numpy_marker(x):
    """An array or a number of numpy's own; numpy is never imported for this."""
    array, generic = loaded('numpy', 'ndarray'), loaded('numpy', 'generic')
    if array is None or generic is None:
        return None
    if type(x) is array:
        dtype, shape = x.dtype, tuple(map(int, x.shape))
    elif is_a(type(x), generic):
        dtype, shape = generic.dtype.__get__(x), ()
        if dtype.type is not type(x):
            return None
    else:
        return None
    if dtype.kind not in 'biufc':
        return None
    return (MARKER, 'array', 'numpy', dtype.str, shape, x.tobytes())


STANDARD = {
    'datetime.date': date_marker, 'datetime.time': time_marker, 'datetime.datetime': datetime_marker,
    'datetime.timedelta': timedelta_marker, 'decimal.Decimal': decimal_marker, 'uuid.UUID': uuid_marker,
    'array.array': array_marker}


class Decoding:
    """Turns what came by the wire into objects."""

    def __init__(self, table, depth):
        self.table = table
        self.depth = depth

    def decode(self, x, level=0):
        kind = type(x)
        if kind in SCALARS:
            return x
        if kind is tuple and x and x[0] is MARKER and len(x) > 2 and type(x[1]) is str:
            return self.marked(x, level)
        if level >= self.depth:
            raise Failure('too_deep', 'the argument is nested deeper than {} levels'.format(self.depth))
        if kind is dict:
            if scalar_kinds(x) is not None and scalar_kinds(x.values()) is not None:
                return x
            return {self.decode(key, level + 1): self.decode(value, level + 1) for key, value in x.items()}
        if kind not in (list, tuple, set, frozenset):
            raise Failure('bad_arguments', 'no value: {}'.format(kind.__name__))
        return x if scalar_kinds(x) is not None else kind([self.decode(item, level + 1) for item in x])

    def marked(self, x, level):
        name, parts = x[1], x[2:]
        if name == 'handle':
            return self.table.find(parts[0])
        decode = DECODE.get(name)
        if decode is None:
            raise Failure('bad_arguments', 'no value is called {!r}'.format(name))
        parts = [self.decode(part, level + 1) for part in parts] if name == 'slice' else parts
        try:
            return decode(*parts)
        except Failure:
            raise
        except Exception as error:
            raise Failure('bad_arguments', 'no {}: {}'.format(name, error)) from None


def zone_from(data):
    if type(data) is str:
        try:
            import zoneinfo
            return zoneinfo.ZoneInfo(data)
        except Exception as error:
            raise Failure('bad_arguments', 'this interpreter has no time zone {!r}: {}'.format(data, error)) from None
    if data is None:
        return None
    import datetime
    offset = datetime.timedelta(microseconds=data[0])
    return datetime.timezone(offset) if data[1] is None else datetime.timezone(offset, data[1])


def date_from(year, month, day):
    import datetime
    return datetime.date(year, month, day)


def time_from(hour, minute, second, microsecond, fold, tz):
    import datetime
    return datetime.time(hour, minute, second, microsecond, zone_from(tz), fold=fold)


def datetime_from(year, month, day, hour, minute, second, microsecond, fold, tz):
    import datetime
    return datetime.datetime(year, month, day, hour, minute, second, microsecond, zone_from(tz), fold=fold)


def timedelta_from(days, seconds, micros):
    import datetime
    return datetime.timedelta(days, seconds, micros)


def decimal_from(text):
    import decimal
    return decimal.Decimal(text)


def uuid_from(data):
    import uuid
    return uuid.UUID(bytes=data)


def array_from(source, dtype, shape, data):
    if source == 'numpy':
        return numpy_from(dtype, shape, data)
    import array
    if len(shape) != 1:
        raise Failure('bad_arguments', 'an array.array has one dimension, not {}'.format(len(shape)))
    if dtype[0] != '|' and dtype[0] != ('<' if sys.byteorder == 'little' else '>'):
        raise Failure('bad_arguments', 'an array.array of {} needs a machine of the other byte order'.format(dtype))
    for code in {'i': 'bhiql', 'u': 'BHIQL', 'f': 'fd'}.get(dtype[1], ''):
        made = array.array(code)
        if str(made.itemsize) == dtype[2:]:
            made.frombytes(data)
            if len(made) != shape[0]:
                message = '{} items of {} do not make the shape {}'
                raise Failure('bad_arguments', message.format(len(made), dtype, shape))
            return made
    raise Failure('bad_arguments', 'there is no array.array of {}'.format(dtype))


def numpy_from(dtype, shape, data):
    try:
        import numpy
    except ImportError as error:
        message = 'a numpy array needs numpy in the interpreter {}: {}'.format(sys.executable, error)
        raise Failure('bad_arguments', message) from None
    kind = numpy.dtype(dtype)
    if kind.kind not in 'biufc':
        raise Failure('bad_arguments', 'no array of numbers: {}'.format(dtype))
    made = numpy.frombuffer(data, kind).reshape(shape)
    # A copy, because an array that looks into bytes cannot be written to.
    return made.copy() if shape else made[()]


DECODE = {
    'slice': slice, 'range': range, 'date': date_from, 'time': time_from, 'datetime': datetime_from,
    'timedelta': timedelta_from, 'decimal': decimal_from, 'uuid': uuid_from, 'array': array_from}


# === exceptions ===

CHAIN_LIMIT = 64
TEXT_LIMIT = 1 << 20
FRAMES_LIMIT = 1000
PARTS_LIMIT = 1000
# In the messages of the daemon there is more around a part of an exception than around a value, which may be of 32 levels.
ACCOUNT_DEPTH = 30
# Of all exceptions of an account together, so that many large ones cannot fill a frame.
ACCOUNT_ROOM = 1 << 24
# By these a class in C, or one with __slots__, keeps what does not stand in `__dict__`. Reading them runs no code in Python.
DESCRIPTORS = (types.MemberDescriptorType, types.GetSetDescriptorType)
MISSING = object()


class Account:
    """What is told of one exception and of those it came from, in plain values that keep nothing alive.

    The others are in `behind`, each before those that came from it, and are named by their places there, the first of which is 1.
    """

    def __init__(self, depth):
        self.depth = min(depth, ACCOUNT_DEPTH)
        self.room = ACCOUNT_ROOM
        self.behind = []
        self.places = {}
        self.seen = {}
        # The interpreter's own formatting is used unless something here is too long, too deep or too hostile for it.
        self.whole = True

    def of(self, error):
        told = self.tell(error)
        text = attempt(lambda: self.formatted(error), None) if self.whole else None
        told['traceback'] = bounded(text if text is not None else self.joined(told))
        told['behind'] = self.behind
        return told

    def tell(self, error):
        self.seen[id(error)] = error
        cls = type(error)
        message = attempt(lambda: str.__str__(str(error)), None)
        if message is None:
            message = '<{} whose str failed>'.format(type_name(cls))
            self.whole = False
        self.whole = self.whole and len(message) <= TEXT_LIMIT
        frames = attempt(lambda: frames_of(error), [])
        told = {
            'type': type_name(cls), 'mro': [type_name(base) for base in bases(cls)], 'message': self.text(message),
            'args': self.parts(BaseException.args.__get__(error)),
            'attributes': self.attributes(error), 'notes': attempt(lambda: self.notes(error), []),
            'suppress_context': BaseException.__suppress_context__.__get__(error),
            'stack': self.text(stack_text(frames)),
            'location': '{}:{}'.format(frames[-1][0], frames[-1][1]) if frames else None}
        told.update(self.chain(error))
        return told

    def chain(self, error):
        """Cause, context and group, by their places; `cut` counts those beyond the limit."""
        self.cut = 0
        cause_error = BaseException.__cause__.__get__(error)
        cause = self.next(cause_error)
        cut = self.cut
        context_error = BaseException.__context__.__get__(error)
        context = 0 if context_error is cause_error else self.next(context_error)
        cut += self.cut
        group = None
        if group_class is not None and is_a(type(error), group_class):
            group = []
            for member in group_class.exceptions.__get__(error):
                place = self.next(member)
                cut += self.cut
                if place:
                    group.append(place)
        self.cut = 0
        return {'cause': cause, 'context': context, 'group': group, 'cut': cut}

    def next(self, error):
        """The place of another exception, 0 where there is none. None is told twice, and no way leads from one back to itself."""
        self.cut = 0
        if error is None or id(error) in self.seen:
            return self.places.get(id(error), 0)
        if len(self.seen) < CHAIN_LIMIT:
            self.behind.append(self.tell(error))
            self.places[id(error)] = len(self.behind)
            self.cut = 0
            return len(self.behind)
        self.whole = False
        while error is not None and id(error) not in self.seen:
            self.seen[id(error)] = error
            self.cut += 1
            cause = BaseException.__cause__.__get__(error)
            error = BaseException.__context__.__get__(error) if cause is None else cause
        return 0

    def text(self, text):
        """A text, bounded by what there is room for."""
        text = bounded(text, max(1000, min(TEXT_LIMIT, self.room)))
        self.room -= len(text)
        return text

    def plain(self, x):
        encoding = Encoding(None, 'repr', self.depth, max(0, min(TEXT_LIMIT, self.room)))
        before = encoding.room
        try:
            encoded = encoding.encode(x)
            self.room -= before - encoding.room
            return encoded
        except Interrupted:
            raise
        except BaseException:
            text = short_repr(x)
            self.room -= len(text)
            return (MARKER, 'repr', text)

    def parts(self, items):
        parts = [self.plain(item) for item in items[:PARTS_LIMIT]]
        if len(items) > PARTS_LIMIT:
            parts.append((MARKER, 'repr', '\u2026 ({} in all)'.format(len(items))))
        return parts

    def attributes(self, error):
        """What the exception has of its own: in its `__dict__`, and behind the descriptors of its classes below BaseException."""
        told, known = {}, set()
        for base in bases(type(error)):
            if base is BaseException:
                continue
            for name, found in list(own_names(base).items()):
                # The first class that has the name is the one that an attribute is looked up in.
                if type(name) is not str or name in known or is_special(name):
                    continue
                known.add(name)
                if exactly(found, *DESCRIPTORS) and not (base is group_class and name == 'exceptions'):
                    value = attempt(lambda: type(found).__get__(found, error, type(error)), MISSING)
                    if base is AttributeError and name == 'obj' and id(type(value)) not in SCALAR_IDS:
                        # The object that lacks the attribute may be all there is, and is not the exception's own.
                        told[name] = (MARKER, 'repr', '<{} object>'.format(type_name(type(value))))
                    elif value is not MISSING:
                        told[name] = self.plain(value)
        own = attempt(lambda: object.__getattribute__(error, '__dict__'), None)
        if type(own) is dict:
            for name in list(own)[:PARTS_LIMIT]:
                if type(name) is str and name not in told and not is_special(name):
                    told[name[:1000]] = self.plain(own.get(name))
            if len(own) > PARTS_LIMIT:
                told['\u2026'] = (MARKER, 'repr', '{} attributes in all'.format(len(own)))
        return told

    def notes(self, error):
        notes = getattr(error, '__notes__', [])
        if not exactly(notes, list, tuple):
            return [short_repr(notes)]
        told = [self.text(note) if type(note) is str else short_repr(note) for note in notes[:PARTS_LIMIT]]
        if len(notes) > PARTS_LIMIT:
            told.append('\u2026 ({} in all)'.format(len(notes)))
        return told

    def formatted(self, error):
        told = traceback.TracebackException(type(error), error, traceback_of(error), limit=-FRAMES_LIMIT)
        self.without_agent(told)
        return ''.join(told.format())

    def without_agent(self, told):
        waiting = [told]
        for told in waiting:
            told.stack[:] = [frame for frame in told.stack if frame.filename != SOURCE_NAME]
            others = [told.__cause__, told.__context__] + list(getattr(told, 'exceptions', None) or [])
            waiting += [other for other in others if other is not None and not any(other is known for known in waiting)]

    def joined(self, told):
        """The traceback text of an exception with those it came from, made of what is told of each."""
        texts = [own_text(told)]
        while True:
            if told['cut']:
                texts.append('\u2026 and {} more exceptions before'.format(told['cut']) + '\n')
            if told['cause']:
                before, link = told['cause'], '\nThe above exception was the direct cause of the following exception:\n\n'
            elif told['context'] and not told['suppress_context']:
                before, link = told['context'], '\nDuring handling of the above exception, another exception occurred:\n\n'
            else:
                return ''.join(reversed(texts))
            told = self.behind[before - 1]
            texts += [link, own_text(told)]


group_class = getattr(builtins, 'BaseExceptionGroup', None)


def is_special(name):
    return name.startswith('__') and name.endswith('__')


def traceback_of(error):
    return BaseException.__traceback__.__get__(error)


def frames_of(error):
    """File, line, function and source line of each frame, outermost first, without the agent's own."""
    entries = collections.deque(maxlen=FRAMES_LIMIT)
    step = traceback_of(error)
    while step is not None:
        if step.tb_frame.f_code.co_filename != SOURCE_NAME:
            entries.append((step.tb_frame, step.tb_lineno))
        step = step.tb_next
    summary = traceback.StackSummary.extract(list(entries))
    return [(frame.filename, frame.lineno, frame.name, frame.line or None) for frame in summary]


def stack_text(frames):
    lines = ['Traceback (most recent call last):\n'] if frames else []
    return ''.join(lines + traceback.format_list([tuple(frame) for frame in frames]))


def own_text(told):
    """The traceback text of an exception without those it came from; the daemon puts it together in the same way."""
    last = told['type'] + (': ' + told['message'] if told['message'] else '')
    return told['stack'] + ''.join(line + '\n' for line in [last] + told['notes'])


def bounded(text, limit=TEXT_LIMIT):
    if len(text) <= limit:
        return text
    return text[:limit] + '\u2026 ({} characters in all)'.format(len(text))


# === objects and operations ===


class Objects:
    """The objects that stay, by number; each with how many times the daemon has been given its handle."""

    def __init__(self):
        self.counter = itertools.count(1)
        # Equality and hash are the objects' own business, so they are found again by identity.
        self.numbers = {}
        self.kept = {}

    def find(self, number):
        entry = self.kept.get(number) if type(number) is int else None
        if entry is None:
            raise Failure('no_such_object', 'there is no object {!r} here'.format(number))
        return entry.object

    def keep(self, sent):
        for number, x in sent:
            entry = self.kept.get(number)
            if entry is None:
                entry = self.kept[number] = Kept(x)
                self.numbers[id(x)] = number
            entry.count += 1

    def release(self, number, count):
        entry = self.kept.get(number)
        if entry is None:
            return
        entry.count -= count or entry.count
        if entry.count <= 0:
            # In this order: the id is free for another object as soon as the last reference is gone.
            del self.numbers[id(entry.object)]
            del self.kept[number]


class Kept:
    """An object that stays; `failure` is what an iteration has still to raise."""

    __slots__ = ('object', 'count', 'failure')

    def __init__(self, x):
        self.object = x
        self.count = 0
        self.failure = None


def parts_of(name):
    """The names in a dotted name. A backslash takes the next character's meaning away."""
    if '\\' not in name:
        return name.split('.')
    parts, chars = [''], iter(name)
    for char in chars:
        if char == '.':
            parts.append('')
        else:
            parts[-1] += next(chars, '') if char == '\\' else char
    return parts


def reach(x, name):
    """An attribute by its dotted name."""
    if type(name) is not str:
        raise Failure('bad_arguments', 'a name is text, not {}'.format(type(name).__name__))
    for part in parts_of(name):
        x = getattr(x, part)
    return x


def reach_parent(x, name):
    """What holds the last attribute of a dotted name, and the name it has there."""
    if type(name) is not str:
        raise Failure('bad_arguments', 'a name is text, not {}'.format(type(name).__name__))
    *parents, last = parts_of(name)
    for part in parents:
        x = getattr(x, part)
    return x, last


def imported(name):
    # __import__ leaves a traceback as that of an import statement, without the frames of importlib.
    __import__(name)
    return sys.modules[name]


def unused(name, path):
    """The name, or one like it, under which a module can be put without hiding another that could be imported."""
    import importlib.util
    for number in itertools.count(2):
        found = name in sys.modules
        if not found:
            spec = attempt(lambda: importlib.util.find_spec(name), None)
            found = spec is not None and spec.origin != os.path.abspath(path)
        if not found:
            return name
        name = '{}_{}'.format(name.rpartition('_')[0] if number > 2 else name, number)


def module_from_file(path):
    import importlib.machinery
    import importlib.util
    name = unused(os.path.splitext(os.path.basename(path))[0], path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        loader = importlib.machinery.SourceFileLoader(name, path)
        spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return sys.modules.get(name, module)


def module_from_script(source, name):
    shown = name = name or '<script>'
    for number in itertools.count(2):
        if shown not in linecache.cache:
            break
        shown = '{} ({})'.format(name, number)
    # Without a time of change the lines are not looked for on the disk.
    linecache.cache[shown] = (len(source), None, source.splitlines(True), shown)
    stem = os.path.splitext(os.path.basename(name.strip('<>')))[0]
    module = types.ModuleType(unused(stem if stem.isidentifier() else 'script', name))
    module.__file__ = shown
    code = compile(source, shown, 'exec', 0, True)
    sys.modules[module.__name__] = module
    try:
        exec(code, module.__dict__)
    except BaseException:
        sys.modules.pop(module.__name__, None)
        raise
    return module


def signature(x):
    import inspect
    if sys.version_info >= (3, 14):
        import annotationlib
        # Annotations may name what is not there at run time.
        return inspect.signature(x, annotation_format=annotationlib.Format.STRING)
    return inspect.signature(x)


def signature_text(x):
    return attempt(lambda: str(signature(x)), None)


def documentation(x):
    import inspect
    text = attempt(lambda: inspect.getdoc(x), None)
    return text if type(text) is str else None


def annotation_text(annotation):
    import inspect
    if annotation is inspect.Parameter.empty:
        return None
    return annotation if type(annotation) is str else attempt(lambda: str(inspect.formatannotation(annotation)), None)


def describe(x):
    """What may be asked of an object, found without running any of its code but that of its annotations' repr."""
    own = attempt(lambda: object.__getattribute__(x, '__dict__'), None)
    found = {}
    if type(x) is not types.ModuleType:
        for base in reversed(bases(x if is_a(type(x), type) else type(x))):
            found.update((name, value) for name, value in list(own_names(base).items()))
    if exactly(own, dict, types.MappingProxyType):
        found.update((name, value) for name, value in list(own.items()))
    names = sorted(name for name in found if type(name) is str and not name.startswith('_'))
    instance = type(x) is not types.ModuleType and not is_a(type(x), type)
    methods, attributes = [], []
    for name in names:
        bound = instance and not (type(own) is dict and name in own)
        method = attempt(lambda: described_method(name, found[name], bound), None)
        if method is None:
            attributes.append(name)
        else:
            methods.append(method)
    return {'type': type_name(type(x)), 'doc': documentation(x), 'methods': methods, 'attributes': attributes}


FUNCTIONS = (
    types.FunctionType, types.BuiltinFunctionType, types.MethodType, type(str.join), type(str.__len__),
    type(dict.__dict__['fromkeys']))


def described_method(name, raw, bound):
    """A method as data; None for what is no function. `bound` says that the first parameter is the object's own."""
    kind = type(raw)
    if kind is staticmethod or kind is classmethod:
        bound = kind is classmethod
        raw = raw.__func__
    if not any(type(raw) is function for function in FUNCTIONS):
        return None
    bound = bound and type(raw) is not types.MethodType and type(raw) is not FUNCTIONS[-1]
    shape = attempt(lambda: signature(raw), None)
    parameters, text, returns = [], None, None
    if shape is not None:
        kept = list(shape.parameters.values())[1 if bound else 0:]
        shape = shape.replace(parameters=kept)
        parameters = [(parameter.name, annotation_text(parameter.annotation)) for parameter in kept]
        text = attempt(lambda: str(shape), None)
        returns = annotation_text(shape.return_annotation)
    return {'name': name, 'doc': documentation(raw), 'signature': text, 'parameters': parameters, 'returns': returns}


def enter(x):
    return type(x).__enter__(x)


def leave(x, error=None):
    return type(x).__exit__(x, *((None, None, None) if error is None else (type(error), error, traceback_of(error))))


def close(x):
    end = getattr(x, 'close', None)
    return None if end is None else end()


# Each by name, with the least and the greatest number of operands. Reflected forms and the like are Python's own.
def evaluate(_, source, names):
    """The value of an expression, which sees these names and the builtins."""
    if type(source) is not str:
        raise Failure('bad_arguments', 'an expression is text')
    code = compile(source.strip(), '<eval>', 'eval', 0, True)
    return eval(code, dict(names, __builtins__=builtins))


class Interpreter:
    """Stands for the interpreter itself."""

    def __init__(self):
        self.pid, self.executable = os.getpid(), sys.executable
        self.version = '.'.join(map(str, sys.version_info[:3]))

    def __repr__(self):
        return '<Python {} at {}>'.format(self.version, self.executable)


OPERATORS = {
    'truth': (bool, 1, 1), 'str': (str, 1, 3), 'format': (format, 1, 2), 'doc': (documentation, 1, 1),
    'signature': (signature_text, 1, 1), 'isinstance': (isinstance, 2, 2), 'issubclass': (issubclass, 2, 2),
    'setitem': (operator.setitem, 3, 3), 'divmod': (divmod, 2, 2), 'pow': (pow, 2, 3), 'round': (round, 1, 2),
    'int': (int, 1, 2), 'complex': (complex, 1, 2), 'bytes': (bytes, 1, 3), 'iter': (iter, 1, 2), 'next': (next, 1, 2),
    'eval': (evaluate, 2, 2), 'enter': (enter, 1, 1), 'exit': (leave, 1, 2), 'close': (close, 1, 1)}
OPERATORS.update({function.__name__: (function, 1, 1) for function in (
    bool, len, repr, ascii, hash, dir, type, id, callable, float, operator.neg, operator.pos, operator.abs,
    operator.invert, operator.index)})
OPERATORS.update({name.strip('_'): (getattr(operator, name), 2, 2) for name in (
    'contains getitem delitem eq ne lt le gt ge '
    'add sub mul truediv floordiv mod matmul and_ or_ xor lshift rshift '
    'iadd isub imul itruediv ifloordiv imod imatmul ipow iand ior ixor ilshift irshift').split()})

BATCH_SECONDS = 0.002
BATCH_BYTES = 65536


class Operations:
    """One method for each request; it gives what marshal may see and notes in the encoding what stays."""

    def __init__(self):
        self.objects = Objects()
        self.depth = 32
        self.limit = FRAME_LIMIT
        self.scripts = []
        self.by_name = {name: getattr(self, name) for name in (
            'hello', 'make', 'call', 'get', 'set', 'delete', 'operate', 'iterate', 'describe')}
        self.by_name['objects'] = self.listing

    def perform(self, operation, payload):
        """The encoded answer and what is to be kept for it."""
        function = self.by_name.get(operation)
        if function is None:
            raise Failure('no_such_operation', 'there is no operation {!r}'.format(operation))
        if type(payload) is not dict:
            raise Failure('bad_arguments', 'what {} is to do comes as a dict'.format(operation))
        mode = payload.get('returns', 'default')
        if mode not in ('default', 'handle', 'handle_or_null', 'value', 'nothing', 'plain'):
            raise Failure('bad_arguments', 'an answer is not given by {!r}'.format(mode))
        encoding = Encoding(self.objects, mode, self.depth, self.limit)
        return function(payload, encoding), encoding.sent

    def decode(self, x):
        return Decoding(self.objects, self.depth).decode(x)

    def contents(self, x):
        """Decodes what a call is given; the list or the dict around it is no level of its."""
        return Decoding(self.objects, self.depth).decode(x, -1)

    def target(self, payload):
        return self.objects.find(required(payload, 'target'))

    def arguments(self, payload):
        args, kwargs = payload.get('args', []), payload.get('kwargs', {})
        if args:
            args = self.contents(args)
        if kwargs:
            kwargs = self.contents(kwargs)
        if type(args) not in (list, tuple) or type(kwargs) is not dict:
            raise Failure('bad_arguments', 'args is a list and kwargs is a dict')
        return args, kwargs

    def hello(self, payload, encoding):
        self.depth = payload.get('depth', self.depth)
        self.limit = payload.get('limit', self.limit)
        end_with_parent(payload.get('daemon'))
        # The object may change the directory.
        sys.path[:0] = map(os.path.abspath, payload.get('path', []))
        if payload.get('argv') is not None:
            sys.argv[:] = payload['argv']
        import importlib.util
        return encoding.encode({
            'version': sys.version, 'version_info': list(sys.version_info), 'executable': sys.executable,
            'prefix': sys.prefix, 'base_prefix': sys.base_prefix, 'implementation': sys.implementation.name,
            'pid': os.getpid(),
            'numpy': attempt(lambda: importlib.util.find_spec('numpy') is not None, False)})

    def make(self, payload, encoding):
        kind = required(payload, 'kind')
        if kind == 'instance':
            args, kwargs = self.arguments(payload)
            made = self.named(payload)(*args, **kwargs)
        elif kind == 'value':
            made = self.decode(required(payload, 'value'))
        elif kind == 'object':
            made = self.named(payload)
        elif kind == 'module':
            made = imported(required(payload, 'module'))
        elif kind == 'file':
            made = module_from_file(required(payload, 'path'))
        elif kind == 'interpreter':
            made = Interpreter()
        elif kind == 'script':
            made = module_from_script(required(payload, 'source'), payload.get('name'))
            self.scripts.append(made)
        else:
            raise Failure('bad_arguments', 'no definition is of the kind {!r}'.format(kind))
        encoding.mode = 'handle'
        return encoding.stay(made)

    def named(self, payload):
        name, module = required(payload, 'name'), payload.get('module')
        if module is not None:
            return reach(imported(module), name)
        first = name.split('.')[0] if type(name) is str else name
        # As in the scripts themselves: a name of theirs hides a builtin one.
        places = self.scripts[::-1] + [builtins]
        return reach(next((place for place in places if first in place.__dict__), builtins), name)

    def call(self, payload, encoding):
        x = self.target(payload)
        args, kwargs = self.arguments(payload)
        if payload.get('name') is not None:
            x = reach(x, payload['name'])
        return encoding.top(x(*args, **kwargs))

    def get(self, payload, encoding):
        return encoding.top(reach(self.target(payload), required(payload, 'name')))

    def set(self, payload, encoding):
        parent, name = reach_parent(self.target(payload), required(payload, 'name'))
        setattr(parent, name, self.decode(required(payload, 'value')))

    def delete(self, payload, encoding):
        parent, name = reach_parent(self.target(payload), required(payload, 'name'))
        delattr(parent, name)

    def operate(self, payload, encoding):
        name = required(payload, 'operator')
        if type(name) is not str or name not in OPERATORS:
            message = 'there is no operator {!r}; there are: {}'
            raise Failure('bad_arguments', message.format(name, ', '.join(sorted(OPERATORS))))
        function, least, greatest = OPERATORS[name]
        operands = self.contents(required(payload, 'operands'))
        if type(operands) not in (list, tuple) or not least <= len(operands) <= greatest:
            raise Failure('bad_arguments', '{} takes {}'.format(name, more_operands(least - 1, greatest - 1)))
        if name == 'eval':
            operands = operands + type(operands)([self.contents(payload.get('names', {}))])
        return encoding.top(function(*operands))

    def iterate(self, payload, encoding):
        number, count = required(payload, 'target'), required(payload, 'count')
        iterator, kept = self.objects.find(number), self.objects.kept[number]
        if kept.failure is not None:
            failure, kept.failure = kept.failure, None
            raise failure
        items, end, room = [], time.monotonic() + BATCH_SECONDS, encoding.room
        while len(items) < count:
            mark = len(encoding.sent)
            # Each is a message of its own.
            encoding.message = encoding.limit
            try:
                items.append(encoding.top(next(iterator)))
            except StopIteration:
                return items, True
            except BaseException as error:
                if not items or type(error) is Interrupted:
                    raise
                # The items that came before it are not lost: it is raised when the next ones are asked for.
                del encoding.sent[mark:]
                kept.failure = error
                break
            if time.monotonic() > end or room - encoding.room > BATCH_BYTES:
                break
        return items, False

    def describe(self, payload, encoding):
        return encoding.encode(describe(self.target(payload)))

    def listing(self, payload, encoding):
        kept = list(self.objects.kept.items())
        return encoding.encode([(number, type_name(type(entry.object)), entry.count) for number, entry in kept])


def end_with_parent(daemon):
    """Has the kernel kill this process with its parent where that is no longer the daemon but a wrapper, whose death signal is not handed down."""
    if daemon is None or os.getppid() == daemon:
        return
    parent = os.getppid()
    try:
        import ctypes
        set_death_signal = ctypes.CDLL(None).prctl
        set_death_signal(1, int(signal.SIGKILL), 0, 0, 0)
    except (ImportError, AttributeError, OSError):
        return
    if os.getppid() != parent:
        # It died before that.
        os._exit(0)


def more_operands(least, greatest):
    """How many operands there may be beside the object, in words."""
    if greatest == 0:
        return 'no more operands'
    number = str(least) if least == greatest else '{} to {}'.format(least, greatest)
    return '{} more operand{}'.format(number, '' if greatest == 1 else 's')


def required(payload, key):
    if key not in payload:
        raise Failure('bad_arguments', 'the request lacks {!r}'.format(key))
    return payload[key]


# === the loop ===

# A real-time signal has no meaning of its own. The C library takes some at the beginning of their range, and tools take
# the last ones; those between are used by nobody who does not ask for them by number.
INTERRUPT_SIGNAL = signal.SIGRTMAX - 3
END_SECONDS = 0.8
TAKE_OVER_SECONDS = 0.3


class Request:
    """A request on its way: everything needed to go on with it after an exception between any two bytecodes."""

    def __init__(self, number, operation, payload):
        self.number = number
        self.operation = operation
        self.payload = payload
        self.begun = False
        self.frame = None
        self.progress = []


def is_tidying(request):
    if request.operation == 'release':
        return True
    payload = request.payload
    return request.operation == 'operate' and type(payload) is dict and payload.get('operator') == 'close'


class Agent:
    """Answers requests, in order, on the main thread, and listens on another for what interrupts them."""

    def __init__(self, fd, urgent):
        self.pid = os.getpid()
        self.wire = Wire(fd)
        self.urgent = Wire(urgent)
        self.operations = Operations()
        # The request that is being answered, and what has been read beyond it; always assigned as one.
        self.inbox = None, []
        self.is_read_out = False
        # Who has a request, by its number: the first to ask for it, by one atomic step.
        self.owners = {}
        # The last number that has been answered. They grow.
        self.answered = 0
        self.running = None
        self.wanted = None
        self.stray = None
        self.ending = None
        self.taken_over = _thread.allocate_lock()
        self.main_thread = _thread.get_ident()

    # --- the listening thread ---

    def listen(self):
        status = os.EX_PROTOCOL
        parts = []
        try:
            while True:
                found = split(parts)
                if found is None:
                    self.urgent.read(parts)
                    if not parts[-1]:
                        status = 0
                        break
                    continue
                body, parts = found
                _, operation, number = marshal.loads(body)
                if operation == 'interrupt':
                    self.interrupt(number)
        except OSError:
            # The daemon died; that is an end like any other.
            status = 0
        except BaseException:
            pass
        self.end_from_listener(status)

    def interrupt(self, number):
        if number <= self.answered:
            return
        owner = self.owners.setdefault(number, 'listener')
        if owner == 'listener':
            if number <= self.answered:
                # The main thread has answered it and let go of it in this moment.
                del self.owners[number]
                return
            self.owners[number] = 'answered'
            message = 'the request was taken back before it began'
            self.wire.write(packed(number, 'failed', ('interrupted', message)), [])
        elif owner == 'main':
            running = self.running
            if running is not None and running.number == number:
                self.wanted = running
                signal.pthread_kill(self.main_thread, INTERRUPT_SIGNAL)

    def end_from_listener(self, status):
        """Ends the process: on the main thread if that comes in time, else from here."""
        end = time.monotonic() + END_SECONDS
        self.ending = status
        running = self.running
        if running is not None and not is_tidying(running):
            self.wanted = running
            signal.pthread_kill(self.main_thread, INTERRUPT_SIGNAL)
        self.wait_until(self.taken_over.locked, time.monotonic() + TAKE_OVER_SECONDS)
        if self.taken_over.acquire(False):
            _thread.start_new_thread(self.end, (status,))
        self.wait_until(lambda: False, end)
        os._exit(status)

    def wait_until(self, reached, end):
        while not reached() and time.monotonic() < end:
            time.sleep(0.01)

    def end(self, status):
        try:
            import atexit
            atexit._run_exitfuncs()
        except BaseException:
            pass
        self.flush()
        os._exit(status)

    # --- the main thread ---

    def serve(self):
        # A signal handler of the object's may raise in the agent's own frames; step() then goes on where it was. The
        # innermost loop is never left otherwise, and the outermost is for what comes while another is dealt with.
        while True:
            try:
                while True:
                    try:
                        while True:
                            self.step()
                    except BaseException as error:
                        self.stray = error
            except BaseException as error:
                self.stray = error

    def step(self):
        if self.ending is not None:
            if self.taken_over.acquire(False):
                self.tidy()
                self.end(self.ending)
            # The listener has begun to end the process.
            time.sleep(END_SECONDS)
        request, rest = self.inbox
        if request is None:
            self.stray = None
            if not self.receive():
                self.ending = self.ending or 0
            return
        if request.frame is None:
            request.frame = self.answer(request)
        self.running = None
        if request.frame:
            self.send(request)
        self.finish(request)
        self.inbox = None, rest

    def receive(self):
        """Reads until there is a request; False at the end."""
        _, parts = self.inbox
        while not self.is_read_out:
            found = split(parts)
            if found is not None:
                request = self.request(found[0])
                if request is None:
                    self.ending = os.EX_PROTOCOL
                    return False
                self.inbox = request, found[1]
                return True
            self.wire.read(parts)
            self.is_read_out = parts[-1:] == [b'']
        if any(parts):
            self.ending = os.EX_PROTOCOL
        return False

    def request(self, body):
        """A request as it came, or None where it is none."""
        try:
            number, operation, payload = marshal.loads(body)
        except (ValueError, EOFError, TypeError) as error:
            if not raised_here(error):
                raise
            return None
        return Request(number, operation, payload) if type(number) is int and type(operation) is str else None

    def finish(self, request):
        """Takes note that a request has its answer."""
        if request.number:
            # In this order: see `interrupt`.
            self.answered = request.number
            self.owners.pop(request.number, None)
        # The listener may hold the request for a while, when it comes too late with an interruption.
        request.frame = b''

    def tidy(self):
        """Does what was asked before the end so that it ends well: lets objects go and closes iterators. The listener bounds it."""
        while True:
            request, rest = self.inbox
            if request is None:
                if not self.receive():
                    return
                continue
            if is_tidying(request):
                attempt(lambda: self.answer(request), None)
            self.inbox = None, rest

    def send(self, request):
        try:
            self.wire.write(request.frame, request.progress)
        except OSError as error:
            if not isinstance(error, ConnectionError):
                lost(error)
            # Nobody is there any more; the listener hears it too.
            self.ending = 0

    def answer(self, request):
        """Carries out a request and gives the frame that answers it; an empty one where nobody waits for an answer."""
        # Set before it is claimed, so that the listener, who finds it claimed, finds it here.
        self.running = request
        if request.number and self.owners.setdefault(request.number, 'main') != 'main':
            return b''
        if request.operation == 'release':
            return self.release(request)
        try:
            try:
                frame, sent = self.perform(request)
            except (Failure, Interrupted):
                raise
            except BaseException as error:
                self.end_copy(error)
                frame, sent = self.raised(request, error), ()
        except Failure as failure:
            frame, sent = packed(request.number, 'failed', (failure.code, failure.message)), ()
        except Interrupted:
            frame, sent = packed(request.number, 'failed', ('interrupted', 'the call was interrupted while it ran')), ()
        self.end_copy(None)
        request.payload = None
        self.operations.objects.keep(sent)
        return frame

    def release(self, request):
        if not request.begun:
            request.begun = True
            try:
                self.let_go(request)
            except BaseException:
                # It was interrupted, for it took too long.
                pass
        return packed(request.number, 'value', None) if request.number else b''

    def let_go(self, request):
        self.operations.objects.release(*request.payload)

    def perform(self, request):
        """All of a request that may run code of the object's, but for `raised`; below both Interrupted may rise."""
        if self.wanted is request:
            self.wanted = None
            raise Interrupted()
        if request.begun:
            # A signal handler of the object's raised after the call had begun and outside of its frames.
            stray, self.stray = self.stray, None
            try:
                raise stray
            finally:
                # Its traceback holds this frame.
                del stray
        request.begun = True
        try:
            payload, sent = self.operations.perform(request.operation, request.payload)
            return packed(request.number, 'value', payload), sent
        finally:
            self.flush()

    def raised(self, request, error):
        """The frame that tells of an exception, however hostile it is."""
        told = attempt(lambda: packed(request.number, 'raised', Account(self.operations.depth).of(error)), None)
        if told is not None:
            return told
        name = type_name(type(error))
        return packed(request.number, 'raised', {
            'type': name, 'mro': [type_name(base) for base in bases(type(error))], 'message': '<it could not be told>',
            'args': [], 'attributes': {}, 'notes': [], 'cause': None, 'context': None, 'suppress_context': False,
            'group': None, 'cut': 0, 'traceback': name + '\n', 'stack': '', 'location': None})

    def interrupted(self, number, frame):
        """The signal handler: raises only in frames below `perform`, `raised` or `let_go` of the very call that is wanted.

        Each is called in one place only, inside of a try which catches what is raised there; and while one of them is on
        the stack, `running` is the call it belongs to. So the exception can escape neither into the loop nor into another
        call.
        """
        if self.wanted is None or self.wanted is not self.running:
            return
        while frame is not None and id(frame.f_code) not in INTERRUPTIBLE:
            frame = frame.f_back
        if frame is not None:
            self.wanted = None
            raise Interrupted()

    def flush(self):
        for name in ('stdout', 'stderr'):
            try:
                stream = getattr(sys, name, None)
                if stream is not None:
                    stream.flush()
            except Interrupted:
                raise
            except BaseException:
                # The object may have put anything there.
                pass

    # --- forked copies ---

    def end_copy(self, error):
        """Ends a forked copy that came back here: the original answers."""
        if os.getpid() == self.pid:
            return
        status = 0
        if error is not None:
            code = getattr(error, 'code', None) if is_a(type(error), SystemExit) else 1
            status = code & 255 if type(code) is int else 0 if code is None else 1
            if status and not is_a(type(error), SystemExit):
                attempt(lambda: traceback.print_exception(type(error), error, traceback_of(error)), None)
        attempt(self.flush, None)
        os._exit(status)

    def forked(self):
        for wire in (self.wire, self.urgent):
            # Once only: in a copy of the copy the number may be that of a file of the object's.
            fd, wire.fd = wire.fd, None
            if fd is not None:
                attempt(lambda: os.close(fd), None)


INTERRUPTIBLE = frozenset(map(id, (Agent.perform.__code__, Agent.raised.__code__, Agent.let_go.__code__)))


# === the start ===


def serve(fd, urgent):
    """Takes over the main thread for good."""
    agent = Agent(fd, urgent)
    if hasattr(os, 'register_at_fork'):
        os.register_at_fork(after_in_child=agent.forked)
    signal.signal(INTERRUPT_SIGNAL, agent.interrupted)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (INTERRUPT_SIGNAL,))
    _thread.start_new_thread(agent.listen, ())
    agent.serve()
