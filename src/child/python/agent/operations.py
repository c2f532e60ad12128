"""What the daemon can ask for."""

import builtins
import os
import signal
import sys
import time
from functools import partial

from agent.decoding import Decoding
from agent.description import described
from agent.encoding import ALL_MODES, AWAIT, ENCODE, MODES, Encoding
from agent.failure import Deferred, Failure, Interrupted, attempt
from agent.inspection import (
    IMPORTED_FOR_TYPES,
    INT_ID,
    SCALAR_IDS,
    SMALL_IDS,
    is_a,
    is_awaitable,
    is_coroutine,
)
from agent.kept import outcome_of
from agent.names import imported, module_from_file, module_from_script, reach, reach_parent
from agent.objects import ObjectTable
from agent.operators import OF_TEXT, fitting_operator, is_asynchronous_form
from agent.standard_library import FIND_SPEC, MODULES, WORLD, is_shadowed, standard
from agent.steps import chained
from agent.surroundings import CALL_FROM_SLOT, OWN, as_main
from agent.wire import FRAME_LIMIT

# An integer below is small in any form.
SMALL_INT = 1 << 63
# Iterators whose items are there already. Only these are asked for several at once.
WALKED: 'tuple' = (
    [], (), range(0), range(1 << 70), '', '\xe9', b'', bytearray(), {}, {}.values(), {}.items(),
    set(), reversed([]),
)
WALKER_IDS = frozenset(id(type(iter(x))) for x in WALKED)
# An operation with this in front runs on the main thread, also where there are others.
ON_MAIN = 'main '
# Imported before other threads run the object's code, for which a later import would change the
# path.
USED_LATER = ('datetime', 'decimal', 'inspect', 'uuid')
BATCH_SECONDS = 0.002
BATCH_BYTES = 65536


class Interpreter:
    """Stands for the interpreter itself."""

    def __init__(self):
        self.pid, self.executable = os.getpid(), sys.executable
        self.version = '.'.join(map(str, sys.version_info[:3]))

    def __repr__(self):
        return '<Python {} at {}>'.format(self.version, self.executable)


class Operations:
    """One method for each operation.

    Each returns what marshal may see, and leaves in the encoding what stays.
    """

    def __init__(self, agent):
        self.agent = agent
        self.objects = ObjectTable()
        self.depth = 32
        self.limit = FRAME_LIMIT
        self.scripts = []
        self.by_name = {
            'hello': self.hello, 'make': self.make, 'get': self.get, 'set': self.set,
            'delete': self.delete, 'operate': self.operate, 'iterate': self.iterate,
            'describe': self.describe, 'objects': self.listing,
        }

    def perform(self, operation, payload):
        """The encoded result, and the encoding of what travels beside it."""
        OWN.slot.clear()
        function = self.by_name.get(operation)
        if function is None:
            if operation[: len(ON_MAIN)] == ON_MAIN:
                # There are no other threads.
                return self.carry_out(operation[len(ON_MAIN) :], payload)
            raise Failure('no_such_operation', 'there is no operation {!r}'.format(operation))
        if type(payload) is not dict:
            message = 'the payload of {!r} must be a dict'.format(operation)
            raise Failure('bad_arguments', message)
        mode = payload.get('returns', 'default')
        if mode not in ALL_MODES:
            raise unknown_mode(mode)
        if not OWN.is_on_loop:
            self.pass_to_loop(payload)
        encoding = self.encoding(mode)
        return function(payload, encoding), encoding

    def encoding(self, mode):
        is_awaited = mode[: len(AWAIT)] == AWAIT
        mode = mode[len(AWAIT) :] if is_awaited else mode
        encoding = Encoding(self.objects, mode, self.depth, self.limit)
        encoding.is_awaited = is_awaited
        return encoding

    def result(self, x, encoding):
        """The encoded result, unless it is to be awaited."""
        kind = id(type(x))
        if kind not in SCALAR_IDS and kind not in ENCODE:
            is_handle = encoding.mode in ('handle', 'handle_or_null')
            if is_awaitable(x) if encoding.is_awaited else not is_handle and is_coroutine(x):
                self.agent.event_loop.start()
                raise Deferred(x, encoding)
        return encoding.top(x)

    def pass_to_loop(self, payload):
        """Has the operation carried out on the event loop if its object needs that."""
        number = payload.get('target')
        operands = payload.get('operands')
        if type(operands) is list and operands and type(operands[0]) is tuple:
            first = operands[0]
            number = first[2] if len(first) > 2 and first[1] == 'handle' else None
        entry = self.objects.kept.get(number) if type(number) is int else None
        if entry is not None and (
            entry.is_on_loop or is_asynchronous_form(payload.get('operator'), entry.object)
        ):
            self.agent.event_loop.start()
            raise Deferred()

    def carry_out(self, operation, payload):
        if operation == 'call':
            return self.call(payload)
        return self.perform(operation, payload)

    def decode(self, x):
        return Decoding(self.objects, self.depth, OWN.parts).decode(x)

    def contents(self, x):
        """Decodes arguments; the list or the dict around them does not count as a level."""
        return Decoding(self.objects, self.depth, OWN.parts).decode(x, -1)

    def target(self, payload):
        return self.objects.find(required(payload, 'target'))

    def arguments(self, payload):
        args, kwargs = payload.get('args', []), payload.get('kwargs', {})
        if args:
            args = self.contents(args)
        if kwargs:
            kwargs = self.contents(kwargs)
        if type(args) not in (list, tuple) or type(kwargs) is not dict:
            raise Failure('bad_arguments', '`args` must be a list, and `kwargs` a dict')
        return args, kwargs

    def hello(self, payload, encoding):
        self.depth = payload.get('depth', self.depth)
        self.limit = payload.get('limit', self.limit)
        Encoding.sends_names = payload.get('names') is True
        end_with_parent(payload.get('daemon'))
        before = set(MODULES)
        if payload.get('threads'):
            for name in ('ctypes', 'threading') + USED_LATER:
                attempt(lambda name=name: standard(name), None)
            self.agent.use_threads(payload['threads'])
        # The object may change the directory later.
        entries = [os.path.abspath(os.fsdecode(entry)) for entry in payload.get('path', [])]
        WORLD.path[:0] = entries
        for module in IMPORTED_FOR_TYPES | (set(MODULES) - before):
            if is_shadowed(module, entries):
                # The object means its own, as it would without the agent.
                MODULES.pop(module, None)
        if payload.get('argv') is not None:
            WORLD.argv[:] = payload['argv']
        has_numpy = attempt(lambda: FIND_SPEC('numpy', None) is not None, False)
        return encoding.encode({
            'version': sys.version, 'version_info': list(sys.version_info),
            'executable': sys.executable, 'prefix': sys.prefix, 'base_prefix': sys.base_prefix,
            'implementation': sys.implementation.name, 'pid': os.getpid(), 'numpy': has_numpy,
        })

    def make(self, payload, encoding):
        kind = required(payload, 'kind')
        if kind == 'instance':
            args, kwargs = self.arguments(payload)
            OWN.slot.append(partial(self.named(payload), *args, **kwargs))
            made = CALL_FROM_SLOT()
        elif kind == 'value':
            made = self.decode(required(payload, 'value'))
        elif kind == 'object':
            made = self.named(payload)
        elif kind == 'module':
            made = imported(required(payload, 'module'))
        elif kind == 'file':
            made = module_from_file(os.fsdecode(required(payload, 'path')))
        elif kind == 'interpreter':
            made = Interpreter()
        elif kind == 'script':
            made = module_from_script(required(payload, 'source'), payload.get('name'))
            self.scripts.append(made)
        else:
            raise Failure('bad_arguments', '{!r} is not a kind of definition'.format(kind))
        encoding.mode = 'handle'
        return encoding.stay(made)

    def named(self, payload):
        name, module = required(payload, 'name'), payload.get('module')
        if module is not None:
            return reach(imported(module), name)
        first = name.split('.')[0] if type(name) is str else name
        # As in the scripts themselves, a name of theirs hides a builtin.
        places = self.scripts[::-1] + [builtins]
        place = next((place for place in places if first in place.__dict__), builtins)
        return reach(place, name)

    def call(self, payload):
        """Calls an object or one of its attributes.

        It is what is asked for most, so plain arguments and plain small results are not looked
        at any further.
        """
        if type(payload) is not tuple or len(payload) != 5:
            raise Failure('bad_arguments', 'the payload of a call must be a tuple of 5')
        target, name, args, kwargs, mode = payload
        entry = self.objects.kept.get(target) if type(target) is int else None
        x = entry.object if entry is not None else self.objects.find(target)
        if mode not in ALL_MODES:
            raise unknown_mode(mode)
        if entry is not None and entry.is_on_loop and not OWN.is_on_loop:
            self.agent.event_loop.start()
            raise Deferred()
        if type(args) is not list or (kwargs is not None and type(kwargs) is not dict):
            raise Failure('bad_arguments', '`args` must be a list, and `kwargs` a dict')
        for arg in args:
            if id(type(arg)) not in SCALAR_IDS:
                args = self.contents(args)
                break
        if name is not None:
            if type(name) is str and '.' not in name and '\\' not in name:
                x = as_main(getattr, x, name)
            else:
                x = reach(x, name)
        OWN.slot.append(partial(x, *args, **self.contents(kwargs)) if kwargs else partial(x, *args))
        x = CALL_FROM_SLOT()
        if mode == 'default' or mode == 'value' or mode == 'plain':
            kind = id(type(x))
            if kind in SMALL_IDS or (kind == INT_ID and -SMALL_INT < x < SMALL_INT):
                return x, None
        encoding = self.encoding(mode)
        return self.result(x, encoding), encoding

    def get(self, payload, encoding):
        return self.result(reach(self.target(payload), required(payload, 'name')), encoding)

    def set(self, payload, encoding):
        parent, name = reach_parent(self.target(payload), required(payload, 'name'))
        as_main(setattr, parent, name, self.decode(required(payload, 'value')))

    def delete(self, payload, encoding):
        parent, name = reach_parent(self.target(payload), required(payload, 'name'))
        as_main(delattr, parent, name)

    def operate(self, payload, encoding):
        name = required(payload, 'operator')
        operands = self.contents(required(payload, 'operands'))
        if name == 'chain' and type(operands) in (list, tuple) and operands:
            return self.result(chained(operands[0], operands[1:]), encoding)
        if name == 'keep' and type(operands) in (list, tuple) and len(operands) > 1:
            is_chain, steps = operands[1] is True, operands[2:]
            return outcome_of(operands[0], is_chain, steps, encoding, self.result)
        function = fitting_operator(name, operands)
        if name in OF_TEXT:
            names = self.contents(payload.get('names', {}))
            return self.result(function(*operands, names=names), encoding)
        if is_asynchronous_form(name, operands[0]) and name != 'iter':
            encoding.is_awaited = True
        return self.result(as_main(function, *operands), encoding)

    def iterate(self, payload, encoding):
        """Up to `count` items of an iterator, and whether it has ended.

        It is one item, sent as soon as it is made, unless the iterator only walks through a
        container: the code of any other may wait for something that the caller does next.
        """
        number, count = required(payload, 'target'), required(payload, 'count')
        iterator, kept = self.objects.find(number), self.objects.kept[number]
        if kept.failure is not None:
            failure, kept.failure = kept.failure, None
            raise failure
        if id(type(iterator)) not in WALKER_IDS:
            count = min(count, 1)
            if is_asynchronous_form('next', iterator):
                if not OWN.is_on_loop:
                    self.agent.event_loop.start()
                    raise Deferred()
                raise Deferred(as_main(type(iterator).__anext__, iterator), encoding, True)
        items: 'list' = []
        end, room = time.monotonic() + BATCH_SECONDS, encoding.room
        while len(items) < count:
            mark = len(encoding.sent), len(encoding.beside)
            # Each item is a message of its own.
            encoding.message = encoding.limit
            try:
                items.append(encoding.top(as_main(next, iterator)))
            except StopIteration:
                return items, True
            except BaseException as error:
                if not items or is_a(type(error), Interrupted):
                    raise
                # The items before it are not lost: it is raised when the next are asked for.
                del encoding.sent[mark[0] :], encoding.beside[mark[1] :]
                kept.failure = error
                break
            if time.monotonic() > end or room - encoding.room > BATCH_BYTES:
                break
        return items, False

    def describe(self, payload, encoding):
        return encoding.encode(described(self.target(payload)))

    def listing(self, payload, encoding):
        return encoding.encode(self.objects.listed())


def unknown_mode(mode):
    message = '`returns` must be one of {}, not {!r}'.format(', '.join(MODES), mode)
    return Failure('bad_arguments', message)


def required(payload, key):
    if key not in payload:
        raise Failure('bad_arguments', 'the request lacks {!r}'.format(key))
    return payload[key]


def end_with_parent(daemon):
    """Has the kernel kill this process with its parent, where that is not the daemon itself.

    A wrapper's parent death signal is not inherited by what it starts.
    """
    if daemon is None or os.getppid() == daemon:
        return
    parent = os.getppid()
    try:
        ctypes = standard('ctypes')
        set_death_signal = ctypes.CDLL(None).prctl
        set_death_signal(1, int(signal.SIGKILL), 0, 0, 0)
    except (ImportError, AttributeError, OSError):
        return
    if os.getppid() != parent:
        # The parent died before the call.
        os._exit(0)
