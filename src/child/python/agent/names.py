"""Attributes by their dotted names, and modules by name, file or source."""

import _frozen_importlib
import _frozen_importlib_external
import builtins
import itertools
import os

from agent.failure import Failure, attempt
from agent.standard_library import FIND_SPEC, MODULES, WORLD
from agent.surroundings import FINDER, SCRIPT_LINES, ScriptLoader, as_main, share_lines


def reach(x, name):
    """An attribute by its dotted name."""
    for part in parts_of(name):
        x = as_main(getattr, x, part)
    return x


def reach_parent(x, name):
    """The object that holds the last attribute of a dotted name, and the attribute's name."""
    *parents, last = parts_of(name)
    for part in parents:
        x = as_main(getattr, x, part)
    return x, last


def parts_of(name):
    """The names in a dotted name; a backslash makes the next character part of a name."""
    if type(name) is not str:
        message = 'a name must be text, not {}'.format(type(name).__name__)
        raise Failure('bad_arguments', message)
    if '\\' not in name:
        return name.split('.')
    parts, chars = [''], iter(name)
    for char in chars:
        if char == '.':
            parts.append('')
        else:
            parts[-1] += next(chars, '') if char == '\\' else char
    return parts


def imported(name):
    # __import__ leaves the traceback of an import statement, without the frames of importlib.
    # It is the object's own, which may have replaced it, as hooks for imports do.
    as_main(builtins.__import__, name)
    module = MODULES.get(name)
    return WORLD.modules[name] if module is None else module


def unused(name, path):
    """The name, or a similar one, that a module can have without hiding another module."""

    def is_used(name):
        if name in MODULES:
            return True
        spec = attempt(lambda: FIND_SPEC(name, None), None)
        return spec is not None and spec.origin != os.path.abspath(path)

    numbered = ('{}_{}'.format(name, number) for number in itertools.count(2))
    candidates = itertools.chain([name], numbered)
    return next(candidate for candidate in candidates if not is_used(candidate))


def module_from_file(path):
    name = unused(os.path.splitext(os.path.basename(path))[0], path)
    spec_from = _frozen_importlib_external.spec_from_file_location
    spec = spec_from(name, path)
    if spec is None:
        loader = _frozen_importlib_external.SourceFileLoader(name, path)
        spec = spec_from(name, path, loader=loader)
    return loaded_module(spec)


def module_from_script(source, name):
    shown = name = name or '<script>'
    # As in a file, a mark of the encoding may come first.
    source = source[source.startswith('\ufeff') :]
    lines = share_lines()
    for number in itertools.count(2):
        if shown not in lines:
            break
        shown = '{} ({})'.format(name, number)
    # Without a modification time, linecache does not look for the lines on disk.
    SCRIPT_LINES[shown] = (len(source), None, source.splitlines(True), shown)
    share_lines()
    stem = os.path.splitext(os.path.basename(name.strip('<>')))[0]
    name = unused(stem if stem.isidentifier() else 'script', name)
    loader = ScriptLoader(source, shown)
    spec = _frozen_importlib.ModuleSpec(name, loader, origin=shown)  # type: ignore[arg-type]
    return loaded_module(spec, shown)


def loaded_module(spec, file=None):
    """The module of a spec, which can be reloaded from now on."""
    name = spec.name
    module = _frozen_importlib.module_from_spec(spec)
    if file is not None:
        module.__file__ = file
    module.__dict__['__builtins__'] = builtins
    MODULES[name] = module
    FINDER.specs[name] = spec
    try:
        spec.loader.exec_module(module)
    except BaseException:
        MODULES.pop(name, None)
        FINDER.specs.pop(name, None)
        raise
    return MODULES.get(name, module)
