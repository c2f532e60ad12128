"""Values of the standard library and of numpy, as markers and back.

marshal cannot carry them, so each travels as a marker: a tuple of `...`, a name, and plain parts.
Nothing is imported to make a marker: a value of a module that is not loaded cannot exist. What
needs a module to be made again imports it then.
"""

import sys

from agent.failure import Failure, attempt
from agent.inspection import TYPES, is_a, is_named, loaded
from agent.standard_library import standard
from agent.wire import PART_SIZE

MARKER = Ellipsis


# === to markers ===


def zone(tz):
    """A time zone as data, or False if it cannot travel."""
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
    if tz is False:
        return None
    return (MARKER, 'time', x.hour, x.minute, x.second, x.microsecond, x.fold, tz)


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


TYPECODES = dict.fromkeys('bhilq', 'i')
TYPECODES.update(dict.fromkeys('BHILQ', 'u'), f='f', d='f')


def array_marker(x):
    kind = TYPECODES.get(x.typecode)
    if kind is None:
        return None
    order = '|' if x.itemsize == 1 else '<' if sys.byteorder == 'little' else '>'
    data = x.tobytes()
    shape = (len(data) // x.itemsize,)
    # There is another typecode for integers of the size of a `long`.
    source = 'array_long' if x.typecode in 'lL' else 'array'
    return (MARKER, 'array', source, order + kind + str(x.itemsize), shape, data)


def numpy_marker(x):
    """The marker of a numpy array of numbers or of a numpy number, else None."""
    array, generic = loaded('numpy', 'ndarray'), loaded('numpy', 'generic')
    if array is None or generic is None:
        return None
    # An array without dimensions would come back as a number.
    if type(x) is array and x.shape:
        dtype, shape = x.dtype, tuple(map(int, x.shape))
    elif is_a(type(x), generic):
        dtype, shape = generic.dtype.__get__(x), ()
        if dtype.type is not type(x):
            return None
    else:
        return None
    # A type that only shares its size with the usual one would come back as that one.
    if dtype.kind not in 'biufc' or loaded('numpy', 'dtype')(dtype.str).char != dtype.char:
        return None
    marker = (MARKER, 'array', 'numpy', dtype.str, shape)
    if dtype.kind != 'b' and x.nbytes >= PART_SIZE and x.flags.c_contiguous:
        # Sent from where it lies.
        return marker + (memoryview(x.reshape(-1).view('u1')),)
    data = x.tobytes()
    return None if dtype.kind == 'b' and data.translate(None, b'\0\1') else marker + (data,)


STANDARD = {
    'datetime.date': date_marker, 'datetime.time': time_marker,
    'datetime.datetime': datetime_marker, 'datetime.timedelta': timedelta_marker,
    'decimal.Decimal': decimal_marker, 'uuid.UUID': uuid_marker, 'array.array': array_marker,
}


# === from markers ===


def made_by(module, name):
    """A type of the standard library, which is imported if need be."""
    if (module, name) not in TYPES:
        found = getattr(standard(module), name)
        if not is_named(found, module + '.' + name):
            # The object has replaced it.
            found = loaded(module, name) or found
        TYPES[module, name] = found
    return TYPES[module, name]


def zone_from(data):
    if type(data) is str:
        try:
            return made_by('zoneinfo', 'ZoneInfo')(data)
        except Exception as error:
            message = 'the interpreter has no time zone {!r}: {}'.format(data, error)
            raise Failure('bad_arguments', message) from None
    if data is None:
        return None
    timezone = made_by('datetime', 'timezone')
    offset = timedelta_from(0, 0, data[0])
    return timezone(offset) if data[1] is None else timezone(offset, data[1])


def date_from(year, month, day):
    return made_by('datetime', 'date')(year, month, day)


def time_from(hour, minute, second, microsecond, fold, tz):
    tz = zone_from(tz)
    return made_by('datetime', 'time')(hour, minute, second, microsecond, tz, fold=fold)


def datetime_from(year, month, day, hour, minute, second, microsecond, fold, tz):
    make, tz = made_by('datetime', 'datetime'), zone_from(tz)
    return make(year, month, day, hour, minute, second, microsecond, tz, fold=fold)


def timedelta_from(days, seconds, micros):
    return made_by('datetime', 'timedelta')(days, seconds, micros)


def decimal_from(text):
    return made_by('decimal', 'Decimal')(text)


def uuid_from(data):
    uuid = made_by('uuid', 'UUID')
    # Without its __init__, which looks up names that the object may have replaced.
    made = object.__new__(uuid)
    object.__setattr__(made, 'int', int.from_bytes(data, 'big'))
    defaults = uuid.__init__.__kwdefaults__
    if defaults and 'is_safe' in defaults:
        object.__setattr__(made, 'is_safe', defaults['is_safe'])
    return made


def array_from(source, dtype, shape, data):
    if source == 'numpy':
        return numpy_from(dtype, shape, data)
    if len(shape) != 1:
        message = 'an `array.array` has one dimension, not {}'
        raise Failure('bad_arguments', message.format(len(shape)))
    if dtype[0] != '|' and dtype[0] != ('<' if sys.byteorder == 'little' else '>'):
        message = 'an `array.array` cannot hold {}, which has the other byte order'
        raise Failure('bad_arguments', message.format(dtype))
    codes = {'i': 'bhiq', 'u': 'BHIQ', 'f': 'fd'}
    if source == 'array_long':
        codes = {'i': 'l', 'u': 'L'}
    for code in codes.get(dtype[1], ''):
        made = made_by('array', 'array')(code)
        if str(made.itemsize) == dtype[2:]:
            made.frombytes(data)
            if len(made) != shape[0]:
                message = '{} items of {} do not fit the shape {}'
                raise Failure('bad_arguments', message.format(len(made), dtype, shape))
            return made
    raise Failure('bad_arguments', 'an `array.array` cannot hold {}'.format(dtype))


def numpy_from(dtype, shape, data):
    try:
        import numpy
    except ImportError as error:
        message = 'a numpy array needs numpy in the interpreter `{}`: {}'
        raise Failure('bad_arguments', message.format(sys.executable, error)) from None
    kind = numpy.dtype(dtype)
    if kind.kind not in 'biufc':
        raise Failure('bad_arguments', '{} is not a type of numbers'.format(dtype))
    made = numpy.frombuffer(data, kind).reshape(shape)
    if type(data) is memoryview:
        return made
    # A copy, because an array that is a view of bytes is read-only.
    return made.copy() if shape else made[()]


DECODE: 'dict' = {
    'slice': slice, 'range': range, 'date': date_from, 'time': time_from,
    'datetime': datetime_from, 'timedelta': timedelta_from, 'decimal': decimal_from,
    'uuid': uuid_from, 'array': array_from,
}
