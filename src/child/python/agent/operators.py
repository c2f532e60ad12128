"""The operators, by name. Reflected forms and the like are left to Python itself."""

import builtins
import operator

from agent.description import documentation, signature_text
from agent.exceptions import traceback_of
from agent.failure import Failure
from agent.surroundings import as_main


def enter(x):
    return type(x).__enter__(x)


def leave(x, error=None):
    if error is None:
        return type(x).__exit__(x, None, None, None)
    return type(x).__exit__(x, type(error), error, traceback_of(error))


def close(x):
    end = getattr(x, 'close', None)
    return None if end is None else end()


def evaluate(_, source, names):
    """The value of an expression, which sees these names and the builtins."""
    if type(source) is not str:
        raise Failure('bad_arguments', 'an expression must be text')
    code = compile(source.strip().lstrip('\ufeff'), '<eval>', 'eval', 0, True)
    # Inner functions look for names among the globals, and `locals()` shows the names alone.
    world = {'__name__': '__main__', **names, '__builtins__': builtins}
    return as_main(eval, code, world, dict(names))


# Each with the least and the greatest number of operands.
OPERATORS: 'dict' = {
    'truth': (bool, 1, 1), 'str': (str, 1, 3), 'format': (format, 1, 2),
    'doc': (documentation, 1, 1), 'signature': (signature_text, 1, 1),
    'isinstance': (isinstance, 2, 2), 'issubclass': (issubclass, 2, 2),
    'setitem': (operator.setitem, 3, 3), 'divmod': (divmod, 2, 2), 'pow': (pow, 2, 3),
    'round': (round, 1, 2), 'int': (int, 1, 2), 'complex': (complex, 1, 2),
    'bytes': (bytes, 1, 3), 'iter': (iter, 1, 2), 'next': (next, 1, 2), 'eval': (evaluate, 2, 2),
    'enter': (enter, 1, 1), 'exit': (leave, 1, 2), 'close': (close, 1, 1),
}
UNARY = (
    bool, len, repr, ascii, hash, dir, type, id, callable, float, operator.neg, operator.pos,
    operator.abs, operator.invert, operator.index,
)
BINARY = (
    'contains getitem delitem eq ne lt le gt ge '
    'add sub mul truediv floordiv mod matmul and_ or_ xor lshift rshift '
    'iadd isub imul itruediv ifloordiv imod imatmul ipow iand ior ixor ilshift irshift'
)
OPERATORS.update({function.__name__: (function, 1, 1) for function in UNARY})
OPERATORS.update(
    {name.strip('_'): (getattr(operator, name), 2, 2) for name in BINARY.split()}
)


def operand_count(least, greatest):
    """How many operands an operator takes beside the object, in words."""
    if greatest == 0:
        return 'no more operands'
    number = str(least) if least == greatest else '{} to {}'.format(least, greatest)
    return '{} more operand{}'.format(number, '' if greatest == 1 else 's')
