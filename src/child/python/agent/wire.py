"""Frames on a socket."""

import _thread
import marshal
import os
from io import BytesIO

from agent.failure import Failure, attempt

try:
    import _socket
except ImportError:
    _socket = None  # type: ignore[assignment]

FRAME_LIMIT = 1 << 30
READ_SIZE = 65536
# A longer frame is read on its own, straight to where its bytes stay.
LARGE_FRAME = 2 * READ_SIZE
# Bytes of at least this many travel beside the marshalled object.
PART_SIZE = 65536
# This bit of a frame's length says that parts follow the object.
HAS_PARTS = 1 << 31
MAX_PARTS = FRAME_LIMIT // PART_SIZE


class Wire:
    """A socket of frames: four bytes of length, little endian, then one marshalled object.

    If `HAS_PARTS` is set in the length, it is followed by the number of parts and by the length
    of each, in four bytes each. The parts follow the object.
    """

    def __init__(self, fd: 'int') -> 'None':
        self.fd: 'int | None' = fd
        self.turn = _thread.RLock()
        self.receive = lambda size: os.read(fd, size)
        self.receive_into = lambda room: os.readv(fd, [room])
        self.send = lambda data: os.write(fd, data)
        if _socket is not None:
            # Not by the number alone: if the object closes it, the number may soon be that of
            # one of the object's files.
            self.socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)
            self.socket.settimeout(None)
            self.receive = self.socket.recv
            self.receive_into = self.socket.recv_into
            self.send = self.socket.send

    def read(self, arrived: 'list[bytes]') -> 'None':
        """Appends the bytes that have arrived, or an empty item at the end."""
        self.store(arrived, self.receive, READ_SIZE, b'')

    def read_large(self, frame: 'LargeFrame') -> 'None':
        """Reads bytes to their place in the frame; appends 0 to its counts at the end."""
        self.store(frame.counts, self.receive_into, frame.room(), 0)

    def store(self, results, function, argument, at_end):
        # The object's signal handlers may raise between any two bytecodes of the main thread,
        # and no byte may be lost. So the very C call that reads also stores.
        try:
            results.extend(map(function, (argument,)))
        except OSError as error:
            if not raised_here(error):
                raise
            if not isinstance(error, ConnectionError):
                exit_disconnected(error)
            # The daemon died without reading every answer; for the agent that is a normal end.
            results.append(at_end)

    def write(self, frame, progress: 'list[int]') -> 'None':
        """Writes the bytes of the frame that `progress` does not yet count.

        A frame is `bytes` or a tuple of buffers.
        """
        # As in `store`, the very C call that writes also counts. The lock can be taken twice by
        # one thread, and is then released completely.
        self.turn.acquire()
        try:
            if type(frame) is bytes:
                if not progress:
                    progress.extend(map(self.send, (frame,)))
                    if progress[0] == len(frame):
                        # The usual case: the socket has taken all at once.
                        return
                frame = (frame,)
            start = 0
            for buffer in frame:
                end = start + len(buffer)
                while sum(progress) < end:
                    rest = memoryview(buffer)[sum(progress) - start :]
                    progress.extend(map(self.send, (rest,)))
                start = end
        finally:
            while self.turn._is_owned():  # type: ignore[attr-defined]
                self.turn.release()


class LargeFrame:
    """A frame of which each buffer is read to where it stays: the object's and the parts'."""

    def __init__(self, lengths: 'list[int]', arrived: 'bytes') -> 'None':
        self.lengths = lengths
        # Such a file fills a `bytes` object in place, and `getvalue` does not copy it. The
        # zeros of a large object take no memory before they are overwritten.
        self.buffers = [BytesIO(bytes(length)) for length in lengths]
        self.views = [buffer.getbuffer() for buffer in self.buffers]
        # How many bytes have come by each read.
        self.counts: 'list[int]' = []
        # The first buffer that is not full, and how many bytes those before it have.
        self.place = 0, 0
        for view in self.views:
            view[: len(arrived)] = arrived[: len(view)]
            self.counts.append(min(len(view), len(arrived)))
            arrived = arrived[len(view) :]
        # What has been read beyond the frame.
        self.rest = [arrived] if arrived else []

    def is_complete(self):
        return sum(self.counts) == sum(self.lengths)

    def room(self):
        """Where the next bytes belong, in a frame that is not complete."""
        self.counts[:] = [sum(self.counts)]
        index, start = self.place
        while start + self.lengths[index] <= self.counts[0]:
            index, start = index + 1, start + self.lengths[index]
        self.place = index, start
        return self.views[index][self.counts[0] - start :]

    def finished(self):
        """The object's bytes, and the parts."""
        for view in self.views:
            view.release()
        return self.buffers[0].getvalue(), self.buffers[1:]


def give_up(turn):
    """Releases a lock completely. An exception may have come after it was taken once more."""
    while turn._is_owned():
        turn.release()


def exit_disconnected(error):
    """Ends the process where no socket is left to report the error on."""
    message = 'oad: the object closed or replaced the sockets of its agent: {}\n'.format(error)
    attempt(lambda: os.write(2, message.encode()), None)
    os._exit(os.EX_IOERR)


def raised_here(error):
    """Whether a C function raised the error in the frame that catches it.

    A signal handler has a frame of its own.
    """
    return error.__traceback__.tb_next is None


def split(arrived: 'list[bytes]') -> 'tuple[bytes, list[bytes]] | None':
    """The object of the first frame and the bytes after it; None if it is large or incomplete."""
    data = arrived[0] if len(arrived) == 1 else b''.join(arrived)
    length = int.from_bytes(data[:4], 'little')
    if len(data) == 4 + length:
        # The usual case: one whole frame and nothing else.
        return data[4:], []
    if length > LARGE_FRAME or len(data) < 4 + length:
        return None
    return data[4 : 4 + length], [data[4 + length :]]


def large_frame(arrived: 'list[bytes]') -> 'LargeFrame | None':
    """The first frame, if it is large and its lengths have arrived."""
    data = b''.join(arrived)
    length = int.from_bytes(data[:4], 'little')
    if len(data) < 4 or length <= LARGE_FRAME:
        return None
    end, count, lengths = 4, 0, [length & ~HAS_PARTS]
    if length & HAS_PARTS and lengths[0] <= FRAME_LIMIT:
        if len(data) < 8:
            return None
        count = int.from_bytes(data[4:8], 'little')
        end += 4 + 4 * count
        if len(data) < end and count <= MAX_PARTS:
            return None
        places = range(8, min(end, len(data)), 4)
        lengths += [int.from_bytes(data[place : place + 4], 'little') for place in places]
    if count > MAX_PARTS or sum(lengths) > FRAME_LIMIT:
        # It ends with its length, and so is not a valid request.
        return LargeFrame([0], b'')
    return LargeFrame(lengths, data[end:])


def withdrawn(number):
    message = 'the request was withdrawn before it began'
    return packed(number, 'failed', ('interrupted', message))


def interrupted(number):
    return packed(number, 'failed', ('interrupted', 'the call was interrupted while it ran'))


def packed(number: 'int', status: 'str', payload, parts: 'list | tuple' = ()) -> 'bytes | tuple':
    """An answer as a frame."""
    body = marshal.dumps((number, status, payload), 2)
    size = len(body) + sum(map(len, parts))
    if size > FRAME_LIMIT:
        message = 'the result takes {} bytes, more than the {} bytes of a frame'
        raise Failure('too_large', message.format(size, FRAME_LIMIT))
    if parts:
        lengths = (len(body) | HAS_PARTS, len(parts)) + tuple(map(len, parts))
        head = b''.join(length.to_bytes(4, 'little') for length in lengths)
        return (head, body) + tuple(parts)
    head = len(body).to_bytes(4, 'little')
    # Small bytes are sent at once, and large ones are not copied.
    return head + body if len(body) < PART_SIZE else (head, body)
