"""Expressions and statements that callers send as text."""

import builtins
import itertools

from agent.failure import Failure
from agent.surroundings import SCRIPT_LINES, as_main, share_lines

TEXTS_LIMIT = 64
TEXTS_ROOM = 1 << 20
# The code of the latest texts, and the name that tracebacks show for each, oldest first.
COMPILED: 'dict' = {}
NUMBERS = itertools.count(2)
USED: 'set' = set()


def evaluate(_, source, names=None):
    """The value of an expression, which sees these names and the builtins."""
    code = compiled(text_of(source).strip().lstrip('\ufeff'), 'eval')
    # Inner functions look for names among the globals, and `locals()` shows the names alone.
    return as_main(eval, code, world_of(names), dict(names or {}))


def execute(_, source, wanted=None, names=None):
    """Runs statements, which see these names and the builtins; returns what they call `wanted`.

    They are those of a module of their own, so the functions in them see their names.
    """
    source, world = text_of(source), world_of(names)
    as_main(exec, compiled(source[source.startswith('\ufeff') :], 'exec'), world)
    if wanted is None:
        return None
    if type(wanted) is not str or wanted not in world:
        message = 'the statements have run, but they define no {!r}'
        raise Failure('bad_arguments', message.format(wanted))
    return world[wanted]


def text_of(source):
    if type(source) is not str:
        raise Failure('bad_arguments', 'an expression must be text, and so must statements')
    return source


def world_of(names):
    return {'__name__': '__main__', **(names or {}), '__builtins__': builtins}


def compiled(source, kind):
    """The code of a text, whose lines tracebacks can show."""
    known = COMPILED.get((source, kind))
    if known is not None:
        return known[0]
    shown, lines = '<{}>'.format(kind), share_lines()
    # No name is used for a second text: functions of the first one may still have it.
    while shown in USED or shown in lines:
        shown = '<{} {}>'.format(kind, next(NUMBERS))
    USED.add('<{}>'.format(kind))
    # Without a modification time, linecache does not look for the lines on disk.
    SCRIPT_LINES[shown] = (len(source), None, source.splitlines(True), shown)
    share_lines()
    try:
        code = compile(source, shown, kind, 0, True)
    except BaseException:
        # The exception itself has the line.
        forget_lines(shown)
        raise
    COMPILED[source, kind] = (code, shown)
    forget_oldest()
    return code


def forget_oldest():
    """Forgets the oldest texts that are too many; the latest one always stays."""
    room = TEXTS_ROOM
    for place, key in enumerate(reversed(list(COMPILED))):
        room -= len(key[0])
        if place and (place >= TEXTS_LIMIT or room < 0):
            _, shown = COMPILED.pop(key, (None, None))
            forget_lines(shown)


def forget_lines(shown):
    SCRIPT_LINES.pop(shown, None)
    share_lines().pop(shown, None)
