"""grpcio: a service of one's own, without a schema: numbers of eight bytes, or bytes."""
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from served import Served, exit_with_stdin
from target import Target

UNLIMITED = [('grpc.max_receive_message_length', -1), ('grpc.max_send_message_length', -1)]


def pack(number):
    return number.to_bytes(8, 'little')


def unpack(data):
    return int.from_bytes(data, 'little')


class Peer:
    def __init__(self):
        self.served = Served(__file__)
        self.channel = grpc.insecure_channel('unix:' + self.served.path, options=UNLIMITED)
        self.number = self.channel.unary_unary('/bench.Echo/Number', pack, unpack)
        self.data = self.channel.unary_unary('/bench.Echo/Data')
        self.items = self.channel.unary_stream('/bench.Echo/Items', pack, unpack)
        self.pids = [self.served.process.pid]

    def same(self, x):
        return self.data(x) if isinstance(x, bytes) else self.number(x)

    def array(self, array):
        import numpy
        return numpy.frombuffer(self.data(array.tobytes()), array.dtype)

    def flight(self, calls, in_flight):
        done = 0
        for _ in range(calls // in_flight):
            results = [self.number.future(number) for number in range(in_flight)]
            done += sum(result.result() == number for number, result in enumerate(results))
        return done

    def close(self):
        self.channel.close()
        self.served.close()


def serve(path):
    target = Target()
    handlers = grpc.method_handlers_generic_handler('bench.Echo', {
        'Number': grpc.unary_unary_rpc_method_handler(
            lambda number, _: target.same(number), unpack, pack),
        'Data': grpc.unary_unary_rpc_method_handler(lambda data, _: target.same(data)),
        'Items': grpc.unary_stream_rpc_method_handler(
            lambda count, _: target.items(count), unpack, pack),
    })
    server = grpc.server(ThreadPoolExecutor(max_workers=1), options=UNLIMITED)
    server.add_generic_rpc_handlers((handlers,))
    server.add_insecure_port('unix:' + path)
    server.start()
    print('ready', flush=True)
    exit_with_stdin()
    server.wait_for_termination()


if __name__ == '__main__':
    serve(sys.argv[1])
