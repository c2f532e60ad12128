"""The loop that answers requests on the main thread."""

import _thread
import os
import time

from agent.coroutines import AwaitedCall, EventLoop
from agent.doors import Door, Inbound, Request, is_tidying, wait_until
from agent.exceptions import ExceptionReport, unreportable
from agent.failure import Deferred, Failure, Interrupted, LoopInterrupted, attempt
from agent.forking import Forking
from agent.operations import Operations
from agent.reader import Reader
from agent.signals import (
    at_fork,
    is_gevent,
    is_in_event_loop,
    main_greenlet,
    set_signals,
)
from agent.standard_library import hold
from agent.surroundings import OWN
from agent.threads import Pool
from agent.wire import exit_disconnected, interrupted, packed

# How often a call is passed to the event loop at most.
PASS_TRIES = 3


class Agent(Forking):
    """Answers requests in order on the main thread, and listens for interruptions on another.

    One request is carried out at a time, in the order in which they are read from the doors,
    unless there are threads for them.
    """

    def __init__(self, *fds: 'int') -> 'None':
        Forking.__init__(self)
        pairs = zip(fds[::2], fds[1::2])
        self.doors = [Door(place, *pair) for place, pair in enumerate(pairs)]
        # The one whose request is carried out; no other has a request in its inbox.
        self.door = self.doors[0]
        self.inbound = Inbound(self.doors)
        self.operations = Operations(self)
        # Where the main thread's requests come from.
        self.source = self.receive
        self.event_loop = EventLoop(self)
        self.pool: 'Pool | None' = None
        self.reader: 'Reader | None' = None
        # What a signal handler of the object's raised in the agent's own frames.
        self.stray: 'BaseException | None' = None
        # The exit status, once the process is to end.
        self.ending: 'int | None' = None

    def serve(self):
        # A signal handler of the object's may raise in the agent's own frames; step() then
        # resumes. The innermost loop is not left otherwise, and the outermost one is for an
        # exception that is raised while another is handled.
        while True:
            try:
                while True:
                    try:
                        while True:
                            self.step()
                    except BaseException as error:
                        self.stray = error
            except BaseException as error:
                self.stray = error

    def step(self):
        if self.ending is not None:
            if self.taken_over.acquire(False):
                self.tidy()
                self.end(self.ending)
            # The listener has begun to end the process.
            time.sleep(self.end_seconds)
        door = self.door
        request, rest = door.inbox
        if request is None:
            self.stray = None
            if not self.source():
                self.ending = self.ending or 0
                return
            door = self.door
            request, rest = door.inbox
            assert request is not None, 'it has just been received'
        if request.frame is None:
            request.frame = self.answer(request)
        self.running = None
        if request.frame:
            self.send(request)
        if request.number:
            # In this order: see `interrupt`.
            door.answered = request.number
            door.owners.pop(request.number, None)
        # The listener may still hold the request, if an interruption came too late.
        request.frame = b''
        door.inbox = None, rest

    def receive(self, is_last=False):
        """Reads until there is a request; returns False at the end of the daemon's door.

        In the end, what has come through the other door before is still read.
        """
        while True:
            for door in self.doors:
                found = door.first()
                if found is not None:
                    if found[0] is None:
                        self.ending = os.EX_PROTOCOL
                        return False
                    self.door = door
                    door.inbox = found
                    return True
            if self.doors[0].is_read_out:
                if self.doors[0].has_part_of_frame():
                    self.ending = os.EX_PROTOCOL
                if not is_last or not self.inbound.read_at_once():
                    return False
            else:
                self.inbound.read()

    def tidy(self):
        """Releases objects and closes iterators, as requested before the end.

        The listener bounds the time that this takes.
        """
        while True:
            door = self.door
            request, rest = door.inbox
            if request is None:
                if not self.source(is_last=True):
                    wait_until(self.event_loop.is_quiet, time.monotonic() + self.end_seconds)
                    return
                continue
            if is_tidying(request):
                attempt(lambda request=request: self.answer(request), None)
            door.inbox = None, rest

    def send(self, request):
        try:
            request.door.wire.write(request.frame, request.progress)
        except OSError as error:
            if not isinstance(error, ConnectionError):
                exit_disconnected(error)
            # The daemon is gone; the listener notices it too.
            self.ending = 0

    def answer(self, request):
        """Carries out a request and returns its frame, which is empty if no answer is due."""
        # Set before the request is claimed, so that the listener, when it finds the claim,
        # finds the request here.
        self.running = request
        if request.number and request.door.owners.setdefault(request.number, 'main') != 'main':
            # The listener still looks whether this is its claim.
            request.door.owners[request.number] = ['seen']
            if request.operation == 'release':
                # Withdrawn while the other door's request ran, but no handle may be lost.
                self.release(request)
            return b''
        if request.operation == 'release':
            return self.release(request)
        try:
            try:
                frame, sent = self.perform(request)
            except (Failure, Interrupted, Deferred):
                raise
            except BaseException as error:
                if self.is_copy or not self.is_told:
                    self.end_copy(error)
                frame, sent = self.raised(request, error), ()
        except Failure as failure:
            details = (failure.code, failure.message)
            frame, sent = packed(request.number, 'failed', details), ()
        except Interrupted:
            frame, sent = interrupted(request.number), ()
        except Deferred as deferred:
            frame, sent = self.defer(request, deferred), ()
        if self.is_copy or not self.is_told:
            self.end_copy(None)
        request.payload = None
        OWN.parts = request.parts = ()
        if sent:
            self.operations.objects.keep(sent, request.door.place)
        return frame

    def release(self, request):
        if not request.begun:
            request.begun = True
            try:
                self.let_go(request)
            except BaseException:
                # It took too long and was interrupted.
                pass
        return packed(request.number, 'value', None) if request.number else b''

    def let_go(self, request):
        self.operations.objects.release(request.door.place, *request.payload)

    def perform(self, request):
        """Runs all of a request that may run the object's code, except `raised`.

        Interrupted is raised only below these two and below `let_go`.
        """
        if self.wanted is request:
            self.wanted = None
            raise Interrupted()
        if request.begun:
            # A signal handler of the object's raised after the call had begun, outside of the
            # call's frames.
            stray, self.stray = self.stray, None
            try:
                assert stray is not None, 'only a stray exception makes a request begin twice'
                raise stray
            finally:
                # Its traceback holds this frame.
                del stray
        request.begun = True
        try:
            OWN.parts = request.parts
            if request.operation == 'call':
                payload, encoding = self.operations.call(request.payload)
            else:
                payload, encoding = self.operations.perform(request.operation, request.payload)
            beside, sent = (encoding.beside, encoding.sent) if encoding else ((), ())
            return packed(request.number, 'value', payload, beside), sent
        finally:
            self.flush()

    def raised(self, request, error):
        """The frame that reports an exception, however hostile the exception is."""

        def report():
            details = ExceptionReport(self.operations.depth).of(error)
            return packed(request.number, 'raised', details)

        frame = attempt(report, None)
        if frame is not None:
            return frame
        return packed(request.number, 'raised', unreportable(error))

    def on_signal(self, number, frame):
        """Raises Interrupted only below `perform`, `raised` or `let_go` of the wanted call.

        Each of these is called in one place only, inside of a try that catches what is raised
        there. While one of them is on the stack, `running` is the call that it belongs to. So
        the exception escapes neither into the loop nor into another call.
        """
        if self.wanted is None or self.wanted is not self.running:
            return
        if is_interruptible(frame):
            self.wanted = None
            raise (LoopInterrupted if is_in_event_loop() else Interrupted)()
        main = attempt(main_greenlet, None)
        if main is None or not is_interruptible(main.gr_frame):
            return
        # The call waits in another greenlet than the one that got the signal.
        self.wanted = None
        if is_gevent(frame):
            # Its hub prints what is raised there. It goes on from here when a later call
            # switches to it, and looks at its timers anew.
            main.throw(Interrupted)
        else:
            # The greenlet ends, and its hub raises it in the call, as it does KeyboardInterrupt.
            raise LoopInterrupted()

    def defer(self, request, deferred):
        """Passes a request to the event loop, which answers it."""
        call = AwaitedCall(self.event_loop, request, deferred.with_traceback(None))
        number, door = call.request.number, request.door
        # Whatever a signal handler of the object's raises meanwhile, the request is passed on.
        for _ in range(PASS_TRIES):
            try:
                if number:
                    door.owners[number] = call
                    door.answered = number
                    request.number = 0
                    if self.reader is None:
                        self.post(door, packed(number, 'begun', None))
                self.event_loop.post(call)
                break
            except BaseException as error:
                self.stray = error
        else:
            call.outcome = packed(number, 'failed', ('closed', 'the event loop is closed')), ()
            self.event_loop.end(call)
        if self.wanted is request:
            self.wanted = None
            call.interrupt()
        return b''

    # --- threads ---

    def use_threads(self, limit):
        """Has calls carried out by up to so many threads, once the hello has been answered."""
        self.pool = Pool(self, limit)
        self.source = self.start_reader

    def start_reader(self, is_last=False):
        self.reader = Reader(self, self.pool)
        self.source = self.reader.receive
        _thread.start_new_thread(self.reader.run, ())
        return self.source(is_last)

    def threaded_answer(self, request):
        """As `answer`, on another thread; returns the frame and what stays of its objects."""
        try:
            try:
                frame, sent = self.performed(request)
            except (Failure, Interrupted, Deferred):
                raise
            except BaseException as error:
                if self.is_copy or not self.is_told:
                    self.end_copy(error)
                frame, sent = self.raised(request, error), ()
        except Failure as failure:
            details = (failure.code, failure.message)
            frame, sent = packed(request.number, 'failed', details), ()
        except Deferred as deferred:
            # Its traceback holds this frame, and what the object has returned.
            frame, sent = deferred.with_traceback(None), ()
        if self.is_copy or not self.is_told:
            self.end_copy(None)
        return frame, sent

    def performed(self, request):
        OWN.parts = request.parts
        try:
            payload, encoding = self.operations.carry_out(request.operation, request.payload)
            beside, sent = (encoding.beside, encoding.sent) if encoding else ((), ())
            return packed(request.number, 'value', payload, beside), sent
        finally:
            self.flush()

    def post(self, door, frame):
        """Sends what is not the end of a request that a thread carries out."""
        message = Request(door, 0, '', None, ())
        message.frame = frame
        self.send(message)

    def finish(self, request, frame, sent):
        """Sends an answer from another thread than the main one."""
        request.payload = None
        OWN.parts = request.parts = ()
        if sent:
            self.operations.objects.keep(sent, request.door.place, OWN.is_on_loop)
        request.frame = frame
        if frame:
            self.send(request)
        if request.number:
            request.door.owners.pop(request.number, None)


def is_interruptible(frame):
    while frame is not None and id(frame.f_code) not in INTERRUPTIBLE:
        frame = frame.f_back
    return frame is not None


INTERRUPTIBLE = frozenset(
    map(id, (Agent.perform.__code__, Agent.raised.__code__, Agent.let_go.__code__))
)


def serve(*fds):
    """Takes over the main thread for good."""
    agent = Agent(*fds)
    at_fork(agent.forked)
    set_signals(agent.on_signal)
    _thread.start_new_thread(agent.listen, ())
    agent.serve()


# From here on, nothing that the object replaces is looked up.
hold(globals())
