# What every lying interpreter does as it should; its lie follows.
import marshal, os, struct, sys, time

# The daemon's door, and its parent's, if there is one: each is two sockets.
fds = [int(word) for word in sys.argv[1:] if word.isdigit()]
fd = fds[0]


def send(data):
    while data:
        data = data[os.write(fd, data):]


def exactly(size):
    data = b''
    while len(data) < size:
        part = os.read(fd, size - len(data))
        if not part:
            sys.exit(0)
        data += part
    return data


def receive():
    return exactly(struct.unpack('<I', exactly(4))[0])


def body(data):
    send(struct.pack('<I', len(data)) + data)


def frame(x):
    body(marshal.dumps(x, 2))


def hang():
    time.sleep(600)


def begin():
    frame((0, 'version', (3, 8, 0, 'cpython', 'a build')))
    receive()
    receive()


def request():
    number = 0
    while not number:
        number = marshal.loads(receive())[0]
    return number


def greet():
    begin()
    frame((1, 'value', None))
    return request()


def make():
    global fd
    frame((greet(), 'value', (Ellipsis, 'handle', 1, 'Fake', '')))
    if len(fds) > 2:
        # What follows comes from the parent.
        fd = fds[2]
    return request()


def value_of(n):
    return b'(\x03\0\0\0i' + struct.pack('<I', n) + b'u\x05\0\0\0value'


