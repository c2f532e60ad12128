"""Exceptions that stay in the interpreter as objects, for a caller who wants that."""

import marshal
import os

from agent.exceptions import (
    ARGS,
    PARTS_LIMIT,
    SOURCE_NAME,
    ExceptionReport,
    traceback_of,
    unreportable,
)
from agent.failure import Failure, Interrupted, attempt
from agent.standard_values import MARKER
from agent.steps import chained

# No class can name its fields so.
KEPT_NAMES = ('kept exception', 'its arguments', 'its report')
# The levels of the answer around a part of the report, and around an argument.
REPORT_LEVELS, ARGUMENT_LEVELS = 6, 2


def outcome_of(x, is_chain, steps, encoding, result):
    """The result of the steps, or if they raise an exception, the exception itself.

    The exception comes by handle, with its arguments, as values or by handle, and its report.
    """
    pid = os.getpid()
    try:
        x = chained(x, steps, is_chain)
    except (Failure, Interrupted):
        raise
    except BaseException as error:
        if os.getpid() != pid:
            # A forked copy ends by its exception.
            raise
        # Its traceback begins with the frames of the object's own code.
        BaseException.with_traceback(error, without_agent(traceback_of(error)))
        return kept_exception(error, encoding)
    return result(x, encoding)


def without_agent(step):
    while step is not None and step.tb_frame.f_code.co_filename == SOURCE_NAME:
        step = step.tb_next
    return step


def kept_exception(error, encoding):
    encoding.mode = 'plain'
    kept = encoding.stay(error)
    encoding.depth -= ARGUMENT_LEVELS
    args = tuple([kept_argument(arg, encoding) for arg in ARGS.__get__(error)[:PARTS_LIMIT]])
    encoding.depth += ARGUMENT_LEVELS - REPORT_LEVELS
    report = attempt(lambda: ExceptionReport(encoding.depth).of(error), None)
    size = attempt(lambda: len(marshal.dumps(report, 2)), encoding.message)
    if report is None:
        report = unreportable(error)
    elif 2 * size > encoding.message:
        report = dict(unreportable(error), message='<its report does not fit a message>')
    return (MARKER, 'named', KEPT_NAMES, kept, args, report)


def kept_argument(x, encoding):
    """An argument of an exception: a value, or by handle what has none or is too large."""
    sent, beside, room = len(encoding.sent), len(encoding.beside), encoding.message
    # At most half of what is left, so that the report has room too.
    encoding.message = half = room // 2
    try:
        made = encoding.encode(x)
        room -= half - encoding.message
    except Interrupted:
        raise
    except BaseException:
        del encoding.sent[sent:], encoding.beside[beside:]
        for unfinished in (encoding.open, encoding.replaced, encoding.place):
            unfinished.clear()
        made = encoding.stay(x)
    encoding.message = room
    return made
