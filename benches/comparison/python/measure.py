"""Measures one Python peer on request: `measure.py PEER [ARGUMENT]`.

It reads lines `<work> <numbers>`, and prints for each a line of samples: seconds, or operations
per second. It exits when its stdin closes, or, amid a measurement, when its parent is killed.
"""
import ctypes
import importlib
import os
import signal
import sys
import threading
import time

clock = time.perf_counter
IN_FLIGHT = 64


def call(peer, calls):
    """Times calls that are made one after the other."""
    times = []
    for number in range(calls):
        start = clock()
        same = peer.same(number)
        times.append(clock() - start)
        assert same == number, same
    return times


def flight(peer, calls):
    """Measures the rate of calls of which 64 are in flight."""
    if hasattr(peer, 'flight'):
        start = clock()
        assert peer.flight(calls, IN_FLIGHT) == calls
        return [calls / (clock() - start)]

    # A peer without asynchronous calls needs a thread for each call in flight.
    def work():
        for number in range(calls // IN_FLIGHT):
            assert peer.same(number) == number
        done.append(None)

    done = []
    threads = [threading.Thread(target=work) for _ in range(IN_FLIGHT)]
    start = clock()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    duration = clock() - start
    assert len(done) == IN_FLIGHT
    return [calls / duration]


def sequence(peer, calls):
    """Measures the rate of calls that are made one after the other."""
    start = clock()
    for number in range(calls):
        assert peer.same(number) == number
    return [calls / (clock() - start)]


def data(peer, size, calls):
    """Times calls with so many bytes."""
    sent, times = bytes(range(256)) * (size // 256), []
    for _ in range(calls):
        start = clock()
        same = peer.same(sent)
        times.append(clock() - start)
        assert same == sent
        del same
    return times


def array(peer, length, calls):
    """Times calls with an array of so many floats."""
    import numpy
    sent, times = numpy.arange(length, dtype='f8'), []
    for _ in range(calls):
        start = clock()
        same = peer.array(sent)
        times.append(clock() - start)
        assert (same == sent).all()
        del same
    return times


def thin(peer, length, calls):
    """Times calls with an array of so many floats that return a sixteenth of it."""
    import numpy
    sent, times = numpy.arange(length, dtype='f8'), []
    for _ in range(calls):
        start = clock()
        thinned = peer.thin(sent)
        times.append(clock() - start)
        assert len(thinned) == length // 16 and thinned[-1] == sent[-16]
        del thinned
    return times


def items(peer, count):
    """Measures the rate of items that are read one after the other."""
    expected, start = 0, clock()
    for item in peer.items(count):
        assert item == expected
        expected += 1
    duration = clock() - start
    assert expected == count
    return [count / duration]


def life(peer, arguments):
    """Times the start of another peer, its first call included, and its end."""
    start = clock()
    another = type(peer)(*arguments)
    assert another.same(1) == 1
    started = clock() - start
    start = clock()
    another.close()
    return [started, clock() - start]


PR_SET_PDEATHSIG = 1


def main():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    # A peer may print; the answers need a stdout of their own.
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    name, arguments = sys.argv[1], sys.argv[2:]
    peer = importlib.import_module('peer_' + name).Peer(*arguments)
    works = {
        'call': call, 'flight': flight, 'sequence': sequence, 'data': data, 'array': array,
        'thin': thin, 'items': items,
    }
    try:
        assert peer.same(7) == 7
        print('ready', *peer.pids, file=answers, flush=True)
        for line in sys.stdin:
            work, *numbers = line.split()
            if work == 'life':
                samples = life(peer, arguments)
            else:
                samples = works[work](peer, *map(int, numbers))
            print('samples', *map(repr, samples), file=answers, flush=True)
    except KeyboardInterrupt:
        pass
    finally:
        peer.close()


if __name__ == '__main__':
    main()
