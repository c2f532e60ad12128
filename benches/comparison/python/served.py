"""A server process of a peer, which exits when its stdin closes."""
import os
import subprocess
import sys
import tempfile
import threading


class Served:
    """This script, started again with the path of a socket."""

    def __init__(self, script):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, 's')
        self.process = subprocess.Popen(
            [sys.executable, os.path.abspath(script), self.path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ready = self.process.stdout.readline().decode().strip()

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.folder.cleanup()


def exit_with_stdin():
    def wait():
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
