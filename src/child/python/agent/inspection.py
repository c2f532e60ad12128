"""What can be known of an object without running any of its code."""

import itertools
import operator
import types

from agent.failure import attempt
from agent.standard_library import MODULES

SCALARS = (type(None), bool, int, float, complex, str, bytes)
# Types are compared by identity, because a metaclass may define == and hash. These types live
# for ever, so no other type ever has one of their ids.
SCALAR_IDS = frozenset(map(id, SCALARS))
INT_ID = id(int)
# Values of these types are small whatever they are.
SMALL_IDS = frozenset(map(id, (type(None), bool, float, complex)))
# Flags of code objects: of a generator that can be awaited, and of `async def` with or without
# `yield`, or such a generator.
ITERABLE_COROUTINE, COROUTINE_FUNCTION = 0x100, 0x80 | 0x100 | 0x200
ASYNCHRONOUS = ('__aenter__', '__aiter__', '__anext__', '__await__')
# The longest name that is sent. A class or a function may have one of any length.
NAME_LIMIT = 1000


def scalar_kinds(items):
    """The ids of the items' types, or None unless all items are scalars.

    There is no loop in Python here, and no code of the items runs.
    """
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
    """`module.qualname` of a class, whatever its metaclass says."""
    name = type.__dict__['__qualname__'].__get__(cls)
    try:
        module = type.__dict__['__module__'].__get__(cls)
    except AttributeError:
        module = None
    return in_module(module, name)


def in_module(module, name):
    name = str.__str__(name)
    if type(module) is str and module != 'builtins':
        name = module + '.' + name
    return name[:NAME_LIMIT]


def own_name(x):
    """The name of a class, a function or a module, for messages; '' for any other object.

    The name of its type would say nothing: `type`, `function`, or the name of a metaclass.
    """
    if is_a(type(x), type):
        return type_name(x)
    if type(x) is types.ModuleType:
        name = types.ModuleType.__getattribute__(x, '__dict__').get('__name__')
        return name[:NAME_LIMIT] if type(name) is str else ''
    if type(x) is types.MethodType and type(x.__func__) is types.FunctionType:
        x = x.__func__
    if type(x) is types.FunctionType:
        return in_module(x.__module__, x.__qualname__)
    if type(x) is types.BuiltinFunctionType:
        owner = x.__self__
        if owner is None or type(owner) is types.ModuleType:
            return in_module(x.__module__, x.__name__)
        cls = owner if is_a(type(owner), type) else type(owner)
        return (type_name(cls) + '.' + x.__name__)[:NAME_LIMIT]
    return ''


def bases(cls):
    """The classes of a class, itself first, whatever its metaclass says."""
    return type.__dict__['__mro__'].__get__(cls)


def own_names(cls):
    """The names that a class itself defines, whatever its metaclass says."""
    return type.__dict__['__dict__'].__get__(cls)


def defines(cls, *names):
    """Whether a class or one of its bases defines all of these names."""
    return all(any(name in own_names(base) for base in bases(cls)) for name in names)


def is_coroutine(x):
    cls = type(x)
    if cls is types.CoroutineType:
        return True
    if cls is types.GeneratorType:
        return bool(x.gi_code.co_flags & ITERABLE_COROUTINE)
    # Those of other compilers, and of asynchronous generators.
    return defines(cls, '__await__', 'send', 'throw', 'close')


def is_awaitable(x):
    return is_coroutine(x) or defines(type(x), '__await__')


def is_asynchronous(x):
    """Whether a class has methods that need an event loop."""
    if any(defines(type(x), name) for name in ASYNCHRONOUS):
        return True
    return any(
        type(member) is types.FunctionType and member.__code__.co_flags & COROUTINE_FUNCTION
        for base in bases(type(x)) for member in list(own_names(base).values())
    )


def is_a(cls, base):
    """issubclass by identity, which runs no code of either class."""
    return any(entry is base for entry in bases(cls))


def exactly(x, *classes):
    """Whether the object is an instance of one of the classes itself, by identity."""
    return any(type(x) is cls for cls in classes)


def known_types():
    """Types that are known before the object may replace their names.

    `datetime` and `decimal` themselves need not be imported for that.
    """
    names = {
        'datetime': ('date', 'time', 'datetime', 'timedelta', 'timezone'),
        'decimal': ('Decimal',), 'array': ('array',), 'enum': ('Enum',),
    }
    known = {}
    for module, types_of_it in names.items():
        found = attempt(lambda name='_' + module: __import__(name), None)
        found = found or attempt(lambda name=module: __import__(name), None)
        for name in types_of_it if found is not None else ():
            known[module, name] = getattr(found, name)
    return known


# Types that are known from the moment when the first of their values is seen.
LATER_TYPES = (
    ('uuid', 'UUID'), ('zoneinfo', 'ZoneInfo'), ('numpy', 'ndarray'), ('numpy', 'generic'),
)
LOADED_BEFORE = set(MODULES)
# The others are added when they are seen first.
TYPES: 'dict' = known_types()
IMPORTED_FOR_TYPES = set(MODULES) - LOADED_BEFORE


def loaded(module, name):
    """A name of a module that has been imported already, else None."""
    known = TYPES.get((module, name))
    if known is not None:
        return known
    place = MODULES.get(module)
    found = place.__dict__.get(name) if type(place) is types.ModuleType else None
    if (module, name) not in LATER_TYPES or found is None:
        return found
    full = module + '.' + name
    if not is_named(found, full):
        # The object has replaced it, perhaps by a subclass.
        subclasses = type.__subclasses__(object)
        true = next((cls for cls in subclasses if is_named(cls, full)), None)
        if true is None:
            return found
        found = true
    TYPES[module, name] = found
    return found


def is_named(x, full):
    return is_a(type(x), type) and type_name(x) == full


def short_repr(x):
    """The repr of an object, bounded, whatever the object does."""
    if exactly(x, str, bytes):
        x = x[:1000]
    text = attempt(lambda: str.__str__(repr(x)), None)
    if text is None:
        text = '<{} object whose repr failed>'.format(type_name(type(x)))
    return text if len(text) <= 1000 else text[:999] + '\u2026'
