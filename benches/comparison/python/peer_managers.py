"""multiprocessing.managers, of the standard library."""
import multiprocessing
from multiprocessing.managers import BaseManager, IteratorProxy

from target import Target


class Manager(BaseManager):
    pass


Manager.register('Iterator', proxytype=IteratorProxy, create_method=False)
Manager.register('Target', Target, exposed=('same', 'items', 'thin'),
                 method_to_typeid={'items': 'Iterator'})


class Peer:
    def __init__(self):
        # Forking would be faster, but is not safe in a process that has threads.
        self.manager = Manager(ctx=multiprocessing.get_context('spawn'))
        self.manager.start()
        self.target = self.manager.Target()
        self.same = self.array = self.target.same
        self.thin = self.target.thin
        self.items = self.target.items
        self.pids = [self.manager._process.pid]

    def close(self):
        self.manager.shutdown()
