"""What the object's code finds around it: the frames below its own, and its source lines."""

import _thread
import functools
import linecache
import sys
import traceback
import types

import __main__
from agent.standard_library import MODULES, own_copy

# === frames ===


class ThreadState(_thread._local):
    """What each thread has of its own."""

    def __init__(self):
        # What `as_main` is to call. Empty, unless an exception came between.
        self.slot: 'list' = []
        # What travels beside the arguments of the request that the thread carries out.
        self.parts: 'tuple | list' = ()
        # Whether it is the thread of the event loop.
        self.is_on_loop = False


OWN = ThreadState()


def call_from_slot():
    # The number stands for `OWN`.
    return 77777 .slot.pop()()  # type: ignore


def main_function():
    """The function `call_from_slot`, as a function without variables of `__main__`.

    `locals`, `sys._getframe(1)`, and what asks for the caller's module, such as `namedtuple`,
    look at the frame that called. So they find an empty one in `__main__`, and not the agent's.
    """
    code = call_from_slot.__code__
    consts = tuple(OWN if x == 77777 else x for x in code.co_consts)
    if hasattr(code, 'replace'):
        code = code.replace(co_consts=consts, co_name='<module>')
    else:
        # 3.6 and 3.7 have no `replace`.
        make: 'type' = types.CodeType
        code = make(
            0, 0, 0, code.co_stacksize, code.co_flags, code.co_code, consts, code.co_names, (),
            code.co_filename, '<module>', code.co_firstlineno, code.co_lnotab
        )
    return types.FunctionType(code, __main__.__dict__, '<module>')


CALL_FROM_SLOT: 'types.FunctionType' = main_function()


def as_main(function, *args):
    """Calls a function as if `__main__` had called it."""
    OWN.slot.append(functools.partial(function, *args))
    return CALL_FROM_SLOT()


# === source lines ===

# The lines of the scripts, as linecache holds them.
SCRIPT_LINES: 'dict' = {}
OWN_LINECACHE = own_copy(linecache)
OWN_TRACEBACK = own_copy(traceback)
OWN_TRACEBACK.linecache = OWN_LINECACHE


def share_lines():
    """Puts the lines of scripts back that the object has cleared, and shares all others."""
    module = MODULES.get('linecache')
    cache = module.__dict__.get('cache') if type(module) is types.ModuleType else None
    if type(cache) is not dict:
        cache = OWN_LINECACHE.cache
    for name, lines in list(SCRIPT_LINES.items()):
        cache.setdefault(name, lines)
    OWN_LINECACHE.cache = cache
    return cache


class SourceFinder:
    """Finds the modules that were made of scripts and files, so that they can be reloaded."""

    def __init__(self):
        self.specs = {}

    def find_spec(self, name, path=None, target=None):
        return self.specs.get(name)


class ScriptLoader:
    """Loads a module from a script's source."""

    def __init__(self, source, shown):
        self.source = source
        self.shown = shown

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        as_main(exec, self.get_code(module.__name__), module.__dict__)

    def get_code(self, name):
        return compile(self.source, self.shown, 'exec', 0, True)

    def get_source(self, name):
        return self.source

    def get_filename(self, name):
        return self.shown

    def is_package(self, name):
        return False


FINDER = SourceFinder()
sys.meta_path.append(FINDER)
