"""Signals: what each does in an interpreter, and in a forked copy of it.

Every signal has its default, whatever the parent of the process ignores or blocks. Three are left
to the daemon. SIGTERM and SIGHUP come to all processes of a service that is to end, and SIGINT to
all of a terminal. The daemon then lets the calls that run end within its grace.
"""

import _thread
import os
import signal

from agent.failure import attempt
from agent.standard_library import MODULES

# A real-time signal has no meaning of its own. The C library takes some at the beginning of
# their range, and tools take the last ones; nobody uses those between unless asked to.
INTERRUPT_SIGNAL = signal.SIGRTMAX - 3
DEFAULTS: 'dict' = {
    signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
}
# Python ignores these itself.
IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)
OWN_PID = os.getpid()
# By thread, the mask that it had before a fork.
MASKS: 'dict' = {}


def is_in_event_loop():
    """Whether an event loop runs on this thread, of asyncio or of what takes its place."""
    events = MODULES.get('_asyncio') or MODULES.get('asyncio.events')
    if events is None:
        return False
    return attempt(lambda: events._get_running_loop() is not None, False)


def main_greenlet():
    """The greenlet that this thread began with, if another one runs; None without greenlets."""
    module = MODULES.get('greenlet')
    if module is None:
        return None
    current = main = module.getcurrent()
    while main.parent is not None:
        main = main.parent
    return None if main is current else main


def is_gevent(frame):
    """Whether code of gevent runs, which waits for what wakes a greenlet."""
    module = frame.f_globals.get('__name__')
    return type(module) is str and module.split('.')[0] == 'gevent'


def leave_to_daemon(number, frame):
    """Does nothing. Unlike SIG_IGN, a handler is not inherited by what the object starts.

    A forked copy has the default again, and gets the signal once more if it came too early.
    """
    if os.getpid() != OWN_PID:
        restore_signals()
        os.kill(os.getpid(), number)


def restore_signals():
    """Gives the signals that are left to the daemon their defaults, in a forked copy."""
    for number, default in DEFAULTS.items():
        if signal.getsignal(number) is leave_to_daemon:
            signal.signal(number, default)


def block_signals():
    """Before a fork: a signal that comes to the copy at once is not to be lost there."""
    MASKS[_thread.get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, DEFAULTS)


def unblock_signals():
    mask = MASKS.pop(_thread.get_ident(), None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def set_signals(on_interrupt):
    for number in range(1, signal.NSIG):
        handler = attempt(lambda number=number: signal.getsignal(number), None)
        if handler == signal.SIG_IGN and number not in IGNORED:
            signal.signal(number, signal.SIG_DFL)
    for number in DEFAULTS:
        signal.signal(number, leave_to_daemon)
        # System calls go on.
        signal.siginterrupt(number, False)
    signal.signal(INTERRUPT_SIGNAL, on_interrupt)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def at_fork(in_child):
    """Has `in_child` called in each forked copy, before anything else there."""

    def first():
        attempt(restore_signals, None)
        attempt(in_child, None)
        attempt(unblock_signals, None)

    if hasattr(os, 'register_at_fork'):
        os.register_at_fork(
            before=block_signals, after_in_parent=unblock_signals, after_in_child=first
        )
        return

    def reported(fork):
        def function():
            block_signals()
            try:
                result = fork()
                if result == 0 or (type(result) is tuple and result[0] == 0):
                    first()
            finally:
                unblock_signals()
            return result

        return function

    # 3.6 reports no forks. The object's own functions are replaced, not the agent's copies.
    MODULES['os'].fork = reported(os.fork)  # type: ignore[attr-defined]
    MODULES['os'].forkpty = reported(os.forkpty)  # type: ignore[attr-defined]
