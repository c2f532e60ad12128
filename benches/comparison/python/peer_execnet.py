"""execnet: a loop at the other end of a channel."""
import os
import sys

import execnet

SERVE = '''
import sys
sys.path.insert(0, {!r})
from target import Target
target = Target()
for method, argument in channel:
    channel.send(getattr(target, method)(argument))
'''


class Peer:
    def __init__(self):
        self.group = execnet.Group()
        gateway = self.group.makegateway('popen//python=' + sys.executable)
        folder = os.path.dirname(os.path.abspath(__file__))
        self.channel = gateway.remote_exec(SERVE.format(folder))
        self.pids = [gateway._io.popen.pid]

    def same(self, x):
        self.channel.send(('same', x))
        return self.channel.receive(60)

    def flight(self, calls, in_flight):
        done = 0
        for _ in range(calls // in_flight):
            for number in range(in_flight):
                self.channel.send(('same', number))
            for number in range(in_flight):
                done += self.channel.receive(60) == number
        return done

    def close(self):
        self.group.terminate(5)
