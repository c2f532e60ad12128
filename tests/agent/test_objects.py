"""Objects that stay, and how they are made."""

import os
import tempfile

from support import Case, handle, kind


class Handles(Case):
    def listed(self):
        return {number: count for number, _, count in self.daemon.ask('objects', {})}

    def test_the_same_object_has_the_same_number_and_a_count(self):
        module = self.run_text('class A: pass\na = A()\ndef f(): return [a, a, (a,)]\n')
        first, second, (third,) = self.daemon.call(module, 'f')
        self.assertEqual((first, second), (second, third))
        self.assertTrue(first[3].endswith('.A'))
        self.assertEqual(self.listed()[first[2]], 3)
        self.daemon.release(first[2], 2)
        self.assertEqual(self.listed()[first[2]], 1)
        self.daemon.release(first[2], 1)
        self.assertNotIn(first[2], self.listed())
        self.assertGreater(self.daemon.get(module, 'a')[2], first[2])

    def test_a_released_object_dies_at_once(self):
        module = self.run_text("""
            import weakref
            class A:
                def __del__(self): raise ValueError('no')
            def make():
                global r
                a = A()
                r = weakref.ref(a)
                return a
            def alive(): return r() is not None
        """)
        number = self.daemon.call(module, 'make')[2]
        self.assertTrue(self.daemon.call(module, 'alive'))
        self.daemon.release(number, 1)
        self.assertFalse(self.daemon.call(module, 'alive'))
        self.daemon.release(number, 1)

    def test_a_handle_sent_back_is_the_object_itself(self):
        module = self.run_text('a = object()\ndef same(x): return x[0]["k"] is a\n')
        self.assertTrue(self.daemon.call(module, 'same', [{'k': self.daemon.get(module, 'a')}]))

    def test_a_stale_handle_is_no_object(self):
        self.fails('no_such_object', self.daemon.operate, 'len', handle(10**6))
        self.fails('no_such_object', self.daemon.call, 'x', None)
        self.fails('no_such_object', self.daemon.get, 10**6, 'x')

    def test_counts_of_a_failed_answer_are_taken_back(self):
        module = self.run_text("""
            a, new, deep = object(), object(), []
            for _ in range(40): deep = [deep]
            def f(): return [a, new, deep]
        """)
        number = self.daemon.get(module, 'a')[2]
        before = self.listed()
        self.fails('too_deep', self.daemon.call, module, 'f')
        self.assertEqual(self.listed(), before)
        self.assertEqual(before[number], 1)

    def test_numbers_are_never_used_again(self):
        numbers = []
        for _ in range(50):
            numbers.append(self.daemon.value([]))
            self.daemon.release(numbers[-1])
        self.assertEqual(sorted(set(numbers)), numbers)

    def test_arguments_do_not_outlive_the_call(self):
        module = self.run_text("""
            import weakref
            class A: pass
            def make(): return A()
            def look(a):
                global r
                r = weakref.ref(a)
                return a
            def alive(): return r() is not None
        """)
        number = self.daemon.call(module, 'make')[2]
        self.daemon.call(module, 'look', handle(number))
        self.daemon.release(number, 2)
        self.assertFalse(self.daemon.call(module, 'alive'))


class Names(Case):
    def test_classes_functions_and_modules_are_sent_with_their_names(self):
        module = self.run_text("""
            import json, collections
            from json import dumps
            class Meta(type): pass
            class Order(metaclass=Meta):
                def total(self): pass
                @classmethod
                def make(cls): pass
            order = Order()
            append, fromkeys, join = [].append, dict.fromkeys, 'a'.join
            def local():
                def inner(): pass
                return inner
        """)
        name = self.daemon.get(module, '__name__')
        for attribute, expected in [
            ('Order', name + '.Order'),
            ('Order.total', name + '.Order.total'),
            ('order.total', name + '.Order.total'),
            ('Order.make', name + '.Order.make'),
            ('order', ''),
            ('json', 'json'),
            ('dumps', 'json.dumps'),
            ('append', 'list.append'),
            ('fromkeys', 'dict.fromkeys'),
            ('join', 'str.join'),
            ('collections.OrderedDict', 'collections.OrderedDict'),
        ]:
            with self.subTest(attribute):
                self.assertEqual(self.daemon.get(module, attribute, 'handle')[4], expected)
        inner = self.daemon.call(module, 'local')
        self.assertEqual(inner[3:], ('function', name + '.local.<locals>.inner'))
        report = self.daemon.ask('describe', {'target': self.daemon.get(module, 'Order')[2]})
        self.assertEqual(report['type'], name + '.Order')


class Definitions(Case):
    def test_instances_are_found_by_module_and_nested_name(self):
        self.run_text("""
            class Outer:
                class Inner:
                    def __init__(self, a, b=0): self.total = a + b
        """)
        number = self.daemon.make(None, 'Outer.Inner', 1, b=2)
        self.assertEqual(self.daemon.get(number, 'total'), 3)
        self.assertEqual(
            self.daemon.operate('len', handle(self.daemon.make(None, 'list', (1, 2)))), 2
        )
        self.assertEqual(
            self.daemon.operate('int', handle(self.daemon.make('math', 'gcd', 4, 6))), 2
        )
        self.assertEqual(
            self.daemon.operate('str', handle(self.daemon.make('os', 'path.join', 'a', 'b'))), 'a/b'
        )

    def test_a_missing_module_or_name_is_raised_as_python_does(self):
        self.assertEqual(
            self.raises(self.daemon.make, 'no_such_module', 'A')['type'], 'ModuleNotFoundError'
        )
        report = self.raises(self.daemon.make, 'math', 'Nothing')
        self.assertEqual(
            (report['type'], report['stack'], report['location']), ('AttributeError', '', None)
        )
        self.assertIn('Nothing', report['message'])
        self.assertEqual(self.raises(self.daemon.make, None, 'Nothing')['type'], 'AttributeError')
        self.fails('bad_arguments', self.daemon.ask, 'make', {'kind': 'instance'})
        self.fails('bad_arguments', self.daemon.ask, 'make', {'kind': 'what'})
        self.fails('no_such_operation', self.daemon.ask, 'what', {})
        self.fails('bad_arguments', self.daemon.ask, 'make', 5)
        self.fails('bad_arguments', self.daemon.make, 'io', 5)

    def test_a_value_an_object_and_a_module_are_kept(self):
        number = self.daemon.value([1, {'a': 2}])
        self.daemon.call(number, 'append', 3)
        self.assertEqual(self.daemon.operate('repr', handle(number)), "[1, {'a': 2}, 3]")
        got = self.daemon.ask(
            'make', {'kind': 'object', 'module': 'collections', 'name': 'OrderedDict'}
        )
        self.assertEqual((got[1], got[3]), ('handle', 'type'))
        got = self.daemon.ask('make', {'kind': 'module', 'module': 'os.path'})
        self.assertEqual(self.daemon.call(got[2], 'join', 'a', 'b'), 'a/b')

    def test_a_file_becomes_a_module_of_its_own(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in [
                ('json.py', 'x = 1\nimport json, sys\ny = json.dumps\n'),
                ('plain.txt', 'x = 2\n'),
                ('broken.py', '1 / 0\n'),
            ]:
                with open(os.path.join(folder, name), 'w') as file:
                    file.write(text)

            def make(name):
                definition = {'kind': 'file', 'path': os.path.join(folder, name)}
                return self.daemon.ask('make', definition)[2]

            number = make('json.py')
            self.assertEqual(self.daemon.get(number, 'x'), 1)
            self.assertEqual(kind(self.daemon.get(number, 'y')), 'handle')
            self.assertEqual(self.daemon.get(make('plain.txt'), 'x'), 2)
            report = self.raises(make, 'broken.py')
            self.assertEqual(
                (report['type'], report['location']),
                ('ZeroDivisionError', os.path.join(folder, 'broken.py') + ':1'),
            )
            self.assertEqual(self.raises(make, 'missing.py')['type'], 'FileNotFoundError')
            self.assertEqual(sorted(os.listdir(folder)), ['broken.py', 'json.py', 'plain.txt'])
            path = self.daemon.get(
                self.daemon.ask('make', {'kind': 'module', 'module': 'sys'})[2], 'path'
            )
            self.assertNotIn(folder, path)

    def test_a_script_shows_its_lines_in_tracebacks(self):
        module = self.run_text('def f():\n    return 1 / 0  # here\n', 'sums.py')
        report = self.raises(self.daemon.call, module, 'f')
        self.assertIn(
            '\n  File "sums.py", line 2, in f\n    return 1 / 0  # here\n', report['stack']
        )
        self.assertEqual(report['location'], 'sums.py:2')
        self.assertEqual(report['location'], 'sums.py:2')
        self.assertIn('# here', report['traceback'])
        other = self.run_text('def f():\n    return [][1]\n', 'sums.py')
        self.assertIn('return [][1]', self.raises(self.daemon.call, other, 'f')['traceback'])
        self.assertIn('# here', self.raises(self.daemon.call, module, 'f')['traceback'])

    def test_a_script_that_does_not_compile_or_fails_is_raised(self):
        report = self.raises(self.run_text, 'def f(:\n')
        self.assertEqual(report['type'], 'SyntaxError')
        self.assertIn('def f(:', report['traceback'])
        self.assertEqual(self.raises(self.run_text, 'raise KeyError(1)')['type'], 'KeyError')

    def test_a_script_may_define_an_ordered_dict(self):
        module = self.run_text("""
            from collections import OrderedDict
            d = OrderedDict(b=1, a=2)
            n = 3
            nested = {'x': {'y': [1, (2,)]}}
            def twice(x): return 2 * x
            class A:
                kind = 'a'
        """)
        self.assertEqual(self.daemon.call(self.daemon.get(module, 'd')[2], 'popitem'), ('a', 2))
        self.assertEqual(self.daemon.call(module, 'd.get', 'b'), 1)
        self.assertEqual(self.daemon.get(module, 'n'), 3)
        self.assertEqual(self.daemon.get(module, 'nested'), {'x': {'y': [1, (2,)]}})
        self.assertEqual(self.daemon.call(module, 'twice', 'ab'), 'abab')
        self.assertEqual(self.daemon.get(self.daemon.get(module, 'A')[2], 'kind'), 'a')
        self.assertEqual(self.daemon.get(module, 'A.kind'), 'a')

    def test_a_string_io_is_read_and_written(self):
        text = self.daemon.make('io', 'StringIO', 'hello, world!\n')
        self.assertEqual(self.daemon.call(text, 'seek', 0, 2), 14)
        self.assertEqual(self.daemon.call(text, 'write', 'more'), 4)
        self.assertEqual(self.daemon.call(text, 'seek', 0), 0)
        self.assertEqual(self.daemon.call(text, 'read', 5), 'hello')
        self.assertEqual(self.daemon.call(text, 'readlines'), [', world!\n', 'more'])
        self.assertIsNone(self.daemon.call(text, 'close'))
        report = self.raises(self.daemon.call, text, 'read')
        self.assertEqual(
            (report['type'], report['message']), ('ValueError', 'I/O operation on closed file')
        )
