"""Two doors to one agent: one queue, the same objects, counts and numbers of their own."""

import marshal
import struct
import unittest

import support


class Parent:
    """Plays the parent: sends requests through the other door."""

    def __init__(self, daemon):
        self.socket, self.urgent = daemon.parent
        self.socket.settimeout(support.TIMEOUT)
        self.next_id = 0

    def send(self, operation, payload):
        self.next_id += 1
        self.socket.sendall(support.marshal_frame((self.next_id, operation, payload)))
        return self.next_id

    def interrupt(self, number):
        self.urgent.sendall(support.marshal_frame((0, 'interrupt', number)))

    def receive(self, count):
        data = b''
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            assert part, 'the interpreter has ended'
            data += part
        return data

    def answer(self, number):
        answered, status, payload = marshal.loads(
            self.receive(struct.unpack('<I', self.receive(4))[0])
        )
        assert answered == number, (answered, number)
        return status, payload

    def call(self, target, name, *args, **options):
        returns = options.get('returns', 'default')
        return self.answer(self.send('call', (target, name, list(args), None, returns)))


class Doors(unittest.TestCase):
    def setUp(self):
        self.daemon = support.Daemon(doors=2)
        self.parent = Parent(self.daemon)

    def tearDown(self):
        self.daemon.__exit__()

    def test_both_doors_lead_to_the_same_objects(self):
        number = self.daemon.value([1])
        self.assertEqual(self.parent.call(number, 'append', 2), ('value', None))
        self.assertEqual(self.daemon.call(number, '__len__'), 2)

    def test_object_stays_until_both_doors_have_given_it_back(self):
        number = self.daemon.value([1, [2]])
        status, (_, _, inner, _, _) = self.parent.call(number, '__getitem__', 1, returns='handle')
        self.assertEqual(status, 'value')
        self.assertEqual(
            self.daemon.call(number, '__getitem__', 1, returns='handle')[2], inner
        )
        self.daemon.release(inner, 1)
        self.assertEqual(self.daemon.call(inner, '__len__'), 1)
        self.parent.send('release', (inner, 1))
        self.assertEqual(self.parent.answer(self.parent.next_id), ('value', None))
        with self.assertRaises(support.Failed):
            self.daemon.call(inner, '__len__')

    def test_release_of_nothing_in_particular_is_for_both_doors(self):
        number = self.daemon.value([])
        status, _ = self.parent.call(number, '__iadd__', 'x', returns='handle')
        self.assertEqual(status, 'value')
        self.daemon.release(number)
        with self.assertRaises(support.Failed):
            self.daemon.call(number, '__len__')

    def test_each_door_interrupts_its_own_requests(self):
        module = self.daemon.script('import time\ndef f(): time.sleep(30)\n')
        running = self.daemon.send('call', {'target': module, 'name': 'f'})
        waiting = self.parent.send('call', (module, 'f', [], None, 'default'))
        kept = self.daemon.send('make', {'kind': 'value', 'value': []})
        # Each door counts for itself, so its numbers say nothing to the other.
        self.parent.interrupt(waiting)
        status, (code, _) = self.parent.answer(waiting)
        self.assertEqual((status, code), ('failed', 'interrupted'))
        self.daemon.interrupt(running)
        with self.assertRaises(support.Failed) as caught:
            self.daemon.answer(running)
        self.assertEqual(caught.exception.code, 'interrupted')
        self.daemon.answer(kept)

    def test_withdrawn_release_loses_no_handle(self):
        module = self.daemon.script('import time\ndef f(x): time.sleep(x)\ndef g(): return f\n')
        _, (_, _, number, _, _) = self.parent.call(module, 'g', returns='handle')
        running = self.daemon.send('call', {'target': module, 'name': 'f', 'args': [0.5]})
        release = self.parent.send('release', (number, 1))
        self.parent.interrupt(release)
        self.parent.answer(release)
        self.daemon.answer(running)
        with self.assertRaises(support.Failed):
            self.daemon.call(number, None, 0)

    def test_busy_main_thread_does_not_delay_the_list_of_objects(self):
        module = self.daemon.script('import time\ndef f(): time.sleep(30)\n')
        self.parent.send('call', (module, 'f', [], None, 'default'))
        answer = self.daemon.objects()
        self.assertEqual(answer, (7, 'value', [(module, 'module', 1)]))

    def test_closed_door_of_the_parent_ends_nothing(self):
        number = self.daemon.value([1])
        for end in self.daemon.parent:
            end.close()
        self.assertEqual(self.daemon.call(number, '__len__'), 1)

    def test_what_the_parent_gave_back_before_the_end_is_dropped(self):
        source = 'class Loud:\n    def __del__(self): print("dropped")\ndef make(): return Loud()\n'
        module = self.daemon.script(source)
        _, (_, _, number, _, _) = self.parent.call(module, 'make', returns='handle')
        self.parent.send('release', (number, 1))
        self.daemon.socket.close()
        self.daemon.urgent.close()
        self.daemon.process.wait(5)
        for drain in self.daemon.drains:
            drain.join(5)
        self.assertIn(b'dropped', self.daemon.output['stdout'])


if __name__ == '__main__':
    unittest.main()
