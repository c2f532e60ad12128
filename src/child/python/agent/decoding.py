"""From what came by the wire to objects."""

from agent.failure import Failure
from agent.inspection import SCALARS, scalar_kinds
from agent.standard_values import DECODE, MARKER


def all_of(x, made):
    """The dict or set that was made, unless keys became one because they are equal."""
    # Two decimal numbers, two times of one instant, or an object and a value may be equal.
    if len(made) != len(x):
        message = 'two keys of a map or items of a set are equal in Python'
        raise Failure('not_a_value', message)
    return made


class Decoding:
    """Decodes arguments; handles among them become the objects themselves."""

    def __init__(self, table, depth, parts):
        self.table = table
        self.depth = depth
        # What travels beside the arguments.
        self.parts = parts

    def decode(self, x, level=0):
        kind = type(x)
        if kind in SCALARS:
            return x
        if kind is tuple and x and x[0] is MARKER and len(x) > 2 and type(x[1]) is str:
            return self.marked(x, level)
        if level >= self.depth:
            message = 'an argument is nested deeper than {} levels'
            raise Failure('too_deep', message.format(self.depth))
        if kind is dict:
            if scalar_kinds(x) is not None and scalar_kinds(x.values()) is not None:
                return x
            pairs = x.items()
            made = {self.decode(key, level + 1): self.decode(y, level + 1) for key, y in pairs}
            return all_of(x, made)
        if kind not in (list, tuple, set, frozenset):
            raise Failure('bad_arguments', '`{}` is not a kind of argument'.format(kind.__name__))
        if scalar_kinds(x) is not None:
            return x
        made = kind([self.decode(item, level + 1) for item in x])
        return made if kind is list or kind is tuple else all_of(x, made)

    def marked(self, x, level):
        name, parts = x[1], x[2:]
        if name == 'handle':
            return self.table.find(parts[0])
        if name == 'bytes':
            return self.part(parts[0]).getvalue()
        decode = DECODE.get(name)
        if decode is None:
            raise Failure('bad_arguments', '{!r} is not a kind of value'.format(name))
        if name == 'slice':
            parts = [self.decode(part, level + 1) for part in parts]
        elif name == 'array' and type(parts[-1]) is tuple:
            # The array is made on the part itself.
            parts = parts[:-1] + (self.part(parts[-1][-1]).getbuffer(),)
        try:
            return decode(*parts)
        except Failure:
            raise
        except Exception as error:
            raise Failure('bad_arguments', 'malformed {}: {}'.format(name, error)) from None

    def part(self, index):
        if type(index) is int and 0 <= index < len(self.parts):
            return self.parts[index]
        raise Failure('bad_arguments', 'there is no part {!r} of the arguments'.format(index))
