"""From objects to what marshal may see."""

import collections
import itertools
import sys
import types

from agent.by_value import SAME, Marker, Reason, content_of, item_names, substitute
from agent.failure import Failure
from agent.inspection import (
    INT_ID,
    SCALAR_IDS,
    bases,
    exactly,
    loaded,
    own_name,
    own_names,
    scalar_kinds,
    short_repr,
    type_name,
)
from agent.standard_values import MARKER, STANDARD, numpy_marker
from agent.wire import FRAME_LIMIT, PART_SIZE

# How a place is shown in a message: an item by index or key, a field by name. A member of a set
# and a key have no name.
ITEM, FIELD, MEMBER = '[', '.', '{'
WHOLE = slice(None)
SIZES = {INT_ID: lambda x: x.bit_length() // 8, id(str): len, id(bytes): len}
# How a result comes: 'default' is by value if it is exactly of a type that travels, else by
# handle; 'value' converts subclasses and fails for anything else; 'plain' converts subclasses and
# keeps anything else by handle; 'handle_or_null' is by handle, except None.
MODES = ('default', 'handle', 'handle_or_null', 'value', 'plain', 'nothing')
# In front of a mode: what can be awaited is awaited. Without it, only coroutines are, and not if
# the result comes by handle.
AWAIT = 'await '
ALL_MODES = MODES + tuple(AWAIT + mode for mode in MODES)


def place_text(form, name):
    if form == FIELD:
        return '.' + name
    if form == MEMBER or id(type(name)) not in SCALAR_IDS:
        return '{\u2026}' if form == MEMBER else '[\u2026]'
    return '[' + short_repr(name[:50] if exactly(name, str, bytes) else name) + ']'


def has_large(items, kinds):
    """Whether one of the scalars travels beside the object."""
    if kinds.isdisjoint(SIZES):
        return False
    size = len if len(kinds) == 1 and INT_ID not in kinds else sys.getsizeof
    return max(map(size, items)) >= PART_SIZE


class Encoding:
    """Encodes one result.

    Objects that stay are noted here, and kept only once it is certain that the answer is sent.
    A mode of its own, 'repr', shows what is not a value by its repr and keeps nothing.
    """

    # Whether the names of a named tuple travel with its items.
    sends_names = False

    def __init__(self, table, mode, depth, limit=FRAME_LIMIT):
        self.table = table
        self.mode = mode
        # Whether the result is awaited, whatever it is.
        self.is_awaited = False
        self.depth = depth
        self.limit = limit
        # The room left in the frame, and in the message that the daemon makes of it.
        self.room = FRAME_LIMIT
        self.message = limit
        # What travels beside the object in the frame; None if nothing does.
        self.beside: 'list | None' = None if mode == 'repr' else []
        self.sent = []
        self.new = {}
        self.open = {}
        # The objects that others stand for.
        self.replaced = {}
        self.place = []

    def top(self, x):
        """The whole result of a request."""
        if self.mode == 'nothing' or (self.mode == 'handle_or_null' and x is None):
            return None
        return self.stay(x) if self.mode in ('handle', 'handle_or_null') else self.encode(x)

    def encode(self, x):
        kind = id(type(x))
        if kind in SCALAR_IDS:
            if kind in SIZES:
                size = SIZES[kind](x)
                self.take(size)
                if size >= PART_SIZE and self.beside is not None:
                    return self.large(x)
            return x
        encode = ENCODE.get(kind)
        if encode is not None:
            return encode(self, x)
        marker = self.standard(x)
        if marker is not None:
            return marker
        return self.converted(x) if self.mode in ('value', 'plain') else self.stay(x)

    def take(self, size, least=None):
        """Counts the bytes that a part takes in the frame, and at least in the message."""
        # Shared structure is small in memory and may be huge on the wire, so the room is
        # counted before marshal runs.
        self.room -= size
        self.message -= size if least is None else least
        if self.message < 0:
            message = 'the result exceeds the message limit of {} bytes{}; keep it by handle'
            raise Failure('too_large', message.format(self.limit, self.where()))
        if self.room < 0:
            message = 'the result exceeds the {} bytes of a frame{}; keep it by handle'
            raise Failure('too_large', message.format(FRAME_LIMIT, self.where()))

    def take_scalars(self, items, kinds):
        self.take(8 * len(items), len(items))
        if len(kinds) > 1:
            self.take(max(0, sum(map(sys.getsizeof, items)) - 32 * len(items)))
        elif INT_ID in kinds:
            self.take(sum(map(int.bit_length, items)) // 8)
        elif not kinds.isdisjoint(SIZES):
            self.take(sum(map(len, items)))

    def large(self, x):
        """Large text or bytes, beside the object."""
        if type(x) is str:
            return self.part('text', x.encode('utf-8', 'surrogatepass'))
        return self.part('bytes', x) if type(x) is bytes else x

    def part(self, name, data):
        assert self.beside is not None, 'this encoding has parts'
        self.beside.append(data)
        return (MARKER, name, len(self.beside) - 1)

    def where(self):
        """The place of the part that is being encoded, as the end of a phrase."""
        place = ''.join(place_text(form, name) for form, name in self.place)
        return ' at `{}`'.format(place) if place else ''

    def contents(self, x, items, names=None, form=ITEM):
        """The items of a container, encoded; None where the container contains itself."""
        kinds = scalar_kinds(items)
        if kinds is None and id(x) in self.open:
            return None
        if len(self.open) >= self.depth:
            message = 'the result is nested deeper than {} levels{}; keep it by handle'
            raise Failure('too_deep', message.format(self.depth, self.where()))
        if kinds is not None and (self.beside is None or not has_large(items, kinds)):
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
        # Another thread may change the list, so marshal sees a copy.
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
        # Different members may have the same value, such as one of an enumeration and its value.
        return made if len(made) == len(encoded) else self.stay(x, 'two members become equal')

    def dict(self, x):
        return self.pairs(x, list(x.items()))

    def pairs(self, x, pairs, form=ITEM):
        keys, values = zip(*pairs) if pairs else ((), ())
        encoded = self.contents(x, keys, form=MEMBER)
        if encoded is None:
            return self.stay(x)
        made = dict(zip(encoded, self.contents(x, values, keys, form)))
        return made if len(made) == len(pairs) else self.stay(x, 'two keys become equal')

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
        return self.encode(data)

    def standard(self, x):
        """The marker of a value of the standard library or of numpy, else None."""
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
            data = marker[-1]
            self.take(len(data))
            if len(data) >= PART_SIZE and self.beside is not None:
                marker = marker[:-1] + (self.part('bytes', data),)
        return marker

    def stay(self, x, why=None):
        """The object by handle, or by its repr, or a failure, depending on the mode."""
        if self.mode == 'repr':
            return (MARKER, 'repr', short_repr(x))
        if self.mode == 'value':
            contains_itself = id(x) in self.open or id(x) in self.replaced
            why = why or ('it contains itself' if contains_itself else None)
            message = '`{}`{} cannot be converted to a value'
            message = message.format(type_name(type(x)), self.where())
            raise Failure('not_a_value', message + ': ' + why if why else message)
        number = self.table.numbers.get(id(x))
        if number is None and id(x) not in self.new:
            self.new[id(x)] = (next(self.table.counter), x)
        if number is None:
            number = self.new[id(x)][0]
        self.sent.append((number, x))
        return (MARKER, 'handle', number, type_name(type(x)), own_name(x))

    def converted(self, x):
        """By value an instance of a subclass of a value, or a well-known container of values."""
        cls = type(x)
        for base in bases(cls):
            exact = EXACT.get(id(base))
            if exact is not None:
                return self.encode(exact(x))
        made = substitute(x)
        if made is not SAME:
            return self.instead(x, made)
        for base in bases(cls):
            if base is tuple:
                items = tuple.__getitem__(x, WHOLE)
                encoded = self.contents(x, items)
                if encoded is None:
                    return self.stay(x)
                names = item_names(cls) if self.sends_names and self.mode != 'repr' else ()
                if items and len(names) == len(items):
                    self.take(sum(map(len, names)))
                    return (MARKER, 'named', names) + tuple(encoded)
                return tuple(encoded)
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
            fields = own_names(base).get('__dataclass_fields__')
            if type(fields) is dict:
                # Others stand for class variables and for arguments of `__init__` only.
                names = [key for key, y in fields.items() if repr(y._field_type) == '_FIELD']
                return self.pairs(x, [(name, getattr(x, name)) for name in names], FIELD)
        made = SAME if id(x) in self.replaced else content_of(x)
        return self.stay(x) if made is SAME else self.instead(x, made)

    def instead(self, x, made):
        """The value that an object stands for, or the reason why there is none."""
        if type(made) is Reason:
            return self.stay(x, str(made))
        if type(made) is Marker:
            if made[1] == 'array':
                self.take(len(made[-1]))
            return tuple(made)
        # The object may contain itself. It is not a level of its own.
        self.replaced[id(x)] = x
        encoded = self.encode(made)
        self.replaced.pop(id(x), None)
        return encoded


ENCODE = {
    id(list): Encoding.list, id(tuple): Encoding.tuple, id(set): Encoding.set,
    id(frozenset): Encoding.set, id(dict): Encoding.dict, id(slice): Encoding.slice,
    id(range): Encoding.range, id(bytearray): Encoding.buffer, id(memoryview): Encoding.buffer,
}
# These return the plain value even where the subclass overrides the methods.
EXACT: 'dict' = {
    id(int): int.__index__, id(float): float.__float__, id(complex): complex.__pos__,
    id(str): str.__str__, id(bytes): lambda x: bytes.__getitem__(x, WHOLE),
    id(bytearray): lambda x: bytes(bytearray.__getitem__(x, WHOLE)),
}
VIEWS = frozenset(id(type(view({}))) for view in (dict.keys, dict.values, dict.items))
