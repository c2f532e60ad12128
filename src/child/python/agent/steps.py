"""Chains: steps that are taken one after the other, each with the result of the one before."""

from functools import partial

from agent.failure import Failure, Interrupted, attempt
from agent.names import reach
from agent.operators import fitting_operator
from agent.surroundings import as_main

HAS_NOTES = 'add_note' in BaseException.__dict__


def chained(x, steps):
    """The result of the last step.

    The steps are flat, so that a chain does not take levels of the depth of its arguments: the
    kind of each, its name, the count of its arguments, the names of its keyword arguments, and
    then all of the arguments.
    """
    place, number = 0, 0
    while place < len(steps):
        number += 1
        kind, name, count, keywords = step_head(steps[place : place + 4])
        place += 4
        end = place + count + len(keywords)
        if end > len(steps):
            raise malformed_chain()
        args, values = steps[place : place + count], steps[place + count : end]
        place = end
        try:
            x = step_taken(x, kind, name, args, dict(zip(keywords, values)))
        except Interrupted:
            raise
        except Failure as failure:
            message = '{}: {}'.format(step_text(number, kind, name), failure.message)
            raise Failure(failure.code, message) from None
        except BaseException as error:
            add_note(error, step_text(number, kind, name))
            raise
    return x


def step_head(head):
    if len(head) != 4:
        raise malformed_chain()
    kind, name, count, keywords = head
    is_head = type(name) is str and type(count) is int and type(keywords) in (list, tuple)
    if not is_head or count < 0 or any(type(keyword) is not str for keyword in keywords):
        raise malformed_chain()
    if kind not in ('call', 'get', 'operate'):
        message = 'a step of a chain is `call`, `get` or `operate`, not {!r}'
        raise Failure('bad_arguments', message.format(kind))
    return head


def malformed_chain():
    return Failure('bad_arguments', 'the steps of the chain are malformed')


def step_taken(x, kind, name, args, kwargs):
    if kind != 'call' and kwargs:
        raise Failure('bad_arguments', 'only a call takes keyword arguments')
    if kind == 'operate':
        return as_main(fitting_operator(name, [x, *args]), x, *args)
    if kind == 'get' and args:
        raise Failure('bad_arguments', 'getting an attribute takes no arguments')
    if name or kind == 'get':
        x = reach(x, name)
    return x if kind == 'get' else as_main(partial(x, *args, **kwargs))


def step_text(number, kind, name):
    act = {'call': 'calling', 'get': 'getting', 'operate': 'applying'}[kind]
    return 'step {} of the chain: {} {}'.format(number, act, name or 'the object')


def add_note(error, text):
    """Adds a note to an exception, also in a Python that has no notes yet."""

    text = 'in ' + text

    def add():
        # An exception that is kept and raised again and again has the note once.
        if text in getattr(error, '__notes__', ()):
            return
        if HAS_NOTES:
            BaseException.add_note(error, text)
        else:
            error.__dict__.setdefault('__notes__', []).append(text)

    attempt(add, None)
