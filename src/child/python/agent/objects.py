"""The objects that stay in the interpreter, by number."""

import itertools

from agent.failure import Failure


class ObjectTable:
    """The objects whose handles the daemon holds, each with the count of its handles there."""

    def __init__(self):
        self.counter = itertools.count(1)
        # An object may define equality and hash, so it is found again by identity.
        self.numbers = {}
        self.kept = {}

    def find(self, number):
        entry = self.kept.get(number) if type(number) is int else None
        if entry is None:
            raise Failure('no_such_object', 'the interpreter has no object {!r}'.format(number))
        return entry.object

    def keep(self, sent):
        for number, x in sent:
            entry = self.kept.get(number)
            if entry is None:
                entry = self.kept[number] = KeptObject(x)
                self.numbers[id(x)] = number
            entry.count += 1

    def release(self, number, count):
        entry = self.kept.get(number)
        if entry is None:
            return
        entry.count -= count or entry.count
        if entry.count <= 0:
            # In this order: the id is free for another object as soon as the last reference is
            # gone.
            del self.numbers[id(entry.object)]
            del self.kept[number]


class KeptObject:
    """An object that stays; `failure` is what its iteration raises next."""

    __slots__ = ('count', 'failure', 'object')

    def __init__(self, x):
        self.object = x
        self.count = 0
        self.failure = None
