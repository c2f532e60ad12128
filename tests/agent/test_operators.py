"""Operators, attributes, iteration and descriptions."""

from support import Case, handle, kind


class Operators(Case):
    def test_every_operator_returns_what_python_returns(self):
        for name, operands, expected in [
            ('truth', [[]], False),
            ('bool', [[1]], True),
            ('len', ['abc'], 3),
            ('contains', [[1, 2], 2], True),
            ('str', [1], '1'),
            ('repr', ['a'], "'a'"),
            ('ascii', ['\xe9'], "'\\xe9'"),
            ('format', [3.14159, '.2f'], '3.14'),
            ('hash', [5], 5),
            ('callable', [5], False),
            ('getitem', ['abc', (Ellipsis, 'slice', 1, None, None)], 'bc'),
            ('eq', [1, 1.0], True),
            ('ne', [1, 2], True),
            ('lt', ['a', 'b'], True),
            ('le', [1, 1], True),
            ('gt', [{1, 2}, {1}], True),
            ('ge', [1, 2], False),
            ('add', [1, 2], 3),
            ('sub', [1, 2], -1),
            ('mul', ['a', 3], 'aaa'),
            ('truediv', [1, 2], 0.5),
            ('floordiv', [7, 2], 3),
            ('mod', ['%d', 3], '3'),
            ('divmod', [7, 2], (3, 1)),
            ('pow', [2, 10], 1024),
            ('pow', [2, 10, 1000], 24),
            ('and', [6, 3], 2),
            ('or', [6, 3], 7),
            ('xor', [6, 3], 5),
            ('lshift', [1, 70], 1 << 70),
            ('rshift', [8, 1], 4),
            ('iadd', [[1], (2,)], [1, 2]),
            ('isub', [3, 1], 2),
            ('ipow', [2, 3], 8),
            ('ior', [{1}, {2}], {1, 2}),
            ('neg', [1], -1),
            ('pos', [True], 1),
            ('abs', [-2], 2),
            ('invert', [0], -1),
            ('round', [2.567, 1], 2.6),
            ('index', [True], 1),
            ('int', ['ff', 16], 255),
            ('float', ['1.5'], 1.5),
            ('complex', [1, 2], 1 + 2j),
            ('bytes', ['\xe9', 'latin-1'], b'\xe9'),
        ]:
            with self.subTest(name):
                self.assertEqual(self.daemon.operate(name, *operands), expected)
        module = self.daemon.script('def f(): "Does it."')
        self.assertEqual(self.daemon.operate('doc', self.daemon.get(module, 'f')), 'Does it.')
        self.assertEqual(self.raises(self.daemon.operate, 'matmul', 1, 2)['type'], 'TypeError')
        self.assertEqual(self.raises(self.daemon.operate, 'imatmul', 1, 2)['type'], 'TypeError')
        self.assertEqual(self.raises(self.daemon.operate, 'add', 1, 'a')['type'], 'TypeError')
        self.fails('bad_arguments', self.daemon.operate, 'what', 1)
        self.fails('bad_arguments', self.daemon.operate, 'add', 1)
        self.fails('bad_arguments', self.daemon.operate, 'add', 1, 2, 3)
        self.fails('bad_arguments', self.daemon.operate, 'add', 1, 2, returns='what')

    def test_an_expression_sees_its_names_and_the_builtins(self):
        number = self.daemon.value([1, 2, 3])

        def evaluate(text, **names):
            payload = {'operator': 'eval', 'operands': [handle(number), text], 'names': names}
            return self.daemon.ask('operate', payload)

        self.assertEqual(evaluate(' len(rows) + n', rows=handle(number), n=4), 7)
        self.assertEqual(self.raises(evaluate, 'x')['type'], 'NameError')
        self.assertEqual(self.raises(evaluate, 'x = 1')['type'], 'SyntaxError')
        self.fails('bad_arguments', evaluate, 5)

    def test_classes_are_inspected(self):
        number = self.daemon.value([])
        list_class = self.daemon.operate('type', handle(number))
        self.assertEqual(list_class[3], 'type')
        self.assertTrue(self.daemon.operate('isinstance', handle(number), list_class))
        self.assertTrue(self.daemon.operate('issubclass', list_class, list_class))
        self.assertIn('append', self.daemon.operate('dir', handle(number)))
        self.assertEqual(type(self.daemon.operate('id', handle(number))), int)
        module = self.run_text('def f(a, b=1, *, c: int=2) -> str: pass\n')
        self.assertEqual(
            self.daemon.operate('signature', self.daemon.get(module, 'f')),
            '(a, b=1, *, c: int = 2) -> str'
            if self.daemon.info['version_info'][1] > 6
            else '(a, b=1, *, c:int=2) -> str',
        )
        self.assertIsNone(self.daemon.operate('signature', handle(number)))

    def test_in_place_addition_keeps_the_identity(self):
        number = self.daemon.value([1])
        self.assertEqual(
            self.daemon.operate('iadd', handle(number), [2], returns='handle')[2], number
        )
        self.assertEqual(self.daemon.operate('len', handle(number)), 2)

    def test_reflected_and_unsupported_forms_are_pythons_own(self):
        module = self.run_text("""
            class A:
                def __radd__(self, other): return ('radd', other)
                def __eq__(self, other): return NotImplemented
                def __lt__(self, other): return [other]
            a = A()
        """)
        a = self.daemon.get(module, 'a')
        self.assertEqual(self.daemon.operate('add', 1, a), ('radd', 1))
        self.assertFalse(self.daemon.operate('eq', a, 1))
        self.assertTrue(self.daemon.operate('eq', a, a))
        self.assertEqual(self.daemon.operate('gt', 3, a), [3])
        self.assertEqual(self.raises(self.daemon.operate, 'hash', a)['type'], 'TypeError')

    def test_items_are_set_and_deleted(self):
        number = handle(self.daemon.value({'a': 1, 'b': 2}))
        self.assertIsNone(self.daemon.operate('setitem', number, 'c', 3))
        self.assertIsNone(self.daemon.operate('delitem', number, 'a'))
        self.assertEqual(self.daemon.operate('repr', number), "{'b': 2, 'c': 3}")
        self.assertEqual(self.raises(self.daemon.operate, 'getitem', number, 'a')['args'], ['a'])

    def test_a_property_runs_exactly_once(self):
        module = self.run_text("""
            class A:
                count = 0
                @property
                def p(self): self.count += 1; return self.count
                @p.setter
                def p(self, value): self.count += 100
                @p.deleter
                def p(self): self.count += 10000
            a = A()
        """)
        a = self.daemon.get(module, 'a')[2]
        self.assertEqual(self.daemon.get(a, 'p'), 1)
        self.daemon.set(a, 'p', 5)
        self.assertEqual(self.daemon.get(a, 'count'), 101)
        self.daemon.ask('delete', {'target': a, 'name': 'p'})
        self.assertEqual(self.daemon.get(a, 'count'), 10101)
        self.daemon.ask('describe', {'target': a})
        self.assertEqual(self.daemon.get(a, 'count'), 10101)
        self.daemon.set(module, 'a.other', [1])
        self.assertEqual(self.daemon.get(module, 'a.other'), [1])
        self.daemon.ask('delete', {'target': module, 'name': 'a.other'})
        self.assertEqual(self.raises(self.daemon.get, a, 'other')['type'], 'AttributeError')

    def test_context_managers_are_entered_and_left(self):
        module = self.run_text("""
            class C:
                seen = []
                def __enter__(self): return self
                def __exit__(self, *args):
                    self.seen.append([repr(arg) for arg in args])
                    return True
            c, error = C(), ValueError('no')
        """)
        c = self.daemon.get(module, 'c')
        self.assertEqual(self.daemon.operate('enter', c)[2], c[2])
        self.assertTrue(self.daemon.operate('exit', c))
        self.assertTrue(self.daemon.operate('exit', c, self.daemon.get(module, 'error')))
        seen = self.daemon.get(c[2], 'seen')
        self.assertEqual(seen[0], ['None'] * 3)
        self.assertIn('ValueError', seen[1][1])

    def iterate(self, target, count):
        return self.daemon.ask('iterate', {'target': target, 'count': count})

    def test_iterators_are_read_in_batches(self):
        number = self.daemon.operate('iter', [1, [2], 3])[2]
        self.assertEqual(self.iterate(number, 2), ([1, [2]], False))
        self.assertEqual(self.iterate(number, 2), ([3], True))
        self.assertEqual(self.iterate(number, 2), ([], True))
        self.assertEqual(self.iterate(number, 0), ([], False))
        number = self.daemon.operate('iter', ['a' * 40000] * 5)[2]
        self.assertEqual(len(self.iterate(number, 100)[0]), 2)
        self.assertEqual(self.daemon.operate('next', handle(number), 5), 'a' * 40000)
        self.assertEqual(self.raises(self.iterate, self.daemon.value([]), 1)['type'], 'TypeError')

    def test_code_that_makes_items_is_asked_for_one(self):
        module = self.run_text("""
            import itertools
            class Own:
                def __iter__(self): return self
                def __next__(self): return 0
            class ByIndex:
                def __getitem__(self, index): return index
            class Named(list):
                def __iter__(self): return map(abs, [0, -1])
            iterators = [
                (i for i in range(3)), Own(), iter(ByIndex()), map(abs, [0, 1]), zip([0], [1]),
                iter(lambda: 0, 1), itertools.count(), enumerate([0, 1]), iter(Named([1])),
            ]
        """)
        for place in range(9):
            name = 'iterators.__getitem__'
            number = self.daemon.call(module, name, place, returns='handle')[2]
            items, done = self.iterate(number, 100)
            self.assertEqual((len(items), done), (1, False), place)

    def test_what_is_raised_after_some_items_comes_after_them(self):
        module = self.run_text("""
            def f():
                yield 1
                yield object()
                raise ValueError('no')
            def g():
                deep = []
                for _ in range(40): deep = [deep]
                yield 1
                yield [object(), deep]
                yield 2
        """)
        number = self.daemon.call(module, 'f')[2]
        self.assertEqual(self.iterate(number, 10), ([1], False))
        self.assertEqual(kind(self.iterate(number, 10)[0][0]), 'handle')
        self.assertEqual(self.raises(self.iterate, number, 10)['message'], 'no')
        self.assertEqual(self.iterate(number, 10), ([], True))
        number = self.daemon.call(module, 'g')[2]
        before = self.daemon.ask('objects', {})
        self.assertEqual(self.iterate(number, 10), ([1], False))
        self.fails('too_deep', self.iterate, number, 10)
        self.assertEqual(self.iterate(number, 10), ([2], False))
        self.assertEqual(self.iterate(number, 10), ([], True))
        self.assertEqual(self.daemon.ask('objects', {}), before)
        module = self.run_text("""
            deep = []
            for _ in range(40): deep = [deep]
            items = iter([1, [object(), deep], 2])
        """)
        number = self.daemon.get(module, 'items')[2]
        before = self.daemon.ask('objects', {})
        self.assertEqual(self.iterate(number, 10), ([1], False))
        self.fails('too_deep', self.iterate, number, 10)
        self.assertEqual(self.iterate(number, 10), ([2], True))
        self.assertEqual(self.daemon.ask('objects', {}), before)

    def test_a_generator_is_closed(self):
        module = self.run_text("""
            ended = []
            def f():
                try: yield 1
                finally: ended.append(True)
        """)
        number = self.daemon.call(module, 'f')[2]
        self.iterate(number, 1)
        self.assertIsNone(self.daemon.operate('close', handle(number)))
        self.assertEqual(self.daemon.get(module, 'ended'), [True])
        self.assertEqual(self.iterate(number, 1), ([], True))
        self.assertIsNone(self.daemon.operate('close', self.daemon.operate('iter', [])))

    def test_an_object_is_described_without_running_it(self):
        module = self.run_text("""
            class A:
                "An A."
                limit = 5
                def __init__(self): self.size = 1
                def add(self, n: int, *, twice: 'bool' = False) -> float:
                    "Adds."
                @staticmethod
                def fixed(x): pass
                @classmethod
                def made(cls, y): pass
                @property
                def broken(self): raise ValueError
                def _private(self): pass
            class Hostile(A):
                def __getattribute__(self, name): raise ValueError
                def __dir__(self): raise ValueError
                __doc__ = property(lambda self: 1 / 0)
            a, hostile = A(), Hostile()
        """)
        report = self.daemon.ask('describe', {'target': self.daemon.get(module, 'a')[2]})
        self.assertEqual(report['doc'], 'An A.')
        self.assertEqual(report['attributes'], ['broken', 'limit', 'size'])
        self.assertEqual([method['name'] for method in report['methods']], ['add', 'fixed', 'made'])
        self.assertEqual(report['methods'][0]['doc'], 'Adds.')
        self.assertEqual(report['methods'][0]['parameters'], [('n', 'int'), ('twice', 'bool')])
        self.assertEqual(report['methods'][0]['returns'], 'float')
        self.assertEqual(report['methods'][1]['signature'], '(x)')
        self.assertEqual(report['methods'][2]['signature'], '(y)')
        report = self.daemon.ask('describe', {'target': self.daemon.get(module, 'hostile')[2]})
        self.assertIn('add', [method['name'] for method in report['methods']])
        report = self.daemon.ask('describe', {'target': module})
        self.assertEqual(report['attributes'], ['A', 'Hostile', 'a', 'hostile'])
        report = self.daemon.ask('describe', {'target': self.daemon.value([])})
        self.assertIn('append', [method['name'] for method in report['methods']])
        report = self.daemon.ask('describe', {'target': self.daemon.get(module, 'A')[2]})
        self.assertIn('add', [method['name'] for method in report['methods']])
