"""pyoad, which gave oad its idea."""
import logging

from pyoad import InstanceDefinition, ObjectDaemonProxy


class Peer:
    def __init__(self):
        definition = InstanceDefinition('target', 'Target')
        self.target = ObjectDaemonProxy(definition, logger=logging.getLogger('quiet'))
        self.pids = [self.target.p.pid]

    # With an attribute lookup for each call, as user code does it.
    def same(self, x):
        return self.target.same(x)

    array = same

    def close(self):
        self.target.terminate_daemon()
