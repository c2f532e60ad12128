"""A client of oad in another language: grpcio calls `oad.v1.Objects/Call` of a daemon.

The few messages that it needs are encoded by hand: `CallRequest {method = 2, arguments = 3}`,
`Value {int = 3}`, a zigzag `sint64`, and `CallResponse {value = 1}`.
"""
import grpc


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def request(number):
    value = b'\x18' + varint(2 * number)  # no number is negative
    return b'\x12\x04same\x1a' + varint(len(value)) + value


def response(data):
    assert data[0] == 0x0A and data[2] == 0x18, data
    zigzag = 0
    for place, byte in enumerate(data[3:]):
        zigzag |= (byte & 0x7F) << 7 * place
    return zigzag // 2


class Peer:
    def __init__(self, socket):
        # The default, the percent-encoded path, is not an authority for servers with tonic.
        options = [('grpc.default_authority', 'localhost')]
        self.channel = grpc.insecure_channel('unix:' + socket, options=options)
        self.same = self.channel.unary_unary('/oad.v1.Objects/Call', request, response)
        self.pids = []

    def flight(self, calls, in_flight):
        done = 0
        for _ in range(calls // in_flight):
            results = [self.same.future(number) for number in range(in_flight)]
            done += sum(result.result() == number for number, result in enumerate(results))
        return done

    def close(self):
        self.channel.close()
