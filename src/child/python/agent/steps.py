"""Chains: steps that are taken one after the other, each with the result of the one before."""

from functools import partial

from agent.failure import Failure, Interrupted, attempt
from agent.names import reach, reach_parent
from agent.operators import OF_TEXT, fitting_operator
from agent.surroundings import as_main

ACTS = {
    'call': 'calling', 'get': 'getting', 'set': 'setting', 'delete': 'deleting',
    'operate': 'applying',
}
HAS_NOTES = 'add_note' in BaseException.__dict__


def chained(x, steps, is_chain=True):
    """The result of the last step. A single step that is not a chain has no note of its own.

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
            if not is_chain:
                raise
            message = '{}: {}'.format(step_text(number, kind, name), failure.message)
            raise Failure(failure.code, message) from None
        except BaseException as error:
            if is_chain:
                add_note(error, step_text(number, kind, name))
            raise
    return x


def step_head(head):
    if len(head) != 4:
        raise malformed_chain()
    kind, name, count, keywords = head
    is_head = type(kind) is type(name) is str and type(count) is int and count >= 0
    is_head = is_head and type(keywords) in (list, tuple)
    if not is_head or any(type(keyword) is not str for keyword in keywords):
        raise malformed_chain()
    if kind not in ACTS:
        message = 'the kinds of steps are {}, not {!r}'
        raise Failure('bad_arguments', message.format(', '.join(ACTS), kind))
    return head


def malformed_chain():
    return Failure('bad_arguments', 'the steps of the chain are malformed')


def step_taken(x, kind, name, args, kwargs):
    if kind == 'operate':
        function = fitting_operator(name, [x, *args])
        if name in OF_TEXT:
            return function(x, *args, names=kwargs)
        check_step(kind, args, len(args), kwargs)
        return as_main(function, x, *args)
    if kind == 'call':
        x = reach(x, name) if name else x
        return as_main(partial(x, *args, **kwargs))
    check_step(kind, args, 1 if kind == 'set' else 0, kwargs)
    if kind == 'get':
        return reach(x, name)
    parent, last = reach_parent(x, name)
    as_main(*((setattr, parent, last, args[0]) if kind == 'set' else (delattr, parent, last)))
    return None


def check_step(kind, args, count, kwargs):
    if len(args) != count or kwargs:
        message = 'a step `{}` takes {} arguments, and no keyword arguments'
        raise Failure('bad_arguments', message.format(kind, count))


def step_text(number, kind, name):
    return 'step {} of the chain: {} {}'.format(number, ACTS[kind], name or 'the object')


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
