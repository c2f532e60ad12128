"""The standard library, as it was before the object's first line.

The object may replace names everywhere: in builtins, in modules, in sys.modules. The agent has
builtins of its own (see `bootstrap.py`), and at the end of its text it takes copies of the
modules that it uses, so that a replaced name changes nothing here. What calls much other Python
code, such as `traceback`, is run once more as a module of the agent's own.

A module that few requests need is imported when it is needed, but never from a place that comes
before the standard library in `sys.path`: the object may have a `decimal.py` of its own there.
"""

import _frozen_importlib
import _frozen_importlib_external
import sys
import types

from agent.failure import attempt

OWN_BUILTINS = globals()['__builtins__']
# The interpreter keeps using this dict, whatever the object assigns to `sys.modules`.
MODULES = sys.modules
# The module itself; what the object assigns there, such as stdout, is meant for it alone.
WORLD = sys
# Without the entries that come before the standard library: `bootstrap.py` has removed them.
STANDARD_PATH = list(sys.path)
IMPORTED: 'dict' = {}
# By all finders, and by those of the path alone.
FIND_SPEC = _frozen_importlib._find_spec  # type: ignore[attr-defined]
FIND = _frozen_importlib_external.PathFinder.find_spec


def hold(names):
    """Replaces each module among these names by a copy, which nobody else knows."""
    for name, x in list(names.items()):
        if type(x) is not types.ModuleType or x.__name__ in ('builtins', 'sys'):
            continue
        if x.__dict__.get('__builtins__') is OWN_BUILTINS:
            # It is the agent's own already.
            continue
        names[name] = copy = types.ModuleType(x.__name__)
        copy.__dict__.update(x.__dict__)
        if copy.__name__ == 'os':
            hold(copy.__dict__)


def own_copy(module):
    """Runs a module of the standard library once more, with the agent's builtins."""
    code = attempt(lambda: module.__spec__.loader.get_code(module.__name__), None)
    if code is None:
        return module
    made = types.ModuleType(module.__name__)
    made.__dict__.update(
        __builtins__=OWN_BUILTINS, __spec__=module.__spec__, __file__=code.co_filename
    )
    exec(code, made.__dict__)
    hold(made.__dict__)
    return made


def standard(name):
    """A module of the standard library, imported if it has not been yet."""
    module = IMPORTED.get(name)
    if module is None:
        spec = attempt(lambda: FIND(name, STANDARD_PATH), None)
        module = MODULES.get(name)
        if module is None or (spec is not None and origin(module) != spec.origin):
            module = on_standard_path(lambda: (__import__(name), MODULES[name])[1])
        IMPORTED[name] = module
    return module


def on_standard_path(function):
    """Calls a function whose imports are not to come from the object's entries of the path."""
    path = WORLD.path
    entries = [entry for entry in path if entry not in STANDARD_PATH]
    if not entries:
        return function()
    # What the object has of the same names is put aside meanwhile, and comes back.
    before = set(MODULES)
    aside = {key: MODULES.pop(key) for key in before if is_shadowing(key, entries)}
    WORLD.path = STANDARD_PATH
    try:
        return function()
    finally:
        WORLD.path = path
        for key in set(MODULES) - before | set(aside):
            if is_shadowed(key, entries):
                MODULES.pop(key, None)
        MODULES.update(aside)


def origin(module):
    return attempt(lambda: module.__spec__.origin, None)


def is_shadowing(key, entries):
    """Whether a loaded module has the name of one of the standard library, and is another."""
    found = origin(MODULES[key]) if is_shadowed(key, entries) else None
    spec = attempt(lambda: FIND(key, STANDARD_PATH), None) if found is not None else None
    return spec is not None and spec.origin != found


def is_shadowed(key, entries):
    spec = attempt(lambda: FIND(key.split('.')[0], entries), None)
    return spec is not None and spec.loader is not None
