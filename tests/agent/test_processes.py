"""The start and the end of the process, and what the object does to it."""

import os
import shutil
import signal
import socket
import struct
import tempfile
import textwrap
import threading
import unittest

from support import COMPILED, PYTHON, TIMEOUT, Daemon, Raised, handle, kind, marshal_frame, wait_for


class Processes(unittest.TestCase):
    """Each with an interpreter of its own."""

    def ends(self, daemon):
        """The exit status. What hangs in these tests hangs for longer than is waited here."""
        return daemon.process.wait(TIMEOUT)

    def test_hello_describes_the_interpreter(self):
        with Daemon(path=['/one', '/two']) as daemon:
            version = tuple(daemon.info['version_info'][:3])
            build = daemon.info['version'] + ', -O0'
            self.assertEqual(daemon.version, (0, 'version', version + ('cpython', build)))
            self.assertEqual(daemon.info['pid'], daemon.process.pid)
            self.assertEqual(
                sorted(daemon.info),
                [
                    'base_prefix',
                    'executable',
                    'implementation',
                    'numpy',
                    'pid',
                    'prefix',
                    'version',
                    'version_info',
                ],
            )
            system = daemon.ask('make', {'kind': 'module', 'module': 'sys'})[2]
            self.assertEqual(daemon.get(system, 'path')[:2], ['/one', '/two'])
            self.assertNotIn('', daemon.get(system, 'path'))
            self.assertEqual(daemon.get(system, 'argv'), [''])
            main = daemon.ask('make', {'kind': 'module', 'module': '__main__'})[2]
            names = set(daemon.operate('dir', handle(main)))
            self.assertEqual({name for name in names if not name.startswith('__')}, set())
            self.assertNotIn('__file__', names)
            self.assertEqual(daemon.get(main, '__name__'), '__main__')

    def test_output_of_every_kind_disturbs_nothing(self):
        with Daemon() as daemon:
            module = daemon.script(
                textwrap.dedent("""
                import os, sys
                def shout():
                    print('print'); os.write(1, b'write\\n'); sys.stderr.write('error\\n')
                    os.system('echo shell'); sys.stdout.write('unfinished')
                    return 1
                def flood():
                    for _ in range(200): os.write(2, b'x' * 100000)
                    return 2
                def none(): sys.stdout = sys.stderr = sys.stdin = None; return 3
                class Broken:
                    def flush(self): raise SystemExit
                    def __getattr__(self, name): raise ValueError
                def replace(): sys.stdout = sys.stderr = Broken(); return 4
                def remove(): del sys.stdout, sys.stderr; return 5
                def restore(): sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__; return 6
                def shut(): sys.stdout.close(); sys.stderr.close(); return 7
                def close_all():
                    for fd in (0, 1, 2): os.close(fd)
                    return 8
                def fail(): raise ValueError
            """)
            )
            self.assertEqual(daemon.call(module, 'shout'), 1)
            wait_for(lambda: daemon.output['stdout'] == b'print\nwrite\nshell\nunfinished')
            wait_for(lambda: daemon.output['stderr'] == b'error\n')
            for name, expected in [
                ('flood', 2),
                ('none', 3),
                ('replace', 4),
                ('remove', 5),
                ('restore', 6),
                ('shut', 7),
                ('close_all', 8),
            ]:
                self.assertEqual(daemon.call(module, name), expected)
                with self.assertRaises(Raised):
                    daemon.call(module, 'fail')

    def test_standard_output_that_is_closed_from_the_start_is_survived(self):
        text = 'exec "$0" "$@" 0<&- 1>&- 2>&-'
        with Daemon(python='/bin/sh', before=['-c', text, PYTHON]) as daemon:
            self.assertEqual(daemon.call(daemon.value([1]), 'pop'), 1)

    def test_a_forked_copy_that_comes_back_ends_without_an_answer(self):
        with Daemon() as daemon:
            module = daemon.script(
                textwrap.dedent("""
                import os, sys
                def f(): return os.fork()
                def wait(pid): return os.WEXITSTATUS(os.waitpid(pid, 0)[1])
                def exits():
                    pid = os.fork()
                    if not pid: sys.exit(3)
                    return pid
                def breaks():
                    pid = os.fork()
                    if not pid: raise ValueError('in the copy')
                    return pid
                def again():
                    pid = os.fork()
                    if not pid:
                        mine = os.dup2(1, %d)
                        inner = os.fork()
                        if not inner:
                            try: os.fstat(%d)
                            except OSError: os._exit(9)
                            os._exit(4)
                        os._exit(wait(inner))
                    return wait(pid)
                def fds():
                    pid = os.fork()
                    if not pid:
                        try: os.fstat(%d)
                        except OSError: os._exit(7)
                        os._exit(8)
                    return wait(pid)
            """)
                % ((daemon.fd,) * 3)
            )
            self.assertEqual(daemon.call(module, 'wait', daemon.call(module, 'f')), 0)
            self.assertEqual(daemon.call(module, 'wait', daemon.call(module, 'exits')), 3)
            self.assertEqual(daemon.call(module, 'wait', daemon.call(module, 'breaks')), 1)
            wait_for(lambda: b'in the copy' in daemon.output['stderr'])
            self.assertEqual(daemon.call(module, 'fds'), 7)
            self.assertEqual(daemon.call(module, 'again'), 4)
            self.assertEqual(daemon.answers, {})

    def test_the_socket_is_not_inherited(self):
        with Daemon() as daemon:
            module = daemon.script(
                textwrap.dedent("""
                import subprocess
                def f(): return subprocess.check_output(['ls', '/proc/self/fd'], close_fds=False)
            """)
            )
            self.assertNotIn(str(daemon.fd).encode(), daemon.call(module, 'f').split())

    def test_multiprocessing_works_inside_the_object(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, 'work.py'), 'w') as file:
                file.write(
                    textwrap.dedent("""
                    import multiprocessing, sys
                    from concurrent.futures import ProcessPoolExecutor
                    def double(x): return 2 * x, '__oad_agent__' in sys.modules
                    def run(method):
                        with multiprocessing.get_context(method).Pool(1) as pool:
                            return pool.map(double, [1, 2])
                    def executor():
                        with ProcessPoolExecutor(1) as pool: return list(pool.map(double, [4]))
                """)
                )
            with Daemon(path=[folder]) as daemon:
                module = daemon.ask('make', {'kind': 'module', 'module': 'work'})[2]
                self.assertEqual(daemon.call(module, 'run', 'spawn'), [(2, False), (4, False)])
                self.assertEqual(daemon.call(module, 'run', 'forkserver'), [(2, False), (4, False)])
                self.assertEqual(daemon.call(module, 'run', 'fork'), [(2, True), (4, True)])
                self.assertEqual(daemon.call(module, 'executor')[0][0], 8)
                daemon.close()
                self.ends(daemon)

    def test_the_current_directory_shadows_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in (
                'socket',
                'json',
                'os',
                'marshal',
                'signal',
                'traceback',
                'linecache',
                'collections',
                'types',
                'operator',
                'time',
            ):
                with open(os.path.join(folder, name + '.py'), 'w') as file:
                    file.write('raise SystemExit("shadowed")\n')
            with Daemon(cwd=folder) as daemon:
                module = daemon.script('import json, os\n')
                self.assertEqual(daemon.call(module, 'json.dumps', [1]), '[1]')
                self.assertIsNone(daemon.call(module, 'os.getenv', 'PYTHONSAFEPATH'))
                self.assertEqual(
                    kind(daemon.ask('make', {'kind': 'module', 'module': 'socket'})), 'handle'
                )
            self.assertFalse(os.path.exists(os.path.join(folder, '__pycache__')))
            with Daemon(cwd=folder, env={'PYTHONSAFEPATH': '1'}) as daemon:
                self.assertEqual(
                    kind(daemon.ask('make', {'kind': 'module', 'module': 'socket'})), 'handle'
                )

    def test_a_sitecustomize_that_prints_or_raises_is_survived(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, 'sitecustomize.py'), 'w') as file:
                file.write(
                    textwrap.dedent("""
                        import sys
                        print('noise')
                        sys.stderr.write('more noise')
                        raise ValueError('broken')
                    """)
                )
            with Daemon(env={'PYTHONPATH': folder}) as daemon:
                self.assertEqual(daemon.call(daemon.value([1]), 'pop'), 1)
                wait_for(lambda: b'noise' in daemon.output['stdout'])

    def test_the_agent_starts_from_its_text_and_from_what_was_made_of_it(self):
        COMPILED.clear()
        for _ in range(2):
            with Daemon() as daemon:
                self.assertEqual(list(COMPILED), [daemon.version[2][-1]])
                self.assertEqual(daemon.call(daemon.value([1]), 'pop'), 1)
        with Daemon(before=['-O']) as daemon:
            self.assertEqual(len(COMPILED), 2, 'it is another build')
            self.assertEqual(daemon.call(daemon.value([1]), 'pop'), 1)

    def test_an_old_python_says_its_version_and_ends(self):
        old = shutil.which('python2.7', path=os.path.expanduser('~/.pyenv/versions/2.7.18/bin'))
        if old is None:
            self.skipTest('no Python 2.7 here')
        with Daemon(python=old, hello=False) as daemon:
            number, word, (*version, build) = daemon.version
            self.assertEqual((number, word), (0, 'version'))
            self.assertEqual(version, [2, 7, 18, 'cpython'])
            self.assertTrue(build.startswith('2.7.18 '), build)
            self.assertEqual(daemon.process.wait(TIMEOUT), 0)

    def test_the_end_of_the_socket_ends_the_process_in_order(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in [
                ('idle', 'pass'),
                ('sleeps', 'time.sleep(60)'),
                ('loops', 'while True: pass'),
                ('swallows', SWALLOWS),
            ]:
                with self.subTest(name), Daemon() as daemon:
                    path = os.path.join(folder, name)
                    module = daemon.script(
                        textwrap.dedent("""
                        import atexit, os, time, threading
                        threading.Thread(target=time.sleep, args=(60,)).start()
                        atexit.register(lambda: open(PATH, 'w').close())
                        print('unfinished', end='')
                        def f():
                            os.write(2, b'begun')
                            TEXT
                    """)
                        .replace('PATH', repr(path))
                        .replace('TEXT', text)
                    )
                    daemon.send('call', {'target': module, 'name': 'f'})
                    wait_for(lambda: b'begun' in daemon.output['stderr'])
                    daemon.close()
                    status = os.EX_TEMPFAIL if name == 'swallows' else 0
                    self.assertEqual(self.ends(daemon), status)
                    self.assertTrue(os.path.exists(path))
                    wait_for(lambda: daemon.output['stdout'] == b'unfinished')

    def test_an_atexit_handler_that_hangs_does_not_prevent_the_end(self):
        with Daemon() as daemon:
            daemon.script('import atexit, time\natexit.register(time.sleep, 60)\n')
            daemon.close()
            # It tells the daemon that something was cut short.
            self.assertEqual(self.ends(daemon), os.EX_TEMPFAIL)

    def test_the_end_takes_as_long_as_the_daemon_allows(self):
        with tempfile.TemporaryDirectory() as folder:
            for seconds, expected in ((20.0, 0), (0.3, os.EX_TEMPFAIL)):
                with self.subTest(seconds), Daemon() as daemon:
                    path = os.path.join(folder, str(seconds))
                    daemon.script(
                        'import atexit, time\n'
                        'def f(): time.sleep(1.5); open({!r}, "w").close()\n'
                        'atexit.register(f)\n'.format(path)
                    )
                    daemon.urgent.sendall(marshal_frame((0, 'end', seconds)))
                    daemon.close()
                    self.assertEqual(self.ends(daemon), expected)
                    self.assertEqual(os.path.exists(path), expected == 0)

    def test_an_interrupted_call_leaves_its_with_blocks_at_the_end(self):
        with tempfile.TemporaryDirectory() as folder, Daemon() as daemon:
            path = os.path.join(folder, 'left')
            module = daemon.script(
                textwrap.dedent("""
                import os, time
                def f():
                    try:
                        os.write(2, b'begun')
                        time.sleep(60)
                    finally:
                        open({!r}, 'w').close()
            """).format(path)
            )
            daemon.send('call', {'target': module, 'name': 'f'})
            wait_for(lambda: b'begun' in daemon.output['stderr'])
            daemon.close()
            self.ends(daemon)
            self.assertTrue(os.path.exists(path))

    def test_a_malformed_frame_ends_the_process(self):
        for frame in [
            b'\xff\xff\xff\xff',
            b'\1\0\0\0?',
            b'\5\0\0\0(\1\0\0\0',
            b'\1\0\0\0N',
            struct.pack('<I', 0),
            marshal_frame((1, 2)),
            marshal_frame((1, 2, 3)),
            b'\1\0\0\0\0',
            b'\1\0',
        ]:
            with self.subTest(frame), Daemon() as daemon:
                daemon.socket.sendall(frame)
                daemon.socket.shutdown(socket.SHUT_WR)
                self.assertEqual(self.ends(daemon), os.EX_PROTOCOL)

    def test_an_end_before_the_agent_came_is_quiet(self):
        with Daemon(hello=False) as daemon:
            daemon.socket.close()
            self.assertEqual(self.ends(daemon), 0)
        self.assertEqual(daemon.output['stderr'], b'')

    def test_a_dead_process_leaves_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            with Daemon(cwd=folder, env={'TMPDIR': folder}) as daemon:
                daemon.call(daemon.value([1]), 'pop')
                daemon.process.kill()
                self.assertEqual(self.ends(daemon), -signal.SIGKILL)
                self.assertEqual(daemon.socket.recv(1), b'')
            self.assertEqual(os.listdir(folder), [])

    def test_calls_run_on_the_main_thread_and_no_thread_of_threading_is_added(self):
        with Daemon() as daemon:
            module = daemon.script(
                textwrap.dedent("""
                import asyncio, signal, sqlite3, threading
                base = sqlite3.connect(':memory:')
                def f():
                    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
                    base.execute('select 1')
                    async def g(): await asyncio.sleep(0.001); return 5
                    done = asyncio.new_event_loop().run_until_complete(g())
                    is_main = threading.current_thread() is threading.main_thread()
                    return is_main, threading.active_count(), done
            """)
            )
            self.assertEqual(daemon.call(module, 'f'), (True, 1, 5))

    def test_many_requests_are_answered_in_order(self):
        with Daemon() as daemon:
            number = daemon.value([])

            def send():
                for n in range(3000):
                    daemon.send('call', {'target': number, 'name': 'append', 'args': [n]})

            # Beside the reading: an agent that cannot write its answers reads no requests.
            first, sending = daemon.next_id + 1, threading.Thread(target=send)
            sending.start()
            answered = [daemon.receive_frame()[0] for _ in range(3000)]
            sending.join()
            self.assertEqual(answered, list(range(first, first + 3000)))
            self.assertEqual(daemon.operate('eq', handle(number), list(range(3000))), True)


SWALLOWS = """
    while True:
        try: time.sleep(60)
        except BaseException: pass
"""
