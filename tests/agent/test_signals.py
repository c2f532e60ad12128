"""Signals that others send, and those that the parent of the process ignores or blocks."""

import os
import signal
import textwrap
import unittest

from support import PYTHON, Daemon, wait_for

SOURCE = """
    import multiprocessing, os, signal, subprocess, time
    def f():
        os.write(1, b'begun')
        while not os.path.exists({path!r}): time.sleep(0.005)
        return 5
    def g():
        time.sleep(60)
    def child(number):
        return subprocess.Popen(['sleep', '60']).pid
    def exit_code():
        return subprocess.call(['sh', '-c', 'exit 3'])
    def forked(number):
        pid = os.fork()
        if not pid:
            time.sleep(60)
            os._exit(0)
        os.kill(pid, number)
        return os.waitpid(pid, 0)[1]
    def worker(method):
        process = multiprocessing.get_context('fork').Process(target=g)
        process.start()
        process.terminate()
        process.join()
        return process.exitcode
    def status(pid):
        if pid: pid = subprocess.Popen(['sleep', '60']).pid
        while True:
            lines = open('/proc/%s/status' % (pid or 'self')).read().splitlines()
            if not pid or lines[0].endswith("sleep"): break
        fields = dict(line.split(':', 1) for line in lines)
        if pid: os.kill(pid, 9)
        return [int(fields[name], 16) for name in ('SigBlk', 'SigIgn')]
"""
GROUP = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Signals(unittest.TestCase):
    def module(self, daemon, path='/'):
        return daemon.script(textwrap.dedent(SOURCE).replace('{path!r}', repr(path)))

    def test_signals_to_the_whole_group_interrupt_no_call(self):
        for number in GROUP:
            with self.subTest(number), Daemon() as daemon:
                path = '/tmp/oad-test-{}-{}'.format(os.getpid(), int(number))
                call = daemon.send(
                    'call', {'target': self.module(daemon, path), 'name': 'f'}
                )
                wait_for(lambda daemon=daemon: b'begun' in daemon.output['stdout'])
                try:
                    for _ in range(3):
                        os.kill(daemon.process.pid, number)
                    open(path, 'w').close()
                    self.assertEqual(daemon.answer(call), 5)
                finally:
                    os.remove(path)
                # It waits for the next request now.
                os.kill(daemon.process.pid, number)
                self.assertEqual(daemon.call(daemon.value([1]), 'pop'), 1)

    def test_what_the_object_starts_has_the_defaults(self):
        with Daemon() as daemon:
            module = self.module(daemon)
            for number in GROUP[:2]:
                self.assertEqual(daemon.call(module, 'forked', int(number)), number)
            self.assertEqual(daemon.call(module, 'worker', 'fork'), -signal.SIGTERM)
            blocked, ignored = daemon.call(module, 'status', 1)
            self.assertEqual((blocked, ignored), (0, 0))

    def test_a_handler_of_the_object_is_called(self):
        with Daemon() as daemon:
            module = daemon.script(
                'import os, signal\ncame = []\n'
                'signal.signal(signal.SIGTERM, lambda *args: came.append(1))\n'
                'def f(): os.kill(os.getpid(), signal.SIGTERM); return len(came)\n'
            )
            self.assertEqual(daemon.call(module, 'f'), 1)

    def test_nothing_that_the_parent_ignores_or_blocks_is_inherited(self):
        text = (
            'import os, signal, sys\n'
            'for n in range(1, 65):\n'
            '    try: signal.signal(n, signal.SIG_IGN)\n'
            '    except (OSError, ValueError): pass\n'
            'signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n'
            'os.execv(sys.argv[1], sys.argv[1:])\n'
        )
        with Daemon(python=PYTHON, before=['-c', text, PYTHON]) as daemon:
            module = self.module(daemon)
            self.assertEqual(daemon.call(module, 'exit_code'), 3)
            blocked, ignored = daemon.call(module, 'status', 0)
            own = {signal.SIGPIPE, signal.SIGXFSZ}
            self.assertEqual((blocked, ignored), (0, sum(1 << number - 1 for number in own)))
            self.assertEqual(daemon.call(module, 'status', 1), [0, 0])


if __name__ == '__main__':
    unittest.main()
