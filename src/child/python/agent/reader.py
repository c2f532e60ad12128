"""The thread that reads from the doors, where there are threads for calls.

What makes an object goes to the main thread, and so does a call that asks for it; all else goes to
the pool.
"""

import _thread
import collections
import os
import time

from agent.doors import Door, Inbound
from agent.failure import attempt
from agent.operations import ON_MAIN
from agent.threads import TRY_SECONDS, ThreadedCall
from agent.wire import packed


class ThreadedDoor(Door):
    """A door that the reader reads, and whose requests are answered in any order."""

    def serve(self):
        """What the reader reads from; the main thread keeps this door itself."""
        inlet = Door.__new__(Door)
        inlet.__dict__.update(self.__dict__)
        self.inbox = None, []
        # The number of the last request that has been read.
        self.last_read = self.__dict__.pop('answered')
        # The requests that the main thread has not answered.
        self.for_main: 'set[int]' = set()
        return inlet

    @property
    def answered(self):
        return self.last_read

    @answered.setter
    def answered(self, number):
        self.for_main.discard(number)

    def is_answered(self, number):
        return number <= self.last_read and number not in self.for_main


class Reader:
    """The thread that reads from the doors, and what it has read for the main thread."""

    def __init__(self, agent, pool):
        self.agent, self.pool = agent, pool
        self.inlets = []
        for door in agent.doors:
            door.__class__ = ThreadedDoor
            self.inlets.append(door.serve())
        self.inbound = Inbound(self.inlets)
        self.queue: 'collections.deque' = collections.deque()
        self.wake = _thread.allocate_lock()
        self.wake.acquire()
        self.has_ended = False

    def run(self):
        status = os.EX_PROTOCOL
        try:
            daemon = self.inlets[0]
            while self.dispatch_read():
                if daemon.is_read_out and not self.inbound.read_at_once():
                    status = os.EX_PROTOCOL if daemon.has_part_of_frame() else 0
                    break
                if not daemon.is_read_out:
                    self.inbound.read()
        finally:
            self.has_ended = True
            if self.agent.ending is None:
                self.agent.ending = status
            self.wake_main()

    def dispatch_read(self):
        """Passes on all requests that have been read; returns False if one is not a request."""
        for inlet, door in zip(self.inlets, self.agent.doors):
            found = inlet.first()
            while found is not None:
                if found[0] is None:
                    return False
                inlet.inbox = None, found[1]
                self.dispatch(door, found[0])
                found = inlet.first()
        return True

    def dispatch(self, door, request):
        request.door, number = door, request.number
        is_for_main = request.operation[: len(ON_MAIN)] == ON_MAIN
        if is_for_main:
            request.operation = request.operation[len(ON_MAIN) :]
        if is_for_main or request.operation == 'make':
            if number:
                door.for_main.add(number)
                door.last_read = number
            self.queue.append(request)
            self.wake_main()
            return
        call = ThreadedCall(self.pool, request)
        if number:
            is_withdrawn = door.owners.setdefault(number, call) is not call
            if is_withdrawn:
                # The listener still looks whether this is its claim.
                door.owners[number] = ['seen']
            door.last_read = number
            if is_withdrawn:
                door.owners.pop(number)
                if request.operation != 'release':
                    return
                request.number = 0
        self.pool.put(call)

    def wake_main(self):
        attempt(self.wake.release, None)

    def receive(self, is_last=False):
        """Waits for the main thread's next request, and makes it current.

        Returns False at the end. A request leaves the queue only after it has been carried out,
        so that none is lost if a signal handler of the object's raises here.
        """
        while True:
            while self.queue:
                request = self.queue[0]
                if request.frame != b'':
                    if request.number:
                        # The daemon cannot know it by the order of the answers.
                        begun = packed(request.number, 'begun', None)
                        self.agent.post(request.door, begun)
                    self.agent.door = request.door
                    request.door.inbox = request, []
                    return True
                self.queue.popleft()
            if self.agent.ending is not None:
                if not is_last or (self.has_ended and self.pool.is_quiet()):
                    return False
                time.sleep(TRY_SECONDS)
            else:
                self.wake.acquire()
