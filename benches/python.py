"""Measures the counterparts of benches/python.rs: reads lines `<name> <calls>`, and prints how
long each call of `StringIO.tell` took, in nanoseconds."""
import io
import logging
import multiprocessing
import sys
import time
from multiprocessing.managers import BaseManager


class Manager(BaseManager):
    pass


Manager.register('StringIO', io.StringIO)


def measure(tell, calls):
    clock, times = time.perf_counter, []
    for _ in range(calls):
        start = clock()
        tell()
        times.append(clock() - start)
    print('times', *[int(seconds * 1e9) for seconds in times], flush=True)


def main():
    multiprocessing.set_start_method('spawn')
    manager = Manager()
    manager.start()
    ends = {'manager': manager.StringIO('text')}
    try:
        from pyoad import InstanceDefinition, ObjectDaemonProxy
    except ImportError:
        pass
    else:
        definition = InstanceDefinition('io', 'StringIO', 'text')
        ends['pyoad'] = ObjectDaemonProxy(definition, logger=logging.getLogger('quiet'))
    print('ends', *ends, flush=True)
    for line in sys.stdin:
        name, calls = line.split()
        end = ends[name]
        # As user code does it, with an attribute lookup for each call.
        measure(lambda: end.tell(), int(calls))
    if 'pyoad' in ends:
        ends.pop('pyoad').terminate_daemon()
    manager.shutdown()


if __name__ == '__main__':
    main()
