"""Coroutines that calls return, asynchronous generators and what else needs an event loop."""

import os
import signal
import textwrap
import time
import unittest

from support import TIMEOUT, Daemon, Failed, Raised, handle, wait_for

SOURCE = r"""
import asyncio, gc, os, threading, time, types
left = []
async def sleep(seconds, result=None):
    await asyncio.sleep(seconds)
    return result
async def forever():
    os.write(1, b'begun\\n')
    try: await asyncio.sleep(60)
    finally: left.append('forever')
async def swallow():
    os.write(1, b'begun\\n')
    while not left:
        try: await asyncio.sleep(0.01)
        except asyncio.CancelledError: os.write(1, b'hit\\n')
    return 'over'
async def fail(): raise ValueError('no')
async def leave(): raise SystemExit(3)
async def none(): return None
async def thread(): return threading.current_thread().name, threading.get_ident()
@types.coroutine
def old():
    yield
    return 'old'
def future():
    made = loop_of[0].create_future()
    loop_of[0].call_soon_threadsafe(made.set_result, 5)
    return made
loop_of = []
async def note_loop(): loop_of.append(asyncio.get_event_loop())
class Thing:
    def __init__(self): self.made = threading.get_ident()
    async def method(self): return threading.get_ident() == self.made
    def plain(self): return threading.get_ident() == self.made
    def needs_loop(self): return asyncio.get_event_loop() is loop_of[0]
    @property
    def attribute(self): return threading.get_ident() == self.made
    async def __aenter__(self): left.append('entered'); return self
    async def __aexit__(self, *rest): left.append(('left', rest[0])); return True
async def make(): return Thing()
class Plain:
    def __init__(self): self.made = threading.get_ident()
    def plain(self): return threading.get_ident() == self.made
async def make_plain(): return Plain()
async def queue(): return asyncio.Queue()
async def count(n):
    try:
        for i in range(n):
            await asyncio.sleep(0)
            yield i
    finally:
        await asyncio.sleep(0)
        left.append('closed')
async def waits():
    try:
        yield 1
        os.write(1, b'begun\\n')
        await asyncio.sleep(60)
        yield 2
    finally: left.append('waits')
class Countdown:
    def __init__(self, n): self.n = n
    def __aiter__(self): return self
    async def __anext__(self):
        if not self.n: raise StopAsyncIteration
        self.n -= 1
        return self.n
async def rows(): return [1, 2]
gate = threading.Event()
async def block():
    os.write(1, b'begun\\n')
    gate.wait(60)
def main(): return threading.current_thread() is threading.main_thread()
async def stops():
    asyncio.get_event_loop().stop()
    await asyncio.sleep(0.01)
    return 'on'
def add(seconds): time.sleep(seconds)
"""


class Coroutines(unittest.TestCase):
    THREADS = 0

    def setUp(self):
        self.daemon = Daemon(threads=self.THREADS)
        self.addCleanup(self.daemon.__exit__)
        self.module = self.daemon.script(textwrap.dedent(SOURCE), 'thing.py')

    def send(self, name, *args, **options):
        payload = dict({'target': self.module, 'name': name, 'args': list(args)}, **options)
        return self.daemon.send('call', payload)

    def call(self, name, *args, **options):
        return self.daemon.answer(self.send(name, *args, **options))

    def fails(self, number, code='interrupted'):
        with self.assertRaises(Failed) as caught:
            self.daemon.answer(number)
        self.assertEqual(caught.exception.code, code)
        return caught.exception.message

    def begin(self, name, *args, **options):
        before = self.daemon.output['stdout'].count(b'begun')
        number = self.send(name, *args, **options)
        wait_for(lambda: self.daemon.output['stdout'].count(b'begun') > before)
        return number

    def test_a_coroutine_is_awaited_unless_a_handle_is_asked_for(self):
        for mode in ('default', 'value', 'plain', 'await default', 'await plain'):
            self.assertEqual(self.call('sleep', 0, 5, returns=mode), 5)
            self.assertEqual(self.call('old', returns=mode), 'old')
        self.assertIsNone(self.call('sleep', 0, 5, returns='nothing'))
        self.assertEqual(self.call('sleep', 0, 5, returns='handle')[3], 'coroutine')
        self.assertEqual(self.call('make', returns='await handle')[3].split('.')[-1], 'Thing')
        self.assertIsNone(self.call('none', returns='await handle_or_null'))
        # What cannot be awaited is the result itself.
        self.assertEqual(self.call('threading.get_ident', returns='await default') > 0, True)

    def test_a_kept_coroutine_is_awaited_later(self):
        kept = self.call('sleep', 0, 7, returns='handle')[2]
        payload = {
            'operator': 'eval',
            'operands': [handle(self.module), 'x'],
            'names': {'x': handle(kept)},
        }
        self.assertEqual(self.daemon.ask('operate', payload), 7)

    def test_a_future_is_awaited_if_asked(self):
        self.call('note_loop')
        self.assertEqual(self.call('future', returns='await default'), 5)
        self.assertEqual(self.call('future')[1], 'handle')

    def test_thousands_are_in_flight_while_calls_go_on(self):
        self.call('sleep', 0)
        sent = []
        for n in range(2000):
            sent.append(self.send('sleep', 0.3, n))
            self.daemon.read_arrived()
        self.assertIs(self.call('main'), not self.THREADS)
        self.assertEqual([self.daemon.answer(number) for number in sent], list(range(2000)))

    def test_all_are_on_one_other_thread(self):
        first, second = self.call('thread'), self.call('thread')
        self.assertEqual(first, second)
        self.assertNotEqual(first[0], 'MainThread')

    def test_exceptions_are_reported(self):
        for name, kind in (('fail', 'ValueError'), ('leave', 'SystemExit')):
            with self.assertRaises(Raised) as caught:
                self.call(name)
            self.assertEqual(caught.exception.report['type'], kind)
            self.assertNotIn('oad agent', caught.exception.report['traceback'])
        self.assertEqual(self.call('sleep', 0, 1), 1)

    def test_an_interruption_cancels_the_task(self):
        number = self.begin('forever')
        other = self.send('sleep', 0.2, 5)
        self.daemon.interrupt(number)
        self.fails(number)
        self.assertEqual(self.daemon.answer(other), 5)
        self.assertEqual(self.daemon.get(self.module, 'left'), ['forever'])
        self.daemon.interrupt(number)
        self.daemon.interrupt(other)
        self.assertEqual(self.call('sleep', 0, 1), 1)
        self.assertEqual(self.daemon.answers, {})

    def test_a_task_that_has_not_begun_is_cancelled(self):
        self.call('sleep', 0)
        blocking = self.begin('block')
        number = self.send('forever')
        self.daemon.interrupt(number)
        # The interruption has been read when this has been answered.
        self.daemon.objects()
        self.assertIsNone(self.call('gate.set'))
        self.fails(number)
        self.assertIsNone(self.daemon.answer(blocking))
        self.assertEqual(self.daemon.get(self.module, 'left'), [])

    def test_a_cancellation_that_is_swallowed_leaves_the_call_busy(self):
        number = self.begin('swallow')
        self.daemon.interrupt(number)
        wait_for(lambda: b'hit' in self.daemon.output['stdout'])
        self.assertNotIn(number, self.daemon.answers)
        self.assertEqual(self.daemon.call(self.module, 'left.append', 1), None)
        self.assertEqual(self.daemon.answer(number), 'over')
        self.assertIn(number, self.daemon.begun)

    def test_what_needs_the_loop_is_used_on_it(self):
        self.call('note_loop')
        thing = self.call('make', returns='await handle')[2]
        for name in ('method', 'plain', 'needs_loop'):
            self.assertIs(self.daemon.call(thing, name), True, name)
        self.assertIs(self.daemon.get(thing, 'attribute'), True)
        plain = self.call('make_plain', returns='await handle')[2]
        self.assertIs(self.daemon.call(plain, 'plain'), False)

    def test_a_queue_of_the_loop_wakes_its_reader(self):
        queue = self.call('queue', returns='await handle')[2]
        get = self.daemon.send('call', {'target': queue, 'name': 'get'})
        self.assertIsNone(self.daemon.call(queue, 'put_nowait', 5))
        self.assertEqual(self.daemon.answer(get), 5)
        self.assertEqual(self.daemon.call(queue, 'qsize'), 0)

    def test_an_asynchronous_context_manager(self):
        thing = self.call('Thing', returns='handle')[2]
        entered = self.daemon.operate('enter', handle(thing), returns='handle')
        self.assertEqual(entered[2], thing)
        self.assertIs(self.daemon.operate('exit', handle(thing)), True)
        self.assertEqual(self.daemon.get(self.module, 'left'), ['entered', ('left', None)])

    def items(self, number):
        items, is_end = [], False
        while not is_end:
            found, is_end = self.daemon.ask('iterate', {'target': number, 'count': 5})
            items += found
        return items

    def test_asynchronous_iterators_are_iterated(self):
        for name, expected in (('count', [0, 1, 2]), ('Countdown', [2, 1, 0])):
            made = self.call(name, 3, returns='await handle')[2]
            iterator = self.daemon.operate('iter', handle(made), returns='handle')[2]
            self.assertEqual(self.items(iterator), expected)
        rows = self.call('rows', returns='await handle')[2]
        iterator = self.daemon.operate('iter', handle(rows), returns='handle')[2]
        self.assertEqual(self.items(iterator), [1, 2])

    def test_an_asynchronous_generator_that_is_let_go_is_closed(self):
        made = self.call('count', 3, returns='await handle')[2]
        self.assertEqual(self.daemon.ask('iterate', {'target': made, 'count': 5}), ([0], False))
        self.daemon.release(made, 0)
        wait_for(lambda: self.daemon.get(self.module, 'left') == ['closed'])

    def test_a_wait_for_an_item_is_cancelled(self):
        made = self.call('waits', returns='await handle')[2]
        self.assertEqual(self.daemon.ask('iterate', {'target': made, 'count': 1}), ([1], False))
        number = self.daemon.send('iterate', {'target': made, 'count': 1})
        wait_for(lambda: b'begun' in self.daemon.output['stdout'])
        self.daemon.interrupt(number)
        self.fails(number)
        self.assertEqual(self.daemon.get(self.module, 'left'), ['waits'])

    def test_next_of_an_asynchronous_iterator(self):
        made = self.call('Countdown', 1, returns='handle')[2]
        self.assertEqual(self.daemon.operate('next', handle(made)), 0)
        with self.assertRaises(Raised) as caught:
            self.daemon.operate('next', handle(made))
        self.assertEqual(caught.exception.report['type'], 'StopAsyncIteration')

    def test_a_loop_that_is_stopped_goes_on(self):
        self.assertEqual(self.call('stops'), 'on')

    def test_the_policy_makes_the_loop(self):
        self.daemon.script("""if True:
            import asyncio, warnings
            warnings.simplefilter('ignore')
            class Loop(asyncio.SelectorEventLoop): pass
            class Policy(asyncio.DefaultEventLoopPolicy):
                def new_event_loop(self): return Loop()
            asyncio.set_event_loop_policy(Policy())
        """)
        module = self.daemon.script(
            'import asyncio\nasync def f(): return type(asyncio.get_event_loop()).__name__'
        )
        self.assertEqual(self.daemon.call(module, 'f'), 'Loop')

    def test_the_end_cancels_tasks_and_closes_generators(self):
        module = self.daemon.script(
            textwrap.dedent(r"""
            import asyncio, os
            async def f():
                os.write(1, b'begun\\n')
                try: await asyncio.sleep(60)
                finally: os.write(1, b'cancelled\\n')
            async def g():
                try: yield 1
                finally: os.write(1, b'closed\\n')
        """)
        )
        made = self.daemon.call(module, 'g', returns='handle')[2]
        self.daemon.ask('iterate', {'target': made, 'count': 1})
        self.daemon.send('call', {'target': module, 'name': 'f'})
        wait_for(lambda: b'begun' in self.daemon.output['stdout'])
        self.daemon.close()
        self.assertEqual(self.daemon.process.wait(TIMEOUT), 0)
        for drain in self.daemon.drains:
            drain.join(TIMEOUT)
        for text in (b'cancelled', b'closed'):
            self.assertIn(text, self.daemon.output['stdout'])

    def test_a_main_call_is_interrupted_beside_coroutines(self):
        sleeping = self.send('sleep', 0.5, 5)
        number = self.send('add', 60)
        time.sleep(0.05)
        if not self.THREADS:
            self.daemon.interrupt(number)
            self.fails(number)
        self.assertEqual(self.daemon.answer(sleeping), 5)


class CoroutinesOfThreads(Coroutines):
    THREADS = 3


class Signals(unittest.TestCase):
    def test_signals_of_others_lose_no_coroutine(self):
        with Daemon() as daemon:
            module = daemon.script(
                textwrap.dedent("""
                import asyncio, signal
                signal.signal(signal.SIGINT, signal.default_int_handler)
                async def f(n):
                    await asyncio.sleep(0)
                    return n
            """)
            )
            for n in range(1500):
                number = daemon.send('call', {'target': module, 'name': 'f', 'args': [n]})
                if n % 3 == 0:
                    os.kill(daemon.process.pid, signal.SIGINT)
                try:
                    self.assertEqual(daemon.answer(number), n)
                except Raised as raised:
                    self.assertEqual(raised.report['type'], 'KeyboardInterrupt')
            self.assertEqual(daemon.answers, {})

    def test_a_coroutine_that_forks_is_answered_once(self):
        with Daemon() as daemon:
            module = daemon.script('import os\nasync def f(): return os.fork() and 5\n')
            self.assertEqual(daemon.call(module, 'f'), 5)
            self.assertEqual(daemon.call(module, 'f'), 5)
            self.assertEqual(daemon.output['stderr'], b'')


if __name__ == '__main__':
    unittest.main()
