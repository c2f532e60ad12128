"""rpyc, over a Unix socket."""
import sys

import rpyc
from rpyc.utils.factory import unix_connect
from rpyc.utils.server import ThreadedServer
from served import Served, exit_with_stdin
from target import Target


class Service(rpyc.Service):
    def __init__(self):
        self.target = Target()

    def exposed_same(self, x):
        return self.target.same(x)

    def exposed_items(self, count):
        return self.target.items(count)


class Peer:
    def __init__(self):
        self.served = Served(__file__)
        self.connection = unix_connect(self.served.path, config={'sync_request_timeout': 60})
        self.pids = [self.served.process.pid]

    def same(self, x):
        return self.connection.root.same(x)

    def flight(self, calls, in_flight):
        same, done = rpyc.async_(self.connection.root.same), 0
        for _ in range(calls // in_flight):
            results = [same(number) for number in range(in_flight)]
            done += sum(result.value == number for number, result in enumerate(results))
        return done

    def items(self, count):
        return self.connection.root.items(count)

    def close(self):
        self.connection.close()
        self.served.close()


class Announced(ThreadedServer):
    def _listen(self):
        super()._listen()
        print('ready', flush=True)


if __name__ == '__main__':
    server = Announced(Service, socket_path=sys.argv[1], protocol_config={'allow_all_attrs': True})
    exit_with_stdin()
    server.start()
