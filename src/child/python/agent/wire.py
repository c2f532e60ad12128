"""Frames on a socket."""

import _thread
import marshal
import os

from agent.failure import Failure, attempt

try:
    import _socket
except ImportError:
    _socket = None  # type: ignore[assignment]

FRAME_LIMIT = 1 << 30
READ_SIZE = 65536


class Wire:
    """A socket of frames: four bytes of length, little endian, then one marshalled object."""

    def __init__(self, fd: 'int') -> 'None':
        self.fd: 'int | None' = fd
        self.turn = _thread.RLock()
        self.receive = lambda size: os.read(fd, size)
        self.send = lambda data: os.write(fd, data)
        if _socket is not None:
            # Not by the number alone: if the object closes it, the number may soon be that of
            # one of the object's files.
            self.socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)
            self.socket.settimeout(None)
            self.receive = self.socket.recv
            self.send = self.socket.send

    def read(self, parts: 'list[bytes]') -> 'None':
        """Appends the bytes that have arrived, or an empty part at the end."""
        # The object's signal handlers may raise between any two bytecodes of the main thread,
        # and no byte may be lost. So the very C call that reads also stores.
        size = max(READ_SIZE, missing(parts)) if parts else READ_SIZE
        try:
            parts.extend(map(self.receive, (size,)))
        except OSError as error:
            if not raised_here(error):
                raise
            if not isinstance(error, ConnectionError):
                exit_disconnected(error)
            # The daemon died without reading every answer; for the agent that is a normal end.
            parts.append(b'')

    def write(self, frame: 'bytes', progress: 'list[int]') -> 'None':
        """Writes the bytes of the frame that `progress` does not yet count."""
        # As in `read`, the very C call that writes also counts. The lock can be taken twice by
        # one thread, and is then released completely.
        self.turn.acquire()
        try:
            if not progress:
                progress.extend(map(self.send, (frame,)))
                if progress[0] == len(frame):
                    # The usual case: the socket has taken all at once.
                    return
            while sum(progress) < len(frame):
                rest = memoryview(frame)[sum(progress) :] if progress else frame
                progress.extend(map(self.send, (rest,)))
        finally:
            while self.turn._is_owned():  # type: ignore[attr-defined]
                self.turn.release()


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


def split(parts: 'list[bytes]') -> 'tuple[bytes, list[bytes]] | None':
    """The body of the first frame and the bytes after it; None if the frame is incomplete."""
    if len(parts) == 1:
        # The usual case: one whole frame and nothing else.
        data = parts[0]
        if len(data) == 4 + int.from_bytes(data[:4], 'little'):
            return data[4:], []
    if not parts or missing(parts) > 0:
        return None
    data = b''.join(parts)
    end = 4 + int.from_bytes(data[:4], 'little')
    return data[4:end], [data[end:]] if len(data) > end else []


def missing(parts: 'list[bytes]') -> 'int':
    """How many bytes of the first frame have not arrived.

    A frame that is too long ends with its length, and so is not a valid request.
    """
    arrived = sum(map(len, parts))
    head = parts[0] if len(parts[0]) >= 4 else b''.join(parts)[:4]
    length = int.from_bytes(head[:4], 'little') if len(head) >= 4 else 0
    return 4 + (length if length <= FRAME_LIMIT else 0) - arrived


def packed(number: 'int', status: 'str', payload) -> 'bytes':
    """An answer as a frame."""
    body = marshal.dumps((number, status, payload), 2)
    if len(body) > FRAME_LIMIT:
        message = 'the result takes {} bytes, more than the {} bytes of a frame'
        raise Failure('too_large', message.format(len(body), FRAME_LIMIT))
    return len(body).to_bytes(4, 'little') + body
