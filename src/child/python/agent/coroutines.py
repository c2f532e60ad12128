"""Coroutines that calls return, and the event loop that awaits them.

There is one loop for the interpreter, on a thread of its own, from the first coroutine on. The
object's policy makes it, so that it may be one of another library. The thread that has called the
function goes on with the next request; the answer is sent from the loop.

What comes out of a coroutine and has asynchronous methods may depend on the loop. So everything
that is asked of such an object later is carried out on the loop too.
"""

import _thread
import collections
import time

from agent.doors import Request
from agent.failure import Deferred, Failure, attempt
from agent.inspection import is_a
from agent.names import imported
from agent.operations import USED_LATER
from agent.standard_library import standard
from agent.surroundings import OWN
from agent.threads import REPEAT_SECONDS
from agent.wire import give_up, interrupted, packed


class AwaitedCall:
    """A request whose coroutine is awaited; its owner until it is answered."""

    def __init__(self, loop, request, deferred):
        self.loop, self.deferred = loop, deferred
        # The main thread gives up its own.
        self.request = Request(
            request.door, request.number, request.operation, request.payload, request.parts
        )
        self.task = None
        self.is_begun = self.is_wanted = False
        self.interrupted_at = 0.0
        # The frame of the answer, and what stays of its objects.
        self.outcome: 'tuple | None' = None

    def interrupt(self):
        now = time.monotonic()
        if not self.is_wanted or now - self.interrupted_at >= REPEAT_SECONDS:
            self.is_wanted, self.interrupted_at = True, now
            attempt(lambda: self.loop.loop.call_soon_threadsafe(self.cancel), None)

    def cancel(self):
        if self.task is not None:
            self.task.cancel()


class EventLoop:
    """The loop, and the calls whose coroutines it awaits."""

    def __init__(self, agent):
        self.agent = agent
        self.loop = None
        self.cancelled: 'type' = BaseException
        self.turn = _thread.RLock()
        # Those that have been passed to the loop's thread, and all.
        self.queue: 'collections.deque[AwaitedCall]' = collections.deque()
        self.calls: 'set[AwaitedCall]' = set()
        self.is_called = self.is_ended = False

    def start(self):
        """Starts the loop if there is none, as the object's code would."""
        if self.loop is not None:
            return
        try:
            # Inside, because an interruption may follow at once; `give_up` knows who has it.
            self.turn.acquire()
            if self.loop is None:
                for name in USED_LATER:
                    # A later import would change the path for what runs on the loop.
                    attempt(lambda name=name: standard(name), None)
                asyncio = imported('asyncio')
                self.cancelled = asyncio.CancelledError
                loop = asyncio.new_event_loop()
                _thread.start_new_thread(self.run, (asyncio, loop))
                self.loop = loop
        finally:
            give_up(self.turn)

    def run(self, asyncio, loop):
        OWN.is_on_loop = True
        asyncio.set_event_loop(loop)
        while not loop.is_closed():
            # An exception that asyncio does not keep leaves the loop, and the rest goes on.
            attempt(loop.run_forever, None)
        self.loop = None
        for call in list(self.calls):
            message = 'the object closed the event loop'
            failed = packed(call.request.number, 'failed', ('closed', message))
            call.outcome = failed, ()
            self.end(call)

    def post(self, call):
        """Passes a call to the loop. To do so once more has no effect."""
        loop = self.loop
        assert loop is not None, 'it has been started, and nobody has closed it'
        self.calls.add(call)
        self.queue.append(call)
        if not self.is_called:
            self.is_called = True
            try:
                loop.call_soon_threadsafe(self.take, loop)
            except BaseException:
                self.is_called = False
                raise

    def take(self, loop):
        self.is_called = False
        while self.queue:
            call = self.queue.popleft()
            if not call.is_begun:
                call.is_begun = True
                self.begin(loop, call)

    def begin(self, loop, call):
        call.task = loop.create_task(self.drive(call))
        call.task.add_done_callback(lambda task: self.end(call))
        if call.is_wanted:
            call.cancel()

    async def drive(self, call):
        request = call.request
        try:
            call.outcome = await self.outcome(call)
            if self.agent.is_copy or not self.agent.is_told:
                self.agent.end_copy(None)
        except Failure as failure:
            details = (failure.code, failure.message)
            call.outcome = packed(request.number, 'failed', details), ()
        except BaseException as error:
            if self.agent.is_copy or not self.agent.is_told:
                self.agent.end_copy(error)
            if not (call.is_wanted and is_a(type(error), self.cancelled)):
                call.outcome = self.agent.raised(request, error), ()

    async def outcome(self, call):
        request, deferred = call.request, call.deferred
        OWN.parts = request.parts
        try:
            if deferred.awaitable is None:
                # The operation itself belongs on the loop.
                try:
                    results = self.agent.operations.carry_out(request.operation, request.payload)
                except Deferred as found:
                    deferred = found.with_traceback(None)
            if deferred.awaitable is not None:
                encoding = deferred.encoding
                try:
                    payload = deferred.finish(await deferred.awaitable)
                except StopAsyncIteration:
                    if not deferred.is_item:
                        raise
                    payload = [], True
                results = payload, encoding
            payload, encoding = results
            beside, sent = (encoding.beside, encoding.sent) if encoding else ((), ())
            return packed(request.number, 'value', payload, beside), sent
        finally:
            self.agent.flush()

    def end(self, call):
        self.calls.discard(call)
        number = call.request.number
        frame, sent = call.outcome or (interrupted(number), ())
        # The task may be kept for a while, and must keep nothing alive.
        call.deferred = call.outcome = None
        self.agent.finish(call.request, frame, sent)

    # --- the end ---

    def is_quiet(self):
        return self.loop is None or self.is_ended

    def begin_end(self):
        """Cancels all tasks of calls, and closes what is open; on the listener."""
        loop = self.loop
        if loop is None:
            return
        for call in list(self.calls):
            call.interrupt()
        loop.call_soon_threadsafe(lambda: loop.create_task(self.close(loop)))

    async def close(self, loop):
        sleep = imported('asyncio').sleep
        try:
            while self.calls:
                await sleep(REPEAT_SECONDS / 10)
            await loop.shutdown_asyncgens()
        finally:
            self.is_ended = True
