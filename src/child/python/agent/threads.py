"""Calls on threads of their own, beside the main thread.

The threads of the pool begin calls in the order in which they were read. Between two calls a
thread cannot be hit by an interruption: it is sent only while the very call runs, under a lock
that the thread takes to end the call, and what has not been raised by then is taken back.

An exception does not end a wait in C, because a signal runs no Python code outside the main
thread. The thread is replaced then, so that other calls go on. Waits that are made in Python can
be ended: those of `threading.Condition`, on which queues, events and futures are built, and those
of an event loop.
"""

import _thread
import collections
import sys
import time

from agent.doors import is_tidying
from agent.failure import Deferred, Interrupted, LoopInterrupted, attempt
from agent.standard_library import standard
from agent.surroundings import OWN
from agent.wire import give_up, interrupted, packed, withdrawn

# How many threads that do not react are replaced.
MAX_REPLACED = 1000
# An interruption is not repeated sooner.
REPEAT_SECONDS = 0.05
# How often, and after how many seconds, a lock that others hold for a moment is tried again.
TRIES, TRY_SECONDS = 50, 0.001
FRAMES = sys._current_frames
LOCK_TYPES = (_thread.LockType, _thread.RLock)


class ThreadedCall:
    """A request for the pool; its owner from the moment when it is read."""

    __slots__ = ('interrupted_at', 'is_wanted', 'is_withdrawn', 'pool', 'request', 'worker')

    def __init__(self, pool, request):
        self.pool, self.request = pool, request
        self.worker: 'Worker | None' = None
        # Whether it was interrupted, before it began or later.
        self.is_withdrawn = self.is_wanted = False
        self.interrupted_at = 0.0

    def interrupt(self):
        with self.pool.turn_of_queue:
            worker = self.worker
            # No handle may be lost.
            is_release = self.request.operation == 'release'
            if worker is None and (self.is_withdrawn or is_release):
                return
            self.is_withdrawn = worker is None
        if worker is not None:
            worker.interrupt(self)
            return
        door = self.request.door
        self.pool.agent.post(door, withdrawn(self.request.number))
        door.owners.pop(self.request.number, None)


class TurnSlot(list):
    """The slot of a thread of the pool. What it calls has begun, so the next call may begin."""

    def __init__(self, turn):
        list.__init__(self)
        self.turn = turn

    def pop(self):  # type: ignore[override]
        give_up(self.turn)
        return list.pop(self)


class Pool:
    """The threads, and the requests that wait for them."""

    def __init__(self, agent, limit):
        self.agent, self.limit = agent, limit
        library = standard('ctypes')
        set_exception = library.PyDLL(None)['PyThreadState_SetAsyncExc']
        set_exception.argtypes = (library.c_ulong, library.py_object)
        nothing = library.py_object()
        self.wait_code = standard('threading').Condition.wait.__code__
        self.raise_in = set_exception
        self.take_back = lambda ident: set_exception(ident, nothing)
        # Held by a thread that begins a call, so that calls begin in order.
        self.turn = _thread.RLock()
        self.turn_of_queue = _thread.allocate_lock()
        self.queue: 'collections.deque[ThreadedCall]' = collections.deque()
        self.idle: 'list[Worker]' = []
        self.running: 'set[Worker]' = set()
        # Without those that were replaced.
        self.count = self.replaced = 0
        self.is_ending = False

    def put(self, call):
        with self.turn_of_queue:
            self.queue.append(call)
            is_served = self.wake_one()
            if not is_served:
                self.queue.remove(call)
        if not is_served and call.request.number:
            details = ('limit', 'the interpreter cannot start a thread for its calls')
            frame = packed(call.request.number, 'failed', details)
            self.agent.post(call.request.door, frame)
            call.request.door.owners.pop(call.request.number, None)

    def wake_one(self):
        """Has a thread look at the queue; returns whether there is any."""
        if self.idle:
            self.idle.pop().wake.release()
        elif self.count < self.limit:
            worker = Worker(self)
            if attempt(lambda: _thread.start_new_thread(worker.run, ()), None) is not None:
                self.count += 1
        return self.count > 0

    def next(self, worker):
        """The next call, with the turn; None if the thread is not needed any more."""
        while True:
            self.turn.acquire()
            with self.turn_of_queue:
                while self.queue:
                    call = self.queue.popleft()
                    if not call.is_withdrawn and (not self.is_ending or is_tidying(call.request)):
                        call.worker = worker
                        self.running.add(worker)
                        return call
                give_up(self.turn)
                if self.count > self.limit:
                    self.count -= 1
                    return None
                self.idle.append(worker)
            worker.wake.acquire()

    def replace(self, worker):
        """Lets another thread take over while this one does not react."""
        with self.turn_of_queue:
            if worker in self.running and not worker.is_replaced and self.replaced < MAX_REPLACED:
                worker.is_replaced = True
                self.count -= 1
                self.replaced += 1
                if self.queue:
                    self.wake_one()

    def has_ended(self, worker):
        with self.turn_of_queue:
            self.running.discard(worker)
            if worker.is_replaced:
                worker.is_replaced = False
                self.count += 1
                self.replaced -= 1

    def is_quiet(self):
        return not self.queue and not self.running

    def begin_end(self):
        self.is_ending = True
        for worker in list(self.running):
            call = worker.call
            if call is not None and not is_tidying(call.request):
                worker.interrupt(call)


class Worker:
    """A thread of the pool."""

    def __init__(self, pool):
        self.pool = pool
        self.ident = 0
        self.wake = _thread.allocate_lock()
        self.wake.acquire()
        # Held to interrupt the call that runs, and to end it.
        self.gate = _thread.RLock()
        self.call: 'ThreadedCall | None' = None
        self.is_replaced = False

    def run(self):
        self.ident = _thread.get_ident()
        OWN.slot = TurnSlot(self.pool.turn)
        while True:
            call = self.pool.next(self)
            if call is None:
                return
            self.carry_out(call)

    def carry_out(self, call):
        request, outcome = call.request, []
        number = request.number
        if request.number:
            self.pool.agent.post(request.door, packed(request.number, 'begun', None))
        # An interruption must not lose a handle, so it is given back before.
        is_release = request.operation == 'release'
        table, place = self.pool.agent.operations.objects, request.door.place
        released = []
        if is_release:
            released.append(attempt(lambda: table.release(place, *request.payload), None))
            give_up(self.pool.turn)
        try:
            try:
                # It can be interrupted from here on.
                self.call = call
                if is_release:
                    # Code of the object's may run when it goes.
                    released.clear()
                elif call.is_wanted:
                    raise Interrupted()
                else:
                    outcome.append(self.pool.agent.threaded_answer(request))
            except BaseException:
                pass
        except BaseException:
            # The interruption came in the handler.
            pass
        self.settle()
        give_up(self.pool.turn)
        frame, sent = outcome[0] if outcome else (interrupted(number), ())
        if is_release:
            frame = packed(number, 'value', None) if number else b''
        if type(frame) is Deferred:
            self.pool.agent.defer(request, frame)
            owner = request.door.owners.get(number)
            if call.is_wanted and owner is not None:
                owner.interrupt()
        else:
            self.pool.agent.finish(request, frame, sent)
        self.pool.has_ended(self)

    def settle(self):
        """Lets nothing interrupt the call any more, whatever still comes meanwhile."""
        while True:
            try:
                while True:
                    try:
                        self.end_call()
                        return
                    except BaseException:
                        pass
            except BaseException:
                pass

    def end_call(self):
        self.gate.acquire()
        try:
            self.call = None
            self.pool.take_back(self.ident)
        finally:
            give_up(self.gate)

    def interrupt(self, call):
        """Raises an exception in this very call, if it still runs."""
        self.gate.acquire()
        try:
            now = time.monotonic()
            if call.is_wanted and now - call.interrupted_at < REPEAT_SECONDS:
                return
            call.is_wanted, call.interrupted_at = True, now
            if self.call is not call:
                # It has ended, or sees for itself that it is not wanted.
                return
            frame = FRAMES().get(self.ident)
            loop = attempt(lambda: loop_below(frame), None)
            self.pool.raise_in(self.ident, Interrupted if loop is None else LoopInterrupted)
            if loop is not None:
                attempt(lambda: loop.call_soon_threadsafe(lambda: None), None)
            else:
                attempt(lambda: end_wait(self.ident, self.pool.wait_code), None)
        finally:
            give_up(self.gate)
        self.pool.replace(self)


def loop_below(frame):
    """The event loop that runs in a frame or below it."""
    while frame is not None:
        code, module = frame.f_code, frame.f_globals.get('__name__')
        if type(module) is str and module.split('.')[0] == 'asyncio' and code.co_name[:3] == 'run':
            names = frame.f_locals
            for x in (names.get('self'), names.get('loop')):
                for loop in (x, getattr(x, '_loop', None)):
                    if hasattr(loop, 'call_soon_threadsafe'):
                        return loop
        frame = frame.f_back
    return None


def end_wait(ident, code):
    """Ends a wait for a condition, as an exception in the thread would.

    Each such wait has a lock of its own. It is removed from those that are notified, so that no
    notification is lost.
    """
    for _ in range(TRIES):
        frame = FRAMES().get(ident)
        if frame is None or frame.f_code is not code:
            return
        names = frame.f_locals
        condition, waiter = names['self'], names.get('waiter')
        lock = condition._lock
        if type(lock) not in LOCK_TYPES or type(waiter) is not _thread.LockType:
            return
        if lock.acquire(False):
            try:
                condition._waiters.remove(waiter)
                waiter.release()
            except ValueError:
                # It has been notified already.
                pass
            finally:
                lock.release()
            return
        time.sleep(TRY_SECONDS)
