"""Calls that wait in gevent or eventlet, where these are installed."""

import textwrap
import unittest

from support import Daemon, Failed, Raised, wait_for

BODIES = {
    'gevent': {
        'sleep': 'import gevent; begun(); gevent.sleep(60)',
        'patched sleep': 'from gevent import monkey; monkey.patch_all(); import time; '
        'begun(); time.sleep(60)',
        'queue': 'import gevent.queue; gevent.spawn(gevent.sleep, 60); begun(); '
        'gevent.queue.Queue().get()',
        'join': 'import gevent; begun(); gevent.joinall([gevent.spawn(gevent.sleep, 60)])',
        'busy greenlet': 'import gevent\n'
        '    def spin():\n'
        '        begun()\n'
        '        while True: pass\n'
        '    gevent.spawn(spin).join()',
    },
    'eventlet': {
        'sleep': 'import eventlet; begun(); eventlet.sleep(60)',
        'patched sleep': 'import eventlet; eventlet.monkey_patch(); import time; '
        'begun(); time.sleep(60)',
        'queue': 'import eventlet.queue; begun(); eventlet.queue.LightQueue().get()',
        'wait': 'import eventlet; begun(); eventlet.spawn(eventlet.sleep, 60).wait()',
    },
}
SOURCE = """
import warnings
warnings.simplefilter('ignore')
import os
write = os.write
def begun(): write(1, b'begun\\n')
def again(): import time; time.sleep(0); return 5
def raises(): raise ValueError
"""


class Greenlets(unittest.TestCase):
    def check(self, library):
        with Daemon() as daemon:
            try:
                daemon.ask('make', {'kind': 'module', 'module': library})
            except Raised:
                raise unittest.SkipTest('{} is not installed'.format(library)) from None
        for name, text in BODIES[library].items():
            with self.subTest(name), Daemon() as daemon:
                body = 'def f():\n    ' + text + '\n'
                module = daemon.script(textwrap.dedent(SOURCE) + body)
                for _ in range(3):
                    before = daemon.output['stdout'].count(b'begun')
                    number = daemon.send('call', {'target': module, 'name': 'f'})
                    wait_for(lambda: daemon.output['stdout'].count(b'begun') > before)  # noqa: B023
                    daemon.interrupt(number)
                    with self.assertRaises(Failed) as caught:
                        daemon.answer(number)
                    self.assertEqual(caught.exception.code, 'interrupted')
                    self.assertEqual(daemon.call(module, 'again'), 5)
                    with self.assertRaises(Raised):
                        daemon.call(module, 'raises')

    def test_gevent(self):
        self.check('gevent')

    def test_eventlet(self):
        self.check('eventlet')


if __name__ == '__main__':
    unittest.main()
