"""The loop that answers requests, the thread that interrupts it, and the end."""

import _thread
import atexit
import marshal
import os
import signal
import time

from agent.doors import Door, Inbound, Request, is_tidying, polling, wait_until
from agent.exceptions import ExceptionReport, traceback_of, unreportable
from agent.failure import Failure, Interrupted, LoopInterrupted, attempt
from agent.inspection import is_a
from agent.operations import Operations
from agent.signals import INTERRUPT_SIGNAL, at_fork, is_in_event_loop, set_signals
from agent.standard_library import WORLD, hold
from agent.surroundings import OWN_TRACEBACK
from agent.wire import exit_disconnected, packed, split

# How long the end may take if the daemon does not say so, because it is dead.
END_SECONDS = 0.8
CUT_SHORT = os.EX_TEMPFAIL
TAKE_OVER_SECONDS = 0.3


class Agent:
    """Answers requests in order on the main thread, and listens for interruptions on another.

    One request is carried out at a time, in the order in which they are read from the doors.
    """

    def __init__(self, *fds: 'int') -> 'None':
        self.pid = os.getpid()
        # Whether this is a forked copy, and whether forks are reported to the agent.
        self.is_copy, self.is_told = False, hasattr(os, 'register_at_fork')
        pairs = zip(fds[::2], fds[1::2])
        self.doors = [Door(place, *pair) for place, pair in enumerate(pairs)]
        # The one whose request is carried out; no other has a request in its inbox.
        self.door = self.doors[0]
        self.inbound = Inbound(self.doors)
        self.operations = Operations()
        # The request that runs, and the running request that is to be interrupted.
        self.running: 'Request | None' = None
        self.wanted: 'Request | None' = None
        # What a signal handler of the object's raised in the agent's own frames.
        self.stray: 'BaseException | None' = None
        # The exit status, once the process is to end.
        self.ending: 'int | None' = None
        self.end_seconds = END_SECONDS
        self.taken_over = _thread.allocate_lock()
        self.main_thread = _thread.get_ident()

    # --- the listening thread ---

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
        if number <= door.answered:
            return
        owner = door.owners.setdefault(number, 'listener')
        if owner == 'listener':
            if number <= door.answered:
                # The main thread has just answered the request and given it up.
                del door.owners[number]
                return
            door.owners[number] = 'answered'
            message = 'the request was withdrawn before it began'
            door.wire.write(packed(number, 'failed', ('interrupted', message)), [])
        elif owner == 'main':
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

    # --- the main thread ---

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
            if not self.receive():
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
                if not self.receive(is_last=True):
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
            if request.operation == 'release':
                # Withdrawn while the other door's request ran, but no handle may be lost.
                self.release(request)
            return b''
        if request.operation == 'release':
            return self.release(request)
        try:
            try:
                frame, sent = self.perform(request)
            except (Failure, Interrupted):
                raise
            except BaseException as error:
                if self.is_copy or not self.is_told:
                    self.end_copy(error)
                frame, sent = self.raised(request, error), ()
        except Failure as failure:
            details = (failure.code, failure.message)
            frame, sent = packed(request.number, 'failed', details), ()
        except Interrupted:
            details = ('interrupted', 'the call was interrupted while it ran')
            frame, sent = packed(request.number, 'failed', details), ()
        if self.is_copy or not self.is_told:
            self.end_copy(None)
        request.payload = None
        self.operations.parts = request.parts = ()
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
            self.operations.parts = request.parts
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
        while frame is not None and id(frame.f_code) not in INTERRUPTIBLE:
            frame = frame.f_back
        if frame is not None:
            self.wanted = None
            raise (LoopInterrupted if is_in_event_loop() else Interrupted)()

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

    # --- forked copies ---

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
