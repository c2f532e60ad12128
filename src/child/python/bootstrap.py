# Runs under `python -c` and parses on 2.7 too. It reports the version, receives the agent and
# starts it.
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
    build = u'{}, -O{}'.format(sys.version, sys.flags.optimize)

    def write(word, payload):
        frame = marshal.dumps((0, word, payload), 2)
        data = bytes(bytearray(len(frame) >> shift & 255 for shift in (0, 8, 16, 24))) + frame
        while data:
            data = data[os.write(fd, data) :]

    # 2.7 marshals only unicode as text.
    write(u'version', version + (u'' + name, build))
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

    # The agent's text, or what this build has once made of it.
    code = marshal.loads(read(int.from_bytes(read(4), 'little')))
    if type(code) is bytes:
        code = marshal.loads(code)
    else:
        code = compile(code, '<oad agent>', 'exec', 0, True)
        write('compiled', marshal.dumps(code))
    agent = sys.modules['__oad_agent__'] = type(sys)('__oad_agent__')
    # Builtins of its own, because the object may replace those of the interpreter.
    agent.__builtins__ = dict(builtins.__dict__)
    # What comes before the standard library, such as PYTHONPATH, is for the object alone.
    path, home = sys.path, os.path.dirname(os.__file__)
    archive = 'python{}{}.zip'.format(*version)
    standard = [place for place, entry in enumerate(path) if entry == home or archive in entry]
    sys.path = path[standard[0] if standard else 0 :]
    exec(code, agent.__dict__)
    sys.path = path
    agent.serve(*fds)


# __main__ stays empty: multiprocessing imports it again in its children, and the object may look
# at it.
globals().pop('bootstrap')()
