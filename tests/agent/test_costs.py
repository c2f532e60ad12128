"""What a call costs in the interpreter, so that a change shows it."""

import unittest

from support import Case

# By version: the bytecodes and the Python functions of one call with one small argument, the
# object's own included.
COSTS = {(3, 11): (786, 22.2)}


class Costs(Case):
    def test_a_call_takes_as_many_bytecodes_as_are_kept(self):
        version = tuple(self.daemon.info['version_info'][:2])
        if version not in COSTS:
            raise unittest.SkipTest('no costs are kept for Python {}.{}'.format(*version))
        module = self.run_text("""
            import sys
            counts = [0, 0]
            def trace(frame, event, _):
                frame.f_trace_opcodes, frame.f_trace_lines = True, False
                counts[0 if event == 'opcode' else 1] += event in ('opcode', 'call')
                return trace
            def begin(): sys.settrace(trace)
            def same(number): return number
            def end():
                sys.settrace(None)
                return counts
        """)
        self.daemon.call(module, 'begin')
        calls = 100
        for number in range(calls):
            self.assertEqual(self.daemon.call(module, 'same', number), number)
        counted = [count / calls for count in self.daemon.call(module, 'end')]
        for count, kept in zip(counted, COSTS[version]):
            self.assertAlmostEqual(count / kept, 1, delta=0.05, msg=repr(counted))
