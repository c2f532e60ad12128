"""Forked copies of the process, which must not answer in its place."""

import os

from agent.exceptions import traceback_of
from agent.failure import attempt
from agent.inspection import is_a
from agent.listener import Listener
from agent.surroundings import OWN_TRACEBACK


class Forking(Listener):
    """What the agent does in a forked copy."""

    def __init__(self) -> 'None':
        Listener.__init__(self)
        self.pid = os.getpid()
        # Whether this is a forked copy, and whether forks are reported to the agent.
        self.is_copy, self.is_told = False, hasattr(os, 'register_at_fork')

    def end_copy(self, error):
        """Ends a forked copy of the process that returned here: only the original answers."""
        if os.getpid() == self.pid:
            return
        status = 0
        if error is not None:
            is_exit = is_a(type(error), SystemExit)
            code = getattr(error, 'code', None) if is_exit else 1
            status = code & 255 if type(code) is int else 0 if code is None else 1
            if status and not is_exit:
                details = (type(error), error, traceback_of(error))
                attempt(lambda: OWN_TRACEBACK.print_exception(*details), None)
        attempt(self.flush, None)
        os._exit(status)

    def forked(self):
        self.is_copy = True
        for wire in [wire for door in self.doors for wire in (door.wire, door.urgent)]:
            # Once only: in a copy of the copy the number may be that of another file.
            fd, wire.fd = wire.fd, None
            if fd is not None:
                attempt(lambda fd=fd: os.close(fd), None)
