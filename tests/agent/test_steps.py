"""Many steps in one request: expressions, statements and chains."""

import unittest

from support import Case, Daemon, handle, kind


class Texts(Case):
    def run_on(self, operator, text, *more, **names):
        payload = {'operator': operator, 'operands': [handle(self.number), text, *more]}
        return self.daemon.ask('operate', dict(payload, names=names))

    def setUp(self):
        self.number = self.daemon.value([1, 2, 3])

    def test_statements_see_their_names_and_return_one(self):
        text = 'def double(x):\n    return x * factor\nfor row in rows:\n    total += double(row)\n'
        names = {'rows': handle(self.number), 'factor': 2, 'total': 1}
        self.assertIsNone(self.run_on('exec', text, **names))
        self.assertEqual(self.run_on('exec', text, 'total', **names), 13)
        self.assertEqual(self.run_on('exec', '\ufeffx = 1', 'x'), 1)
        # Nothing stays.
        report = self.raises(self.run_on, 'exec', 'total')
        self.assertEqual(report['type'], 'NameError')
        message = self.fails('bad_arguments', self.run_on, 'exec', 'x = 1', 'y')
        self.assertIn("'y'", message)
        self.fails('bad_arguments', self.run_on, 'exec', 5)
        self.fails('bad_arguments', self.run_on, 'exec', 'x = 1', ['x'])
        self.assertEqual(self.raises(self.run_on, 'exec', 'x =')['type'], 'SyntaxError')

    def test_the_traceback_shows_the_failing_line(self):
        report = self.raises(self.run_on, 'exec', 'x = 1\nmissing(x)\n')
        self.assertIn('line 2', report['traceback'])
        self.assertIn('    missing(x)\n', report['traceback'])
        report = self.raises(self.run_on, 'eval', '(1 +\n    absent)')
        self.assertIn('line 2', report['traceback'])
        self.assertIn('    absent)\n', report['traceback'])

    def test_a_function_keeps_showing_its_own_lines(self):
        first = self.run_on('exec', 'def f():\n    return first_missing\n', 'f')[2]
        self.run_on('exec', 'def g():\n    return second_missing\n')
        report = self.raises(self.daemon.call, first, None)
        self.assertIn('return first_missing', report['traceback'])
        # Long after its text has been forgotten, it does not show those of another.
        for place in range(100):
            self.run_on('exec', '\nother = {}\n'.format(place))
        report = self.raises(self.daemon.call, first, None)
        self.assertNotIn('other =', report['traceback'])
        self.assertIn('first_missing', report['message'])

    def test_only_the_latest_texts_are_kept(self):
        count = 'len([name for name in __import__("linecache").cache if name[:5] == "<eval"])'
        for place in range(200):
            self.run_on('eval', 'len(rows) + {}'.format(place), rows=handle(self.number))
        self.assertLessEqual(self.run_on('eval', count), 64)
        for place in range(8):
            self.run_on('eval', '{} or {!r}'.format(place, 'x' * (1 << 18)))
        self.assertLess(self.run_on('eval', count), 10)


class Chains(Case):
    def chain(self, *steps, **options):
        flat = []
        for step, name, args, kwargs in steps:
            flat += [step, name, len(args), list(kwargs), *args, *kwargs.values()]
        return self.daemon.operate('chain', handle(self.number), *flat, **options)

    def setUp(self):
        text = """
            class Thing:
                part = {'n': [3, 1, 2]}
                def itself(self, *args, **kwargs): return self
                def given(self, *args, **kwargs): return [args, sorted(kwargs.items())]
                def fail(self): raise ERROR
                def __call__(self, x): return x
            ERROR = ValueError('no')
            thing = Thing()
        """
        self.number = self.daemon.get(self.run_text(text), 'thing')[2]

    def test_each_step_continues_with_the_result_before(self):
        found = self.chain(
            ('call', 'itself', [], {}), ('get', 'part', [], {}), ('operate', 'getitem', ['n'], {}),
            ('call', '__len__', [], {}),
        )
        self.assertEqual(found, 3)
        given = self.chain(('call', 'given', [1, [2]], {'b': 3, 'a': handle(self.number)}))
        self.assertEqual(given[0], (1, [2]))
        self.assertEqual([name for name, _ in given[1]], ['a', 'b'])
        self.assertEqual(self.chain(('call', '', [7], {})), 7)
        self.assertEqual(self.chain(('call', 'part.get', ['x', 5], {})), 5)

    def test_the_result_is_a_value_or_stays(self):
        self.assertEqual(kind(self.chain()), 'handle')
        step = ('get', 'part', [], {})
        self.assertEqual(self.chain(step), {'n': [3, 1, 2]})
        self.assertEqual(kind(self.chain(step, returns='handle')), 'handle')
        self.assertIsNone(self.chain(step, returns='nothing'))

    def test_an_exception_names_the_failing_step(self):
        steps = ('call', 'itself', [], {}), ('call', 'fail', [], {}), ('get', 'part', [], {})
        for _ in range(2):
            report = self.raises(self.chain, *steps)
            self.assertEqual(report['type'], 'ValueError')
            note = 'in step 2 of the chain: calling fail'
            self.assertEqual(report['notes'], [note])
            self.assertTrue(report['traceback'].endswith('\n' + note + '\n'))
        report = self.raises(self.chain, ('operate', 'getitem', [0], {}))
        self.assertEqual(report['notes'], ['in step 1 of the chain: applying getitem'])
        report = self.raises(self.chain, ('get', 'absent', [], {}))
        self.assertEqual(report['notes'], ['in step 1 of the chain: getting absent'])

    def test_malformed_steps_are_refused(self):
        message = self.fails('bad_arguments', self.chain, ('operate', 'plus', [], {}))
        self.assertIn('step 1 of the chain', message)
        self.fails('bad_arguments', self.chain, ('walk', 'part', [], {}))
        self.fails('bad_arguments', self.chain, ('get', 'part', [1], {}))
        self.fails('bad_arguments', self.chain, ('operate', 'neg', [], {'a': 1}))
        for flat in (['call'], ['call', 'x', 1, []], ['call', 'x', -1, []], ['call', 'x', 0, [1]],
                     [[], 'x', 0, []]):
            self.fails('bad_arguments', self.daemon.operate, 'chain', handle(self.number), *flat)


class Kept(Case):
    def keep(self, *steps, **options):
        is_chain, flat = options.pop('is_chain', False), []
        for step, name, args, kwargs in steps:
            flat += [step, name, len(args), list(kwargs), *args, *kwargs.values()]
        return self.daemon.operate('keep', handle(self.number), is_chain, *flat, **options)

    def setUp(self):
        text = """
            class Problem(Exception):
                def errors(self): return ['first', 'second']
            class Thing:
                n = 1
                def fail(self, *args): raise Problem(*args)
                def endless(self):
                    x = []; x.append(x); raise Problem(x, 'after')
                def hide(self): raise Hidden(1)
            class Hidden(Exception):
                args = 'hidden'
                def __str__(self): raise ValueError('no')
            thing = Thing()
        """
        self.module = self.run_text(text)
        self.number = self.daemon.get(self.module, 'thing')[2]

    def kept(self, *steps, **options):
        marker = self.keep(*steps, **options)
        self.assertEqual(marker[1], 'named')
        self.assertEqual(marker[2], ('kept exception', 'its arguments', 'its report'))
        self.assertEqual(kind(marker[3]), 'handle')
        return marker[3:]

    def test_a_result_comes_as_without_it(self):
        self.assertEqual(self.keep(('get', 'n', [], {})), 1)
        self.assertEqual(kind(self.keep(('get', 'n', [], {}), returns='handle')), 'handle')
        self.assertIsNone(self.keep(('set', 'n', [2], {})))
        self.assertEqual(self.keep(('operate', 'eval', ['a + 1'], {'a': 2})), 3)
        self.assertEqual(self.keep(('operate', 'exec', ['x = a', 'x'], {'a': 2})), 2)
        self.assertIsNone(self.keep(('delete', 'n', [], {})))

    def test_the_exception_stays_as_an_object(self):
        thing, listed = handle(self.number), len(self.daemon.ask('objects', {}))
        kept, args, report = self.kept(('call', 'fail', [1, thing, [2]], {}))
        self.assertEqual(self.daemon.call(kept[2], 'errors'), ['first', 'second'])
        self.assertEqual((args[0], args[1][2], args[2]), (1, self.number, [2]))
        self.assertEqual(report['type'].split('.')[-1], 'Problem')
        self.assertEqual(report['notes'], [])
        self.assertIn('raise Problem(*args)', report['traceback'])
        code = self.daemon.get(kept[2], '__traceback__.tb_frame.f_code.co_name')
        self.assertNotIn('outcome_of', code)
        self.daemon.release(kept[2], 1)
        self.daemon.release(self.number, 1)
        self.assertEqual(len(self.daemon.ask('objects', {})), listed)

    def test_the_failing_step_of_a_chain_is_named(self):
        steps = ('get', 'fail', [], {}), ('call', '', [1], {})
        report = self.kept(*steps, is_chain=True)[2]
        self.assertEqual(report['notes'], ['in step 2 of the chain: calling the object'])

    def test_it_stays_whatever_the_mode_and_whatever_it_contains(self):
        for mode in ('value', 'nothing', 'handle', 'plain', 'handle_or_null'):
            self.kept(('call', 'fail', [], {}), returns=mode)
        args = self.kept(('call', 'endless', [], {}))[1]
        itself = args[0][0][2]
        self.assertEqual(args[1], 'after')
        item = self.daemon.operate('getitem', handle(itself), 0, returns='handle')
        self.assertEqual(item[2], itself)
        self.assertEqual(self.kept(('call', 'hide', [], {}))[1], (1,))

    def test_a_forked_copy_ends_by_its_exception(self):
        self.run_text("""
            import os
            def fork():
                pid = os.fork()
                if not pid: raise SystemExit(3)
                return os.waitpid(pid, 0)[1] >> 8
        """)
        self.assertEqual(self.keep(('operate', 'eval', ['f()'], {'f': self.named('fork')})), 3)

    def named(self, name):
        return self.daemon.ask('make', {'kind': 'object', 'name': name})

    def test_what_does_not_fit_a_message_comes_by_handle(self):
        with Daemon() as daemon:
            daemon.ask('hello', {'limit': 1 << 19})
            daemon.script('class Thing:\n    def fail(self): raise ValueError(1, large, 2)\n'
                          'thing, large = Thing(), "x" * (1 << 19)\n')
            thing = daemon.ask('make', {'kind': 'object', 'name': 'thing'})
            kept = daemon.operate('keep', thing, False, 'call', 'fail', 0, [])
            args, report = kept[4:]
            self.assertEqual((args[0], kind(args[1]), args[2]), (1, 'handle', 2))
            # A report that is too large says so, and the object has it all.
            self.assertEqual(report['type'], 'ValueError')
            self.assertEqual(report['message'], '<its report does not fit a message>')
            args = daemon.get(kept[3][2], 'args', returns='handle')
            self.assertEqual(daemon.operate('len', args), 3)

    def test_what_the_object_did_not_raise_is_a_failure(self):
        self.fails('bad_arguments', self.keep, ('operate', 'plus', [], {}))
        self.fails('bad_arguments', self.keep, ('set', 'n', [], {}))
        self.fails('not_a_value', self.keep, ('get', 'fail', [], {}), returns='value')


if __name__ == '__main__':
    unittest.main()
