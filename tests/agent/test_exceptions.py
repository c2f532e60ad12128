"""Exceptions as the agent reports them."""

import marshal
import textwrap

from support import Case, kind


class Exceptions(Case):
    def fail(self, text, before=''):
        module = self.run_text(
            before + '\ndef f():\n' + textwrap.indent(textwrap.dedent(text), '    ')
        )
        return self.raises(self.daemon.call, module, 'f')

    def test_everything_about_an_exception_arrives(self):
        report = self.fail(
            """
            try:
                {}['a']
            except KeyError as error:
                e = Mine('no', 3, object())
                e.public, e._private = [1], object()
                raise e from error
        """,
            'class Mine(ValueError): pass\n',
        )
        self.assertTrue(report['type'].endswith('.Mine'))
        self.assertEqual(report['mro'][1:], ['ValueError', 'Exception', 'BaseException', 'object'])
        self.assertEqual(report['args'][:2], ['no', 3])
        self.assertEqual(
            (kind(report['args'][2]), kind(report['attributes']['_private'])), ('repr', 'repr')
        )
        self.assertEqual(report['attributes']['public'], [1])
        self.assertEqual(
            (report['cause']['type'], report['cause']['args'], report['cause']['message']),
            ('KeyError', ['a'], "'a'"),
        )
        self.assertEqual(
            (report['context'], report['suppress_context'], report['group'], report['omitted']),
            (None, True, None, 0),
        )
        self.assertTrue(
            report['traceback'].startswith('Traceback (most recent call last):\n  File "<script')
        )
        self.assertIn('direct cause', report['traceback'])
        self.assertNotIn('oad agent', report['traceback'])
        file, line = report['location'].rsplit(':', 1)
        last = '  File "{}", line {}, in f\n    raise e from error\n'.format(file, line)
        self.assertEqual(report['stack'], 'Traceback (most recent call last):\n' + last)

    def test_the_context_arrives_and_the_traceback_is_the_interpreters(self):
        report = self.fail('try:\n    1 / 0\nexcept ZeroDivisionError:\n    int("x")\n')
        self.assertEqual(
            (report['cause'], report['context']['type'], report['suppress_context']),
            (None, 'ZeroDivisionError', False),
        )
        self.assertIn('During handling', report['traceback'])
        module = self.run_text("""
            import traceback
            def g(): raise ValueError('no')
            def f():
                try: g()
                except ValueError as error:
                    tb = error.__traceback__.tb_next
                    lines = traceback.format_exception(type(error), error, tb)
                    return ''.join(lines)
        """)
        self.assertIn(
            self.raises(self.daemon.call, module, 'g')['traceback'].split('\n', 1)[1],
            self.daemon.call(module, 'f'),
        )

    def test_what_built_in_exceptions_keep_outside_of_their_dict_arrives(self):
        report = self.fail('open("/no/such")')
        self.assertEqual(report['type'], 'FileNotFoundError')
        self.assertEqual(
            report['attributes'],
            {
                'errno': 2,
                'strerror': 'No such file or directory',
                'filename': '/no/such',
                'filename2': None,
            },
        )
        attributes = self.fail('raise OSError("x")')['attributes']
        self.assertEqual((attributes['errno'], attributes['filename']), (None, None))
        attributes = self.fail('exec("x = (")')['attributes']
        self.assertEqual((attributes['lineno'], attributes['filename']), (1, '<string>'))
        attributes = self.fail('import no.such')['attributes']
        self.assertEqual((attributes['name'], attributes['path']), ('no', None))
        self.assertEqual(self.fail('raise SystemExit(3)')['attributes'], {'code': 3})
        self.assertEqual(self.fail('raise StopIteration(4)')['attributes'], {'value': 4})
        attributes = self.fail('b"a\\xff".decode()')['attributes']
        self.assertEqual((attributes['start'], attributes['object']), (1, b'a\xff'))
        self.assertEqual(self.fail('raise ValueError(1)')['attributes'], {})

    def test_what_a_class_keeps_outside_of_its_dict_arrives_without_running_any_code(self):
        report = self.fail(
            'e = Mine("x")\ne.set = 5\ne.own = 6\nraise e',
            textwrap.dedent("""
            class Slots(Exception):
                __slots__ = ('set', 'unset', 'hidden')
            class Mine(Slots):
                hidden = 7
                args = broken = property(lambda self: 1 / 0)
        """),
        )
        self.assertEqual(report['attributes'], {'set': 5, 'own': 6})
        report = self.fail(
            'Big().missing',
            textwrap.dedent("""
            class Big:
                def __repr__(self):
                    while True: pass
        """),
        )
        if 'obj' in report['attributes']:
            self.assertTrue(report['attributes']['obj'][2].endswith('.Big object>'))
        report = self.fail(
            'raise Many(*range(2000))',
            textwrap.dedent("""
            class Many(Exception):
                def __init__(self, *args):
                    self.__dict__.update(('a{}'.format(i), i) for i in args)
        """),
        )
        self.assertEqual(
            (len(report['args']), report['args'][-1][2]), (1001, '\u2026 (2000 in all)')
        )
        self.assertEqual(
            (len(report['attributes']), report['attributes']['\u2026'][2]),
            (1001, '2000 attributes in all'),
        )

    def test_what_is_nested_deep_is_shown_by_its_repr(self):
        report = self.fail("""
            deep = [7]
            for i in range(29): deep = [deep]
            e = ValueError(deep, [deep])
            e.x = [deep]
            raise e
        """)
        self.assertEqual(str(report['args'][0]), '[' * 30 + '7' + ']' * 30)
        self.assertEqual(
            (report['args'][1], report['attributes']['x']),
            ((Ellipsis, 'repr', '[' * 31 + '7' + ']' * 31),) * 2,
        )

    def test_an_exception_that_is_linked_twice_is_reported_once(self):
        if tuple(self.daemon.info['version_info'][:2]) < (3, 11):
            self.skipTest('no groups')
        report = self.fail(
            """
            try:
                1 / 0
            except ZeroDivisionError as e:
                raise ExceptionGroup("g", [e, KeyError(1), e])
            """
        )
        self.assertEqual(
            [member['type'] for member in report['group']],
            ['ZeroDivisionError', 'KeyError', 'ZeroDivisionError'],
        )
        self.assertEqual(
            (report['context']['type'], len(report['others'])), ('ZeroDivisionError', 2)
        )
        self.assertEqual(report['attributes'], {'message': 'g'})

    def test_many_large_exceptions_arrive(self):
        report = self.fail("""
            e = None
            for i in range(64):
                n = ValueError(str(i % 10) * 1000000)
                n.x, n.y, n.__cause__ = 'x' * 1000000, ['y' * 1000] * 900, e
                e = n
            raise e
        """)
        self.assertEqual((len(report['others']), report['message']), (63, '3' * 1000000))
        self.assertLess(len(marshal.dumps(report['others'])), 1 << 25)

    def test_notes_and_groups_arrive(self):
        if tuple(self.daemon.info['version_info'][:2]) < (3, 11):
            self.skipTest('no notes')
        report = self.fail(
            """
            e = ValueError("no")
            e.add_note("a note")
            raise ExceptionGroup("g", [e, TypeError(1)])
            """
        )
        self.assertEqual(
            [member['type'] for member in report['group']], ['ValueError', 'TypeError']
        )
        self.assertEqual(report['group'][0]['notes'], ['a note'])
        self.assertIn('a note', report['traceback'])
        self.assertEqual(self.fail('e = ValueError()\ne.__notes__ = 5\nraise e')['notes'], ['5'])

    def test_hostile_exceptions_arrive(self):
        report = self.fail(
            """
            e = Mine(Mine())
            e.x = Mine()
            raise e
        """,
            textwrap.dedent("""
            class Mine(Exception):
                def __str__(self): raise Mine
                __repr__ = __str__
                args = property(lambda self: 1 / 0)
                __notes__ = property(lambda self: 1 / 0)
                __cause__ = property(lambda self: 1 / 0)
                __context__ = property(lambda self: 1 / 0)
                __traceback__ = property(lambda self: 1 / 0)
                __eq__ = __hash__ = __bool__ = __len__ = lambda *args: 1 / 0
        """),
        )
        self.assertIn('str failed', report['message'])
        self.assertIn('repr failed', report['args'][0][2])
        self.assertIn(', in f\n', report['stack'])
        report = self.fail(
            'raise type("E", (Exception,), {"__getattribute__": lambda self, name: 1 / 0})("x")'
        )
        self.assertEqual((report['message'], report['args']), ('x', ['x']))
        report = self.fail(
            'e = ValueError("x")\ne.__dict__[5] = 6\ne.__dict__["__x__"] = 1\nraise e'
        )
        self.assertEqual(report['attributes'], {})
        report = self.fail(
            'e = ValueError(H())\ne.x = H()\nraise e',
            textwrap.dedent("""
            class Meta(type):
                def __eq__(cls, other): raise KeyError
                def __hash__(cls): raise KeyError
            class H(metaclass=Meta):
                def __repr__(self): return 'an H'
        """),
        )
        self.assertEqual(
            (report['type'], report['args'], report['attributes']),
            ('ValueError', [(Ellipsis, 'repr', 'an H')], {'x': (Ellipsis, 'repr', 'an H')}),
        )
        report = self.fail(
            'raise ValueError(M("x"))', 'class M(str):\n    def __str__(self): return self\n'
        )
        self.assertEqual(report['message'], 'x')

    def test_cycles_and_long_chains_of_causes_are_bounded(self):
        report = self.fail(
            'a, b = ValueError(1), ValueError(2)\na.__cause__, b.__cause__ = b, a\nraise a'
        )
        self.assertEqual((report['cause']['args'], report['cause']['cause']), ([2], None))
        for length in (1000, 30000):
            report = self.fail(
                """
                e = None
                for i in range({}):
                    n = ValueError(i)
                    n.__cause__ = e
                    e = n
                raise e
            """.format(length)
            )
            depth = 1
            while report['cause']:
                report, depth = report['cause'], depth + 1
            self.assertEqual((depth, report['omitted']), (64, length - 64))

    def test_huge_messages_are_bounded_and_say_so(self):
        report = self.fail('raise ValueError("a" * 100000000)')
        self.assertLess(len(report['message']), (1 << 20) + 100)
        self.assertTrue(report['message'].endswith('(100000000 characters in all)'))
        self.assertLess(len(report['args'][0][2]), 1010)
        self.assertLess(len(report['traceback']), 1100000)

    def test_recursion_and_memory_errors_arrive_and_the_next_call_works(self):
        module = self.run_text(
            'def f(n=0): return f(n + 1)\ndef g(): return "a" * (1 << 62)\ndef h(): return 5\n'
        )
        for _ in range(3):
            report = self.raises(self.daemon.call, module, 'f')
            self.assertEqual(report['type'], 'RecursionError')
            self.assertEqual(self.raises(self.daemon.call, module, 'g')['type'], 'MemoryError')
            self.assertEqual(self.daemon.call(module, 'h'), 5)

    def test_exits_and_base_exceptions_are_exceptions_and_the_interpreter_lives(self):
        for text, name in [
            ('sys.exit(3)', 'SystemExit'),
            ('raise KeyboardInterrupt', 'KeyboardInterrupt'),
            ('raise GeneratorExit', 'GeneratorExit'),
            ('raise StopIteration(4)', 'StopIteration'),
            ('raise StopAsyncIteration', 'StopAsyncIteration'),
        ]:
            self.assertEqual(self.fail(text, 'import sys')['type'], name)
        self.assertIn(
            'CancelledError', self.fail('raise asyncio.CancelledError', 'import asyncio')['type']
        )
        self.assertIn('Own', self.fail('raise Own', 'class Own(BaseException): pass')['type'])
        self.assertEqual(self.evaluate('1'), 1)

    def test_what_a_failed_call_held_dies_after_the_answer(self):
        module = self.run_text("""
            import weakref, gc
            gc.disable()
            class A: pass
            def f():
                global r
                a = A()
                r = weakref.ref(a)
                try: raise KeyError(a)
                except KeyError as error: raise ValueError(a) from error
            def alive(): return r() is not None
        """)
        for _ in range(3):
            self.raises(self.daemon.call, module, 'f')
            self.assertFalse(self.daemon.call(module, 'alive'))
