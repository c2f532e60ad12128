"""What a caller that asks for a value gets of an object that is not exactly one.

That is the value of the class that the object's class is derived from, or the content of a
container, where nothing is lost by it. Where something is, the reason names it: the digits, the
time zone, the type of numbers. Nothing is imported: an object of a module that is not loaded
cannot exist.
"""

import sys

from agent.failure import attempt
from agent.inspection import bases, exactly, is_a, loaded, own_names, type_name
from agent.standard_values import MARKER, array_marker, made_by, microseconds, numpy_marker, zone

SAME = object()


class Reason(str):
    """Why there is no value."""


class Marker(tuple):
    """A marker, and not a tuple of the object's."""


def substitute(x):
    """The value or the marker that an object stands for, a reason, or SAME for itself."""
    if any(x is loaded('pandas', name) for name in ('NaT', 'NA')):
        return None
    for base in bases(type(x)):
        name = type_name(base)
        convert = BY_VALUE.get(name)
        if convert is not None and loaded(*name.rsplit('.', 1)) is base:
            return convert(x, base)
    return SAME


def content_of(x):
    """The content of an object of a class that oad does not know, a reason, or SAME."""
    cls = type(x)
    if any(is_abstract(cls, kind) for kind in ('Mapping', 'Set', 'Sequence')):
        if is_abstract(cls, 'Mapping'):
            return {key: x[key] for key in x}
        items = list(x)
        if is_abstract(cls, 'Set'):
            made = set(items) if is_abstract(cls, 'MutableSet') else frozenset(items)
            return made if len(made) == len(items) else Reason('two members become equal')
        return items
    if any('tolist' in own_names(base) for base in bases(cls)):
        made = x.tolist()
        has_more = any('tolist' in own_names(base) for base in bases(type(made)))
        return Reason('its `tolist()` does not return a list') if has_more else made
    view = attempt(lambda: memoryview(x), None)
    if view is None:
        return SAME
    # `ctypes` names the order of the bytes even where it is this machine's.
    code = view.format.lstrip('@=<' if sys.byteorder == 'little' else '@=>!')
    if code in ('B', 'b', 'c'):
        return view.tobytes()
    why = Reason('its bytes are of the format `{}`'.format(view.format))
    return attempt(lambda: view.cast('B').cast(code).tolist() if view.ndim == 1 else why, why)


def item_names(cls):
    """The names of the items of a named tuple's class; none for any other."""
    for base in bases(cls):
        names = own_names(base).get('_fields')
        if type(names) is tuple and all(type(name) is str for name in names):
            return names
    return ()


def is_abstract(cls, name):
    """Whether a class is one of `collections.abc`'s, of its own or because it is registered."""
    kind = loaded('_collections_abc', name)
    if kind is None or is_a(cls, kind):
        return kind is not None
    # Any other metaclass may run code when it is asked.
    return exactly(cls, type, type(kind)) and attempt(lambda: issubclass(cls, kind), False)


def base_fields(x, cls, names):
    """What the base class itself keeps, or the reason why the object is something else."""
    values = [type.__getattribute__(cls, name).__get__(x) for name in names]
    if type(x) is cls:
        return values
    for name, value in zip(names, values):
        if attempt(lambda at=name, kept=value: getattr(x, at) != kept, True):
            return Reason('its `{}` is not that of a `{}`'.format(name, cls.__name__))
    if attempt(lambda: x.nanosecond if hasattr(x, 'nanosecond') else x.nanoseconds, 0):
        return Reason('it has nanoseconds')
    return values


def base_marker(name, x, cls, names):
    values = base_fields(x, cls, names)
    return values if type(values) is Reason else Marker((MARKER, name) + tuple(values))


def date_by_value(x, cls):
    return base_marker('date', x, cls, DAY_FIELDS)


def timedelta_by_value(x, cls):
    return base_marker('timedelta', x, cls, ('days', 'seconds', 'microseconds'))


def time_by_value(x, cls):
    found = zone_of(type.__getattribute__(cls, 'tzinfo').__get__(x), None)
    marker = base_marker('time', x, cls, CLOCK_FIELDS)
    if type(found) is Reason or type(marker) is Reason:
        return found if type(found) is Reason else marker
    return Marker(marker + (found[0],))


def datetime_by_value(x, cls):
    marker = base_marker('datetime', x, cls, DAY_FIELDS + CLOCK_FIELDS)
    if type(marker) is Reason:
        return marker
    tz = type.__getattribute__(cls, 'tzinfo').__get__(x)
    day = cls(*marker[2:-1])
    found = zone_of(tz, (day, marker[-1], lambda: cls.utcoffset(x)))
    if type(found) is Reason:
        return found
    fold = marker[-1] if found[1] is None else found[1]
    return Marker(marker[:-1] + (fold, found[0]))


def zone_of(tz, moment):
    """A time zone as data, with the fold that it needs; or the reason why it cannot travel.

    `moment` is a date and time without a zone, its fold, and how to ask for its offset.
    """
    known = zone(tz)
    if known is not False:
        return known, None
    cls, kind = type(tz), loaded('zoneinfo', 'ZoneInfo')
    if kind is not None and is_a(cls, kind) and type(tz.key) is str:
        return tz.key, None
    constant = offset_of(lambda: tz.utcoffset(None))
    if constant is not None:
        return (constant, None), None
    origin = type_name(cls).split('.')[0]
    name = attempt(lambda: tz.zone if origin == 'pytz' else tz._filename, None)
    if moment is not None and type(name) is str and origin in ('pytz', 'dateutil'):
        day, fold, ask = moment
        wanted = offset_of(ask)
        name = name.split('zoneinfo/')[-1]
        same = attempt(lambda: zone_by_name(name), None)
        for needed in (fold, 1 - fold) if same is not None else ():
            if offset_of(day.replace(tzinfo=same, fold=needed).utcoffset) == wanted:
                return name, needed
        # Each of pytz's has one offset only: the dates have the one that they need.
        if origin == 'pytz' and wanted is not None:
            return (wanted, None), None
    return Reason('its time zone is a `{}`'.format(type_name(cls)))


def zone_by_name(name):
    return made_by('zoneinfo', 'ZoneInfo')(name)


def offset_of(ask):
    """An offset from UTC in microseconds, or None."""
    delta = attempt(ask, None)
    kind = loaded('datetime', 'timedelta')
    return microseconds(delta) if kind is not None and is_a(type(delta), kind) else None


def decimal_by_value(x, cls):
    text = cls.__str__(x)
    return Marker((MARKER, 'decimal', text)) if type(text) is str else Reason('it has no text')


def uuid_by_value(x, cls):
    data = attempt(lambda: cls.bytes.fget(x), None)
    is_one = type(data) is bytes and len(data) == 16
    return Marker((MARKER, 'uuid', data)) if is_one else Reason('it has no 16 bytes')


def array_by_value(x, cls):
    marker = array_marker(x)
    return Marker(marker) if marker is not None else cls.tolist(x)


def ndarray_by_value(x, cls):
    masked = loaded('numpy.ma', 'MaskedArray')
    if masked is not None and is_a(type(x), masked):
        # What is masked is None.
        return x.tolist()
    x = cls.view(x, cls)
    if not x.shape:
        return x[()]
    if x.dtype.kind in 'mM':
        return numpy_times(x)
    marker = numpy_marker(x)
    if marker is None and x.dtype.kind in 'iufc':
        # One of two types of the same size.
        marker = numpy_marker(x.astype(x.dtype.str))
    return Marker(marker) if marker is not None else x.tolist()


def generic_by_value(x, cls):
    """A number of numpy of a type that is another name of the usual one, or a time."""
    found = cls.dtype.__get__(x)
    if found.kind in 'mM':
        made = numpy_times(cls.reshape(x, (1,)))
        return made if type(made) is Reason else made[0]
    if found.kind in 'iufcb':
        return Marker((MARKER, 'array', 'numpy', found.str, (), cls.tobytes(x)))
    made = cls.tolist(x)
    return Reason('its dtype is `{}`'.format(found)) if type(made) is type(x) else made


def numpy_times(x):
    """The dates, times or time spans of an array of numpy, or the reason why there are none."""
    why = Reason('its dtype is `{}`, and Python has no such times'.format(x.dtype))
    unit = loaded('numpy', 'datetime_data')(x.dtype)[0]
    if x.dtype.kind == 'm' and unit in ('Y', 'M', 'generic'):
        return why
    wanted = 'D' if x.dtype.kind == 'M' and unit in 'YMWD' else 'us'
    made = x.astype('{}8[{}]'.format(x.dtype.kind, wanted))
    is_nat = loaded('numpy', 'isnat')
    if not ((made.astype(x.dtype) == x) | is_nat(x)).all():
        return why
    made = made.tolist()
    # Those that Python's types cannot hold are integers.
    return why if holds_integer(made) else made


def holds_integer(made):
    return any(holds_integer(item) if type(item) is list else type(item) is int for item in made)


DAY_FIELDS = ('year', 'month', 'day')
CLOCK_FIELDS = ('hour', 'minute', 'second', 'microsecond', 'fold')
BY_VALUE = {
    'datetime.date': date_by_value, 'datetime.time': time_by_value,
    'datetime.datetime': datetime_by_value, 'datetime.timedelta': timedelta_by_value,
    'decimal.Decimal': decimal_by_value, 'uuid.UUID': uuid_by_value,
    'array.array': array_by_value, 'numpy.ndarray': ndarray_by_value,
    'numpy.generic': generic_by_value, 'collections.UserString': lambda x, cls: str(x.data),
}
