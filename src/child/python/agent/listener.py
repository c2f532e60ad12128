"""The thread that listens for what cannot wait for its turn, and the end of the process."""

import _thread
import atexit
import marshal
import os
import signal
import time

from agent.coroutines import EventLoop
from agent.doors import Door, Request, is_tidying, polling, wait_until
from agent.failure import Interrupted, attempt
from agent.operations import Operations
from agent.reader import Reader
from agent.signals import INTERRUPT_SIGNAL
from agent.standard_library import WORLD
from agent.threads import Pool
from agent.wire import packed, split, withdrawn

# How long the end may take if the daemon does not say so, because it is dead.
END_SECONDS = 0.8
CUT_SHORT = os.EX_TEMPFAIL
TAKE_OVER_SECONDS = 0.3


class Listener:
    """What the second thread of the agent does."""

    doors: 'list[Door]'
    ending: 'int | None'
    event_loop: 'EventLoop'
    operations: 'Operations'
    pool: 'Pool | None'
    reader: 'Reader | None'

    def __init__(self) -> 'None':
        # The request that the main thread carries out, and that request if it is to be
        # interrupted.
        self.running: 'Request | None' = None
        self.wanted: 'Request | None' = None
        self.end_seconds = END_SECONDS
        self.taken_over = _thread.allocate_lock()
        self.main_thread = _thread.get_ident()

    def listen(self):
        status = os.EX_PROTOCOL
        poll = polling([door.urgent_fd for door in self.doors])
        try:
            while not self.has_ended(poll):
                pass
            # The daemon wants no more.
            status = 0
        except OSError:
            # The daemon died, which is a normal end.
            status = 0
        except BaseException:
            pass
        self.end_from_listener(status)

    def has_ended(self, poll):
        """Waits for urgent requests and carries them out; returns whether the daemon's end."""
        ready = None if poll is None else {fd for fd, _ in poll.poll()}
        for door in self.doors:
            if ready is not None and door.urgent_fd not in ready:
                continue
            door.urgent.read(door.urgent_arrived)
            if not door.urgent_arrived[-1]:
                if door is self.doors[0]:
                    return True
                poll.unregister(door.urgent_fd)
            found = split(door.urgent_arrived)
            while found is not None:
                body, door.urgent_arrived = found
                number, operation, payload = marshal.loads(body)
                if operation == 'interrupt':
                    self.interrupt(door, payload)
                elif operation == 'objects':
                    rows = self.operations.objects.listed()
                    door.urgent.write(packed(number, 'value', rows), [])
                elif operation == 'end':
                    self.end_seconds = payload
                found = split(door.urgent_arrived)
        return False

    def interrupt(self, door, number):
        if door.is_answered(number) and number not in door.owners:
            return
        claim = ['listener']
        owner = door.owners.setdefault(number, claim)
        if owner is claim:
            if door.is_answered(number) and door.owners.get(number) is claim:
                # The request has just been answered and given up.
                del door.owners[number]
                return
            door.wire.write(withdrawn(number), [])
            return
        if owner == 'main':
            self.interrupt_main(door, number)
            # It may have just passed to somebody else.
            owner = door.owners.get(number)
        if hasattr(owner, 'interrupt'):
            owner.interrupt()

    def interrupt_main(self, door, number):
        running = self.running
        if running is not None and running.number == number and running.door is door:
            self.wanted = running
            signal.pthread_kill(self.main_thread, INTERRUPT_SIGNAL)

    def end_from_listener(self, status):
        """Ends the process: on the main thread if that responds in time, else from here.

        Another status tells the daemon what was cut short.
        """
        start, seconds = time.monotonic(), self.end_seconds
        self.ending = status
        if self.running is not None and not is_tidying(self.running):
            self.wanted = self.running
            signal.pthread_kill(self.main_thread, INTERRUPT_SIGNAL)
        attempt(self.event_loop.begin_end, None)
        if self.pool is not None:
            attempt(self.pool.begin_end, None)
        if self.reader is not None:
            self.reader.wake_main()
        take_over = max(seconds / 2, min(seconds, TAKE_OVER_SECONDS))
        wait_until(self.taken_over.locked, start + take_over)
        if self.taken_over.acquire(False):
            # The main thread does not react, so the objects cannot be let go.
            _thread.start_new_thread(self.end, (status or CUT_SHORT,))
        wait_until(lambda: False, start + seconds)
        os._exit(status or CUT_SHORT)

    def end(self, status):
        try:
            atexit._run_exitfuncs()
        except BaseException:
            pass
        self.flush()
        os._exit(status)

    def flush(self):
        try:
            WORLD.stdout.flush()
            WORLD.stderr.flush()
            return
        except Interrupted:
            raise
        except BaseException:
            # The object may have replaced one by anything; the other is still flushed.
            pass
        for name in ('stdout', 'stderr'):
            attempt(lambda name=name: getattr(WORLD, name).flush(), None)
