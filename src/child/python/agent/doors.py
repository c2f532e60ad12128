"""The ways by which requests come."""

import marshal
import select
import time

from agent.failure import attempt
from agent.wire import LargeFrame, Wire, large_frame, raised_here, split


class Request:
    """A request, with all that is needed to resume it after an exception anywhere."""

    __slots__ = ('begun', 'door', 'frame', 'number', 'operation', 'parts', 'payload', 'progress')

    def __init__(self, door: 'Door', number: 'int', operation: 'str', payload, parts) -> 'None':
        self.door = door
        self.number = number
        self.operation = operation
        self.payload = payload
        self.parts = parts
        self.begun = False
        self.frame: 'bytes | tuple | None' = None
        self.progress: 'list[int]' = []


class Door:
    """A way by which requests come: the daemon has one, and its parent may have one.

    Both number their requests by themselves.
    """

    def __init__(self, place: 'int', fd: 'int', urgent: 'int') -> 'None':
        # Which of an object's counts is that of this door.
        self.place = place
        self.fd = fd
        self.wire = Wire(fd)
        self.urgent_fd = urgent
        self.urgent = Wire(urgent)
        self.urgent_arrived: 'list[bytes]' = []
        # The current request, and what has been read beyond it; always assigned together.
        self.inbox: 'tuple[Request | None, list[bytes] | LargeFrame]' = (None, [])
        self.is_read_out = False
        # Who has a request, by the request's number: the first that claims it, in one atomic
        # step. It is 'main', a list that the listener has made, or what can be interrupted.
        self.owners: 'dict' = {}
        # The number of the last answered request. The numbers grow.
        self.answered = 0

    def is_answered(self, number):
        """Whether a request needs no answer any more, unless somebody still owns it."""
        return number <= self.answered

    def first(self):
        """The first request that has been read, and what has been read beyond it.

        Returns None if none is complete. What is not a request becomes None.
        """
        arrived = self.inbox[1]
        if not arrived:
            return None
        if isinstance(arrived, list):
            found = split(arrived)
            if found is not None:
                return parsed(self, found[0], ()), found[1]
            large = large_frame(arrived)
            if large is None:
                return None
            self.inbox = None, large
        else:
            large = arrived
        if not large.is_complete():
            return None
        return parsed(self, *large.finished()), large.rest

    def has_part_of_frame(self):
        arrived = self.inbox[1]
        return type(arrived) is not list or any(arrived)


class Inbound:
    """Reads what comes through the doors into their inboxes."""

    def __init__(self, doors: 'list[Door]') -> 'None':
        self.doors = doors
        self.by_fd = {door.fd: door for door in doors}
        self.poll = polling([door.fd for door in doors])

    def read(self):
        """Waits until something has come, and reads it."""
        if self.poll is None:
            self.read_door(self.doors[0])
        else:
            self.read_ready(self.poll.poll())

    def read_at_once(self):
        """Reads what has come; returns whether that is anything."""
        ready = [] if self.poll is None else self.poll.poll(0)
        self.read_ready(ready)
        return bool(ready)

    def read_ready(self, ready):
        for fd, _ in ready:
            self.read_door(self.by_fd[fd])

    def read_door(self, door):
        arrived = door.inbox[1]
        if type(arrived) is list:
            door.wire.read(arrived)
            is_end = not arrived[-1]
        else:
            door.wire.read_large(arrived)
            is_end = not arrived.counts[-1]
        if is_end:
            door.is_read_out = True
            if self.poll is not None:
                attempt(lambda: self.poll.unregister(door.fd), None)


def is_tidying(request):
    if request.operation == 'release':
        return True
    payload = request.payload
    is_operator = request.operation == 'operate' and type(payload) is dict
    return is_operator and payload.get('operator') == 'close'


def polling(fds):
    """Waits for any of several descriptors; one alone is waited for by reading it."""
    if len(fds) < 2:
        return None
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return poll


def parsed(door, body, parts):
    """A request, or None if the bytes are not one."""
    try:
        number, operation, payload = marshal.loads(body)
    except (ValueError, EOFError, TypeError) as error:
        if not raised_here(error):
            raise
        return None
    is_request = type(number) is int and type(operation) is str
    return Request(door, number, operation, payload, parts) if is_request else None


def wait_until(reached, end):
    while not reached() and time.monotonic() < end:
        time.sleep(0.01)
