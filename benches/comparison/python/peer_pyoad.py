"""pyoad, which gave oad its idea."""
import logging
import multiprocessing

from pyoad import InstanceDefinition, ObjectDaemonProxy


class Peer:
    def __init__(self):
        # Forking would be faster, but is not safe in a process that has threads.
        multiprocessing.set_start_method('spawn', force=True)
        definition = InstanceDefinition('target', 'Target')
        self.target = ObjectDaemonProxy(definition, logger=logging.getLogger('quiet'))
        self.pids = [self.target.p.pid]

    # With an attribute lookup for each call, as user code does it.
    def same(self, x):
        return self.target.same(x)

    array = same

    def close(self):
        self.target.terminate_daemon()
