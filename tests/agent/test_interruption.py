"""Calls that are interrupted, by the daemon and by signals of others."""

import collections
import os
import random
import signal
import textwrap
import threading
import time

from support import Case, Daemon, Failed, Raised, handle, wait_for


class Interruption(Case):
    BODIES = {
        'sleep': 'time.sleep(60)',
        'loop': 'while True: pass',
        'lock': 'l = threading.Lock(); l.acquire(); l.acquire()',
        'timed lock': 'l = threading.Lock(); l.acquire(); l.acquire(timeout=60)',
        'socket': 'a, b = socket.socketpair(); a.recv(1)',
        'select': 'a, b = socket.socketpair(); select.select([a], [], [])',
        'join': 't = threading.Thread(target=time.sleep, args=(60,), daemon=True); t.start(); '
        't.join()',
        'event': 'threading.Event().wait()',
        'queue': 'queue.Queue().get()',
        'deep': 'deep(900)',
    }

    def start(self, text, **options):
        module = self.run_text(
            """
            import time, threading, socket, select, subprocess, queue, os
            def deep(n):
                if n: deep(n - 1)
                else: time.sleep(60)
            def f():
                os.write(1, b'begun\\n')
                TEXT
        """.replace('TEXT', text)
        )
        before = self.begun()
        number = self.daemon.send('call', dict({'target': module, 'name': 'f'}, **options))
        self.wait_for_begun(before)
        return number

    def begun(self):
        return self.daemon.output['stdout'].count(b'begun')

    def wait_for_begun(self, count):
        wait_for(lambda: self.begun() > count)

    def interrupt(self, number):
        self.daemon.interrupt(number)

    def test_what_waits_or_loops_is_interrupted(self):
        for name, text in self.BODIES.items():
            with self.subTest(name):
                number = self.start(text)
                self.interrupt(number)
                # An interruption is lost in a weakref's callback or a __del__, as every exception
                # is there. So it is repeated, as the daemon does; a second one has no effect where
                # the first one had.
                again = threading.Timer(1, self.interrupt, (number,))
                again.start()
                self.fails('interrupted', self.daemon.answer, number)
                again.cancel()
                again.join()
                self.assertEqual(self.evaluate('1 + 1'), 2)

    def test_an_event_loop_is_left_whatever_runs_in_it(self):
        bodies = {
            'task': 'asyncio.ensure_future(busy())',
            'task that never waits': 'asyncio.ensure_future(spins())',
            'callback': 'loop.call_soon(again)',
            'nothing': 'pass',
        }
        for name, text in bodies.items():
            with self.subTest(name):
                module = self.run_text(
                    """
                    import asyncio, os
                    left = []
                    async def busy():
                        try:
                            while True: await asyncio.sleep(0)
                        finally: left.append('busy')
                    async def spins():
                        await asyncio.sleep(0)
                        while True: pass
                    def again():
                        for _ in range(100000): pass
                        asyncio.get_event_loop().call_soon(again)
                    async def main():
                        loop = asyncio.get_event_loop()
                        TEXT
                        os.write(1, b'begun\\n')
                        await asyncio.sleep(60)
                    def f():
                        if hasattr(asyncio, 'run'): return asyncio.run(main())
                        return asyncio.new_event_loop().run_until_complete(main())
                """.replace('TEXT', text)
                )
                before = self.begun()
                number = self.daemon.send('call', {'target': module, 'name': 'f'})
                self.wait_for_begun(before)
                self.interrupt(number)
                self.fails('interrupted', self.daemon.answer, number)
                self.assertEqual(self.evaluate('1 + 1'), 2)

    def test_a_wait_for_a_process_is_interrupted(self):
        module = self.run_text("""
            import os, subprocess
            process = subprocess.Popen(['sleep', '60'])
            def f():
                os.write(1, b'begun\\n')
                process.wait()
            def end():
                process.kill()
                return process.wait()
        """)
        before = self.begun()
        number = self.daemon.send('call', {'target': module, 'name': 'f'})
        self.wait_for_begun(before)
        self.interrupt(number)
        self.fails('interrupted', self.daemon.answer, number)
        self.assertEqual(self.daemon.call(module, 'end'), -signal.SIGKILL)

    def test_a_queued_request_is_answered_at_once_and_never_runs(self):
        kept = self.daemon.value([])
        number = self.start('time.sleep(60)')
        queued = self.daemon.send('call', {'target': kept, 'name': 'append', 'args': [1]})
        self.interrupt(queued)
        self.interrupt(queued)
        self.fails('interrupted', self.daemon.answer, queued)
        self.interrupt(number)
        self.fails('interrupted', self.daemon.answer, number)
        self.assertEqual(self.daemon.operate('len', handle(kept)), 0)

    def test_an_interruption_for_what_is_done_does_nothing(self):
        number = self.daemon.send('objects', {})
        self.daemon.answer(number)
        self.interrupt(number)
        self.assertEqual(self.evaluate('1'), 1)

    def test_an_interruption_that_overtakes_its_request_is_its_answer(self):
        kept = self.daemon.value([])
        coming = self.daemon.next_id + 1
        self.interrupt(coming)
        self.fails('interrupted', self.daemon.answer, coming)
        self.assertEqual(
            self.daemon.send('call', {'target': kept, 'name': 'append', 'args': [1]}), coming
        )
        self.assertEqual(self.daemon.operate('len', handle(kept)), 0)

    def test_code_that_swallows_it_may_be_interrupted_again(self):
        module = self.run_text("""
            import os, time
            def f():
                for _ in range(3):
                    try:
                        os.write(1, b'begun\\n')
                        time.sleep(60)
                    except BaseException:
                        pass
        """)
        before = self.begun()
        number = self.daemon.send('call', {'target': module, 'name': 'f'})
        for turn in range(3):
            self.wait_for_begun(before + turn)
            self.interrupt(number)
        self.assertIsNone(self.daemon.answer(number))

    def test_an_exception_that_never_ends_its_str_is_interrupted(self):
        number = self.start(
            'raise E',
        )
        self.raises(self.daemon.answer, number)
        module = self.run_text("""
            import os, time
            class E(Exception):
                def __str__(self):
                    os.write(1, b'begun\\n')
                    time.sleep(60)
            def f(): raise E
        """)
        before = self.begun()
        number = self.daemon.send('call', {'target': module, 'name': 'f'})
        self.wait_for_begun(before)
        self.interrupt(number)
        self.fails('interrupted', self.daemon.answer, number)

    def test_a_replaced_handler_makes_a_call_uninterruptible_and_no_more(self):
        with Daemon() as daemon:
            module = daemon.script(
                textwrap.dedent("""
                import os, signal, time
                for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
                    signal.signal(number, signal.SIG_IGN)
                def f(): os.write(1, b'begun\\n'); time.sleep(0.3); return 5
            """)
            )
            number = daemon.send('call', {'target': module, 'name': 'f'})
            wait_for(lambda: b'begun' in daemon.output['stdout'])
            daemon.interrupt(number)
            self.assertEqual(daemon.answer(number), 5)

    def test_short_calls_interrupted_at_any_time_are_each_answered_once(self):
        module = self.run_text("""
            import time
            def f(n, kind):
                if kind == 0: return n
                if kind == 1:
                    total = 0
                    for i in range(n % 300): total += i
                    return n
                if kind == 2: time.sleep(0.0003); return n
                raise ValueError(n)
            x = object()
            def g(n): return [x, n]
        """)
        rng = random.Random(7)
        outcomes = collections.Counter()
        for step in range(400):
            sent = {}
            for n in range(step * 10, step * 10 + 10):
                sort = rng.randrange(4)
                sent[
                    self.daemon.send('call', {'target': module, 'name': 'f', 'args': [n, sort]})
                ] = n, sort
                if rng.random() < 0.3:
                    time.sleep(rng.random() * 0.0004)
                for number in rng.sample(sorted(sent), min(len(sent), rng.randrange(3))):
                    self.interrupt(number)
            for number, (n, sort) in sent.items():
                try:
                    self.assertEqual(self.daemon.answer(number), n)
                    outcomes['value'] += 1
                except Raised as raised:
                    self.assertEqual(
                        (raised.report['type'], raised.report['args'], sort), ('ValueError', [n], 3)
                    )
                    outcomes['raised'] += 1
                except Failed as failed:
                    self.assertEqual(failed.code, 'interrupted')
                    outcomes[failed.message] += 1
            self.assertEqual(self.daemon.answers, {})
        self.assertEqual(len(outcomes), 4, outcomes)
        self.assertEqual(sum(outcomes.values()), 4000)
        self.assertEqual(
            self.daemon.ask('call', {'target': module, 'name': 'g', 'args': [1]})[1], 1
        )

    def test_handles_are_counted_right_through_interruptions(self):
        with Daemon() as daemon:
            module = daemon.script('x = object()\ndef g(): return [x] * 50\n')
            rng = random.Random(8)
            count = 0
            for _ in range(1000):
                number = daemon.send('call', {'target': module, 'name': 'g'})
                time.sleep(rng.random() * 0.0002)
                daemon.interrupt(number)
                try:
                    count += len(daemon.answer(number))
                except Failed as failed:
                    self.assertEqual(failed.code, 'interrupted')
            kept = [entry[2] for entry in daemon.ask('objects', {}) if entry[1] == 'object']
            self.assertEqual(sum(kept), count)

    def test_signals_of_others_raise_in_calls_and_do_no_harm_between_them(self):
        with Daemon() as daemon:
            module = daemon.script(
                textwrap.dedent("""
                import os, signal, time
                signal.signal(signal.SIGINT, signal.default_int_handler)
                def f(n): return n
                def g(): os.write(1, b'begun\\n'); time.sleep(60)
            """)
            )
            number = daemon.send('call', {'target': module, 'name': 'g'})
            wait_for(lambda: b'begun' in daemon.output['stdout'])
            os.kill(daemon.process.pid, signal.SIGINT)
            self.assertEqual(self.raises(daemon.answer, number)['type'], 'KeyboardInterrupt')
            for n in range(2000):
                number = daemon.send('call', {'target': module, 'name': 'f', 'args': [n]})
                if n % 3 == 0:
                    os.kill(daemon.process.pid, signal.SIGINT)
                try:
                    self.assertEqual(daemon.answer(number), n)
                except Raised as raised:
                    self.assertEqual(raised.report['type'], 'KeyboardInterrupt')
