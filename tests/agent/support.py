"""A daemon for tests: starts an interpreter and talks to the agent over its sockets.

OAD_PYTHON names the interpreter under test; the default is the one that runs the tests.
"""

import marshal
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(HERE, '..', '..', 'src', 'child', 'python')
PYTHON = os.environ.get('OAD_PYTHON', sys.executable)
# Far longer than anything takes on a loaded machine, and far shorter than what hangs here.
TIMEOUT = 30

# A shell starts background jobs with SIGINT ignored, and every interpreter under test would
# inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def source(name):
    with open(os.path.join(SOURCES, name), encoding='utf-8') as file:
        return file.read()


def agent_modules():
    """The names of the agent's modules in the order in which the daemon joins them."""
    return re.findall(r'include_str!\("(agent/\w+\.py)"\)', source('agent.rs'))


def agent():
    """The text that the daemon sends, joined as in `agent.rs`."""
    kept, is_import = [], False
    for line in ''.join(map(source, agent_modules())).splitlines(True):
        is_dropped = is_import or line.startswith('from agent.')
        is_import = is_dropped and line.rstrip().endswith(('(', ','))
        if not is_dropped:
            kept.append(line)
    return ''.join(kept)


BOOTSTRAP = source('bootstrap.py')
AGENT = agent()
# What builds of Python have made of it.
COMPILED = {}


class Raised(Exception):
    """An exception of the object's, as the agent reports it."""

    def __init__(self, report):
        Exception.__init__(self, report['traceback'])
        self.report = report
        others = report.get('others', [])
        for entry in others + [report]:
            for link in ('cause', 'context'):
                entry[link] = others[entry[link] - 1] if entry[link] else None
            if entry['group'] is not None:
                entry['group'] = [others[place - 1] for place in entry['group']]


class Failed(Exception):
    """A request that the agent refused or could not carry out."""

    def __init__(self, code, message):
        Exception.__init__(self, code, message)
        self.code = code
        self.message = message


class Daemon:
    """Plays the daemon: starts an interpreter, sends requests, receives answers and output."""

    def __init__(
        self, python=PYTHON, hello=True, env=None, cwd=None, before=(), path=(), doors=1,
        threads=0
    ):
        pairs = [socket.socketpair() for _ in range(2 * doors)]
        theirs = [pair[1] for pair in pairs]
        fds = [end.fileno() for end in theirs]
        self.socket, self.urgent = pairs[0][0], pairs[1][0]
        # The parent's ends of its door, if there is one.
        self.parent = [pair[0] for pair in pairs[2:]]
        self.fd = fds[0]
        self.socket.settimeout(TIMEOUT)
        environment = dict(os.environ, PYTHONSAFEPATH='oad')
        environment.update(env or {})
        self.process = subprocess.Popen(
            [python]
            + list(before)
            + ['-u', '-B', '-c', BOOTSTRAP]
            + [str(fd) for fd in fds],
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=cwd,
        )
        for end in theirs:
            end.close()
        self.output = {'stdout': b'', 'stderr': b''}
        self.drains = [
            threading.Thread(target=self.drain, args=(name,), daemon=True) for name in self.output
        ]
        for drain in self.drains:
            drain.start()
        self.next_id = 0
        self.answers = {}
        # The requests that are known to have begun.
        self.begun = set()
        self.version = self.receive_frame()
        if hello:
            self.send_agent()
            hello = {'depth': 32, 'path': list(path), 'threads': threads}
            self.info = self.ask('hello', hello)

    def send_agent(self):
        """Sends the agent: its text once for each build of Python, and then what that made."""
        build = self.version[2][-1]
        if build in COMPILED:
            self.send_frame(COMPILED[build])
            return
        self.send_frame(AGENT)
        number, word, COMPILED[build] = self.receive_frame()
        assert (number, word) == (0, 'compiled'), word

    def drain(self, name):
        stream = getattr(self.process, name)
        while True:
            part = os.read(stream.fileno(), 65536)
            if not part:
                return
            self.output[name] = (self.output[name] + part)[-1 << 20 :]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for drain in self.drains:
            drain.join(5)
        self.process.stdout.close()
        self.process.stderr.close()

    def close(self):
        for end in [self.socket, self.urgent] + self.parent:
            end.close()

    def interrupt(self, number):
        self.urgent.sendall(marshal_frame((0, 'interrupt', number)))

    def objects(self):
        """Asks the listening thread for the objects, and waits for its answer."""
        self.urgent.settimeout(TIMEOUT)
        self.urgent.sendall(marshal_frame((7, 'objects', {})))
        data = b''
        while len(data) < 4 or len(data) < 4 + struct.unpack('<I', data[:4])[0]:
            part = self.urgent.recv(65536)
            assert part, 'the interpreter has ended'
            data += part
        return marshal.loads(data[4:])

    def send_frame(self, x, parts=()):
        self.socket.sendall(marshal_frame(x, parts))

    def receive(self, count):
        parts = []
        while count:
            part = self.socket.recv(min(count, 1 << 20))
            if not part:
                raise EOFError('the interpreter has ended: {!r}'.format(self.output))
            parts.append(part)
            count -= len(part)
        return b''.join(parts)

    def receive_number(self):
        return struct.unpack('<I', self.receive(4))[0]

    def receive_frame(self):
        length, lengths = self.receive_number(), []
        if length >> 31:
            lengths = [self.receive_number() for _ in range(self.receive_number())]
        body = marshal.loads(self.receive(length & 0x7FFFFFFF))
        return with_parts(body, [self.receive(length) for length in lengths])

    def send(self, operation, payload):
        if operation == 'call' and type(payload) is dict:
            # A call is a tuple; here the names of its parts are easier to read.
            parts = {'name': None, 'args': [], 'kwargs': None, 'returns': 'default'}
            parts.update(payload)
            names = ('target', 'name', 'args', 'kwargs', 'returns')
            payload = tuple(parts[name] for name in names)
        self.next_id += 1
        self.send_frame((self.next_id, operation, payload))
        return self.next_id

    def read_arrived(self):
        """Reads what has come, so that the interpreter can go on writing."""
        while select.select([self.socket], [], [], 0)[0]:
            self.read_answer()

    def read_answer(self):
        answered, status, payload = self.receive_frame()
        if status == 'begun':
            self.begun.add(answered)
            return
        assert answered not in self.answers, 'answered twice'
        self.answers[answered] = status, payload

    def answer(self, number):
        while number not in self.answers:
            self.read_answer()
        status, payload = self.answers.pop(number)
        if status == 'raised':
            raise Raised(payload)
        if status == 'failed':
            raise Failed(*payload)
        return payload

    def ask(self, operation, payload):
        return self.answer(self.send(operation, payload))

    def make(self, module, name, *args, **kwargs):
        definition = {
            'kind': 'instance',
            'module': module,
            'name': name,
            'args': list(args),
            'kwargs': kwargs,
        }
        return self.ask('make', definition)[2]

    def value(self, x):
        return self.ask('make', {'kind': 'value', 'value': x})[2]

    def script(self, text, name=None):
        return self.ask('make', {'kind': 'script', 'source': text, 'name': name})[2]

    def call(self, target, name, *args, **kwargs):
        returns = kwargs.pop('returns', 'default')
        args = list(args)
        return self.ask('call', (target, name, args, kwargs or None, returns))

    def get(self, target, name, returns='default'):
        return self.ask('get', {'target': target, 'name': name, 'returns': returns})

    def set(self, target, name, value):
        return self.ask('set', {'target': target, 'name': name, 'value': value})

    def operate(self, operator, *operands, **options):
        returns = options.get('returns', 'default')
        return self.ask(
            'operate', {'operator': operator, 'operands': list(operands), 'returns': returns}
        )

    def release(self, number, count=0):
        self.send('release', (number, count))


def marshal_frame(x, parts=()):
    body = marshal.dumps(x, 2)
    if not parts:
        return struct.pack('<I', len(body)) + body
    lengths = [len(body) | 1 << 31, len(parts)] + list(map(len, parts))
    return b''.join([struct.pack('<I', length) for length in lengths] + [body] + parts)


def with_parts(x, parts):
    """What came beside an object, in its place."""
    if kind(x) == 'bytes':
        return parts[x[2]]
    if kind(x) == 'text':
        return parts[x[2]].decode('utf-8', 'surrogatepass')
    if type(x) in (list, tuple):
        return type(x)(with_parts(item, parts) for item in x)
    if type(x) is dict:
        return {with_parts(key, parts): with_parts(item, parts) for key, item in x.items()}
    return x


def wait_for(reached, seconds=TIMEOUT):
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end:
            raise AssertionError('it did not happen within {} s'.format(seconds))
        time.sleep(0.005)


def handle(number):
    return (Ellipsis, 'handle', number)


def kind(marker):
    return marker[1] if type(marker) is tuple and marker and marker[0] is Ellipsis else None


class Case(unittest.TestCase):
    """One interpreter for a class of tests."""

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.__exit__()

    def run_text(self, text, name=None):
        return self.daemon.script(textwrap.dedent(text), name)

    def raises(self, function, *args, **kwargs):
        with self.assertRaises(Raised) as caught:
            function(*args, **kwargs)
        return caught.exception.report

    def fails(self, code, function, *args, **kwargs):
        with self.assertRaises(Failed) as caught:
            function(*args, **kwargs)
        self.assertEqual(caught.exception.code, code)
        return caught.exception.message

    def echo(self, x):
        """A value to the interpreter and back."""
        number = self.daemon.value(x)
        module = self.daemon.ask('make', {'kind': 'object', 'module': 'builtins', 'name': 'list'})[
            2
        ]
        got = self.daemon.operate(
            'getitem', self.daemon.call(module, None, [handle(number)], returns='handle'), 0
        )
        self.daemon.release(number)
        return got

    def evaluate(self, text, returns='default', before=''):
        module = self.run_text(before + '\ndef f():\n    return ' + text + '\n')
        return self.daemon.call(module, 'f', returns=returns)
