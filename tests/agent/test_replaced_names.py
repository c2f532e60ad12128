"""What the object replaces, hides or looks at does not reach the agent."""

import os
import tempfile
import textwrap
import unittest

from support import Daemon, Failed, Raised, handle, kind, wait_for

MARKERS = {
    'date': (Ellipsis, 'date', 2024, 2, 29),
    'datetime': (Ellipsis, 'datetime', 2024, 2, 29, 1, 2, 3, 4, 0, None),
    'timedelta': (Ellipsis, 'timedelta', 1, 2, 3),
    'time': (Ellipsis, 'time', 1, 2, 3, 4, 1, (3600000000, None)),
    'decimal': (Ellipsis, 'decimal', '1.50'),
    'uuid': (Ellipsis, 'uuid', bytes(range(16))),
    'array': (Ellipsis, 'array', 'array', '<f8', (2,), bytes(16)),
    'slice': (Ellipsis, 'slice', 1, None, 2),
}
SOURCE = """
    import sys
    class Thing:
        'A thing.'
        def echo(self, x): return x
        def fail(self): raise ValueError('it fails', 7)
        def items(self): return (x for x in (1, 2, 3))
        def itself(self): return self
    thing = Thing()
    def replaced(*args, **kwargs): raise RuntimeError('replaced')
    RuntimeError, ValueError, getattr, setattr, callable, dir, type, saved = (
        RuntimeError, ValueError, getattr, setattr, callable, dir, type, [])
    loaded, kinds = dict(sys.modules), (type(sys), type)
    def replace(module, only=None):
        module = loaded[module]
        for name in dir(module):
            value = getattr(module, name)
            if callable(value) and (only is None or name == only):
                saved.append((module, name, value))
        for module, name, _ in saved: setattr(module, name, replaced)
    def restore():
        for module, name, value in saved: setattr(module, name, value)
        saved.clear()
"""


class ReplacedNames(unittest.TestCase):
    def check(self, daemon, thing):
        """Requests of every kind have the right answers."""
        for name, marker in sorted(MARKERS.items()):
            self.assertEqual(daemon.call(thing, 'echo', marker), marker, name)
        for plain in (1, 'x', None, [1, 'two', {'three': 3}], {4, 5}, 1 << 70, [2.5] * 200):
            self.assertEqual(daemon.call(thing, 'echo', plain), plain)
        with self.assertRaises(Raised) as caught:
            daemon.call(thing, 'fail')
        report = caught.exception.report
        self.assertEqual((report['type'], report['args']), ('ValueError', ['it fails', 7]))
        self.assertEqual(report['location'], 'thing.py:6')
        self.assertIn("raise ValueError('it fails', 7)", report['traceback'])
        self.assertIn("raise ValueError('it fails', 7)", report['stack'])
        with self.assertRaises(Failed):
            daemon.call(thing, 'echo', (Ellipsis, 'handle', 1 << 40))
        items = daemon.call(thing, 'items', returns='handle')[2]
        found, ended = daemon.ask('iterate', {'target': items, 'count': 1})[:2]
        self.assertEqual((found, ended), ([1], False))
        daemon.release(items)
        again = daemon.call(thing, 'itself')
        self.assertEqual((kind(again), again[2]), ('handle', thing))
        self.assertEqual(daemon.get(thing, 'echo.__name__'), 'echo')
        described = daemon.ask('describe', {'target': thing})
        self.assertEqual([entry['name'] for entry in described['methods']],
                         ['echo', 'fail', 'items', 'itself'])

    def replaces(self, *names):
        with Daemon() as daemon:
            daemon.script('import inspect, datetime, decimal, uuid, array, traceback, weakref')
            module = daemon.script(textwrap.dedent(SOURCE), 'thing.py')
            thing = daemon.get(module, 'thing')[2]
            self.check(daemon, thing)
            for name in names:
                with self.subTest(name):
                    daemon.call(module, 'replace', *name.split(':'))
                    try:
                        self.check(daemon, thing)
                    finally:
                        daemon.call(module, 'restore')

    def test_all_builtins_at_once(self):
        self.replaces('builtins')

    def test_all_functions_of_a_module_at_once(self):
        self.replaces(
            '_thread', 'array', 'collections', 'datetime', 'decimal', 'enum', 'functools',
            'inspect', 'itertools', 'linecache', 'marshal', 'operator', 'os', 'posixpath',
            'select', 'signal', 'time', 'tokenize', 'traceback', 'types', 'uuid', 'weakref',
        )

    def test_everything_in_all_modules_at_once(self):
        source = textwrap.dedent(SOURCE) + textwrap.dedent("""
            import asyncio, inspect, unittest.mock, uuid
            loaded, own = dict(sys.modules), ('__main__', '__oad_agent__', 'sys', __name__)
            def everything(Exception=Exception):
                for key, module in loaded.items():
                    if module.__class__ is kinds[0] and key not in own and key[:7] != '_frozen':
                        for name in dir(module):
                            try: value = getattr(module, name)
                            except Exception: continue
                            if callable(value): saved.append((module, name, value))
                for module, name, _ in saved: setattr(module, name, replaced)
        """)
        with Daemon() as daemon:
            module = daemon.script(source, 'thing.py')
            thing = daemon.get(module, 'thing')[2]
            self.check(daemon, thing)
            daemon.call(module, 'everything')
            self.check(daemon, thing)
            daemon.call(module, 'restore')
            self.check(daemon, thing)

    def test_types_are_known_whatever_their_names_stand_for(self):
        self.replaces(
            'datetime:date', 'datetime:datetime', 'decimal:Decimal', 'uuid:UUID', 'array:array',
            'builtins:int', 'builtins:str', 'builtins:list', 'builtins:type', 'builtins:id',
        )

    def test_a_replaced_pid_ends_nothing(self):
        with Daemon() as daemon:
            module = daemon.script(
                textwrap.dedent("""
                import os
                from unittest import mock
                def f():
                    with mock.patch('os.getpid', return_value=42): return os.getpid()
                def g():
                    mock.patch('os.getpid', return_value=42).start()
                    raise ValueError
            """)
            )
            self.assertEqual(daemon.call(module, 'f'), 42)
            with self.assertRaises(Raised):
                daemon.call(module, 'g')
            self.assertEqual(daemon.call(module, 'f'), 42)

    def test_modules_that_are_gone_are_still_used(self):
        for text in ('sys.modules.clear()', 'sys.modules = {}', 'sys.path = []', 'sys.path = None',
                     'sys.meta_path.clear()', 'sys.path_hooks.clear()', 'sys.stdout = None'):
            with self.subTest(text), Daemon() as daemon:
                source = textwrap.dedent(SOURCE) + 'def remove(): ' + text + '\n'
                module = daemon.script(source, 'thing.py')
                thing = daemon.get(module, 'thing')[2]
                self.check(daemon, thing)
                daemon.call(module, 'remove')
                self.check(daemon, thing)

    def test_the_end_is_in_order_whatever_is_replaced(self):
        with tempfile.TemporaryDirectory() as folder, Daemon() as daemon:
            path = os.path.join(folder, 'left')
            module = daemon.script(
                textwrap.dedent("""
                import atexit, builtins, os, time, signal, sys, _thread
                open, write = open, os.write
                atexit.register(lambda: open(PATH, 'w').close())
                def lie(*args): raise RuntimeError
                def f():
                    time.sleep = time.monotonic = os._exit = os.read = os.write = lie
                    signal.pthread_kill = _thread.start_new_thread = os.getpid = lie
                    builtins.set = builtins.len = builtins.sum = builtins.isinstance = lie
                    atexit._run_exitfuncs = lie
                    write(1, b'begun')
                    while True: pass
            """).replace('PATH', repr(path)).replace('PATH', repr(path))
            )
            daemon.send('call', {'target': module, 'name': 'f'})
            wait_for(lambda: b'begun' in daemon.output['stdout'])
            daemon.close()
            self.assertEqual(daemon.process.wait(30), 0)
            self.assertTrue(os.path.exists(path))

    def test_an_interruption_arrives_whatever_is_replaced(self):
        with Daemon() as daemon:
            module = daemon.script(
                textwrap.dedent("""
                import builtins, os, signal, time
                def f():
                    for name in ('len', 'id', 'isinstance', 'sum', 'map', 'type', 'getattr'):
                        setattr(builtins, name, None)
                    signal.pthread_kill = os.read = time.monotonic = None
                    os.write(1, b'begun')
                    while True: pass
            """)
            )
            number = daemon.send('call', {'target': module, 'name': 'f'})
            wait_for(lambda: b'begun' in daemon.output['stdout'])
            daemon.interrupt(number)
            with self.assertRaises(Failed) as caught:
                daemon.answer(number)
            self.assertEqual(caught.exception.code, 'interrupted')


class Shadowing(unittest.TestCase):
    """Files of the object's with the names of the standard library."""

    NAMES = (
        'array', 'annotationlib', 'ast', 'atexit', 'collections', 'ctypes', 'dataclasses',
        'datetime', 'decimal', 'dis', 'enum', 'functools', 'importlib', 'inspect', 'itertools',
        'linecache', 'marshal', 'numbers', 'opcode', 'operator', 'platform', 're', 'select',
        'signal', 'sysconfig', 'textwrap', 'time', 'token', 'tokenize', 'traceback', 'types',
        'typing', 'uuid', 'weakref', 'zoneinfo', '_pydatetime', '_pydecimal',
    )

    def folder(self, text, names=NAMES):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name in names:
            with open(os.path.join(folder.name, name + '.py'), 'w') as file:
                file.write(text)
        return folder.name

    def check(self, **options):
        with Daemon(**options) as daemon:
            module = daemon.script(textwrap.dedent(SOURCE), 'thing.py')
            thing = daemon.get(module, 'thing')[2]
            ReplacedNames.check(self, daemon, thing)
            described = daemon.ask('describe', {'target': thing})
            self.assertEqual(described['doc'], 'A thing.')
            self.assertEqual(described['methods'][0]['signature'], '(x)')
            if daemon.info['version_info'] >= [3, 9]:
                marker = MARKERS['datetime'][:-1] + ('Europe/Paris',)
                self.assertEqual(daemon.call(thing, 'echo', marker), marker)

    def test_a_path_entry_with_broken_files_of_all_these_names(self):
        self.check(path=[self.folder('raise SystemExit("it is the wrong file")\n')])

    def test_a_path_entry_with_other_contents(self):
        self.check(path=[self.folder('mine = True\n')])

    def test_the_object_finds_its_own_files(self):
        names = ('decimal', 'inspect', 'uuid', 'array', 'numbers')
        folder = self.folder('mine = __name__\n', names)
        with Daemon(path=[folder]) as daemon:
            thing = daemon.value([1])
            daemon.ask('describe', {'target': thing})
            daemon.call(thing, 'extend', [MARKERS['decimal'], MARKERS['uuid'], MARKERS['array']])
            for name in names:
                module = daemon.ask('make', {'kind': 'module', 'module': name})[2]
                self.assertEqual(daemon.get(module, 'mine'), name)
            daemon.call(thing, 'append', MARKERS['decimal'])
            self.assertEqual(daemon.operate('getitem', handle(thing), -1), MARKERS['decimal'])

    def test_values_are_of_the_types_that_the_object_imports(self):
        with Daemon(path=[self.folder('mine = True\n', ['inspect'])]) as daemon:
            daemon.value(list(MARKERS.values()))
            module = daemon.script(
                'import datetime, decimal, uuid, array\n'
                'def f(*xs): return [isinstance(x, (datetime.date, decimal.Decimal, uuid.UUID, '
                'array.array)) for x in xs]\n'
            )
            names = ('date', 'datetime', 'decimal', 'uuid', 'array')
            found = daemon.call(module, 'f', *[MARKERS[name] for name in names])
            self.assertEqual(found, [True] * 5)


class Surroundings(unittest.TestCase):
    def test_the_frame_that_called_belongs_to_main(self):
        with Daemon() as daemon:
            module = daemon.script(
                textwrap.dedent("""
                import collections, enum, sys
                def caller():
                    frame = sys._getframe(1)
                    return frame.f_globals['__name__'], sorted(frame.f_locals), frame.f_code.co_name
                at_top = sys._getframe(1).f_globals['__name__']
                class Thing:
                    @property
                    def attribute(self): return sys._getframe(1).f_globals['__name__']
                    def __len__(self): return len(sys._getframe(1).f_globals['__name__'])
                    def __iter__(self): return self
                    def __next__(self): return sys._getframe(1).f_globals['__name__']
                thing = Thing()
            """)
            )
            main = ('__main__', [], '<module>')
            self.assertEqual(daemon.call(module, 'caller'), main)
            self.assertEqual(daemon.get(module, 'at_top'), '__main__')
            self.assertEqual(daemon.get(module, 'thing.attribute'), '__main__')
            thing = daemon.get(module, 'thing')[2]
            self.assertEqual(daemon.operate('len', handle(thing)), len('__main__'))
            found = daemon.ask('iterate', {'target': thing, 'count': 1})
            self.assertEqual(found[0], ['__main__'])
            builtins = daemon.ask('make', {'kind': 'module', 'module': 'builtins'})[2]
            self.assertEqual(daemon.call(builtins, 'locals'), {})
            self.assertEqual(daemon.call(builtins, 'dir'), [])
            made = daemon.call(module, 'collections.namedtuple', 'Pair', 'a b', returns='handle')[2]
            self.assertEqual(daemon.get(made, '__module__'), '__main__')
            for text, expected in (
                ('sorted(locals())', ['n']), ('[n + i for i in range(n)]', [2, 3]),
                ('(lambda: n)()', 2), ('__name__', '__main__'), ('eval("n")', 2),
                ('type("T", (), {}).__module__', '__main__'), ('sorted(vars())', ['n']),
            ):
                payload = {'operator': 'eval', 'operands': [handle(module), text]}
                found = daemon.ask('operate', dict(payload, names={'n': 2}))
                self.assertEqual(found, expected, text)

    def test_cleared_lines_are_shown_again(self):
        for name in (None, 'tool.py', 'a folder/tool'):
            with self.subTest(name), Daemon() as daemon:
                module = daemon.script(
                    textwrap.dedent("""
                    import inspect, linecache, sys, traceback
                    def clear(): linecache.clearcache()
                    def fail(): raise ValueError  # here
                    def clears_and_fails(): linecache.clearcache(); raise ValueError  # there
                    def source(): return inspect.getsource(fail)
                    def shown():
                        linecache.clearcache()
                        try: fail()
                        except ValueError: return traceback.format_exc()
                """),
                    name,
                )
                for function, line in (('fail', '# here'), ('clears_and_fails', '# there')):
                    daemon.call(module, 'clear')
                    with self.assertRaises(Raised) as caught:
                        daemon.call(module, function)
                    self.assertIn(line, caught.exception.report['traceback'])
                    self.assertIn(line, caught.exception.report['stack'])
                if name is not None:
                    self.assertIn('# here', daemon.call(module, 'shown'))
                    daemon.call(module, 'clear')
                    self.assertIn('# here', daemon.call(module, 'source'))

    def test_a_script_and_a_file_are_reloaded(self):
        source = 'import importlib, sys\ncount = globals().get("count", 0) + 1\n' \
                 'def again(): importlib.reload(sys.modules[__name__]); return count\n' \
                 'def fail(): raise ValueError  # here\n'
        with tempfile.TemporaryDirectory() as folder, Daemon() as daemon:
            path = os.path.join(folder, 'tool.py')
            with open(path, 'w') as file:
                file.write(source)
            for module in (daemon.script(source), daemon.script(source, 'other.py'),
                           daemon.ask('make', {'kind': 'file', 'path': path})[2]):
                self.assertEqual(daemon.call(module, 'again'), 2)
                self.assertEqual(daemon.call(module, 'again'), 3)
                with self.assertRaises(Raised) as caught:
                    daemon.call(module, 'fail')
                self.assertIn('# here', caught.exception.report['traceback'])

    def test_a_byte_order_mark_begins_a_script_or_an_expression(self):
        with Daemon() as daemon:
            module = daemon.script('\ufeffx = 1\ndef f(): raise ValueError  # here\n')
            self.assertEqual(daemon.get(module, 'x'), 1)
            self.assertEqual(daemon.operate('eval', handle(module), '\ufeff1 + 1'), 2)
            with self.assertRaises(Raised) as caught:
                daemon.call(module, 'f')
            self.assertIn('# here', caught.exception.report['traceback'])

    def test_a_script_sees_its_own_names_and_the_builtins_of_all(self):
        with Daemon() as daemon:
            module = daemon.script(
                'import builtins\nnames = sorted(locals())\nbuiltins.added = 5\n'
                'def f(): return added\nsame = globals() is locals()\n'
            )
            self.assertEqual(daemon.call(module, 'f'), 5)
            self.assertEqual(daemon.get(module, 'same'), True)
            self.assertEqual(daemon.operate('eval', handle(module), 'added'), 5)
            names = daemon.get(module, 'names')
            self.assertTrue({'__name__', '__file__', 'builtins'} <= set(names), names)
            self.assertFalse([name for name in names if not name.startswith('__')][1:])


if __name__ == '__main__':
    unittest.main()
