"""The operators, by name. Reflected forms and the like are left to Python itself."""

import operator

from agent.description import documentation, signature_text
from agent.exceptions import traceback_of
from agent.failure import Failure
from agent.inspection import defines
from agent.texts import evaluate, execute

# By operator, the method of an asynchronous object in the place of the usual one.
ASYNCHRONOUS_FORMS = {
    'enter': ('__enter__', '__aenter__'), 'exit': ('__exit__', '__aexit__'),
    'iter': ('__iter__', '__aiter__'), 'next': ('__next__', '__anext__'),
}


def is_asynchronous_form(name, x):
    """Whether an operator means the asynchronous form for this object."""
    usual, other = ASYNCHRONOUS_FORMS.get(name, ('', ''))
    return other != '' and not defines(type(x), usual) and defines(type(x), other)


def iterator(x, *rest):
    return type(x).__aiter__(x) if is_asynchronous_form('iter', x) else iter(x, *rest)


def following(x, *rest):
    return type(x).__anext__(x) if is_asynchronous_form('next', x) else next(x, *rest)


def enter(x):
    cls = type(x)
    return cls.__aenter__(x) if is_asynchronous_form('enter', x) else cls.__enter__(x)


def leave(x, error=None):
    cls = type(x)
    end = cls.__aexit__ if is_asynchronous_form('exit', x) else cls.__exit__
    if error is None:
        return end(x, None, None, None)
    return end(x, type(error), error, traceback_of(error))


def close(x):
    end = getattr(x, 'close', None) or getattr(x, 'aclose', None)
    return None if end is None else end()


# Each with the least and the greatest number of operands.
OPERATORS: 'dict' = {
    'truth': (bool, 1, 1), 'str': (str, 1, 3), 'format': (format, 1, 2),
    'doc': (documentation, 1, 1), 'signature': (signature_text, 1, 1),
    'isinstance': (isinstance, 2, 2), 'issubclass': (issubclass, 2, 2),
    'setitem': (operator.setitem, 3, 3), 'divmod': (divmod, 2, 2), 'pow': (pow, 2, 3),
    'round': (round, 1, 2), 'int': (int, 1, 2), 'complex': (complex, 1, 2),
    'bytes': (bytes, 1, 3), 'iter': (iterator, 1, 2), 'next': (following, 1, 2),
    'eval': (evaluate, 2, 2), 'exec': (execute, 2, 3), 'enter': (enter, 1, 1),
    'exit': (leave, 1, 2), 'close': (close, 1, 1),
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


# These take names beside their operands.
OF_TEXT = ('eval', 'exec')


def fitting_operator(name, operands):
    """The function of an operator that takes so many operands."""
    if type(name) is not str or name not in OPERATORS:
        message = 'there is no operator {!r}; the operators are: {}'
        known = ', '.join(sorted([*OPERATORS, 'chain']))
        raise Failure('bad_arguments', message.format(name, known))
    function, least, greatest = OPERATORS[name]
    if type(operands) not in (list, tuple) or not least <= len(operands) <= greatest:
        message = '`{}` takes {}'.format(name, operand_count(least - 1, greatest - 1))
        raise Failure('bad_arguments', message)
    return function


def operand_count(least, greatest):
    """How many operands an operator takes beside the object, in words."""
    if greatest == 0:
        return 'no more operands'
    number = str(least) if least == greatest else '{} to {}'.format(least, greatest)
    return '{} more operand{}'.format(number, '' if greatest == 1 else 's')
