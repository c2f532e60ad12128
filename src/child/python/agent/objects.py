"""The objects that stay in the interpreter, by number."""

import _thread
import itertools

from agent.failure import Failure
from agent.inspection import is_asynchronous, type_name
from agent.wire import give_up


class ObjectTable:
    """The objects whose handles somebody holds, each with the counts of its handles by door."""

    def __init__(self):
        self.counter = itertools.count(1)
        # An object may define equality and hash, so it is found again by identity.
        self.numbers = {}
        self.kept = {}
        # Held while counts change, because several threads may do that.
        self.turn = _thread.RLock()

    def find(self, number):
        entry = self.kept.get(number) if type(number) is int else None
        if entry is None:
            raise Failure('no_such_object', 'the interpreter has no object {!r}'.format(number))
        return entry.object

    def keep(self, sent, door, is_from_loop=False):
        try:
            # Inside, because an exception may follow at once; `give_up` knows who has it.
            self.turn.acquire()
            for number, x in sent:
                entry = self.kept.get(number)
                if entry is None:
                    entry = self.kept[number] = KeptObject(x)
                    entry.is_on_loop = is_from_loop and is_asynchronous(x)
                    # If two threads send a new object at once, it has two numbers.
                    self.numbers.setdefault(id(x), number)
                entry.counts[door] += 1
        finally:
            give_up(self.turn)

    def release(self, door, number, count):
        """Gives back some of a door's handles, or if the count is 0 those of both.

        Returns what held the object, which dies with it if nothing else refers to it.
        """
        entry = self.kept.get(number)
        if entry is None:
            return None
        counts = entry.counts
        try:
            self.turn.acquire()
            if count:
                counts[door] -= count
            else:
                counts[:] = (0, 0)
            if counts[0] <= 0 and counts[1] <= 0 and self.kept.get(number) is entry:
                # In this order: the id is free for another object as soon as the last reference
                # is gone, which is after the lock is released.
                if self.numbers.get(id(entry.object)) == number:
                    del self.numbers[id(entry.object)]
                del self.kept[number]
        finally:
            give_up(self.turn)
        return entry

    def listed(self):
        """The number, the type and the count of handles of each object.

        No code of the objects runs, so this may be called on another thread.
        """
        kept = list(self.kept.items())
        return [
            (number, type_name(type(entry.object)), sum(entry.counts)) for number, entry in kept
        ]


class KeptObject:
    """An object that stays; `failure` is what its iteration raises next."""

    __slots__ = ('counts', 'failure', 'is_on_loop', 'object')

    def __init__(self, x):
        self.object = x
        # Of the daemon's door and of its parent's.
        self.counts = [0, 0]
        self.failure = None
        # Whether it is used on the event loop only.
        self.is_on_loop = False
