"""Holds Python objects for a daemon and carries out the daemon's requests.

The daemon, written in Rust, starts this interpreter, sends it this text and drives it over two
sockets, its door. Its parent may have a door of its own, two more sockets, which the daemon has
passed to it. The main thread reads requests from the first socket of each door and answers them
in order. So code that must run on a main thread (signal, sqlite3, RLock) does, and no thread has
to wake another. A second thread reads the second sockets, for what cannot wait for its turn:
interruptions, the list of objects, and the end. If the daemon wants threads for calls, another
thread reads the requests and passes them to those (`reader.py`, `threads.py`).

The modules of this folder are joined into one text, in the order of `agent.rs`, without the
lines that import one from another. They import only the standard library, and they hold what
they use, so that nothing that the object replaces can reach them (`standard_library.py`).

Deliberately absent: any use of sys.stdin, sys.stdout and sys.stderr except flushing them (they
belong to the object), any pickling, and any opinion about which objects may be called: the
daemon decides what it asks for.

This module: how a request fails when the object did not raise.
"""


class Failure(Exception):
    """A request that cannot be carried out, or a result that cannot travel.

    The codes: no_such_object, no_such_operation, bad_arguments, not_a_value, too_deep,
    too_large, interrupted, limit, closed.
    """

    def __init__(self, code: 'str', message: 'str') -> 'None':
        Exception.__init__(self, code, message)
        self.code = code
        self.message = message


class Interrupted(BaseException):
    """Raised in a running call that the daemon no longer waits for."""


class LoopInterrupted(Interrupted, KeyboardInterrupt):
    """The same where an event loop runs.

    asyncio keeps any other exception in the task or the callback that it was raised in, which
    may be one that nobody waits for, and goes on. This one leaves the loop.
    """


class Deferred(BaseException):
    """Raised where the result of a request must be awaited on the event loop.

    Without an awaitable, it is the operation itself that must be carried out there.
    """

    def __init__(self, awaitable=None, encoding=None, is_item=False):
        BaseException.__init__(self)
        self.awaitable, self.encoding = awaitable, encoding
        # Whether it is the next item of an iterator.
        self.is_item = is_item

    def finish(self, value):
        encoded = self.encoding.top(value)
        return ([encoded], False) if self.is_item else encoded


def attempt(function, otherwise):
    """Returns what the function returns, or `otherwise` if it raises.

    For code of the object's whose failure must not disturb the agent.
    """
    try:
        return function()
    except Interrupted:
        raise
    except BaseException:
        return otherwise
