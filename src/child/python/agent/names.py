"""Attributes by their dotted names, and modules by name, file or source."""

import itertools
import linecache
import os
import sys
import types

from agent.failure import Failure, attempt


def reach(x, name):
    """An attribute by its dotted name."""
    for part in parts_of(name):
        x = getattr(x, part)
    return x


def reach_parent(x, name):
    """The object that holds the last attribute of a dotted name, and the attribute's name."""
    *parents, last = parts_of(name)
    for part in parents:
        x = getattr(x, part)
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
    __import__(name)
    return sys.modules[name]


def unused(name, path):
    """The name, or a similar one, that a module can have without hiding another module."""
    import importlib.util

    def is_used(name):
        if name in sys.modules:
            return True
        spec = attempt(lambda: importlib.util.find_spec(name), None)
        return spec is not None and spec.origin != os.path.abspath(path)

    numbered = ('{}_{}'.format(name, number) for number in itertools.count(2))
    candidates = itertools.chain([name], numbered)
    return next(candidate for candidate in candidates if not is_used(candidate))


def module_from_file(path):
    import importlib.machinery
    import importlib.util

    name = unused(os.path.splitext(os.path.basename(path))[0], path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None:
        loader = importlib.machinery.SourceFileLoader(name, path)
        spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None and spec.loader is not None, 'the loader was given'
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return sys.modules.get(name, module)


def module_from_script(source, name):
    shown = name = name or '<script>'
    for number in itertools.count(2):
        if shown not in linecache.cache:
            break
        shown = '{} ({})'.format(name, number)
    # Without a modification time, linecache does not look for the lines on disk.
    linecache.cache[shown] = (len(source), None, source.splitlines(True), shown)
    stem = os.path.splitext(os.path.basename(name.strip('<>')))[0]
    module = types.ModuleType(unused(stem if stem.isidentifier() else 'script', name))
    module.__file__ = shown
    code = compile(source, shown, 'exec', 0, True)
    sys.modules[module.__name__] = module
    try:
        exec(code, module.__dict__)
    except BaseException:
        sys.modules.pop(module.__name__, None)
        raise
    return module
