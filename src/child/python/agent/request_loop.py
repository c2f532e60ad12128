"""The loop that answers requests, the thread that interrupts it, and the end."""

import _thread
import marshal
import os
import signal
import sys
import time
import traceback

from agent.exceptions import ExceptionReport, traceback_of
from agent.failure import Failure, Interrupted, attempt
from agent.inspection import bases, is_a, type_name
from agent.operations import Operations
from agent.wire import Wire, exit_disconnected, packed, raised_here, split

# A real-time signal has no meaning of its own. The C library takes some at the beginning of
# their range, and tools take the last ones; nobody uses those between unless asked to.
INTERRUPT_SIGNAL = signal.SIGRTMAX - 3
END_SECONDS = 0.8
TAKE_OVER_SECONDS = 0.3


class Request:
    """A request, with all that is needed to resume it after an exception anywhere."""

    def __init__(self, number: 'int', operation: 'str', payload) -> 'None':
        self.number = number
        self.operation = operation
        self.payload = payload
        self.begun = False
        self.frame: 'bytes | None' = None
        self.progress: 'list[int]' = []


def is_tidying(request):
    if request.operation == 'release':
        return True
    payload = request.payload
    is_operator = request.operation == 'operate' and type(payload) is dict
    return is_operator and payload.get('operator') == 'close'


class Agent:
    """Answers requests in order on the main thread, and listens for interruptions on another."""

    def __init__(self, fd: 'int', urgent: 'int') -> 'None':
        self.pid = os.getpid()
        self.wire = Wire(fd)
        self.urgent = Wire(urgent)
        self.operations = Operations()
        # The current request, and the bytes read beyond it; always assigned together.
        self.inbox: 'tuple[Request | None, list[bytes]]' = (None, [])
        self.is_read_out = False
        # Which thread has a request, by the request's number: the first that claims it, in one
        # atomic step.
        self.owners: 'dict[int, str]' = {}
        # The number of the last answered request. The numbers grow.
        self.answered = 0
        # The request that runs, and the running request that is to be interrupted.
        self.running: 'Request | None' = None
        self.wanted: 'Request | None' = None
        # What a signal handler of the object's raised in the agent's own frames.
        self.stray: 'BaseException | None' = None
        # The exit status, once the process is to end.
        self.ending: 'int | None' = None
        self.taken_over = _thread.allocate_lock()
        self.main_thread = _thread.get_ident()

    # --- the listening thread ---

    def listen(self):
        status = os.EX_PROTOCOL
        parts: 'list[bytes]' = []
        try:
            while True:
                found = split(parts)
                if found is None:
                    self.urgent.read(parts)
                    if not parts[-1]:
                        status = 0
                        break
                    continue
                body, parts = found
                _, operation, number = marshal.loads(body)
                if operation == 'interrupt':
                    self.interrupt(number)
        except OSError:
            # The daemon died, which is a normal end.
            status = 0
        except BaseException:
            pass
        self.end_from_listener(status)

    def interrupt(self, number):
        if number <= self.answered:
            return
        owner = self.owners.setdefault(number, 'listener')
        if owner == 'listener':
            if number <= self.answered:
                # The main thread has just answered the request and given it up.
                del self.owners[number]
                return
            self.owners[number] = 'answered'
            message = 'the request was withdrawn before it began'
            self.wire.write(packed(number, 'failed', ('interrupted', message)), [])
        elif owner == 'main':
            running = self.running
            if running is not None and running.number == number:
                self.wanted = running
                signal.pthread_kill(self.main_thread, INTERRUPT_SIGNAL)

    def end_from_listener(self, status):
        """Ends the process: on the main thread if that responds in time, else from here."""
        end = time.monotonic() + END_SECONDS
        self.ending = status
        running = self.running
        if running is not None and not is_tidying(running):
            self.wanted = running
            signal.pthread_kill(self.main_thread, INTERRUPT_SIGNAL)
        wait_until(self.taken_over.locked, time.monotonic() + TAKE_OVER_SECONDS)
        if self.taken_over.acquire(False):
            _thread.start_new_thread(self.end, (status,))
        wait_until(lambda: False, end)
        os._exit(status)

    def end(self, status):
        try:
            import atexit

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
            time.sleep(END_SECONDS)
        request, rest = self.inbox
        if request is None:
            self.stray = None
            if not self.receive():
                self.ending = self.ending or 0
            return
        if request.frame is None:
            request.frame = self.answer(request)
        self.running = None
        if request.frame:
            self.send(request)
        self.finish(request)
        self.inbox = None, rest

    def receive(self):
        """Reads until there is a request; returns False at the end."""
        _, parts = self.inbox
        while not self.is_read_out:
            found = split(parts)
            if found is not None:
                request = parsed(found[0])
                if request is None:
                    self.ending = os.EX_PROTOCOL
                    return False
                self.inbox = request, found[1]
                return True
            self.wire.read(parts)
            self.is_read_out = parts[-1:] == [b'']
        if any(parts):
            self.ending = os.EX_PROTOCOL
        return False

    def finish(self, request):
        """Records that a request has been answered."""
        if request.number:
            # In this order: see `interrupt`.
            self.answered = request.number
            self.owners.pop(request.number, None)
        # The listener may still hold the request, if an interruption came too late.
        request.frame = b''

    def tidy(self):
        """Releases objects and closes iterators, as requested before the end.

        The listener bounds the time that this takes.
        """
        while True:
            request, rest = self.inbox
            if request is None:
                if not self.receive():
                    return
                continue
            if is_tidying(request):
                attempt(lambda request=request: self.answer(request), None)
            self.inbox = None, rest

    def send(self, request):
        try:
            self.wire.write(request.frame, request.progress)
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
        if request.number and self.owners.setdefault(request.number, 'main') != 'main':
            return b''
        if request.operation == 'release':
            return self.release(request)
        try:
            try:
                frame, sent = self.perform(request)
            except (Failure, Interrupted):
                raise
            except BaseException as error:
                self.end_copy(error)
                frame, sent = self.raised(request, error), ()
        except Failure as failure:
            details = (failure.code, failure.message)
            frame, sent = packed(request.number, 'failed', details), ()
        except Interrupted:
            details = ('interrupted', 'the call was interrupted while it ran')
            frame, sent = packed(request.number, 'failed', details), ()
        self.end_copy(None)
        request.payload = None
        self.operations.objects.keep(sent)
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
        self.operations.objects.release(*request.payload)

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
            payload, sent = self.operations.perform(request.operation, request.payload)
            return packed(request.number, 'value', payload), sent
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
        name = type_name(type(error))
        return packed(request.number, 'raised', {
            'type': name, 'mro': [type_name(base) for base in bases(type(error))],
            'message': '<it could not be reported>', 'args': [], 'attributes': {}, 'notes': [],
            'cause': None, 'context': None, 'suppress_context': False, 'group': None,
            'omitted': 0, 'traceback': name + '\n', 'stack': '', 'location': None,
        })

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
            raise Interrupted()

    def flush(self):
        for name in ('stdout', 'stderr'):
            try:
                stream = getattr(sys, name, None)
                if stream is not None:
                    stream.flush()
            except Interrupted:
                raise
            except BaseException:
                # The object may have replaced the stream by anything.
                pass

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
                attempt(lambda: traceback.print_exception(*details), None)
        attempt(self.flush, None)
        os._exit(status)

    def forked(self):
        for wire in (self.wire, self.urgent):
            # Once only: in a copy of the copy the number may be that of one of the object's
            # files.
            fd, wire.fd = wire.fd, None
            if fd is not None:
                attempt(lambda fd=fd: os.close(fd), None)


INTERRUPTIBLE = frozenset(
    map(id, (Agent.perform.__code__, Agent.raised.__code__, Agent.let_go.__code__))
)


def parsed(body):
    """A request, or None if the bytes are not one."""
    try:
        number, operation, payload = marshal.loads(body)
    except (ValueError, EOFError, TypeError) as error:
        if not raised_here(error):
            raise
        return None
    is_request = type(number) is int and type(operation) is str
    return Request(number, operation, payload) if is_request else None


def wait_until(reached, end):
    while not reached() and time.monotonic() < end:
        time.sleep(0.01)


def serve(fd, urgent):
    """Takes over the main thread for good."""
    agent = Agent(fd, urgent)
    if hasattr(os, 'register_at_fork'):
        os.register_at_fork(after_in_child=agent.forked)
    signal.signal(INTERRUPT_SIGNAL, agent.on_signal)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (INTERRUPT_SIGNAL,))
    _thread.start_new_thread(agent.listen, ())
    agent.serve()
