# Runs under `python -c` and parses on 2.7 too. It reports the version, receives the source of the
# agent and starts it.
def bootstrap():
    import sys
    # The entry that -c puts there would let the current directory shadow the standard library.
    if sys.path and sys.path[0] == '':
        del sys.path[0]
    import marshal
    import os
    # 3.13 imports linecache before it runs this text, so the daemon asks for a safe path, for
    # this interpreter alone.
    if os.environ.get('PYTHONSAFEPATH') == 'oad':
        del os.environ['PYTHONSAFEPATH']
    fds = [int(argument) for argument in sys.argv[1:]]
    fd = fds[0]
    sys.argv[:] = ['']
    version = tuple(sys.version_info[:3])
    if version >= (3, 3):
        name = sys.implementation.name
    else:
        name = 'pypy' if 'PyPy' in sys.version else 'cpython'
    # 2.7 marshals only unicode as text.
    frame = marshal.dumps((0, u'version', version + (u'' + name,)), 2)
    length = bytearray(len(frame) >> shift & 255 for shift in (0, 8, 16, 24))
    os.write(fd, bytes(length) + frame)
    if name != 'cpython' or version < (3, 6):
        return
    for socket in fds:
        os.set_inheritable(socket, False)
        os.set_blocking(socket, True)

    def read(count):
        parts = []
        while count:
            part = os.read(fd, min(count, 65536))
            if not part:
                os._exit(0)
            parts.append(part)
            count -= len(part)
        return b''.join(parts)

    import builtins

    source = marshal.loads(read(int.from_bytes(read(4), 'little')))
    agent = sys.modules['__oad_agent__'] = type(sys)('__oad_agent__')
    # Builtins of its own, because the object may replace those of the interpreter.
    agent.__builtins__ = dict(builtins.__dict__)
    # What comes before the standard library, such as PYTHONPATH, is for the object alone.
    path, home = sys.path, os.path.dirname(os.__file__)
    archive = 'python{}{}.zip'.format(*version)
    standard = [place for place, entry in enumerate(path) if entry == home or archive in entry]
    sys.path = path[standard[0] if standard else 0 :]
    exec(compile(source, '<oad agent>', 'exec', 0, True), agent.__dict__)
    sys.path = path
    agent.serve(*fds)


# __main__ stays empty: multiprocessing imports it again in its children, and the object may look
# at it.
globals().pop('bootstrap')()
