"""Calls on threads of their own."""

import collections
import os
import random
import tempfile
import textwrap
import time
import unittest

from support import TIMEOUT, Daemon, Failed, Raised, wait_for

SOURCE = """
import _thread, asyncio, collections, queue, os, sys, threading, time
main = threading.main_thread()
q = queue.Queue()
gates = collections.defaultdict(threading.Event)
order = []
def wait(name): return gates[name].wait(60)
def open_gate(name): gates[name].set()
def is_main(): return threading.current_thread() is main
def ident(): return threading.get_ident()
def note(n, gate=None):
    order.append(n)
    if gate: gates[gate].wait(60)
    return n
def say(): os.write(1, b'begun\\n')
def spin():
    say()
    while True: pass
def get(): say(); return q.get()
def event(): say(); threading.Event().wait()
def timed(): say(); q2.get(timeout=60)
q2 = queue.Queue()
def future():
    import concurrent.futures
    say(); return concurrent.futures.Future().result()
def loop():
    async def main(): say(); await asyncio.sleep(60)
    if hasattr(asyncio, 'run'): return asyncio.run(main())
    return asyncio.new_event_loop().run_until_complete(main())
def swallow():
    say()
    while not gates['over'].is_set():
        try:
            while not gates['over'].wait(0.01): pass
        except BaseException: os.write(1, b'hit\\n')
    return 'over'
def held():
    say()
    with lock: return 'held'
lock = threading.Lock()
"""


class Threads(unittest.TestCase):
    THREADS = 4

    def setUp(self):
        self.daemon = Daemon(threads=self.THREADS)
        self.addCleanup(self.daemon.__exit__)
        self.module = self.daemon.script(textwrap.dedent(SOURCE), 'thing.py')

    def send(self, name, *args):
        return self.daemon.send('call', {'target': self.module, 'name': name, 'args': list(args)})

    def call(self, name, *args):
        return self.daemon.answer(self.send(name, *args))

    def on_main(self, name, *args):
        return self.daemon.ask('main call', (self.module, name, list(args), None, 'default'))

    def begin(self, name, *args):
        before = self.daemon.output['stdout'].count(b'begun')
        number = self.send(name, *args)
        wait_for(lambda: self.daemon.output['stdout'].count(b'begun') > before)
        return number

    def fails(self, number, code='interrupted'):
        with self.assertRaises(Failed) as caught:
            self.daemon.answer(number)
        self.assertEqual(caught.exception.code, code)
        return caught.exception.message

    def test_calls_of_one_object_run_at_once(self):
        waiting = [self.send('wait', 'gate') for _ in range(self.THREADS - 1)]
        self.call('open_gate', 'gate')
        self.assertEqual([self.daemon.answer(number) for number in waiting], [True] * 3)

    def test_an_item_is_put_while_a_call_waits_for_it(self):
        number = self.begin('get')
        self.daemon.call(self.daemon.get(self.module, 'q')[2], 'put', 5)
        self.assertEqual(self.daemon.answer(number), 5)

    def test_more_calls_than_threads_wait_for_their_turn(self):
        held = [self.send('note', n, 'gate') for n in range(self.THREADS)]
        later = [self.send('note', n) for n in range(self.THREADS, 200)]
        made = self.daemon.ask('make', {'kind': 'object', 'module': 'builtins', 'name': 'len'})
        self.assertEqual(made[1], 'handle')
        self.assertEqual(self.daemon.answers, {})
        self.on_main('open_gate', 'gate')
        numbers = [self.daemon.answer(number) for number in held + later]
        self.assertEqual(numbers, list(range(200)))

    def test_calls_begin_in_order(self):
        sent = [self.send('note', n) for n in range(1000)]
        for number in sent:
            self.daemon.answer(number)
        # Two that begin at once may append in any order, as two threads that start do.
        order = self.daemon.get(self.module, 'order')
        for place, n in enumerate(order):
            self.assertLess(abs(place - n), 2 * self.THREADS, order)

    def test_what_makes_objects_and_what_asks_for_it_is_on_the_main_thread(self):
        self.assertIs(self.call('is_main'), False)
        self.assertIs(self.on_main('is_main'), True)
        made = self.daemon.script('import threading\nwhere = threading.current_thread()\n')
        self.assertEqual(self.daemon.get(made, 'where.name'), 'MainThread')

    def test_without_threads_all_is_on_the_main_thread(self):
        with Daemon() as daemon:
            module = daemon.script(textwrap.dedent(SOURCE))
            for operation in ('call', 'main call'):
                call = (module, 'is_main', [], None, 'default')
                self.assertIs(daemon.ask(operation, call), True)

    def test_a_call_that_waits_in_python_is_interrupted(self):
        names = ('spin', 'get', 'event', 'timed', 'future', 'loop')
        numbers = {name: self.begin(name) for name in names[: self.THREADS]}
        rest = names[self.THREADS :]
        for name in list(numbers) + list(rest):
            with self.subTest(name):
                number = numbers.get(name) or self.begin(name)
                self.daemon.interrupt(number)
                self.fails(number)
        self.assertEqual(self.call('note', 1), 1)

    def test_an_interrupted_wait_loses_no_notification(self):
        for _ in range(50):
            first, second = self.begin('get'), self.begin('get')
            self.daemon.interrupt(first)
            self.fails(first)
            self.call('q.put', 7)
            self.assertEqual(self.daemon.answer(second), 7)

    def test_a_thread_that_does_not_react_is_replaced(self):
        self.call('lock.acquire')
        stuck = []
        for _ in range(3 * self.THREADS):
            stuck.append(self.begin('held'))
            self.daemon.interrupt(stuck[-1])
        self.assertEqual(self.call('note', 5), 5)
        self.call('lock.release')
        for number in stuck:
            # The interruption is raised as soon as the thread runs again.
            self.fails(number)
        self.assertIs(self.call('lock.acquire', False), True)
        # Those that are too many end.
        wait_for(lambda: self.call('_thread._count') <= self.THREADS + 2)

    def test_an_interruption_hits_only_its_own_call(self):
        module = self.daemon.script(
            textwrap.dedent("""
            import time
            def f(n, kind):
                if kind == 1:
                    total = 0
                    for i in range(n % 500): total += i
                if kind == 2: time.sleep(0.0003)
                if kind == 3: raise ValueError(n)
                return n
        """)
        )
        rng = random.Random(5)
        outcomes = collections.Counter()
        for step in range(300):
            sent, wanted = {}, set()
            for n in range(step * 10, step * 10 + 10):
                sort = rng.randrange(4)
                payload = {'target': module, 'name': 'f', 'args': [n, sort]}
                sent[self.daemon.send('call', payload)] = n, sort
                if rng.random() < 0.3:
                    time.sleep(rng.random() * 0.0004)
                for number in rng.sample(sorted(sent), min(len(sent), rng.randrange(3))):
                    wanted.add(number)
                    self.daemon.interrupt(number)
            for number, (n, sort) in sent.items():
                try:
                    self.assertEqual(self.daemon.answer(number), n)
                    outcomes['value'] += 1
                except Raised as raised:
                    report = raised.report
                    self.assertEqual((report['type'], report['args'], sort), ('ValueError', [n], 3))
                    outcomes['raised'] += 1
                except Failed as failed:
                    self.assertEqual(failed.code, 'interrupted')
                    self.assertIn(number, wanted)
                    outcomes[failed.message] += 1
            self.assertEqual(self.daemon.answers, {})
        self.assertEqual(len(outcomes), 4, outcomes)

    def test_code_that_swallows_it_is_busy_and_may_be_interrupted_again(self):
        number = self.begin('swallow')
        for count in (1, 2, 3):
            # A second interruption that follows at once counts as the same.
            wait_for(lambda count=count: self.hits(number) >= count)
        self.call('open_gate', 'over')
        self.assertEqual(self.daemon.answer(number), 'over')

    def hits(self, number):
        self.daemon.interrupt(number)
        return self.daemon.output['stdout'].count(b'hit')

    def test_a_waiting_call_is_withdrawn(self):
        held = [self.send('wait', 'gate') for _ in range(self.THREADS)]
        waiting = self.send('note', 77)
        self.daemon.interrupt(waiting)
        self.assertIn('before it began', self.fails(waiting))
        self.on_main('open_gate', 'gate')
        for number in held:
            self.assertIs(self.daemon.answer(number), True)
        self.assertEqual(self.daemon.get(self.module, 'order'), [])

    def test_an_interruption_that_overtakes_its_request_is_its_answer(self):
        for operation in ('call', 'main call'):
            coming = self.daemon.next_id + 1
            self.daemon.interrupt(coming)
            self.fails(coming)
            payload = (self.module, 'note', [1], None, 'default')
            self.assertEqual(self.daemon.send(operation, payload), coming)
            self.assertEqual(self.daemon.get(self.module, 'order'), [])

    def test_a_call_on_the_main_thread_is_interrupted_there(self):
        payload = (self.module, 'spin', [], None, 'default')
        number = self.daemon.send('main call', payload)
        wait_for(lambda: b'begun' in self.daemon.output['stdout'])
        other = self.begin('get')
        self.daemon.interrupt(number)
        self.fails(number)
        self.call('q.put', 1)
        self.assertEqual(self.daemon.answer(other), 1)
        self.assertTrue({number, other} <= self.daemon.begun)

    def test_handles_are_counted_right(self):
        module = self.daemon.script('x = object()\ndef g(): return [x] * 50\n')
        rng = random.Random(8)
        count = 0
        for _ in range(100):
            sent = []
            for _ in range(5):
                sent.append(self.daemon.send('call', {'target': module, 'name': 'g'}))
                time.sleep(rng.random() * 0.0002)
                self.daemon.interrupt(rng.choice(sent))
            for number in sent:
                try:
                    count += len(self.daemon.answer(number))
                except Failed as failed:
                    self.assertEqual(failed.code, 'interrupted')
        kept = [entry[2] for entry in self.daemon.ask('objects', {}) if entry[1] == 'object']
        self.assertEqual(sum(kept), count)
        number = next(entry[0] for entry in self.daemon.ask('objects', {}) if entry[1] == 'object')
        self.daemon.release(number, count)
        wait_for(lambda: not [e for e in self.daemon.ask('objects', {}) if e[1] == 'object'])

    def test_interrupted_releases_leave_no_lock(self):
        module = self.daemon.script('class Thing: pass\ndef make(): return [Thing(), Thing()]\n')
        rng = random.Random(9)
        for _ in range(300):
            made = self.daemon.call(module, 'make')
            sent = [self.daemon.send('release', (entry[2], 1)) for entry in made]
            time.sleep(rng.random() * 0.0002)
            for number in sent:
                self.daemon.interrupt(number)
            for number in sent:
                try:
                    self.assertIsNone(self.daemon.answer(number))
                except Failed as failed:
                    # The interruption overtook the request, which is carried out all the same.
                    self.assertIn('before it began', failed.message)
        wait_for(lambda: 'Thing' not in repr(self.daemon.ask('objects', {})))

    def test_an_interruption_arrives_whatever_is_replaced(self):
        module = self.daemon.script(
            textwrap.dedent("""
            import _thread, builtins, collections, ctypes, os, sys, threading, time
            wait = threading.Event().wait
            def replace():
                for name in ('len', 'id', 'isinstance', 'sum', 'map', 'type', 'getattr', 'list'):
                    setattr(builtins, name, None)
                sys._current_frames = time.monotonic = _thread.RLock = _thread.get_ident = None
                ctypes.pythonapi = ctypes.PyDLL = collections.deque = None
            def spin():
                os.write(1, b'begun\\n')
                while True: pass
            def waits():
                os.write(1, b'begun\\n')
                wait()
        """)
        )
        self.daemon.call(module, 'replace')
        for name in ('spin', 'waits', 'spin'):
            before = self.daemon.output['stdout'].count(b'begun')
            number = self.daemon.send('call', {'target': module, 'name': name})
            wait_for(lambda: self.daemon.output['stdout'].count(b'begun') > before)  # noqa: B023
            self.daemon.interrupt(number)
            self.fails(number)

    def test_the_object_finds_its_own_files(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ('decimal', 'uuid'):
                with open(os.path.join(folder, name + '.py'), 'w') as file:
                    file.write('mine = __name__\n')
            with Daemon(threads=2, path=[folder]) as daemon:
                for name in ('decimal', 'uuid'):
                    module = daemon.ask('make', {'kind': 'module', 'module': name})[2]
                    self.assertEqual(daemon.get(module, 'mine'), name)

    def test_both_doors_are_read(self):
        with Daemon(threads=2, doors=2) as daemon:
            module = daemon.script(textwrap.dedent(SOURCE))
            number = daemon.send('call', {'target': module, 'name': 'wait', 'args': ['gate']})
            daemon.call(module, 'open_gate', 'gate')
            self.assertIs(daemon.answer(number), True)

    def test_the_end_lets_go_of_objects_and_interrupts_calls(self):
        module = self.daemon.script(
            textwrap.dedent("""
            import atexit, os, time
            class Thing:
                def __del__(self): os.write(1, b'let go\\n')
            atexit.register(lambda: os.write(1, b'at exit\\n'))
            def f():
                os.write(1, b'begun\\n')
                try:
                    while True: time.sleep(0.01)
                finally: os.write(1, b'finally\\n')
        """)
        )
        thing = self.daemon.call(module, 'Thing', returns='handle')[2]
        self.daemon.send('call', {'target': module, 'name': 'f'})
        wait_for(lambda: b'begun' in self.daemon.output['stdout'])
        self.daemon.release(thing, 1)
        self.daemon.close()
        self.assertEqual(self.daemon.process.wait(TIMEOUT), 0)
        for drain in self.daemon.drains:
            drain.join(TIMEOUT)
        for text in (b'let go', b'finally', b'at exit'):
            self.assertIn(text, self.daemon.output['stdout'])

    def test_a_forked_copy_answers_nothing(self):
        module = self.daemon.script('import os\ndef f(): return os.fork() and 5\n')
        self.assertEqual(self.daemon.call(module, 'f'), 5)
        self.assertEqual(self.call('note', 1), 1)

    def test_there_are_only_so_many_threads(self):
        sent = [self.send('ident') for _ in range(2000)]
        threads = {self.daemon.answer(number) for number in sent}
        self.assertLessEqual(len(threads), self.THREADS)


if __name__ == '__main__':
    unittest.main()
